//! Odd but plausible requests: what people and their libraries send without meaning harm. Each is taken for what it means, or
//! refused with the rule that it breaks.

use axum::body::Body;
use serde_json::{Value, json};

use crate::api::house::House;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_body_that_is_packed_or_in_another_encoding_is_told_so() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let domain = house.domain(client, "example.com").await;
    let body = r#"{"name": "Example", "tier": "velocity"}"#;
    let post = async |path: &str, coding: &str, body: &[u8]| {
        house.with("POST", path, &[JSON, ("content-encoding", coding)], Body::from(body.to_vec())).await
    };
    let plain = post("/v1/clients", "identity", body.as_bytes()).await;
    assert_eq!(plain.status, 201, "{}", plain.text);
    // Of each way to read a body: needed, left out if one likes, and empty.
    let (links, verify) = (format!("/v1/domains/{domain}/setup-links"), format!("/v1/domains/{domain}/verify"));
    for (path, octets) in [("/v1/clients", body), (&links, "{}"), (&verify, "{}")] {
        let packed = post(path, "gzip", octets.as_bytes()).await;
        assert_eq!((packed.status.as_u16(), packed.problem().as_str()), (415, "unsupported-media-type"), "{path}");
        assert!(packed.text.contains("Content-Encoding"), "{path}: {}", packed.text);
    }
    let nothing = post(&verify, "gzip", b"").await;
    assert_eq!(nothing.status, 202, "nothing is packed: {}", nothing.text);

    let marked = [b"\xef\xbb\xbf", body.as_bytes()].concat();
    assert_eq!(house.with("POST", "/v1/clients", &[JSON], Body::from(marked)).await.status, 201, "a mark before UTF-8");
    let wide = |encode: fn(u16) -> [u8; 2]| body.encode_utf16().flat_map(encode).collect::<Vec<u8>>();
    for octets in
        [wide(u16::to_le_bytes), wide(u16::to_be_bytes), [&[0xff, 0xfe][..], &wide(u16::to_le_bytes)].concat()]
    {
        let answer = house.with("POST", "/v1/clients", &[JSON], Body::from(octets)).await;
        assert_eq!(answer.problem(), "bad-json");
        assert!(answer.text.contains("UTF-8 (RFC 8259"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_field_where_none_is_known_is_told_so() {
    let house = House::new().await;
    let answer = house.operator("POST", "/v1/breaker/accept", Some(json!({"because": "x"}))).await;
    assert_eq!(answer.json()["errors"], json!([{"pointer": "/because", "detail": "is not known here; no field is"}]));
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let domain = house.domain(client, "example.com").await;
    let path = format!("/v1/domains/{domain}");
    let limit = async |text: &str| {
        let body = format!("{{\"daily_send_limit\": {text}}}");
        let answer = house.with("PATCH", &path, &[JSON], body).await;
        (answer.status.as_u16(), answer.json())
    };
    for (text, expected) in [("7.0", 7), ("1e1", 10), ("-0.0", 0), ("12", 12)] {
        let (status, body) = limit(text).await;
        assert_eq!((status, &body["daily_send_limit"]), (200, &json!(expected)), "{text}");
    }
    for text in ["1.5", "-1", "1e18", "4294967296", "\"7\"", "true"] {
        let (status, body) = limit(text).await;
        let fault = &body["errors"][0];
        assert_eq!((status, &fault["pointer"]), (422, &json!("/daily_send_limit")), "{text}");
        assert_eq!(fault["detail"], "must be a whole number from 0 to 1000000", "{text}");
    }
    let links = format!("{path}/setup-links");
    assert_eq!(house.operator("POST", &links, Some(json!({"expires_in": 60.0}))).await.status, 201);
    for seconds in [json!(0), json!(0.5), json!(2_592_001)] {
        let answer = house.operator("POST", &links, Some(json!({"expires_in": seconds}))).await;
        assert_eq!((answer.status.as_u16(), answer.pointers()), (422, vec!["/expires_in".to_owned()]), "{seconds}");
    }
}

#[tokio::test]
async fn addresses_that_send_no_mail_are_refused_in_spf_too() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let path = format!("/v1/domains/{}", house.domain(client, "example.com").await);
    let with = async |ips: Value| house.operator("PATCH", &path, Some(json!({"spf": {"ips": ips}}))).await;
    for (ips, pointer, rule) in [
        (json!(["0.0.0.0"]), "/spf/ips/0", "the unspecified address"),
        (json!(["11.0.0.25", "127.0.0.1"]), "/spf/ips/1", "a loopback address"),
        (json!(["10.0.0.1"]), "/spf/ips/0", "private use (RFC 1918"),
        (json!(["ff02::1"]), "/spf/ips/0", "a multicast address"),
        (json!(["255.255.255.255"]), "/spf/ips/0", "special purpose"),
        (json!(["192.0.2.1", "::ffff:192.0.2.1"]), "/spf/ips/1", "stands here twice"),
    ] {
        let answer = with(ips.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.pointers()), (422, vec![pointer.to_owned()]), "{ips}");
        assert!(answer.text.contains(rule), "{ips}: {}", answer.text);
    }
    assert_eq!(with(json!(["::ffff:192.0.2.1"])).await.status, 200);
    let records = house.operator("GET", &format!("{path}/records"), None).await;
    assert_eq!(records.json()["records"][0]["value"], "v=spf1 ip4:192.0.2.1 ~all", "as it connects");
}

#[tokio::test]
async fn a_type_of_events_twice_is_no_other() {
    let house = House::new().await;
    let body = |events: Value| json!({"url": "https://hooks.example.com/", "events": events});
    let twice = json!(["domain.verified", "domain.at_risk", "domain.verified"]);
    let refused = house.operator("POST", "/v1/webhook-endpoints", Some(body(twice.clone()))).await;
    assert_eq!((refused.status.as_u16(), refused.pointers()), (422, vec!["/events/2".to_owned()]));
    let made = house.operator("POST", "/v1/webhook-endpoints", Some(body(json!(["domain.verified"])))).await.json();
    let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
    let refused = house.operator("PATCH", &path, Some(json!({"events": twice}))).await;
    assert_eq!((refused.status.as_u16(), refused.pointers()), (422, vec!["/events/2".to_owned()]));
}

#[tokio::test]
async fn a_plus_in_a_query_is_told_how_to_be_written() {
    let house = House::new().await;
    let since = async |text: &str| house.operator("GET", &format!("/v1/audit?since={text}"), None).await;
    assert_eq!(since("2026-01-31T12:00:00%2B01:00").await.status, 200);
    let answer = since("2026-01-31T12:00:00+01:00").await;
    assert_eq!((answer.problem(), answer.pointers()), ("bad-query".to_owned(), vec!["/since".to_owned()]));
    assert!(answer.text.contains("`%2B`"), "{}", answer.text);
    assert!(!since("yesterday").await.text.contains("`%2B`"), "where there is none");
}

#[tokio::test]
async fn another_webhook_is_no_repeat_though_its_idempotency_key_is_the_same() {
    let house = House::new().await;
    let post = async |ids: &[&str]| {
        let mut headers = vec![JSON, ("idempotency-key", "k")];
        headers.extend(ids.iter().map(|id| ("webhook-id", *id)));
        house.with("POST", "/v1/webhooks/dns-changes", &headers, r#"{"domain": "example.com"}"#).await
    };
    assert_eq!(post(&["a"]).await.status, 202);
    let again = post(&["a"]).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
    for other in [&["b"][..], &[], &["a", "a"], &["no id"]] {
        let answer = post(other).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, "idempotency-key-reused"), "{other:?}");
    }
}
