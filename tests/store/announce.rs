//! A webhook's word: which domains it marks, and the looks that follow.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sendready::sending::tier::Tier;
use sendready::store::webhook_word::Announced;
use sendready::store::{CheckReason, Settled, Settlement};

use crate::store::settle::settlement;
use crate::store::world::{World, at, id, on_both};

on_both!(who_is_marked, three_looks, no_more_looks_once_all_is_valid, a_running_check_does_not_count, never_closer);

const MIN: Duration = Duration::from_secs(15);

async fn announce(world: &World, names: &[&str], second: i64) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let announced = Announced { names: &names, client_id: None, min_interval: MIN };
    let mut marked = world.store.domain_announce(&announced, at(second)).await.unwrap();
    marked.sort();
    marked
}

/// When the one domain is due, and why.
async fn due(world: &World) -> (Option<DateTime<Utc>>, Option<CheckReason>) {
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    (row.next_check_at, row.check_reason)
}

/// Takes the one domain that is due, checks it for no time, and says when it is due next.
async fn check(world: &World, second: i64, valid: bool) -> (Option<DateTime<Utc>>, Option<CheckReason>) {
    let number = 100 + second.unsigned_abs() as u128;
    let claim = world.claim_one(second, number).await;
    let settled = settlement(number, second, valid);
    assert_eq!(world.store.domain_settle(&claim, &settled, at(second)).await.unwrap(), Settled::Done);
    due(world).await
}

async fn who_is_marked(world: World) {
    let (one, other) = (world.client(1, Tier::Dominance).await, world.client(2, Tier::Dominance).await);
    world.domain(10, one, "a.example", 0).await;
    world.domain(11, other, "b.example", 0).await;
    world.domain(12, one, "gone.example", 0).await;
    world.store.domain_delete(id(12), at(1)).await.unwrap();
    world.platform_row(id(13), one, "Upper.EXAMPLE.", Some("active")).await;
    let names = ["a.example", "b.example", "gone.example", "upper.example", "nobody.example"];
    assert_eq!(announce(&world, &names, 2).await, ["Upper.EXAMPLE.", "a.example", "b.example"]);
    assert_eq!(announce(&world, &[], 2).await, [""; 0]);
    let names = names.map(str::to_owned);
    let of_one = Announced { names: &names, client_id: Some(other), min_interval: MIN };
    assert_eq!(world.store.domain_announce(&of_one, at(3)).await.unwrap(), ["b.example"]);
}

async fn three_looks(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let (schedule, webhook) = (Some(CheckReason::Schedule), Some(CheckReason::Webhook));
    assert_eq!(check(&world, 0, false).await, (Some(at(900)), schedule));
    announce(&world, &["a.example"], 100).await;
    assert_eq!(due(&world).await, (Some(at(100)), webhook), "at once");
    assert_eq!(check(&world, 101, false).await, (Some(at(130)), webhook), "after 30 s");
    assert_eq!(check(&world, 131, false).await, (Some(at(220)), webhook), "after 2 min");
    assert_eq!(check(&world, 221, false).await, (Some(at(221 + 900)), schedule), "and no more");
    // Told again, all begins anew.
    announce(&world, &["a.example"], 300).await;
    assert_eq!(check(&world, 300, false).await, (Some(at(330)), webhook));
    announce(&world, &["a.example"], 320).await;
    assert_eq!(due(&world).await, (Some(at(320)), webhook));
    assert_eq!(check(&world, 320, false).await, (Some(at(350)), webhook));
}

async fn no_more_looks_once_all_is_valid(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    check(&world, 0, false).await;
    announce(&world, &["a.example"], 100).await;
    assert_eq!(check(&world, 100, true).await, (Some(at(1000)), Some(CheckReason::Schedule)));
    // A failure that is found soon after is no business of that webhook's.
    world.run("UPDATE email_domains SET next_check_at = last_checked_at").await;
    assert_eq!(check(&world, 116, false).await, (Some(at(116 + 900)), Some(CheckReason::Schedule)));
}

/// It may have asked before the change.
async fn a_running_check_does_not_count(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(0, 7).await;
    announce(&world, &["a.example"], 5).await;
    let settled = Settlement { ..settlement(100, 6, true) };
    assert_eq!(world.store.domain_settle(&claim, &settled, at(6)).await.unwrap(), Settled::Done);
    let webhook = Some(CheckReason::Webhook);
    assert_eq!(due(&world).await, (Some(at(5 + 15)), webhook), "though it was all valid");
    assert_eq!(check(&world, 21, false).await, (Some(at(36)), webhook), "30 s after the word, 15 s after the last");
    assert_eq!(check(&world, 36, false).await, (Some(at(125)), webhook));
}

async fn never_closer(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    check(&world, 100, false).await;
    announce(&world, &["a.example"], 105).await;
    let (next, _) = due(&world).await;
    // SQLite's own clock has milliseconds.
    let late = next.unwrap() - at(115);
    assert!(late >= chrono::TimeDelta::zero() && late <= chrono::TimeDelta::milliseconds(2), "{late}");
    assert!(world.store.domain_claim_due(at(114), at(200), id(8), 10).await.unwrap().is_empty());
    assert_eq!(check(&world, 116, false).await.0, Some(at(135)), "30 s after the word");
    // What somebody asked for and is due already keeps its reason.
    world.run("UPDATE email_domains SET check_reason = 'verify', next_check_at = created_at").await;
    announce(&world, &["a.example"], 300).await;
    assert_eq!(due(&world).await, (Some(at(0)), Some(CheckReason::Verify)));
}
