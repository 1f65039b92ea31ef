//! Records and status: what onboarding polls.
//!
//! The latest stored evidence is judged against what is required *now*, so that a change of requirements shows at
//! once and nobody waits for DNS to read a page. A row that has not changed is not judged again
//! ([`crate::service::judged`]), and whoever has the document already is told so from memory where that is known to be
//! right ([`crate::service::snapshot`]).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;
use uuid::Uuid;

use crate::service::judged::{Basis, Judged};
use crate::service::notes;
use crate::service::ownership::{self, OwnershipView};
use crate::service::requirements::{ExpectationFault, RequirementsSource, expectation_of, staging_of};
use crate::service::schedule::after;
use crate::service::snapshot::Ticket;
use crate::service::{Caller, Error, Moment, Service};
use crate::store::note;
use crate::store::{Advanced, CheckReason, CheckRow, DomainRow};
use crate::verify::evidence::Evidence;
use crate::verify::evidence::stored::from_stored;
use crate::verify::finding::Finding;
use crate::verify::finding::zone::ZoneFinding;
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
#[derive(Debug, Clone)]
pub struct RecordsView {
    /// The domain's row.
    pub row: DomainRow,
    /// What was made of it and of the latest evidence.
    pub judged: Arc<Judged>,
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
        let (row, breaker_open) = self.see_shown_domain(caller, id).await?;
        self.records_asked(row, breaker_open).await
    }

    /// The same for somebody who only looks on: nothing is brought forward.
    ///
    /// # Errors
    ///
    /// Those of [`Service::records`].
    pub async fn records_as_they_are(&self, caller: &Caller, id: Uuid) -> Result<RecordsView, Error> {
        let (row, breaker_open) = self.see_shown_domain(caller, id).await?;
        self.records_of(row, breaker_open).await
    }

    /// The same, for somebody who waits for a change and was told of one at `told`, or looks by himself now; `asks` is
    /// whether the next check is brought forward. Many who are told at once share one reading.
    ///
    /// # Errors
    ///
    /// Those of [`Service::records`].
    pub async fn records_told(
        &self,
        caller: &Caller,
        id: Uuid,
        asks: bool,
        told: Option<Moment>,
    ) -> Result<Arc<RecordsView>, Error> {
        caller.sight()?;
        let read = || {
            let service = self.clone();
            async move { service.records_of_anybody(id, asks).await }
        };
        let view = self.together.read((id, asks), told.unwrap_or_else(|| self.together.now()), read).await?;
        self.sees_domain(caller, id, view.row.client_id)?;
        Ok(view)
    }

    /// What there is to read of a domain is the same for everybody; whoever asks sees to it that the caller may see it.
    async fn records_of_anybody(&self, id: Uuid, asks: bool) -> Result<RecordsView, Error> {
        let shown = self.store.domain_shown(id).await?.filter(|(row, _)| row.status != Status::Deleted);
        let (row, breaker_open) = shown.ok_or_else(|| Error::NoSuchDomain(id.to_string()))?;
        if asks { self.records_asked(row, breaker_open).await } else { self.records_of(row, breaker_open).await }
    }

    /// The tag of a domain's records document, from memory; nothing where the database must be asked. As far as it says
    /// anything, asking the database would have had no effect either: a domain of which somebody should ask is
    /// remembered no longer than asking again would bring nothing forward.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`].
    pub fn records_tag(&self, caller: &Caller, id: Uuid) -> Result<Option<Arc<str>>, Error> {
        caller.sight()?;
        let Some((client_id, tag)) = self.snapshot.get(id) else { return Ok(None) };
        self.sees_domain(caller, id, client_id)?;
        Ok(Some(tag))
    }

    /// To be taken before a domain is read whose tag is to be remembered.
    pub fn records_ticket(&self, id: Uuid) -> Option<Ticket> {
        self.snapshot.ticket(id)
    }

    /// Remembers the tag of what was read with a ticket.
    pub fn records_note(&self, ticket: Ticket, view: &RecordsView, tag: &Arc<str>) {
        let is_calm = view.judged.report.is_all_valid() && !view.judged.report.has_staged() && !view.row.is_unproven();
        let believed = (!is_calm).then_some(self.settings.rhythm.min_interval);
        self.snapshot.note(ticket, view.row.client_id, tag, believed);
    }

    /// A row's records, whose reading counts as asking.
    async fn records_asked(&self, row: DomainRow, breaker_open: bool) -> Result<RecordsView, Error> {
        let mut view = self.records_of(row, breaker_open).await?;
        let now = self.clock.now();
        if (!view.judged.report.is_all_valid() || view.judged.report.has_staged() || view.row.is_unproven())
            && self.comes_sooner(&view.row, now)
            && let Some(advanced) = self.advance(view.row.id, CheckReason::Poll, now).await?
        {
            view.row.next_check_at = Some(advanced.next_check_at);
            view.checking = advanced.running;
        }
        view.poll_after = poll_after(&view.row, view.checking, now);
        Ok(view)
    }

    /// A row's records; whoever asks has seen to it that the caller may see it.
    async fn records_of(&self, row: DomainRow, breaker_open: bool) -> Result<RecordsView, Error> {
        let judged = match self.judgements.get(&row, breaker_open) {
            Some(judged) => judged,
            None => {
                let (judged, is_of_row) = Box::pin(self.judge(&row)).await?;
                let judged = Arc::new(judged);
                if is_of_row {
                    self.judgements.put(Basis::of(&row, breaker_open), &judged);
                }
                judged
            }
        };
        let now = self.clock.now();
        let checking = row.is_checking(now);
        let poll_after = poll_after(&row, checking, now);
        Ok(RecordsView { row, judged, checking, breaker_open, poll_after })
    }

    /// Judges a row; whether all that was read belongs to it, for a check may settle between one question and the next.
    async fn judge(&self, row: &DomainRow) -> Result<(Judged, bool), Error> {
        let (staging, requirements) = staging_of(row, &self.settings.profiles).map_err(|fault| match fault {
            ExpectationFault::Malformed { .. } => Error::DomainMalformed(fault.to_string()),
            ExpectationFault::Unreadable(what) => {
                let operation = "domain_get";
                Error::Store(crate::store::StoreError::Corrupt { operation, what })
            }
        })?;
        let (evidence, is_of_row) = self.evidence_of(row).await?;
        let mut report = staged::judge_partly(&staging, &evidence);
        let ownership = OwnershipView::of(row).zip(ownership::seen(row, &evidence));
        if requirements == RequirementsSource::Missing {
            // What nobody requires is `unchecked` for ever, and only who runs us can say what is to be required.
            let provider = row.provider.clone();
            report.advisories.insert(0, Finding::Zone(ZoneFinding::RequirementsMissing { provider }));
        }
        // Those of a former life say nothing of a revived domain.
        let check = if row.evidence_digest.is_some() { self.latest_check(row.id).await? } else { None };
        let is_of_row = is_of_row && check.as_ref().is_none_or(|check| Some(check.at) == row.last_checked_at);
        let notes = check.map(|check| note::of_value(&check.verdicts)).unwrap_or_default();
        let changed_at = notes::changed_at(&report, &notes);
        Ok((Judged { report, ownership, requirements, changed_at, told: OnceLock::new() }, is_of_row))
    }

    /// What the last check was told, and whether it is that of this row; nothing before the first.
    async fn evidence_of(&self, row: &DomainRow) -> Result<(Evidence, bool), Error> {
        let Some(digest) = &row.evidence_digest else { return Ok((Evidence::new(), true)) };
        let (body, is_of_row) = match self.store.evidence_get(digest).await? {
            Some(body) => (Some(body), true),
            // A later check has settled since the row was read, and nobody needed this any more.
            None => (self.store.evidence_latest(row.id).await?, false),
        };
        let Some(body) = body else { return Ok((Evidence::new(), false)) };
        let evidence = from_stored(&body).unwrap_or_else(|fault| {
            // A later release wrote it, before somebody went back to this one. The next check mends it.
            warn!(domain.id = %row.id, %fault, "The evidence of {} does not read back", row.domain);
            Evidence::new()
        });
        Ok((evidence, is_of_row))
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
