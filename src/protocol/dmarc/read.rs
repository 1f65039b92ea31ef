//! Reading a policy record: every tag by its own rule, and what is wrong told as [`Fault`]s.

use thiserror::Error;

use crate::protocol::dmarc::{Alignment, DmarcRecord, ParsedRecord, Policy, Psd, ReportUri, UriFault};
use crate::protocol::tag_list::{self, Element, Tag};

/// The most URIs read out of one list; more are a fault. Nobody reports to so many.
const URIS_MAX: usize = 100;

/// The tags of RFC 9989 §4.7.
const KNOWN_TAGS: [&str; 11] = ["v", "p", "sp", "np", "t", "psd", "adkim", "aspf", "fo", "rua", "ruf"];

/// The tags that RFC 7489 had and RFC 9989 removed.
const REMOVED_TAGS: [&str; 3] = ["pct", "rf", "ri"];

/// Why a text is no policy record at all, so that a reader passes over it. RFC 9989 §4.7, tag `v`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotDmarc {
    /// It has nothing to do with DMARC.
    #[error("the text does not begin with `v=DMARC1`")]
    Foreign,
    /// It begins with whitespace, where RFC 9989 §4.8 lets none stand.
    #[error("there is whitespace before `v=DMARC1`, which must come first (RFC 9989 §4.8)")]
    SpaceBefore,
    /// `v=DMARC1` stands there, but not first.
    #[error("`v=DMARC1` must be the first tag (RFC 9989 §4.7)")]
    VersionNotFirst,
    /// The version is another, or spelled in another case.
    #[error("the version is `{0}`, and must be `DMARC1` in capitals (RFC 9989 §4.7)")]
    BadVersion(String),
    /// No semicolon behind the version.
    #[error("a semicolon must follow `v=DMARC1` (RFC 9989 §4.8)")]
    NoSemicolon,
}

/// One thing that is wrong with a policy record. It is discarded, or it spoils the record, as
/// [`ParsedRecord::effective`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The value breaks the tag's rule.
    BadValue {
        /// The tag, in lower case.
        tag: String,
        /// The value, as text for people.
        value: String,
    },
    /// A URI of `rua` or `ruf` is none.
    BadUri {
        /// The tag.
        tag: String,
        /// The URI, as text for people.
        uri: String,
        /// Which rule it breaks.
        fault: UriFault,
    },
    /// A name stands there twice.
    Duplicate {
        /// The tag, in lower case.
        tag: String,
    },
    /// Something between two semicolons is no tag.
    NotATag {
        /// What stands there, as text for people.
        text: String,
    },
    /// Nothing between two semicolons.
    EmptyElement,
    /// A tag that nobody knows. It is ignored.
    Unknown {
        /// The tag, as written.
        tag: String,
    },
    /// A tag of RFC 7489 that RFC 9989 removed. It is ignored.
    Removed {
        /// The tag.
        tag: String,
        /// Whether the value obeys RFC 7489 at least.
        well_formed: bool,
    },
    /// A name in capitals, which RFC 6376 §3.2 tells readers to take for another tag.
    Capitals {
        /// The tag, as written.
        tag: String,
    },
    /// A size behind a URI. It is ignored.
    Size {
        /// The tag.
        tag: String,
    },
}

/// Reads a record's joined text.
///
/// # Errors
///
/// [`NotDmarc`] when it is no policy record, and a reader passes over it.
pub fn parse(text: &[u8]) -> Result<ParsedRecord, NotDmarc> {
    let mut elements = tag_list::elements(text).into_iter();
    match elements.next() {
        Some(Element::Tag(tag)) if is_version(&tag) && !text.first().is_some_and(|o| tag_list::is_space(*o)) => {}
        first => return Err(why_not(text, first)),
    }
    let mut parsed = ParsedRecord {
        record: DmarcRecord::default(),
        tags: vec![("v".to_owned(), "DMARC1".to_owned())],
        faults: Vec::new(),
    };
    let mut seen = std::collections::BTreeSet::from(["v".to_owned()]);
    let mut elements = elements.peekable();
    while let Some(element) = elements.next() {
        match element {
            Element::Empty if elements.peek().is_none() => {}
            Element::Empty => parsed.faults.push(Fault::EmptyElement),
            Element::Broken(octets) => parsed.faults.push(Fault::NotATag { text: tag_list::shown(&octets) }),
            Element::Tag(tag) => {
                let name = tag.name.to_ascii_lowercase();
                if name != tag.name && KNOWN_TAGS.contains(&name.as_str()) {
                    parsed.faults.push(Fault::Capitals { tag: tag.name.clone() });
                }
                if seen.insert(name.clone()) {
                    read_tag(&mut parsed, &name, &tag);
                } else {
                    parsed.faults.push(Fault::Duplicate { tag: name });
                }
            }
        }
    }
    Ok(parsed)
}

/// `"v" equals %s"DMARC1"`: the name in any case, the value to the letter. RFC 9989 §4.8.
fn is_version(tag: &Tag) -> bool {
    tag.name.eq_ignore_ascii_case("v") && tag.value == b"DMARC1"
}

/// Tells near misses from texts that have nothing to do with DMARC.
fn why_not(text: &[u8], first: Option<Element>) -> NotDmarc {
    match first {
        Some(Element::Tag(tag)) if is_version(&tag) => return NotDmarc::SpaceBefore,
        Some(Element::Tag(tag)) if tag.name.eq_ignore_ascii_case("v") => {
            if tag.value.starts_with(b"DMARC1")
                && tag.value.get(6).is_some_and(|o| *o == b',' || tag_list::is_space(*o))
            {
                return NotDmarc::NoSemicolon;
            }
            if tag.value.to_ascii_lowercase().starts_with(b"dmarc") {
                return NotDmarc::BadVersion(tag_list::shown(&tag.value));
            }
            return NotDmarc::Foreign;
        }
        _ => {}
    }
    let later = tag_list::elements(text).into_iter().any(|e| matches!(e, Element::Tag(tag) if is_version(&tag)));
    if later { NotDmarc::VersionNotFirst } else { NotDmarc::Foreign }
}

/// Reads one tag into the record, or tells its fault.
fn read_tag(parsed: &mut ParsedRecord, name: &str, tag: &Tag) {
    let shown = || Fault::BadValue { tag: name.to_owned(), value: tag_list::shown(&tag.value) };
    // `dmarc-value` is printable ASCII. RFC 9989 §4.8.
    let value = match std::str::from_utf8(&tag.value) {
        Ok(value) if value.bytes().all(|octet| (0x20..=0x7e).contains(&octet)) => value,
        _ => return parsed.faults.push(shown()),
    };
    parsed.tags.push((name.to_owned(), value.to_owned()));
    if REMOVED_TAGS.contains(&name) {
        parsed.faults.push(Fault::Removed { tag: name.to_owned(), well_formed: is_well_formed_rfc7489(name, value) });
        return parsed.record.others.push((name.to_owned(), value.to_owned()));
    }
    if !KNOWN_TAGS.contains(&name) {
        parsed.faults.push(Fault::Unknown { tag: tag.name.clone() });
        if !value.is_empty() {
            parsed.record.others.push((tag.name.clone(), value.to_owned()));
        }
        return;
    }
    if matches!(name, "rua" | "ruf") {
        return read_uris(parsed, name, value);
    }
    let record = &mut parsed.record;
    let read = match name {
        "p" => keep(&mut record.policy, Policy::parse(value)),
        "sp" => keep(&mut record.subdomain_policy, Policy::parse(value)),
        "np" => keep(&mut record.nonexistent_policy, Policy::parse(value)),
        "t" => keep(&mut record.testing, yes_or_no(value)),
        "psd" => keep(&mut record.psd, psd(value)),
        "adkim" => keep(&mut record.dkim_alignment, alignment(value)),
        "aspf" => keep(&mut record.spf_alignment, alignment(value)),
        _ => match failure_options(value) {
            Some(options) => {
                record.failure_options = options;
                true
            }
            None => false,
        },
    };
    if !read {
        parsed.faults.push(shown());
    }
}

fn keep<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

/// Reads a list of URIs; those that are none are told and left out.
fn read_uris(parsed: &mut ParsedRecord, name: &str, value: &str) {
    let mut uris = Vec::new();
    for (index, text) in value.split(',').map(str::trim).enumerate() {
        if index >= URIS_MAX {
            parsed.faults.push(Fault::BadValue { tag: name.to_owned(), value: format!("more than {URIS_MAX} URIs") });
            break;
        }
        match ReportUri::parse(text) {
            Ok(uri) => {
                if uri.size.is_some() {
                    parsed.faults.push(Fault::Size { tag: name.to_owned() });
                }
                uris.push(uri);
            }
            Err(fault) => {
                let uri = tag_list::shown(text.as_bytes());
                parsed.faults.push(Fault::BadUri { tag: name.to_owned(), uri, fault });
            }
        }
    }
    match name {
        "rua" => parsed.record.aggregate_reports = uris,
        _ => parsed.record.failure_reports = uris,
    }
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "y" => Some(true),
        "n" => Some(false),
        _ => None,
    }
}

fn psd(value: &str) -> Option<Psd> {
    [Psd::Yes, Psd::No, Psd::Undeclared].into_iter().find(|psd| psd.as_str().eq_ignore_ascii_case(value))
}

fn alignment(value: &str) -> Option<Alignment> {
    [Alignment::Relaxed, Alignment::Strict].into_iter().find(|mode| mode.as_str().eq_ignore_ascii_case(value))
}

/// Letters between colons, each at most once, and not both `0` and `1`. RFC 9989 §4.8.
fn failure_options(value: &str) -> Option<Vec<char>> {
    let mut options = Vec::new();
    for part in value.split(':') {
        let letter = match part.trim().to_ascii_lowercase().as_str() {
            "0" => '0',
            "1" => '1',
            "d" => 'd',
            "s" => 's',
            _ => return None,
        };
        if options.contains(&letter) {
            return None;
        }
        options.push(letter);
    }
    (!(options.contains(&'0') && options.contains(&'1'))).then_some(options)
}

/// Whether the value of a removed tag obeys the standard that had it. RFC 7489 §6.4.
fn is_well_formed_rfc7489(name: &str, value: &str) -> bool {
    let digits = || !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit());
    match name {
        "pct" => digits() && value.parse::<u8>().is_ok_and(|percent| percent <= 100),
        "ri" => digits() && value.parse::<u32>().is_ok(),
        _ => value.split(':').map(str::trim).all(is_keyword),
    }
}

/// `Keyword` of RFC 5321 §4.1.2.
fn is_keyword(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether `value` may stand behind `tag`, by RFC 9989 §4.8, or by RFC 7489 §6.4 for a removed tag.
///
/// # Errors
///
/// Every fault of that one tag.
pub fn check_value(tag: &str, value: &str) -> Result<(), Vec<Fault>> {
    let text = format!("v=DMARC1; {tag}={value}");
    let parsed = parse(text.as_bytes()).map_err(|_| vec![Fault::NotATag { text: text.clone() }])?;
    let faults: Vec<Fault> = parsed
        .faults
        .into_iter()
        .filter(|fault| !matches!(fault, Fault::Removed { well_formed: true, .. } | Fault::Size { .. }))
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

#[cfg(test)]
mod tests;
