//! What was asked, who was asked, and what each answered.
//!
//! Owns the one input of every judgement beside the expectation. An answer is data: asking does not
//! fail, and three kinds of "no" are three values ([`Answer`]). How questions reach servers is
//! `dns`'s affair; the form that is stored is [`stored`]'s.

pub mod gathered;
pub mod stored;
pub mod word;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::protocol::name::Name;

pub use crate::verify::evidence::gathered::Evidence;

/// The types of records that a check asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address. RFC 3596.
    Aaaa,
    /// An alias, asked for by itself.
    Cname,
    /// A mail exchange.
    Mx,
    /// A name server.
    Ns,
    /// The name of an address.
    Ptr,
    /// The start of a zone.
    Soa,
    /// Text.
    Txt,
}

impl RecordType {
    /// Every type, in the order of their names.
    pub const ALL: [RecordType; 8] = [
        RecordType::A,
        RecordType::Aaaa,
        RecordType::Cname,
        RecordType::Mx,
        RecordType::Ns,
        RecordType::Ptr,
        RecordType::Soa,
        RecordType::Txt,
    ];

    /// The type's name in master files and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
            RecordType::Cname => "CNAME",
            RecordType::Mx => "MX",
            RecordType::Ns => "NS",
            RecordType::Ptr => "PTR",
            RecordType::Soa => "SOA",
            RecordType::Txt => "TXT",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One question: which records of this type does this name have?
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// The name asked about.
    pub name: Name,
    /// The type asked for.
    pub record_type: RecordType,
}

impl Question {
    /// The question for the records of `record_type` at `name`.
    pub fn new(name: Name, record_type: RecordType) -> Question {
        Question { name, record_type }
    }

    /// The question for the texts at `name`.
    pub fn txt(name: &Name) -> Question {
        Question::new(name.clone(), RecordType::Txt)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record_type)
    }
}

/// What one server gave to one question, CNAME chain followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There are such records.
    Found(Found),
    /// The name exists, but has no record of this type. RFC 2308 §2.2.
    NoData(Denial),
    /// There is no such name. RFC 2308 §2.1.
    NoSuchName(Denial),
    /// Nobody could tell. Never an absence.
    Unknown(Failure),
}

impl Answer {
    /// Whether the answer is a word about the records, rather than a failure to get one.
    pub fn is_definite(&self) -> bool {
        !matches!(self, Answer::Unknown(_))
    }

    /// The records, when there are any.
    pub fn records(&self) -> &[RecordData] {
        match self {
            Answer::Found(found) => &found.records,
            _ => &[],
        }
    }

    /// The aliases that were followed, in order; empty for a failure.
    pub fn aliases(&self) -> &[Alias] {
        match self {
            Answer::Found(found) => &found.aliases,
            Answer::NoData(denial) | Answer::NoSuchName(denial) => &denial.aliases,
            Answer::Unknown(_) => &[],
        }
    }

    /// Whether a recursive server vouches, by DNSSEC, for the whole answer.
    pub fn is_authentic(&self) -> bool {
        match self {
            Answer::Found(found) => found.authentic,
            Answer::NoData(denial) | Answer::NoSuchName(denial) => denial.authentic,
            Answer::Unknown(_) => false,
        }
    }

    /// The word of the contract for this outcome: `found`, `nodata`, `nxdomain`, `servfail` …
    pub fn outcome(&self) -> &'static str {
        match self {
            Answer::Found(_) => "found",
            Answer::NoData(_) => "nodata",
            Answer::NoSuchName(_) => "nxdomain",
            Answer::Unknown(failure) => failure.outcome(),
        }
    }
}

/// Records that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The records at the end of the chain, sorted as [`RecordData`] sorts, so that equal sets are equal.
    pub records: Vec<RecordData>,
    /// The least time to live of records and aliases, in seconds.
    pub ttl_seconds: u32,
    /// The aliases followed to get there, in order.
    pub aliases: Vec<Alias>,
    /// Whether the recursive server says that DNSSEC proves it, aliases included: the AD bit. RFC 4035 §3.2.3.
    ///
    /// Not so is no word: the zone may be unsigned, or the server may not look.
    pub authentic: bool,
}

/// A definite "no".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Denial {
    /// The aliases followed before the "no", in order: a chain may dangle.
    pub aliases: Vec<Alias>,
    /// The start of authority that came with it: who says so, and how long the "no" may be kept.
    pub authority: Option<Authority>,
    /// As [`Found::authentic`].
    pub authentic: bool,
}

/// The SOA of a negative answer. RFC 2308 §3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The zone that the SOA belongs to.
    pub zone: Name,
    /// How long the "no" may be kept, in seconds: the lesser of the SOA's TTL and its MINIMUM. RFC 2308 §5.
    pub negative_ttl_seconds: u32,
}

/// One step of a CNAME chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name that has the CNAME.
    pub owner: Name,
    /// Where it points.
    pub target: Name,
    /// The CNAME's time to live, in seconds.
    pub ttl_seconds: u32,
}

/// Why nobody could tell. RFC 9499 §3 for the terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    /// The server failed, RCODE 2 (or any other RCODE that is no word about the name).
    Servfail,
    /// The server would not, RCODE 5.
    Refused,
    /// No answer in time, or a question over the check's limits that was not asked.
    Timeout,
    /// The answer did not fit, and the whole one could not be had.
    Truncated,
    /// The answer could not be read, or its CNAME chain loops or is too long.
    Malformed,
    /// The server is not one for this zone.
    Lame,
    /// DNSSEC validation failed.
    Bogus,
    /// The server's address could not be reached.
    Unreachable,
    /// Servers do not agree: the zone's own, or, where none of those can tell, the recursive ones. Never one server's
    /// word, only what is made of several.
    Partial,
}

impl Failure {
    /// Every failure that one server can give, in the contract's order.
    pub const ALL: [Failure; 8] = [
        Failure::Servfail,
        Failure::Refused,
        Failure::Timeout,
        Failure::Truncated,
        Failure::Malformed,
        Failure::Lame,
        Failure::Bogus,
        Failure::Unreachable,
    ];

    /// The word of the contract.
    pub const fn outcome(self) -> &'static str {
        match self {
            Failure::Servfail => "servfail",
            Failure::Refused => "refused",
            Failure::Timeout => "timeout",
            Failure::Truncated => "truncated",
            Failure::Malformed => "malformed",
            Failure::Lame => "lame",
            Failure::Bogus => "bogus",
            Failure::Unreachable => "unreachable",
            Failure::Partial => "partial",
        }
    }
}

/// The content of one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// An alias, where it was asked for by itself.
    Cname(Name),
    /// A mail exchange. RFC 1035 §3.3.9.
    Mx {
        /// The lower is tried first.
        preference: u16,
        /// The host; the root is the null MX. RFC 7505 §3.
        exchange: Name,
    },
    /// A name server.
    Ns(Name),
    /// The name of an address.
    Ptr(Name),
    /// The start of a zone.
    Soa {
        /// The primary server.
        primary: Name,
        /// The zone's serial number.
        serial: u32,
        /// The MINIMUM field, in seconds. RFC 2308 §4.
        minimum_seconds: u32,
    },
    /// Text, as its character-strings came. RFC 1035 §3.3.14.
    Txt(Txt),
}

/// One TXT record: character-strings of raw octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Txt {
    /// The strings as they came, each at most 255 octets.
    pub strings: Vec<Vec<u8>>,
}

impl Txt {
    /// The record of one text, cut into strings of at most 255 octets.
    pub fn of(text: impl AsRef<[u8]>) -> Txt {
        Txt { strings: text.as_ref().chunks(255).map(<[u8]>::to_vec).collect() }
    }

    /// The strings joined without a space. RFC 7208 §3.3, RFC 6376 §3.6.2.2.
    pub fn joined(&self) -> Vec<u8> {
        self.strings.concat()
    }

    /// The joined text for people: printable ASCII as it stands, other octets as `\DDD`.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for octet in self.joined() {
            match octet {
                0x20..=0x7e => text.push(char::from(octet)),
                _ => text.push_str(&format!("\\{octet:03}")),
            }
        }
        text
    }
}

/// From where DNS was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vantage {
    /// What the world sees through caches.
    Recursive,
    /// What the zone's own servers publish.
    Authoritative,
}

impl Vantage {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Vantage::Recursive => "recursive",
            Vantage::Authoritative => "authoritative",
        }
    }
}

/// One server's word on one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// From where it was asked.
    pub vantage: Vantage,
    /// Who answered. Nothing for a question that was not asked because of the check's limits.
    pub server: Option<SocketAddr>,
    /// What it said.
    pub answer: Answer,
    /// Why it failed, where it tells; nothing for a definite answer.
    pub extended_error: Option<ExtendedError>,
}

/// Why a server failed, in its own words. RFC 8914.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedError {
    /// The INFO-CODE.
    pub code: u16,
    /// The EXTRA-TEXT, meant for people: printable, of at most [`ExtendedError::TEXT_CHARS_MAX`] characters, often empty.
    pub text: String,
}

impl ExtendedError {
    /// The most characters that are kept of the text.
    pub const TEXT_CHARS_MAX: usize = 200;

    /// The error of this code, with what of the server's text can be shown. Hostile as all that comes out of DNS.
    pub fn new(code: u16, text: &[u8]) -> ExtendedError {
        let shown = String::from_utf8_lossy(text);
        let printable = |symbol: char| if symbol.is_control() { ' ' } else { symbol };
        let text = shown.trim_end_matches('\0').chars().map(printable).take(ExtendedError::TEXT_CHARS_MAX).collect();
        ExtendedError { code, text }
    }

    /// Whether it says that DNSSEC validation failed: a bogus answer, or keys and signatures that do not do.
    /// RFC 8914 §4.7 to §4.13.
    pub fn is_bogus(&self) -> bool {
        matches!(self.code, 6..=12)
    }

    /// The name of the code. RFC 8914 §4; a plain word for any other.
    pub fn name(&self) -> &'static str {
        match self.code {
            0 => "Other",
            1 => "Unsupported DNSKEY Algorithm",
            2 => "Unsupported DS Digest Type",
            3 => "Stale Answer",
            4 => "Forged Answer",
            5 => "DNSSEC Indeterminate",
            6 => "DNSSEC Bogus",
            7 => "Signature Expired",
            8 => "Signature Not Yet Valid",
            9 => "DNSKEY Missing",
            10 => "RRSIGs Missing",
            11 => "No Zone Key Bit Set",
            12 => "NSEC Missing",
            13 => "Cached Error",
            14 => "Not Ready",
            15 => "Blocked",
            16 => "Censored",
            17 => "Filtered",
            18 => "Prohibited",
            19 => "Stale NXDOMAIN Answer",
            20 => "Not Authoritative",
            21 => "Not Supported",
            22 => "No Reachable Authority",
            23 => "Network Error",
            24 => "Invalid Data",
            _ => "unknown",
        }
    }
}

impl fmt::Display for ExtendedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.name(), self.code)?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

/// What one server of a zone's own said, asked without recursion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Its word. A chain that leaves what it serves ends in a CNAME record: the target is another's affair.
    Answer(Answer),
    /// It has given the name away to others.
    Referral {
        /// The zone that they serve.
        zone: Name,
        /// Who they are.
        delegation: Delegation,
    },
}

/// Who serves a zone, as the zone above has it. RFC 1034 §4.2.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delegation {
    /// The names of the servers, sorted.
    pub servers: Vec<Name>,
    /// Addresses that came with them. RFC 9471.
    pub glue: Vec<(Name, IpAddr)>,
}
