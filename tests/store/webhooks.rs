//! Endpoints, deliveries and receipts: written with the event, lent once, settled behind the lease.

use std::collections::BTreeSet;

use sendready::sending::tier::Tier;
use sendready::store::receipt::NamesTaken;
use sendready::store::{
    Attempt, DeliveryClaim, DeliverySettled, DeliveryStatus, DisabledReason, Disabling, DomainChange, EndpointAdded,
    EndpointChange, NewEndpoint, OperatorStatus, Settled, Settlement, Store, Which,
};
use sendready::webhook::event::Kind;
use sendready::webhook::signature::Secret;
use serde_json::json;
use uuid::Uuid;

use crate::store::domains::event;
use crate::store::settle::settlement;
use crate::store::world::{World, at, id, on_both};

on_both!(
    an_endpoint_reads_back,
    an_event_is_written_with_its_deliveries_or_not_at_all,
    results_written_together_write_their_deliveries,
    no_delivery_is_lent_twice,
    an_attempt_settles_behind_its_lease,
    an_endpoint_is_disabled_once,
    removing_an_endpoint_fails_no_event,
    old_deliveries_are_forgotten,
    a_receipt_is_kept_once,
);

async fn endpoint(store: &Store, number: u128, client_id: Option<Uuid>, events: &[Kind]) -> EndpointAdded {
    let secret = Secret::of([7; 32]);
    let new = NewEndpoint { id: id(number), client_id, url: "https://a.example/", events, secret: &secret };
    store.endpoint_add(&new, 3, at(0)).await.unwrap()
}

/// A test event for an endpoint, at a second.
async fn test_event(store: &Store, number: u128, endpoint: u128, second: i64) {
    assert!(store.delivery_test(id(endpoint), id(number), &json!({}), at(second)).await.unwrap());
}

async fn claim(store: &Store, endpoint: u128, second: i64, token: u128) -> Vec<DeliveryClaim> {
    let lease = at(second + 30);
    store.delivery_claim((id(endpoint), Which::Any), at(second), lease, id(token), 10).await.unwrap()
}

fn attempt(second: i64, failure: Option<&'static str>, next: Option<i64>) -> Attempt<'static> {
    Attempt {
        at: at(second),
        took_ms: 12,
        response_code: Some(if failure.is_some() { 500 } else { 200 }),
        response_excerpt: Some("x"),
        failure,
        next_attempt_at: next.map(at),
        resumes_at: None,
    }
}

async fn an_endpoint_reads_back(world: World) {
    let store = &world.store;
    world.client(1, Tier::Velocity).await;
    let kinds = [Kind::DomainVerified, Kind::MailboxPaused];
    assert_eq!(endpoint(store, 20, Some(id(1)), &kinds).await, EndpointAdded::Added);
    assert_eq!(endpoint(store, 21, Some(id(9)), &[]).await, EndpointAdded::NoSuchClient);
    for number in 22..25 {
        assert_eq!(endpoint(store, number, None, &[]).await, EndpointAdded::Added);
    }
    assert_eq!(endpoint(store, 25, None, &[]).await, EndpointAdded::TooMany);
    let row = store.endpoint_get(id(20)).await.unwrap().unwrap();
    assert_eq!(
        (row.client_id, row.url.as_str(), row.events.as_slice()),
        (Some(id(1)), "https://a.example/", &kinds[..])
    );
    assert_eq!((row.secret.clone(), row.enabled, row.created_at), (Secret::of([7; 32]), true, at(0)));
    let ids = async |client, after, limit| {
        let rows = store.endpoint_list(client, after, limit).await.unwrap();
        rows.iter().map(|row| row.id.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, None, 10).await, [20, 22, 23, 24]);
    assert_eq!(ids(None, Some(id(20)), 2).await, [22, 23]);
    assert_eq!(ids(Some(id(1)), None, 10).await, [20]);
    assert_eq!(ids(Some(id(1)), Some(id(20)), 10).await, [0; 0]);
    let off = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
    let row = store.endpoint_change(id(20), &off, at(5)).await.unwrap().unwrap();
    assert_eq!((row.enabled, row.disabled_at, row.disabled_reason, row.updated_at), (false, Some(at(5)), None, at(5)));
    let row = store.endpoint_change(id(20), &off, at(6)).await.unwrap().unwrap();
    assert_eq!(row.disabled_at, Some(at(5)), "twice is once");
    let on =
        EndpointChange { enabled: Some(true), url: Some("https://b.example/".to_owned()), events: Some(Vec::new()) };
    let row = store.endpoint_change(id(20), &on, at(7)).await.unwrap().unwrap();
    assert_eq!(
        (row.enabled, row.disabled_at, row.url.as_str(), row.events.len()),
        (true, None, "https://b.example/", 0)
    );
    assert_eq!(store.endpoint_change(id(99), &on, at(7)).await.unwrap(), None);
    let rotated = store.endpoint_rotate(&row, &Secret::of([8; 32]), &[], at(8)).await.unwrap();
    assert_eq!(rotated.unwrap().secret, Secret::of([8; 32]));
    assert_eq!(
        store.endpoint_rotate(&row, &Secret::of([9; 32]), &[], at(8)).await.unwrap(),
        None,
        "it was read before"
    );
    assert!(store.endpoint_remove(id(20)).await.unwrap());
    assert!(!store.endpoint_remove(id(20)).await.unwrap());
}

async fn an_event_is_written_with_its_deliveries_or_not_at_all(world: World) {
    let store = &world.store;
    let (one, two) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    world.domain(10, one, "a.example", 0).await;
    endpoint(store, 20, None, &[]).await;
    endpoint(store, 21, Some(one), &[Kind::DomainSuspended, Kind::DomainVerified]).await;
    endpoint(store, 22, Some(one), &[Kind::DomainVerified]).await;
    endpoint(store, 23, Some(two), &[]).await;
    endpoint(store, 24, None, &[]).await;
    let off = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
    store.endpoint_change(id(24), &off, at(1)).await.unwrap();
    let word = DomainChange {
        status: Some(OperatorStatus::Suspended),
        events: vec![event(50, "domain.suspended")],
        ..DomainChange::default()
    };
    store.domain_change(id(10), &word, at(2)).await.unwrap();
    let all = "SELECT COUNT(*) FROM sendready_webhook_deliveries";
    assert_eq!(world.count(all).await, 2, "everybody's, and the client's that wants it");
    for number in [20, 21] {
        let row = &store.delivery_list(id(number), None, 10).await.unwrap()[0];
        assert_eq!((row.event_id, row.kind.as_str(), row.created_at), (id(50), "domain.suspended", at(2)));
        assert_eq!((row.status, row.attempts, row.next_attempt_at), (DeliveryStatus::Pending, 0, Some(at(2))));
    }
    // A settlement that comes too late writes neither event nor delivery.
    let claim = world.claim_one(3, 7).await;
    world.run("UPDATE email_domains SET lease_token = NULL").await;
    let late = Settlement { events: vec![event(51, "domain.verified")], ..settlement(100, 4, true) };
    assert_eq!(store.domain_settle(&claim, &late, at(5)).await.unwrap(), Settled::LeaseLost);
    assert_eq!(world.count(all).await, 2);
}

async fn results_written_together_write_their_deliveries(world: World) {
    let store = &world.store;
    let (one, two) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    world.domain(10, one, "a.example", 0).await;
    world.domain(11, two, "b.example", 0).await;
    endpoint(store, 20, None, &[]).await;
    endpoint(store, 21, Some(two), &[]).await;
    let mut claims = store.domain_claim_due(at(1), at(61), id(7), 10).await.unwrap();
    claims.sort_by_key(|claim| claim.domain.id);
    let results = [
        Settlement { events: vec![event(50, "domain.verified")], ..settlement(100, 2, true) },
        Settlement {
            events: vec![event(51, "domain.verified"), event(52, "domain.records_changed")],
            ..settlement(101, 3, true)
        },
    ];
    let together = [(&claims[0], &results[0]), (&claims[1], &results[1])];
    assert_eq!(store.domain_settle_all(&together, at(4)).await.unwrap(), [Settled::Done; 2]);
    let events = async |number| {
        let rows = store.delivery_list(id(number), None, 10).await.unwrap();
        rows.iter().map(|row| (row.event_id.as_u128(), row.created_at)).collect::<Vec<_>>()
    };
    assert_eq!(events(20).await, [(52, at(3)), (51, at(3)), (50, at(2))]);
    assert_eq!(events(21).await, [(52, at(3)), (51, at(3))]);
    let bodies = world.texts("SELECT body FROM sendready_webhook_deliveries ORDER BY event_id").await;
    let body: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!((&body["type"], &body["data"]), (&json!("domain.verified"), &json!({"number": 1})));
}

async fn no_delivery_is_lent_twice(world: World) {
    const ENDPOINTS: u128 = 3;
    const EACH: u128 = 40;
    for endpoint_number in 0..ENDPOINTS {
        endpoint(&world.store, 20 + endpoint_number, None, &[]).await;
        for number in 0..EACH {
            test_event(&world.store, 1_000 * (endpoint_number + 1) + number, 20 + endpoint_number, 0).await;
        }
    }
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..4_u128 {
        let store = world.replica().await;
        tasks.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let waiting = store.endpoint_claimable(at(1), 10).await.unwrap();
                for one in &waiting {
                    let of = (one.endpoint_id, Which::Any);
                    let claims = store.delivery_claim(of, at(1), at(31), id(worker), 4).await.unwrap();
                    mine.extend(claims.iter().map(|claim| claim.delivery.event_id));
                }
                if waiting.is_empty() {
                    return mine;
                }
            }
        });
    }
    let lent: Vec<Uuid> = tasks.join_all().await.into_iter().flatten().collect();
    let once: BTreeSet<&Uuid> = lent.iter().collect();
    let all = usize::try_from(ENDPOINTS * EACH).unwrap();
    assert_eq!((lent.len(), once.len()), (all, all), "each once, and none forgotten");
    assert_eq!(world.store.endpoint_claimable(at(31), 10).await.unwrap().len(), 3, "a dead worker's are due again");
}

async fn an_attempt_settles_behind_its_lease(world: World) {
    let store = &world.store;
    endpoint(store, 20, None, &[]).await;
    test_event(store, 50, 20, 0).await;
    let first = claim(store, 20, 1, 7).await;
    assert_eq!(claim(store, 20, 2, 8).await.len(), 0, "it is lent");
    assert_eq!(store.endpoint_claimable(at(2), 10).await.unwrap(), []);
    let second = claim(store, 20, 31, 8).await;
    let lost = store.delivery_settle(&first[0], &attempt(32, None, None), None).await.unwrap();
    assert_eq!(lost, DeliverySettled::LeaseLost);
    let failed = attempt(33, Some("it answered 500"), Some(40));
    assert_eq!(store.delivery_settle(&second[0], &failed, None).await.unwrap(), DeliverySettled::Done);
    let row = store.delivery_get(id(20), id(50)).await.unwrap().unwrap();
    assert_eq!((row.status, row.attempts, row.asked, row.lease_until), (DeliveryStatus::Pending, 1, false, None));
    assert_eq!((row.next_attempt_at, row.first_attempt_at, row.took_ms), (Some(at(40)), Some(at(33)), Some(12)));
    assert_eq!((row.response_code, row.failure.as_deref()), (Some(500), Some("it answered 500")));
    assert_eq!(store.endpoint_get(id(20)).await.unwrap().unwrap().failing_since, Some(at(33)));
    assert_eq!(store.endpoint_claimable(at(39), 10).await.unwrap(), [], "not before its time");
    assert!(store.endpoint_claimable(at(40), 10).await.unwrap()[0].is_failing);
    let third = claim(store, 20, 40, 9).await;
    store.delivery_release(&third[0]).await.unwrap();
    let fourth = claim(store, 20, 40, 10).await;
    store.delivery_postpone(&fourth[0], at(45)).await.unwrap();
    assert_eq!(claim(store, 20, 44, 11).await.len(), 0);
    let fifth = claim(store, 20, 45, 11).await;
    store.delivery_settle(&fifth[0], &attempt(46, None, None), None).await.unwrap();
    let row = store.delivery_get(id(20), id(50)).await.unwrap().unwrap();
    assert_eq!((row.status, row.attempts, row.delivered_at), (DeliveryStatus::Delivered, 2, Some(at(46))));
    assert_eq!((row.next_attempt_at, row.failure, row.first_attempt_at), (None, None, Some(at(33))));
    assert_eq!(store.endpoint_get(id(20)).await.unwrap().unwrap().failing_since, None);
    let again = store.delivery_retry(id(20), id(50), at(50)).await.unwrap().unwrap();
    assert_eq!((again.asked, again.next_attempt_at), (true, Some(at(50))));
    assert_eq!(store.delivery_retry(id(20), id(51), at(50)).await.unwrap(), None);
}

async fn an_endpoint_is_disabled_once(world: World) {
    let store = &world.store;
    endpoint(store, 20, None, &[]).await;
    endpoint(store, 21, None, &[Kind::EndpointDisabled]).await;
    for number in [50, 51, 52] {
        test_event(store, number, 20, 1).await;
    }
    let claims = claim(store, 20, 1, 7).await;
    let disabling = |number, since| Disabling {
        reason: DisabledReason::Failing,
        unless_well_since: at(since),
        event: event(number, Kind::EndpointDisabled.as_str()),
    };
    let failed = attempt(2, Some("x"), None);
    let well = store.delivery_settle(&claims[0], &failed, Some(&disabling(60, -1))).await.unwrap();
    assert_eq!(well, DeliverySettled::Done, "it was made after that, and so well");
    let mut tasks = tokio::task::JoinSet::new();
    for (number, claim) in claims[1..].iter().cloned().enumerate() {
        let (store, disabling) = (world.replica().await, disabling(70 + number as u128, 1));
        tasks.spawn(async move {
            let failed = attempt(3, Some("x"), None);
            store.delivery_settle(&claim, &failed, Some(&disabling)).await.unwrap()
        });
    }
    let mut settled = tasks.join_all().await;
    settled.sort_by_key(|settled| *settled == DeliverySettled::Disabled);
    assert_eq!(settled, [DeliverySettled::Done, DeliverySettled::Disabled]);
    let row = store.endpoint_get(id(20)).await.unwrap().unwrap();
    assert_eq!(
        (row.enabled, row.disabled_reason, row.disabled_at),
        (false, Some(DisabledReason::Failing), Some(at(3)))
    );
    assert_eq!(store.delivery_list(id(21), None, 10).await.unwrap().len(), 1, "told once");
    // What it still has waits until it is enabled, but for what a person asks for.
    test_event(store, 53, 20, 4).await;
    store.delivery_retry(id(20), id(50), at(4)).await.unwrap();
    world
        .run("UPDATE sendready_webhook_deliveries SET asked = FALSE, next_attempt_at = created_at WHERE attempts = 0")
        .await;
    let ours = |waiting: Vec<sendready::store::Waiting>| waiting.iter().any(|one| one.endpoint_id == id(20));
    assert!(ours(store.endpoint_claimable(at(5), 10).await.unwrap()), "somebody asked");
    let asked = store.delivery_claim((id(20), Which::Asked), at(5), at(35), id(9), 10).await.unwrap();
    assert_eq!(asked.iter().map(|claim| claim.delivery.event_id).collect::<Vec<_>>(), [id(50)]);
    assert!(!ours(store.endpoint_claimable(at(5), 10).await.unwrap()));
    let on = EndpointChange { enabled: Some(true), ..EndpointChange::default() };
    store.endpoint_change(id(20), &on, at(6)).await.unwrap();
    assert!(ours(store.endpoint_claimable(at(6), 10).await.unwrap()), "and it goes on");
}

/// An endpoint that goes away while events are written: no event fails because of it, and nothing is left behind.
async fn removing_an_endpoint_fails_no_event(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    for round in 0..20_u128 {
        endpoint(&world.store, 100 + round, None, &[]).await;
        let (writer, remover) = (world.replica().await, world.replica().await);
        let status = if round % 2 == 0 { OperatorStatus::Suspended } else { OperatorStatus::Active };
        let word = DomainChange {
            status: Some(status),
            events: vec![event(1_000 + round, "domain.suspended")],
            ..DomainChange::default()
        };
        let writing = tokio::spawn(async move { writer.domain_change(id(10), &word, at(2)).await.map(|_| ()) });
        let removing = tokio::spawn(async move { remover.endpoint_remove(id(100 + round)).await });
        writing.await.unwrap().unwrap();
        assert!(removing.await.unwrap().unwrap());
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_webhook_deliveries").await, 0);
}

async fn old_deliveries_are_forgotten(world: World) {
    let store = &world.store;
    endpoint(store, 20, None, &[]).await;
    for (number, second) in [(0, 0), (1, 1), (2, 100)] {
        let event_id = sendready::chance::Chance::seeded(number).id(at(second));
        assert!(store.delivery_test(id(20), event_id, &json!({}), at(second)).await.unwrap());
    }
    assert_eq!(store.delivery_prune(at(50), 10).await.unwrap(), 0, "what is still to be tried stays");
    let claims = claim(store, 20, 1, 7).await;
    for claim in &claims {
        store.delivery_settle(claim, &attempt(2, None, None), None).await.unwrap();
    }
    assert_eq!(store.delivery_prune(at(50), 1).await.unwrap(), 1);
    assert_eq!(store.delivery_prune(at(50), 10).await.unwrap(), 1);
    let off = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
    store.endpoint_change(id(20), &off, at(3)).await.unwrap();
    assert_eq!(store.delivery_prune(at(99), 10).await.unwrap(), 0);
    assert_eq!(store.delivery_prune(at(200), 10).await.unwrap(), 1, "nobody waits for it");
}

async fn a_receipt_is_kept_once(world: World) {
    let store = &world.store;
    let taken = NamesTaken { accepted: vec!["a.example".to_owned()], unknown: vec!["x".to_owned()] };
    assert_eq!(store.receipt_get("signature", "m").await.unwrap(), None);
    store.receipt_add("signature", "m", &taken, at(0)).await.unwrap();
    store.receipt_add("signature", "m", &NamesTaken::default(), at(1)).await.unwrap();
    assert_eq!(store.receipt_get("signature", "m").await.unwrap(), Some(taken));
    assert_eq!(store.receipt_get("another", "m").await.unwrap(), None);
    assert_eq!(store.receipt_prune(at(0), 10).await.unwrap(), 0);
    assert_eq!(store.receipt_prune(at(1), 10).await.unwrap(), 1);
}
