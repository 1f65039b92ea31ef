//! Two vantages, one word: what follows from what caches say and what the zone's own servers say.
//!
//! Owns truth rule 3. The servers' word overrides a recursive *denial or old value*, never a recursive *failure*:
//! that stays a failure. Servers that disagree give no word ([`Failure::Partial`]). Where none answered, the
//! recursive word is all there is; and where recursive servers contradict each other, there is none. A chain that leaves the zone goes on with the word of the target's own zone.

use crate::protocol::name::Name;
use crate::verify::cut;
use crate::verify::evidence::{
    Alias, Answer, Denial, Evidence, Failure, Found, Question, RecordData, RecordType, Reply, Vantage,
};

/// The most CNAMEs of one chain. Design §6.
const ALIAS_COUNT_MAX: usize = 8;

/// The word on one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What it says.
    pub answer: Answer,
    /// Whose it is: authoritative only when every link of the chain is.
    pub vantage: Vantage,
    /// The zone above and the zone itself name different servers, and only one side's have answered: a "no"
    /// may be that of an old host.
    pub is_split: bool,
}

/// The word on `question`; nothing when no recursive server was asked.
pub(super) fn of(question: &Question, evidence: &Evidence) -> Option<Word> {
    follow(question, evidence, ALIAS_COUNT_MAX)
}

fn follow(question: &Question, evidence: &Evidence, aliases_left: usize) -> Option<Word> {
    let recursive = evidence.recursive(question)?;
    let is_contested = evidence.is_contested(question);
    let by_caches = || {
        let answer = if is_contested { Answer::Unknown(Failure::Partial) } else { recursive.clone() };
        Word { answer, vantage: Vantage::Recursive, is_split: false }
    };
    if !recursive.is_definite() || !evidence.is_sought(question) {
        return Some(by_caches());
    }
    let told: Vec<&Reply> = evidence.authoritative(question).filter(|reply| reply.answer.is_definite()).collect();
    let Some(first) = told.first() else { return Some(by_caches()) };
    let by_servers = |answer| Word { answer, vantage: Vantage::Authoritative, is_split: false };
    if !told.iter().all(|reply| agree(question.record_type, &first.answer, &reply.answer)) {
        return Some(by_servers(Answer::Unknown(Failure::Partial)));
    }
    let answered: Vec<_> = told.iter().filter_map(|reply| reply.server).collect();
    let is_split = cut::is_split(&question.name, &answered, evidence);
    let Some(end) = open_end(question, &first.answer) else {
        return Some(Word { is_split, ..by_servers(first.answer.clone()) });
    };
    let Some(aliases_left) = aliases_left.checked_sub(first.answer.aliases().len() + 1) else {
        return Some(by_servers(Answer::Unknown(Failure::Malformed)));
    };
    let Some(rest) = follow(&end, evidence, aliases_left) else { return Some(by_caches()) };
    Some(Word {
        answer: joined(question, &first.answer, rest.answer),
        vantage: rest.vantage,
        is_split: is_split || rest.is_split,
    })
}

/// The question at the end of a chain that leaves the server's zones; nothing when the answer is whole.
pub fn open_end(question: &Question, answer: &Answer) -> Option<Question> {
    match answer {
        Answer::Found(Found { records, .. }) if question.record_type != RecordType::Cname => match records.as_slice() {
            [RecordData::Cname(target)] => Some(Question::new(target.clone(), question.record_type)),
            _ => None,
        },
        _ => None,
    }
}

/// What one server's `answer` comes to once the rest of its chain has been asked in its own zone.
pub fn completed(question: &Question, answer: &Answer, evidence: &Evidence) -> Answer {
    match open_end(question, answer) {
        None => answer.clone(),
        Some(end) => match follow(&end, evidence, ALIAS_COUNT_MAX) {
            Some(rest) => joined(question, answer, rest.answer),
            None => Answer::Unknown(Failure::Timeout),
        },
    }
}

/// A chain that is open, and the answer at its end.
fn joined(question: &Question, open: &Answer, rest: Answer) -> Answer {
    let Answer::Found(Found { records, ttl_seconds, aliases, authentic }) = open else { return rest };
    let mut chain = aliases.clone();
    let owner = chain.last().map_or_else(|| question.name.clone(), |alias| alias.target.clone());
    if let [RecordData::Cname(target)] = records.as_slice() {
        chain.push(Alias { owner, target: target.clone(), ttl_seconds: *ttl_seconds });
    }
    chain.extend_from_slice(rest.aliases());
    match rest {
        Answer::Found(found) => Answer::Found(Found {
            ttl_seconds: found.ttl_seconds.min(*ttl_seconds),
            records: found.records,
            aliases: chain,
            authentic: found.authentic && *authentic,
        }),
        Answer::NoData(denial) => {
            Answer::NoData(Denial { aliases: chain, authentic: denial.authentic && *authentic, ..denial })
        }
        Answer::NoSuchName(denial) => {
            Answer::NoSuchName(Denial { aliases: chain, authentic: denial.authentic && *authentic, ..denial })
        }
        Answer::Unknown(failure) => Answer::Unknown(failure),
    }
}

/// What of a server's answer is its own to say: a chain is cut where it leaves the zone that it was asked for.
pub fn within(zone: &Name, answer: Answer) -> Answer {
    let Some(leaves) = answer.aliases().iter().position(|alias| !alias.target.is_at_or_below(zone)) else {
        return answer;
    };
    let aliases = answer.aliases();
    let (Some(own), Some(last)) = (aliases.get(..leaves), aliases.get(leaves)) else { return answer };
    Answer::Found(Found {
        records: vec![RecordData::Cname(last.target.clone())],
        ttl_seconds: last.ttl_seconds,
        aliases: own.to_vec(),
        authentic: false,
    })
}

/// Whether two servers of a zone say the same, times aside.
///
/// Two kinds of "no" are one. Addresses may be dealt out in turn, so that two sets of them are no disagreement.
pub fn agree(record_type: RecordType, one: &Answer, other: &Answer) -> bool {
    let chain = |answer: &Answer| answer.aliases().iter().map(|alias| alias.target.clone()).collect::<Vec<_>>();
    match (one, other) {
        (Answer::Found(_), Answer::Found(_)) if matches!(record_type, RecordType::A | RecordType::Aaaa) => true,
        (Answer::Found(one_found), Answer::Found(other_found)) => {
            one_found.records == other_found.records && chain(one) == chain(other)
        }
        (Answer::NoData(_) | Answer::NoSuchName(_), Answer::NoData(_) | Answer::NoSuchName(_)) => {
            chain(one) == chain(other)
        }
        _ => false,
    }
}
