//! The zones through the API: registered by HTTP, checked by the service's own worker step, read by HTTP.

use sendready::dns::zone_text::ZoneText;
use sendready::service::checks::Due;
use sendready::verify::expectation::DkimKey;
use serde_json::{Value, json};

use crate::api::house::House;
use crate::zones::{Fixture, fixtures, timeless};

/// The body that registers a fixture's domain with what is expected of it.
fn registration(fixture: &Fixture, client_id: uuid::Uuid) -> Value {
    let expectation = fixture.expected().of(fixture.domain());
    let dkim: Vec<Value> = expectation
        .dkim
        .iter()
        .map(|dkim| {
            let selector = dkim.selector.to_string();
            match &dkim.key {
                DkimKey::Any => json!({"selector": selector}),
                DkimKey::Key(key) => json!({"selector": selector, "public_key": key.to_record_value()}),
                DkimKey::Cname(target) => json!({"selector": selector, "cname": target.to_string()}),
            }
        })
        .collect();
    let mx: Vec<Value> =
        expectation.mx.iter().map(|mx| json!({"host": mx.host.to_string(), "preference": mx.preference})).collect();
    let includes: Vec<String> = expectation.spf.includes.iter().map(ToString::to_string).collect();
    json!({
        "client_id": client_id, "domain": fixture.line.domain, "provider": "manual",
        "spf": {"includes": includes, "ips": expectation.spf.addresses}, "dkim": dkim, "mx": mx,
    })
}

#[tokio::test]
async fn every_zone_gives_its_report() {
    let house = House::new().await;
    let mut count = 0;
    // `manual` without a DKIM selector is refused by the contract, and so is a selector that leaves no room for the domain:
    // these two zones are not registered.
    let is_registered = |fixture: &&Fixture| !fixture.line.expect.dkim.is_empty() && fixture.name != "dkim-long-name";
    for fixture in fixtures().iter().filter(is_registered) {
        let resolver: ZoneText = fixture.zone.parse().unwrap_or_else(|fault| panic!("{}: {fault}", fixture.name));
        let client = house.client("ignition").await;
        let answer = house.operator("POST", "/v1/domains", Some(registration(fixture, client))).await;
        assert_eq!(answer.status, 201, "{}: {}", fixture.name, answer.text);
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        let claims = house.service.due(Due::Any, 1).await.expect("the database answers");
        let [claim] = claims.as_slice() else { panic!("{}: a new domain is due at once", fixture.name) };
        let examined = house.service.run(&resolver, claim).await.expect("a check");
        house.service.settle(claim, &examined).await.expect("the database answers");
        let document = house.operator("GET", &format!("/v1/domains/{id}/records"), None).await.json();
        for flag in ["spf_valid", "dkim_valid", "dmarc_valid", "mx_valid", "dns_configured"] {
            assert_eq!(document[flag], fixture.report()[flag], "{}: {flag}", fixture.name);
        }
        assert_eq!(timeless(document), fixture.report(), "{}", fixture.name);
        // The name is free for the next fixture only under another client's domain; so this one goes.
        rename(&house, &id).await;
        count += 1;
    }
    assert!(count >= 25, "only {count} zones went through the API");
}

/// The findings of the codes that no `check` line can bring about, for only the API requires a policy and reports.
#[tokio::test]
async fn what_only_the_api_can_require() {
    let house = House::new().await;
    let client = house.client("ignition").await;
    let body = json!({
        "client_id": client, "domain": "example.test", "provider": "manual", "dkim": [{"selector": "s1"}],
        "dmarc": {"policy": "reject", "rua": ["mailto:reports@example.test"]},
    });
    let answer = house.operator("POST", "/v1/domains", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let zone =
        "example.test. SOA ns h 1 1 1 1 60\n_dmarc.example.test. TXT \"v=DMARC1; p=none; rua=mailto:a@example.test\"";
    assert_eq!(house.check_all(zone).await, 1);
    let document = house.operator("GET", &format!("/v1/domains/{id}/records"), None).await.json();
    let records = document["records"].as_array().expect("records");
    let dmarc = records.iter().find(|record| record["purpose"] == "dmarc").expect("a DMARC record");
    assert_eq!((dmarc["verdict"].as_str(), dmarc["action"].as_str()), (Some("mismatch"), Some("replace")));
    let value = "v=DMARC1; p=reject; rua=mailto:a@example.test,mailto:reports@example.test";
    assert_eq!(dmarc["value"], value, "what is there is kept");
    for code in ["dmarc.too-weak", "dmarc.reports-missing"] {
        let findings = dmarc["findings"].as_array().expect("findings");
        let finding = findings.iter().find(|finding| finding["code"] == code);
        let finding = finding.unwrap_or_else(|| panic!("no {code} in {findings:?}"));
        assert_eq!(finding["severity"], "error", "{code}");
        assert!(finding["fix"].as_str().is_some_and(|fix| fix.contains(value)), "{code}: {finding}");
    }
}

/// Gives the domain's row another name: fixtures share names, and a name belongs to one client for ever.
async fn rename(house: &House, id: &str) {
    let url = format!("sqlite:{}", house.folder.path().join("test.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("the database");
    let id: uuid::Uuid = id.parse().expect("an id");
    sqlx::query("UPDATE email_domains SET domain = $1, deleted_at = created_at WHERE id = $2")
        .bind(format!("used-{id}.test"))
        .bind(id)
        .execute(&pool)
        .await
        .expect("the row is there");
    pool.close().await;
}
