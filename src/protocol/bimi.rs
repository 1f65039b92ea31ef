//! BIMI assertion records (draft-brand-indicators-for-message-identification §4.2): a logo beside the mail.
//!
//! No RFC; the draft as mailbox providers follow it. The logo and the certificate are fetched by them, not by us.

use thiserror::Error;

use crate::protocol::tag_list::{self, Element, Tag, TagListFault};

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BimiRecord {
    /// Where the logo is: an `https:` URL of an SVG. Nothing: the domain declines to have one.
    pub location: Option<String>,
    /// Where the evidence for the logo is (a mark certificate), an `https:` URL.
    pub authority: Option<String>,
}

/// Which rule of the draft a text breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BimiFault {
    /// The list of tags.
    #[error("{0}")]
    TagList(#[from] TagListFault),
    /// It does not begin with the version.
    #[error("the record does not begin with `v=BIMI1` (BIMI draft §4.2)")]
    Version,
    /// No location.
    #[error("the tag `l` is missing; without a logo write it empty: `l=` (BIMI draft §4.2)")]
    NoLocation,
    /// A location that is none.
    #[error("`{0}` is not an `https:` URL (BIMI draft §4.2)")]
    BadUrl(String),
}

/// Whether a text claims to be such a record, so that others at the name are passed over.
pub fn is_record(text: &[u8]) -> bool {
    let start = text.get(..7).unwrap_or_default();
    start.eq_ignore_ascii_case(b"v=BIMI1")
        || tag_list::elements(text).first().is_some_and(|first| matches!(first, Element::Tag(tag) if is_version(tag)))
}

/// The version may have whitespace around its `=`, as any tag. BIMI draft §4.2, RFC 6376 §3.2.
fn is_version(tag: &Tag) -> bool {
    tag.name == "v" && tag.value.eq_ignore_ascii_case(b"BIMI1")
}

/// Reads a record.
///
/// # Errors
///
/// [`BimiFault`], the fault of whoever wrote the text.
pub fn parse(text: &[u8]) -> Result<BimiRecord, BimiFault> {
    let tags = tag_list::parse(text)?;
    if !tags.first().is_some_and(is_version) {
        return Err(BimiFault::Version);
    }
    let value = |name: &str| tags.iter().find(|tag| tag.name == name).map(|tag| tag.value.as_slice());
    let location = url(value("l").ok_or(BimiFault::NoLocation)?)?;
    let authority = value("a").map(url).transpose()?.flatten();
    Ok(BimiRecord { location, authority })
}

/// A URL, or nothing where the value is empty.
fn url(octets: &[u8]) -> Result<Option<String>, BimiFault> {
    let text = String::from_utf8_lossy(octets).into_owned();
    if text.is_empty() {
        return Ok(None);
    }
    let host = text.get(..8).filter(|start| start.eq_ignore_ascii_case("https://")).and_then(|_| text.get(8..));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) && !text.contains([' ', '\t']) {
        Ok(Some(text))
    } else {
        Err(BimiFault::BadUrl(tag_list::shown(octets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match parse(text.as_bytes()) {
            Ok(record) => format!("{:?} {:?}", record.location, record.authority),
            Err(fault) => format!("error: {fault}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
        assert!(is_record(text.as_bytes()) || parse(text.as_bytes()).is_err(), "{why}: read, but passed over");
    }

    #[test]
    fn records() {
        check("a logo", "v=BIMI1; l=https://example.com/logo.svg", "Some(\"https://example.com/logo.svg\") None");
        check("declined", "v=BIMI1; l=; a=", "None None");
        check(
            "with a certificate",
            "v=BIMI1; l=https://a.example/l.svg; a=https://a.example/c.pem",
            "Some(\"https://a.example/l.svg\") Some",
        );
        check("spaces around `=`", "v = BIMI1; l=", "None None");
        check("no location", "v=BIMI1;", "error: the tag `l` is missing");
        check("plain http", "v=BIMI1; l=http://a.example/l.svg", "error: `http://a.example/l.svg` is not");
        check("no host", "v=BIMI1; l=https://", "error: `https://` is not");
        check("another version", "v=BIMI2; l=", "error: the record does not begin");
    }
}
