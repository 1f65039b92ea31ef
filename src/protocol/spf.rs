//! Sender Policy Framework records (RFC 7208): from text to terms, and back.
//!
//! Owns one question: *what does this record say?* Whether it is the right thing to say, and
//! what it says of one sender, is judged in `verify::spf`.
//!
//! # Strictness
//!
//! Octets, not text: anything but visible ASCII is an error in a term. One bad term spoils the record
//! (§4.6), so [`parse`] stops at the first and says which. Macros are checked here too (§7.1).

pub mod cidr;
pub mod domain_spec;
pub mod macros;
pub mod terms;

use std::fmt;

use thiserror::Error;

use crate::protocol::spf::domain_spec::DomainSpec;
use crate::protocol::spf::terms::{
    Directive, Mechanism, Qualifier, Term, TermFault, UnknownModifier, read_term, shown,
};

/// The most terms of one check that may cost a lookup. RFC 7208 §4.6.4.
pub const LOOKUPS_MAX: u32 = 10;

/// The most lookups of one check that may find nothing. RFC 7208 §4.6.4.
pub const VOID_LOOKUPS_MAX: u32 = 2;

/// The most names of one `mx`, and of one `ptr`, whose addresses are looked up. RFC 7208 §4.6.4.
pub const NAMES_MAX: usize = 10;

/// The version section. RFC 7208 §4.5.
const VERSION: &[u8] = b"v=spf1";

/// Why a text is no SPF record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpfFault {
    /// It does not begin with `v=spf1` and a space or the end. RFC 7208 §4.5.
    #[error("the text does not begin with `v=spf1` followed by a space (RFC 7208 §4.5)")]
    NoVersion,
    /// One term breaks the grammar, and with it the record. RFC 7208 §4.6.
    #[error("term {position} (`{term}`): {fault}")]
    Term {
        /// Which one, counted from 1 behind the version.
        position: usize,
        /// As it stands, for people; out of DNS: hostile.
        term: String,
        /// What is wrong with it.
        fault: TermFault,
    },
}

/// An SPF record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SpfRecord {
    /// The mechanisms in their order.
    pub directives: Vec<Directive>,
    /// Where to go on when no mechanism matches. RFC 7208 §6.1.
    pub redirect: Option<DomainSpec>,
    /// Where a text for failures stands. RFC 7208 §6.2.
    pub explanation: Option<DomainSpec>,
    /// Modifiers that mean nothing here. RFC 7208 §6.
    pub unknown: Vec<UnknownModifier>,
}

impl SpfRecord {
    /// Where the first `all` stands; what follows it is never reached. RFC 7208 §5.1.
    pub fn all_at(&self) -> Option<usize> {
        self.directives.iter().position(|directive| directive.mechanism == Mechanism::All)
    }

    /// The qualifier of the first `all`.
    pub fn all(&self) -> Option<Qualifier> {
        self.all_at().and_then(|at| self.directives.get(at)).map(|directive| directive.qualifier)
    }

    /// The directives that can be reached: up to and with the first `all`.
    pub fn reachable(&self) -> &[Directive] {
        let end = self.all_at().map_or(self.directives.len(), |at| at + 1);
        self.directives.get(..end).unwrap_or_default()
    }

    /// Where to go on at the end. Beside an `all`, a redirect is never used. RFC 7208 §6.1.
    pub fn live_redirect(&self) -> Option<&DomainSpec> {
        if self.all_at().is_some() { None } else { self.redirect.as_ref() }
    }
}

impl fmt::Display for SpfRecord {
    /// The record in one line: mechanisms, then modifiers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=spf1")?;
        for directive in &self.directives {
            write!(f, " {directive}")?;
        }
        if let Some(redirect) = &self.redirect {
            write!(f, " redirect={redirect}")?;
        }
        if let Some(explanation) = &self.explanation {
            write!(f, " exp={explanation}")?;
        }
        for unknown in &self.unknown {
            write!(f, " {unknown}")?;
        }
        Ok(())
    }
}

/// Whether a text is an SPF record at all, well-formed or not. RFC 7208 §4.5.
pub fn is_record(text: &[u8]) -> bool {
    terms_of(text).is_some()
}

/// What follows the version section; nothing when there is none.
fn terms_of(text: &[u8]) -> Option<&[u8]> {
    let (version, rest) = text.split_at_checked(VERSION.len())?;
    let ends = rest.is_empty() || rest.starts_with(b" ");
    if version.eq_ignore_ascii_case(VERSION) && ends { Some(rest) } else { None }
}

/// The terms of a record as they stand, in order. RFC 7208 §4.5 leaves only spaces between them.
///
/// # Errors
///
/// [`SpfFault::NoVersion`] when the text is no SPF record.
pub fn split(text: &[u8]) -> Result<impl Iterator<Item = &[u8]>, SpfFault> {
    let rest = terms_of(text).ok_or(SpfFault::NoVersion)?;
    Ok(rest.split(|octet| *octet == b' ').filter(|term| !term.is_empty()))
}

/// Reads a record.
///
/// # Errors
///
/// [`SpfFault`] with the first bad term, the fault of whoever published it.
pub fn parse(text: &[u8]) -> Result<SpfRecord, SpfFault> {
    let mut record = SpfRecord::default();
    for (index, text) in split(text)?.enumerate() {
        let added = read_term(text).and_then(|term| add(&mut record, term));
        added.map_err(|fault| SpfFault::Term { position: index + 1, term: shown(text), fault })?;
    }
    Ok(record)
}

/// Adds one term; `redirect` and `exp` may stand only once. RFC 7208 §6.
fn add(record: &mut SpfRecord, term: Term) -> Result<(), TermFault> {
    match term {
        Term::Directive(directive) => record.directives.push(directive),
        Term::Redirect(_) if record.redirect.is_some() => return Err(TermFault::Repeated("redirect")),
        Term::Redirect(domain) => record.redirect = Some(domain),
        Term::Explanation(_) if record.explanation.is_some() => return Err(TermFault::Repeated("exp")),
        Term::Explanation(domain) => record.explanation = Some(domain),
        Term::Unknown(modifier) => record.unknown.push(modifier),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
