//! "Nothing has changed", said from memory: only while it is right, whoever changes what, and on whichever replica.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Request};
use secrecy::ExposeSecret;
use sendready::chance::Chance;
use sendready::clock::Hand;
use sendready::config::rates::{Rate, RateClass, RateLimits};
use sendready::http;
use sendready::http::health::Health;
use sendready::jobs::replicas;
use sendready::sending::tier::Tier;
use sendready::service::keys::KeyRequest;
use sendready::service::schedule::Rhythm;
use sendready::service::{Caller, Role, Service, Settings};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::store::world::{World, at, id};

/// How long anything may take on a busy machine. What users are promised is a second, and what is remembered is believed
/// for a minute where no word comes.
const SOON: Duration = Duration::from_secs(20);

/// One replica.
struct Replica {
    service: Service,
    router: http::Api,
    key: String,
    hearing: CancellationToken,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.hearing.cancel();
    }
}

impl Replica {
    /// One that hears. Asking again brings nothing forward for as long as these tests take.
    async fn new(world: &World) -> Replica {
        Replica::with(world, Duration::from_hours(1)).await
    }

    async fn with(world: &World, min_interval: Duration) -> Replica {
        let settings = crate::breaker::settings();
        let rhythm = Rhythm { min_interval, ..settings.rhythm.clone() };
        Replica::set_to(world, Settings { rhythm, ..settings }).await
    }

    async fn set_to(world: &World, settings: Settings) -> Replica {
        let clock = Hand::new(at(100)).clock();
        let service = Service::new(world.replica().await, settings, clock, Chance::System);
        let request = KeyRequest { role: Role::Operator, client_id: None, name: None, expires_in: None };
        let key = service.key_create(&request).await.unwrap().1.expose_secret().to_owned();
        let hearing = CancellationToken::new();
        tokio::spawn(replicas::hear(service.clone(), hearing.clone()));
        let router = http::router(service.clone(), Health::default(), None);
        Replica { service, router, key, hearing }
    }

    /// Status, tag and body of the records, as somebody gets them who has `tag`.
    async fn records(&self, domain: Uuid, tag: Option<&str>) -> (u16, String, Value) {
        self.records_by(&self.key, domain, tag).await
    }

    async fn records_by(&self, key: &str, domain: Uuid, tag: Option<&str>) -> (u16, String, Value) {
        let request = Request::get(format!("/v1/domains/{domain}/records"));
        let mut request = request.header("authorization", format!("Bearer {key}"));
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let tag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, tag, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn remembers(&self, domain: Uuid) -> bool {
        let caller = Caller { key_id: id(1), role: Role::Operator, client_id: None, domain_id: None };
        self.service.records_tag(&caller, domain).unwrap().is_some()
    }

    /// Asks until the answer is remembered; its tag.
    async fn remembered(&self, domain: Uuid) -> String {
        let begun = Instant::now();
        loop {
            let (status, tag, _) = self.records(domain, None).await;
            if status == 200 && self.remembers(domain) {
                assert_eq!(self.records(domain, Some(&tag)).await.0, 304);
                return tag;
            }
            assert!(begun.elapsed() < SOON, "nothing is remembered");
            tokio::task::yield_now().await;
        }
    }

    /// Asks until what has `tag` is no longer what there is.
    async fn until_other(&self, domain: Uuid, tag: &str, why: &str) -> Value {
        let begun = Instant::now();
        loop {
            let (status, _, body) = self.records(domain, Some(tag)).await;
            if status != 304 {
                return body;
            }
            assert!(begun.elapsed() < SOON, "{why}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A domain of the platform's.
async fn domain(world: &World) -> Uuid {
    let client = world.client(1, Tier::Dominance).await;
    world.platform_row(id(10), client, "a.example", None).await;
    id(10)
}

#[tokio::test]
async fn a_change_by_anybody_ends_it() {
    let world = World::postgres().await;
    let domain = domain(&world).await;
    let (here, there) = (Replica::new(&world).await, Replica::new(&world).await);

    let tag = here.remembered(domain).await;
    world.run("UPDATE email_domains SET provider = 'other'").await;
    assert_eq!(here.until_other(domain, &tag, "the platform changed it").await["provider"], "other");

    let tag = here.remembered(domain).await;
    let path = format!("/v1/domains/{domain}");
    let patch = Request::patch(path).header("authorization", format!("Bearer {}", there.key));
    let patch = patch.header("content-type", "application/json").body(Body::from(r#"{"status":"suspended"}"#)).unwrap();
    assert_eq!(there.router.clone().oneshot(patch).await.unwrap().status().as_u16(), 200);
    assert_eq!(here.until_other(domain, &tag, "another replica changed it").await["status"], "suspended");
    assert_eq!(there.records(domain, Some(&tag)).await.0, 200, "whoever changed it knows at once");

    let tag = here.remembered(domain).await;
    world.run("UPDATE sendready_breaker SET opened_at = now(), closed_at = NULL").await;
    assert_eq!(here.until_other(domain, &tag, "the breaker opened").await["breaker_open"], true);

    let tag = here.remembered(domain).await;
    world
        .run("INSERT INTO sendready_dedicated_ips (address, client_id, created_at) SELECT '192.0.2.7', id, now() FROM clients")
        .await;
    here.until_other(domain, &tag, "its client got an address").await;

    let tag = here.remembered(domain).await;
    world.run("UPDATE email_domains SET deleted_at = now()").await;
    assert_eq!(here.until_other(domain, &tag, "it was deleted").await["status"], 404);
}

#[tokio::test]
async fn what_is_remembered_is_told_to_those_who_may_know() {
    let world = World::postgres().await;
    let domain = domain(&world).await;
    let here = Replica::new(&world).await;
    let other = world.client(2, Tier::Velocity).await;
    let mut keys = Vec::new();
    for client in [id(1), other] {
        let request = KeyRequest { role: Role::Client, client_id: Some(client), name: None, expires_in: None };
        keys.push(here.service.key_create(&request).await.unwrap().1.expose_secret().to_owned());
    }
    let tag = here.remembered(domain).await;
    assert_eq!(here.records_by(&keys[0], domain, Some(&tag)).await.0, 304, "its own client");
    assert_eq!(here.records_by(&keys[1], domain, Some(&tag)).await.0, 404, "another's");
    assert_eq!(here.records_by(&keys[0], domain, Some("W/\"other\"")).await.0, 200, "and only of what they have");
    assert!(here.remembers(domain));
    world.run(&format!("UPDATE email_domains SET client_id = '{other}'")).await;
    here.until_other(domain, &tag, "it is another's now").await;
    here.remembered(domain).await;
    assert_eq!(here.records_by(&keys[0], domain, Some(&tag)).await.0, 404, "and no longer that of its first");
}

/// Status and headers of a poll, `path` after the domain's, by somebody who has `tag`.
async fn headers(here: &Replica, key: &str, path: &str, tag: &str) -> (u16, BTreeMap<String, String>) {
    let request = Request::get(format!("/v1/domains/{path}")).header("authorization", format!("Bearer {key}"));
    let request = request.header("if-none-match", tag).header("x-request-id", "r-1").body(Body::empty()).unwrap();
    let response = here.router.clone().oneshot(request).await.unwrap();
    let header = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    (response.status().as_u16(), response.headers().iter().map(header).collect())
}

/// What is known at the door is said there, and what is not by the router; nobody can tell which it was.
#[tokio::test]
async fn the_door_says_what_the_router_says_and_counts_like_it() {
    let world = World::postgres().await;
    let domain = domain(&world).await;
    let settings = crate::breaker::settings();
    let rhythm = Rhythm { min_interval: Duration::from_hours(1), ..settings.rhythm.clone() };
    let limit = Rate { count: 4, per: Duration::from_hours(1) };
    let rate_limits = RateLimits::default().with(RateClass::Client, Some(limit));
    let here = Replica::set_to(&world, Settings { rhythm, rate_limits, ..settings }).await;
    let request = KeyRequest { role: Role::Client, client_id: Some(id(1)), name: None, expires_in: None };
    let key = here.service.key_create(&request).await.unwrap().1.expose_secret().to_owned();
    let tag = here.remembered(domain).await;
    // A key is known at the door once it has been seen.
    assert_eq!(headers(&here, &key, &format!("{domain}/records"), &tag).await.0, 304);
    let (status, at_the_door) = headers(&here, &key, &format!("{domain}/records"), &tag).await;
    assert_eq!((status, at_the_door["ratelimit"].as_str()), (304, "\"client\";r=2;t=1800"));
    assert_eq!((at_the_door["etag"].as_str(), at_the_door["x-request-id"].as_str()), (tag.as_str(), "r-1"));
    // An empty query is one that the door leaves to the router.
    let (status, mut by_the_router) = headers(&here, &key, &format!("{domain}/records?"), &tag).await;
    assert_eq!((status, by_the_router["ratelimit"].as_str()), (304, "\"client\";r=1;t=2700"));
    by_the_router.insert("ratelimit".to_owned(), at_the_door["ratelimit"].clone());
    assert_eq!(at_the_door, by_the_router);
    assert_eq!(headers(&here, &key, &format!("{domain}/records"), &tag).await.0, 304, "the last");
    let (status, refused) = headers(&here, &key, &format!("{domain}/records"), &tag).await;
    assert_eq!((status, refused["x-request-id"].as_str()), (429, "r-1"));
    assert!((800..=900).contains(&refused["retry-after"].parse::<u32>().unwrap()), "{refused:?}");
    assert!(here.remembers(domain), "so it was the door that refused");
    // A key that the door does not know: the router asks whose it is, and nothing more. Nobody hears of this change.
    world.run("ALTER TABLE email_domains DISABLE TRIGGER USER").await;
    world.run("UPDATE email_domains SET provider = 'unheard'").await;
    let request = KeyRequest { role: Role::Operator, client_id: None, name: None, expires_in: None };
    let unseen = here.service.key_create(&request).await.unwrap().1.expose_secret().to_owned();
    assert_eq!(headers(&here, &unseen, &format!("{domain}/records"), &tag).await.0, 304, "from memory");
    assert_eq!(headers(&here, &unseen, &format!("{domain}/records"), "\"other\"").await.0, 200, "which it is not");
}

#[tokio::test]
async fn while_nobody_listens_the_database_is_asked() {
    let world = World::postgres().await;
    let domain = domain(&world).await;
    let here = Replica::new(&world).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'sendready listener'";
    for round in 0..5 {
        let tag = here.remembered(domain).await;
        world.run(cut).await;
        let begun = Instant::now();
        while here.remembers(domain) {
            assert!(begun.elapsed() < SOON, "the line is cut, and what was known is believed");
            tokio::task::yield_now().await;
        }
        // Nobody hears this.
        world.run(&format!("UPDATE email_domains SET provider = 'p{round}'")).await;
        let (status, _, body) = here.records(domain, Some(&tag)).await;
        assert_eq!((status, body["provider"].as_str()), (200, Some(format!("p{round}").as_str())));
    }
    here.remembered(domain).await;
    here.hearing.cancel();
    let begun = Instant::now();
    while here.remembers(domain) {
        assert!(begun.elapsed() < SOON, "it hears no more");
        tokio::task::yield_now().await;
    }
}

/// Many read and note while one changes: once the word of a change has come, nobody is told of what was before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_who_read_before_a_change_brings_it_back() {
    const ROUNDS: u64 = 30;
    let world = World::postgres().await;
    let domain = domain(&world).await;
    let here = Arc::new(Replica::new(&world).await);
    here.remembered(domain).await;
    let (done, unchanged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut readers = Vec::new();
    for _ in 0..3 {
        let (here, done, unchanged) = (Arc::clone(&here), Arc::clone(&done), Arc::clone(&unchanged));
        readers.push(tokio::spawn(async move {
            let mut tag = String::new();
            while !done.load(Ordering::SeqCst) {
                let (status, now, _) = here.records(domain, Some(&tag)).await;
                match status {
                    200 => tag = now,
                    304 => drop(unchanged.fetch_add(1, Ordering::SeqCst)),
                    other => panic!("{other}"),
                }
                // An answer from memory waits for nothing, and would leave nobody else a turn.
                tokio::task::yield_now().await;
            }
        }));
    }
    for round in 0..ROUNDS {
        let (_, tag, _) = here.records(domain, None).await;
        let mut told = here.service.watch(domain);
        world.run(&format!("UPDATE email_domains SET provider = 'p{round}'")).await;
        tokio::time::timeout(SOON, told.changed()).await.expect("a word of the change").unwrap();
        let (status, _, body) = here.records(domain, Some(&tag)).await;
        assert_eq!((status, body["provider"].as_str()), (200, Some(format!("p{round}").as_str())));
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(unchanged.load(Ordering::SeqCst) > 0, "nobody was ever answered from memory");
}

/// Answers from memory are asking, too: what could be looked at sooner is, though no word came.
#[tokio::test]
async fn asking_brings_checks_forward_though_nothing_has_changed() {
    let world = World::postgres().await;
    let domain = domain(&world).await;
    let here = Replica::with(&world, Duration::from_secs(1)).await;
    let planned = format!("UPDATE email_domains SET last_checked_at = '{}', next_check_at = '{}'", at(60), at(3_600));
    world.run(&planned).await;
    let soon = format!("SELECT count(*) FROM email_domains WHERE next_check_at <= '{}'", at(100));
    let tag = here.remembered(domain).await;
    assert_eq!(world.count(&soon).await, 1, "the first that asks");
    world.run(&planned).await;
    let begun = Instant::now();
    while world.count(&soon).await == 0 {
        assert_eq!(here.records(domain, Some(&tag)).await.0, 304);
        assert!(begun.elapsed() < SOON, "nobody brings it forward");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn sqlite_remembers_nothing() {
    let world = World::sqlite().await;
    let domain = domain(&world).await;
    let here = Replica::new(&world).await;
    for _ in 0..3 {
        let (status, tag, _) = here.records(domain, None).await;
        assert_eq!((status, here.remembers(domain)), (200, false));
        world.run("UPDATE email_domains SET provider = provider || 'x'").await;
        assert_eq!(here.records(domain, Some(&tag)).await.0, 200, "another process wrote the file");
    }
}
