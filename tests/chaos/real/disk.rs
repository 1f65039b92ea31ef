//! SQLite on a disk that is full: nothing is half-written, nobody is demoted, and it goes on when there is room.

use serde_json::json;

use crate::support::process::Serve;

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody answers there: what is looked at stays unknown, and every look wants to be written.
    let options = ["--resolver", "127.0.0.1:9", "--timeout", "100ms"];
    let settings = [("SENDREADY_CHECKS__MIN_INTERVAL", "1s"), ("SENDREADY_CHECKS__PENDING_LADDER", "1h/1s")];
    let mut serve = Serve::start_on_a_bounded_disk(folder.path(), "sqlite:full.db", &options, &settings);
    let client = json!({"name": "Example", "tier": "ignition"});
    let (status, made) = serve.api("POST", "/v1/clients", Some(client.clone())).await;
    assert_eq!(status, 201, "{made:#}");
    let domain =
        json!({"client_id": made["id"], "domain": "example.test", "provider": "manual", "dkim": [{"selector": "s1"}]});
    let (status, registered) = serve.api("POST", "/v1/domains", Some(domain)).await;
    assert_eq!(status, 201, "{registered:#}");
    let records = format!("/v1/domains/{}/records", registered["id"].as_str().unwrap());
    serve.until(&records, "a check", |_, body| body["checked_at"].is_string()).await;

    serve.bound_files(Some(4_096));
    let (status, refused) = serve.api("POST", "/v1/clients", Some(client.clone())).await;
    assert_eq!((status, refused["type"].as_str()), (503, Some("/problems/unavailable")), "{refused:#}");
    let (status, listed) = serve.api("GET", "/v1/clients", None).await;
    assert_eq!(
        (status, listed["data"].as_array().map(Vec::len)),
        (200, Some(1)),
        "nothing is half-written: {listed:#}"
    );
    assert_eq!(serve.api("GET", "/healthz", None).await.0, 200, "it is alive");
    let (status, before) = serve.api("GET", &format!("/v1/domains/{}", registered["id"].as_str().unwrap()), None).await;
    assert_eq!((status, &before["status"]), (200, &json!("pending")), "{before:#}");

    serve.bound_files(None);
    let (status, made) = serve.api("POST", "/v1/clients", Some(client)).await;
    assert_eq!(status, 201, "there is room again: {made:#}");
    let seen = before["last_checked_at"].clone();
    let path = format!("/v1/domains/{}", registered["id"].as_str().unwrap());
    serve.until(&path, "another check", |_, body| body["last_checked_at"] != seen).await;
    assert!(serve.terminate().success());
}
