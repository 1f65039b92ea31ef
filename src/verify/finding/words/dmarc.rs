//! English for findings about dmarc.

use crate::verify::finding::dmarc::DmarcFinding;
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &DmarcFinding) -> String {
    match finding {
        DmarcFinding::Missing => "There is no such record.".to_owned(),
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &DmarcFinding, place: &Place<'_>) -> String {
    match finding {
        DmarcFinding::Missing => format!("Add the record at host `{}`.", place.host()),
    }
}
