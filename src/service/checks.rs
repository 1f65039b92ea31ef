//! One check: claimed, run with empty hands, settled behind its lease.
//!
//! [`Service::run`] holds no database connection while it waits for DNS. What it finds becomes so only in
//! [`Service::settle`], in one transaction, and only while the lease is still ours.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::checker::{self, Checked, JudgeFault, Limits};
use crate::service::notes;
use crate::service::requirements::{ExpectationFault, domain_of, expectation_of};
use crate::service::schedule::{after, next_check_at};
use crate::service::{Error, Service, events};
use crate::store::note::{self, Note};
use crate::store::{DomainRow, Settled, Settlement};
use crate::telemetry::metrics::{CheckResult, check_ended, verdict_given};
use crate::verify::doubt;
use crate::verify::evidence::Evidence;
use crate::verify::evidence::stored::to_stored;
use crate::verify::expectation::Expectation;
use crate::verify::judge::{judge, verdicts};
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::report::Report;
use crate::verify::standing::{self, Standing};

/// What a worker holds: it names neither the store nor DNS.
pub use crate::dns::Resolver;
pub use crate::store::schedule::CLIENTS_EXCEPTED_MAX;
pub use crate::store::{CheckReason, Claim};

/// Which of the domains that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Any; those that somebody waits for first.
    Any,
    /// The same, but nothing that somebody asked for of these clients: they hold their share.
    AnyBut([Uuid; CLIENTS_EXCEPTED_MAX]),
    /// Only those due by schedule.
    Sweep,
}

/// A check that ran and has not settled.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// What was said.
    pub report: Report,
    /// What to write.
    pub settlement: Settlement,
}

impl Service {
    /// Takes at most `count_max` domains that are due. Each must be settled or released.
    ///
    /// A row whose name is no normal domain name is marked and not given out.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; what was taken by then falls due again when its lease ends.
    pub async fn due(&self, due: Due, count_max: u32) -> Result<Vec<Claim>, Error> {
        let now = self.clock.now();
        let (until, token) = (after(now, self.settings.lease), self.chance.id(now));
        let claims = match due {
            Due::Any => self.store.domain_claim_due(now, until, token, count_max).await?,
            Due::AnyBut(clients) => self.store.domain_claim_due_but(&clients, now, until, token, count_max).await?,
            Due::Sweep => self.store.domain_claim_sweep(now, until, token, count_max).await?,
        };
        let mut normal = Vec::with_capacity(claims.len());
        for claim in claims {
            match domain_of(&claim.domain.domain) {
                Ok(_) => normal.push(claim),
                Err(fault) => self.refuse(&claim, &fault).await?,
            }
        }
        Ok(normal)
    }

    /// Marks a row that cannot be checked, whoever wrote it.
    async fn refuse(&self, claim: &Claim, fault: &ExpectationFault) -> Result<(), Error> {
        let row = &claim.domain;
        warn!(domain.id = %row.id, %fault, "A domain in the database is not checked: domain.malformed");
        Ok(self.store.domain_mark_malformed(row.id, &row.domain).await?)
    }

    /// Asks DNS and judges. Ends within two thirds of the lease, whatever DNS does.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: the last check could not be read, and this one was not begun. [`Error::DomainMalformed`]
    /// for a claim that [`Service::due`] would not have given out. [`Error::Judge`]: given back, to be tried later.
    pub async fn run(&self, resolver: &dyn Resolver, claim: &Claim) -> Result<Examined, Error> {
        let row = &claim.domain;
        let before = self.latest_notes(row.id).await?;
        let expectation = self.expectation_or_soundness(row)?;
        let begun = Instant::now();
        let limits = Limits::within(self.settings.lease * 2 / 3);
        let checked = match checker::check(resolver, &limits, |evidence| judge(&expectation, evidence)).await {
            Ok(checked) => checked,
            Err(fault) => return Err(self.gave_up(claim, fault).await),
        };
        let Checked { judgement: report, evidence, question_count: questions, .. } = checked;
        let seen = Seen { report: &report, evidence: &evidence, questions, took: begun.elapsed() };
        let settlement = self.settlement(claim, &before, &seen, self.clock.now());
        Ok(Examined { report, settlement })
    }

    /// A fault of ours, and no word about the domain: nothing changes, and it is tried again as if it were failing.
    async fn gave_up(&self, claim: &Claim, fault: JudgeFault) -> Error {
        let row = &claim.domain;
        error!(domain.id = %row.id, %fault, "The check of {} came to no end; please report it", row.domain);
        let until = after(self.clock.now(), self.settings.rhythm.degraded_interval);
        match self.store.domain_postpone(claim, until).await {
            Ok(()) => Error::Judge(fault),
            Err(fault) => Error::Store(fault),
        }
    }

    fn expectation_or_soundness(&self, row: &DomainRow) -> Result<Expectation, Error> {
        match expectation_of(row, &self.settings.profiles) {
            Ok((expectation, _)) => Ok(expectation),
            Err(fault @ ExpectationFault::Malformed { .. }) => Err(Error::DomainMalformed(fault.to_string())),
            Err(ExpectationFault::Unreadable(what)) => {
                error!(domain.id = %row.id, what, "The requirements of {} do not read back; judging soundness", row.domain);
                let domain = domain_of(&row.domain).map_err(|fault| Error::DomainMalformed(fault.to_string()))?;
                Ok(Expectation::soundness_of(domain))
            }
        }
    }

    /// What a check makes of a domain.
    fn settlement(&self, claim: &Claim, before: &[Note], seen: &Seen<'_>, now: DateTime<Utc>) -> Settlement {
        let row = &claim.domain;
        let standing = row.standing();
        let min_interval = TimeDelta::from_std(self.settings.rhythm.min_interval).unwrap_or(TimeDelta::MAX);
        let (verdicts, doubts) = doubt::believed(
            standing.flags,
            verdicts(seen.report),
            |purpose| seen.report.denial(purpose),
            &notes::doubts(before),
            now,
            min_interval,
        );
        let (after, happenings) = standing::after(&standing, verdicts, now, self.settings.patience);
        let notes = notes::notes(seen.report, before, &doubts, now);
        // Ids sort by their microsecond: those of one check keep the order in which they are told.
        let mut at = now;
        let mut next_id = || {
            at += TimeDelta::microseconds(1);
            self.chance.id(at)
        };
        let mut events: Vec<_> = happenings
            .into_iter()
            .map(|what| events::happened(next_id(), what, row, &standing, &after, Some(seen.report)))
            .collect();
        if notes::found_changed(before, &notes) {
            events.push(events::records_changed(next_id(), row, &standing, &after, seen.report));
        }
        let (rhythm, patience) = (&self.settings.rhythm, self.settings.patience);
        let by_rhythm = next_check_at(&after, row.pending_since, now, rhythm, patience, self.chance.number());
        Settlement {
            at: now,
            standing: after,
            dns_configured: dns_configured(row, &after, seen.report),
            verdicts: note::to_value(&notes),
            evidence: to_stored(seen.evidence),
            changes: events::changes(&standing, &after),
            all_valid: seen.report.is_all_valid(),
            next_check_at: sooner(by_rhythm, doubts.into_values().min().map(|from| from.max(now + min_interval))),
            events,
            check_id: self.chance.id(now),
            reason: claim.reason,
            questions: u32::try_from(seen.questions).unwrap_or(u32::MAX),
            took_ms: u32::try_from(seen.took.as_millis()).unwrap_or(u32::MAX),
        }
    }

    /// Writes a check's result, all or nothing, and only while the lease is ours.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; nothing is written. It may be tried again until the lease ends.
    pub async fn settle(&self, claim: &Claim, examined: &Examined) -> Result<Settled, Error> {
        let Examined { report, settlement } = examined;
        self.note_staleness_ended(claim, settlement).await?;
        let settled = self.store.domain_settle(claim, settlement, self.clock.now()).await?;
        let took = Duration::from_millis(u64::from(settlement.took_ms));
        match settled {
            Settled::Done => {
                check_ended(claim.reason.as_str(), result_of(report), took);
                Purpose::ALL.into_iter().for_each(|purpose| verdict_given(purpose, report.verdict(purpose)));
                for event in &settlement.events {
                    info!(domain.id = %claim.domain.id, event.id = %event.id, "{} {}", event.kind, claim.domain.domain);
                }
                self.tell_settled(claim.domain.id);
            }
            Settled::LeaseLost => {
                check_ended(claim.reason.as_str(), CheckResult::Dropped, took);
                info!(domain.id = %claim.domain.id, "Dropped a check of {}: it was changed meanwhile", claim.domain.domain);
            }
        }
        Ok(settled)
    }

    /// Gives a claim back untouched.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; it falls due again when the lease ends.
    pub async fn release(&self, claim: &Claim) -> Result<(), Error> {
        Ok(self.store.domain_release(claim).await?)
    }
}

/// `dns_configured` after a report. Only a definite word moves it: the platform may have set it where `mx_valid`,
/// our column, was never judged, or not set it where all four are true.
fn dns_configured(row: &DomainRow, after: &Standing, report: &Report) -> bool {
    let failing = |purpose| report.verdict(purpose).is_failure() && !after.flags.get(purpose);
    let is_definite = after.flags != row.standing().flags || report.is_all_valid();
    match Purpose::ALL.into_iter().any(failing) {
        true => false,
        false => row.dns_configured || (after.flags.all() && is_definite),
    }
}

/// A denial in doubt is looked at again as soon as that can settle it.
fn sooner(by_rhythm: Option<DateTime<Utc>>, doubt: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    by_rhythm.into_iter().chain(doubt).min()
}

/// What a check saw.
struct Seen<'s> {
    report: &'s Report,
    evidence: &'s Evidence,
    questions: usize,
    took: Duration,
}

fn result_of(report: &Report) -> CheckResult {
    let verdicts = Purpose::ALL.map(|purpose| report.verdict(purpose));
    if verdicts.into_iter().any(Verdict::is_failure) {
        CheckResult::Failing
    } else if verdicts.into_iter().all(|verdict| verdict == Verdict::Valid) {
        CheckResult::Valid
    } else {
        CheckResult::Unknown
    }
}
