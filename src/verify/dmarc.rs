//! DMARC: does a policy apply to the domain, and is it strong enough?
//!
//! Owns the verdict on the policy. Where it is looked for is [`discovery`]; what may be said of a
//! record's text is `quality`; what to publish is `value`; who agreed to receive reports is
//! [`destination`].
//!
//! # Strictness
//!
//! A policy applies when a reader of RFC 9989 gets one, from the domain or from above it. `p=none` will do
//! unless more is required; everything else wrong with a record is told and costs nothing.
//!
//! # Left out
//!
//! Alignment: no mail is seen here.

pub mod destination;
pub mod discovery;
mod quality;
mod value;

pub use crate::verify::dmarc::discovery::{Discovery, discover};
pub use crate::verify::dmarc::quality::{DmarcLint, lint};

use crate::protocol::dmarc::{self, DmarcRecord, ParsedRecord, Policy, ReportUri};
use crate::protocol::domain::registrable;
use crate::protocol::name::Name;
use crate::verify::dmarc::discovery::Level;
use crate::verify::evidence::{Evidence, RecordType};
use crate::verify::expectation::{DmarcExpectation, Expectation};
use crate::verify::finding::Finding;
use crate::verify::finding::dmarc::DmarcFinding;
use crate::verify::purpose::{Action, Purpose, Verdict};
use crate::verify::report::{DmarcSummary, RecordReport};
use crate::verify::step::Needs;

/// What is said of a domain's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcJudgement {
    /// The record to publish.
    pub record: RecordReport,
    /// Which policy applies.
    pub summary: DmarcSummary,
}

/// The record to publish, before anything was asked.
pub fn planned(expectation: &Expectation) -> RecordReport {
    let domain = expectation.domain.name();
    RecordReport {
        purpose: Purpose::Dmarc,
        record_type: RecordType::Txt,
        name: domain.child("_dmarc").unwrap_or_else(|_| domain.clone()),
        value: Some(value::wanted(&expectation.dmarc, None).render()),
        priority: None,
        action: Action::Add,
        staged: false,
        ttl_seconds: expectation.ttl_seconds,
        verdict: Verdict::Unchecked,
        found: Vec::new(),
        findings: Vec::new(),
        propagation: None,
    }
}

/// Judges the policy.
///
/// # Errors
///
/// [`Needs`] with the questions of the tree walk, and of the authorisations to report elsewhere.
pub fn judge(expectation: &Expectation, evidence: &Evidence) -> Result<DmarcJudgement, Needs> {
    let discovery = discover(expectation.domain.name(), evidence)?;
    let mut record = planned(expectation);
    record.found = found(&discovery.own);
    let mut findings = match discovery.effective_policy {
        Some(policy) => judge_policy(expectation, &discovery, policy, &mut record),
        None => judge_absence(expectation, &discovery, &mut record),
    };
    findings.extend(record_findings(&discovery, evidence)?);
    record.findings = findings.into_iter().map(Finding::Dmarc).collect();
    let summary = DmarcSummary {
        at: discovery.at,
        effective_policy: discovery.effective_policy,
        organizational_domain: discovery.organizational_domain,
    };
    Ok(DmarcJudgement { record, summary })
}

/// What a person should know of a discovery, where nothing is required but a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remarks {
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// What to publish at the name's own `_dmarc` where no policy applies.
    pub value: Option<String>,
}

/// Remarks on what [`discover`] found.
///
/// # Errors
///
/// [`Needs`] with the questions for the authorisations to report elsewhere.
pub fn remarks(discovery: &Discovery, evidence: &Evidence) -> Result<Remarks, Needs> {
    let own = &discovery.own;
    let (mut findings, value) = match (&discovery.at, discovery.found) {
        (Some(at), true) => {
            let inherited = (*at != own.at).then(|| DmarcFinding::Inherited { at: at.clone() });
            (inherited.into_iter().chain(own_findings(own, true)).collect(), None)
        }
        _ => {
            let (_, findings) = absence_findings(discovery);
            let wanted = value::wanted(&DmarcExpectation::default(), value::existing(own).as_ref());
            (findings, discovery.failed.is_empty().then(|| wanted.render()))
        }
    };
    findings.extend(record_findings(discovery, evidence)?);
    Ok(Remarks { findings: findings.into_iter().map(Finding::Dmarc).collect(), value })
}

/// The record that a text which gives no policy comes to, with as little changed as will do. Takes any octets.
pub fn repaired(text: &[u8]) -> String {
    let parsed = dmarc::parse(text).ok().or_else(|| quality::repaired(text));
    value::wanted(&DmarcExpectation::default(), parsed.map(|parsed| parsed.record).as_ref()).render()
}

/// What is to be said of the record that was retrieved, whatever is required.
fn record_findings(discovery: &Discovery, evidence: &Evidence) -> Result<Vec<DmarcFinding>, Needs> {
    let (Some(parsed), Some(policy_domain)) = (&discovery.record, discovery.policy_domain()) else {
        return Ok(Vec::new());
    };
    let mut findings = quality::findings(parsed);
    let organizational = discovery
        .organizational_domain
        .clone()
        .or_else(|| registrable(&policy_domain))
        .unwrap_or_else(|| policy_domain.clone());
    findings.extend(destination::findings(&parsed.record, &policy_domain, &organizational, evidence)?);
    Ok(findings)
}

/// A policy applies: is it what is required?
fn judge_policy(
    expectation: &Expectation,
    discovery: &Discovery,
    policy: Policy,
    report: &mut RecordReport,
) -> Vec<DmarcFinding> {
    let at = discovery.at.clone().unwrap_or_else(|| report.name.clone());
    let is_own = at == report.name;
    let is_there = !discovery.own.records.is_empty() || has_near_miss(&discovery.own);
    let mut findings = lacking(&expectation.dmarc, discovery.record.as_ref(), policy, (&at, is_there));
    if findings.is_empty() {
        report.verdict = Verdict::Valid;
        report.action = Action::Keep;
        // An inherited policy stays where it is: a record of one's own could only weaken it.
        report.value = discovery.own.records.first().map(|(_, text)| text.clone()).filter(|_| is_own);
    } else {
        report.verdict = Verdict::Mismatch;
        report.action = if is_there { Action::Replace } else { Action::Add };
        report.value = Some(value::wanted(&expectation.dmarc, base(expectation, discovery, policy).as_ref()).render());
    }
    if !is_own {
        findings.push(DmarcFinding::Inherited { at });
    }
    findings.extend(own_findings(&discovery.own, true));
    findings
}

/// The record to start from where the policy that applies is not enough: never weaker than that, and with its reports.
fn base(expectation: &Expectation, discovery: &Discovery, policy: Policy) -> Option<DmarcRecord> {
    if let Some(own) = value::existing(&discovery.own) {
        return Some(own);
    }
    let above = discovery.record.as_ref().map(|parsed| value::inherited(&parsed.record, policy))?;
    match &expectation.dmarc.record {
        Some(asked) => Some(DmarcRecord { policy: asked.policy.max(above.policy), ..asked.clone() }),
        None => Some(above),
    }
}

/// No policy applies, or nobody could tell.
fn judge_absence(expectation: &Expectation, discovery: &Discovery, report: &mut RecordReport) -> Vec<DmarcFinding> {
    let (verdict, findings) = absence_findings(discovery);
    report.verdict = verdict;
    if verdict == Verdict::Invalid {
        report.action = Action::Replace;
    }
    if verdict != Verdict::Unknown {
        report.value = Some(value::wanted(&expectation.dmarc, value::existing(&discovery.own).as_ref()).render());
    }
    findings
}

/// Why no policy applies.
fn absence_findings(discovery: &Discovery) -> (Verdict, Vec<DmarcFinding>) {
    let own = &discovery.own;
    if !discovery.failed.is_empty() {
        return (Verdict::Unknown, vec![DmarcFinding::Unanswered { names: discovery.failed.clone() }]);
    }
    let mut findings = own_findings(own, false);
    if let Some(at) = &discovery.at {
        findings.insert(0, DmarcFinding::NoPolicy { at: Some(at.clone()) });
    }
    if !own.records.is_empty() || has_near_miss(own) {
        return (Verdict::Invalid, findings);
    }
    findings.insert(0, DmarcFinding::Missing);
    (Verdict::Missing, findings)
}

/// What a policy that applies lacks of what is required.
fn lacking(
    required: &DmarcExpectation,
    parsed: Option<&ParsedRecord>,
    effective: Policy,
    (at, replaces): (&Name, bool),
) -> Vec<DmarcFinding> {
    let mut findings = Vec::new();
    if let Some(required) = required.policy.filter(|required| effective < *required) {
        findings.push(DmarcFinding::TooWeak { required, effective, at: at.clone(), replaces });
    }
    let uris: Vec<String> = required.rua.iter().filter(|uri| !reports_to(parsed, uri)).cloned().collect();
    if !uris.is_empty() {
        findings.push(DmarcFinding::ReportsMissing { uris, replaces });
    }
    findings
}

/// Whether a record's aggregate reports go to `uri`.
fn reports_to(parsed: Option<&ParsedRecord>, uri: &str) -> bool {
    let Ok(wanted) = ReportUri::parse(uri) else { return false };
    parsed.is_some_and(|parsed| parsed.record.aggregate_reports.iter().any(|there| there.is_same_place(&wanted)))
}

/// What is wrong at the domain's own `_dmarc`, besides the one record that may stand there.
fn own_findings(own: &Level, covered: bool) -> Vec<DmarcFinding> {
    let mut findings = Vec::new();
    if own.records.len() > 1 {
        findings.push(DmarcFinding::Several { at: own.at.clone(), count: own.records.len(), covered });
    }
    findings.extend(quality::texts(&own.others, covered));
    findings
}

fn has_near_miss(own: &Level) -> bool {
    own.others.iter().any(|(txt, why)| quality::is_meant(&txt.joined(), why))
}

/// What stands at the domain's own `_dmarc`, for people: where a CNAME leads, and the texts.
fn found(own: &Level) -> Vec<String> {
    let records = own.records.iter().map(|(_, text)| text.clone());
    let mut found: Vec<String> = records.chain(own.others.iter().map(|(txt, _)| txt.shown())).collect();
    found.extend(own.alias.as_ref().map(|target| format!("CNAME {target}")));
    found.sort();
    found
}

#[cfg(test)]
mod tests;
