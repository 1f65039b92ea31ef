//! Sessions and domains against zones of a few lines.

mod domains;
mod failures;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::protocol::domain::Domain;
use crate::protocol::name::Name;
use crate::verify::evidence::{Answer, Denial, Evidence, Failure, Found, Question, RecordData, RecordType, Txt};
use crate::verify::expectation::Expectation;
use crate::verify::spf::{Session, SpfJudgement, SpfOutcome, check_host, judge};
use crate::verify::step::Step;

/// `name TYPE value`, one a line; `name FAIL` fails on whatever it has no record for.
#[derive(Clone)]
struct Zone {
    records: BTreeMap<Question, Vec<RecordData>>,
    failing: Vec<Name>,
    /// Questions that fail though there is an answer.
    lost: BTreeSet<Question>,
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

impl Zone {
    fn read(text: &str) -> Zone {
        let mut zone = Zone { records: BTreeMap::new(), failing: Vec::new(), lost: BTreeSet::new() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (owner, rest) = line.split_once(' ').unwrap();
            let owner = name(owner);
            let (kind, value) = rest.split_once(' ').unwrap_or((rest, ""));
            let (record_type, data) = match kind {
                "A" => (RecordType::A, RecordData::A(value.parse().unwrap())),
                "AAAA" => (RecordType::Aaaa, RecordData::Aaaa(value.parse().unwrap())),
                "PTR" => (RecordType::Ptr, RecordData::Ptr(name(value))),
                "MX" => (RecordType::Mx, RecordData::Mx { preference: 10, exchange: name(value) }),
                "TXT" => {
                    let strings = value.split(" | ").map(|string| string.as_bytes().to_vec()).collect();
                    (RecordType::Txt, RecordData::Txt(Txt { strings }))
                }
                "FAIL" => {
                    zone.failing.push(owner);
                    continue;
                }
                other => panic!("{other}"),
            };
            zone.records.entry(Question::new(owner, record_type)).or_default().push(data);
        }
        zone
    }

    fn answer(&self, question: &Question) -> Answer {
        if self.lost.contains(question) {
            return Answer::Unknown(Failure::Timeout);
        }
        match self.records.get(question) {
            Some(records) => {
                let mut records = records.clone();
                records.sort();
                Answer::Found(Found { records, ttl_seconds: 300, aliases: Vec::new(), authentic: false })
            }
            None if self.failing.contains(&question.name) => Answer::Unknown(Failure::Servfail),
            None => Answer::NoSuchName(Denial::default()),
        }
    }

    /// Asks until it is done; no question twice, no more than a check may ask.
    fn settle<T>(&self, judge: impl Fn(&Evidence) -> Step<T>) -> (T, Evidence) {
        let mut evidence = Evidence::new();
        for _ in 0..60 {
            match judge(&evidence) {
                Step::Done(done) => return (done, evidence),
                Step::Need(questions) | Step::Confirm(questions) => {
                    assert!(!questions.is_empty());
                    for question in questions {
                        assert!(!evidence.has(&question), "asked twice: {question}");
                        let answer = self.answer(&question);
                        evidence.tell(question, answer);
                    }
                    assert!(evidence.question_count() <= 300, "too many questions");
                }
            }
        }
        panic!("no end");
    }

    fn check(&self, ip: &str, mail_from: &str) -> SpfOutcome {
        let session = Session::new(ip.parse().unwrap(), "helo.example.net", mail_from, 0);
        self.settle(|evidence| check_host(&session, evidence)).0
    }

    fn judge(&self, includes: &[&str], addresses: &[&str]) -> SpfJudgement {
        let expectation = expecting(includes, addresses);
        let (judged, evidence) = self.settle(|evidence| Step::from(judge(&expectation, evidence)));
        assert_eq!(judge(&expectation, &evidence).unwrap(), judged, "judging twice is judging once");
        judged
    }
}

fn expecting(includes: &[&str], addresses: &[&str]) -> Expectation {
    let mut expectation = Expectation::soundness_of(Domain::parse("example.com").unwrap());
    expectation.spf.includes = includes.iter().map(|text| name(text)).collect();
    expectation.spf.addresses = addresses.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect();
    expectation
}

#[track_caller]
fn session(why: &str, zone: &str, ip: &str, expected: &str) {
    let outcome = Zone::read(zone).check(ip, "joe@example.com");
    let shown = format!("{} {} {}", outcome.result, outcome.lookups, outcome.void_lookups);
    assert_eq!(shown, expected, "{why}: {:#?}", outcome.trace);
}

/// `text` with `{n}` counted from 1 to `count`.
fn times(count: usize, text: &str) -> String {
    (1..=count).map(|n| text.replace("{n}", &n.to_string())).collect()
}

#[test]
fn sessions_get_results_lookups_and_void_lookups() {
    let ip = "192.0.2.1";
    session("no record", "example.com A 192.0.2.1", ip, "none 0 0");
    session("a network", "example.com TXT v=spf1 ip4:192.0.2.0/24 -all", ip, "pass 0 0");
    session("one void lookup", "example.com TXT v=spf1 a:gone.example.com -all", ip, "fail 1 1");
    session("the others fail", "example.com TXT v=spf1 ip6:2001:db8::/32 -all", "2001:db9::1", "fail 0 0");
    session("mapped IPv4 is IPv4", "example.com TXT v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1", "pass 0 0");
    let ten = format!("example.com TXT v=spf1{} ip4:192.0.2.1 -all\nexample.com A 192.0.2.9", " a".repeat(10));
    session("ten lookups", &ten, ip, "pass 10 0");
    session("eleven lookups", &ten.replace(" ip4", " a ip4"), ip, "permerror 10 0");
    session("two void lookups", "example.com TXT v=spf1 a:a.example.net a:b.example.net ?all", ip, "neutral 2 2");
    session("three void lookups", "example.com TXT v=spf1 a mx exists:c.example.net ?all", ip, "permerror 3 3");
    let ten_hosts = format!(
        "example.com TXT v=spf1 mx -all\n{}",
        times(10, "example.com MX h{n}.example.net\nh{n}.example.net A 198.51.100.{n}\n")
    );
    session("ten mail exchanges", &ten_hosts, "198.51.100.10", "pass 1 0");
    session("eleven mail exchanges", &format!("{ten_hosts}example.com MX h11.example.net"), ip, "permerror 1 0");
    session("the null MX", "example.com TXT v=spf1 mx -all\nexample.com MX .", ip, "fail 1 0");
    session("a failure", "example.com TXT v=spf1 a:x.example.net -all\nx.example.net FAIL", ip, "temperror 1 0");
    session("no failure before a match", "example.com TXT v=spf1 ip4:192.0.2.1 a\nexample.com FAIL", ip, "pass 0 0");
    session(
        "a match on one host beats a failure on another",
        "example.com TXT v=spf1 mx -all\nexample.com MX a.example.net\nexample.com MX b.example.net\n\
         a.example.net FAIL\nb.example.net A 192.0.2.1",
        ip,
        "pass 1 0",
    );
    session("ptr without a name", "example.com TXT v=spf1 ptr -all", ip, "fail 1 1");
    session("ptr and a failure, §5.5", "example.com TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa FAIL", ip, "fail 1 0");
    session(
        "ptr and a name that leads back",
        "example.com TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR m.example.com\nm.example.com A 192.0.2.1",
        ip,
        "pass 1 0",
    );
    session("include of nothing, §5.2", "example.com TXT v=spf1 include:x.example.net -all", ip, "permerror 1 1");
    session("include of no name", "example.com TXT v=spf1 include:a..example.net -all", ip, "permerror 1 0");
    session("a of no name", "example.com TXT v=spf1 a:a..example.net -all", ip, "fail 1 0");
    session("redirect to nothing, §6.1", "example.com TXT v=spf1 redirect=x.example.net", ip, "permerror 1 1");
    session("several records, §4.5", "example.com TXT v=spf1 a\nexample.com TXT v=spf1 mx", ip, "permerror 0 0");
    session(
        "a long name loses labels from the left, §7.3",
        &format!("example.com TXT v=spf1 exists:{}.x.example.net -all\nx.example.net A 127.0.0.2", "%{d}".repeat(30)),
        ip,
        "fail 1 1",
    );
}

#[test]
fn senders_are_taken_apart() {
    let zone = Zone::read(
        "example.com TXT v=spf1 exists:%{l}.user.example.net -all exp=why.example.net
         why.example.net TXT %{s} %{o} %{d} %{h} %{r} %{t} %{i} %{v} %{p}
         joe.user.example.net A 127.0.0.2
         j\\195\\182.user.example.net A 127.0.0.2",
    );
    assert_eq!(zone.check("192.0.2.1", "joe@Example.COM").result.as_str(), "pass");
    let words = "postmaster@example.com example.com example.com helo.example.net unknown 0 192.0.2.1 in-addr unknown";
    assert_eq!(zone.check("192.0.2.1", "@example.com").explanation.unwrap(), words);
    assert_eq!(zone.check("192.0.2.1", "example.com").explanation.unwrap(), words, "a domain alone");
    assert_eq!(zone.check("192.0.2.1", "a@b@example.com").result.as_str(), "fail", "the last @ counts");
    assert_eq!(zone.check("192.0.2.1", "jö@example.com").result.as_str(), "fail", "RFC 8616 §4");
    for (why, mail_from) in [("one label", "a@localhost"), ("a literal", "a@[192.0.2.1]"), ("an empty label", "a@a..b")]
    {
        assert_eq!(zone.check("192.0.2.1", mail_from).result.as_str(), "none", "{why}");
    }
}

#[test]
fn the_trace_says_every_step() {
    let zone = Zone::read(
        "example.com TXT v=spf1 a:gone.example.net include:_spf.example.net -all
         _spf.example.net TXT v=spf1 ip4:192.0.2.1 -all",
    );
    let outcome = zone.check("192.0.2.1", "joe@example.com");
    let lines: Vec<String> =
        outcome.trace.iter().map(|line| format!("{}{line}", "  ".repeat(line.depth as usize))).collect();
    assert_eq!(
        lines,
        [
            "example.com: TXT: v=spf1 a:gone.example.net include:_spf.example.net -all",
            "example.com: a:gone.example.net [1 lookup, 1 void]: does not match",
            "example.com: include:_spf.example.net [1 lookup]: matches, pass",
            "  _spf.example.net: TXT: v=spf1 ip4:192.0.2.1 -all",
            "  _spf.example.net: ip4:192.0.2.1: matches, pass",
            "  _spf.example.net: result: gives pass",
            "example.com: result: gives pass",
        ]
    );
}
