//! Sends: taking from the counters of a mailbox and its domain at once, and zeroing them day by day.
//!
//! A counter belongs to the UTC day beside it, so one of yesterday counts nothing today, whoever slept. Of two replicas
//! whose clocks differ around midnight the one that lags counts on the other's day: a limit is never exceeded by it.
//! Without a day a number is the platform's, and meant for today.

use chrono::{DateTime, Days, NaiveDate, Utc};
use uuid::Uuid;

use crate::sending::gate::Readiness;
use crate::sending::limit::Counter;
use crate::store::db::{db, statements};
use crate::store::idempotency::KEPT;
use crate::store::readiness::GateRules;
use crate::store::{Store, StoreError};

/// As errors name what failed.
pub(in crate::store) const OPERATION: &str = "mailbox_send";

/// Sends that are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Send {
    /// From which mailbox.
    pub mailbox_id: Uuid,
    /// Whose it must be; nothing: anybody's.
    pub client_id: Option<Uuid>,
    /// How many.
    pub count: i32,
    /// What the gate goes by.
    pub rules: GateRules,
}

/// What a request with an `Idempotency-Key` is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SendKey<'a> {
    /// The API key's id.
    pub key_id: Uuid,
    /// The header's text.
    pub idem_key: &'a str,
}

/// What was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How many.
    pub granted: i32,
    /// The mailbox's counter afterwards.
    pub mailbox: Counter,
    /// The domain's counter afterwards.
    pub domain: Counter,
    /// The UTC day that they count.
    pub day: NaiveDate,
}

/// What came of [`Store::mailbox_send`].
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// Taken.
    Granted(Grant),
    /// A request with this key was granted this before; nothing is taken.
    Again(Grant),
    /// The gate or a limit does not allow it. Nothing is taken.
    Refused(Box<Readiness>),
    /// Its warm-up is to be reckoned first ([`Store::mailbox_reckon`]). Nothing is taken.
    Unreckoned,
    /// There is no such mailbox of this client's.
    Missing,
}

statements! {
    COUNTER_OF_DOMAIN = "SELECT CASE WHEN sends_day < $2 THEN 0 ELSE COALESCE(current_daily_sends, 0) END AS used, \
        COALESCE(daily_send_limit, 50) AS daily_limit FROM email_domains WHERE id = $1";
    PRUNE = "DELETE FROM sendready_sends WHERE (mailbox_id, key_id, idem_key) IN \
        (SELECT mailbox_id, key_id, idem_key FROM sendready_sends WHERE at <= $1 ORDER BY at LIMIT $2)";
    // Of a day that is over, or that no clock can have shown yet. Replicas pass each other by.
    ZERO_DOMAINS = "UPDATE email_domains SET current_daily_sends = 0, sends_day = NULL WHERE (sends_day < $1 OR sends_day > $2) \
        AND id IN (SELECT id FROM email_domains WHERE sends_day < $1 OR sends_day > $2 LIMIT $3 FOR UPDATE SKIP LOCKED)"
        => "UPDATE email_domains SET current_daily_sends = 0, sends_day = NULL WHERE (sends_day < $1 OR sends_day > $2) \
        AND id IN (SELECT id FROM email_domains WHERE sends_day < $1 OR sends_day > $2 LIMIT $3)";
    ZERO_MAILBOXES = "UPDATE email_mailboxes SET current_daily_sends = 0, sends_day = NULL WHERE (sends_day < $1 OR sends_day > $2) \
        AND id IN (SELECT id FROM email_mailboxes WHERE sends_day < $1 OR sends_day > $2 LIMIT $3 FOR UPDATE SKIP LOCKED)"
        => "UPDATE email_mailboxes SET current_daily_sends = 0, sends_day = NULL WHERE (sends_day < $1 OR sends_day > $2) \
        AND id IN (SELECT id FROM email_mailboxes WHERE sends_day < $1 OR sends_day > $2 LIMIT $3)";
    STAMP_DOMAINS = "UPDATE email_domains SET sends_day = $1 WHERE sends_unstamped \
        AND id IN (SELECT id FROM email_domains WHERE sends_unstamped LIMIT $2 FOR UPDATE SKIP LOCKED)"
        => "UPDATE email_domains SET sends_day = $1 WHERE sends_day IS NULL AND current_daily_sends <> 0 \
        AND id IN (SELECT id FROM email_domains WHERE sends_day IS NULL AND current_daily_sends <> 0 LIMIT $2)";
    STAMP_MAILBOXES = "UPDATE email_mailboxes SET sends_day = $1 WHERE sends_unstamped \
        AND id IN (SELECT id FROM email_mailboxes WHERE sends_unstamped LIMIT $2 FOR UPDATE SKIP LOCKED)"
        => "UPDATE email_mailboxes SET sends_day = $1 WHERE sends_day IS NULL AND current_daily_sends <> 0 \
        AND id IN (SELECT id FROM email_mailboxes WHERE sends_day IS NULL AND current_daily_sends <> 0 LIMIT $2)";
}

#[derive(sqlx::FromRow)]
struct Taken {
    used: i32,
    daily_limit: i32,
}

impl Taken {
    fn counter(self) -> Counter {
        Counter::of(self.used, self.daily_limit)
    }
}

#[derive(sqlx::FromRow)]
pub(in crate::store) struct KeptGrant {
    day: NaiveDate,
    granted: i32,
    mailbox_used: i32,
    mailbox_limit: i32,
    domain_used: i32,
    domain_limit: i32,
}

impl From<KeptGrant> for Grant {
    fn from(row: KeptGrant) -> Grant {
        Grant {
            granted: row.granted,
            mailbox: Counter::of(row.mailbox_used, row.mailbox_limit),
            domain: Counter::of(row.domain_used, row.domain_limit),
            day: row.day,
        }
    }
}

impl Store {
    /// What a domain's mailboxes sent on the UTC day `today`, and may; nothing where there is no such domain.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn send_counter_of_domain(&self, id: Uuid, today: NaiveDate) -> Result<Option<Counter>, StoreError> {
        db!(&self.db, COUNTER_OF_DOMAIN, |sql, pool| {
            sqlx::query_as::<_, Taken>(sql).bind(id).bind(today).fetch_optional(pool).await
        })
        .map(|row| row.map(Taken::counter))
        .map_err(StoreError::at("send_counter_of_domain"))
    }

    /// Removes at most `limit` grants whose keys count no more; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn send_prune(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        db!(&self.db, PRUNE, |sql, pool| {
            let query = sqlx::query(sql).bind(now - KEPT).bind(i64::from(limit));
            query.execute(pool).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at("send_prune"))
    }

    /// Zeroes at most `limit` counters of each kind whose day is over at `now`; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn send_zero(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let (today, limit) = (now.date_naive(), i64::from(limit));
        let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
        let mut count = 0;
        for statement in [ZERO_DOMAINS, ZERO_MAILBOXES] {
            count += db!(&self.db, statement, |sql, pool| {
                let query = sqlx::query(sql).bind(today).bind(tomorrow).bind(limit);
                query.execute(pool).await.map(|done| done.rows_affected())
            })
            .map_err(StoreError::at("send_zero"))?;
        }
        Ok(count)
    }

    /// Notes of at most `limit` counters of each kind that the platform has written that they are of `now`'s day; how
    /// many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn send_stamp(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let (today, limit) = (now.date_naive(), i64::from(limit));
        let mut count = 0;
        for statement in [STAMP_DOMAINS, STAMP_MAILBOXES] {
            count += db!(&self.db, statement, |sql, pool| {
                sqlx::query(sql).bind(today).bind(limit).execute(pool).await.map(|done| done.rows_affected())
            })
            .map_err(StoreError::at("send_stamp"))?;
        }
        Ok(count)
    }
}
