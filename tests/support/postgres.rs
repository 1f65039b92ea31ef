//! A PostgreSQL for tests, with an empty or a migrated database for each.
//!
//! `$SENDREADY_TEST_POSTGRES`, the URL of a role that may create databases, names one that runs already;
//! a test runner with a process for each test should set it. Otherwise each process starts a cluster of its
//! own from the system's binaries, without privileges, and a shell beside it ends it when this process is
//! gone, however it went.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sendready::store::Store;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};

/// Debian's `nobody` and `nogroup`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

/// How long a cluster may take to answer on a busy machine.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// One database; dropped with this value where the cluster outlives us.
pub struct Database {
    /// Its URL.
    pub url: String,
    name: String,
    admin: String,
    is_ours: bool,
}

impl Database {
    /// A database without a table.
    pub async fn empty() -> Database {
        Database::make("template0").await
    }

    /// A database with this release's schema.
    pub async fn migrated() -> Database {
        let cluster = cluster();
        let template = format!("sendready_template_{}", schema_digest());
        let mut admin = PgConnection::connect(&cluster.admin).await.expect("the cluster answers");
        // Held until the connection ends: other processes may want the same template.
        raw_sql("SELECT pg_advisory_lock(727)").execute(&mut admin).await.unwrap();
        let found: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(&template)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        if !found {
            let raw = format!("{template}_raw");
            run(&mut admin, format!("DROP DATABASE IF EXISTS {raw} WITH (FORCE)")).await;
            run(&mut admin, format!("CREATE DATABASE {raw} TEMPLATE template0")).await;
            let store = Store::connect(&cluster.url(&raw)).await.unwrap();
            store.migrate(chrono::DateTime::UNIX_EPOCH).await.unwrap();
            store.close().await;
            run(&mut admin, format!("ALTER DATABASE {raw} RENAME TO {template}")).await;
        }
        admin.close().await.unwrap();
        Database::make(&template).await
    }

    async fn make(template: &str) -> Database {
        let cluster = cluster();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("sendready_test_{}_{number}", std::process::id());
        let mut admin = PgConnection::connect(&cluster.admin).await.expect("the cluster answers");
        // Left behind by a process of the same number that was killed.
        run(&mut admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        admin.close().await.unwrap();
        Database { url: cluster.url(&name), name, admin: cluster.admin.clone(), is_ours: cluster.keeper.is_some() }
    }

    /// Ends every connection to it, as a restart would.
    pub async fn cut_connections(&self) {
        let mut admin = PgConnection::connect(&self.admin).await.unwrap();
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
            .bind(&self.name)
            .execute(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_ours {
            return;
        }
        let (admin, statement) = (self.admin.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // The runtime of the test may be ending; another thread has its own.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if let Ok(mut admin) = PgConnection::connect(&admin).await {
                    let _ = raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await;
                }
            });
        })
        .join();
    }
}

async fn run(admin: &mut PgConnection, statement: String) {
    // Safe: names of ours, letters and digits.
    raw_sql(AssertSqlSafe(statement.clone()))
        .execute(admin)
        .await
        .unwrap_or_else(|fault| panic!("{statement}: {fault}"));
}

/// Tells schemas apart: a cluster that runs already may hold another release's template.
fn schema_digest() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(fs::read(file).unwrap());
    }
    hash.finalize().iter().take(8).map(|octet| format!("{octet:02x}")).collect()
}

struct Cluster {
    admin: String,
    /// While this is open, the shell keeps the cluster.
    keeper: Option<ChildStdin>,
}

impl Cluster {
    /// The URL of another database of the cluster.
    fn url(&self, name: &str) -> String {
        let (base, options) = self.admin.split_once('?').map_or((self.admin.as_str(), ""), |(base, rest)| (base, rest));
        let authority = base.find("://").map_or(0, |start| start + 3);
        let end = base[authority..].find('/').map_or(base.len(), |slash| authority + slash);
        let options = if options.is_empty() { String::new() } else { format!("?{options}") };
        format!("{}/{name}{options}", &base[..end])
    }
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| match std::env::var("SENDREADY_TEST_POSTGRES") {
        Ok(admin) => Cluster { admin, keeper: None },
        Err(_) => start(),
    })
}

/// Where the system keeps a program of PostgreSQL; the newest release where there are several.
pub fn program(name: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|folder| folder.path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name)).find(|file| file.exists()).unwrap_or_else(
        || panic!("there is no `{name}`: install PostgreSQL (Debian: apt-get install postgresql), or set SENDREADY_TEST_POSTGRES"),
    )
}

/// A program without root's privileges, in a folder.
pub fn unprivileged(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir(folder);
    command
}

fn start() -> Cluster {
    let folder = tempfile::Builder::new().prefix("sendready-postgres-").tempdir().unwrap().keep();
    if rustix::process::geteuid().is_root() {
        chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let data = folder.join("data");
    let made = unprivileged(&program("initdb"), &folder)
        .args(["--no-sync", "--auth=trust", "--username=app", "--encoding=UTF8", "--locale=C", "-D"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let keeper = keep(&folder, &data, port).unwrap();
    let began = Instant::now();
    let ready = || {
        let mut command = unprivileged(&program("pg_isready"), &folder);
        command.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).status().unwrap().success()
    };
    while !ready() {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(began.elapsed() < START_TIME_MAX, "PostgreSQL does not answer: {log}");
        std::thread::sleep(Duration::from_millis(25));
    }
    Cluster { admin: format!("postgres://app@127.0.0.1:{port}/postgres"), keeper: Some(keeper) }
}

/// Starts the server under a shell that ends it, and removes its folder, once its own input ends: when the
/// pipe is closed, by us or by the system when we are no more.
fn keep(folder: &Path, data: &Path, port: u16) -> io::Result<ChildStdin> {
    let script = r#"
        "$0" -D "$1" -k "$2" -p "$3" -h 127.0.0.1 -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
            -c autovacuum=off -c max_connections=300 -c shared_buffers=32MB >"$2/log" 2>&1 &
        server=$!
        cat >/dev/null
        kill -INT "$server"
        wait "$server"
        rm -rf "$2"
    "#;
    let mut shell = unprivileged(Path::new("/bin/sh"), folder)
        .args(["-c", script])
        .arg(program("postgres"))
        .arg(data)
        .arg(folder)
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    shell.stdin.take().ok_or_else(|| io::Error::other("the shell has no input"))
}
