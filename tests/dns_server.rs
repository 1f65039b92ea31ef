//! The adapter against a server that refuses, delays and lies; all over real packets on loopback.

mod outcomes;
mod real;

use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use sendready::dns::hickory::Hickory;
use sendready::dns::{Resolver, Settings};
use sendready::protocol::name::Name;
use sendready::verify::evidence::{Question, RecordData, RecordType, Told, Txt};

use crate::support::dns_server::{DnsServer, Scripted};
use crate::support::shown::shown;

/// How long a server has here. Longer than loopback needs on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(1);

fn settings(servers: &[&DnsServer]) -> Settings {
    let servers = servers.iter().map(|server| server.address()).collect();
    Settings { servers, timeout: TIMEOUT, in_flight_max: 128, authoritative_port: 53, allow_private_servers: false }
}

/// Where packets are counted: so long that none is sent twice, however busy the machine.
fn patient(servers: &[&DnsServer]) -> Settings {
    Settings { timeout: Duration::from_secs(30), ..settings(servers) }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn question(text: &str, record_type: RecordType) -> Question {
    Question::new(name(text), record_type)
}

fn text(text: &str) -> RecordData {
    RecordData::Txt(Txt::of(text))
}

/// A found text, as a script.
fn says(answer: &str) -> impl Fn(&Question) -> Scripted + Send + Sync + 'static {
    let data = text(answer);
    move |question| Scripted::records(&[(&question.name.to_string(), 60, data.clone())], &[])
}

/// Every reply to a question for text, in order.
async fn ask(hickory: &Hickory, asked: &str) -> Vec<String> {
    let replies = hickory.ask(&question(asked, RecordType::Txt)).await;
    replies.iter().map(|reply| shown(&reply.answer)).collect()
}

#[tokio::test]
async fn a_failure_goes_to_the_next_server_and_is_kept() {
    let broken = DnsServer::script(|_| Scripted::extended_error(22));
    let silent = DnsServer::script(|_| Scripted::Drop);
    let good = DnsServer::script(says("good"));
    let never = DnsServer::script(says("never"));
    let hickory = Hickory::new(settings(&[&broken, &silent, &good, &never]));
    let replies = hickory.ask(&question("example.test", RecordType::Txt)).await;
    let found: Vec<_> = replies.iter().map(|reply| (reply.server.unwrap(), shown(&reply.answer))).collect();
    let expected =
        [(broken.address(), "servfail"), (silent.address(), "timeout"), (good.address(), "found 60s [good]")];
    assert_eq!(found, expected.map(|(server, answer)| (server, answer.to_owned())));
    assert_eq!(never.asked(), [], "a word was had");
}

#[tokio::test]
async fn a_silent_server_is_left_out_while_another_is_there() {
    let silent = DnsServer::script(|_| Scripted::Drop);
    let good = DnsServer::script(says("good"));
    let hickory = Hickory::new(Settings { timeout: Duration::from_millis(500), ..settings(&[&silent, &good]) });
    assert_eq!(ask(&hickory, "a.test").await, ["timeout", "found 60s [good]"]);
    assert_eq!(ask(&hickory, "b.test").await, ["timeout", "found 60s [good]"]);
    assert_eq!(ask(&hickory, "c.test").await, ["found 60s [good]"]);
    let alone = Hickory::new(Settings { timeout: Duration::from_millis(500), ..settings(&[&silent]) });
    for _ in 0..3 {
        assert_eq!(ask(&alone, "a.test").await, ["timeout"], "there is nobody else");
    }
    silent.set_script(says("back"));
    assert_eq!(ask(&alone, "a.test").await, ["found 60s [back]"]);
}

#[tokio::test]
async fn before_a_no_is_believed_one_other_server_is_asked() {
    let denying = DnsServer::script(|_| Scripted::code(ResponseCode::NXDomain));
    let good = DnsServer::script(says("good"));
    let other = DnsServer::script(|_| Scripted::code(ResponseCode::NXDomain));
    let hickory = Hickory::new(patient(&[&denying, &good, &other]));
    assert_eq!(ask(&hickory, "a.test").await, ["nxdomain", "found 60s [good]"]);
    let hickory = Hickory::new(patient(&[&good, &denying]));
    assert_eq!(ask(&hickory, "b.test").await, ["found 60s [good]"], "what is found is believed");
    let broken = DnsServer::script(|_| Scripted::extended_error(22));
    let hickory = Hickory::new(patient(&[&broken, &denying, &other, &good]));
    assert_eq!(ask(&hickory, "c.test").await, ["servfail", "nxdomain", "nxdomain"], "one other, and no more");
    assert_eq!(ask(&Hickory::new(patient(&[&denying])), "d.test").await, ["nxdomain"], "there is nobody else");
    assert!(other.asked().iter().all(|asked| asked.question.name == name("c.test")));
}

#[tokio::test]
async fn a_server_s_reason_is_kept_with_its_failure() {
    let server = DnsServer::script(|_| Scripted::extended_error(7));
    let reply = Hickory::new(settings(&[&server])).ask(&question("a.test", RecordType::Txt)).await.remove(0);
    assert_eq!(reply.extended_error.map(|error| error.to_string()).as_deref(), Some("Signature Expired (code 7)"));
    server.set_script(says("good"));
    let reply = Hickory::new(settings(&[&server])).ask(&question("a.test", RecordType::Txt)).await.remove(0);
    assert_eq!(reply.extended_error, None);
}

#[tokio::test]
async fn an_authority_that_is_silent_is_left_alone_for_a_while() {
    let server = DnsServer::script(|_| Scripted::Drop);
    let hickory = Hickory::new(Settings { timeout: Duration::from_millis(400), ..settings(&[]) });
    let mut outcomes = Vec::new();
    for label in ["a", "b", "c"] {
        match hickory.ask_at(server.address(), &question(&format!("{label}.test"), RecordType::Txt)).await {
            Told::Answer(answer) => outcomes.push(answer.outcome()),
            Told::Referral { .. } => panic!("nobody referred anywhere"),
        }
    }
    assert_eq!(outcomes, ["timeout", "timeout", "unreachable"]);
    assert!(server.asked().iter().all(|asked| asked.question.name != name("c.test")));
}

#[tokio::test]
async fn an_authority_is_asked_a_few_things_at_once_and_no_more() {
    let server = DnsServer::script(|question| says("x")(question).after(Duration::from_millis(50)));
    let hickory = Hickory::new(patient(&[]));
    let questions: Vec<Question> = (0..40).map(|label| question(&format!("n{label}.test"), RecordType::Txt)).collect();
    futures_util::future::join_all(questions.iter().map(|question| hickory.ask_at(server.address(), question))).await;
    assert_eq!(server.asked().len(), 40);
    assert_eq!(server.in_work_most(), 8);
}

#[tokio::test]
async fn no_servers_are_unreachable() {
    assert_eq!(ask(&Hickory::new(settings(&[])), "example.test").await, ["unreachable"]);
}

#[tokio::test]
async fn an_address_without_a_way_is_unreachable() {
    // Nothing can be sent to port 0: the system refuses, as it does where there is no route.
    let server = "127.0.0.1:0".parse().unwrap();
    let hickory = Hickory::new(Settings { servers: vec![server], ..settings(&[]) });
    assert_eq!(ask(&hickory, "example.test").await, ["unreachable"]);
}

#[tokio::test]
async fn questions_are_sent_as_they_should_be() {
    let server = DnsServer::script(says("x"));
    let hickory = Hickory::new(settings(&[&server]));
    for label in 0..8 {
        ask(&hickory, &format!("some-letters-{label}.example.test")).await;
    }
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.recursion_desired && asked.payload == Some(1_232) && !asked.over_tcp));
    assert!(asked.iter().all(|asked| asked.authentic_wanted), "AD says what DO would, in smaller packets");
    // With 23 letters in 8 names, all of them small is one in 2^184.
    assert!(asked.iter().any(|asked| asked.spelled.iter().any(u8::is_ascii_uppercase)), "0x20 is on");
}

#[tokio::test]
async fn what_a_server_vouches_for_is_authentic() {
    let server = DnsServer::zones(
        "$ORIGIN signed.test.\n@ SOA ns h 1 1 1 1 60\n@ TXT x\nalias CNAME plain.test.\n;@ secure signed.test.\n\
         plain.test. SOA ns h 1 1 1 1 60\nplain.test. TXT y\n",
    );
    let hickory = Hickory::new(settings(&[&server]));
    let asked = ["signed.test", "no.signed.test", "alias.signed.test", "plain.test", "no.plain.test"];
    let mut authentic = Vec::new();
    for name in asked {
        let replies = hickory.ask(&question(name, RecordType::Txt)).await;
        assert!(replies[0].answer.is_definite(), "{name}");
        authentic.push(replies[0].answer.is_authentic());
    }
    assert_eq!(authentic, [true, true, false, false, false], "a chain into an unsigned zone proves nothing");
}

#[tokio::test]
async fn names_come_back_folded() {
    // A server compresses names against the question, whose case is random.
    let server = DnsServer::zones(
        "some-letters.example.test. MX 5 mx.some-letters.example.test.\n\
         alias-with-letters.example.test. CNAME some-letters.example.test.",
    );
    let hickory = Hickory::new(settings(&[&server]));
    for _ in 0..4 {
        let replies = hickory.ask(&question("alias-with-letters.example.test", RecordType::Mx)).await;
        let expected = "found ->some-letters.example.test 3600s 5 mx.some-letters.example.test";
        assert_eq!(shown(&replies[0].answer), expected);
    }
}

#[tokio::test]
async fn nothing_is_cached() {
    let server = DnsServer::script(says("one"));
    let hickory = Hickory::new(patient(&[&server]));
    assert_eq!(ask(&hickory, "example.test").await, ["found 60s [one]"]);
    server.set_script(says("two"));
    assert_eq!(ask(&hickory, "example.test").await, ["found 60s [two]"]);
    server.set_zones("example.test. SOA ns h 1 1 1 1 60");
    assert_eq!(ask(&hickory, "no.example.test").await, ["nxdomain by example.test 60s"]);
    assert_eq!(ask(&hickory, "no.example.test").await, ["nxdomain by example.test 60s"]);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn odd_octets_reach_the_wire_unchanged() {
    let server = DnsServer::script(says("odd"));
    let hickory = Hickory::new(settings(&[&server]));
    let odd = Name::from_labels([&b"a:b%"[..], b"\xff\x00 /", b"dot.ted", b"example", b"test"]).unwrap();
    let longest = name(&format!("{0}.{0}.{0}.{1}", "x".repeat(63), "y".repeat(61)));
    for name in [odd, longest] {
        let asked = Question::txt(&name);
        let replies = hickory.ask(&asked).await;
        assert_eq!(server.asked().last().unwrap().question, asked);
        assert_eq!(shown(&replies[0].answer), "found 60s [odd]", "{name}");
    }
}

#[tokio::test]
async fn so_many_are_asked_at_once_and_no_more() {
    let server = DnsServer::script(|question| says("x")(question).after(Duration::from_millis(50)));
    let hickory = Hickory::new(Settings { in_flight_max: 4, ..patient(&[&server]) });
    let names: Vec<String> = (0..40).map(|label| format!("n{label}.test")).collect();
    let answers = futures_util::future::join_all(names.iter().map(|name| ask(&hickory, name))).await;
    assert!(
        answers.iter().all(|answer| answer[0] == "found 60s [x]"),
        "waiting for a turn is no time-out: {answers:?}"
    );
    assert_eq!(server.in_work_most(), 4);
}

#[tokio::test]
async fn time_is_up_for_all_steps_together() {
    // Every step alone is in time; all together are not.
    let server = DnsServer::script(|question| {
        let target = format!("x.{}", question.name);
        Scripted::records(&[(&question.name.to_string(), 60, RecordData::Cname(name(&target)))], &[])
            .after(Duration::from_millis(300))
    });
    let hickory = Hickory::new(settings(&[&server]));
    let begin = std::time::Instant::now();
    assert_eq!(ask(&hickory, "example.test").await, ["timeout"]);
    assert!(begin.elapsed() < TIMEOUT + Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn rubbish_is_no_answer_and_no_panic() {
    let server = DnsServer::script(|question| Scripted::Octets(rubbish(question)));
    let hickory = Hickory::new(Settings { timeout: Duration::from_millis(500), ..settings(&[&server]) });
    let names: Vec<String> = (0..400).map(|label| format!("n{label}.test")).collect();
    let answers = futures_util::future::join_all(names.iter().map(|name| ask(&hickory, name))).await;
    for (name, answer) in names.iter().zip(answers) {
        assert!(["malformed", "timeout"].contains(&answer[0].as_str()), "{name}: {answer:?}");
    }
    server.set_script(says("well again"));
    assert_eq!(ask(&hickory, "example.test").await, ["found 60s [well again]"]);
}

/// Up to 300 octets that look a little like an answer; equal for equal names.
fn rubbish(question: &Question) -> Vec<u8> {
    let mut state =
        question.name.to_string().bytes().fold(1_u32, |state, octet| state * 31 % 65_521 + u32::from(octet));
    let mut octet = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let length = usize::from(octet()) + 40;
    let mut octets = vec![0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    octets.extend((0..length).map(|_| octet()));
    octets
}
