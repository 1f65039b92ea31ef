//! The use cases on a SQLite file, a DNS made of text and a hand-set clock.

mod access;
mod checking;
mod given;
mod settling;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use uuid::Uuid;

use crate::chance::Chance;
use crate::clock::Hand;
use crate::dns::Resolver;
use crate::dns::zone_text::ZoneText;
use crate::protocol::dkim::PublicKey;
use crate::protocol::domain::Domain;
use crate::protocol::name::Name;
use crate::sending::health::Bounds;
use crate::sending::tier::Tier;
use crate::service::checks::Due;
use crate::service::domains::Registration;
use crate::service::requirements::RequirementsGiven;
use crate::service::schedule::{Rhythm, Rung};
use crate::service::{Caller, Error, Service, Settings, WebhookSettings};
use crate::store::db::Db;
use crate::store::{Client, DomainRow, Role, Settled, Store};
use crate::verify::breaker::Rule;
use crate::verify::expectation::{DkimExpectation, DkimKey};
use crate::verify::standing::Patience;

/// A service in a world of its own.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) hand: Hand,
    pub(crate) operator: Caller,
    _directory: TempDir,
}

impl World {
    pub(crate) async fn new() -> World {
        World::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> World {
        let directory = tempfile::tempdir().unwrap();
        let hand = Hand::new(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let store = Store::connect(&format!("sqlite:{}/test.db", directory.path().display())).await.unwrap();
        store.migrate(hand.now()).await.unwrap();
        let mut settings = settings();
        change(&mut settings);
        let service = Service::new(store, settings, hand.clock(), Chance::default());
        let operator = Caller { key_id: Uuid::nil(), role: Role::Operator, client_id: None, domain_id: None };
        World { service, hand, operator, _directory: directory }
    }

    pub(crate) async fn client(&self, tier: Tier) -> Client {
        self.service.client_add(&self.operator, "Example", tier).await.unwrap()
    }

    /// A domain of a new client, of the provider `manual`, with the selector and key of [`good`].
    pub(crate) async fn domain(&self, name: &str) -> DomainRow {
        let client = self.client(Tier::Dominance).await;
        self.service.domain_register(&self.operator, &registration(client.id, name)).await.unwrap().row
    }

    pub(crate) async fn row(&self, id: Uuid) -> DomainRow {
        self.service.store().domain_get(id).await.unwrap().unwrap()
    }

    pub(crate) fn pass(&self, time: TimeDelta) {
        self.hand.set(self.hand.now() + time);
    }

    /// Checks all that is due, one after the other; what became of each.
    pub(crate) async fn check_due(&self, dns: &dyn Resolver) -> Vec<Settled> {
        let mut settled = Vec::new();
        for claim in self.service.due(Due::Any, 100).await.unwrap() {
            let examined = self.service.run(dns, &claim).await.unwrap();
            settled.push(self.service.settle(&claim, &examined).await.unwrap());
        }
        settled
    }

    /// The types of a domain's events, the oldest first.
    pub(crate) async fn events(&self, id: Uuid) -> Vec<String> {
        let events = self.service.store().event_list(id, None, 100).await.unwrap();
        events.into_iter().rev().map(|event| event.kind).collect()
    }

    pub(crate) async fn check_count(&self, id: Uuid) -> usize {
        self.service.store().check_list(id, None, 100).await.unwrap().len()
    }

    /// Something that the platform does by SQL.
    pub(crate) async fn sql(&self, text: &'static str) {
        match self.service.store().db() {
            Db::Sqlite(pool) => sqlx::query(text).execute(pool).await.unwrap(),
            Db::Postgres(_) => unreachable!("the tests beside the code run on SQLite"),
        };
    }
}

pub(crate) fn settings() -> Settings {
    let rung = |younger, every| Rung { younger_than: Duration::from_mins(younger), every: Duration::from_mins(every) };
    Settings {
        patience: Patience {
            grace: TimeDelta::hours(72),
            recovery_hold: TimeDelta::hours(1),
            stale_limit: TimeDelta::hours(72),
        },
        rhythm: Rhythm {
            pending_ladder: vec![rung(15, 2), rung(120, 10), rung(1_440, 60)],
            active_interval: Duration::from_hours(12),
            degraded_interval: Duration::from_mins(15),
            min_interval: Duration::from_secs(15),
        },
        lease: Duration::from_secs(60),
        concurrency: 8,
        public_url: String::new(),
        breaker: Rule { min_domains: 20, share: 0.3, window: TimeDelta::minutes(10) },
        history_keep: Duration::from_hours(24 * 90),
        audit_keep: Duration::from_hours(24 * 400),
        rate_limits: crate::config::rates::RateLimits::default(),
        webhooks: WebhookSettings {
            inbound_secrets: Vec::new(),
            retry_schedule: [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map(Duration::from_secs).to_vec(),
            allow_private: false,
        },
        sending: Bounds { bounce_max: 0.05, spam_max: 0.003 },
        profiles: BTreeMap::new(),
    }
}

pub(crate) fn key() -> PublicKey {
    PublicKey::ed25519([7; 32])
}

pub(crate) fn registration(client_id: Uuid, domain: &str) -> Registration {
    let selector = DkimExpectation { selector: Name::parse("s1").unwrap(), key: DkimKey::Key(key()) };
    Registration {
        client_id,
        domain: Domain::parse(domain).unwrap(),
        provider: Some("manual".to_owned()),
        requirements: RequirementsGiven { dkim: Some(vec![selector]), ..RequirementsGiven::default() },
        infraforge_domain_id: None,
        smartlead_domain_id: None,
    }
}

/// A zone in which all is as it must be, and what `more` says.
pub(crate) fn zone(domain: &str, more: &str) -> String {
    format!(
        "$ORIGIN {domain}.\n\
         $TTL 300\n\
         @ SOA ns1 hostmaster 1 7200 3600 1209600 300\n\
         @ NS ns1\n\
         ns1 A 192.0.2.53\n\
         @ TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\n\
         s1._domainkey TXT \"{}\"\n\
         _dmarc TXT \"v=DMARC1; p=reject\"\n\
         @ MX 10 mx1\n\
         mx1 A 192.0.2.25\n\
         {more}\n",
        key().to_record_value()
    )
}

/// The zone as its own server has it, and as caches say it, too.
pub(crate) fn published(text: &str) -> ZoneText {
    let zone: ZoneText = text.parse().unwrap();
    zone.clone().with_server("192.0.2.53".parse().unwrap(), zone)
}

pub(crate) fn good(domain: &str) -> ZoneText {
    published(&zone(domain, ""))
}

/// The same zone without the lines that hold `text`.
pub(crate) fn without(domain: &str, text: &str) -> ZoneText {
    let lines: Vec<String> = zone(domain, "").lines().filter(|line| !line.contains(text)).map(str::to_owned).collect();
    published(&lines.join("\n"))
}

/// A word for each error, for tables.
pub(crate) fn word<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(Error::NoSuchClient(_)) => "no such client".to_owned(),
        Err(Error::NoSuchDomain(_)) => "no such domain".to_owned(),
        Err(Error::Forbidden { needs }) => format!("needs {needs}"),
        Err(Error::Invalid(faults)) => {
            let pointers: Vec<String> = faults.into_iter().map(|fault| fault.pointer).collect();
            format!("invalid {}", pointers.join(" "))
        }
        Err(fault) => fault.to_string(),
    }
}

/// Seconds between two times.
pub(crate) fn seconds(from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> Option<i64> {
    to.map(|to| (to - from).num_seconds())
}
