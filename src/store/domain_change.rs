//! Changing and deleting a domain, and marking one as malformed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{Tx, db, statements, tx};
use crate::store::domain::{DomainRow, Row, domain_columns, get_living_locked};
use crate::store::history::write_events;
use crate::store::notice::Notice;
use crate::store::requirements::{Requirements, RowRequirements};
use crate::store::schedule::{CheckReason, earliest};
use crate::store::{NewEvent, Store, StoreError, warmup};
use crate::verify::standing::{Standing, Status, SuspendedReason};

/// What to change of a domain; `None` leaves as it is, `Some(None)` clears.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DomainChange {
    /// Other requirements; a running check's result is dropped, and a new check is due.
    pub requirements: Option<RequirementsChange>,
    /// Other requirements that count; a running check's result is dropped, and a new check is due.
    pub binding: Option<BindingChange>,
    /// Another daily limit.
    pub daily_send_limit: Option<i32>,
    /// Another id at the provider.
    pub infraforge_domain_id: Option<Option<String>>,
    /// Another id at the sender.
    pub smartlead_domain_id: Option<Option<String>>,
    /// An operator's word; where it changes the standing, a running check's result is dropped, and a new check is due.
    pub status: Option<OperatorStatus>,
    /// Written in the same transaction, when and only when `status` changes the status.
    pub events: Vec<NewEvent>,
    /// How long after the last check the new one is due at the earliest.
    pub min_interval: Duration,
}

/// Other requirements, made out of those that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementsChange {
    /// What was read. Where another has changed it since, the change does not take place.
    pub from: RowRequirements,
    /// What it is to be.
    pub to: Requirements,
}

/// Other requirements that count, made out of those that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingChange {
    /// What was read. Where a check has changed it since, the change does not take place.
    pub from: Option<Requirements>,
    /// What it is to be; nothing: all that is required counts.
    pub to: Option<Requirements>,
}

/// What came of [`Store::domain_change`].
#[derive(Debug, Clone, PartialEq)]
pub enum DomainChanged {
    /// As it stands now.
    Changed(Box<DomainRow>),
    /// There is no such domain, or it is deleted.
    NoSuchDomain,
    /// The requirements, or what of them counts, are no longer those that the change was made from; nothing has changed.
    RequirementsMoved,
}

/// What an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorStatus {
    /// Lifts a suspension: pending when never verified, else active with its clocks stopped. Leaves any other.
    Active,
    /// Suspends until an operator lifts it.
    Suspended,
}

statements! {
    // With `$14` whoever checks the domain now loses it: what he looks for is no longer what is asked.
    CHANGE = "UPDATE email_domains SET requirements = $2, daily_send_limit = $3, infraforge_domain_id = $4, \
        smartlead_domain_id = $5, status = $6, verified_at = $7, degraded_since = $8, suspends_at = $9, \
        suspended_reason = $10, recovering_since = $11, next_check_at = $12, \
        check_reason = CASE WHEN $14 THEN $13 ELSE check_reason END, \
        pending_since = CASE WHEN $14 THEN $15 ELSE pending_since END, \
        lease_until = CASE WHEN $14 THEN NULL ELSE lease_until END, \
        lease_token = CASE WHEN $14 THEN NULL ELSE lease_token END, \
        check_again_at = CASE WHEN $14 THEN NULL ELSE check_again_at END, updated_at = $15, binding = $16 \
        WHERE id = $1 RETURNING ", domain_columns!();
    // The reason outlives the row, so that registering it again does not lift an operator's suspension.
    DELETE = "WITH gone AS (UPDATE email_domains SET suspended_reason = CASE WHEN status = 'suspended' \
            THEN COALESCE(suspended_reason, 'operator') END, \
        status = 'deleted', deleted_at = $2, updated_at = $2, next_check_at = NULL, check_reason = NULL, \
        check_again_at = NULL, lease_until = NULL, lease_token = NULL \
        WHERE id = $1 AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted' RETURNING id) \
        SELECT id, CAST(pg_notify('sendready', $3) AS TEXT) FROM gone"
        => "UPDATE email_domains SET suspended_reason = CASE WHEN status = 'suspended' \
            THEN COALESCE(suspended_reason, 'operator') END, \
        status = 'deleted', deleted_at = $2, updated_at = $2, next_check_at = NULL, check_reason = NULL, \
        check_again_at = NULL, lease_until = NULL, lease_token = NULL \
        WHERE id = $1 AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted' RETURNING id, $3";
    MARK_MALFORMED = "UPDATE email_domains SET malformed = $2, lease_until = NULL, lease_token = NULL WHERE id = $1";
}

impl Store {
    /// Changes a domain, all or nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn domain_change(
        &self,
        id: Uuid,
        change: &DomainChange,
        now: DateTime<Utc>,
    ) -> Result<DomainChanged, StoreError> {
        const OPERATION: &str = "domain_change";
        let mut tx = self.db.begin(OPERATION).await?;
        let Some(before) = get_living_locked(&mut tx, id, OPERATION).await? else {
            return Ok(DomainChanged::NoSuchDomain);
        };
        if change.requirements.as_ref().is_some_and(|change| change.from != before.requirements) {
            return Ok(DomainChanged::RequirementsMoved);
        }
        if change.binding.as_ref().is_some_and(|change| change.from != before.binding) {
            return Ok(DomainChanged::RequirementsMoved);
        }
        let after = change.applied(&before, now);
        let Some(row) = write(&mut tx, &after, is_other(&before, &after), now, OPERATION).await? else {
            return Ok(DomainChanged::NoSuchDomain);
        };
        let row = row.read(OPERATION)?;
        warmup::follow(&mut tx, &before, &after.standing(), after.dns_configured, now, OPERATION).await?;
        if after.status != before.status {
            write_events(&mut tx, id, None, &change.events, now, OPERATION).await?;
        }
        self.tell_replicas(&mut tx, &Notice::due(id), OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(DomainChanged::Changed(Box::new(row)))
    }

    /// Deletes a domain softly: the row and its history stay. `false` when there is none or it is deleted.
    ///
    /// A running check's result is dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn domain_delete(&self, id: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let notice = Notice { is_due: false, domains: vec![id] }.write(&self.origin);
        db!(&self.db, DELETE, |sql, pool| {
            sqlx::query(sql).bind(id).bind(now).bind(notice).fetch_optional(pool).await.map(|row| row.is_some())
        })
        .map_err(StoreError::at("domain_delete"))
    }

    /// Marks a domain as one whose name, `text`, is not normal or doubles another's.
    ///
    /// It is not checked again before its name changes, and a running check's result is dropped. Only our own
    /// columns are written; `updated_at` stays.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn domain_mark_malformed(&self, id: Uuid, text: &str) -> Result<(), StoreError> {
        db!(&self.db, MARK_MALFORMED, |sql, pool| {
            sqlx::query(sql).bind(id).bind(text).execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("domain_mark_malformed"))
    }
}

impl DomainChange {
    /// The row after the change.
    fn applied(&self, before: &DomainRow, now: DateTime<Utc>) -> DomainRow {
        let standing = match self.status {
            Some(word) => word.applied(before.standing(), now),
            None => before.standing(),
        };
        let mut after = DomainRow {
            requirements: match &self.requirements {
                Some(change) => RowRequirements::Own(change.to.clone()),
                None => before.requirements.clone(),
            },
            binding: self.binding.as_ref().map_or_else(|| before.binding.clone(), |change| change.to.clone()),
            daily_send_limit: self.daily_send_limit.unwrap_or(before.daily_send_limit),
            status: standing.status,
            verified_at: standing.verified_at,
            degraded_since: standing.degraded_since,
            suspends_at: standing.suspends_at,
            suspended_reason: standing.suspended_reason,
            recovering_since: standing.recovering_since,
            ..before.clone()
        };
        if let Some(id) = &self.infraforge_domain_id {
            after.infraforge_domain_id.clone_from(id);
        }
        if let Some(id) = &self.smartlead_domain_id {
            after.smartlead_domain_id.clone_from(id);
        }
        if is_other(before, &after) {
            let due = earliest(before.last_checked_at, self.min_interval, now);
            after.next_check_at = Some(before.next_check_at.map_or(due, |next| next.min(due)));
            after.check_reason = Some(CheckReason::Verify);
        }
        after
    }
}

/// Whether a check that runs now looks for something else than it should, or at something else. The whole
/// standing: a person's suspension of what DNS had suspended changes no status, and must not be lost.
fn is_other(before: &DomainRow, after: &DomainRow) -> bool {
    after.standing() != before.standing()
        || after.requirements != before.requirements
        || after.binding != before.binding
}

impl OperatorStatus {
    /// The standing after an operator's word. Design §1, rule 6.
    fn applied(self, before: Standing, now: DateTime<Utc>) -> Standing {
        let calm = Standing { degraded_since: None, suspends_at: None, recovering_since: None, ..before };
        match (self, before.status) {
            (OperatorStatus::Suspended, _) => Standing {
                status: Status::Suspended,
                suspended_reason: Some(SuspendedReason::Operator),
                // Active says that it was verified, even in a row that the platform wrote.
                verified_at: before.verified_at.or((before.status == Status::Active).then_some(now)),
                ..calm
            },
            (OperatorStatus::Active, Status::Suspended) => Standing {
                status: if before.verified_at.is_some() { Status::Active } else { Status::Pending },
                suspended_reason: None,
                ..calm
            },
            (OperatorStatus::Active, _) => before,
        }
    }
}

async fn write(
    tx: &mut Tx<'_>,
    after: &DomainRow,
    is_other: bool,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<Option<Row>, StoreError> {
    let requirements = after.requirements.write(operation)?;
    let binding = after.binding.as_ref().map(|binding| binding.write(operation)).transpose()?;
    tx!(tx, CHANGE, |sql, connection| {
        let query = sqlx::query_as::<_, Row>(sql).bind(after.id).bind(requirements).bind(after.daily_send_limit);
        let query = query.bind(after.infraforge_domain_id.as_deref()).bind(after.smartlead_domain_id.as_deref());
        let query = query.bind(after.status.as_str()).bind(after.verified_at).bind(after.degraded_since);
        let query = query.bind(after.suspends_at).bind(after.suspended_reason.map(SuspendedReason::as_str));
        let query = query.bind(after.recovering_since).bind(after.next_check_at);
        let query = query.bind(after.check_reason.map(CheckReason::as_str)).bind(is_other).bind(now).bind(binding);
        query.fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))
}
