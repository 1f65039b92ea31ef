//! Rows ↔ types, one file per table, two databases behind one enum.
//!
//! Owns all SQL and the schema. Times and ids are arguments. Expected refusals are results, not errors.
//!
//! # Strictness
//!
//! Rows of `clients` and of the seed's three tables may be anybody's; they are read as design §4 says. Rows of
//! our own tables are ours: what does not read back is [`StoreError::Corrupt`].

pub mod connect;
pub mod db;
pub mod error;
pub mod migration;

pub mod abandoned;
pub mod audit;
pub mod breaker;
pub mod client;
pub mod console;
pub mod dedicated;
pub mod delivery;
pub mod delivery_claim;
pub mod domain;
pub mod domain_add;
pub mod domain_change;
pub mod endpoint;
pub mod history;
pub mod idempotency;
pub mod key;
pub mod listing;
pub mod lock;
pub mod mailbox;
pub mod mailbox_add;
pub mod mailbox_change;
pub mod note;
pub mod notice;
pub mod organization;
pub mod overview;
pub mod ownership;
pub mod prune;
mod readers;
pub mod readiness;
pub mod receipt;
pub mod reputation;
pub mod requirements;
pub mod schedule;
pub mod send;
pub mod send_batch;
mod send_lane;
mod send_memory;
mod send_queue;
mod send_rows;
pub mod settle;
pub mod setup_link;
pub mod transfer;
pub mod warmup;
pub mod warmup_rollup;
pub mod warmup_stats;
pub mod webhook_word;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use abandoned::{ClaimsLook, Looked};
pub use breaker::{Asked, NewLook};
pub use client::{Client, ClientAdded, ClientChange, ClientChanged, Excess, Usage};
pub use db::Db;
pub use dedicated::DedicatedReplaced;
pub use delivery::{DeliveryRow, DeliveryStatus};
pub use delivery_claim::{Attempt, DeliveryClaim, DeliverySettled, Disabling, Waiting, Which};
pub use domain::{DomainFilter, DomainRow, Failing, Place};
pub use domain_add::{DomainAdded, NewDomain};
pub use domain_change::{BindingChange, DomainChange, DomainChanged, OperatorStatus, RequirementsChange};
pub use endpoint::{DisabledReason, EndpointAdded, EndpointChange, EndpointRow, NewEndpoint, OlderSecret};
pub use error::StoreError;
pub use history::{CheckRow, EventRow, NewEvent};
pub use idempotency::{Began, IdempotencyScope};
pub use key::{KeyAdded, KeyRow, NewKey, Role};
pub use listing::{ListTold, ListingRow};
pub use mailbox::{MailboxDomain, MailboxRow, MailboxWatch};
pub use mailbox_add::{MailboxAdded, NewMailbox};
pub use mailbox_change::MailboxUpdate;
pub use migration::{Applied, MigrateError, MigrationState};
pub use organization::{AgeRow, AgeTold, DomainOrganization, OrganizationClaim};
pub use ownership::{ClaimRow, Claimed};
pub use readiness::GateRules;
pub use reputation::ReputationFacts;
pub use requirements::{DkimRequirement, DmarcRequirement, MxRequirement, Requirements, RowRequirements, Unreadable};
pub use schedule::{Advanced, CheckReason, Claim};
pub use send::{Grant, Send, SendKey, Sent};
pub use send_batch::SendAsked;
pub use settle::{Settled, Settlement};
pub use transfer::{Claimant, Exceeded, Transfer, Transferred};
pub use warmup_rollup::WarmupRollup;
pub use warmup_stats::WarmupStatsRow;
pub use webhook_word::Announced;

use crate::store::connect::IfAbsent;
use crate::store::db::{Sql, db, statements};
use crate::store::readers::Readers;
use crate::store::send_queue::SendQueue;

pub use crate::verify::evidence::stored::Stored as StoredEvidence;

/// All that is kept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
    /// Who we are among replicas.
    origin: Arc<str>,
    /// Who waits for sends.
    sends: Arc<SendQueue>,
    /// Connections for what is read most.
    readers: Readers,
}

statements! {
    PING = "SELECT 1";
    // Of the statement, not of its transaction. SQLite has no clock but its process's.
    TIME = "SELECT clock_timestamp()" => "SELECT NULL";
}

impl Store {
    /// Opens the database at `url`: `sqlite:PATH` (made, readable by its owner only, if missing) or
    /// `postgres://…`. Asks it one thing, so that a wrong URL is told at once; later losses mend by themselves.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadUrl`], the configuration's fault; [`StoreError::Unavailable`].
    pub async fn connect(url: &str) -> Result<Store, StoreError> {
        Store::over(connect::open(url, IfAbsent::Make)?).await
    }

    /// The same, but a SQLite file that is missing is not made.
    ///
    /// # Errors
    ///
    /// [`StoreError::Absent`] where it is; else as [`Store::connect`].
    pub async fn connect_to_existing(url: &str) -> Result<Store, StoreError> {
        Store::over(connect::open(url, IfAbsent::Refuse)?).await
    }

    async fn over(db: Db) -> Result<Store, StoreError> {
        let origin = notice::origin(&db).await?;
        Ok(Store { db, origin, sends: Arc::default(), readers: Readers::default() })
    }

    /// Which database it is, for whoever must speak to it directly.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], after at most [`connect::CALL_TIME_MAX`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.ask("ping").await
    }

    /// What the database's clock says; nothing on SQLite, which has no clock but ours.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        db!(&self.db, TIME, |sql, pool| sqlx::query_scalar::<_, Option<DateTime<Utc>>>(sql).fetch_one(pool).await)
            .map_err(StoreError::at("time"))
    }

    /// Gives back all connections; what is under way ends first. Nothing may be asked afterwards.
    pub async fn close(&self) {
        match &self.db {
            Db::Postgres(pool) => pool.close().await,
            Db::Sqlite(pool) => pool.close().await,
        }
    }

    async fn ask(&self, operation: &'static str) -> Result<(), StoreError> {
        db!(&self.db, PING, |sql, pool| sqlx::query(sql).execute(pool).await.map(|_| ()))
            .map_err(StoreError::at(operation))
    }
}

/// Every statement of the store, so that a test can prepare each on both databases.
#[doc(hidden)]
pub fn statements() -> Vec<Sql> {
    [
        STATEMENTS,
        connect::STATEMENTS,
        abandoned::STATEMENTS,
        breaker::STATEMENTS,
        client::STATEMENTS,
        dedicated::STATEMENTS,
        console::STATEMENTS,
        delivery::STATEMENTS,
        delivery_claim::STATEMENTS,
        domain::STATEMENTS,
        domain_add::STATEMENTS,
        domain_change::STATEMENTS,
        endpoint::STATEMENTS,
        history::STATEMENTS,
        idempotency::STATEMENTS,
        key::STATEMENTS,
        listing::STATEMENTS,
        mailbox::STATEMENTS,
        mailbox_add::STATEMENTS,
        mailbox_change::STATEMENTS,
        migration::STATEMENTS,
        migration::adoption::STATEMENTS,
        notice::STATEMENTS,
        ownership::STATEMENTS,
        organization::STATEMENTS,
        overview::STATEMENTS,
        prune::STATEMENTS,
        receipt::STATEMENTS,
        reputation::STATEMENTS,
        schedule::STATEMENTS,
        send::STATEMENTS,
        send_rows::STATEMENTS,
        settle::STATEMENTS,
        setup_link::STATEMENTS,
        audit::STATEMENTS,
        transfer::STATEMENTS,
        warmup::STATEMENTS,
        warmup_rollup::STATEMENTS,
        warmup_stats::STATEMENTS,
        webhook_word::STATEMENTS,
    ]
    .concat()
}
