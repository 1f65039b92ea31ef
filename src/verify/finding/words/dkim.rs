//! English for findings about dkim.

use crate::verify::finding::dkim::DkimFinding;
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &DkimFinding) -> String {
    match finding {
        DkimFinding::Missing => "There is no such record.".to_owned(),
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &DkimFinding, place: &Place<'_>) -> String {
    match finding {
        DkimFinding::Missing => format!("Add the record at host `{}`.", place.host()),
    }
}
