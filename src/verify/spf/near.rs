//! Texts that were meant to be SPF records and are none, and terms that were meant well.
//!
//! A receiver ignores the former (RFC 7208 §4.5) and stumbles over the latter (§4.6). What was
//! meant is guessed only to say what to publish instead, never to judge.

use crate::protocol::spf::is_record;
use crate::protocol::spf::terms::{Term, read_term, shown};

/// What keeps a text from being an SPF record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearMissKind {
    /// Quotes or backslashes, plain or typographic, became part of the text.
    Quotes,
    /// Spaces or a byte order mark stand before the version.
    Space,
    /// The version is misspelled: `v=spf10`, `v=spf1;`, `v=spf1include:…`.
    Version,
    /// A Sender ID record (RFC 4406): history, and harmless.
    SenderId,
}

/// A text that looks like an SPF record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// What is wrong.
    pub kind: NearMissKind,
    /// What was probably meant.
    pub repaired: Option<Vec<u8>>,
}

/// Marks that people paste along with a value, in UTF-8.
const MARKS: [&str; 9] = ["\"", "'", "\\", "`", "“", "”", "„", "‘", "’"];

/// What `text` was meant to be, where it is no SPF record but looks like one.
pub fn near_miss(text: &[u8]) -> Option<NearMiss> {
    if is_record(text) {
        return None;
    }
    let read = String::from_utf8_lossy(text);
    let bare = MARKS.iter().fold(read.to_string(), |text, mark| text.replace(mark, ""));
    let had_marks = bare.len() != read.len();
    let trimmed = bare.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').trim_end();
    let lower = trimmed.to_ascii_lowercase();
    if lower.starts_with("spf2.0") {
        return Some(NearMiss { kind: NearMissKind::SenderId, repaired: None });
    }
    if is_record(trimmed.as_bytes()) {
        let kind = if had_marks { NearMissKind::Quotes } else { NearMissKind::Space };
        return Some(NearMiss { kind, repaired: Some(trimmed.as_bytes().to_vec()) });
    }
    let starts = ["v=spf", "v = spf", "v= spf", "v =spf", "v:spf1", "spf1 ", "=spf1"];
    if !starts.iter().any(|start| lower.starts_with(start)) {
        return None;
    }
    let glued = lower.starts_with("v=spf1") && lower.as_bytes().get(6).is_some_and(u8::is_ascii_alphabetic);
    let terms = if glued { trimmed.get(6..) } else { lower.find("spf").and_then(|at| after_word(trimmed, at)) };
    let repaired = terms.map(|terms| format!("v=spf1 {}", terms.trim()).trim_end().as_bytes().to_vec());
    Some(NearMiss { kind: NearMissKind::Version, repaired })
}

/// What follows the word that begins at `at`.
fn after_word(text: &str, at: usize) -> Option<&str> {
    let rest = text.get(at..)?;
    Some(rest.split_once(' ').map_or("", |(_, after)| after))
}

/// What a term that breaks the grammar was probably meant to be.
pub fn repair_term(term: &[u8]) -> Option<Term> {
    let text = std::str::from_utf8(term).ok()?;
    let bare = MARKS.iter().fold(text.to_owned(), |text, mark| text.replace(mark, ""));
    let bare = bare.trim_matches([',', ';', '.']);
    if let Ok(term) = read_term(bare.as_bytes()) {
        return Some(term);
    }
    let unsigned = bare.trim_start_matches(['+', '-', '~', '?']);
    let sign = bare.get(..bare.len() - unsigned.len()).filter(|sign| sign.len() < 2)?;
    for (name, value) in unsigned.split_once([':', '=']).into_iter().chain([("ip", unsigned)]) {
        let name = name.to_ascii_lowercase();
        let candidates = match name.as_str() {
            "redirect" | "exp" => vec![format!("{name}={value}")],
            "ip" | "ip4" | "ip6" | "ipv4" | "ipv6" | "a" | "mx" => {
                vec![format!("{sign}ip4:{value}"), format!("{sign}ip6:{value}")]
            }
            _ => Vec::new(),
        };
        if let Some(term) = candidates.iter().find_map(|text| read_term(text.as_bytes()).ok()) {
            return Some(term);
        }
    }
    None
}

/// The mechanism that an unknown modifier was probably meant to be: `include=…` for `include:…`.
pub fn meant_mechanism(name: &str, value: &str) -> Option<String> {
    let known = ["include", "a", "mx", "ptr", "ip4", "ip6", "exists"];
    if !known.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return None;
    }
    let meant = format!("{}:{value}", name.to_ascii_lowercase());
    read_term(meant.as_bytes()).is_ok().then_some(meant)
}

/// Where two strings of a record run together that a space should part: the last and the first word.
///
/// Strings are joined without a space. RFC 7208 §3.3.
pub fn run_together(strings: &[Vec<u8>]) -> Option<(String, String)> {
    strings.iter().zip(strings.iter().skip(1)).find_map(|(before, after)| seam(before, after))
}

/// The text of a record as it was meant: with a space wherever strings run together.
pub fn parted(strings: &[Vec<u8>]) -> Vec<u8> {
    let mut text = strings.first().cloned().unwrap_or_default();
    for (before, after) in strings.iter().zip(strings.iter().skip(1)) {
        if seam(before, after).is_some() {
            text.push(b' ');
        }
        text.extend(after);
    }
    text
}

/// The words on both sides of a seam that a space should part.
fn seam(before: &[u8], after: &[u8]) -> Option<(String, String)> {
    const STARTS: [&str; 11] =
        ["include:", "ip4:", "ip6:", "a:", "mx:", "exists:", "redirect=", "-all", "~all", "?all", "+all"];
    let before = String::from_utf8_lossy(before);
    let after = String::from_utf8_lossy(after).to_ascii_lowercase();
    let starts = STARTS.iter().any(|start| after.starts_with(start));
    // A sign at the seam belongs to what follows it: a cut through a term is no fault.
    let word = before.rsplit(' ').next().filter(|word| !matches!(*word, "" | "+" | "-" | "~" | "?"))?;
    let next = after.split(' ').next().unwrap_or_default();
    starts.then(|| (shown(word.as_bytes()), shown(next.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match near_miss(text.as_bytes()) {
            None => "nothing".to_owned(),
            Some(NearMiss { kind, repaired }) => {
                format!("{kind:?} {}", String::from_utf8_lossy(&repaired.unwrap_or_default()))
            }
        };
        assert_eq!(shown.trim_end(), expected, "{why}");
    }

    #[test]
    fn texts_that_were_meant_to_be_records() {
        check("a record is none", "v=spf1 -all", "nothing");
        check("another text", "google-site-verification=abc", "nothing");
        check("quotes", "\"v=spf1 a -all\"", "Quotes v=spf1 a -all");
        check("quotes between strings", "\"v=spf1 a \" \"-all\"", "Quotes v=spf1 a  -all");
        check("smart quotes", "“v=spf1 a -all”", "Quotes v=spf1 a -all");
        check("a backslash", r#"\"v=spf1 -all\""#, "Quotes v=spf1 -all");
        check("a leading space", " v=spf1 -all", "Space v=spf1 -all");
        check("a byte order mark", "\u{feff}v=spf1 -all", "Space v=spf1 -all");
        check("another version", "v=spf10 a -all", "Version v=spf1 a -all");
        check("a semicolon, as in DKIM", "v=spf1; a -all", "Version v=spf1 a -all");
        check("no space", "v=spf1include:a.example -all", "Version v=spf1 include:a.example -all");
        check("a letter for a digit", "v=spfl -all", "Version v=spf1 -all");
        check("Sender ID", "spf2.0/pra -all", "SenderId");
    }

    #[test]
    fn terms_that_were_meant_well() {
        let repaired = |term: &str| match repair_term(term.as_bytes()) {
            Some(Term::Directive(directive)) => directive.to_string(),
            Some(other) => format!("{other:?}").chars().take(8).collect(),
            None => "nothing".to_owned(),
        };
        for (term, expected) in [
            ("a:192.0.2.1", "ip4:192.0.2.1"),
            ("ip:192.0.2.0/24", "ip4:192.0.2.0/24"),
            ("ipv6:2001:db8::/32", "ip6:2001:db8::/32"),
            ("ip4:2001:db8::1", "ip6:2001:db8::1"),
            ("-ip6:192.0.2.1", "-ip4:192.0.2.1"),
            ("192.0.2.1", "ip4:192.0.2.1"),
            ("include:a.example.com,", "include:a.example.com"),
            ("~all\"", "~all"),
            ("-all.", "-all"),
            ("redirect:a.example.com", "Redirect"),
            ("moo", "nothing"),
            ("ip4:192.0.2.300", "nothing"),
        ] {
            assert_eq!(repaired(term), expected, "{term}");
        }
    }
}
