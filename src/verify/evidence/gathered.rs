//! All that one check was told, and the word that counts on each question.
//!
//! Owns which replies make which word ([`Evidence::ask`]). The words of questions that were put to the zones' own
//! servers are made in [`crate::verify::evidence::word`].

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::name::Name;
use crate::verify::evidence::word::{self, Word};
use crate::verify::evidence::{Answer, Delegation, Failure, Question, Reply, Vantage};
use crate::verify::step::Needs;

/// The word on what recursive servers contradict each other about, as long as nobody else has spoken.
static CONTESTED: Answer = Answer::Unknown(Failure::Partial);

/// All replies of one check, by question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    replies: BTreeMap<Question, Vec<Reply>>,
    delegations: BTreeMap<Name, Delegation>,
    /// Questions that were put to the zones' own servers, whether or not any could be reached.
    sought: BTreeSet<Question>,
    /// What follows from all of the above, for the questions sought.
    words: BTreeMap<Question, Word>,
}

impl Evidence {
    /// Evidence without a reply.
    pub fn new() -> Evidence {
        Evidence::default()
    }

    /// Adds what servers said to `question`.
    pub fn add(&mut self, question: Question, replies: impl IntoIterator<Item = Reply>) {
        self.replies.entry(question).or_default().extend(replies);
    }

    /// Adds one answer, as one recursive server would give it. For tests and for trying things out.
    pub fn tell(&mut self, question: Question, answer: Answer) {
        self.add(question, [Reply { vantage: Vantage::Recursive, server: None, answer, extended_error: None }]);
    }

    /// Adds who serves `zone`, as the zone above says. The first word stands.
    pub fn add_delegation(&mut self, zone: Name, delegation: Delegation) {
        self.delegations.entry(zone).or_insert(delegation);
    }

    /// Takes note that the zones' own servers have been asked all that they are going to be asked about `questions`:
    /// from now on their words count. [`crate::verify::evidence::word`] says how.
    pub fn confirm(&mut self, questions: impl IntoIterator<Item = Question>) {
        self.sought.extend(questions);
        let words: BTreeMap<Question, Word> =
            self.sought.iter().filter_map(|question| Some((question.clone(), word::of(question, self)?))).collect();
        self.words = words;
    }

    /// The word that counts on `question`.
    ///
    /// Where the zone's own servers were asked, what follows from both vantages. Else the first definite reply of
    /// a recursive server, or its first failure: a server that could not tell never overrules one that could. Two that
    /// contradict each other leave it open ([`Failure::Partial`]): which of them was asked first is chance.
    ///
    /// # Errors
    ///
    /// [`Needs`] with the question, when it was never asked.
    pub fn ask(&self, question: &Question) -> Result<&Answer, Needs> {
        if let Some(word) = self.words.get(question) {
            return Ok(&word.answer);
        }
        if self.is_contested(question) {
            return Ok(&CONTESTED);
        }
        self.recursive(question).ok_or_else(|| Needs::one(question.clone()))
    }

    /// The best that anybody has said to `question`: as [`Evidence::ask`], but what some recursive server has found counts
    /// although another denies it. For finding the way to servers, where a false step costs a question and no verdict.
    ///
    /// # Errors
    ///
    /// [`Needs`] with the question, when it was never asked.
    pub fn ask_for_the_way(&self, question: &Question) -> Result<&Answer, Needs> {
        let word = self.words.get(question).map(|word| &word.answer).filter(|answer| **answer != CONTESTED);
        word.or_else(|| self.recursive(question)).ok_or_else(|| Needs::one(question.clone()))
    }

    /// What the world sees of `question` through caches; nothing when no recursive server was asked. Of servers that
    /// contradict each other, the one that found something.
    pub fn recursive(&self, question: &Question) -> Option<&Answer> {
        let mut best: Option<&Answer> = None;
        for reply in self.through_caches(question) {
            let is_better = match (best, &reply.answer) {
                (None, _) => true,
                (Some(Answer::Unknown(_)), answer) => answer.is_definite(),
                (Some(Answer::Found(_)), _) => false,
                (Some(_), answer) => matches!(answer, Answer::Found(_)),
            };
            if is_better {
                best = Some(&reply.answer);
            }
        }
        best
    }

    /// What each recursive server said to `question`.
    pub fn through_caches(&self, question: &Question) -> impl Iterator<Item = &Reply> {
        self.replies(question).iter().filter(|reply| reply.vantage == Vantage::Recursive)
    }

    /// Whether one recursive server denies what another has found.
    pub fn is_contested(&self, question: &Question) -> bool {
        let mut definite = self.through_caches(question).filter(|reply| reply.answer.is_definite());
        let is_found = |reply: &Reply| matches!(reply.answer, Answer::Found(_));
        definite.next().is_some_and(|first| definite.any(|other| is_found(first) != is_found(other)))
    }

    /// What the zone's own servers said to `question`, one reply each.
    pub fn authoritative(&self, question: &Question) -> impl Iterator<Item = &Reply> {
        self.replies(question).iter().filter(|reply| reply.vantage == Vantage::Authoritative)
    }

    /// The word on `question` and where it comes from; nothing unless it was put to the zone's own servers.
    pub fn word(&self, question: &Question) -> Option<&Word> {
        self.words.get(question)
    }

    /// Whether `question` was put to the zone's own servers, whether or not any could be reached.
    pub fn is_sought(&self, question: &Question) -> bool {
        self.sought.contains(question)
    }

    /// Who serves `zone`, as the zone above says; nothing where nobody told.
    pub fn delegation(&self, zone: &Name) -> Option<&Delegation> {
        self.delegations.get(zone)
    }

    /// Every delegation, in the zones' order.
    pub fn delegations(&self) -> impl Iterator<Item = (&Name, &Delegation)> {
        self.delegations.iter()
    }

    /// The evidence as if only recursive servers had been asked.
    #[must_use]
    pub fn seen_through_caches(&self) -> Evidence {
        Evidence { replies: self.replies.clone(), ..Evidence::default() }
    }

    /// The evidence as if `answer` were the word on `question`.
    #[must_use]
    pub fn supposing(&self, question: &Question, answer: Answer) -> Evidence {
        let mut supposed = self.clone();
        let word = Word { answer, vantage: Vantage::Authoritative, is_split: false };
        supposed.words.insert(question.clone(), word);
        supposed
    }

    /// Whether a recursive server was asked `question`.
    pub fn has(&self, question: &Question) -> bool {
        self.recursive(question).is_some()
    }

    /// How many questions were asked.
    pub fn question_count(&self) -> usize {
        self.replies.len()
    }

    /// Every question with its replies, in the questions' order.
    pub fn iter(&self) -> impl Iterator<Item = (&Question, &[Reply])> {
        self.replies.iter().map(|(question, replies)| (question, replies.as_slice()))
    }

    fn replies(&self, question: &Question) -> &[Reply] {
        self.replies.get(question).map(Vec::as_slice).unwrap_or_default()
    }
}
