//! Domain-specs (RFC 7208 §7.1): macro strings that give a name to ask about.
//!
//! Names are made of labels, not of text: `:`, `/` and `%` occur in them, and nothing is an escape.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use crate::protocol::name::{Name, NameFault};
use crate::protocol::spf::macros::{MacroFault, MacroPlace, MacroString, MacroValues, Piece};

/// The longest text form of a name that is asked for, in octets. RFC 7208 §7.3.
const NAME_OCTETS_MAX: usize = 253;

/// Why a text is no domain-spec.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DomainSpecFault {
    /// There is nothing.
    #[error("a domain name is needed here")]
    Empty,
    /// Its macros are wrong.
    #[error(transparent)]
    Macro(MacroFault),
    /// It ends neither in a macro nor in a dot and a top label. RFC 7208 §7.1.
    #[error("a domain name with at least two labels, the last not all digits, is needed here (RFC 7208 §7.1)")]
    End,
}

/// A macro string that gives a domain name: `domain-spec`. RFC 7208 §7.1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DomainSpec {
    text: MacroString,
}

impl DomainSpec {
    /// Reads a domain-spec.
    ///
    /// # Errors
    ///
    /// [`DomainSpecFault`], the fault of whoever published it.
    pub fn parse(text: &[u8]) -> Result<DomainSpec, DomainSpecFault> {
        if text.is_empty() {
            return Err(DomainSpecFault::Empty);
        }
        let text = MacroString::parse(text, MacroPlace::Term).map_err(DomainSpecFault::Macro)?;
        match text.pieces().last() {
            Some(Piece::Text(end)) if !ends_in_top_label(end) => Err(DomainSpecFault::End),
            _ => Ok(DomainSpec { text }),
        }
    }

    /// The domain-spec that is just this name.
    ///
    /// # Errors
    ///
    /// [`DomainSpecFault`] when the name cannot be written in a record as it stands.
    pub fn of_name(name: &Name) -> Result<DomainSpec, DomainSpecFault> {
        let labels: Vec<&[u8]> = name.labels().collect();
        let text = labels.join(&b'.');
        DomainSpec::parse(&String::from_utf8_lossy(&text).replace('%', "%%").into_bytes())
    }

    /// The text with its macros.
    pub fn macros(&self) -> &MacroString {
        &self.text
    }

    /// The name when no macro is in it and it can be asked for.
    pub fn plain_name(&self) -> Option<Name> {
        let plain = self.text.letters().next().is_none();
        let nobody = MacroValues {
            local_part: b"",
            sender_domain: b"",
            domain: b"",
            ip: IpAddr::from([0, 0, 0, 0]),
            helo: b"",
            validated: b"",
            receiver: b"",
            now_seconds: 0,
        };
        if plain { self.expand(&nobody).ok().map(|target| target.name) } else { None }
    }

    /// The name that is meant, for this sender.
    ///
    /// Too long a name loses labels from the left; a trailing dot is dropped. RFC 7208 §7.3.
    ///
    /// # Errors
    ///
    /// [`NameFault`] when no question can be asked about the result: RFC 7208 §4.3 and §5 say what follows.
    pub fn expand(&self, values: &MacroValues<'_>) -> Result<Target, NameFault> {
        let expansion = self.text.expand_tail(values);
        let mut text = expansion.strip_suffix(b".").unwrap_or(&expansion);
        while text.len() > NAME_OCTETS_MAX {
            let dot = text.iter().position(|octet| *octet == b'.').ok_or(NameFault::LongName)?;
            text = text.get(dot + 1..).unwrap_or_default();
        }
        Target::read(text)
    }
}

impl fmt::Display for DomainSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// A name to ask about, and the octets that `%{d}` stands for while it is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name.
    pub name: Name,
    /// As it was written, without a trailing dot.
    pub text: Vec<u8>,
}

impl Target {
    /// Reads octets with dots between the labels, none at the end. No escapes.
    ///
    /// # Errors
    ///
    /// [`NameFault`] when they are no name.
    pub fn read(text: &[u8]) -> Result<Target, NameFault> {
        let name = Name::from_labels(text.split(|octet| *octet == b'.'))?;
        Ok(Target { name, text: text.to_vec() })
    }

    /// The target that is just this name.
    pub fn of(name: &Name) -> Target {
        let labels: Vec<&[u8]> = name.labels().collect();
        Target { text: labels.join(&b'.'), name: name.clone() }
    }
}

/// Whether a text ends in a dot, a top label and perhaps a dot. RFC 7208 §7.1.
fn ends_in_top_label(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let Some((_, label)) = text.rsplit_once('.') else {
        return false;
    };
    let inner = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    !label.is_empty()
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.bytes().all(|octet| octet.is_ascii_digit())
}
