//! Dedicated addresses: replaced as a whole, never beyond the tier, never two clients' at once, however many ask.

use std::net::IpAddr;
use std::time::Duration;

use sendready::sending::tier::Tier;
use sendready::store::{
    ClientChange, ClientChanged, DedicatedReplaced, DomainRow, Requirements, Settled, Settlement, Store,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::store::settle::settlement;
use crate::store::world::{World, at, id, on_both};

on_both!(
    replaced_as_a_whole,
    every_living_domain_is_looked_at,
    a_running_check_is_dropped,
    one_address_many_clients,
    two_clients_swap,
    more_addresses_while_the_tier_falls,
);

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What binds stays as it is.
fn kept(row: &DomainRow) -> Option<Requirements> {
    row.binding.clone()
}

async fn replace(store: &Store, client: Uuid, texts: &[&str], second: i64) -> DedicatedReplaced {
    let min_interval = Duration::from_secs(15);
    store.dedicated_replace(client, &ips(texts), &kept, min_interval, at(second)).await.unwrap()
}

async fn of(store: &Store, client: Uuid) -> Vec<IpAddr> {
    store.client_get(client).await.unwrap().unwrap().dedicated_ips
}

async fn replaced_as_a_whole(world: World) {
    let store = &world.store;
    let (one, two) = (world.client(1, Tier::Dominance).await, world.client(2, Tier::Ignition).await);
    let done = DedicatedReplaced::Replaced { domains: Vec::new() };
    assert_eq!(replace(store, one, &["192.0.2.1", "2001:db8::1"], 1).await, done);
    assert_eq!(of(store, one).await, ips(&["192.0.2.1", "2001:db8::1"]));
    assert_eq!(replace(store, one, &["2001:db8::1", "192.0.2.3"], 2).await, done);
    assert_eq!(of(store, one).await, ips(&["192.0.2.3", "2001:db8::1"]));
    let exceeded = DedicatedReplaced::AllocationExceeded { tier: Tier::Dominance, limit: 2 };
    assert_eq!(replace(store, one, &["192.0.2.3", "192.0.2.4", "192.0.2.5"], 3).await, exceeded);
    let taken = DedicatedReplaced::Taken("2001:db8::1".parse().unwrap());
    assert_eq!(replace(store, two, &["2001:db8::1"], 3).await, taken);
    assert_eq!(replace(store, id(9), &[], 3).await, DedicatedReplaced::NoSuchClient);
    assert_eq!(of(store, one).await.len(), 2, "a refusal changes nothing");
    assert_eq!(store.client_usage(one).await.unwrap().unwrap().dedicated_ips_used, 2);
    assert_eq!(replace(store, one, &[], 4).await, done);
    assert_eq!(replace(store, two, &["2001:db8::1"], 5).await, done, "given back");
}

async fn every_living_domain_is_looked_at(world: World) {
    let store = &world.store;
    let (one, two) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    for (number, client) in [(10, one), (11, one), (12, two), (13, one)] {
        world.domain(number, client, &format!("d{number}.example"), 0).await;
    }
    assert!(store.domain_delete(id(13), at(1)).await.unwrap());
    let later = at(90_000).to_rfc3339();
    world.run(&format!("UPDATE email_domains SET next_check_at = '{later}', check_reason = 'schedule'")).await;
    let replaced = replace(store, one, &["192.0.2.1"], 100).await;
    assert_eq!(replaced, DedicatedReplaced::Replaced { domains: vec![id(10), id(11)] });
    let claims = store.domain_claim_due(at(100), at(160), id(7), 10).await.unwrap();
    let mut due: Vec<(Uuid, Vec<IpAddr>)> =
        claims.into_iter().map(|claim| (claim.domain.id, claim.domain.dedicated_ips)).collect();
    due.sort_unstable();
    assert_eq!(due, [(id(10), ips(&["192.0.2.1"])), (id(11), ips(&["192.0.2.1"]))]);
    let before = store.domain_get(id(10)).await.unwrap();
    let again = replace(store, one, &["192.0.2.1"], 200).await;
    assert_eq!(again, DedicatedReplaced::Replaced { domains: Vec::new() }, "the same again");
    assert_eq!(store.domain_get(id(10)).await.unwrap(), before, "and nothing has changed");
}

async fn a_running_check_is_dropped(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(0, 7).await;
    replace(&world.store, client, &["192.0.2.1"], 1).await;
    let result: Settlement = settlement(100, 2, true);
    assert_eq!(world.store.domain_settle(&claim, &result, at(2)).await.unwrap(), Settled::LeaseLost);
    assert_eq!(world.claim_one(3, 8).await.domain.dedicated_ips, ips(&["192.0.2.1"]), "due again, with the address");
}

async fn one_address_many_clients(world: World) {
    let mut tasks = JoinSet::new();
    for number in 1..=10 {
        let client = world.client(number, Tier::Ignition).await;
        let store = world.replica().await;
        tasks.spawn(async move { replace(&store, client, &["192.0.2.1"], 1).await });
    }
    let outcomes = tasks.join_all().await;
    let won = outcomes.iter().filter(|one| matches!(one, DedicatedReplaced::Replaced { .. })).count();
    let lost = outcomes.iter().filter(|one| matches!(one, DedicatedReplaced::Taken(_))).count();
    assert_eq!((won, lost), (1, 9), "{outcomes:?}");
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_dedicated_ips").await, 1);
}

/// Whoever comes first is refused what the other still has; nobody waits for ever.
async fn two_clients_swap(world: World) {
    let (one, two) = (world.client(1, Tier::Ignition).await, world.client(2, Tier::Ignition).await);
    for round in 0..20 {
        replace(&world.store, one, &["192.0.2.1"], round).await;
        replace(&world.store, two, &["192.0.2.2"], round).await;
        let mut tasks = JoinSet::new();
        for (client, wanted) in [(one, "192.0.2.2"), (two, "192.0.2.1")] {
            let store = world.store.clone();
            tasks.spawn(async move { replace(&store, client, &[wanted], round).await });
        }
        for outcome in tasks.join_all().await {
            assert!(matches!(outcome, DedicatedReplaced::Taken(_)), "{outcome:?}");
        }
        assert_eq!(
            (of(&world.store, one).await, of(&world.store, two).await),
            (ips(&["192.0.2.1"]), ips(&["192.0.2.2"]))
        );
    }
}

async fn more_addresses_while_the_tier_falls(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    for round in 0..10 {
        let up = ClientChange { name: None, tier: Some(Tier::Dominance) };
        world.store.client_change(client, &up, at(round)).await.unwrap();
        replace(&world.store, client, &[], round).await;
        let (store, other) = (world.store.clone(), world.replica().await);
        let adding = tokio::spawn(async move { replace(&store, client, &["192.0.2.1", "192.0.2.2"], round).await });
        let down = ClientChange { name: None, tier: Some(Tier::Ignition) };
        let falling = tokio::spawn(async move { other.client_change(client, &down, at(round)).await.unwrap() });
        let (added, fell) = (adding.await.unwrap(), falling.await.unwrap());
        let is_added = matches!(added, DedicatedReplaced::Replaced { .. });
        let has_fallen = matches!(fell, ClientChanged::Changed(_));
        assert!(is_added != has_fallen, "one of the two: {added:?} {fell:?}");
        let usage = world.store.client_usage(client).await.unwrap().unwrap();
        assert!(usage.dedicated_ips_used <= usage.tier.unwrap().allocation().dedicated_ips, "{usage:?}");
    }
}
