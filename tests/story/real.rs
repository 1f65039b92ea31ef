//! With knot as authoritative server, unbound in front, and the binary as people run it.

use std::path::Path;
use std::time::Duration;

use sendready::protocol::master_file;
use serde_json::{Value, json};

use crate::support::knot::Knot;
use crate::support::postgres::Database;
use crate::support::process::Serve;
use crate::support::unbound::Unbound;

const ZONE: &str = "example.test";

/// What the zone holds before anybody publishes anything. A negative answer is kept for one second.
const BARE: &str = "$TTL 1\n@ SOA ns1 hostmaster 1 3600 600 86400 1\n@ NS ns1\nns1 A 127.0.0.1\nmx1 A 192.0.2.25\n";

const PROVIDER: &str = "$TTL 1\n@ SOA ns1 hostmaster 1 3600 600 86400 1\n@ NS ns1\nns1 A 127.0.0.1\n_spf TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\n";

/// Short intervals, so that minutes become seconds; nothing else differs from what users run.
const SETTINGS: &[(&str, &str)] = &[
    ("SENDREADY_CHECKS__MIN_INTERVAL", "1s"),
    ("SENDREADY_CHECKS__PENDING_LADDER", "1h/1s"),
    ("SENDREADY_CHECKS__ACTIVE_INTERVAL", "1s"),
    ("SENDREADY_CHECKS__DEGRADED_INTERVAL", "1s"),
    ("SENDREADY_CHECKS__RECOVERY_HOLD", "1s"),
];

const FLAGS: [&str; 5] = ["spf_valid", "dkim_valid", "dmarc_valid", "mx_valid", "dns_configured"];

/// An RSA key of 2,048 bits, made for this test.
const KEY: &str = include_str!("../../fixtures/keys/rsa-2048.b64");

pub struct World {
    pub knot: Knot,
    unbound: Unbound,
}

impl World {
    pub fn start() -> World {
        let knot = Knot::start(&[(ZONE, BARE), ("provider.test", PROVIDER)]);
        let unbound = Unbound::start(&[ZONE, "provider.test"], knot.address);
        World { knot, unbound }
    }

    pub fn serve(&self, folder: &Path, database: &str) -> Serve {
        let (resolver, port) = (self.unbound.address.to_string(), self.knot.address.port().to_string());
        let authoritative = ["--authoritative-port", &port, "--allow-private-servers"];
        let options = [&["--resolver", &resolver, "--timeout", "1s"][..], &authoritative[..]].concat();
        Serve::start(folder, database, &options, SETTINGS)
    }

    /// Publishes what the service says, word for word.
    pub fn publish(&self, records: &Value) {
        for record in records["records"].as_array().expect("records") {
            let (kind, host, value) = (text(record, "type"), text(record, "host"), text(record, "value"));
            let data = match kind {
                "TXT" => master_file::txt(value.as_bytes()),
                "MX" => format!("{} {value}.", record["priority"]),
                _ => format!("{value}."),
            };
            self.knot.edit(ZONE, &[&["zone-set", host, "1", kind, &data]]);
        }
    }
}

/// A key of one client, made as people make it.
pub fn key_of(folder: &Path, database: &str, client: &str) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sendready"));
    command.args(["key", "create", "--role", "client", "--client", client]);
    command.env("DATABASE_URL", database);
    let made = command.args(["--format", "json"]).current_dir(folder).output().unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap_or_else(|fault| panic!("{fault}: {made:?}"));
    text(&made, "key").to_owned()
}

pub fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value:#}"))
}

impl World {
    /// A text beside whatever else stands at the name.
    pub fn publish_txt(&self, host: &str, value: &str) {
        self.knot.edit(ZONE, &[&["zone-set", host, "1", "TXT", &master_file::txt(value.as_bytes())]]);
    }

    /// A sound DKIM key.
    pub fn publish_key(&self, selector: &str) {
        self.publish_txt(&format!("{selector}._domainkey"), &format!("v=DKIM1; k=rsa; p={}", KEY.trim()));
    }
}

/// A client and its domain; the id of the domain.
async fn register(serve: &Serve) -> String {
    let (status, client) = serve.api("POST", "/v1/clients", Some(json!({"name": "Example", "tier": "ignition"}))).await;
    assert_eq!(status, 201, "{client:#}");
    let body = json!({
        "client_id": client["id"], "domain": "Example.TEST", "provider": "manual",
        "spf": {"includes": ["_spf.provider.test"]},
        "dkim": [{"selector": "s1", "public_key": KEY.trim()}],
        "mx": [{"host": "mx1.example.test", "preference": 10}],
    });
    let (status, domain) = serve.api("POST", "/v1/domains", Some(body)).await;
    assert_eq!(status, 201, "{domain:#}");
    assert!(domain["records"].as_array().is_some_and(|records| records.len() == 4), "{domain:#}");
    text(&domain, "id").to_owned()
}

pub fn all_valid(body: &Value) -> bool {
    FLAGS.iter().all(|flag| body[flag] == true)
}

/// The flags and the status as the platform reads them, by SQL.
async fn row(database: &str, folder: &Path) -> String {
    let columns = "SELECT spf_valid, dkim_valid, dmarc_valid, mx_valid, dns_configured, status FROM email_domains";
    type Row = (bool, bool, bool, bool, bool, String);
    let row: Row = match database.strip_prefix("sqlite:") {
        Some(file) => {
            let url = format!("sqlite:{}", folder.join(file).display());
            sqlx::query_as(columns).fetch_one(&sqlx::SqlitePool::connect(&url).await.unwrap()).await.unwrap()
        }
        None => sqlx::query_as(columns).fetch_one(&sqlx::PgPool::connect(database).await.unwrap()).await.unwrap(),
    };
    format!("{row:?}")
}

/// The whole story on one database.
async fn story(database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start();
    let mut serve = world.serve(folder.path(), database);
    assert!(serve.printed_key, "the first start prints the key");

    let id = register(&serve).await;
    let path = format!("/v1/domains/{id}/records");
    let missing = serve.until(&path, "the first check", |_, body| body["records"][1]["verdict"] == "missing").await;
    assert_eq!(text(&missing, "status"), "pending");
    assert!(FLAGS.iter().all(|flag| missing[flag] == false), "{missing:#}");

    world.publish(&missing);
    let ready = serve.until(&path, "all flags", |_, body| all_valid(body)).await;
    assert_eq!(text(&ready, "status"), "active");
    assert_eq!(row(database, folder.path()).await, "(true, true, true, true, true, \"active\")");
    let (_, events) = serve.api("GET", &format!("/v1/domains/{id}/events"), None).await;
    assert!(
        events["data"].as_array().is_some_and(|all| all.iter().any(|event| event["type"] == "domain.verified")),
        "{events:#}"
    );

    // A resolver that does not answer at all changes nothing, however often it is asked.
    world.unbound.pause();
    let stale = serve.until(&path, "staleness", |_, body| !body["stale_since"].is_null()).await;
    assert!(all_valid(&stale), "{stale:#}");
    world.unbound.resume();
    serve.until(&path, "knowledge again", |_, body| body["stale_since"].is_null()).await;

    // A key that is really gone is another matter.
    world.knot.edit(ZONE, &[&["zone-unset", "s1._domainkey", "TXT"]]);
    let failing = serve.until(&path, "the lost key", |_, body| body["dkim_valid"] == false).await;
    assert_eq!(text(&failing, "status"), "active", "grace: {failing:#}");
    assert_eq!(row(database, folder.path()).await, "(true, false, true, true, false, \"active\")");
    world.publish(&json!({"records": [missing["records"][1]]}));
    serve.until(&path, "recovery", |_, body| all_valid(body)).await;

    // Killed in the middle of checks, nothing acknowledged is lost, and it is checked again.
    serve.kill();
    let mut serve = world.serve(folder.path(), database);
    assert!(!serve.printed_key, "a second start prints no key");
    let (_, kept) = serve.api("GET", &path, None).await;
    assert!(all_valid(&kept), "{kept:#}");
    let before = kept["checked_at"].clone();
    serve.until(&path, "a check after the restart", |_, body| body["checked_at"] != before).await;
    assert!(serve.terminate().success(), "SIGTERM ends with 0");
}

#[tokio::test]
async fn the_story_on_sqlite() {
    story("sqlite:story.db").await;
}

#[tokio::test]
async fn the_story_on_postgresql() {
    let database = Database::empty().await;
    story(&database.url).await;
}

/// A key is exchanged for another while the domain sends: no flag falls, and nobody is alarmed.
#[tokio::test]
async fn a_rotation_of_keys() {
    const NEW_KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let folder = tempfile::tempdir().unwrap();
    let world = World::start();
    let serve = world.serve(folder.path(), "sqlite:rotation.db");
    let id = register(&serve).await;
    let path = format!("/v1/domains/{id}/records");
    let first = serve.until(&path, "the first check", |_, body| body["records"][1]["verdict"] == "missing").await;
    world.publish(&first);
    serve.until(&path, "all flags", |_, body| all_valid(body)).await;
    let old = json!({"selector": "s1", "public_key": KEY.trim()});
    let new = json!({"selector": "s2", "public_key": NEW_KEY});
    let require = async |dkim: Value| {
        let (status, body) = serve.api("PATCH", &format!("/v1/domains/{id}"), Some(json!({"dkim": dkim}))).await;
        assert_eq!(status, 200, "{body:#}");
    };
    let of_s2 = |body: &Value| {
        body["records"].as_array().and_then(|all| all.iter().find(|one| one["host"] == "s2._domainkey").cloned())
    };
    let is_s2 = |body: &Value, staged: bool, verdict: &str| {
        assert!(all_valid(body) && body["status"] == "active", "a flag fell: {body:#}");
        of_s2(body).is_some_and(|s2| s2["staged"] == staged && s2["verdict"] == verdict)
    };

    require(json!([old, new])).await;
    let staged = serve.until(&path, "a look at s2", |_, body| is_s2(body, true, "missing")).await;
    world.publish(&json!({"records": [of_s2(&staged)]}));
    serve.until(&path, "s2 to bind", |_, body| is_s2(body, false, "valid")).await;
    let (_, checks) = serve.api("GET", &format!("/v1/domains/{id}/checks"), None).await;
    let bound = json!([{"purpose": "dkim", "type": "TXT", "name": "s2._domainkey.example.test"}]);
    assert!(
        checks["data"].as_array().is_some_and(|all| all.iter().any(|check| check["changes"]["bound"] == bound)),
        "{checks:#}"
    );

    require(json!([new])).await;
    world.knot.edit(ZONE, &[&["zone-unset", "s1._domainkey", "TXT"]]);
    // The first check that begins after this is the second that ends.
    for _ in 0..2 {
        let (_, before) = serve.api("GET", &path, None).await;
        serve
            .until(&path, "a check without s1", |_, body| {
                is_s2(body, false, "valid") && body["checked_at"] != before["checked_at"]
            })
            .await;
    }
    let (_, events) = serve.api("GET", &format!("/v1/domains/{id}/events"), None).await;
    let kinds: Vec<&str> = events["data"].as_array().expect("events").iter().map(|event| text(event, "type")).collect();
    assert!(kinds.iter().all(|kind| ["domain.verified", "domain.records_changed"].contains(kind)), "{kinds:?}");

    world.knot.edit(ZONE, &[&["zone-unset", "s2._domainkey", "TXT"]]);
    serve.until(&path, "the loss of what binds", |_, body| body["dkim_valid"] == false).await;
}

/// Many domains under way when the process dies: each is checked again by the next one.
#[tokio::test]
async fn a_killed_process_loses_nothing() {
    const DOMAINS: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let world = World::start();
    let settings = [SETTINGS, &[("SENDREADY_CHECKS__LEASE", "10s"), ("SENDREADY_DNS__TIMEOUT", "1s")]].concat();
    let resolver = world.unbound.address.to_string();
    let start = || Serve::start(folder.path(), "sqlite:many.db", &["--resolver", &resolver], &settings);
    let mut serve = start();
    let (_, client) = serve.api("POST", "/v1/clients", Some(json!({"name": "Example", "tier": "dominance"}))).await;
    register_many(folder.path(), text(&client, "id"), DOMAINS).await;
    until_checks_are_under_way(folder.path()).await;
    serve.kill();
    drop(serve);
    let serve = start();
    let path = "/v1/domains?status=pending&limit=200";
    serve
        .until(path, "a check of every domain", |_, body| {
            body["data"]
                .as_array()
                .is_some_and(|all| all.len() == DOMAINS && all.iter().all(|one| !one["last_checked_at"].is_null()))
        })
        .await;
}

/// Waits until some domains are lent.
async fn until_checks_are_under_way(folder: &Path) {
    let url = format!("sqlite:{}", folder.join("many.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let lent = async || {
        let sql = "SELECT COUNT(*) FROM email_domains WHERE lease_token IS NOT NULL";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.unwrap()
    };
    let waiting = async {
        while lent().await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("domains are lent");
}

/// Rows as the platform writes them, by SQL; a tier would not allow so many.
async fn register_many(folder: &Path, client_id: &str, count: usize) {
    let url = format!("sqlite:{}", folder.join("many.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let client_id: uuid::Uuid = client_id.parse().unwrap();
    for number in 0..count {
        sqlx::query("INSERT INTO email_domains (client_id, domain, provider) VALUES ($1, $2, 'manual')")
            .bind(client_id)
            .bind(format!("d{number}.example.test"))
            .execute(&pool)
            .await
            .unwrap();
    }
}
