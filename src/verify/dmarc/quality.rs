//! What may be said of a policy record's text, with or without DNS.

use crate::protocol::dmarc::{self, Fault, NotDmarc, ParsedRecord, Policy, Psd};
use crate::protocol::tag_list;
use crate::verify::evidence::Txt;
use crate::verify::finding::Finding;
use crate::verify::finding::dmarc::DmarcFinding;

/// The most findings about single faults of one record; a hostile one has thousands.
const FAULTS_MAX: usize = 20;

/// The most texts that a finding repeats.
const TEXTS_MAX: usize = 5;

/// The judgement of one record's text, without DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcLint {
    /// Whether a reader of RFC 9989 gets a policy from it.
    pub valid: bool,
    /// The record, where the text is one.
    pub parsed: Option<ParsedRecord>,
    /// What was noticed.
    pub findings: Vec<Finding>,
}

/// Judges one record's joined text by itself. Takes any octets.
pub fn lint(text: &[u8]) -> DmarcLint {
    let (parsed, found) = match dmarc::parse(text) {
        Ok(parsed) => {
            let mut found = findings(&parsed);
            if parsed.effective().is_none() {
                found.insert(0, DmarcFinding::NoPolicy { at: None });
            }
            (Some(parsed), found)
        }
        Err(why) if is_meant(text, &why) => (None, vec![near_miss(text, &why, false)]),
        Err(why) => {
            let text = tag_list::shown(text);
            (None, vec![DmarcFinding::NotARecord { text, why: why.to_string(), covered: false }])
        }
    };
    DmarcLint {
        valid: parsed.as_ref().is_some_and(|parsed| parsed.effective().is_some()),
        parsed,
        findings: found.into_iter().map(Finding::Dmarc).collect(),
    }
}

/// What is to be said of a record that could be read.
pub(super) fn findings(parsed: &ParsedRecord) -> Vec<DmarcFinding> {
    let effective = parsed.effective();
    let mut findings: Vec<DmarcFinding> =
        parsed.faults.iter().take(FAULTS_MAX).map(|fault| of_fault(fault, effective.is_none())).collect();
    let record = &parsed.record;
    if let Some(effective) = effective {
        if effective.assumed {
            findings.push(DmarcFinding::PolicyAssumed);
        }
        if effective.testing {
            findings.push(DmarcFinding::TestMode { applied: effective.applied(effective.policy) });
        }
        for (tag, policy) in [("sp", effective.subdomain_policy), ("np", effective.nonexistent_policy)] {
            if policy < effective.policy && parsed.tags.iter().any(|(name, _)| name == tag) {
                findings.push(DmarcFinding::SubdomainsWeaker { tag, policy });
            }
        }
        if effective.policy == Policy::None && !effective.assumed {
            findings.push(DmarcFinding::PolicyNone);
        }
    }
    if record.psd == Some(Psd::Yes) {
        findings.push(DmarcFinding::PublicSuffix);
    }
    if parsed.tags.iter().position(|(name, _)| name == "p").is_some_and(|position| position > 1) {
        findings.push(DmarcFinding::PolicyLate);
    }
    // A `rua` that is there and cannot be used is a fault of its own.
    let is_rua_bad = parsed.faults.iter().any(|fault| matches!(fault, Fault::BadUri { tag, .. } if tag == "rua"));
    if record.aggregate_reports.is_empty() && !is_rua_bad {
        findings.push(DmarcFinding::NoReports);
    }
    if !record.failure_options.is_empty() && record.failure_reports.is_empty() {
        findings.push(DmarcFinding::FoWithoutRuf);
    }
    findings
}

fn of_fault(fault: &Fault, lost: bool) -> DmarcFinding {
    match fault.clone() {
        Fault::BadValue { tag, value } => {
            let fatal = lost && matches!(tag.as_str(), "p" | "sp" | "np");
            DmarcFinding::BadValue { tag, value, fatal }
        }
        Fault::BadUri { tag, uri, fault } => DmarcFinding::BadUri { tag, uri, why: fault.to_string() },
        Fault::Duplicate { tag } => DmarcFinding::Duplicate { tag: tag_list::shown(tag.as_bytes()) },
        Fault::NotATag { text } => DmarcFinding::Malformed { text },
        Fault::EmptyElement => DmarcFinding::Malformed { text: String::new() },
        Fault::Unknown { tag } => DmarcFinding::UnknownTag { tag: tag_list::shown(tag.as_bytes()) },
        Fault::Removed { tag, .. } => DmarcFinding::RemovedTag { tag },
        Fault::Capitals { tag } => DmarcFinding::Capitals { tag },
        Fault::Size { tag } => DmarcFinding::UriSize { tag },
    }
}

/// What is to be said of texts that are no policy records.
pub(super) fn texts(others: &[(Txt, NotDmarc)], covered: bool) -> Vec<DmarcFinding> {
    let mut findings = Vec::new();
    let mut foreign = Vec::new();
    for (txt, why) in others {
        let text = txt.joined();
        if !is_meant(&text, why) {
            foreign.push(tag_list::shown(&text));
        } else if findings.len() < TEXTS_MAX {
            findings.push(near_miss(&text, why, covered));
        }
    }
    if !foreign.is_empty() {
        foreign.truncate(TEXTS_MAX);
        findings.push(DmarcFinding::ForeignText { texts: foreign });
    }
    findings
}

/// Whether a text that is no policy record was meant as one.
pub(super) fn is_meant(text: &[u8], why: &NotDmarc) -> bool {
    *why != NotDmarc::Foreign || repaired(text).is_some()
}

/// The record that a text would be without quotes, backslashes, typographic characters and capitals.
pub(super) fn repaired(text: &[u8]) -> Option<ParsedRecord> {
    let plain: Vec<u8> =
        text.iter().copied().filter(|octet| octet.is_ascii() && !matches!(octet, b'"' | b'\\')).collect();
    let plain = tag_list::trim(&plain);
    let version = tag_list::elements(plain).into_iter().next();
    match version {
        Some(tag_list::Element::Tag(tag)) if tag.value.eq_ignore_ascii_case(b"DMARC1") => {
            let rest = plain.iter().position(|octet| *octet == b';').and_then(|at| plain.get(at..)).unwrap_or_default();
            dmarc::parse(&[b"v=DMARC1", rest].concat()).ok()
        }
        _ => None,
    }
}

/// The likeliest mistake behind a text that is no policy record.
fn near_miss(text: &[u8], why: &NotDmarc, covered: bool) -> DmarcFinding {
    let shown = tag_list::shown(text);
    if !text.is_ascii() {
        return DmarcFinding::SmartQuotes { text: shown };
    }
    if text.iter().any(|octet| matches!(octet, b'"' | b'\\')) {
        return DmarcFinding::Quotes { text: shown, covered };
    }
    DmarcFinding::NotARecord { text: shown, why: why.to_string(), covered }
}
