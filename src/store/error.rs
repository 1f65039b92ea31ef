//! What may go wrong between rows and types.

use std::path::PathBuf;

use thiserror::Error;

/// Why an operation of the store gave nothing. Expected refusals are not errors but results.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database did not answer, or not in time. Nobody's fault here; try again later.
    #[error("the database did not answer `{operation}`")]
    Unavailable {
        /// The function of [`crate::store::Store`].
        operation: &'static str,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// A row does not read back. The fault of whoever wrote it; trying again does not help.
    #[error("`{operation}` met a row that does not read back: {what}")]
    Corrupt {
        /// The function of [`crate::store::Store`].
        operation: &'static str,
        /// Which column of which row, and why.
        what: String,
    },
    /// The database's URL cannot be used. The fault of the configuration.
    #[error("the database URL cannot be used: {what}")]
    BadUrl {
        /// Why, without the URL, for it may hold a password.
        what: String,
    },
    /// There is no such SQLite file, and it was not to be made. The fault of whoever asks for what is in it.
    #[error(
        "there is no database at {}: `sendready serve` and `sendready migrate` make one; to read another, name it with --database-url or database.url",
        .path.display()
    )]
    Absent {
        /// Where it would be.
        path: PathBuf,
    },
    /// Another process serves the SQLite file.
    #[error(
        "another `sendready serve` runs on {}: stop that one first, or let both use PostgreSQL, which any number of processes may share",
        .path.display()
    )]
    Served {
        /// Where it is.
        path: PathBuf,
    },
}

impl StoreError {
    /// Whether it is a word about what was to be written, not one about the database's own trouble.
    pub fn is_refusal(&self) -> bool {
        match self {
            StoreError::Corrupt { .. } => true,
            StoreError::BadUrl { .. } | StoreError::Absent { .. } | StoreError::Served { .. } => false,
            StoreError::Unavailable { source: sqlx::Error::Database(fault), .. } => {
                // A lost connection, no resources, and being shut down: the next would hear the same.
                let code = fault.code().unwrap_or_default();
                !["08", "53", "57"].iter().any(|class| code.starts_with(class))
            }
            StoreError::Unavailable { source, .. } => matches!(source, sqlx::Error::Encode(_)),
        }
    }

    /// What those are told who shared a call that failed.
    pub(crate) fn unanswered(operation: &'static str, why: &str) -> StoreError {
        StoreError::Unavailable { operation, source: sqlx::Error::Io(std::io::Error::other(why.to_owned())) }
    }

    /// Sorts the driver's errors: a value of another type than the schema says is a corrupt row.
    pub(crate) fn of(operation: &'static str, source: sqlx::Error) -> StoreError {
        match source {
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::TypeNotFound { .. } => StoreError::Corrupt { operation, what: source.to_string() },
            source => StoreError::Unavailable { operation, source },
        }
    }

    /// The same, as a function for `map_err`.
    pub(crate) fn at(operation: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
        move |source| StoreError::of(operation, source)
    }
}
