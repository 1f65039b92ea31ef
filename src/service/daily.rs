//! What the turn of a day asks for: counters zeroed, warm-up columns brought up to date, closures noted that the
//! platform has caused by SQL.
//!
//! Nothing rests on it but what others read by SQL: whoever asks this service gets what is right at once.

use chrono::NaiveDate;
use tracing::warn;
use uuid::Uuid;

use crate::sending::gate::{DomainFacts, domain_closes_warm_up};
use crate::sending::health::{self, HealthFault};
use crate::service::{Error, Service};
use crate::store::MailboxWatch;

/// The most rows changed or looked at in one step.
const STEP_ROWS_MAX: u32 = 500;

impl Service {
    /// Today's UTC date.
    pub fn today(&self) -> NaiveDate {
        self.clock.now().date_naive()
    }

    /// Zeroes the counters of days that are over, and notes of which day those are that the platform has written. One
    /// step; whether more may be left.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn counters_turn(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        let count = self.store.send_zero(now, STEP_ROWS_MAX).await? + self.store.send_stamp(now, STEP_ROWS_MAX).await?;
        Ok(count >= u64::from(STEP_ROWS_MAX))
    }

    /// Forgets grants whose keys count no more. One step; whether more may be left.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn grants_forget(&self) -> Result<bool, Error> {
        let count = self.store.send_prune(self.clock.now(), STEP_ROWS_MAX).await?;
        Ok(count >= u64::from(STEP_ROWS_MAX))
    }

    /// Looks at some mailboxes behind `after`, and brings up to date what is not. Behind which to go on; nothing at
    /// the end.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; what was brought up to date by then stays so.
    pub async fn mailboxes_look(&self, after: Uuid) -> Result<Option<Uuid>, Error> {
        let watched = self.store.mailbox_walk(after, STEP_ROWS_MAX).await?;
        let next = watched.last().map(|watch| watch.row.id);
        for watch in watched {
            self.look(watch).await?;
        }
        Ok(next)
    }

    async fn look(&self, watch: MailboxWatch) -> Result<(), Error> {
        let MailboxWatch { row, is_closed, is_domain_closed } = watch;
        let now = self.clock.now();
        let closes = self.closes_warm_up(&row, now.date_naive());
        if closes != is_closed {
            self.store.warmup_note_mailbox(row.id, closes, now).await?;
        }
        // Staleness has its own clock, and is no closure to be noted.
        let facts = row.domain_facts(self.settings.patience, now);
        let domain_closes = domain_closes_warm_up(&DomainFacts { is_stale: false, ..facts });
        if domain_closes != is_domain_closed {
            self.store.warmup_note_domain(row.domain_id, domain_closes, now).await?;
        }
        for fault in health::faults(&row.health(), self.settings.sending) {
            if let HealthFault::OutOfRange { rate, value } = fault {
                let column = rate.column();
                warn!(mailbox.id = %row.id, column, value, "A mailbox's {column} is no fraction from 0 to 1; it is passed over");
            }
        }
        self.reckoned(row).await.map(|_| ())
    }
}
