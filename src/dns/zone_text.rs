//! A DNS made of text: zones as a master file (RFC 1035 §5) writes them, with faults to play.
//!
//! Owns the answers that the servers of these zones, and a recursive server before them, would give: wildcards
//! (RFC 4592), empty names in between (RFC 8020), delegations, and CNAME chains from one zone into another.
//! For tests, fixtures and trying things out; nothing is sent anywhere.
//!
//! ```text
//! $ORIGIN example.test.
//! $TTL 300
//! @      SOA ns1 hostmaster 1 3600 600 86400 60
//! @      NS  ns1
//! @      TXT "v=spf1 include:_spf.example.net -all"
//! s1._domainkey 60 TXT ( "v=DKIM1; k=rsa; "
//!                        "p=\065BCD" )
//! *      MX  10 mx.example.net.
//! ;@ servfail _dmarc TXT
//! ;@ timeout  mx.example.net. *
//! ```
//!
//! A SOA begins a zone; the records behind it belong to it until the next SOA. Records before any SOA stand in a
//! zone without a name: their denials carry no authority. A name in no zone does not exist.
//!
//! Such a text is what a recursive server says. What the zones' own servers say is in texts of their own
//! ([`ZoneText::with_server`]), so that caches may be stale and servers may disagree.
//!
//! `;@ secure NAME` makes everything at and below that name authentic, as a signed zone is to who validates.
//! `;@ OUTCOME NAME TYPE` makes that question fail with that outcome of the contract (`servfail`, `refused`,
//! `timeout`, `truncated`, `malformed`, `lame`, `bogus`, `unreachable`); `*` is every type. To a name server it is a comment.
//!
//! # Why not hickory's parser
//!
//! It puts the three digits of `\DDD` together as `d1 << 16 | d2 << 8 | d3` and keeps texts as Rust strings, so no
//! octet above 127 comes through; it reads one zone a text; and its faults name no line.
//!
//! # Left out
//!
//! `$INCLUDE`, `$GENERATE`, classes other than IN, and every type that is not asked for here: each is a fault with its line.

mod entry;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::dns::chain::Chain;
use crate::dns::{PORT, Resolver};
use crate::protocol::name::{Name, NameFault};
use crate::verify::evidence::{
    Answer, Authority, Delegation, ExtendedError, Failure, Question, RecordData, RecordType, Reply, Told, Vantage,
};

/// The time to live where the text states none, in seconds; knot takes the same.
const TTL_SECONDS: u32 = 3_600;

/// What is wrong with a zone's text, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct ZoneTextFault {
    /// The line, from 1, where the entry begins.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// Words are missing.
    #[error("the entry ends too soon")]
    Short,
    /// Words are left over.
    #[error("the entry should end before `{0}`")]
    Long(String),
    /// A parenthesis without its partner.
    #[error("parentheses do not match")]
    Parentheses,
    /// A quote without its partner on the same line.
    #[error("a quoted string does not end on its line")]
    Quotes,
    /// RFC 1035 §5.1.
    #[error("a backslash is not followed by a character or three digits up to 255")]
    Escape,
    /// RFC 1035 §3.3.
    #[error("a character-string is longer than 255 octets")]
    LongString,
    /// Neither a type read here, nor a TTL, nor the class IN.
    #[error("`{0}` is no record type that is read here")]
    Type(String),
    /// A number or an address that is none.
    #[error("`{0}` is not the number or address that is due here")]
    Number(String),
    /// A name that is none.
    #[error("`{text}` is not a domain name: {source}")]
    Name {
        /// As it stands.
        text: String,
        /// The rule it breaks.
        source: NameFault,
    },
    /// A directive other than `$ORIGIN` and `$TTL`.
    #[error("the directive `{0}` is not read here")]
    Directive(String),
    /// An outcome that the contract does not have.
    #[error("`{0}` is no outcome that can be played")]
    Failure(String),
    /// A line begins with a space, and none before it has an owner.
    #[error("there is no owner before this line")]
    NoOwner,
    /// A record behind a SOA whose zone is another.
    #[error("`{owner}` is not in the zone `{apex}`; its own zone begins with a SOA")]
    OutOfZone {
        /// The record's owner.
        owner: Name,
        /// The zone's name.
        apex: Name,
    },
    /// Two SOA for one name.
    #[error("the zone `{0}` begins twice")]
    ZoneTwice(Name),
    /// A CNAME beside other records, or two of them. RFC 2181 §10.1.
    #[error("`{0}` has a CNAME beside another record")]
    CnameNotAlone(Name),
}

/// Zones out of a text, and the faults to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneText {
    zones: BTreeMap<Name, Zone>,
    faults: BTreeMap<(Name, Option<RecordType>), Failure>,
    /// The authoritative servers, each with what it serves.
    servers: BTreeMap<IpAddr, ZoneText>,
    /// Names at and below which all is authentic.
    secure: BTreeSet<Name>,
}

impl FromStr for ZoneText {
    type Err = ZoneTextFault;

    /// Reads the zones in `text`.
    fn from_str(text: &str) -> Result<ZoneText, ZoneTextFault> {
        read::read(text)
    }
}

impl ZoneText {
    /// What the servers of these zones say to `question`, CNAME chain followed.
    pub fn answer(&self, question: &Question) -> Answer {
        let mut chain = Chain::at(question.name.clone());
        // The chain bounds itself.
        loop {
            if let Some(failure) = self.fault(chain.end(), question.record_type) {
                return Answer::Unknown(failure);
            }
            chain.weigh(ancestors(chain.end().clone()).any(|above| self.secure.contains(&above)));
            let Some(zone) = self.zone_of(chain.end()) else { return chain.no_such_name(None) };
            let (target, ttl_seconds) = match zone.look_up(chain.end(), question.record_type) {
                Lookup::Found(set) => return chain.found(set.records.clone(), set.ttl_seconds),
                Lookup::NoData => return chain.no_data(zone.authority.clone()),
                Lookup::NoSuchName => return chain.no_such_name(zone.authority.clone()),
                Lookup::Delegated => return Answer::Unknown(Failure::Lame),
                Lookup::Alias(target, ttl_seconds) => (target.clone(), ttl_seconds),
            };
            if let Err(failure) = chain.follow(target, ttl_seconds) {
                return Answer::Unknown(failure);
            }
        }
    }

    /// The same, and at `address` an authoritative server for the zones of `served`, and for nothing else.
    #[must_use]
    pub fn with_server(mut self, address: IpAddr, served: ZoneText) -> ZoneText {
        self.servers.insert(address, served);
        self
    }

    /// What a server of these zones says by itself: no chain is followed out of the zone that it begins in.
    fn told(&self, question: &Question) -> Told {
        let mut chain = Chain::at(question.name.clone());
        let unknown = |failure| Told::Answer(Answer::Unknown(failure));
        let zone = self.zone_of(&question.name).filter(|zone| zone.authority.is_some());
        // The chain bounds itself.
        loop {
            if let Some(failure) = self.fault(chain.end(), question.record_type) {
                return unknown(failure);
            }
            let Some(zone) = zone else { return unknown(Failure::Refused) };
            if !chain.end().is_at_or_below(&zone.apex) {
                return Told::Answer(chain.left_open());
            }
            let (target, ttl_seconds) = match zone.look_up(chain.end(), question.record_type) {
                Lookup::Found(set) => return Told::Answer(chain.found(set.records.clone(), set.ttl_seconds)),
                Lookup::NoData => return Told::Answer(chain.no_data(zone.authority.clone())),
                Lookup::NoSuchName => return Told::Answer(chain.no_such_name(zone.authority.clone())),
                Lookup::Delegated => return zone.referral(chain.end()),
                Lookup::Alias(target, ttl_seconds) => (target.clone(), ttl_seconds),
            };
            if let Err(failure) = chain.follow(target, ttl_seconds) {
                return unknown(failure);
            }
        }
    }

    fn fault(&self, name: &Name, record_type: RecordType) -> Option<Failure> {
        let played = |record_type| self.faults.get(&(name.clone(), record_type)).copied();
        played(Some(record_type)).or_else(|| played(None))
    }

    /// The zone whose name stands nearest above `name`.
    fn zone_of(&self, name: &Name) -> Option<&Zone> {
        ancestors(name.clone()).find_map(|apex| self.zones.get(&apex))
    }
}

impl Resolver for ZoneText {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Vec<Reply>> {
        let answer = self.answer(question);
        // A resolver that knows an answer to be bogus says so. RFC 8914 §4.7.
        let extended_error = (answer == Answer::Unknown(Failure::Bogus)).then(|| ExtendedError::new(6, b""));
        let reply = Reply { vantage: Vantage::Recursive, server: None, answer, extended_error };
        std::future::ready(vec![reply]).boxed()
    }

    fn authority_at(&self, address: IpAddr) -> Option<SocketAddr> {
        (!self.servers.is_empty()).then(|| SocketAddr::new(address, PORT))
    }

    fn ask_at<'a>(&'a self, server: SocketAddr, question: &'a Question) -> BoxFuture<'a, Told> {
        let nobody = || Told::Answer(Answer::Unknown(Failure::Unreachable));
        std::future::ready(self.servers.get(&server.ip()).map_or_else(nobody, |served| served.told(question))).boxed()
    }
}

/// `name`, the name above it, and so on to the root.
fn ancestors(name: Name) -> impl Iterator<Item = Name> {
    std::iter::successors(Some(name), Name::parent)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Zone {
    apex: Name,
    authority: Option<Authority>,
    names: BTreeMap<Name, BTreeMap<RecordType, RecordSet>>,
    /// Names without records above names with some. They exist. RFC 8020 §2.
    empty_names: BTreeSet<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RecordSet {
    records: Vec<RecordData>,
    ttl_seconds: u32,
}

enum Lookup<'z> {
    Found(&'z RecordSet),
    Alias(&'z Name, u32),
    NoData,
    NoSuchName,
    Delegated,
}

impl Zone {
    fn new(apex: Name) -> Zone {
        Zone { apex, authority: None, names: BTreeMap::new(), empty_names: BTreeSet::new() }
    }

    fn add(&mut self, owner: Name, record_type: RecordType, data: RecordData, ttl: u32) -> Result<(), Fault> {
        let sets = self.names.entry(owner.clone()).or_default();
        let other =
            if record_type == RecordType::Cname { !sets.is_empty() } else { sets.contains_key(&RecordType::Cname) };
        if other {
            return Err(Fault::CnameNotAlone(owner));
        }
        let set = sets.entry(record_type).or_insert(RecordSet { records: Vec::new(), ttl_seconds: ttl });
        // The records of a set have one TTL; where they differ, the least counts. RFC 2181 §5.2.
        set.ttl_seconds = set.ttl_seconds.min(ttl);
        set.records.push(data);
        Ok(())
    }

    fn mark_empty_names(&mut self) {
        for owner in self.names.keys() {
            for above in ancestors(owner.clone()).skip(1).take_while(|above| above.is_at_or_below(&self.apex)) {
                if !self.names.contains_key(&above) && !self.empty_names.insert(above) {
                    break;
                }
            }
        }
    }

    /// The steps of RFC 1034 §4.3.2, within this zone.
    fn look_up(&self, name: &Name, record_type: RecordType) -> Lookup<'_> {
        let inside = || ancestors(name.clone()).take_while(|above| *above != self.apex);
        if self.authority.is_some() && inside().any(|above| self.has(&above, RecordType::Ns)) {
            return Lookup::Delegated;
        }
        if let Some(sets) = self.names.get(name) {
            return choose(sets, record_type);
        }
        if self.empty_names.contains(name) {
            return Lookup::NoData;
        }
        // The wildcard counts just below the nearest name that exists. RFC 4592 §3.3.1.
        let nearest = ancestors(name.clone())
            .find(|above| *above == self.apex || self.names.contains_key(above) || self.empty_names.contains(above));
        let wildcard = nearest.and_then(|nearest| nearest.child("*").ok());
        match wildcard.and_then(|wildcard| self.names.get(&wildcard)) {
            Some(sets) => choose(sets, record_type),
            None => Lookup::NoSuchName,
        }
    }

    /// Who serves what was given away above `name`, with the addresses that stand in this zone.
    fn referral(&self, name: &Name) -> Told {
        let inside = ancestors(name.clone()).take_while(|above| *above != self.apex);
        let Some(cut) = inside.filter(|above| self.has(above, RecordType::Ns)).last() else {
            return Told::Answer(Answer::Unknown(Failure::Lame));
        };
        let records = |name: &Name, record_type| {
            let set = self.names.get(name).and_then(|sets| sets.get(&record_type));
            set.map(|set| set.records.as_slice()).unwrap_or_default()
        };
        let mut delegation = Delegation::default();
        for record in records(&cut, RecordType::Ns) {
            let RecordData::Ns(server) = record else { continue };
            delegation.servers.push(server.clone());
            for address in records(server, RecordType::A) {
                let RecordData::A(address) = address else { continue };
                delegation.glue.push((server.clone(), IpAddr::V4(*address)));
            }
        }
        delegation.servers.sort();
        Told::Referral { zone: cut, delegation }
    }

    fn has(&self, name: &Name, record_type: RecordType) -> bool {
        self.names.get(name).is_some_and(|sets| sets.contains_key(&record_type))
    }
}

fn choose(sets: &BTreeMap<RecordType, RecordSet>, record_type: RecordType) -> Lookup<'_> {
    if let Some(set) = sets.get(&record_type) {
        return Lookup::Found(set);
    }
    match sets.get(&RecordType::Cname).map(|set| (set.records.first(), set.ttl_seconds)) {
        Some((Some(RecordData::Cname(target)), ttl_seconds)) => Lookup::Alias(target, ttl_seconds),
        _ => Lookup::NoData,
    }
}

#[cfg(test)]
mod tests;
