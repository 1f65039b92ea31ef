//! English for findings about the SPF record.
//!
//! For a person at a DNS panel who is no mail expert: what was found, which rule it breaks, what to put where.

use crate::protocol::name::Name;
use crate::protocol::spf::LOOKUPS_MAX;
use crate::verify::finding::spf::{Cost, SpfFinding};
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &SpfFinding) -> String {
    match finding {
        SpfFinding::Missing => "There is no SPF record: no TXT record begins with `v=spf1` (RFC 7208 §4.5).".to_owned(),
        SpfFinding::NearMiss { found } => format!(
            "The TXT record `{found}` looks like SPF, but receivers ignore it: it must begin with `v=spf1` and a space \
             (RFC 7208 §4.5)."
        ),
        SpfFinding::QuotesInside { found } => format!(
            "The TXT record `{found}` has quotes, backslashes or spaces before `v=spf1` as part of its text, so \
             receivers ignore it (RFC 7208 §4.5)."
        ),
        SpfFinding::SenderId { found } => {
            format!("The TXT record `{found}` is Sender ID, which nobody reads any more. It does no harm.")
        }
        SpfFinding::SeveralRecords { records } => format!(
            "There are {} SPF records. There may be only one; with more, every check fails with permerror \
             (RFC 7208 §4.5).",
            records.len()
        ),
        SpfFinding::Syntax { at, fault, .. } => format!(
            "The SPF record{} cannot be read: {fault}. One bad term makes the whole record fail with permerror \
             (RFC 7208 §4.6).",
            of(at)
        ),
        SpfFinding::StringsRunTogether { before, after } => format!(
            "The record is published as several strings that are joined without a space (RFC 7208 §3.3), so \
             `{before}` and `{after}` run together."
        ),
        SpfFinding::LongStrings { .. } => {
            "The value is longer than the 255 octets that one string of a TXT record can hold (RFC 7208 §3.3)."
                .to_owned()
        }
        SpfFinding::LongRecord { octets } => format!(
            "The record has {octets} octets; above 450, answers may not fit into one packet and some receivers miss \
             them (RFC 7208 §3.4)."
        ),
        SpfFinding::LookupFailed { question, failure } => format!(
            "DNS gave no usable answer for the {} records of {} ({}), so nobody can tell now whether SPF is right.",
            question.record_type,
            question.name,
            failure.outcome()
        ),
        _ => message_about_limits(finding),
    }
}

fn message_about_limits(finding: &SpfFinding) -> String {
    match finding {
        SpfFinding::LookupsExceeded { lookups, costs } => format!(
            "The record costs {lookups} DNS lookups; more than {LOOKUPS_MAX} make every check fail with permerror \
             (RFC 7208 §4.6.4). {}",
            listed(costs)
        ),
        SpfFinding::LookupsNearLimit { lookups, costs } => format!(
            "The record costs {lookups} of the {LOOKUPS_MAX} DNS lookups that are allowed (RFC 7208 §4.6.4); if one of \
             the includes grows, SPF breaks. {}",
            listed(costs)
        ),
        SpfFinding::VoidLookupsExceeded { void_lookups, terms } => {
            let terms: Vec<String> = terms.iter().map(|term| format!("`{}` ({})", term.term, term.at)).collect();
            format!(
                "{void_lookups} lookups of the record find nothing; more than two make the check fail with permerror \
                 (RFC 7208 §4.6.4): {}.",
                terms.join(", ")
            )
        }
        SpfFinding::ExchangesExceeded { term, count } => format!(
            "`{}` in the record of {} leads to {count} mail exchanges; more than ten make the check fail with \
             permerror (RFC 7208 §4.6.4).",
            term.term, term.at
        ),
        SpfFinding::Suggestion { lookups } => {
            format!("The record to paste costs {lookups} of the {LOOKUPS_MAX} DNS lookups (RFC 7208 §4.6.4).")
        }
        SpfFinding::SuggestionOverLimit { lookups, costs, .. } => format!(
            "A record with everything that is there and everything that is needed would cost {lookups} DNS lookups, \
             more than the {LOOKUPS_MAX} allowed (RFC 7208 §4.6.4). {}",
            listed(costs)
        ),
        _ => message_about_terms(finding),
    }
}

fn message_about_terms(finding: &SpfFinding) -> String {
    match finding {
        SpfFinding::IncludeMissing { include } => {
            format!("The record does not include `{include}`, so mail sent through it does not pass SPF.")
        }
        SpfFinding::IncludeFlattened { include } => format!(
            "The record does not include `{include}`, but its addresses pass. When the provider changes them, mail \
             stops passing without warning."
        ),
        SpfFinding::AddressNotAuthorised { address, result } => {
            format!("Mail from {address}, which must be allowed to send, gets `{result}` instead of `pass`.")
        }
        SpfFinding::IncludeWithoutRecord { term, target, .. } => match target {
            Some(target) => format!(
                "`{}` in the record of {} leads to {target}, which has no SPF record; that makes the check fail with \
                 permerror (RFC 7208 §5.2).",
                term.term, term.at
            ),
            None => format!(
                "`{}` in the record of {} leads to no possible name; that makes the check fail with permerror \
                 (RFC 7208 §5.2).",
                term.term, term.at
            ),
        },
        SpfFinding::IncludeSeveralRecords { term, count } => format!(
            "`{}` in the record of {} leads to a name with {count} SPF records, which makes the check fail with \
             permerror (RFC 7208 §4.5).",
            term.term, term.at
        ),
        SpfFinding::Loop { term, target } => format!(
            "`{}` in the record of {} leads back to {target}: the records include each other in a circle, until the \
             lookups are used up and the check fails with permerror (RFC 7208 §4.6.4).",
            term.term, term.at
        ),
        SpfFinding::PassAll { term } => format!(
            "`{}` in the record{} lets everybody in the world send as this domain (RFC 7208 §5.1).",
            term.term,
            of(&term.at)
        ),
        SpfFinding::TooWide { ip4_addresses } => format!(
            "The record lets {ip4_addresses} IPv4 addresses send as this domain, more than a sixteenth of all there are."
        ),
        SpfFinding::TooWideIp6 { term } => format!(
            "`{}` in the record{} lets an IPv6 network wider than /16 send as this domain.",
            term.term,
            of(&term.at)
        ),
        _ => message_about_habits(finding),
    }
}

fn message_about_habits(finding: &SpfFinding) -> String {
    match finding {
        SpfFinding::NeutralAll => {
            "The record ends in `?all`, which says nothing about senders that are not listed, so it stops no forger \
             (RFC 7208 §8.2)."
                .to_owned()
        }
        SpfFinding::NoAll => {
            "The record ends in neither `all` nor `redirect=`, which means the same as `?all`: nothing is said about \
             senders that are not listed (RFC 7208 §4.7)."
                .to_owned()
        }
        SpfFinding::PtrUsed { term } => {
            format!("`{term}` is slow and unreliable, and should no longer be published (RFC 7208 §5.5).")
        }
        SpfFinding::AfterAll { terms } => {
            format!("Receivers never read what stands behind `all` (RFC 7208 §5.1): {}.", terms_of(terms))
        }
        SpfFinding::UnknownModifier { term, meant } => {
            format!("`{term}` means nothing and is ignored (RFC 7208 §6); `{meant}` was probably meant.")
        }
        SpfFinding::NotFollowed { terms } => format!(
            "What these terms lead to depends on who sends, so it could not be checked in advance: {}.",
            terms_of(terms.iter().map(|term| &term.term))
        ),
        other => format!("{}: see RFC 7208.", other.code()),
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &SpfFinding, place: &Place<'_>) -> String {
    match finding {
        SpfFinding::Missing => match place.pasted() {
            Some(value) => {
                format!("Add a TXT record at host {} with the value {value}, {}.", place.field(), place.manner())
            }
            None => format!(
                "Add a TXT record at host {} that names the servers that send your mail; every provider documents its \
                 own, such as `v=spf1 include:_spf.example.net ~all`.",
                place.field()
            ),
        },
        SpfFinding::NearMiss { .. } | SpfFinding::QuotesInside { .. } => match place.pasted() {
            Some(value) => format!(
                "Delete that record. At host {} there must be exactly one SPF record, a TXT record with the value {value}, \
                 {}.",
                place.field(),
                place.manner()
            ),
            None => format!(
                "Edit that TXT record at host {} so that it begins with `v=spf1` and a space, without any quotes.",
                place.field()
            ),
        },
        SpfFinding::SenderId { .. } => "You may delete that record.".to_owned(),
        SpfFinding::SeveralRecords { .. } => match place.pasted() {
            Some(value) => format!(
                "At host {}, delete all TXT records that begin with `v=spf1`, then add one with the value {value}, {}.",
                place.field(),
                place.manner()
            ),
            None => format!("Keep only one TXT record that begins with `v=spf1` at host {}.", place.field()),
        },
        SpfFinding::Syntax { at, meant, .. } if at == place.name => match meant {
            Some(meant) => format!("Write `{meant}` instead. {}", paste(place)),
            None => format!("Correct or remove that term. {}", paste(place)),
        },
        SpfFinding::StringsRunTogether { before, after } => {
            format!("Put a space between `{before}` and `{after}`. {}", paste(place))
        }
        SpfFinding::LongStrings { strings } => {
            let quoted: Vec<String> = strings.iter().map(|string| format!("\"{string}\"")).collect();
            let when = if place.is_unquoted() {
                "Most panels split it by themselves. If yours refuses it,"
            } else {
                "This panel does not split it:"
            };
            format!("{when} paste it at host {} as these strings, spaces included: {}", place.field(), quoted.join(" "))
        }
        SpfFinding::LongRecord { .. } => format!(
            "Remove terms that you no longer need from the TXT record at host {}, or move some into a record of their \
             own and include that.",
            place.field()
        ),
        SpfFinding::LookupFailed { question, .. } => format!(
            "Nothing is to be changed at host {} for now. If it lasts, tell whoever runs the name servers of {}.",
            place.field(),
            question.name
        ),
        _ => fix_of_limits(finding, place),
    }
}

fn fix_of_limits(finding: &SpfFinding, place: &Place<'_>) -> String {
    match finding {
        SpfFinding::LookupsExceeded { .. } | SpfFinding::LookupsNearLimit { .. } => format!(
            "In the TXT record at host {}, remove the includes of services that you no longer use; addresses that \
             seldom change can stand there as `ip4:` or `ip6:`, which cost nothing.",
            place.field()
        ),
        SpfFinding::VoidLookupsExceeded { .. } => format!(
            "Remove the terms that find nothing from the TXT record at host {}, or give those names their addresses back.",
            place.field()
        ),
        SpfFinding::ExchangesExceeded { .. } => format!(
            "Replace that `mx` in the TXT record at host {} by the addresses of those that send, as `ip4:` or `ip6:`.",
            place.field()
        ),
        SpfFinding::Suggestion { .. } => paste(place),
        SpfFinding::SuggestionOverLimit { remove, .. } => format!(
            "In the TXT record at host {}, first remove what you no longer use, for instance {}; then check again, and \
             the record to paste will be here.",
            place.field(),
            terms_of(remove)
        ),
        _ => fix_of_terms(finding, place),
    }
}

fn fix_of_terms(finding: &SpfFinding, place: &Place<'_>) -> String {
    match finding {
        SpfFinding::IncludeMissing { include } => match place.value {
            Some(_) => paste(place),
            None => format!("Add `include:{include}` before `all` in the TXT record at host {}.", place.field()),
        },
        SpfFinding::AddressNotAuthorised { address, .. } => match place.value {
            Some(_) => paste(place),
            None => format!("Add {address} before `all` in the TXT record at host {}.", place.field()),
        },
        SpfFinding::IncludeFlattened { include } => format!(
            "It is safer to put `include:{include}` into the TXT record at host {} in place of its addresses.",
            place.field()
        ),
        SpfFinding::IncludeWithoutRecord { term, is_required: true, .. } => format!(
            "Leave the TXT record at host {} as it is and tell the provider of `{}`: the record that is missing is theirs.",
            place.field(),
            term.term
        ),
        SpfFinding::IncludeWithoutRecord { term, .. }
        | SpfFinding::IncludeSeveralRecords { term, .. }
        | SpfFinding::Loop { term, .. }
            if term.at == *place.name =>
        {
            format!("Remove `{}`, or ask its provider for the right name. {}", term.term, paste(place))
        }
        SpfFinding::PassAll { term } if term.at == *place.name => {
            format!("End the record in `~all` and list only those that send for you. {}", paste(place))
        }
        SpfFinding::TooWide { .. } | SpfFinding::TooWideIp6 { .. } => format!(
            "In the TXT record at host {}, name only the networks that your senders have; check the number behind \
             each slash.",
            place.field()
        ),
        SpfFinding::NeutralAll => {
            format!("Change `?all` to `~all` at the end of the TXT record at host {}.", place.field())
        }
        SpfFinding::NoAll => format!("Add `~all` at the end of the TXT record at host {}.", place.field()),
        SpfFinding::PtrUsed { term } => format!(
            "Replace `{term}` in the TXT record at host {} by the addresses meant, as `ip4:` or `ip6:`.",
            place.field()
        ),
        SpfFinding::AfterAll { .. } => {
            format!("Move those terms before `all` in the TXT record at host {}, or delete them.", place.field())
        }
        SpfFinding::UnknownModifier { term, meant } => format!(
            "If those are to send for you, write `{meant}` instead of `{term}` in the TXT record at host {}.",
            place.field()
        ),
        SpfFinding::NotFollowed { .. } => "Nothing is to be done.".to_owned(),
        // The fault is in a record that somebody else publishes.
        _ => format!(
            "The fault is in a record that the one at host {} includes. Tell whoever publishes it, or remove the \
             include that leads there.",
            place.field()
        ),
    }
}

/// What to paste where, as far as that is known.
fn paste(place: &Place<'_>) -> String {
    match place.pasted() {
        Some(value) => {
            format!(
                "Give the SPF record, the TXT record at host {}, the value {value}, {}.",
                place.field(),
                place.manner()
            )
        }
        None => format!("The SPF record is the TXT record at host {}.", place.field()),
    }
}

/// Whose record it is; nothing of a text that was judged without a name.
fn of(at: &Name) -> String {
    if at.label_count() == 0 { String::new() } else { format!(" of {at}") }
}

/// The costs of the outermost terms, the dearest first.
fn listed(costs: &[Cost]) -> String {
    let mut outer: Vec<&Cost> = costs.iter().filter(|cost| cost.depth == 0).collect();
    outer.sort_by_key(|cost| std::cmp::Reverse(cost.lookups));
    let listed: Vec<String> = outer.iter().map(|cost| format!("`{}` {}", cost.term, cost.lookups)).collect();
    format!("They come from: {}.", listed.join(", "))
}

fn terms_of<T: AsRef<str>>(terms: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = terms.into_iter().map(|term| format!("`{}`", term.as_ref())).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{fix, message};
    use crate::protocol::name::Name;
    use crate::verify::evidence::RecordType;
    use crate::verify::finding::spf::SpfFinding;
    use crate::verify::finding::words::Place;

    #[test]
    fn every_finding_has_words_of_its_own() {
        let zone = Name::parse("example.com").unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for value in [None, Some("v=spf1 include:_spf.example.net ~all")] {
            let place =
                Place { zone: &zone, name: &zone, record_type: RecordType::Txt, value, priority: None, provider: None };
            for finding in SpfFinding::examples() {
                let (message, fix) = (message(&finding), fix(&finding, &place));
                assert!(!message.ends_with("see RFC 7208."), "{}: no words", finding.code());
                assert!(message.ends_with('.') && message.len() > 40, "{message}");
                let is_harmless = matches!(finding, SpfFinding::SenderId { .. } | SpfFinding::NotFollowed { .. });
                assert!(is_harmless || fix.contains("`@` (the full name is example.com)"), "{}: {fix}", finding.code());
                assert!(finding.code().starts_with("spf."), "{}", finding.code());
                seen.insert(finding.code());
            }
        }
        assert_eq!(seen.len(), 30, "one example of each code: {seen:?}");
    }
}
