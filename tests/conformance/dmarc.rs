//! DMARC records and policies, judged as a dozen other implementations judge them.
//!
//! Many sources go by RFC 7489, or call a record invalid for any one bad tag. We say `valid` where a
//! reader of RFC 9989 gets a policy, so for those cases the flaw must at least be a finding.

use std::collections::BTreeMap;

use sendready::protocol::dmarc::{self, Effective, ParsedRecord, ReportUri, check_value};
use sendready::protocol::name::Name;
use sendready::verify::dmarc::destination::{Authorisation, authorisation};
use sendready::verify::dmarc::{Discovery, discover, lint};
use sendready::verify::finding::Finding;
use serde_json::Value;

use super::zone::judged;

/// A bad value of a tag that is not the policy falls to its default, and the policy stands. RFC 9989 §4.8.
const DEFAULTED: &str = "RFC 9989 §4.8: a bad value falls to its default, and the policy stands";
/// What is no tag is discarded, and the policy stands. RFC 9989 §4.8.
const DISCARDED: &str = "RFC 9989 §4.8: what is no tag is discarded, and the policy stands";
/// `pct`, `rf` and `ri` are unknown tags now, and ignored whatever they hold.
const REMOVED: &str = "RFC 9989 §4.7 knows no pct, rf, ri: their values are ignored";

/// Cases where we say otherwise, and why. A line that is no longer needed fails the test.
pub(super) const OTHERWISE: &[(&str, &str)] = &[
    ("dmarc/mailcheck-adkim/12-adkimwithinvalidvalue", DEFAULTED),
    ("dmarc/mailcheck-failureoption/13-failureoptionwithinvalidvalue", DEFAULTED),
    ("dmarc/checkdmarc-dmarc/dmarcsyntaxerror-1", DEFAULTED),
    ("dmarc/mailcheck-ruf/10-rufwithinvalidvalue", DEFAULTED),
    ("dmarc/opendmarc-parse/14", REMOVED),
    ("dmarc/mailcheck-percent/04-percentwithinvalidvalue", REMOVED),
    ("dmarc/mailcheck-reportformat/08-reportformatwithinvalidvalue", REMOVED),
    ("dmarc/mailcheck-reportinterval/05-reportintervalwithinvalidvalue", REMOVED),
    ("dmarc/mailcheck-reportinterval/07-reportintervalwithinvalidvalue", REMOVED),
    ("dmarc/rspamd/11-dmarc-pct-zero-reject", REMOVED),
    ("dmarc/rspamd/12-dmarc-pct-zero-sp-quarantine", REMOVED),
    ("dmarc/mox-lookup/05", DISCARDED),
    ("dmarc/authheaders/02-dmarc-bad", DISCARDED),
    ("dmarc/mail-dmarc-is-valid/02", "the value of `v` is `DMARC1\\`, and RFC 9989 §4.7 wants `DMARC1`"),
    ("dmarc/mailcheck-version/13-versionwithinvalidvalue", "RFC 9989 §4.8 lets whitespace stand around `=`"),
];

#[test]
fn published_cases() {
    let Some(lines) = super::lines_of("dmarc_cases.jsonl") else { return };
    let otherwise: BTreeMap<&str, &str> = OTHERWISE.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut left_out = 0;
    for case in &lines {
        let id = case["id"].as_str().expect("every case has an id");
        let Some(outcome) = check(case) else {
            left_out += 1;
            continue;
        };
        match (outcome, otherwise.get(id)) {
            (Ok(()), None) => {}
            (Err(_), Some(_)) if flaw_is_told(case) => {}
            (Err(_), Some(_)) => wrong.push(format!("{id}: valid, and no finding tells the flaw")),
            (Err(why), None) => wrong.push(format!("{id}: {why}")),
            (Ok(()), Some(_)) => wrong.push(format!("{id}: passes; take it off the list")),
        }
    }
    eprintln!(
        "dmarc: {} cases, {} of them answered otherwise on purpose, {left_out} about aligning mail, which is not our question",
        lines.len(),
        otherwise.len()
    );
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}

/// Where others call a record invalid and we do not, a finding must name the flaw.
fn flaw_is_told(case: &Value) -> bool {
    let Some(record) = case["record"].as_str() else { return true };
    let quiet = ["dmarc.no-reports", "dmarc.policy-none"];
    let lint = lint(record.as_bytes());
    !lint.valid
        || case["expected"]["valid"] == true
        || lint.findings.iter().any(|finding| !quiet.contains(&finding.code()))
        || id_is_about_space(case)
}

/// Whitespace around `=` is no flaw at all.
fn id_is_about_space(case: &Value) -> bool {
    case["record"].as_str().is_some_and(|record| record.starts_with("v= "))
}

fn check(case: &Value) -> Option<Result<(), String>> {
    Some(match case["question"].as_str() {
        Some("dmarc.record.parse") => check_record(case),
        Some("dmarc.record.malformed") => check_malformed(case),
        Some("dmarc.tag.value") => {
            let (tag, value) = (case["tag"].as_str().expect("a tag"), case["value"].as_str().expect("a value"));
            expect("valid", case["expected"]["valid"].as_bool(), Some(check_value(tag, value).is_ok()))
        }
        Some("dmarc.uri.parse") => {
            let uri = case["uri"].as_str().expect("a URI");
            expect("valid", case["expected"]["valid"].as_bool(), Some(ReportUri::parse(uri).is_ok()))
        }
        Some("dmarc.size.parse") => {
            let size = case["size"].as_str().expect("a size");
            expect("valid", case["expected"]["valid"].as_bool(), Some(dmarc::uri::is_size(size)))
        }
        Some("dmarc.lookup") => check_lookup(case),
        Some("dmarc.evaluate") => check_evaluation(case),
        Some("dmarc.external_report") => check_report(case),
        Some("dmarc.aligned") => return None,
        other => Err(format!("no such question: {other:?}")),
    })
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, found: T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: {expected:?} is expected, {found:?} found")) }
}

fn check_record(case: &Value) -> Result<(), String> {
    let lint = lint(case["record"].as_str().expect("a record").as_bytes());
    let expected = &case["expected"];
    expect("valid", expected["valid"].as_bool(), Some(lint.valid))?;
    if expected["warns"] == true {
        expect("warns", true, !lint.findings.is_empty())?;
    }
    if let Some(wanted) = expected["is_dmarc"].as_bool() {
        expect("is_dmarc", wanted, lint.parsed.is_some())?;
    }
    for (tag, wanted) in expected["tags"].as_object().into_iter().flatten() {
        let tags = lint.parsed.iter().flat_map(|parsed| &parsed.tags);
        let found = tags.into_iter().find(|(name, _)| name == tag).map(|(_, value)| value.as_str());
        expect(tag, wanted.as_str(), found)?;
    }
    for (tag, wanted) in expected["effective"].as_object().into_iter().flatten() {
        let parsed = lint.parsed.as_ref().ok_or("no record")?;
        let effective = parsed.effective().ok_or("no policy")?;
        check_effective(case, parsed, &effective, tag, wanted)?;
    }
    Ok(())
}

/// One tag after defaults.
fn check_effective(
    case: &Value,
    parsed: &ParsedRecord,
    effective: &Effective,
    tag: &str,
    wanted: &Value,
) -> Result<(), String> {
    let text = match tag {
        "p" => effective.policy.as_str(),
        "sp" => effective.subdomain_policy.as_str(),
        "np" => effective.nonexistent_policy.as_str(),
        "adkim" => effective.dkim_alignment.as_str(),
        "aspf" => effective.spf_alignment.as_str(),
        "psd" => effective.psd.as_str(),
        "t" if effective.testing => "y",
        "t" => "n",
        "rua" => return check_uris(case, wanted, &parsed.record.aggregate_reports),
        "ruf" => return check_uris(case, wanted, &parsed.record.failure_reports),
        other => {
            let found = parsed.record.others.iter().find(|(name, _)| name == other).map(|(_, value)| value.clone());
            return expect(other, Some(wanted.to_string()), found);
        }
    };
    expect(tag, wanted.as_str(), Some(text))
}

/// URIs as written by readers of RFC 7489, without their sizes by readers of RFC 9989.
fn check_uris(case: &Value, wanted: &Value, found: &[ReportUri]) -> Result<(), String> {
    let sized = case["spec"].as_str().is_some_and(|spec| spec.ends_with("7489"));
    let found: Value =
        found.iter().map(|uri| Value::String(if sized { uri.to_string() } else { uri.uri.clone() })).collect();
    expect("URIs", wanted, &found)
}

fn check_malformed(case: &Value) -> Result<(), String> {
    let record = case["record"].as_str().expect("a record").as_bytes();
    let strict = dmarc::parse(record).is_ok_and(|parsed| parsed.faults.is_empty());
    expect("strictly valid", case["expected"]["strictly_valid"].as_bool(), Some(strict))?;
    expect("recovered", case["expected"]["lenient_reader_recovers"].as_bool(), Some(lint(record).valid))
}

fn discovered(case: &Value, domain: &str) -> Result<Discovery, String> {
    let name = Name::parse(&domain.to_ascii_lowercase()).map_err(|fault| fault.to_string())?;
    Ok(judged(&case["zone"], |evidence| discover(&name, evidence)))
}

fn check_lookup(case: &Value) -> Result<(), String> {
    let discovery = discovered(case, case["domain"].as_str().expect("a domain"))?;
    let status = match (&discovery.failed.is_empty(), discovery.found, &discovery.record) {
        (false, ..) => "temperror",
        (_, true, _) => "found",
        _ => "none",
    };
    let expected = &case["expected"];
    expect("status", expected["status"].as_str(), Some(status))?;
    let policy = discovery.effective_policy.map(|policy| policy.as_str());
    for what in ["applied_policy_on_failure", "effective_policy"] {
        if let Some(wanted) = expected[what].as_str() {
            expect(what, Some(wanted), policy)?;
        }
    }
    Ok(())
}

/// Of an evaluation, only what the policy says: whether mail passes is not our question.
fn check_evaluation(case: &Value) -> Result<(), String> {
    let from = case["header_from"].as_str().expect("an address");
    let domain = from.rsplit_once('@').map_or(from, |(_, domain)| domain);
    let discovery = discovered(case, domain)?;
    let expected = &case["expected"];
    match expected["result"].as_str() {
        Some("none") => expect("found", false, discovery.found)?,
        Some("pass" | "fail") => expect("found", true, discovery.found)?,
        _ => {}
    }
    if let Some(wanted) = expected["effective_policy"].as_str() {
        expect("policy", Some(wanted), discovery.effective_policy.map(|policy| policy.as_str()))?;
    }
    if let Some(wanted) = expected["record_domain"].as_str() {
        let found = discovery.policy_domain().map(|name| name.to_string());
        expect("record domain", Some(wanted), found.as_deref())?;
    }
    if let Some(wanted) = expected["dkim_strict"].as_bool() {
        let effective = discovery.record.as_ref().and_then(ParsedRecord::effective);
        expect("adkim=s", Some(wanted), effective.map(|e| e.dkim_alignment == dmarc::Alignment::Strict))?;
    }
    Ok(())
}

fn check_report(case: &Value) -> Result<(), String> {
    let name = |what: &str| Name::parse(case[what].as_str().expect("a name")).map_err(|fault| fault.to_string());
    let (policy_domain, destination) = (name("policy_domain")?, name("report_domain")?);
    let found = judged(&case["zone"], |evidence| authorisation(&policy_domain, &destination, evidence));
    if case["expected"]["status"] == "temperror" {
        return expect("status", Authorisation::Unknown, found);
    }
    expect("authorised", case["expected"]["authorised"].as_bool(), Some(found == Authorisation::Given))
}

/// Every finding that a case brings about has words, a code of its purpose, and facts.
#[test]
fn findings_speak() {
    let Some(lines) = super::lines_of("dmarc_cases.jsonl") else { return };
    for case in &lines {
        let Some(record) = case["record"].as_str() else { continue };
        for finding in lint(record.as_bytes()).findings {
            assert!(finding.code().starts_with("dmarc."), "{}", finding.code());
            let message = sendready::verify::finding::words::message(&finding);
            assert!(message.ends_with('.') || message.ends_with(".)"), "{}: {message}", Finding::code(&finding));
        }
    }
}
