//! Whose a domain is: who can publish at a name of ours below it holds it. Design §4, Control.
//!
//! Owns where the proof stands, what it looks like, and what DNS says of it. Whoever holds a domain without proof has a
//! challenge, and so may others who ask for the same name; each value is 256 random bits, so that one is published
//! only by whom it was given to, or on their word. Other texts at the name are nobody's business, and a wildcard cannot
//! fake a hit.
//!
//! # Strictness
//!
//! The value must be there as it was given; only spaces and quotation marks around it, which panels add, do no harm.
//! What recursive servers say proves control. That it is not proven, and that somebody else's proof counts, is said
//! by the zone's own servers where they can be reached (truth rule 3), and a failure is no absence.

use crate::protocol::domain::Domain;
use crate::protocol::name::{Name, NameFault};
use crate::verify::evidence::{Answer, Evidence, Question, RecordData};
use crate::verify::finding::Finding;
use crate::verify::finding::ownership::OwnershipFinding;
use crate::verify::purpose::Verdict;
use crate::verify::step::{Needs, Step};
use crate::verify::zone;

/// The label below the domain at which the proof stands. The underscore keeps it apart from hosts: RFC 8552 §1.1.
pub const LABEL: &str = "_sendready-challenge";

/// What every proof begins with; 43 characters of base64url follow.
pub const VALUE_PREFIX: &str = "sendready-verification=";

/// The most texts that are shown of what stands at the name.
const FOUND_MAX: usize = 20;

/// Where the proof of a domain stands.
///
/// # Errors
///
/// [`NameFault`] for a domain so long that no name below it has room.
pub fn name_of(domain: &Domain) -> Result<Name, NameFault> {
    domain.name().child(LABEL)
}

/// Whether a name is one at which proofs stand, and nothing else of ours.
pub fn is_proof(name: &Name) -> bool {
    name.to_string().split('.').next().is_some_and(|label| label == LABEL)
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The domain.
    pub domain: Domain,
    /// Where the proof stands.
    pub name: Name,
    /// What its holder is to publish; nothing where nobody holds it, and others ask for it.
    pub value: Option<String>,
    /// What others are to publish who ask for it, those who asked first before others.
    pub claims: Vec<String>,
}

/// What DNS says of a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnershipReport {
    /// Whether the holder's proof is published: `valid`, `missing`, `mismatch` (another's is), `unknown` or `unchecked`.
    pub verdict: Verdict,
    /// The texts at the name, sorted. Out of DNS: hostile.
    pub found: Vec<String>,
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// Which of the others' proofs are published, in their order. None where the holder's is: who holds it goes first.
    pub claimed: Vec<String>,
}

impl OwnershipReport {
    /// Nobody has looked.
    pub const UNCHECKED: OwnershipReport =
        OwnershipReport { verdict: Verdict::Unchecked, found: Vec::new(), findings: Vec::new(), claimed: Vec::new() };
}

/// Judges a challenge, or says what to ask first.
pub fn judge(challenge: &Challenge, evidence: &Evidence) -> Step<OwnershipReport> {
    let question = Question::txt(&challenge.name);
    let (report, is_definite) = match look(challenge, evidence) {
        Ok(seen) => seen,
        Err(needs) => return Step::Need(needs.into_questions()),
    };
    let is_contested = evidence.is_contested(&question);
    if report.verdict != Verdict::Valid && (is_definite || is_contested) && !evidence.is_sought(&question) {
        return Step::Confirm(vec![question]);
    }
    Step::from(probe(challenge, report, evidence))
}

/// Judges what can be judged from the evidence at hand.
pub fn judge_partly(challenge: &Challenge, evidence: &Evidence) -> OwnershipReport {
    let Ok((report, _)) = look(challenge, evidence) else { return OwnershipReport::UNCHECKED };
    // A guess that was never made is no news.
    probe(challenge, report.clone(), evidence).unwrap_or(report)
}

/// What stands at the name, and whether that is a definite word.
fn look(challenge: &Challenge, evidence: &Evidence) -> Result<(OwnershipReport, bool), Needs> {
    let answer = evidence.ask(&Question::txt(&challenge.name))?;
    let texts = texts(answer);
    let has = |value: &str| texts.iter().any(|text| bare(text) == value);
    let like: Vec<String> = texts.iter().filter(|text| bare(text).starts_with(VALUE_PREFIX)).cloned().collect();
    let (verdict, finding) = if challenge.value.as_deref().is_some_and(has) {
        (Verdict::Valid, None)
    } else if !answer.is_definite() {
        (Verdict::Unknown, Some(OwnershipFinding::Unanswered { outcome: answer.outcome() }))
    } else if like.is_empty() {
        (Verdict::Missing, Some(OwnershipFinding::Missing))
    } else {
        (Verdict::Mismatch, Some(OwnershipFinding::Mismatch { found: like }))
    };
    let claimed = match verdict {
        Verdict::Valid => Vec::new(),
        _ => challenge.claims.iter().filter(|value| has(value)).cloned().collect(),
    };
    let findings = finding.map(Finding::Ownership).into_iter().collect();
    let found = texts.into_iter().take(FOUND_MAX).collect();
    Ok((OwnershipReport { verdict, found, findings, claimed }, answer.is_definite()))
}

/// Looks where panels put it by mistake. There is no wildcard to fear: nobody else publishes this value.
fn probe(challenge: &Challenge, mut report: OwnershipReport, evidence: &Evidence) -> Result<OwnershipReport, Needs> {
    let Some(own) = challenge.value.as_deref().filter(|_| report.verdict.is_failure()) else { return Ok(report) };
    let domain = challenge.domain.name();
    let zone = zone::find(&challenge.domain, evidence)?.name;
    let doubled = zone.under(&challenge.name).ok().map(|at| OwnershipFinding::HostDoubled { at });
    let places = [doubled, Some(OwnershipFinding::AtApex { at: domain.clone() })];
    let mut needs = Needs::default();
    let mut findings = Vec::new();
    for finding in places.into_iter().flatten() {
        let (OwnershipFinding::HostDoubled { at } | OwnershipFinding::AtApex { at }) = &finding else { continue };
        let answer = needs.keep(evidence.ask(&Question::txt(at)));
        if answer.is_some_and(|answer| texts(answer).iter().any(|text| bare(text) == own)) {
            findings.push(Finding::Ownership(finding));
        }
    }
    needs.or(())?;
    report.findings.extend(findings);
    Ok(report)
}

/// The texts of an answer, sorted.
fn texts(answer: &Answer) -> Vec<String> {
    let shown = |data: &RecordData| match data {
        RecordData::Txt(txt) => Some(txt.shown()),
        _ => None,
    };
    let mut texts: Vec<String> = answer.records().iter().filter_map(shown).collect();
    texts.sort();
    texts
}

/// A text without what panels put around it.
fn bare(text: &str) -> &str {
    text.trim_matches([' ', '\t', '"', '\\'])
}

#[cfg(test)]
mod tests;
