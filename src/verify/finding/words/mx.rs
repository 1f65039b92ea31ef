//! English for findings about mx.

use crate::verify::finding::mx::MxFinding;
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &MxFinding) -> String {
    match finding {
        MxFinding::Missing => "There is no such record.".to_owned(),
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &MxFinding, place: &Place<'_>) -> String {
    match finding {
        MxFinding::Missing => format!("Add the record at host `{}`.", place.host()),
    }
}
