//! Truth rule 8 on both databases: a change of requirements demotes nobody. The use cases, over a DNS made of text.

use std::time::Duration;

use sendready::chance::Chance;
use sendready::clock::Hand;
use sendready::config::providers::Profile;
use sendready::dns::zone_text::ZoneText;
use sendready::protocol::dkim::PublicKey;
use sendready::protocol::domain::Domain;
use sendready::protocol::name::Name;
use sendready::sending::tier::Tier;
use sendready::service::checks::Due;
use sendready::service::domains::{DomainPatch, Registration};
use sendready::service::requirements::{RequirementsGiven, SpfGiven};
use sendready::service::{Caller, Error, Role, Service, Settings};
use sendready::store::{BindingChange, DomainChange, DomainChanged, DomainRow, Requirements, Settled};
use sendready::verify::expectation::{DkimExpectation, DkimKey};
use sendready::verify::purpose::Purpose;
use sendready::verify::standing::{Flags, Status};
use serde_json::json;
use uuid::Uuid;

use crate::api::house::settings;
use crate::store::world::{World, at, id, on_both};

on_both!(
    a_rotation,
    the_old_selector_binds_until_the_new_one_is_there,
    another_profile_after_a_restart,
    a_dedicated_address,
    an_operator_binds_at_once,
    a_change_during_a_check,
    a_check_during_a_change,
    an_adopted_row,
    a_pending_domain_has_nothing_to_lose,
);

const ALL: Flags = Flags { spf: true, dkim: true, dmarc: true, mx: true };

/// A service over one of the two databases.
struct House {
    world: World,
    service: Service,
    hand: Hand,
    operator: Caller,
    client: Uuid,
}

fn key(number: u8) -> PublicKey {
    PublicKey::ed25519([number; 32])
}

/// Selectors, each with a key of its own.
fn selectors(numbers: &[u8]) -> Option<Vec<DkimExpectation>> {
    let one = |number: &u8| DkimExpectation {
        selector: Name::parse(&format!("s{number}")).unwrap(),
        key: DkimKey::Key(key(*number)),
    };
    Some(numbers.iter().map(one).collect())
}

/// The zone, as its servers and caches have it, with these selectors, and an SPF record that says this.
fn zone(selectors: &[u8], spf: &str) -> ZoneText {
    let keys = selectors.iter().map(|one| format!("s{one}._domainkey TXT \"{}\"\n", key(*one).to_record_value()));
    let text = format!(
        "$ORIGIN example.test.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n\
         @ TXT \"v=spf1 {spf} -all\"\n@ MX 10 mx1\nmx1 A 11.0.0.25\n_dmarc TXT \"v=DMARC1; p=reject\"\n{}\
         $ORIGIN provider.test.\n@ SOA ns1.example.test. h 1 1 1 1 60\n@ NS ns1.example.test.\n\
         a TXT \"v=spf1 ip4:11.0.1.0/24 -all\"\nb TXT \"v=spf1 ip4:11.0.2.0/24 -all\"\n",
        keys.collect::<String>()
    );
    let zone: ZoneText = text.parse().unwrap();
    zone.clone().with_server("192.0.2.53".parse().unwrap(), zone)
}

fn profile(include: &str, selector: u8) -> Profile {
    Profile {
        spf_includes: vec![Name::parse(include).unwrap()],
        dkim_selectors: vec![Name::parse(&format!("s{selector}")).unwrap()],
        ..Profile::default()
    }
}

fn with_profile(profile: Profile) -> Settings {
    Settings { profiles: [("host".to_owned(), profile)].into(), ..settings() }
}

impl House {
    async fn new(world: World, settings: Settings) -> House {
        let hand = Hand::new(at(0));
        let service = Service::new(world.store.clone(), settings, hand.clock(), Chance::System);
        let client = world.client(1, Tier::Velocity).await;
        let operator = Caller { key_id: Uuid::nil(), role: Role::Operator, client_id: None, domain_id: None };
        House { world, service, hand, operator, client }
    }

    fn client_key(&self) -> Caller {
        Caller { key_id: Uuid::nil(), role: Role::Client, client_id: Some(self.client), domain_id: None }
    }

    /// The same database under a service that was started anew.
    fn restart(&mut self, settings: Settings) {
        self.service = Service::new(self.world.store.clone(), settings, self.hand.clock(), Chance::System);
    }

    async fn register(&self, provider: &str, dkim: Option<Vec<DkimExpectation>>) -> Uuid {
        let new = Registration {
            client_id: self.client,
            domain: Domain::parse("example.test").unwrap(),
            provider: Some(provider.to_owned()),
            requirements: RequirementsGiven { dkim, ..RequirementsGiven::default() },
            infraforge_domain_id: None,
            smartlead_domain_id: None,
        };
        self.service.domain_register(&self.operator, &new).await.unwrap().row.id
    }

    /// A domain that was verified with selector s1.
    async fn verified(&self) -> Uuid {
        let id = self.register("manual", selectors(&[1])).await;
        self.check(&zone(&[1], "ip4:11.0.0.25")).await;
        self.stands("verified").await;
        id
    }

    /// The change of selectors that its client makes.
    async fn require(&self, id: Uuid, numbers: &[u8]) {
        let requirements = RequirementsGiven { dkim: selectors(numbers), ..RequirementsGiven::default() };
        let patch = DomainPatch { requirements, ..DomainPatch::default() };
        self.service.domain_change(&self.client_key(), id, &patch).await.unwrap();
    }

    /// Asks for a check, and makes it once it may be made.
    async fn check(&self, dns: &ZoneText) {
        self.hand.advance(Duration::from_secs(20));
        let row = self.row().await;
        self.service.verify(&self.operator, row.id).await.unwrap();
        let claims = self.service.due(Due::Any, 10).await.unwrap();
        assert_eq!(claims.len(), 1, "{claims:?}");
        let examined = self.service.run(dns, &claims[0]).await.unwrap();
        assert_eq!(self.service.settle(&claims[0], &examined).await.unwrap(), Settled::Done);
    }

    /// The dedicated addresses that an operator gives its client.
    async fn dedicate(&self, addresses: &[&str]) {
        let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let client = self.service.dedicated_replace(&self.operator, self.client, &addresses).await.unwrap();
        assert_eq!(client.dedicated_ips, addresses);
    }

    async fn row(&self) -> DomainRow {
        self.world.store.domain_by_name(&Domain::parse("example.test").unwrap()).await.unwrap().unwrap()
    }

    /// Nothing is lost: every flag true, active, and nobody was told anything but of verification and records.
    #[track_caller]
    fn stands(&self, why: &str) -> impl Future<Output = ()> {
        let why = why.to_owned();
        async move {
            let row = self.row().await;
            assert_eq!((row.standing().flags, row.dns_configured, row.status), (ALL, true, Status::Active), "{why}");
            assert_eq!(row.degraded_since, None, "{why}");
            let events = self.world.store.event_list(row.id, None, 50).await.unwrap();
            let calm = ["domain.verified", "domain.records_changed"];
            assert!(events.iter().all(|event| calm.contains(&event.kind.as_str())), "{why}: {events:?}");
        }
    }

    /// `label verdict` of the records of a purpose, `+` before what is staged.
    async fn shown(&self, purpose: Purpose) -> String {
        let view = self.service.records(&self.operator, self.row().await.id).await.unwrap();
        let records = view.judged.report.records.iter().filter(|record| record.purpose == purpose);
        let each = records.map(|record| {
            let label = record.name.to_string().split('.').next().unwrap().to_owned();
            format!("{}{label} {}", if record.staged { "+" } else { "" }, record.verdict)
        });
        each.collect::<Vec<_>>().join(", ")
    }

    /// The selectors that bind, as they are recorded.
    async fn binding(&self) -> Vec<String> {
        self.row().await.binding.unwrap().dkim.into_iter().map(|one| one.selector).collect()
    }

    /// What the last check changed.
    async fn changes(&self) -> serde_json::Value {
        self.world.store.check_list(self.row().await.id, None, 1).await.unwrap().remove(0).changes
    }
}

async fn a_rotation(world: World) {
    let house = House::new(world, settings()).await;
    let id = house.verified().await;
    assert_eq!(house.binding().await, ["s1"]);
    let spf = "ip4:11.0.0.25";
    house.require(id, &[1, 2]).await;
    assert_eq!(house.shown(Purpose::Dkim).await, "s1 valid, +s2 unchecked", "before it was looked at");
    house.check(&zone(&[1], spf)).await;
    house.stands("s2 is not there yet").await;
    let wait = house.row().await.next_check_at.unwrap() - house.hand.now();
    assert!((108..=132).contains(&wait.num_seconds()), "looked at as a new domain is, not in 12 hours: {wait}");
    assert_eq!((house.binding().await, house.changes().await), (vec!["s1".to_owned()], json!({})));
    assert_eq!(house.shown(Purpose::Dkim).await, "s1 valid, +s2 missing");

    // Whoever looks brings it forward, and is told to come back soon.
    house.hand.advance(Duration::from_secs(20));
    let view = house.service.records(&house.operator, id).await.unwrap();
    assert!(view.judged.report.is_all_valid() && view.poll_after.as_secs() <= 3, "{view:?}");
    let since = view.row.next_check_at.unwrap() - view.row.last_checked_at.unwrap();
    assert_eq!(since.num_seconds(), 15, "the least interval");

    house.check(&zone(&[1, 2], spf)).await;
    house.stands("s2 is there").await;
    assert_eq!((house.shown(Purpose::Dkim).await.as_str(), house.binding().await.len()), ("s1 valid, s2 valid", 2));
    let bound = json!([{"purpose": "dkim", "type": "TXT", "name": "s2._domainkey.example.test"}]);
    assert_eq!(house.changes().await, json!({"bound": bound}));

    house.require(id, &[2]).await;
    assert_eq!(house.binding().await, ["s2"], "fewer at once");
    house.check(&zone(&[2], spf)).await;
    house.stands("s1 is gone, and nobody asks for it").await;
    house.check(&zone(&[], spf)).await;
    let row = house.row().await;
    assert!(!row.dkim_valid && row.degraded_since.is_some(), "what binds does count: {row:?}");
}

async fn the_old_selector_binds_until_the_new_one_is_there(world: World) {
    let house = House::new(world, settings()).await;
    let id = house.verified().await;
    house.require(id, &[1, 2]).await;
    house.require(id, &[2]).await;
    house.check(&zone(&[1], "ip4:11.0.0.25")).await;
    house.stands("s1 still counts").await;
    assert_eq!(house.shown(Purpose::Dkim).await, "s1 valid, +s2 missing");
    house.check(&zone(&[2], "ip4:11.0.0.25")).await;
    house.stands("s2 in its place").await;
    assert_eq!((house.shown(Purpose::Dkim).await.as_str(), house.binding().await), ("s2 valid", vec!["s2".to_owned()]));
}

async fn another_profile_after_a_restart(world: World) {
    let mut house = House::new(world, with_profile(profile("a.provider.test", 1))).await;
    let id = house.register("host", None).await;
    house.check(&zone(&[1], "include:a.provider.test")).await;
    house.stands("verified").await;
    house.restart(with_profile(profile("b.provider.test", 2)));
    for round in 0..2 {
        house.check(&zone(&[1], "include:a.provider.test")).await;
        house.stands("another profile").await;
        assert_eq!(house.shown(Purpose::Dkim).await, "s1 valid, +s2 missing", "{round}");
        assert_eq!(house.shown(Purpose::Spf).await, "example valid, +example mismatch", "{round}");
    }
    let events = house.world.store.event_list(id, None, 50).await.unwrap();
    assert_eq!(events.len(), 1, "DNS has not changed: {events:?}");
    let view = house.service.records(&house.operator, id).await.unwrap();
    let staged =
        view.judged.report.records.iter().find(|record| record.staged && record.purpose == Purpose::Spf).unwrap();
    assert_eq!(staged.action.as_str(), "replace");
    let value = staged.value.as_ref().unwrap();
    assert!(value.contains("include:a.provider.test") && value.contains("include:b.provider.test"), "{value}");
    // Half of it, then all.
    house.check(&zone(&[1, 2], "include:a.provider.test")).await;
    house.stands("s2").await;
    assert_eq!(house.binding().await, ["s2"], "what it replaced is let go");
    house.check(&zone(&[2], "include:b.provider.test")).await;
    house.stands("all of it").await;
    assert_eq!(house.row().await.binding.unwrap().spf_includes, ["b.provider.test"]);
    let view = house.service.records(&house.operator, id).await.unwrap();
    assert!(!view.judged.report.has_staged(), "{view:?}");
}

async fn a_dedicated_address(world: World) {
    let house = House::new(world, settings()).await;
    house.verified().await;
    house.dedicate(&["11.0.0.77"]).await;
    let wait = house.row().await.next_check_at.unwrap() - house.row().await.last_checked_at.unwrap();
    assert_eq!(wait.num_seconds(), 15, "a check is due at once: the least interval after the last");
    assert_eq!(house.shown(Purpose::Spf).await, "example valid, +example mismatch", "at once");
    house.check(&zone(&[1], "ip4:11.0.0.25")).await;
    house.stands("the address is staged").await;
    house.check(&zone(&[1], "ip4:11.0.0.25 ip4:11.0.0.77")).await;
    house.stands("published").await;
    assert_eq!(house.changes().await["bound"][0]["purpose"], "spf");
    assert_eq!(house.shown(Purpose::Spf).await, "example valid");
    house.check(&zone(&[1], "ip4:11.0.0.25")).await;
    assert!(!house.row().await.spf_valid, "it binds");
    house.dedicate(&[]).await;
    assert!(house.row().await.binding.unwrap().spf_ips.is_empty(), "what is taken away binds no more, at once");
    house.check(&zone(&[1], "ip4:11.0.0.25")).await;
    assert!(house.row().await.spf_valid, "nobody asks for it any more");
}

async fn an_operator_binds_at_once(world: World) {
    let house = House::new(world, settings()).await;
    let id = house.verified().await;
    let requirements = RequirementsGiven { dkim: selectors(&[1, 2]), ..RequirementsGiven::default() };
    let patch = DomainPatch { requirements, bind: true, ..DomainPatch::default() };
    let refused = house.service.domain_change(&house.client_key(), id, &patch).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    house.require(id, &[1, 2]).await;
    assert_eq!(house.shown(Purpose::Dkim).await, "s1 valid, +s2 unchecked");
    // What is staged already binds too, without being given again.
    let patch = DomainPatch { bind: true, ..DomainPatch::default() };
    house.service.domain_change(&house.operator, id, &patch).await.unwrap();
    assert_eq!((house.shown(Purpose::Dkim).await.as_str(), house.binding().await.len()), ("s1 valid, s2 unchecked", 2));
    house.stands("a change alone sets no flag").await;
    house.check(&zone(&[1], "ip4:11.0.0.25")).await;
    assert!(!house.row().await.dkim_valid, "by the operator's word");
}

async fn a_change_during_a_check(world: World) {
    let house = House::new(world, settings()).await;
    let id = house.verified().await;
    house.hand.advance(Duration::from_secs(20));
    house.service.verify(&house.operator, id).await.unwrap();
    let claim = house.service.due(Due::Any, 1).await.unwrap().remove(0);
    let examined = house.service.run(&zone(&[1, 2], "ip4:11.0.0.25"), &claim).await.unwrap();
    house.require(id, &[1, 2]).await;
    assert_eq!(house.service.settle(&claim, &examined).await.unwrap(), Settled::LeaseLost);
    let row = house.row().await;
    assert_eq!(row.binding.unwrap().dkim.len(), 1, "what was not asked does not bind");
    assert_eq!(
        row.last_checked_at.map(|at| (house.hand.now() - at).num_seconds()),
        Some(20),
        "nothing of it is written"
    );
    house.check(&zone(&[1, 2], "ip4:11.0.0.25")).await;
    house.stands("the next one").await;
    assert_eq!(house.binding().await, ["s1", "s2"]);
}

/// A change is made out of what was read; what a check has bound since is not lost by it.
async fn a_check_during_a_change(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let bound = Requirements { ttl_seconds: Some(7), ..Requirements::default() };
    let change = |from: Option<&Requirements>, to: &Requirements| DomainChange {
        binding: Some(BindingChange { from: from.cloned(), to: Some(to.clone()) }),
        ..DomainChange::default()
    };
    let done = world.store.domain_change(id(10), &change(None, &bound), at(1)).await.unwrap();
    let DomainChanged::Changed(row) = done else { panic!("{done:?}") };
    assert_eq!(row.binding.as_ref(), Some(&bound));
    // Lent before the change that does not take place, whose lock may outlive it for a moment.
    let claim = world.claim_one(1, 7).await;
    let other = Requirements::default();
    let late = world.store.domain_change(id(10), &change(None, &other), at(2)).await.unwrap();
    assert_eq!(late, DomainChanged::RequirementsMoved);
    let settlement =
        sendready::store::Settlement { binding: Some(other.clone()), ..crate::store::settle::settlement(100, 3, true) };
    assert_eq!(world.store.domain_settle(&claim, &settlement, at(3)).await.unwrap(), Settled::Done);
    let late = world.store.domain_change(id(10), &change(Some(&bound), &bound), at(4)).await.unwrap();
    assert_eq!(late, DomainChanged::RequirementsMoved, "a check was there before");
    let claim = {
        let bind = change(Some(&other), &bound);
        world
            .store
            .domain_advance(id(10), sendready::store::CheckReason::Verify, at(20), Duration::ZERO, at(20))
            .await
            .unwrap();
        let claim = world.claim_one(21, 8).await;
        assert!(matches!(world.store.domain_change(id(10), &bind, at(22)).await.unwrap(), DomainChanged::Changed(_)));
        claim
    };
    let settlement = sendready::store::Settlement { check_id: id(101), ..settlement };
    let lost = world.store.domain_settle(&claim, &settlement, at(23)).await.unwrap();
    assert_eq!(lost, Settled::LeaseLost, "a check that knew of other requirements binds nothing");
    assert_eq!(world.store.domain_get(id(10)).await.unwrap().unwrap().binding, Some(bound));
}

async fn an_adopted_row(world: World) {
    let mut house = House::new(world, with_profile(profile("a.provider.test", 1))).await;
    house.world.platform_row(id(10), house.client, "example.test", Some("active")).await;
    house
        .world
        .run("UPDATE email_domains SET provider = 'host', dns_configured = TRUE, spf_valid = TRUE, dkim_valid = TRUE, dmarc_valid = TRUE, mx_valid = TRUE")
        .await;
    assert_eq!(house.row().await.binding, None, "the platform does not know it");
    // A change before anybody has looked is a change all the same: it was active.
    let includes = Some(vec![Name::parse("a.provider.test").unwrap(), Name::parse("b.provider.test").unwrap()]);
    let requirements =
        RequirementsGiven { spf: Some(SpfGiven { includes, ips: None }), ..RequirementsGiven::default() };
    let patch = DomainPatch { requirements, ..DomainPatch::default() };
    house.service.domain_change(&house.operator, id(10), &patch).await.unwrap();
    let old = zone(&[1], "include:a.provider.test");
    house.check(&old).await;
    house.stands("a change before the first check").await;
    assert_eq!(house.shown(Purpose::Spf).await, "example valid, +example mismatch");
    // Of one that nobody has changed, the first check records what binds.
    house.world.run("UPDATE email_domains SET requirements = NULL, binding = NULL").await;
    house.check(&old).await;
    house.restart(with_profile(profile("b.provider.test", 1)));
    house.check(&old).await;
    house.stands("another profile").await;
    assert_eq!(house.shown(Purpose::Spf).await, "example valid, +example mismatch");
    // What nobody here can read is as good as not recorded, and is written anew.
    house.world.run("UPDATE email_domains SET binding = '{\"version\": 99}'").await;
    assert_eq!(house.shown(Purpose::Spf).await, "example mismatch");
}

async fn a_pending_domain_has_nothing_to_lose(world: World) {
    let house = House::new(world, settings()).await;
    let id = house.register("manual", selectors(&[1])).await;
    house.check(&zone(&[], "ip4:11.0.0.25")).await;
    house.require(id, &[1, 2]).await;
    assert_eq!(house.shown(Purpose::Dkim).await, "s1 missing, s2 unchecked");
    house.check(&zone(&[1], "ip4:11.0.0.25")).await;
    let row = house.row().await;
    assert_eq!((row.status, row.dkim_valid, row.binding), (Status::Pending, false, None));
    house.check(&zone(&[1, 2], "ip4:11.0.0.25")).await;
    house.stands("verified by all of it").await;
    assert_eq!(house.binding().await, ["s1", "s2"]);
    // Deleted and registered again, it begins anew.
    house.service.domain_delete(&house.operator, id).await.unwrap();
    house.register("manual", selectors(&[3])).await;
    assert_eq!(house.row().await.binding, None);
    assert_eq!(house.shown(Purpose::Dkim).await, "s3 unchecked");
}
