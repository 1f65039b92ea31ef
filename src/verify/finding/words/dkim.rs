//! English for findings about DKIM keys.

use crate::plural::counted;
use crate::verify::evidence::RecordType;
use crate::verify::finding::dkim::{DkimFinding, strings_of};
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
#[expect(
    clippy::too_many_lines,
    reason = "one arm per finding; cut in two, the compiler would not miss a forgotten one"
)]
pub(super) fn message(finding: &DkimFinding) -> String {
    match finding {
        DkimFinding::NoSelector => "DKIM was not checked: its key stands at a selector, selectors cannot be listed by DNS, and we never guess one \
             (RFC 6376 §3.1)."
            .to_owned(),
        DkimFinding::Missing { .. } => {
            "There is no DKIM key at this selector, so signed mail cannot be verified.".to_owned()
        }
        DkimFinding::Unanswered { question, outcome } => {
            format!("DNS gave no usable answer to `{question}` ({outcome}). That says nothing about the record.")
        }
        DkimFinding::LongName => {
            "Selector and domain together are longer than a DNS name may be (RFC 1035 §2.3.4).".to_owned()
        }
        DkimFinding::AliasDangles { target } => {
            format!("A CNAME stands here and leads to {target}, but there is no DKIM key.")
        }
        DkimFinding::ForeignText { texts } => {
            format!("A TXT record here has nothing to do with DKIM: {}.", quoted(texts))
        }
        DkimFinding::Several { count } => format!(
            "{count} DKIM records stand at this one name. A selector must have exactly one; with more, the result is undefined \
             (RFC 6376 §3.6.2.2)."
        ),
        DkimFinding::SplitRecords => "The key was cut in two and stands in two TXT records. It must be one record; \
             only inside one record may it be cut into strings (RFC 6376 §3.6.2.2)."
            .to_owned(),
        DkimFinding::Quotes { text, repairable } => {
            let rest = if *repairable { " Without them the key would be right." } else { "" };
            format!(
                "Quotation marks or backslashes stand inside the value (`{text}`), and verifiers read them as part of it.{rest}"
            )
        }
        DkimFinding::SmartQuotes { text } => format!(
            "The value holds typographic characters that a word processor put in (`{text}`); DKIM allows only plain ASCII (RFC 6376 §3.2)."
        ),
        DkimFinding::Malformed { why } => format!("The record cannot be read: {why}."),
        DkimFinding::BadVersion { why } => format!("Verifiers discard the record: {why}."),
        DkimFinding::NoKey => "The record has no `p=`, which holds the key (RFC 6376 §3.6.1).".to_owned(),
        DkimFinding::UnknownKeyType { key_type } => format!(
            "The record is for a key of type `{key_type}`; verifiers ignore all but `rsa` and `ed25519` (RFC 6376 §3.6.1)."
        ),
        DkimFinding::NotBase64 => {
            "What stands behind `p=` is not base64, so it is no key (RFC 6376 §3.6.1).".to_owned()
        }
        DkimFinding::Truncated { octets, octets_wanted, at_string_end } => {
            let why = if *at_string_end {
                " The text is exactly as long as one DNS string may be (255 octets): the panel cut the rest off."
            } else {
                ""
            };
            format!("The end of the key is missing: it should have {octets_wanted} octets and has {octets}.{why}")
        }
        DkimFinding::NotAKey { why } => format!("The key cannot be used: {why}."),
        DkimFinding::WrappedEd25519 { .. } => {
            "The Ed25519 key stands there with an ASN.1 wrapping; a DKIM record holds its 32 octets \
             alone (RFC 8463 §4), and verifiers refuse this one."
                .to_owned()
        }
        DkimFinding::Ed25519WithoutType => {
            "The key is an Ed25519 key, but without `k=ed25519` verifiers take it for RSA (RFC 8463 §4).".to_owned()
        }
        DkimFinding::Revoked => {
            "The key has been revoked: `p=` is empty, and every signature fails (RFC 6376 §3.6.1).".to_owned()
        }
        DkimFinding::KeyTooShort { bits } => {
            format!("The RSA key has {bits} bits. Verifiers must refuse keys of less than 1024 (RFC 8301 §3.2).")
        }
        DkimFinding::KeyWeak { bits } => {
            format!("The RSA key has {bits} bits. That is accepted today; 2048 are recommended (RFC 8301 §3.2).")
        }
        DkimFinding::KeyLong { bits } => format!(
            "The RSA key has {bits} bits. Verifiers must be able to use keys of up to 4096 bits and may refuse longer ones (RFC 8301 §3.2), \
             so at some receivers no signature will count."
        ),
        DkimFinding::KeyTooLong { bits } => format!(
            "The RSA key has {bits} bits. Verifiers need not use keys of more than 4096 bits (RFC 8301 §3.2), and the record of one of more \
             than 8192 does not fit into a DNS datagram: no signature can be counted on."
        ),
        DkimFinding::NoSha256 { hashes } => format!(
            "The record allows only {}; mail must be signed with sha256 (RFC 8301 §3.1), so no signature will count.",
            quoted(hashes)
        ),
        DkimFinding::NoEmail { services } => {
            format!("The record allows the key only for {}, not for `email` (RFC 6376 §3.6.1).", quoted(services))
        }
        DkimFinding::TestMode => {
            "The record says `t=y`: the domain is only testing, and receivers may treat signed mail as unsigned \
             (RFC 6376 §3.6.1)."
                .to_owned()
        }
        DkimFinding::Strict => {
            "The record says `t=s`: the key does not count for mail from subdomains (RFC 6376 §3.6.1).".to_owned()
        }
        DkimFinding::KeyDiffers { expected, found } => format!(
            "There is a DKIM key, but another one than mail is signed with (fingerprint {found}, expected {expected}), so signatures fail."
        ),
        DkimFinding::ExpectedUnknown => {
            "There is a sound key. Which key it must be is not known here, so only its soundness was judged.".to_owned()
        }
        DkimFinding::Key { algorithm, bits, fingerprint, octets, strings } => format!(
            "The key is {algorithm} with {bits} bits, fingerprint {fingerprint}; its record has {octets} octets in {}.",
            counted(*strings, "string", "strings")
        ),
        DkimFinding::TargetMissing { target, why } => {
            format!(
                "The provider's name {target}, where this record must lead, yields no DKIM key: {why}. That is the provider's fault."
            )
        }
        DkimFinding::WrongTarget { found, expected } => {
            format!("The CNAME leads to {found}, and must lead to {expected}.")
        }
        DkimFinding::Flattened { target } => format!(
            "The key is right, but it is a copy of what stands at {target}. When the provider changes the key, this copy goes stale and \
             signatures fail."
        ),
    }
}

/// What to do about it, at the panel where `place` is edited.
#[expect(
    clippy::too_many_lines,
    reason = "one arm per finding; cut in two, the compiler would not miss a forgotten one"
)]
pub(super) fn fix(finding: &DkimFinding, place: &Place<'_>) -> String {
    let field = place.field();
    match finding {
        DkimFinding::NoSelector => {
            "Say which selector the mail is signed with: it is the `s=` tag of the DKIM-Signature header of any signed message.".to_owned()
        }
        DkimFinding::Missing { value_octets } => {
            let cut = match value_octets {
                Some(octets) if *octets > 255 && place.is_unquoted() => format!(
                    " The value is one text of {octets} characters: paste it in one piece; panels cut it into {} strings by themselves.",
                    strings_of(*octets)
                ),
                _ => String::new(),
            };
            format!("Add a {} record with host {field}{}.{cut}", place.record_type, with_value(place))
        }
        DkimFinding::Unanswered { .. } => {
            "Nothing to do yet: it is asked again. If it stays, ask the DNS provider why the zone does not answer."
                .to_owned()
        }
        DkimFinding::LongName => "Choose a shorter selector.".to_owned(),
        DkimFinding::AliasDangles { .. } => {
            format!(
                "Correct the target of the CNAME at host {field}, or put the right record in its place{}.",
                with_value(place)
            )
        }
        DkimFinding::ForeignText { .. } => format!(
            "Delete that TXT record at host {field}. If no such record is listed, a wildcard record (host `*`) answers for it; the right \
             record at this host takes its place."
        ),
        DkimFinding::Several { .. } => {
            format!("At host {field}, there must be exactly one TXT record{}; delete the others.", with_value(place))
        }
        DkimFinding::SplitRecords => {
            format!("At host {field}, delete both TXT records and add one{}.", with_value(place))
        }
        DkimFinding::TargetMissing { target, .. } => format!(
            "Tell the provider that {target} has no usable DKIM key. Leave the CNAME at host {field} as it is, or add it{}.",
            with_value(place)
        ),
        DkimFinding::WrongTarget { expected, .. } => {
            format!("Change the CNAME at host {field} so that its target is {expected}.")
        }
        DkimFinding::Flattened { target } => format!(
            "Replace the TXT record at host {field} by a CNAME whose target is {target}. Some panels flatten CNAMEs: switch that off, or \
             the proxy, for this record."
        ),
        DkimFinding::KeyWeak { .. } => {
            "When you next change the key, have the signing provider make one of 2048 bits, under a new selector."
                .to_owned()
        }
        DkimFinding::KeyLong { .. } => {
            "When you next change the key, have the signing provider make one of 2048 bits, under a new selector: longer ones add no \
             safety that mail needs."
                .to_owned()
        }
        DkimFinding::KeyTooShort { .. } | DkimFinding::KeyTooLong { .. } => format!(
            "Have the signing provider make a key of 2048 bits, and publish that at host {field}{}.",
            with_value(place)
        ),
        DkimFinding::TestMode => format!("Remove `t=y` from the TXT record at host {field} once signing works."),
        DkimFinding::Strict => {
            "Nothing, unless you send from subdomains with this key: then remove `s` from `t=`.".to_owned()
        }
        DkimFinding::ExpectedUnknown => {
            "Compare the key's fingerprint with the one that your signing provider shows.".to_owned()
        }
        DkimFinding::Key { .. } => {
            "Nothing to do; compare the fingerprint with the signing provider's if in doubt.".to_owned()
        }
        DkimFinding::WrappedEd25519 { right } => {
            format!("In the TXT record at host {field}, replace what stands behind `p=` by `{right}`.")
        }
        DkimFinding::Ed25519WithoutType => {
            format!("In the TXT record at host {field}, write `k=ed25519;` before `p=`.")
        }
        DkimFinding::NoSha256 { .. } => {
            format!("Remove the `h=` tag from the TXT record at host {field}.{}", whole_value(place))
        }
        DkimFinding::NoEmail { .. } => {
            format!("Remove the `s=` tag from the TXT record at host {field}.{}", whole_value(place))
        }
        DkimFinding::Quotes { .. }
        | DkimFinding::SmartQuotes { .. }
        | DkimFinding::Malformed { .. }
        | DkimFinding::BadVersion { .. }
        | DkimFinding::NoKey
        | DkimFinding::UnknownKeyType { .. }
        | DkimFinding::NotBase64
        | DkimFinding::Truncated { .. }
        | DkimFinding::NotAKey { .. }
        | DkimFinding::Revoked
        | DkimFinding::KeyDiffers { .. } => {
            format!("Replace the record at host {field} by one{}.", with_value(place))
        }
    }
}

/// The value to paste, or whom to ask for it.
fn with_value(place: &Place<'_>) -> String {
    match place.pasted() {
        Some(value) if place.record_type == RecordType::Txt => {
            format!(", with the value {value}, {}", place.manner())
        }
        Some(value) => format!(", with the value {value}"),
        None => ", with the value that your signing provider shows for this selector".to_owned(),
    }
}

/// What the whole record is to be after an edit, where that is known: a sentence of its own.
fn whole_value(place: &Place<'_>) -> String {
    place.pasted().map_or(String::new(), |value| format!(" The whole value is then {value}, {}.", place.manner()))
}

fn quoted(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
    quoted.join(", ")
}
