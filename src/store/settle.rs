//! Settling: the one transaction in which a check's result becomes so.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::store::schedule::{CheckReason, Claim};
use crate::store::{NewEvent, Store, StoreError};
use crate::verify::evidence::stored::Stored;
use crate::verify::standing::Standing;

/// The result of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// When the check was made; `last_checked_at`.
    pub at: DateTime<Utc>,
    /// How the domain stands after it.
    pub standing: Standing,
    /// The verdict on each record, for the history.
    pub verdicts: Value,
    /// What it rests on; stored once per digest.
    pub evidence: Stored,
    /// What changed with it, for the history.
    pub changes: Value,
    /// Whether all four were valid; sets `last_success_at`.
    pub all_valid: bool,
    /// When to check again; nothing: only when asked.
    pub next_check_at: Option<DateTime<Utc>>,
    /// What to tell the world.
    pub events: Vec<NewEvent>,
    /// The id of the check in the history.
    pub check_id: Uuid,
    /// Why it was made.
    pub reason: CheckReason,
    /// How many questions were asked.
    pub questions: u32,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
}

/// What came of [`Store::domain_settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// All of it is written.
    Done,
    /// Another has the domain now, or it was changed meanwhile: none of it is written.
    LeaseLost,
}

impl Store {
    /// Writes a check's result in one transaction: flags, status and clocks, evidence, history and events.
    ///
    /// Only behind the lease's token, and only when name, status and deletion still are what the claim saw, for
    /// the platform may have changed them by SQL. `updated_at` becomes `now` when a column of the seed changes.
    /// A check that a webhook asked for while this one ran comes before `next_check_at`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is written, and the domain falls due when the lease ends.
    pub async fn domain_settle(
        &self,
        claim: &Claim,
        settlement: &Settlement,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        let _ = (claim, settlement, now);
        Err(StoreError::unbuilt("domain_settle"))
    }
}
