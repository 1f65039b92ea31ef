//! The fleet breaker through the service, on both databases: trouble that hits everybody at once is ours.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use sendready::chance::Chance;
use sendready::clock::Hand;
use sendready::config::providers::Profile;
use sendready::dns::zone_text::ZoneText;
use sendready::http;
use sendready::http::health::{BreakerState, Health};
use sendready::protocol::dkim::PublicKey;
use sendready::protocol::name::Name;
use sendready::sending::health::Bounds;
use sendready::sending::tier::Tier;
use sendready::service::checks::{Due, Resolver};
use sendready::service::schedule::{Rhythm, Rung};
use sendready::service::{Service, Settings};
use sendready::verify::breaker::{Counts, Rule};
use sendready::verify::standing::Patience;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::store::world::{World, at, id, on_both};

on_both!(
    forty_of_forty_denied_at_once,
    forty_of_forty_denied_one_after_the_other,
    forty_of_forty_silent,
    the_zones_own_word_needs_nobody_else,
    an_operator_accepts,
    a_fleet_of_two_still_demotes,
    two_replicas_open_it_once,
);

/// A fleet of active domains `d1.example`, `d2.example`, …, all of which were found valid at the beginning.
struct Fleet {
    world: World,
    service: Service,
    hand: Hand,
    health: Health,
    key: String,
    count: usize,
}

/// What DNS says of every domain.
fn dns(count: usize, records: &str) -> ZoneText {
    let key = PublicKey::ed25519([7; 32]).to_record_value();
    let zone = |number| {
        let head = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.53";
        format!("$ORIGIN d{number}.example.\n{head}\n{}\n", records.replace("KEY", &key))
    };
    (1..=count).map(zone).collect::<String>().parse().unwrap()
}

/// All is as it must be.
const GOOD: &str = "@ TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\ns1._domainkey TXT \"KEY\"\n\
    _dmarc TXT \"v=DMARC1; p=reject\"\n@ MX 10 mx1\nmx1 A 192.0.2.25";

/// Nobody can tell anything.
const SILENT: &str = ";@ servfail @ *\n;@ servfail s1._domainkey *\n;@ servfail _dmarc *";

impl Fleet {
    async fn new(world: World, count: usize) -> Fleet {
        let client = world.client(1, Tier::Dominance).await;
        // The platform's rows are not held to a tier.
        for number in 1..=count {
            world.platform_row(id(100 + number as u128), client, &format!("d{number}.example"), None).await;
        }
        let hand = Hand::new(at(0));
        let service = Service::new(world.store.clone(), settings(), hand.clock(), Chance::System);
        let key = service.first_operator_key().await.unwrap().unwrap().expose_secret().to_owned();
        let fleet = Fleet { world, service, hand, health: Health::default(), key, count };
        fleet.check_due(&dns(count, GOOD)).await;
        assert_eq!(fleet.standing().await, (count as i64, 0, count as i64), "all are well in the beginning");
        fleet.pass(TimeDelta::hours(14));
        fleet
    }

    fn pass(&self, time: TimeDelta) {
        self.hand.set(self.hand.now() + time);
    }

    /// Checks all that is due, one after the other; how many it were.
    async fn check_due(&self, dns: &dyn Resolver) -> usize {
        let mut count = 0;
        loop {
            let claims = self.service.due(Due::Any, 100).await.unwrap();
            if claims.is_empty() {
                return count;
            }
            for claim in claims {
                let examined = self.service.run(dns, &claim).await.unwrap();
                self.service.settle(&claim, &examined).await.unwrap();
                count += 1;
            }
        }
    }

    /// Lets time pass in steps, with checks and the watch over the breaker as `serve` has them.
    async fn live(&self, dns: &dyn Resolver, step: TimeDelta, steps: usize) {
        for _ in 0..steps {
            self.check_due(dns).await;
            self.watch().await;
            self.pass(step);
        }
    }

    async fn watch(&self) {
        self.health.breaker(BreakerState::of(&self.service.breaker_watch().await.unwrap()));
    }

    /// Makes each domain due so long after the one before it, as a sweep over half a day does.
    async fn stagger(&self, step: TimeDelta) {
        for number in 1..=self.count {
            let due = self.hand.now() + step * i32::try_from(number - 1).unwrap();
            let set = format!("next_check_at = '{}'", due.to_rfc3339());
            self.world.run(&format!("UPDATE email_domains SET {set} WHERE domain = 'd{number}.example'")).await;
        }
    }

    /// How many domains are whole, how many have a clock running or are suspended, and how many events there are.
    async fn standing(&self) -> (i64, i64, i64) {
        let whole = "SELECT count(*) FROM email_domains WHERE status = 'active' AND dns_configured AND spf_valid \
            AND dkim_valid AND dmarc_valid AND mx_valid";
        let worse = "SELECT count(*) FROM email_domains WHERE degraded_since IS NOT NULL OR suspends_at IS NOT NULL \
            OR status = 'suspended'";
        let events = "SELECT count(*) FROM sendready_events";
        (self.world.count(whole).await, self.world.count(worse).await, self.world.count(events).await)
    }

    async fn is_unharmed(&self, why: &str) {
        let count = self.count as i64;
        assert_eq!(self.standing().await, (count, 0, count), "{why}: each was verified, and nothing else happened");
    }

    /// A request with the operator's key; its status and body.
    async fn call(&self, method: &str, path: &str) -> (u16, Value) {
        let router = http::router(self.service.clone(), self.health.clone(), None);
        let key = format!("Bearer {}", self.key);
        let request = Request::builder().method(method).uri(path).header("authorization", key);
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let octets = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&octets).unwrap())
    }

    /// What `/readyz` and the document of the first domain say of the breaker.
    async fn shown(&self) -> (u16, Value, Value) {
        let (status, ready) = self.call("GET", "/readyz").await;
        let (_, document) = self.call("GET", &format!("/v1/domains/{}/records", id(101))).await;
        assert_eq!(ready["breaker_reason"].is_string(), ready["breaker"] == "open", "{ready}");
        (status, ready["breaker"].clone(), document["breaker_open"].clone())
    }
}

pub fn settings() -> Settings {
    let profile = Profile { dkim_selectors: vec![Name::parse("s1").unwrap()], ..Profile::default() };
    Settings {
        webhooks: sendready::service::WebhookSettings::default(),
        public_url: String::new(),
        patience: Patience {
            grace: TimeDelta::hours(3),
            recovery_hold: TimeDelta::hours(1),
            stale_limit: TimeDelta::hours(3),
        },
        rhythm: Rhythm {
            pending_ladder: vec![Rung { younger_than: Duration::MAX, every: Duration::from_mins(10) }],
            active_interval: Duration::from_hours(12),
            degraded_interval: Duration::from_mins(15),
            min_interval: Duration::from_secs(15),
        },
        lease: Duration::from_secs(60),
        concurrency: 8,
        breaker: Rule { min_domains: 20, share: 0.3, window: TimeDelta::minutes(10) },
        history_keep: Duration::from_hours(24),
        audit_keep: Duration::from_hours(24 * 400),
        rate_limits: sendready::config::rates::RateLimits::default(),
        sending: Bounds { bounce_max: 0.05, spam_max: 0.003 },
        profiles: BTreeMap::from([("infraforge".to_owned(), profile)]),
    }
}

const MINUTE: TimeDelta = TimeDelta::minutes(1);
const OPEN: &str = "open";
const CLOSED: &str = "closed";

async fn forty_of_forty_denied_at_once(world: World) {
    let fleet = Fleet::new(world, 40).await;
    // The recursive server denies all; the zones' own servers cannot be reached.
    let denied = dns(40, "");
    fleet.live(&denied, MINUTE, 1).await;
    fleet.is_unharmed("denied once").await;
    assert_eq!(fleet.shown().await, (200, json!(OPEN), json!(true)));
    fleet.live(&denied, MINUTE * 4, 8).await;
    fleet.is_unharmed("denied again and again").await;
    assert_eq!(fleet.shown().await, (200, json!(OPEN), json!(true)));
    // What is right is believed all the same: a new domain is verified.
    fleet.world.platform_row(id(999), id(1), "d41.example", None).await;
    fleet.check_due(&dns(41, GOOD)).await;
    let verified = "SELECT count(*) FROM email_domains WHERE domain = 'd41.example' AND status = 'active'";
    assert_eq!(fleet.world.count(verified).await, 1);
    fleet.world.run("DELETE FROM email_domains WHERE domain = 'd41.example'").await;
    // And it closes by itself when the server is well again, after one round of checks.
    fleet.live(&dns(40, GOOD), MINUTE * 6, 3).await;
    assert_eq!(fleet.shown().await, (200, json!(CLOSED), json!(false)));
    fleet.is_unharmed("well again").await;
    let round = "SELECT count(*) FROM sendready_breaker_looks WHERE outcome <> 'good' OR turned_at IS NOT NULL";
    assert_eq!(fleet.world.count(round).await, 0);
}

async fn forty_of_forty_denied_one_after_the_other(world: World) {
    let fleet = Fleet::new(world, 40).await;
    fleet.stagger(MINUTE * 18).await;
    // A server that has lost everything: not even the zones are there.
    let nothing: ZoneText = "".parse().unwrap();
    fleet.live(&nothing, TimeDelta::seconds(20), 15).await;
    fleet.live(&nothing, MINUTE, 40).await;
    fleet.is_unharmed("no window of its own has seen twenty").await;
    assert_eq!(fleet.shown().await, (200, json!(OPEN), json!(true)));
    let looked = fleet.world.store.breaker().await.unwrap().counts.looked;
    assert!((20..=40).contains(&looked), "no more than are needed were brought forward before it opened: {looked}");
    fleet.live(&dns(40, GOOD), MINUTE * 6, 4).await;
    assert_eq!(fleet.shown().await, (200, json!(CLOSED), json!(false)));
    fleet.is_unharmed("well again").await;
}

async fn forty_of_forty_silent(world: World) {
    let fleet = Fleet::new(world, 40).await;
    let silent = dns(40, SILENT);
    fleet.live(&silent, MINUTE, 1).await;
    assert_eq!(fleet.shown().await, (200, json!(OPEN), json!(true)));
    fleet.live(&silent, MINUTE * 30, 16).await;
    fleet.is_unharmed("for longer than staleness and grace").await;
    let stale = "SELECT count(*) FROM email_domains WHERE stale_since IS NOT NULL";
    assert_eq!(fleet.world.count(stale).await, 40, "it is known that nobody knows");
    // Accepted, silence counts from then on; what it has lasted before does not.
    let (status, accepted) = fleet.call("POST", "/v1/breaker/accept").await;
    assert_eq!((status, &accepted["accepted"], &accepted["turned"]), (200, &json!(true), &json!(40)), "{accepted}");
    fleet.live(&silent, MINUTE * 30, 5).await;
    fleet.is_unharmed("not yet three hours").await;
    fleet.live(&silent, MINUTE * 30, 3).await;
    assert_eq!(fleet.standing().await, (40, 40, 80), "each is at risk, its flags as they were");
}

async fn the_zones_own_word_needs_nobody_else(world: World) {
    let fleet = Fleet::new(world, 40).await;
    let broken = dns(1, "");
    let dns = broken.clone().with_server("192.0.2.53".parse().unwrap(), broken);
    fleet.stagger(MINUTE * 18).await;
    fleet.live(&dns, MINUTE, 1).await;
    assert_eq!(fleet.standing().await, (39, 1, 42), "at risk at once: verified, at_risk, records_changed");
    assert_eq!(fleet.shown().await, (200, json!(CLOSED), json!(false)));
}

async fn an_operator_accepts(world: World) {
    let fleet = Fleet::new(world, 40).await;
    let denied = dns(40, "");
    let (status, early) = fleet.call("POST", "/v1/breaker/accept").await;
    assert_eq!((status, &early["breaker"], &early["accepted"]), (200, &json!(CLOSED), &json!(false)));
    fleet.live(&denied, MINUTE * 6, 3).await;
    fleet.is_unharmed("open").await;
    let (_, accepted) = fleet.call("POST", "/v1/breaker/accept").await;
    assert_eq!(
        (&accepted["accepted"], &accepted["looked"], &accepted["turned"]),
        (&json!(true), &json!(40), &json!(40))
    );
    assert_eq!(fleet.shown().await, (200, json!(CLOSED), json!(false)), "at once");
    let (_, again) = fleet.call("POST", "/v1/breaker/accept").await;
    assert_eq!((&again["accepted"], &again["opened_at"]), (&json!(false), &Value::Null));
    fleet.live(&denied, MINUTE, 20).await;
    assert_eq!(fleet.standing().await, (0, 40, 120), "each is at risk, and told of it once");
    assert_eq!(fleet.shown().await, (200, json!(CLOSED), json!(false)), "and it does not open again for them");
}

async fn a_fleet_of_two_still_demotes(world: World) {
    let fleet = Fleet::new(world, 2).await;
    fleet.stagger(TimeDelta::hours(10)).await;
    let second_alone = |number: usize| if number == 1 { dns(2, "") } else { dns(2, GOOD) };
    assert_eq!(fleet.check_due(&second_alone(1)).await, 1);
    fleet.pass(MINUTE * 5);
    assert_eq!(fleet.check_due(&second_alone(1)).await, 2, "denied twice, but the other is looked at first");
    fleet.is_unharmed("the other's first denial").await;
    fleet.pass(TimeDelta::seconds(15));
    fleet.check_due(&second_alone(1)).await;
    assert_eq!(fleet.standing().await, (1, 1, 4), "all there are were looked at");
    fleet.pass(MINUTE * 5);
    fleet.check_due(&second_alone(2)).await;
    let row = fleet.world.store.domain_get(id(102)).await.unwrap().unwrap();
    assert!(row.dns_configured && row.degraded_since.is_none(), "{row:?}");
}

/// The zones themselves say no, to both replicas at the same time.
async fn two_replicas_open_it_once(world: World) {
    let fleet = Fleet::new(world, 40).await;
    let broken = dns(40, "");
    let dns = broken.clone().with_server("192.0.2.53".parse().unwrap(), broken);
    let other = Service::new(fleet.world.replica().await, settings(), fleet.hand.clock(), Chance::System);
    let work = async |service: &Service| {
        loop {
            let claims = service.due(Due::Any, 3).await.unwrap();
            if claims.is_empty() {
                return;
            }
            for claim in claims {
                let examined = service.run(&dns, &claim).await.unwrap();
                service.settle(&claim, &examined).await.unwrap();
            }
        }
    };
    tokio::join!(work(&fleet.service), work(&other));
    let breaker = fleet.world.store.breaker().await.unwrap();
    assert_eq!(breaker.counts, Counts { looked: 20, turned: 20 }, "it opens with the twentieth");
    let (whole, worse, _) = fleet.standing().await;
    assert!(whole >= 21 && whole + worse == 40, "who came before may have fallen, nobody after: {whole} + {worse}");
    assert!(breaker.is_open() && breaker.opened_at == Some(fleet.hand.now()), "{breaker:?}");
}
