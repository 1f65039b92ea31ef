//! DKIM key records (RFC 6376 §3.6.1, RFC 8301, RFC 8463): from octets to a key and its terms of use.
//!
//! Owns two questions: *what does this record say?* ([`KeyRecord::parse`]) and *which key is that?*
//! ([`PublicKey`], in [`key`]). Whether it is the right key is judged in [`crate::verify::dkim`].
//!
//! # Strictness
//!
//! A record is read whole or not at all, for one broken element spoils a tag list (RFC 6376 §3.2).
//! Tags and values that nobody knows are kept or ignored as RFC 6376 §3.6.1 says, and so is the `g=`
//! of RFC 4871, which RFC 6376 dropped.

pub mod key;

pub use crate::protocol::dkim::key::{Algorithm, KeyFault, PublicKey, RSA_BITS_MAX, RSA_BITS_MIN, RSA_BITS_SURE};

use thiserror::Error;

use crate::protocol::tag_list::{self, Tag, TagListFault};

/// A key record that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Whether the record says `v=DKIM1`, which it should.
    pub versioned: bool,
    /// The key, or nothing where `p=` is empty: the key has been revoked. RFC 6376 §3.6.1.
    pub key: Option<PublicKey>,
    /// `h=`: the hash algorithms that may be used; nothing allows all.
    pub hashes: Option<Vec<String>>,
    /// `s=`: what the key may sign; nothing allows everything.
    pub services: Option<Vec<String>>,
    /// `t=`: flags.
    pub flags: Vec<String>,
    /// Names of tags that RFC 6376 does not know. They are ignored.
    pub unknown_tags: Vec<String>,
}

impl KeyRecord {
    /// Reads a record's joined text.
    ///
    /// # Errors
    ///
    /// [`KeyRecordFault`], the fault of whoever wrote the record.
    pub fn parse(text: &[u8]) -> Result<KeyRecord, KeyRecordFault> {
        let tags = tag_list::parse(text)?;
        let versioned = check_version(&tags)?;
        let value = |name: &str| tags.iter().find(|tag| tag.name == name).map(|tag| tag.value.as_slice());
        let algorithm = match value("k") {
            None => Algorithm::Rsa,
            Some(text) => {
                Algorithm::parse(text).ok_or_else(|| KeyRecordFault::UnknownKeyType(tag_list::shown(text)))?
            }
        };
        let hashes = list("h", value("h"))?;
        let services = list("s", value("s"))?;
        let flags = list("t", value("t"))?.unwrap_or_default();
        let key = match value("p") {
            None => return Err(KeyRecordFault::NoKey),
            Some([]) => None,
            Some(text) => Some(PublicKey::of_record(algorithm, text)?),
        };
        let unknown_tags =
            tags.iter().filter(|tag| !KNOWN_TAGS.contains(&tag.name.as_str())).map(|tag| tag.name.clone()).collect();
        Ok(KeyRecord { versioned, key, hashes, services, flags, unknown_tags })
    }

    /// Whether the key may be used with SHA-256, the only hash that mail may be signed with. RFC 8301 §3.1.
    pub fn allows_sha256(&self) -> bool {
        self.hashes.as_ref().is_none_or(|hashes| hashes.iter().any(|hash| hash == "sha256"))
    }

    /// Whether the key may sign mail. RFC 6376 §3.6.1.
    pub fn allows_email(&self) -> bool {
        self.services
            .as_ref()
            .is_none_or(|services| services.iter().any(|service| service == "email" || service == "*"))
    }

    /// `t=y`: the domain is only trying DKIM out, and its signatures count as none. RFC 6376 §3.6.1.
    pub fn is_testing(&self) -> bool {
        self.flags.iter().any(|flag| flag == "y")
    }

    /// `t=s`: the key may not sign for subdomains. RFC 6376 §3.6.1.
    pub fn is_strict(&self) -> bool {
        self.flags.iter().any(|flag| flag == "s")
    }

    /// The record's text, for putting it where it can be published.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if self.versioned {
            text.push_str("v=DKIM1; ");
        }
        for (name, values) in [("h", self.hashes.as_deref()), ("s", self.services.as_deref())] {
            if let Some(values) = values {
                text.push_str(&format!("{name}={}; ", values.join(":")));
            }
        }
        if !self.flags.is_empty() {
            text.push_str(&format!("t={}; ", self.flags.join(":")));
        }
        match &self.key {
            Some(key) => text.push_str(&format!("k={}; p={}", key.algorithm().as_str(), key.record_base64())),
            None => text.push_str("p="),
        }
        text
    }
}

/// The tags of RFC 6376 §3.6.1, and `g` of RFC 4871.
const KNOWN_TAGS: [&str; 8] = ["v", "h", "k", "n", "p", "s", "t", "g"];

/// Why a text is no key record that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyRecordFault {
    /// The grammar of RFC 6376 §3.2.
    #[error(transparent)]
    TagList(#[from] TagListFault),
    /// `v=` must be the first tag where it stands at all.
    #[error("`v=DKIM1` must be the first tag of the record (RFC 6376 §3.6.1)")]
    VersionNotFirst,
    /// Another version than DKIM1.
    #[error("the version is `{0}`, and must be `DKIM1` (RFC 6376 §3.6.1)")]
    BadVersion(String),
    /// A list with nothing between two colons, or nothing at all.
    #[error("the list in `{0}=` has an empty entry (RFC 6376 §3.6.1)")]
    EmptyEntry(&'static str),
    /// A key type nobody here knows; verifiers ignore such a record.
    #[error("the key type `{0}` is not known; `rsa` and `ed25519` are (RFC 6376 §3.6.1, RFC 8463 §4)")]
    UnknownKeyType(String),
    /// No `p=`, which is required.
    #[error("the record has no `p=`, which holds the key (RFC 6376 §3.6.1)")]
    NoKey,
    /// The key itself.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

/// Whether `v=` is there; it must be first, and DKIM1 to the letter. RFC 6376 §3.6.1.
fn check_version(tags: &[Tag]) -> Result<bool, KeyRecordFault> {
    match tags.iter().position(|tag| tag.name == "v") {
        None => Ok(false),
        Some(0) => match tags.first().map(|tag| tag.value.as_slice()) {
            Some(b"DKIM1") => Ok(true),
            other => Err(KeyRecordFault::BadVersion(tag_list::shown(other.unwrap_or_default()))),
        },
        Some(_) => Err(KeyRecordFault::VersionNotFirst),
    }
}

fn list(name: &'static str, value: Option<&[u8]>) -> Result<Option<Vec<String>>, KeyRecordFault> {
    let Some(value) = value else { return Ok(None) };
    let entries = tag_list::colon_list(value);
    if entries.iter().any(String::is_empty) {
        return Err(KeyRecordFault::EmptyEntry(name));
    }
    Ok(Some(entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";
    const ED25519: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let text = text.replace("RSA", RSA_1024).replace("ED", ED25519);
        let shown = match KeyRecord::parse(text.as_bytes()) {
            Ok(record) => {
                let key = record
                    .key
                    .as_ref()
                    .map_or("revoked".to_owned(), |k| format!("{} {}", k.algorithm().as_str(), k.bits()));
                format!(
                    "{key} sha256={} email={} testing={} strict={}",
                    record.allows_sha256(),
                    record.allows_email(),
                    record.is_testing(),
                    record.is_strict()
                )
            }
            Err(fault) => format!("error: {fault}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
    }

    #[test]
    fn a_record_becomes_a_key_and_its_terms() {
        let sound = "rsa 1024 sha256=true email=true testing=false strict=false";
        check("the plain form", "v=DKIM1; k=rsa; p=RSA", sound);
        check("v and k may be missing", "p=RSA", sound);
        check("any order behind v", "v=DKIM1; p=RSA; k=rsa", sound);
        check("unknown tags are ignored", "v=DKIM1; x=y; p=RSA", sound);
        check("g of RFC 4871 is ignored", "v=DKIM1; g=; p=RSA", sound);
        check("notes", "v=DKIM1; n=hello world; p=RSA;", sound);
        check("Ed25519, RFC 8463", "v=DKIM1; k=ed25519; p=ED", "ed25519 256");
        check("revoked", "v=DKIM1; p=", "revoked");
        check("both hashes", "v=DKIM1; h=sha1 : sha256; p=RSA", sound);
        check("no sha256", "v=DKIM1; h=sha1; p=RSA", "rsa 1024 sha256=false");
        check("an unknown hash beside it", "v=DKIM1; h=sha256:x; p=RSA", sound);
        check("any service", "v=DKIM1; s=*; p=RSA", sound);
        check("another service", "v=DKIM1; s=tlsrpt; p=RSA", "rsa 1024 sha256=true email=false");
        check("flags", "v=DKIM1; t=y:s; p=RSA", "rsa 1024 sha256=true email=true testing=true strict=true");
        check("v is not first", "k=rsa; v=DKIM1; p=RSA", "error: `v=DKIM1` must be the first");
        check("v folds no case", "v=dkim1; p=RSA", "error: the version is `dkim1`");
        check("a backslash before the semicolon", "v=DKIM1\\; p=RSA", "error: the version is `DKIM1\\`");
        check("k folds no case", "v=DKIM1; k=RSA1; p=RSA", "error: the key type");
        check("no key", "v=DKIM1; k=rsa", "error: the record has no `p=`");
        check("an empty entry", "v=DKIM1; h=sha256:; p=RSA", "error: the list in `h=`");
        check("a colon for a semicolon", "v=DKIM1: k=rsa; p=RSA", "error: the version is");
    }

    #[test]
    fn whitespace_in_the_key_changes_nothing() {
        let spaced: String = RSA_1024.chars().flat_map(|c| [c, ' ', '\t']).collect();
        let of = |p: &str| KeyRecord::parse(format!("v=DKIM1; p={p}").as_bytes()).unwrap();
        assert_eq!(of(&spaced), of(RSA_1024));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_harm(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = KeyRecord::parse(&text);
        }

        #[test]
        fn what_is_rendered_reads_back(
            versioned: bool,
            point: Option<[u8; 32]>,
            hashes in proptest::option::of(proptest::collection::vec("[a-z][a-z0-9]{0,8}", 1..4)),
            services in proptest::option::of(proptest::collection::vec("[a-z][a-z0-9]{0,8}", 1..4)),
            flags in proptest::collection::vec("[a-z]", 0..3),
        ) {
            let key = point.map(PublicKey::ed25519);
            let record = KeyRecord { versioned, key, hashes, services, flags, unknown_tags: Vec::new() };
            prop_assert_eq!(KeyRecord::parse(record.render().as_bytes()), Ok(record));
        }
    }
}
