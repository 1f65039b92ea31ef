//! English for findings about DMARC policies.

use crate::verify::finding::dmarc::DmarcFinding;
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
#[expect(
    clippy::too_many_lines,
    reason = "one arm per finding; cut in two, the compiler would not miss a forgotten one"
)]
pub(super) fn message(finding: &DmarcFinding) -> String {
    match finding {
        DmarcFinding::Missing => "No DMARC policy applies to this domain; large receivers refuse bulk mail without one.".to_owned(),
        DmarcFinding::Unanswered { names } => format!(
            "DNS gave no usable answer for {}. That says nothing about the policy.",
            joined(names)
        ),
        DmarcFinding::Several { at, count, covered } => {
            let rest = if *covered { " The policy of a name higher up applies instead." } else { "" };
            format!("{count} DMARC records stand at {at}; receivers discard them all (RFC 9989 §4.10).{rest}")
        }
        DmarcFinding::NotARecord { text, why, .. } => {
            format!("The text `{text}` looks like a DMARC record, but receivers pass over it: {why}.")
        }
        DmarcFinding::Quotes { text, .. } => format!(
            "Quotation marks or backslashes stand inside the value (`{text}`), and receivers read them as part of it."
        ),
        DmarcFinding::SmartQuotes { text } => format!(
            "The value holds typographic characters that a word processor put in (`{text}`); DMARC allows only plain ASCII (RFC 9989 §4.8)."
        ),
        DmarcFinding::ForeignText { texts } => {
            let texts: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
            format!("A TXT record here has nothing to do with DMARC: {}.", texts.join(", "))
        }
        DmarcFinding::NoPolicy { at } => {
            let at = at.as_ref().map_or("The record".to_owned(), |at| format!("The record at {at}"));
            format!(
                "{at} gives receivers no policy: for that it must be readable, with a valid `p` or at least a valid `rua` (RFC 9989 §4.10.1)."
            )
        }
        DmarcFinding::BadValue { tag, value, fatal } => {
            let rest = if *fatal {
                " Because of it the policy is lost (RFC 9989 §4.10.1)."
            } else {
                " Receivers use the default instead (RFC 9989 §4.8)."
            };
            format!("`{tag}={value}` is not a value that `{tag}` may have (RFC 9989 §4.7).{rest}")
        }
        DmarcFinding::BadUri { tag, uri, why } => {
            format!("`{uri}` in `{tag}` is no URI that reports can go to: {why}.")
        }
        DmarcFinding::Duplicate { tag } => {
            format!("The tag `{tag}` stands there twice, which makes the whole record invalid (RFC 6376 §3.2, RFC 9989 §4.7).")
        }
        DmarcFinding::Malformed { text } if text.is_empty() => {
            "Two semicolons follow each other with nothing between them (RFC 9989 §4.8).".to_owned()
        }
        DmarcFinding::Malformed { text } => {
            format!("`{text}` is not a tag, a name with `=` and a value; receivers discard it (RFC 9989 §4.8).")
        }
        DmarcFinding::UnknownTag { tag } => format!("No standard knows the tag `{tag}`; receivers ignore it (RFC 9989 §4.7)."),
        DmarcFinding::RemovedTag { tag } => {
            format!("The tag `{tag}` was in RFC 7489 and is not in RFC 9989 §4.7; receivers of today ignore it, older ones may not.")
        }
        DmarcFinding::Capitals { tag } => {
            format!("The tag `{tag}` is written in capitals, and some receivers take that for another tag (RFC 6376 §3.2).")
        }
        DmarcFinding::UriSize { tag } => {
            format!("A size limit (`!…`) stands behind a URI in `{tag}`; it was removed, and reporters ignore it (RFC 9989 §4.8).")
        }
        DmarcFinding::PolicyAssumed => {
            "The record has no usable `p`; because it asks for reports, receivers act as if it said `p=none` (RFC 9989 §4.10.1).".to_owned()
        }
        DmarcFinding::PolicyLate => "`p` does not stand right behind `v=DMARC1`; receivers of the older RFC 7489 §6.4 want it there.".to_owned(),
        DmarcFinding::NoReports => "The record has no `rua`, so nobody will report how receivers treat the domain's mail (RFC 9989 §4.7).".to_owned(),
        DmarcFinding::FoWithoutRuf => "`fo` says which failure reports are wanted, but there is no `ruf` to send them to (RFC 9989 §4.7).".to_owned(),
        DmarcFinding::TestMode { applied } => {
            format!("The record says `t=y`: the policy is only being tested, and receivers apply `{applied}` (RFC 9989 §4.7).")
        }
        DmarcFinding::PublicSuffix => "The record says `psd=y`, which is for public suffixes such as `com` only (RFC 9989 §4.7).".to_owned(),
        DmarcFinding::SubdomainsWeaker { tag, policy } => {
            format!("`{tag}={policy}` gives subdomains a weaker policy than the domain itself, so they can be forged (RFC 9989 §4.7).")
        }
        DmarcFinding::PolicyNone => {
            "The policy is `none`: receivers are asked to do nothing about mail that fails (RFC 9989 §4.7).".to_owned()
        }
        DmarcFinding::TooWeak { required, effective, at } => {
            format!("The policy that applies is `{effective}` (from {at}), and at least `{required}` is required.")
        }
        DmarcFinding::ReportsMissing { uris } => {
            format!("Aggregate reports must also go to {}, and the record's `rua` does not say so.", joined(uris))
        }
        DmarcFinding::Inherited { at } => {
            format!("The domain has no policy record of its own; the one at {at} applies (RFC 9989 §4.10.1).")
        }
        DmarcFinding::ReportUnauthorised { destination, at } => format!(
            "Reports are to go to {destination}, which has not agreed: there is no record at {at}, so reporters will not send them (RFC 9990 §4)."
        ),
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &DmarcFinding, place: &Place<'_>) -> String {
    let field = place.field();
    match finding {
        DmarcFinding::Missing => format!("Add a TXT record with host {field}{}.", with_value(place)),
        DmarcFinding::Unanswered { .. } => {
            "Nothing to do yet: it is asked again. If it stays, ask the DNS provider why the zone does not answer."
                .to_owned()
        }
        DmarcFinding::Several { .. } => {
            format!("At host {field}, there must be exactly one TXT record{}; delete the others.", with_value(place))
        }
        DmarcFinding::ForeignText { .. } => format!(
            "Delete that TXT record at host {field}. If no such record is listed, a wildcard record (host `*`) answers for it; the right \
             record at this host takes its place."
        ),
        DmarcFinding::NotARecord { .. }
        | DmarcFinding::Quotes { .. }
        | DmarcFinding::SmartQuotes { .. }
        | DmarcFinding::NoPolicy { .. }
        | DmarcFinding::TooWeak { .. }
        | DmarcFinding::ReportsMissing { .. } => {
            format!("At host {field}, put one TXT record in place of what is there{}.", with_value(place))
        }
        DmarcFinding::BadValue { tag, .. } => format!("Correct or remove `{tag}` in the TXT record at host {field}."),
        DmarcFinding::BadUri { tag, .. } => format!(
            "In the TXT record at host {field}, write `{tag}` as `mailto:` and an address, several separated by commas."
        ),
        DmarcFinding::Duplicate { tag } => {
            format!("Keep one `{tag}` in the TXT record at host {field} and remove the others.")
        }
        DmarcFinding::Malformed { text } if text.is_empty() => {
            format!("Remove one of the two semicolons from the TXT record at host {field}.")
        }
        DmarcFinding::Malformed { .. } => {
            format!("Remove it from the TXT record at host {field}, or write it as `name=value`.")
        }
        DmarcFinding::UnknownTag { tag } | DmarcFinding::RemovedTag { tag } => {
            format!("Remove `{tag}` from the TXT record at host {field} when you next edit it.")
        }
        DmarcFinding::Capitals { tag } => {
            format!("Write it as `{}` in the TXT record at host {field}.", tag.to_ascii_lowercase())
        }
        DmarcFinding::UriSize { tag } => {
            format!("Remove `!` and the size from `{tag}` in the TXT record at host {field}.")
        }
        DmarcFinding::PolicyAssumed => {
            format!("Write `p=none;`, or a stronger policy, behind `v=DMARC1;` in the TXT record at host {field}.")
        }
        DmarcFinding::PolicyLate => format!("Move `p=…` right behind `v=DMARC1;` in the TXT record at host {field}."),
        DmarcFinding::NoReports => {
            format!("Add `rua=mailto:` and an address of yours to the TXT record at host {field}.")
        }
        DmarcFinding::FoWithoutRuf => format!("Remove `fo` from the TXT record at host {field}, or add a `ruf`."),
        DmarcFinding::TestMode { .. } => {
            format!("Remove `t=y` from the TXT record at host {field} when the test is over.")
        }
        DmarcFinding::PublicSuffix => format!("Remove `psd=y` from the TXT record at host {field}."),
        DmarcFinding::SubdomainsWeaker { tag, .. } => {
            format!("Remove `{tag}` from the TXT record at host {field}, unless that is intended.")
        }
        DmarcFinding::PolicyNone => {
            "Nothing now. Once the reports show that all your mail passes, change it to `p=quarantine`.".to_owned()
        }
        DmarcFinding::Inherited { at } => format!(
            "Nothing to do. If this domain should have another policy than the one at {at}, add a TXT record at host {field}."
        ),
        DmarcFinding::ReportUnauthorised { destination, at } => format!(
            "Ask whoever runs {destination} to publish a TXT record at {at} with the value `v=DMARC1`, or report to an address of your own."
        ),
    }
}

/// The value to paste, where there is one.
fn with_value(place: &Place<'_>) -> String {
    place.pasted().map_or(String::new(), |value| format!(", with the value {value}, {}", place.manner()))
}

fn joined<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<String>>().join(", ")
}
