//! The story that onboarding lives: register, look, publish, see it turn valid, look again for nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::house::House;

/// A key that is sound: 2048 bits.
const KEY: &str = include_str!("../../fixtures/keys/rsa-2048.b64");

/// Everything as required. The mail host's address is outside the networks that nobody can reach.
fn zone() -> String {
    let (first, second) = KEY.trim().split_at(200);
    format!(
        "$ORIGIN xn--bcher-kva.example.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\n\
         @ TXT \"v=spf1 ip4:11.0.0.25 -all\"\n@ MX 10 mx1\nmx1 A 11.0.0.25\n_dmarc TXT \"v=DMARC1; p=reject\"\n\
         s1._domainkey TXT ( \"v=DKIM1; k=rsa; p={first}\" \"{second}\" )\n"
    )
}

#[tokio::test]
async fn from_registration_to_verified() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let body = json!({"client_id": client, "domain": "Bücher.example.", "provider": "manual",
        "dkim": [{"selector": "s1", "public_key": KEY.trim()}], "spf": {"ips": ["11.0.0.25"]},
        "dmarc": {"policy": "none"}, "mx": [{"host": "mx1.bücher.example", "preference": 10}], "infraforge_domain_id": "if-1"});
    let registered = house.operator("POST", "/v1/domains", Some(body)).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    let domain = registered.json();
    let id = domain["id"].as_str().unwrap();
    let path = format!("/v1/domains/{id}");
    assert_eq!(registered.header("location"), path);
    assert_eq!(
        (&domain["domain"], &domain["domain_unicode"]),
        (&json!("xn--bcher-kva.example"), &json!("bücher.example"))
    );
    assert_eq!((&domain["status"], &domain["infraforge_domain_id"]), (&json!("pending"), &json!("if-1")));
    assert_eq!(domain["daily_send_limit"], 50, "the seed's default");
    let verdicts = |document: &Value| -> Vec<(String, String)> {
        let records = document["records"].as_array().unwrap();
        let word = |record: &Value, name: &str| record[name].as_str().unwrap().to_owned();
        records.iter().map(|record| (word(record, "purpose"), word(record, "verdict"))).collect()
    };
    let all =
        |verdict: &str| ["spf", "dkim", "dmarc", "mx"].map(|purpose| (purpose.to_owned(), verdict.to_owned())).to_vec();
    assert_eq!(verdicts(&domain), all("unchecked"));

    let records = format!("{path}/records");
    let before = house.operator("GET", &records, None).await;
    assert_eq!(before.json()["checked_at"], Value::Null);
    assert_eq!(before.json()["dns_configured"], false);
    assert!(before.json()["poll_after_seconds"].as_u64().unwrap() >= 1);
    assert_eq!(house.check_all(&zone()).await, 1);
    let after = house.operator("GET", &records, None).await;
    let document = after.json();
    assert_eq!(verdicts(&document), all("valid"), "{document:#}");
    assert_eq!((&document["dns_configured"], &document["status"]), (&json!(true), &json!("active")));
    assert_eq!(document["records"][1]["host"], "s1._domainkey");
    assert_ne!(before.header("etag"), after.header("etag"));

    let known = [("if-none-match", after.header("etag"))];
    let unchanged = house.with("GET", &records, &known, "").await;
    assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""));
    assert_eq!(unchanged.header("etag"), after.header("etag"));
    // Past the longest that jitter makes of the interval: 12 h and a tenth.
    house.hand.advance(Duration::from_secs(14 * 3_600));
    assert_eq!(house.check_all(&zone()).await, 1);
    let later = house.with("GET", &records, &known, "").await;
    assert_eq!(later.status, 304, "only times have moved: {}", later.text);
    assert_eq!(house.with("GET", &records, &[("if-none-match", before.header("etag"))], "").await.status, 200);

    let checks = house.operator("GET", &format!("{path}/checks"), None).await.json();
    assert_eq!(checks["data"][1]["reason"], "created");
    assert_eq!(checks["data"][0]["reason"], "schedule");
    let check = checks["data"][1]["id"].as_str().unwrap();
    let check = house.operator("GET", &format!("{path}/checks/{check}"), None).await;
    assert_eq!(check.status, 200, "{}", check.text);
    assert!(check.json()["evidence"].to_string().contains("v=DMARC1; p=reject"), "{}", check.text);
    let events = house.operator("GET", &format!("{path}/events"), None).await.json();
    let kinds: Vec<&str> =
        events["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"domain.verified"), "{kinds:?}");

    let by_name = house.operator("GET", "/v1/domains/by-name/B%C3%BCcher.example.", None).await;
    assert_eq!(by_name.json()["id"], id);
    assert_eq!(house.operator("DELETE", &path, None).await.status, 204);
    assert_eq!(house.operator("DELETE", &path, None).await.problem(), "no-such-domain");
    let deleted = house.operator("GET", &path, None).await.json();
    assert_eq!((&deleted["status"], deleted["deleted_at"].is_string()), (&json!("deleted"), true));
}

#[tokio::test]
async fn a_domain_shows_every_column_of_the_seed() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let id = house.domain(client, "example.com").await;
    let domain = house.operator("GET", &format!("/v1/domains/{id}"), None).await.json();
    let columns = [
        "id",
        "client_id",
        "domain",
        "provider",
        "dns_configured",
        "spf_valid",
        "dkim_valid",
        "dmarc_valid",
        "domain_age_days",
        "reputation_score",
        "daily_send_limit",
        "current_daily_sends",
        "status",
        "infraforge_domain_id",
        "smartlead_domain_id",
        "created_at",
        "updated_at",
        "deleted_at",
        "mx_valid",
        "last_checked_at",
        "last_success_at",
        "next_check_at",
        "degraded_since",
        "suspends_at",
        "suspended_reason",
        "ownership",
    ];
    for column in columns {
        assert!(domain.get(column).is_some(), "{column} is missing");
    }
    assert!(domain.get("domain_unicode").is_none(), "it does not differ");
}

#[tokio::test]
async fn the_seed_s_tables_are_told() {
    let house = House::new().await;
    let tiers = house.operator("GET", "/v1/tiers", None).await.json();
    assert_eq!(tiers["data"][0], json!({"name": "ignition", "domains": 2, "mailboxes": 3, "dedicated_ips": 1}));
    assert_eq!(tiers["data"][2], json!({"name": "dominance", "domains": 5, "mailboxes": 11, "dedicated_ips": 2}));
    let schedule = house.operator("GET", "/v1/warmup-schedule", None).await.json();
    assert_eq!(schedule["data"][0], json!({"from_day": 1, "to_day": 5, "daily_limit": 10, "cumulative": 50}));
    assert_eq!(schedule["data"][6], json!({"from_day": 31, "to_day": null, "daily_limit": 75, "cumulative": null}));
}

#[tokio::test]
async fn a_change_of_provider_ids_and_an_operators_word() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let path = format!("/v1/domains/{}", house.domain(client, "example.com").await);
    let change = async |body: Value| house.operator("PATCH", &path, Some(body)).await.json();
    assert_eq!(change(json!({"smartlead_domain_id": "sl-1"})).await["smartlead_domain_id"], "sl-1");
    assert_eq!(change(json!({})).await["smartlead_domain_id"], "sl-1", "what is left out stays");
    assert_eq!(change(json!({"smartlead_domain_id": null})).await["smartlead_domain_id"], Value::Null, "null clears");
    let suspended = change(json!({"status": "suspended"})).await;
    assert_eq!((&suspended["status"], &suspended["suspended_reason"]), (&json!("suspended"), &json!("operator")));
    assert_eq!(change(json!({"status": "active"})).await["status"], "pending", "never verified");
    assert_eq!(change(json!({"dkim": [{"selector": "s2"}], "bind": true})).await["status"], "pending");
    let records = house.operator("GET", &format!("{path}/records"), None).await.json();
    let hosts: Vec<&str> = records["records"].as_array().unwrap().iter().map(|r| r["host"].as_str().unwrap()).collect();
    assert!(hosts.contains(&"s2._domainkey") && !hosts.contains(&"s1._domainkey"), "{hosts:?}");
}
