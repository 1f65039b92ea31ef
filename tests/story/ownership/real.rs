//! Proof of control and takeover, with knot as the zone's own server.

use serde_json::{Value, json};

use crate::story::real::{World, all_valid, key_of, text};
use crate::support::postgres::Database;
use crate::support::process::Serve;

/// A client with a key of its own: its id and the key.
async fn client(serve: &Serve, folder: &std::path::Path, database: &str, name: &str) -> (String, String) {
    let (status, client) = serve.api("POST", "/v1/clients", Some(json!({"name": name, "tier": "ignition"}))).await;
    assert_eq!(status, 201, "{client:#}");
    let id = text(&client, "id").to_owned();
    let key = key_of(folder, database, &id);
    (id, key)
}

fn body() -> Value {
    json!({
        "domain": "example.test", "provider": "manual", "spf": {"includes": ["_spf.provider.test"]},
        "dkim": [{"selector": "s1"}], "mx": [{"host": "mx1.example.test", "preference": 10}],
    })
}

async fn story(database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start();
    let serve = world.serve(folder.path(), database);
    let (squatter, squatters) = client(&serve, folder.path(), database, "Squatter").await;
    let (owner, owners) = client(&serve, folder.path(), database, "Owner").await;
    let (status, held) = serve.api_as(&squatters, "POST", "/v1/domains", Some(body())).await;
    assert_eq!((status, &held["client_id"]), (201, &json!(squatter)), "{held:#}");
    let id = text(&held, "id").to_owned();
    let path = format!("/v1/domains/{id}/records");
    assert_eq!(held["ownership"]["verified"], false, "{held:#}");

    // All that mail needs is published, and still nobody knows whose it is.
    let missing = serve.until(&path, "the first check", |_, body| body["ownership"]["verdict"] == "missing").await;
    assert_eq!(missing["ownership"]["findings"][0]["code"], "ownership.missing", "{missing:#}");
    world.publish(&missing_without_key(&missing));
    world.publish_key("s1");
    let ready = serve.until(&path, "all flags", |_, body| all_valid(body)).await;
    assert_eq!((text(&ready, "status"), &ready["ownership"]["verified"]), ("pending", &json!(false)), "{ready:#}");

    // The owner asks for it, publishes what he is told, and it becomes his.
    let (status, refused) = serve.api_as(&owners, "POST", "/v1/domains", Some(body())).await;
    assert_eq!((status, text(&refused, "type")), (409, "/problems/domain-taken"), "{refused:#}");
    let challenge = refused["ownership"].clone();
    assert_eq!(text(&challenge, "name"), "_sendready-challenge.example.test");
    assert!(!refused.to_string().contains(&squatter) && !refused.to_string().contains(&id), "{refused:#}");
    world.publish_txt("_sendready-challenge", text(&challenge, "value"));
    let taken = serve.until(&path, "the takeover", |_, body| body["client_id"] == json!(owner)).await;
    assert_eq!(taken["ownership"]["value"], challenge["value"]);
    let (status, _) = serve.api_as(&squatters, "GET", &path, None).await;
    assert_eq!(status, 404, "it is no longer theirs to see");
    let done = serve.until(&path, "activity", |_, body| body["status"] == "active").await;
    assert!(all_valid(&done) && done["ownership"]["verified"] == json!(true), "{done:#}");
    let (_, events) = serve.api_as(&owners, "GET", &format!("/v1/domains/{id}/events"), None).await;
    let kinds: Vec<&str> = events["data"].as_array().unwrap().iter().map(|event| text(event, "type")).collect();
    assert_eq!(kinds, ["domain.verified"], "what was before is hidden");
    let (status, again) = serve.api_as(&squatters, "POST", "/v1/domains", Some(body())).await;
    assert_eq!((status, &again["ownership"]), (409, &Value::Null), "who has proven it keeps it: {again:#}");
}

/// What is deleted without proof is the owner's as soon as his is published, also when it is deleted after he asked.
async fn of_a_deleted_domain(database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start();
    let serve = world.serve(folder.path(), database);
    let (_, squatters) = client(&serve, folder.path(), database, "Squatter").await;
    let (owner, owners) = client(&serve, folder.path(), database, "Owner").await;
    let (_, held) = serve.api_as(&squatters, "POST", "/v1/domains", Some(body())).await;
    let path = format!("/v1/domains/{}", text(&held, "id"));
    assert_eq!(serve.api_as(&squatters, "DELETE", &path, None).await.0, 204);

    let (status, refused) = serve.api_as(&owners, "POST", "/v1/domains", Some(body())).await;
    assert_eq!((status, text(&refused, "type")), (409, "/problems/domain-taken"), "{refused:#}");
    // Registered again and given up once more, it is still his who proves it.
    assert_eq!(serve.api_as(&squatters, "POST", "/v1/domains", Some(body())).await.0, 201);
    assert_eq!(serve.api_as(&squatters, "DELETE", &path, None).await.0, 204);
    world.publish_txt("_sendready-challenge", text(&refused["ownership"], "value"));
    let (_, again) = serve.api_as(&owners, "POST", "/v1/domains", Some(body())).await;
    assert!(again["ownership"].is_null() || again["ownership"]["value"] == refused["ownership"]["value"], "{again:#}");
    let records = format!("{path}/records");
    let taken = serve.until(&records, "the takeover", |status, _| status == 200).await;
    assert_eq!((&taken["client_id"], &taken["ownership"]["verified"]), (&json!(owner), &json!(true)), "{taken:#}");
    let missing = serve.until(&records, "the first check", |_, body| body["checked_at"].is_string()).await;
    world.publish(&missing_without_key(&missing));
    world.publish_key("s1");
    let done = serve.until(&records, "activity", |_, body| body["status"] == "active").await;
    assert!(all_valid(&done), "{done:#}");
    assert_eq!(serve.api_as(&squatters, "GET", &path, None).await.0, 404);
}

#[tokio::test]
async fn a_deleted_domain_on_sqlite() {
    of_a_deleted_domain("sqlite:deleted.db").await;
}

#[tokio::test]
async fn a_deleted_domain_on_postgresql() {
    let database = Database::empty().await;
    of_a_deleted_domain(&database.url).await;
}

/// Without the DKIM record, whose value only its owner knows.
fn missing_without_key(records: &Value) -> Value {
    let all = records["records"].as_array().unwrap();
    json!({"records": all.iter().filter(|record| record["purpose"] != "dkim").collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_takeover_on_sqlite() {
    story("sqlite:ownership.db").await;
}

#[tokio::test]
async fn a_takeover_on_postgresql() {
    let database = Database::empty().await;
    story(&database.url).await;
}

/// The plain way: the client that registered the name publishes its own proof.
#[tokio::test]
async fn a_client_proves_that_the_domain_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start();
    let database = "sqlite:proof.db";
    let serve = world.serve(folder.path(), database);
    let (_, key) = client(&serve, folder.path(), database, "Owner").await;
    let (status, domain) = serve.api_as(&key, "POST", "/v1/domains", Some(body())).await;
    assert_eq!(status, 201, "{domain:#}");
    let path = format!("/v1/domains/{}/records", text(&domain, "id"));
    let missing = serve.until(&path, "the first check", |_, body| body["ownership"]["verdict"] == "missing").await;
    world.publish(&missing_without_key(&missing));
    world.publish_key("s1");
    let ready = serve.until(&path, "all flags", |_, body| all_valid(body)).await;
    assert_eq!(text(&ready, "status"), "pending", "{ready:#}");
    // Another's proof, and one that is dressed up in the wrong place, change nothing.
    world.publish_txt("_sendready-challenge", "sendready-verification=of-somebody-else");
    let other = serve.until(&path, "another's", |_, body| body["ownership"]["verdict"] == "mismatch").await;
    assert_eq!(text(&other, "status"), "pending");
    let record = &other["ownership"];
    assert_eq!((text(record, "type"), text(record, "host")), ("TXT", "_sendready-challenge"), "{record:#}");
    world.publish_txt(text(record, "host"), text(record, "value"));
    let done = serve.until(&path, "activity", |_, body| body["status"] == "active").await;
    assert_eq!((&done["ownership"]["verified"], text(&done["ownership"], "verdict")), (&json!(true), "valid"));
    // Once proven, it may go.
    world.knot.edit("example.test", &[&["zone-unset", "_sendready-challenge", "TXT"]]);
    let before = done["checked_at"].clone();
    let later = serve.until(&path, "another check", |_, body| body["checked_at"] != before).await;
    assert_eq!((text(&later, "status"), &later["ownership"]["verified"]), ("active", &json!(true)), "{later:#}");
}
