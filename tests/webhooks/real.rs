//! The binary as people run it, killed while it delivers.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::process::Serve;
use crate::support::receiver::{Receiver, Reply};

/// Short waits, and receivers on loopback; nothing else differs from what users run.
const SETTINGS: &[(&str, &str)] =
    &[("SENDREADY_WEBHOOKS__ALLOW_PRIVATE", "true"), ("SENDREADY_WEBHOOKS__RETRY_SCHEDULE", "0s,1s,1s,1s")];

fn serve(folder: &Path, database: &str) -> Serve {
    Serve::start(folder, database, &["--resolver", "127.0.0.1:9"], SETTINGS)
}

/// Ends the leases of a process that is gone, as half a minute would.
async fn end_leases(database: &str, folder: &Path) {
    let sql = "UPDATE sendready_webhook_deliveries SET lease_until = created_at";
    match database.strip_prefix("sqlite:") {
        Some(file) => {
            let url = format!("sqlite:{}", folder.join(file).display());
            sqlx::query(sql).execute(&sqlx::SqlitePool::connect(&url).await.unwrap()).await.map(|_| ())
        }
        None => sqlx::query(sql).execute(&sqlx::PgPool::connect(database).await.unwrap()).await.map(|_| ()),
    }
    .unwrap();
}

async fn a_killed_process_delivers_again(database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, number| if number == 0 { Reply::Hang } else { Reply::status(200) }).await;
    let mut first = serve(folder.path(), database);
    let (status, endpoint) = first.api("POST", "/v1/webhook-endpoints", Some(json!({"url": receiver.url()}))).await;
    assert_eq!(status, 201, "{endpoint:#}");
    let path = format!("/v1/webhook-endpoints/{}", endpoint["id"].as_str().unwrap());
    let (status, test) = first.api("POST", &format!("{path}/test"), None).await;
    assert_eq!(status, 202, "{test:#}");
    receiver.wait(1).await;
    first.kill();
    end_leases(database, folder.path()).await;
    let mut second = serve(folder.path(), database);
    let posts = receiver.wait(2).await;
    assert_eq!(posts[0].header("webhook-id"), test["id"], "the event's id");
    assert_eq!(posts[1].header("webhook-id"), test["id"], "and again");
    assert_eq!(posts[0].body, posts[1].body);
    let hook = standardwebhooks::Webhook::new(endpoint["secret"].as_str().unwrap()).unwrap();
    let timestamp = posts[1].header("webhook-timestamp").parse().unwrap();
    let expected = hook.sign(posts[1].header("webhook-id"), timestamp, &posts[1].body).unwrap();
    assert_eq!(posts[1].header("webhook-signature"), expected);
    let taken = |_, body: &Value| body["data"][0]["status"] == "delivered";
    second.until(&format!("{path}/deliveries"), "the delivery", taken).await;
    assert!(second.terminate().success(), "SIGTERM ends with 0");
    let log = std::fs::read_to_string(folder.path().join("serve.log")).unwrap();
    let secret = endpoint["secret"].as_str().unwrap().trim_start_matches("whsec_");
    assert!(!log.contains(secret), "the secret is logged");
}

#[tokio::test]
async fn a_killed_process_delivers_again_on_sqlite() {
    a_killed_process_delivers_again("sqlite:hooks.db").await;
}

#[tokio::test]
async fn a_killed_process_delivers_again_on_postgresql() {
    let database = Database::empty().await;
    a_killed_process_delivers_again(&database.url).await;
}

/// A receiver that refuses until its endpoint is disabled, told to the operators, all by itself.
#[tokio::test]
async fn a_failing_endpoint_is_disabled_and_operators_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let failing = Receiver::start(|_, _| Reply::status(500)).await;
    let operators = Receiver::start(|_, _| Reply::status(200)).await;
    let serve = serve(folder.path(), "sqlite:hooks.db");
    let make = async |url: String| {
        let (status, endpoint) = serve.api("POST", "/v1/webhook-endpoints", Some(json!({"url": url}))).await;
        assert_eq!(status, 201, "{endpoint:#}");
        format!("/v1/webhook-endpoints/{}", endpoint["id"].as_str().unwrap())
    };
    let path = make(failing.url()).await;
    make(operators.url()).await;
    serve.api("POST", &format!("{path}/test"), None).await;
    let posts = failing.wait(4).await;
    assert!(posts.iter().all(|post| post.header("webhook-id") == posts[0].header("webhook-id")));
    assert_eq!(operators.wait(1).await[0].json()["type"], "webhook_endpoint.disabled");
    let disabled = serve.until(&path, "the disabling", |_, body| body["enabled"] == false).await;
    assert_eq!(disabled["disabled_reason"], "failing");
    let warned = std::fs::read_to_string(folder.path().join("serve.log")).unwrap();
    assert_eq!(warned.matches("Could not deliver").count(), 4, "one line for each failed attempt:\n{warned}");
}
