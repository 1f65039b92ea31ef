//! A zone's file for octoDNS' `YamlProvider`.
//!
//! Such a file is the whole of a zone: what is not in it is deleted. So it has what is in place, too, and says that it is
//! to be merged. Texts are whole, for octoDNS cuts them itself, with a backslash before each semicolon. Names stand
//! in natural order (`s2` before `s10`), or octoDNS refuses the file.

use serde_json::json;

use crate::http::export::line;
use crate::http::export::sets::{Publishable, RecordSet, Wanted};
use crate::protocol::name::Name;
use crate::verify::evidence::RecordType;
use crate::verify::report::Report;

/// The file, with a comment for whatever is not in it.
pub fn octodns(report: &Report) -> String {
    let Wanted { sets, mut left_out } = Wanted::of(report);
    let mut hosts: Vec<(String, Vec<RecordSet<'_>>)> = Vec::new();
    for set in sets {
        match host(set.name, report).filter(|_| set.records.iter().all(is_writable)) {
            None => left_out.push(format!("{} is left out: octoDNS has no way to write {}", set.title(), set.shown())),
            Some(host) => match hosts.iter_mut().find(|(other, _)| *other == host) {
                Some((_, sets)) => sets.push(set),
                None => hosts.push((host, vec![set])),
            },
        }
    }
    hosts.sort_by_cached_key(|(host, _)| natural(host));
    let mut out = format!("---\n# records of {}, for {}.yaml: merge them, for octoDNS\n", report.domain, report.zone);
    line(&mut out, "# deletes what is not in its files; where a name has values already, keep them beside these.");
    line(&mut out, "# Semicolons are escaped, as octoDNS 1 wants it: escaped_semicolons: true");
    for why in left_out {
        line(&mut out, &format!("# {why}"));
    }
    for (host, sets) in &hosts {
        line(&mut out, &format!("{}:", quoted(host)));
        match sets.as_slice() {
            [set] => write_set(&mut out, set, "  ", "  "),
            // Several types at one name are a list.
            sets => sets.iter().for_each(|set| write_set(&mut out, set, "  - ", "    ")),
        }
    }
    out
}

fn write_set(out: &mut String, set: &RecordSet<'_>, first: &str, indent: &str) {
    line(out, &format!("{first}ttl: {}", set.ttl_seconds));
    line(out, &format!("{indent}type: {}", set.record_type));
    match (set.record_type, set.records.as_slice()) {
        (RecordType::Mx, hosts) => {
            line(out, &format!("{indent}values:"));
            for host in hosts {
                line(out, &format!("{indent}  - exchange: {}", quoted(&format!("{}.", host.value))));
                line(out, &format!("{indent}    preference: {}", host.preference()));
            }
        }
        (_, [one]) => line(out, &format!("{indent}value: {}", quoted(&value(one)))),
        (_, several) => {
            line(out, &format!("{indent}values:"));
            several.iter().for_each(|one| line(out, &format!("{indent}  - {}", quoted(&value(one)))));
        }
    }
}

/// The name relative to the zone, the zone itself an empty text. Nothing for a name outside of it.
fn host(name: &Name, report: &Report) -> Option<String> {
    name.relative_to(&report.zone).map(|host| if host == "@" { String::new() } else { host })
}

fn value(one: &Publishable<'_>) -> String {
    match one.record.record_type {
        RecordType::Txt => text(one.value),
        _ => one.data(),
    }
}

/// A text as octoDNS keeps it. It takes the quotes off a text that begins with one, so that one gets another pair.
fn text(text: &str) -> String {
    let escaped = text.replace(';', "\\;");
    if escaped.starts_with('"') { format!("\"{escaped}\"") } else { escaped }
}

/// Whether octoDNS can hold the value: it refuses what is not ASCII and a backslash before a semicolon, and
/// takes a quote, a space and a quote for a cut.
fn is_writable(one: &Publishable<'_>) -> bool {
    let is_plain = one.value.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    is_plain && !one.value.is_empty() && !one.value.contains("\\;") && !one.value.contains("\" \"")
}

/// A string of YAML's in double quotes; those of JSON are.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// The key by which octoDNS sorts: texts and numbers in turn, beginning with a text, if an empty one.
fn natural(host: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = host;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, behind) = rest.split_at(digits);
        parts.push(Part::Text(text.to_owned()));
        let (number, behind) = behind.split_at(behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len()));
        if !number.is_empty() {
            let significant = number.trim_start_matches('0');
            parts.push(Part::Number(significant.len(), significant.to_owned()));
        }
        rest = behind;
    }
    parts
}

/// A part of a name. A number is as great as it has digits, and then as its digits say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    Number(usize, String),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::export::samples;
    use crate::verify::purpose::Purpose;

    #[test]
    fn a_zone_s_file() {
        let expected = r#"---
# records of example.com, for example.com.yaml: merge them, for octoDNS
# deletes what is not in its files; where a name has values already, keep them beside these.
# Semicolons are escaped, as octoDNS 1 wants it: escaped_semicolons: true
# dkim (TXT at s3._domainkey.example.com) is left out: nothing is required here; your mail provider knows the value
"":
  - ttl: 3600
    type: TXT
    value: "v=spf1 exists:%{i}.example.net -all"
  - ttl: 3600
    type: MX
    values:
      - exchange: "mx1.example.net."
        preference: 10
      - exchange: "mx2.example.net."
        preference: 20
"_dmarc":
  ttl: 3600
  type: TXT
  value: "v=DMARC1\\; p=none"
"s2._domainkey":
  ttl: 3600
  type: CNAME
  value: "s2.example.net."
"s4._domainkey":
  ttl: 3600
  type: CNAME
  value: "s4.example.net."
"#;
        assert_eq!(octodns(&samples::motley()), expected);
    }

    #[test]
    fn names_stand_in_natural_order() {
        let mut names = vec!["s10", "s2", "", "10", "9a", "a", "s2b10", "s2b9", "s99999999999999999999999", "_dmarc"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["", "9a", "10", "_dmarc", "a", "s2", "s2b9", "s2b10", "s10", "s99999999999999999999999"]);
    }

    #[test]
    fn what_octodns_cannot_hold_is_said() {
        for value in ["a\" \"b", "a\\;b", "\u{fc}", ""] {
            let made = octodns(&samples::one_text(value));
            assert!(made.contains("# TXT at s1._domainkey.example.com is left out: octoDNS has no way"), "{made}");
            assert!(!made.contains("\n\"s1"), "{made}");
        }
        let outside = samples::report(vec![samples::txt(Purpose::Dkim, "s1._domainkey.example.org", "v=DKIM1; p=")]);
        assert!(octodns(&outside).contains("# TXT at s1._domainkey.example.org is left out"));
    }

    /// What octoDNS makes of a value: see its `_ChunkedValue`.
    fn read(made: &str) -> String {
        let line = made.lines().find_map(|line| line.strip_prefix("  value: ")).unwrap();
        let text: String = serde_json::from_str(line).unwrap();
        let text = if text.starts_with('"') { &text[1..text.len() - 1] } else { &text };
        text.replace("\" \"", "").replace("\\;", ";")
    }

    proptest! {
        #[test]
        fn every_text_comes_through(value in "[ -~]{1,600}") {
            let value = value.replace("\\;", ";").replace("\" \"", "");
            prop_assume!(!value.is_empty() && !value.contains("\\;") && !value.contains("\" \""));
            prop_assert_eq!(read(&octodns(&samples::one_text(&value))), value);
        }
    }
}
