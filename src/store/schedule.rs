//! The schedule: which domains are due, who holds them, and bringing one forward.
//!
//! It stands on the domain's row. A lease is a time and a token; whoever settles must still have the token.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::domain::DomainRow;
use crate::store::{Store, StoreError};

/// Why a domain is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckReason {
    /// It was registered.
    Created,
    /// Somebody looks at its records.
    Poll,
    /// Somebody asked for it.
    Verify,
    /// A webhook said that its DNS changed.
    Webhook,
    /// It was time.
    Schedule,
}

impl CheckReason {
    /// Every reason, in the contract's order.
    pub const ALL: [CheckReason; 5] =
        [CheckReason::Created, CheckReason::Poll, CheckReason::Verify, CheckReason::Webhook, CheckReason::Schedule];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            CheckReason::Created => "created",
            CheckReason::Poll => "poll",
            CheckReason::Verify => "verify",
            CheckReason::Webhook => "webhook",
            CheckReason::Schedule => "schedule",
        }
    }

    /// Reads the word of the contract; nothing for any other.
    pub fn parse(text: &str) -> Option<CheckReason> {
        CheckReason::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Whether somebody waits for it.
    pub const fn is_interactive(self) -> bool {
        !matches!(self, CheckReason::Schedule)
    }
}

/// A domain on loan to one worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The row as it was when lent.
    pub domain: DomainRow,
    /// What settling must show.
    pub token: Uuid,
    /// Why it is checked.
    pub reason: CheckReason,
}

/// What came of [`Store::domain_advance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advanced {
    /// Whether a worker holds the domain now: the call joins that check.
    pub running: bool,
    /// When the next check is due; at most `now` while one runs.
    pub next_check_at: DateTime<Utc>,
}

impl Store {
    /// Lends out at most `count_max` domains that are due at `now`.
    ///
    /// Those that somebody waits for go first (everything but reason `schedule`), each by how long it has been
    /// due. No domain is lent twice before `lease_until`, however many workers ask at once. A worker that dies
    /// gives nothing back; its domains fall due again at `lease_until`. Deleted and malformed ones are not lent.
    /// A row that does not read back is passed over aloud, and again after each lease.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has been lent.
    pub async fn domain_claim_due(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        token: Uuid,
        count_max: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        let _ = (now, lease_until, token, count_max);
        Err(StoreError::unbuilt("domain_claim_due"))
    }

    /// The same, but only what is due by schedule, so that the sweep can have its share.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has been lent.
    pub async fn domain_claim_sweep(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        token: Uuid,
        count_max: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        let _ = (now, lease_until, token, count_max);
        Err(StoreError::unbuilt("domain_claim_sweep"))
    }

    /// Gives a loan back untouched; the domain is due as it was. A lost lease is fine.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; it falls due when the lease ends.
    pub async fn domain_release(&self, claim: &Claim) -> Result<(), StoreError> {
        let _ = claim;
        Err(StoreError::unbuilt("domain_release"))
    }

    /// Brings a domain's next check forward to `at`, but not closer than `min_interval` to its last, and never
    /// later than it is. Nothing when there is no such domain or it is deleted.
    ///
    /// While a check runs, the call joins it, except that a webhook's word asks for another one after it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn domain_advance(
        &self,
        id: Uuid,
        reason: CheckReason,
        at: DateTime<Utc>,
        min_interval: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<Advanced>, StoreError> {
        let _ = (id, reason, at, min_interval, now);
        Err(StoreError::unbuilt("domain_advance"))
    }
}
