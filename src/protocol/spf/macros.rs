//! Macro strings (RFC 7208 §7): text ↔ pieces, and pieces to octets.
//!
//! Owns the grammar and the expansion. Who the sender is, and which name of a client is
//! validated (`%{p}`), is told by [`MacroValues`]; nothing is looked up here.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use thiserror::Error;

use crate::protocol::name::Name;

/// How many octets from the end of an expansion are looked at for a name: more than a name can hold,
/// so that what is cut off could never have been part of it.
const NAME_TAIL_OCTETS: usize = 1_024;

/// The longest explanation made, in octets; the rest is cut off. Room for several lines of SMTP.
pub const EXPLANATION_OCTETS_MAX: usize = 4_096;

/// Why a text is no macro string.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MacroFault {
    /// An octet outside of printable ASCII; a space, unless in an explanation. RFC 7208 §7.1.
    #[error("the octet {0} is not allowed; only visible ASCII characters are (RFC 7208 §7.1)")]
    Octet(u8),
    /// A `%` that begins nothing. RFC 7208 §7.1.
    #[error("a `%` must begin `%{{…}}`, `%%`, `%_` or `%-` (RFC 7208 §7.1)")]
    LonePercent,
    /// A `%{` that does not end well. RFC 7208 §7.1.
    #[error("a macro is a letter, digits, `r` and delimiters between `%{{` and `}}` (RFC 7208 §7.1)")]
    Unfinished,
    /// No such letter. RFC 7208 §7.2.
    #[error("there is no macro letter `{0}` (RFC 7208 §7.2)")]
    Letter(char),
    /// A letter that only explanations may use. RFC 7208 §7.2.
    #[error("the macro letter `{0}` is allowed only in the text of an explanation (RFC 7208 §7.2)")]
    ExplanationOnly(char),
    /// A count of parts of zero. RFC 7208 §7.3.
    #[error("the number of parts in a macro must not be zero (RFC 7208 §7.3)")]
    ZeroParts,
}

/// Where a macro string stands, for explanations allow more. RFC 7208 §6.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacroPlace {
    /// In a term of a record.
    Term,
    /// In the text that `exp` leads to: spaces, and the letters c, r and t.
    Explanation,
}

/// What a macro stands for. RFC 7208 §7.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Letter {
    /// `s`: the sender.
    Sender,
    /// `l`: the sender's local part.
    LocalPart,
    /// `o`: the sender's domain.
    SenderDomain,
    /// `d`: the domain being evaluated.
    Domain,
    /// `i`: the client's address, dotted.
    Ip,
    /// `p`: the client's validated name.
    Validated,
    /// `v`: `in-addr` or `ip6`.
    Version,
    /// `h`: the HELO name.
    Helo,
    /// `c`: the client's address, readable.
    ReadableIp,
    /// `r`: the receiver.
    Receiver,
    /// `t`: the time in seconds.
    Time,
}

impl Letter {
    const ALL: [(char, Letter); 11] = [
        ('s', Letter::Sender),
        ('l', Letter::LocalPart),
        ('o', Letter::SenderDomain),
        ('d', Letter::Domain),
        ('i', Letter::Ip),
        ('p', Letter::Validated),
        ('v', Letter::Version),
        ('h', Letter::Helo),
        ('c', Letter::ReadableIp),
        ('r', Letter::Receiver),
        ('t', Letter::Time),
    ];

    fn read(letter: char) -> Option<Letter> {
        Letter::ALL.iter().find(|(known, _)| *known == letter.to_ascii_lowercase()).map(|(_, letter)| *letter)
    }

    fn char(self) -> char {
        Letter::ALL.iter().find(|(_, letter)| *letter == self).map_or('d', |(char, _)| *char)
    }

    fn is_for_explanations(self) -> bool {
        matches!(self, Letter::ReadableIp | Letter::Receiver | Letter::Time)
    }
}

/// One macro with its transformers. RFC 7208 §7.3.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Macro {
    /// What it stands for.
    pub letter: Letter,
    /// Written in upper case: the value is escaped as in URLs.
    pub is_url_escaped: bool,
    /// How many parts from the right are kept; nothing keeps all.
    pub parts: Option<NonZeroU32>,
    /// Whether the parts are reversed first.
    pub is_reversed: bool,
    /// Where the value is split; empty means at dots. Made of `.-+,/_=`.
    pub delimiters: String,
}

/// A piece of a macro string.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// Text that stands for itself.
    Text(String),
    /// `%%`: a percent sign.
    Percent,
    /// `%_`: a space.
    Space,
    /// `%-`: a space escaped as in URLs, `%20`.
    UrlSpace,
    /// `%{…}`.
    Macro(Macro),
}

/// Text with macros in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct MacroString {
    pieces: Vec<Piece>,
}

impl MacroString {
    /// Reads a macro string.
    ///
    /// # Errors
    ///
    /// [`MacroFault`], the fault of whoever published the text.
    pub fn parse(text: &[u8], place: MacroPlace) -> Result<MacroString, MacroFault> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((octet, after)) = rest.split_first() {
            rest = after;
            match octet {
                b'%' => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut literal)));
                    }
                    let (piece, after) = read_piece(rest, place)?;
                    pieces.push(piece);
                    rest = after;
                }
                b' ' if place == MacroPlace::Explanation => literal.push(' '),
                0x21..=0x7e => literal.push(char::from(*octet)),
                other => return Err(MacroFault::Octet(*other)),
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(MacroString { pieces })
    }

    /// The pieces in order; no two texts stand side by side.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The letters used, in order.
    pub fn letters(&self) -> impl Iterator<Item = Letter> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Macro(used) => Some(used.letter),
            _ => None,
        })
    }

    /// Whether it uses `letter`.
    pub fn uses(&self, letter: Letter) -> bool {
        self.letters().any(|used| used == letter)
    }

    /// The expansion from the front, cut off after [`EXPLANATION_OCTETS_MAX`] octets.
    pub fn expand_text(&self, values: &MacroValues<'_>) -> Vec<u8> {
        let mut octets = Vec::new();
        for piece in &self.pieces {
            octets.extend(expand_piece(piece, values));
            if octets.len() >= EXPLANATION_OCTETS_MAX {
                octets.truncate(EXPLANATION_OCTETS_MAX);
                break;
            }
        }
        octets
    }

    /// The end of the expansion, in which any name that is meant lies whole.
    pub(super) fn expand_tail(&self, values: &MacroValues<'_>) -> Vec<u8> {
        let mut parts = Vec::new();
        let mut length = 0;
        for piece in self.pieces.iter().rev() {
            let part = expand_piece(piece, values);
            length += part.len();
            parts.push(part);
            if length > NAME_TAIL_OCTETS {
                break;
            }
        }
        parts.reverse();
        parts.concat()
    }
}

impl fmt::Display for MacroString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Percent => f.write_str("%%")?,
                Piece::Space => f.write_str("%_")?,
                Piece::UrlSpace => f.write_str("%-")?,
                Piece::Macro(used) => write!(f, "{used}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = self.letter.char();
        let letter = if self.is_url_escaped { letter.to_ascii_uppercase() } else { letter };
        write!(f, "%{{{letter}")?;
        if let Some(parts) = self.parts {
            write!(f, "{parts}")?;
        }
        if self.is_reversed {
            f.write_str("r")?;
        }
        write!(f, "{}}}", self.delimiters)
    }
}

/// What stands behind a percent sign, and what follows it.
fn read_piece(rest: &[u8], place: MacroPlace) -> Result<(Piece, &[u8]), MacroFault> {
    match rest.split_first() {
        Some((b'%', after)) => Ok((Piece::Percent, after)),
        Some((b'_', after)) => Ok((Piece::Space, after)),
        Some((b'-', after)) => Ok((Piece::UrlSpace, after)),
        Some((b'{', after)) => {
            let end = after.iter().position(|octet| *octet == b'}').ok_or(MacroFault::Unfinished)?;
            let (inner, after) = after.split_at_checked(end).ok_or(MacroFault::Unfinished)?;
            Ok((Piece::Macro(read_macro(inner, place)?), after.get(1..).unwrap_or_default()))
        }
        _ => Err(MacroFault::LonePercent),
    }
}

/// What stands between the braces: letter, digits, `r`, delimiters. RFC 7208 §7.1.
fn read_macro(inner: &[u8], place: MacroPlace) -> Result<Macro, MacroFault> {
    let (first, mut rest) = inner.split_first().ok_or(MacroFault::Unfinished)?;
    let written = char::from(*first);
    if !first.is_ascii_graphic() {
        return Err(MacroFault::Octet(*first));
    }
    let letter = Letter::read(written).ok_or(MacroFault::Letter(written))?;
    if letter.is_for_explanations() && place == MacroPlace::Term {
        return Err(MacroFault::ExplanationOnly(written));
    }
    let mut count: Option<u32> = None;
    while let Some((digit, after)) = rest.split_first().filter(|(octet, _)| octet.is_ascii_digit()) {
        // A number beyond all names keeps all parts, however long it is.
        count = Some(count.unwrap_or(0).saturating_mul(10).saturating_add(u32::from(digit - b'0')));
        rest = after;
    }
    let parts = match count {
        Some(count) => Some(NonZeroU32::new(count).ok_or(MacroFault::ZeroParts)?),
        None => None,
    };
    let is_reversed = matches!(rest.first(), Some(b'r' | b'R'));
    if is_reversed {
        rest = rest.get(1..).unwrap_or_default();
    }
    let mut delimiters = String::new();
    for octet in rest {
        match octet {
            b'.' | b'-' | b'+' | b',' | b'/' | b'_' | b'=' => delimiters.push(char::from(*octet)),
            _ => return Err(MacroFault::Unfinished),
        }
    }
    Ok(Macro { letter, is_url_escaped: first.is_ascii_uppercase(), parts, is_reversed, delimiters })
}

/// Who is being judged: what the macros stand for. RFC 7208 §7.2.
#[derive(Debug, Clone, Copy)]
pub struct MacroValues<'v> {
    /// The sender's local part, `postmaster` where it had none. RFC 7208 §4.3.
    pub local_part: &'v [u8],
    /// The sender's domain.
    pub sender_domain: &'v [u8],
    /// The domain being evaluated.
    pub domain: &'v [u8],
    /// The client's address; IPv4 also where it came mapped into IPv6.
    pub ip: IpAddr,
    /// The HELO name.
    pub helo: &'v [u8],
    /// The client's validated name, or `unknown`. RFC 7208 §7.3.
    pub validated: &'v [u8],
    /// The receiver's name, or `unknown`.
    pub receiver: &'v [u8],
    /// The time in seconds since 1970.
    pub now_seconds: u64,
}

fn expand_piece(piece: &Piece, values: &MacroValues<'_>) -> Vec<u8> {
    match piece {
        Piece::Text(text) => text.as_bytes().to_vec(),
        Piece::Percent => b"%".to_vec(),
        Piece::Space => b" ".to_vec(),
        Piece::UrlSpace => b"%20".to_vec(),
        Piece::Macro(used) => {
            let value = transform(&value_of(used.letter, values), used);
            if used.is_url_escaped { url_escape(&value) } else { value }
        }
    }
}

fn value_of(letter: Letter, values: &MacroValues<'_>) -> Vec<u8> {
    match letter {
        Letter::Sender => [values.local_part, b"@", values.sender_domain].concat(),
        Letter::LocalPart => values.local_part.to_vec(),
        Letter::SenderDomain => values.sender_domain.to_vec(),
        Letter::Domain => values.domain.to_vec(),
        Letter::Ip => dotted(values.ip).into_bytes(),
        Letter::Validated => values.validated.to_vec(),
        Letter::Version => if values.ip.is_ipv4() { "in-addr" } else { "ip6" }.into(),
        Letter::Helo => values.helo.to_vec(),
        Letter::ReadableIp => values.ip.to_string().into_bytes(),
        Letter::Receiver => values.receiver.to_vec(),
        Letter::Time => values.now_seconds.to_string().into_bytes(),
    }
}

/// An address with a dot between its parts: octets for IPv4, nibbles for IPv6. RFC 7208 §7.3.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let nibbles: Vec<String> =
                address.octets().iter().flat_map(|o| [o >> 4, o & 15]).map(|n| format!("{n:X}")).collect();
            nibbles.join(".")
        }
    }
}

/// The name under which an address's PTR records stand. RFC 1035 §3.5, RFC 3596 §2.5.
pub fn reverse_name(ip: IpAddr) -> Name {
    let dotted = dotted(ip);
    let zone = if ip.is_ipv4() { "in-addr" } else { "ip6" };
    // Neither form can break a limit of names: the longer has 34 labels.
    Name::from_labels(dotted.split('.').rev().chain([zone, "arpa"])).unwrap_or_else(|_| Name::root())
}

/// Splits, reverses, keeps parts from the right, and joins with dots. RFC 7208 §7.3.
fn transform(value: &[u8], used: &Macro) -> Vec<u8> {
    let splits = |octet: &u8| match used.delimiters.as_str() {
        "" => *octet == b'.',
        delimiters => delimiters.as_bytes().contains(octet),
    };
    let mut parts: Vec<&[u8]> = value.split(splits).collect();
    if used.is_reversed {
        parts.reverse();
    }
    let kept = used.parts.map_or(usize::MAX, |parts| usize::try_from(parts.get()).unwrap_or(usize::MAX));
    let from = parts.len().saturating_sub(kept);
    parts.get(from..).unwrap_or_default().join(&b'.')
}

/// Escapes all but the unreserved characters of RFC 3986 §2.3. RFC 7208 §7.3.
fn url_escape(value: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(value.len());
    for octet in value {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(*octet),
            _ => escaped.extend(format!("%{octet:02X}").into_bytes()),
        }
    }
    escaped
}
