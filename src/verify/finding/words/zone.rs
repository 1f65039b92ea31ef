//! English for findings about the zone around a record.

use crate::verify::finding::words::Place;
use crate::verify::finding::zone::{Misplacement, ZoneFinding};

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &ZoneFinding) -> String {
    match finding {
        ZoneFinding::Misplaced { how, at, .. } => match how {
            Misplacement::HostDoubled => format!(
                "The record stands at {at}: a full name was typed into the host field, and the panel added the zone to it once more."
            ),
            Misplacement::Apex => {
                format!("The record stands at {at} itself; nobody looks for it there, only at its own name below.")
            }
            Misplacement::UnderscoreLost => {
                format!("The record stands at {at}: the underscore at the beginning of a label was left out.")
            }
            Misplacement::DomainkeyLost => {
                format!("The key stands at {at}: the label `_domainkey` was left out (RFC 6376 §3.6.2.1).")
            }
        },
        ZoneFinding::TargetDoubled { found, expected, .. } => format!(
            "The record points to {found} instead of {expected}: without a dot at the end, the panel took the target as relative and added the zone."
        ),
        ZoneFinding::CnameAsText { expected, .. } => {
            format!("The name {expected} was published as a TXT record; it must be the target of a CNAME record.")
        }
        ZoneFinding::RequirementsMissing { provider } => format!(
            "Nothing says which DKIM key this domain must publish: it was added without requirements, and the provider `{provider}` has no profile."
        ),
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &ZoneFinding, place: &Place<'_>) -> String {
    match finding {
        ZoneFinding::Misplaced { .. } => {
            format!("Change the host field of that record to {}; the panel adds the zone by itself.", place.field())
        }
        ZoneFinding::TargetDoubled { expected, .. } => {
            format!(
                "Edit the record at host {} and write the target with a dot at its end: `{expected}.`",
                place.field()
            )
        }
        ZoneFinding::CnameAsText { expected, .. } => format!(
            "Delete the TXT record at host {} and add a CNAME record there with the target `{expected}`.",
            place.field()
        ),
        ZoneFinding::RequirementsMissing { provider } => format!(
            "Set the domain's requirements with PATCH /v1/domains/{{id}}, or configure `[providers.{provider}]` and restart."
        ),
    }
}
