//! Somebody says that DNS changed: with a key or a signature, once or again, about whatever.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use sendready::service::Role;
use sendready::webhook::signature::Secret;
use serde_json::{Value, json};

use crate::api::house::{Answer, House};

const PATH: &str = "/v1/webhooks/dns-changes";

fn secret(number: u8) -> Secret {
    Secret::of([number; 32])
}

async fn house() -> House {
    House::set_to(|settings| settings.webhooks.inbound_secrets = vec![secret(1), secret(2)]).await
}

/// A signed post; `skew` seconds away from the house's time.
async fn signed(house: &House, by: &Secret, id: &str, skew: i64, body: &str) -> Answer {
    let timestamp = house.hand.now().timestamp() + skew;
    let signature = by.sign(id, timestamp, body.as_bytes());
    let timestamp = timestamp.to_string();
    let headers = [("webhook-id", id), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
    sent(house, &headers, body).await
}

/// A post with these headers, as JSON, without a key.
async fn sent(house: &House, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::post(PATH).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    house.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// The times of the domain's checks: next, and why.
async fn planned(house: &House, domain: uuid::Uuid) -> (Value, Value) {
    let shown = house.operator("GET", &format!("/v1/domains/{domain}"), None).await.json();
    (shown["next_check_at"].clone(), shown["last_checked_at"].clone())
}

/// A house with a checked domain, an hour later.
async fn at_rest(house: &House, name: &str) -> uuid::Uuid {
    let client = house.client("velocity").await;
    let domain = house.domain(client, name).await;
    assert_eq!(house.check_all("").await, 1);
    house.hand.advance(Duration::from_secs(60));
    domain
}

#[tokio::test]
async fn known_names_are_due_at_once_in_whatever_spelling() {
    let house = house().await;
    let domain = at_rest(&house, "xn--bcher-kva.example").await;
    let names = json!({"domains": ["Bücher.EXAMPLE.", "xn--bcher-kva.example", "nobody.example", "no name at all", "10.0.0.1", "com"]});
    let answer = house.operator("POST", PATH, Some(names)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let expected = json!({"accepted": ["xn--bcher-kva.example"], "unknown": ["nobody.example", "no name at all", "10.0.0.1", "com"]});
    assert_eq!(answer.json(), expected);
    assert_eq!(planned(&house, domain).await.0, json!(house.hand.now()));
    assert_eq!(house.check_all("").await, 1);
    let checks = house.operator("GET", &format!("/v1/domains/{domain}/checks"), None).await.json();
    assert_eq!(checks["data"][0]["reason"], "webhook");
    let one = house.operator("POST", PATH, Some(json!({"domain": "BÜCHER.example"}))).await.json();
    assert_eq!(one, json!({"accepted": ["xn--bcher-kva.example"], "unknown": []}));
}

#[tokio::test]
async fn a_key_or_a_signature_is_needed() {
    let house = house().await;
    at_rest(&house, "example.com").await;
    let body = r#"{"domain": "example.com"}"#;
    for number in [1, 2] {
        let answer = signed(&house, &secret(number), &format!("msg_{number}"), 0, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["accepted"][0].as_str()), (202, Some("example.com")));
    }
    assert_eq!(signed(&house, &secret(1), "msg_a", 300, body).await.status, 202);
    assert_eq!(signed(&house, &secret(1), "msg_b", -300, body).await.status, 202);
    for (why, answer) in [
        ("another's secret", signed(&house, &secret(3), "msg_c", 0, body).await),
        ("too old", signed(&house, &secret(1), "msg_d", -301, body).await),
        ("from the future", signed(&house, &secret(1), "msg_e", 301, body).await),
        ("nothing", sent(&house, &[], body).await),
        ("an id alone", sent(&house, &[("webhook-id", "x")], body).await),
        (
            "a bad time",
            sent(&house, &[("webhook-id", "x"), ("webhook-timestamp", "x"), ("webhook-signature", "v1,x")], body).await,
        ),
    ] {
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (401, "unauthorized"),
            "{why}: {}",
            answer.text
        );
    }
    // Of the octets as they came: not of what they mean.
    let timestamp = house.hand.now().timestamp();
    let signature = secret(1).sign("msg_f", timestamp, body.as_bytes());
    let timestamp = timestamp.to_string();
    let headers = [("webhook-id", "msg_f"), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
    assert_eq!(sent(&house, &headers, r#"{"domain":"example.com"}"#).await.status, 401);
    assert_eq!(sent(&house, &headers, body).await.status, 202);
    let without = House::new().await;
    assert_eq!(signed(&without, &secret(1), "msg_1", 0, body).await.status, 401, "no secret is no secret");
}

#[tokio::test]
async fn a_key_decides_where_both_are_sent() {
    let house = house().await;
    at_rest(&house, "example.com").await;
    let (_, hook) = house.key(Role::Hook, None).await;
    let body = r#"{"domain": "example.com"}"#;
    let with = async |key: &str, signature: &str| {
        let key = format!("Bearer {key}");
        let timestamp = house.hand.now().timestamp().to_string();
        let headers = [
            ("authorization", key.as_str()),
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", &timestamp),
            ("webhook-signature", signature),
        ];
        sent(&house, &headers, body).await.status.as_u16()
    };
    let good = secret(1).sign("msg_1", house.hand.now().timestamp(), body.as_bytes());
    assert_eq!(with(&hook, "v1,AAAA").await, 202, "its signature may be for somebody else");
    assert_eq!(with(&hook, &good).await, 202);
    assert_eq!(with("sr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &good).await, 401, "a bad key is told");
}

#[tokio::test]
async fn a_repetition_is_answered_alike_and_changes_nothing() {
    let house = house().await;
    let domain = at_rest(&house, "example.com").await;
    let body = r#"{"domains": ["example.com", "nobody.example"]}"#;
    let first = signed(&house, &secret(1), "msg_1", 0, body).await;
    assert_eq!(house.check_all("").await, 1);
    house.hand.advance(Duration::from_secs(200));
    while house.check_all("").await > 0 {}
    let before = planned(&house, domain).await;
    for (again, with) in [
        (signed(&house, &secret(1), "msg_1", 0, body).await, body),
        (signed(&house, &secret(2), "msg_1", 0, "{\"domain\":\"x.example\"}").await, "another body"),
    ] {
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{with}");
    }
    assert_eq!(planned(&house, domain).await, before);
    let (_, hook) = house.key(Role::Hook, None).await;
    let key = format!("Bearer {hook}");
    let keyed = [("authorization", key.as_str()), ("webhook-id", "msg_1")];
    assert_eq!(sent(&house, &keyed, body).await.status, 202, "another sender's id is another one");
    let after = planned(&house, domain).await;
    assert_ne!(after, before);
    house.check_all("").await;
    house.hand.advance(Duration::from_secs(200));
    while house.check_all("").await > 0 {}
    let before = planned(&house, domain).await;
    assert_eq!(sent(&house, &keyed, body).await.json(), first.json());
    assert_eq!(planned(&house, domain).await, before);
    assert_eq!(
        sent(&house, &[("authorization", key.as_str())], body).await.status,
        202,
        "without an id it is a new one"
    );
    assert_ne!(planned(&house, domain).await, before);
}

#[tokio::test]
async fn a_hook_of_one_client_speaks_of_that_client_s_domains() {
    let house = house().await;
    let (own, other) = (house.client("velocity").await, house.client("velocity").await);
    house.domain(own, "own.example.com").await;
    house.domain(other, "other.example.com").await;
    let (_, hook) = house.key(Role::Hook, Some(own)).await;
    let (_, client) = house.key(Role::Client, Some(own)).await;
    let body = json!({"domains": ["own.example.com", "other.example.com"]});
    let answer = house.call("POST", PATH, Some(&hook), Some(body.clone())).await.json();
    assert_eq!(answer, json!({"accepted": ["own.example.com"], "unknown": ["other.example.com"]}));
    let refused = house.call("POST", PATH, Some(&client), Some(body)).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (403, "forbidden"));
}

#[tokio::test]
async fn a_thousand_names_are_taken_and_no_more() {
    let house = house().await;
    at_rest(&house, "d7.example").await;
    let names = |count: usize| json!({"domains": (0..count).map(|n| format!("d{n}.example")).collect::<Vec<_>>()});
    let answer = house.operator("POST", PATH, Some(names(1_000))).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let taken = answer.json();
    assert_eq!(taken["accepted"], json!(["d7.example"]));
    assert_eq!(taken["unknown"].as_array().unwrap().len(), 999);
    let many = house.operator("POST", PATH, Some(names(1_001))).await;
    assert_eq!((many.status.as_u16(), many.pointers()), (422, vec!["/domains".to_owned()]), "{}", many.text);
    assert_eq!(house.operator("POST", PATH, Some(names(0))).await.json(), json!({"accepted": [], "unknown": []}));
}

#[tokio::test]
async fn what_is_no_word_is_refused() {
    let house = house().await;
    let (_, hook) = house.key(Role::Hook, None).await;
    let key = format!("Bearer {hook}");
    let check = async |why: &str, content_type: &str, id: &str, body: String, expected: (u16, &str)| {
        let mut request = Request::post(PATH).header("authorization", &key).header("content-type", content_type);
        if !id.is_empty() {
            request = request.header("webhook-id", id);
        }
        let answer = house.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), expected, "{why}: {}", answer.text);
    };
    let good = r#"{"domain": "example.com"}"#.to_owned();
    check("a form", "application/x-www-form-urlencoded", "", good.clone(), (415, "unsupported-media-type")).await;
    check("plain text", "text/plain", "", good.clone(), (415, "unsupported-media-type")).await;
    check("no JSON", "application/json", "", "{".to_owned(), (400, "bad-json")).await;
    check("nothing", "application/json", "", String::new(), (400, "bad-json")).await;
    check("too much", "application/json", "", format!("\"{}\"", "x".repeat(1 << 20)), (413, "body-too-large")).await;
    check("a list", "application/json", "", "[]".to_owned(), (422, "invalid")).await;
    check("no name", "application/json", "", "{}".to_owned(), (422, "invalid")).await;
    check("both", "application/json", "", r#"{"domain": "a.example", "domains": []}"#.to_owned(), (422, "invalid"))
        .await;
    check("a typo", "application/json", "", r#"{"domian": "a.example"}"#.to_owned(), (422, "invalid")).await;
    check("a long id", "application/json", &"x".repeat(256), good.clone(), (400, "bad-header")).await;
    check("an id of two words", "application/json", "a b", good.clone(), (400, "bad-header")).await;
    check("good", "application/json; charset=utf-8", &"x".repeat(255), good, (202, "")).await;
    // A signature over too much is not looked at: the body is not read to its end.
    let body = "x".repeat((1 << 20) + 1);
    assert_eq!(signed(&house, &secret(1), "msg_1", 0, &body).await.status, 413);
    let unsigned = sent(&house, &[("idempotency-key", "k")], "{}").await;
    assert_eq!(unsigned.status, 401);
}

#[tokio::test]
async fn a_signed_webhook_may_carry_an_idempotency_key() {
    let house = house().await;
    let (body, timestamp) = (r#"{"domain": "example.com"}"#, house.hand.now().timestamp());
    let signature = secret(1).sign("msg_1", timestamp, body.as_bytes());
    let timestamp = timestamp.to_string();
    let signed = [("webhook-id", "msg_1"), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
    let headers = [&signed[..], &[("idempotency-key", "k")]].concat();
    assert_eq!(sent(&house, &headers, body).await.status, 202);
}
