//! What the texts at a selector say, and what is wrong with each.

use crate::protocol::dkim::{
    Algorithm, KeyFault, KeyRecord, KeyRecordFault, PublicKey, RSA_BITS_MAX, RSA_BITS_MIN, RSA_BITS_SURE,
};
use crate::protocol::tag_list::{self, Element};
use crate::verify::evidence::Txt;
use crate::verify::finding::dkim::DkimFinding;

/// RSA keys of fewer bits should no longer be made. RFC 8301 §3.2.
const RSA_BITS_GOOD: u32 = 2_048;

/// A `p=` this long is meant as a key, whatever else the text says. An Ed25519 key takes 44 characters.
const KEY_CHARS_MIN: usize = 40;

/// The most foreign texts that a finding repeats.
const FOREIGN_MAX: usize = 5;

/// The texts at a selector, those meant as keys apart from the others.
pub(super) struct Texts {
    pub(super) keys: Vec<Txt>,
    foreign: Vec<Txt>,
}

impl Texts {
    pub(super) fn sort(texts: &[&Txt]) -> Texts {
        let (keys, foreign) = texts.iter().map(|txt| (*txt).clone()).partition(|txt: &Txt| is_meant(&txt.joined()));
        Texts { keys, foreign }
    }

    /// Texts that have nothing to do with DKIM, where there are any.
    pub(super) fn foreign_finding(&self) -> Vec<DkimFinding> {
        if self.foreign.is_empty() {
            return Vec::new();
        }
        let texts = self.foreign.iter().take(FOREIGN_MAX).map(|txt| tag_list::shown(&txt.joined())).collect();
        vec![DkimFinding::ForeignText { texts }]
    }

    /// Whether a foreign text looks like the rest of a key that is cut off.
    pub(super) fn is_split(&self, reading: &Reading) -> bool {
        let is_cut = reading.findings.iter().any(|finding| {
            matches!(finding, DkimFinding::Truncated { .. } | DkimFinding::NotBase64 | DkimFinding::NotAKey { .. })
        });
        let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
        is_cut
            && self.foreign.iter().any(|txt| {
                let text = txt.joined();
                let text = tag_list::trim(&text);
                text.len() >= 16 && text.iter().all(is_base64)
            })
    }
}

/// Whether a text is meant as a DKIM key, however wrong it may be.
fn is_meant(text: &[u8]) -> bool {
    let plain = unquoted(text);
    let mut has_key = false;
    let mut key_chars = 0;
    let mut version = None;
    for element in tag_list::elements(&plain) {
        let Element::Tag(tag) = element else { continue };
        match tag.name.as_str() {
            "p" => (has_key, key_chars) = (true, tag.value.len()),
            "v" | "V" => version = Some(tag.value.to_ascii_lowercase()),
            _ => {}
        }
    }
    match version {
        Some(version) => version.starts_with(b"dkim") || key_chars >= KEY_CHARS_MIN,
        None => has_key,
    }
}

/// The text without quotation marks and backslashes.
fn unquoted(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|octet| !matches!(octet, b'"' | b'\\')).collect()
}

/// One record, read.
pub(super) struct Reading {
    /// The key, where there is one.
    pub(super) key: Option<PublicKey>,
    /// Whether verifiers can use it for mail.
    pub(super) sound: bool,
    /// What was noticed, the worst first.
    pub(super) findings: Vec<DkimFinding>,
}

impl Reading {
    pub(super) fn of(txt: &Txt, expected: Option<&PublicKey>) -> Reading {
        let text = txt.joined();
        match KeyRecord::parse(&text) {
            Ok(record) => Reading::of_record(record, txt),
            Err(fault) => Reading { key: None, sound: false, findings: vec![why_unread(&text, fault, expected)] },
        }
    }

    fn of_record(record: KeyRecord, txt: &Txt) -> Reading {
        let mut errors = Vec::new();
        let mut others = Vec::new();
        match &record.key {
            None => errors.push(DkimFinding::Revoked),
            Some(key) => {
                match key.bits() {
                    _ if key.algorithm() != Algorithm::Rsa => {}
                    bits if bits < RSA_BITS_MIN => errors.push(DkimFinding::KeyTooShort { bits }),
                    bits if bits < RSA_BITS_GOOD => others.push(DkimFinding::KeyWeak { bits }),
                    bits if bits > RSA_BITS_MAX => errors.push(DkimFinding::KeyTooLong { bits }),
                    bits if bits > RSA_BITS_SURE => others.push(DkimFinding::KeyLong { bits }),
                    _ => {}
                }
                others.push(DkimFinding::Key {
                    algorithm: key.algorithm().as_str(),
                    bits: key.bits(),
                    fingerprint: key.fingerprint(),
                    octets: txt.joined().len(),
                    strings: txt.strings.len(),
                });
            }
        }
        let cut = |texts: &Option<Vec<String>>| -> Vec<String> {
            texts.iter().flatten().take(FOREIGN_MAX).map(|text| tag_list::shown(text.as_bytes())).collect()
        };
        if !record.allows_sha256() {
            errors.push(DkimFinding::NoSha256 { hashes: cut(&record.hashes) });
        }
        if !record.allows_email() {
            errors.push(DkimFinding::NoEmail { services: cut(&record.services) });
        }
        if record.is_testing() {
            others.push(DkimFinding::TestMode);
        }
        if record.is_strict() {
            others.push(DkimFinding::Strict);
        }
        Reading { key: record.key, sound: errors.is_empty(), findings: [errors, others].concat() }
    }

    /// What is wrong, in a few words, for somebody else's finding.
    pub(super) fn why(&self) -> String {
        let codes: Vec<&str> = self.findings.iter().map(DkimFinding::code).filter(|code| *code != "dkim.key").collect();
        format!("the record there is unusable ({})", codes.join(", "))
    }
}

/// Why a text cannot be read, by the likeliest mistake of whoever put it there.
fn why_unread(text: &[u8], fault: KeyRecordFault, expected: Option<&PublicKey>) -> DkimFinding {
    if !text.is_ascii() {
        return DkimFinding::SmartQuotes { text: tag_list::shown(text) };
    }
    if text.iter().any(|octet| matches!(octet, b'"' | b'\\')) {
        let key = KeyRecord::parse(&unquoted(text)).ok().and_then(|record| record.key);
        let repairable = key.is_some_and(|key| expected.is_none_or(|expected| key == *expected));
        return DkimFinding::Quotes { text: tag_list::shown(text), repairable };
    }
    match fault {
        KeyRecordFault::TagList(_) | KeyRecordFault::EmptyEntry(_) => DkimFinding::Malformed { why: fault.to_string() },
        KeyRecordFault::VersionNotFirst | KeyRecordFault::BadVersion(_) => {
            DkimFinding::BadVersion { why: fault.to_string() }
        }
        KeyRecordFault::UnknownKeyType(key_type) => DkimFinding::UnknownKeyType { key_type },
        KeyRecordFault::NoKey => DkimFinding::NoKey,
        KeyRecordFault::Key(KeyFault::NotBase64) => DkimFinding::NotBase64,
        KeyRecordFault::Key(KeyFault::Truncated { octets, octets_wanted }) => {
            DkimFinding::Truncated { octets, octets_wanted, at_string_end: text.len() == 255 }
        }
        KeyRecordFault::Key(KeyFault::WrappedEd25519(key)) => {
            DkimFinding::WrappedEd25519 { right: key.record_base64() }
        }
        KeyRecordFault::Key(KeyFault::Ed25519WithoutType(_)) => DkimFinding::Ed25519WithoutType,
        KeyRecordFault::Key(fault) => DkimFinding::NotAKey { why: fault.to_string() },
    }
}
