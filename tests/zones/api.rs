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
    // `manual` without a DKIM selector is refused by the contract, so the one zone without any is not registered.
    for fixture in fixtures().iter().filter(|fixture| !fixture.line.expect.dkim.is_empty()) {
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
