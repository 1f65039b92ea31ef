//! The shape of every judgement: done, or "ask me these first".
//!
//! A judge is called again from the start with more evidence; it keeps nothing between calls.
//! Inside a judge the same thing is a `Result`, so that `?` asks the question.

use std::collections::BTreeSet;

use crate::verify::evidence::Question;

/// What a judge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<T> {
    /// The judgement.
    Done(T),
    /// The questions, none asked yet, without whose answers there is no judgement.
    Need(Vec<Question>),
    /// Questions on which a negative judgement would rest: ask the servers of the zones themselves first.
    Confirm(Vec<Question>),
}

impl<T> Step<T> {
    /// The same with the judgement made into another.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Step::Done(judgement) => Step::Done(make(judgement)),
            Step::Need(questions) => Step::Need(questions),
            Step::Confirm(questions) => Step::Confirm(questions),
        }
    }

    /// Both judgements, when both are done; else what either wants to know first.
    pub fn and<U>(self, other: Step<U>) -> Step<(T, U)> {
        let joined = |one: Vec<Question>, more: Vec<Question>| {
            let all: BTreeSet<Question> = one.into_iter().chain(more).collect();
            all.into_iter().collect()
        };
        match (self, other) {
            (Step::Done(one), Step::Done(other)) => Step::Done((one, other)),
            (Step::Need(one), Step::Need(more)) => Step::Need(joined(one, more)),
            (Step::Need(questions), _) | (_, Step::Need(questions)) => Step::Need(questions),
            (Step::Confirm(one), Step::Confirm(more)) => Step::Confirm(joined(one, more)),
            (Step::Confirm(questions), _) | (_, Step::Confirm(questions)) => Step::Confirm(questions),
        }
    }
}

impl<T> From<Result<T, Needs>> for Step<T> {
    fn from(result: Result<T, Needs>) -> Step<T> {
        match result {
            Ok(done) => Step::Done(done),
            Err(needs) => Step::Need(needs.into_questions()),
        }
    }
}

/// Questions without whose answers a judge cannot go on. Never empty where it is an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    questions: BTreeSet<Question>,
}

impl Needs {
    /// The need of one question.
    pub fn one(question: Question) -> Needs {
        Needs { questions: BTreeSet::from([question]) }
    }

    /// Whether nothing is needed.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// The questions.
    pub fn into_questions(self) -> Vec<Question> {
        self.questions.into_iter().collect()
    }

    /// Takes the needs of another judge in, so that all are asked at once.
    pub fn join(&mut self, other: Needs) {
        self.questions.extend(other.questions);
    }

    /// Keeps a result's value, or takes its needs in.
    pub fn keep<T>(&mut self, result: Result<T, Needs>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(needs) => {
                self.join(needs);
                None
            }
        }
    }

    /// `value` when nothing is needed.
    ///
    /// # Errors
    ///
    /// The needs, when there are any.
    pub fn or<T>(self, value: T) -> Result<T, Needs> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}
