//! What a program that polls sees of requirements that do not bind yet.

use std::time::Duration;

use sendready::service::Role;
use serde_json::{Value, json};

use crate::api::house::{Answer, House};

const KEYS: [&str; 2] = [
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "v=DKIM1; k=ed25519; p=PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
];

fn zone(spf: &str, key: &str) -> String {
    format!(
        "$ORIGIN example.com.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\n\
         @ TXT \"v=spf1 {spf} -all\"\n@ MX 10 mx1\nmx1 A 11.0.0.25\n_dmarc TXT \"v=DMARC1; p=reject\"\n\
         s1._domainkey TXT \"{key}\"\n"
    )
}

/// `purpose verdict action` of each record, `+` before what is staged.
fn shown(document: &Value) -> Vec<String> {
    let each = document["records"].as_array().unwrap().iter().map(|record| {
        let word = |name: &str| record[name].as_str().unwrap().to_owned();
        assert_eq!(record["valid"], word("verdict") == "valid");
        let staged = if record["staged"] == true { "+" } else { "" };
        format!("{staged}{} {} {}", word("purpose"), word("verdict"), word("action"))
    });
    each.collect()
}

#[tokio::test]
async fn staged_entries_beside_those_that_bind() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let body = json!({"client_id": client, "domain": "example.com", "provider": "manual",
        "dkim": [{"selector": "s1", "public_key": KEYS[0]}], "spf": {"ips": ["11.0.0.25"]}});
    let id = house.operator("POST", "/v1/domains", Some(body)).await.json()["id"].as_str().unwrap().to_owned();
    let (path, records) = (format!("/v1/domains/{id}"), format!("/v1/domains/{id}/records"));
    assert_eq!(house.check_all(&zone("ip4:11.0.0.25", KEYS[0])).await, 1);
    let verified = house.operator("GET", &records, None).await;
    let binding = ["spf valid keep", "dkim valid keep", "dmarc valid keep", "mx valid keep"];
    assert_eq!(shown(&verified.json()), binding);

    let (_, key) = house.key(Role::Client, Some(client)).await;
    let change =
        json!({"dkim": [{"selector": "s1", "public_key": KEYS[1]}], "spf": {"ips": ["11.0.0.25", "11.0.0.77"]}});
    let bind = json!({"dkim": change["dkim"], "bind": true});
    let refused = house.call("PATCH", &path, Some(&key), Some(bind)).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (403, "forbidden"));
    assert_eq!(house.operator("GET", &records, None).await.header("etag"), verified.header("etag"), "nothing of it");
    let changed = house.call("PATCH", &path, Some(&key), Some(change)).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["dns_configured"]), (200, &json!(true)), "{}", changed.text);

    // Each is shown at once, by what is known; one `value` for one name.
    let staged = house.operator("GET", &records, None).await;
    let document = staged.json();
    let waiting = [
        "spf valid keep",
        "+spf mismatch replace",
        "dkim valid keep",
        "+dkim mismatch replace",
        "dmarc valid keep",
        "mx valid keep",
    ];
    assert_eq!(shown(&document), waiting);
    assert_eq!(document["records"][1]["value"], "v=spf1 ip4:11.0.0.77 ip4:11.0.0.25 -all");
    assert_eq!(document["spf"]["suggested_record"], document["records"][1]["value"]);
    assert_eq!((&document["dns_configured"], &document["status"]), (&json!(true), &json!("active")));
    assert!(document["poll_after_seconds"].as_u64().unwrap() <= 17, "there is work left: {document:#}");
    house.hand.advance(Duration::from_secs(16));
    assert_eq!(house.check_all(&zone("ip4:11.0.0.25", KEYS[0])).await, 1);
    let again = house.operator("GET", &records, None).await;
    assert_eq!(shown(&again.json()), waiting);
    assert!(again.json()["dkim_valid"] == true && again.json()["spf_valid"] == true);

    // Nothing has moved by another look, of either entry of a name.
    let changed_at = |answer: &Answer| -> Vec<Value> {
        answer.json()["records"].as_array().unwrap().iter().map(|record| record["changed_at"].clone()).collect()
    };
    house.hand.advance(Duration::from_secs(16));
    assert_eq!(house.check_all(&zone("ip4:11.0.0.25", KEYS[0])).await, 1);
    let same = house.operator("GET", &records, None).await;
    assert_eq!((same.header("etag"), changed_at(&same)), (again.header("etag"), changed_at(&again)));

    // A staged verdict is news to whoever polls, before it binds and when it does.
    house.hand.advance(Duration::from_secs(16));
    assert_eq!(house.check_all(&zone("ip4:11.0.0.25 ip4:11.0.0.77", KEYS[1])).await, 1);
    let bound = house.operator("GET", &records, None).await;
    assert_eq!(shown(&bound.json()), binding);
    assert_ne!(bound.header("etag"), again.header("etag"));
    let checks = house.operator("GET", &format!("{path}/checks"), None).await.json();
    let names: Vec<&Value> =
        checks["data"][0]["changes"]["bound"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["example.com", "s1._domainkey.example.com"]);
}
