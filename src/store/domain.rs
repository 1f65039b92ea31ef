//! Domains: the rows of `email_domains`, the platform's columns and ours.
//!
//! Owns how a row is read, whoever wrote it, and the look-ups. Adding is in [`crate::store::domain_add`],
//! changing in [`crate::store::domain_change`], the schedule in [`crate::store::schedule`].
//!
//! # Strictness
//!
//! The platform's columns may be NULL; each then reads as the seed's default. `deleted_at` or the status
//! `deleted` alone means deleted. A suspension without a reason was the platform's, and reads as an operator's.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::protocol::domain::Domain;
use crate::store::requirements::Requirements;
use crate::store::{CheckReason, Store, StoreError};
use crate::verify::purpose::Purpose;
use crate::verify::standing::{Flags, Standing, Status, SuspendedReason};

/// One row of `email_domains`, read.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainRow {
    /// `id`.
    pub id: Uuid,
    /// `client_id`.
    pub client_id: Uuid,
    /// `domain`, as it stands: the platform may have written a text that is no normal domain name.
    pub domain: String,
    /// `provider`.
    pub provider: String,
    /// `dns_configured`.
    pub dns_configured: bool,
    /// `spf_valid`.
    pub spf_valid: bool,
    /// `dkim_valid`.
    pub dkim_valid: bool,
    /// `dmarc_valid`.
    pub dmarc_valid: bool,
    /// `mx_valid`, our column.
    pub mx_valid: bool,
    /// `domain_age_days`.
    pub domain_age_days: Option<i32>,
    /// `reputation_score`, 0–100.
    pub reputation_score: Option<f64>,
    /// `daily_send_limit`.
    pub daily_send_limit: i32,
    /// `current_daily_sends`.
    pub current_daily_sends: i32,
    /// `status`, with `deleted_at` taken in.
    pub status: Status,
    /// `infraforge_domain_id`.
    pub infraforge_domain_id: Option<String>,
    /// `smartlead_domain_id`.
    pub smartlead_domain_id: Option<String>,
    /// `created_at`.
    pub created_at: Option<DateTime<Utc>>,
    /// `updated_at`.
    pub updated_at: Option<DateTime<Utc>>,
    /// `deleted_at`.
    pub deleted_at: Option<DateTime<Utc>>,
    /// When the last check that settled was made.
    pub last_checked_at: Option<DateTime<Utc>>,
    /// When a check last found all four valid.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When the next check is due. Nothing: at once when never checked, else only when asked.
    pub next_check_at: Option<DateTime<Utc>>,
    /// Why it is due.
    pub check_reason: Option<CheckReason>,
    /// Until when a worker holds it.
    pub lease_until: Option<DateTime<Utc>>,
    /// See [`Standing::degraded_since`].
    pub degraded_since: Option<DateTime<Utc>>,
    /// See [`Standing::suspends_at`].
    pub suspends_at: Option<DateTime<Utc>>,
    /// See [`Standing::suspended_reason`]; always there when suspended, never otherwise.
    pub suspended_reason: Option<SuspendedReason>,
    /// See [`Standing::recovering_since`].
    pub recovering_since: Option<DateTime<Utc>>,
    /// See [`Standing::stale_since`].
    pub stale_since: Option<DateTime<Utc>>,
    /// See [`Standing::verified_at`].
    pub verified_at: Option<DateTime<Utc>>,
    /// What it must publish; nothing: what its provider's profile says.
    pub requirements: Option<Requirements>,
    /// Which evidence the last settled check rests on.
    pub evidence_digest: Option<String>,
    /// The text of `domain` that was found to be no normal name, or a second spelling of another row's.
    pub malformed: Option<String>,
}

impl DomainRow {
    /// How the domain stands, for [`crate::verify::standing::after`].
    pub fn standing(&self) -> Standing {
        Standing {
            status: self.status,
            flags: Flags { spf: self.spf_valid, dkim: self.dkim_valid, dmarc: self.dmarc_valid, mx: self.mx_valid },
            verified_at: self.verified_at,
            degraded_since: self.degraded_since,
            suspends_at: self.suspends_at,
            suspended_reason: self.suspended_reason,
            recovering_since: self.recovering_since,
            stale_since: self.stale_since,
        }
    }

    /// Whether a worker holds it at `now`.
    pub fn is_checking(&self, now: DateTime<Utc>) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }

    /// Whether `domain`, as it stands, is marked as no normal name.
    pub fn is_malformed(&self) -> bool {
        self.malformed.as_deref() == Some(self.domain.as_str())
    }

    /// Its place in [`Store::domain_list`].
    pub fn place(&self) -> Place {
        Place { created_at: self.created_at, id: self.id }
    }
}

/// A place in the list of domains: by age, then by id; without an age first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// `created_at`.
    pub created_at: Option<DateTime<Utc>>,
    /// `id`.
    pub id: Uuid,
}

/// Which domains to list; the default is all that are not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DomainFilter {
    /// Only this client's.
    pub client_id: Option<Uuid>,
    /// Only of this status; deleted ones are listed only when asked for.
    pub status: Option<Status>,
    /// Only those with a false flag.
    pub failing: Option<Failing>,
    /// Only those whose name begins so, in any case.
    pub q: Option<String>,
}

/// Which flag is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// This one.
    Purpose(Purpose),
    /// At least one of the four.
    Any,
}

impl Store {
    /// One domain, deleted ones too.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain_get(&self, id: Uuid) -> Result<Option<DomainRow>, StoreError> {
        let _ = id;
        Err(StoreError::unbuilt("domain_get"))
    }

    /// The row of a name, deleted ones too. A row in the normal spelling goes before others of the same name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain_by_name(&self, domain: &Domain) -> Result<Option<DomainRow>, StoreError> {
        let _ = domain;
        Err(StoreError::unbuilt("domain_by_name"))
    }

    /// At most `limit` domains behind `after`, in the order of their [`Place`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain_list(
        &self,
        filter: &DomainFilter,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<DomainRow>, StoreError> {
        let _ = (filter, after, limit);
        Err(StoreError::unbuilt("domain_list"))
    }
}
