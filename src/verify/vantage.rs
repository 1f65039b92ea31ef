//! From two vantages to one report: what must be confirmed, what is confirmed, and how far it has come.
//!
//! Owns which questions a judgement rests on ([`doubtful`]), and what a record's report says of the zone's own
//! servers ([`apply`]). The words themselves are made in [`crate::verify::evidence::word`], so that the judges of
//! records know nothing of vantages.

use std::collections::BTreeSet;

use crate::protocol::name::Name;
use crate::verify::cut;
use crate::verify::dkim;
use crate::verify::dmarc;
use crate::verify::evidence::word::{agree, completed};
use crate::verify::evidence::{Answer, Evidence, Failure, Question, RecordType, Reply, Vantage};
use crate::verify::expectation::Expectation;
use crate::verify::finding::vantage::VantageFinding;
use crate::verify::finding::{Fact, Finding};
use crate::verify::mx;
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::report::{Propagation, Published, RecordReport, ServerWord};
use crate::verify::spf;
use crate::verify::step::Needs;

/// The questions that the zones' own servers are to be asked before `records` can be believed.
///
/// All that a negative verdict rests on: CNAME targets, include targets, MX hosts and DMARC parents are among it,
/// for the judge asked for them. Where a server failed, the record's own question: its zone may tell why. Where nobody
/// can tell because recursive servers contradict each other, what they contradict each other about.
pub fn doubtful(expectation: &Expectation, evidence: &Evidence, records: &[RecordReport]) -> BTreeSet<Question> {
    let mut doubtful = BTreeSet::new();
    let is_contested = evidence.iter().any(|(question, _)| evidence.is_contested(question));
    for (index, record) in records.iter().enumerate() {
        if record.verdict.is_failure() {
            doubtful.extend(basis(evidence, |evidence| judge_again(expectation, evidence, records, index)));
        } else if record.verdict == Verdict::Unknown {
            let own = own_question(record);
            let failed = matches!(
                evidence.recursive(&own),
                Some(Answer::Unknown(Failure::Servfail | Failure::Refused | Failure::Lame | Failure::Bogus))
            );
            doubtful.extend(failed.then_some(own));
            // Judging again is not for nothing, and contradictions are rare.
            if is_contested {
                let basis = basis(evidence, |evidence| judge_again(expectation, evidence, records, index));
                doubtful.extend(basis.into_iter().filter(|question| evidence.is_contested(question)));
            }
        }
    }
    doubtful.retain(|question| !evidence.is_sought(question));
    doubtful
}

/// Completes each record's report with what the zones' own servers say.
pub fn apply(expectation: &Expectation, evidence: &Evidence, records: &mut [RecordReport]) {
    let before = records.to_vec();
    let caches = evidence.seen_through_caches();
    for (index, record) in records.iter_mut().enumerate() {
        let judge = |evidence: &Evidence| judge_again(expectation, evidence, &before, index);
        Seen { own: own_question(record), evidence, judge }.complete(&caches, record);
    }
}

/// A record that may be kept for less than this is asked for too often. Ours: RFC 1912 §2.2 speaks of days.
const TTL_SECONDS_GOOD: u32 = 300;

/// The question whose answer is the record itself.
fn own_question(record: &RecordReport) -> Question {
    let record_type = if record.purpose == Purpose::Mx { RecordType::Mx } else { RecordType::Txt };
    Question::new(record.name.clone(), record_type)
}

/// Judges the record at `index` anew, from other evidence. Nothing where no judge is responsible for it.
fn judge_again(
    expectation: &Expectation,
    evidence: &Evidence,
    records: &[RecordReport],
    index: usize,
) -> Result<Option<Verdict>, Needs> {
    let Some(record) = records.get(index) else { return Ok(None) };
    let domain = expectation.domain.name();
    Ok(match record.purpose {
        Purpose::Spf => Some(spf::judge(expectation, evidence)?.record.verdict),
        Purpose::Dmarc => Some(dmarc::judge(expectation, evidence)?.record.verdict),
        Purpose::Dkim => {
            let mut selectors = expectation.dkim.iter();
            match selectors.find(|one| dkim::record_name(domain, &one.selector).as_ref() == Some(&record.name)) {
                Some(selector) => Some(dkim::judge(expectation, selector, evidence)?.verdict),
                None => None,
            }
        }
        Purpose::Mx => {
            let place = records.iter().take(index).filter(|other| other.purpose == Purpose::Mx).count();
            mx::judge(expectation, evidence)?.get(place).map(|record| record.verdict)
        }
    })
}

/// All questions whose answers `judge` takes into account: those that it asks for when it is told nothing else.
fn basis<T>(evidence: &Evidence, judge: impl Fn(&Evidence) -> Result<T, Needs>) -> BTreeSet<Question> {
    let mut told = Evidence::new();
    let mut asked = BTreeSet::new();
    while let Err(needs) = judge(&told) {
        let before = asked.len();
        for question in needs.into_questions() {
            if let Ok(answer) = evidence.ask(&question) {
                told.tell(question.clone(), answer.clone());
                asked.insert(question);
            }
        }
        // Whoever asks what nobody knows asks in vain.
        if asked.len() == before {
            break;
        }
    }
    asked
}

/// One record, as it is seen.
struct Seen<'e, J> {
    own: Question,
    evidence: &'e Evidence,
    judge: J,
}

impl<J: Fn(&Evidence) -> Result<Option<Verdict>, Needs>> Seen<'_, J> {
    fn complete(&self, caches: &Evidence, record: &mut RecordReport) {
        if !self.evidence.has(&self.own) || record.verdict == Verdict::Unchecked {
            return;
        }
        let sought = self.evidence.is_sought(&self.own);
        if !sought && record.verdict == Verdict::Valid {
            record.propagation = Some(Propagation { visible: true, ..Propagation::default() });
            return;
        }
        let basis = basis(self.evidence, &self.judge);
        let visible = self.verdict(caches) == Some(Verdict::Valid);
        let published = self.published(record.verdict);
        let found = self.findings(record.purpose, &basis);
        // The same is said better by the finding about the servers.
        record.findings.retain(|finding| !finding.facts().contains(&("outcome", Fact::text("partial"))));
        record.findings.extend(found.into_iter().map(Finding::Vantage));
        if record.verdict.is_failure() && basis.iter().any(|question| self.is_split(question)) {
            record.verdict = Verdict::Unknown;
        }
        record.propagation = Some(Propagation {
            visible_within_seconds: self.visible_within(record.verdict, visible, &basis),
            confirmed: record.verdict.is_failure() && basis.iter().all(|question| self.is_confirmed(question)),
            denial_ttl_seconds: basis.iter().filter_map(|question| self.ttl_in_caches(question)).max().unwrap_or(0),
            servers: self.servers(&self.own),
            published,
            visible,
        });
    }

    fn verdict(&self, evidence: &Evidence) -> Option<Verdict> {
        (self.judge)(evidence).ok().flatten()
    }

    fn is_split(&self, question: &Question) -> bool {
        self.evidence.word(question).is_some_and(|word| word.is_split)
    }

    fn is_confirmed(&self, question: &Question) -> bool {
        let word = self.evidence.word(question);
        word.is_some_and(|word| word.vantage == Vantage::Authoritative || !word.answer.is_definite())
    }

    /// How long some cache may keep its answer, in seconds.
    fn ttl_in_caches(&self, question: &Question) -> Option<u32> {
        let ttls = self.evidence.through_caches(question).filter_map(|reply| match &reply.answer {
            Answer::Found(found) => Some(found.ttl_seconds),
            Answer::NoData(denial) | Answer::NoSuchName(denial) => {
                denial.authority.as_ref().map(|authority| authority.negative_ttl_seconds)
            }
            Answer::Unknown(_) => None,
        });
        ttls.max()
    }

    /// How long caches may keep what differs from the servers' word, in seconds.
    ///
    /// Never less than it takes, and so nothing where that cannot be told: no time was given, or the zone has moved, and
    /// caches may go on asking its old servers.
    fn visible_within(&self, verdict: Verdict, visible: bool, basis: &BTreeSet<Question>) -> Option<u32> {
        if verdict != Verdict::Valid || visible {
            return None;
        }
        let mut longest = None;
        for question in basis {
            let Some(word) = self.evidence.word(question) else { continue };
            let cached = self.evidence.through_caches(question).map(|reply| &reply.answer);
            let differs = |cached: &&Answer| !agree(question.record_type, &word.answer, cached);
            for cached in cached.filter(|cached| cached.is_definite()).filter(differs) {
                if self.zone(question).is_some_and(|zone| cut::accounts(&zone, self.evidence).len() > 1) {
                    return None;
                }
                longest = longest.max(Some(kept(cached, &word.answer)?));
            }
        }
        longest
    }

    /// On how many servers the record is valid.
    fn published(&self, verdict: Verdict) -> Option<Published> {
        let definite: Vec<&Reply> =
            self.evidence.authoritative(&self.own).filter(|reply| reply.answer.is_definite()).collect();
        if definite.is_empty() {
            return None;
        }
        let (of, mut count) = (definite.len(), 0);
        for reply in definite {
            let verdict = if verdict == Verdict::Unknown {
                let answer = completed(&self.own, &reply.answer, self.evidence);
                self.verdict(&self.evidence.supposing(&self.own, answer))?
            } else {
                verdict
            };
            match verdict {
                Verdict::Valid => count += 1,
                Verdict::Unknown | Verdict::Unchecked => return None,
                _ => {}
            }
        }
        Some(Published { count, of })
    }

    fn servers(&self, question: &Question) -> Vec<ServerWord> {
        let zone = self.zone(question);
        let words = self.evidence.authoritative(question).filter_map(|reply| {
            let address = reply.server?.ip();
            let server = cut::server_name(zone.as_ref()?, address, self.evidence).or_else(|| zone.clone())?;
            Some(ServerWord { server, address, outcome: reply.answer.outcome() })
        });
        words.collect()
    }

    fn zone(&self, question: &Question) -> Option<Name> {
        cut::of(&question.name, self.evidence).ok().flatten()
    }

    fn findings(&self, purpose: Purpose, basis: &BTreeSet<Question>) -> Vec<VantageFinding> {
        let mut findings = self.delegation_findings(purpose, basis);
        for question in basis {
            if self.evidence.ask(question) == Ok(&Answer::Unknown(Failure::Partial)) {
                let servers: Vec<String> = self.servers(question).iter().map(shown).collect();
                let is_told = self.evidence.authoritative(question).any(|reply| reply.answer.is_definite());
                let question_text = question.to_string();
                findings.push(match is_told {
                    true => VantageFinding::Partial { purpose, question: question_text, servers },
                    false => VantageFinding::ResolversDisagree {
                        purpose,
                        question: question_text,
                        resolvers: self.evidence.through_caches(question).map(resolver_shown).collect(),
                    },
                });
            }
        }
        findings.extend(self.short_ttl(purpose));
        findings
    }

    /// Whether the record may be kept for a short time only, as the zone's own servers say: caches count down.
    fn short_ttl(&self, purpose: Purpose) -> Option<VantageFinding> {
        let ttls = self.evidence.authoritative(&self.own).filter_map(|reply| match &reply.answer {
            Answer::Found(found) => Some(found.ttl_seconds),
            _ => None,
        });
        let ttl_seconds = ttls.min().filter(|ttl| *ttl < TTL_SECONDS_GOOD)?;
        Some(VantageFinding::ShortTtl { purpose, question: self.own.to_string(), ttl_seconds })
    }

    /// What is wrong with the servers of the record's own zone, and of others on which the verdict depends.
    fn delegation_findings(&self, purpose: Purpose, basis: &BTreeSet<Question>) -> Vec<VantageFinding> {
        let mut findings = Vec::new();
        let mut zones: BTreeSet<Name> = self.zone(&self.own).into_iter().collect();
        zones.extend(basis.iter().filter(|question| self.is_split(question)).filter_map(|one| self.zone(one)));
        for zone in zones.into_iter().filter(|_| self.evidence.is_sought(&self.own)) {
            if let [delegated, own, ..] = cut::accounts(&zone, self.evidence).as_slice() {
                let (delegated, own) = (delegated.clone(), own.clone());
                findings.push(VantageFinding::DelegationMismatch { purpose, zone, delegated, own });
            }
        }
        let servers = self.servers(&self.own);
        let is_strange = |server: &&ServerWord| {
            [Failure::Lame, Failure::Refused].iter().any(|failure| failure.outcome() == server.outcome)
        };
        let strange: Vec<String> = servers.iter().filter(is_strange).map(shown).collect();
        let definite = self.evidence.authoritative(&self.own).any(|reply| reply.answer.is_definite());
        if let (Some(zone), false) = (self.zone(&self.own), strange.is_empty()) {
            findings.push(match definite {
                true => VantageFinding::DelegationLame { purpose, zone, servers: strange },
                false => VantageFinding::DelegationElsewhere { purpose, zone, servers: strange },
            });
        }
        findings
    }
}

/// How long `cached` may be kept where it departs from `word`, in seconds; nothing where it does not tell.
///
/// A chain departs at its first alias that is another (RFC 1034 §3.6.2); what follows from there is asked anew. Of the
/// records at its end only the least time of all is known, which tells theirs when every alias is kept for longer.
fn kept(cached: &Answer, word: &Answer) -> Option<u32> {
    let together = cached.aliases().iter().zip(word.aliases()).take_while(|(one, other)| one.target == other.target);
    if let Some(alias) = cached.aliases().get(together.count()) {
        return Some(alias.ttl_seconds);
    }
    match cached {
        Answer::Found(found) => {
            let is_theirs = found.aliases.iter().all(|alias| alias.ttl_seconds > found.ttl_seconds);
            is_theirs.then_some(found.ttl_seconds)
        }
        // RFC 2308 §5: the SOA of a cached denial counts down as every record does.
        Answer::NoData(denial) | Answer::NoSuchName(denial) => {
            denial.authority.as_ref().map(|authority| authority.negative_ttl_seconds)
        }
        Answer::Unknown(_) => None,
    }
}

fn resolver_shown(reply: &Reply) -> String {
    let server = reply.server.map_or_else(|| "a recursive server".to_owned(), |server| server.to_string());
    format!("{server}: {}", reply.answer.outcome())
}

fn shown(server: &ServerWord) -> String {
    format!("{} ({}): {}", server.server, server.address, server.outcome)
}
