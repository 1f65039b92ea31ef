//! Migrations: the files of `migrations/`, recorded in our own table `_sendready_migrations`.
//!
//! Why not the driver's own migrator: it knows neither adoption nor our table's columns, and it would not
//! let an older release run on a newer schema. Forward only; each in its own transaction.

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::store::{Store, StoreError};

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
    /// Tables of the same names are there, but they are not those of the seed.
    #[error("the tables that are there differ from those of `{name}`: {}", differences.join("; "))]
    Differs {
        /// The file's name without `.sql`.
        name: &'static str,
        /// One sentence for each difference.
        differences: Vec<String>,
    },
}

impl Store {
    /// Brings the schema up to date; what was applied, in order. Twice is the same as once.
    ///
    /// Replicas may start together: the first does it, the others wait. Tables that the platform has made are
    /// adopted when they are the seed's.
    ///
    /// # Errors
    ///
    /// [`MigrateError`].
    pub async fn migrate(&self, now: DateTime<Utc>) -> Result<Vec<Applied>, MigrateError> {
        let _ = now;
        Err(StoreError::unbuilt("migrate").into())
    }

    /// Every migration of this release, and those of newer ones that were applied. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`MigrateError::Store`].
    pub async fn migration_status(&self) -> Result<Vec<MigrationState>, MigrateError> {
        Err(StoreError::unbuilt("migration_status").into())
    }
}
