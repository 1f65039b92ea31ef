//! DKIM: does every required selector yield the right key?
//!
//! Owns the verdict on one selector. Keys are compared as keys, not as text, and by whatever path
//! they come: a TXT record, a CNAME, or a CNAME that somebody flattened. What a text at a selector
//! says is read in `record`.
//!
//! # Strictness
//!
//! A record that verifiers cannot use, or must not (RFC 8301), is `invalid`; a sound one with another key
//! is `mismatch`. The provider's own name yielding nothing is the provider's fault: `unknown`, which
//! demotes nobody.
//!
//! # Left out
//!
//! Selectors are never guessed, and records in the wrong place are looked for in `zone`.

mod record;

use crate::protocol::dkim::{KeyRecord, PublicKey};
use crate::protocol::name::Name;
use crate::verify::dkim::record::{Reading, Texts};
use crate::verify::evidence::{Answer, Evidence, Question, RecordData, RecordType, Txt};
use crate::verify::expectation::{DkimExpectation, DkimKey, Expectation};
use crate::verify::finding::Finding;
use crate::verify::finding::dkim::DkimFinding;
use crate::verify::purpose::{Action, Purpose, Verdict};
use crate::verify::report::RecordReport;
use crate::verify::step::Needs;

/// What a judgement says beside what the expectation says already.
struct Outcome {
    verdict: Verdict,
    action: Action,
    findings: Vec<DkimFinding>,
}

impl Outcome {
    fn new(verdict: Verdict, action: Action, findings: Vec<DkimFinding>) -> Outcome {
        Outcome { verdict, action, findings }
    }

    fn unanswered(question: &Question, answer: &Answer) -> Outcome {
        let finding = DkimFinding::Unanswered { question: question.to_string(), outcome: answer.outcome() };
        Outcome::new(Verdict::Unknown, Action::Add, vec![finding])
    }
}

/// The name that has a selector's key: `<selector>._domainkey.<domain>`, or nothing where that is too long. RFC 6376 §3.6.2.1.
pub fn record_name(domain: &Name, selector: &Name) -> Option<Name> {
    domain.child("_domainkey").and_then(|name| name.under(selector)).ok()
}

/// The record to publish for a selector, before anything was asked.
pub fn planned(expectation: &Expectation, selector: &DkimExpectation) -> RecordReport {
    let domain = expectation.domain.name();
    let (record_type, value) = match &selector.key {
        DkimKey::Any => (RecordType::Txt, None),
        DkimKey::Key(key) => (RecordType::Txt, Some(key.to_record_value())),
        DkimKey::Cname(target) => (RecordType::Cname, Some(target.to_string())),
    };
    RecordReport {
        purpose: Purpose::Dkim,
        record_type,
        name: record_name(domain, &selector.selector).unwrap_or_else(|| domain.clone()),
        value,
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

/// What is said of DKIM where no selector is known: nobody asked.
pub fn unasked(expectation: &Expectation) -> RecordReport {
    let domain = expectation.domain.name();
    RecordReport {
        purpose: Purpose::Dkim,
        record_type: RecordType::Txt,
        name: domain.child("_domainkey").unwrap_or_else(|_| domain.clone()),
        value: None,
        priority: None,
        action: Action::Add,
        staged: false,
        ttl_seconds: expectation.ttl_seconds,
        verdict: Verdict::Unchecked,
        found: Vec::new(),
        findings: vec![Finding::Dkim(DkimFinding::NoSelector)],
        propagation: None,
    }
}

/// Judges one selector.
///
/// # Errors
///
/// [`Needs`] with the texts at the selector, and at the target of a CNAME requirement.
pub fn judge(
    expectation: &Expectation,
    selector: &DkimExpectation,
    evidence: &Evidence,
) -> Result<RecordReport, Needs> {
    let mut report = planned(expectation, selector);
    let Some(name) = record_name(expectation.domain.name(), &selector.selector) else {
        report.verdict = Verdict::Invalid;
        report.findings = vec![Finding::Dkim(DkimFinding::LongName)];
        return Ok(report);
    };
    let question = Question::txt(&name);
    let outcome = match &selector.key {
        DkimKey::Any => judge_texts(&question, evidence.ask(&question)?, None, None),
        DkimKey::Key(key) => {
            let octets = Some(key.to_record_value().len());
            judge_texts(&question, evidence.ask(&question)?, Some(key), octets)
        }
        DkimKey::Cname(target) => judge_cname(&question, target, evidence)?,
    };
    report.found = shown(evidence.ask(&question)?);
    report.verdict = outcome.verdict;
    report.action = outcome.action;
    report.findings = outcome.findings.into_iter().map(Finding::Dkim).collect();
    if selector.key == DkimKey::Any && report.verdict == Verdict::Valid {
        report.findings.push(Finding::Dkim(DkimFinding::ExpectedUnknown));
    }
    Ok(report)
}

/// Judges what stands at a selector that is to hold `expected`, or any sound key.
fn judge_texts(
    question: &Question,
    answer: &Answer,
    expected: Option<&PublicKey>,
    value_octets: Option<usize>,
) -> Outcome {
    let missing = DkimFinding::Missing { value_octets };
    match answer {
        Answer::Unknown(_) => return Outcome::unanswered(question, answer),
        Answer::NoData(_) | Answer::NoSuchName(_) => {
            return match answer.aliases().last() {
                None => Outcome::new(Verdict::Missing, Action::Add, vec![missing]),
                Some(alias) => {
                    let dangles = DkimFinding::AliasDangles { target: alias.target.clone() };
                    Outcome::new(Verdict::Missing, Action::Replace, vec![dangles])
                }
            };
        }
        Answer::Found(_) => {}
    }
    let texts = Texts::sort(&texts(answer));
    let mut findings = texts.foreign_finding();
    match texts.keys.as_slice() {
        // A wildcard's text is no record of ours. Design §2.
        [] => {
            findings.insert(0, missing);
            Outcome::new(Verdict::Missing, Action::Add, findings)
        }
        [only] => {
            let reading = Reading::of(only, expected);
            if texts.is_split(&reading) {
                return Outcome::new(Verdict::Invalid, Action::Replace, vec![DkimFinding::SplitRecords]);
            }
            let outcome = compare(reading, expected);
            Outcome { findings: [outcome.findings, findings].concat(), ..outcome }
        }
        several => {
            findings.insert(0, DkimFinding::Several { count: several.len() });
            Outcome::new(Verdict::Invalid, Action::Replace, findings)
        }
    }
}

fn compare(reading: Reading, expected: Option<&PublicKey>) -> Outcome {
    let mut findings = reading.findings;
    if let (Some(found), Some(expected)) = (&reading.key, expected)
        && found != expected
    {
        findings.insert(0, DkimFinding::KeyDiffers { expected: expected.fingerprint(), found: found.fingerprint() });
        let verdict = if reading.sound { Verdict::Mismatch } else { Verdict::Invalid };
        return Outcome::new(verdict, Action::Replace, findings);
    }
    match reading.sound {
        true => Outcome::new(Verdict::Valid, Action::Keep, findings),
        false => Outcome::new(Verdict::Invalid, Action::Replace, findings),
    }
}

/// Judges a selector that is to be a CNAME to the provider's `target`.
fn judge_cname(question: &Question, target: &Name, evidence: &Evidence) -> Result<Outcome, Needs> {
    let target_question = Question::txt(target);
    let mut needs = Needs::default();
    let own = needs.keep(evidence.ask(question));
    let at_target = needs.keep(evidence.ask(&target_question));
    let (Some(own), Some(at_target)) = (own, at_target) else { return Err(needs) };
    if !own.is_definite() {
        return Ok(Outcome::unanswered(question, own));
    }
    let led = own.aliases().iter().any(|alias| alias.target == *target);
    if led {
        return Ok(judge_led(question, own, target, at_target));
    }
    let provider = Provider::of(target, at_target);
    let first_alias = own.aliases().first().map(|alias| alias.target.clone());
    let wrong_target = first_alias.map(|found| DkimFinding::WrongTarget { found, expected: target.clone() });
    if !matches!(own, Answer::Found(_)) {
        let outcome = judge_texts(question, own, None, None);
        let verdict = if wrong_target.is_some() { Verdict::Mismatch } else { Verdict::Missing };
        let findings = wrong_target.into_iter().chain(outcome.findings).chain(provider.finding()).collect();
        return Ok(Outcome::new(verdict, outcome.action, findings));
    }
    // No CNAME to the target, but texts: flattened, or somebody else's.
    let outcome = judge_texts(question, own, provider.key(), None);
    let mut findings = outcome.findings;
    let (verdict, action) = match (outcome.verdict, &provider) {
        (Verdict::Valid, Provider::Yields(_)) => {
            let copied = || DkimFinding::Flattened { target: target.clone() };
            findings.push(wrong_target.unwrap_or_else(copied));
            (Verdict::Valid, Action::Keep)
        }
        (Verdict::Valid, Provider::Fails(finding)) => {
            findings.push(finding.clone());
            (Verdict::Unknown, Action::Replace)
        }
        (Verdict::Valid, Provider::Unanswered) => {
            findings.extend(Outcome::unanswered(&target_question, at_target).findings);
            (Verdict::Unknown, Action::Replace)
        }
        (verdict, _) => {
            findings.extend(wrong_target);
            findings.extend(provider.finding());
            (verdict, outcome.action)
        }
    };
    Ok(Outcome::new(verdict, action, findings))
}

/// Judges a selector whose CNAME leads to the target: whatever is wrong there is the provider's fault.
fn judge_led(question: &Question, own: &Answer, target: &Name, at_target: &Answer) -> Outcome {
    match (Provider::of(target, own), Provider::of(target, at_target)) {
        (Provider::Yields(reading), _) => {
            let outcome = compare(*reading, None);
            Outcome { action: Action::Keep, ..outcome }
        }
        // Only a cache can give two answers about one name.
        (Provider::Fails(_), Provider::Yields(_)) => {
            Outcome { action: Action::Keep, ..Outcome::unanswered(question, own) }
        }
        (Provider::Fails(finding), _) => Outcome::new(Verdict::Unknown, Action::Keep, vec![finding]),
        (Provider::Unanswered, _) => Outcome { action: Action::Keep, ..Outcome::unanswered(question, own) },
    }
}

/// What the provider's name yields.
enum Provider {
    Yields(Box<Reading>),
    Fails(DkimFinding),
    Unanswered,
}

impl Provider {
    fn of(target: &Name, answer: &Answer) -> Provider {
        let fails = |why: String| Provider::Fails(DkimFinding::TargetMissing { target: target.clone(), why });
        match answer {
            Answer::Unknown(_) => return Provider::Unanswered,
            Answer::NoSuchName(_) => return fails("there is no such name".to_owned()),
            Answer::NoData(_) => return fails("the name has no TXT record".to_owned()),
            Answer::Found(_) => {}
        }
        let texts = Texts::sort(&texts(answer));
        match texts.keys.as_slice() {
            [] => fails("no text there is a DKIM key".to_owned()),
            [only] => {
                let reading = Reading::of(only, None);
                match reading.sound {
                    true => Provider::Yields(Box::new(reading)),
                    false => fails(reading.why()),
                }
            }
            several => fails(format!("{} DKIM records stand there instead of one", several.len())),
        }
    }

    fn key(&self) -> Option<&PublicKey> {
        match self {
            Provider::Yields(reading) => reading.key.as_ref(),
            Provider::Fails(_) | Provider::Unanswered => None,
        }
    }

    fn finding(&self) -> Option<DkimFinding> {
        match self {
            Provider::Fails(finding) => Some(finding.clone()),
            Provider::Yields(_) | Provider::Unanswered => None,
        }
    }
}

fn texts(answer: &Answer) -> Vec<&Txt> {
    let records = answer.records().iter();
    let texts = records.filter_map(|record| match record {
        RecordData::Txt(txt) => Some(txt),
        _ => None,
    });
    texts.collect()
}

/// What is there, for people: where a CNAME leads, and the texts.
fn shown(answer: &Answer) -> Vec<String> {
    let mut found: Vec<String> = texts(answer).into_iter().map(Txt::shown).collect();
    found.extend(answer.aliases().first().map(|alias| format!("CNAME {}", alias.target)));
    found.sort();
    found
}

/// The judgement of one record's text, without DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimLint {
    /// Whether verifiers can use the key for mail.
    pub valid: bool,
    /// The record, where it can be read.
    pub parsed: Option<KeyRecord>,
    /// What was noticed.
    pub findings: Vec<Finding>,
}

/// Judges one record's joined text by itself. Takes any octets.
pub fn lint(text: &[u8]) -> DkimLint {
    let reading = Reading::of(&Txt::of(text), None);
    DkimLint {
        valid: reading.sound,
        parsed: KeyRecord::parse(text).ok(),
        findings: reading.findings.into_iter().map(Finding::Dkim).collect(),
    }
}

#[cfg(test)]
mod tests;
