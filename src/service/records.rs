//! Records and status: what onboarding polls.
//!
//! The latest stored evidence is judged against what is required *now*, so that a change of requirements shows at
//! once and nobody waits for DNS to read a page.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;
use uuid::Uuid;

use crate::service::notes;
use crate::service::ownership::{self, OwnershipView};
use crate::service::requirements::{ExpectationFault, RequirementsSource, expectation_of, staging_of};
use crate::service::schedule::after;
use crate::service::{Caller, Error, Service};
use crate::store::note::{self, Note};
use crate::store::{Advanced, CheckReason, CheckRow, DomainRow};
use crate::verify::evidence::Evidence;
use crate::verify::evidence::stored::from_stored;
use crate::verify::finding::Finding;
use crate::verify::finding::zone::ZoneFinding;
use crate::verify::ownership::OwnershipReport;
use crate::verify::report::Report;
use crate::verify::staged;
use crate::verify::standing::Status;

/// How long a check usually takes: to be waited beyond the time at which it is due.
const TYPICAL_CHECK: Duration = Duration::from_secs(2);

/// Nobody is told to come back sooner than this.
const POLL_AFTER_MIN: Duration = Duration::from_secs(2);

/// Nor later than this.
const POLL_AFTER_MAX: Duration = Duration::from_hours(1);

/// When to come back where nothing is planned: the ladder has ended, and this call is what brings a check.
const POLL_AFTER_UNPLANNED: Duration = Duration::from_mins(1);

/// A domain's records and status.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordsView {
    /// The domain's row.
    pub row: DomainRow,
    /// The judgement of the latest evidence. What has no answer yet is `unchecked`.
    pub report: Report,
    /// What proves that it is its client's, and what the last check says of that; nothing where nothing is to be proven.
    pub ownership: Option<(OwnershipView, OwnershipReport)>,
    /// Who says what is required.
    pub requirements: RequirementsSource,
    /// When each of the report's records last changed, in their order; nothing where it was never checked.
    pub changed_at: Vec<Option<DateTime<Utc>>>,
    /// Whether a check is running.
    pub checking: bool,
    /// Whether the fleet breaker is open: nobody is demoted.
    pub breaker_open: bool,
    /// When to ask again, to learn something new. Whole seconds.
    pub poll_after: Duration,
}

impl Service {
    /// A domain's records and status.
    ///
    /// While not all is valid or proven, or something is staged, asking brings its next check forward, though never closer than
    /// `checks.min_interval` to its last.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], also when it is deleted; [`Error::DomainMalformed`]; [`Error::Forbidden`];
    /// [`Error::Store`].
    pub async fn records(&self, caller: &Caller, id: Uuid) -> Result<RecordsView, Error> {
        let row = self.see_living_domain(caller, id).await?;
        let mut view = self.records_of(row).await?;
        let now = self.clock.now();
        if (!view.report.is_all_valid() || view.report.has_staged() || view.row.is_unproven())
            && self.comes_sooner(&view.row, now)
            && let Some(advanced) = self.advance(id, CheckReason::Poll, now).await?
        {
            view.row.next_check_at = Some(advanced.next_check_at);
            view.checking = advanced.running;
        }
        view.poll_after = poll_after(&view.row, view.checking, now);
        Ok(view)
    }

    /// The same for somebody who only looks on: nothing is brought forward.
    ///
    /// # Errors
    ///
    /// Those of [`Service::records`].
    pub async fn records_as_they_are(&self, caller: &Caller, id: Uuid) -> Result<RecordsView, Error> {
        let row = self.see_living_domain(caller, id).await?;
        self.records_of(row).await
    }

    /// The same without bringing anything forward; the caller has seen to it that the row may be seen.
    pub(crate) async fn records_of(&self, row: DomainRow) -> Result<RecordsView, Error> {
        let (staging, requirements) = staging_of(&row, &self.settings.profiles).map_err(|fault| match fault {
            ExpectationFault::Malformed { .. } => Error::DomainMalformed(fault.to_string()),
            ExpectationFault::Unreadable(what) => {
                let operation = "domain_get";
                Error::Store(crate::store::StoreError::Corrupt { operation, what })
            }
        })?;
        let evidence = self.latest_evidence(&row).await?;
        let mut report = staged::judge_partly(&staging, &evidence);
        let ownership = OwnershipView::of(&row).zip(ownership::seen(&row, &evidence));
        if requirements == RequirementsSource::Missing {
            // What nobody requires is `unchecked` for ever, and only who runs us can say what is to be required.
            let provider = row.provider.clone();
            report.advisories.insert(0, Finding::Zone(ZoneFinding::RequirementsMissing { provider }));
        }
        // Those of a former life say nothing of a revived domain.
        let notes = if row.evidence_digest.is_some() { self.latest_notes(row.id).await? } else { Vec::new() };
        let changed_at = notes::changed_at(&report, &notes);
        let now = self.clock.now();
        let checking = row.is_checking(now);
        let poll_after = poll_after(&row, checking, now);
        let breaker_open = self.is_breaker_open().await?;
        Ok(RecordsView { row, report, ownership, requirements, changed_at, checking, breaker_open, poll_after })
    }

    /// What the last check was told; nothing before the first.
    async fn latest_evidence(&self, row: &DomainRow) -> Result<Evidence, Error> {
        if row.evidence_digest.is_none() {
            return Ok(Evidence::new());
        }
        let Some(body) = self.store.evidence_latest(row.id).await? else {
            return Ok(Evidence::new());
        };
        Ok(from_stored(&body).unwrap_or_else(|fault| {
            // A later release wrote it, before somebody went back to this one. The next check mends it.
            warn!(domain.id = %row.id, %fault, "The evidence of {} does not read back", row.domain);
            Evidence::new()
        }))
    }

    /// The notes of the last check; none before the first.
    pub(crate) async fn latest_notes(&self, domain_id: Uuid) -> Result<Vec<Note>, Error> {
        Ok(self.latest_check(domain_id).await?.map(|check| note::of_value(&check.verdicts)).unwrap_or_default())
    }

    /// The last check that settled; nothing before the first.
    pub(crate) async fn latest_check(&self, domain_id: Uuid) -> Result<Option<CheckRow>, Error> {
        Ok(self.store.check_list(domain_id, None, 1).await?.pop())
    }

    /// Asks for a check at once; one that runs is joined.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyVerifications`] beyond six calls a minute; [`Error::NoSuchDomain`], also when it is deleted;
    /// [`Error::DomainMalformed`]; [`Error::Forbidden`]; [`Error::Store`].
    pub async fn verify(&self, caller: &Caller, id: Uuid) -> Result<Advanced, Error> {
        let row = self.see_living_domain(caller, id).await?;
        if let Err(fault @ ExpectationFault::Malformed { .. }) = expectation_of(&row, &self.settings.profiles) {
            return Err(Error::DomainMalformed(fault.to_string()));
        }
        let now = self.clock.now();
        self.verify_rate.call(id, now).map_err(|retry_after| Error::TooManyVerifications { retry_after })?;
        self.advance(id, CheckReason::Verify, now).await?.ok_or_else(|| Error::NoSuchDomain(id.to_string()))
    }

    /// Brings a check forward to now, as far as the least interval lets it.
    pub(crate) async fn advance(
        &self,
        id: Uuid,
        reason: CheckReason,
        now: DateTime<Utc>,
    ) -> Result<Option<Advanced>, Error> {
        let advanced = self.store.domain_advance(id, reason, now, self.settings.rhythm.min_interval, now).await?;
        self.wake();
        Ok(advanced)
    }

    /// Whether a domain could be checked sooner than it is going to be, so that reading costs no write otherwise.
    fn comes_sooner(&self, row: &DomainRow, now: DateTime<Utc>) -> bool {
        let Some(last) = row.last_checked_at else {
            return row.next_check_at.is_some_and(|next| next > now);
        };
        let soonest = after(last, self.settings.rhythm.min_interval).max(now);
        !row.is_checking(now) && row.status != Status::Deleted && row.next_check_at.is_none_or(|next| next > soonest)
    }
}

/// When whoever waits should come back: once the next check is likely to be done.
fn poll_after(row: &DomainRow, checking: bool, now: DateTime<Utc>) -> Duration {
    let wait = match (checking, row.next_check_at) {
        (true, _) => TYPICAL_CHECK,
        (false, Some(next)) => (next - now).max(TimeDelta::zero()).to_std().unwrap_or_default() + TYPICAL_CHECK,
        (false, None) if row.last_checked_at.is_none() => TYPICAL_CHECK,
        (false, None) => return POLL_AFTER_UNPLANNED,
    };
    // Rounded up: whoever comes a moment early has come in vain.
    Duration::from_secs(wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX))
        .clamp(POLL_AFTER_MIN, POLL_AFTER_MAX)
}
