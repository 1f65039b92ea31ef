//! Master files (RFC 1035 §5.1) cut into entries and words.
//!
//! Owns quotes, parentheses, comments and lines. What the words of an entry mean is read in
//! [`crate::dns::zone_text`].

use crate::dns::zone_text::{Fault, ZoneTextFault};

/// One line of a master file, or several held together by parentheses.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) kind: Kind,
    /// Its words.
    pub(super) words: Vec<Word<'t>>,
}

/// What an entry is, by how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its first word is an owner, or a directive with `$`.
    Plain,
    /// It begins with a space: the owner is the one before.
    SameOwner,
    /// A comment that begins with `;@`: a fault to play.
    Play,
}

/// One word, its escapes as they stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'t> {
    /// The text, without its quotes.
    pub(super) text: &'t str,
    /// Whether it stood in quotes.
    pub(super) quoted: bool,
}

/// Cuts `text` into entries.
///
/// # Errors
///
/// [`ZoneTextFault`] for parentheses or quotes that do not match.
pub(super) fn entries(text: &str) -> Result<Vec<Entry<'_>>, ZoneTextFault> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut open: Option<Entry<'_>> = None;
    let mut depth = 0_usize;
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let at = |fault| ZoneTextFault { line: line_number, fault };
        let mut entry = match open.take() {
            Some(entry) => entry,
            None => {
                let kind = if line.starts_with(";@") {
                    Kind::Play
                } else if line.starts_with([' ', '\t']) {
                    Kind::SameOwner
                } else {
                    Kind::Plain
                };
                Entry { line: line_number, kind, words: Vec::new() }
            }
        };
        let mut rest = if entry.kind == Kind::Play { line.trim_start_matches(";@") } else { line };
        while let Some((piece, after)) = next_piece(rest).map_err(at)? {
            rest = after;
            match piece {
                Piece::Word(word) => entry.words.push(word),
                Piece::Open => depth += 1,
                Piece::Close => depth = depth.checked_sub(1).ok_or(at(Fault::Parentheses))?,
            }
        }
        if depth > 0 {
            open = Some(entry);
        } else if !entry.words.is_empty() {
            entries.push(entry);
        }
    }
    match open {
        Some(entry) => Err(ZoneTextFault { line: entry.line, fault: Fault::Parentheses }),
        None => Ok(entries),
    }
}

enum Piece<'t> {
    Word(Word<'t>),
    Open,
    Close,
}

/// The next piece of a line and what follows it; nothing at the line's end or at a comment.
fn next_piece(rest: &str) -> Result<Option<(Piece<'_>, &str)>, Fault> {
    let rest = rest.trim_start();
    let Some(first) = rest.bytes().next() else { return Ok(None) };
    match first {
        b';' => Ok(None),
        b'(' => Ok(Some((Piece::Open, rest.get(1..).unwrap_or_default()))),
        b')' => Ok(Some((Piece::Close, rest.get(1..).unwrap_or_default()))),
        b'"' => {
            let inner = rest.get(1..).unwrap_or_default();
            let end = end_of_word(inner, |octet| octet == b'"').ok_or(Fault::Quotes)?;
            let (text, after) = inner.split_at_checked(end).ok_or(Fault::Quotes)?;
            Ok(Some((Piece::Word(Word { text, quoted: true }), after.get(1..).unwrap_or_default())))
        }
        _ => {
            let ends = |octet: u8| octet.is_ascii_whitespace() || matches!(octet, b';' | b'(' | b')' | b'"');
            let end = end_of_word(rest, ends).unwrap_or(rest.len());
            let (text, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            Ok(Some((Piece::Word(Word { text, quoted: false }), after)))
        }
    }
}

/// Where the first octet stands that `ends` a word and has no backslash before it.
fn end_of_word(text: &str, ends: impl Fn(u8) -> bool) -> Option<usize> {
    let mut escaped = false;
    for (index, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if ends(octet) => return Some(index),
            _ => {}
        }
    }
    None
}
