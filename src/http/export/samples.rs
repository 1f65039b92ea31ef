//! Reports to export, and a reader of quoted texts, for the tests.

use crate::protocol::domain::Domain;
use crate::protocol::name::Name;
use crate::verify::evidence::RecordType;
use crate::verify::purpose::{Action, Purpose, Verdict};
use crate::verify::report::{RecordReport, Report};

pub(super) fn record(purpose: Purpose, record_type: RecordType, name: &str, value: &str) -> RecordReport {
    RecordReport {
        purpose,
        record_type,
        name: Name::parse(name).unwrap(),
        value: Some(value.to_owned()),
        priority: None,
        action: Action::Add,
        staged: false,
        ttl_seconds: 3_600,
        verdict: Verdict::Missing,
        found: Vec::new(),
        findings: Vec::new(),
        propagation: None,
    }
}

pub(super) fn txt(purpose: Purpose, name: &str, value: &str) -> RecordReport {
    record(purpose, RecordType::Txt, name, value)
}

pub(super) fn cname(name: &str, target: &str) -> RecordReport {
    record(Purpose::Dkim, RecordType::Cname, name, target)
}

pub(super) fn mx(preference: u16, host: &str) -> RecordReport {
    RecordReport { priority: Some(preference), ..record(Purpose::Mx, RecordType::Mx, "example.com", host) }
}

pub(super) fn report(records: Vec<RecordReport>) -> Report {
    Report {
        domain: Domain::parse("example.com").unwrap(),
        zone: Name::parse("example.com").unwrap(),
        records,
        spf: None,
        dmarc: None,
        dns_provider: None,
        advisories: Vec::new(),
    }
}

/// One DKIM text with this value.
pub(super) fn one_text(value: &str) -> Report {
    report(vec![txt(Purpose::Dkim, "s1._domainkey.example.com", value)])
}

/// One of everything: a replaced one, one in place, one that nobody has looked at, one without a value.
pub(super) fn motley() -> Report {
    let spf = txt(Purpose::Spf, "example.com", "v=spf1 exists:%{i}.example.net -all");
    let dmarc = txt(Purpose::Dmarc, "_dmarc.example.com", "v=DMARC1; p=none");
    report(vec![
        RecordReport { verdict: Verdict::Unchecked, ..spf },
        cname("s2._domainkey.example.com", "s2.example.net"),
        RecordReport { value: None, ..txt(Purpose::Dkim, "s3._domainkey.example.com", "") },
        RecordReport {
            action: Action::Keep,
            verdict: Verdict::Valid,
            ..cname("s4._domainkey.example.com", "s4.example.net")
        },
        RecordReport { action: Action::Replace, found: vec!["v=DMARC1; p=reject".to_owned()], ..dmarc },
        mx(10, "mx1.example.net"),
        mx(20, "mx2.example.net"),
    ])
}

/// What quoted character-strings hold, by the rule: a backslash before three digits of this radix, or any octet.
///
/// Panics where a string is longer than 255 octets, or something stands outside of one.
pub(super) fn unquoted(text: &str, radix: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.strip_prefix('"').unwrap_or_else(|| panic!("no string begins at {rest}"));
        let before = octets.len();
        loop {
            let next = rest.chars().next().unwrap_or_else(|| panic!("{text} does not end"));
            rest = &rest[next.len_utf8()..];
            match next {
                '"' => break,
                '\\' if rest.starts_with(|c: char| c.is_ascii_digit()) => {
                    octets.push(u8::from_str_radix(&rest[..3], radix).unwrap());
                    rest = &rest[3..];
                }
                '\\' => {
                    octets.push(u8::try_from(rest.chars().next().unwrap()).unwrap());
                    rest = &rest[1..];
                }
                ' '..='~' => octets.push(u8::try_from(next).unwrap()),
                _ => panic!("{next:?} stands as it is in {text}"),
            }
        }
        assert!(octets.len() - before <= 255, "a string is too long: {text}");
        rest = rest.strip_prefix(' ').unwrap_or(rest);
    }
    octets
}
