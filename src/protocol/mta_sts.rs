//! MTA-STS records (RFC 8461 §3.1): that a domain has a policy, and which version of it.
//!
//! The policy itself is fetched over HTTPS, which we do not; the record alone says whether a sender will look.

use thiserror::Error;

use crate::protocol::tag_list::{self, TagListFault};

/// The longest id. RFC 8461 §3.1.
pub const ID_OCTETS_MAX: usize = 32;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MtaStsRecord {
    /// Which version of the policy: changes whenever the policy does.
    pub id: String,
}

/// Which rule of RFC 8461 §3.1 a text breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MtaStsFault {
    /// The list of tags.
    #[error("{0}")]
    TagList(#[from] TagListFault),
    /// It does not begin with the version.
    #[error("the record does not begin with `v=STSv1` (RFC 8461 §3.1)")]
    Version,
    /// No id.
    #[error("the tag `id` is missing, so senders cannot tell when the policy changes (RFC 8461 §3.1)")]
    NoId,
    /// An id that is none.
    #[error("the id `{0}` is not 1 to {ID_OCTETS_MAX} letters and digits (RFC 8461 §3.1)")]
    BadId(String),
}

/// Whether a text claims to be such a record, so that others at the name are passed over. RFC 8461 §3.1.
pub fn is_record(text: &[u8]) -> bool {
    text.starts_with(b"v=STSv1;") || text == b"v=STSv1"
}

/// Reads a record.
///
/// # Errors
///
/// [`MtaStsFault`], the fault of whoever wrote the text.
pub fn parse(text: &[u8]) -> Result<MtaStsRecord, MtaStsFault> {
    let tags = tag_list::parse(text)?;
    // To the letter: a space before the semicolon, or around `=`, and readers pass over it. RFC 8461 §3.1.
    if !is_record(text) {
        return Err(MtaStsFault::Version);
    }
    let id = tags.iter().find(|tag| tag.name == "id").ok_or(MtaStsFault::NoId)?;
    if id.value.is_empty() || id.value.len() > ID_OCTETS_MAX || !id.value.iter().all(u8::is_ascii_alphanumeric) {
        return Err(MtaStsFault::BadId(tag_list::shown(&id.value)));
    }
    Ok(MtaStsRecord { id: String::from_utf8_lossy(&id.value).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match parse(text.as_bytes()) {
            Ok(record) => record.id,
            Err(fault) => format!("error: {fault}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
    }

    #[test]
    fn records() {
        check("as in the standard", "v=STSv1; id=20160831085700Z;", "20160831085700Z");
        check("unknown fields are allowed", "v=STSv1; id=1; x=y", "1");
        check("the version is case-sensitive", "v=stsv1; id=1", "error: the record does not begin");
        check("the version comes first", "id=1; v=STSv1", "error: the record does not begin");
        check("a space before the semicolon", "v=STSv1 ; id=1", "error: the record does not begin");
        check("spaces around `=`", "v = STSv1; id=1", "error: the record does not begin");
        check("an id is needed", "v=STSv1;", "error: the tag `id` is missing");
        check("32 octets", &format!("v=STSv1; id={}", "a".repeat(32)), "aaaa");
        check("33 octets", &format!("v=STSv1; id={}", "a".repeat(33)), "error: the id");
        check("no hyphens", "v=STSv1; id=2020-01-01", "error: the id `2020-01-01`");
        check("an id of nothing", "v=STSv1; id=", "error: the id ``");
        check("twice", "v=STSv1; id=1; id=2", "error: the tag `id` stands there twice");
    }
}
