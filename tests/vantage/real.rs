//! Stale, broken and divided: what is published counts, and what nobody can tell changes nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use sendready::checker::{self, Limits};
use sendready::dns::hickory::Hickory;
use sendready::dns::zone_text::ZoneText;
use sendready::dns::{Resolver, Settings};
use sendready::protocol::domain::Domain;
use sendready::protocol::name::Name;
use sendready::verify::evidence::{Answer, Failure, Question, RecordType};
use sendready::verify::expectation::{DkimExpectation, DkimKey, Expectation};
use sendready::verify::judge::judge;
use sendready::verify::purpose::Purpose;
use sendready::verify::report::Report;

use crate::support::dns_server::{DnsServer, Scripted};
use crate::support::knot::Knot;
use crate::support::unbound::Unbound;

const NAME: &str = "example.test";
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// All but the DKIM key; a "no" is kept for five minutes.
const ZONE: &str = "\
@ SOA ns1 hostmaster 1 3600 600 86400 300
@ NS ns1
@ NS ns2
ns1 A 127.0.0.1
ns2 A 127.0.0.2
@ TXT \"v=spf1 ip4:198.51.100.1 -all\"
_dmarc TXT \"v=DMARC1; p=reject\"
@ MX 10 mx
mx A 192.0.2.25
";

fn key() -> &'static str {
    concat!("\"v=DKIM1; k=ed25519; p=", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"")
}

fn with_key() -> String {
    format!("{ZONE}s1._domainkey TXT {}\n", key())
}

/// Two servers of one zone, each with its text.
fn two(first: &str, second: &str) -> (Knot, Knot) {
    let first = Knot::start(&[(NAME, first)]);
    let address = SocketAddr::from((SECOND, first.address.port()));
    (first, Knot::start_at(address, &[(NAME, second)]))
}

fn resolver(recursive: SocketAddr, authoritative_port: u16) -> Hickory {
    Hickory::new(Settings {
        servers: vec![recursive],
        timeout: Duration::from_secs(2),
        in_flight_max: 128,
        authoritative_port,
        allow_private_servers: true,
    })
}

async fn report(resolver: &Hickory) -> Report {
    let selector = Name::parse("s1").unwrap();
    let expectation = Expectation {
        dkim: vec![DkimExpectation { selector, key: DkimKey::Any }],
        ..Expectation::soundness_of(Domain::parse(NAME).unwrap())
    };
    let limits = Limits::within(Duration::from_secs(40));
    checker::check(resolver, &limits, |evidence| judge(&expectation, evidence)).await.unwrap().judgement
}

/// DKIM in a line: verdict, on how many servers, visible or not, findings about servers.
fn shown(report: &Report) -> String {
    let record = report.records.iter().find(|record| record.purpose == Purpose::Dkim).unwrap();
    let propagation = record.propagation.as_ref().unwrap();
    let published = propagation.published.map_or("-".to_owned(), |one| format!("{}/{}", one.count, one.of));
    let visible = if propagation.visible { "visible" } else { "not visible" };
    let mut text = format!("{} {published} {visible}", record.verdict);
    for code in record.findings.iter().map(|finding| finding.code()) {
        if code.starts_with("propagation.") || code.starts_with("delegation.") {
            text += &format!(" {code}");
        }
    }
    text
}

fn dkim_question() -> Question {
    Question::new(Name::parse("s1._domainkey.example.test").unwrap(), RecordType::Txt)
}

#[tokio::test]
async fn a_record_is_seen_while_unbound_still_denies_it() {
    let (first, second) = two(ZONE, ZONE);
    let unbound = Unbound::start(&[NAME], first.address);
    let resolver = resolver(unbound.address, first.address.port());
    assert_eq!(shown(&report(&resolver).await), "missing 0/2 not visible");
    for knot in [&first, &second] {
        knot.edit(NAME, &[&["zone-set", "s1._domainkey", "60", "TXT", key()]]);
    }
    let report = report(&resolver).await;
    assert_eq!(shown(&report), "valid 2/2 not visible");
    assert!(report.is_all_valid(), "{report:#?}");
    let dkim = report.records.iter().find(|record| record.purpose == Purpose::Dkim).unwrap();
    let within = dkim.propagation.as_ref().unwrap().visible_within_seconds.unwrap();
    assert!((1..=300).contains(&within), "{within}");
    assert!(!resolver.ask(&dkim_question()).await[0].answer.records().iter().any(|_| true), "unbound denies it still");
}

#[tokio::test]
async fn servers_that_disagree_give_no_word() {
    let (first, second) = two(&with_key(), ZONE);
    // What caches hold came from the server that has nothing.
    let unbound = Unbound::start(&[NAME], second.address);
    let resolver = resolver(unbound.address, first.address.port());
    assert_eq!(shown(&report(&resolver).await), "unknown 1/2 not visible propagation.partial");
}

#[tokio::test]
async fn a_failing_resolver_is_never_overruled() {
    let (first, _second) = two(&with_key(), &with_key());
    let world: ZoneText = format!("$ORIGIN {NAME}.\n{}", with_key()).parse().unwrap();
    let broken = DnsServer::script(move |question| match *question == dkim_question() {
        true => Scripted::code(ResponseCode::ServFail),
        false => Scripted::Answer(world.answer(question)),
    });
    let resolver = resolver(broken.address(), first.address.port());
    assert_eq!(shown(&report(&resolver).await), "unknown 2/2 not visible");
}

#[tokio::test]
async fn an_answer_that_only_dnssec_forbids_is_bogus() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let denied = Scripted::code(ResponseCode::NXDomain);
    let server = DnsServer::script(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Scripted::code(ResponseCode::ServFail),
        _ => denied.clone(),
    });
    let replies = resolver(server.address(), 53).ask(&dkim_question()).await;
    assert_eq!(replies[0].answer, Answer::Unknown(Failure::Bogus));
    assert_eq!(server.asked().len(), 2);
}

/// Every name of the domain is denied, its NS too; only the zone above leads to its servers.
#[tokio::test]
async fn a_broken_resolver_demotes_nobody_while_the_servers_are_right() {
    let above = "@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\nexample NS ns2.example\nns2.example A 127.0.0.2\n";
    let parent = Knot::start(&[("test", above)]);
    let own = with_key().replace("@ NS ns1\n", "");
    let _own = Knot::start_at(SocketAddr::from((SECOND, parent.address.port())), &[(NAME, &own)]);
    let world: ZoneText = "$ORIGIN test.\n@ SOA ns h 1 1 1 1 60\n@ NS ns\nns A 127.0.0.1\n".parse().unwrap();
    let broken = DnsServer::script(move |question| Scripted::Answer(world.answer(question)));
    let resolver = resolver(broken.address(), parent.address.port());
    let report = report(&resolver).await;
    // The address of the MX host is of documentation: sound, with a warning.
    assert!(report.is_all_valid(), "{report:#?}");
    assert_eq!(shown(&report), "valid 1/1 not visible");
}

#[tokio::test]
async fn private_servers_are_asked_only_where_that_is_allowed() {
    let settings = |allow_private_servers| Settings {
        servers: Vec::new(),
        timeout: Duration::from_secs(1),
        in_flight_max: 1,
        authoritative_port: 5_353,
        allow_private_servers,
    };
    let shown = |allowed: bool, address: &str| {
        let place = Hickory::new(settings(allowed)).authority_at(address.parse::<IpAddr>().unwrap());
        place.map_or("never".to_owned(), |place| place.to_string())
    };
    for address in ["127.0.0.1", "10.0.0.1", "::1", "fd00::1", "169.254.169.254", "::ffff:10.0.0.1"] {
        assert_eq!(shown(false, address), "never", "{address}");
    }
    assert_eq!(shown(true, "127.0.0.1"), "127.0.0.1:5353");
    assert_eq!(shown(false, "8.8.8.8"), "8.8.8.8:5353");
}
