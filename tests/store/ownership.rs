//! Whose a domain is: proofs, claims on another's name, and transfers.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sendready::protocol::domain::Domain;
use sendready::protocol::mail_address::MailAddress;
use sendready::sending::tier::{Resource, Tier};
use sendready::store::ownership::{CLAIM_STANDS, CLAIMS_OF_CLIENT_MAX};
use sendready::store::setup_link::SetupLinkRow;
use sendready::store::webhook_word::Announced;
use sendready::store::{
    BindingChange, Claimant, ClientChange, DomainAdded, DomainRow, Exceeded, MailboxAdded, NewDomain, NewMailbox,
    Settled, Settlement, Store, Transfer, Transferred,
};
use sendready::verify::standing::{Standing, Status};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::store::domains::event;
use crate::store::settle::settlement;
use crate::store::world::{World, at, id, on_both};

on_both!(
    what_an_operator_registers_is_proven,
    a_proof_stays,
    a_name_without_proof_is_claimed,
    claims_end,
    claims_have_bounds,
    the_published_claim_gets_the_domain,
    a_webhooks_word_waits_for_the_proof,
    the_holders_proof_goes_first,
    a_claim_waits_for_room,
    an_operator_transfers,
    a_transfer_needs_room,
    a_transfer_takes_the_check_away,
    challengers_race,
    transfers_race,
    a_transfer_races_deletion,
    a_transfer_races_mailboxes,
);

/// Registers a domain, with or without an operator's word; the value is made of the number.
pub async fn register(
    store: &Store,
    number: u128,
    client_id: Uuid,
    name: &str,
    second: i64,
    vouched: bool,
) -> DomainAdded {
    let (domain, value) = (Domain::parse(name).unwrap(), value(number));
    let new = NewDomain {
        id: id(number),
        client_id,
        domain: &domain,
        provider: "manual",
        requirements: None,
        infraforge_domain_id: None,
        smartlead_domain_id: Some("theirs"),
        min_interval: Duration::from_secs(15),
        ownership_value: &value,
        is_vouched_for: vouched,
    };
    store.domain_add(&new, at(second)).await.unwrap()
}

pub fn value(number: u128) -> String {
    format!("sendready-verification={number}")
}

/// The value that a registration is answered.
#[track_caller]
pub fn claimed(added: DomainAdded) -> String {
    match added {
        DomainAdded::Claimed(claimed) => claimed.value,
        other => panic!("{other:?}"),
    }
}

pub async fn row(world: &World, number: u128) -> DomainRow {
    world.store.domain_get(id(number)).await.unwrap().unwrap()
}

pub async fn mailbox(store: &Store, number: u128, client_id: Uuid, domain_id: Uuid, address: &str) -> MailboxAdded {
    let address = MailAddress::parse(address).unwrap();
    let new = NewMailbox {
        id: id(number),
        client_id,
        domain_id,
        address: &address,
        display_name: None,
        infraforge_mailbox_id: None,
        smartlead_account_id: None,
        warmup_enabled: true,
    };
    store.mailbox_add(&new, at(1)).await.unwrap()
}

/// Gives domain 10 what goes along with it: a mailbox, and a setup link.
pub async fn furnish(world: &World, client_id: Uuid) {
    mailbox(&world.store, 40, client_id, id(10), "max@a.example").await;
    let link =
        SetupLinkRow { id: id(50), domain_id: id(10), created_at: at(0), expires_at: at(9_000), revoked_at: None };
    world.store.setup_link_add(&link, &[7; 32]).await.unwrap();
}

/// That domain 10, furnished and checked once, became a client's by its proof at a second, with what goes along; that it is
/// to be judged anew, and what was before is hidden. The check that found the proof, if one did.
pub async fn handed_over(world: &World, to: (Uuid, String), second: i64, next: DateTime<Utc>, found_by: Option<Uuid>) {
    let (after, store) = (row(world, 10).await, &world.store);
    assert_eq!((after.client_id, after.deleted_at, after.status), (to.0, None, Status::Pending));
    assert_eq!((after.ownership_value.clone(), after.ownership_proven_at), (Some(to.1), Some(at(second))));
    assert!(!after.is_unproven());
    assert_eq!((after.next_check_at, after.evidence_digest.clone()), (Some(next), None), "judged anew");
    assert_eq!((after.standing(), after.lease_until), (Standing::NEW, None), "it is to be verified before it sends");
    assert_eq!(store.mailbox_get(id(40)).await.unwrap().unwrap().client_id, to.0);
    assert!(store.setup_link_by_hash(&[7; 32]).await.unwrap().unwrap().link.revoked_at.is_some());
    assert!(store.ownership_claims(id(10), at(second)).await.unwrap().is_empty());
    assert_eq!(store.check_list(id(10), None, 9).await.unwrap().len(), 1, "operators see it all");
    let hidden = after.history_after;
    assert!(hidden.is_some());
    assert!(store.check_list_after(hidden, id(10), None, 9).await.unwrap().is_empty());
    assert!(store.event_list_after(hidden, id(10), None, 9).await.unwrap().is_empty());
    let events = store.event_list(id(10), None, 9).await.unwrap();
    assert_eq!((events.len(), events[0].kind.as_str(), events[0].check_id), (1, "domain.transferred", found_by));
}

/// What a check found: nothing that anybody is to publish, but the proofs of these clients.
fn found(check: u128, second: i64, clients: &[u128], values: &[u128]) -> Settlement {
    let claimants = clients.iter().zip(values).map(|(client, number)| Claimant {
        client_id: id(*client),
        value: value(*number),
        event: event(check * 1_000 + number, "domain.transferred"),
    });
    Settlement { claimants: claimants.collect(), ..settlement(check, second, false) }
}

/// The transfer of a domain as it stands.
pub fn transfer(row: &DomainRow, client_id: Uuid, number: u128) -> Transfer {
    Transfer {
        domain_id: row.id,
        client_id,
        from: row.client_id,
        binding: BindingChange { from: row.binding.clone(), to: None },
        event: event(number, "domain.transferred"),
        min_interval: Duration::from_secs(15),
    }
}

async fn what_an_operator_registers_is_proven(world: World) {
    let (client, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    register(&world.store, 10, client, "a.example", 0, true).await;
    register(&world.store, 11, client, "b.example", 0, false).await;
    world.platform_row(id(12), client, "c.example", None).await;
    assert!(!row(&world, 10).await.is_unproven() && !row(&world, 12).await.is_unproven());
    let own = row(&world, 11).await;
    assert!(own.is_unproven());
    assert_eq!((own.ownership_value, own.ownership_proven_at), (Some(value(11)), None));
    for name in ["a.example", "c.example"] {
        assert_eq!(register(&world.store, 20, other, name, 1, false).await, DomainAdded::Taken, "{name}");
    }
    assert_eq!(register(&world.store, 20, client, "b.example", 1, false).await, DomainAdded::Own);
    assert_eq!(claimed(register(&world.store, 20, other, "b.example", 1, false).await), value(20));
    world.run("UPDATE email_domains SET status = 'active' WHERE domain = 'b.example'").await;
    assert!(!row(&world, 11).await.is_unproven(), "the platform vouches for what it makes active");
    assert_eq!(register(&world.store, 20, other, "b.example", 1, false).await, DomainAdded::Taken);
}

async fn a_proof_stays(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    register(&world.store, 10, client, "a.example", 0, false).await;
    let claim = world.claim_one(0, 7).await;
    let proven = Settlement { is_proven: true, ..settlement(100, 1, true) };
    assert_eq!(world.store.domain_settle(&claim, &proven, at(2)).await.unwrap(), Settled::Done);
    assert_eq!(row(&world, 10).await.ownership_proven_at, Some(at(1)));
    let claim = world.claim_one(2_000, 8).await;
    world.store.domain_settle(&claim, &settlement(101, 2_000, false), at(2_001)).await.unwrap();
    assert!(world.store.domain_delete(id(10), at(2_002)).await.unwrap());
    let revived = register(&world.store, 99, client, "a.example", 2_003, false).await;
    let DomainAdded::Revived(revived) = revived else { panic!("{revived:?}") };
    assert_eq!((revived.ownership_value, revived.ownership_proven_at), (Some(value(10)), Some(at(1))), "as it was");

    register(&world.store, 11, client, "b.example", 0, false).await;
    assert!(world.store.domain_delete(id(11), at(1)).await.unwrap());
    register(&world.store, 99, client, "b.example", 2, false).await;
    assert!(row(&world, 11).await.is_unproven(), "and as little as it was");
    assert_eq!(row(&world, 11).await.ownership_value, Some(value(11)), "what is published already counts");
    assert!(world.store.domain_delete(id(11), at(3)).await.unwrap());
    register(&world.store, 99, client, "b.example", 4, true).await;
    assert_eq!(row(&world, 11).await.ownership_proven_at, Some(at(4)), "by an operator's word");
}

async fn a_name_without_proof_is_claimed(world: World) {
    let clients = [world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await];
    let third = world.client(3, Tier::Velocity).await;
    register(&world.store, 10, clients[0], "a.example", 0, false).await;
    assert_eq!(claimed(register(&world.store, 20, clients[1], "A.example.", 1, false).await), value(20));
    assert_eq!(claimed(register(&world.store, 21, clients[1], "a.example", 2, true).await), value(20), "the same");
    assert_eq!(claimed(register(&world.store, 22, third, "a.example", 0, false).await), value(22), "one for each");
    let claims = world.store.ownership_claims(id(10), at(3)).await.unwrap();
    let values: Vec<&str> = claims.iter().map(|claim| claim.value.as_str()).collect();
    assert_eq!(values, [&value(22), &value(20)], "who asked first goes first");
    assert_eq!(world.count("SELECT COUNT(*) FROM email_domains").await, 1);
    assert!(world.store.domain_delete(id(10), at(4)).await.unwrap());
    assert_eq!(claimed(register(&world.store, 23, clients[1], "a.example", 5, false).await), value(20), "the same");
}

async fn claims_end(world: World) {
    let (client, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    register(&world.store, 10, client, "a.example", 0, false).await;
    register(&world.store, 20, other, "a.example", 0, false).await;
    let end = CLAIM_STANDS.num_seconds();
    assert_eq!(claimed(register(&world.store, 21, other, "a.example", end - 1, false).await), value(20));
    let end = 2 * end - 1;
    assert_eq!(world.store.ownership_claims(id(10), at(end - 1)).await.unwrap().len(), 1, "it was asked for again");
    assert!(world.store.ownership_claims(id(10), at(end)).await.unwrap().is_empty());
    assert_eq!(world.store.ownership_prune(at(end), 10).await.unwrap(), 0);
    assert_eq!(claimed(register(&world.store, 21, other, "a.example", end, false).await), value(21), "another one");
    assert_eq!(world.store.ownership_prune(at(3 * end), 10).await.unwrap(), 1);
}

async fn claims_have_bounds(world: World) {
    let (client, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    world.run("UPDATE sendready_client_settings SET tier = NULL").await;
    let most = u128::try_from(CLAIMS_OF_CLIENT_MAX).unwrap();
    for number in 0..=most {
        let name = format!("d{number}.example");
        assert!(matches!(register(&world.store, 100 + number, client, &name, 0, false).await, DomainAdded::Added(_)));
        let added = register(&world.store, 200 + number, other, &name, 0, false).await;
        assert_eq!(matches!(added, DomainAdded::Claimed(_)), number < most, "{number}: {added:?}");
    }
    assert_eq!(
        claimed(register(&world.store, 900, other, "d0.example", 1, false).await),
        value(200),
        "what it has stays"
    );
}

async fn the_published_claim_gets_the_domain(world: World) {
    let clients = [world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await];
    let third = world.client(3, Tier::Velocity).await;
    register(&world.store, 10, clients[0], "a.example", 0, false).await;
    furnish(&world, clients[0]).await;
    register(&world.store, 20, clients[1], "a.example", 1, false).await;
    register(&world.store, 21, third, "a.example", 2, false).await;
    let claim = world.claim_one(3, 7).await;
    let result = found(100, 4, &[2, 3], &[20, 21]);
    assert_eq!(world.store.domain_settle(&claim, &result, at(5)).await.unwrap(), Settled::Done);
    // Who asked first.
    handed_over(&world, (clients[1], value(20)), 5, result.earliest_at, Some(id(100))).await;
    assert_eq!(row(&world, 10).await.history_after, Some(id(100_020)));
    assert_eq!(register(&world.store, 22, third, "a.example", 6, false).await, DomainAdded::Taken, "it is proven");
}

/// A webhook's word is followed up until the proof is found, too.
async fn a_webhooks_word_waits_for_the_proof(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let names: Vec<String> = (10..12).map(|number| format!("d{number}.example")).collect();
    for (number, vouched) in [(10, true), (11, false)] {
        register(&world.store, number, client, &format!("d{number}.example"), 0, vouched).await;
    }
    let interval = Duration::from_secs(15);
    let word = Announced { names: &names, client_id: None, min_interval: interval };
    assert_eq!(world.store.domain_announce(&word, at(1)).await.unwrap().len(), 2);
    for claim in world.store.domain_claim_due(at(1), at(60), id(7), 10).await.unwrap() {
        let number = claim.domain.id.as_u128();
        let standing = Standing { status: Status::Pending, ..settlement(0, 2, true).standing };
        let valid = Settlement { standing, ..settlement(100 + number, 2, true) };
        world.store.domain_settle(&claim, &valid, at(3)).await.unwrap();
    }
    assert_eq!(row(&world, 10).await.next_check_at, Some(at(902)), "nothing is waited for");
    let unproven = row(&world, 11).await;
    assert_eq!(
        (unproven.next_check_at, unproven.last_success_at),
        (Some(at(31)), Some(at(2))),
        "and here the proof is"
    );
}

async fn the_holders_proof_goes_first(world: World) {
    let (client, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    register(&world.store, 10, client, "a.example", 0, false).await;
    register(&world.store, 20, other, "a.example", 1, false).await;
    let claim = world.claim_one(2, 7).await;
    let both = Settlement { is_proven: true, ..found(100, 3, &[2], &[20]) };
    world.store.domain_settle(&claim, &both, at(4)).await.unwrap();
    assert_eq!(row(&world, 10).await.client_id, client);
    assert!(world.store.ownership_claims(id(10), at(4)).await.unwrap().is_empty(), "nobody asks any more");

    register(&world.store, 11, client, "b.example", 10, false).await;
    register(&world.store, 21, other, "b.example", 10, false).await;
    let late = at(11) + CLAIM_STANDS;
    let claims = world.store.domain_claim_due(at(11), at(60), id(9), 10).await.unwrap();
    let claim = claims.iter().find(|claim| claim.domain.id == id(11)).unwrap();
    world.store.domain_settle(claim, &found(101, 12, &[2], &[21]), late).await.unwrap();
    assert_eq!(row(&world, 11).await.client_id, client, "a claim that has ended is none");
}

async fn a_claim_waits_for_room(world: World) {
    let (client, other) = (world.client(1, Tier::Dominance).await, world.client(2, Tier::Ignition).await);
    register(&world.store, 10, client, "a.example", 0, false).await;
    for number in 0..2 {
        mailbox(&world.store, 40 + number, client, id(10), &format!("box{number}@a.example")).await;
    }
    register(&world.store, 11, other, "b.example", 0, true).await;
    for number in 2..4 {
        mailbox(&world.store, 40 + number, other, id(11), &format!("box{number}@b.example")).await;
    }
    register(&world.store, 20, other, "a.example", 1, false).await;
    let due = world.store.domain_claim_due(at(2), at(60), id(7), 10).await.unwrap();
    let claim = due.iter().find(|claim| claim.domain.id == id(10)).unwrap();
    assert_eq!(world.store.domain_settle(claim, &found(100, 3, &[2], &[20]), at(4)).await.unwrap(), Settled::Done);
    assert_eq!(row(&world, 10).await.client_id, client, "nothing has moved");
    assert_eq!(world.store.mailbox_get(id(40)).await.unwrap().unwrap().client_id, client);
    let exceeded = Exceeded { resource: Resource::Mailboxes, tier: Tier::Ignition, used: 2, more: 2, limit: 3 };
    assert_eq!(register(&world.store, 21, other, "a.example", 5, false).await, DomainAdded::Blocked(exceeded));
    let raised = ClientChange { name: None, tier: Some(Tier::Velocity) };
    world.store.client_change(other, &raised, at(6)).await.unwrap();
    assert_eq!(
        claimed(register(&world.store, 21, other, "a.example", 7, false).await),
        value(20),
        "and it still stands"
    );
    let due = world.store.domain_claim_due(at(2_000), at(2_060), id(8), 10).await.unwrap();
    let claim = due.iter().find(|claim| claim.domain.id == id(10)).unwrap();
    world.store.domain_settle(claim, &found(101, 2_001, &[2], &[20]), at(2_002)).await.unwrap();
    assert_eq!(row(&world, 10).await.client_id, other);
}

async fn an_operator_transfers(world: World) {
    let (client, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    register(&world.store, 10, client, "a.example", 0, true).await;
    mailbox(&world.store, 40, client, id(10), "max@a.example").await;
    mailbox(&world.store, 41, client, id(10), "eva@a.example").await;
    assert!(world.store.mailbox_delete(id(41), at(1)).await.unwrap());
    let claim = world.claim_one(0, 7).await;
    world.store.domain_settle(&claim, &settlement(100, 1, true), at(2)).await.unwrap();
    let before = row(&world, 10).await;
    let moved = world.store.domain_transfer(&transfer(&before, other, 500), at(3)).await.unwrap();
    let Transferred::Done(after) = moved else { panic!("{moved:?}") };
    assert_eq!((after.client_id, after.standing()), (other, before.standing()), "nobody is demoted");
    assert_eq!((after.ownership_proven_at, after.history_after), (Some(at(3)), Some(id(500))));
    assert_eq!(after.next_check_at, Some(at(16)), "looked at soon, but not too soon");
    assert_eq!(row(&world, 10).await, *after);
    let owners = "SELECT COUNT(*) FROM email_mailboxes AS m JOIN email_domains AS d ON d.client_id = m.client_id";
    assert_eq!(world.count(owners).await, 2, "deleted ones go with it");
    let again = world.store.domain_transfer(&transfer(&after, other, 501), at(4)).await.unwrap();
    assert_eq!(again, Transferred::Done(after.clone()), "twice is once");
    assert_eq!(world.store.event_list(id(10), None, 9).await.unwrap().len(), 1);
    let stale = world.store.domain_transfer(&transfer(&before, client, 502), at(4)).await.unwrap();
    assert_eq!(stale, Transferred::Moved, "made from what no longer is");
    let nobody = world.store.domain_transfer(&transfer(&after, id(99), 502), at(4)).await.unwrap();
    assert_eq!(nobody, Transferred::NoSuchClient);

    register(&world.store, 11, client, "b.example", 0, false).await;
    register(&world.store, 20, other, "b.example", 0, false).await;
    let own = row(&world, 11).await;
    let vouched = world.store.domain_transfer(&transfer(&own, client, 503), at(5)).await.unwrap();
    let Transferred::Done(vouched) = vouched else { panic!("{vouched:?}") };
    assert_eq!((vouched.client_id, vouched.ownership_proven_at), (client, Some(at(5))), "an operator vouches for it");
    assert!(world.store.ownership_claims(id(11), at(5)).await.unwrap().is_empty());
    assert!(world.store.domain_delete(id(11), at(6)).await.unwrap());
    let deleted = world.store.domain_transfer(&transfer(&own, other, 504), at(7)).await.unwrap();
    assert_eq!(deleted, Transferred::NoSuchDomain);
}

async fn a_transfer_needs_room(world: World) {
    let (client, other) = (world.client(1, Tier::Dominance).await, world.client(2, Tier::Ignition).await);
    register(&world.store, 10, client, "a.example", 0, true).await;
    for number in 0..4 {
        mailbox(&world.store, 40 + number, client, id(10), &format!("box{number}@a.example")).await;
    }
    let before = row(&world, 10).await;
    let exceeded = |resource, used, more, limit| {
        Transferred::AllocationExceeded(Exceeded { resource, tier: Tier::Ignition, used, more, limit })
    };
    let refused = world.store.domain_transfer(&transfer(&before, other, 500), at(3)).await.unwrap();
    assert_eq!(refused, exceeded(Resource::Mailboxes, 0, 4, 3));
    assert!(world.store.mailbox_delete(id(40), at(4)).await.unwrap());
    // With its reputation, which followed.
    let before = row(&world, 10).await;
    for number in 0..2 {
        register(&world.store, 20 + number, other, &format!("d{number}.example"), 0, true).await;
    }
    let refused = world.store.domain_transfer(&transfer(&before, other, 500), at(5)).await.unwrap();
    assert_eq!(refused, exceeded(Resource::Domains, 2, 1, 2));
    assert_eq!(row(&world, 10).await, before, "nothing has changed");
    assert!(world.store.event_list(id(10), None, 9).await.unwrap().is_empty());
    assert!(world.store.domain_delete(id(20), at(6)).await.unwrap());
    let moved = world.store.domain_transfer(&transfer(&before, other, 500), at(7)).await.unwrap();
    assert!(matches!(moved, Transferred::Done(_)), "{moved:?}");
}

async fn a_transfer_takes_the_check_away(world: World) {
    let (client, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    register(&world.store, 10, client, "a.example", 0, true).await;
    let claim = world.claim_one(0, 7).await;
    world.store.domain_transfer(&transfer(&claim.domain, other, 500), at(1)).await.unwrap();
    let settled = world.store.domain_settle(&claim, &settlement(100, 2, true), at(2)).await.unwrap();
    assert_eq!(settled, Settled::LeaseLost, "what was looked for was another's");
    assert_eq!(row(&world, 10).await.status, Status::Pending);
}

async fn challengers_race(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    register(&world.store, 10, client, "a.example", 0, false).await;
    for number in 2..6 {
        world.client(number, Tier::Velocity).await;
    }
    let mut tasks = JoinSet::new();
    for number in 2..6 {
        for turn in 0..3 {
            let store = world.replica().await;
            tasks.spawn(async move {
                (number, claimed(register(&store, 100 * number + turn, id(number), "a.example", 1, false).await))
            });
        }
    }
    let mut told = tasks.join_all().await;
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 4, "each is told one value, however often it asks: {told:?}");
    let claims = world.store.ownership_claims(id(10), at(2)).await.unwrap();
    let claimants = claims.iter().zip(1..).map(|(claim, number)| Claimant {
        client_id: claim.client_id,
        value: claim.value.clone(),
        event: event(7_000 + number, "domain.transferred"),
    });
    let all = Settlement { claimants: claimants.collect(), ..settlement(100, 3, false) };
    let claim = world.claim_one(2, 7).await;
    world.store.domain_settle(&claim, &all, at(4)).await.unwrap();
    assert_eq!(row(&world, 10).await.client_id, claims[0].client_id);
    assert_eq!(world.store.event_list(id(10), None, 9).await.unwrap().len(), 1);
}

async fn transfers_race(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    for number in 2..8 {
        world.client(number, Tier::Velocity).await;
    }
    register(&world.store, 10, client, "a.example", 0, true).await;
    mailbox(&world.store, 40, client, id(10), "max@a.example").await;
    let before = row(&world, 10).await;
    let mut tasks = JoinSet::new();
    for number in 2..8 {
        let (store, transfer) = (world.replica().await, transfer(&before, id(number), 500 + number));
        tasks.spawn(async move { store.domain_transfer(&transfer, at(1)).await.unwrap() });
    }
    let done = tasks.join_all().await;
    let won: Vec<_> = done.iter().filter(|one| matches!(one, Transferred::Done(_))).collect();
    assert_eq!((won.len(), done.iter().filter(|one| **one == Transferred::Moved).count()), (1, 5), "{done:?}");
    let owner = row(&world, 10).await.client_id;
    assert_eq!(world.store.mailbox_get(id(40)).await.unwrap().unwrap().client_id, owner);
    assert_eq!(world.store.event_list(id(10), None, 9).await.unwrap().len(), 1);
}

async fn a_transfer_races_deletion(world: World) {
    let (client, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    world.run("UPDATE sendready_client_settings SET tier = NULL").await;
    for round in 0..10 {
        let number = 10 + round;
        register(&world.store, number, client, &format!("d{round}.example"), 0, true).await;
        let before = row(&world, number).await;
        let (one, another) = (world.replica().await, world.store.clone());
        let transfer = transfer(&before, other, 500 + round);
        let moving = tokio::spawn(async move { one.domain_transfer(&transfer, at(1)).await.unwrap() });
        let deleting = tokio::spawn(async move { another.domain_delete(id(number), at(1)).await.unwrap() });
        let (moved, deleted) = (moving.await.unwrap(), deleting.await.unwrap());
        assert!(deleted, "whosever it is, it is there");
        let after = row(&world, number).await;
        assert_eq!(after.status, Status::Deleted);
        match moved {
            Transferred::Done(_) => assert_eq!(after.client_id, other),
            Transferred::NoSuchDomain => assert_eq!((after.client_id, after.history_after), (client, None)),
            strange => panic!("{strange:?}"),
        }
    }
}

async fn a_transfer_races_mailboxes(world: World) {
    let (client, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Ignition).await);
    register(&world.store, 10, client, "a.example", 0, true).await;
    register(&world.store, 11, other, "b.example", 0, true).await;
    mailbox(&world.store, 40, client, id(10), "max@a.example").await;
    let before = row(&world, 10).await;
    let mut tasks = JoinSet::new();
    for number in 0..4_u128 {
        let (one, another) = (world.replica().await, world.replica().await);
        tasks.spawn(async move {
            mailbox(&one, 50 + number, id(2), id(11), &format!("new{number}@b.example")).await;
        });
        tasks.spawn(async move {
            mailbox(&another, 60 + number, id(1), id(10), &format!("old{number}@a.example")).await;
        });
    }
    let (store, transfer) = (world.replica().await, transfer(&before, other, 500));
    tasks.spawn(async move {
        store.domain_transfer(&transfer, at(1)).await.unwrap();
    });
    tasks.join_all().await;
    let of_other = world.store.client_usage(other).await.unwrap().unwrap();
    assert!(of_other.mailboxes_used <= 3 && of_other.domains_used <= 2, "{of_other:?}");
    let strange = "SELECT COUNT(*) FROM email_mailboxes AS m JOIN email_domains AS d ON d.id = m.domain_id \
        WHERE m.client_id <> d.client_id";
    assert_eq!(world.count(strange).await, 0, "a mailbox is its domain's client's");
}
