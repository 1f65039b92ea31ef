//! Domain names as DNS knows them (RFC 1035 §2.3): a row of labels, each up to 63 octets.
//!
//! Owns what a name *is*: its limits, its text form, its place above and below other
//! names. Whether a name can hold mail is [`crate::protocol::domain`]'s question.
//!
//! # Strictness
//!
//! A label may hold any octet, for names out of SPF macros and out of DNS do (`:`, `/`,
//! `%`, octets above 127). Letters are folded to lower case once, at the edge (RFC 4343).

use std::fmt;

use thiserror::Error;

/// The longest label, in octets. RFC 1035 §2.3.4.
pub const LABEL_OCTETS_MAX: usize = 63;

/// The longest name, in octets of its wire form with the root's zero octet. RFC 1035 §2.3.4.
pub const NAME_WIRE_OCTETS_MAX: usize = 255;

/// Why a row of labels, or a text, is no domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameFault {
    /// Two dots in a row, or a dot at the beginning.
    #[error("a label between two dots is empty")]
    EmptyLabel,
    /// A label of more than [`LABEL_OCTETS_MAX`] octets.
    #[error("a label is longer than {LABEL_OCTETS_MAX} octets")]
    LongLabel,
    /// More than [`NAME_WIRE_OCTETS_MAX`] octets in all.
    #[error("the name is longer than 253 octets")]
    LongName,
    /// A backslash that no octet follows. RFC 1035 §5.1.
    #[error("a backslash is not followed by a character or three digits up to 255")]
    BadEscape,
}

/// A domain name: absolute, folded to lower case.
///
/// Ordered by its wire form, which groups nothing in particular but is total and stable.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Length octet, label, length octet, label …, without the root's zero octet.
    wire: Box<[u8]>,
}

impl Name {
    /// The root of the tree, written `.`.
    pub fn root() -> Name {
        Name { wire: Box::default() }
    }

    /// The name of these labels, from the leaf up. Takes any octets.
    ///
    /// # Errors
    ///
    /// [`NameFault`] when a label is empty or too long, or all of them are.
    pub fn from_labels<I, L>(labels: I) -> Result<Name, NameFault>
    where
        I: IntoIterator<Item = L>,
        L: AsRef<[u8]>,
    {
        let mut wire = Vec::with_capacity(64);
        for label in labels {
            let label = label.as_ref();
            let length = u8::try_from(label.len()).map_err(|_| NameFault::LongLabel)?;
            match label.len() {
                0 => return Err(NameFault::EmptyLabel),
                1..=LABEL_OCTETS_MAX => {}
                _ => return Err(NameFault::LongLabel),
            }
            wire.push(length);
            wire.extend(label.iter().map(u8::to_ascii_lowercase));
        }
        if wire.len() + 1 > NAME_WIRE_OCTETS_MAX {
            return Err(NameFault::LongName);
        }
        Ok(Name { wire: wire.into_boxed_slice() })
    }

    /// Reads the presentation form of RFC 1035 §5.1, escapes (`\.`, `\058`) included.
    ///
    /// A trailing dot is optional: every name here is absolute.
    ///
    /// # Errors
    ///
    /// [`NameFault`], the fault of whoever wrote the text.
    pub fn parse(text: &str) -> Result<Name, NameFault> {
        if text == "." {
            return Ok(Name::root());
        }
        let mut labels: Vec<Vec<u8>> = vec![Vec::new()];
        let mut octets = text.bytes();
        while let Some(octet) = octets.next() {
            match octet {
                b'.' => labels.push(Vec::new()),
                b'\\' => push_octet(&mut labels, escaped(&mut octets)?),
                _ => push_octet(&mut labels, octet),
            }
        }
        if labels.len() > 1 && labels.last().is_some_and(Vec::is_empty) {
            labels.pop();
        }
        Name::from_labels(labels)
    }

    /// The labels from the leaf up.
    pub fn labels(&self) -> Labels<'_> {
        Labels { rest: &self.wire }
    }

    /// How many labels the name has; the root has none.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its first label; nothing for the root.
    pub fn parent(&self) -> Option<Name> {
        let first = usize::from(*self.wire.first()?);
        Some(Name { wire: self.wire.get(first + 1..).unwrap_or_default().into() })
    }

    /// The name with `label` before it.
    ///
    /// # Errors
    ///
    /// [`NameFault`] when the label, or the whole name, is too long, or the label is empty.
    pub fn child(&self, label: impl AsRef<[u8]>) -> Result<Name, NameFault> {
        Name::from_labels(std::iter::once(label.as_ref()).chain(self.labels()))
    }

    /// The name with the labels of `prefix` before it: `_dmarc` and `example.com` give `_dmarc.example.com`.
    ///
    /// # Errors
    ///
    /// [`NameFault::LongName`] when there is no room.
    pub fn under(&self, prefix: &Name) -> Result<Name, NameFault> {
        Name::from_labels(prefix.labels().chain(self.labels()))
    }

    /// The name's last `count` labels: `example.com` is `www.example.com` with 2. All of it when it has fewer.
    pub fn last_labels(&self, count: usize) -> Name {
        let mut name = self.clone();
        while name.label_count() > count {
            match name.parent() {
                Some(parent) => name = parent,
                None => break,
            }
        }
        name
    }

    /// Whether this name is `other` or stands below it.
    pub fn is_at_or_below(&self, other: &Name) -> bool {
        let (own, others) = (self.label_count(), other.label_count());
        own >= others && self.labels().skip(own - others).eq(other.labels())
    }

    /// What a person types into the host field of the panel of `zone`: `@` for the zone itself.
    ///
    /// Nothing when the name is not in the zone.
    pub fn relative_to(&self, zone: &Name) -> Option<String> {
        if !self.is_at_or_below(zone) {
            return None;
        }
        let count = self.label_count() - zone.label_count();
        if count == 0 {
            return Some("@".to_owned());
        }
        let labels: Vec<String> = self.labels().take(count).map(escape_label).collect();
        Some(labels.join("."))
    }
}

impl fmt::Display for Name {
    /// The presentation form without the trailing dot; the root is `.`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wire.is_empty() {
            return f.write_str(".");
        }
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            f.write_str(&escape_label(label))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// The labels of a [`Name`], from the leaf up.
#[derive(Debug, Clone)]
pub struct Labels<'n> {
    rest: &'n [u8],
}

impl<'n> Iterator for Labels<'n> {
    type Item = &'n [u8];

    fn next(&mut self) -> Option<&'n [u8]> {
        let (length, rest) = self.rest.split_first()?;
        let (label, rest) = rest.split_at_checked(usize::from(*length))?;
        self.rest = rest;
        Some(label)
    }
}

fn push_octet(labels: &mut [Vec<u8>], octet: u8) {
    if let Some(label) = labels.last_mut() {
        label.push(octet);
    }
}

/// The octet behind a backslash: three digits, or any one octet as it stands. RFC 1035 §5.1.
fn escaped(octets: &mut std::str::Bytes<'_>) -> Result<u8, NameFault> {
    let first = octets.next().ok_or(NameFault::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = octets.next().filter(u8::is_ascii_digit).ok_or(NameFault::BadEscape)?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameFault::BadEscape)
}

/// A label as a master file writes it. RFC 1035 §5.1.
fn escape_label(label: &[u8]) -> String {
    let mut text = String::with_capacity(label.len());
    for octet in label {
        match octet {
            b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                text.push('\\');
                text.push(char::from(*octet));
            }
            0x21..=0x7e => text.push(char::from(*octet)),
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match Name::parse(text) {
            Ok(name) => name.to_string(),
            Err(fault) => format!("error: {fault}"),
        };
        assert_eq!(shown, expected, "{why}");
    }

    #[test]
    fn text_becomes_a_name_or_a_fault() {
        check("case is folded, RFC 4343", "WWW.Example.COM", "www.example.com");
        check("the trailing dot is optional", "example.com.", "example.com");
        check("the root", ".", ".");
        check("an escaped dot stays in its label", r"a\.b.example", r"a\.b.example");
        check("an octet by number", r"a\255.example", r"a\255.example");
        check("odd octets are kept", "a:b%.example", "a:b%.example");
        check("an empty label", "a..b", "error: a label between two dots is empty");
        check("an empty text", "", "error: a label between two dots is empty");
        check("a lone backslash", "a\\", "error: a backslash is not followed by a character or three digits up to 255");
        check(
            "too large a number",
            r"\256",
            "error: a backslash is not followed by a character or three digits up to 255",
        );
    }

    #[test]
    fn limits_hold_at_below_and_above() {
        let label = |n| "a".repeat(n);
        assert!(Name::parse(&label(63)).is_ok());
        assert_eq!(Name::parse(&label(64)), Err(NameFault::LongLabel));
        assert_eq!(Name::parse(&label(300)), Err(NameFault::LongLabel));
        let long = |last| format!("{0}.{0}.{0}.{1}", label(63), label(last));
        assert!(Name::parse(&long(61)).is_ok(), "253 octets of text");
        assert_eq!(Name::parse(&long(62)), Err(NameFault::LongName), "254 octets of text");
    }

    #[test]
    fn places_in_the_tree() {
        let name = |text| Name::parse(text).unwrap();
        assert!(name("a.example.com").is_at_or_below(&name("example.com")));
        assert!(name("example.com").is_at_or_below(&name("example.com")));
        assert!(!name("badexample.com").is_at_or_below(&name("example.com")));
        assert!(!name("com").is_at_or_below(&name("example.com")));
        assert_eq!(name("s1._domainkey.example.com").relative_to(&name("example.com")).unwrap(), "s1._domainkey");
        assert_eq!(name("example.com").relative_to(&name("example.com")).unwrap(), "@");
        assert_eq!(name("example.org").relative_to(&name("example.com")), None);
        assert_eq!(name("a.b.c").last_labels(2), name("b.c"));
        assert_eq!(name("b.c").under(&name("_dmarc")).unwrap(), name("_dmarc.b.c"));
    }
}
