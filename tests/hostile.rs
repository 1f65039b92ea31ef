//! Strangers at their worst: a whole check, over real packets on loopback, against servers that mean harm; and our own
//! server against clients that do ([`requests`]).
//!
//! Whatever they send, a check ends, asks no more than it may, keeps no more than it may, and calls nothing valid that it
//! could not see.

mod memory;
mod requests;
mod worlds;

use std::time::Duration;

use sendready::checker::{Checked, EVIDENCE_OCTETS_MAX, Limits, QUESTION_COUNT_MAX, ROUND_COUNT_MAX, check};
use sendready::dns::Settings;
use sendready::dns::hickory::Hickory;
use sendready::protocol::domain::Domain;
use sendready::protocol::name::Name;
use sendready::verify::evidence::stored::{from_stored, to_stored};
use sendready::verify::evidence::{Answer, Evidence, Question, RecordData, RecordType, Txt};
use sendready::verify::expectation::{DkimExpectation, DkimKey, Expectation, MxExpectation, SpfExpectation};
use sendready::verify::finding::words::{Place, fix, message};
use sendready::verify::judge::judge;
use sendready::verify::purpose::Purpose;
use sendready::verify::report::Report;
use sendready::verify::step::Step;

use crate::support::dns_server::{DnsServer, Scripted};
use worlds::{
    DOMAIN, alias_of, at, everything, found, includes, key_record, long, mx, noise, rsa, sound, spf, text, whole_chain,
};

/// How long a check may take here: so long that only a server's silence uses it up.
const CHECK_TIME_MAX: Duration = Duration::from_secs(20);

/// How long one server may take.
const SERVER_TIME_MAX: Duration = Duration::from_secs(5);

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// All that can be required, of `domain`.
fn expectation(domain: &str) -> Expectation {
    Expectation {
        spf: SpfExpectation {
            includes: vec![name("_spf.provider.test")],
            addresses: vec!["192.0.2.10".parse().unwrap(), "2001:db8::10".parse().unwrap()],
        },
        dkim: vec![
            DkimExpectation { selector: name("s1"), key: DkimKey::Any },
            DkimExpectation { selector: name("s2"), key: DkimKey::Cname(name("s2._domainkey.provider.test")) },
        ],
        mx: vec![MxExpectation { host: name("mx1.example.test"), preference: 10 }],
        ..Expectation::soundness_of(Domain::parse(domain).unwrap())
    }
}

/// Checks `domain` where one server says all, and gives the verdicts: `spf dkim dmarc mx`.
async fn verdicts(why: &str, domain: &str, server: &DnsServer) -> String {
    let settings = Settings {
        servers: vec![server.address()],
        timeout: SERVER_TIME_MAX,
        in_flight_max: 32,
        authoritative_port: 53,
        allow_private_servers: false,
    };
    let limits = Limits::within(CHECK_TIME_MAX);
    let expectation = expectation(domain);
    let hickory = Hickory::new(settings);
    // Judging takes its time in an unoptimised build; what hangs would hang for ever.
    let checking = check(&hickory, &limits, |evidence| judge(&expectation, evidence));
    let checked = tokio::time::timeout(CHECK_TIME_MAX * 6, checking).await.unwrap_or_else(|_| panic!("{why}: no end"));
    let checked = checked.unwrap_or_else(|fault| panic!("{why}: {fault}"));
    hold(why, &expectation, &checked);
    let report = checked.judgement;
    Purpose::ALL.map(|purpose| report.verdict(purpose).to_string()).join(" ")
}

/// What holds of every check.
fn hold(why: &str, expectation: &Expectation, checked: &Checked<Report>) {
    assert!(checked.question_count <= QUESTION_COUNT_MAX, "{why}: {} questions", checked.question_count);
    assert!(checked.round_count <= ROUND_COUNT_MAX, "{why}: {} rounds", checked.round_count);
    let octets: usize = checked.evidence.iter().flat_map(|(_, replies)| replies).map(|r| octets(&r.answer)).sum();
    assert!(octets <= EVIDENCE_OCTETS_MAX, "{why}: {octets} octets are kept");
    let report = &checked.judgement;
    for record in &report.records {
        for finding in &record.findings {
            let words = message(finding) + &fix(finding, &Place::of(report, record));
            assert!(words.len() <= 100_000, "{why}: {} says {} octets", finding.code(), words.len());
            assert!(!words.contains('\0') && !words.contains('\u{1b}'), "{why}: {}", finding.code());
        }
    }
    let stored = to_stored(&checked.evidence);
    let again: Evidence = from_stored(&stored.body).unwrap();
    assert_eq!(again, checked.evidence, "{why}: out of the store");
    assert_eq!(judge(expectation, &again), Step::Done(report.clone()), "{why}: judged again out of the store");
}

fn octets(answer: &Answer) -> usize {
    let of = |record: &RecordData| match record {
        RecordData::Txt(txt) => txt.strings.iter().map(Vec::len).sum(),
        _ => 4,
    };
    answer.records().iter().map(of).sum()
}

/// A sound world where `lie` says otherwise.
#[track_caller]
fn world(lie: impl Fn(&Question) -> Option<Scripted> + Send + Sync + 'static) -> DnsServer {
    let zones: sendready::dns::zone_text::ZoneText = sound().parse().unwrap();
    DnsServer::script(move |question| lie(question).unwrap_or_else(|| Scripted::Answer(zones.answer(question))))
}

/// Cases, all of them made before the first that fails is told.
#[derive(Default)]
struct Cases {
    wrong: Vec<String>,
}

impl Cases {
    /// One world, and the verdicts there: `spf dkim dmarc mx`.
    async fn check(
        &mut self,
        why: &str,
        expected: &str,
        lie: impl Fn(&Question) -> Option<Scripted> + Send + Sync + 'static,
    ) {
        let found = verdicts(why, DOMAIN, &world(lie)).await;
        if found != expected {
            self.wrong.push(format!("{why}: {found}; not {expected}"));
        }
    }
}

impl Drop for Cases {
    fn drop(&mut self) {
        assert!(self.wrong.is_empty() || std::thread::panicking(), "\n{}", self.wrong.join("\n"));
    }
}

#[tokio::test]
async fn nothing_hostile() {
    let mut cases = Cases::default();
    cases.check("a sound world", "valid valid valid valid", |_| None).await;
}

#[tokio::test]
async fn large_answers() {
    let mut cases = Cases::default();
    let whole = || vec![text(&("v=spf1".to_owned() + &" ip4:192.0.2.1".repeat(4_600)))];
    cases.check("64 KB, more than is kept", "unknown valid valid valid", at(DOMAIN, RecordType::Txt, whole)).await;
    let apex = |data: fn() -> Vec<RecordData>| at(DOMAIN, RecordType::Txt, data);
    cases
        .check(
            "58 KB of SPF terms",
            "mismatch valid valid valid",
            apex(|| vec![text(&long("v=spf1", " ip4:192.0.2.1"))]),
        )
        .await;
    cases
        .check("58 KB of SPF modifiers", "mismatch valid valid valid", apex(|| vec![text(&long("v=spf1", " a="))]))
        .await;
    cases.check("58 KB of nothing", "mismatch valid valid valid", apex(|| vec![text(&long("v=spf1", " "))])).await;
    cases
        .check("58 KB of one term", "mismatch valid valid valid", apex(|| vec![text(&long("v=spf1 exists:", "%{i}"))]))
        .await;
    cases.check("1,000 records beside the right one", "valid valid valid valid", apex(noise)).await;
    cases
        .check(
            "1,000 SPF records",
            "invalid valid valid valid",
            apex(|| (0..1_000).map(|n| text(&format!("v=spf1 ip4:192.0.2.{}", n % 256))).collect()),
        )
        .await;
    cases
        .check(
            "1,001 records",
            "unknown valid valid valid",
            apex(|| (0..1_001).map(|n| text(&n.to_string())).collect()),
        )
        .await;
    cases
        .check(
            "empty strings",
            "missing valid valid valid",
            apex(|| vec![RecordData::Txt(Txt { strings: vec![Vec::new(); 60_000] })]),
        )
        .await;
}

#[tokio::test]
async fn large_policies_and_keys() {
    let mut cases = Cases::default();
    let dmarc = |data: fn() -> Vec<RecordData>| at("_dmarc.example.test", RecordType::Txt, data);
    cases
        .check(
            "58 KB of DMARC tags",
            "valid valid invalid valid",
            dmarc(|| vec![text(&long("v=DMARC1; p=reject;", "a=b;"))]),
        )
        .await;
    cases
        .check(
            "58 KB of report addresses",
            "valid valid valid valid",
            dmarc(|| vec![text(&long("v=DMARC1; p=reject; rua=mailto:a@b.test", ",mailto:a@c.test"))]),
        )
        .await;
    cases
        .check(
            "1,000 DMARC records",
            "valid valid invalid valid",
            dmarc(|| (0..1_000).map(|n| text(&format!("v=DMARC1; p=none; x={n}"))).collect()),
        )
        .await;
    let key = |data: fn() -> Vec<RecordData>| at("s1._domainkey.example.test", RecordType::Txt, data);
    cases.check("58 KB of key", "valid invalid valid valid", key(|| vec![text(&long("v=DKIM1; p=", "QUJD"))])).await;
    cases
        .check(
            "58 KB of tags around a key",
            "valid invalid valid valid",
            key(|| vec![text(&long("v=DKIM1; p=;", "a=;"))]),
        )
        .await;
    cases
        .check(
            "1,000 keys",
            "valid invalid valid valid",
            key(|| (0..1_000).map(|n| text(&format!("v=DKIM1; p=; n={n}"))).collect()),
        )
        .await;
}

#[tokio::test]
async fn octets_that_are_no_text() {
    let mut cases = Cases::default();
    for (why, spf, octets) in [
        ("NULs", "invalid", &b"v=spf1 \0 -all\0"[..]),
        ("a NUL in front", "missing", b"\0v=spf1 -all"),
        ("not UTF-8", "invalid", b"v=spf1 ip4:\xff\xfe -all"),
        ("an escape for terminals", "invalid", b"v=spf1 \x1b]0;owned\x07 -all"),
        ("a line of its own", "invalid", b"v=spf1 -all\r\nX: y"),
    ] {
        let octets = move || vec![RecordData::Txt(Txt::of(octets))];
        cases.check(why, &format!("{spf} valid valid valid"), at(DOMAIN, RecordType::Txt, octets)).await;
    }
    let everywhere = |question: &Question| {
        let hostile = b"v=DKIM1\0; p=\xff\x1b[31m; v=DMARC1; p=\0";
        (question.record_type == RecordType::Txt && question.name.label_count() > 2)
            .then(|| found(question, vec![RecordData::Txt(Txt::of(hostile))]))
    };
    cases.check("rubbish in keys and policies", "invalid missing missing valid", everywhere).await;
}

#[tokio::test]
async fn aliases_without_end() {
    let mut cases = Cases::default();
    cases
        .check("a loop", "unknown unknown unknown valid", |question| alias_of(question, |_| "example.test".to_owned()))
        .await;
    cases
        .check("an endless chain", "unknown unknown unknown valid", |question| {
            alias_of(question, |n| format!("{}.chain.test", n + 1))
        })
        .await;
    cases
        .check("a chain of 200 in one message", "unknown unknown unknown valid", |question| {
            (question.record_type == RecordType::Txt).then(|| whole_chain(question, 200))
        })
        .await;
}

#[tokio::test]
async fn spf_bombs() {
    let mut cases = Cases::default();
    cases.check("60 includes", "invalid valid valid valid", spf(|_| includes(60, |n| format!("n{n}.b.test")))).await;
    cases
        .check(
            "two includes each, for ever",
            "invalid valid valid valid",
            spf(|owner| includes(2, |n| format!("{}{n}.b.test", owner.len()))),
        )
        .await;
    cases
        .check(
            "ten includes of each other",
            "invalid valid valid valid",
            spf(|_| includes(10, |n| format!("n{n}.b.test"))),
        )
        .await;
    cases.check("itself, ten times", "invalid valid valid valid", spf(|_| includes(10, |_| DOMAIN.to_owned()))).await;
    cases
        .check(
            "one large record, again and again",
            "mismatch valid valid valid",
            spf(|owner| match owner {
                DOMAIN => includes(10, |_| "big.b.test".to_owned()),
                _ => long("v=spf1", " ip4:192.0.2.1"),
            }),
        )
        .await;
    cases
        .check(
            "one large record, sixty times",
            "invalid valid valid valid",
            spf(|owner| match owner {
                DOMAIN => includes(60, |_| "big.b.test".to_owned()),
                _ => long("v=spf1", " ip6::: "),
            }),
        )
        .await;
    cases
        .check(
            "redirects for ever",
            "invalid valid valid valid",
            spf(|owner| format!("v=spf1 redirect=r{}.b.test", owner.len())),
        )
        .await;
    cases
        .check(
            "ten mx of 1,000 hosts",
            "invalid valid valid valid",
            spf(|_| format!("v=spf1{} -all", (0..10).map(|n| format!(" mx:m{n}.b.test")).collect::<String>())),
        )
        .await;
    cases
        .check(
            "names that the sender makes",
            "mismatch valid valid valid",
            spf(|_| "v=spf1 exists:%{l}.%{i}.%{h}.%{p}.b.test ptr -all".to_owned()),
        )
        .await;
    cases
        .check(
            "a name of 126 labels",
            "invalid valid valid valid",
            spf(|_| format!("v=spf1 include:{}test -all", "a.".repeat(125))),
        )
        .await;
}

#[tokio::test]
async fn names_as_long_as_can_be() {
    let mut cases = Cases::default();
    let deep = format!("{}a", "a.".repeat(126));
    let host = deep.clone();
    cases
        .check("an exchange of 127 labels", "valid valid valid valid", move |question| {
            (question.record_type == RecordType::Mx)
                .then(|| found(question, vec![mx(1, &host), mx(10, "mx1.example.test")]))
        })
        .await;
    cases
        .check("an alias of 127 labels", "unknown unknown unknown valid", move |question| {
            alias_of(question, |_| deep.clone())
        })
        .await;
    let domain = format!("{}example.test", "a.".repeat(118));
    let server = world(|_| None);
    assert_eq!(verdicts("a domain of 120 labels", &domain, &server).await, "missing invalid valid missing");
    let walked = server.asked().iter().filter(|asked| asked.question.name.labels().next() == Some(b"_dmarc")).count();
    assert!(walked <= 8, "{walked} questions for a policy, RFC 9989 §4.10");
    let longest = format!("{0}.{0}.{0}.{1}.example.test", "a".repeat(63), "b".repeat(48));
    assert_eq!(verdicts("a domain of 253 octets", &longest, &world(|_| None)).await, "missing invalid valid missing");
}

#[tokio::test]
async fn keys_that_are_none() {
    let mut cases = Cases::default();
    for (why, dkim, key) in [
        ("8,192 bits, absurd but usable", "valid", rsa(&[0xff; 1_024], &[1, 0, 1])),
        ("16,384 bits, which no receiver need use", "invalid", rsa(&[0xff; 2_048], &[1, 0, 1])),
        ("exponent 1", "invalid", rsa(&[0xff; 256], &[1])),
        ("131,072 bits", "invalid", rsa(&[0xff; 16_384], &[1, 0, 1])),
        ("exponent 0", "invalid", rsa(&[0xff; 256], &[0])),
        ("an exponent as long as the modulus", "valid", rsa(&[0xff; 256], &[0xff; 256])),
        ("modulus 0", "invalid", rsa(&[0; 256], &[1, 0, 1])),
        ("a negative modulus", "invalid", rsa(&[0x80; 256], &[1, 0, 1])),
        ("a length of 2^32", "invalid", vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2]),
        ("sequences in sequences", "invalid", [0x30, 0x80].repeat(1_500)),
    ] {
        let record = key_record(&key);
        let lie = at("s1._domainkey.example.test", RecordType::Txt, move || vec![text(&record)]);
        cases.check(why, &format!("valid {dkim} valid valid"), lie).await;
    }
}

#[tokio::test]
async fn mail_exchanges_without_number() {
    let mut cases = Cases::default();
    let hosts = || (0..1_000).map(|n| mx(n, &format!("h{n}.b.test"))).collect::<Vec<_>>();
    cases.check("1,000 hosts that are not there", "valid valid valid missing", at(DOMAIN, RecordType::Mx, hosts)).await;
    cases
        .check(
            "1,000 hosts that are all one",
            "valid valid valid valid",
            at(DOMAIN, RecordType::Mx, || (0..1_000).map(|n| mx(n, "mx1.example.test")).collect()),
        )
        .await;
    cases
        .check(
            "a host with 1,000 addresses",
            "valid valid valid valid",
            at("mx1.example.test", RecordType::A, || {
                (0..1_000).map(|n| RecordData::A(std::net::Ipv4Addr::from(0xcb00_7100_u32 + n))).collect()
            }),
        )
        .await;
    cases
        .check(
            "1,000 name servers",
            "valid valid valid valid",
            at(DOMAIN, RecordType::Ns, || {
                (0..1_000).map(|n| RecordData::Ns(Name::parse(&format!("n{n}.b.test")).unwrap())).collect()
            }),
        )
        .await;
}

#[tokio::test]
async fn everything_at_once() {
    let server = DnsServer::script(everything);
    assert_eq!(verdicts("hostile answers to every question", DOMAIN, &server).await, "invalid invalid valid missing");
}
