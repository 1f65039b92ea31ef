//! English for findings about the record that proves whose a domain is.

use crate::verify::finding::ownership::OwnershipFinding;
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &OwnershipFinding) -> String {
    match finding {
        OwnershipFinding::Missing => {
            "Nothing proves yet that this domain is yours, so it stays pending, whatever its other records say."
                .to_owned()
        }
        OwnershipFinding::Mismatch { found } => {
            let found: Vec<String> = found.iter().map(|text| format!("`{text}`")).collect();
            format!("Another proof is published than the one that was asked for: {}.", found.join(", "))
        }
        OwnershipFinding::HostDoubled { at } => format!(
            "The proof stands at {at}: a full name was typed into the host field, and the panel added the zone to it once more."
        ),
        OwnershipFinding::AtApex { at } => {
            format!("The proof stands at {at} itself; it is looked for at its own name below.")
        }
        OwnershipFinding::Unanswered { outcome } => {
            format!("DNS gave no usable answer about the proof ({outcome}). That does not say that it is missing.")
        }
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &OwnershipFinding, place: &Place<'_>) -> String {
    let value =
        || place.pasted().map(|value| format!(" and the value {value}, {}", place.manner())).unwrap_or_default();
    match finding {
        OwnershipFinding::Missing => {
            format!("Add a TXT record with host {}{}.", place.field(), value())
        }
        OwnershipFinding::Mismatch { .. } => format!(
            "Add one more TXT record with host {}{}; the other may stay. If the other is yours, this domain was registered \
             anew, and the old proof no longer counts.",
            place.field(),
            value()
        ),
        OwnershipFinding::HostDoubled { .. } => {
            format!("Change the host field of that record to {}; the panel adds the zone by itself.", place.field())
        }
        OwnershipFinding::AtApex { .. } => format!("Move that TXT record to host {}.", place.field()),
        OwnershipFinding::Unanswered { .. } => {
            "Nothing to do yet: it is asked again. If it stays, ask the DNS provider why the zone does not answer."
                .to_owned()
        }
    }
}
