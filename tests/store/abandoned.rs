//! Deleted domains that were never proven: who claims one and proves it is given it.

use chrono::{DateTime, Utc};
use sendready::sending::tier::Tier;
use sendready::store::ownership::CLAIM_STANDS;
use sendready::store::{Claim, Claimant, ClaimsLook, DomainAdded, Exceeded, Looked, Settled, Settlement, Store};
use sendready::verify::standing::{Status, SuspendedReason};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::store::domains::event;
use crate::store::ownership::{claimed, furnish, handed_over, register, row, value};
use crate::store::settle::settlement;
use crate::store::world::{World, at, id, on_both};

on_both!(
    what_was_proven_stays_taken,
    the_published_claim_gets_the_domain,
    nobody_is_found,
    a_claim_outlives_deletion,
    a_claim_made_meanwhile_is_looked_for_soon,
    claims_that_end_are_looked_for_no_more,
    an_operators_suspension_comes_back,
    a_claim_waits_for_room,
    nothing_is_lent_that_lives,
    a_revival_takes_the_look_away,
    a_revival_races_the_look,
    claimants_race,
);

/// A domain of client 1 that never was proven, deleted at second 2.
async fn abandoned(world: &World) -> [Uuid; 3] {
    let mut clients = [Uuid::nil(); 3];
    for (client, number) in clients.iter_mut().zip(1..) {
        *client = world.client(number, Tier::Velocity).await;
    }
    register(&world.store, 10, clients[0], "a.example", 0, false).await;
    assert!(world.store.domain_delete(id(10), at(2)).await.unwrap());
    clients
}

async fn due(store: &Store, second: i64, token: u128) -> Vec<Claim> {
    store.abandoned_claim_due(at(second), at(second + 60), id(token), 10).await.unwrap()
}

async fn due_one(world: &World, second: i64, token: u128) -> Claim {
    let claims = due(&world.store, second, token).await;
    assert_eq!(claims.len(), 1, "{claims:?}");
    claims.into_iter().next().unwrap()
}

/// The proofs of these clients, found where claims were looked for that were last made at a second.
fn look(claimed_at: i64, second: i64, clients: &[u128], values: &[u128]) -> ClaimsLook {
    let claimants = clients.iter().zip(values).map(|(client, number)| Claimant {
        client_id: id(*client),
        value: value(*number),
        event: event(1_000 + number, "domain.transferred"),
    });
    ClaimsLook {
        claimants: claimants.collect(),
        claimed_until: Some(until(claimed_at)),
        next_at: Some(at(second + 120)),
        earliest_at: at(second + 15),
    }
}

/// Until when a claim stands that was made at a second.
fn until(second: i64) -> DateTime<Utc> {
    at(second) + CLAIM_STANDS
}

async fn what_was_proven_stays_taken(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let other = world.client(2, Tier::Velocity).await;
    world.run("UPDATE sendready_client_settings SET tier = NULL").await;
    register(&world.store, 10, client, "vouched.example", 0, true).await;
    register(&world.store, 11, client, "proven.example", 1, false).await;
    let claims = world.store.domain_claim_due(at(1), at(60), id(7), 10).await.unwrap();
    let claim = claims.iter().find(|claim| claim.domain.id == id(11)).unwrap();
    let proven = Settlement { is_proven: true, ..settlement(100, 1, false) };
    assert_eq!(world.store.domain_settle(claim, &proven, at(1)).await.unwrap(), Settled::Done);
    register(&world.store, 12, client, "active.example", 0, false).await;
    world.run("UPDATE email_domains SET status = 'active' WHERE domain = 'active.example'").await;
    world.run("UPDATE email_domains SET deleted_at = created_at WHERE domain = 'active.example'").await;
    world.platform_row(id(13), client, "platform.example", Some("deleted")).await;
    for number in [10, 11] {
        assert!(world.store.domain_delete(id(number), at(2)).await.unwrap());
    }
    for name in ["vouched.example", "proven.example", "active.example", "platform.example"] {
        assert_eq!(register(&world.store, 20, other, name, 3, false).await, DomainAdded::Taken, "{name}");
    }
    assert_eq!(due(&world.store, 9_999, 8).await, []);
}

async fn the_published_claim_gets_the_domain(world: World) {
    let [holder, first, second] = abandoned(&world).await;
    world.run("UPDATE email_domains SET deleted_at = NULL, status = 'pending'").await;
    furnish(&world, holder).await;
    let checked = world.claim_one(0, 6).await;
    world.store.domain_settle(&checked, &settlement(100, 1, false), at(1)).await.unwrap();
    assert!(world.store.domain_delete(id(10), at(2)).await.unwrap());

    assert_eq!(claimed(register(&world.store, 20, first, "A.example.", 3, false).await), value(20));
    assert_eq!(claimed(register(&world.store, 21, second, "a.example", 4, false).await), value(21));
    assert_eq!(claimed(register(&world.store, 22, first, "a.example", 5, false).await), value(20), "the same");
    assert_eq!(world.count("SELECT COUNT(*) FROM email_domains").await, 1);
    let claim = due_one(&world, 6, 7).await;
    let found = look(5, 7, &[2, 3], &[20, 21]);
    assert_eq!(world.store.abandoned_settle(&claim, &found, at(7)).await.unwrap(), Looked::TakenOver);
    // Who asked first.
    handed_over(&world, (first, value(20)), 7, found.earliest_at, None).await;
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_domain_closures WHERE reopened_at IS NULL").await, 1);

    for (client, number) in [(holder, 23), (second, 24)] {
        let back = register(&world.store, number, client, "a.example", 8, false).await;
        assert_eq!(back, DomainAdded::Taken, "it is proven");
    }
    assert_eq!(register(&world.store, 25, first, "a.example", 8, false).await, DomainAdded::Own);
    assert_eq!(due(&world.store, 9_999, 8).await, []);
    assert_eq!(world.claim_one(30, 9).await.reason.as_str(), "created");
}

/// Looking changes nothing of a deleted domain, and is done again when it is time, not before.
async fn nobody_is_found(world: World) {
    let [_, other, _] = abandoned(&world).await;
    let before = row(&world, 10).await;
    register(&world.store, 20, other, "a.example", 3, false).await;
    let claim = due_one(&world, 3, 7).await;
    assert_eq!(due(&world.store, 4, 8).await, [], "lent once");
    assert_eq!(world.store.abandoned_settle(&claim, &look(3, 4, &[], &[]), at(4)).await.unwrap(), Looked::Nobody);
    assert_eq!(row(&world, 10).await, before);
    assert!(world.store.check_list(id(10), None, 9).await.unwrap().is_empty());
    assert_eq!(due(&world.store, 4 + 119, 9).await, []);
    let again = due_one(&world, 4 + 120, 10).await;
    assert_eq!(
        world.store.abandoned_settle(&claim, &look(3, 5, &[2], &[20]), at(130)).await.unwrap(),
        Looked::LeaseLost
    );
    world.store.domain_release(&again).await.unwrap();
    due_one(&world, 4 + 120, 11).await;
    due_one(&world, 4 + 120 + 60, 12).await;
    // What nobody claims, or in this way, transfers nothing.
    let claim = due_one(&world, 4 + 120 + 120, 13).await;
    let strange = look(3, 250, &[2, 3], &[21, 20]);
    assert_eq!(world.store.abandoned_settle(&claim, &strange, at(250)).await.unwrap(), Looked::Nobody);
    assert_eq!(row(&world, 10).await, before);
}

/// A claim on a domain that lives counts when its holder deletes it, by SQL too.
async fn a_claim_outlives_deletion(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let other = world.client(2, Tier::Velocity).await;
    for (number, name) in [(10, "a.example"), (11, "b.example")] {
        register(&world.store, number, client, name, 0, false).await;
        register(&world.store, number + 10, other, name, 1, false).await;
    }
    assert_eq!(due(&world.store, 2, 7).await, [], "a check looks for them");
    assert!(world.store.domain_delete(id(10), at(3)).await.unwrap());
    world.run("UPDATE email_domains SET deleted_at = created_at WHERE domain = 'b.example'").await;
    let claims = due(&world.store, 3, 7).await;
    assert_eq!(claims.len(), 2, "{claims:?}");
    for claim in claims {
        let number = claim.domain.id.as_u128() + 10;
        let looked = world.store.abandoned_settle(&claim, &look(1, 4, &[2], &[number]), at(4)).await.unwrap();
        assert_eq!(looked, Looked::TakenOver);
        let after = row(&world, number - 10).await;
        assert_eq!((after.client_id, after.status), (other, Status::Pending));
    }
}

async fn a_claim_made_meanwhile_is_looked_for_soon(world: World) {
    let [_, first, second] = abandoned(&world).await;
    register(&world.store, 20, first, "a.example", 3, false).await;
    let claim = due_one(&world, 3, 7).await;
    register(&world.store, 21, second, "a.example", 4, false).await;
    assert_eq!(world.store.abandoned_settle(&claim, &look(3, 5, &[], &[]), at(5)).await.unwrap(), Looked::Nobody);
    let claim = due_one(&world, 5 + 15, 8).await;
    world.store.abandoned_settle(&claim, &look(4, 20, &[], &[]), at(20)).await.unwrap();
    // Asked again, it is looked for as soon as may be.
    register(&world.store, 22, second, "a.example", 21, false).await;
    assert_eq!(due(&world.store, 34, 9).await, []);
    due_one(&world, 35, 9).await;
}

async fn claims_that_end_are_looked_for_no_more(world: World) {
    let [_, other, _] = abandoned(&world).await;
    register(&world.store, 20, other, "a.example", 3, false).await;
    let end = CLAIM_STANDS.num_seconds() + 3;
    let claim = due_one(&world, end, 7).await;
    let nothing = ClaimsLook { claimed_until: None, next_at: None, ..look(3, end, &[2], &[20]) };
    assert_eq!(world.store.abandoned_settle(&claim, &nothing, at(end)).await.unwrap(), Looked::Nobody, "too late");
    assert_eq!(due(&world.store, 9 * end, 8).await, []);
    assert_eq!(claimed(register(&world.store, 21, other, "a.example", end + 1, false).await), value(21), "another one");
    due_one(&world, end + 15, 8).await;
}

async fn an_operators_suspension_comes_back(world: World) {
    let [_, other, _] = abandoned(&world).await;
    world.run("UPDATE email_domains SET suspended_reason = 'operator'").await;
    register(&world.store, 20, other, "a.example", 3, false).await;
    let claim = due_one(&world, 3, 7).await;
    let looked = world.store.abandoned_settle(&claim, &look(3, 4, &[2], &[20]), at(4)).await.unwrap();
    assert_eq!(looked, Looked::TakenOver);
    let after = row(&world, 10).await;
    let expected = (other, Status::Suspended, Some(SuspendedReason::Operator));
    assert_eq!((after.client_id, after.status, after.suspended_reason), expected);
}

async fn a_claim_waits_for_room(world: World) {
    let [_, first, second] = abandoned(&world).await;
    for number in 0..3 {
        register(&world.store, 30 + number, first, &format!("d{number}.example"), 0, true).await;
    }
    register(&world.store, 20, first, "a.example", 3, false).await;
    register(&world.store, 21, second, "a.example", 4, false).await;
    let claim = due_one(&world, 5, 7).await;
    assert_eq!(
        world.store.abandoned_settle(&claim, &look(4, 5, &[2], &[20]), at(5)).await.unwrap(),
        Looked::Nobody,
        "no room"
    );
    assert_eq!(row(&world, 10).await.status, Status::Deleted);
    let blocked = register(&world.store, 22, first, "a.example", 6, false).await;
    assert!(matches!(blocked, DomainAdded::Blocked(Exceeded { used: 3, more: 1, limit: 3, .. })), "{blocked:?}");
    let claim = due_one(&world, 20, 8).await;
    let found = look(6, 20, &[2, 3], &[20, 21]);
    assert_eq!(world.store.abandoned_settle(&claim, &found, at(20)).await.unwrap(), Looked::TakenOver);
    assert_eq!(row(&world, 10).await.client_id, second, "who has room");
}

async fn nothing_is_lent_that_lives(world: World) {
    let [holder, other, _] = abandoned(&world).await;
    register(&world.store, 20, other, "a.example", 3, false).await;
    world.store.domain_mark_malformed(id(10), "a.example").await.unwrap();
    assert_eq!(due(&world.store, 4, 7).await, [], "malformed");
    world.store.domain_mark_malformed(id(10), "another").await.unwrap();
    assert!(world.store.domain_claim_due(at(4), at(64), id(8), 10).await.unwrap().is_empty(), "it is not checked");
    let revived = register(&world.store, 99, holder, "a.example", 5, false).await;
    assert!(matches!(revived, DomainAdded::Revived(_)), "{revived:?}");
    assert_eq!(due(&world.store, 9_999, 7).await, []);
}

/// The holder registers it again while the proof of another is looked up: it is his, and his check finds the other's.
async fn a_revival_takes_the_look_away(world: World) {
    let [holder, other, _] = abandoned(&world).await;
    register(&world.store, 20, other, "a.example", 3, false).await;
    let claim = due_one(&world, 3, 7).await;
    register(&world.store, 99, holder, "a.example", 4, false).await;
    let found = look(3, 5, &[2], &[20]);
    assert_eq!(world.store.abandoned_settle(&claim, &found, at(5)).await.unwrap(), Looked::LeaseLost);
    let after = row(&world, 10).await;
    assert_eq!((after.client_id, after.status, after.is_unproven()), (holder, Status::Pending, true));
    assert_eq!(world.store.ownership_claims(id(10), at(5)).await.unwrap().len(), 1, "it stands");
    let claim = world.claim_one(5, 8).await;
    let checked = Settlement { claimants: found.claimants, ..settlement(100, 6, false) };
    assert_eq!(world.store.domain_settle(&claim, &checked, at(6)).await.unwrap(), Settled::Done);
    assert_eq!(row(&world, 10).await.client_id, other);
}

async fn a_revival_races_the_look(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let other = world.client(2, Tier::Velocity).await;
    world.run("UPDATE sendready_client_settings SET tier = NULL").await;
    for round in 0..10 {
        let (number, name) = (10 + round, format!("d{round}.example"));
        register(&world.store, number, client, &name, 0, false).await;
        assert!(world.store.domain_delete(id(number), at(1)).await.unwrap());
        register(&world.store, 100 + round, other, &name, 2, false).await;
        let claim = due_one(&world, 3, 200 + round).await;
        let (one, another) = (world.replica().await, world.store.clone());
        let found = look(2, 3, &[2], &[100 + round]);
        let looking = tokio::spawn(async move { one.abandoned_settle(&claim, &found, at(3)).await.unwrap() });
        let reviving = tokio::spawn(async move { register(&another, 300 + round, client, &name, 3, false).await });
        let (looked, revived) = (looking.await.unwrap(), reviving.await.unwrap());
        let after = row(&world, number).await;
        match (looked, &revived) {
            (Looked::TakenOver, DomainAdded::Taken | DomainAdded::Claimed(_)) => assert_eq!(after.client_id, other),
            (Looked::LeaseLost, DomainAdded::Revived(_)) => {
                assert_eq!((after.client_id, after.is_unproven()), (client, true));
                assert_eq!(world.store.ownership_claims(id(number), at(3)).await.unwrap().len(), 1);
            }
            strange => panic!("{strange:?}"),
        }
        assert_eq!(after.status, Status::Pending);
    }
}

/// However many claim at once and look at once, one has it in the end, and it moved once.
async fn claimants_race(world: World) {
    abandoned(&world).await;
    for number in 4..6 {
        world.client(number, Tier::Velocity).await;
    }
    let mut tasks = JoinSet::new();
    for number in 2..6 {
        for turn in 0..3 {
            let store = world.replica().await;
            tasks.spawn(async move {
                (number, claimed(register(&store, 100 * number + turn, id(number), "a.example", 3, false).await))
            });
        }
    }
    let mut told = tasks.join_all().await;
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 4, "each is told one value, however often it asks: {told:?}");
    // The lease of one worker ran out while it looked; another has the domain now.
    let late = due_one(&world, 4, 500).await;
    let right = due_one(&world, 64, 501).await;
    let mut tasks = JoinSet::new();
    for (claim, client) in [(late, 2), (right, 3)] {
        let value = told.iter().find(|(number, _)| *number == client).unwrap().1.clone();
        let claimant = Claimant { client_id: id(client), value, event: event(7_000 + client, "domain.transferred") };
        let found = ClaimsLook { claimants: vec![claimant], ..look(3, 64, &[], &[]) };
        let store = world.replica().await;
        tasks.spawn(async move { (client, store.abandoned_settle(&claim, &found, at(65)).await.unwrap()) });
    }
    let mut looked = tasks.join_all().await;
    looked.sort_by_key(|(client, _)| *client);
    assert_eq!(looked, [(2, Looked::LeaseLost), (3, Looked::TakenOver)]);
    assert_eq!(row(&world, 10).await.client_id, id(3));
    assert_eq!(world.store.event_list(id(10), None, 9).await.unwrap().len(), 1);
}
