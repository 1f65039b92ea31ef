//! History: checks, the evidence they rest on, and events.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::store::schedule::CheckReason;
use crate::store::{Store, StoreError};

/// One check that settled.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRow {
    /// The id.
    pub id: Uuid,
    /// Which domain.
    pub domain_id: Uuid,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: CheckReason,
    /// Whether all four were valid.
    pub all_valid: bool,
    /// The verdict on each record.
    pub verdicts: Value,
    /// What changed with it.
    pub changes: Value,
    /// What it rests on.
    pub evidence_digest: String,
    /// How many questions were asked.
    pub questions: u32,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
}

/// Something to tell the world.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The id, stable over deliveries.
    pub id: Uuid,
    /// The type on the wire, such as `domain.verified`.
    pub kind: &'static str,
    /// The body's `data`.
    pub body: Value,
}

/// Something that happened to a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// The id, stable over deliveries.
    pub id: Uuid,
    /// Which domain.
    pub domain_id: Uuid,
    /// Which check showed it; nothing when a person did it.
    pub check_id: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
    /// The type on the wire.
    pub kind: String,
    /// The body's `data`.
    pub body: Value,
}

impl Store {
    /// At most `limit` checks of a domain, the newest first, those older than `before`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn check_list(
        &self,
        domain_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<CheckRow>, StoreError> {
        let _ = (domain_id, before, limit);
        Err(StoreError::unbuilt("check_list"))
    }

    /// One check of a domain, with the stored form of its evidence.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn check_get(&self, domain_id: Uuid, check_id: Uuid) -> Result<Option<(CheckRow, String)>, StoreError> {
        let _ = (domain_id, check_id);
        Err(StoreError::unbuilt("check_get"))
    }

    /// The stored form of the evidence that a domain's last settled check rests on.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn evidence_latest(&self, domain_id: Uuid) -> Result<Option<String>, StoreError> {
        let _ = domain_id;
        Err(StoreError::unbuilt("evidence_latest"))
    }

    /// At most `limit` events of a domain, the newest first, those older than `before`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn event_list(
        &self,
        domain_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let _ = (domain_id, before, limit);
        Err(StoreError::unbuilt("event_list"))
    }

    /// At most `limit` events of a domain, the oldest first, those newer than `after`: for following along.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn event_list_after(
        &self,
        domain_id: Uuid,
        after: Uuid,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let _ = (domain_id, after, limit);
        Err(StoreError::unbuilt("event_list_after"))
    }
}
