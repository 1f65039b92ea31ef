//! Which policy applies to a name: the DNS tree walk (RFC 9989 §4.10) and what is chosen from it (§4.10.1, §4.10.2).

use crate::protocol::dmarc::{self, Effective, NotDmarc, ParsedRecord, Policy, Psd};
use crate::protocol::name::Name;
use crate::verify::evidence::{Answer, Denial, Evidence, Question, RecordData, RecordType, Txt};
use crate::verify::step::Needs;

/// The most questions of one walk. RFC 9989 §4.10.
pub const QUESTIONS_MAX: usize = 8;

/// The most texts read at one name. A zone with more in one place is not run in earnest.
const TEXTS_MAX: usize = 50;

/// The answer for a name that cannot be.
static NOTHING: Answer = Answer::NoSuchName(Denial { aliases: Vec::new(), authority: None, authentic: false });

/// What the walk for one name found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Whether a policy applies.
    pub found: bool,
    /// The name of the record that was retrieved, `_dmarc` included, even where no reader gets a policy from it.
    pub at: Option<Name>,
    /// The organizational domain. Nothing where a failure hides it.
    pub organizational_domain: Option<Name>,
    /// The policy for this very name, `sp`, `np` and `t` applied. Nothing where none applies, or nobody could tell.
    pub effective_policy: Option<Policy>,
    /// The record that was retrieved.
    pub record: Option<ParsedRecord>,
    /// The names that the walk asked, in order.
    pub asked: Vec<Name>,
    /// The names that gave no usable answer and that the policy hangs on. Not empty: the policy is unknown.
    pub failed: Vec<Name>,
    /// What stands at the name's own `_dmarc`.
    pub own: Level,
}

impl Discovery {
    /// The domain whose record was retrieved: `at` without `_dmarc`.
    pub fn policy_domain(&self) -> Option<Name> {
        self.at.as_ref().and_then(Name::parent)
    }
}

/// What stands at one step of the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The domain.
    pub domain: Name,
    /// The name asked: `_dmarc` before the domain.
    pub at: Name,
    /// Whether nobody could tell.
    pub failed: bool,
    /// Where a CNAME at the name leads.
    pub alias: Option<Name>,
    /// The policy records, with their texts for people.
    pub records: Vec<(ParsedRecord, String)>,
    /// Texts that are no policy records, and why.
    pub others: Vec<(Txt, NotDmarc)>,
}

impl Level {
    fn of(domain: Name, at: Name, answer: &Answer) -> Level {
        let alias = answer.aliases().first().map(|alias| alias.target.clone());
        let failed = !answer.is_definite();
        let mut level = Level { domain, at, failed, alias, records: Vec::new(), others: Vec::new() };
        for record in answer.records().iter().take(TEXTS_MAX) {
            let RecordData::Txt(txt) = record else { continue };
            match dmarc::parse(&txt.joined()) {
                Ok(parsed) => level.records.push((parsed, txt.shown())),
                Err(why) => level.others.push((txt.clone(), why)),
            }
        }
        level
    }

    /// The one record; several are all discarded. RFC 9989 §4.10.
    fn record(&self) -> Option<&ParsedRecord> {
        match self.records.as_slice() {
            [(only, _)] => Some(only),
            _ => None,
        }
    }

    fn psd(&self) -> Psd {
        self.record().map_or(Psd::Undeclared, ParsedRecord::psd)
    }
}

/// Finds the policy for `name`.
///
/// # Errors
///
/// [`Needs`] with the walk's questions, and with those for the name itself where `np` hangs on them.
pub fn discover(name: &Name, evidence: &Evidence) -> Result<Discovery, Needs> {
    let levels = walk(name, evidence)?;
    let own = levels.first().cloned().unwrap_or_else(|| Level {
        domain: name.clone(),
        at: name.clone(),
        failed: false,
        alias: None,
        records: Vec::new(),
        others: Vec::new(),
    });
    let mut discovery = Discovery {
        found: false,
        at: None,
        organizational_domain: organizational_domain(name, &levels),
        effective_policy: None,
        record: None,
        asked: levels.iter().filter(|level| level.at != level.domain).map(|level| level.at.clone()).collect(),
        failed: Vec::new(),
        own,
    };
    let Some(level) = applicable(&levels, discovery.organizational_domain.as_ref()) else {
        discovery.failed = levels.iter().filter(|level| level.failed).map(|level| level.at.clone()).collect();
        return Ok(discovery);
    };
    discovery.at = Some(level.at.clone());
    discovery.record = level.record().cloned();
    if let Some(effective) = discovery.record.as_ref().and_then(ParsedRecord::effective) {
        match policy_for(name, &level.domain, effective, evidence)? {
            Some(policy) => {
                discovery.found = true;
                discovery.effective_policy = Some(policy);
            }
            None => discovery.failed.push(name.clone()),
        }
    }
    Ok(discovery)
}

/// The steps of the walk, up to where it stops.
fn walk(name: &Name, evidence: &Evidence) -> Result<Vec<Level>, Needs> {
    let mut needs = Needs::default();
    let mut steps = Vec::new();
    // All names are known beforehand, so all are asked at once, and read in order.
    for domain in walk_domains(name) {
        // No record can stand where the name would be too long.
        let Ok(at) = domain.child("_dmarc") else {
            steps.push((domain.clone(), domain, &NOTHING));
            continue;
        };
        if let Some(answer) = needs.keep(evidence.ask(&Question::txt(&at))) {
            steps.push((domain, at, answer));
        }
    }
    let steps = needs.or(steps)?;
    let mut levels = Vec::new();
    for (domain, at, answer) in steps {
        let level = Level::of(domain, at, answer);
        let stop = level.failed || level.psd() != Psd::Undeclared;
        levels.push(level);
        if stop {
            break;
        }
    }
    Ok(levels)
}

/// The name itself, then its parents; of a long name only the last seven labels. RFC 9989 §4.10.
fn walk_domains(name: &Name) -> Vec<Name> {
    let count = name.label_count();
    let next = if count < QUESTIONS_MAX { count.saturating_sub(1) } else { QUESTIONS_MAX - 1 };
    let parents = (1..=next).rev().map(|labels| name.last_labels(labels));
    std::iter::once(name.clone()).chain(parents).collect()
}

/// Selects the organizational domain, from the longest name to the shortest. RFC 9989 §4.10.2.
fn organizational_domain(name: &Name, levels: &[Level]) -> Option<Name> {
    for (index, level) in levels.iter().enumerate() {
        match level.psd() {
            Psd::No => return Some(level.domain.clone()),
            // The domain one label below; a record where the walk began does not count for this.
            Psd::Yes if index > 0 => return Some(name.last_labels(level.domain.label_count() + 1)),
            Psd::Yes | Psd::Undeclared => {}
        }
    }
    if levels.last().is_some_and(|level| level.failed) {
        return None;
    }
    let highest = levels.iter().rev().find(|level| level.record().is_some());
    Some(highest.map_or_else(|| name.clone(), |level| level.domain.clone()))
}

/// The record that applies: the name's own, the organizational domain's, or the public suffix's. RFC 9989 §4.10.1.
fn applicable<'l>(levels: &'l [Level], organizational_domain: Option<&Name>) -> Option<&'l Level> {
    let own = levels.first()?;
    if own.record().is_some() {
        return Some(own);
    }
    let organizational_domain = organizational_domain?;
    let with_record = || levels.iter().filter(|level| level.record().is_some());
    with_record()
        .find(|level| level.domain == *organizational_domain)
        .or_else(|| with_record().find(|level| level.psd() == Psd::Yes))
}

/// The policy of a record for `name`, or nothing when nobody could tell. RFC 9989 §4.10.1.
fn policy_for(
    name: &Name,
    policy_domain: &Name,
    effective: Effective,
    evidence: &Evidence,
) -> Result<Option<Policy>, Needs> {
    if name == policy_domain {
        return Ok(Some(effective.applied(effective.policy)));
    }
    let there = effective.applied(effective.subdomain_policy);
    let not_there = effective.applied(effective.nonexistent_policy);
    if there == not_there {
        return Ok(Some(there));
    }
    Ok(exists(name, evidence)?.map(|exists| if exists { there } else { not_there }))
}

/// Whether a name has an address or a mail exchange, or nothing when nobody could tell. RFC 9989 §3.2.13.
fn exists(name: &Name, evidence: &Evidence) -> Result<Option<bool>, Needs> {
    let mut needs = Needs::default();
    let mut answers = Vec::new();
    for record_type in [RecordType::A, RecordType::Aaaa, RecordType::Mx] {
        answers.extend(needs.keep(evidence.ask(&Question::new(name.clone(), record_type))));
    }
    let answers = needs.or(answers)?;
    if answers.iter().any(|answer| matches!(answer, Answer::Found(_))) {
        return Ok(Some(true));
    }
    Ok(answers.iter().all(|answer| answer.is_definite()).then_some(false))
}

#[cfg(test)]
mod tests;
