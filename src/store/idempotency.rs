//! Answers to requests with an `Idempotency-Key`, so that a repeat does nothing twice.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use crate::store::db::{db, statements};
use crate::store::{Store, StoreError};

/// How long an answer is given again.
pub const KEPT: Duration = Duration::hours(48);

/// How long a request may run before it counts as lost with its process. Far above any request's time-out.
pub const RUNNING_MAX: Duration = Duration::minutes(5);

/// What an `Idempotency-Key` is scoped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyScope<'a> {
    /// The API key's id.
    pub key_id: Uuid,
    /// The request's method.
    pub method: &'a str,
    /// The request's path.
    pub path: &'a str,
    /// The header's text.
    pub idem_key: &'a str,
}

/// What came of [`Store::idempotency_begin`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Began {
    /// Nobody has asked so before, or it was forgotten: go on, then finish or forget.
    Fresh,
    /// It was done; this was the answer.
    Replay {
        /// The status code.
        status: u16,
        /// The body.
        body: String,
    },
    /// It is being done.
    Running,
    /// The same key came with another body.
    OtherBody,
}

statements! {
    // A row comes back only for whoever may go on: `$7` is when a running one counts as lost, `$8` when one is old.
    BEGIN = "INSERT INTO sendready_idempotency (key_id, method, path, idem_key, body_digest, began_at) \
        VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (key_id, method, path, idem_key) DO UPDATE \
        SET body_digest = excluded.body_digest, began_at = excluded.began_at, status = NULL, body = NULL \
        WHERE sendready_idempotency.status IS NULL AND sendready_idempotency.began_at <= $7 \
        OR sendready_idempotency.began_at <= $8 \
        RETURNING began_at";
    GET = "SELECT body_digest, status, body FROM sendready_idempotency \
        WHERE key_id = $1 AND method = $2 AND path = $3 AND idem_key = $4";
    FINISH = "UPDATE sendready_idempotency SET status = $5, body = $6 \
        WHERE key_id = $1 AND method = $2 AND path = $3 AND idem_key = $4 AND status IS NULL";
    FORGET = "DELETE FROM sendready_idempotency \
        WHERE key_id = $1 AND method = $2 AND path = $3 AND idem_key = $4 AND status IS NULL";
    PRUNE = "DELETE FROM sendready_idempotency WHERE (key_id, method, path, idem_key) IN \
        (SELECT key_id, method, path, idem_key FROM sendready_idempotency WHERE began_at < $1 \
        ORDER BY began_at LIMIT $2)";
}

/// How often beginning tries again when the row it met goes away at the same time.
const BEGIN_TRIES_MAX: u32 = 3;

#[derive(sqlx::FromRow)]
struct Row {
    body_digest: Vec<u8>,
    status: Option<i32>,
    body: Option<String>,
}

impl Row {
    fn read(self, body_digest: &[u8; 32], operation: &'static str) -> Result<Began, StoreError> {
        if self.body_digest != body_digest {
            return Ok(Began::OtherBody);
        }
        let Some(status) = self.status else { return Ok(Began::Running) };
        let status = u16::try_from(status)
            .map_err(|_| StoreError::Corrupt { operation, what: format!("there is no status code {status}") })?;
        Ok(Began::Replay { status, body: self.body.unwrap_or_default() })
    }
}

impl Store {
    /// Begins a request; at most one of many at once gets [`Began::Fresh`].
    ///
    /// One that began [`RUNNING_MAX`] ago and never finished, or [`KEPT`] ago, is forgotten.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn idempotency_begin(
        &self,
        scope: &IdempotencyScope<'_>,
        body_digest: &[u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Began, StoreError> {
        const OPERATION: &str = "idempotency_begin";
        for _ in 0..BEGIN_TRIES_MAX {
            let fresh = db!(&self.db, BEGIN, |sql, pool| {
                let query = sqlx::query(sql).bind(scope.key_id).bind(scope.method).bind(scope.path);
                let query = query.bind(scope.idem_key).bind(body_digest.as_slice()).bind(now);
                let query = query.bind(now - RUNNING_MAX).bind(now - KEPT);
                query.fetch_optional(pool).await.map(|row| row.is_some())
            })
            .map_err(StoreError::at(OPERATION))?;
            if fresh {
                return Ok(Began::Fresh);
            }
            let row = db!(&self.db, GET, |sql, pool| {
                let query = sqlx::query_as::<_, Row>(sql).bind(scope.key_id).bind(scope.method);
                query.bind(scope.path).bind(scope.idem_key).fetch_optional(pool).await
            })
            .map_err(StoreError::at(OPERATION))?;
            if let Some(row) = row {
                return row.read(body_digest, OPERATION);
            }
        }
        // It keeps coming and going: somebody else is at it.
        Ok(Began::Running)
    }

    /// Keeps the answer of a request that [`Store::idempotency_begin`] found fresh.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn idempotency_finish(
        &self,
        scope: &IdempotencyScope<'_>,
        status: u16,
        body: &str,
    ) -> Result<(), StoreError> {
        db!(&self.db, FINISH, |sql, pool| {
            let query = sqlx::query(sql).bind(scope.key_id).bind(scope.method).bind(scope.path).bind(scope.idem_key);
            query.bind(i32::from(status)).bind(body).execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("idempotency_finish"))
    }

    /// Forgets a request that was not done, so that it can be tried again. A finished one stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn idempotency_forget(&self, scope: &IdempotencyScope<'_>) -> Result<(), StoreError> {
        db!(&self.db, FORGET, |sql, pool| {
            let query = sqlx::query(sql).bind(scope.key_id).bind(scope.method).bind(scope.path).bind(scope.idem_key);
            query.execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("idempotency_forget"))
    }

    /// Removes at most `limit` requests that began before `before`; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn idempotency_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        db!(&self.db, PRUNE, |sql, pool| {
            let query = sqlx::query(sql).bind(before).bind(i64::from(limit));
            query.execute(pool).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at("idempotency_prune"))
    }
}
