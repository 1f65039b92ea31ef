//! Answers to requests with an `Idempotency-Key`, so that a repeat does nothing twice.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

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
        let _ = (scope, body_digest, now);
        Err(StoreError::unbuilt("idempotency_begin"))
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
        let _ = (scope, status, body);
        Err(StoreError::unbuilt("idempotency_finish"))
    }

    /// Forgets a request that was not done, so that it can be tried again. A finished one stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn idempotency_forget(&self, scope: &IdempotencyScope<'_>) -> Result<(), StoreError> {
        let _ = scope;
        Err(StoreError::unbuilt("idempotency_forget"))
    }

    /// Removes at most `limit` requests that began before `before`; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn idempotency_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let _ = (before, limit);
        Err(StoreError::unbuilt("idempotency_prune"))
    }
}
