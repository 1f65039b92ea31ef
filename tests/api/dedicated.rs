//! Dedicated addresses over HTTP: what is taken, what is refused and why, and what a smaller tier asks to remove.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::house::{Answer, House};

async fn put(house: &House, client: Uuid, ips: Value) -> Answer {
    house.operator("PUT", &format!("/v1/clients/{client}/dedicated-ips"), Some(json!({"ips": ips}))).await
}

#[tokio::test]
async fn addresses_are_kept_in_one_form_and_counted() {
    let house = House::new().await;
    let client = house.client("dominance").await;
    let domain = house.domain(client, "own.example.com").await;
    let answer = put(&house, client, json!([" 2001:DB8:0::10 ", "::ffff:192.0.2.10"])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["dedicated_ips"], json!(["192.0.2.10", "2001:db8::10"]));
    let client_path = format!("/v1/clients/{client}");
    assert_eq!(house.operator("GET", &client_path, None).await.json(), answer.json());
    let allocation = house.operator("GET", &format!("{client_path}/allocation"), None).await.json();
    assert_eq!(allocation["dedicated_ips"], json!({"used": 2, "limit": 2}));
    let records = house.operator("GET", &format!("/v1/domains/{domain}/records"), None).await.json();
    let value = records["records"][0]["value"].as_str().unwrap().to_owned();
    assert_eq!(value, "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all", "required at once");
    let emptied = put(&house, client, json!([])).await;
    assert_eq!(emptied.json()["dedicated_ips"], json!([]));
}

#[tokio::test]
async fn a_refusal_names_the_address_and_the_rule() {
    let house = House::new().await;
    let (client, other) = (house.client("velocity").await, house.client("dominance").await);
    assert_eq!(put(&house, other, json!(["192.0.2.10", "192.0.2.11"])).await.status, 200);
    for (ips, pointer, rule) in [
        (json!(["10.0.0.1"]), "/ips/0", "private use (RFC 1918"),
        (json!(["192.0.2.1", "::1"]), "/ips/1", "loopback"),
        (json!(["192.0.2.1", "192.0.2.1"]), "/ips/1", "twice"),
        (json!(["192.0.2.0/24"]), "/ips/0", "without a prefix length"),
        (json!(["224.0.0.1"]), "/ips/0", "multicast"),
        (json!(["192.0.2.11"]), "/ips/0", "another client has this address"),
        (json!(null), "/ips", "is needed"),
    ] {
        let answer = put(&house, client, ips).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, "invalid"), "{}", answer.text);
        assert_eq!(answer.pointers(), [pointer], "{}", answer.text);
        assert!(answer.text.contains(rule), "{rule}: {}", answer.text);
        assert!(!answer.text.contains(&other.to_string()), "whose it is, is not told: {}", answer.text);
    }
    let beyond = put(&house, client, json!(["192.0.2.1", "192.0.2.2"])).await;
    assert_eq!((beyond.status.as_u16(), beyond.problem().as_str()), (409, "allocation-exceeded"));
    assert!(beyond.text.contains("allows 1 dedicated address, and 2 were given"), "{}", beyond.text);
    let stands = house.operator("GET", &format!("/v1/clients/{client}"), None).await.json();
    assert_eq!(stands["dedicated_ips"], json!([]), "nothing of it");
}

#[tokio::test]
async fn a_smaller_tier_says_all_that_must_go() {
    let house = House::new().await;
    let client = house.client("dominance").await;
    assert_eq!(put(&house, client, json!(["192.0.2.10", "192.0.2.11"])).await.status, 200);
    let mut domain = Uuid::nil();
    for number in 0..3 {
        domain = house.domain(client, &format!("d{number}.example.com")).await;
    }
    for number in 0..5 {
        house.mailbox(domain, &format!("box{number}@d2.example.com")).await;
    }
    let path = format!("/v1/clients/{client}");
    let down = house.operator("PATCH", &path, Some(json!({"tier": "ignition"}))).await;
    assert_eq!((down.status.as_u16(), down.problem().as_str()), (409, "allocation-exceeded"));
    let detail = "the tier ignition allows 2 domains, and 3 are in use: remove 1; 3 mailboxes, and 5 are in use: remove 2; \
        1 dedicated address, and 2 are in use: remove 1";
    assert_eq!(down.json()["detail"], detail);
    let less = house.operator("PATCH", &path, Some(json!({"tier": "velocity"}))).await;
    assert!(less.text.contains("allows 1 dedicated address, and 2 are in use: remove 1"), "{}", less.text);
    assert_eq!(put(&house, client, json!(["192.0.2.11"])).await.status, 200);
    assert_eq!(house.operator("PATCH", &path, Some(json!({"tier": "velocity"}))).await.status, 200);
}
