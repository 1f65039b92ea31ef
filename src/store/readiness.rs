//! A mailbox's row before the gate ([`crate::sending::gate`]): here, because sends are decided under the row's lock.

use chrono::{DateTime, NaiveDate, Utc};

use crate::sending::gate::{self, DomainFacts, MailboxFacts, Readiness};
use crate::sending::health::{Bounds, Health};
use crate::store::MailboxRow;
use crate::verify::standing::{Patience, Standing};

/// What the gate is set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateRules {
    /// How long the last known word about a domain holds.
    pub patience: Patience,
    /// Above which rates a mailbox is paused.
    pub bounds: Bounds,
}

impl MailboxRow {
    /// What the gate says of a row whose warm-up is reckoned.
    pub fn readiness(&self, rules: GateRules, now: DateTime<Utc>) -> Readiness {
        let domain = self.domain_facts(rules.patience, now);
        gate::readiness(&domain, &self.facts(now.date_naive()), rules.bounds)
    }

    /// What the gate asks of its domain.
    pub fn domain_facts(&self, patience: Patience, now: DateTime<Utc>) -> DomainFacts {
        let domain = &self.domain;
        let standing = Standing { stale_since: domain.stale_since, ..Standing::NEW };
        DomainFacts {
            status: domain.status,
            suspended_reason: domain.suspended_reason,
            flags: domain.flags,
            is_stale: standing.is_stale(now, patience),
            is_malformed: domain.is_malformed,
            counter: domain.counter(now.date_naive()),
        }
    }

    /// What the gate asks of it by itself, on the UTC day `today`.
    pub fn facts(&self, today: NaiveDate) -> MailboxFacts {
        MailboxFacts {
            status: self.status,
            paused_reason: self.paused_reason,
            is_deleted: self.deleted_at.is_some(),
            health: self.health(),
            counter: self.counter(today),
        }
    }

    /// Its rates.
    pub fn health(&self) -> Health {
        Health {
            bounce_rate: self.bounce_rate,
            spam_rate: self.spam_rate,
            reply_rate: self.reply_rate,
            sample: self.health_sample,
        }
    }
}
