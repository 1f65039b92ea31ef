//! MX: can the domain receive mail, and do the required hosts get it?
//!
//! Owns the verdicts on the mail exchanges (RFC 5321 §5.1, RFC 7505). What each host is worth is
//! found in `host`.
//!
//! # Strictness
//!
//! A host must have a public address of its own; an alias will not do (RFC 2181 §10.3). One host that
//! works is enough where none is required, and faults of the others only warn.
//!
//! # Left out
//!
//! Whether a server listens there: nothing is connected to.

mod host;

use std::net::IpAddr;

use crate::protocol::name::Name;
use crate::verify::evidence::{Answer, Evidence, Question, RecordData, RecordType};
use crate::verify::expectation::{Expectation, MxExpectation};
use crate::verify::finding::Finding;
use crate::verify::finding::mx::{MxFinding, Rank};
use crate::verify::mx::host::{Host, State};
use crate::verify::purpose::{Action, Purpose, Verdict};
use crate::verify::report::RecordReport;
use crate::verify::step::Needs;

/// The most hosts looked at. Nobody who sends mail tries more.
pub const HOSTS_MAX: usize = 20;

/// The records to publish, before anything was asked: one per required host, or one for whatever is there.
pub fn planned(expectation: &Expectation) -> Vec<RecordReport> {
    if expectation.mx.is_empty() {
        return vec![planned_one(expectation, None)];
    }
    required(expectation).into_iter().map(|host| planned_one(expectation, Some(host))).collect()
}

fn planned_one(expectation: &Expectation, required: Option<&MxExpectation>) -> RecordReport {
    RecordReport {
        purpose: Purpose::Mx,
        record_type: RecordType::Mx,
        name: expectation.domain.name().clone(),
        value: required.map(|host| host.host.to_string()),
        priority: required.map(|host| host.preference),
        action: Action::Add,
        staged: false,
        ttl_seconds: expectation.ttl_seconds,
        verdict: Verdict::Unchecked,
        found: Vec::new(),
        findings: Vec::new(),
        propagation: None,
    }
}

/// The required hosts, the one to be tried first foremost.
fn required(expectation: &Expectation) -> Vec<&MxExpectation> {
    let mut required: Vec<&MxExpectation> = expectation.mx.iter().collect();
    required.sort_by_key(|host| host.preference);
    required
}

/// Judges the mail exchanges: one report per required host, in the order of preference, or one for them all.
///
/// # Errors
///
/// [`Needs`] with the MX question, then with the addresses of all hosts at once.
pub fn judge(expectation: &Expectation, evidence: &Evidence) -> Result<Vec<RecordReport>, Needs> {
    let question = Question::new(expectation.domain.name().clone(), RecordType::Mx);
    let answer = evidence.ask(&question)?;
    let mut reports = planned(expectation);
    match answer {
        Answer::Unknown(_) => {
            let finding = MxFinding::Unanswered { question: question.to_string(), outcome: answer.outcome() };
            settle_all(&mut reports, Verdict::Unknown, Action::Add, finding);
        }
        Answer::NoData(_) | Answer::NoSuchName(_) => {
            settle_all(&mut reports, Verdict::Missing, Action::Add, MxFinding::Missing);
            if has_address(expectation.domain.name(), answer, evidence)?
                && let Some(first) = reports.first_mut()
            {
                first.findings.push(Finding::Mx(MxFinding::ImplicitMx));
            }
        }
        Answer::Found(_) => judge_set(expectation, &exchanges(answer), evidence, &mut reports)?,
    }
    Ok(reports)
}

fn settle_all(reports: &mut [RecordReport], verdict: Verdict, action: Action, finding: MxFinding) {
    for report in reports {
        report.verdict = verdict;
        report.action = action;
        report.findings.push(Finding::Mx(finding.clone()));
    }
}

/// Whether the domain has an address of its own, to which mail goes without an MX. RFC 5321 §5.1.
fn has_address(domain: &Name, answer: &Answer, evidence: &Evidence) -> Result<bool, Needs> {
    if matches!(answer, Answer::NoSuchName(_)) {
        return Ok(false);
    }
    let mut needs = Needs::default();
    let mut found = false;
    for record_type in [RecordType::A, RecordType::Aaaa] {
        let answer = needs.keep(evidence.ask(&Question::new(domain.clone(), record_type)));
        found |= answer.is_some_and(|answer| !answer.records().is_empty());
    }
    needs.or(found)
}

/// The exchanges with their preferences, best first.
fn exchanges(answer: &Answer) -> Vec<(u16, Name)> {
    let mut exchanges: Vec<(u16, Name)> = answer
        .records()
        .iter()
        .filter_map(|record| match record {
            RecordData::Mx { preference, exchange } => Some((*preference, exchange.clone())),
            _ => None,
        })
        .collect();
    exchanges.sort();
    exchanges.dedup();
    exchanges
}

/// Judges a domain that has MX records.
fn judge_set(
    expectation: &Expectation,
    exchanges: &[(u16, Name)],
    evidence: &Evidence,
    reports: &mut [RecordReport],
) -> Result<(), Needs> {
    let (nulls, real): (Vec<_>, Vec<_>) = exchanges.iter().cloned().partition(|(_, host)| *host == Name::root());
    let found: Vec<String> = exchanges.iter().map(|(preference, host)| format!("{preference} {host}")).collect();
    let required = required(expectation);
    let hosts = look_at(&real, &required, evidence)?;
    for report in reports.iter_mut() {
        report.found.clone_from(&found);
        report.found.sort();
    }
    match nulls.is_empty() {
        // RFC 7505 §3: the null MX alone is a word; beside others it is a fault.
        false if real.is_empty() => {
            settle_all(reports, Verdict::Mismatch, Action::Replace, MxFinding::NullMx);
            return Ok(());
        }
        false => settle_all(reports, Verdict::Invalid, Action::Replace, MxFinding::NullBesideOthers),
        true => {}
    }
    if required.is_empty() {
        reports.iter_mut().for_each(|report| judge_any(&hosts, report));
    } else {
        for (report, host) in reports.iter_mut().zip(&required) {
            judge_required(host, &required, &hosts, report);
        }
        if let Some(first) = reports.first_mut() {
            judge_foreign(&required, &hosts, first);
        }
    }
    if real.len() > HOSTS_MAX
        && let Some(first) = reports.first_mut()
    {
        let finding = MxFinding::TooMany { count: real.len(), looked_at: hosts.len() };
        first.findings.push(Finding::Mx(finding));
    }
    Ok(())
}

/// Looks at the first hosts, and at required ones wherever they stand.
fn look_at(exchanges: &[(u16, Name)], required: &[&MxExpectation], evidence: &Evidence) -> Result<Vec<Host>, Needs> {
    let is_required = |name: &Name| required.iter().any(|host| host.host == *name);
    let wanted = exchanges.iter().enumerate().filter(|(index, (_, name))| *index < HOSTS_MAX || is_required(name));
    let mut needs = Needs::default();
    let mut hosts = Vec::new();
    for (_, (preference, name)) in wanted {
        hosts.extend(needs.keep(Host::look_at(*preference, name, evidence)));
    }
    needs.or(hosts)
}

/// Nothing is required: one host that works will do.
fn judge_any(hosts: &[Host], report: &mut RecordReport) {
    let works = hosts.iter().any(|host| host.state.works());
    let undecided = hosts.iter().any(|host| matches!(host.state, State::Unknown { .. }));
    raise(
        report,
        match (works, undecided) {
            (true, _) => Verdict::Valid,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::Invalid,
        },
    );
    report.action = if report.verdict.is_failure() { Action::Replace } else { Action::Keep };
    report.findings.extend(hosts.iter().filter_map(|host| host.finding(!works && !undecided)).map(Finding::Mx));
}

/// Judges one required host by itself.
fn judge_required(required: &MxExpectation, all: &[&MxExpectation], hosts: &[Host], report: &mut RecordReport) {
    let Some(host) = hosts.iter().find(|host| host.name == required.host) else {
        raise(report, Verdict::Missing);
        report.action = Action::Add;
        let effect = effect_of_adding(required.preference, all, hosts);
        let missing = MxFinding::HostMissing { host: required.host.clone(), beside_foreign: effect.is_some() };
        report.findings.insert(0, Finding::Mx(missing));
        report.findings.extend(effect.map(Finding::Mx));
        return;
    };
    let (verdict, action) = match host.state {
        State::Sound | State::Rehearsed { .. } => (Verdict::Valid, Action::Keep),
        State::Unknown { .. } => (Verdict::Unknown, Action::Keep),
        // The record is as it was asked for; the fault is the host's.
        State::Faulty(_) => (Verdict::Invalid, Action::Keep),
    };
    raise(report, verdict);
    if !matches!(report.verdict, Verdict::Invalid) || verdict == Verdict::Invalid {
        report.action = action;
    }
    report.findings.extend(host.finding(true).map(Finding::Mx));
    if host.preference != required.preference {
        let (found, recommended) = (host.preference, required.preference);
        report.findings.push(Finding::Mx(MxFinding::PreferenceDiffers { found, recommended }));
    }
}

/// Judges what foreign hosts do to the first required one, and tells their faults.
fn judge_foreign(required: &[&MxExpectation], hosts: &[Host], report: &mut RecordReport) {
    let is_required = |host: &Host| required.iter().any(|wanted| wanted.host == host.name);
    let own = hosts.iter().filter(|host| is_required(host)).map(|host| host.preference).min();
    for host in hosts.iter().filter(|host| !is_required(host)) {
        report.findings.extend(host.finding(false).map(Finding::Mx));
        let Some(own_preference) = own.filter(|own| host.preference < *own) else { continue };
        let verdict = match host.state {
            State::Sound | State::Rehearsed { .. } => Verdict::Mismatch,
            State::Unknown { .. } => Verdict::Unknown,
            // Senders go on to the next when a host cannot be reached. RFC 5321 §5.1.
            State::Faulty(_) => continue,
        };
        raise(report, verdict);
        if verdict == Verdict::Mismatch {
            report.action = if report.action == Action::Keep { Action::Replace } else { report.action };
            let finding =
                MxFinding::ForeignPreferred { host: host.name.clone(), preference: host.preference, own_preference };
            report.findings.push(Finding::Mx(finding));
        }
    }
}

/// What a required host, once added, does to the mail of those that are there.
fn effect_of_adding(preference: u16, required: &[&MxExpectation], hosts: &[Host]) -> Option<MxFinding> {
    let foreign: Vec<&Host> = hosts
        .iter()
        .filter(|host| !matches!(host.state, State::Faulty(_)))
        .filter(|host| !required.iter().any(|wanted| wanted.host == host.name))
        .collect();
    let (best, worst) = (foreign.first()?.preference, foreign.last()?.preference);
    let rank = match preference {
        preference if preference < best => Rank::First,
        preference if preference > worst => Rank::Last,
        _ => Rank::Among,
    };
    Some(MxFinding::ForeignMx { hosts: foreign.into_iter().map(|host| host.name.clone()).collect(), rank })
}

/// Takes the worse of two verdicts.
fn raise(report: &mut RecordReport, verdict: Verdict) {
    report.verdict = match report.verdict {
        Verdict::Unchecked => verdict,
        present => Verdict::over([present, verdict]),
    };
}

/// Whether a host's name is an address: one that a person typed, or one that a panel made of it.
fn is_literal(name: &Name) -> bool {
    let text = name.to_string();
    let bare = text.trim_matches(['[', ']']);
    bare.parse::<IpAddr>().is_ok() || name.labels().last().is_some_and(|label| label.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests;
