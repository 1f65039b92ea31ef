//! Replicas inside one process: services on one database, each with its own clock, and a DNS in which all is valid.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sendready::chance::Chance;
use sendready::clock::Clock;
use sendready::config::providers::Profile;
use sendready::dns::zone_text::ZoneText;
use sendready::protocol::name::Name;
use sendready::sending::health::Bounds;
use sendready::service::schedule::{Rhythm, Rung};
use sendready::service::{Service, Settings};
use sendready::store::Store;
use sendready::verify::standing::Patience;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::support::postgres::Database;

/// How long a test waits for what must happen soon, on a busy machine.
pub const SOON: Duration = Duration::from_secs(120);

/// The provider whose profile the domains have.
pub const PROVIDER: &str = "chaos";

/// An RSA key of 2,048 bits, made for tests.
pub const KEY: &str = include_str!("../../../fixtures/keys/rsa-2048.b64");

pub struct World {
    pub database: Database,
    pub pool: PgPool,
    pub client: Uuid,
}

impl World {
    pub async fn new() -> World {
        let database = Database::migrated().await;
        let pool = PgPool::connect(&database.url).await.unwrap();
        let client =
            sqlx::query_scalar("INSERT INTO clients (id, name) VALUES (gen_random_uuid(), 'Example') RETURNING id");
        let client = client.fetch_one(&pool).await.unwrap();
        World { database, pool, client }
    }

    /// A replica that goes by this clock.
    pub async fn replica(&self, clock: Clock, lease: Duration) -> Service {
        let store = Store::connect(&self.database.url).await.unwrap();
        Service::new(store, settings(lease), clock, Chance::default())
    }

    /// Domains as the platform writes them, `d0.example.test` and so on.
    pub async fn domains(&self, count: i32) {
        sqlx::query(
            "INSERT INTO email_domains (client_id, domain, provider) \
             SELECT $1, 'd' || n || '.example.test', $2 FROM generate_series(0, $3 - 1) AS n",
        )
        .bind(self.client)
        .bind(PROVIDER)
        .bind(count)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// Asks again and again until a statement gives this number.
    pub async fn until(&self, sql: &'static str, done: impl Fn(i64) -> bool) {
        let waiting = async {
            while !done(self.count(sql).await) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(SOON, waiting).await.is_err() {
            panic!("{sql} gives {} after {SOON:?}", self.count(sql).await);
        }
    }

    pub async fn now(&self) -> DateTime<Utc> {
        sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&self.pool).await.unwrap()
    }
}

fn settings(lease: Duration) -> Settings {
    let profile = Profile {
        spf_includes: vec![Name::parse("_spf.provider.test").unwrap()],
        dkim_selectors: vec![Name::parse("s1").unwrap()],
        ..Profile::default()
    };
    Settings {
        webhooks: sendready::service::WebhookSettings::default(),
        breaker: sendready::verify::breaker::Rule { min_domains: 20, share: 0.3, window: TimeDelta::minutes(10) },
        public_url: String::new(),
        patience: Patience {
            grace: TimeDelta::hours(72),
            recovery_hold: TimeDelta::hours(1),
            stale_limit: TimeDelta::hours(72),
        },
        rhythm: Rhythm {
            pending_ladder: vec![Rung { younger_than: Duration::from_hours(24), every: Duration::from_hours(1) }],
            active_interval: Duration::from_hours(12),
            degraded_interval: Duration::from_mins(15),
            min_interval: Duration::from_secs(15),
        },
        lease,
        concurrency: 16,
        history_keep: Duration::from_hours(24 * 90),
        audit_keep: Duration::from_hours(24 * 400),
        rate_limits: sendready::config::rates::RateLimits::default(),
        sending: Bounds { bounce_max: 0.05, spam_max: 0.003 },
        profiles: BTreeMap::from([(PROVIDER.to_owned(), profile)]),
    }
}

/// What so many domains publish, each all valid, as master file text.
pub fn zone_text(count: usize) -> String {
    let mut text = String::from(
        "_spf.provider.test. 60 TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\nmx1.example.test. 60 A 192.0.2.25\n",
    );
    let (one, other) = KEY.trim().split_at(200);
    for number in 0..count {
        let name = format!("d{number}.example.test.");
        text.push_str(&format!(
            "{name} 60 SOA ns h 1 1 1 1 60\n{name} 60 TXT \"v=spf1 include:_spf.provider.test -all\"\n{name} 60 MX 10 mx1.example.test.\n\
             _dmarc.{name} 60 TXT \"v=DMARC1; p=reject\"\ns1._domainkey.{name} 60 TXT \"v=DKIM1; k=rsa; p={one}\" \"{other}\"\n"
        ));
    }
    text
}

/// The same as something that can be asked.
pub fn zones(count: usize) -> ZoneText {
    zone_text(count).parse().unwrap()
}
