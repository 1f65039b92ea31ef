//! Tag lists (RFC 6376 §3.2): `v=DKIM1; k=rsa; p=…`, from octets to names and values.
//!
//! Owns the grammar that DKIM keys and DMARC policies share. What a tag means is said in
//! [`crate::protocol::dkim`] and [`crate::protocol::dmarc`].
//!
//! # Strictness
//!
//! [`parse`] holds the whole of RFC 6376 §3.2, where one broken element spoils the list. [`elements`]
//! only cuts, and says of every element whether it is one: DMARC discards what it cannot read
//! (RFC 9989 §4.8).

use thiserror::Error;

/// The most characters of a hostile text that a fault repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// One tag with its value, whitespace around both removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The name, as written.
    pub name: String,
    /// The value: raw octets, inner whitespace kept.
    pub value: Vec<u8>,
}

/// What stands between two semicolons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// A name and a value.
    Tag(Tag),
    /// Nothing but whitespace.
    Empty,
    /// Something that is no tag: no `=`, or a name that RFC 6376 §3.2 does not allow.
    Broken(Vec<u8>),
}

/// Which rule of RFC 6376 §3.2 a tag list breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TagListFault {
    /// Nothing at all.
    #[error("the text is empty")]
    Empty,
    /// Two semicolons with nothing between them.
    #[error("two semicolons follow each other with nothing between them (RFC 6376 §3.2)")]
    EmptyElement,
    /// An element without `=`, or with a name that is none.
    #[error("`{0}` is not a tag: a tag is a name, `=`, and a value (RFC 6376 §3.2)")]
    NotATag(String),
    /// A value holds an octet outside printable ASCII.
    #[error("the value of `{tag}` holds octet {octet}, and only printable ASCII is allowed (RFC 6376 §3.2)")]
    BadOctet {
        /// The tag's name.
        tag: String,
        /// The octet.
        octet: u8,
    },
    /// The same name twice, which makes the whole list invalid.
    #[error("the tag `{0}` stands there twice, which makes the whole record invalid (RFC 6376 §3.2)")]
    Duplicate(String),
}

/// Reads a tag list, all of it or nothing.
///
/// # Errors
///
/// [`TagListFault`], the fault of whoever wrote the text.
pub fn parse(text: &[u8]) -> Result<Vec<Tag>, TagListFault> {
    let mut tags: Vec<Tag> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    let mut elements = elements(text).into_iter().peekable();
    while let Some(element) = elements.next() {
        match element {
            // One semicolon may end the list.
            Element::Empty if elements.peek().is_none() && !tags.is_empty() => {}
            Element::Empty if elements.peek().is_none() => return Err(TagListFault::Empty),
            Element::Empty => return Err(TagListFault::EmptyElement),
            Element::Broken(octets) => return Err(TagListFault::NotATag(shown(&octets))),
            Element::Tag(tag) => {
                if let Some(octet) = tag.value.iter().find(|octet| !is_value_octet(**octet)) {
                    return Err(TagListFault::BadOctet { tag: tag.name, octet: *octet });
                }
                if !names.insert(tag.name.clone()) {
                    return Err(TagListFault::Duplicate(tag.name));
                }
                tags.push(tag);
            }
        }
    }
    Ok(tags)
}

/// Cuts a text at its semicolons. Takes any octets; there is one element more than semicolons.
pub fn elements(text: &[u8]) -> Vec<Element> {
    text.split(|octet| *octet == b';').map(element).collect()
}

fn element(octets: &[u8]) -> Element {
    let trimmed = trim(octets);
    if trimmed.is_empty() {
        return Element::Empty;
    }
    let Some(equals) = trimmed.iter().position(|octet| *octet == b'=') else {
        return Element::Broken(trimmed.to_vec());
    };
    let (name, value) = trimmed.split_at(equals);
    let (name, value) = (trim(name), trim(value.get(1..).unwrap_or_default()));
    match std::str::from_utf8(name) {
        Ok(name) if is_name(name) => Element::Tag(Tag { name: name.to_owned(), value: value.to_vec() }),
        _ => Element::Broken(trimmed.to_vec()),
    }
}

/// `tag-name = ALPHA *ALNUMPUNC`. RFC 6376 §3.2.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
}

/// A value's octets are printable, or the whitespace between them. RFC 6376 §3.2.
fn is_value_octet(octet: u8) -> bool {
    matches!(octet, 0x21..=0x7e) || is_space(octet)
}

/// Folding whitespace; in DNS nothing folds, but a master file may carry line ends in.
pub fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// The octets without the whitespace around them.
pub fn trim(octets: &[u8]) -> &[u8] {
    let start = octets.iter().position(|octet| !is_space(*octet)).unwrap_or(octets.len());
    let end = octets.iter().rposition(|octet| !is_space(*octet)).map_or(start, |last| last + 1);
    octets.get(start..end).unwrap_or_default()
}

/// The parts of a list between colons, whitespace around each removed, as text for comparing.
pub fn colon_list(value: &[u8]) -> Vec<String> {
    value.split(|octet| *octet == b':').map(|part| String::from_utf8_lossy(trim(part)).into_owned()).collect()
}

/// Octets as text for people: printable ASCII as it stands, others as `\DDD`, cut when long.
pub fn shown(octets: &[u8]) -> String {
    let mut text = String::new();
    for octet in octets.iter().take(SHOWN_CHARS_MAX) {
        match octet {
            0x20..=0x7e => text.push(char::from(*octet)),
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    if octets.len() > SHOWN_CHARS_MAX {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(why: &str, text: &[u8], expected: &str) {
        let shown = match parse(text) {
            Ok(tags) => {
                tags.iter().map(|tag| format!("{}={}|", tag.name, String::from_utf8_lossy(&tag.value))).collect()
            }
            Err(fault) => format!("error: {fault}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
    }

    #[test]
    fn octets_become_tags_or_a_fault() {
        check("the plain form", b"v=DKIM1; k=rsa; p=AAAA", "v=DKIM1|k=rsa|p=AAAA|");
        check("a trailing semicolon", b"v=DKIM1; p=AAAA; ", "v=DKIM1|p=AAAA|");
        check("whitespace around everything", b" v = DKIM1 ;\tp = AA AA ", "v=DKIM1|p=AA AA|");
        check("a line end folds", b"v=DKIM1;\r\n p=AA\r\n AA", "v=DKIM1|p=AA\r\n AA|");
        check("an empty value", b"p=", "p=|");
        check("an equals sign in the value", b"p=AA==", "p=AA==|");
        check("names keep their case", b"V=DKIM1", "V=DKIM1|");
        check("nothing", b"", "error: the text is empty");
        check("only spaces", b"  ", "error: the text is empty");
        check("two semicolons", b"v=DKIM1;; p=", "error: two semicolons");
        check("two semicolons at the end", b"v=DKIM1;;", "error: two semicolons");
        check("no equals sign", b"v=DKIM1; p", "error: `p` is not a tag");
        check("a name with a digit first", b"1a=x", "error: `1a=x` is not a tag");
        check("a quote before the name", b"\"v=DKIM1", "error: `\"v=DKIM1` is not a tag");
        check("a duplicate", b"p=A; k=rsa; p=B", "error: the tag `p` stands there twice");
        check("an octet above ASCII", b"p=\xe2\x80\x9c", "error: the value of `p` holds octet 226");
        check("a control octet", b"p=\x00", "error: the value of `p` holds octet 0");
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_harm(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&text);
            prop_assert_eq!(elements(&text).len(), text.iter().filter(|octet| **octet == b';').count() + 1);
        }
    }
}
