//! A PostgreSQL of its own, killed and started again under a running service.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::support::Daemon;
use crate::support::dns_server::DnsServer;
use crate::support::postgres::{program, unprivileged};
use crate::support::process::Serve;

/// How long a server may take to recover on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const NOBODY: u32 = 65_534;

/// A server that may be killed, which the one that all tests share may not.
struct Server {
    folder: TempDir,
    port: u16,
    daemon: Option<Daemon>,
}

impl Server {
    fn make() -> Server {
        let folder = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = unprivileged(&program("initdb"), folder.path())
            .args(["--no-sync", "--auth=trust", "--username=app", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(folder.path().join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Server { folder, port, daemon: None }
    }

    fn url(&self) -> String {
        format!("postgres://app@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it and waits until it answers; again, should the last one's processes still be going.
    async fn start(&mut self) {
        let begun = Instant::now();
        loop {
            let (data, port) = (self.folder.path().join("data"), self.port.to_string());
            // What a killed server leaves behind names a process that is gone.
            let _ = fs::remove_file(data.join("postmaster.pid"));
            let postgres: PathBuf = program("postgres");
            let arguments = ["-D", data.to_str().unwrap(), "-k", "", "-h", "127.0.0.1", "-p", &port, "-c", "fsync=off"];
            self.daemon = Some(Daemon::start(postgres.to_str().unwrap(), "postgresql", self.folder.path(), &arguments));
            for _ in 0..100 {
                if sqlx::PgPool::connect(&self.url()).await.is_ok() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL does not start");
            self.daemon = None;
        }
    }

    /// SIGKILL to its first process; the others go when they notice.
    fn kill(&mut self) {
        self.daemon = None;
    }
}

#[tokio::test]
async fn the_service_outlives_its_database() {
    let mut server = Server::make();
    server.start().await;
    let dns =
        DnsServer::zones("$ORIGIN example.test.\n@ 60 SOA ns h 1 1 1 1 60\n@ 60 NS ns\n@ 60 TXT \"v=spf1 -all\"\n");
    let folder = tempfile::tempdir().unwrap();
    let resolver = dns.address().to_string();
    let settings = [("SENDREADY_CHECKS__MIN_INTERVAL", "1s"), ("SENDREADY_CHECKS__PENDING_LADDER", "1h/1s")];
    let mut serve = Serve::start(folder.path(), &server.url(), &["--resolver", &resolver], &settings);
    let (_, client) = serve.api("POST", "/v1/clients", Some(json!({"name": "Example", "tier": "ignition"}))).await;
    let body = json!({"client_id": client["id"], "domain": "example.test", "provider": "manual", "dkim": [{"selector": "s1"}]});
    let (status, domain) = serve.api("POST", "/v1/domains", Some(body)).await;
    assert_eq!(status, 201, "{domain:#}");
    let path = format!("/v1/domains/{}/records", domain["id"].as_str().unwrap());
    let before = serve.until(&path, "the first check", |_, body| body["spf_valid"] == true).await;

    server.kill();
    serve
        .until("/readyz", "a readiness that says so", |status, body| status == 503 && body["database"] == "down")
        .await;
    let (status, problem) = serve.api("GET", &path, None).await;
    assert_eq!((status, &problem["type"]), (503, &json!("/problems/unavailable")), "{problem:#}");
    assert!(problem["detail"].is_null(), "no word about the inside: {problem:#}");
    let (status, _) = serve.api("GET", "/healthz", None).await;
    assert_eq!(status, 200, "the process lives");

    server.start().await;
    serve.until("/readyz", "readiness again", |status, _| status == 200).await;
    let after = serve
        .until(&path, "a check after the outage", |status, body| {
            status == 200 && body["checked_at"] != before["checked_at"]
        })
        .await;
    assert_eq!(after["spf_valid"], true, "{after:#}");
    assert!(serve.terminate().success());
}
