//! Mail addresses: from what a person types to a mailbox (RFC 5321 §4.1.2, RFC 6531 §3.3).
//!
//! Owns the rules of the local part and the one spelling under which an address is kept.
//!
//! # Strictness
//!
//! A dot-string or a quoted string, of at most 64 octets (RFC 5321 §4.5.3.1.1), Unicode included. A quoted string
//! that needs no quotes loses them, for both are the same mailbox (RFC 5321 §4.1.2). Case is folded: a host may tell
//! `Max` from `max` (RFC 5321 §2.4), but none that people use does, and two mailboxes that differ by case alone would
//! be one inbox with two limits. Characters that nobody sees are refused, though RFC 6531 allows them.
//!
//! # Left out
//!
//! Unicode normalisation: an accent written as two characters is another address.

use std::fmt;

use thiserror::Error;

use crate::protocol::domain::{Domain, DomainFault};

/// The longest local part, in octets. RFC 5321 §4.5.3.1.1.
pub const LOCAL_OCTETS_MAX: usize = 64;

/// The longest address, in octets: a path of 256 without its angle brackets. RFC 5321 §4.5.3.1.3.
pub const ADDRESS_OCTETS_MAX: usize = 254;

/// The longest text looked at, in octets; more is refused unread.
const TEXT_OCTETS_MAX: usize = 2_048;

/// Which rule a text breaks that was to be a mail address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MailAddressFault {
    /// No `@`, or nothing in front of it.
    #[error("a mail address is needed, such as name@example.com")]
    NoAddress,
    /// RFC 5321 §4.5.3.1.1.
    #[error("the part before the @ is longer than {LOCAL_OCTETS_MAX} octets (RFC 5321 §4.5.3.1.1)")]
    LongLocal,
    /// RFC 5321 §4.5.3.1.3.
    #[error("the address is longer than {ADDRESS_OCTETS_MAX} octets (RFC 5321 §4.5.3.1.3)")]
    LongAddress,
    /// A dot first, last, or twice in a row. RFC 5321 §4.1.2.
    #[error("the part before the @ has a dot at its end or two in a row (RFC 5321 §4.1.2)")]
    StrayDot,
    /// A character that stands only between quotes, or nowhere. RFC 5321 §4.1.2.
    #[error("the part before the @ may not hold {0} (RFC 5321 §4.1.2)")]
    BadCharacter(String),
    /// A quotation mark without its fellow. RFC 5321 §4.1.2.
    #[error("the quotation marks before the @ do not match (RFC 5321 §4.1.2)")]
    BadQuotes,
    /// What is behind the `@`.
    #[error("the part behind the @: {0}")]
    Domain(#[source] DomainFault),
}

/// A mailbox's address, in the one spelling that is kept: lower case, the domain in A-labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailAddress {
    local: String,
    domain: Domain,
}

impl MailAddress {
    /// Reads what a person or a program gives as a mail address.
    ///
    /// # Errors
    ///
    /// [`MailAddressFault`], the fault of whoever wrote the text.
    pub fn parse(text: &str) -> Result<MailAddress, MailAddressFault> {
        let text = text.trim();
        if text.len() > TEXT_OCTETS_MAX {
            return Err(MailAddressFault::LongAddress);
        }
        // A domain has no `@`, a quoted local part may.
        let (local, domain) = text.rsplit_once('@').ok_or(MailAddressFault::NoAddress)?;
        let local = local_part(local)?;
        let domain = Domain::parse(domain).map_err(MailAddressFault::Domain)?;
        let address = MailAddress { local, domain };
        if address.local.len() > LOCAL_OCTETS_MAX {
            return Err(MailAddressFault::LongLocal);
        }
        if address.to_string().len() > ADDRESS_OCTETS_MAX {
            return Err(MailAddressFault::LongAddress);
        }
        Ok(address)
    }

    /// What is before the `@`, with its quotes where it needs them.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// What is behind the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The address with its domain as a person reads it.
    pub fn unicode(&self) -> String {
        format!("{}@{}", self.local, self.domain.unicode())
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

fn local_part(text: &str) -> Result<String, MailAddressFault> {
    if text.is_empty() {
        return Err(MailAddressFault::NoAddress);
    }
    let Some(rest) = text.strip_prefix('"') else {
        dot_string(text)?;
        return Ok(text.to_lowercase());
    };
    let content = quoted_content(rest)?.to_lowercase();
    if dot_string(&content).is_ok() {
        return Ok(content);
    }
    Ok(format!("\"{}\"", content.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// `Dot-string` of RFC 5321 §4.1.2, with the characters of RFC 6531 §3.3.
fn dot_string(text: &str) -> Result<(), MailAddressFault> {
    if let Some(bad) = text.chars().find(|c| *c != '.' && !is_atext(*c)) {
        return Err(MailAddressFault::BadCharacter(shown(bad)));
    }
    if text.split('.').any(str::is_empty) { Err(MailAddressFault::StrayDot) } else { Ok(()) }
}

/// What stands between the quotes, without its backslashes; `rest` begins behind the first.
fn quoted_content(rest: &str) -> Result<String, MailAddressFault> {
    let inner = rest.strip_suffix('"').ok_or(MailAddressFault::BadQuotes)?;
    let (mut content, mut characters) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(c) = characters.next() {
        let c = match c {
            '"' => return Err(MailAddressFault::BadQuotes),
            // The backslash of the last quotation mark has taken its fellow away.
            '\\' => characters.next().ok_or(MailAddressFault::BadQuotes)?,
            c => c,
        };
        let is_allowed = if c.is_ascii() { c == ' ' || c.is_ascii_graphic() } else { is_seen(c) };
        if !is_allowed {
            return Err(MailAddressFault::BadCharacter(shown(c)));
        }
        content.push(c);
    }
    if content.is_empty() { Err(MailAddressFault::NoAddress) } else { Ok(content) }
}

/// `atext` of RFC 5322 §3.2.3, and what RFC 6531 §3.3 adds.
fn is_atext(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) } else { is_seen(c) }
}

/// Whether a character beyond ASCII shows itself: two addresses that look alike must be alike.
fn is_seen(c: char) -> bool {
    let is_hidden = matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}');
    !is_hidden && !c.is_control() && !c.is_whitespace()
}

fn shown(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        c if c.is_ascii_graphic() => format!("`{c}`"),
        c => format!("the character U+{:04X}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match MailAddress::parse(text) {
            Ok(address) => address.to_string(),
            Err(fault) => format!("error: {fault}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
        if !shown.starts_with("error") {
            assert_eq!(shown, expected, "{why}");
            assert_eq!(MailAddress::parse(&shown).unwrap().to_string(), shown, "{why}: it reads back");
        }
    }

    #[test]
    fn text_becomes_an_address_or_a_fault() {
        check("as people write it", " Max.Muster@Example.COM. ", "max.muster@example.com");
        check("U-labels become A-labels", "info@Bücher.example", "info@xn--bcher-kva.example");
        check("beyond ASCII, RFC 6531 §3.3", "JOSÉ@example.com", "josé@example.com");
        check("atext, RFC 5322 §3.2.3", "a!#$%&'*+-/=?^_`{|}~z@example.com", "a!#$%&'*+-/=?^_`{|}~z@example.com");
        check("quotes that are needed", "\"John Doe\"@example.com", "\"john doe\"@example.com");
        check("quotes that are not", "\"john.doe\"@example.com", "john.doe@example.com");
        check("an @ in quotes", "\"a@b\"@example.com", "\"a@b\"@example.com");
        check("a needless backslash", "\"a\\b c\"@example.com", "\"ab c\"@example.com");
        check("a needed one", "\"a\\\"b\\\\\"@example.com", "\"a\\\"b\\\\\"@example.com");
        check("no @", "example.com", "error: a mail address is needed");
        check("nothing before it", "@example.com", "error: a mail address is needed");
        check("empty quotes", "\"\"@example.com", "error: a mail address is needed");
        check("a dot first", ".a@example.com", "error: the part before the @ has a dot");
        check("a dot last", "a.@example.com", "error: the part before the @ has a dot");
        check("two dots", "a..b@example.com", "error: the part before the @ has a dot");
        check("a space", "a b@example.com", "error: the part before the @ may not hold a space");
        check("two @", "a@b@example.com", "error: the part before the @ may not hold `@`");
        check("a name around it", "Max <max@example.com", "error: the part before the @ may not hold a space");
        check(
            "a control character",
            "a\u{7}@example.com",
            "error: the part before the @ may not hold the character U+0007",
        );
        check(
            "one in quotes",
            "\"a\u{7}\"@example.com",
            "error: the part before the @ may not hold the character U+0007",
        );
        check(
            "an invisible one",
            "a\u{200b}@example.com",
            "error: the part before the @ may not hold the character U+200B",
        );
        check("an open quote", "\"a@example.com", "error: the quotation marks");
        check("a quote inside", "\"a\"b\"@example.com", "error: the quotation marks");
        check("an escaped end", "\"a\\\"@example.com", "error: the quotation marks");
        check("no domain", "a@", "error: the part behind the @: a domain name is needed");
        check("an address literal", "a@[192.0.2.1]", "error: the part behind the @: an IP address");
        check("a public suffix", "a@co.uk", "error: the part behind the @: `co.uk` is a public suffix");
    }

    #[test]
    fn lengths_at_and_above_the_limit() {
        let address = |local: usize| format!("{}@example.com", "a".repeat(local));
        assert!(MailAddress::parse(&address(64)).is_ok());
        assert_eq!(MailAddress::parse(&address(65)), Err(MailAddressFault::LongLocal));
        // A letter of two octets.
        assert_eq!(MailAddress::parse(&format!("{}@example.com", "é".repeat(33))), Err(MailAddressFault::LongLocal));
        let domain = |last: usize| format!("{0}.{0}.{1}.example", "b".repeat(63), "c".repeat(last));
        let whole = |last: usize| format!("{}@{}", "a".repeat(64), domain(last));
        assert_eq!(whole(53).len(), 254);
        assert!(MailAddress::parse(&whole(53)).is_ok());
        assert_eq!(MailAddress::parse(&whole(54)), Err(MailAddressFault::LongAddress));
        assert_eq!(MailAddress::parse(&"a".repeat(1 << 20)), Err(MailAddressFault::LongAddress));
    }

    #[test]
    fn both_spellings() {
        let address = MailAddress::parse("Info@Bücher.example").unwrap();
        assert_eq!((address.local(), address.unicode().as_str()), ("info", "info@bücher.example"));
        assert_eq!(address.domain(), &Domain::parse("bücher.example").unwrap());
    }
}
