//! What one mail exchange is worth: an address of its own that anybody can reach.

use std::net::IpAddr;

use crate::protocol::address;
use crate::protocol::name::Name;
use crate::verify::evidence::{Answer, Evidence, Question, RecordData, RecordType};
use crate::verify::finding::mx::{HostFault, MxFinding};
use crate::verify::mx::is_literal;
use crate::verify::step::Needs;

/// The most private addresses that a finding repeats.
const ADDRESSES_MAX: usize = 5;

/// One mail exchange.
pub(super) struct Host {
    pub(super) preference: u16,
    pub(super) name: Name,
    pub(super) state: State,
}

/// What is known of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It can receive mail.
    Sound,
    /// Its only public-looking addresses are those set aside for documentation. Whoever publishes them rehearses, so
    /// the record is taken at its word, and the warning says what it is worth in the world.
    Rehearsed {
        /// The first of them.
        address: IpAddr,
    },
    /// It cannot.
    Faulty(HostFault),
    /// Nobody could tell.
    Unknown {
        /// The question that went unanswered.
        question: String,
        /// What came of it.
        outcome: &'static str,
    },
}

impl State {
    /// Whether mail can be delivered there, as far as DNS tells.
    pub(super) fn works(&self) -> bool {
        matches!(self, State::Sound | State::Rehearsed { .. })
    }
}

impl Host {
    /// Looks a host's addresses up, both kinds at once.
    pub(super) fn look_at(preference: u16, name: &Name, evidence: &Evidence) -> Result<Host, Needs> {
        let state = state(name, evidence)?;
        Ok(Host { preference, name: name.clone(), state })
    }

    /// What is to be told of the host, if anything; an error where the verdict rests on it.
    pub(super) fn finding(&self, decisive: bool) -> Option<MxFinding> {
        match &self.state {
            State::Sound => None,
            State::Rehearsed { address } => {
                Some(MxFinding::DocumentationAddress { host: self.name.clone(), address: *address })
            }
            State::Faulty(fault) => {
                Some(MxFinding::BadHost { host: self.name.clone(), fault: fault.clone(), decisive })
            }
            State::Unknown { question, outcome } => Some(MxFinding::Unanswered { question: question.clone(), outcome }),
        }
    }
}

fn state(name: &Name, evidence: &Evidence) -> Result<State, Needs> {
    if is_literal(name) {
        return Ok(State::Faulty(HostFault::Literal));
    }
    let mut needs = Needs::default();
    let mut answers = Vec::new();
    for record_type in [RecordType::A, RecordType::Aaaa] {
        let question = Question::new(name.clone(), record_type);
        if let Some(answer) = needs.keep(evidence.ask(&question)) {
            answers.push((question, answer));
        }
    }
    let answers = needs.or(answers)?;
    if let Some(alias) = answers.iter().find_map(|(_, answer)| answer.aliases().last()) {
        return Ok(State::Faulty(HostFault::Alias { target: alias.target.clone() }));
    }
    let addresses: Vec<IpAddr> = answers.iter().flat_map(|(_, answer)| addresses(answer)).collect();
    if addresses.iter().any(|address| address::is_public(*address)) {
        return Ok(State::Sound);
    }
    if let Some(address) = addresses.iter().find(|address| address::is_documentation(**address)) {
        return Ok(State::Rehearsed { address: *address });
    }
    // One kind of address that nobody could tell about may be the one that works.
    if let Some((question, answer)) = answers.iter().find(|(_, answer)| !answer.is_definite()) {
        return Ok(State::Unknown { question: question.to_string(), outcome: answer.outcome() });
    }
    Ok(State::Faulty(match addresses.is_empty() {
        true => HostFault::Unresolved,
        false => HostFault::Private { addresses: addresses.into_iter().take(ADDRESSES_MAX).collect() },
    }))
}

fn addresses(answer: &Answer) -> impl Iterator<Item = IpAddr> {
    answer.records().iter().filter_map(|record| match record {
        RecordData::A(address) => Some(IpAddr::V4(*address)),
        RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    })
}
