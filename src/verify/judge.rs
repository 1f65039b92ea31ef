//! The judgement of a whole domain: its records' judgements, put together.
//!
//! Each record is judged by its own file; here they are only called, their questions joined so that all
//! are asked at once, and their reports laid side by side. A negative verdict is not given before the zones' own
//! servers were asked about all that it rests on.

use crate::verify::advice;
use crate::verify::dkim;
use crate::verify::dmarc;
use crate::verify::dnssec;
use crate::verify::evidence::Evidence;
use crate::verify::expectation::Expectation;
use crate::verify::mx;
use crate::verify::placement;
use crate::verify::purpose::Purpose;
use crate::verify::report::{DmarcSummary, RecordReport, Report, SpfSummary};
use crate::verify::spf;
use crate::verify::standing::Verdicts;
use crate::verify::step::{Needs, Step};
use crate::verify::vantage;
use crate::verify::zone::{self, Zone};

/// Judges a domain, or says what to ask first.
pub fn judge(expectation: &Expectation, evidence: &Evidence) -> Step<Report> {
    let (report, needs) = judge_known(expectation, evidence);
    if !needs.is_empty() {
        return Step::Need(needs.into_questions());
    }
    let doubtful = vantage::doubtful(expectation, evidence, &report.records);
    if !doubtful.is_empty() {
        return Step::Confirm(doubtful.into_iter().collect());
    }
    Step::from(complete(expectation, report, evidence))
}

/// Judges what can be judged from the evidence at hand; a record that needs more is `unchecked`.
///
/// For showing a stored check against requirements that have changed since, or a domain never checked.
pub fn judge_partly(expectation: &Expectation, evidence: &Evidence) -> Report {
    let (mut report, needs) = judge_known(expectation, evidence);
    if needs.is_empty() {
        // A guess that was never made is no news.
        let _ = probe(expectation, &mut report, evidence);
    }
    vantage::apply(expectation, evidence, &mut report.records);
    report
}

/// The verdicts of a report, one per purpose.
pub fn verdicts(report: &Report) -> Verdicts {
    Verdicts {
        spf: report.verdict(Purpose::Spf),
        dkim: report.verdict(Purpose::Dkim),
        dmarc: report.verdict(Purpose::Dmarc),
        mx: report.verdict(Purpose::Mx),
    }
}

fn judge_known(expectation: &Expectation, evidence: &Evidence) -> (Report, Needs) {
    let mut needs = Needs::default();
    let zone = needs.keep(zone::find(&expectation.domain, evidence));
    let zone = zone.unwrap_or_else(|| Zone::assumed(&expectation.domain));
    let (spf_record, spf_summary) = spf_part(expectation, evidence, &mut needs);
    let mut records = vec![spf_record];
    records.extend(dkim_part(expectation, evidence, &mut needs));
    let (dmarc_record, dmarc_summary) = dmarc_part(expectation, evidence, &mut needs);
    records.push(dmarc_record);
    records.extend(needs.keep(mx::judge(expectation, evidence)).unwrap_or_else(|| mx::planned(expectation)));
    let advice = needs.keep(advice::of(expectation, dmarc_summary.as_ref(), evidence)).unwrap_or_default();
    let dnssec = dnssec::state(&expectation.domain, &zone.name, evidence);
    let advisories = dnssec.into_iter().chain(advice).collect();
    let report = Report {
        domain: expectation.domain.clone(),
        dns_provider: zone.provider(),
        zone: zone.name,
        records,
        spf: spf_summary,
        dmarc: dmarc_summary,
        advisories,
    };
    (report, needs)
}

/// Adds what takes the records as they are: where else each may stand, and how far it has come.
fn complete(expectation: &Expectation, mut report: Report, evidence: &Evidence) -> Result<Report, Needs> {
    probe(expectation, &mut report, evidence)?;
    vantage::apply(expectation, evidence, &mut report.records);
    Ok(report)
}

/// Guesses are only made once it is sure that something is wanting.
fn probe(expectation: &Expectation, report: &mut Report, evidence: &Evidence) -> Result<(), Needs> {
    placement::probe(expectation, &report.zone, &mut report.records, evidence)
}

fn spf_part(expectation: &Expectation, evidence: &Evidence, needs: &mut Needs) -> (RecordReport, Option<SpfSummary>) {
    match needs.keep(spf::judge(expectation, evidence)) {
        Some(judgement) => (judgement.record, Some(judgement.summary)),
        None => (spf::planned(expectation), None),
    }
}

/// One entry per selector; without any, one that says that nobody asked.
fn dkim_part(expectation: &Expectation, evidence: &Evidence, needs: &mut Needs) -> Vec<RecordReport> {
    if expectation.dkim.is_empty() {
        return vec![dkim::unasked(expectation)];
    }
    let judged = expectation.dkim.iter().map(|selector| {
        let result = dkim::judge(expectation, selector, evidence);
        needs.keep(result).unwrap_or_else(|| dkim::planned(expectation, selector))
    });
    judged.collect()
}

fn dmarc_part(
    expectation: &Expectation,
    evidence: &Evidence,
    needs: &mut Needs,
) -> (RecordReport, Option<DmarcSummary>) {
    match needs.keep(dmarc::judge(expectation, evidence)) {
        Some(judgement) => (judgement.record, Some(judgement.summary)),
        None => (dmarc::planned(expectation), None),
    }
}
