//! Requirements that do not bind yet: truth rule 8, a change of requirements demotes nobody.
//!
//! A verified domain is judged twice over the same evidence: by what binds, which alone counts, and by all that is
//! wanted, which is shown. What is wanted binds when it is valid for the first time; what it replaces binds until
//! then. The judges of records know nothing of this.
//!
//! # Strictness
//!
//! Nothing binds, and nothing ceases to bind, that would make a verdict fail which does not fail already: less can be
//! harder, too, for a mail exchange that is no longer required is a foreign one.

use crate::verify::evidence::Evidence;
use crate::verify::expectation::{DmarcExpectation, Expectation, SpfExpectation};
use crate::verify::judge;
use crate::verify::mx;
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::report::{RecordReport, Report};
use crate::verify::spf;
use crate::verify::standing::{Standing, Status};
use crate::verify::step::Step;

/// What is required of a domain, and what of it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staging {
    /// What counts for the flags.
    binding: Expectation,
    /// All that is required; what is not in `binding` is staged.
    wanted: Expectation,
}

/// A judgement with staged requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Every record, the staged ones marked as such. Its verdicts per purpose rest on the others alone.
    pub report: Report,
    /// What binds from now on.
    pub binding: Expectation,
    /// The records that bind from now on and did not before.
    pub bound: Vec<RecordReport>,
}

/// Whether a domain has something to lose: it was verified once, or it is active by the word of whoever wrote its row.
pub fn is_verified(standing: &Standing) -> bool {
    standing.verified_at.is_some() || standing.status == Status::Active
}

impl Staging {
    /// All that is wanted binds.
    pub fn bound(wanted: Expectation) -> Staging {
        Staging { binding: wanted.clone(), wanted }
    }

    /// `wanted` of a domain of which `binding` counts so far.
    pub fn of(binding: Expectation, wanted: Expectation) -> Staging {
        let mut binding = Expectation { domain: wanted.domain.clone(), ttl_seconds: wanted.ttl_seconds, ..binding };
        // What is to be published where there is none is no requirement: nothing is judged by it.
        binding.dmarc.record.clone_from(&wanted.dmarc.record);
        for purpose in Purpose::ALL {
            if holds(purpose, &binding, &wanted) && holds(purpose, &wanted, &binding) {
                take(purpose, &mut binding, &wanted);
            }
        }
        Staging { binding, wanted }
    }

    /// What counts for the flags.
    pub fn binding(&self) -> &Expectation {
        &self.binding
    }

    /// All that is required.
    pub fn wanted(&self) -> &Expectation {
        &self.wanted
    }

    /// Whether something else is wanted than what binds.
    pub fn is_open(&self) -> bool {
        self.binding != self.wanted
    }

    /// The same domain with `after` required of it, by a person's change.
    ///
    /// What is taken away of SPF and DKIM ceases to bind at once, where nothing is put in its place: there is less to
    /// be met. It goes on binding where nothing else of what is left would.
    #[must_use]
    pub fn changed(&self, after: Expectation) -> Staging {
        let mut binding = self.binding.clone();
        if holds(Purpose::Dkim, &self.wanted, &after) {
            let kept = common(&binding.dkim, &after.dkim);
            if !kept.is_empty() {
                binding.dkim = kept;
            }
        }
        if holds(Purpose::Spf, &self.wanted, &after) {
            let (has, wants) = (&binding.spf, &after.spf);
            let includes = common(&has.includes, &wants.includes);
            let addresses = common(&has.addresses, &wants.addresses);
            let is_some = !includes.is_empty() || !addresses.is_empty();
            if is_some || after.spf == SpfExpectation::default() {
                binding.spf = SpfExpectation { includes, addresses };
            }
        }
        Staging::of(binding, after)
    }
}

/// Judges a domain, or says what to ask first.
pub fn judge(staging: &Staging, evidence: &Evidence) -> Step<Judged> {
    let counting = match judge::judge(&staging.binding, evidence) {
        Step::Done(report) if !staging.is_open() => {
            return Step::Done(Judged { report, binding: staging.binding.clone(), bound: Vec::new() });
        }
        step => step,
    };
    let wanted = if staging.is_open() { judge::judge(&staging.wanted, evidence) } else { counting.clone() };
    match (counting, wanted) {
        (Step::Done(counting), Step::Done(wanted)) => conclude(staging, counting, &wanted, evidence),
        (Step::Need(questions), Step::Need(more)) => Step::Need(joined(questions, more)),
        (Step::Need(questions), _) | (_, Step::Need(questions)) => Step::Need(questions),
        (Step::Confirm(questions), Step::Confirm(more)) => Step::Confirm(joined(questions, more)),
        (Step::Confirm(questions), _) | (_, Step::Confirm(questions)) => Step::Confirm(questions),
    }
}

/// Judges what can be judged from the evidence at hand, as [`judge::judge_partly`] does. Nothing binds by it.
pub fn judge_partly(staging: &Staging, evidence: &Evidence) -> Report {
    let counting = judge::judge_partly(&staging.binding, evidence);
    if !staging.is_open() {
        return counting;
    }
    let wanted = judge::judge_partly(&staging.wanted, evidence);
    shown(&staging.binding, &staging.wanted, counting, &wanted)
}

fn joined<T: Ord>(mut questions: Vec<T>, more: Vec<T>) -> Vec<T> {
    questions.extend(more);
    questions.sort_unstable();
    questions.dedup();
    questions
}

/// What the two judgements come to.
fn conclude(staging: &Staging, counting: Report, wanted: &Report, evidence: &Evidence) -> Step<Judged> {
    let mut binding = staging.binding.clone();
    for purpose in Purpose::ALL {
        bind(purpose, &mut binding, staging, &counting, wanted, evidence);
    }
    let report = match binding == staging.binding {
        true => counting.clone(),
        false => match judge::judge(&binding, evidence) {
            Step::Done(report) => report,
            Step::Need(questions) => return Step::Need(questions),
            Step::Confirm(questions) => return Step::Confirm(questions),
        },
    };
    let bound = newly_bound(&staging.binding, &binding, &counting, &report);
    let report = shown(&binding, &staging.wanted, report, wanted);
    Step::Done(Judged { report, binding, bound })
}

/// Binds of one purpose what is valid, and lets go what was replaced.
fn bind(
    purpose: Purpose,
    binding: &mut Expectation,
    staging: &Staging,
    counting: &Report,
    wanted: &Report,
    evidence: &Evidence,
) {
    if is_same(purpose, binding, &staging.wanted) {
        return;
    }
    if wanted.verdict(purpose) == Verdict::Valid {
        take(purpose, binding, &staging.wanted);
        return;
    }
    match purpose {
        Purpose::Spf => bind_spf(binding, &staging.wanted, evidence),
        Purpose::Dkim => bind_dkim(binding, &staging.wanted, wanted),
        Purpose::Mx => bind_mx(binding, &staging.wanted, evidence),
        Purpose::Dmarc => {}
    }
    let is_worse = wanted.verdict(purpose).is_failure() && !counting.verdict(purpose).is_failure();
    if holds(purpose, binding, &staging.wanted) && !is_worse {
        take(purpose, binding, &staging.wanted);
    }
}

/// A staged include or address binds when the record does with it.
fn bind_spf(binding: &mut Expectation, wanted: &Expectation, evidence: &Evidence) {
    let is_valid = |with: &Expectation| {
        spf::judge(with, evidence).is_ok_and(|judgement| judgement.record.verdict == Verdict::Valid)
    };
    for include in wanted.spf.includes.iter() {
        let mut with = binding.clone();
        with.spf.includes.push(include.clone());
        if !binding.spf.includes.contains(include) && is_valid(&with) {
            *binding = with;
        }
    }
    for address in &wanted.spf.addresses {
        let mut with = binding.clone();
        with.spf.addresses.push(*address);
        if !binding.spf.addresses.contains(address) && is_valid(&with) {
            *binding = with;
        }
    }
}

/// A staged selector, or key, binds when it is valid by itself, whatever becomes of the others.
fn bind_dkim(binding: &mut Expectation, wanted: &Expectation, report: &Report) {
    let records = report.records.iter().filter(|record| record.purpose == Purpose::Dkim);
    for (selector, record) in wanted.dkim.iter().zip(records) {
        if record.verdict == Verdict::Valid && !binding.dkim.contains(selector) {
            binding.dkim.retain(|old| old.selector != selector.selector);
            binding.dkim.push(selector.clone());
        }
    }
}

/// A staged host binds when all are valid with it.
fn bind_mx(binding: &mut Expectation, wanted: &Expectation, evidence: &Evidence) {
    for host in wanted.mx.iter() {
        let mut with = binding.clone();
        with.mx.retain(|old| old.host != host.host);
        with.mx.push(host.clone());
        let judged = mx::judge(&with, evidence);
        let is_valid = judged.is_ok_and(|records| records.iter().all(|record| record.verdict == Verdict::Valid));
        if !binding.mx.contains(host) && is_valid {
            *binding = with;
        }
    }
}

/// The records of `after` that were not required by what bound `before`.
fn newly_bound(before: &Expectation, after: &Expectation, old: &Report, new: &Report) -> Vec<RecordReport> {
    let is_new = |record: &&RecordReport| match record.purpose {
        Purpose::Spf | Purpose::Dmarc => !holds(record.purpose, before, after),
        Purpose::Dkim | Purpose::Mx => {
            !holds(record.purpose, before, after) && !old.records.iter().any(|one| is_same_record(one, record))
        }
    };
    new.records.iter().filter(is_new).cloned().collect()
}

/// The judgement by what binds, with the records of `wanted` that do not bind yet beside it.
fn shown(binding: &Expectation, required: &Expectation, mut report: Report, wanted: &Report) -> Report {
    for purpose in Purpose::ALL {
        if is_same(purpose, binding, required) {
            continue;
        }
        let is_staged = |record: &&RecordReport| {
            matches!(record.purpose, Purpose::Spf | Purpose::Dmarc)
                || !report.records.iter().any(|one| is_same_record(one, record) && one.verdict == record.verdict)
        };
        let records = wanted.records.iter().filter(|record| record.purpose == purpose);
        let staged: Vec<RecordReport> =
            records.filter(is_staged).map(|record| RecordReport { staged: true, ..record.clone() }).collect();
        give_way(&mut report.records, &staged);
        let behind = report.records.iter().rposition(|record| record.purpose == purpose);
        let place = behind.map_or(report.records.len(), |last| last + 1);
        report.records.splice(place..place, staged);
        if let (Purpose::Spf, Some(spf), Some(wanted)) = (purpose, &mut report.spf, &wanted.spf) {
            spf.suggested_record.clone_from(&wanted.suggested_record);
        }
    }
    report
}

/// At one name stands one record: who mends what binds is told to publish what is staged there, which does for both.
fn give_way(records: &mut [RecordReport], staged: &[RecordReport]) {
    for record in records.iter_mut().filter(|record| record.purpose != Purpose::Mx && record.verdict != Verdict::Valid)
    {
        if let Some(other) = staged.iter().find(|other| other.purpose == record.purpose && other.name == record.name) {
            record.record_type = other.record_type;
            record.value.clone_from(&other.value);
            record.action = other.action;
        }
    }
}

/// Whether two judgements are of the same requirement.
fn is_same_record(one: &RecordReport, other: &RecordReport) -> bool {
    let key = |record: &RecordReport| (record.purpose, record.record_type, record.priority);
    key(one) == key(other) && one.name == other.name && one.value == other.value
}

fn is_same(purpose: Purpose, one: &Expectation, other: &Expectation) -> bool {
    match purpose {
        Purpose::Spf => one.spf == other.spf,
        Purpose::Dkim => one.dkim == other.dkim,
        Purpose::Dmarc => one.dmarc == other.dmarc,
        Purpose::Mx => one.mx == other.mx,
    }
}

/// Whether `whole` requires all that `part` requires.
fn holds(purpose: Purpose, whole: &Expectation, part: &Expectation) -> bool {
    match purpose {
        Purpose::Spf => {
            let (whole, part) = (&whole.spf, &part.spf);
            part.includes.iter().all(|include| whole.includes.contains(include))
                && part.addresses.iter().all(|address| whole.addresses.contains(address))
        }
        Purpose::Dkim => part.dkim.iter().all(|selector| whole.dkim.contains(selector)),
        Purpose::Dmarc => {
            let (DmarcExpectation { policy: has, .. }, DmarcExpectation { policy, rua, .. }) =
                (&whole.dmarc, &part.dmarc);
            has >= policy && rua.iter().all(|uri| whole.dmarc.rua.contains(uri))
        }
        Purpose::Mx => part.mx.iter().all(|host| whole.mx.contains(host)),
    }
}

fn take(purpose: Purpose, binding: &mut Expectation, wanted: &Expectation) {
    match purpose {
        Purpose::Spf => binding.spf.clone_from(&wanted.spf),
        Purpose::Dkim => binding.dkim.clone_from(&wanted.dkim),
        Purpose::Dmarc => binding.dmarc.clone_from(&wanted.dmarc),
        Purpose::Mx => binding.mx.clone_from(&wanted.mx),
    }
}

/// What is in both, in the order of the first.
fn common<T: Clone + PartialEq>(one: &[T], other: &[T]) -> Vec<T> {
    one.iter().filter(|item| other.contains(item)).cloned().collect()
}

#[cfg(test)]
mod tests;
