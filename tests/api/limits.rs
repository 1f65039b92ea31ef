//! Limits on requests: what is counted as whose, and what is told of it. How it is counted: `http::limits`.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use sendready::config::rates::{Rate, RateClass, RateLimits};
use sendready::http::request::Peer;
use sendready::service::Role;
use serde_json::json;

use crate::api::house::{Answer, House};

/// So many an hour: what is used up stays so for the test.
fn hourly(limits: &[(RateClass, u32)]) -> RateLimits {
    let limit = |count| Some(Rate { count, per: Duration::from_hours(1) });
    limits.iter().fold(RateLimits::default(), |limits, (class, count)| limits.with(*class, limit(*count)))
}

async fn limited(limits: &[(RateClass, u32)]) -> House {
    House::set_to(|settings| settings.rate_limits = hourly(limits)).await
}

/// A request from an address.
async fn from(house: &House, address: &str, path: &str, key: Option<&str>) -> Answer {
    let mut request = Request::get(path);
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let mut request = request.body(Body::empty()).unwrap();
    let address: IpAddr = address.parse().unwrap();
    request.extensions_mut().insert(Peer { address, body_time_max: Duration::from_secs(1) });
    house.send(request).await
}

#[track_caller]
fn refused(answer: &Answer, policy: &str) {
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (429, "too-many-requests"), "{}", answer.text);
    assert_eq!(answer.header("ratelimit-policy"), policy);
    let class = policy.split(';').next().unwrap();
    assert!(answer.header("ratelimit").starts_with(&format!("{class};r=0;t=")), "{}", answer.header("ratelimit"));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn a_key_has_its_own_limit_and_waiting_as_told_is_enough() {
    let house = limited(&[(RateClass::Client, 3)]).await;
    let client = house.client("velocity").await;
    let (_, key) = house.key(Role::Client, Some(client)).await;
    let (_, other) = house.key(Role::Client, Some(client)).await;
    let call = async |key: &str| house.call("GET", "/v1/tiers", Some(key), None).await;
    // The database is asked for the keys once, before the clock stands still.
    assert_eq!(call(&other).await.status, 200);
    assert_eq!(call(&key).await.status, 200);
    tokio::time::pause();
    for left in [1, 0] {
        let answer = call(&key).await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit-policy")), (200, "\"client\";q=3;w=3600"));
        let start = format!("\"client\";r={left};t=");
        assert!(answer.header("ratelimit").starts_with(&start), "{}", answer.header("ratelimit"));
    }
    let answer = call(&key).await;
    refused(&answer, "\"client\";q=3;w=3600");
    assert!(answer.header("content-type") == "application/problem+json" && answer.json()["detail"].is_string());
    assert_eq!(call(&other).await.status, 200, "another key of the same client");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    tokio::time::advance(Duration::from_secs(wait - 1)).await;
    assert_eq!(call(&key).await.status, 429, "not long enough");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(call(&key).await.status, 200, "as long as it said");
    let unlimited = call(&house.operator).await;
    assert_eq!((unlimited.status.as_u16(), unlimited.header("ratelimit")), (200, ""), "nothing is said of no limit");
}

#[tokio::test]
async fn a_refused_request_changes_nothing() {
    let house = limited(&[(RateClass::Operator, 1)]).await;
    let answer = house.operator("POST", "/v1/clients", Some(json!({"name": "a", "tier": "velocity"}))).await;
    assert_eq!(answer.status, 201);
    let answer = house.operator("POST", "/v1/clients", Some(json!({"name": "b", "tier": "velocity"}))).await;
    refused(&answer, "\"operator\";q=1;w=3600");
    assert_eq!(house.service.store().client_list(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn each_role_is_counted_as_itself() {
    let house = limited(&[(RateClass::Hook, 1), (RateClass::Setup, 2)]).await;
    let client = house.client("velocity").await;
    let domain = house.domain(client, "example.test").await;
    let (_, hook) = house.key(Role::Hook, None).await;
    let word = || Some(json!({"domain": "example.test"}));
    assert_eq!(house.call("POST", "/v1/webhooks/dns-changes", Some(&hook), word()).await.status, 202);
    refused(&house.call("POST", "/v1/webhooks/dns-changes", Some(&hook), word()).await, "\"hook\";q=1;w=3600");
    let links = format!("/v1/domains/{domain}/setup-links");
    let link = house.operator("POST", &links, None).await.json();
    let token = link["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let records = format!("/v1/domains/{domain}/records");
    for _ in 0..2 {
        assert_eq!(house.call("GET", &records, Some(&token), None).await.status, 200);
    }
    refused(&house.call("GET", &records, Some(&token), None).await, "\"setup\";q=2;w=3600");
}

#[tokio::test]
async fn wrong_keys_are_bounded_by_address_and_right_ones_go_on() {
    let house = limited(&[(RateClass::Failures, 3)]).await;
    let wrong = |n: u32| format!("sr_{n:043}");
    assert_eq!(from(&house, "192.0.2.1", "/v1/tiers", Some(&house.operator)).await.status, 200, "new, and right");
    for n in 0..2 {
        assert_eq!(from(&house, "192.0.2.1", "/v1/tiers", Some(&wrong(n))).await.status, 401);
    }
    for n in 2..5 {
        refused(&from(&house, "192.0.2.1", "/v1/tiers", Some(&wrong(n))).await, "\"failures\";q=3;w=3600");
    }
    assert_eq!(from(&house, "192.0.2.1", "/v1/tiers", Some(&house.operator)).await.status, 200, "it is known");
    house.hand.advance(Duration::from_secs(3_600));
    assert_eq!(from(&house, "192.0.2.1", "/v1/tiers", Some(&house.operator)).await.status, 200, "it was known");
    let (_, fresh) = house.key(Role::Operator, None).await;
    assert_eq!(from(&house, "192.0.2.1", "/v1/tiers", Some(&fresh)).await.status, 429, "not told from a guess");
    assert_eq!(from(&house, "192.0.2.2", "/v1/tiers", Some(&wrong(9))).await.status, 401, "from elsewhere");
    assert_eq!(from(&house, "192.0.2.1", "/v1/tiers", None).await.status, 401, "no key is no guess");
}

#[tokio::test]
async fn strangers_are_counted_by_address_and_probes_are_not() {
    let house = limited(&[(RateClass::Address, 2)]).await;
    let (one, neighbour, other) = ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1");
    assert_eq!(from(&house, one, "/openapi.json", None).await.status, 200);
    let answer = from(&house, neighbour, "/v1/tiers", None).await;
    assert_eq!((answer.status.as_u16(), answer.header("ratelimit-policy")), (401, "\"address\";q=2;w=3600"));
    refused(&from(&house, one, "/problems/invalid", None).await, "\"address\";q=2;w=3600");
    refused(&from(&house, one, "/v1/tiers", None).await, "\"address\";q=2;w=3600");
    assert_eq!(from(&house, other, "/openapi.json", None).await.status, 200, "another network");
    for probe in ["/healthz", "/readyz"] {
        for _ in 0..5 {
            assert_eq!(from(&house, one, probe, None).await.status, 200, "{probe}");
        }
    }
    assert_eq!(from(&house, one, "/v1/tiers", Some(&house.operator)).await.status, 200, "a key is counted by itself");
}

#[tokio::test]
async fn a_held_request_counts_once() {
    let house = limited(&[(RateClass::Client, 2)]).await;
    let client = house.client("velocity").await;
    let domain = house.domain(client, "example.test").await;
    let (_, key) = house.key(Role::Client, Some(client)).await;
    let records = format!("/v1/domains/{domain}/records");
    let first = house.call("GET", &records, Some(&key), None).await;
    let mut request = Request::get(format!("{records}?wait=30")).header("authorization", format!("Bearer {key}"));
    request = request.header("if-none-match", first.header("etag"));
    let held = tokio::spawn({
        let (router, request) = (house.router.clone(), request.body(Body::empty()).unwrap());
        async move { tower::ServiceExt::oneshot(router, request).await.unwrap() }
    });
    // It looks again and again until then, each time with the key.
    house.check_all("").await;
    house.service.close();
    let answer = held.await.unwrap();
    assert_ne!(answer.status(), 429);
    assert!(answer.headers()["ratelimit"].to_str().unwrap().starts_with("\"client\";r=0;"), "the second of two");
}
