//! Challenges against answers by hand.

use super::*;
use crate::verify::evidence::{Denial, Failure, Found, RecordType, Reply, Txt, Vantage};

const OWN: &str = "sendready-verification=own";
const FIRST: &str = "sendready-verification=first";
const SECOND: &str = "sendready-verification=second";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn challenge() -> Challenge {
    let domain = Domain::parse("example.com").unwrap();
    let claims = vec![FIRST.to_owned(), SECOND.to_owned()];
    Challenge { name: name_of(&domain).unwrap(), domain, value: Some(OWN.to_owned()), claims }
}

/// Texts as DNS has them; without any, there is no such name.
fn txt(texts: &[&str]) -> Answer {
    if texts.is_empty() {
        return Answer::NoSuchName(Denial::default());
    }
    let records = texts.iter().map(|text| RecordData::Txt(Txt::of(text))).collect();
    Answer::Found(Found { records, ttl_seconds: 60, aliases: Vec::new(), authentic: false })
}

/// Evidence with these answers of caches, and of the zone's servers where they were asked.
fn evidence(caches: &[Answer], servers: Option<&[Answer]>) -> Evidence {
    let mut evidence = Evidence::new();
    let question = Question::txt(&challenge().name);
    caches.iter().for_each(|answer| evidence.tell(question.clone(), answer.clone()));
    evidence.tell(Question::new(name("example.com"), RecordType::Ns), Answer::Unknown(Failure::Timeout));
    evidence.tell(Question::txt(&name("example.com")), txt(&["v=spf1 -all"]));
    evidence.tell(Question::txt(&name("_sendready-challenge.example.com.example.com")), txt(&[]));
    if let Some(servers) = servers {
        let reply = |(number, answer): (u8, &Answer)| Reply {
            vantage: Vantage::Authoritative,
            server: Some(([192, 0, 2, number], 53).into()),
            answer: answer.clone(),
            extended_error: None,
        };
        evidence.add(question.clone(), (1..).zip(servers).map(reply));
        evidence.confirm([question]);
    }
    evidence
}

/// The verdict, the codes of the findings, and the others' proofs; `confirm` where the servers are to be asked.
#[track_caller]
fn check(why: &str, caches: &[Answer], servers: Option<&[Answer]>, expected: &str) {
    let shown = match judge(&challenge(), &evidence(caches, servers)) {
        Step::Done(report) => {
            let codes = report.findings.iter().map(Finding::code).collect::<Vec<_>>();
            let claimed = report.claimed.iter().map(|value| value.trim_start_matches(VALUE_PREFIX));
            format!("{} {codes:?} {:?}", report.verdict, claimed.collect::<Vec<_>>())
        }
        Step::Confirm(questions) => format!("confirm {}", questions[0]),
        Step::Need(questions) => format!("need {questions:?}"),
    };
    assert_eq!(shown, expected, "{why}");
}

const CONFIRM: &str = "confirm _sendready-challenge.example.com TXT";

#[test]
fn the_holders_proof() {
    check("caches are enough", &[txt(&[OWN])], None, "valid [] []");
    check("beside other texts", &[txt(&["hello", OWN, "v=spf1 -all"])], None, "valid [] []");
    check("as panels dress it up", &[txt(&["\"sendready-verification=own\" "])], None, "valid [] []");
    check("case is part of the value", &[txt(&["sendready-verification=OWN"])], None, CONFIRM);
    check("no more than it", &[txt(&["sendready-verification=own1"])], None, CONFIRM);
    check("the holder goes first", &[txt(&[FIRST, OWN])], None, "valid [] []");
}

#[test]
fn a_no_is_the_word_of_the_servers() {
    let missing = "missing [\"ownership.missing\"] []";
    check("a cache may be old", &[txt(&[])], None, CONFIRM);
    check("and is overruled", &[txt(&[])], Some(&[txt(&[OWN])]), "valid [] []");
    check("nor do they have it", &[txt(&[])], Some(&[txt(&[])]), missing);
    check("nobody could be reached", &[txt(&[])], Some(&[]), missing);
    check("a wildcard is no proof", &[txt(&["v=spf1 -all"])], Some(&[txt(&["v=spf1 -all"])]), missing);
    let mismatch = "mismatch [\"ownership.mismatch\"] []";
    let old = txt(&["sendready-verification=old"]);
    check("an old one", std::slice::from_ref(&old), Some(std::slice::from_ref(&old)), mismatch);
}

#[test]
fn failure_is_not_absence() {
    let unknown = "unknown [\"ownership.unanswered\"] []";
    for failure in [Failure::Servfail, Failure::Timeout, Failure::Bogus, Failure::Truncated] {
        check("nobody could tell", &[Answer::Unknown(failure)], None, unknown);
    }
    check("servers disagree", &[txt(&[])], Some(&[txt(&[OWN]), txt(&[])]), unknown);
    check("servers disagree about another's", &[txt(&[])], Some(&[txt(&[FIRST]), txt(&[])]), unknown);
    check("caches contradict each other", &[txt(&[]), txt(&[OWN])], None, CONFIRM);
}

#[test]
fn another_gets_it_by_the_servers_word() {
    check("caches are not enough", &[txt(&[FIRST])], None, CONFIRM);
    let first = "mismatch [\"ownership.mismatch\"] [\"first\"]";
    check("the servers say so, too", &[txt(&[FIRST])], Some(&[txt(&[FIRST])]), first);
    check("the holder has published just now", &[txt(&[FIRST])], Some(&[txt(&[FIRST, OWN])]), "valid [] []");
    let both = "mismatch [\"ownership.mismatch\"] [\"first\", \"second\"]";
    check("who asked first", &[txt(&[])], Some(&[txt(&[SECOND, FIRST])]), both);
}

#[test]
fn where_nobody_holds_it_only_those_who_ask_count() {
    let deserted = Challenge { value: None, ..challenge() };
    let claimed = |caches: Answer, servers: &[Answer]| match judge(&deserted, &evidence(&[caches], Some(servers))) {
        Step::Done(report) => (report.verdict, report.claimed),
        step => panic!("{step:?}"),
    };
    assert!(matches!(judge(&deserted, &evidence(&[txt(&[FIRST])], None)), Step::Confirm(_)), "by the servers' word");
    let both = vec![FIRST.to_owned(), SECOND.to_owned()];
    assert_eq!(claimed(txt(&[]), &[txt(&[OWN, SECOND, FIRST])]), (Verdict::Mismatch, both), "whatever else is there");
    assert_eq!(claimed(txt(&[OWN]), &[txt(&[OWN])]), (Verdict::Mismatch, Vec::new()), "he has given it up");
    assert_eq!(claimed(txt(&[FIRST]), &[txt(&[])]), (Verdict::Missing, Vec::new()));
    assert_eq!(claimed(txt(&[]), &[txt(&[FIRST]), txt(&[])]).0, Verdict::Unknown);
}

#[test]
fn a_proof_in_the_wrong_place_is_found() {
    let with = |at: &str| {
        let mut evidence = evidence(&[txt(&[])], Some(&[txt(&[])]));
        let mut others = Evidence::new();
        for (question, replies) in evidence.iter() {
            if question != &Question::txt(&name(at)) {
                others.add(question.clone(), replies.to_vec());
            }
        }
        others.tell(Question::txt(&name(at)), txt(&["v=spf1 -all", OWN]));
        others.confirm([Question::txt(&challenge().name)]);
        evidence = others;
        let Step::Done(report) = judge(&challenge(), &evidence) else { panic!("not done") };
        report.findings.iter().map(Finding::code).collect::<Vec<_>>()
    };
    assert_eq!(with("example.com"), ["ownership.missing", "ownership.at-apex"]);
    let doubled = "_sendready-challenge.example.com.example.com";
    assert_eq!(with(doubled), ["ownership.missing", "ownership.host-doubled"]);
}

#[test]
fn a_guess_waits_for_its_answer_and_the_shown_document_does_not() {
    let mut evidence = Evidence::new();
    assert_eq!(judge_partly(&challenge(), &evidence), OwnershipReport::UNCHECKED);
    evidence.tell(Question::txt(&challenge().name), txt(&[]));
    evidence.confirm([Question::txt(&challenge().name)]);
    assert!(matches!(judge(&challenge(), &evidence), Step::Need(_)));
    assert_eq!(judge_partly(&challenge(), &evidence).verdict, Verdict::Missing);
}
