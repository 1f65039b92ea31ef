//! The zones with answers lost: what a failed lookup may do to a verdict, and what it may not.
//!
//! Of all four judges, whichever answers are lost:
//!
//! - `valid` becomes `valid` or `unknown`. A failure is never an absence.
//! - A failure verdict stays one or becomes `unknown`. What nobody knows never makes a record do. Which failure it is
//!   may change: of an MX that is missing and a text that is wrong, either may be the one that is lost.
//! - `unknown` stays: to know less settles nothing. `unchecked` stays, for nobody asked.

use std::collections::BTreeSet;

use sendready::dns::zone_text::ZoneText;
use sendready::verify::evidence::{Answer, Evidence, Failure, Question};
use sendready::verify::judge;
use sendready::verify::purpose::{Purpose, Verdict};
use sendready::verify::report::Report;
use sendready::verify::step::Step;

use crate::zones::{Fixture, fixtures};

/// How many random sets of answers are lost of every zone.
const SETS: u64 = 24;

/// The report of a zone without these answers, and what it asked.
fn judged(fixture: &Fixture, lost: &BTreeSet<Question>) -> (Report, Vec<Question>) {
    let zone: ZoneText = fixture.zone.parse().expect("a fixture reads");
    let expectation = fixture.expected().of(fixture.domain());
    let mut evidence = Evidence::new();
    for _ in 0..60 {
        match judge::judge(&expectation, &evidence) {
            Step::Done(report) => return (report, evidence.iter().map(|(question, _)| question.clone()).collect()),
            Step::Confirm(questions) => evidence.confirm(questions),
            Step::Need(questions) => {
                for question in questions {
                    let is_lost = lost.contains(&question);
                    let answer = if is_lost { Answer::Unknown(Failure::Timeout) } else { zone.answer(&question) };
                    evidence.tell(question, answer);
                }
            }
        }
    }
    panic!("{}: no end", fixture.name);
}

fn may_become(whole: Verdict, left: Verdict) -> bool {
    match whole {
        Verdict::Valid => matches!(left, Verdict::Valid | Verdict::Unknown),
        Verdict::Missing | Verdict::Mismatch | Verdict::Invalid => left.is_failure() || left == Verdict::Unknown,
        Verdict::Unknown | Verdict::Unchecked => left == whole,
    }
}

#[test]
fn no_lost_answer_decides() {
    for fixture in fixtures() {
        let (whole, questions) = judged(&fixture, &BTreeSet::new());
        let singles = questions.iter().map(|question| BTreeSet::from([question.clone()]));
        let sets = (1..=SETS).map(|set| questions.iter().filter(|question| is_drawn(set, question)).cloned().collect());
        let everything = std::iter::once(questions.iter().cloned().collect());
        for lost in singles.chain(sets).chain(everything) {
            let (left, _) = judged(&fixture, &lost);
            for purpose in Purpose::ALL {
                let (before, after) = (whole.verdict(purpose), left.verdict(purpose));
                let without = || lost.iter().map(Question::to_string).collect::<Vec<String>>().join(", ");
                assert!(
                    may_become(before, after),
                    "{}: {purpose} {before} became {after} without {}",
                    fixture.name,
                    without()
                );
            }
        }
    }
}

/// Draws a question into a set, the same on every run: FNV-1a over both.
fn is_drawn(set: u64, question: &Question) -> bool {
    let octets = set.to_be_bytes().into_iter().chain(question.to_string().into_bytes());
    let hash =
        octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3));
    // One set in three loses much, one little.
    (hash >> 32) % (2 + set % 3 * 2) == 0
}
