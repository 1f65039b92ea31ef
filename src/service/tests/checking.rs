//! Registered, checked, judged, watched.

use chrono::TimeDelta;

use crate::dns::zone_text::ZoneText;
use crate::service::OperatorStatus;
use crate::service::checks::Due;
use crate::service::domains::DomainPatch;
use crate::service::records::RecordsView;
use crate::service::requirements::{RequirementsGiven, RequirementsSource, expectation_of};
use crate::service::tests::{World, good, seconds, without, zone};
use crate::store::{DomainFilter, Settled};
use crate::verify::expectation::{DkimExpectation, DkimKey, MxExpectation};
use crate::verify::finding::Finding;
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::standing::{Status, SuspendedReason};

const NAME: &str = "example.test";

#[tokio::test]
async fn a_new_domain_is_unchecked_and_after_one_check_verified() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    let view = world.service.records(&world.operator, row.id).await.unwrap();
    for purpose in Purpose::ALL {
        assert_eq!(view.judged.report.verdict(purpose), Verdict::Unchecked, "{purpose}");
    }
    assert_eq!((view.poll_after.as_secs(), view.judged.requirements), (2, RequirementsSource::Domain));

    assert_eq!(world.check_due(&good(NAME)).await, [Settled::Done]);
    let view = world.service.records(&world.operator, row.id).await.unwrap();
    assert!(view.judged.report.is_all_valid(), "{:?}", view.judged.report);
    let row = view.row;
    assert_eq!((row.status, row.dns_configured, row.verified_at), (Status::Active, true, Some(world.hand.now())));
    assert!(row.spf_valid && row.dkim_valid && row.dmarc_valid && row.mx_valid);
    let wait = seconds(world.hand.now(), row.next_check_at).unwrap();
    assert!((38_880..=47_520).contains(&wait), "12 h, a tenth either way: {wait}");
    assert_eq!(view.poll_after.as_secs(), 3_600, "no longer than an hour");
    assert_eq!(world.events(row.id).await, ["domain.verified"]);
    assert!(view.judged.changed_at.iter().all(|at| *at == Some(world.hand.now())));
    assert_eq!(world.check_due(&good(NAME)).await, [], "nothing more is due");
}

#[tokio::test]
async fn the_event_says_what_changed() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    world.check_due(&good(NAME)).await;
    world.pass(TimeDelta::hours(14));
    world.check_due(&without(NAME, "s1._domainkey")).await;
    assert_eq!(world.events(row.id).await, ["domain.verified", "domain.at_risk", "domain.records_changed"]);
    let events = world.service.events(&world.operator, row.id, None, 2).await.unwrap();
    let at_risk = &events.items.iter().find(|event| event.kind == "domain.at_risk").unwrap().body;
    assert_eq!(at_risk["domain"], NAME);
    assert_eq!(at_risk["client_id"], row.client_id.to_string());
    assert_eq!(at_risk["status"], serde_json::json!({"from": "active", "to": "active"}));
    let flag = serde_json::json!({"from": true, "to": false});
    assert_eq!(at_risk["flags"], serde_json::json!({"dkim_valid": flag, "dns_configured": flag}));
    assert!(at_risk["suspends_at"].as_str().unwrap().starts_with("2023-11-18T"), "{at_risk}");
    let check = world.service.checks(&world.operator, row.id, None, 1).await.unwrap().items.remove(0);
    assert_eq!(check.changes["flags"]["dkim_valid"], flag);
    assert!(events.next.is_some(), "two of three");
}

#[tokio::test]
async fn failure_is_not_absence() {
    for (why, faults) in [
        ("everything fails", ";@ servfail @ *\n;@ servfail s1._domainkey *\n;@ servfail _dmarc *"),
        ("one times out", ";@ timeout s1._domainkey TXT"),
        ("one is refused", ";@ refused _dmarc TXT"),
        ("the MX is bogus", ";@ bogus @ MX"),
    ] {
        let world = World::new().await;
        let row = world.domain(NAME).await;
        world.check_due(&good(NAME)).await;
        for hours in [14, 60] {
            world.pass(TimeDelta::hours(hours));
            let broken: ZoneText = zone(NAME, faults).parse().unwrap();
            assert_eq!(world.check_due(&broken).await, [Settled::Done], "{why}");
        }
        let row = world.row(row.id).await;
        assert!(row.dns_configured && row.spf_valid && row.dkim_valid && row.dmarc_valid && row.mx_valid, "{why}");
        assert_eq!((row.status, row.degraded_since), (Status::Active, None), "{why}");
        assert_eq!(seconds(row.stale_since.unwrap(), row.last_checked_at), Some(60 * 3_600), "{why}");
        assert_eq!(world.events(row.id).await, ["domain.verified"], "{why}");
        let wait = seconds(world.hand.now(), row.next_check_at).unwrap();
        assert!((810..=990).contains(&wait), "{why}: 15 min, a tenth either way: {wait}");
    }
}

#[tokio::test]
async fn caches_alone_must_deny_twice() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    world.check_due(&good(NAME)).await;
    world.pass(TimeDelta::hours(14));
    // The zone's own server cannot be reached: only what caches say is left.
    let lines: Vec<String> =
        zone(NAME, "").lines().filter(|line| !line.contains("s1._domainkey")).map(str::to_owned).collect();
    let denied: ZoneText = lines.join("\n").parse().unwrap();
    world.check_due(&denied).await;
    let doubted = world.row(row.id).await;
    assert!(doubted.dkim_valid && doubted.degraded_since.is_none(), "{doubted:?}");
    assert_eq!(doubted.stale_since, Some(world.hand.now()), "a doubt is no word");
    assert_eq!(seconds(world.hand.now(), doubted.next_check_at), Some(300), "when caches have forgotten");
    let view = world.service.records(&world.operator, row.id).await.unwrap();
    assert_eq!(view.judged.report.verdict(Purpose::Dkim), Verdict::Missing, "what is seen is said");
    assert_eq!(world.events(row.id).await, ["domain.verified"], "what is not believed has not changed");
    world.pass(TimeDelta::seconds(299));
    world.service.verify(&world.operator, row.id).await.unwrap();
    world.check_due(&denied).await;
    assert!(world.row(row.id).await.dkim_valid, "asked too soon, it is the first denial still");
    world.pass(TimeDelta::seconds(15));
    world.check_due(&denied).await;
    let fallen = world.row(row.id).await;
    assert!(!fallen.dkim_valid && fallen.degraded_since == Some(world.hand.now()), "{fallen:?}");
    assert_eq!(world.events(row.id).await, ["domain.verified", "domain.at_risk", "domain.records_changed"]);
}

#[tokio::test]
async fn what_nobody_can_tell_does_not_hold_for_ever() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    world.check_due(&good(NAME)).await;
    let broken: ZoneText = zone(NAME, ";@ servfail s1._domainkey *").parse().unwrap();
    for hours in [14, 72, 72] {
        world.pass(TimeDelta::hours(hours));
        world.check_due(&broken).await;
    }
    let row = world.row(row.id).await;
    assert_eq!(row.suspended_reason, Some(SuspendedReason::Unverifiable));
    assert!(row.dkim_valid && row.dns_configured, "flags stay as last known");
    assert_eq!(world.events(row.id).await, ["domain.verified", "domain.at_risk", "domain.suspended"]);
    let events = world.service.events(&world.operator, row.id, None, 3).await.unwrap();
    let reasons: Vec<_> = events.items.iter().rev().map(|event| event.body["reason"].clone()).collect();
    assert_eq!(reasons, [serde_json::Value::Null, "dns.stale".into(), "unverifiable".into()]);
}

#[tokio::test]
async fn a_record_that_comes_back_the_same_after_a_failure_has_not_changed() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    let broken: ZoneText = zone(NAME, ";@ servfail @ TXT").parse().unwrap();
    let other: ZoneText = zone(NAME, "").replace("198.51.100", "203.0.113").parse().unwrap();
    for dns in [good(NAME), broken.clone(), good(NAME)] {
        world.check_due(&dns).await;
        world.pass(TimeDelta::hours(14));
    }
    assert_eq!(world.events(row.id).await, ["domain.verified"]);
    for dns in [broken, other] {
        world.check_due(&dns).await;
        world.pass(TimeDelta::hours(14));
    }
    assert_eq!(world.events(row.id).await, ["domain.verified", "domain.records_changed"]);
}

#[tokio::test]
async fn a_lost_lease_settles_nothing() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    let late = world.service.due(Due::Any, 1).await.unwrap().remove(0);
    let found = world.service.run(&without(NAME, "v=spf1"), &late).await.unwrap();
    assert!(world.service.due(Due::Any, 1).await.unwrap().is_empty(), "lent once");
    world.pass(TimeDelta::seconds(61));
    assert_eq!(world.check_due(&good(NAME)).await, [Settled::Done], "its lease has ended");
    assert_eq!(world.service.settle(&late, &found).await.unwrap(), Settled::LeaseLost);
    assert!(world.row(row.id).await.spf_valid);
    assert_eq!(world.check_count(row.id).await, 1);
    let again = world.service.settle(&late, &found).await.unwrap();
    assert_eq!(again, Settled::LeaseLost, "twice is the same as once");
}

#[tokio::test]
async fn what_is_changed_during_a_check_drops_its_result() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    let claim = world.service.due(Due::Any, 1).await.unwrap().remove(0);
    let found = world.service.run(&good(NAME), &claim).await.unwrap();
    let selector = DkimExpectation { selector: "s2".parse_name(), key: DkimKey::Any };
    let requirements = RequirementsGiven { dkim: Some(vec![selector]), ..RequirementsGiven::default() };
    let patch = DomainPatch { requirements, ..DomainPatch::default() };
    world.service.domain_change(&world.operator, row.id, &patch).await.unwrap();
    assert_eq!(world.service.settle(&claim, &found).await.unwrap(), Settled::LeaseLost);
    assert_eq!(world.row(row.id).await.status, Status::Pending);
    assert_eq!(world.check_due(&good(NAME)).await, [Settled::Done], "a new check is due at once");
    let view = world.service.records(&world.operator, row.id).await.unwrap();
    assert_eq!(view.judged.report.verdict(Purpose::Dkim), Verdict::Missing, "the new selector");
}

#[tokio::test]
async fn the_same_requirements_again_disturb_nothing() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    let claim = world.service.due(Due::Any, 1).await.unwrap().remove(0);
    let found = world.service.run(&good(NAME), &claim).await.unwrap();
    let same = super::registration(row.client_id, NAME).requirements;
    let patch = DomainPatch { requirements: same, daily_send_limit: Some(40), ..DomainPatch::default() };
    let changed = world.service.domain_change(&world.operator, row.id, &patch).await.unwrap();
    assert_eq!(changed.row.daily_send_limit, 40);
    assert_eq!(world.service.settle(&claim, &found).await.unwrap(), Settled::Done);
}

#[tokio::test]
async fn polling_brings_the_next_check_forward_and_says_when_to_come_back() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    world.check_due(&without(NAME, "s1._domainkey")).await;
    let poll = async || {
        let view = world.service.records(&world.operator, row.id).await.unwrap();
        (seconds(world.hand.now(), view.row.next_check_at), view.poll_after.as_secs())
    };
    assert_eq!(poll().await, (Some(15), 17), "never closer than the least interval");
    world.pass(TimeDelta::seconds(5));
    assert_eq!(poll().await, (Some(10), 12), "and never later than it was");
    world.pass(TimeDelta::seconds(20));
    assert_eq!(poll().await, (Some(-10), 2), "overdue");
    let claim = world.service.due(Due::Any, 1).await.unwrap().remove(0);
    assert_eq!(claim.reason.as_str(), "poll");
    let view = world.service.records(&world.operator, row.id).await.unwrap();
    assert_eq!((view.checking, view.poll_after.as_secs()), (true, 2));
    world.service.release(&claim).await.unwrap();
    world.pass(TimeDelta::days(40));
    world.check_due(&without(NAME, "s1._domainkey")).await;
    assert_eq!(world.row(row.id).await.next_check_at, None, "the ladder has ended");
    assert_eq!(poll().await, (Some(15), 17), "whoever polls climbs it again");
}

#[tokio::test]
async fn rows_of_the_platform_are_checked_as_they_stand_or_said_to_be_malformed() {
    let world = World::new().await;
    let client = world.client(crate::sending::tier::Tier::Velocity).await;
    world
        .sql(
            "INSERT INTO email_domains (id, client_id, domain) SELECT randomblob(16), clients.id, value FROM clients, \
             json_each('[\"example.test\",\"Example.ORG\",\"no domain\",\"com\"]')",
        )
        .await;
    assert_eq!(world.check_due(&good(NAME)).await, [Settled::Done], "the one with a normal name");
    assert_eq!(world.check_due(&good(NAME)).await, []);
    let filter = DomainFilter { client_id: Some(client.id), ..DomainFilter::default() };
    let page = world.service.domain_list(&world.operator, &filter, None, 50).await.unwrap();
    let mut shown: Vec<String> = page
        .items
        .iter()
        .map(|view| format!("{} {} {}", view.row.domain, view.malformed.is_some(), view.row.last_checked_at.is_some()))
        .collect();
    shown.sort();
    assert_eq!(shown, ["Example.ORG true false", "com true false", "example.test false true", "no domain true false"]);

    let row = page.items.iter().find(|view| view.row.domain == NAME).unwrap();
    let view = world.service.records(&world.operator, row.row.id).await.unwrap();
    assert_eq!(view.judged.requirements, RequirementsSource::Missing, "infraforge has no values");
    assert_eq!(view.judged.report.verdict(Purpose::Dkim), Verdict::Unchecked, "selectors are never guessed");
    assert_eq!((view.row.spf_valid, view.row.mx_valid, view.row.status), (true, true, Status::Pending));
    let codes = |view: &RecordsView| view.judged.report.advisories.iter().map(Finding::code).collect::<Vec<_>>();
    assert_eq!(codes(&view).first(), Some(&"requirements.missing"), "so somebody must say which");
    let given = world.domain("given.test").await;
    let view = world.service.records(&world.operator, given.id).await.unwrap();
    assert!(!codes(&view).contains(&"requirements.missing"), "{:?}", codes(&view));
    let malformed = page.items.iter().find(|view| view.row.domain == "com").unwrap().row.id;
    let word = super::word(world.service.records(&world.operator, malformed).await);
    assert!(word.contains("no normal domain name"), "{word}");
}

#[tokio::test]
async fn nobody_could_tell_moves_nothing_that_the_platform_set() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    world
        .sql(
            "UPDATE email_domains SET status = 'active', dns_configured = TRUE, spf_valid = TRUE, dkim_valid = TRUE, \
             dmarc_valid = TRUE, mx_valid = FALSE",
        )
        .await;
    let before = world.row(row.id).await;
    let nothing = ";@ servfail @ *\n;@ servfail s1._domainkey *\n;@ servfail _dmarc *";
    for (why, dns, expected) in [
        ("nobody could tell", zone(NAME, nothing), (true, false)),
        ("SPF is right, nobody knows of MX", zone(NAME, ";@ servfail @ MX"), (true, false)),
        ("MX is wrong", zone(NAME, "").replace("@ MX 10 mx1", ""), (false, false)),
        ("nobody could tell, and it was false", zone(NAME, nothing), (false, false)),
        ("all is right", zone(NAME, ""), (true, true)),
        ("nobody could tell, and it was true", zone(NAME, nothing), (true, true)),
    ] {
        let dns: ZoneText = dns.parse().unwrap();
        assert_eq!(world.check_due(&dns).await, [Settled::Done], "{why}");
        let row = world.row(row.id).await;
        assert_eq!((row.dns_configured, row.mx_valid), expected, "{why}");
        if why.starts_with("nobody could tell") && row.dns_configured && !row.mx_valid {
            assert_eq!(row.updated_at, before.updated_at, "{why}: nothing of the seed's moved");
        }
        world.pass(TimeDelta::hours(14));
    }
    world.sql("UPDATE email_domains SET dns_configured = FALSE, updated_at = created_at").await;
    world.check_due(&zone(NAME, nothing).parse::<ZoneText>().unwrap()).await;
    assert!(!world.row(row.id).await.dns_configured, "nor what it took back");
}

#[tokio::test]
async fn the_ladder_begins_anew_for_whoever_begins_anew() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    let dns = without(NAME, "s1._domainkey");
    let client = super::registration(row.client_id, NAME);
    let word = async |status| {
        let patch = DomainPatch { status: Some(status), ..DomainPatch::default() };
        world.service.domain_change(&world.operator, row.id, &patch).await.unwrap();
    };
    for why in ["revived", "lifted", "other requirements"] {
        world.pass(TimeDelta::days(40));
        world.service.verify(&world.operator, row.id).await.unwrap();
        world.check_due(&dns).await;
        assert_eq!(world.row(row.id).await.next_check_at, None, "{why}: the ladder has ended");
        world.pass(TimeDelta::minutes(1));
        match why {
            "revived" => {
                world.service.domain_delete(&world.operator, row.id).await.unwrap();
                world.service.domain_register(&world.operator, &client).await.unwrap();
            }
            "lifted" => {
                word(OperatorStatus::Suspended).await;
                word(OperatorStatus::Active).await;
            }
            _ => {
                let selector = DkimExpectation { selector: "s2".parse_name(), key: DkimKey::Any };
                let requirements = RequirementsGiven { dkim: Some(vec![selector]), ..RequirementsGiven::default() };
                let patch = DomainPatch { requirements, ..DomainPatch::default() };
                world.service.domain_change(&world.operator, row.id, &patch).await.unwrap();
            }
        }
        assert_eq!(world.check_due(&dns).await, [Settled::Done], "{why}");
        let wait = seconds(world.hand.now(), world.row(row.id).await.next_check_at);
        assert!(wait.is_some_and(|wait| (108..=132).contains(&wait)), "{why}: 2 min, a tenth either way: {wait:?}");
    }
}

#[tokio::test]
async fn a_revived_domain_shows_nothing_of_its_former_life() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    world.check_due(&good(NAME)).await;
    world.service.domain_delete(&world.operator, row.id).await.unwrap();
    world.service.domain_register(&world.operator, &super::registration(row.client_id, NAME)).await.unwrap();
    assert_eq!(world.check_due(&good(NAME)).await, [], "never closer than the least interval");
    let view = world.service.records(&world.operator, row.id).await.unwrap();
    for purpose in Purpose::ALL {
        assert_eq!(view.judged.report.verdict(purpose), Verdict::Unchecked, "{purpose}");
    }
    assert!(view.judged.changed_at.iter().all(Option::is_none), "{:?}", view.judged.changed_at);
    world.pass(TimeDelta::seconds(15));
    assert_eq!(world.check_due(&good(NAME)).await, [Settled::Done]);
}

#[tokio::test]
async fn two_changes_at_once_both_hold() {
    let world = World::new().await;
    let row = world.domain(NAME).await;
    for round in 0_u16..5 {
        let selector = DkimExpectation { selector: format!("s{round}").parse_name(), key: DkimKey::Any };
        let host = MxExpectation { host: "mx.example.test".parse_name(), preference: round };
        let dkim = RequirementsGiven { dkim: Some(vec![selector.clone()]), ..RequirementsGiven::default() };
        let mx = RequirementsGiven { mx: Some(vec![host.clone()]), ..RequirementsGiven::default() };
        let change = async |requirements| {
            let patch = DomainPatch { requirements, ..DomainPatch::default() };
            world.service.domain_change(&world.operator, row.id, &patch).await.unwrap();
        };
        tokio::join!(change(dkim), change(mx));
        let (required, _) = expectation_of(&world.row(row.id).await, &world.service.settings().profiles).unwrap();
        assert_eq!((required.dkim, required.mx), (vec![selector], vec![host]), "round {round}");
    }
}

trait ParseName {
    fn parse_name(&self) -> crate::protocol::name::Name;
}

impl ParseName for str {
    fn parse_name(&self) -> crate::protocol::name::Name {
        crate::protocol::name::Name::parse(self).unwrap()
    }
}
