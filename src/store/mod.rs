//! Rows ↔ types, one file per table, two databases behind one enum.
//!
//! Owns all SQL and the schema. Times and ids are arguments. Expected refusals are results, not errors.
//!
//! # Strictness
//!
//! Rows of `clients` and of the seed's three tables may be anybody's; they are read as design §4 says. Rows of
//! our own tables are ours: what does not read back is [`StoreError::Corrupt`].

pub mod db;
pub mod error;
pub mod migration;

pub mod client;
pub mod domain;
pub mod domain_add;
pub mod domain_change;
pub mod history;
pub mod idempotency;
pub mod key;
pub mod requirements;
pub mod schedule;
pub mod settle;

pub use client::{Client, ClientAdded, ClientChange, ClientChanged, Usage};
pub use db::Db;
pub use domain::{DomainFilter, DomainRow, Failing, Place};
pub use domain_add::{DomainAdded, NewDomain};
pub use domain_change::{DomainChange, OperatorStatus};
pub use error::StoreError;
pub use history::{CheckRow, EventRow, NewEvent};
pub use idempotency::{Began, IdempotencyScope};
pub use key::{KeyAdded, KeyRow, NewKey, Role};
pub use migration::{Applied, MigrateError, MigrationState};
pub use requirements::{DkimRequirement, DmarcRequirement, MxRequirement, Requirements};
pub use schedule::{Advanced, CheckReason, Claim};
pub use settle::{Settled, Settlement};

pub use crate::verify::evidence::stored::Stored as StoredEvidence;

/// All that is kept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
}

impl Store {
    /// Opens the database at `url`: `sqlite:PATH` (made, readable by its owner only, if missing) or
    /// `postgres://…`. Asks it one thing, so that a wrong URL is told at once; later losses mend by themselves.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadUrl`], the configuration's fault; [`StoreError::Unavailable`].
    pub async fn connect(url: &str) -> Result<Store, StoreError> {
        let _ = url;
        Err(StoreError::unbuilt("connect"))
    }

    /// Which database it is, for whoever must speak to it directly.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], after at most the pool's time-out.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Err(StoreError::unbuilt("ping"))
    }
}
