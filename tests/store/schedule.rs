//! The schedule: claiming, giving back, bringing forward.

use std::collections::BTreeSet;
use std::time::Duration;

use sendready::sending::tier::Tier;
use sendready::store::{Advanced, CheckReason, Settled};
use uuid::Uuid;

use crate::store::settle::settlement;
use crate::store::world::{World, at, id, on_both};

on_both!(
    who_goes_first,
    lent_once,
    a_lease_runs_out,
    given_back,
    the_sweep_alone,
    all_but_some_clients,
    races_lend_each_once,
    advanced,
    advanced_while_running,
    advanced_when_the_ladder_has_ended,
);

async fn who_goes_first(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    for (number, name) in ["sweep", "poll", "verify", "later"].into_iter().enumerate() {
        world.domain(10 + number as u128, client, &format!("{name}.example"), 0).await;
    }
    world.platform_row(id(20), client, "platform.example", None).await;
    let set = async |name: &str, reason: &str, second: i64| {
        let time = at(second).to_rfc3339();
        let sql = format!(
            "UPDATE email_domains SET check_reason = {reason}, next_check_at = '{time}' WHERE domain = '{name}.example'"
        );
        world.run(&sql).await;
    };
    set("sweep", "NULL", 1).await;
    set("poll", "'poll'", 3).await;
    set("verify", "'verify'", 2).await;
    set("later", "'verify'", 11).await;
    let claims = world.store.domain_claim_due(at(10), at(70), id(7), 3).await.unwrap();
    let names: Vec<_> = claims.iter().map(|claim| claim.domain.domain.as_str()).collect();
    assert_eq!(names, ["verify.example", "poll.example", "platform.example"], "the sweep has to wait");
    let claims = world.store.domain_claim_due(at(10), at(70), id(8), 3).await.unwrap();
    let found: Vec<_> = claims.iter().map(|claim| (claim.domain.domain.as_str(), claim.reason)).collect();
    assert_eq!(found, [("sweep.example", CheckReason::Schedule)], "`later` is not due");
}

async fn lent_once(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 5).await;
    assert!(world.store.domain_claim_due(at(4), at(60), id(7), 10).await.unwrap().is_empty(), "not due yet");
    let claim = world.claim_one(5, 7).await;
    assert_eq!((claim.token, claim.reason), (id(7), CheckReason::Created));
    assert_eq!(claim.domain.lease_until, Some(at(65)));
    assert!(claim.domain.is_checking(at(64)) && !claim.domain.is_checking(at(65)));
    assert!(world.store.domain_claim_due(at(64), at(100), id(8), 10).await.unwrap().is_empty());
}

async fn a_lease_runs_out(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let late = world.claim_one(0, 7).await;
    let claim = world.claim_one(60, 8).await;
    assert_eq!(claim.domain.id, id(10), "its worker is gone");
    let lost = world.store.domain_settle(&late, &settlement(100, 61, true), at(61)).await.unwrap();
    assert_eq!(lost, Settled::LeaseLost);
    world.store.domain_release(&late).await.unwrap();
    assert!(world.store.domain_claim_due(at(61), at(99), id(9), 10).await.unwrap().is_empty(), "a stranger's token");
    let done = world.store.domain_settle(&claim, &settlement(101, 61, true), at(61)).await.unwrap();
    assert_eq!(done, Settled::Done);
}

async fn given_back(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let before = world.store.domain_get(id(10)).await.unwrap();
    let claim = world.claim_one(0, 7).await;
    world.store.domain_release(&claim).await.unwrap();
    assert_eq!(world.store.domain_get(id(10)).await.unwrap(), before, "untouched");
    let later = world.claim_one(0, 8).await;
    world.store.domain_postpone(&claim, at(900)).await.unwrap();
    assert!(world.store.domain_get(id(10)).await.unwrap().unwrap().is_checking(at(1)), "a stranger's token");
    world.store.domain_postpone(&later, at(900)).await.unwrap();
    assert!(world.store.domain_claim_due(at(899), at(999), id(9), 10).await.unwrap().is_empty());
    let claim = world.claim_one(900, 9).await;
    assert_eq!((claim.reason, claim.domain.last_checked_at), (CheckReason::Schedule, None), "nothing was seen");
}

async fn the_sweep_alone(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "asked.example", 0).await;
    world.domain(11, client, "sweep.example", 0).await;
    world.run("UPDATE email_domains SET check_reason = 'schedule' WHERE domain = 'sweep.example'").await;
    let claims = world.store.domain_claim_sweep(at(1), at(60), id(7), 10).await.unwrap();
    assert_eq!(claims.iter().map(|claim| claim.domain.id).collect::<Vec<_>>(), [id(11)]);
}

/// A client that holds its share gets no more of what is asked for; the sweep knows no clients.
async fn all_but_some_clients(world: World) {
    let (one, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    world.domain(10, one, "asked.example", 0).await;
    world.domain(11, one, "scheduled.example", 0).await;
    world.run("UPDATE email_domains SET check_reason = 'schedule' WHERE domain = 'scheduled.example'").await;
    world.domain(12, other, "others.example", 0).await;
    world.platform_row(id(13), one, "platform.example", None).await;
    let lent = async |but: &[Uuid], token| {
        let claims = world.store.domain_claim_due_but(but, at(1), at(60), id(token), 10).await.unwrap();
        claims.iter().map(|claim| claim.domain.id.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(lent(&[one], 7).await, [12, 13, 11]);
    assert_eq!(lent(&[other], 8).await, [10]);
}

async fn races_lend_each_once(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    for number in 0..407_u128 {
        world.platform_row(id(1000 + number), client, &format!("d{number}.example"), None).await;
    }
    let replica = world.replica().await;
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..8_u128 {
        let store = if worker % 2 == 0 { world.store.clone() } else { replica.clone() };
        tasks.spawn(async move {
            let (mut lent, mut empty) = (Vec::new(), 0);
            // Rows that another looks at just then are passed over, so one empty answer is not the end.
            while empty < 3 {
                let claims = store.domain_claim_due(at(0), at(60), id(worker + 1), 7).await.unwrap();
                assert!(claims.len() <= 7, "more than asked for: {}", claims.len());
                if claims.is_empty() {
                    empty += 1;
                    tokio::task::yield_now().await;
                }
                lent.extend(claims.into_iter().map(|claim| claim.domain.id));
            }
            lent
        });
    }
    let lent: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = lent.iter().copied().collect();
    assert_eq!(lent.len(), distinct.len(), "none twice");
    let rest = world.store.domain_claim_due(at(0), at(60), id(99), 500).await.unwrap().len();
    assert_eq!(distinct.len() + rest, 407, "and each once");
}

const MIN: Duration = Duration::from_secs(15);

async fn advanced(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(0, 7).await;
    let settled = settlement(100, 10, false);
    assert_eq!(world.store.domain_settle(&claim, &settled, at(10)).await.unwrap(), Settled::Done);
    let check = async |why: &str, reason, second: i64, now: i64, expected: i64| {
        let advanced = world.store.domain_advance(id(10), reason, at(second), MIN, at(now)).await.unwrap();
        assert_eq!(advanced, Some(Advanced { running: false, next_check_at: at(expected) }), "{why}");
        assert_eq!(world.store.domain_get(id(10)).await.unwrap().unwrap().next_check_at, Some(at(expected)), "{why}");
    };
    check("a while after it was settled", CheckReason::Poll, 100, 12, 100).await;
    check("never later than it is", CheckReason::Poll, 200, 12, 100).await;
    check("not closer than that to the last", CheckReason::Verify, 12, 12, 25).await;
    check("nor by asking again", CheckReason::Verify, 13, 13, 25).await;
    check("what is due stays due", CheckReason::Webhook, 40, 30, 25).await;
    world.run("UPDATE email_domains SET check_reason = 'schedule'").await;
    check("what is overdue by schedule", CheckReason::Verify, 50, 50, 25).await;
    assert_eq!(world.claim_one(50, 8).await.reason, CheckReason::Verify, "gains its turn before the sweep");
    assert_eq!(world.store.domain_advance(id(99), CheckReason::Poll, at(0), MIN, at(0)).await.unwrap(), None);
    world.store.domain_delete(id(10), at(51)).await.unwrap();
    assert_eq!(world.store.domain_advance(id(10), CheckReason::Poll, at(0), MIN, at(52)).await.unwrap(), None);
}

async fn advanced_while_running(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(1, 7).await;
    let running = Some(Advanced { running: true, next_check_at: at(0) });
    let advance =
        async |reason, second| world.store.domain_advance(id(10), reason, at(second), MIN, at(second)).await.unwrap();
    assert_eq!(advance(CheckReason::Verify, 2).await, running, "joins the running check");
    assert_eq!(world.store.domain_settle(&claim, &settlement(100, 3, false), at(3)).await.unwrap(), Settled::Done);
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert_eq!(row.next_check_at, Some(at(3 + 900)), "and asks for no other");
    world.run("UPDATE email_domains SET next_check_at = created_at").await;
    let claim = world.claim_one(30, 8).await;
    assert_eq!(advance(CheckReason::Webhook, 31).await, running, "DNS changed after the questions were asked, maybe");
    assert_eq!(advance(CheckReason::Webhook, 32).await, running);
    assert_eq!(world.store.domain_settle(&claim, &settlement(101, 33, false), at(33)).await.unwrap(), Settled::Done);
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert_eq!((row.next_check_at, row.check_reason), (Some(at(31 + 15)), Some(CheckReason::Webhook)));
    let claim = world.claim_one(46, 9).await;
    assert_eq!(world.store.domain_settle(&claim, &settlement(102, 47, false), at(47)).await.unwrap(), Settled::Done);
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert_eq!(row.next_check_at, Some(at(47 + 900)), "once");
}

async fn advanced_when_the_ladder_has_ended(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(0, 7).await;
    let mut settled = settlement(100, 1, false);
    settled.next_check_at = None;
    assert_eq!(world.store.domain_settle(&claim, &settled, at(1)).await.unwrap(), Settled::Done);
    assert!(world.store.domain_claim_due(at(9_000_000), at(9_000_060), id(8), 10).await.unwrap().is_empty());
    let advanced = world.store.domain_advance(id(10), CheckReason::Poll, at(50), MIN, at(50)).await.unwrap();
    assert_eq!(advanced, Some(Advanced { running: false, next_check_at: at(50) }));
    assert_eq!(world.claim_one(50, 9).await.reason, CheckReason::Poll);
    // A row of the platform that nobody has looked at is due, and stays so.
    world.platform_row(id(11), client, "platform.example", None).await;
    let advanced = world.store.domain_advance(id(11), CheckReason::Webhook, at(90), MIN, at(60)).await.unwrap();
    assert_eq!(advanced, Some(Advanced { running: false, next_check_at: at(60) }));
    assert_eq!(world.claim_one(60, 10).await.reason, CheckReason::Webhook);
}
