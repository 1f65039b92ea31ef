//! Whose a domain is: proofs, takeovers and transfers, as clients and operators see them.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use sendready::service::Role;
use sendready::service::abandoned::Looked;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use crate::api::house::{Answer, House};

/// A key that is sound: 2048 bits.
const KEY: &str = include_str!("../../fixtures/keys/rsa-2048.b64");

/// Everything that mail needs, and these texts as proofs.
fn zone(proofs: &[&str]) -> String {
    let (first, second) = KEY.trim().split_at(200);
    let proofs: String = proofs.iter().map(|proof| format!("_sendready-challenge TXT \"{proof}\"\n")).collect();
    format!(
        "$ORIGIN example.test.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\n\
         @ TXT \"v=spf1 ip4:11.0.0.25 -all\"\n@ MX 10 mx1\nmx1 A 11.0.0.25\n_dmarc TXT \"v=DMARC1; p=reject\"\n\
         s1._domainkey TXT ( \"v=DKIM1; k=rsa; p={first}\" \"{second}\" )\n\
         s2._domainkey TXT ( \"v=DKIM1; k=rsa; p={first}\" \"{second}\" )\n{proofs}"
    )
}

/// A house with two clients, each with a key.
struct Town {
    house: House,
    holder: (Uuid, String),
    other: (Uuid, String),
}

impl Town {
    async fn new() -> Town {
        let house = House::new().await;
        let mut clients = Vec::new();
        for _ in 0..2 {
            let id = house.client("velocity").await;
            clients.push((id, house.key(Role::Client, Some(id)).await.1));
        }
        let other = clients.pop().unwrap();
        Town { house, holder: clients.pop().unwrap(), other }
    }

    async fn register(&self, key: &str, selector: &str) -> Answer {
        let body = json!({"domain": "example.test", "provider": "manual", "dkim": [{"selector": selector}]});
        self.house.call("POST", "/v1/domains", Some(key), Some(body)).await
    }

    /// The holder's domain; its path and its proof.
    async fn held(&self) -> (String, String) {
        let answer = self.register(&self.holder.1, "s1").await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let domain = answer.json();
        assert_eq!(domain["ownership"]["name"], "_sendready-challenge.example.test");
        assert_eq!(domain["ownership"]["verified"], false);
        let proof = domain["ownership"]["value"].as_str().unwrap().to_owned();
        assert!(proof.starts_with("sendready-verification=") && proof.len() == 23 + 43, "{proof}");
        (format!("/v1/domains/{}", domain["id"].as_str().unwrap()), proof)
    }

    /// The next check, against this zone.
    async fn check(&self, zone: &str) {
        self.house.hand.advance(Duration::from_secs(200));
        assert_eq!(self.house.check_all(zone).await, 1);
    }

    async fn get(&self, key: &str, path: &str) -> Answer {
        self.house.call("GET", path, Some(key), None).await
    }

    async fn operator(&self, path: &str) -> Value {
        self.house.operator("GET", path, None).await.json()
    }
}

#[tokio::test]
async fn a_client_proves_that_the_domain_is_its_own() {
    let town = Town::new().await;
    let (path, proof) = town.held().await;
    let records = format!("{path}/records");
    let unchecked = town.get(&town.holder.1, &records).await.json();
    assert_eq!(
        (&unchecked["ownership"]["verdict"], &unchecked["ownership"]["value"]),
        (&json!("unchecked"), &json!(proof))
    );
    town.check(&zone(&[])).await;
    let pending = town.get(&town.holder.1, &records).await;
    let document = pending.json();
    assert_eq!((&document["dns_configured"], &document["status"]), (&json!(true), &json!("pending")), "{document:#}");
    let own = &document["ownership"];
    assert_eq!(
        (&own["type"], &own["host"], &own["ttl"]),
        (&json!("TXT"), &json!("_sendready-challenge"), &json!(3600))
    );
    assert_eq!((&own["verdict"], &own["verified"]), (&json!("missing"), &json!(false)));
    assert_eq!(own["findings"][0]["code"], "ownership.missing");
    let fix = own["findings"][0]["fix"].as_str().unwrap();
    assert!(fix.contains("`_sendready-challenge`") && fix.contains(&proof), "{fix}");
    assert!(document["next_check_at"].is_string(), "it is looked at again, though all four are valid");

    town.check(&zone(&["sendready-verification=another", "unrelated"])).await;
    let own = town.get(&town.holder.1, &records).await.json()["ownership"].clone();
    assert_eq!((&own["verdict"], &own["findings"][0]["code"]), (&json!("mismatch"), &json!("ownership.mismatch")));
    assert_eq!(own["found"], json!(["sendready-verification=another", "unrelated"]));

    town.check(&zone(&["unrelated", &proof])).await;
    let proven = town.get(&town.holder.1, &records).await;
    assert_ne!(pending.header("etag"), proven.header("etag"));
    let document = proven.json();
    assert_eq!((&document["status"], &document["ownership"]["verified"]), (&json!("active"), &json!(true)));
    assert_eq!(document["ownership"]["findings"], json!([]));
    let events = town.get(&town.holder.1, &format!("{path}/events")).await.json();
    assert_eq!(events["data"][0]["type"], "domain.verified", "{events:#}");
    town.house.hand.advance(Duration::from_secs(13 * 3_600));
    town.check(&zone(&[])).await;
    let later = town.get(&town.holder.1, &records).await.json();
    assert_eq!((&later["status"], &later["ownership"]["verdict"]), (&json!("active"), &json!("valid")), "it may go");
    let domain = town.get(&town.holder.1, &path).await.json();
    assert_eq!(domain["ownership"]["verified"], true);
}

#[tokio::test]
async fn what_an_operator_registers_needs_no_proof() {
    let town = Town::new().await;
    let id = town.house.domain(town.holder.0, "example.test").await;
    let path = format!("/v1/domains/{id}");
    assert_eq!(town.operator(&path).await["ownership"], Value::Null);
    assert_eq!(town.operator(&format!("{path}/records")).await.get("ownership"), None);
    town.check(&zone(&[])).await;
    assert_eq!(town.operator(&path).await["status"], "active");
    let taken = town.register(&town.other.1, "s1").await;
    assert_eq!((taken.problem().as_str(), taken.json().get("ownership")), ("domain-taken", None), "{}", taken.text);
}

#[tokio::test]
async fn another_takes_an_unproven_name_over() {
    let town = Town::new().await;
    let (path, proof) = town.held().await;
    let body = json!({"email_address": "max@example.test"});
    let mailbox = town.house.operator("POST", &format!("{path}/mailboxes"), Some(body)).await.json();
    let mailbox = format!("/v1/mailboxes/{}", mailbox["id"].as_str().unwrap());
    let link = town.house.operator("POST", &format!("{path}/setup-links"), None).await.json();
    let token = link["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let (records, stream) = (format!("{path}/records"), format!("{path}/events/stream"));
    assert_eq!(town.get(&token, &records).await.status, 200);
    town.check(&zone(&[])).await;

    let refused = town.register(&town.other.1, "s2").await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (409, "domain-taken"));
    let challenge = refused.json()["ownership"].clone();
    assert_eq!(challenge["name"], "_sendready-challenge.example.test");
    let value = challenge["value"].as_str().unwrap().to_owned();
    assert_ne!(value, proof);
    let holder = town.holder.0.to_string();
    for secret in [&proof, &holder, path.rsplit('/').next().unwrap()] {
        assert!(!refused.text.contains(secret), "{secret} is told: {}", refused.text);
    }
    let again = town.register(&town.other.1, "s2").await.json();
    assert_eq!(again["ownership"]["value"], challenge["value"], "asked again, it is the same");
    let own = town.get(&town.holder.1, &records).await.json();
    assert!(!own.to_string().contains(&value), "the holder is not told who asks");

    // Whoever waits for the holder's domain learns that it is gone.
    let tag = town.get(&town.holder.1, &records).await.header("etag").to_owned();
    let wait = |key: &str| {
        let request = Request::get(format!("{records}?wait=30")).header("authorization", format!("Bearer {key}"));
        town.house.send(request.header("if-none-match", &tag).body(Body::empty()).unwrap())
    };
    let request = Request::get(&stream).header("authorization", format!("Bearer {}", town.holder.1));
    let streaming = town.house.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let published = zone(&[&value]);
    let (held, of_link, ()) = tokio::join!(wait(&town.holder.1), wait(&token), town.check(&published));
    assert_eq!((held.status.as_u16(), held.problem().as_str()), (404, "no-such-domain"));
    assert!([401, 404].contains(&of_link.status.as_u16()), "{}", of_link.text);
    to_bytes(streaming.into_body(), 1 << 20).await.expect("the stream ends");

    for what in [&path, &records, &mailbox, &format!("{path}/checks"), &format!("{path}/events")] {
        assert_eq!(town.get(&town.holder.1, what).await.status, 404, "{what}");
    }
    let domain = town.get(&town.other.1, &path).await.json();
    assert_eq!((&domain["status"], &domain["ownership"]["verified"]), (&json!("pending"), &json!(true)), "{domain:#}");
    assert_eq!(domain["ownership"]["value"], challenge["value"]);
    assert_eq!(town.get(&town.other.1, &mailbox).await.status, 200);
    let listed = |answer: Value| answer["data"].as_array().unwrap().clone();
    for history in ["checks", "events", "setup-links"] {
        let seen = listed(town.get(&town.other.1, &format!("{path}/{history}")).await.json());
        let seen: Vec<_> = seen.iter().filter(|one| one.get("revoked_at").is_none_or(Value::is_null)).collect();
        assert!(seen.is_empty(), "{history}: {seen:?}");
    }
    let checks = listed(town.operator(&format!("{path}/checks")).await);
    assert_eq!(checks.len(), 2, "operators see all");
    let check = format!("{path}/checks/{}", checks[0]["id"].as_str().unwrap());
    assert_eq!(town.get(&town.other.1, &check).await.problem(), "no-such-check");
    assert_eq!(town.house.operator("GET", &check, None).await.status, 200);
    let events = listed(town.operator(&format!("{path}/events")).await);
    assert_eq!(events[0]["type"], "domain.transferred", "{events:#?}");

    town.check(&zone(&[])).await;
    let document = town.get(&town.other.1, &records).await.json();
    assert_eq!(document["status"], "active", "{document:#}");
    assert_eq!(document["records"][1]["host"], "s2._domainkey", "as the new client asked for it");
    assert_eq!(listed(town.get(&town.other.1, &format!("{path}/checks")).await.json()).len(), 1);
    let back = town.register(&town.holder.1, "s1").await;
    assert_eq!((back.problem().as_str(), back.json().get("ownership")), ("domain-taken", None));
}

#[tokio::test]
async fn a_takeover_needs_room() {
    let town = Town::new().await;
    let (path, _) = town.held().await;
    for number in 0..3 {
        let name = format!("d{number}.test");
        town.house.domain(town.other.0, &name).await;
    }
    let refused = town.register(&town.other.1, "s1").await;
    let value = refused.json()["ownership"]["value"].as_str().unwrap().to_owned();
    town.house.check_all(&zone(&[&value])).await;
    assert_eq!(town.get(&town.holder.1, &path).await.status, 200, "nothing has moved");
    let refused = town.register(&town.other.1, "s1").await;
    assert_eq!(refused.problem(), "allocation-exceeded");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail, "the tier velocity allows 3 domains; 3 are in use, and 1 more would come with the domain");
}

/// Deleted and never proven, it is offered as one that lives, and comes to life as the claimant's.
#[tokio::test]
async fn a_deleted_name_without_proof_is_taken_over() {
    let town = Town::new().await;
    let (path, proof) = town.held().await;
    let body = json!({"email_address": "max@example.test"});
    let mailbox = town.house.operator("POST", &format!("{path}/mailboxes"), Some(body)).await.json();
    let mailbox = format!("/v1/mailboxes/{}", mailbox["id"].as_str().unwrap());
    assert_eq!(town.house.call("DELETE", &path, Some(&town.holder.1), None).await.status, 204);
    assert_eq!(town.house.look_for_claimants(&zone(&[])).await, [], "nobody asks for it");
    let refused = town.register(&town.other.1, "s2").await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (409, "domain-taken"));
    let value = refused.json()["ownership"]["value"].as_str().unwrap().to_owned();
    assert_ne!(value, proof);
    assert!(!refused.text.contains(&town.holder.0.to_string()), "{}", refused.text);

    // Neither nothing, nor the earlier holder's proof, nor a failure gives it to anybody.
    let failing = format!("{};@ servfail _sendready-challenge TXT\n", zone(&[]));
    for published in [zone(&[]), zone(&[&proof]), failing] {
        assert_eq!(town.house.look_for_claimants(&published).await, [Looked::Nobody]);
        assert_eq!(town.house.look_for_claimants(&published).await, [], "not again so soon");
        assert_eq!(town.operator(&path).await["status"], "deleted");
        town.house.hand.advance(Duration::from_secs(15));
        assert_eq!(town.register(&town.other.1, "s2").await.json()["ownership"]["value"], json!(value));
    }
    assert_eq!(town.house.check_all(&zone(&[&value])).await, 0, "what is deleted is not checked");
    assert_eq!(town.house.look_for_claimants(&zone(&[&proof, &value])).await, [Looked::TakenOver]);

    let domain = town.get(&town.other.1, &path).await.json();
    assert_eq!((&domain["status"], &domain["deleted_at"]), (&json!("pending"), &Value::Null), "{domain:#}");
    assert_eq!((&domain["ownership"]["verified"], &domain["ownership"]["value"]), (&json!(true), &json!(value)));
    let readiness = town.get(&town.other.1, &format!("{path}/readiness")).await.json();
    assert_eq!(readiness["may_send"], false, "{readiness:#}");
    assert_eq!(town.get(&town.other.1, &mailbox).await.status, 200, "its mailboxes come with it");
    for what in [&path, &mailbox, &format!("{path}/records")] {
        assert_eq!(town.get(&town.holder.1, what).await.status, 404, "{what}");
    }
    for history in ["checks", "events"] {
        assert_eq!(town.get(&town.other.1, &format!("{path}/{history}")).await.json()["data"], json!([]), "{history}");
    }
    assert_eq!(town.operator(&format!("{path}/events")).await["data"][0]["type"], "domain.transferred");
    town.check(&zone(&[])).await;
    assert_eq!(town.get(&town.other.1, &path).await.json()["status"], "active");
    let back = town.register(&town.holder.1, "s1").await;
    assert_eq!((back.problem().as_str(), back.json().get("ownership")), ("domain-taken", None), "it is proven");
}

#[tokio::test]
async fn an_operator_transfers_a_domain() {
    let town = Town::new().await;
    let (path, proof) = town.held().await;
    town.check(&zone(&[&proof])).await;
    assert_eq!(town.operator(&path).await["status"], "active");
    let endpoint = async |client: Uuid| {
        let body = json!({"url": "https://hooks.example.com/", "client_id": client});
        let made = town.house.operator("POST", "/v1/webhook-endpoints", Some(body)).await.json();
        format!("/v1/webhook-endpoints/{}/deliveries", made["id"].as_str().unwrap())
    };
    let (of_holder, of_other) = (endpoint(town.holder.0).await, endpoint(town.other.0).await);
    let transfer = async |to: Value| {
        town.house.operator("POST", &format!("{path}/transfer"), Some(json!({"client_id": to}))).await
    };
    let moved = transfer(json!(town.other.0)).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    let domain = moved.json();
    assert_eq!((&domain["client_id"], &domain["status"]), (&json!(town.other.0), &json!("active")), "{domain:#}");
    assert_eq!(domain["ownership"]["verified"], true);
    assert_eq!(transfer(json!(town.other.0)).await.status, 200, "twice is once");
    assert_eq!(town.get(&town.holder.1, &path).await.status, 404);
    assert_eq!(town.get(&town.other.1, &path).await.status, 200);
    let seen = town.get(&town.other.1, &format!("{path}/events")).await.json();
    assert_eq!(seen["data"], json!([]));

    // What happens from now on is the new client's to hear.
    town.check(&zone(&[]).replace("ip4:11.0.0.25", "ip4:11.0.0.26 ip4:11.0.0.25")).await;
    let count = async |path: &str| town.operator(path).await["data"].as_array().unwrap().len();
    assert_eq!((count(&of_holder).await, count(&of_other).await), (0, 1));

    let unknown = transfer(json!(Uuid::from_u128(9))).await;
    assert_eq!((unknown.status.as_u16(), unknown.problem().as_str()), (404, "no-such-client"));
    assert_eq!(transfer(Value::Null).await.pointers(), ["/client_id"]);
    assert_eq!(transfer(json!("x")).await.status, 422);
    let small = town.house.client("ignition").await;
    for number in 0..2 {
        town.house.domain(small, &format!("d{number}.test")).await;
    }
    let exceeded = transfer(json!(small)).await;
    assert_eq!((exceeded.status.as_u16(), exceeded.problem().as_str()), (409, "allocation-exceeded"));
    assert_eq!(town.operator(&path).await["client_id"], json!(town.other.0));
    assert_eq!(town.house.operator("DELETE", &path, None).await.status, 204);
    assert_eq!(transfer(json!(town.holder.0)).await.problem(), "no-such-domain");
}

#[tokio::test]
async fn a_transfer_exchanges_the_dedicated_addresses() {
    let town = Town::new().await;
    for (client, address) in [(town.holder.0, "11.0.0.25"), (town.other.0, "11.0.0.77")] {
        sql(&town.house, "INSERT INTO sendready_dedicated_ips (address, client_id, created_at) VALUES ($2, $1, '2026-01-02T03:04:05+00:00')", client, address).await;
    }
    let id = town.house.domain(town.holder.0, "example.test").await;
    let (path, records) = (format!("/v1/domains/{id}"), format!("/v1/domains/{id}/records"));
    town.check(&zone(&[])).await;
    assert_eq!(town.operator(&path).await["status"], "active");
    let body = json!({"client_id": town.other.0});
    assert_eq!(town.house.operator("POST", &format!("{path}/transfer"), Some(body)).await.status, 200);
    // The old address is gone from the record, and nobody misses it; the new one is staged.
    town.check(&zone(&[]).replace("ip4:11.0.0.25 -all", "ip4:11.0.0.26 -all")).await;
    let document = town.operator(&records).await;
    assert_eq!((&document["spf_valid"], &document["status"]), (&json!(true), &json!("active")), "{document:#}");
    let spf = |document: &Value| {
        let all = document["records"].as_array().unwrap();
        all.iter()
            .filter(|record| record["purpose"] == "spf")
            .map(|record| record["staged"] == true)
            .collect::<Vec<_>>()
    };
    assert_eq!(spf(&document), [false, true]);
    town.check(&zone(&[]).replace("ip4:11.0.0.25 -all", "ip4:11.0.0.77 -all")).await;
    assert_eq!(spf(&town.operator(&records).await), [false], "it binds");
}

/// A statement with a client and a text.
async fn sql(house: &House, text: &'static str, client: Uuid, other: &str) {
    let sendready::store::Db::Sqlite(pool) = house.service.store().db() else { panic!("not SQLite") };
    sqlx::query(text).bind(client).bind(other).execute(pool).await.unwrap();
}
