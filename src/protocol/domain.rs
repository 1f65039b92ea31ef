//! Mail domains: from what a person types to a name that can hold mail.
//!
//! Owns the rules of who may be registered at all: Unicode or ASCII, any case, with or
//! without the trailing dot, folded by UTS #46 (RFC 5890, RFC 5891) to lower-case A-labels.
//!
//! # Strictness
//!
//! A registered name is one below a public suffix, spelled in letters, digits and hyphens
//! (RFC 1123 §2.1). Public suffixes, single labels and addresses are refused, each by its own rule.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use crate::protocol::name::{Name, NameFault};

/// The longest text looked at, in octets; more is refused unread. Room for a full name in four-octet characters.
const TEXT_OCTETS_MAX: usize = 1_024;

/// Which rule a text breaks that was to be a mail domain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DomainFault {
    /// Nothing but spaces.
    #[error("a domain name is needed, such as example.com")]
    Empty,
    /// An address instead of a name.
    #[error("an IP address is not a domain name")]
    Address,
    /// An e-mail address instead of its domain.
    #[error("this is an e-mail address; give only the part behind the @")]
    MailAddress,
    /// A URL instead of its host.
    #[error("this is a URL; give only the host name")]
    Url,
    /// UTS #46 refuses it.
    #[error("the name holds characters that international domain names (RFC 5891) do not allow")]
    NotInternational,
    /// A label breaks RFC 1123 §2.1.
    #[error("the label `{0}` may hold only letters, digits and inner hyphens (RFC 1123 §2.1)")]
    BadLabel(String),
    /// RFC 1035 §2.3.4.
    #[error("{0} (RFC 1035 §2.3.4)")]
    Name(NameFault),
    /// One label only.
    #[error("a single label such as `localhost` cannot hold mail that the world can send to")]
    SingleLabel,
    /// Under this name others register theirs.
    #[error("`{0}` is a public suffix: others register names below it, so it cannot be one sender's domain")]
    PublicSuffix(String),
}

/// A name that can hold mail, in both spellings.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain {
    name: Name,
}

impl Domain {
    /// Reads what a person or a program gives as a domain.
    ///
    /// # Errors
    ///
    /// [`DomainFault`], the fault of whoever wrote the text.
    pub fn parse(text: &str) -> Result<Domain, DomainFault> {
        let text = text.trim();
        refuse_other_things(text)?;
        let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::URL)
            .map_err(|_| DomainFault::NotInternational)?;
        let name = Name::parse(&ascii).map_err(DomainFault::Name)?;
        for label in name.labels() {
            if !is_host_label(label) {
                return Err(DomainFault::BadLabel(String::from_utf8_lossy(label).into_owned()));
            }
        }
        if name.label_count() < 2 {
            return Err(DomainFault::SingleLabel);
        }
        // The last label of a name is never all digits. RFC 3696 §2.
        if name.labels().last().is_some_and(|label| label.iter().all(u8::is_ascii_digit)) {
            return Err(DomainFault::Address);
        }
        if registrable(&name).is_none() {
            return Err(DomainFault::PublicSuffix(name.to_string()));
        }
        Ok(Domain { name })
    }

    /// The name in lower-case A-labels.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The name as a person reads it, in U-labels; in A-labels where those would read back as another name.
    pub fn unicode(&self) -> String {
        let (unicode, _) = idna::domain_to_unicode(&self.name.to_string());
        if Domain::parse(&unicode).as_ref() == Ok(self) { unicode } else { self.to_string() }
    }

    /// The name one label below the public suffix: what somebody registered. Public Suffix List.
    pub fn registrable(&self) -> Name {
        registrable(&self.name).unwrap_or_else(|| self.name.clone())
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// The registrable name of a name, or nothing when it is a public suffix or above one.
///
/// A last label that the list does not know counts as a suffix of its own (the list's rule `*`).
pub fn registrable(name: &Name) -> Option<Name> {
    psl::domain_str(&name.to_string()).and_then(|text| Name::parse(text).ok())
}

/// Things people paste that are not domains, each with its own answer.
fn refuse_other_things(text: &str) -> Result<(), DomainFault> {
    if text.is_empty() {
        return Err(DomainFault::Empty);
    }
    if text.len() > TEXT_OCTETS_MAX {
        return Err(DomainFault::Name(NameFault::LongName));
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() || bare.strip_suffix('.').is_some_and(|t| t.parse::<IpAddr>().is_ok()) {
        return Err(DomainFault::Address);
    }
    if text.contains("://") {
        return Err(DomainFault::Url);
    }
    if text.contains('@') {
        return Err(DomainFault::MailAddress);
    }
    Ok(())
}

/// Letters, digits and inner hyphens. RFC 1123 §2.1.
fn is_host_label(label: &[u8]) -> bool {
    let inner = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    label.iter().all(inner) && !label.starts_with(b"-") && !label.ends_with(b"-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match Domain::parse(text) {
            Ok(domain) => domain.to_string(),
            Err(fault) => format!("error: {fault}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
    }

    #[test]
    fn text_becomes_a_mail_domain_or_a_fault() {
        check("case and the trailing dot", "Example.COM.", "example.com");
        check("spaces around, from a clipboard", " example.com\n", "example.com");
        check("U-labels become A-labels", "bücher.example", "xn--bcher-kva.example");
        check("an ideographic full stop", "bücher。example", "xn--bcher-kva.example");
        check("an unknown top level", "example.test", "example.test");
        check("empty", "  ", "error: a domain name is needed");
        check("an IPv4 address", "192.0.2.1", "error: an IP address");
        check("an IPv6 address", "2001:db8::1", "error: an IP address");
        check("an address literal", "[192.0.2.1]", "error: an IP address");
        check("a last label of digits", "example.123", "error: an IP address");
        check("a public suffix", "co.uk", "error: `co.uk` is a public suffix");
        check("a private suffix", "github.io", "error: `github.io` is a public suffix");
        check("a single label", "localhost", "error: a single label");
        check("an empty label", "a..example", "error: a label between two dots is empty");
        check("two dots last", "a.example..", "error: a label between two dots is empty");
        check("an underscore", "_dmarc.example.com", "error: the label `_dmarc`");
        check("a hyphen first", "-a.example.com", "error: the label `-a`");
        check("a hyphen last", "a-.example.com", "error: the label `a-`");
        check("a space inside", "exa mple.com", "error: the name holds characters");
        check("a broken A-label", "xn--a.example", "error: the name holds characters");
        check("a mail address", "me@example.com", "error: this is an e-mail address");
        check("a URL", "https://example.com/", "error: this is a URL");
        check("a label too long", &format!("{}.example", "a".repeat(64)), "error: a label is longer");
        check("a name too long", &"a.".repeat(200), "error: the name is longer");
        check("a name of a megabyte", &"ä".repeat(1 << 20), "error: the name is longer");
    }

    #[test]
    fn both_spellings_and_the_registrable_name() {
        let domain = Domain::parse("Mail.Bücher.co.uk").unwrap();
        assert_eq!(domain.unicode(), "mail.bücher.co.uk");
        // What it decodes to begins with `xn--` again, and would be refused.
        let twice = Domain::parse("xn--xn--bcn--bchm.example").unwrap();
        assert_eq!(twice.unicode(), "xn--xn--bcn--bchm.example");
        assert_eq!(domain.registrable().to_string(), "xn--bcher-kva.co.uk");
    }
}
