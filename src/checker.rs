//! One check: ask, judge, ask again, within limits.
//!
//! Owns how much one check may ask, how long it may take, and how much it may keep. The judge always finishes: a
//! question over the limits is in the evidence as one that nobody answered in time, and that is never an absence.
//! Who is asked is the [`Resolver`]'s affair; what the answers mean is the judge's. What a judge wants confirmed is
//! put to the servers of the zones themselves, as [`crate::verify::cut`] plans it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::dns::Resolver;
use crate::dns::size::{answer_octets, name_octets};
use crate::verify::cut::{self, Ask};
use crate::verify::evidence::{Answer, Evidence, Failure, Question, Reply, Told, Vantage, word};
use crate::verify::step::Step;

/// The most questions that one check asks.
pub const QUESTION_COUNT_MAX: usize = 300;

/// The most octets of evidence that one check keeps.
pub const EVIDENCE_OCTETS_MAX: usize = 64 * 1_024;

/// The most rounds of asking. The deepest chain of reasons is an SPF record's, with 60 names, each asked of caches and
/// then confirmed; more is a fault of a judge.
pub const ROUND_COUNT_MAX: usize = 200;

/// What one check may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many questions are asked.
    pub question_count_max: usize,
    /// How long it may take to ask them, all rounds together.
    pub time_max: Duration,
    /// How many octets of evidence are kept.
    pub evidence_octets_max: usize,
}

impl Limits {
    /// The limits of every check, which is to end within `time_max`.
    pub fn within(time_max: Duration) -> Limits {
        Limits { question_count_max: QUESTION_COUNT_MAX, time_max, evidence_octets_max: EVIDENCE_OCTETS_MAX }
    }
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked<T> {
    /// What the judge says.
    pub judgement: T,
    /// All that it rests on.
    pub evidence: Evidence,
    /// How many questions were asked.
    pub question_count: usize,
    /// How many times the judge asked for more.
    pub round_count: usize,
    /// How many answers were too large to keep and stand in the evidence as truncated.
    pub cut_count: usize,
}

/// A judge that does not come to an end: our fault, whatever DNS said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JudgeFault {
    /// It asks only what it has been told.
    #[error("the judge asks again what it has been told")]
    Stuck,
    /// It wants more after [`ROUND_COUNT_MAX`] rounds.
    #[error("the judge wants more after {ROUND_COUNT_MAX} rounds")]
    Endless,
}

/// Asks `resolver` what `judge` needs to know, until it is done.
///
/// The questions of one round are asked at once. A question beyond the limits is not asked, and one that is open at
/// the deadline is given up; both are [`Failure::Timeout`] without a server. An answer that no longer fits in is
/// [`Failure::Truncated`]: a part of it, judged as the whole, would be called missing what it holds.
///
/// # Errors
///
/// [`JudgeFault`], the fault of the judge.
pub async fn check<T>(
    resolver: &dyn Resolver,
    limits: &Limits,
    judge: impl Fn(&Evidence) -> Step<T>,
) -> Result<Checked<T>, JudgeFault> {
    let mut gathering = Gathering {
        deadline: Instant::now() + limits.time_max,
        questions_left: limits.question_count_max,
        octets_left: limits.evidence_octets_max,
        cut_count: 0,
        evidence: Evidence::new(),
        asked: BTreeSet::new(),
    };
    for round_count in 0..=ROUND_COUNT_MAX {
        match judge(&gathering.evidence) {
            Step::Done(judgement) => {
                return Ok(Checked {
                    judgement,
                    evidence: gathering.evidence,
                    question_count: limits.question_count_max - gathering.questions_left,
                    round_count,
                    cut_count: gathering.cut_count,
                });
            }
            Step::Need(questions) => gathering.ask(resolver, questions).await?,
            Step::Confirm(questions) => gathering.confirm(resolver, questions).await?,
        }
    }
    Err(JudgeFault::Endless)
}

/// Evidence, and what is left of the limits.
struct Gathering {
    deadline: Instant,
    questions_left: usize,
    octets_left: usize,
    cut_count: usize,
    evidence: Evidence,
    /// What authoritative servers were asked.
    asked: BTreeSet<Ask>,
}

impl Gathering {
    /// One round: asks what is allowed, and takes in an answer for every question.
    async fn ask(&mut self, resolver: &dyn Resolver, mut questions: Vec<Question>) -> Result<(), JudgeFault> {
        questions.sort_unstable();
        questions.dedup();
        questions.retain(|question| !self.evidence.has(question));
        if questions.is_empty() {
            return Err(JudgeFault::Stuck);
        }
        let in_time = Instant::now() < self.deadline;
        let asked_count = if in_time { questions.len().min(self.questions_left) } else { 0 };
        self.questions_left -= asked_count;
        let not_asked = questions.split_off(asked_count);
        let deadline = self.deadline;
        let asking = questions.iter().map(|question| async move {
            timeout_at(deadline, resolver.ask(question)).await.unwrap_or_else(|_| vec![not_answered()])
        });
        let all_replies = join_all(asking).await;
        for (question, replies) in questions.into_iter().zip(all_replies) {
            self.take_in(question, replies);
        }
        for question in not_asked {
            self.evidence.add(question, [not_answered()]);
        }
        Ok(())
    }

    /// Puts questions to the servers of their own zones, wherever their chains lead.
    async fn confirm(&mut self, resolver: &dyn Resolver, questions: Vec<Question>) -> Result<(), JudgeFault> {
        let mut wanted: BTreeSet<Question> =
            questions.into_iter().filter(|question| !self.evidence.is_sought(question)).collect();
        if wanted.is_empty() {
            return Err(JudgeFault::Stuck);
        }
        let place = |address: IpAddr| resolver.authority_at(address);
        for _ in 0..ROUND_COUNT_MAX {
            let plan = cut::plan(&wanted, &self.evidence, &place);
            wanted.extend(plan.questions);
            if !plan.needs.is_empty() {
                self.ask(resolver, plan.needs.into_questions()).await?;
                continue;
            }
            let asks: Vec<Ask> = plan.asks.into_iter().filter(|ask| self.asked.insert(ask.clone())).collect();
            if asks.is_empty() {
                break;
            }
            self.ask_authorities(resolver, asks).await;
        }
        self.evidence.confirm(wanted);
        Ok(())
    }

    /// One round with authoritative servers. What is over the limits is not asked, and no word comes of it.
    async fn ask_authorities(&mut self, resolver: &dyn Resolver, mut asks: Vec<Ask>) {
        asks.truncate(if Instant::now() < self.deadline { self.questions_left } else { 0 });
        self.questions_left -= asks.len();
        let deadline = self.deadline;
        let asking = asks.iter().map(|ask| async move {
            let nothing = || Told::Answer(Answer::Unknown(Failure::Timeout));
            timeout_at(deadline, resolver.ask_at(ask.server, &ask.question)).await.unwrap_or_else(|_| nothing())
        });
        let all_told = join_all(asking).await;
        for (ask, told) in asks.into_iter().zip(all_told) {
            self.take_told(ask, told);
        }
    }

    fn take_told(&mut self, Ask { server, question, zone }: Ask, told: Told) {
        match told {
            // Only downwards: whoever refers elsewhere does not know the zone.
            Told::Referral { zone: below, delegation } if below != zone && below.is_at_or_below(&zone) => {
                self.evidence.add_delegation(below, delegation);
            }
            Told::Referral { .. } => self.take_word(server, question, Answer::Unknown(Failure::Lame)),
            Told::Answer(answer) => self.take_word(server, question, word::within(&zone, answer)),
        }
    }

    fn take_word(&mut self, server: SocketAddr, question: Question, answer: Answer) {
        self.take_in(
            question,
            vec![Reply { vantage: Vantage::Authoritative, server: Some(server), answer, extended_error: None }],
        );
    }

    fn take_in(&mut self, question: Question, mut replies: Vec<Reply>) {
        self.octets_left = self.octets_left.saturating_sub(name_octets(&question.name));
        for reply in &mut replies {
            match self.octets_left.checked_sub(answer_octets(&reply.answer)) {
                Some(left) => self.octets_left = left,
                None => {
                    reply.answer = Answer::Unknown(Failure::Truncated);
                    self.cut_count += 1;
                }
            }
        }
        // A resolver that breaks its promise and says nothing must not make the judge ask for ever.
        if replies.is_empty() {
            replies.push(not_answered());
        }
        self.evidence.add(question, replies);
    }
}

fn not_answered() -> Reply {
    Reply { vantage: Vantage::Recursive, server: None, answer: Answer::Unknown(Failure::Timeout), extended_error: None }
}

#[cfg(test)]
mod tests;
