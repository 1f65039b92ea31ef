//! How long judging takes: `cargo bench`. What it must hold against is measured in the same run, `ratio` below.
//!
//! The check is a whole one: SPF with two includes, a DKIM key of 2048 bits, DMARC, two mail exchanges, all required.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "in a bench, a panic with a line number is the report")]
#![expect(clippy::print_stdout, reason = "what is measured is printed")]

#[path = "../tests/support/dns_server.rs"]
#[expect(dead_code, unreachable_pub, reason = "the tests' server can do more than is needed here")]
mod dns_server;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use sendready::checker::{Checked, Limits, check};
use sendready::dns::Settings;
use sendready::dns::hickory::Hickory;
use sendready::dns::zone_text::ZoneText;
use sendready::protocol::dkim::{KeyRecord, PublicKey};
use sendready::protocol::domain::Domain;
use sendready::protocol::name::Name;
use sendready::protocol::{dmarc, spf};
use sendready::verify::evidence::stored::{from_stored, to_stored};
use sendready::verify::evidence::{Answer, Denial, Evidence, Found, Question, RecordData, Txt};
use sendready::verify::expectation::{DkimExpectation, DkimKey, Expectation, MxExpectation, SpfExpectation};
use sendready::verify::judge::judge;
use sendready::verify::report::Report;
use sendready::verify::step::Step;
use tokio::runtime::Runtime;

use dns_server::DnsServer;

/// How often the lookups of a check are made, and the check is judged, for the ratio.
const RATIO_ROUNDS: u32 = 200;

const SPF: &str = "v=spf1 ip4:192.0.2.0/24 include:_spf.provider.test include:_spf.example.net mx -all";
const DMARC: &str = "v=DMARC1; p=reject; sp=quarantine; adkim=s; rua=mailto:dmarc@example.test";

fn key() -> PublicKey {
    PublicKey::parse_base64(include_str!("../fixtures/keys/rsa-2048.b64")).unwrap()
}

fn zones() -> String {
    let key = key().to_record_value();
    let (first, second) = key.split_at(250);
    format!(
        r#"$ORIGIN example.test.
@ SOA ns1 hostmaster 1 7200 3600 1209600 300
@ NS ns1
@ TXT "{SPF}"
@ TXT "some-site-verification=0123456789abcdef0123456789abcdef"
@ MX 10 mx1
@ MX 20 mx2
mx1 A 203.0.113.25
mx2 A 203.0.113.26
s1._domainkey TXT "{first}" "{second}"
_dmarc TXT "{DMARC}"
$ORIGIN provider.test.
@ SOA ns1 hostmaster 1 7200 3600 1209600 300
_spf TXT "v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/25 ip6:2001:db8::/32 ~all"
$ORIGIN example.net.
@ SOA ns1 hostmaster 1 7200 3600 1209600 300
_spf TXT "v=spf1 a:out.example.net ip4:203.0.113.128/25 -all"
out A 198.51.100.7
"#
    )
}

fn expectation() -> Expectation {
    let name = |text: &str| Name::parse(text).unwrap();
    Expectation {
        spf: SpfExpectation {
            includes: vec![name("_spf.provider.test"), name("_spf.example.net")],
            addresses: vec!["192.0.2.10".parse().unwrap()],
        },
        dkim: vec![DkimExpectation { selector: name("s1"), key: DkimKey::Key(key()) }],
        mx: [("mx1.example.test", 10), ("mx2.example.test", 20)]
            .map(|(host, preference)| MxExpectation { host: name(host), preference })
            .to_vec(),
        ..Expectation::soundness_of(Domain::parse("example.test").unwrap())
    }
}

/// The check, made once over text.
fn checked(runtime: &Runtime) -> Checked<Report> {
    let zones: ZoneText = zones().parse().unwrap();
    let limits = Limits::within(Duration::from_secs(10));
    let expectation = expectation();
    let checked = runtime.block_on(check(&zones, &limits, |evidence| judge(&expectation, evidence))).unwrap();
    assert!(checked.judgement.is_all_valid(), "{:#?}", checked.judgement);
    checked
}

fn parsing(criterion: &mut Criterion) {
    let key = key().to_record_value();
    let mut group = criterion.benchmark_group("parse");
    group.bench_function("spf", |bencher| bencher.iter(|| spf::parse(black_box(SPF.as_bytes())).unwrap()));
    group.bench_function("dkim", |bencher| bencher.iter(|| KeyRecord::parse(black_box(key.as_bytes())).unwrap()));
    group.bench_function("dmarc", |bencher| bencher.iter(|| dmarc::parse(black_box(DMARC.as_bytes())).unwrap()));
    group.finish();
}

fn judging(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let evidence = checked(&runtime).evidence;
    let stored = to_stored(&evidence).body;
    let expectation = expectation();
    let mut group = criterion.benchmark_group("judge");
    group.bench_function("complete", |bencher| bencher.iter(|| judge(&expectation, black_box(&evidence))));
    group.bench_function("read from the store", |bencher| bencher.iter(|| from_stored(black_box(&stored)).unwrap()));
    group.bench_function("every round of a check", |bencher| bencher.iter(|| every_round(&expectation, &evidence)));
    group.finish();
}

/// Judges as a check does: from nothing, again after each round of answers.
fn every_round(expectation: &Expectation, answers: &Evidence) -> Report {
    let mut evidence = Evidence::new();
    loop {
        match judge(expectation, black_box(&evidence)) {
            Step::Done(report) => return report,
            Step::Confirm(questions) => evidence.confirm(questions),
            Step::Need(questions) => {
                for question in questions {
                    let answer = answers.ask(&question).expect("an answer").clone();
                    evidence.tell(question, answer);
                }
            }
        }
    }
}

/// The last round of checks whose evidence is as large as it may be: what a stranger can make a worker busy with.
fn hostile(criterion: &mut Criterion) {
    let long = |start: &str, more: &str| format!("{start}{}", more.repeat((58_000 - start.len()) / more.len()));
    let networks = long("v=spf1", " ip6:::");
    let includes = |count: usize| format!("v=spf1{}", " include:big.test".repeat(count));
    let mut group = criterion.benchmark_group("hostile");
    group.sample_size(10);
    for (what, record, big) in [
        ("58 KB of networks", networks.clone(), ""),
        ("58 KB of bad terms", long("v=spf1", " x"), ""),
        ("58 KB of macros", long("v=spf1 exists:", "%{i}"), ""),
        ("ten includes of 58 KB", includes(10), networks.as_str()),
        ("sixty includes of 58 KB", includes(60), networks.as_str()),
    ] {
        let evidence = evidence_of(&record, big);
        let expectation = expectation();
        group.bench_function(what, |bencher| bencher.iter(|| judge(&expectation, black_box(&evidence))));
    }
    group.finish();
}

/// Everything that a check of a domain with this SPF record asks; `big` is the text at `big.test`, and that is all there is.
fn evidence_of(record: &str, big: &str) -> Evidence {
    let expectation = expectation();
    let found = |text: &str| {
        Answer::Found(Found {
            records: vec![RecordData::Txt(Txt::of(text))],
            ttl_seconds: 60,
            aliases: Vec::new(),
            authentic: false,
        })
    };
    let mut evidence = Evidence::new();
    loop {
        match judge(&expectation, &evidence) {
            Step::Done(_) => return evidence,
            Step::Confirm(questions) => evidence.confirm(questions),
            Step::Need(questions) => {
                for question in questions {
                    let answer = match question.to_string().as_str() {
                        "example.test TXT" => found(record),
                        "big.test TXT" => found(big),
                        _ => Answer::NoSuchName(Denial::default()),
                    };
                    evidence.tell(question, answer);
                }
            }
        }
    }
}

/// All judging of a check against all its lookups, over real packets on loopback: the cheapest lookups that there can be.
///
/// # Panics
///
/// When judging takes a quarter of the lookups' time or more.
fn ratio(_: &mut Criterion) {
    // Listing benches, or trying whether they run, measures nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = Runtime::new().unwrap();
    let Checked { evidence, question_count, round_count, .. } = checked(&runtime);
    let expectation = expectation();
    let server = DnsServer::zones(&zones());
    let settings = Settings {
        servers: vec![server.address()],
        timeout: Duration::from_secs(5),
        in_flight_max: 128,
        authoritative_port: 53,
        allow_private_servers: false,
    };
    let hickory = Hickory::new(settings);
    let judge_alone = |evidence: &Evidence| judge(&expectation, evidence);
    // Everything: lookups at once where the judge wants several at once, and the judging between them.
    let whole = mean(|| {
        let limits = Limits::within(Duration::from_secs(10));
        let checked = runtime.block_on(check(&hickory, &limits, judge_alone)).unwrap();
        assert!(checked.judgement.is_all_valid());
    });
    let questions: Vec<&Question> = evidence.iter().map(|(question, _)| question).collect();
    let one_by_one = mean(|| {
        for question in &questions {
            let replies = runtime.block_on(sendready::dns::Resolver::ask(&hickory, question));
            assert!(replies.iter().all(|reply| reply.answer.is_definite()));
        }
    });
    let rounds = mean(|| drop(black_box(every_round(&expectation, &evidence))));
    let once = mean(|| drop(black_box(judge(&expectation, &evidence))));
    let lookups = whole.saturating_sub(rounds);
    let share = rounds.as_secs_f64() / lookups.as_secs_f64();
    println!("a check of {question_count} questions in {round_count} rounds: {whole:?}");
    println!("its lookups alone, as a check makes them: {lookups:?}; one after the other: {one_by_one:?}");
    println!("its judging, all rounds: {rounds:?}; the last round alone, as for a stored check: {once:?}");
    println!("judging to lookups: {share:.3}");
    assert!(share < 0.25, "judging takes {share:.3} of what its lookups take");
}

fn mean(mut work: impl FnMut()) -> Duration {
    (0..RATIO_ROUNDS / 10).for_each(|_| work());
    let start = Instant::now();
    (0..RATIO_ROUNDS).for_each(|_| work());
    start.elapsed() / RATIO_ROUNDS
}

criterion_group!(benches, parsing, judging, hostile, ratio);
criterion_main!(benches);
