//! Every outcome of the contract, out of what servers really send.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::DNSClass;
use hickory_resolver::proto::rr::RecordType::TXT;
use sendready::dns::Resolver;
use sendready::dns::hickory::Hickory;
use sendready::verify::evidence::{Question, RecordData, RecordType, Txt};

use crate::dns_server::{TIMEOUT, ask, name, patient, question, settings, text};
use crate::support::dns_server::{DnsServer, Row, Scripted};
use crate::support::shown::shown;

/// The name that every case asks for. Letters enough that 0x20 changes it.
const NAME: &str = "a-name-with-many-letters.example.test";

fn soa(minimum_seconds: u32) -> RecordData {
    RecordData::Soa { primary: name("ns.example.test"), serial: 1, minimum_seconds }
}

fn alias(target: &str) -> RecordData {
    RecordData::Cname(name(target))
}

/// A message, and what is bent in it before it is sent.
fn bent(scripted: Scripted, bend: impl FnOnce(&mut Message)) -> Scripted {
    let Scripted::Message(mut message) = scripted else { panic!("only a message can be bent") };
    bend(&mut message);
    Scripted::Message(message)
}

fn code(scripted: Scripted, code: ResponseCode) -> Scripted {
    bent(scripted, |message| message.metadata.response_code = code)
}

fn good() -> Scripted {
    Scripted::records(&[(NAME, 60, text("good"))], &[])
}

fn either(udp: Scripted, tcp: Scripted) -> Scripted {
    Scripted::Either(Box::new(udp), Box::new(tcp))
}

/// Twelve octets and no more: what many servers send that will not or cannot.
fn just_a_header(code: u8) -> Scripted {
    Scripted::Octets([&[0x81, code][..], &[0; 8]].concat())
}

/// Says TC, and is cut in the middle of its first record.
fn cut_in_a_record() -> Scripted {
    Scripted::Octets([&[0x83, 0x80, 0, 0, 0, 1, 0, 0, 0, 0][..], b"\x07example\x04te"].concat())
}

fn later() -> Scripted {
    good().after(TIMEOUT * 3)
}

/// `0.test` → `1.test` → … in one message, from `NAME` on.
fn chain(length: usize) -> Scripted {
    let names: Vec<String> =
        std::iter::once(NAME.to_owned()).chain((1..=length).map(|n| format!("{n}.test"))).collect();
    let mut rows: Vec<Row<'_>> = names.windows(2).map(|pair| (pair[0].as_str(), 60, alias(&pair[1]))).collect();
    rows.push((names.last().unwrap(), 60, text("end")));
    Scripted::records(&rows, &[])
}

fn many(count: usize) -> Scripted {
    let rows: Vec<Row<'_>> = (0..count).map(|n| (NAME, 60, text(&n.to_string()))).collect();
    Scripted::records(&rows, &[])
}

async fn check(why: &str, scripted: Scripted, expected: &str) {
    let server = DnsServer::script(move |_| scripted.clone());
    let found = ask(&Hickory::new(settings(&[&server])), NAME).await;
    assert_eq!(found, [expected], "{why}");
}

fn of(answers: &[Row<'_>], authorities: &[Row<'_>]) -> Scripted {
    Scripted::records(answers, authorities)
}

#[tokio::test]
async fn answers_and_denials() {
    let octets = RecordData::Txt(Txt { strings: vec![b"\xff\x00".to_vec(), Vec::new(), b"b".to_vec()] });
    let foreign = bent(of(&[(NAME, 60, text("bad")), (NAME, 60, text("good"))], &[]), |message| {
        message.answers[0].dns_class = DNSClass::CH;
    });
    let not_recursing = |scripted| bent(scripted, |message| message.metadata.recursion_available = false);
    let own = |minimum| [("example.test", 300, soa(minimum))];
    let dangling = of(&[(NAME, 60, alias("gone.test"))], &[("test", 30, soa(60))]);
    let cases = [
        check("raw octets", of(&[(NAME, 7, octets)], &[]), "found 7s [\\xff\\x00||b]"),
        check("the least TTL", of(&[(NAME, 9, text("a")), (NAME, 8, text("b"))], &[]), "found 8s [a] [b]"),
        check("a TTL with the top bit, RFC 2181 §8", of(&[(NAME, 1 << 31, text("a"))], &[]), "found 0s [a]"),
        check("a record twice, RFC 2181 §5", of(&[(NAME, 9, text("a")), (NAME, 9, text("a"))], &[]), "found 9s [a]"),
        check(
            "other types",
            of(&[(NAME, 1, RecordData::A(Ipv4Addr::LOCALHOST)), (NAME, 60, text("good"))], &[]),
            "found 60s [good]",
        ),
        check("other names", of(&[("x.test", 1, text("bad")), (NAME, 60, text("good"))], &[]), "found 60s [good]"),
        check("another class", foreign, "found 60s [good]"),
        check("NODATA, its MINIMUM", of(&[], &own(60)), "nodata by example.test 60s"),
        check("NODATA, its TTL", of(&[], &own(900)), "nodata by example.test 300s"),
        check("NODATA without SOA", of(&[], &[]), "nodata"),
        check(
            "NODATA with NS and SOA, RFC 2308 §2.2",
            of(&[], &[("example.test", 9, RecordData::Ns(name("ns.test"))), ("example.test", 9, soa(9))]),
            "nodata by example.test 9s",
        ),
        check("a SOA of elsewhere", of(&[], &[("other.test", 9, soa(9))]), "nodata"),
        check("NXDOMAIN", code(of(&[], &own(60)), ResponseCode::NXDomain), "nxdomain by example.test 60s"),
        check("NXDOMAIN without SOA", code(of(&[], &[]), ResponseCode::NXDomain), "nxdomain"),
        check(
            "a chain that dangles, RFC 6604 §3",
            code(dangling.clone(), ResponseCode::NXDomain),
            "nxdomain ->gone.test by test 30s",
        ),
        check("a chain to no such type", dangling, "nodata ->gone.test by test 30s"),
        check("neither knows nor recurses", not_recursing(of(&[], &[])), "lame"),
        check("a referral", of(&[], &[("example.test", 9, RecordData::Ns(name("ns.test")))]), "lame"),
        check("knows, though it does not recurse", not_recursing(of(&[], &own(60))), "nodata by example.test 60s"),
    ];
    join_all(cases.map(|case| Box::pin(case) as std::pin::Pin<Box<dyn Future<Output = ()>>>)).await;
}

#[tokio::test]
async fn failures() {
    let other = Query::query(hickory_resolver::proto::rr::Name::from_ascii("other.test.").unwrap(), TXT);
    let other = bent(good(), |message| message.queries = vec![other]);
    let elsewhere = of(&[("elsewhere.test", 60, text("bad"))], &[]);
    let two = of(&[(NAME, 60, alias("a.test")), (NAME, 60, alias("b.test")), ("a.test", 60, text("a"))], &[]);
    let round = of(&[(NAME, 60, alias("a.test")), ("a.test", 60, alias(NAME))], &[]);
    let cases = [
        check("SERVFAIL", Scripted::code(ResponseCode::ServFail), "servfail"),
        check("FORMERR", Scripted::code(ResponseCode::FormErr), "servfail"),
        check("NOTIMP", Scripted::code(ResponseCode::NotImp), "servfail"),
        check("a code of no meaning here", Scripted::code(ResponseCode::YXDomain), "servfail"),
        check("REFUSED", Scripted::code(ResponseCode::Refused), "refused"),
        check("NOTAUTH", Scripted::code(ResponseCode::NotAuth), "lame"),
        check("bogus, RFC 8914 §4.7", Scripted::extended_error(6), "bogus"),
        check("no DNSKEY, RFC 8914 §4.10", Scripted::extended_error(9), "bogus"),
        check("NSEC missing, RFC 8914 §4.13", Scripted::extended_error(12), "bogus"),
        check("indeterminate is not bogus", Scripted::extended_error(5), "servfail"),
        check("no reachable authority", Scripted::extended_error(22), "servfail"),
        check("bogus, but answered", code(Scripted::extended_error(6), ResponseCode::NXDomain), "nxdomain"),
        check("silence", Scripted::Drop, "timeout"),
        check("too late", later(), "timeout"),
        check("late, in time", good().after(TIMEOUT / 4), "found 60s [good]"),
        check("a wrong id is not ours", either(Scripted::WrongId(Box::new(good())), Scripted::Drop), "timeout"),
        check("rubbish", Scripted::Octets(vec![0x81, 0x80, 0, 1, 0xff]), "malformed"),
        check("a question instead of an answer", Scripted::Octets([&[1, 0, 0, 0][..], &[0; 6]].concat()), "malformed"),
        check("an answer without the name", elsewhere, "malformed"),
        check("two targets, RFC 2181 §10.1", two, "malformed"),
        check("a chain that goes round", round, "malformed"),
        check("the name itself", of(&[(NAME, 60, alias(NAME))], &[]), "malformed"),
        check("another question's answer is not ours", either(other.clone(), Scripted::Drop), "timeout"),
        check("just a header that says REFUSED", just_a_header(5), "refused"),
        check("just a header that says FORMERR", just_a_header(1), "servfail"),
        check("just a header that says SERVFAIL", just_a_header(2), "servfail"),
        check("just a header that says NOTAUTH", just_a_header(9), "lame"),
        check("a denial needs its question", just_a_header(3), "malformed"),
        check("so does an empty answer", just_a_header(0), "malformed"),
        check("another question's answer over TCP", Scripted::TcThen(Box::new(other)), "malformed"),
    ];
    join_all(cases.map(|case| Box::pin(case) as std::pin::Pin<Box<dyn Future<Output = ()>>>)).await;
}

#[tokio::test]
async fn what_does_not_fit_comes_over_tcp() {
    let long = |octets| of(&[(NAME, 60, text(&"x".repeat(octets)))], &[]);
    let found = |octets: usize| {
        let strings: Vec<String> =
            "x".repeat(octets).as_bytes().chunks(255).map(|chunk| "x".repeat(chunk.len())).collect();
        format!("found 60s [{}]", strings.join("|"))
    };
    let tc = |then| Scripted::TcThen(Box::new(then));
    let twice = bent(good(), |message| message.metadata.truncation = true);
    let lower = |then| Scripted::LowerCase(Box::new(then));
    let (kilo, most) = (found(4_000), found(64_900));
    let cases = [
        check("TC, then TCP", tc(good()), "found 60s [good]"),
        check("TC, and TCP is closed", tc(Scripted::Drop), "truncated"),
        check("TC, and TCP is slow", tc(later()), "truncated"),
        check("TC over TCP", twice, "truncated"),
        check("a text beyond 1232 octets", long(4_000), &kilo),
        check("a text of nearly 64 KiB", long(64_900), &most),
        check("0x20: another case over UDP, right over TCP", lower(good()), "found 60s [good]"),
        check("0x20: TCP is closed", either(lower(good()), Scripted::Drop), "malformed"),
        check("cut in a record, whole over TCP", either(cut_in_a_record(), good()), "found 60s [good]"),
        check("cut in a record, and TCP is closed", either(cut_in_a_record(), Scripted::Drop), "truncated"),
        check("rubbish over UDP only", either(Scripted::Octets(vec![0x81, 0xff]), good()), "found 60s [good]"),
        check("a path that loses datagrams", either(Scripted::Drop, good()), "found 60s [good]"),
        check("records too many, RFC 2181 §9", many(1_001), "truncated"),
    ];
    join_all(cases.map(|case| Box::pin(case) as std::pin::Pin<Box<dyn Future<Output = ()>>>)).await;
    let server = DnsServer::script(|_| many(1_000));
    let replies = Hickory::new(settings(&[&server])).ask(&question(NAME, RecordType::Txt)).await;
    assert_eq!(replies[0].answer.records().len(), 1_000, "as many as may be");
}

#[tokio::test]
async fn what_a_header_says_is_believed_at_once() {
    let server = DnsServer::script(|_| just_a_header(5));
    assert_eq!(ask(&Hickory::new(patient(&[&server])), NAME).await, ["refused"]);
    assert_eq!(server.asked().len(), 1, "neither sent again nor asked over TCP");
}

#[tokio::test]
async fn tcp_is_tried_once_after_silence() {
    let server = DnsServer::script(|_| Scripted::Drop);
    assert_eq!(ask(&Hickory::new(settings(&[&server])), NAME).await, ["timeout"]);
    assert_eq!(server.asked().iter().filter(|asked| asked.over_tcp).count(), 1);
}

#[tokio::test]
async fn a_datagram_that_comes_late_still_counts() {
    let late = || good().after(TIMEOUT * 5 / 6);
    check("while TCP is being tried", either(late(), Scripted::Drop), "found 60s [good]").await;
}

#[tokio::test]
async fn servers_are_asked_over_ipv6_too() {
    let Some(server) = DnsServer::on_ipv6(|_| good()) else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    assert_eq!(ask(&Hickory::new(settings(&[&server])), NAME).await, ["found 60s [good]"]);
}

#[tokio::test]
async fn chains_are_followed_by_us() {
    let arrows = |length| (1..=length).map(|n| format!(" ->{n}.test")).collect::<String>();
    check("the longest, in one message", chain(8), &format!("found{} 60s [end]", arrows(8))).await;
    check("too long, in one message", chain(9), "malformed").await;

    let parts = DnsServer::script(|question| match question.name.to_string().as_str() {
        "a.test" => {
            of(&[("a.test", 50, alias("b.test")), ("b.test", 60, alias("c.test"))], &[("test", 5, soa(5))][..0])
        }
        "c.test" => of(&[("c.test", 70, alias("d.test"))], &[]),
        "d.test" => of(&[("d.test", 90, text("end"))], &[]),
        "round.test" => of(&[("round.test", 1, alias("again.test"))], &[]),
        "again.test" => of(&[("again.test", 1, alias("round.test"))], &[]),
        other => {
            let (number, rest) = other.split_once('.').unwrap();
            let next = format!("{}.{rest}", number.parse::<usize>().unwrap() + 1);
            of(&[(other, 1, alias(&next))], &[])
        }
    });
    let hickory = Hickory::new(patient(&[&parts]));
    assert_eq!(ask(&hickory, "a.test").await, ["found ->b.test ->c.test ->d.test 50s [end]"]);
    assert_eq!(parts.asked().len(), 3, "only the end of each part is asked again");
    assert_eq!(ask(&hickory, "round.test").await, ["malformed"]);
    assert_eq!(parts.asked().len(), 5);
    assert_eq!(ask(&hickory, "0.chain.test").await, ["malformed"]);
    assert_eq!(parts.asked().len(), 5 + 9, "the ninth alias is one too many");
    let replies = hickory.ask(&question("a.test", RecordType::Cname)).await;
    assert_eq!(shown(&replies[0].answer), "found 50s b.test", "an alias asked for by itself");
}

#[tokio::test]
async fn a_server_from_before_edns_is_asked_without() {
    let count = AtomicUsize::new(0);
    let server = DnsServer::script(move |_: &Question| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Scripted::code(ResponseCode::FormErr),
        _ => good(),
    });
    assert_eq!(ask(&Hickory::new(patient(&[&server])), NAME).await, ["found 60s [good]"]);
    assert_eq!(server.asked().iter().map(|asked| asked.payload).collect::<Vec<_>>(), [Some(1_232), None]);
}

#[tokio::test]
async fn faults_of_zone_text_become_packets() {
    let words = ["servfail", "refused", "timeout", "truncated", "malformed", "lame", "bogus"];
    let zones: String = words.iter().map(|word| format!(";@ {word} {word}.test. *\n")).collect();
    let server = DnsServer::zones(&zones);
    let hickory = Hickory::new(settings(&[&server]));
    for word in words {
        assert_eq!(ask(&hickory, &format!("{word}.test")).await, [word]);
    }
}
