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
        ZoneFinding::DnssecSecure { zone } => {
            format!("The zone {zone} is signed with DNSSEC, and its signatures are right (RFC 4033 §5).")
        }
        ZoneFinding::DnssecInsecure { zone } => format!(
            "Nobody vouches for the answers of the zone {zone} by DNSSEC: it is not signed, its parent has no DS record for it, or the \
             resolver does not check (RFC 4033 §5)."
        ),
        ZoneFinding::DnssecBogus { zone, questions, reasons } => {
            let questions: Vec<String> = questions.iter().map(|question| format!("`{question}`")).collect();
            let reasons = match reasons.as_slice() {
                [] => String::new(),
                reasons => format!(" The resolver's reason: {} (RFC 8914).", reasons.join("; ")),
            };
            format!(
                "DNSSEC signatures of the zone {zone} are wrong or missing, so receivers that check them get no answer to {} (RFC 4033 §5).{reasons}",
                questions.join(", ")
            )
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
        ZoneFinding::DnssecSecure { .. } => "Nothing is to be done.".to_owned(),
        ZoneFinding::DnssecInsecure { zone } => format!(
            "Nothing must be done to send mail. Where the DNS provider of {zone} offers DNSSEC, switch it on there and at the registrar."
        ),
        ZoneFinding::DnssecBogus { zone, .. } => format!(
            "Ask the DNS provider of {zone} to sign the zone anew. If the zone has moved to another provider, remove or replace the DS \
             record at the registrar."
        ),
        ZoneFinding::RequirementsMissing { provider } => format!(
            "Set the domain's requirements with PATCH /v1/domains/{{id}}, or configure `[providers.{provider}]` and restart."
        ),
    }
}
