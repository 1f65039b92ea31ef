//! Settling, and the history that it writes.

use sendready::protocol::name::Name;
use sendready::sending::tier::Tier;
use sendready::store::{CheckReason, CheckRow, EventRow, Settled, Settlement};
use sendready::verify::evidence::stored::{from_stored, to_stored};
use sendready::verify::evidence::{Answer, Evidence, Failure, Question};
use sendready::verify::standing::{Flags, Standing, Status, SuspendedReason};
use serde_json::json;

use crate::store::domains::event;
use crate::store::world::{Place, World, at, id, on_both};

on_both!(
    everything_at_once,
    nothing_behind_a_lost_lease,
    nothing_over_the_platforms_word,
    equal_evidence_once,
    history_in_pages,
    updated_at_follows_the_seeds_columns,
    nobody_could_tell,
    many_in_one_transaction,
    tried_again_after_all,
    one_refused_takes_all_with_it,
    a_domain_twice_in_a_batch,
    far_times_are_kept_readable,
);

pub fn evidence() -> Evidence {
    let mut evidence = Evidence::new();
    let question = Question::txt(&Name::parse("example.com").unwrap());
    evidence.tell(question, Answer::Unknown(Failure::Timeout));
    evidence
}

/// What a check at a second found: all valid, or nothing.
pub fn settlement(check: u128, second: i64, valid: bool) -> Settlement {
    let standing = Standing {
        status: if valid { Status::Active } else { Status::Pending },
        flags: Flags { spf: valid, dkim: valid, dmarc: valid, mx: valid },
        verified_at: valid.then(|| at(second)),
        ..Standing::NEW
    };
    Settlement {
        at: at(second),
        standing,
        binding: None,
        verdicts: json!([{"purpose": "spf", "verdict": "valid"}]),
        evidence: to_stored(&evidence()),
        changes: json!([]),
        all_valid: valid,
        dns_configured: valid,
        next_check_at: Some(at(second + 900)),
        earliest_at: at(second + 15),
        events: Vec::new(),
        check_id: id(check),
        reason: CheckReason::Created,
        questions: 12,
        took_ms: 345,
        look: None,
        is_proven: false,
        claimants: Vec::new(),
        withheld: None,
    }
}

async fn everything_at_once(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(1, 7).await;
    let settled = Settlement {
        standing: Standing {
            status: Status::Suspended,
            flags: Flags { spf: true, dkim: false, dmarc: true, mx: false },
            verified_at: Some(at(-9)),
            degraded_since: Some(at(-8)),
            suspends_at: Some(at(-7)),
            suspended_reason: Some(SuspendedReason::Dns),
            recovering_since: Some(at(-6)),
            stale_since: Some(at(-5)),
        },
        events: vec![event(50, "domain.suspended"), event(51, "domain.records_changed")],
        ..settlement(100, 2, false)
    };
    assert_eq!(world.store.domain_settle(&claim, &settled, at(3)).await.unwrap(), Settled::Done);
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert_eq!(row.standing(), settled.standing);
    assert!(!row.dns_configured);
    assert_eq!((row.last_checked_at, row.last_success_at, row.next_check_at), (Some(at(2)), None, Some(at(902))));
    assert_eq!((row.check_reason, row.lease_until), (Some(CheckReason::Schedule), None));
    assert_eq!(row.updated_at, Some(at(3)));
    let check = CheckRow {
        id: id(100),
        domain_id: id(10),
        at: at(2),
        reason: CheckReason::Created,
        all_valid: false,
        verdicts: settled.verdicts.clone(),
        changes: settled.changes.clone(),
        evidence_digest: settled.evidence.digest.clone(),
        questions: 12,
        took_ms: 345,
    };
    assert_eq!(world.store.check_list(id(10), None, 10).await.unwrap(), std::slice::from_ref(&check));
    let body = settled.evidence.body.clone();
    assert_eq!(world.store.check_get(id(10), id(100)).await.unwrap(), Some((check, body.clone())));
    assert_eq!(world.store.check_get(id(11), id(100)).await.unwrap(), None, "another domain's");
    assert_eq!(world.store.evidence_latest(id(10)).await.unwrap(), Some(body.clone()));
    assert_eq!(from_stored(&body).unwrap(), evidence(), "it can be judged again");
    let events = world.store.event_list(id(10), None, 10).await.unwrap();
    let row = |number, kind: &str| EventRow {
        id: id(number),
        domain_id: id(10),
        check_id: Some(id(100)),
        at: at(2),
        kind: kind.to_owned(),
        body: json!({"number": 1}),
    };
    assert_eq!(events, [row(51, "domain.records_changed"), row(50, "domain.suspended")]);
}

/// Everything that settling writes.
async fn traces(world: &World) -> (Vec<String>, i64, i64, i64) {
    (
        world.texts("SELECT status FROM email_domains ORDER BY domain").await,
        world.count("SELECT COUNT(*) FROM sendready_checks").await,
        world.count("SELECT COUNT(*) FROM sendready_evidence").await,
        world.count("SELECT COUNT(*) FROM sendready_events").await,
    )
}

async fn nothing_behind_a_lost_lease(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let late = world.claim_one(0, 7).await;
    world.claim_one(60, 8).await;
    let before = (world.store.domain_get(id(10)).await.unwrap(), traces(&world).await);
    let settled = Settlement { events: vec![event(50, "domain.verified")], ..settlement(100, 61, true) };
    assert_eq!(world.store.domain_settle(&late, &settled, at(61)).await.unwrap(), Settled::LeaseLost);
    assert_eq!((world.store.domain_get(id(10)).await.unwrap(), traces(&world).await), before);
}

async fn nothing_over_the_platforms_word(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    for (number, change) in
        ["status = 'suspended'", "domain = 'b.example'", "deleted_at = created_at"].iter().enumerate()
    {
        let second = 100 * i64::try_from(number).unwrap();
        let claim = world.claim_one(second, 7).await;
        world.run(&format!("UPDATE email_domains SET {change}")).await;
        let before = traces(&world).await;
        let lost = world.store.domain_settle(&claim, &settlement(100, second, true), at(second)).await.unwrap();
        assert_eq!(lost, Settled::LeaseLost, "{change}");
        assert_eq!(traces(&world).await, before, "{change}");
        let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
        assert_eq!(row.lease_until, None, "due again at once: {change}");
    }
}

async fn equal_evidence_once(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    world.domain(11, client, "b.example", 0).await;
    let claims = world.store.domain_claim_due(at(0), at(60), id(7), 10).await.unwrap();
    for (number, claim) in claims.iter().enumerate() {
        let done = world.store.domain_settle(claim, &settlement(100 + number as u128, 1, false), at(1)).await.unwrap();
        assert_eq!(done, Settled::Done);
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_checks").await, 2);
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_evidence").await, 1);
    assert_eq!(world.store.evidence_latest(id(12)).await.unwrap(), None);
}

async fn history_in_pages(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    for number in 0..4_u128 {
        let second = 1000 * i64::try_from(number).unwrap();
        let claim = world.claim_one(second, 7).await;
        let settled = Settlement {
            events: vec![event(50 + number, "domain.verified")],
            ..settlement(100 + number, second, false)
        };
        assert_eq!(world.store.domain_settle(&claim, &settled, at(second)).await.unwrap(), Settled::Done);
    }
    let checks = async |before, limit| -> Vec<u128> {
        let rows = world.store.check_list(id(10), before, limit).await.unwrap();
        rows.iter().map(|row| row.id.as_u128()).collect()
    };
    assert_eq!(checks(None, 2).await, [103, 102]);
    assert_eq!(checks(Some(id(102)), 9).await, [101, 100]);
    let numbers = |rows: Vec<EventRow>| rows.iter().map(|row| row.id.as_u128()).collect::<Vec<_>>();
    assert_eq!(numbers(world.store.event_list(id(10), None, 2).await.unwrap()), [53, 52]);
    assert_eq!(numbers(world.store.event_list(id(10), Some(id(52)), 9).await.unwrap()), [51, 50]);
}

async fn updated_at_follows_the_seeds_columns(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let mut updated = Vec::new();
    for (number, valid) in [(1, true), (2, true), (3, false)] {
        let second = 1000 * number;
        let claim = world.claim_one(second, 7).await;
        let settled = settlement(100 + number.unsigned_abs() as u128, second, valid);
        assert_eq!(world.store.domain_settle(&claim, &settled, at(second)).await.unwrap(), Settled::Done);
        let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
        updated.push((row.updated_at, row.last_success_at));
    }
    let (first, second, third) = (Some(at(1000)), Some(at(2000)), Some(at(3000)));
    assert_eq!(updated, [(first, first), (first, second), (third, second)]);
}

/// The platform's word on all of them stands until somebody knows better, though `mx_valid` was never judged.
async fn nobody_could_tell(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.platform_row(id(10), client, "a.example", Some("active")).await;
    world
        .run("UPDATE email_domains SET dns_configured = TRUE, spf_valid = TRUE, dkim_valid = TRUE, dmarc_valid = TRUE")
        .await;
    let before = world.store.domain_get(id(10)).await.unwrap().unwrap();
    let claim = world.claim_one(1, 7).await;
    let standing = Standing { stale_since: Some(at(2)), ..before.standing() };
    let settled = Settlement { standing, dns_configured: true, ..settlement(100, 2, false) };
    assert_eq!(world.store.domain_settle(&claim, &settled, at(3)).await.unwrap(), Settled::Done);
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert!(row.dns_configured && !row.mx_valid);
    assert_eq!((row.updated_at, row.last_checked_at), (before.updated_at, Some(at(2))), "nothing of the seed's moved");
}

async fn many_in_one_transaction(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    for (number, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        world.domain(10 + number as u128, client, &format!("{name}.example"), 0).await;
    }
    let claims = world.store.domain_claim_due(at(0), at(60), id(7), 10).await.unwrap();
    assert_eq!(claims.len(), 4);
    // One is lent to somebody else meanwhile, and one is suspended by the platform.
    let lost = literal_token(&world, 8);
    world.run(&format!("UPDATE email_domains SET lease_token = {lost} WHERE domain = 'b.example'")).await;
    world.run("UPDATE email_domains SET status = 'suspended' WHERE domain = 'c.example'").await;
    let mut settlements = Vec::new();
    for claim in &claims {
        let number = claim.domain.id.as_u128();
        let events = vec![event(500 + 2 * number, "domain.verified"), event(501 + 2 * number, "domain.at_risk")];
        settlements.push(Settlement { events, ..settlement(100 + number, 5, number == 10) });
    }
    let results: Vec<_> = claims.iter().zip(&settlements).collect();
    let settled = world.store.domain_settle_all(&results, at(6)).await.unwrap();
    let by_name: Vec<_> =
        claims.iter().zip(&settled).map(|(claim, settled)| (claim.domain.domain.as_str(), *settled)).collect();
    let mut by_name = by_name;
    by_name.sort_by_key(|(name, _)| *name);
    let (done, lease_lost) = (Settled::Done, Settled::LeaseLost);
    assert_eq!(
        by_name,
        [("a.example", done), ("b.example", lease_lost), ("c.example", lease_lost), ("d.example", done)]
    );
    let statuses = world.texts("SELECT status FROM email_domains ORDER BY domain").await;
    assert_eq!(statuses, ["active", "pending", "suspended", "pending"]);
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_checks").await, 2);
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_events").await, 4, "only of those that settled");
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_evidence").await, 1);
    let free = "SELECT COUNT(*) FROM email_domains WHERE lease_token IS NULL";
    assert_eq!(world.count(free).await, 3, "the stranger keeps his lease, the suspended one is due again");
}

/// A connection that is cut may hide that all was written.
async fn tried_again_after_all(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(0, 7).await;
    let settled = Settlement { events: vec![event(50, "domain.verified")], ..settlement(100, 1, true) };
    for _ in 0..3 {
        assert_eq!(world.store.domain_settle(&claim, &settled, at(2)).await.unwrap(), Settled::Done);
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_checks").await, 1);
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_events").await, 1);
}

async fn one_refused_takes_all_with_it(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    world.domain(11, client, "b.example", 0).await;
    let claims = world.store.domain_claim_due(at(0), at(60), id(7), 10).await.unwrap();
    let before = traces(&world).await;
    let bad = Settlement { events: vec![event(50, "x"), event(50, "y")], ..settlement(100, 1, true) };
    let good = settlement(101, 1, true);
    let fault = world.store.domain_settle_all(&[(&claims[0], &bad), (&claims[1], &good)], at(2)).await.unwrap_err();
    assert!(fault.is_refusal(), "{fault:?}");
    assert_eq!(traces(&world).await, before, "none of it");
    assert_eq!(world.store.domain_settle(&claims[1], &good, at(2)).await.unwrap(), Settled::Done, "each alone");
}

/// Its lease ended while the database was away, and the same process took it again.
async fn a_domain_twice_in_a_batch(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let late = world.claim_one(0, 7).await;
    let right = world.claim_one(60, 8).await;
    let (first, second) = (settlement(100, 1, false), settlement(101, 61, true));
    for results in [[(&late, &first), (&right, &second)], [(&right, &second), (&late, &first)]] {
        let settled = world.store.domain_settle_all(&results, at(62)).await.unwrap();
        let of_right = results.iter().position(|(claim, _)| claim.token == id(8)).unwrap();
        assert_eq!((settled[of_right], settled[1 - of_right]), (Settled::Done, Settled::LeaseLost));
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_checks").await, 1);
    assert_eq!(world.store.domain_get(id(10)).await.unwrap().unwrap().last_checked_at, Some(at(61)));
}

async fn far_times_are_kept_readable(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let claim = world.claim_one(0, 7).await;
    let settled =
        Settlement { next_check_at: Some(chrono::DateTime::<chrono::Utc>::MAX_UTC), ..settlement(100, 1, true) };
    assert_eq!(world.store.domain_settle(&claim, &settled, at(2)).await.unwrap(), Settled::Done);
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    assert_eq!(row.next_check_at.map(|at| at.to_rfc3339()).as_deref(), Some("9999-12-31T00:00:00+00:00"));
    assert!(world.store.domain_claim_due(at(99_999_999), at(99_999_999), id(8), 9).await.unwrap().is_empty());
}

/// A token as SQL writes it.
fn literal_token(world: &World, number: u128) -> String {
    match world.place {
        Place::Postgres(_) => format!("'{}'", id(number)),
        Place::Sqlite(_) => format!("X'{}'", id(number).simple()),
    }
}
