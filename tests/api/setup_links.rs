//! Setup links: what they open, and what they do not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::house::House;

const ZONE: &str =
    "$ORIGIN example.test.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\n";

/// The token at the end of a link's URL.
fn token_of(link: &Value) -> String {
    let url = link["url"].as_str().unwrap();
    let token = url.strip_prefix("https://sendready.example/setup/").unwrap();
    assert!(token.len() == "srl_".len() + 43 && token.starts_with("srl_"), "256 bits: {token}");
    token.to_owned()
}

#[tokio::test]
async fn a_link_opens_one_domain_s_records_and_nothing_else() {
    let house = House::new().await;
    house.service.close();
    let client = house.client("velocity").await;
    let (own, other) = (house.domain(client, "example.test").await, house.domain(client, "other.test").await);
    house.check_all(ZONE).await;
    let links = format!("/v1/domains/{own}/setup-links");
    let made = house.operator("POST", &links, None).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = token_of(&made.json());
    let call = async |method, path: String| house.call(method, &path, Some(&token), None).await;
    let records = call("GET", format!("/v1/domains/{own}/records")).await;
    assert_eq!((records.status.as_u16(), &records.json()["domain"]), (200, &json!("example.test")));
    assert_eq!(call("POST", format!("/v1/domains/{own}/verify")).await.status, 202);
    assert_eq!(call("GET", format!("/v1/domains/{own}/events/stream")).await.status, 200);
    for path in ["records", "events/stream"] {
        assert_eq!(call("GET", format!("/v1/domains/{other}/{path}")).await.status, 404, "{path}");
    }
    assert_eq!(call("POST", format!("/v1/domains/{other}/verify")).await.status, 404);
    let elsewhere = [
        ("GET", format!("/v1/domains/{own}")),
        ("PATCH", format!("/v1/domains/{own}")),
        ("DELETE", format!("/v1/domains/{own}")),
        ("GET", format!("/v1/domains/{own}/checks")),
        ("GET", format!("/v1/domains/{own}/events")),
        ("GET", links.clone()),
        ("POST", links.clone()),
        ("GET", "/v1/domains".to_owned()),
        ("GET", "/v1/domains/by-name/example.test".to_owned()),
        ("GET", "/v1/clients".to_owned()),
        ("GET", "/v1/tiers".to_owned()),
    ];
    for (method, path) in elsewhere {
        let answer = call(method, path.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (403, "forbidden"), "{method} {path}");
    }
    let keyed = [("authorization", format!("Bearer {token}"))];
    let request = axum::http::Request::post(format!("/v1/domains/{own}/verify"))
        .header(keyed[0].0, &keyed[0].1)
        .header("idempotency-key", "one");
    let verified = house.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(verified.status, 202, "a link has no key to keep answers under: {}", verified.text);
}

#[tokio::test]
async fn a_link_ends() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let domain = house.domain(client, "example.test").await;
    let (links, records) = (format!("/v1/domains/{domain}/setup-links"), format!("/v1/domains/{domain}/records"));
    let make = async |body: Value| house.operator("POST", &links, Some(body)).await;
    let opens = async |token: &str| house.call("GET", &records, Some(token), None).await.status.as_u16();

    let short = make(json!({"expires_in": 60})).await;
    let token = token_of(&short.json());
    assert_eq!(short.json()["expires_at"], "2027-01-15T08:01:00Z");
    house.hand.advance(Duration::from_secs(59));
    assert_eq!(opens(&token).await, 200);
    house.hand.advance(Duration::from_secs(1));
    assert_eq!(opens(&token).await, 401, "at its end, though it was known a second ago");

    let made = make(json!({})).await;
    let (token, place) = (token_of(&made.json()), made.header("location").to_owned());
    assert_eq!(made.json()["expires_at"], "2027-01-22T08:01:00Z", "seven days");
    assert_eq!(opens(&token).await, 200);
    assert_eq!(house.operator("GET", &place, None).await.json()["revoked_at"], Value::Null);
    assert_eq!(house.operator("DELETE", &place, None).await.status, 204);
    assert_eq!(opens(&token).await, 401, "revoked");
    let again = house.operator("DELETE", &place, None).await;
    assert_eq!((again.status.as_u16(), again.problem().as_str()), (404, "no-such-setup-link"));
    let listed = house.operator("GET", &links, None).await;
    assert_eq!(listed.json()["data"].as_array().unwrap().len(), 2);
    assert!(!listed.text.contains("srl_"), "a token is shown once");

    let last = token_of(&make(json!({"expires_in": 30 * 24 * 3_600})).await.json());
    assert_eq!(house.operator("DELETE", &format!("/v1/domains/{domain}"), None).await.status, 204);
    assert_eq!(opens(&last).await, 404, "a deleted domain has no records");
}

#[tokio::test]
async fn a_bad_time_is_refused_and_a_repeat_hides_the_token() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let domain = house.domain(client, "example.test").await;
    let links = format!("/v1/domains/{domain}/setup-links");
    for expires_in in [json!(0), json!(-1), json!(2_592_001), json!("7d"), json!(1.5)] {
        let refused = house.operator("POST", &links, Some(json!({"expires_in": expires_in}))).await;
        assert_eq!(
            (refused.status.as_u16(), refused.pointers()),
            (422, vec!["/expires_in".to_owned()]),
            "{expires_in}"
        );
    }
    let unknown = house.operator("POST", &links, Some(json!({"expires": 5}))).await;
    assert_eq!(unknown.status, 422);
    let once = [("idempotency-key", "one"), ("content-type", "application/json")];
    let first = house.with("POST", &links, &once, "{}").await;
    let again = house.with("POST", &links, &once, "{}").await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!((&first.json()["id"], again.json().get("url")), (&again.json()["id"], None), "{}", again.text);
    assert_eq!(house.operator("GET", &links, None).await.json()["data"].as_array().unwrap().len(), 1);
}
