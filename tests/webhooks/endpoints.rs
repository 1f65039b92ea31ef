//! Endpoints over HTTP: what is refused, what is shown, and what is never shown again.

use serde_json::{Value, json};

use crate::api::house::House;
use crate::webhooks::delivering::endpoint;

const PATH: &str = "/v1/webhook-endpoints";

#[tokio::test]
async fn a_secret_is_shown_once() {
    let house = House::new().await;
    let (path, secret) = endpoint(&house, json!({"url": "https://Hooks.Example.com/a"})).await;
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let rotated = house.operator("POST", &format!("{path}/rotate-secret"), Some(json!({}))).await;
    let second = rotated.json()["secret"].as_str().unwrap().to_owned();
    for (method, path, body) in [
        ("GET", path.clone(), None),
        ("GET", PATH.to_owned(), None),
        ("PATCH", path.clone(), Some(json!({"enabled": false}))),
        ("POST", format!("{path}/test"), None),
        ("GET", format!("{path}/deliveries"), None),
    ] {
        let answer = house.operator(method, &path, body).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        assert!(!answer.text.contains(&secret[6..]) && !answer.text.contains(&second[6..]), "{method} {path}");
        assert!(!answer.text.contains("secret\""), "{method} {path}: {}", answer.text);
    }
    let shown = house.operator("GET", &path, None).await.json();
    assert_eq!(shown["url"], "https://hooks.example.com/a");
    assert_eq!((&shown["client_id"], &shown["events"], &shown["enabled"]), (&Value::Null, &json!([]), &json!(false)));
}

#[tokio::test]
async fn a_repeat_with_an_idempotency_key_makes_one_and_tells_its_secret_once() {
    let house = House::new().await;
    let headers = [("content-type", "application/json"), ("idempotency-key", "k")];
    let body = json!({"url": "https://hooks.example.com/"}).to_string();
    let first = house.with("POST", PATH, &headers, body.clone()).await.json();
    let again = house.with("POST", PATH, &headers, body).await.json();
    assert_eq!((&first["id"], &again["secret"]), (&again["id"], &Value::Null));
    assert!(first["secret"].is_string());
    assert_eq!(house.operator("GET", PATH, None).await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_never_posted_to_is_refused_at_its_field() {
    let house = House::new().await;
    let (path, _) = endpoint(&house, json!({"url": "https://hooks.example.com/"})).await;
    for url in ["http://2130706433/", "http://[::ffff:127.0.0.1]/", "https://u:p@a.example/", "ftp://a.example/", "x"] {
        for (method, path) in [("POST", PATH), ("PATCH", path.as_str())] {
            let answer = house.operator(method, path, Some(json!({"url": url}))).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, "invalid"), "{url}: {}", answer.text);
            assert_eq!(answer.pointers(), ["/url"], "{url}");
        }
    }
    let unknown =
        house.operator("POST", PATH, Some(json!({"url": "https://a.example/", "events": ["domain.new"]}))).await;
    assert_eq!(unknown.pointers(), ["/events/0"]);
    let nobody = uuid::Uuid::from_u128(1);
    let body = json!({"url": "https://a.example/", "client_id": nobody});
    assert_eq!(house.operator("POST", PATH, Some(body)).await.problem(), "no-such-client");
    assert_eq!(house.operator("GET", PATH, None).await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_client_has_so_many_and_no_more() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let body = |client_id: Option<uuid::Uuid>| json!({"url": "https://a.example/", "client_id": client_id});
    for _ in 0..20 {
        endpoint(&house, body(Some(client))).await;
    }
    let one_more = house.operator("POST", PATH, Some(body(Some(client)))).await;
    assert_eq!((one_more.status.as_u16(), one_more.problem().as_str()), (409, "too-many-webhook-endpoints"));
    let (path, _) = endpoint(&house, body(None)).await;
    assert_eq!(house.operator("DELETE", &path, None).await.status, 204);
    assert_eq!(house.operator("DELETE", &path, None).await.problem(), "no-such-webhook-endpoint");
    assert_eq!(house.operator("GET", &path, None).await.status, 404);
}

#[tokio::test]
async fn endpoints_and_deliveries_come_in_pages() {
    let house = House::new().await;
    let mut path = String::new();
    for _ in 0..5 {
        (path, _) = endpoint(&house, json!({"url": "https://a.example/"})).await;
        house.hand.advance(std::time::Duration::from_millis(1));
    }
    for _ in 0..5 {
        house.operator("POST", &format!("{path}/test"), None).await;
        house.hand.advance(std::time::Duration::from_millis(1));
    }
    for list in [PATH.to_owned(), format!("{path}/deliveries")] {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house.operator("GET", &format!("{list}?limit=2{cursor}"), None).await.json();
            ids.extend(page["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut sorted = ids.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!((ids.len(), sorted.len()), (5, 5), "{list}");
    }
    let foreign = format!("{path}/deliveries/{}/retry", uuid::Uuid::from_u128(1));
    assert_eq!(house.operator("POST", &foreign, None).await.problem(), "no-such-delivery");
}
