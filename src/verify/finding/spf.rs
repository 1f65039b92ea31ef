//! Findings about the SPF record (RFC 7208).

use std::fmt;
use std::net::IpAddr;

use crate::protocol::name::Name;
use crate::protocol::spf::{LOOKUPS_MAX, SpfFault, VOID_LOOKUPS_MAX};
use crate::verify::evidence::{Failure, Question};
use crate::verify::finding::{Fact, Severity};
use crate::verify::spf::SpfResult;
use crate::verify::spf::reach::TermAt;

/// What one term of a tree costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// How many includes deep the term stands.
    pub depth: u32,
    /// The term. Hostile.
    pub term: String,
    /// Its lookups, with all that it leads to.
    pub lookups: u32,
}

impl fmt::Display for Cost {
    /// `include:_spf.example.net 3`, two spaces before it for each include around it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for _ in 0..self.depth {
            f.write_str("  ")?;
        }
        write!(f, "{} {}", self.term, self.lookups)
    }
}

/// What a judgement of the SPF record noticed.
///
/// Texts and terms come out of DNS: they are hostile, cut to a length that people can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpfFinding {
    /// There is no record.
    Missing,
    /// A text looks like a record, but its version is wrong, so it is ignored. RFC 7208 §4.5.
    NearMiss {
        /// The text.
        found: String,
    },
    /// Quotes, backslashes or spaces before the version became part of the text. RFC 7208 §4.5.
    QuotesInside {
        /// The text.
        found: String,
    },
    /// A Sender ID record, which nobody reads any more.
    SenderId {
        /// The text.
        found: String,
    },
    /// Several records at one name. RFC 7208 §4.5.
    SeveralRecords {
        /// The records.
        records: Vec<String>,
    },
    /// A term breaks the grammar. RFC 7208 §4.6.
    Syntax {
        /// Whose record.
        at: Name,
        /// The term and its fault.
        fault: SpfFault,
        /// What the term was probably meant to be.
        meant: Option<String>,
    },
    /// More than ten terms cost lookups. RFC 7208 §4.6.4.
    LookupsExceeded {
        /// How many do.
        lookups: u32,
        /// What each costs.
        costs: Vec<Cost>,
    },
    /// Eight to ten terms cost lookups. RFC 7208 §4.6.4.
    LookupsNearLimit {
        /// How many do.
        lookups: u32,
        /// What each costs.
        costs: Vec<Cost>,
    },
    /// More than two lookups find nothing. RFC 7208 §4.6.4.
    VoidLookupsExceeded {
        /// How many do.
        void_lookups: u32,
        /// The terms whose lookups find nothing.
        terms: Vec<TermAt>,
    },
    /// A required include is not there.
    IncludeMissing {
        /// Its name.
        include: Name,
    },
    /// A required include is not there, but its addresses pass all the same.
    IncludeFlattened {
        /// Its name.
        include: Name,
    },
    /// A required address does not pass.
    AddressNotAuthorised {
        /// The address.
        address: IpAddr,
        /// What it gets instead.
        result: SpfResult,
    },
    /// An include or a redirect leads to no record. RFC 7208 §5.2, §6.1.
    IncludeWithoutRecord {
        /// The term.
        term: TermAt,
        /// Where it leads; nothing when that is no name.
        target: Option<Name>,
        /// Whether that include is required: its provider is at fault.
        is_required: bool,
    },
    /// An include or a redirect leads to several records. RFC 7208 §4.5.
    IncludeSeveralRecords {
        /// The term.
        term: TermAt,
        /// How many there are.
        count: usize,
    },
    /// An include or a redirect leads back to where it came from.
    Loop {
        /// The term.
        term: TermAt,
        /// The name that it leads back to.
        target: Name,
    },
    /// A name has more than ten mail exchanges. RFC 7208 §4.6.4.
    ExchangesExceeded {
        /// The term.
        term: TermAt,
        /// How many there are.
        count: usize,
    },
    /// Everybody passes.
    PassAll {
        /// The term.
        term: TermAt,
    },
    /// More IPv4 addresses pass than can be one sender's.
    TooWide {
        /// How many.
        ip4_addresses: u64,
    },
    /// A wider IPv6 network passes than can be one sender's.
    TooWideIp6 {
        /// The term.
        term: TermAt,
    },
    /// The record says nothing of those who are not listed.
    NeutralAll,
    /// The record ends in neither `all` nor `redirect`. RFC 7208 §4.7.
    NoAll,
    /// `ptr` is used. RFC 7208 §5.5.
    PtrUsed {
        /// The term.
        term: String,
    },
    /// Terms behind `all`, which nobody reads. RFC 7208 §5.1, §6.1.
    AfterAll {
        /// The terms.
        terms: Vec<String>,
    },
    /// A modifier that nobody knows, spelled like a mechanism. RFC 7208 §6.
    UnknownModifier {
        /// The modifier.
        term: String,
        /// The mechanism that was probably meant.
        meant: String,
    },
    /// Two strings of the record run together. RFC 7208 §3.3.
    StringsRunTogether {
        /// The last word of the one.
        before: String,
        /// The first of the other.
        after: String,
    },
    /// The value is longer than one string can be. RFC 7208 §3.3.
    LongStrings {
        /// The value in strings of at most 255 octets.
        strings: Vec<String>,
    },
    /// The record is so long that an answer may not fit into one packet. RFC 7208 §3.4.
    LongRecord {
        /// Its octets.
        octets: u64,
    },
    /// Terms whose macros keep them from being followed without a sender.
    NotFollowed {
        /// The terms.
        terms: Vec<TermAt>,
    },
    /// Nobody could tell what is at a name that matters.
    LookupFailed {
        /// The question.
        question: Question,
        /// How it failed.
        failure: Failure,
    },
    /// What the record to paste costs.
    Suggestion {
        /// Its lookups.
        lookups: u32,
    },
    /// No record with all that is there and all that is required keeps to ten lookups. RFC 7208 §4.6.4.
    SuggestionOverLimit {
        /// The lookups that it would cost.
        lookups: u32,
        /// What each term of it costs.
        costs: Vec<Cost>,
        /// Terms without which it would keep the limit.
        remove: Vec<String>,
    },
}

impl SpfFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            SpfFinding::Missing => "spf.missing",
            SpfFinding::NearMiss { .. } => "spf.near-miss",
            SpfFinding::QuotesInside { .. } => "spf.quotes-inside",
            SpfFinding::SenderId { .. } => "spf.sender-id",
            SpfFinding::SeveralRecords { .. } => "spf.several-records",
            SpfFinding::Syntax { .. } => "spf.syntax",
            SpfFinding::LookupsExceeded { .. } => "spf.lookups-exceeded",
            SpfFinding::LookupsNearLimit { .. } => "spf.lookups-near-limit",
            SpfFinding::VoidLookupsExceeded { .. } => "spf.void-lookups-exceeded",
            SpfFinding::IncludeMissing { .. } => "spf.include-missing",
            SpfFinding::IncludeFlattened { .. } => "spf.include-flattened",
            SpfFinding::AddressNotAuthorised { .. } => "spf.address-not-authorised",
            SpfFinding::IncludeWithoutRecord { .. } => "spf.include-without-record",
            SpfFinding::IncludeSeveralRecords { .. } => "spf.include-several-records",
            SpfFinding::Loop { .. } => "spf.loop",
            SpfFinding::ExchangesExceeded { .. } => "spf.exchanges-exceeded",
            SpfFinding::PassAll { .. } => "spf.pass-all",
            SpfFinding::TooWide { .. } | SpfFinding::TooWideIp6 { .. } => "spf.too-wide",
            SpfFinding::NeutralAll => "spf.neutral-all",
            SpfFinding::NoAll => "spf.no-all",
            SpfFinding::PtrUsed { .. } => "spf.ptr-used",
            SpfFinding::AfterAll { .. } => "spf.after-all",
            SpfFinding::UnknownModifier { .. } => "spf.unknown-modifier",
            SpfFinding::StringsRunTogether { .. } => "spf.strings-run-together",
            SpfFinding::LongStrings { .. } => "spf.long-strings",
            SpfFinding::LongRecord { .. } => "spf.long-record",
            SpfFinding::NotFollowed { .. } => "spf.not-followed",
            SpfFinding::LookupFailed { .. } => "spf.lookup-failed",
            SpfFinding::Suggestion { .. } => "spf.suggestion",
            SpfFinding::SuggestionOverLimit { .. } => "spf.suggestion-over-limit",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            SpfFinding::Missing
            | SpfFinding::SeveralRecords { .. }
            | SpfFinding::Syntax { .. }
            | SpfFinding::LookupsExceeded { .. }
            | SpfFinding::VoidLookupsExceeded { .. }
            | SpfFinding::IncludeMissing { .. }
            | SpfFinding::AddressNotAuthorised { .. }
            | SpfFinding::IncludeWithoutRecord { .. }
            | SpfFinding::IncludeSeveralRecords { .. }
            | SpfFinding::Loop { .. }
            | SpfFinding::ExchangesExceeded { .. }
            | SpfFinding::PassAll { .. }
            | SpfFinding::TooWide { .. }
            | SpfFinding::TooWideIp6 { .. }
            | SpfFinding::SuggestionOverLimit { .. } => Severity::Error,
            SpfFinding::NearMiss { .. }
            | SpfFinding::QuotesInside { .. }
            | SpfFinding::LookupsNearLimit { .. }
            | SpfFinding::NeutralAll
            | SpfFinding::NoAll
            | SpfFinding::PtrUsed { .. }
            | SpfFinding::AfterAll { .. }
            | SpfFinding::UnknownModifier { .. }
            | SpfFinding::StringsRunTogether { .. }
            | SpfFinding::LongRecord { .. }
            | SpfFinding::LookupFailed { .. } => Severity::Warning,
            SpfFinding::SenderId { .. }
            | SpfFinding::IncludeFlattened { .. }
            | SpfFinding::LongStrings { .. }
            | SpfFinding::NotFollowed { .. }
            | SpfFinding::Suggestion { .. } => Severity::Notice,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        let number = |count: usize| Fact::Number(u64::try_from(count).unwrap_or(u64::MAX));
        match self {
            SpfFinding::Missing | SpfFinding::NeutralAll | SpfFinding::NoAll => Vec::new(),
            SpfFinding::NearMiss { found } | SpfFinding::QuotesInside { found } | SpfFinding::SenderId { found } => {
                vec![("found", Fact::text(found))]
            }
            SpfFinding::SeveralRecords { records } => {
                vec![("count", number(records.len())), ("records", Fact::list(records))]
            }
            SpfFinding::Syntax { at, fault, meant } => syntax_facts(at, fault, meant.as_ref()),
            SpfFinding::LookupsExceeded { lookups, costs } | SpfFinding::LookupsNearLimit { lookups, costs } => {
                lookup_facts(*lookups, costs)
            }
            SpfFinding::VoidLookupsExceeded { void_lookups, terms } => vec![
                ("void_lookups", Fact::Number(u64::from(*void_lookups))),
                ("void_lookups_max", Fact::Number(u64::from(VOID_LOOKUPS_MAX))),
                ("terms", Fact::list(terms)),
            ],
            SpfFinding::IncludeMissing { include } | SpfFinding::IncludeFlattened { include } => {
                vec![("include", Fact::text(include))]
            }
            SpfFinding::AddressNotAuthorised { address, result } => {
                vec![("address", Fact::text(address)), ("result", Fact::text(result))]
            }
            SpfFinding::IncludeWithoutRecord { term, target, .. } => {
                let mut facts = term_facts(term);
                facts.extend(target.as_ref().map(|target| ("target", Fact::text(target))));
                facts
            }
            SpfFinding::IncludeSeveralRecords { term, count } | SpfFinding::ExchangesExceeded { term, count } => {
                let mut facts = term_facts(term);
                facts.push(("count", number(*count)));
                facts
            }
            SpfFinding::Loop { term, target } => {
                let mut facts = term_facts(term);
                facts.push(("target", Fact::text(target)));
                facts
            }
            SpfFinding::PassAll { term } | SpfFinding::TooWideIp6 { term } => term_facts(term),
            SpfFinding::TooWide { ip4_addresses } => vec![("ip4_addresses", Fact::Number(*ip4_addresses))],
            SpfFinding::PtrUsed { term } => vec![("term", Fact::text(term))],
            SpfFinding::AfterAll { terms } => vec![("terms", Fact::list(terms))],
            SpfFinding::UnknownModifier { term, meant } => {
                vec![("term", Fact::text(term)), ("meant", Fact::text(meant))]
            }
            SpfFinding::StringsRunTogether { before, after } => {
                vec![("before", Fact::text(before)), ("after", Fact::text(after))]
            }
            SpfFinding::LongStrings { strings } => vec![("strings", Fact::list(strings))],
            SpfFinding::LongRecord { octets } => vec![("octets", Fact::Number(*octets))],
            SpfFinding::NotFollowed { terms } => vec![("terms", Fact::list(terms))],
            SpfFinding::LookupFailed { question, failure } => vec![
                ("name", Fact::text(&question.name)),
                ("type", Fact::text(question.record_type)),
                ("outcome", Fact::text(failure.outcome())),
            ],
            SpfFinding::Suggestion { lookups } => lookup_facts(*lookups, &[]),
            SpfFinding::SuggestionOverLimit { lookups, costs, remove } => {
                let mut facts = lookup_facts(*lookups, costs);
                facts.push(("remove", Fact::list(remove)));
                facts
            }
        }
    }

    /// One of each.
    pub fn examples() -> Vec<SpfFinding> {
        examples::all()
    }
}

fn syntax_facts(at: &Name, fault: &SpfFault, meant: Option<&String>) -> Vec<(&'static str, Fact)> {
    let mut facts = vec![("at", Fact::text(at))];
    if let SpfFault::Term { position, term, fault } = fault {
        facts.push(("position", Fact::Number(u64::try_from(*position).unwrap_or(u64::MAX))));
        facts.push(("term", Fact::text(term)));
        facts.push(("fault", Fact::text(fault)));
    }
    facts.extend(meant.map(|meant| ("meant", Fact::text(meant))));
    facts
}

fn lookup_facts(lookups: u32, costs: &[Cost]) -> Vec<(&'static str, Fact)> {
    let mut facts =
        vec![("lookups", Fact::Number(u64::from(lookups))), ("lookups_max", Fact::Number(u64::from(LOOKUPS_MAX)))];
    if !costs.is_empty() {
        facts.push(("costs", Fact::list(costs)));
    }
    facts
}

fn term_facts(term: &TermAt) -> Vec<(&'static str, Fact)> {
    vec![("at", Fact::text(&term.at)), ("term", Fact::text(&term.term))]
}

mod examples {
    //! One finding of each kind, for the documentation and for tests that want them all.

    use super::{Cost, SpfFinding};
    use crate::protocol::name::Name;
    use crate::protocol::spf::SpfFault;
    use crate::protocol::spf::terms::TermFault;
    use crate::verify::evidence::{Failure, Question};
    use crate::verify::spf::SpfResult;
    use crate::verify::spf::reach::TermAt;

    pub(super) fn all() -> Vec<SpfFinding> {
        let mut all = of_texts();
        all.extend(of_limits());
        all.extend(of_terms());
        all
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap_or_else(|_| Name::root())
    }

    fn term(term: &str) -> TermAt {
        TermAt { at: name("example.com"), term: term.to_owned() }
    }

    fn costs() -> Vec<Cost> {
        vec![
            Cost { depth: 0, term: "include:_spf.example.net".to_owned(), lookups: 8 },
            Cost { depth: 1, term: "include:a.example.net".to_owned(), lookups: 7 },
            Cost { depth: 0, term: "mx".to_owned(), lookups: 1 },
        ]
    }

    fn of_texts() -> Vec<SpfFinding> {
        vec![
            SpfFinding::Missing,
            SpfFinding::NearMiss { found: "v=spf10 mx ~all".to_owned() },
            SpfFinding::QuotesInside { found: "\"v=spf1 mx ~all\"".to_owned() },
            SpfFinding::SenderId { found: "spf2.0/pra mx ~all".to_owned() },
            SpfFinding::SeveralRecords { records: vec!["v=spf1 mx ~all".to_owned(), "v=spf1 a -all".to_owned()] },
            SpfFinding::Syntax {
                at: name("example.com"),
                fault: SpfFault::Term {
                    position: 1,
                    term: "ip:192.0.2.1".to_owned(),
                    fault: TermFault::UnknownMechanism("ip".to_owned()),
                },
                meant: Some("ip4:192.0.2.1".to_owned()),
            },
            SpfFinding::StringsRunTogether { before: "ip4:192.0.2.1".to_owned(), after: "~all".to_owned() },
            SpfFinding::LongStrings { strings: vec!["v=spf1 mx ".to_owned(), "~all".to_owned()] },
            SpfFinding::LongRecord { octets: 700 },
            SpfFinding::LookupFailed { question: Question::txt(&name("example.net")), failure: Failure::Servfail },
        ]
    }

    fn of_limits() -> Vec<SpfFinding> {
        vec![
            SpfFinding::LookupsExceeded { lookups: 12, costs: costs() },
            SpfFinding::LookupsNearLimit { lookups: 9, costs: costs() },
            SpfFinding::VoidLookupsExceeded { void_lookups: 3, terms: vec![term("a:gone.example.com")] },
            SpfFinding::ExchangesExceeded { term: term("mx"), count: 11 },
            SpfFinding::Suggestion { lookups: 9 },
            SpfFinding::SuggestionOverLimit { lookups: 12, costs: costs(), remove: vec!["mx".to_owned()] },
        ]
    }

    fn of_terms() -> Vec<SpfFinding> {
        let include = "include:gone.example.net";
        let target = Some(name("gone.example.net"));
        vec![
            SpfFinding::IncludeMissing { include: name("_spf.example.net") },
            SpfFinding::IncludeFlattened { include: name("_spf.example.net") },
            SpfFinding::AddressNotAuthorised {
                address: std::net::IpAddr::from([192, 0, 2, 10]),
                result: SpfResult::SoftFail,
            },
            SpfFinding::IncludeWithoutRecord { term: term(include), target, is_required: false },
            SpfFinding::IncludeSeveralRecords { term: term(include), count: 2 },
            SpfFinding::Loop { term: term("include:example.com"), target: name("example.com") },
            SpfFinding::PassAll { term: term("all") },
            SpfFinding::TooWide { ip4_addresses: 1 << 31 },
            SpfFinding::TooWideIp6 { term: term("ip6:2001:db8::/8") },
            SpfFinding::NeutralAll,
            SpfFinding::NoAll,
            SpfFinding::PtrUsed { term: "ptr".to_owned() },
            SpfFinding::AfterAll { terms: vec!["include:_spf.example.net".to_owned()] },
            SpfFinding::UnknownModifier {
                term: "include=_spf.example.net".to_owned(),
                meant: "include:_spf.example.net".to_owned(),
            },
            SpfFinding::NotFollowed { terms: vec![term("exists:%{i}._spf.example.com")] },
        ]
    }
}
