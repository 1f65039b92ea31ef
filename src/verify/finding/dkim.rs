//! Findings about DKIM keys.

use crate::protocol::name::Name;
use crate::verify::finding::{Fact, Severity};

/// What a judgement of a DKIM selector noticed. Texts in it are cut and escaped already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DkimFinding {
    /// No selector is known, so no key can be asked for.
    NoSelector,
    /// There is no key at the selector.
    Missing {
        /// The length of the text to publish, in octets, where it is known.
        value_octets: Option<usize>,
    },
    /// Nobody could tell what is there.
    Unanswered {
        /// The question.
        question: String,
        /// What came of it, in the contract's words.
        outcome: &'static str,
    },
    /// The selector and the domain make too long a name.
    LongName,
    /// A CNAME stands at the selector, and nothing stands where it leads.
    AliasDangles {
        /// Where it leads.
        target: Name,
    },
    /// Texts at the selector that have nothing to do with DKIM.
    ForeignText {
        /// The texts.
        texts: Vec<String>,
    },
    /// More than one key record at one selector.
    Several {
        /// How many.
        count: usize,
    },
    /// One key, cut over two records.
    SplitRecords,
    /// Quotes or backslashes of a master file inside the value.
    Quotes {
        /// The text.
        text: String,
        /// Whether the key is the right one without them.
        repairable: bool,
    },
    /// Typographic quotes, dashes or spaces that a word processor put in.
    SmartQuotes {
        /// The text.
        text: String,
    },
    /// The record breaks the grammar.
    Malformed {
        /// How.
        why: String,
    },
    /// `v=` is there, but not as it must be.
    BadVersion {
        /// How.
        why: String,
    },
    /// A record without `p=`.
    NoKey,
    /// A key type that verifiers ignore.
    UnknownKeyType {
        /// The type.
        key_type: String,
    },
    /// The key is not base64.
    NotBase64,
    /// The end of the key is missing.
    Truncated {
        /// Octets that are there.
        octets: usize,
        /// Octets that the key promises.
        octets_wanted: usize,
        /// Whether the text is as long as one string may be.
        at_string_end: bool,
    },
    /// The key cannot be read.
    NotAKey {
        /// Why.
        why: String,
    },
    /// An Ed25519 key in a wrapping that does not belong into a record.
    WrappedEd25519 {
        /// The value of `p=` as it must be.
        right: String,
    },
    /// An Ed25519 key in a record that does not say so.
    Ed25519WithoutType,
    /// `p=` is empty.
    Revoked,
    /// An RSA key that verifiers must not accept.
    KeyTooShort {
        /// Its size.
        bits: u32,
    },
    /// An RSA key that will do, but not for long.
    KeyWeak {
        /// Its size.
        bits: u32,
    },
    /// An RSA key that some verifiers cannot use.
    KeyLong {
        /// Its size.
        bits: u32,
    },
    /// An RSA key so long that no verifier is to be counted on.
    KeyTooLong {
        /// Its size.
        bits: u32,
    },
    /// `h=` without sha256.
    NoSha256 {
        /// What `h=` lists.
        hashes: Vec<String>,
    },
    /// `s=` without email.
    NoEmail {
        /// What `s=` lists.
        services: Vec<String>,
    },
    /// `t=y`.
    TestMode,
    /// `t=s`.
    Strict,
    /// A sound key, but another one.
    KeyDiffers {
        /// The fingerprint of the key that must be there.
        expected: String,
        /// The fingerprint of the key that is there.
        found: String,
    },
    /// Nobody knows which key must be there; the one that is there is sound.
    ExpectedUnknown,
    /// The key that was found.
    Key {
        /// Its kind: `rsa` or `ed25519`.
        algorithm: &'static str,
        /// Its size.
        bits: u32,
        /// base64 of the SHA-256 of its SubjectPublicKeyInfo.
        fingerprint: String,
        /// The length of the record's text.
        octets: usize,
        /// Into how many strings it is cut.
        strings: usize,
    },
    /// The provider's own name, which the CNAME is to lead to, yields no key.
    TargetMissing {
        /// The name.
        target: Name,
        /// What is wrong there.
        why: String,
    },
    /// The CNAME at the selector leads elsewhere.
    WrongTarget {
        /// Where it leads.
        found: Name,
        /// Where it must lead.
        expected: Name,
    },
    /// The right key, but copied instead of pointed to.
    Flattened {
        /// Where the CNAME is to lead.
        target: Name,
    },
}

impl DkimFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            DkimFinding::NoSelector => "dkim.no-selector",
            DkimFinding::Missing { .. } => "dkim.missing",
            DkimFinding::Unanswered { .. } => "dkim.unanswered",
            DkimFinding::LongName => "dkim.long-name",
            DkimFinding::AliasDangles { .. } => "dkim.alias-dangles",
            DkimFinding::ForeignText { .. } => "dkim.foreign-text",
            DkimFinding::Several { .. } => "dkim.several",
            DkimFinding::SplitRecords => "dkim.split-records",
            DkimFinding::Quotes { .. } => "dkim.quotes",
            DkimFinding::SmartQuotes { .. } => "dkim.smart-quotes",
            DkimFinding::Malformed { .. } => "dkim.malformed",
            DkimFinding::BadVersion { .. } => "dkim.bad-version",
            DkimFinding::NoKey => "dkim.no-key",
            DkimFinding::UnknownKeyType { .. } => "dkim.unknown-key-type",
            DkimFinding::NotBase64 => "dkim.not-base64",
            DkimFinding::Truncated { .. } => "dkim.truncated",
            DkimFinding::NotAKey { .. } => "dkim.not-a-key",
            DkimFinding::WrappedEd25519 { .. } => "dkim.ed25519-wrapped",
            DkimFinding::Ed25519WithoutType => "dkim.ed25519-without-type",
            DkimFinding::Revoked => "dkim.revoked",
            DkimFinding::KeyTooShort { .. } => "dkim.key-too-short",
            DkimFinding::KeyWeak { .. } => "dkim.key-weak",
            DkimFinding::KeyLong { .. } => "dkim.key-long",
            DkimFinding::KeyTooLong { .. } => "dkim.key-too-long",
            DkimFinding::NoSha256 { .. } => "dkim.no-sha256",
            DkimFinding::NoEmail { .. } => "dkim.no-email",
            DkimFinding::TestMode => "dkim.test-mode",
            DkimFinding::Strict => "dkim.strict",
            DkimFinding::KeyDiffers { .. } => "dkim.key-differs",
            DkimFinding::ExpectedUnknown => "dkim.expected-unknown",
            DkimFinding::Key { .. } => "dkim.key",
            DkimFinding::TargetMissing { .. } => "dkim.target-missing",
            DkimFinding::WrongTarget { .. } => "dkim.wrong-target",
            DkimFinding::Flattened { .. } => "dkim.flattened",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            DkimFinding::ForeignText { .. }
            | DkimFinding::Unanswered { .. }
            | DkimFinding::KeyWeak { .. }
            | DkimFinding::KeyLong { .. }
            | DkimFinding::TestMode
            | DkimFinding::WrongTarget { .. }
            | DkimFinding::Flattened { .. } => Severity::Warning,
            DkimFinding::NoSelector | DkimFinding::Strict | DkimFinding::ExpectedUnknown | DkimFinding::Key { .. } => {
                Severity::Notice
            }
            _ => Severity::Error,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            DkimFinding::Missing { value_octets: Some(octets) } => {
                vec![("value_octets", number(*octets)), ("value_strings", number(strings_of(*octets)))]
            }
            DkimFinding::Unanswered { question, outcome } => {
                vec![("question", Fact::text(question)), ("outcome", Fact::text(outcome))]
            }
            DkimFinding::AliasDangles { target } | DkimFinding::Flattened { target } => {
                vec![("target", Fact::text(target))]
            }
            DkimFinding::ForeignText { texts } => vec![("texts", Fact::list(texts))],
            DkimFinding::Several { count } => vec![("count", number(*count))],
            DkimFinding::Quotes { text, .. } | DkimFinding::SmartQuotes { text } => vec![("text", Fact::text(text))],
            DkimFinding::Malformed { why } | DkimFinding::BadVersion { why } | DkimFinding::NotAKey { why } => {
                vec![("why", Fact::text(why))]
            }
            DkimFinding::UnknownKeyType { key_type } => vec![("key_type", Fact::text(key_type))],
            DkimFinding::Truncated { octets, octets_wanted, .. } => {
                vec![("octets", number(*octets)), ("octets_wanted", number(*octets_wanted))]
            }
            DkimFinding::WrappedEd25519 { right } => vec![("right", Fact::text(right))],
            DkimFinding::KeyTooShort { bits }
            | DkimFinding::KeyWeak { bits }
            | DkimFinding::KeyLong { bits }
            | DkimFinding::KeyTooLong { bits } => {
                vec![("bits", Fact::Number(u64::from(*bits)))]
            }
            DkimFinding::NoSha256 { hashes } => vec![("hashes", Fact::list(hashes))],
            DkimFinding::NoEmail { services } => vec![("services", Fact::list(services))],
            DkimFinding::KeyDiffers { expected, found } => {
                vec![("expected", Fact::text(expected)), ("found", Fact::text(found))]
            }
            DkimFinding::Key { algorithm, bits, fingerprint, octets, strings } => vec![
                ("algorithm", Fact::text(algorithm)),
                ("bits", Fact::Number(u64::from(*bits))),
                ("fingerprint", Fact::text(fingerprint)),
                ("octets", number(*octets)),
                ("strings", number(*strings)),
            ],
            DkimFinding::TargetMissing { target, why } => {
                vec![("target", Fact::text(target)), ("why", Fact::text(why))]
            }
            DkimFinding::WrongTarget { found, expected } => {
                vec![("found", Fact::text(found)), ("expected", Fact::text(expected))]
            }
            _ => Vec::new(),
        }
    }

    /// One of each.
    pub fn examples() -> Vec<DkimFinding> {
        let target = || Name::parse("s1.dkim.provider.example").unwrap_or_else(|_| Name::root());
        let text = || "\"v=DKIM1; k=rsa; p=MIGf…".to_owned();
        let why = || "two semicolons follow each other".to_owned();
        vec![
            DkimFinding::NoSelector,
            DkimFinding::Missing { value_octets: Some(410) },
            DkimFinding::Unanswered { question: "s1._domainkey.example.com TXT".to_owned(), outcome: "servfail" },
            DkimFinding::LongName,
            DkimFinding::AliasDangles { target: target() },
            DkimFinding::ForeignText { texts: vec!["v=spf1 -all".to_owned()] },
            DkimFinding::Several { count: 2 },
            DkimFinding::SplitRecords,
            DkimFinding::Quotes { text: text(), repairable: true },
            DkimFinding::SmartQuotes { text: text() },
            DkimFinding::Malformed { why: why() },
            DkimFinding::BadVersion { why: "the version is `dkim1`".to_owned() },
            DkimFinding::NoKey,
            DkimFinding::UnknownKeyType { key_type: "dsa".to_owned() },
            DkimFinding::NotBase64,
            DkimFinding::Truncated { octets: 174, octets_wanted: 294, at_string_end: true },
            DkimFinding::NotAKey { why: "the text is base64, but not of a public key of type rsa".to_owned() },
            DkimFinding::WrappedEd25519 { right: "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned() },
            DkimFinding::Ed25519WithoutType,
            DkimFinding::Revoked,
            DkimFinding::KeyTooShort { bits: 512 },
            DkimFinding::KeyWeak { bits: 1024 },
            DkimFinding::KeyLong { bits: 8192 },
            DkimFinding::KeyTooLong { bits: 16384 },
            DkimFinding::NoSha256 { hashes: vec!["sha1".to_owned()] },
            DkimFinding::NoEmail { services: vec!["tlsrpt".to_owned()] },
            DkimFinding::TestMode,
            DkimFinding::Strict,
            DkimFinding::KeyDiffers { expected: "q2Zz…=".to_owned(), found: "Lk3v…=".to_owned() },
            DkimFinding::ExpectedUnknown,
            DkimFinding::Key {
                algorithm: "rsa",
                bits: 2048,
                fingerprint: "q2Zz…=".to_owned(),
                octets: 410,
                strings: 2,
            },
            DkimFinding::TargetMissing { target: target(), why: "there is no such name".to_owned() },
            DkimFinding::WrongTarget { found: target(), expected: target() },
            DkimFinding::Flattened { target: target() },
        ]
    }
}

/// How many character-strings of at most 255 octets a text takes. RFC 1035 §3.3.
pub fn strings_of(octets: usize) -> usize {
    octets.div_ceil(255)
}

fn number(value: usize) -> Fact {
    Fact::Number(u64::try_from(value).unwrap_or(u64::MAX))
}
