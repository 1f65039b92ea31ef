//! What others say of domains: lent once however many replicas ask, written with what follows from it.

use chrono::{DateTime, TimeDelta, Utc};
use sendready::sending::tier::Tier;
use sendready::store::{AgeTold, ListTold, OrganizationClaim, Store};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::store::settle::settlement;
use crate::store::world::{World, at, id, on_both};

on_both!(
    one_turn_for_all_replicas,
    an_age_and_what_follows,
    what_lists_say,
    a_check_that_turns_flags_writes_the_score,
    only_what_is_outdated_is_written,
);

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// Two domains of one registrable domain, noted.
async fn two(world: &World) {
    let client = world.client(1, Tier::Velocity).await;
    for (number, name) in [(10, "a.example.com"), (11, "b.example.com")] {
        world.domain(number, client, name, 0).await;
        world.store.organization_note(id(number), name, "example.com", at(0)).await.unwrap();
    }
}

async fn lent(store: &Store, second: i64, token: u128) -> Option<OrganizationClaim> {
    store.age_claim(at(second), at(second + 60), id(token), SECOND).await.unwrap()
}

fn day(days: i64) -> DateTime<Utc> {
    at(0) - TimeDelta::days(days)
}

fn told(told: Result<(DateTime<Utc>, String), String>, next: i64) -> AgeTold {
    let failures = u32::from(told.is_err());
    AgeTold { asked_at: Some(at(0)), told, failures, next_at: at(next) }
}

async fn one_turn_for_all_replicas(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    for number in 0..4 {
        let name = format!("d{number}.example");
        world.domain(10 + number, client, &name, 0).await;
        world.store.organization_note(id(10 + number), &name, &name, at(0)).await.unwrap();
    }
    let mut seen = Vec::new();
    for second in [0, 1, 2, 3, 4] {
        let mut tasks = JoinSet::new();
        for token in 0..8 {
            let store = world.replica().await;
            tasks.spawn(async move { lent(&store, second, 100 + token).await });
        }
        let claims: Vec<OrganizationClaim> = tasks.join_all().await.into_iter().flatten().collect();
        assert!(claims.len() <= 1, "{second}: {claims:?}");
        seen.extend(claims.into_iter().map(|claim| claim.organization));
    }
    seen.sort_unstable();
    assert_eq!(seen, ["d0.example", "d1.example", "d2.example", "d3.example"], "one a second, each once");
}

async fn an_age_and_what_follows(world: World) {
    two(&world).await;
    let store = &world.store;
    let claim = lent(store, 0, 7).await.unwrap();
    assert_eq!((claim.organization.as_str(), claim.failures, claim.is_living), ("example.com", 0, true));
    assert_eq!(lent(store, 5, 8).await, None, "it is lent");
    let good = told(Ok((day(90), "rdap.example".to_owned())), 1_000);
    assert!(store.age_settle(&claim, &good, at(1)).await.unwrap());
    for number in [10, 11] {
        let row = store.domain_get(id(number)).await.unwrap().unwrap();
        assert_eq!((row.domain_age_days, row.reputation_score), (Some(90), Some(50.0)), "20 + 10 + 10 + 10");
        assert_eq!(row.updated_at, Some(at(1)));
    }
    assert!(!store.age_settle(&claim, &good, at(2)).await.unwrap(), "it is no longer lent");
    assert_eq!(lent(store, 999, 9).await, None, "not due");
    let claim = lent(store, 1_000, 9).await.unwrap();
    let bad = told(Err("it is down".to_owned()), 9_000);
    assert!(store.age_settle(&claim, &bad, at(1_001)).await.unwrap());
    let age = store.age_of(id(10)).await.unwrap().unwrap();
    assert_eq!((age.registered_at, age.age_source.as_deref()), (Some(day(90)), Some("rdap.example")));
    assert_eq!(age.age_fault.as_deref(), Some("it is down"));
    assert_eq!(store.domain_get(id(10)).await.unwrap().unwrap().domain_age_days, Some(90), "the age stays");
    let late = lent(store, 9_000, 10).await.unwrap();
    assert_eq!(late.failures, 1);
    let again = lent(store, 9_061, 11).await.unwrap();
    assert!(!store.age_settle(&late, &good, at(9_062)).await.unwrap(), "another has it");
    assert!(
        store.domain_delete(id(10), at(9_062)).await.unwrap() && store.domain_delete(id(11), at(9_062)).await.unwrap()
    );
    assert!(store.age_settle(&again, &told(Err(String::new()), 9_063), at(9_063)).await.unwrap());
    assert!(!lent(store, 9_070, 12).await.unwrap().is_living, "nobody has a domain of it");
}

async fn what_lists_say(world: World) {
    two(&world).await;
    let store = &world.store;
    let say = async |told: Result<(Vec<String>, Option<String>), String>, second: i64| {
        let claim = store.lists_claim(at(second), at(second + 60), id(7)).await.unwrap().unwrap();
        assert_eq!(store.lists_claim(at(second), at(second + 60), id(8)).await.unwrap(), None, "it is lent");
        let told = [ListTold { zone: "dbl.example".to_owned(), told }];
        assert!(store.lists_settle(&claim, &told, at(second + 100), at(second)).await.unwrap());
        assert!(!store.lists_settle(&claim, &told, at(second + 100), at(second)).await.unwrap(), "given back");
        let row = store.listings(id(11)).await.unwrap().remove(0);
        let score = store.domain_get(id(10)).await.unwrap().unwrap().reputation_score;
        (row.listed, row.codes.join("+"), row.reason, row.fault, row.told_at == Some(at(second)), score)
    };
    let codes = vec!["127.0.1.2".to_owned(), "127.0.1.4".to_owned()];
    let (words, reason, fault) = ("127.0.1.2+127.0.1.4".to_owned(), Some("spam".to_owned()), Some("away".to_owned()));
    let never = say(Err("away".to_owned()), 0).await;
    assert_eq!(never, (None, String::new(), None, fault.clone(), false, Some(50.0)));
    let listed = say(Ok((codes, reason.clone())), 100).await;
    assert_eq!(listed, (Some(true), words.clone(), reason.clone(), None, true, Some(45.0)));
    let away = say(Err("away".to_owned()), 200).await;
    assert_eq!(away, (Some(true), words, reason, fault, false, Some(45.0)), "the last word stands");
    let free = say(Ok((Vec::new(), None)), 300).await;
    assert_eq!(free, (Some(false), String::new(), None, None, true, Some(60.0)));
    store.lists_keep(&[], at(400)).await.unwrap();
    assert_eq!(store.listings(id(11)).await.unwrap(), []);
}

async fn a_check_that_turns_flags_writes_the_score(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(0, 7).await;
    world.store.domain_settle(&claim, &settlement(100, 1, true), at(1)).await.unwrap();
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert!(row.spf_valid && row.mx_valid);
    assert_eq!(row.reputation_score, Some(70.0));
}

async fn only_what_is_outdated_is_written(world: World) {
    two(&world).await;
    let store = &world.store;
    let both = [id(10), id(11)];
    assert_eq!(store.reputation_refresh(&both, at(1)).await.unwrap(), 2);
    assert_eq!(store.reputation_refresh(&both, at(2)).await.unwrap(), 0, "twice is once");
    assert_eq!(store.domain_get(id(10)).await.unwrap().unwrap().updated_at, Some(at(1)));
    // The platform's word on the age stands where no registry has spoken; figures that are no fractions do not count.
    world.run("UPDATE email_domains SET domain_age_days = 365").await;
    world.run(&crate::store::clients::mailbox(&world, 1, 10, 1)).await;
    world.run("UPDATE email_mailboxes SET bounce_rate = 7, spam_rate = 0.003").await;
    assert_eq!(store.reputation_refresh(&both, at(3)).await.unwrap(), 2);
    let shown = async |number: u128| {
        let row = store.domain_get(id(number)).await.unwrap().unwrap();
        (row.domain_age_days, row.reputation_score)
    };
    assert_eq!(shown(10).await, (Some(365), Some(59.0)), "20 + 17 + 10 + 12 of the mailbox");
    assert_eq!(shown(11).await, (Some(365), Some(57.0)));
    let walked = store.organization_walk(Uuid::nil(), 10).await.unwrap();
    assert_eq!(walked.iter().filter_map(|row| row.organization.as_deref()).collect::<Vec<_>>(), ["example.com"; 2]);
    world.run("UPDATE email_domains SET domain = 'c.example.org' WHERE domain = 'a.example.com'").await;
    assert_eq!(store.organization_walk(Uuid::nil(), 1).await.unwrap()[0].organization, None, "another name");
    assert_eq!(store.organization_walk(id(11), 10).await.unwrap(), []);
}
