//! Tables for the judgement of policies.

use super::*;
use crate::protocol::domain::Domain;
use crate::verify::evidence::{Answer, Denial, Failure, Found, Question, RecordData, Txt};
use crate::verify::step::Step;
use proptest::prelude::*;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Judges against a zone of `(name, text)`; the text `servfail` fails.
fn judge_zone(expectation: &Expectation, zone: &[(&str, &[u8])]) -> DmarcJudgement {
    let mut evidence = Evidence::new();
    for _ in 0..10 {
        let questions = match judge(expectation, &evidence).into() {
            Step::Done(done) => {
                assert_eq!(judge(expectation, &evidence).as_ref(), Ok(&done), "judging twice is judging once");
                return done;
            }
            Step::Need(questions) | Step::Confirm(questions) => questions,
        };
        for question in questions {
            evidence.tell(question.clone(), answer(&question, zone));
        }
    }
    panic!("the judgement does not end");
}

fn answer(question: &Question, zone: &[(&str, &[u8])]) -> Answer {
    let texts: Vec<&[u8]> =
        zone.iter().filter(|(owner, _)| name(owner) == question.name).map(|(_, text)| *text).collect();
    if texts.contains(&b"servfail".as_slice()) {
        return Answer::Unknown(Failure::Servfail);
    }
    if texts.is_empty() || question.record_type != RecordType::Txt {
        return Answer::NoSuchName(Denial::default());
    }
    let records = texts.into_iter().map(|text| RecordData::Txt(Txt::of(text))).collect();
    Answer::Found(Found { records, ttl_seconds: 60, aliases: Vec::new(), authentic: false })
}

fn expecting(domain: &str, dmarc: DmarcExpectation) -> Expectation {
    Expectation { dmarc, ..Expectation::soundness_of(Domain::parse(domain).unwrap()) }
}

/// `verdict action code code … = value`, without the notices about reports.
fn shown(judgement: &DmarcJudgement) -> String {
    let record = &judgement.record;
    let quiet = ["dmarc.no-reports", "dmarc.policy-none"];
    let codes: Vec<&str> = record.findings.iter().map(Finding::code).filter(|code| !quiet.contains(code)).collect();
    let value = record.value.as_deref().unwrap_or("-");
    format!("{} {} {} = {value}", record.verdict, record.action.as_str(), codes.join(" "))
}

#[track_caller]
fn check(why: &str, dmarc: &DmarcExpectation, zone: &[(&str, &str)], expected: &str) {
    let zone: Vec<(&str, &[u8])> = zone.iter().map(|(owner, text)| (*owner, text.as_bytes())).collect();
    assert_eq!(shown(&judge_zone(&expecting("a.example.com", dmarc.clone()), &zone)), expected, "{why}");
}

const OWN: &str = "_dmarc.a.example.com";
const ABOVE: &str = "_dmarc.example.com";

#[test]
fn any_policy_will_do() {
    let any = DmarcExpectation::default();
    let missing = "missing add dmarc.missing = v=DMARC1; p=none";
    check("none at all", &any, &[], missing);
    check("its own", &any, &[(OWN, "v=DMARC1; p=none")], "valid keep  = v=DMARC1; p=none");
    check("from above", &any, &[(ABOVE, "v=DMARC1; p=reject")], "valid keep dmarc.inherited = -");
    check("no answer", &any, &[(OWN, "servfail")], "unknown add dmarc.unanswered = v=DMARC1; p=none");
    let foreign = "missing add dmarc.missing dmarc.foreign-text = v=DMARC1; p=none";
    check("a wildcard's text", &any, &[(OWN, "v=spf1 -all")], foreign);
    let two = [(OWN, "v=DMARC1; p=none; rua=mailto:x@example.com"), (OWN, "v=DMARC1; p=reject")];
    let several = "invalid replace dmarc.several = v=DMARC1; p=none; rua=mailto:x@example.com";
    check("two records", &any, &two, several);
    let covered = [two[0], two[1], (ABOVE, "v=DMARC1; p=reject")];
    check("two, but one above", &any, &covered, "valid keep dmarc.inherited dmarc.several = -");
    let lost = "invalid replace dmarc.no-policy dmarc.bad-value = v=DMARC1; p=none; sp=reject";
    check("no policy in it", &any, &[(OWN, "v=DMARC1; p=rejct; sp=reject")], lost);
    let above = "missing add dmarc.missing dmarc.no-policy = v=DMARC1; p=none";
    check("no policy in the one above", &any, &[(ABOVE, "v=DMARC1")], above);
}

#[test]
fn near_misses_are_told_and_repaired() {
    let any = DmarcExpectation::default();
    let not = "invalid replace dmarc.not-a-record = v=DMARC1; p=";
    check("case", &any, &[(OWN, "v=dmarc1; p=reject")], &format!("{not}reject"));
    check("no semicolon", &any, &[(OWN, "v=DMARC1 p=reject")], &format!("{not}none"));
    check("order", &any, &[(OWN, "p=reject; v=DMARC1")], &format!("{not}none"));
    let quotes = "invalid replace dmarc.quotes = v=DMARC1; p=reject";
    check("quotes", &any, &[(OWN, "\"v=DMARC1; p=reject\"")], quotes);
    check("backslashes", &any, &[(OWN, "v=DMARC1\\; p=reject\\;")], quotes);
    let smart = "invalid replace dmarc.smart-quotes = v=DMARC1; p=reject";
    check("smart quotes", &any, &[(OWN, "\u{201c}v=DMARC1; p=reject\u{201d}")], smart);
}

#[test]
fn more_may_be_required() {
    let reject = DmarcExpectation { policy: Some(Policy::Reject), ..DmarcExpectation::default() };
    check("enough", &reject, &[(OWN, "v=DMARC1; p=reject")], "valid keep  = v=DMARC1; p=reject");
    let kept = "mismatch replace dmarc.too-weak = v=DMARC1; p=reject; adkim=s; rua=mailto:x@a.example.com";
    check("the rest is kept", &reject, &[(OWN, "v=DMARC1; p=none; adkim=s; rua=mailto:x@a.example.com")], kept);
    let tested = "mismatch replace dmarc.too-weak dmarc.test-mode = v=DMARC1; p=reject";
    check("t=y goes", &reject, &[(OWN, "v=DMARC1; p=reject; t=y")], tested);
    let above = "mismatch add dmarc.too-weak dmarc.inherited = v=DMARC1; p=reject";
    check("the one above is left alone", &reject, &[(ABOVE, "v=DMARC1; p=none")], above);
    let reports = "mismatch add dmarc.too-weak dmarc.inherited dmarc.subdomains-weaker = v=DMARC1; p=reject; rua=mailto:x@example.com";
    let weaker = "v=DMARC1; p=quarantine; sp=none; rua=mailto:x@example.com";
    check("and its reports are kept", &reject, &[(ABOVE, weaker)], reports);
    check("none", &reject, &[], "missing add dmarc.missing = v=DMARC1; p=reject");
    let rua = DmarcExpectation { rua: vec!["mailto:d@a.example.com".to_owned()], ..DmarcExpectation::default() };
    let joined = "mismatch replace dmarc.reports-missing = v=DMARC1; p=reject; rua=mailto:x@a.example.com,mailto:d@a.example.com";
    check("reports", &rua, &[(OWN, "v=DMARC1; p=reject; rua=mailto:x@a.example.com")], joined);
    check(
        "reports, sent already",
        &rua,
        &[(OWN, "v=DMARC1; p=none; rua=MAILTO:d@A.example.com!1m")],
        "valid keep dmarc.uri-size = v=DMARC1; p=none; rua=MAILTO:d@A.example.com!1m",
    );
    let record =
        DmarcExpectation { record: Some(DmarcRecord::of_policy(Policy::Quarantine)), ..DmarcExpectation::default() };
    check("the record asked for", &record, &[], "missing add dmarc.missing = v=DMARC1; p=quarantine");
    check("is not forced on anybody", &record, &[(OWN, "v=DMARC1; p=none")], "valid keep  = v=DMARC1; p=none");
}

#[test]
fn foreign_destinations_must_agree() {
    let any = DmarcExpectation::default();
    let record = "v=DMARC1; p=none; rua=mailto:x@example.net,mailto:y@b.example.com";
    let agrees = "a.example.com._report._dmarc.example.net";
    let asks = format!("valid keep dmarc.report-unauthorised = {record}");
    let fine = format!("valid keep  = {record}");
    // The organizational domain is example.com only where that has a record too.
    let zone = |rest: (&'static str, &'static str)| [(OWN, record), (ABOVE, "v=DMARC1; p=none"), rest];
    check("it does not", &any, &zone(("x.test", "")), &asks);
    check("it does", &any, &zone((agrees, "v=DMARC1")), &fine);
    check("its text is foreign", &any, &zone((agrees, "v=spf1 -all")), &asks);
    check("nobody could tell", &any, &zone((agrees, "servfail")), &fine);
}

#[test]
fn a_record_by_itself() {
    let valid = |text: &str| lint(text.as_bytes()).valid;
    assert!(valid("v=DMARC1; p=none"));
    assert!(valid("v=DMARC1; p=none; fo=x"));
    assert!(!valid("v=DMARC1; p=none; p=none"));
    assert!(!valid("v=spf1 -all"));
    assert!(!valid(""));
}

proptest! {
    #[test]
    fn any_octets_are_judged_without_harm(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let reject = DmarcExpectation { policy: Some(Policy::Reject), ..DmarcExpectation::default() };
        let expectation = expecting("example.com", reject);
        for text in [text.clone(), [b"v=DMARC1;".as_slice(), &text].concat(), [b"\"v=DMARC1;".as_slice(), &text].concat()] {
            let _ = lint(&text);
            let judgement = judge_zone(&expectation, &[("_dmarc.example.com", &text)]);
            // What we tell people to publish does what is required.
            if let (Verdict::Mismatch | Verdict::Invalid, Some(value)) = (judgement.record.verdict, judgement.record.value) {
                let again = judge_zone(&expectation, &[("_dmarc.example.com", value.as_bytes())]);
                prop_assert_eq!(again.record.verdict, Verdict::Valid, "{}", value);
            }
        }
    }
}
