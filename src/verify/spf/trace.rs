//! The steps of an evaluation, one line each, for people who want to know why.

use std::fmt;

use crate::protocol::spf::{LOOKUPS_MAX, NAMES_MAX, SpfFault, VOID_LOOKUPS_MAX};
use crate::verify::evidence::{Failure, Question};
use crate::verify::spf::SpfResult;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLine {
    /// How many includes and redirects deep.
    pub depth: u32,
    /// Whose record it is in, as text for people. Hostile.
    pub domain: String,
    /// The term, or `TXT` for the fetching of the record. Hostile.
    pub term: String,
    /// How many of the ten lookups it cost by itself.
    pub lookups: u32,
    /// How many of its lookups found nothing.
    pub void_lookups: u32,
    /// What it gave.
    pub gave: Gave,
}

impl fmt::Display for TraceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.domain, self.term)?;
        match (self.lookups, self.void_lookups) {
            (0, 0) => {}
            (lookups, 0) => write!(f, " [{lookups} lookup]")?,
            (lookups, voids) => write!(f, " [{lookups} lookup, {voids} void]")?,
        }
        write!(f, ": {}", self.gave)
    }
}

/// What one step gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gave {
    /// It is being looked at; what it gave follows from the lines below it.
    Opened,
    /// The text of the record that was found. Hostile.
    Record(String),
    /// There is no record.
    NoRecord,
    /// The mechanism matched, and this follows.
    Match(SpfResult),
    /// The mechanism did not match.
    NoMatch,
    /// The result of a whole record.
    Result(SpfResult),
    /// The explanation. Hostile.
    Explanation(String),
    /// There is no usable explanation.
    NoExplanation,
    /// It ended the evaluation.
    Ended(Cause),
}

impl fmt::Display for Gave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gave::Opened => f.write_str("looked into"),
            Gave::Record(text) => f.write_str(text),
            Gave::NoRecord => f.write_str("no SPF record"),
            Gave::Match(result) => write!(f, "matches, {result}"),
            Gave::NoMatch => f.write_str("does not match"),
            Gave::Result(result) => write!(f, "gives {result}"),
            Gave::Explanation(text) => write!(f, "explains: {text}"),
            Gave::NoExplanation => f.write_str("no usable explanation"),
            Gave::Ended(cause) => write!(f, "{}, {cause}", cause.result()),
        }
    }
}

/// Why an evaluation ended without a word about the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The record breaks the grammar. RFC 7208 §4.6.
    Syntax(SpfFault),
    /// There are so many records at one name. RFC 7208 §4.5.
    SeveralRecords(usize),
    /// An include or a redirect leads to no record. RFC 7208 §5.2, §6.1.
    NoRecord,
    /// An include or a redirect leads to no name that could be asked about.
    NoName,
    /// Too many terms cost lookups. RFC 7208 §4.6.4.
    Lookups,
    /// Too many lookups found nothing. RFC 7208 §4.6.4.
    VoidLookups,
    /// More mail exchanges than may be looked up. RFC 7208 §4.6.4.
    Exchanges(usize),
    /// DNS failed.
    Dns(Question, Failure),
}

impl Cause {
    /// What it makes the result.
    pub fn result(&self) -> SpfResult {
        match self {
            Cause::Dns(..) => SpfResult::TempError,
            _ => SpfResult::PermError,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Syntax(fault) => write!(f, "{fault}"),
            Cause::SeveralRecords(count) => write!(f, "{count} SPF records at one name (RFC 7208 §4.5)"),
            Cause::NoRecord => f.write_str("it leads to no SPF record (RFC 7208 §5.2, §6.1)"),
            Cause::NoName => f.write_str("it leads to no name that can be asked about"),
            Cause::Lookups => write!(f, "more than {LOOKUPS_MAX} terms cost a lookup (RFC 7208 §4.6.4)"),
            Cause::VoidLookups => write!(f, "more than {VOID_LOOKUPS_MAX} lookups found nothing (RFC 7208 §4.6.4)"),
            Cause::Exchanges(count) => write!(f, "{count} mail exchanges, more than {NAMES_MAX} (RFC 7208 §4.6.4)"),
            Cause::Dns(question, failure) => write!(f, "DNS failed on {question}: {}", failure.outcome()),
        }
    }
}
