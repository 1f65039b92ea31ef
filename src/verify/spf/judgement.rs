//! Whether a domain's SPF record does, and what to publish where it does not.
//!
//! # When nobody could tell
//!
//! A failure makes the verdict `unknown` only where its answer could change it: a definite error, or a
//! requirement that is definitely not met, stays what it is beside a failed include elsewhere, for no answer there
//! could mend it. A failed include keeps a record from being called valid, and keeps a missing requirement from
//! being called missing, for it may stand in there. When a failed lookup of an `a`, `mx` or `exists` matters is
//! told in `doubt`; what it lets pass is seen where a required address or include is judged.
//!
//! So with any answers lost, `valid` becomes at most `unknown`, and a failure verdict never `valid`.

use std::net::IpAddr;

use crate::protocol::name::Name;
use crate::protocol::spf::terms::{Mechanism, Qualifier, shown};
use crate::protocol::spf::{LOOKUPS_MAX, SpfRecord, VOID_LOOKUPS_MAX, is_record, parse};
use crate::verify::evidence::{Answer, Evidence, Question, RecordType, Txt};
use crate::verify::expectation::Expectation;
use crate::verify::finding::Finding;
use crate::verify::finding::spf::SpfFinding;
use crate::verify::purpose::{Action, Purpose, Verdict};
use crate::verify::report::{RecordReport, SpfSummary};
use crate::verify::spf::doubt::{decisive, failed_includes};
use crate::verify::spf::draft::{
    Draft, Required, Suggestion, costs_of, effective_all, known_tree, of_requirements, suggest,
};
use crate::verify::spf::flattened::{Flattened, flattened};
use crate::verify::spf::lint::{advice, long_value, near_finding, syntax_finding};
use crate::verify::spf::near::{near_miss, parted, run_together};
use crate::verify::spf::reach::{Bound, Doubt, IP4_ADDRESSES_MAX, Reach, TermAt};
use crate::verify::spf::select::texts;
use crate::verify::spf::tree::{Node, NodeState, Visit};
use crate::verify::spf::{SpfResult, failed_lookup, outcome_of_postmaster};
use crate::verify::step::Needs;

/// The most faults of terms that are reported at once.
const ERRORS_MAX: usize = 20;

/// From how many lookups on a record is near the limit. Design §2.
const LOOKUPS_NEAR: u32 = 8;

/// The judgement of one domain's SPF record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfJudgement {
    /// The record to publish, and what is said of what is there.
    pub record: RecordReport,
    /// What it costs.
    pub summary: SpfSummary,
}

/// The record to publish when nothing has been asked yet.
pub fn planned(expectation: &Expectation) -> RecordReport {
    let value = planned_record(expectation).map(|record| record.to_string());
    report(expectation, Verdict::Unchecked, Action::Add, value)
}

/// Judges what is at the domain.
///
/// # Errors
///
/// [`Needs`], what is to be asked first.
pub fn judge(expectation: &Expectation, evidence: &Evidence) -> Result<SpfJudgement, Needs> {
    let question = Question::txt(expectation.domain.name());
    let answer = evidence.ask(&question)?;
    if let Answer::Unknown(failure) = answer {
        let mut record = RecordReport { verdict: Verdict::Unknown, ..planned(expectation) };
        record.findings.push(Finding::Spf(SpfFinding::LookupFailed { question, failure: *failure }));
        return Ok(SpfJudgement { record, summary: SpfSummary::default() });
    }
    let records: Vec<&Txt> = texts(answer).filter(|txt| is_record(&txt.joined())).collect();
    let near: Vec<&Txt> = texts(answer).filter(|txt| near_miss(&txt.joined()).is_some()).collect();
    let judge = Judge { expectation, evidence, name: expectation.domain.name() };
    let mut judged = match records.as_slice() {
        [] => judge.nothing(&near)?,
        [one] => judge.one(one)?,
        several => judge.several(several)?,
    };
    judged.record.found = records.iter().chain(&near).map(|txt| txt.shown()).collect();
    judged.record.found.sort();
    let mut findings: Vec<SpfFinding> = near.iter().filter_map(|txt| near_finding(&txt.joined())).collect();
    findings.extend(judged.record.value.as_deref().and_then(long_value));
    judged.record.findings.extend(findings.into_iter().map(Finding::Spf));
    Ok(judged)
}

fn report(expectation: &Expectation, verdict: Verdict, action: Action, value: Option<String>) -> RecordReport {
    RecordReport {
        purpose: Purpose::Spf,
        record_type: RecordType::Txt,
        name: expectation.domain.name().clone(),
        value,
        priority: None,
        action,
        staged: false,
        ttl_seconds: expectation.ttl_seconds,
        verdict,
        found: Vec::new(),
        findings: Vec::new(),
        propagation: None,
    }
}

/// The record made of the requirements alone; nothing where there are none.
fn planned_record(expectation: &Expectation) -> Option<SpfRecord> {
    let spf = &expectation.spf;
    if spf.includes.is_empty() && spf.addresses.is_empty() {
        return None;
    }
    Some(of_requirements(spf))
}

/// What one judgement looks at.
struct Judge<'a> {
    expectation: &'a Expectation,
    evidence: &'a Evidence,
    name: &'a Name,
}

/// What a sound record lacks.
#[derive(Default)]
struct Lacks {
    findings: Vec<SpfFinding>,
    addresses: Vec<IpAddr>,
    waived: Vec<Name>,
    is_lacking: bool,
    is_unknown: bool,
}

impl Judge<'_> {
    /// There is no record, though perhaps a text that was to be one.
    fn nothing(&self, near: &[&Txt]) -> Result<SpfJudgement, Needs> {
        let repaired: Vec<Vec<u8>> = near.iter().filter_map(|txt| near_miss(&txt.joined())?.repaired).collect();
        let mut record = report(self.expectation, Verdict::Missing, Action::Add, None);
        record.findings.push(Finding::Spf(SpfFinding::Missing));
        let mut summary = SpfSummary::default();
        if repaired.is_empty() && planned_record(self.expectation).is_none() {
            return Ok(SpfJudgement { record, summary });
        }
        let suggestion = self.suggestion(&repaired, &Lacks::default(), None)?;
        propose(&mut record, &mut summary, suggestion);
        if repaired.is_empty() {
            // Nothing stands there that it would replace: the value says it all.
            record.action = Action::Add;
            summary.suggested_record = None;
            record.findings.retain(|finding| !matches!(finding, Finding::Spf(SpfFinding::Suggestion { .. })));
        }
        Ok(SpfJudgement { record, summary })
    }

    /// There are several records, which is an error whatever they say. RFC 7208 §4.5.
    fn several(&self, records: &[&Txt]) -> Result<SpfJudgement, Needs> {
        let texts: Vec<Vec<u8>> = records.iter().map(|txt| txt.joined()).collect();
        let meant: Vec<Vec<u8>> = records.iter().map(|txt| parted(&txt.strings)).collect();
        let shown = texts.iter().map(|text| shown(text)).collect();
        let mut findings = vec![SpfFinding::SeveralRecords { records: shown }];
        findings.extend(
            texts.iter().filter_map(|text| parse(text).err().map(|fault| syntax_finding(self.name, text, fault))),
        );
        self.unusable(&meant, findings)
    }

    /// What is there cannot be used; what is to stand there instead can.
    fn unusable(&self, texts: &[Vec<u8>], findings: Vec<SpfFinding>) -> Result<SpfJudgement, Needs> {
        let mut record = report(self.expectation, Verdict::Invalid, Action::Replace, None);
        record.findings.extend(findings.into_iter().map(Finding::Spf));
        let suggestion = self.suggestion(texts, &Lacks::default(), None)?;
        let mut summary = SpfSummary { lookups: suggestion.lookups, ..SpfSummary::default() };
        propose(&mut record, &mut summary, suggestion);
        Ok(SpfJudgement { record, summary })
    }

    fn suggestion(&self, texts: &[Vec<u8>], lacks: &Lacks, addresses: Option<&[IpAddr]>) -> Result<Suggestion, Needs> {
        let required = Required { all: &self.expectation.spf, waived: &lacks.waived, addresses };
        suggest(self.name, &Draft::of(texts), required, self.evidence)
    }

    /// There is one record, as there should be.
    fn one(&self, txt: &Txt) -> Result<SpfJudgement, Needs> {
        let text = txt.joined();
        let together = run_together(&txt.strings);
        let together = together.map(|(before, after)| SpfFinding::StringsRunTogether { before, after });
        match parse(&text) {
            Err(fault) => {
                let mut findings = vec![syntax_finding(self.name, &text, fault)];
                findings.extend(together);
                self.unusable(&[parted(&txt.strings)], findings)
            }
            Ok(record) => {
                let mut judged = self.sound(&record, txt)?;
                judged.record.findings.extend(together.map(Finding::Spf));
                Ok(judged)
            }
        }
    }

    /// There is one record that keeps the grammar.
    fn sound(&self, record: &SpfRecord, txt: &Txt) -> Result<SpfJudgement, Needs> {
        let tree = known_tree(self.name, record, self.evidence)?;
        let errors = self.errors(&tree);
        let failures = decisive(&tree);
        let excess = excess(&Reach::bound(&tree, Bound::Least(Doubt::Failed)));
        // Beside an error, or where everybody passes, that somebody passes says nothing.
        let is_telling = errors.is_empty() && excess.is_empty();
        let lacks = if is_telling { self.lacks(&tree)? } else { Lacks::default() };
        let verdict = if !errors.is_empty() || !excess.is_empty() {
            Verdict::Invalid
        } else if lacks.is_lacking {
            Verdict::Mismatch
        } else if lacks.is_unknown || !failures.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Valid
        };
        let text = txt.joined();
        let value = Some(String::from_utf8_lossy(&text).into_owned());
        let mut report = report(self.expectation, verdict, Action::Keep, value);
        let mut summary =
            SpfSummary { lookups: tree.lookups(), void_lookups: tree.void_lookups(), suggested_record: None };
        let known = is_telling.then_some(lacks.addresses.as_slice());
        let is_too_wide =
            excess.iter().any(|f| matches!(f, SpfFinding::TooWide { .. } | SpfFinding::TooWideIp6 { .. }));
        let mut findings = errors;
        findings.extend(excess);
        findings.extend(lacks.findings.iter().cloned());
        findings.extend(failures);
        findings.extend(self.remarks(&tree, record, text.len()));
        dedup(&mut findings);
        report.findings = findings.into_iter().map(Finding::Spf).collect();
        if verdict.is_failure() {
            let suggestion = self.suggestion(&[parted(&txt.strings)], &lacks, known)?;
            if suggestion.record != *record || suggestion.lookups > LOOKUPS_MAX {
                propose(&mut report, &mut summary, suggestion);
            }
            if is_too_wide {
                // Which of the networks are really theirs, only the owner can know.
                report.value = None;
                report.action = Action::Replace;
                summary.suggested_record = None;
            }
        }
        Ok(SpfJudgement { record: report, summary })
    }

    /// What makes the record a permerror for sure, or could for some sender.
    fn errors(&self, tree: &Node) -> Vec<SpfFinding> {
        let mut errors = Vec::new();
        'tree: for branch in &tree.branches {
            let required = branch.child.as_ref().is_some_and(|c| self.expectation.spf.includes.contains(&c.name));
            for visit in tree.walk_branch(branch) {
                errors.extend(branch_error(visit, required));
                // A record of rubbish would fill pages; the first faults are enough to begin with.
                if errors.len() >= ERRORS_MAX {
                    break 'tree;
                }
            }
        }
        let lookups = tree.lookups();
        if lookups > LOOKUPS_MAX {
            errors.push(SpfFinding::LookupsExceeded { lookups, costs: costs_of(tree) });
        }
        let void_lookups = tree.void_lookups();
        if void_lookups > VOID_LOOKUPS_MAX {
            let visits = tree.walk();
            let void = visits.iter().filter(|visit| visit.branch.void_lookups > 0);
            let terms = void.map(|visit| TermAt { at: visit.owner.name.clone(), term: visit.branch.text() }).collect();
            errors.push(SpfFinding::VoidLookupsExceeded { void_lookups, terms });
        }
        errors
    }

    /// Which requirements a record without errors does not meet.
    fn lacks(&self, tree: &Node) -> Result<Lacks, Needs> {
        let mut lacks = Lacks::default();
        let may_include_more = !failed_includes(tree).is_empty();
        let mut needs = Needs::default();
        for include in self.expectation.spf.includes.iter().filter(|include| !tree.reaches(include)) {
            match needs.keep(flattened(include, tree, self.evidence)) {
                None => {}
                Some(Flattened::Yes) => {
                    lacks.waived.push(include.clone());
                    lacks.findings.push(SpfFinding::IncludeFlattened { include: include.clone() });
                }
                Some(Flattened::No) if !may_include_more => {
                    lacks.is_lacking = true;
                    lacks.findings.push(SpfFinding::IncludeMissing { include: include.clone() });
                }
                Some(Flattened::No) => lacks.is_unknown = true,
                Some(Flattened::Unknown(findings)) => {
                    lacks.is_unknown = true;
                    lacks.findings.extend(findings);
                }
            }
        }
        for address in &self.expectation.spf.addresses {
            let Some(outcome) = needs.keep(outcome_of_postmaster(self.name, *address, self.evidence)) else { continue };
            match outcome.result {
                SpfResult::Pass => {}
                SpfResult::TempError => {
                    lacks.is_unknown = true;
                    // Perhaps it passes; where a record is to be pasted anyway, naming it does no harm.
                    lacks.addresses.push(*address);
                    lacks.findings.extend(failed_lookup(&outcome));
                }
                result => {
                    lacks.is_lacking = true;
                    lacks.addresses.push(*address);
                    lacks.findings.push(SpfFinding::AddressNotAuthorised { address: *address, result });
                }
            }
        }
        needs.or(lacks)
    }

    /// Advice that decides nothing.
    fn remarks(&self, tree: &Node, record: &SpfRecord, octets: usize) -> Vec<SpfFinding> {
        let mut remarks = advice(record, self.name, octets);
        if record.live_redirect().is_some() && effective_all(tree) == Some(Qualifier::Neutral) {
            remarks.push(SpfFinding::NeutralAll);
        }
        let lookups = tree.lookups();
        if (LOOKUPS_NEAR..=LOOKUPS_MAX).contains(&lookups) {
            remarks.push(SpfFinding::LookupsNearLimit { lookups, costs: costs_of(tree) });
        }
        let visits = tree.walk();
        let dynamic = visits
            .iter()
            .filter(|visit| visit.branch.is_dynamic && !matches!(visit.branch.mechanism(), Some(Mechanism::Ptr(_))));
        let terms: Vec<TermAt> = dynamic
            .take(ERRORS_MAX)
            .map(|visit| TermAt { at: visit.owner.name.clone(), term: visit.branch.text() })
            .collect();
        if !terms.is_empty() {
            remarks.push(SpfFinding::NotFollowed { terms });
        }
        remarks
    }
}

/// Puts the record to paste into the report; where it would break the limit, says what to remove instead.
fn propose(report: &mut RecordReport, summary: &mut SpfSummary, suggestion: Suggestion) {
    let Suggestion { record, lookups, costs, remove } = suggestion;
    report.action = Action::Replace;
    if lookups > LOOKUPS_MAX {
        report.value = None;
        report.findings.push(Finding::Spf(SpfFinding::SuggestionOverLimit { lookups, costs, remove }));
        return;
    }
    let text = record.to_string();
    report.value = Some(text.clone());
    summary.suggested_record = Some(text);
    report.findings.push(Finding::Spf(SpfFinding::Suggestion { lookups }));
}

/// What is surely wrong with one term.
fn branch_error(visit: Visit<'_>, is_required: bool) -> Option<SpfFinding> {
    let branch = visit.branch;
    // Most terms have nothing wrong with them, and there may be thousands.
    let term = || TermAt { at: visit.owner.name.clone(), term: branch.text() };
    if let Some(count) = branch.exchanges_over {
        return Some(SpfFinding::ExchangesExceeded { term: term(), count });
    }
    let is_include = matches!(branch.mechanism(), None | Some(Mechanism::Include(_)));
    let Some(child) = &branch.child else {
        let nameless = is_include && branch.is_nameless;
        return nameless.then_some(SpfFinding::IncludeWithoutRecord { term: term(), target: None, is_required });
    };
    match &child.state {
        NodeState::Nothing => {
            Some(SpfFinding::IncludeWithoutRecord { term: term(), target: Some(child.name.clone()), is_required })
        }
        NodeState::Several(count) => Some(SpfFinding::IncludeSeveralRecords { term: term(), count: *count }),
        NodeState::Syntax(fault) => {
            Some(SpfFinding::Syntax { at: child.name.clone(), fault: fault.clone(), meant: None })
        }
        NodeState::Loop => Some(SpfFinding::Loop { term: term(), target: child.name.clone() }),
        NodeState::Record(_) | NodeState::Failed(_) | NodeState::Beyond => None,
    }
}

/// What lets pass more than one sender can have. Design §2.
fn excess(reach: &Reach) -> Vec<SpfFinding> {
    if let Some(term) = &reach.everybody {
        return vec![SpfFinding::PassAll { term: term.clone() }];
    }
    let mut excess = Vec::new();
    let count = reach.ip4_count();
    if count > IP4_ADDRESSES_MAX {
        excess.push(SpfFinding::TooWide { ip4_addresses: u64::try_from(count).unwrap_or(u64::MAX) });
    }
    excess.extend(reach.wide_ip6.clone().map(|term| SpfFinding::TooWideIp6 { term }));
    excess
}

/// Leaves the first of equal findings: a record that is included twice has its faults once.
fn dedup(findings: &mut Vec<SpfFinding>) {
    let mut kept: Vec<SpfFinding> = Vec::with_capacity(findings.len());
    for finding in findings.drain(..) {
        if !kept.contains(&finding) {
            kept.push(finding);
        }
    }
    *findings = kept;
}
