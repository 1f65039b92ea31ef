//! Forgetting: history past `history.keep`, who changed what past `audit.keep`, and answers to repeated requests past their time.
//!
//! In small steps, so that none holds a lock that somebody notices. The newest check of a domain stays, for its
//! flags rest on it.

use chrono::TimeDelta;

use crate::service::{Error, Service};
use crate::store::idempotency::KEPT;
use crate::store::receipt;

/// The most rows removed in one step.
const STEP_ROWS_MAX: u32 = 500;

/// What is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// Checks, with the evidence that nothing else rests on.
    Checks,
    /// Events.
    Events,
    /// Deliveries of events.
    Deliveries,
    /// Ids of webhooks that came in.
    Receipts,
    /// Answers to requests with an `Idempotency-Key`.
    Answers,
    /// Setup links that ended long ago.
    SetupLinks,
    /// Who changed what.
    Audit,
    /// What other clients were to publish to be given a domain, and have not in time.
    Claims,
}

impl Old {
    /// Every kind.
    pub const ALL: [Old; 8] = [
        Old::Checks,
        Old::Events,
        Old::Deliveries,
        Old::Receipts,
        Old::Answers,
        Old::SetupLinks,
        Old::Audit,
        Old::Claims,
    ];

    /// A word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Old::Checks => "checks",
            Old::Events => "events",
            Old::Deliveries => "deliveries",
            Old::Receipts => "webhook ids",
            Old::Answers => "idempotency keys",
            Old::SetupLinks => "setup links",
            Old::Audit => "lines of who changed what",
            Old::Claims => "claims",
        }
    }
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// How many rows are gone.
    pub count: u64,
    /// Whether more may be left.
    pub more: bool,
}

impl Service {
    /// Forgets at most one step of what is old by now.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; nothing is forgotten.
    pub async fn forget(&self, what: Old) -> Result<Forgotten, Error> {
        let keep = match what {
            Old::Checks | Old::Events | Old::Deliveries | Old::SetupLinks => {
                TimeDelta::from_std(self.settings.history_keep).unwrap_or(TimeDelta::MAX)
            }
            Old::Audit => TimeDelta::from_std(self.settings.audit_keep).unwrap_or(TimeDelta::MAX),
            Old::Receipts => receipt::KEPT,
            Old::Answers => KEPT,
            Old::Claims => TimeDelta::zero(),
        };
        // Before the beginning of time: everything is kept.
        let Some(before) = self.clock.now().checked_sub_signed(keep) else {
            return Ok(Forgotten { count: 0, more: false });
        };
        let count = match what {
            Old::Checks => self.store.check_prune(before, STEP_ROWS_MAX).await?,
            Old::Events => self.store.event_prune(before, STEP_ROWS_MAX).await?,
            Old::Deliveries => self.store.delivery_prune(before, STEP_ROWS_MAX).await?,
            Old::Receipts => self.store.receipt_prune(before, STEP_ROWS_MAX).await?,
            Old::Answers => self.store.idempotency_prune(before, STEP_ROWS_MAX).await?,
            Old::SetupLinks => self.store.setup_link_prune(before, STEP_ROWS_MAX).await?,
            Old::Audit => self.store.audit_prune(before, STEP_ROWS_MAX).await?,
            Old::Claims => self.store.ownership_prune(before, STEP_ROWS_MAX).await?,
        };
        Ok(Forgotten { count, more: count >= u64::from(STEP_ROWS_MAX) })
    }
}
