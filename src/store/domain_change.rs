//! Changing and deleting a domain, and marking one as malformed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::domain::DomainRow;
use crate::store::requirements::Requirements;
use crate::store::{NewEvent, Store, StoreError};

/// What to change of a domain; `None` leaves as it is, `Some(None)` clears.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DomainChange {
    /// Other requirements; a running check's result is dropped, and a new check is due at once.
    pub requirements: Option<Requirements>,
    /// Another daily limit.
    pub daily_send_limit: Option<i32>,
    /// Another id at the provider.
    pub infraforge_domain_id: Option<Option<String>>,
    /// Another id at the sender.
    pub smartlead_domain_id: Option<Option<String>>,
    /// An operator's word; a running check's result is dropped, and a new check is due at once.
    pub status: Option<OperatorStatus>,
    /// Written in the same transaction, when and only when `status` changes the status.
    pub events: Vec<NewEvent>,
}

/// What an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorStatus {
    /// Lifts a suspension: pending when never verified, else active with its clocks stopped. Leaves any other.
    Active,
    /// Suspends until an operator lifts it.
    Suspended,
}

impl Store {
    /// Changes a domain; nothing when there is no such one or it is deleted. Gives the row as it stands after.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn domain_change(
        &self,
        id: Uuid,
        change: &DomainChange,
        now: DateTime<Utc>,
    ) -> Result<Option<DomainRow>, StoreError> {
        let _ = (id, change, now);
        Err(StoreError::unbuilt("domain_change"))
    }

    /// Deletes a domain softly: the row and its history stay. `false` when there is none or it is deleted.
    ///
    /// A running check's result is dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn domain_delete(&self, id: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let _ = (id, now);
        Err(StoreError::unbuilt("domain_delete"))
    }

    /// Marks a domain as one whose name, `text`, is not normal or doubles another's. It is not checked again
    /// before its name changes. Only our own columns are written; `updated_at` stays.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn domain_mark_malformed(&self, id: Uuid, text: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let _ = (id, text, now);
        Err(StoreError::unbuilt("domain_mark_malformed"))
    }
}
