//! One check: claimed, run with empty hands, settled behind its lease.
//!
//! [`Service::run`] holds no database connection while it waits for DNS. What it finds becomes so only in
//! [`Service::settle`], in one transaction, and only while the lease is still ours.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use tokio::time::Instant;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::chance::time_of;
use crate::checker::{self, Checked, JudgeFault, Limits};
use crate::service::breaker::{self, Hold};
use crate::service::notes;
use crate::service::ownership::{self, Asked};
use crate::service::requirements::{self, ExpectationFault, domain_of, staging_of};
use crate::service::schedule::{after, next_check_at};
use crate::service::{Error, Service, events};
use crate::store::note::{self, Note};
use crate::store::{ClaimRow, Claimant, DomainRow, Requirements, RowRequirements, Settlement};
use crate::telemetry::chain;
use crate::telemetry::metrics::{CheckResult, check_ended, verdict_given};
use crate::verify::breaker::{Breaker, Outcome};
use crate::verify::doubt;
use crate::verify::evidence::Evidence;
use crate::verify::evidence::stored::to_stored;
use crate::verify::expectation::Expectation;
use crate::verify::judge::verdicts;
use crate::verify::ownership::OwnershipReport;
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::report::Report;
use crate::verify::staged::{self, Judged, Staging};
use crate::verify::standing::{self, Standing, Status, Verdicts};

/// How far the ids of a check stand from those of the one before it: it has fewer events than this has microseconds.
const IDS_APART: TimeDelta = TimeDelta::microseconds(100);

/// What a worker holds: it names neither the store nor DNS.
pub use crate::dns::Resolver;
pub use crate::store::schedule::CLIENTS_EXCEPTED_MAX;
pub use crate::store::settle::TOGETHER_MAX;
pub use crate::store::{CheckReason, Claim, Settled};

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

/// Why a result that was to be written with others is not.
#[derive(Debug, Error)]
pub enum Unsettled {
    /// It was tried.
    #[error(transparent)]
    Failed(#[from] Error),
    /// Another was tried before it, and the database did not answer.
    #[error("the database did not answer for another result before this one")]
    NotTried,
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
    pub(crate) async fn refuse(&self, claim: &Claim, fault: &ExpectationFault) -> Result<(), Error> {
        let row = &claim.domain;
        warn!(domain.id = %row.id, %fault, "A domain in the database is not checked: domain.malformed");
        Ok(self.store.domain_mark_malformed(row.id, &row.domain).await?)
    }

    /// Asks DNS and judges. Ends within two thirds of the lease, whatever DNS does.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: the last check could not be read, or that nobody could tell until now not be noted; there is
    /// nothing to settle. [`Error::DomainMalformed`]
    /// for a claim that [`Service::due`] would not have given out. [`Error::Judge`]: given back, to be tried later.
    pub async fn run(&self, resolver: &dyn Resolver, claim: &Claim) -> Result<Examined, Error> {
        let row = &claim.domain;
        let last = match row.last_checked_at {
            Some(_) => self.latest_check(row.id).await?,
            None => None,
        };
        let before = last.as_ref().map(|check| note::of_value(&check.verdicts)).unwrap_or_default();
        let staging = self.staging_or_soundness(row)?;
        let begun = Instant::now();
        let limits = Limits::within(self.settings.lease * 2 / 3);
        let asked = self.asked(row).await?;
        let judge = |evidence: &Evidence| ownership::judge(&staging, asked.as_ref(), evidence);
        let checked = match checker::check(resolver, &limits, judge).await {
            Ok(checked) => checked,
            Err(fault) => return Err(self.gave_up(claim, fault).await),
        };
        let Checked { judgement: (judged, proof), evidence, question_count: questions, .. } = checked;
        let ownership = asked.as_ref().zip(proof.as_ref());
        let (took, after_id) = (begun.elapsed(), last.map(|check| check.id));
        let (report, evidence) = (&judged.report, &evidence);
        let seen = Seen { report, judged: &judged, ownership, evidence, questions, took, after_id };
        let settlement = self.weighed(claim, &before, &seen, self.clock.now()).await?;
        self.note_staleness_ended(claim, &settlement).await?;
        Ok(Examined { report: judged.report, settlement })
    }

    /// What a check makes of a domain, as far as the fleet breaker lets it.
    async fn weighed(
        &self,
        claim: &Claim,
        before: &[Note],
        seen: &Seen<'_>,
        now: DateTime<Utc>,
    ) -> Result<Settlement, Error> {
        let row = &claim.domain;
        // Where all is valid, there is nothing to hold back.
        let breaker = if seen.report.is_all_valid() { Breaker::default() } else { self.store.breaker().await? };
        let settlement = |hold| self.settlement(claim, before, seen, now, (&breaker, hold));
        if breaker.is_open() {
            return Ok(settlement(Hold::Everything));
        }
        let believed = settlement(Hold::Nothing);
        if !breaker::demotes(row, &believed) {
            return Ok(believed);
        }
        let doubts = breaker::waiting(notes::doubts(before), row.last_checked_at, &self.breaker_rule(), now);
        let uncertain_since = breaker::uncertain_since(&row.standing(), &believed.standing, seen.report, &doubts);
        let believed = match self.ask_breaker(row, &believed, uncertain_since).await? {
            Hold::Nothing => believed,
            hold => settlement(hold),
        };
        let withheld = breaker::demotes(row, &believed).then(|| Box::new(settlement(Hold::Everything)));
        Ok(Settlement { withheld, ..believed })
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

    fn staging_or_soundness(&self, row: &DomainRow) -> Result<Staging, Error> {
        match staging_of(row, &self.settings.profiles) {
            Ok((staging, _)) => Ok(staging),
            Err(fault @ ExpectationFault::Malformed { .. }) => Err(Error::DomainMalformed(fault.to_string())),
            Err(ExpectationFault::Unreadable(what)) => {
                error!(domain.id = %row.id, what, "The requirements of {} do not read back; judging soundness", row.domain);
                let domain = domain_of(&row.domain).map_err(|fault| Error::DomainMalformed(fault.to_string()))?;
                Ok(Staging::bound(Expectation::soundness_of(domain)))
            }
        }
    }

    /// What a check makes of a domain, the failures that `hold` names left aside.
    fn settlement(
        &self,
        claim: &Claim,
        before: &[Note],
        seen: &Seen<'_>,
        now: DateTime<Utc>,
        (breaker, hold): (&Breaker, Hold),
    ) -> Settlement {
        let row = &claim.domain;
        let standing = breaker::without_open_time(row, breaker, now);
        let mut doubts_before = notes::doubts(before);
        if hold == Hold::Uncertain {
            doubts_before = breaker::waiting(doubts_before, row.last_checked_at, &self.breaker_rule(), now);
        }
        let min_interval = TimeDelta::from_std(self.settings.rhythm.min_interval).unwrap_or(TimeDelta::MAX);
        let believed = doubt::believed(
            standing.flags,
            verdicts(seen.report),
            |purpose| seen.report.denial(purpose),
            &doubts_before,
            now,
            min_interval,
        );
        let is_proven = seen.ownership.is_some_and(|(_, proof)| proof.verdict == Verdict::Valid);
        let (verdicts, doubts) = breaker::held(believed, hold, &standing, seen.report, &doubts_before);
        let patience = breaker::patience(self.settings.patience, hold);
        let earliest_at = after(now, self.settings.rhythm.min_interval);
        let (after, happenings) =
            standing::after(&standing, verdicts, ownership::control(row, is_proven), now, patience);
        let notes = notes::notes(seen.report, &verdicts, before, &doubts, now);
        // Ids sort by their microsecond: those of one check keep the order in which they are told, and those of one
        // domain that of its checks, even when the clock was set back in between.
        let first_at = seen.after_id.and_then(time_of).map_or(now, |last| now.max(last + IDS_APART));
        let mut at = first_at;
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
        let claimants = claimants(row, seen, &mut next_id);
        let by_rhythm = sooner(
            next_check_at(&after, row.pending_since, now, &self.settings.rhythm, patience, self.chance.number()),
            self.staged_check_at(row, &after, seen.report, now),
        );
        let dns_configured = dns_configured(row, &after, verdicts, seen.report);
        let look = breaker::look_of(row, seen.report, dns_configured, now);
        let has_turned = look.as_ref().is_some_and(|look| look.outcome != Outcome::Good);
        let again = match hold {
            Hold::Everything => has_turned.then(|| self.again_while_open(now)),
            Hold::Nothing | Hold::Uncertain => doubts.into_values().min().map(|from| from.max(now + min_interval)),
        };
        Settlement {
            at: now,
            standing: after,
            dns_configured,
            binding: binding(row, &after, &seen.judged.binding),
            verdicts: note::to_value(&notes),
            evidence: to_stored(seen.evidence),
            changes: events::changes(&standing, &after, &seen.judged.bound),
            all_valid: seen.report.is_all_valid(),
            next_check_at: sooner(by_rhythm, again),
            earliest_at,
            events,
            check_id: self.chance.id(first_at),
            reason: claim.reason,
            questions: u32::try_from(seen.questions).unwrap_or(u32::MAX),
            took_ms: u32::try_from(seen.took.as_millis()).unwrap_or(u32::MAX),
            look,
            is_proven,
            claimants,
            withheld: None,
        }
    }

    /// When a domain with something staged is to be looked at for it: down the ladder from the change on, as a pending
    /// one. Nothing where that has ended, or nothing is staged.
    fn staged_check_at(
        &self,
        row: &DomainRow,
        after: &Standing,
        report: &Report,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        if !report.has_staged() || after.status != Status::Active {
            return None;
        }
        let (rhythm, patience) = (&self.settings.rhythm, self.settings.patience);
        next_check_at(&Standing::NEW, row.pending_since, now, rhythm, patience, self.chance.number())
    }

    /// Writes a check's result, all or nothing, and only while the lease is ours.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; nothing is known to be written. It may be tried again until the lease ends.
    pub async fn settle(&self, claim: &Claim, examined: &Examined) -> Result<Settled, Error> {
        let settled = self.store.domain_settle(claim, &examined.settlement, self.clock.now()).await?;
        self.after_settling(claim, examined, settled);
        Ok(settled)
    }

    /// Writes the results of checks that ended together, in one transaction; what became of each, in their order.
    ///
    /// Should the database refuse that, each is written alone, so that one takes no other with it; should it not
    /// answer, nobody else is tried. Whoever is not settled may be tried again until the lease ends.
    pub async fn settle_all(&self, checks: &[(Claim, Examined)]) -> Vec<Result<Settled, Unsettled>> {
        let results: Vec<_> = checks.iter().map(|(claim, examined)| (claim, &examined.settlement)).collect();
        let fault = match self.store.domain_settle_all(&results, self.clock.now()).await {
            Ok(settled) => {
                for ((claim, examined), settled) in checks.iter().zip(&settled) {
                    self.after_settling(claim, examined, *settled);
                }
                return settled.into_iter().map(Ok).collect();
            }
            Err(fault) => fault,
        };
        let mut outcomes = Vec::with_capacity(checks.len());
        if checks.len() > 1 && fault.is_refusal() {
            warn!(fault = chain(&fault), "{} results could not be written together; trying each alone", checks.len());
            for (claim, examined) in checks {
                match self.settle(claim, examined).await {
                    Err(Error::Store(fault)) if !fault.is_refusal() => {
                        outcomes.push(Err(Unsettled::Failed(fault.into())));
                        break;
                    }
                    outcome => outcomes.push(outcome.map_err(Unsettled::Failed)),
                }
            }
        } else {
            outcomes.push(Err(Unsettled::Failed(fault.into())));
        }
        outcomes.resize_with(checks.len(), || Err(Unsettled::NotTried));
        outcomes
    }

    /// Counts and tells what came of a check.
    fn after_settling(&self, claim: &Claim, Examined { report, settlement }: &Examined, settled: Settled) {
        let took = Duration::from_millis(u64::from(settlement.took_ms));
        match settled {
            Settled::Done | Settled::Withheld => {
                check_ended(claim.reason.as_str(), result_of(report), took);
                Purpose::ALL.into_iter().for_each(|purpose| verdict_given(purpose, report.verdict(purpose)));
                let written = settlement.withheld.as_deref().filter(|_| settled == Settled::Withheld);
                for event in &written.unwrap_or(settlement).events {
                    info!(domain.id = %claim.domain.id, event.id = %event.id, "{} {}", event.kind, claim.domain.domain);
                }
                if !settlement.events.is_empty() {
                    self.wake_deliveries();
                }
                self.tell_settled(claim.domain.id);
            }
            Settled::LeaseLost => {
                check_ended(claim.reason.as_str(), CheckResult::Dropped, took);
                info!(domain.id = %claim.domain.id, "Dropped a check of {}: it was changed meanwhile", claim.domain.domain);
            }
        }
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
fn dns_configured(row: &DomainRow, after: &Standing, believed: Verdicts, report: &Report) -> bool {
    let failing = |purpose| believed.get(purpose).is_failure() && !after.flags.get(purpose);
    let is_definite = after.flags != row.standing().flags || report.is_all_valid();
    match Purpose::ALL.into_iter().any(failing) {
        true => false,
        false => row.dns_configured || (after.flags.all() && is_definite),
    }
}

/// Whose proofs a check has found, and what the history says should the domain become theirs.
fn claimants(row: &DomainRow, seen: &Seen<'_>, mut next_id: impl FnMut() -> Uuid) -> Vec<Claimant> {
    let claims = seen.ownership.into_iter().flat_map(|(asked, proof)| asked.claimants(proof));
    let claimant = |claim: &ClaimRow| Claimant {
        client_id: claim.client_id,
        value: claim.value.clone(),
        event: events::transferred(next_id(), row, claim.client_id, events::BY_PROOF),
    };
    claims.map(claimant).collect()
}

/// What counts after a check. Of a domain that was never verified nothing is recorded: all that is required does.
fn binding(row: &DomainRow, after: &Standing, binding: &Expectation) -> Option<Requirements> {
    if let RowRequirements::Unreadable(_) = row.requirements {
        // Whoever can read them again goes on from here.
        return row.binding.clone();
    }
    staged::is_verified(after).then(|| requirements::to_stored(binding))
}

/// A denial in doubt, and what an open breaker holds back, is looked at again as soon as that can settle it.
fn sooner(by_rhythm: Option<DateTime<Utc>>, again: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    by_rhythm.into_iter().chain(again).min()
}

/// What a check saw.
struct Seen<'s> {
    report: &'s Report,
    judged: &'s Judged,
    /// What was asked of whose the domain is, and what DNS says of that; nothing where it is proven.
    ownership: Option<(&'s Asked, &'s OwnershipReport)>,
    evidence: &'s Evidence,
    questions: usize,
    took: Duration,
    /// The id of the check before it.
    after_id: Option<Uuid>,
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
