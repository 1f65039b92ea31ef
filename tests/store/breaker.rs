//! The fleet breaker's memory, and the fence around a demotion.

use chrono::TimeDelta;
use sendready::sending::tier::Tier;
use sendready::store::{NewLook, Settled, Settlement};
use sendready::verify::breaker::{Change, Counts, Outcome, Rule, Span};
use sendready::verify::standing::{Flags, Standing, Status};

use crate::store::domains::event;
use crate::store::settle::settlement;
use crate::store::world::{World, at, id, on_both};

on_both!(
    looks_are_remembered,
    who_is_gone_counts_no_longer,
    it_opens_and_closes,
    no_demotion_is_written_once_it_is_open,
    all_at_once,
    a_sample_is_brought_forward,
);

const RULE: Rule = Rule { min_domains: 3, share: 0.5, window: TimeDelta::seconds(600) };

fn look(organization: &str, outcome: Outcome, second: i64) -> NewLook {
    let organization = organization.to_owned();
    NewLook { organization, outcome, turned_at: at(second), was_valid: true, is_valid: outcome == Outcome::Good }
}

/// A fleet of domains `a.example` and so on, with ids from 10.
async fn fleet(world: &World, names: &[&str]) {
    let client = world.client(1, Tier::Dominance).await;
    for (number, name) in names.iter().enumerate() {
        world.platform_row(id(10 + number as u128), client, name, Some("active")).await;
    }
    world.run("UPDATE email_domains SET dns_configured = TRUE").await;
}

async fn looks_are_remembered(world: World) {
    fleet(&world, &["a.example"]).await;
    let ask = async |outcome, second| {
        let look = look("a.example", outcome, second);
        world.store.breaker_ask(id(10), &look, &RULE, Span::Window, at(second)).await.unwrap();
        let since = "SELECT count(*) FROM sendready_breaker_looks WHERE turned_at IS NOT NULL";
        world.count(since).await
    };
    assert_eq!(ask(Outcome::Good, 1).await, 0);
    assert_eq!(ask(Outcome::Unknown, 2).await, 1);
    assert_eq!(ask(Outcome::Bad, 3).await, 1);
    let first = format!("SELECT count(*) FROM sendready_breaker_looks WHERE turned_at = '{}'", at(2).to_rfc3339());
    assert_eq!(world.count(&first).await, 1, "a run keeps its beginning");
    assert_eq!(ask(Outcome::Good, 4).await, 0);
    let unknown = NewLook { was_valid: false, ..look("b.example", Outcome::Bad, 5) };
    world.store.breaker_ask(id(11), &unknown, &RULE, Span::Window, at(5)).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM sendready_breaker_looks").await, 1, "what never was valid");
    let fallen = NewLook { was_valid: false, ..look("a.example", Outcome::Bad, 6) };
    world.store.breaker_ask(id(10), &fallen, &RULE, Span::Window, at(6)).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM sendready_breaker_looks WHERE outcome = 'bad'").await, 1);
}

/// Asks for each of some domains in turn; what came of the last.
async fn ask(world: &World, outcomes: &[(u128, Outcome)], second: i64) -> (Counts, usize, Change) {
    let mut last = None;
    for (number, outcome) in outcomes {
        let look = look(&format!("{number}.example"), *outcome, second);
        let asked = world.store.breaker_ask(id(*number), &look, &RULE, Span::Window, at(second)).await.unwrap();
        last = Some((asked.counts, asked.others, asked.change));
    }
    last.unwrap()
}

async fn who_is_gone_counts_no_longer(world: World) {
    fleet(&world, &["a.example", "b.example", "c.example", "d.example"]).await;
    let (counts, others, change) = ask(&world, &[(10, Outcome::Bad), (11, Outcome::Bad)], 1).await;
    assert_eq!((counts, others, change), (Counts { looked: 2, turned: 2 }, 1, Change::None));
    world.run("UPDATE email_domains SET deleted_at = created_at, status = 'deleted' WHERE domain = 'b.example'").await;
    let (counts, others, change) = ask(&world, &[(12, Outcome::Good)], 2).await;
    assert_eq!((counts, others, change), (Counts { looked: 2, turned: 1 }, 1, Change::None));
}

async fn it_opens_and_closes(world: World) {
    fleet(&world, &["a.example", "b.example", "c.example", "d.example"]).await;
    let watch = async |second| {
        let asked = world.store.breaker_watch(&RULE, at(second)).await.unwrap();
        (asked.breaker.is_open(), asked.change)
    };
    assert_eq!(watch(0).await, (false, Change::None));
    ask(&world, &[(10, Outcome::Good), (11, Outcome::Good), (12, Outcome::Bad), (13, Outcome::Unknown)], 1).await;
    assert_eq!(watch(2).await, (false, Change::None), "at the share");
    // What settles writes looks too, without asking.
    let (_, _, change) = ask(&world, &[(10, Outcome::Bad)], 3).await;
    assert_eq!(change, Change::Opened);
    assert_eq!(world.store.breaker().await.unwrap().counts, Counts { looked: 4, turned: 3 });
    let (_, _, change) = ask(&world, &[(10, Outcome::Good), (12, Outcome::Good)], 4).await;
    assert_eq!(change, Change::None, "who asks for one domain does not close it");
    assert_eq!(watch(5).await, (false, Change::Closed));
    assert_eq!(watch(6).await, (false, Change::None));
    assert_eq!(world.store.breaker_accept(at(7)).await.unwrap(), None);
    ask(&world, &[(10, Outcome::Bad), (11, Outcome::Bad)], 8).await;
    assert!(world.store.breaker().await.unwrap().is_open());
    let accepted = world.store.breaker_accept(at(9)).await.unwrap().unwrap();
    assert_eq!((accepted.accepted_at, accepted.opened_at), (Some(at(9)), Some(at(8))));
    assert_eq!(world.store.breaker().await.unwrap(), accepted);
    assert_eq!(watch(10).await, (false, Change::None));
}

async fn no_demotion_is_written_once_it_is_open(world: World) {
    fleet(&world, &["a.example", "b.example", "c.example", "d.example"]).await;
    let checked = at(0).to_rfc3339();
    world.run(&format!("UPDATE email_domains SET last_checked_at = '{checked}' WHERE domain <> 'a.example'")).await;
    world.run("UPDATE email_domains SET spf_valid = TRUE").await;
    let claim = world.claim_one(1, 7).await;
    let flags = |spf| Flags { spf, dkim: false, dmarc: false, mx: false };
    let standing = |spf| Standing { status: Status::Active, flags: flags(spf), ..Standing::NEW };
    let withheld = Settlement { standing: standing(true), dns_configured: true, ..settlement(100, 2, false) };
    let demoting = Settlement {
        standing: Standing { degraded_since: Some(at(2)), ..standing(false) },
        events: vec![event(50, "domain.at_risk")],
        look: Some(look("a.example", Outcome::Bad, 2)),
        withheld: Some(Box::new(withheld)),
        ..settlement(100, 2, false)
    };
    // It is made while the breaker is closed; then another replica opens it.
    let replica = world.replica().await;
    for number in 11..14 {
        let bad = look(&format!("{number}.example"), Outcome::Bad, 2);
        replica.breaker_ask(id(number), &bad, &RULE, Span::Window, at(2)).await.unwrap();
    }
    assert_eq!(world.store.domain_settle(&claim, &demoting, at(3)).await.unwrap(), Settled::Withheld);
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert!(row.spf_valid && row.dns_configured && row.degraded_since.is_none(), "{row:?}");
    assert_eq!(world.count("SELECT count(*) FROM sendready_events").await, 0);
    // Closed, it is written as it is.
    world.store.breaker_accept(at(4)).await.unwrap().unwrap();
    let claim = world.store.domain_claim_due(at(1000), at(1060), id(8), 10).await.unwrap().remove(0);
    let demoting = Settlement { check_id: id(101), ..demoting };
    assert_eq!(world.store.domain_settle(&claim, &demoting, at(1001)).await.unwrap(), Settled::Done);
    assert!(!world.store.domain_get(id(10)).await.unwrap().unwrap().spf_valid);
}

async fn all_at_once(world: World) {
    let names: Vec<String> = (0..20).map(|number| format!("d{number}.example")).collect();
    fleet(&world, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let replica = world.replica().await;
    let asks = names.iter().enumerate().map(|(number, name)| {
        let store = if number % 2 == 0 { world.store.clone() } else { replica.clone() };
        let (look, domain) = (look(name, Outcome::Bad, 1), id(10 + number as u128));
        tokio::spawn(async move { store.breaker_ask(domain, &look, &RULE, Span::Window, at(1)).await.unwrap() })
    });
    let mut changes = Vec::new();
    for asked in asks.collect::<Vec<_>>() {
        changes.push(asked.await.unwrap());
    }
    assert_eq!(changes.iter().filter(|asked| asked.change == Change::Opened).count(), 1, "it opens once");
    assert_eq!(changes.iter().filter(|asked| !asked.breaker.is_open()).count(), 2, "too few had been looked at");
    assert_eq!(world.store.breaker().await.unwrap().counts, Counts { looked: 3, turned: 3 });
}

async fn a_sample_is_brought_forward(world: World) {
    fleet(&world, &["a.example", "b.example", "c.example", "d.example", "e.example"]).await;
    let later = format!("next_check_at = '{}', last_checked_at = '{}'", at(9000).to_rfc3339(), at(0).to_rfc3339());
    world.run(&format!("UPDATE email_domains SET {later}")).await;
    ask(&world, &[(10, Outcome::Good), (11, Outcome::Good)], 1).await;
    ask(&world, &[(12, Outcome::Good), (13, Outcome::Good)], 2).await;
    ask(&world, &[(14, Outcome::Good)], 500).await;
    world.run("UPDATE email_domains SET dns_configured = FALSE WHERE domain = 'd.example'").await;
    let sample =
        async |limit| world.store.breaker_sample((id(10), "10.example"), at(400), limit, at(1000)).await.unwrap();
    let due =
        format!("SELECT domain FROM email_domains WHERE next_check_at = '{}' ORDER BY domain", at(1000).to_rfc3339());
    assert_eq!(sample(1).await, 1);
    assert_eq!(world.texts(&due).await, ["b.example"], "the longest ago, and not the one it is for");
    assert_eq!(sample(9).await, 2, "not those looked at since, nor those that are not valid");
    assert_eq!(world.texts(&due).await, ["b.example", "c.example"]);
    assert_eq!(world.store.breaker_sample((id(10), "10.example"), at(0), 9, at(1000)).await.unwrap(), 0);
}
