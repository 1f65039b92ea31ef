//! Judges the text of a record alone: grammar and habits, without DNS.

use crate::protocol::name::Name;
use crate::protocol::spf::cidr::Network;
use crate::protocol::spf::terms::{Mechanism, Qualifier, Term, UnknownModifier, shown};
use crate::protocol::spf::{LOOKUPS_MAX, SpfFault, SpfRecord, parse, split};
use crate::verify::finding::spf::{Cost, SpfFinding};
use crate::verify::spf::near::{NearMissKind, meant_mechanism, near_miss, repair_term};
use crate::verify::spf::reach::{IP4_ADDRESSES_MAX, IP6_BITS_MIN, TermAt};

/// The most octets of a record that surely fit into one packet with other texts. RFC 7208 §3.4.
const RECORD_OCTETS_MAX: usize = 450;

/// The most octets of one string of a TXT record. RFC 1035 §3.3.
const STRING_OCTETS_MAX: usize = 255;

/// The most terms that one finding lists, and the most findings of one kind.
const TERMS_MAX: usize = 20;

/// The judgement of one record's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfLint {
    /// What the text says; nothing where the grammar is broken.
    pub record: Option<SpfRecord>,
    /// What was noticed.
    pub findings: Vec<SpfFinding>,
}

impl SpfLint {
    /// Whether the grammar is kept. `+all` and its kin are findings only.
    pub fn is_valid(&self) -> bool {
        self.record.is_some()
    }
}

/// Judges a record's text, given without quotes. Findings speak of the record as that of the root, `.`.
pub fn lint(text: &[u8]) -> SpfLint {
    let at = Name::root();
    match parse(text) {
        Ok(record) => {
            let mut findings = advice(&record, &at, text.len());
            findings.extend(excess(&record, &at));
            let lookups = own_lookups(&record);
            if lookups > LOOKUPS_MAX {
                findings.push(SpfFinding::LookupsExceeded { lookups, costs: own_costs(&record) });
            }
            SpfLint { record: Some(record), findings }
        }
        Err(SpfFault::NoVersion) => {
            SpfLint { record: None, findings: vec![near_finding(text).unwrap_or(SpfFinding::Missing)] }
        }
        Err(fault) => SpfLint { record: None, findings: vec![syntax_finding(&at, text, fault)] },
    }
}

/// What to say of a text that looks like a record and is none.
pub(super) fn near_finding(text: &[u8]) -> Option<SpfFinding> {
    let found = shown(text);
    near_miss(text).map(|near| match near.kind {
        NearMissKind::Quotes | NearMissKind::Space => SpfFinding::QuotesInside { found },
        NearMissKind::Version => SpfFinding::NearMiss { found },
        NearMissKind::SenderId => SpfFinding::SenderId { found },
    })
}

/// What to say of a record that breaks the grammar.
pub(super) fn syntax_finding(at: &Name, text: &[u8], fault: SpfFault) -> SpfFinding {
    let position = match &fault {
        SpfFault::Term { position, .. } => *position,
        SpfFault::NoVersion => 0,
    };
    let term = split(text).ok().and_then(|mut terms| terms.nth(position.checked_sub(1)?));
    let meant = term.and_then(repair_term).map(|term| match term {
        Term::Directive(directive) => directive.to_string(),
        Term::Redirect(domain) => format!("redirect={domain}"),
        Term::Explanation(domain) => format!("exp={domain}"),
        Term::Unknown(modifier) => modifier.to_string(),
    });
    // A repeated `redirect` reads well by itself; there is nothing else to write.
    let meant = meant.filter(|meant| term.is_some_and(|term| !term.eq_ignore_ascii_case(meant.as_bytes())));
    SpfFinding::Syntax { at: at.clone(), fault, meant }
}

/// Advice on a record that keeps the grammar, as far as its text tells.
pub(super) fn advice(record: &SpfRecord, at: &Name, octets: usize) -> Vec<SpfFinding> {
    let mut findings = Vec::new();
    match (record.all(), &record.redirect) {
        (Some(Qualifier::Neutral), _) => findings.push(SpfFinding::NeutralAll),
        (None, None) => findings.push(SpfFinding::NoAll),
        _ => {}
    }
    let behind = record.directives.get(record.reachable().len()..).unwrap_or_default();
    let mut terms: Vec<String> =
        behind.iter().take(TERMS_MAX).map(|directive| shown(directive.to_string().as_bytes())).collect();
    if record.all_at().is_some() {
        terms.extend(record.redirect.iter().map(|domain| shown(format!("redirect={domain}").as_bytes())));
    }
    if !terms.is_empty() {
        findings.push(SpfFinding::AfterAll { terms });
    }
    if let Some(ptr) = record.reachable().iter().find(|d| matches!(d.mechanism, Mechanism::Ptr(_))) {
        findings.push(SpfFinding::PtrUsed { term: shown(ptr.to_string().as_bytes()) });
    }
    findings.extend(record.unknown.iter().filter_map(unknown_modifier).take(TERMS_MAX));
    if octets > RECORD_OCTETS_MAX {
        findings.push(SpfFinding::LongRecord { octets: u64::try_from(octets).unwrap_or(u64::MAX) });
    }
    if octets > STRING_OCTETS_MAX && at.label_count() == 0 {
        findings.push(SpfFinding::LongStrings { strings: cut(&record.to_string()) });
    }
    findings
}

fn unknown_modifier(modifier: &UnknownModifier) -> Option<SpfFinding> {
    let meant = meant_mechanism(&modifier.name, &modifier.value.to_string())?;
    Some(SpfFinding::UnknownModifier { term: shown(modifier.to_string().as_bytes()), meant: shown(meant.as_bytes()) })
}

/// Terms that by themselves let pass more than one sender can have.
fn excess(record: &SpfRecord, at: &Name) -> Vec<SpfFinding> {
    let passing = record.reachable().iter().filter(|directive| directive.qualifier == Qualifier::Pass);
    let findings = passing.filter_map(|directive| {
        let term = TermAt { at: at.clone(), term: directive.to_string() };
        match (&directive.mechanism, directive.mechanism.network()) {
            (Mechanism::All, _) => Some(SpfFinding::PassAll { term }),
            (_, Some(Network { address, bits })) if address.is_ipv6() && bits < IP6_BITS_MIN => {
                Some(SpfFinding::TooWideIp6 { term })
            }
            (_, Some(network)) if network.address.is_ipv4() => {
                let (first, last) = network.bounds();
                let count = last - first + 1;
                let ip4_addresses = u64::try_from(count).unwrap_or(u64::MAX);
                (count > IP4_ADDRESSES_MAX).then_some(SpfFinding::TooWide { ip4_addresses })
            }
            _ => None,
        }
    });
    findings.take(TERMS_MAX).collect()
}

/// The lookups of the record's own terms.
fn own_lookups(record: &SpfRecord) -> u32 {
    own_costs(record).iter().map(|cost| cost.lookups).sum()
}

fn own_costs(record: &SpfRecord) -> Vec<Cost> {
    let terms = record.reachable().iter().filter(|directive| directive.mechanism.costs_lookup());
    let mut costs: Vec<Cost> =
        terms.map(|directive| Cost { depth: 0, term: directive.to_string(), lookups: 1 }).collect();
    costs.extend(record.live_redirect().map(|domain| Cost {
        depth: 0,
        term: format!("redirect={domain}"),
        lookups: 1,
    }));
    costs
}

/// What to say of a value to publish that does not fit into one string.
pub(super) fn long_value(value: &str) -> Option<SpfFinding> {
    (value.len() > STRING_OCTETS_MAX).then(|| SpfFinding::LongStrings { strings: cut(value) })
}

/// A value in strings of at most 255 octets, cut behind spaces where that can be.
///
/// Joined without anything between them they give the value again. RFC 7208 §3.3.
pub fn cut(value: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let mut string = String::new();
    for word in value.split_inclusive(' ') {
        if string.len() + word.len() > STRING_OCTETS_MAX && !string.is_empty() {
            strings.push(std::mem::take(&mut string));
        }
        for letter in word.chars() {
            if string.len() + letter.len_utf8() > STRING_OCTETS_MAX {
                strings.push(std::mem::take(&mut string));
            }
            string.push(letter);
        }
    }
    strings.push(string);
    strings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let found = lint(text.as_bytes());
        let codes: Vec<&str> = found.findings.iter().map(SpfFinding::code).collect();
        let valid = if found.is_valid() { "valid" } else { "invalid" };
        assert_eq!(format!("{valid} {}", codes.join(" ")).trim_end(), expected, "{why}");
    }

    #[test]
    fn texts_are_judged_alone() {
        check("a sound record", "v=spf1 include:_spf.example.com ~all", "valid");
        check("the grammar", "v=spf1 ip4:192.0.2.300 ~all", "invalid spf.syntax");
        check("no record", "hello", "invalid spf.missing");
        check("quotes", "\"v=spf1 ~all\"", "invalid spf.quotes-inside");
        check("the version", "v=spf2 ~all", "invalid spf.near-miss");
        check("everybody", "v=spf1 +all", "valid spf.pass-all");
        check("half of IPv4", "v=spf1 ip4:0.0.0.0/1 ~all", "valid spf.too-wide");
        check("2^28 addresses are allowed", "v=spf1 ip4:192.0.2.0/4 ~all", "valid");
        check("all of IPv6", "v=spf1 ip6:::/0 ~all", "valid spf.too-wide");
        check("an IPv6 /16 is allowed", "v=spf1 ip6:2001::/16 ~all", "valid");
        check("neutral", "v=spf1 a ?all", "valid spf.neutral-all");
        check("no end", "v=spf1 a", "valid spf.no-all");
        check("a redirect is an end", "v=spf1 redirect=_spf.example.com", "valid");
        check("behind all", "v=spf1 -all a", "valid spf.after-all");
        check("a redirect beside all", "v=spf1 -all redirect=_spf.example.com", "valid spf.after-all");
        check("ptr", "v=spf1 ptr -all", "valid spf.ptr-used");
        check("a mechanism with =", "v=spf1 include=_spf.example.com -all", "valid spf.unknown-modifier");
        check("a modifier of somebody's own", "v=spf1 moo=cow -all", "valid");
        check("eleven lookups", &format!("v=spf1{} -all", " a".repeat(11)), "valid spf.lookups-exceeded");
        check("ten lookups", &format!("v=spf1{} -all", " a".repeat(10)), "valid");
        let long = |count| format!("v=spf1{} -all", " ip4:192.0.2.1".repeat(count));
        check("more than a string", &long(18), "valid spf.long-strings");
        check("more than a packet", &long(40), "valid spf.long-record spf.long-strings");
    }

    #[test]
    fn a_cut_value_is_the_value() {
        for value in [String::new(), "a b".to_owned(), "a ".repeat(400), "x".repeat(600), "é".repeat(300)] {
            let strings = cut(&value);
            assert_eq!(strings.concat(), value);
            assert!(strings.iter().all(|string| string.len() <= STRING_OCTETS_MAX));
        }
    }
}
