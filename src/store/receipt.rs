//! Webhooks that came in, by their ids, so that one that comes again changes nothing.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::store::db::{db, statements};
use crate::store::{Store, StoreError};

/// How long an id is known. A signature is believed for ten minutes at most; a sender with a key may try for longer.
pub const KEPT: Duration = Duration::hours(48);

statements! {
    GET = "SELECT taken FROM sendready_webhook_receipts WHERE source = $1 AND webhook_id = $2";
    ADD = "INSERT INTO sendready_webhook_receipts (source, webhook_id, received_at, taken) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (source, webhook_id) DO NOTHING";
    PRUNE = "DELETE FROM sendready_webhook_receipts WHERE (source, webhook_id) IN \
        (SELECT source, webhook_id FROM sendready_webhook_receipts WHERE received_at < $1 ORDER BY received_at LIMIT $2)";
}

/// What came of a webhook: the names that it told of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NamesTaken {
    /// Those that are checked at once.
    pub accepted: Vec<String>,
    /// Those that nobody has, or not whom the sender may speak of.
    pub unknown: Vec<String>,
}

impl Store {
    /// What came of this webhook when it was taken; nothing when it was not yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn receipt_get(&self, source: &str, webhook_id: &str) -> Result<Option<NamesTaken>, StoreError> {
        const OPERATION: &str = "receipt_get";
        let taken: Option<String> = db!(&self.db, GET, |sql, pool| {
            sqlx::query_scalar(sql).bind(source).bind(webhook_id).fetch_optional(pool).await
        })
        .map_err(StoreError::at(OPERATION))?;
        let read = |text: String| {
            serde_json::from_str(&text).map_err(|fault| StoreError::Corrupt {
                operation: OPERATION,
                what: format!("webhook {webhook_id}: {fault}"),
            })
        };
        taken.map(read).transpose()
    }

    /// Notes that a webhook was taken. Of two the first stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is noted.
    pub async fn receipt_add(
        &self,
        source: &str,
        webhook_id: &str,
        taken: &NamesTaken,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "receipt_add";
        let taken = serde_json::to_string(taken)
            .map_err(|fault| StoreError::Corrupt { operation: OPERATION, what: fault.to_string() })?;
        db!(&self.db, ADD, |sql, pool| {
            sqlx::query(sql).bind(source).bind(webhook_id).bind(now).bind(taken).execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at(OPERATION))
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
