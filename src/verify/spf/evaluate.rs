//! The evaluation of a record for one session (RFC 7208 §4 to §7).
//!
//! Runs from the start with whatever evidence there is, and stops at the first question without an answer.
//! Everything it counts is its own, so that running it again costs nothing but time.
//!
//! # Choices
//!
//! - A mechanism whose name cannot be asked about does not match (RFC 7208 §4.8 leaves it open); an
//!   include or a redirect to such a name is a permerror, as to a name without a record (§5.2, §6.1).
//! - Each lookup of a term that finds nothing is void, also those of an `mx`'s hosts; those of names
//!   that a client's own PTR records chose are not, for the domain's owner has no say in them (§5.5).
//! - The hosts of an `mx` may be looked up in any order, so a match beats a failure on another host (§5.4).
//!
//! A failure that is passed over like that is remembered: who asks whether the record does, rather than what to do
//! with a message, must not take it for an answer.

use std::net::IpAddr;

use crate::protocol::name::{Name, NameFault};
use crate::protocol::spf::cidr::DualCidr;
use crate::protocol::spf::domain_spec::{DomainSpec, Target};
use crate::protocol::spf::macros::{Letter, MacroPlace, MacroString, MacroValues, reverse_name};
use crate::protocol::spf::terms::{Directive, Mechanism, Qualifier, shown};
use crate::protocol::spf::{LOOKUPS_MAX, NAMES_MAX, SpfRecord, VOID_LOOKUPS_MAX, parse};
use crate::verify::evidence::{Answer, Evidence, Failure, Question, RecordData, RecordType, Txt};
use crate::verify::spf::select::{Published, published, texts};
use crate::verify::spf::trace::{Cause, Gave, TraceLine};
use crate::verify::spf::{Session, SpfOutcome, SpfResult};
use crate::verify::step::Needs;

/// From how many lines on a trace leaves out networks that do not match: the rest of it stays, for lookups have a limit.
const TRACE_LINES_MAX: usize = 1_000;

/// One run.
pub(super) struct Evaluation<'a> {
    session: &'a Session,
    /// The client's address; IPv4 also where it came mapped into IPv6. RFC 7208 §5.
    ip: IpAddr,
    evidence: &'a Evidence,
    lookups: u32,
    void_lookups: u32,
    trace: Vec<TraceLine>,
    /// Whether a match of the present term lets the client pass.
    is_passing: bool,
    passed_over: PassedOver,
}

/// Failures that did not end the run.
#[derive(Debug, Clone, Default)]
struct PassedOver {
    /// The first of them.
    first: Option<(Question, Failure)>,
    /// How many void lookups they may stand for.
    void_lookups: u32,
    /// Whether one of them may have kept a client from being refused.
    may_refuse: bool,
}

/// The names of a client's address.
#[derive(Default)]
struct Validated {
    /// Those that lead back to it.
    names: Vec<Name>,
    /// What failed on the way, and might have told of more.
    failed: Vec<(Question, Failure)>,
}

/// Why a run stopped early.
enum Stop {
    /// Something is to be asked first.
    Needs(Needs),
    /// There is a result: permerror or temperror.
    Ended(Cause),
}

impl From<Needs> for Stop {
    fn from(needs: Needs) -> Stop {
        Stop::Needs(needs)
    }
}

/// The end of one record's evaluation.
struct Ended {
    /// Anything but the two errors.
    result: SpfResult,
    /// The `exp` of the record that decided, and whose record that was. RFC 7208 §6.2.
    explanation: Option<(DomainSpec, Target)>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(session: &'a Session, evidence: &'a Evidence) -> Evaluation<'a> {
        let ip = session.ip.to_canonical();
        Evaluation {
            session,
            ip,
            evidence,
            lookups: 0,
            void_lookups: 0,
            trace: Vec::new(),
            is_passing: true,
            passed_over: PassedOver::default(),
        }
    }

    /// Runs to the end, or to the first need.
    pub(super) fn run(mut self) -> Result<SpfOutcome, Needs> {
        let Some(target) = initial_target(&self.session.domain) else {
            return Ok(self.outcome(SpfResult::None, None));
        };
        match self.check(&target, 0) {
            Ok(Ended { result: SpfResult::Fail, explanation: Some((spec, owner)) }) => {
                let passed_over = self.passed_over.clone();
                let explanation = self.explain(&spec, &owner)?;
                // What the words say does not touch the result.
                self.passed_over = passed_over;
                let gave = explanation.clone().map_or(Gave::NoExplanation, Gave::Explanation);
                self.note(0, &owner, format!("exp={spec}"), gave);
                Ok(self.outcome(SpfResult::Fail, explanation))
            }
            Ok(ended) => Ok(self.outcome(ended.result, None)),
            Err(Stop::Ended(cause)) => Ok(self.outcome(cause.result(), None)),
            Err(Stop::Needs(needs)) => Err(needs),
        }
    }

    fn outcome(self, result: SpfResult, explanation: Option<String>) -> SpfOutcome {
        let Evaluation { lookups, void_lookups, trace, passed_over, .. } = self;
        // Who passes at last would have passed where a `+` term matched.
        let is_sure = result == SpfResult::Pass
            && !passed_over.may_refuse
            && void_lookups.saturating_add(passed_over.void_lookups) <= VOID_LOOKUPS_MAX;
        let unsure = passed_over.first.filter(|_| !is_sure);
        SpfOutcome { result, explanation, lookups, void_lookups, trace, unsure }
    }

    /// Remembers a failure that does not end the run, and what an answer in its place might have done.
    fn pass_over(&mut self, question: Question, failure: Failure, void_lookups: u32, may_refuse: bool) {
        self.passed_over.first.get_or_insert((question, failure));
        self.passed_over.void_lookups = self.passed_over.void_lookups.saturating_add(void_lookups);
        self.passed_over.may_refuse |= may_refuse;
    }

    /// Notes a step; the place of its line is given back.
    fn note(&mut self, depth: u32, owner: &Target, term: String, gave: Gave) -> usize {
        let domain = owner.name.to_string();
        self.trace.push(TraceLine { depth, domain, term, lookups: 0, void_lookups: 0, gave });
        self.trace.len() - 1
    }

    fn set(&mut self, line: usize, gave: Gave) {
        if let Some(line) = self.trace.get_mut(line) {
            line.gave = gave;
        }
    }

    /// The evaluation of one name's record. RFC 7208 §4.
    fn check(&mut self, target: &Target, depth: u32) -> Result<Ended, Stop> {
        let line = self.note(depth, target, "TXT".to_owned(), Gave::NoRecord);
        // A single label is no domain of the public DNS. RFC 7208 §4.3.
        if target.name.label_count() < 2 {
            return Ok(Ended { result: SpfResult::None, explanation: None });
        }
        let read = match published(&target.name, self.evidence)? {
            Published::Nothing => return Ok(Ended { result: SpfResult::None, explanation: None }),
            Published::Failed(failure) => Err(Cause::Dns(Question::txt(&target.name), failure)),
            Published::Several(records) => Err(Cause::SeveralRecords(records.len())),
            Published::One(txt) => {
                self.set(line, Gave::Record(shown(&txt.joined())));
                parse(&txt.joined()).map_err(Cause::Syntax)
            }
        };
        match read {
            Ok(record) => {
                let ended = self.walk(&record, target, depth)?;
                self.note(depth, target, "result".to_owned(), Gave::Result(ended.result));
                Ok(ended)
            }
            Err(cause) => {
                self.set(line, Gave::Ended(cause.clone()));
                Err(Stop::Ended(cause))
            }
        }
    }

    /// Goes through the terms of a record. RFC 7208 §4.6.
    fn walk(&mut self, record: &SpfRecord, owner: &Target, depth: u32) -> Result<Ended, Stop> {
        for directive in &record.directives {
            if self.is_passed_over(directive) {
                continue;
            }
            let line = self.note(depth, owner, directive.to_string(), Gave::Opened);
            let is_passing = self.is_passing;
            self.is_passing = is_passing && directive.qualifier == Qualifier::Pass;
            let matches = self
                .counted(line, directive.mechanism.costs_lookup(), |run| run.matches(directive, owner, depth, line))?;
            self.is_passing = is_passing;
            if matches {
                let result = result_of(directive.qualifier);
                self.set(line, Gave::Match(result));
                let explanation = record.explanation.clone().map(|spec| (spec, owner.clone()));
                return Ok(Ended { result, explanation });
            }
            self.set(line, Gave::NoMatch);
        }
        match record.live_redirect() {
            Some(spec) => self.redirect(spec, owner, depth),
            // RFC 7208 §4.7.
            None => Ok(Ended { result: SpfResult::Neutral, explanation: None }),
        }
    }

    /// Whether a term is a network without the client in it, one of so many that nobody will read its line.
    fn is_passed_over(&self, directive: &Directive) -> bool {
        self.trace.len() >= TRACE_LINES_MAX
            && directive.mechanism.network().is_some_and(|network| !network.contains(self.ip))
    }

    /// Runs one term, counts its lookup, and notes on its line what ended the run, if it did.
    fn counted<T>(
        &mut self,
        line: usize,
        costs: bool,
        term: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let counted = if costs { self.count_lookup(line) } else { Ok(()) };
        let done = counted.and_then(|()| term(self));
        if let Err(Stop::Ended(cause)) = &done {
            self.set(line, Gave::Ended(cause.clone()));
        }
        done
    }

    fn count_lookup(&mut self, line: usize) -> Result<(), Stop> {
        if self.lookups >= LOOKUPS_MAX {
            return Err(Stop::Ended(Cause::Lookups));
        }
        self.lookups += 1;
        if let Some(line) = self.trace.get_mut(line) {
            line.lookups = 1;
        }
        Ok(())
    }

    /// Counts an answer that is void. RFC 7208 §4.6.4.
    fn count_void(&mut self, line: usize, answer: &Answer) -> Result<(), Stop> {
        if !answer.is_definite() || !answer.records().is_empty() {
            return Ok(());
        }
        self.void_lookups += 1;
        if let Some(line) = self.trace.get_mut(line) {
            line.void_lookups += 1;
        }
        if self.void_lookups > VOID_LOOKUPS_MAX { Err(Stop::Ended(Cause::VoidLookups)) } else { Ok(()) }
    }

    /// Whether a mechanism matches the client. RFC 7208 §5.
    fn matches(&mut self, directive: &Directive, owner: &Target, depth: u32, line: usize) -> Result<bool, Stop> {
        match &directive.mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => {
                Ok(directive.mechanism.network().is_some_and(|network| network.contains(self.ip)))
            }
            Mechanism::Include(spec) => self.include(spec, owner, depth, line),
            Mechanism::A { domain, cidr } => match self.target(domain.as_ref(), owner)? {
                Some(target) => self.matches_a(&target.name, *cidr, line),
                None => Ok(false),
            },
            Mechanism::Mx { domain, cidr } => match self.target(domain.as_ref(), owner)? {
                Some(target) => self.matches_mx(&target.name, *cidr, line),
                None => Ok(false),
            },
            Mechanism::Ptr(domain) => match self.target(domain.as_ref(), owner)? {
                Some(target) => self.matches_ptr(&target.name, line),
                None => Ok(false),
            },
            Mechanism::Exists(spec) => match self.target(Some(spec), owner)? {
                // Always A, whatever the client's family. RFC 7208 §5.7.
                Some(target) => Ok(!self.lookup(Question::new(target.name, RecordType::A), line)?.records().is_empty()),
                None => Ok(false),
            },
        }
    }

    /// An answer for a term: a failure ends the run, nothing found is counted. RFC 7208 §5.
    fn lookup(&mut self, question: Question, line: usize) -> Result<&'a Answer, Stop> {
        let answer = self.evidence.ask(&question)?;
        if let Answer::Unknown(failure) = answer {
            return Err(Stop::Ended(Cause::Dns(question, *failure)));
        }
        self.count_void(line, answer)?;
        Ok(answer)
    }

    /// RFC 7208 §5.2.
    fn include(&mut self, spec: &DomainSpec, owner: &Target, depth: u32, line: usize) -> Result<bool, Stop> {
        let Some(target) = self.target(Some(spec), owner)? else {
            return Err(Stop::Ended(Cause::NoName));
        };
        match self.enter(&target, depth, line)?.result {
            SpfResult::Pass => Ok(true),
            SpfResult::None => Err(Stop::Ended(Cause::NoRecord)),
            _ => Ok(false),
        }
    }

    /// RFC 7208 §6.1.
    fn redirect(&mut self, spec: &DomainSpec, owner: &Target, depth: u32) -> Result<Ended, Stop> {
        let line = self.note(depth, owner, format!("redirect={spec}"), Gave::Opened);
        self.counted(line, true, |run| {
            let Some(target) = run.target(Some(spec), owner)? else {
                return Err(Stop::Ended(Cause::NoName));
            };
            let ended = run.enter(&target, depth, line)?;
            match ended.result {
                SpfResult::None => Err(Stop::Ended(Cause::NoRecord)),
                _ => Ok(ended),
            }
        })
    }

    /// Evaluates another name's record; that there is none of any kind is a void lookup.
    fn enter(&mut self, target: &Target, depth: u32, line: usize) -> Result<Ended, Stop> {
        if target.name.label_count() > 1 {
            let answer = self.evidence.ask(&Question::txt(&target.name))?;
            self.count_void(line, answer)?;
        }
        self.check(target, depth + 1)
    }

    /// RFC 7208 §5.3.
    fn matches_a(&mut self, name: &Name, cidr: DualCidr, line: usize) -> Result<bool, Stop> {
        let answer = self.lookup(self.address_question(name), line)?;
        Ok(has_client(answer, cidr, self.ip))
    }

    /// RFC 7208 §5.4.
    fn matches_mx(&mut self, name: &Name, cidr: DualCidr, line: usize) -> Result<bool, Stop> {
        let answer = self.lookup(Question::new(name.clone(), RecordType::Mx), line)?;
        let hosts = exchanges(answer);
        if hosts.len() > NAMES_MAX {
            return Err(Stop::Ended(Cause::Exchanges(hosts.len())));
        }
        let questions: Vec<Question> = hosts.iter().map(|host| self.address_question(host)).collect();
        let mut failed: Vec<(Question, Failure)> = Vec::new();
        for (question, answer) in ask_all(questions, self.evidence)? {
            match answer {
                Answer::Unknown(failure) => failed.push((question, *failure)),
                _ if has_client(answer, cidr, self.ip) => {
                    failed.into_iter().for_each(|(question, failure)| self.pass_over(question, failure, 1, false));
                    return Ok(true);
                }
                _ => self.count_void(line, answer)?,
            }
        }
        let first = failed.into_iter().next();
        first.map_or(Ok(false), |(question, failure)| Err(Stop::Ended(Cause::Dns(question, failure))))
    }

    /// RFC 7208 §5.5. A failure of DNS is no match here.
    fn matches_ptr(&mut self, name: &Name, line: usize) -> Result<bool, Stop> {
        let answer = self.evidence.ask(&Question::new(reverse_name(self.ip), RecordType::Ptr))?;
        self.count_void(line, answer)?;
        let Validated { names, failed } = self.validated_names()?;
        let matches = names.iter().any(|validated| validated.is_at_or_below(name));
        for (question, failure) in failed.into_iter().filter(|_| !matches) {
            let may_refuse = !self.is_passing;
            let void_lookups = u32::from(question.record_type == RecordType::Ptr);
            self.pass_over(question, failure, void_lookups, may_refuse);
        }
        Ok(matches)
    }

    /// The client's names that lead back to its address, and what failed on the way. RFC 7208 §5.5.
    fn validated_names(&self) -> Result<Validated, Needs> {
        let reverse = Question::new(reverse_name(self.ip), RecordType::Ptr);
        let answer = self.evidence.ask(&reverse)?;
        if let Answer::Unknown(failure) = answer {
            return Ok(Validated { names: Vec::new(), failed: vec![(reverse, *failure)] });
        }
        let names = answer.records().iter().filter_map(|record| match record {
            RecordData::Ptr(name) => Some(name),
            _ => None,
        });
        // Names beyond the tenth are ignored. RFC 7208 §4.6.4.
        let questions: Vec<Question> = names.take(NAMES_MAX).map(|name| self.address_question(name)).collect();
        let mut validated = Validated::default();
        for (question, answer) in ask_all(questions, self.evidence)? {
            match answer {
                Answer::Unknown(failure) => validated.failed.push((question, *failure)),
                _ if has_client(answer, DualCidr::default(), self.ip) => validated.names.push(question.name),
                _ => {}
            }
        }
        Ok(validated)
    }

    /// The value of `%{p}`: the domain itself, else a name below it, else any. RFC 7208 §7.3.
    fn validated(&mut self, domain: &Name) -> Result<Vec<u8>, Needs> {
        let Validated { names, failed } = self.validated_names()?;
        // With another name the term is another: it may match, find nothing, or break the record.
        failed.into_iter().for_each(|(question, failure)| self.pass_over(question, failure, 0, true));
        let best = names
            .iter()
            .find(|name| *name == domain)
            .or_else(|| names.iter().find(|name| name.is_at_or_below(domain)))
            .or_else(|| names.first());
        Ok(best.map_or_else(|| b"unknown".to_vec(), |name| Target::of(name).text))
    }

    fn address_question(&self, name: &Name) -> Question {
        let record_type = if self.ip.is_ipv4() { RecordType::A } else { RecordType::Aaaa };
        Question::new(name.clone(), record_type)
    }

    /// The name that a term means; nothing when no question can be asked about it.
    fn target(&mut self, spec: Option<&DomainSpec>, owner: &Target) -> Result<Option<Target>, Needs> {
        let Some(spec) = spec else {
            return Ok(Some(owner.clone()));
        };
        // A local part beyond ASCII never matches. RFC 8616 §4.
        let local = spec.macros().letters().any(|letter| matches!(letter, Letter::LocalPart | Letter::Sender));
        if local && !self.session.local_part.is_ascii() {
            return Ok(None);
        }
        let expanded: Result<Target, NameFault> =
            self.with_values(spec.macros(), owner, |values| spec.expand(values))?;
        Ok(expanded.ok())
    }

    /// Calls `expand` with what the macros stand for in `owner`'s record.
    fn with_values<T>(
        &mut self,
        text: &MacroString,
        owner: &Target,
        expand: impl FnOnce(&MacroValues<'_>) -> T,
    ) -> Result<T, Needs> {
        let validated = if text.uses(Letter::Validated) { self.validated(&owner.name)? } else { Vec::new() };
        Ok(expand(&MacroValues {
            local_part: &self.session.local_part,
            sender_domain: &self.session.sender_domain,
            domain: &owner.text,
            ip: self.ip,
            helo: &self.session.helo,
            validated: &validated,
            receiver: self.session.receiver.as_deref().unwrap_or("unknown").as_bytes(),
            now_seconds: self.session.now_seconds,
        }))
    }

    /// The domain's own words. Whatever goes wrong, there are none. RFC 7208 §6.2.
    fn explain(&mut self, spec: &DomainSpec, owner: &Target) -> Result<Option<String>, Needs> {
        let Some(target) = self.target(Some(spec), owner)? else {
            return Ok(None);
        };
        let answer = self.evidence.ask(&Question::txt(&target.name))?;
        let found: Vec<&Txt> = texts(answer).collect();
        let [txt] = found.as_slice() else {
            return Ok(None);
        };
        let Ok(text) = MacroString::parse(&txt.joined(), MacroPlace::Explanation) else {
            return Ok(None);
        };
        let octets = self.with_values(&text, owner, |values| text.expand_text(values))?;
        Ok(Some(String::from_utf8_lossy(&octets).into_owned()))
    }
}

/// The name of the domain to check; nothing when it is malformed. RFC 7208 §4.3.
fn initial_target(domain: &[u8]) -> Option<Target> {
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    // An address literal is no domain, though dots in it would make labels.
    if domain.starts_with(b"[") {
        return None;
    }
    Target::read(domain).ok().filter(|target| target.name.label_count() > 1)
}

/// RFC 7208 §4.6.2.
fn result_of(qualifier: Qualifier) -> SpfResult {
    match qualifier {
        Qualifier::Pass => SpfResult::Pass,
        Qualifier::Fail => SpfResult::Fail,
        Qualifier::SoftFail => SpfResult::SoftFail,
        Qualifier::Neutral => SpfResult::Neutral,
    }
}

/// The hosts of an MX answer, the preferred first; the null MX has none. RFC 7505 §3.
pub(super) fn exchanges(answer: &Answer) -> Vec<&Name> {
    let mut hosts: Vec<(u16, &Name)> = answer
        .records()
        .iter()
        .filter_map(|record| match record {
            RecordData::Mx { preference, exchange } => Some((*preference, exchange)),
            _ => None,
        })
        .filter(|(_, exchange)| exchange.label_count() > 0)
        .collect();
    hosts.sort();
    hosts.into_iter().map(|(_, exchange)| exchange).collect()
}

/// The answers to all questions, in their order; what is missing is asked for at once.
fn ask_all(questions: Vec<Question>, evidence: &Evidence) -> Result<Vec<(Question, &Answer)>, Needs> {
    let mut needs = Needs::default();
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        if let Some(answer) = needs.keep(evidence.ask(&question)) {
            answers.push((question, answer));
        }
    }
    needs.or(answers)
}

/// Whether one of the addresses, widened, holds the client.
fn has_client(answer: &Answer, cidr: DualCidr, ip: IpAddr) -> bool {
    addresses(answer).any(|address| cidr.network(address).contains(ip))
}

/// The addresses of an answer.
pub(super) fn addresses(answer: &Answer) -> impl Iterator<Item = IpAddr> {
    answer.records().iter().filter_map(|record| match record {
        RecordData::A(address) => Some(IpAddr::V4(*address)),
        RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    })
}
