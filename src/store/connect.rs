//! From a URL to a pool of connections.
//!
//! Pools are small, and empty themselves when nobody asks: an idle service is to stay under 40 MB.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::store::StoreError;
use crate::store::db::{Db, statements};

/// How long a call waits for a connection.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long PostgreSQL works on one statement, or lets it wait for a lock, before it gives up by itself.
/// Migrations take what they need.
const STATEMENT_TIME_MAX: &str = "10s";

/// How long a call waits in all, so that the server's own word comes first.
pub const CALL_TIME_MAX: Duration = Duration::from_secs(15);

/// How long a writer waits for another process's writer. Within our own process they queue the same way.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection that nobody uses is kept.
pub(in crate::store) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// PostgreSQL has a process for each, and other replicas want some too.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;

/// Readers beside the one writer; each has a thread and a cache of its own.
const SQLITE_CONNECTIONS_MAX: u32 = 8;

/// SQLite's page cache for each connection, in KiB; negative is SQLite's way to say so.
const SQLITE_CACHE: &str = "-1024";

/// Prepared statements kept for each connection: more than we have, 214 texts on PostgreSQL and 207 on SQLite in November
/// 2026, so that none makes room for another. A test holds that.
///
/// Measured, all of them: 3 MB a connection of SQLite, hence 24 MB at most for the eight of a process under load; on
/// PostgreSQL 0.5 MB a connection here, 8 MB for the sixteen, and 7 MB at the server, most of which few connections come
/// to. With [`IDLE_TIMEOUT`] that is memory under load: of an idle process one connection is left, for the jobs.
const STATEMENTS_MAX: usize = 256;

statements! {
    // For the session. SQLite has no such thing; its calls wait for no network.
    LIMIT_TIME = "SELECT set_config('statement_timeout', $1, FALSE)" => "SELECT $1";
}

/// What becomes of a SQLite file that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum IfAbsent {
    /// It is made.
    Make,
    /// [`StoreError::Absent`].
    Refuse,
}

/// The pool for a URL. Connects to nothing yet, but makes the file of a new SQLite database where it is to be made.
pub(in crate::store) fn open(url: &str, if_absent: IfAbsent) -> Result<Db, StoreError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => postgres(url),
        Some("sqlite") => sqlite(url, if_absent),
        _ => Err(bad("it must begin with `sqlite:` or `postgres://`")),
    }
}

fn postgres(url: &str) -> Result<Db, StoreError> {
    // The driver's fault may quote the URL, and with it the password.
    let options = PgConnectOptions::from_str(url).map_err(|_| bad("it is not a postgres:// URL that can be read"))?;
    let options = options.application_name("sendready").statement_cache_capacity(STATEMENTS_MAX);
    Ok(Db::Postgres(bounds(POSTGRES_CONNECTIONS_MAX).connect_lazy_with(options)))
}

/// A pool of one connection to the same database, which belongs to the runtime that asks for it.
pub(in crate::store) fn of_one(other: &PgPool) -> PgPool {
    bounds(1).connect_lazy_with((*other.connect_options()).clone())
}

fn bounds(connections_max: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .min_connections(0)
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        // Not as a start-up option: connection poolers refuse those that they do not know.
        .after_connect(|connection, _| {
            Box::pin(async move {
                let sql = LIMIT_TIME.postgres;
                sqlx::query(sql).bind(STATEMENT_TIME_MAX).execute(connection).await.map(|_| ())
            })
        })
}

fn sqlite(url: &str, if_absent: IfAbsent) -> Result<Db, StoreError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|fault| bad(&fault.to_string()))?;
    let path = options.get_filename().to_owned();
    if path.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
        return Err(bad("a database in memory is lost with its connection; name a file"));
    }
    match if_absent {
        IfAbsent::Make => {
            make_private(&path).map_err(|fault| bad(&format!("{} cannot be made: {fault}", path.display())))?;
        }
        IfAbsent::Refuse if !path.exists() => return Err(StoreError::Absent { path }),
        IfAbsent::Refuse => {}
    }
    let options = options
        .create_if_missing(if_absent == IfAbsent::Make)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Also what was just acknowledged survives a loss of power.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", SQLITE_CACHE)
        .statement_cache_capacity(STATEMENTS_MAX);
    let pool = SqlitePoolOptions::new()
        .min_connections(0)
        .max_connections(SQLITE_CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .connect_lazy_with(options);
    Ok(Db::Sqlite(pool))
}

/// Makes the file, if it is missing, for its owner only; its log gets the same rights from SQLite.
fn make_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => Err(fault),
        _ => Ok(()),
    }
}

fn bad(what: &str) -> StoreError {
    StoreError::BadUrl { what: what.to_owned() }
}
