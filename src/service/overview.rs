//! The fleet at a glance, for operators.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use uuid::Uuid;

use crate::sending::mailbox::MailboxStatus;
use crate::service::{Caller, Error, Service};
use crate::verify::purpose::Purpose;
use crate::verify::standing::Status;

pub use crate::store::overview::{DomainDelivery, Happened, SuspendedSoon};

/// How many hours the picture has; the last is the one that is running.
pub const HOURS: usize = 24;

/// How soon a suspension is told of.
const SOON: TimeDelta = TimeDelta::hours(72);

/// How many domains that are to be suspended are named.
pub const SUSPENDED_SOON_MAX: u32 = 10;

/// How many of the latest happenings are told.
const LATELY_MAX: u32 = 10;

/// How many deliveries of a domain's events are told.
const DELIVERIES_MAX: u32 = 50;

/// Counts and what happened lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// Domains by status, deleted ones left out.
    pub domains: Vec<(Status, u64)>,
    /// Domains with a false flag, by purpose.
    pub failing: Vec<(Purpose, u64)>,
    /// Mailboxes by status.
    pub mailboxes: Vec<(MailboxStatus, u64)>,
    /// Domains that are suspended within 72 hours unless they are mended, the most urgent first; at most
    /// [`SUSPENDED_SOON_MAX`] and one more, so that it shows when there are more.
    pub suspended_soon: Vec<SuspendedSoon>,
    /// How many checks are due and have not begun.
    pub due: u64,
    /// The last [`HOURS`] hours, the oldest first.
    pub hours: Vec<Hour>,
    /// What happened last, the newest first.
    pub lately: Vec<Happened>,
    /// Since when the fleet breaker is open; nothing when it is closed.
    pub breaker_open_since: Option<DateTime<Utc>>,
}

/// What came of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// When it began.
    pub from: DateTime<Utc>,
    /// How many checks settled.
    pub checks: u64,
    /// How many of them changed something.
    pub changes: u64,
    /// How often the flag of each purpose fell, in the order of [`Purpose::ALL`].
    pub fallen: [u64; 4],
}

impl Service {
    /// The fleet at a glance. Operators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Store`].
    pub async fn overview(&self, caller: &Caller) -> Result<Overview, Error> {
        caller.operator()?;
        let now = self.clock.now();
        let breaker = self.store.breaker().await?;
        let (domains, failing) = self.domain_counts().await?;
        let mailboxes = self.store.overview_mailboxes().await?;
        let mailboxes_with = |status: MailboxStatus| {
            mailboxes.iter().filter(|row| row.status == status.as_str()).map(|row| unsigned(row.count)).sum()
        };
        Ok(Overview {
            domains,
            failing,
            mailboxes: MailboxStatus::ALL.map(|status| (status, mailboxes_with(status))).to_vec(),
            suspended_soon: self.store.overview_suspended_soon(now + SOON, SUSPENDED_SOON_MAX + 1).await?,
            due: self.store.domain_due_count(now).await?,
            hours: self.hours(now).await?,
            lately: self.store.overview_lately(LATELY_MAX).await?,
            breaker_open_since: breaker.opened_at.filter(|_| breaker.is_open()),
        })
    }

    async fn domain_counts(&self) -> Result<(Vec<(Status, u64)>, Vec<(Purpose, u64)>), Error> {
        let deleted = Status::Deleted.as_str();
        let rows = self.store.overview_domains().await?.into_iter().filter(|row| row.status != deleted);
        let rows: Vec<_> = rows.collect();
        let statuses = Status::ALL.into_iter().filter(|status| *status != Status::Deleted).map(|status| {
            let alike = rows.iter().filter(|row| row.status == status.as_str());
            (status, alike.map(|row| unsigned(row.count)).sum())
        });
        let failing = Purpose::ALL.map(|purpose| {
            let fails = rows.iter().filter(|row| match purpose {
                Purpose::Spf => !row.spf,
                Purpose::Dkim => !row.dkim,
                Purpose::Dmarc => !row.dmarc,
                Purpose::Mx => !row.mx,
            });
            (purpose, fails.map(|row| unsigned(row.count)).sum())
        });
        Ok((statuses.collect(), failing.to_vec()))
    }

    async fn hours(&self, now: DateTime<Utc>) -> Result<Vec<Hour>, Error> {
        let running = now.with_minute(0).and_then(|at| at.with_second(0)).and_then(|at| at.with_nanosecond(0));
        let to = running.unwrap_or(now) + TimeDelta::hours(1);
        let from = to - TimeDelta::hours(i64::try_from(HOURS).unwrap_or_default());
        let (checks, changes) =
            (self.store.overview_checks(from, to).await?, self.store.overview_changes(from, to).await?);
        let hours = (0_i64..).take(HOURS).map(|index| {
            let made = checks.iter().filter(|row| row.hour == index).map(|row| unsigned(row.count)).sum();
            let changed = changes.iter().find(|row| row.hour == index);
            let fallen = changed.map_or([0; 4], |row| [row.spf, row.dkim, row.dmarc, row.mx].map(unsigned));
            Hour {
                from: from + TimeDelta::hours(index),
                checks: made,
                changes: changed.map_or(0, |row| unsigned(row.count)),
                fallen,
            }
        });
        Ok(hours.collect())
    }

    /// What became of a domain's latest events at the endpoints that get them. Operators only.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn domain_deliveries(&self, caller: &Caller, id: Uuid) -> Result<Vec<DomainDelivery>, Error> {
        caller.operator()?;
        let row = self.see_domain(caller, id).await?;
        Ok(self.store.domain_deliveries(row.id, DELIVERIES_MAX).await?)
    }
}

/// What a database counted is never below nothing.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
