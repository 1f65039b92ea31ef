//! Where reports go: the URIs of `rua` and `ruf` (RFC 9989 §4.6, §4.8).

use std::fmt;

use thiserror::Error;

use crate::protocol::name::Name;

/// One reporting URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportUri {
    /// The URI without the size. RFC 3986.
    pub uri: String,
    /// The size behind `!`, which RFC 9989 §4.8 tells reporters to ignore, without the `!`.
    pub size: Option<String>,
}

/// Why a text is no reporting URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UriFault {
    /// No `scheme:` before it.
    #[error("it has no scheme such as `mailto:` before it")]
    NoScheme,
    /// Nothing behind the scheme.
    #[error("nothing stands behind its scheme")]
    Empty,
    /// A character that RFC 3986 §2 does not allow, or a `%` without two hexadecimal digits.
    #[error("it holds a character that a URI may not hold unencoded (RFC 3986 §2)")]
    BadCharacter,
    /// What stands behind `!` is no size.
    #[error("what stands behind its `!` is no size (RFC 9989 §4.8)")]
    BadSize,
    /// `mailto:` without an address behind it.
    #[error("there is no mail address behind `mailto:` (RFC 6068 §2)")]
    NoMailbox,
}

impl ReportUri {
    /// Reads one URI, with or without the size of RFC 7489.
    ///
    /// # Errors
    ///
    /// [`UriFault`], the fault of whoever wrote it.
    pub fn parse(text: &str) -> Result<ReportUri, UriFault> {
        let (uri, size) = match text.split_once('!') {
            Some((uri, size)) => (uri, Some(size)),
            None => (text, None),
        };
        let (scheme, rest) = uri.split_once(':').ok_or(UriFault::NoScheme)?;
        // `scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )`. RFC 3986 §3.1.
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(inner) {
            return Err(UriFault::NoScheme);
        }
        if rest.is_empty() {
            return Err(UriFault::Empty);
        }
        if !is_uri_text(rest) {
            return Err(UriFault::BadCharacter);
        }
        if size.is_some_and(|size| !is_size(size)) {
            return Err(UriFault::BadSize);
        }
        let uri = ReportUri { uri: uri.to_owned(), size: size.map(str::to_owned) };
        // A mailto without a mailbox reaches nobody; `mailto://host` is well-formed all the same. RFC 3986 §3.
        if uri.is_mailto() && !rest.starts_with("//") && uri.host().is_none() {
            return Err(UriFault::NoMailbox);
        }
        Ok(uri)
    }

    /// Whether reports go there by mail, the one way that everybody who reports must know. RFC 9989 §4.7.
    pub fn is_mailto(&self) -> bool {
        self.scheme().eq_ignore_ascii_case("mailto")
    }

    fn scheme(&self) -> &str {
        self.uri.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// The host that receives the reports: the mail domain, or the authority's host. RFC 9990 §4.
    pub fn host(&self) -> Option<Name> {
        let (_, rest) = self.uri.split_once(':')?;
        let host = if self.is_mailto() && !rest.starts_with("//") {
            let address = rest.split('?').next()?;
            let (local, host) = address.rsplit_once('@')?;
            (!local.is_empty()).then_some(host)?
        } else {
            let authority = rest.strip_prefix("//")?.split(['/', '?', '#']).next()?;
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            host.split(':').next()?
        };
        Name::parse(host).ok().filter(|name| name.label_count() > 0)
    }

    /// Whether both lead to the same place, sizes and the case of scheme and host aside.
    pub fn is_same_place(&self, other: &ReportUri) -> bool {
        let key = |uri: &ReportUri| {
            let (scheme, rest) = uri.uri.split_once(':').unwrap_or_default();
            let rest = match rest.rsplit_once('@') {
                Some((local, host)) => format!("{local}@{}", host.to_ascii_lowercase()),
                None => rest.to_owned(),
            };
            (scheme.to_ascii_lowercase(), rest)
        };
        key(self) == key(other)
    }
}

impl fmt::Display for ReportUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)?;
        self.size.as_ref().map_or(Ok(()), |size| write!(f, "!{size}"))
    }
}

/// `1*DIGIT [ "k" / "m" / "g" / "t" ]`. RFC 9989 §4.8.
pub fn is_size(text: &str) -> bool {
    let digits = text.strip_suffix(|c: char| "kmgtKMGT".contains(c)).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit())
}

/// Unreserved, reserved and percent-encoded characters, but `!` and `,`, which DMARC keeps for itself. RFC 9989 §4.8.
fn is_uri_text(text: &str) -> bool {
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let allowed = match octet {
            b'%' => {
                octets.next().is_some_and(|o| o.is_ascii_hexdigit())
                    && octets.next().is_some_and(|o| o.is_ascii_hexdigit())
            }
            _ => octet.is_ascii_alphanumeric() || b"-._~:/?#[]@$&'()*+;=".contains(&octet),
        };
        if !allowed {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match ReportUri::parse(text) {
            Ok(uri) => format!("{uri} at {}", uri.host().map_or("nowhere".to_owned(), |name| name.to_string())),
            Err(fault) => format!("error: {fault}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
    }

    #[test]
    fn text_becomes_a_uri_or_a_fault() {
        check("mailto", "mailto:a@example.com", "mailto:a@example.com at example.com");
        check(
            "mailto with a header",
            "mailto:a@example.com?subject=x",
            "mailto:a@example.com?subject=x at example.com",
        );
        check("scheme in capitals", "MAILTO:a@Example.COM", "MAILTO:a@Example.COM at example.com");
        check("a size of RFC 7489", "mailto:a@example.com!10m", "mailto:a@example.com!10m at example.com");
        check("https", "https://example.com:8443/x?y", "https://example.com:8443/x?y at example.com");
        check("http with nothing behind", "http://b.example/", "http://b.example/ at b.example");
        check(
            "a query before the size",
            "https://example.com/dmarc?report!1m",
            "https://example.com/dmarc?report!1m at",
        );
        check("mailto with an authority", "mailto://example.com", "mailto://example.com at example.com");
        check("percent-encoded", "mailto:a%21b@example.com", "mailto:a%21b@example.com at");
        check("no scheme", "a@example.com", "error: it has no scheme");
        check("nothing", "", "error: it has no scheme");
        check("nothing behind the scheme", "mailto:", "error: nothing stands behind");
        check("no mailbox", "mailto:example.com", "error: there is no mail address");
        check("no local part", "mailto:@example.com", "error: there is no mail address");
        check("a space", "mailto:a b@example.com", "error: it holds a character");
        check("angle brackets", "mailto:<a@example.com>", "error: it holds a character");
        check("a lone percent sign", "mailto:a%2@example.com", "error: it holds a character");
        check("no size", "mailto:a@example.com!x", "error: what stands behind its `!`");
        check("an empty size", "mailto:a@example.com!", "error: what stands behind its `!`");
    }

    #[test]
    fn sizes() {
        for (text, good) in [("100k", true), ("10000", true), ("1T", true), ("-1t", false), ("", false), ("k", false)] {
            assert_eq!(is_size(text), good, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in ".{0,80}") {
            if let Ok(uri) = ReportUri::parse(&text) {
                prop_assert_eq!(ReportUri::parse(&uri.to_string()), Ok(uri));
            }
        }
    }
}
