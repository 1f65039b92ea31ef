//! Warm-up statistics: a day of a mailbox is written, and ranges of days are read, of one mailbox or of many together.

use chrono::{Days, NaiveDate};
use uuid::Uuid;

use crate::service::{Caller, Error, Service};
use crate::store::{WarmupRollup, WarmupStatsRow};

/// The most days that one answer gives: a leap year.
pub const DAYS_MAX: u32 = 366;

/// How many days an answer gives unless told.
pub const DAYS_DEFAULT: u64 = 30;

/// The first day of which anybody can know something.
const FIRST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2000, 1, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};

/// What mailboxes told of some days.
#[derive(Debug, Clone, PartialEq)]
pub struct RollupView {
    /// The first day that was asked for.
    pub from: NaiveDate,
    /// The last one.
    pub to: NaiveDate,
    /// What was told of them.
    pub rollup: WarmupRollup,
}

impl Service {
    /// Writes what is known of a mailbox's day, over what was there. Not of a day that has begun nowhere yet.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMailbox`], also when it is deleted; [`Error::Invalid`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn warmup_stats_put(&self, caller: &Caller, id: Uuid, day: &WarmupStatsRow) -> Result<(), Error> {
        let row = self.see_mailbox(caller, id).await?;
        if row.deleted_at.is_some() {
            return Err(Error::NoSuchMailbox(id));
        }
        let now = self.clock.now();
        // East of us it is tomorrow already.
        let last = self.tomorrow();
        if !(FIRST_DAY..=last).contains(&day.date) {
            let detail = format!("the day in the path must be from {FIRST_DAY} to {last}");
            return Err(Error::invalid("/date", detail));
        }
        Ok(self.store.warmup_stats_put(self.chance.id(now), id, day, now).await?)
    }

    /// A mailbox's days from `from` to `to`, both included, in order; the last 30 days unless told.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMailbox`]; [`Error::Invalid`] for a range that ends before it begins or has more than
    /// [`DAYS_MAX`] days; [`Error::Forbidden`], [`Error::Store`].
    pub async fn warmup_stats_list(
        &self,
        caller: &Caller,
        id: Uuid,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
    ) -> Result<Vec<WarmupStatsRow>, Error> {
        self.see_mailbox(caller, id).await?;
        let (from, to) = self.range(from, to)?;
        Ok(self.store.warmup_stats_list(id, from, to, DAYS_MAX).await?)
    }

    /// What a domain's mailboxes told of the days from `from` to `to`, both included, together; the range is as of
    /// [`Service::warmup_stats_list`].
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`]; [`Error::Invalid`] for the range; [`Error::Forbidden`], [`Error::Store`].
    pub async fn warmup_rollup_of_domain(
        &self,
        caller: &Caller,
        id: Uuid,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
    ) -> Result<RollupView, Error> {
        self.see_domain(caller, id).await?;
        let (from, to) = self.range(from, to)?;
        Ok(RollupView { from, to, rollup: self.store.warmup_rollup_of_domain(id, from, to).await? })
    }

    /// The same of all mailboxes of a client.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`]; [`Error::Invalid`] for the range; [`Error::Forbidden`], [`Error::Store`].
    pub async fn warmup_rollup_of_client(
        &self,
        caller: &Caller,
        id: Uuid,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
    ) -> Result<RollupView, Error> {
        self.client_get(caller, id).await?;
        let (from, to) = self.range(from, to)?;
        Ok(RollupView { from, to, rollup: self.store.warmup_rollup_of_client(id, from, to).await? })
    }

    /// The days that are meant: the last 30 unless told.
    fn range(&self, from: Option<NaiveDate>, to: Option<NaiveDate>) -> Result<(NaiveDate, NaiveDate), Error> {
        let default_to = || match from {
            Some(from) => from.checked_add_days(Days::new(DAYS_DEFAULT - 1)).unwrap_or(from),
            None => self.tomorrow(),
        };
        let to = to.unwrap_or_else(default_to);
        let from = from.unwrap_or_else(|| to.checked_sub_days(Days::new(DAYS_DEFAULT)).unwrap_or(to));
        let days = (to - from).num_days();
        if days < 0 || days >= i64::from(DAYS_MAX) {
            let detail = format!("a range has 1 to {DAYS_MAX} days, and ends no sooner than it begins");
            return Err(Error::invalid("/to", detail));
        }
        Ok((from, to))
    }

    fn tomorrow(&self) -> NaiveDate {
        let today = self.clock.now().date_naive();
        today.succ_opt().unwrap_or(today)
    }
}
