//! `Idempotency-Key`: done once, told twice.

use serde_json::json;

use crate::api::house::{Answer, House};

async fn post(house: &House, key: &str, body: &serde_json::Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    house.with("POST", "/v1/clients", &headers, body.to_string()).await
}

async fn client_count(house: &House) -> usize {
    house.operator("GET", "/v1/clients", None).await.json()["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_repeat_gives_the_first_answer_and_does_nothing() {
    let house = House::new().await;
    let body = json!({"name": "Example", "tier": "velocity"});
    let first = post(&house, "k1", &body).await;
    let again = post(&house, "k1", &body).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(first.text, again.text);
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(client_count(&house).await, 1);
    assert_eq!(post(&house, "k2", &body).await.status, 201, "another key is another request");
    assert_eq!(client_count(&house).await, 2);
    let other = post(&house, "k1", &json!({"name": "Other", "tier": "velocity"})).await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "idempotency-key-reused"));
    house.hand.advance(std::time::Duration::from_secs(49 * 3_600));
    assert_eq!(post(&house, "k1", &body).await.header("idempotency-replayed"), "", "after 48 hours it is forgotten");
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again() {
    let house = House::new().await;
    assert_eq!(post(&house, "k", &json!({"name": "Example"})).await.status, 422);
    assert_eq!(post(&house, "k", &json!({"name": "Example", "tier": "velocity"})).await.status, 201);
    assert_eq!(post(&house, "k", &json!({"name": "Example"})).await.problem(), "idempotency-key-reused");
}

#[tokio::test]
async fn of_many_at_once_one_is_done() {
    let house = House::new().await;
    let body = json!({"name": "Example", "tier": "velocity"});
    let answers = futures_util::future::join_all((0..8).map(|_| post(&house, "k", &body))).await;
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 201 | 409)), "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status == 409) {
        assert_eq!(answer.problem(), "idempotency-key-running");
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(client_count(&house).await, 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_caller_and_its_path() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let (_, second) = house.key(sendready::service::Role::Operator, None).await;
    let domain = house.domain(client, "example.com").await;
    let verify = format!("/v1/domains/{domain}/verify");
    assert_eq!(house.with("POST", &verify, &[("idempotency-key", "k")], "").await.status, 202);
    assert_eq!(
        house.with("POST", &verify, &[("idempotency-key", "k")], "").await.header("idempotency-replayed"),
        "true"
    );
    assert_eq!(post(&house, "k", &json!({"name": "Example", "tier": "velocity"})).await.status, 201, "another path");
    let request = axum::http::Request::post(&verify)
        .header("authorization", format!("Bearer {second}"))
        .header("idempotency-key", "k");
    let answer = house.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(answer.header("idempotency-replayed"), "", "another key");
    let get = house.with("GET", "/v1/clients", &[("idempotency-key", "k")], "").await;
    assert_eq!(get.status, 200, "only a POST is done once");
    for bad in ["", "a b", &"k".repeat(256)] {
        assert_eq!(post(&house, bad, &json!({})).await.problem(), "bad-header", "{bad:?}");
    }
    let nobody =
        axum::http::Request::post(&verify).header("idempotency-key", "k").body(axum::body::Body::empty()).unwrap();
    assert_eq!(house.send(nobody).await.status, 401);
}
