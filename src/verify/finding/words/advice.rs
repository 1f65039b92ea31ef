//! English for advice.

use crate::verify::finding::advice::{AdviceFinding, AdvisedRecord};
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &AdviceFinding) -> String {
    match finding {
        AdviceFinding::Missing { record, at } => match record {
            AdvisedRecord::MtaSts => {
                format!(
                    "There is no MTA-STS record at {at}: senders may deliver to this domain without TLS (RFC 8461)."
                )
            }
            AdvisedRecord::TlsRpt => {
                format!(
                    "There is no TLS reporting record at {at}: nobody says when TLS to this domain fails (RFC 8460)."
                )
            }
            AdvisedRecord::Bimi => {
                format!("There is no BIMI record at {at}: mailbox providers show no logo beside this domain's mail.")
            }
        },
        AdviceFinding::Several { record, at, count } => {
            format!("There are {count} {} records at {at}, so that readers use none of them.", name_of(*record))
        }
        AdviceFinding::Broken { record, at, rule } => {
            format!("The {} record at {at} cannot be read: {rule}.", name_of(*record))
        }
        AdviceFinding::BimiUnenforced { at } => format!(
            "The BIMI record at {at} has no effect: mailbox providers ask for a DMARC policy of `quarantine` or `reject`."
        ),
    }
}

/// The record's name, as people know it.
fn name_of(record: AdvisedRecord) -> &'static str {
    match record {
        AdvisedRecord::MtaSts => "MTA-STS",
        AdvisedRecord::TlsRpt => "TLS reporting",
        AdvisedRecord::Bimi => "BIMI",
    }
}

/// What a sound record looks like.
fn sound(record: AdvisedRecord) -> &'static str {
    match record {
        AdvisedRecord::MtaSts => "`v=STSv1; id=` and some letters and digits, new ones whenever the policy changes",
        AdvisedRecord::TlsRpt => "`v=TLSRPTv1; rua=mailto:` and an address",
        AdvisedRecord::Bimi => "`v=BIMI1; l=` and the https URL of an SVG",
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &AdviceFinding, place: &Place<'_>) -> String {
    let host = finding.at().relative_to(place.zone).unwrap_or_else(|| finding.at().to_string());
    match finding {
        AdviceFinding::Missing { record, .. } => match record {
            AdvisedRecord::MtaSts => format!(
                "If the domain's mail servers all have valid certificates, publish a policy over HTTPS and add a TXT record at host `{host}`, such as `v=STSv1; id=1`."
            ),
            AdvisedRecord::TlsRpt => format!(
                "Add a TXT record at host `{host}` that says where reports go, such as `v=TLSRPTv1; rua=mailto:` and an address that is read."
            ),
            AdvisedRecord::Bimi => {
                format!("To show a logo, add a TXT record at host `{host}`: `v=BIMI1; l=` and the https URL of an SVG.")
            }
        },
        AdviceFinding::Several { .. } => format!("Keep one of the TXT records at host `{host}` and delete the others."),
        AdviceFinding::Broken { record, .. } => {
            format!("Correct the TXT record at host `{host}`; a sound one reads {}.", sound(*record))
        }
        AdviceFinding::BimiUnenforced { .. } => {
            "Once all legitimate mail passes, raise the DMARC policy to `p=quarantine` or `p=reject`.".to_owned()
        }
    }
}
