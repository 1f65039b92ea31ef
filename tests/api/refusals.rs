//! Refusals of the framework and of the world: each is a problem, none is plain text, none is a 5xx that need not be.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use sqlx::Connection;

use crate::api::house::House;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn everything_that_is_refused_is_a_problem() {
    let house = House::new().await;
    let nothing = uuid::Uuid::nil();
    let one = format!("/v1/domains/{nothing}");
    let check = async |why: &str, method: &str, path: &str, headers: &[(&str, &str)], body: Body, expected: &str| {
        let answer = house.with(method, path, headers, body).await;
        assert_eq!(answer.problem(), expected, "{why}: {} {}", answer.status, answer.text);
        answer
    };
    let empty = Body::empty;
    check("an unknown path", "GET", "/v1/nothing", &[], empty(), "not-found").await;
    check("an unknown path above", "GET", "/nothing", &[], empty(), "not-found").await;
    check("a path no UTF-8", "GET", "/v1/domains/by-name/%ff", &[], empty(), "not-found").await;
    check("a name that none can have", "GET", "/v1/domains/by-name/co.uk", &[], empty(), "no-such-domain").await;
    check("no UUID", "GET", "/v1/domains/x", &[], empty(), "not-found").await;
    check("no UUID, second", "GET", &format!("{one}/checks/x"), &[], empty(), "not-found").await;
    check("no such domain", "GET", &one, &[], empty(), "no-such-domain").await;
    check("no such client", "GET", &format!("/v1/clients/{nothing}"), &[], empty(), "no-such-client").await;
    let allowed = check("another method", "PUT", "/v1/domains", &[JSON], Body::from("{}"), "method-not-allowed").await;
    assert_eq!(allowed.header("allow"), "GET,HEAD,POST");
    let allowed = check("another method, open", "POST", "/healthz", &[], empty(), "method-not-allowed").await;
    assert_eq!(allowed.header("allow"), "GET,HEAD");
    check("no type", "POST", "/v1/clients", &[], Body::from("{}"), "unsupported-media-type").await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    check("a form", "POST", "/v1/clients", &form, Body::from("{}"), "unsupported-media-type").await;
    check("no body", "POST", "/v1/clients", &[JSON], empty(), "bad-json").await;
    let broken = check("broken JSON", "POST", "/v1/clients", &[JSON], Body::from("{\"name\": }"), "bad-json").await;
    assert!(broken.text.contains("line 1 column 10"), "{}", broken.text);
    check("no UTF-8", "POST", "/v1/clients", &[JSON], Body::from(&b"{\"\xff\": 1}"[..]), "bad-json").await;
    check("too deep", "POST", "/v1/clients", &[JSON], Body::from("[".repeat(100_000)), "bad-json").await;
    check("no object", "POST", "/v1/clients", &[JSON], Body::from("[1]"), "invalid").await;
    check("a bad query", "GET", "/v1/domains?limit=0", &[], empty(), "bad-query").await;
    check("a bad cursor", "GET", "/v1/domains?cursor=x", &[], empty(), "bad-query").await;
    check("another list's cursor", "GET", "/v1/clients?cursor=AAAA", &[], empty(), "bad-query").await;
    check("a typo", "GET", "/v1/domains?stauts=active", &[], empty(), "bad-query").await;
    for parameter in ["limit", "cursor", "failing", "q"] {
        let path = format!("/v1/domains?{parameter}=%ff");
        let answer = check("no text", "GET", &path, &[], empty(), "bad-query").await;
        assert_eq!(answer.pointers(), [format!("/{parameter}")]);
    }
    check("an empty filter", "GET", "/v1/domains?failing=", &[], empty(), "bad-query").await;
    check("an empty limit", "GET", "/v1/domains?limit=", &[], empty(), "bad-query").await;
    check("an empty cursor", "GET", "/v1/domains?cursor=", &[], empty(), "bad-query").await;
    check("a query where none is", "GET", "/v1/tiers?x=1", &[], empty(), "bad-query").await;
    check("a query of one thing", "GET", &format!("{one}?x=1"), &[], empty(), "bad-query").await;
    check("a query of a change", "DELETE", &format!("{one}?x=1"), &[], empty(), "bad-query").await;
    check("no wait", "GET", &format!("{one}/records?wait=31"), &[], empty(), "bad-query").await;
    check("a wait", "GET", &format!("{one}/records?wait=30"), &[], empty(), "no-such-domain").await;
    let verify = format!("{one}/verify");
    check("a wait for a check", "POST", &format!("{verify}?wait=1"), &[], empty(), "no-such-domain").await;
    check("no wait for a check", "POST", &format!("{verify}?wait=x"), &[], empty(), "bad-query").await;
    check("an empty object", "POST", &verify, &[JSON], Body::from("{}"), "no-such-domain").await;
    check("a body where none is", "POST", &verify, &[JSON], Body::from("{\"x\": 1}"), "invalid").await;
    check("a broken body where none is", "POST", &verify, &[JSON], Body::from("{{{"), "bad-json").await;
    let twice = Body::from("{\"name\": \"a\", \"name\": \"b\", \"tier\": \"velocity\"}");
    assert_eq!(check("a name twice", "POST", "/v1/clients", &[JSON], twice, "invalid").await.pointers(), ["/name"]);
    let large = Body::from("{\"name\": 1e400}");
    assert_eq!(check("too large", "POST", "/v1/clients", &[JSON], large, "bad-json").await.pointers(), ["/name"]);
    check("a bad filter", "GET", "/v1/domains?failing=all", &[], empty(), "bad-query").await;
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_refused_announced_or_not() {
    let house = House::new().await;
    let name = |octets: usize| format!("{{\"name\": \"{}\", \"tier\": \"velocity\"}}", "x".repeat(octets));
    let at = |octets: usize| name(octets - name(0).len());
    let fits = house.with("POST", "/v1/clients", &[JSON], at(1 << 20)).await;
    assert_eq!(fits.problem(), "invalid", "just fits, and is read");
    let announced = [JSON, ("content-length", "1048577")];
    let over = house.with("POST", "/v1/clients", &announced, at((1 << 20) + 1)).await;
    assert_eq!((over.status.as_u16(), over.problem().as_str()), (413, "body-too-large"));
    for headers in [&[JSON][..], &[JSON, ("idempotency-key", "k")][..]] {
        let over = house.with("POST", "/v1/clients", headers, at((1 << 20) + 1)).await;
        assert_eq!((over.status.as_u16(), over.problem().as_str()), (413, "body-too-large"), "not announced");
    }
    let unread = house.with("POST", "/healthz", &announced, at((1 << 20) + 1)).await;
    assert_eq!(unread.status, 413, "also where nobody reads it");
}

#[tokio::test]
async fn a_request_keeps_its_id_if_it_is_sane() {
    let house = House::new().await;
    let id = async |given: &str| {
        let request = Request::get("/healthz").header("x-request-id", given).body(Body::empty()).unwrap();
        house.send(request).await.header("x-request-id").to_owned()
    };
    assert_eq!(id("abc-123").await, "abc-123");
    let made = id("a b\"c").await;
    assert!(made.parse::<uuid::Uuid>().is_ok(), "{made}");
    assert_ne!(house.operator("GET", "/nothing", None).await.header("x-request-id"), made);
}

#[tokio::test]
async fn the_key_is_read_as_rfc_9110_says() {
    let house = House::new().await;
    let status = async |value: &str| {
        let request = Request::get("/v1/tiers").header("authorization", value).body(Body::empty()).unwrap();
        house.send(request).await.status.as_u16()
    };
    let key = house.operator.as_str();
    assert_eq!(status(&format!("bearer {key}")).await, 200, "the scheme's case does not matter");
    assert_eq!(status(&format!("Bearer  {key}")).await, 200);
    assert_eq!(status(key).await, 401);
    assert_eq!(status(&format!("Basic {key}")).await, 401);
    assert_eq!(status(&format!("Bearer {key}x")).await, 401);
    assert_eq!(status("Bearer ").await, 401);
    assert_eq!(status(&format!("Bearer {}", "sr_".repeat(5_000))).await, 401);
    let twice = format!("Bearer {key}");
    let request = Request::get("/v1/tiers").header("authorization", &twice).header("authorization", &twice);
    let answer = house.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (401, "unauthorized"));
    assert!(answer.text.contains("once"), "{}", answer.text);
}

#[tokio::test]
async fn problems_have_pages() {
    let house = House::new().await;
    let page = house.call("GET", "/problems/invalid", None, None).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("<h2>What to do next</h2>"), "{}", page.text);
    assert_eq!(house.call("GET", "/problems/nothing", None, None).await.problem(), "not-found");
}

#[tokio::test]
async fn more_than_six_verifications_a_minute_are_refused() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let verify = format!("/v1/domains/{}/verify", house.domain(client, "example.com").await);
    for _ in 0..6 {
        let answer = house.operator("POST", &verify, None).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.json()["state"], "queued");
    }
    let refused = house.operator("POST", &verify, None).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (429, "too-many-verifications"));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    house.hand.advance(std::time::Duration::from_secs(wait));
    assert_eq!(house.operator("POST", &verify, None).await.status, 202, "as long as it said");
}

#[tokio::test]
async fn tiers_have_their_limits() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    for n in 0..3 {
        house.domain(client, &format!("d{n}.example.com")).await;
    }
    let allocation = house.operator("GET", &format!("/v1/clients/{client}/allocation"), None).await.json();
    let none = |limit| json!({"used": 0, "limit": limit});
    let expected =
        json!({"tier": "velocity", "domains": {"used": 3, "limit": 3}, "mailboxes": none(6), "dedicated_ips": none(1)});
    assert_eq!(allocation, expected);
    let one_more =
        json!({"client_id": client, "domain": "d3.example.com", "provider": "manual", "dkim": [{"selector": "s"}]});
    let refused = house.operator("POST", "/v1/domains", Some(one_more)).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (409, "allocation-exceeded"));
    let down = house.operator("PATCH", &format!("/v1/clients/{client}"), Some(json!({"tier": "ignition"}))).await;
    assert_eq!(down.problem(), "allocation-exceeded");
    assert!(down.text.contains("allows 2 domains, and 3 are in use"), "{}", down.text);
}

#[tokio::test]
async fn a_database_that_is_locked_is_a_503_that_passes_by_itself() {
    let house = House::new().await;
    let path = house.folder.path().join("test.db");
    let mut other = sqlx::SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let body = json!({"name": "Example", "tier": "velocity"});
    let refused = house.operator("POST", "/v1/clients", Some(body.clone())).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (503, "unavailable"), "{}", refused.text);
    assert_eq!(refused.header("retry-after"), "5");
    assert!(refused.json().get("detail").is_none(), "no word of what is inside");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(house.operator("POST", "/v1/clients", Some(body)).await.status, 201);
}

#[tokio::test]
async fn a_database_that_is_gone_is_told_by_readyz_and_leaves_healthz_alone() {
    let house = House::new().await;
    let ready = house.call("GET", "/readyz", None, None).await;
    let all = json!({"ready": true, "database": "ok", "resolver": "ok", "checker": "ok", "breaker": "closed", "authoritative": "unknown"});
    assert_eq!((ready.status.as_u16(), ready.json()), (200, all));
    house.health.breaker(sendready::http::health::BreakerState::Open("30 of 40 domains turned bad".to_owned()));
    let open = house.call("GET", "/readyz", None, None).await;
    assert_eq!((open.status.as_u16(), &open.json()["breaker"]), (200, &json!("open")));
    assert!(open.text.contains("30 of 40"));
    match house.service.store().db() {
        sendready::store::Db::Sqlite(pool) => pool.close().await,
        sendready::store::Db::Postgres(pool) => pool.close().await,
    }
    let down = house.call("GET", "/readyz", None, None).await;
    assert_eq!((down.status.as_u16(), &down.json()["database"]), (503, &json!("down")));
    assert_eq!(down.header("retry-after"), "5");
    assert_eq!(house.call("GET", "/healthz", None, None).await.status, 200);
    let refused = house.operator("GET", "/v1/tiers", None).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (503, "unavailable"), "{}", refused.text);
    assert_eq!(house.call("GET", "/metrics", None, None).await.status, 404, "nothing is counted in this house");
}
