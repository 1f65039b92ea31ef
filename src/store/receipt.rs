//! Webhooks that came in, by their ids, so that one that comes again changes nothing.

use chrono::{DateTime, Duration, Utc};

use crate::store::db::{db, statements};
use crate::store::{Store, StoreError};

/// How long an id is known. A signature is believed for ten minutes at most; a sender with a key may try for longer.
pub const KEPT: Duration = Duration::hours(48);

statements! {
    KNOWN = "SELECT EXISTS (SELECT 1 FROM sendready_webhook_receipts WHERE source = $1 AND webhook_id = $2)";
    ADD = "INSERT INTO sendready_webhook_receipts (source, webhook_id, received_at) VALUES ($1, $2, $3) \
        ON CONFLICT (source, webhook_id) DO NOTHING";
    PRUNE = "DELETE FROM sendready_webhook_receipts WHERE (source, webhook_id) IN \
        (SELECT source, webhook_id FROM sendready_webhook_receipts WHERE received_at < $1 ORDER BY received_at LIMIT $2)";
}

impl Store {
    /// Whether this webhook was taken before.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn receipt_known(&self, source: &str, webhook_id: &str) -> Result<bool, StoreError> {
        db!(&self.db, KNOWN, |sql, pool| sqlx::query_scalar(sql).bind(source).bind(webhook_id).fetch_one(pool).await)
            .map_err(StoreError::at("receipt_known"))
    }

    /// Notes that a webhook was taken. Twice is the same as once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is noted.
    pub async fn receipt_add(&self, source: &str, webhook_id: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        db!(&self.db, ADD, |sql, pool| {
            sqlx::query(sql).bind(source).bind(webhook_id).bind(now).execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("receipt_add"))
    }

    /// Forgets at most `limit` webhooks that came before `before`; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is removed.
    pub async fn receipt_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        db!(&self.db, PRUNE, |sql, pool| {
            let query = sqlx::query(sql).bind(before).bind(i64::from(limit));
            query.execute(pool).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at("receipt_prune"))
    }
}
