//! Migrations: the files of `migrations/`, recorded in our own table `_sendready_migrations`.
//!
//! Why not the driver's own migrator: it knows neither adoption nor our table's columns, and it would not
//! let an older release run on a newer schema. Forward only; each in its own transaction.

pub mod adoption;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;
use thiserror::Error;
use tracing::warn;

use crate::store::db::{Tx, db, statements, tx};
use crate::store::{Store, StoreError};

/// One file of `migrations/`.
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// All of them, in order.
const MIGRATIONS: [Migration; 16] = [
    Migration { version: 2, name: "002_clients", sql: include_str!("../../migrations/002_clients.sql") },
    Migration {
        version: 17,
        name: "017_email_infrastructure",
        sql: include_str!("../../migrations/017_email_infrastructure.sql"),
    },
    Migration { version: 18, name: "018_service", sql: include_str!("../../migrations/018_service.sql") },
    Migration { version: 19, name: "019_staged", sql: include_str!("../../migrations/019_staged.sql") },
    Migration { version: 20, name: "020_breaker", sql: include_str!("../../migrations/020_breaker.sql") },
    Migration { version: 21, name: "021_follow_ups", sql: include_str!("../../migrations/021_follow_ups.sql") },
    Migration { version: 22, name: "022_webhooks", sql: include_str!("../../migrations/022_webhooks.sql") },
    Migration { version: 23, name: "023_sending", sql: include_str!("../../migrations/023_sending.sql") },
    Migration { version: 24, name: "024_setup_links", sql: include_str!("../../migrations/024_setup_links.sql") },
    Migration { version: 25, name: "025_ownership", sql: include_str!("../../migrations/025_ownership.sql") },
    Migration { version: 26, name: "026_audit", sql: include_str!("../../migrations/026_audit.sql") },
    Migration { version: 27, name: "027_outside_facts", sql: include_str!("../../migrations/027_outside_facts.sql") },
    Migration { version: 28, name: "028_told_rows", sql: include_str!("../../migrations/028_told_rows.sql") },
    Migration { version: 29, name: "029_console", sql: include_str!("../../migrations/029_console.sql") },
    Migration { version: 30, name: "030_abandoned", sql: include_str!("../../migrations/030_abandoned.sql") },
    Migration { version: 31, name: "031_hot_counters", sql: include_str!("../../migrations/031_hot_counters.sql") },
];

/// What of PostgreSQL's text SQLite does not know, and what it gets instead. Types it takes as they stand.
///
/// The time is spelled as the driver spells it, for times are compared as texts there.
const SQLITE_TOKENS: [(&str, &str); 3] = [
    ("gen_random_uuid()", "(randomblob(16))"),
    ("NOW()", "(strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'))"),
    // Octet by octet is what it does anyway.
    (" COLLATE \"C\"", ""),
];

/// The line before what SQLite does not get.
const POSTGRES_ONLY: &str = "-- PostgreSQL only {";

/// The line after it.
const POSTGRES_ONLY_END: &str = "-- }";

impl Migration {
    /// SHA-256 of the file, in lower-case hex: the same on both databases.
    fn checksum(&self) -> String {
        Sha256::digest(self.sql).iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// The text for SQLite.
    fn for_sqlite(&self) -> String {
        let mut is_ours = true;
        let mut text = String::with_capacity(self.sql.len());
        for line in self.sql.split_inclusive('\n') {
            match line.trim_end() {
                POSTGRES_ONLY => is_ours = false,
                POSTGRES_ONLY_END => is_ours = true,
                _ if is_ours => text.push_str(line),
                _ => {}
            }
        }
        SQLITE_TOKENS.iter().fold(text, |text, (token, other)| text.replace(token, other))
    }
}

/// A migration that has just been applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The number before its file's name.
    pub version: i64,
    /// The file's name without `.sql`.
    pub name: String,
    /// Whether what it makes was there already, so that it was only recorded.
    pub adopted: bool,
}

/// A migration of this release, or one that a newer release has applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// The number before its file's name.
    pub version: i64,
    /// The file's name without `.sql`.
    pub name: String,
    /// When it was applied; nothing when it was not.
    pub applied_at: Option<DateTime<Utc>>,
    /// Whether it was only recorded.
    pub adopted: bool,
    /// Whether this release knows it.
    pub known: bool,
}

/// Why the schema could not be brought up to date. What one migration does is done wholly or not at all.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The database did not answer, or a row of the record does not read back.
    #[error("the migrations could not be read or recorded")]
    Store(#[from] StoreError),
    /// A migration's text was refused by the database.
    #[error("migration `{name}` failed")]
    Failed {
        /// The file's name without `.sql`.
        name: &'static str,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// A migration that was applied has another text now.
    #[error("migration `{name}` was applied with another text than this release has")]
    Edited {
        /// The file's name without `.sql`.
        name: String,
    },
    /// A migration was applied that this release does not know, and not behind its own: another history.
    #[error("migration `{name}` was applied, which this release does not know, though it is not a later one")]
    Unknown {
        /// The file's name without `.sql`.
        name: String,
    },
    /// Tables of the same names are there, but they are not those of the seed.
    #[error("the tables that are there differ from those of `{name}`: {}", differences.join("; "))]
    Differs {
        /// The file's name without `.sql`.
        name: &'static str,
        /// One sentence for each difference.
        differences: Vec<String>,
    },
}

statements! {
    // For the transaction: an index over many rows takes longer than a request may.
    UNLIMIT_TIME = "SELECT set_config('statement_timeout', '0', TRUE)" => "SELECT 1";
    // Replicas that start together wait here for the first; the lock ends with the transaction. The number is
    // ours alone: "sendread" in ASCII. SQLite's one writer is already inside.
    WAIT = "SELECT pg_advisory_xact_lock(8315173664704520548)" => "SELECT 1";
    MAKE_RECORD = "CREATE TABLE IF NOT EXISTS _sendready_migrations (version BIGINT PRIMARY KEY, \
        name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL, adopted BOOLEAN NOT NULL)";
    RECORD_EXISTS = "SELECT to_regclass('_sendready_migrations') IS NOT NULL"
        => "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sendready_migrations')";
    RECORDED = "SELECT version, name, checksum, applied_at, adopted FROM _sendready_migrations ORDER BY version";
    RECORD = "INSERT INTO _sendready_migrations (version, name, checksum, applied_at, adopted) \
        VALUES ($1, $2, $3, $4, $5)";
}

#[derive(sqlx::FromRow)]
struct Recorded {
    version: i64,
    name: String,
    checksum: String,
    applied_at: DateTime<Utc>,
    adopted: bool,
}

impl Store {
    /// Brings the schema up to date, in one transaction; what was applied, in order. Twice is the same as once.
    ///
    /// Replicas may start together: the first does it, the others wait. Tables that the platform has made are
    /// adopted when they are the seed's. Migrations of a newer release are passed over with a warning.
    ///
    /// # Errors
    ///
    /// [`MigrateError`]; nothing has changed.
    pub async fn migrate(&self, now: DateTime<Utc>) -> Result<Vec<Applied>, MigrateError> {
        const OPERATION: &str = "migrate";
        let mut tx = self.db.begin(OPERATION).await?;
        wait(&mut tx).await.map_err(StoreError::at(OPERATION))?;
        tx!(&mut tx, MAKE_RECORD, |sql, connection| sqlx::query(sql).execute(connection).await.map(|_| ()))
            .map_err(StoreError::at(OPERATION))?;
        let recorded = tx!(&mut tx, RECORDED, |sql, connection| {
            sqlx::query_as::<_, Recorded>(sql).fetch_all(connection).await
        })
        .map_err(StoreError::at(OPERATION))?;
        check_record(&recorded)?;
        let mut done = Vec::new();
        for migration in &MIGRATIONS {
            if recorded.iter().any(|row| row.version == migration.version) {
                continue;
            }
            let adopted = adoption::is_there(&mut tx, migration.version, migration.name).await?;
            if !adopted {
                apply(&mut tx, migration).await?;
            }
            record(&mut tx, migration, adopted, now).await.map_err(StoreError::at(OPERATION))?;
            done.push(Applied { version: migration.version, name: migration.name.to_owned(), adopted });
        }
        tx.commit(OPERATION).await?;
        Ok(done)
    }

    /// Every migration of this release, and those of newer ones that were applied. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`MigrateError::Store`].
    pub async fn migration_status(&self) -> Result<Vec<MigrationState>, MigrateError> {
        const OPERATION: &str = "migration_status";
        let exists = db!(&self.db, RECORD_EXISTS, |sql, pool| sqlx::query_scalar::<_, bool>(sql).fetch_one(pool).await)
            .map_err(StoreError::at(OPERATION))?;
        let mut states: Vec<MigrationState> = MIGRATIONS
            .iter()
            .map(|migration| MigrationState {
                version: migration.version,
                name: migration.name.to_owned(),
                applied_at: None,
                adopted: false,
                known: true,
            })
            .collect();
        if !exists {
            return Ok(states);
        }
        let recorded = db!(&self.db, RECORDED, |sql, pool| sqlx::query_as::<_, Recorded>(sql).fetch_all(pool).await)
            .map_err(StoreError::at(OPERATION))?;
        for row in recorded {
            let state = match states.iter_mut().find(|state| state.version == row.version) {
                Some(state) => state,
                None => states.push_mut(MigrationState {
                    version: row.version,
                    name: row.name,
                    applied_at: None,
                    adopted: false,
                    known: false,
                }),
            };
            state.applied_at = Some(row.applied_at);
            state.adopted = row.adopted;
        }
        states.sort_by_key(|state| state.version);
        Ok(states)
    }
}

/// Waits its turn, however long that takes: another replica's migration may be at work.
async fn wait(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    match tx {
        Tx::Postgres(transaction) => {
            let sql = UNLIMIT_TIME.postgres;
            sqlx::query(sql).execute(&mut **transaction).await?;
            let sql = WAIT.postgres;
            sqlx::query(sql).execute(&mut **transaction).await.map(|_| ())
        }
        // The one writer is already inside.
        Tx::Sqlite(_) => Ok(()),
    }
}

/// Compares what was applied with what this release has.
fn check_record(recorded: &[Recorded]) -> Result<(), MigrateError> {
    let last = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    for row in recorded {
        match MIGRATIONS.iter().find(|migration| migration.version == row.version) {
            Some(migration) if migration.checksum() != row.checksum => {
                return Err(MigrateError::Edited { name: row.name.clone() });
            }
            Some(_) => {}
            // Expand, move, contract: a newer release leaves what this one needs.
            None if row.version > last => {
                warn!(migration.name = %row.name, "The schema is of a newer release: {} was applied", row.name);
            }
            None => return Err(MigrateError::Unknown { name: row.name.clone() }),
        }
    }
    Ok(())
}

/// Runs a migration's text: many statements, and none of it from outside.
async fn apply(tx: &mut Tx<'_>, migration: &Migration) -> Result<(), MigrateError> {
    let done = match tx {
        Tx::Postgres(transaction) => sqlx::raw_sql(migration.sql).execute(&mut **transaction).await.map(|_| ()),
        Tx::Sqlite(transaction) => {
            // Safe: a file of ours, with tokens of ours.
            let text = AssertSqlSafe(migration.for_sqlite());
            sqlx::raw_sql(text).execute(&mut **transaction).await.map(|_| ())
        }
    };
    done.map_err(|source| MigrateError::Failed { name: migration.name, source })
}

async fn record(tx: &mut Tx<'_>, migration: &Migration, adopted: bool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    tx!(tx, RECORD, |sql, connection| {
        let query = sqlx::query(sql).bind(migration.version).bind(migration.name).bind(migration.checksum());
        query.bind(now).bind(adopted).execute(connection).await.map(|_| ())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed_in_order() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let listed: Vec<String> = MIGRATIONS.iter().map(|migration| format!("{}.sql", migration.name)).collect();
        assert_eq!(listed, files);
        for migration in &MIGRATIONS {
            assert!(migration.name.starts_with(&format!("{:03}_", migration.version)), "{}", migration.name);
        }
    }

    #[test]
    fn tokens_give_way_and_nothing_else_does() {
        let migration = Migration {
            version: 1,
            name: "001_trial",
            sql: "id UUID DEFAULT gen_random_uuid(), at TIMESTAMPTZ DEFAULT NOW(), known TEXT",
        };
        assert_eq!(
            migration.for_sqlite(),
            "id UUID DEFAULT (randomblob(16)), \
             at TIMESTAMPTZ DEFAULT (strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')), known TEXT"
        );
    }

    #[test]
    fn sqlite_does_not_get_what_is_for_postgresql_only() {
        let sql = "one;\n-- PostgreSQL only {\ntwo;\n-- }\nthree;\n";
        assert_eq!(Migration { version: 1, name: "001_trial", sql }.for_sqlite(), "one;\nthree;\n");
        let marks = |mark: &str| MIGRATIONS.iter().flat_map(|all| all.sql.lines()).filter(|line| *line == mark).count();
        assert_eq!(marks(POSTGRES_ONLY), marks(POSTGRES_ONLY_END));
    }

    /// The seed's blocks, in order, a blank line between two; where the seed is at hand.
    #[test]
    fn the_seed_stands_byte_for_byte() {
        let seed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seed-email-infrastructure.md");
        let Ok(seed) = std::fs::read_to_string(seed) else { return };
        let blocks: Vec<&str> =
            seed.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
        assert_eq!(blocks.len(), 3);
        assert_eq!(MIGRATIONS[1].sql, blocks.join("\n"));
    }
}
