//! Tables for the judgement of mail exchanges.

use super::*;
use crate::protocol::domain::Domain;
use crate::verify::evidence::{Alias, Denial, Failure, Found};
use crate::verify::step::Step;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Judges example.com against a zone of words: `10:host` is an MX, `host=1.2.3.4` an address, `host>target` an
/// alias, `host!` a failure.
fn judge_zone(required: &[(&str, u16)], zone: &str) -> Vec<RecordReport> {
    let mut expectation = Expectation::soundness_of(Domain::parse("example.com").unwrap());
    expectation.mx =
        required.iter().map(|(host, preference)| MxExpectation { host: name(host), preference: *preference }).collect();
    let mut evidence = Evidence::new();
    for round in 0..5 {
        let questions = match judge(&expectation, &evidence).into() {
            Step::Done(done) => {
                assert!(round <= 2, "the MX question, then all hosts at once");
                assert_eq!(judge(&expectation, &evidence).as_ref(), Ok(&done), "judging twice is judging once");
                return done;
            }
            Step::Need(questions) | Step::Confirm(questions) => questions,
        };
        for question in questions {
            let answer = answer(&question, zone);
            evidence.tell(question, answer);
        }
    }
    panic!("the judgement does not end");
}

fn answer(question: &Question, zone: &str) -> Answer {
    let mut records = Vec::new();
    let mut aliases = Vec::new();
    for word in zone.split(' ') {
        if word.strip_suffix('!').is_some_and(|host| name(host) == question.name) {
            return Answer::Unknown(Failure::Timeout);
        }
        if let Some((preference, host)) = word.split_once(':').filter(|(p, _)| p.bytes().all(|o| o.is_ascii_digit())) {
            if question.record_type == RecordType::Mx {
                records.push(RecordData::Mx { preference: preference.parse().unwrap(), exchange: name(host) });
            }
        } else if let Some((host, address)) = word.split_once('=').filter(|(host, _)| name(host) == question.name) {
            let _ = host;
            match address.parse().unwrap() {
                IpAddr::V4(address) if question.record_type == RecordType::A => records.push(RecordData::A(address)),
                IpAddr::V6(address) if question.record_type == RecordType::Aaaa => {
                    records.push(RecordData::Aaaa(address));
                }
                _ => {}
            }
        } else if let Some((host, target)) = word.split_once('>').filter(|(host, _)| name(host) == question.name) {
            aliases.push(Alias { owner: name(host), target: name(target), ttl_seconds: 60 });
            records.push(RecordData::A([1, 1, 1, 1].into()));
        }
    }
    match records.is_empty() {
        true => Answer::NoData(Denial::default()),
        false => Answer::Found(Found { records, ttl_seconds: 60, aliases, authentic: false }),
    }
}

/// `verdict action code code …` of each report.
#[track_caller]
fn check(why: &str, required: &[(&str, u16)], zone: &str, expected: &[&str]) {
    let shown: Vec<String> = judge_zone(required, zone)
        .iter()
        .map(|report| {
            let codes: Vec<&str> = report.findings.iter().map(Finding::code).collect();
            format!("{} {} {}", report.verdict, report.action.as_str(), codes.join(" ")).trim_end().to_owned()
        })
        .collect();
    assert_eq!(shown, expected, "{why}");
}

#[test]
fn whatever_works() {
    let any: &[(&str, u16)] = &[];
    check("one host", any, "10:mx.test mx.test=1.1.1.1", &["valid keep"]);
    check("IPv6 alone", any, "10:mx.test mx.test=2606:4700::1", &["valid keep"]);
    check("no MX at all", any, "", &["missing add mx.missing"]);
    check("the implicit MX", any, "example.com=1.1.1.1", &["missing add mx.missing mx.implicit"]);
    check("no answer", any, "example.com!", &["unknown add mx.unanswered"]);
    check("the null MX", any, "0:.", &["mismatch replace mx.null"]);
    check("null beside others", any, "0:. 10:mx.test mx.test=1.1.1.1", &["invalid replace mx.null-beside-others"]);
    check("only an alias", any, "10:mx.test mx.test>x.test", &["invalid replace mx.host-alias"]);
    check("an address", any, "10:192.0.2.1", &["invalid replace mx.host-literal"]);
    check("nothing that resolves", any, "10:mx.test", &["invalid replace mx.host-unresolved"]);
    check("a private address", any, "10:mx.test mx.test=10.0.0.1", &["invalid replace mx.host-private"]);
    check("a host that nobody knows about", any, "10:mx.test mx.test!", &["unknown keep mx.unanswered"]);
    check("faults of others warn", any, "10:a.test 20:b.test b.test=1.1.1.1", &["valid keep mx.host-unresolved"]);
}

#[test]
fn required_hosts() {
    let one: &[(&str, u16)] = &[("ours.test", 10)];
    check("it is there", one, "10:ours.test ours.test=1.1.1.1", &["valid keep"]);
    check("nothing is there", one, "", &["missing add mx.missing"]);
    check("nobody knows", one, "example.com!", &["unknown add mx.unanswered"]);
    check("another preference", one, "20:ours.test ours.test=1.1.1.1", &["valid keep mx.preference-differs"]);
    check("it does not resolve", one, "10:ours.test", &["invalid keep mx.host-unresolved"]);
    check("nobody knows its address", one, "10:ours.test ours.test!", &["unknown keep mx.unanswered"]);
    let others = "5:x.test x.test=1.1.1.1";
    check("foreign ones only", one, others, &["missing add mx.host-missing mx.foreign"]);
    let first = format!("{others} 10:ours.test ours.test=1.1.1.1");
    check("a foreign one first", one, &first, &["mismatch replace mx.foreign-preferred"]);
    check("a foreign one behind", one, &first.replace("5:", "15:"), &["valid keep"]);
    check("a foreign one beside", one, &first.replace("5:", "10:"), &["valid keep"]);
    let dead = "5:x.test 10:ours.test ours.test=1.1.1.1";
    check("a dead foreign one first", one, dead, &["valid keep mx.host-unresolved"]);
    let silent = format!("{dead} x.test!");
    check("a foreign one first that nobody knows about", one, &silent, &["unknown keep mx.unanswered"]);
    check("the null MX", one, "0:.", &["mismatch replace mx.null"]);
    let two: &[(&str, u16)] = &[("b.test", 20), ("a.test", 10)];
    let both = "10:a.test 20:b.test a.test=1.1.1.1";
    check("each by itself, best first", two, both, &["valid keep", "invalid keep mx.host-unresolved"]);
    let half = "10:a.test a.test=1.1.1.1";
    check("one is missing", two, half, &["valid keep", "missing add mx.host-missing"]);
    let between = format!("{both} 15:x.test x.test=1.1.1.1 b.test=1.1.1.1");
    check("a foreign one behind the first", two, &between, &["valid keep", "valid keep"]);
}

#[test]
fn adding_ours_is_ranked() {
    let rank = |preference| {
        let zone = "10:x.test 20:y.test x.test=1.1.1.1 y.test=1.1.1.1";
        let reports = judge_zone(&[("ours.test", preference)], zone);
        reports[0].findings.last().unwrap().facts()[1].1.clone()
    };
    let text = |text: &str| crate::verify::finding::Fact::Text(text.to_owned());
    assert_eq!(
        [rank(5), rank(10), rank(15), rank(20), rank(25)].to_vec(),
        ["first", "among", "among", "among", "last"].map(text)
    );
}

#[test]
fn at_most_twenty_hosts_are_looked_at() {
    let zone = |count: usize| {
        (0..count).map(|index| format!("{index}:h{index}.test h{index}.test=1.1.1.1")).collect::<Vec<_>>().join(" ")
    };
    check("twenty", &[], &zone(20), &["valid keep"]);
    check("more", &[], &zone(21), &["valid keep mx.too-many"]);
    let required: &[(&str, u16)] = &[("h0.test", 0), ("h39.test", 39)];
    check("a required one at the end", required, &zone(40), &["valid keep mx.too-many", "valid keep"]);
}
