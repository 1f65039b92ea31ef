//! What a message says about one question.
//!
//! Owns the way from a message to an outcome of the contract. Pure: a message that came once can be read again.
//!
//! # Strictness
//!
//! Only records of class IN at the names of the chain count; everything else in a message is ignored, but an answer
//! section that holds nothing of what was asked is malformed, and "no" is believed only from a server that knows the
//! zone or recurses.

use std::net::IpAddr;

use hickory_resolver::proto;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_resolver::proto::rr::{DNSClass, RData, Record};

use crate::dns::chain::Chain;
use crate::dns::hickory::Manner;
use crate::dns::hickory::convert::{data_from_hickory, from_hickory, type_to_hickory};
use crate::dns::size::data_octets;
use crate::protocol::name::Name;
use crate::verify::evidence::{
    Answer, Authority, Delegation, ExtendedError, Failure, Question, RecordData, RecordType, Told,
};

/// The most records that one answer may hold; more is no answer that mail needs.
const RECORD_COUNT_MAX: usize = 1_000;

/// The most octets of content that one answer may hold: as much as a message could carry uncompressed.
const ANSWER_OCTETS_MAX: usize = 65_536;

/// The most servers, and the most addresses, that are taken out of a referral.
const REFERRAL_COUNT_MAX: usize = 40;

/// The option of an extended error. RFC 8914 §2.
const EXTENDED_ERROR: u16 = 15;

/// What a message settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// The question is answered.
    Done(Answer),
    /// The message ends in the middle of the chain; its end is still to be asked.
    Open(Chain),
}

/// Reads `message`, the reply to a question for `record_type` at the end of `chain`.
pub(super) fn read(message: &Message, chain: Chain, record_type: RecordType, manner: Manner) -> Reading {
    read_or_fail(message, chain, record_type, manner).unwrap_or_else(|failure| Reading::Done(Answer::Unknown(failure)))
}

/// Reads `message`, what a server of a zone says to `question`: its word as far as its zones go, or a referral.
pub(super) fn read_told(message: &Message, question: &Question, manner: Manner) -> Told {
    if let Some(referral) = referral(message, question) {
        return referral;
    }
    Told::Answer(match read(message, Chain::at(question.name.clone()), question.record_type, manner) {
        Reading::Done(answer) => answer,
        Reading::Open(chain) => chain.left_open(),
    })
}

/// A referral: no answer, no authority, and the servers of a zone between the server's own and the name asked about.
/// RFC 1034 §4.3.2, step 3b.
fn referral(message: &Message, question: &Question) -> Option<Told> {
    let metadata = &message.metadata;
    let refers =
        metadata.response_code == ResponseCode::NoError && !metadata.authoritative && message.answers.is_empty();
    if !refers || !answers_question(message, &question.name, question.record_type) {
        return None;
    }
    let mut zone = None;
    let mut servers = Vec::new();
    for placed in message.authorities.iter().filter_map(Placed::of) {
        let RData::NS(name) = &placed.record.data else { continue };
        let is_one_zone = zone.as_ref().is_none_or(|zone| *zone == placed.owner);
        if is_one_zone && question.name.is_at_or_below(&placed.owner) && servers.len() < REFERRAL_COUNT_MAX {
            servers.push(from_hickory(&name.0).ok()?);
            zone = Some(placed.owner);
        }
    }
    servers.sort();
    servers.dedup();
    let glue = message.additionals.iter().filter_map(Placed::of).filter_map(|placed| match &placed.record.data {
        RData::A(address) => Some((placed.owner, IpAddr::V4(address.0))),
        RData::AAAA(address) => Some((placed.owner, IpAddr::V6(address.0))),
        _ => None,
    });
    let glue: Vec<_> = glue.filter(|(owner, _)| servers.contains(owner)).take(REFERRAL_COUNT_MAX).collect();
    Some(Told::Referral { zone: zone?, delegation: Delegation { servers, glue } })
}

fn read_or_fail(message: &Message, chain: Chain, record_type: RecordType, manner: Manner) -> Result<Reading, Failure> {
    let no_such_name = match message.metadata.response_code {
        ResponseCode::NoError => false,
        ResponseCode::NXDomain => true,
        ResponseCode::ServFail if extended_error(message).is_some_and(|error| error.is_bogus()) => {
            return Err(Failure::Bogus);
        }
        ResponseCode::Refused => return Err(Failure::Refused),
        ResponseCode::NotAuth => return Err(Failure::Lame),
        _ => return Err(Failure::Servfail),
    };
    if !answers_question(message, chain.end(), record_type) {
        return Err(Failure::Malformed);
    }
    if manner.authority_required && !message.metadata.authoritative {
        return Err(Failure::Lame);
    }
    let answers: Vec<Placed<'_>> = message.answers.iter().filter_map(Placed::of).collect();
    let mut chain = chain;
    // Only who validates may say so; of an authority the bit says nothing. RFC 4035 §3.1.6.
    chain.weigh(message.metadata.authentic_data && manner.recursion_desired);
    let begin = chain.end().clone();
    // The chain bounds itself.
    loop {
        let here = || answers.iter().filter(|placed| placed.owner == *chain.end()).map(|placed| placed.record);
        if here().any(|record| record.record_type() == type_to_hickory(record_type)) {
            let (records, ttl_seconds) = content(here(), record_type)?;
            return Ok(Reading::Done(chain.found(records, ttl_seconds)));
        }
        let Some((target, ttl_seconds)) = alias(here())? else { break };
        chain.follow(target, ttl_seconds)?;
    }
    let moved = *chain.end() != begin;
    if !moved && !answers.is_empty() && answers.iter().all(|placed| placed.owner != begin) {
        return Err(Failure::Malformed);
    }
    let authority = authority(message, chain.end());
    if no_such_name && authority.is_none() && is_lame(message) {
        // A "no" from a server that neither knows the zone nor asks those who do. RFC 9499 §7, lame delegation.
        return Err(Failure::Lame);
    }
    if no_such_name {
        // With a chain the code speaks of its last name. RFC 6604 §3.
        return Ok(Reading::Done(chain.no_such_name(authority)));
    }
    match authority {
        Some(authority) => Ok(Reading::Done(chain.no_data(Some(authority)))),
        None if moved => Ok(Reading::Open(chain)),
        None if is_lame(message) => Err(Failure::Lame),
        None => Ok(Reading::Done(chain.no_data(None))),
    }
}

/// A record of class IN and its owner.
struct Placed<'m> {
    owner: Name,
    record: &'m Record,
}

impl<'m> Placed<'m> {
    fn of(record: &'m Record) -> Option<Placed<'m>> {
        let owner = from_hickory(&record.name).ok()?;
        (record.dns_class == DNSClass::IN).then_some(Placed { owner, record })
    }
}

/// Whether the message repeats the question. RFC 5452 §4.2; over TCP nobody else has looked.
fn answers_question(message: &Message, name: &Name, record_type: RecordType) -> bool {
    message.queries.first().is_some_and(|query| {
        query.query_type == type_to_hickory(record_type) && from_hickory(&query.name).is_ok_and(|asked| asked == *name)
    })
}

/// The records of the type, and their least time to live.
fn content<'m>(
    records: impl Iterator<Item = &'m Record>,
    record_type: RecordType,
) -> Result<(Vec<RecordData>, u32), Failure> {
    let mut contents = Vec::new();
    let mut ttl_least = u32::MAX;
    let mut octet_count = 0;
    for record in records.filter(|record| record.record_type() == type_to_hickory(record_type)) {
        let data = data_from_hickory(&record.data).ok().flatten().ok_or(Failure::Malformed)?;
        octet_count += data_octets(&data);
        contents.push(data);
        // A part must not be judged as if it were the whole.
        if contents.len() > RECORD_COUNT_MAX || octet_count > ANSWER_OCTETS_MAX {
            return Err(Failure::Truncated);
        }
        ttl_least = ttl_least.min(ttl(record));
    }
    Ok((contents, ttl_least))
}

/// Where the name's CNAME points. Two of them that differ are no chain. RFC 2181 §10.1.
fn alias<'m>(records: impl Iterator<Item = &'m Record>) -> Result<Option<(Name, u32)>, Failure> {
    let mut found: Option<(Name, u32)> = None;
    for record in records {
        let RData::CNAME(target) = &record.data else { continue };
        let target = from_hickory(target).map_err(|_| Failure::Malformed)?;
        match &mut found {
            None => found = Some((target, ttl(record))),
            Some((other, ttl_seconds)) if *other == target => *ttl_seconds = (*ttl_seconds).min(ttl(record)),
            Some(_) => return Err(Failure::Malformed),
        }
    }
    Ok(found)
}

/// The SOA of a negative answer, if it is one for `name`. RFC 2308 §2, §5.
fn authority(message: &Message, name: &Name) -> Option<Authority> {
    message.authorities.iter().filter_map(Placed::of).find_map(|placed| match &placed.record.data {
        RData::SOA(soa) if name.is_at_or_below(&placed.owner) => {
            let negative_ttl_seconds = ttl(placed.record).min(soa.minimum);
            Some(Authority { zone: placed.owner, negative_ttl_seconds })
        }
        _ => None,
    })
}

/// Whether an empty answer without a SOA is a referral, or comes from a server that neither knows nor recurses.
fn is_lame(message: &Message) -> bool {
    let refers = message.authorities.iter().any(|record| record.record_type() == proto::rr::RecordType::NS);
    // RFC 2308 §2.2: NS without SOA is a referral.
    refers || !(message.metadata.authoritative || message.metadata.recursion_available)
}

/// Why the server failed, where it tells: of several reasons one that is about DNSSEC, or else the first. RFC 8914 §2.
pub(super) fn extended_error(message: &Message) -> Option<ExtendedError> {
    let options = message.edns.iter().flat_map(|edns| edns.options().get_all(EdnsCode::Unknown(EXTENDED_ERROR)));
    let errors = options.into_iter().filter_map(|option| match option {
        EdnsOption::Unknown(_, data) => match data.as_slice() {
            [high, low, text @ ..] => Some(ExtendedError::new(u16::from_be_bytes([*high, *low]), text)),
            _ => None,
        },
        _ => None,
    });
    let errors: Vec<ExtendedError> = errors.collect();
    errors.iter().find(|error| error.is_bogus()).or_else(|| errors.first()).cloned()
}

/// A record's time to live; one with the top bit set is 0. RFC 2181 §8.
fn ttl(record: &Record) -> u32 {
    if i32::try_from(record.ttl).is_ok() { record.ttl } else { 0 }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::{OpCode, Query};
    use hickory_resolver::proto::rr::rdata::{CNAME, SOA, TXT};

    use super::*;

    const AUTHORITATIVE: Manner =
        Manner { recursion_desired: false, checking_disabled: false, authority_required: true };

    fn wire_name(text: &str) -> proto::rr::Name {
        proto::rr::Name::from_ascii(text).unwrap()
    }

    /// A reply to a question for text at `a.test`.
    fn message(answers: &[Record]) -> Message {
        let mut message = Message::response(1, OpCode::Query);
        message.add_query(Query::query(wire_name("a.test."), proto::rr::RecordType::TXT));
        message.add_answers(answers.iter().cloned());
        message
    }

    fn text(owner: &str) -> Record {
        Record::from_rdata(wire_name(owner), 60, RData::TXT(TXT::from_bytes(vec![b"x"])))
    }

    fn outcome(message: &Message, manner: Manner) -> &'static str {
        match read(message, Chain::at(Name::parse("a.test").unwrap()), RecordType::Txt, manner) {
            Reading::Done(answer) => answer.outcome(),
            Reading::Open(_) => "open",
        }
    }

    #[track_caller]
    fn check(why: &str, bend: impl FnOnce(&mut Message), expected: &str) {
        let mut message = message(&[text("a.test.")]);
        message.metadata.authoritative = true;
        bend(&mut message);
        assert_eq!(outcome(&message, AUTHORITATIVE), expected, "{why}");
    }

    #[test]
    fn an_authority_must_say_that_it_is_one() {
        let soa = SOA::new(wire_name("ns.test."), wire_name("h.test."), 1, 1, 1, 1, 1);
        let soa = Record::from_rdata(wire_name("test."), 60, RData::SOA(soa));
        let alias = Record::from_rdata(wire_name("a.test."), 60, RData::CNAME(CNAME(wire_name("b.test."))));
        check("with AA", |_| {}, "found");
        check("without AA", |message| message.metadata.authoritative = false, "lame");
        check(
            "a denial without AA",
            |message| {
                message.metadata.authoritative = false;
                message.metadata.response_code = ResponseCode::NXDomain;
                message.answers.clear();
                message.add_authority(soa);
            },
            "lame",
        );
        check("refused, AA or not", |message| message.metadata.response_code = ResponseCode::Refused, "refused");
        check("a chain that leaves the zone", |message| message.answers = vec![alias], "open");
        check("no question", |message| message.queries.clear(), "malformed");
        check("another name", |message| message.queries[0].name = wire_name("b.test."), "malformed");
        check("another type", |message| message.queries[0].query_type = proto::rr::RecordType::A, "malformed");
        check("another case", |message| message.queries[0].name = wire_name("A.tEst."), "found");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read(changes in proptest::collection::vec((0_usize..120, 0_u8..=255), 0..6)) {
            let alias = Record::from_rdata(wire_name("a.test."), 60, RData::CNAME(CNAME(wire_name("b.test."))));
            let mut octets = message(&[alias, text("b.test.")]).to_vec().unwrap();
            for (place, octet) in changes {
                let length = octets.len();
                octets[place % length] = octet;
            }
            if let Ok(message) = Message::from_vec(&octets) {
                outcome(&message, Manner::RECURSIVE);
            }
        }
    }
}
