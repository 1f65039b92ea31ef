//! TLS reporting records (RFC 8460 §3): where reports about failing TLS go.

use thiserror::Error;

use crate::protocol::tag_list::{self, TagListFault};

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsRptRecord {
    /// Where reports go: `mailto:` and `https:` URIs, at least one.
    pub rua: Vec<String>,
}

/// Which rule of RFC 8460 §3 a text breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlsRptFault {
    /// The list of tags.
    #[error("{0}")]
    TagList(#[from] TagListFault),
    /// It does not begin with the version.
    #[error("the record does not begin with `v=TLSRPTv1` (RFC 8460 §3)")]
    Version,
    /// Nowhere to report to.
    #[error("the tag `rua` is missing, so nobody knows where to report to (RFC 8460 §3)")]
    NoRua,
    /// An address that is none of the two kinds.
    #[error("`{0}` is neither a `mailto:` nor an `https:` URI (RFC 8460 §3)")]
    BadUri(String),
}

/// Whether a text claims to be such a record, so that others at the name are passed over. RFC 8460 §3.
pub fn is_record(text: &[u8]) -> bool {
    text.starts_with(b"v=TLSRPTv1;") || text == b"v=TLSRPTv1"
}

/// Reads a record.
///
/// # Errors
///
/// [`TlsRptFault`], the fault of whoever wrote the text.
pub fn parse(text: &[u8]) -> Result<TlsRptRecord, TlsRptFault> {
    let tags = tag_list::parse(text)?;
    // To the letter: a space before the semicolon, or around `=`, and readers pass over it. RFC 8460 §3.
    if !is_record(text) {
        return Err(TlsRptFault::Version);
    }
    let rua = tags.iter().find(|tag| tag.name == "rua").ok_or(TlsRptFault::NoRua)?;
    let rua = rua.value.split(|octet| *octet == b',').map(uri).collect::<Result<Vec<String>, TlsRptFault>>()?;
    Ok(TlsRptRecord { rua })
}

fn uri(octets: &[u8]) -> Result<String, TlsRptFault> {
    let text = String::from_utf8_lossy(tag_list::trim(octets)).into_owned();
    let lower = text.to_ascii_lowercase();
    let mail = lower.strip_prefix("mailto:").is_some_and(|address| {
        address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
    });
    let https = lower.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    // A comma, an exclamation mark or a semicolon inside is percent-encoded. RFC 8460 §3.
    if (mail || https) && !text.contains([' ', '\t', '!']) {
        Ok(text)
    } else {
        Err(TlsRptFault::BadUri(tag_list::shown(octets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match parse(text.as_bytes()) {
            Ok(record) => record.rua.join(" "),
            Err(fault) => format!("error: {fault}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
    }

    #[test]
    fn records() {
        check("mail", "v=TLSRPTv1;rua=mailto:reports@example.com", "mailto:reports@example.com");
        check(
            "two",
            "v=TLSRPTv1; rua=mailto:a@b.example, https://r.example/v1",
            "mailto:a@b.example https://r.example/v1",
        );
        check("no http", "v=TLSRPTv1; rua=http://r.example/", "error: `http://r.example/` is neither");
        check("an address without its scheme", "v=TLSRPTv1; rua=a@b.example", "error: `a@b.example` is neither");
        check("no mailbox", "v=TLSRPTv1; rua=mailto:", "error: `mailto:` is neither");
        check("nothing behind the comma", "v=TLSRPTv1; rua=mailto:a@b.example,", "error: `` is neither");
        check("no rua", "v=TLSRPTv1;", "error: the tag `rua` is missing");
        check("spaces around `=`", "v = TLSRPTv1; rua=mailto:a@b.example", "error: the record does not begin");
        check("version", "v=TLSRPTv2; rua=mailto:a@b.example", "error: the record does not begin");
    }
}
