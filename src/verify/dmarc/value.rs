//! The policy record to publish: as little changed as will do.

use crate::protocol::dmarc::{DmarcRecord, Policy, ReportUri};
use crate::verify::dmarc::discovery::Level;
use crate::verify::dmarc::quality;
use crate::verify::expectation::DmarcExpectation;

/// The record that does what is required: `existing` with what it lacks, or else the one that was asked for, or else `p=none`.
pub(super) fn wanted(required: &DmarcExpectation, existing: Option<&DmarcRecord>) -> DmarcRecord {
    let mut record = existing.or(required.record.as_ref()).cloned().unwrap_or_default();
    let policy = record.policy.unwrap_or(Policy::None);
    record.policy = Some(required.policy.map_or(policy, |required| required.max(policy)));
    // `t=y` takes a level off; it goes where that level is required.
    if record.testing == Some(true) && required.policy.is_some_and(|required| policy.one_below() < required) {
        record.testing = None;
    }
    for uri in required.rua.iter().filter_map(|uri| ReportUri::parse(uri).ok()) {
        if !record.aggregate_reports.iter().any(|there| there.is_same_place(&uri)) {
            record.aggregate_reports.push(uri);
        }
    }
    record
}

/// What the domain's own records come to as one, so that nothing its owner said is lost.
///
/// Of several, the weakest policy is kept: receivers apply none of them today, and a stronger one
/// could cost mail that arrives now.
pub(super) fn existing(own: &Level) -> Option<DmarcRecord> {
    let repaired: Vec<DmarcRecord> =
        own.others.iter().filter_map(|(txt, _)| quality::repaired(&txt.joined())).map(|parsed| parsed.record).collect();
    let records = own.records.iter().map(|(parsed, _)| &parsed.record);
    match own.records.is_empty() {
        true => repaired.first().cloned(),
        false => records.min_by_key(|record| record.policy.unwrap_or(Policy::None)).cloned(),
    }
}
