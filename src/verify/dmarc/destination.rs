//! Who agreed to receive a domain's reports (RFC 9990 §4, RFC 9991 for failure reports).

use std::collections::BTreeSet;

use crate::protocol::dmarc::{self, DmarcRecord};
use crate::protocol::name::Name;
use crate::verify::evidence::{Answer, Evidence, Question, RecordData};
use crate::verify::finding::dmarc::DmarcFinding;
use crate::verify::step::Needs;

/// The most foreign destinations looked at. Who lists more reports to nobody in particular.
const DESTINATIONS_MAX: usize = 10;

/// The most texts read at one name.
const TEXTS_MAX: usize = 50;

/// Whether a destination agreed to receive reports about a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorisation {
    /// It did.
    Given,
    /// It did not.
    Absent,
    /// Nobody could tell.
    Unknown,
}

/// The name at which `destination` agrees to receive reports about `policy_domain`, or nothing where that is too long. RFC 9990 §4.
pub fn authorisation_name(policy_domain: &Name, destination: &Name) -> Option<Name> {
    let report = destination.child("_dmarc").and_then(|name| name.child("_report")).ok()?;
    report.under(policy_domain).ok()
}

/// Whether `destination` agreed to receive reports about `policy_domain`. RFC 9990 §4.
///
/// # Errors
///
/// [`Needs`] with the question for the record with which it agrees.
pub fn authorisation(policy_domain: &Name, destination: &Name, evidence: &Evidence) -> Result<Authorisation, Needs> {
    let Some(at) = authorisation_name(policy_domain, destination) else { return Ok(Authorisation::Absent) };
    let answer = evidence.ask(&Question::txt(&at))?;
    if matches!(answer, Answer::Unknown(_)) {
        return Ok(Authorisation::Unknown);
    }
    // One record that says `v=DMARC1` is enough, whatever stands beside it.
    let agrees = answer.records().iter().take(TEXTS_MAX).any(|record| match record {
        RecordData::Txt(txt) => dmarc::parse(&txt.joined()).is_ok(),
        _ => false,
    });
    Ok(if agrees { Authorisation::Given } else { Authorisation::Absent })
}

/// Which foreign destinations of a record did not agree.
pub(super) fn findings(
    record: &DmarcRecord,
    policy_domain: &Name,
    organizational_domain: &Name,
    evidence: &Evidence,
) -> Result<Vec<DmarcFinding>, Needs> {
    let uris = record.aggregate_reports.iter().chain(&record.failure_reports);
    let hosts: BTreeSet<Name> =
        uris.filter_map(dmarc::ReportUri::host).filter(|host| !host.is_at_or_below(organizational_domain)).collect();
    let mut needs = Needs::default();
    let mut findings = Vec::new();
    for destination in hosts.into_iter().take(DESTINATIONS_MAX) {
        let given = needs.keep(authorisation(policy_domain, &destination, evidence));
        if given == Some(Authorisation::Absent) {
            let at = authorisation_name(policy_domain, &destination).unwrap_or_else(|| destination.clone());
            findings.push(DmarcFinding::ReportUnauthorised { destination, at });
        }
    }
    needs.or(findings)
}
