//! Readiness: the facts of a row, put before the gate ([`crate::sending::gate`]).

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::sending::gate::{self, DomainFacts, Readiness};
use crate::sending::limit::Counter;
use crate::sending::warmup::midnight;
use crate::service::{Caller, Error, Service};
use crate::store::{Claim, GateRules, MailboxRow, Settlement};

/// What may be done today.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadinessView {
    /// What the gate says.
    pub readiness: Readiness,
    /// When the next UTC day begins.
    pub resets_at: DateTime<Utc>,
}

impl Service {
    /// What a mailbox may today, and why not more.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMailbox`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn mailbox_readiness(&self, caller: &Caller, id: Uuid) -> Result<ReadinessView, Error> {
        let row = self.see_mailbox(caller, id).await?;
        let now = self.clock.now();
        Ok(ReadinessView { readiness: row.readiness(self.gate_rules(), now), resets_at: resets_at(now) })
    }

    /// What a domain may today, and why not more.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn domain_readiness(&self, caller: &Caller, id: Uuid) -> Result<ReadinessView, Error> {
        let row = self.see_domain(caller, id).await?;
        let now = self.clock.now();
        let counter = self.store.send_counter_of_domain(id, now.date_naive()).await?;
        let facts = DomainFacts {
            status: row.status,
            suspended_reason: row.suspended_reason,
            flags: row.standing().flags,
            is_stale: row.standing().is_stale(now, self.settings.patience),
            is_malformed: row.is_malformed(),
            counter: counter.unwrap_or(Counter { used: 0, limit: 0 }),
        };
        let sum = self.store.mailbox_limit_sum(id).await?;
        Ok(ReadinessView { readiness: gate::domain_readiness(&facts, sum), resets_at: resets_at(now) })
    }

    /// What the gate goes by.
    pub(crate) fn gate_rules(&self) -> GateRules {
        GateRules { patience: self.settings.patience, bounds: self.settings.sending }
    }

    /// Whether a mailbox by itself keeps its warm-up closed.
    pub(crate) fn closes_warm_up(&self, row: &MailboxRow, today: NaiveDate) -> bool {
        !row.warmup_enabled || gate::mailbox_closes_warm_up(&row.facts(today), self.settings.sending)
    }

    /// Notes how long warm-up was closed because nobody could tell, before a check that can forgets it. A check that
    /// does not settle then has noted nothing wrong: until now nobody could tell.
    pub(crate) async fn note_staleness_ended(&self, claim: &Claim, settlement: &Settlement) -> Result<(), Error> {
        let before = claim.domain.standing();
        let Some(since) = before.stale_since.filter(|_| settlement.standing.stale_since.is_none()) else {
            return Ok(());
        };
        if !before.is_stale(settlement.at, self.settings.patience) {
            return Ok(());
        }
        let closed_at = since + self.settings.patience.stale_limit;
        Ok(self.store.warmup_note_stale(claim.domain.id, closed_at, settlement.at).await?)
    }
}

/// When the UTC day after `now`'s begins.
pub(crate) fn resets_at(now: DateTime<Utc>) -> DateTime<Utc> {
    now.date_naive().succ_opt().map_or(now, midnight)
}
