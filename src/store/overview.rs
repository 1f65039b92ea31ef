//! Numbers over the whole fleet, for whoever watches it: each statement reads an index and nothing else, or few rows.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{db, statements};
use crate::store::{Store, StoreError};

/// How many domains that are not deleted stand alike.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DomainsAlike {
    /// `status`; a word of the contract, unless the platform wrote another.
    pub status: String,
    /// `spf_valid`.
    pub spf: bool,
    /// `dkim_valid`.
    pub dkim: bool,
    /// `dmarc_valid`.
    pub dmarc: bool,
    /// `mx_valid`.
    pub mx: bool,
    /// How many.
    pub count: i64,
}

/// How many mailboxes that are not deleted have a status.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MailboxesAlike {
    /// `status`.
    pub status: String,
    /// How many.
    pub count: i64,
}

/// A domain that is going to be suspended unless it is mended.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SuspendedSoon {
    /// The domain.
    pub id: Uuid,
    /// Its name, as it stands.
    pub domain: String,
    /// When.
    pub suspends_at: DateTime<Utc>,
}

/// The checks of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct ChecksOfHour {
    /// Which hour since the first.
    pub hour: i64,
    /// How many settled.
    pub count: i64,
}

/// What changed in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct ChangesOfHour {
    /// Which hour since the first.
    pub hour: i64,
    /// How many checks changed something.
    pub count: i64,
    /// How often `spf_valid` fell.
    pub spf: i64,
    /// How often `dkim_valid` fell.
    pub dkim: i64,
    /// How often `dmarc_valid` fell.
    pub dmarc: i64,
    /// How often `mx_valid` fell.
    pub mx: i64,
}

/// Something that happened to a domain, and its name.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Happened {
    /// When.
    pub at: DateTime<Utc>,
    /// The type on the wire.
    pub kind: String,
    /// The domain.
    pub domain_id: Uuid,
    /// Its name, as it stands.
    pub domain: String,
}

/// One event of a domain on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DomainDelivery {
    /// The event's type on the wire.
    pub kind: String,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// `pending`, `delivered` or `failed`.
    pub status: String,
    /// How many attempts were made.
    pub attempts: i32,
    /// What the last was answered.
    pub response_code: Option<i32>,
    /// Why the last failed.
    pub failure: Option<String>,
    /// When the next is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Where it goes.
    pub url: String,
}

/// What falls of a flag in a check's `changes`, which are written by ourselves and always alike.
macro_rules! fallen {
    ($flag:literal) => {
        concat!("SUM(CASE WHEN changes LIKE '%\"", $flag, "_valid\":{\"from\":true%' THEN 1 ELSE 0 END) AS ", $flag)
    };
}

/// The changes of each hour, the hour as `$hour` says it.
macro_rules! changes {
    ($hour:literal) => {
        concat!(
            "SELECT ",
            $hour,
            " AS hour, COUNT(*) AS count, ",
            fallen!("spf"),
            ", ",
            fallen!("dkim"),
            ", ",
            fallen!("dmarc"),
            ", ",
            fallen!("mx"),
            " FROM sendready_checks WHERE at >= $1 AND at < $2 AND changes <> '{}' GROUP BY 1"
        )
    };
}

statements! {
    DOMAINS = "SELECT COALESCE(status, 'pending') AS status, COALESCE(spf_valid, FALSE) AS spf, \
        COALESCE(dkim_valid, FALSE) AS dkim, COALESCE(dmarc_valid, FALSE) AS dmarc, COALESCE(mx_valid, FALSE) AS mx, \
        COUNT(*) AS count FROM email_domains WHERE deleted_at IS NULL \
        GROUP BY spf_valid, dkim_valid, dmarc_valid, mx_valid, status";
    MAILBOXES = "SELECT COALESCE(status, 'warming') AS status, COUNT(*) AS count FROM email_mailboxes \
        WHERE deleted_at IS NULL GROUP BY status";
    SUSPENDED_SOON = "SELECT id, domain, suspends_at FROM email_domains WHERE suspends_at IS NOT NULL \
        AND suspends_at < $1 AND deleted_at IS NULL AND status = 'active' ORDER BY suspends_at LIMIT $2";
    // Since the first hour, for both databases say times of day in ways of their own.
    CHECKS = "SELECT CAST(floor(extract(epoch FROM at - $1::timestamptz) / 3600) AS BIGINT) AS hour, COUNT(*) AS count \
        FROM sendready_checks WHERE at >= $1 AND at < $2 GROUP BY 1"
        => "SELECT (unixepoch(at) - unixepoch($1)) / 3600 AS hour, COUNT(*) AS count \
        FROM sendready_checks WHERE at >= $1 AND at < $2 GROUP BY 1";
    CHANGES = changes!("CAST(floor(extract(epoch FROM at - $1::timestamptz) / 3600) AS BIGINT)")
        => changes!("(unixepoch(at) - unixepoch($1)) / 3600");
    // The events first, whatever is known of how many there are: SQLite joins a CROSS JOIN in its order.
    LATELY = "SELECT e.at, e.kind, e.domain_id, d.domain FROM \
        (SELECT id, at, kind, domain_id FROM sendready_events ORDER BY id DESC LIMIT $1) AS e \
        CROSS JOIN email_domains AS d WHERE d.id = e.domain_id ORDER BY e.id DESC";
    DELIVERIES = "SELECT w.kind, w.created_at, w.status, w.attempts, w.response_code, w.failure, w.next_attempt_at, e.url \
        FROM sendready_webhook_deliveries AS w JOIN sendready_webhook_endpoints AS e ON e.id = w.endpoint_id \
        WHERE w.event_id IN (SELECT id FROM sendready_events WHERE domain_id = $1 ORDER BY id DESC LIMIT $2) \
        ORDER BY w.event_id DESC, w.endpoint_id LIMIT $2";
}

impl Store {
    /// How many domains stand alike, those that are deleted left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn overview_domains(&self) -> Result<Vec<DomainsAlike>, StoreError> {
        db!(&self.db, DOMAINS, |sql, pool| sqlx::query_as(sql).fetch_all(pool).await)
            .map_err(StoreError::at("overview_domains"))
    }

    /// How many mailboxes have which status, those that are deleted left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn overview_mailboxes(&self) -> Result<Vec<MailboxesAlike>, StoreError> {
        db!(&self.db, MAILBOXES, |sql, pool| sqlx::query_as(sql).fetch_all(pool).await)
            .map_err(StoreError::at("overview_mailboxes"))
    }

    /// At most `limit` domains that are suspended before `before` unless they are mended, the most urgent first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn overview_suspended_soon(
        &self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<SuspendedSoon>, StoreError> {
        db!(&self.db, SUSPENDED_SOON, |sql, pool| {
            sqlx::query_as(sql).bind(before).bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at("overview_suspended_soon"))
    }

    /// The checks of each hour from `from` to `to`; hours without are left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn overview_checks(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<ChecksOfHour>, StoreError> {
        db!(&self.db, CHECKS, |sql, pool| sqlx::query_as(sql).bind(from).bind(to).fetch_all(pool).await)
            .map_err(StoreError::at("overview_checks"))
    }

    /// What changed in each hour from `from` to `to`; hours without are left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn overview_changes(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<ChangesOfHour>, StoreError> {
        db!(&self.db, CHANGES, |sql, pool| sqlx::query_as(sql).bind(from).bind(to).fetch_all(pool).await)
            .map_err(StoreError::at("overview_changes"))
    }

    /// The last `limit` things that happened to any domain, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn overview_lately(&self, limit: u32) -> Result<Vec<Happened>, StoreError> {
        db!(&self.db, LATELY, |sql, pool| sqlx::query_as(sql).bind(i64::from(limit)).fetch_all(pool).await)
            .map_err(StoreError::at("overview_lately"))
    }

    /// What became of the last events of a domain at the endpoints that get them: at most `limit`, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain_deliveries(&self, domain_id: Uuid, limit: u32) -> Result<Vec<DomainDelivery>, StoreError> {
        db!(&self.db, DELIVERIES, |sql, pool| {
            sqlx::query_as(sql).bind(domain_id).bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at("domain_deliveries"))
    }
}
