//! Mailboxes: the rows of `email_mailboxes`, each with what decides about it in its domain's row.
//!
//! Owns how a row is read, whoever wrote it, and the look-ups. Adding is in [`crate::store::mailbox_add`], changing in
//! [`crate::store::mailbox_change`], warm-up in [`crate::store::warmup`], sends in [`crate::store::send`].
//!
//! # Strictness
//!
//! The platform's columns may be NULL; each then reads as the seed's default. Numbers are read as they stand, also
//! those that make no sense: what they are worth is decided in [`crate::sending`].

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::protocol::mail_address::MailAddress;
use crate::sending::limit::Counter;
use crate::sending::mailbox::{MailboxStatus, PausedReason};
use crate::store::db::{Tx, db, statements, tx};
use crate::store::domain::{DAILY_SEND_LIMIT as DOMAIN_DAILY_SEND_LIMIT, read_suspended_reason};
use crate::store::{Store, StoreError};
use crate::verify::standing::{Flags, Status, SuspendedReason};

/// What the seed lets a mailbox send a day until somebody changes it.
pub(in crate::store) const DAILY_SEND_LIMIT: i32 = 10;

/// One row of `email_mailboxes`, read.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxRow {
    /// `id`.
    pub id: Uuid,
    /// `domain_id`.
    pub domain_id: Uuid,
    /// `client_id`.
    pub client_id: Uuid,
    /// `email_address`, as it stands.
    pub email_address: String,
    /// `display_name`.
    pub display_name: Option<String>,
    /// `infraforge_mailbox_id`.
    pub infraforge_mailbox_id: Option<String>,
    /// `smartlead_account_id`.
    pub smartlead_account_id: Option<String>,
    /// `warmup_enabled`.
    pub warmup_enabled: bool,
    /// `warmup_started_at`.
    pub warmup_started_at: Option<DateTime<Utc>>,
    /// `warmup_completed_at`.
    pub warmup_completed_at: Option<DateTime<Utc>>,
    /// `warmup_stage`, the day reached.
    pub warmup_stage: i32,
    /// `daily_send_limit`.
    pub daily_send_limit: i32,
    /// `current_daily_sends`, of the day `sends_day`.
    pub current_daily_sends: i32,
    /// `bounce_rate`.
    pub bounce_rate: f64,
    /// `spam_rate`.
    pub spam_rate: f64,
    /// `reply_rate`.
    pub reply_rate: f64,
    /// `status`.
    pub status: MailboxStatus,
    /// `created_at`.
    pub created_at: Option<DateTime<Utc>>,
    /// `updated_at`.
    pub updated_at: Option<DateTime<Utc>>,
    /// `deleted_at`.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Which UTC day `current_daily_sends` counts; nothing: today.
    pub sends_day: Option<NaiveDate>,
    /// Why it is paused; nothing where the platform did it.
    pub paused_reason: Option<PausedReason>,
    /// What it goes on as when it is resumed.
    pub resumes_as: Option<MailboxStatus>,
    /// How many mails the rates rest on.
    pub health_sample: Option<i32>,
    /// The UTC date of the warm-up's day 1.
    pub warmup_day_one: Option<NaiveDate>,
    /// The warm-up's day on `warmup_reckoned_on`.
    pub warmup_day: Option<i32>,
    /// For which UTC date the warm-up was last reckoned.
    pub warmup_reckoned_on: Option<NaiveDate>,
    /// What decides about it in its domain's row.
    pub domain: MailboxDomain,
}

/// What decides about a mailbox in its domain's row.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxDomain {
    /// `domain`.
    pub domain: String,
    /// `status`, with `deleted_at` taken in.
    pub status: Status,
    /// Why it is suspended.
    pub suspended_reason: Option<SuspendedReason>,
    /// `dns_configured`.
    pub dns_configured: bool,
    /// The flags.
    pub flags: Flags,
    /// Since when nobody could tell.
    pub stale_since: Option<DateTime<Utc>>,
    /// `daily_send_limit`.
    pub daily_send_limit: i32,
    /// `current_daily_sends`, of the day `sends_day`.
    pub current_daily_sends: i32,
    /// Which UTC day that counts; nothing: today.
    pub sends_day: Option<NaiveDate>,
    /// Whether its name is marked as none.
    pub is_malformed: bool,
}

/// A mailbox, and whether its closures are noted.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxWatch {
    /// The mailbox.
    pub row: MailboxRow,
    /// Whether an open closure of the mailbox is noted.
    pub is_closed: bool,
    /// Whether an open closure of its domain is noted.
    pub is_domain_closed: bool,
}

impl MailboxRow {
    /// What it sent on the UTC day `today`, and may by itself.
    pub fn counter(&self, today: NaiveDate) -> Counter {
        Counter::of(used_on(today, self.sends_day, self.current_daily_sends), self.daily_send_limit)
    }
}

impl MailboxDomain {
    /// What all its mailboxes sent on the UTC day `today`, and may.
    pub fn counter(&self, today: NaiveDate) -> Counter {
        Counter::of(used_on(today, self.sends_day, self.current_daily_sends), self.daily_send_limit)
    }
}

/// A counter of an earlier day counts nothing today.
pub(crate) fn used_on(today: NaiveDate, day: Option<NaiveDate>, count: i32) -> i32 {
    if day.is_some_and(|day| day < today) { 0 } else { count }
}

/// A time of the platform's, kept within the calendar that can be shown: PostgreSQL has `infinity`, on which the
/// driver panics.
macro_rules! shown_time {
    ($column:literal) => {
        concat!(
            "CASE WHEN m.",
            $column,
            " < '0001-01-02' THEN '0001-01-02T00:00:00+00:00' WHEN m.",
            $column,
            " >= '9999-12-31' THEN '9999-12-31T00:00:00+00:00' ELSE m.",
            $column,
            " END AS ",
            $column,
            ", "
        )
    };
}

/// The columns of [`Row`] and whence they come.
macro_rules! mailbox_columns {
    () => {
        concat!(
            "m.id, m.domain_id, m.client_id, m.email_address, m.display_name, m.infraforge_mailbox_id, \
             m.smartlead_account_id, m.warmup_enabled, m.warmup_stage, m.daily_send_limit, m.current_daily_sends, \
             m.bounce_rate, m.spam_rate, m.reply_rate, m.status, ",
            $crate::store::mailbox::shown_time!("warmup_started_at"), $crate::store::mailbox::shown_time!("warmup_completed_at"), $crate::store::mailbox::shown_time!("created_at"),
            $crate::store::mailbox::shown_time!("updated_at"), $crate::store::mailbox::shown_time!("deleted_at"),
            "m.sends_day, m.paused_reason, m.resumes_as, m.health_sample, m.warmup_day_one, m.warmup_day, \
             m.warmup_reckoned_on, d.domain AS d_domain, d.status AS d_status, d.suspended_reason AS d_suspended_reason, \
             d.deleted_at IS NOT NULL AS d_deleted, d.dns_configured AS d_dns_configured, d.spf_valid, d.dkim_valid, \
             d.dmarc_valid, d.mx_valid, d.stale_since, d.daily_send_limit AS d_daily_send_limit, \
             d.current_daily_sends AS d_current_daily_sends, d.sends_day AS d_sends_day, \
             COALESCE(d.malformed, '') = d.domain AS d_malformed"
        )
    };
}

macro_rules! mailbox_select {
    () => {
        concat!(
            "SELECT ",
            $crate::store::mailbox::mailbox_columns!(),
            " FROM email_mailboxes AS m JOIN email_domains AS d ON d.id = m.domain_id "
        )
    };
}

pub(in crate::store) use {mailbox_columns, mailbox_select, shown_time};

statements! {
    GET = mailbox_select!(), "WHERE m.id = $1";
    // Held until the transaction ends, but not against those who only refer to it. SQLite has one writer, and this is it.
    GET_LIVING_LOCKED = mailbox_select!(), "WHERE m.id = $1 AND m.deleted_at IS NULL FOR NO KEY UPDATE OF m"
        => mailbox_select!(), "WHERE m.id = $1 AND m.deleted_at IS NULL";
    BY_ADDRESS = mailbox_select!(), "WHERE lower(m.email_address) IN ($1, $2) \
        ORDER BY CASE WHEN m.email_address = $1 THEN 0 ELSE 1 END, m.id LIMIT 1";
    LIST = mailbox_select!(), "WHERE m.domain_id = $1 AND m.deleted_at IS NULL AND m.id > $2 ORDER BY m.id LIMIT $3";
    LIMIT_SUM = "SELECT CAST(COALESCE(SUM(CASE WHEN daily_send_limit < 0 THEN 0 ELSE COALESCE(daily_send_limit, 10) END), 0) \
        AS BIGINT) FROM email_mailboxes WHERE domain_id = $1 AND deleted_at IS NULL \
        AND COALESCE(status, 'warming') IN ('warming', 'active')";
    WALK = "SELECT ", mailbox_columns!(), ", \
        EXISTS (SELECT 1 FROM sendready_mailbox_closures WHERE mailbox_id = m.id AND reopened_at IS NULL) AS is_closed, \
        EXISTS (SELECT 1 FROM sendready_domain_closures WHERE domain_id = d.id AND reopened_at IS NULL) AS is_domain_closed \
        FROM email_mailboxes AS m JOIN email_domains AS d ON d.id = m.domain_id \
        WHERE m.id > $1 AND m.deleted_at IS NULL ORDER BY m.id LIMIT $2";
}

/// A row as it comes.
#[derive(sqlx::FromRow)]
pub(in crate::store) struct Row {
    id: Uuid,
    domain_id: Uuid,
    client_id: Uuid,
    email_address: String,
    display_name: Option<String>,
    infraforge_mailbox_id: Option<String>,
    smartlead_account_id: Option<String>,
    warmup_enabled: Option<bool>,
    warmup_started_at: Option<DateTime<Utc>>,
    warmup_completed_at: Option<DateTime<Utc>>,
    warmup_stage: Option<i32>,
    daily_send_limit: Option<i32>,
    current_daily_sends: Option<i32>,
    bounce_rate: Option<f64>,
    spam_rate: Option<f64>,
    reply_rate: Option<f64>,
    status: Option<String>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    deleted_at: Option<DateTime<Utc>>,
    sends_day: Option<NaiveDate>,
    paused_reason: Option<String>,
    resumes_as: Option<String>,
    health_sample: Option<i32>,
    warmup_day_one: Option<NaiveDate>,
    warmup_day: Option<i32>,
    warmup_reckoned_on: Option<NaiveDate>,
    d_domain: String,
    d_status: Option<String>,
    d_suspended_reason: Option<String>,
    d_deleted: bool,
    d_dns_configured: Option<bool>,
    spf_valid: Option<bool>,
    dkim_valid: Option<bool>,
    dmarc_valid: Option<bool>,
    mx_valid: Option<bool>,
    stale_since: Option<DateTime<Utc>>,
    d_daily_send_limit: Option<i32>,
    d_current_daily_sends: Option<i32>,
    d_sends_day: Option<NaiveDate>,
    d_malformed: bool,
}

#[derive(sqlx::FromRow)]
struct WatchRow {
    #[sqlx(flatten)]
    row: Row,
    is_closed: bool,
    is_domain_closed: bool,
}

impl Row {
    /// What it says.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`].
    pub(in crate::store) fn read(self, operation: &'static str) -> Result<MailboxRow, StoreError> {
        let corrupt = |what: String| StoreError::Corrupt { operation, what: format!("mailbox {}: {what}", self.id) };
        let status = match self.status.as_deref() {
            None => MailboxStatus::Warming,
            Some(text) => MailboxStatus::parse(text).ok_or_else(|| corrupt(format!("there is no status `{text}`")))?,
        };
        let domain = self.domain().map_err(corrupt)?;
        Ok(MailboxRow {
            id: self.id,
            domain_id: self.domain_id,
            client_id: self.client_id,
            email_address: self.email_address,
            display_name: self.display_name,
            infraforge_mailbox_id: self.infraforge_mailbox_id,
            smartlead_account_id: self.smartlead_account_id,
            warmup_enabled: self.warmup_enabled.unwrap_or(true),
            warmup_started_at: self.warmup_started_at,
            warmup_completed_at: self.warmup_completed_at,
            warmup_stage: self.warmup_stage.unwrap_or(0),
            daily_send_limit: self.daily_send_limit.unwrap_or(DAILY_SEND_LIMIT),
            current_daily_sends: self.current_daily_sends.unwrap_or(0),
            bounce_rate: self.bounce_rate.unwrap_or(0.0),
            spam_rate: self.spam_rate.unwrap_or(0.0),
            reply_rate: self.reply_rate.unwrap_or(0.0),
            status,
            created_at: self.created_at,
            updated_at: self.updated_at,
            deleted_at: self.deleted_at,
            sends_day: self.sends_day,
            // Of a mailbox that is not paused, a reason is left over from what the platform has lifted.
            paused_reason: self
                .paused_reason
                .as_deref()
                .and_then(PausedReason::parse)
                .filter(|_| status == MailboxStatus::Paused),
            resumes_as: self.resumes_as.as_deref().and_then(MailboxStatus::parse).filter(|_| status.is_stopped()),
            health_sample: self.health_sample,
            warmup_day_one: self.warmup_day_one,
            warmup_day: self.warmup_day,
            warmup_reckoned_on: self.warmup_reckoned_on,
            domain,
        })
    }

    fn domain(&self) -> Result<MailboxDomain, String> {
        let status = match self.d_status.as_deref() {
            _ if self.d_deleted => Status::Deleted,
            None => Status::Pending,
            Some(text) => Status::ALL
                .into_iter()
                .find(|status| status.as_str() == text)
                .ok_or_else(|| format!("its domain has no status `{text}`"))?,
        };
        Ok(MailboxDomain {
            domain: self.d_domain.clone(),
            status,
            suspended_reason: (status == Status::Suspended)
                .then(|| read_suspended_reason(self.d_suspended_reason.as_deref())),
            dns_configured: self.d_dns_configured.unwrap_or(false),
            flags: Flags {
                spf: self.spf_valid.unwrap_or(false),
                dkim: self.dkim_valid.unwrap_or(false),
                dmarc: self.dmarc_valid.unwrap_or(false),
                mx: self.mx_valid.unwrap_or(false),
            },
            stale_since: self.stale_since,
            daily_send_limit: self.d_daily_send_limit.unwrap_or(DOMAIN_DAILY_SEND_LIMIT),
            current_daily_sends: self.d_current_daily_sends.unwrap_or(0),
            sends_day: self.d_sends_day,
            is_malformed: self.d_malformed,
        })
    }
}

impl Store {
    /// One mailbox, deleted ones too.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn mailbox_get(&self, id: Uuid) -> Result<Option<MailboxRow>, StoreError> {
        const OPERATION: &str = "mailbox_get";
        db!(&self.db, GET, |sql, pool| sqlx::query_as::<_, Row>(sql).bind(id).fetch_optional(pool).await)
            .map_err(StoreError::at(OPERATION))?
            .map(|row| row.read(OPERATION))
            .transpose()
    }

    /// At most `limit` mailboxes of a domain in the order of their ids, those behind `after`; deleted ones are not listed.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn mailbox_list(
        &self,
        domain_id: Uuid,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<MailboxRow>, StoreError> {
        const OPERATION: &str = "mailbox_list";
        // The nil id is below every other.
        let after = after.unwrap_or_default();
        db!(&self.db, LIST, |sql, pool| {
            let query = sqlx::query_as::<_, Row>(sql).bind(domain_id).bind(after);
            query.bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .into_iter()
        .map(|row| row.read(OPERATION))
        .collect()
    }

    /// What the mailboxes of a domain that are not stopped may send a day, together.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn mailbox_limit_sum(&self, domain_id: Uuid) -> Result<u32, StoreError> {
        db!(&self.db, LIMIT_SUM, |sql, pool| {
            sqlx::query_scalar::<_, i64>(sql).bind(domain_id).fetch_one(pool).await
        })
        .map(|sum| u32::try_from(sum).unwrap_or(u32::MAX))
        .map_err(StoreError::at("mailbox_limit_sum"))
    }

    /// At most `limit` mailboxes of all that are not deleted, in the order of their ids, those behind `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn mailbox_walk(&self, after: Uuid, limit: u32) -> Result<Vec<MailboxWatch>, StoreError> {
        const OPERATION: &str = "mailbox_walk";
        let read = |WatchRow { row, is_closed, is_domain_closed }| {
            Ok(MailboxWatch { row: Row::read(row, OPERATION)?, is_closed, is_domain_closed })
        };
        db!(&self.db, WALK, |sql, pool| {
            sqlx::query_as::<_, WatchRow>(sql).bind(after).bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .into_iter()
        .map(read)
        .collect()
    }
}

/// One mailbox as the transaction sees it.
pub(in crate::store) async fn get(
    tx: &mut Tx<'_>,
    id: Uuid,
    operation: &'static str,
) -> Result<Option<MailboxRow>, StoreError> {
    tx!(tx, GET, |sql, connection| sqlx::query_as::<_, Row>(sql).bind(id).fetch_optional(connection).await)
        .map_err(StoreError::at(operation))?
        .map(|row| row.read(operation))
        .transpose()
}

/// One mailbox that is not deleted, held until the transaction ends.
pub(in crate::store) async fn get_living_locked(
    tx: &mut Tx<'_>,
    id: Uuid,
    operation: &'static str,
) -> Result<Option<MailboxRow>, StoreError> {
    tx!(tx, GET_LIVING_LOCKED, |sql, connection| {
        sqlx::query_as::<_, Row>(sql).bind(id).fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))?
    .map(|row| row.read(operation))
    .transpose()
}

/// The row of an address, deleted ones too. A row in the normal spelling goes before others of the same address.
pub(in crate::store) async fn by_address(
    tx: &mut Tx<'_>,
    address: &MailAddress,
    operation: &'static str,
) -> Result<Option<MailboxRow>, StoreError> {
    let (ascii, unicode) = (address.to_string(), address.unicode());
    tx!(tx, BY_ADDRESS, |sql, connection| {
        sqlx::query_as::<_, Row>(sql).bind(ascii).bind(unicode).fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))?
    .map(|row| row.read(operation))
    .transpose()
}
