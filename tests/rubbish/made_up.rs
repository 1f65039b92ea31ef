//! A DNS whose every answer follows from a handful of octets, so that a fuzzer can play the whole world.
//!
//! The octets are lines. The first is the check's own business; those after it are the texts of the domain, of its
//! DKIM keys, of its DMARC records, and of the names whose first label is `a`, `b`, `c` … in this order. In a line,
//! octet 30 parts records and octet 31 the strings of one; `~` alone is "no such name", and `!` with a digit a failure.
//! All that no line tells is drawn from the question and the first line.

use std::net::{Ipv4Addr, Ipv6Addr};

use sendready::checker::{QUESTION_COUNT_MAX, ROUND_COUNT_MAX};
use sendready::protocol::name::Name;
use sendready::verify::evidence::{
    Alias, Answer, Authority, Denial, Evidence, Failure, Found, Question, RecordData, RecordType, Reply, Txt, Vantage,
};
use sendready::verify::step::Step;

/// The domain that is checked.
pub const DOMAIN: &str = "example.com";

/// The lines, and what to draw lots by.
pub struct MadeUp<'d> {
    /// The first line.
    pub own: &'d [u8],
    lines: Vec<&'d [u8]>,
    seed: u64,
}

/// A judgement, and how it was come by.
pub struct Settled<T> {
    pub judgement: T,
    pub evidence: Evidence,
    pub question_count: usize,
}

impl<'d> MadeUp<'d> {
    pub fn of(data: &'d [u8]) -> MadeUp<'d> {
        let mut lines = data.split(|octet| *octet == b'\n');
        let own = lines.next().unwrap_or_default();
        MadeUp { own, lines: lines.collect(), seed: lot(0, own) }
    }

    /// Asks, judges and asks again, within the limits of a check and by its rules.
    pub fn settle<T>(&self, judge: impl Fn(&Evidence) -> Step<T>) -> Settled<T> {
        let mut evidence = Evidence::new();
        let mut question_count = 0;
        for _ in 0..=ROUND_COUNT_MAX {
            match judge(&evidence) {
                Step::Done(judgement) => return Settled { judgement, evidence, question_count },
                // There are no zones' own servers here.
                Step::Confirm(questions) => evidence.confirm(questions),
                Step::Need(questions) => {
                    assert!(!questions.is_empty(), "a need without a question");
                    for question in questions {
                        assert!(!evidence.has(&question), "asked twice: {question}");
                        let replies = match question_count < QUESTION_COUNT_MAX {
                            true => self.replies(&question),
                            false => vec![reply(Vantage::Recursive, Answer::Unknown(Failure::Timeout))],
                        };
                        question_count += 1;
                        evidence.add(question, replies);
                    }
                }
            }
        }
        panic!("no judgement after {ROUND_COUNT_MAX} rounds");
    }

    fn replies(&self, question: &Question) -> Vec<Reply> {
        let lot = self.lot(question);
        let said = reply(Vantage::Recursive, self.answer(question, lot));
        match lot >> 60 {
            // A server that could not tell must never overrule one that could.
            0 => vec![reply(Vantage::Recursive, Answer::Unknown(failure(lot >> 8))), said],
            1 => vec![said, reply(Vantage::Authoritative, Answer::NoData(Denial::default()))],
            _ => vec![said],
        }
    }

    fn answer(&self, question: &Question, lot: u64) -> Answer {
        if question.record_type == RecordType::Txt {
            return match self.line(&question.name, lot) {
                Some([]) => Answer::NoData(denial(lot)),
                Some(b"~") => Answer::NoSuchName(denial(lot)),
                Some([b'!', which]) => Answer::Unknown(failure(u64::from(*which))),
                Some(line) => found(line.split(|octet| *octet == 30).map(text).collect(), lot),
                None => absent(lot),
            };
        }
        if lot.is_multiple_of(5) {
            return absent(lot / 5);
        }
        let count = match lot >> 40 & 15 {
            0 => 11,
            1 => 60,
            _ => lot >> 44 & 3,
        };
        found((0..=count).map(|nth| record(question, self.seed, lot.wrapping_add(nth * 977))).collect(), lot)
    }

    /// The line that stands for the texts at a name; nothing where lots are drawn.
    fn line(&self, name: &Name, lot: u64) -> Option<&'d [u8]> {
        let mut labels = name.labels();
        let first = labels.next().unwrap_or_default();
        let at = match first {
            b"example" if name.label_count() == 2 => 0,
            _ if name.labels().any(|label| label == b"_domainkey") => 1,
            b"_dmarc" => 2,
            [letter @ b'a'..=b'z'] => 3 + usize::from(letter - b'a'),
            _ => usize::try_from(lot % 16).ok()?,
        };
        self.lines.get(at).copied()
    }

    fn lot(&self, question: &Question) -> u64 {
        let named = question.name.labels().fold(self.seed, lot);
        lot(named, question.record_type.as_str().as_bytes())
    }
}

/// FNV-1a with a finish that stirs the upper bits.
fn lot(start: u64, octets: &[u8]) -> u64 {
    let hash = octets
        .iter()
        .fold(start ^ 0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ hash >> 32
}

fn reply(vantage: Vantage, answer: Answer) -> Reply {
    Reply { vantage, server: None, answer, extended_error: None }
}

fn failure(lot: u64) -> Failure {
    Failure::ALL[usize::try_from(lot % 8).unwrap_or(0)]
}

fn absent(lot: u64) -> Answer {
    match lot % 4 {
        0 => Answer::Unknown(failure(lot >> 2)),
        1 => Answer::NoSuchName(denial(lot)),
        _ => Answer::NoData(denial(lot)),
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap_or_else(|_| Name::root())
}

fn aliases(lot: u64) -> Vec<Alias> {
    let alias = |nth: u64| Alias { owner: name("alias.test"), target: name(&format!("{nth}.test")), ttl_seconds: 60 };
    if lot >> 20 & 7 == 0 { (0..lot >> 24 & 7).map(alias).collect() } else { Vec::new() }
}

fn denial(lot: u64) -> Denial {
    let authority = Authority { zone: name(DOMAIN), negative_ttl_seconds: 300 };
    Denial { aliases: aliases(lot), authority: Some(authority).filter(|_| lot >> 16 & 1 == 0), authentic: false }
}

fn found(mut records: Vec<RecordData>, lot: u64) -> Answer {
    records.sort();
    Answer::Found(Found { records, ttl_seconds: 300, aliases: aliases(lot), authentic: lot & 7 == 0 })
}

fn text(record: &[u8]) -> RecordData {
    RecordData::Txt(Txt { strings: record.split(|octet| *octet == 31).map(<[u8]>::to_vec).collect() })
}

fn record(question: &Question, seed: u64, lot: u64) -> RecordData {
    let host = match lot % 7 {
        0 => question.name.clone(),
        1 => Name::root(),
        2 => name(DOMAIN),
        _ => name(&format!("{}.test", char::from(b'a' + u8::try_from(lot >> 8 & 7).unwrap_or(0)))),
    };
    let low = u32::try_from(lot & 0xffff).unwrap_or(0);
    match question.record_type {
        RecordType::A if lot.is_multiple_of(3) => RecordData::A(Ipv4Addr::from(u32::try_from(lot >> 32).unwrap_or(0))),
        RecordType::A => RecordData::A(Ipv4Addr::from(0xc000_0200 + (low & 3))),
        RecordType::Aaaa => RecordData::Aaaa(Ipv6Addr::from((0x2001_0db8_u128 << 96) + u128::from(low & 3))),
        RecordType::Cname => RecordData::Cname(host),
        RecordType::Mx => RecordData::Mx { preference: u16::try_from(low & 31).unwrap_or(0), exchange: host },
        RecordType::Ns => RecordData::Ns(host),
        RecordType::Ptr => RecordData::Ptr(host),
        RecordType::Soa => RecordData::Soa { primary: host, serial: low, minimum_seconds: 60 },
        RecordType::Txt => text(&seed.to_be_bytes()),
    }
}
