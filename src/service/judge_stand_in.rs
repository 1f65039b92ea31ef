//! STAND-IN for `verify::judge`, so that the use cases build and run before it lands: a record is there or is not.
//!
//! To be deleted the moment `crate::verify::judge` is declared; the callers import the same three names.

use crate::protocol::name::{Name, NameFault};
use crate::verify::evidence::{Answer, Evidence, Question, RecordData, RecordType};
use crate::verify::expectation::Expectation;
use crate::verify::purpose::{Action, Purpose, Verdict};
use crate::verify::report::{RecordReport, Report};
use crate::verify::standing::Verdicts;
use crate::verify::step::{Needs, Step};

pub(crate) fn judge(expectation: &Expectation, evidence: &Evidence) -> Step<Report> {
    let (report, needs) = judge_known(expectation, evidence);
    Step::from(needs.or(report))
}

pub(crate) fn judge_partly(expectation: &Expectation, evidence: &Evidence) -> Report {
    judge_known(expectation, evidence).0
}

pub(crate) fn verdicts(report: &Report) -> Verdicts {
    Verdicts {
        spf: report.verdict(Purpose::Spf),
        dkim: report.verdict(Purpose::Dkim),
        dmarc: report.verdict(Purpose::Dmarc),
        mx: report.verdict(Purpose::Mx),
    }
}

fn judge_known(expectation: &Expectation, evidence: &Evidence) -> (Report, Needs) {
    let domain = expectation.domain.name();
    let mut needs = Needs::default();
    let mut records = Vec::new();
    let below = |prefix: &str| domain.child(prefix).unwrap_or_else(|_| domain.clone());
    records.push(one(Purpose::Spf, domain.clone(), RecordType::Txt, evidence, &mut needs));
    for selector in &expectation.dkim {
        let name: Result<Name, NameFault> = below("_domainkey").under(&selector.selector);
        records.push(one(
            Purpose::Dkim,
            name.unwrap_or_else(|_| domain.clone()),
            RecordType::Txt,
            evidence,
            &mut needs,
        ));
    }
    records.push(one(Purpose::Dmarc, below("_dmarc"), RecordType::Txt, evidence, &mut needs));
    records.push(one(Purpose::Mx, domain.clone(), RecordType::Mx, evidence, &mut needs));
    let report = Report {
        domain: expectation.domain.clone(),
        zone: domain.clone(),
        records,
        spf: None,
        dmarc: None,
        dns_provider: None,
        advisories: Vec::new(),
    };
    (report, needs)
}

fn one(purpose: Purpose, name: Name, record_type: RecordType, evidence: &Evidence, needs: &mut Needs) -> RecordReport {
    let prefix = match purpose {
        Purpose::Spf => "v=spf1",
        Purpose::Dkim => "v=DKIM1",
        Purpose::Dmarc => "v=DMARC1",
        Purpose::Mx => "",
    };
    let answer = needs.keep(evidence.ask(&Question::new(name.clone(), record_type)));
    let found: Vec<String> = answer.map(Answer::records).unwrap_or_default().iter().filter_map(text).collect();
    let verdict = match answer {
        None => Verdict::Unchecked,
        Some(Answer::Unknown(_)) => Verdict::Unknown,
        Some(_) if found.iter().any(|text| text.starts_with(prefix)) => Verdict::Valid,
        Some(_) => Verdict::Missing,
    };
    RecordReport {
        purpose,
        record_type,
        name,
        value: None,
        priority: None,
        action: Action::Add,
        staged: false,
        ttl_seconds: Expectation::TTL_SECONDS,
        verdict,
        found,
        findings: Vec::new(),
    }
}

fn text(record: &RecordData) -> Option<String> {
    match record {
        RecordData::Txt(txt) => Some(txt.shown()),
        RecordData::Mx { preference, exchange } => Some(format!("{preference} {exchange}")),
        _ => None,
    }
}
