//! English for findings about the zone around a record.

use crate::verify::finding::words::Place;
use crate::verify::finding::zone::ZoneFinding;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &ZoneFinding) -> String {
    match finding {
        ZoneFinding::HostDoubled { at, .. } => {
            format!("The record stands at {at}: the panel added the zone's name to a full name.")
        }
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &ZoneFinding, place: &Place<'_>) -> String {
    match finding {
        ZoneFinding::HostDoubled { .. } => {
            format!("Change the host field of that record to {}; the panel adds the rest by itself.", place.field())
        }
    }
}
