//! English for findings about spf.

use crate::verify::finding::spf::SpfFinding;
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &SpfFinding) -> String {
    match finding {
        SpfFinding::Missing => "There is no such record.".to_owned(),
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &SpfFinding, place: &Place<'_>) -> String {
    match finding {
        SpfFinding::Missing => format!("Add the record at host `{}`.", place.host()),
    }
}
