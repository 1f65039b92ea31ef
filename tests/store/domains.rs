//! Registering, finding, changing and deleting domains, whoever wrote the rows.

use std::time::Duration;

use sendready::protocol::domain::Domain;
use sendready::sending::tier::{Resource, Tier};
use sendready::store::{
    CheckReason, DkimRequirement, DomainAdded, DomainChange, DomainChanged, DomainFilter, DomainRow, Failing,
    NewDomain, NewEvent, OperatorStatus, Requirements, RequirementsChange, RowRequirements, Settled, Store,
};
use sendready::verify::purpose::Purpose;
use sendready::verify::standing::{Status, SuspendedReason};
use serde_json::json;

use crate::store::clients::mailbox;
use crate::store::settle::settlement;
use crate::store::world::{Place, World, add, at, id, on_both};

on_both!(
    added_and_found,
    taken_and_unknown,
    races_do_not_exceed_a_tier,
    races_for_one_name,
    revived,
    revived_keeps_an_operators_suspension,
    revived_brings_its_mailboxes,
    listed,
    changed,
    an_operators_word,
    a_change_drops_the_running_check,
    an_operators_word_over_a_running_check,
    what_waits_begins_anew,
    two_changes_of_requirements,
    revived_waits_its_turn,
    deleted,
    odd_rows_of_the_platform,
    malformed,
    rows_of_a_later_release,
    corrupt,
);

fn requirements() -> Requirements {
    Requirements {
        spf_includes: vec!["_spf.example.net".to_owned()],
        spf_ips: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        dkim: vec![DkimRequirement {
            selector: "s1".to_owned(),
            public_key: None,
            cname: Some("s1.example.net".to_owned()),
        }],
        ttl_seconds: Some(3600),
        ..Requirements::default()
    }
}

async fn added_and_found(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let (domain, requirements) = (Domain::parse("Bücher.example").unwrap(), requirements());
    let new = NewDomain {
        id: id(10),
        client_id: client,
        domain: &domain,
        provider: "infraforge",
        requirements: Some(&requirements),
        infraforge_domain_id: Some("if-1"),
        smartlead_domain_id: None,
        min_interval: Duration::from_secs(15),
        ownership_value: "sendready-verification=x",
        is_vouched_for: true,
    };
    let DomainAdded::Added(row) = world.store.domain_add(&new, at(3)).await.unwrap() else { panic!("not added") };
    let expected = DomainRow {
        id: id(10),
        client_id: client,
        domain: "xn--bcher-kva.example".to_owned(),
        provider: "infraforge".to_owned(),
        dns_configured: false,
        spf_valid: false,
        dkim_valid: false,
        dmarc_valid: false,
        mx_valid: false,
        domain_age_days: None,
        reputation_score: None,
        daily_send_limit: 50,
        current_daily_sends: 0,
        status: Status::Pending,
        infraforge_domain_id: Some("if-1".to_owned()),
        smartlead_domain_id: None,
        created_at: Some(at(3)),
        updated_at: Some(at(3)),
        deleted_at: None,
        last_checked_at: None,
        last_success_at: None,
        next_check_at: Some(at(3)),
        check_reason: Some(CheckReason::Created),
        lease_until: None,
        degraded_since: None,
        suspends_at: None,
        suspended_reason: None,
        recovering_since: None,
        stale_since: None,
        verified_at: None,
        requirements: RowRequirements::Own(requirements.clone()),
        binding: None,
        dedicated_ips: Vec::new(),
        pending_since: Some(at(3)),
        evidence_digest: None,
        malformed: None,
        ownership_value: None,
        ownership_proven_at: None,
        history_after: None,
    };
    assert_eq!(row, expected);
    assert_eq!(world.store.domain_get(id(10)).await.unwrap().as_ref(), Some(&expected));
    assert_eq!(world.store.domain_by_name(&domain).await.unwrap(), Some(expected));
    assert_eq!(world.store.domain_get(id(11)).await.unwrap(), None);
    assert_eq!(world.store.domain_by_name(&Domain::parse("example.org").unwrap()).await.unwrap(), None);
}

async fn taken_and_unknown(world: World) {
    let (one, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    world.domain(10, one, "a.example", 0).await;
    assert_eq!(add(&world.store, 11, one, "a.example", 1).await, DomainAdded::Own, "its own");
    assert_eq!(add(&world.store, 11, other, "A.example.", 1).await, DomainAdded::Taken, "another's");
    assert!(world.store.domain_delete(id(10), at(2)).await.unwrap());
    assert_eq!(add(&world.store, 11, other, "a.example", 3).await, DomainAdded::Taken, "another's deleted one");
    assert_eq!(add(&world.store, 11, id(9), "b.example", 3).await, DomainAdded::NoSuchClient);
}

async fn races_do_not_exceed_a_tier(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let mut tasks = tokio::task::JoinSet::new();
    let replica = world.replica().await;
    for number in 0..20_u128 {
        let store: Store = if number % 2 == 0 { world.store.clone() } else { replica.clone() };
        tasks.spawn(async move { add(&store, 10 + number, client, &format!("d{number}.example"), 0).await });
    }
    let results = tasks.join_all().await;
    let added = results.iter().filter(|result| matches!(result, DomainAdded::Added(_))).count();
    assert_eq!(added, 3, "{results:?}");
    let refused = DomainAdded::AllocationExceeded { resource: Resource::Domains, used: 3, limit: 3 };
    assert_eq!(results.iter().filter(|result| **result == refused).count(), 17, "{results:?}");
    assert_eq!(world.count("SELECT COUNT(*) FROM email_domains").await, 3);
}

async fn races_for_one_name(world: World) {
    for number in 1..=8 {
        world.client(number, Tier::Velocity).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=8_u128 {
        let store = world.store.clone();
        tasks.spawn(async move { add(&store, 10 + number, id(number), "one.example", 0).await });
    }
    let results = tasks.join_all().await;
    assert_eq!(results.iter().filter(|result| matches!(result, DomainAdded::Added(_))).count(), 1, "{results:?}");
    assert_eq!(results.iter().filter(|result| **result == DomainAdded::Taken).count(), 7, "{results:?}");
}

async fn revived(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(1, 7).await;
    assert_eq!(world.store.domain_settle(&claim, &settlement(100, 2, true), at(2)).await.unwrap(), Settled::Done);
    assert!(world.store.domain_delete(id(10), at(3)).await.unwrap());
    world.run("UPDATE email_domains SET current_daily_sends = 9").await;
    let DomainAdded::Revived(row) = add(&world.store, 99, client, "a.example", 4).await else { panic!("not revived") };
    assert_eq!((row.id, row.status, row.deleted_at), (id(10), Status::Pending, None), "the same row");
    assert_eq!((row.created_at, row.current_daily_sends), (Some(at(0)), 9), "its past and today's count");
    assert!(!row.dns_configured && !row.mx_valid, "what was true then need not be now");
    assert_eq!((row.verified_at, row.last_success_at, row.evidence_digest.clone()), (None, None, None));
    assert_eq!((row.next_check_at, row.check_reason), (Some(at(2 + 15)), Some(CheckReason::Created)));
    assert_eq!(world.store.check_list(id(10), None, 10).await.unwrap().len(), 1, "its history");
    for number in 0..2_u128 {
        world.domain(20 + number, client, &format!("d{number}.example"), 5).await;
    }
    assert!(world.store.domain_delete(id(10), at(6)).await.unwrap());
    world.domain(30, client, "third.example", 7).await;
    let refused = DomainAdded::AllocationExceeded { resource: Resource::Domains, used: 3, limit: 3 };
    assert_eq!(add(&world.store, 99, client, "a.example", 8).await, refused, "reviving counts too");
}

async fn revived_keeps_an_operators_suspension(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    for (number, name) in [(10, "a.example"), (11, "b.example"), (12, "c.example"), (13, "d.example")] {
        world.domain(number, client, name, 0).await;
    }
    let suspend = DomainChange { status: Some(OperatorStatus::Suspended), ..DomainChange::default() };
    for number in [10, 11] {
        changed_row(&world.store, number, &suspend, 1).await;
    }
    world
        .run("UPDATE email_domains SET status = 'suspended', suspended_reason = 'dns' WHERE domain = 'c.example'")
        .await;
    // The platform suspends one by SQL, and later deletes it and another by SQL.
    world.run("UPDATE email_domains SET status = 'suspended' WHERE domain = 'd.example'").await;
    for number in [10, 12] {
        assert!(world.store.domain_delete(id(number), at(2)).await.unwrap());
    }
    world.run("UPDATE email_domains SET deleted_at = created_at WHERE domain IN ('b.example', 'd.example')").await;
    let mut shown = Vec::new();
    for name in ["a.example", "b.example", "c.example", "d.example"] {
        let DomainAdded::Revived(row) = add(&world.store, 99, client, name, 3).await else { panic!("{name}") };
        shown.push((name, row.status, row.suspended_reason));
    }
    let operator = Some(SuspendedReason::Operator);
    assert_eq!(
        shown,
        [
            ("a.example", Status::Suspended, operator),
            ("b.example", Status::Suspended, operator),
            ("c.example", Status::Pending, None),
            ("d.example", Status::Suspended, operator),
        ]
    );
}

async fn revived_brings_its_mailboxes(world: World) {
    let client = world.client(1, Tier::Ignition).await;
    for (number, name) in [(10, "a.example"), (11, "b.example")] {
        world.domain(number, client, name, 0).await;
    }
    for (number, domain) in [(1, 10), (2, 10), (3, 11)] {
        world.run(&mailbox(&world, number, domain, 1)).await;
    }
    assert!(world.store.domain_delete(id(10), at(1)).await.unwrap());
    world.run(&mailbox(&world, 4, 11, 1)).await;
    let refused = DomainAdded::AllocationExceeded { resource: Resource::Mailboxes, used: 2, limit: 3 };
    assert_eq!(add(&world.store, 99, client, "a.example", 2).await, refused);
    world.run("UPDATE email_mailboxes SET deleted_at = created_at WHERE email_address = 'box4@example.com'").await;
    assert!(matches!(add(&world.store, 99, client, "a.example", 3).await, DomainAdded::Revived(_)));
}

async fn listed(world: World) {
    let (one, other) = (world.client(1, Tier::Dominance).await, world.client(2, Tier::Dominance).await);
    world.domain(14, one, "first.example", 1).await;
    world.domain(12, other, "second.example", 2).await;
    world.domain(13, one, "third.example", 2).await;
    world.domain(11, one, "gone.example", 3).await;
    assert!(world.store.domain_delete(id(11), at(4)).await.unwrap());
    world.platform_row(id(15), other, "UPPER.example", None).await;
    world.run("UPDATE email_domains SET spf_valid = TRUE, status = 'active' WHERE domain = 'third.example'").await;
    let all = DomainFilter::default();
    let list = async |filter: &DomainFilter, after, limit| -> Vec<DomainRow> {
        world.store.domain_list(filter, after, limit).await.unwrap()
    };
    let names = |rows: &[DomainRow]| rows.iter().map(|row| row.domain.clone()).collect::<Vec<_>>();
    let everything = list(&all, None, 10).await;
    assert_eq!(names(&everything), ["UPPER.example", "first.example", "second.example", "third.example"]);
    let mut paged = Vec::new();
    while let [row] = list(&all, paged.last().map(DomainRow::place), 1).await.as_slice() {
        paged.push(row.clone());
    }
    assert_eq!(names(&paged), names(&everything), "one at a time, by age and id, without an age first");
    let check = async |filter: DomainFilter, expected: &[&str]| {
        assert_eq!(names(&list(&filter, None, 10).await), expected, "{filter:?}");
    };
    let client_id = Some(one);
    check(DomainFilter { client_id, ..all.clone() }, &["first.example", "third.example"]).await;
    check(DomainFilter { status: Some(Status::Active), ..all.clone() }, &["third.example"]).await;
    check(DomainFilter { status: Some(Status::Deleted), ..all.clone() }, &["gone.example"]).await;
    let pending = ["UPPER.example", "first.example", "second.example"];
    check(DomainFilter { status: Some(Status::Pending), ..all.clone() }, &pending).await;
    check(DomainFilter { failing: Some(Failing::Purpose(Purpose::Spf)), ..all.clone() }, &pending).await;
    let mx = Some(Failing::Purpose(Purpose::Mx));
    check(DomainFilter { failing: mx, client_id, ..all.clone() }, &["first.example", "third.example"]).await;
    world
        .run("UPDATE email_domains SET dkim_valid = TRUE, dmarc_valid = TRUE, mx_valid = TRUE WHERE status = 'active'")
        .await;
    check(DomainFilter { failing: Some(Failing::Any), ..all.clone() }, &pending).await;
    check(DomainFilter { q: Some("uPP".to_owned()), ..all.clone() }, &["UPPER.example"]).await;
    check(DomainFilter { q: Some("%".to_owned()), ..all.clone() }, &[]).await;
}

async fn changed(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let change = DomainChange {
        daily_send_limit: Some(200),
        infraforge_domain_id: Some(Some("if-2".to_owned())),
        smartlead_domain_id: Some(Some("sl-2".to_owned())),
        events: vec![event(50, "domain.suspended")],
        ..DomainChange::default()
    };
    let row = changed_row(&world.store, 10, &change, 5).await;
    assert_eq!((row.daily_send_limit, row.updated_at), (200, Some(at(5))));
    assert_eq!(row.next_check_at, Some(at(0)), "nothing that a check looks at has changed");
    let cleared = DomainChange { infraforge_domain_id: Some(None), ..DomainChange::default() };
    let row = changed_row(&world.store, 10, &cleared, 6).await;
    assert_eq!((row.infraforge_domain_id, row.smartlead_domain_id.as_deref()), (None, Some("sl-2")));
    assert_eq!(row.daily_send_limit, 200);
    assert!(world.store.event_list(id(10), None, 10).await.unwrap().is_empty(), "the status is as it was");
    assert_eq!(world.store.domain_change(id(99), &change, at(7)).await.unwrap(), DomainChanged::NoSuchDomain);
    world.store.domain_delete(id(10), at(8)).await.unwrap();
    let gone = world.store.domain_change(id(10), &change, at(9)).await.unwrap();
    assert_eq!(gone, DomainChanged::NoSuchDomain, "it is gone");
}

async fn changed_row(store: &Store, number: u128, change: &DomainChange, second: i64) -> DomainRow {
    match store.domain_change(id(number), change, at(second)).await.unwrap() {
        DomainChanged::Changed(row) => *row,
        other => panic!("{number}: {other:?}"),
    }
}

pub fn event(number: u128, kind: &'static str) -> NewEvent {
    NewEvent { id: id(number), kind, body: json!({"number": 1}) }
}

async fn an_operators_word(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "new.example", 0).await;
    world.platform_row(id(11), client, "active.example", Some("active")).await;
    let word = |status, number| DomainChange {
        status: Some(status),
        events: vec![event(number, "domain.suspended")],
        ..DomainChange::default()
    };
    let mut number = 50;
    let mut check = async |row: u128, status, second, expected: (Status, Option<SuspendedReason>), why: &str| {
        number += 1;
        let row = changed_row(&world.store, row, &word(status, number), second).await;
        assert_eq!((row.status, row.suspended_reason), expected, "{why}");
    };
    let operator = Some(SuspendedReason::Operator);
    check(10, OperatorStatus::Active, 1, (Status::Pending, None), "nobody makes a domain active by hand").await;
    check(10, OperatorStatus::Suspended, 2, (Status::Suspended, operator), "suspended").await;
    check(10, OperatorStatus::Active, 3, (Status::Pending, None), "never verified").await;
    check(11, OperatorStatus::Suspended, 4, (Status::Suspended, operator), "suspended").await;
    check(11, OperatorStatus::Active, 5, (Status::Active, None), "it was active before").await;
    world.run("UPDATE email_domains SET status = 'suspended', suspended_reason = 'dns', suspends_at = created_at WHERE domain = 'active.example'").await;
    check(11, OperatorStatus::Suspended, 6, (Status::Suspended, operator), "a person's word stands above").await;
    let row = world.store.domain_get(id(11)).await.unwrap().unwrap();
    assert_eq!((row.suspends_at, row.degraded_since), (None, None), "its clocks are stopped");
    let events = world.store.event_list(id(10), None, 10).await.unwrap();
    assert_eq!(events.len(), 2, "one for each change of status: {events:?}");
    assert_eq!((events[0].check_id, events[0].at), (None, at(3)), "the newest first, by no check");
}

async fn a_change_drops_the_running_check(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(1, 7).await;
    let limit = DomainChange { daily_send_limit: Some(9), ..DomainChange::default() };
    world.store.domain_change(id(10), &limit, at(2)).await.unwrap();
    assert_eq!(world.store.domain_settle(&claim, &settlement(100, 2, true), at(2)).await.unwrap(), Settled::Done);
    let change = DomainChange {
        requirements: Some(RequirementsChange { from: RowRequirements::Profile, to: requirements() }),
        min_interval: Duration::from_secs(15),
        ..DomainChange::default()
    };
    let row = changed_row(&world.store, 10, &change, 5).await;
    assert_eq!(row.next_check_at, Some(at(2 + 15)), "not closer to the last than that");
    let claim = world.claim_one(20, 8).await;
    assert_eq!(claim.reason, CheckReason::Verify);
    let others = RequirementsChange { from: row.requirements, to: Requirements::default() };
    let others = DomainChange { requirements: Some(others), ..DomainChange::default() };
    let row = changed_row(&world.store, 10, &others, 21).await;
    assert_eq!(row.requirements, RowRequirements::Own(Requirements::default()));
    assert!(!row.is_checking(at(21)));
    let lost = world.store.domain_settle(&claim, &settlement(101, 22, true), at(22)).await.unwrap();
    assert_eq!(lost, Settled::LeaseLost, "it looked for what is no longer asked");
    assert_eq!(world.claim_one(23, 9).await.domain.id, id(10), "due at once");
}

/// A person's suspension of a domain that is suspended already is a change too.
async fn an_operators_word_over_a_running_check(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    world
        .run("UPDATE email_domains SET status = 'suspended', suspended_reason = 'dns', verified_at = created_at")
        .await;
    let claim = world.claim_one(1, 7).await;
    let suspend = DomainChange { status: Some(OperatorStatus::Suspended), ..DomainChange::default() };
    world.store.domain_change(id(10), &suspend, at(2)).await.unwrap();
    let lost = world.store.domain_settle(&claim, &settlement(100, 3, true), at(3)).await.unwrap();
    assert_eq!(lost, Settled::LeaseLost, "it knew nothing of the person's word");
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert_eq!((row.status, row.suspended_reason), (Status::Suspended, Some(SuspendedReason::Operator)));
    let claim = world.claim_one(4, 8).await;
    world.store.domain_change(id(10), &suspend, at(5)).await.unwrap();
    assert!(world.store.domain_get(id(10)).await.unwrap().unwrap().is_checking(at(5)), "said twice is said once");
    world.store.domain_release(&claim).await.unwrap();
}

/// From when the ladder for pending domains counts.
async fn what_waits_begins_anew(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let row = world.domain(10, client, "a.example", 0).await;
    assert_eq!(row.pending_since, Some(at(0)), "registered");
    let change = async |change: DomainChange, second| match world
        .store
        .domain_change(id(10), &change, at(second))
        .await
        .unwrap()
    {
        DomainChanged::Changed(row) => row.pending_since,
        other => panic!("{other:?}"),
    };
    let nothing = DomainChange::default();
    assert_eq!(change(DomainChange { daily_send_limit: Some(9), ..nothing.clone() }, 1).await, Some(at(0)));
    let required = RequirementsChange { from: RowRequirements::Profile, to: requirements() };
    assert_eq!(change(DomainChange { requirements: Some(required), ..nothing.clone() }, 2).await, Some(at(2)));
    let word = |status| DomainChange { status: Some(status), ..DomainChange::default() };
    change(word(OperatorStatus::Suspended), 3).await;
    assert_eq!(change(word(OperatorStatus::Active), 4).await, Some(at(4)), "lifted");
    assert!(world.store.domain_delete(id(10), at(5)).await.unwrap());
    let DomainAdded::Revived(row) = add(&world.store, 99, client, "a.example", 6).await else { panic!("not revived") };
    assert_eq!((row.pending_since, row.created_at), (Some(at(6)), Some(at(0))), "revived");
    world.platform_row(id(11), client, "platform.example", None).await;
    world.run("UPDATE email_domains SET created_at = deleted_at WHERE domain = 'platform.example'").await;
    assert_eq!(world.store.domain_get(id(11)).await.unwrap().unwrap().pending_since, None, "nobody says");
    world.run("UPDATE email_domains SET pending_since = NULL").await;
    assert_eq!(world.store.domain_get(id(10)).await.unwrap().unwrap().pending_since, Some(at(0)), "its age will do");
}

async fn two_changes_of_requirements(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let change = |from: &RowRequirements, to: &Requirements| DomainChange {
        requirements: Some(RequirementsChange { from: from.clone(), to: to.clone() }),
        ..DomainChange::default()
    };
    let (first, second) = (requirements(), Requirements::default());
    let profile = RowRequirements::Profile;
    let done = world.store.domain_change(id(10), &change(&profile, &first), at(1)).await.unwrap();
    assert!(matches!(done, DomainChanged::Changed(_)), "{done:?}");
    let late = DomainChange { daily_send_limit: Some(9), ..change(&profile, &second) };
    assert_eq!(world.store.domain_change(id(10), &late, at(2)).await.unwrap(), DomainChanged::RequirementsMoved);
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert_eq!((row.requirements.clone(), row.daily_send_limit), (RowRequirements::Own(first), 50), "nothing of it");
    let done = world.store.domain_change(id(10), &change(&row.requirements, &second), at(3)).await.unwrap();
    assert!(matches!(done, DomainChanged::Changed(_)), "{done:?}");
}

/// Deleting and registering again is no way round the least interval.
async fn revived_waits_its_turn(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(1, 7).await;
    assert_eq!(world.store.domain_settle(&claim, &settlement(100, 2, true), at(2)).await.unwrap(), Settled::Done);
    for (second, expected) in [(4, 17), (16, 17), (17, 17), (18, 18)] {
        assert!(world.store.domain_delete(id(10), at(3)).await.unwrap());
        let DomainAdded::Revived(row) = add(&world.store, 99, client, "a.example", second).await else { panic!() };
        assert_eq!((row.next_check_at, row.last_checked_at), (Some(at(expected)), Some(at(2))), "{second}");
        assert_eq!((row.evidence_digest, row.last_success_at), (None, None), "what was seen then says nothing now");
        let min = Duration::from_secs(15);
        let advanced = world.store.domain_advance(id(10), CheckReason::Verify, at(second), min, at(second)).await;
        assert_eq!(advanced.unwrap().unwrap().next_check_at, at(expected), "{second}: nor by asking");
    }
}

async fn deleted(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(1, 7).await;
    assert!(world.store.domain_delete(id(10), at(2)).await.unwrap());
    assert!(!world.store.domain_delete(id(10), at(3)).await.unwrap(), "once");
    assert!(!world.store.domain_delete(id(99), at(3)).await.unwrap());
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert_eq!((row.status, row.deleted_at, row.updated_at), (Status::Deleted, Some(at(2)), Some(at(2))));
    assert_eq!(world.texts("SELECT status FROM email_domains").await, ["deleted"], "for the platform too");
    let lost = world.store.domain_settle(&claim, &settlement(100, 4, true), at(4)).await.unwrap();
    assert_eq!(lost, Settled::LeaseLost);
    assert!(world.store.domain_claim_due(at(999), at(1000), id(8), 10).await.unwrap().is_empty());
}

async fn odd_rows_of_the_platform(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    world.platform_row(id(10), client, "null.example", None).await;
    world.platform_row(id(11), client, "suspended.example", Some("suspended")).await;
    world.platform_row(id(12), client, "gone.example", None).await;
    world.run("UPDATE email_domains SET deleted_at = updated_at WHERE domain = 'gone.example'").await;
    world.platform_row(id(13), client, "deleted.example", Some("deleted")).await;
    world.run("UPDATE email_domains SET mx_valid = NULL, updated_at = NULL, current_daily_sends = NULL").await;
    let mut shown = Vec::new();
    for number in 10..14 {
        let row = world.store.domain_get(id(number)).await.unwrap().unwrap();
        assert!(!row.dns_configured && !row.spf_valid && !row.mx_valid);
        assert_eq!((row.daily_send_limit, row.current_daily_sends, row.created_at), (50, 0, None));
        assert_eq!(row.requirements, RowRequirements::Profile);
        shown.push((row.status, row.suspended_reason));
    }
    let operator = Some(SuspendedReason::Operator);
    let deleted = (Status::Deleted, None);
    assert_eq!(shown, [(Status::Pending, None), (Status::Suspended, operator), deleted, deleted]);
    let claims = world.store.domain_claim_due(at(1), at(60), id(7), 10).await.unwrap();
    let found: Vec<_> = claims.iter().map(|claim| (claim.domain.id, claim.reason)).collect();
    assert_eq!(found, [(id(10), CheckReason::Created), (id(11), CheckReason::Created)], "picked up like any other");
    let usage = world.store.client_usage(client).await.unwrap().unwrap();
    assert_eq!(usage.domains_used, 2, "deleted by either sign");
    if let Place::Postgres(_) = world.place {
        // Times that only PostgreSQL has, and on which its driver panics.
        world.run("UPDATE email_domains SET created_at = 'infinity', updated_at = '-infinity'").await;
        world.run("UPDATE email_domains SET deleted_at = '290000-01-01' WHERE domain = 'gone.example'").await;
        let row = world.store.domain_get(id(12)).await.unwrap().unwrap();
        let years = [row.created_at, row.updated_at, row.deleted_at].map(|time| time.unwrap().format("%Y").to_string());
        assert_eq!((row.status, years.join(" ").as_str()), (Status::Deleted, "9999 0001 9999"));
        assert_eq!(world.store.domain_claim_due(at(100), at(160), id(8), 10).await.unwrap().len(), 2);
    }
}

async fn malformed(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    world.platform_row(id(10), client, "UPPER.example", None).await;
    world.platform_row(id(11), client, "no domain", None).await;
    world.platform_row(id(12), client, " dot.example.", None).await;
    world.platform_row(id(13), client, "bücher.example", None).await;
    let find = async |name: &str| {
        let found = world.store.domain_by_name(&Domain::parse(name).unwrap()).await.unwrap();
        found.map(|row| row.id)
    };
    assert_eq!(find("upper.example").await, Some(id(10)), "names are compared in their normal spelling");
    assert_eq!(find("dot.example").await, Some(id(12)));
    assert_eq!(find("bücher.example").await, Some(id(13)));
    world.platform_row(id(14), client, "dot.example", None).await;
    assert_eq!(find("dot.example").await, Some(id(14)), "the normal spelling goes first");
    assert_eq!(add(&world.store, 20, client, "upper.example", 1).await, DomainAdded::Own, "in another spelling");
    let before = world.store.domain_get(id(10)).await.unwrap().unwrap();
    let claims = world.store.domain_claim_due(at(1), at(60), id(7), 10).await.unwrap();
    assert_eq!(claims.len(), 5);
    for claim in &claims {
        world.store.domain_mark_malformed(claim.domain.id, &claim.domain.domain).await.unwrap();
    }
    let after = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert!(after.is_malformed());
    assert_eq!(DomainRow { malformed: None, ..after }, before, "nothing of the platform's is written");
    assert!(world.store.domain_claim_due(at(99), at(199), id(8), 10).await.unwrap().is_empty());
    world.run("UPDATE email_domains SET domain = 'upper.example' WHERE domain = 'UPPER.example'").await;
    assert_eq!(world.claim_one(99, 9).await.domain.id, id(10), "the platform has set it right");
}

/// What this release cannot read of a row it leaves as it is, and shows the rest.
async fn rows_of_a_later_release(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    world.domain(10, client, "later.example", 0).await;
    world.domain(11, client, "good.example", 0).await;
    let later = r#"{"version":2,"dkim":"another form"}"#;
    world
        .run(&format!(
            "UPDATE email_domains SET requirements = '{later}', check_reason = 'whim', status = 'suspended', \
             suspended_reason = 'doubt' WHERE domain = 'later.example'"
        ))
        .await;
    let listed = world.store.domain_list(&DomainFilter::default(), None, 10).await.unwrap();
    assert_eq!(listed.len(), 2, "one row does not take the list down");
    let name = Domain::parse("later.example").unwrap();
    let row = world.store.domain_by_name(&name).await.unwrap().unwrap();
    assert_eq!(world.store.domain_get(id(10)).await.unwrap().as_ref(), Some(&row));
    assert_eq!(row.check_reason, None);
    assert_eq!(row.suspended_reason, Some(SuspendedReason::Operator), "only a person lifts what nobody understands");
    let RowRequirements::Unreadable(unreadable) = &row.requirements else { panic!("{row:?}") };
    assert!(unreadable.why.contains("version 2 of a later release"), "{unreadable:?}");
    let limit = DomainChange { daily_send_limit: Some(9), ..DomainChange::default() };
    assert!(matches!(world.store.domain_change(id(10), &limit, at(2)).await.unwrap(), DomainChanged::Changed(_)));
    let kept = world.texts("SELECT requirements FROM email_domains WHERE domain = 'later.example'").await;
    assert_eq!(kept, [later], "what this release does not understand it does not rewrite");
    let kept = world.texts("SELECT check_reason FROM email_domains WHERE domain = 'later.example'").await;
    assert_eq!(kept, ["whim"]);
    let claims = world.store.domain_claim_due(at(3), at(60), id(7), 10).await.unwrap();
    assert_eq!(claims.len(), 2, "it is checked like any other");
}

async fn corrupt(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    world.domain(10, client, "bad.example", 0).await;
    let check = async |text: &str, expected: &str| {
        world.run(&format!("UPDATE email_domains SET requirements = '{text}'")).await;
        let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
        let RowRequirements::Unreadable(unreadable) = row.requirements else { panic!("{row:?}") };
        assert!(unreadable.why.contains(expected), "{unreadable:?}");
        assert_eq!(unreadable.text, text);
    };
    check("{}", "not of their form").await;
    check("no JSON", "not of their form").await;
    check(r#"{"version":2}"#, "version 2 of a later release").await;
}
