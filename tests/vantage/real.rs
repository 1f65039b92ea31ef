//! Stale, broken and divided: what is published counts, and what nobody can tell changes nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use sendready::dns::hickory::Hickory;
use sendready::dns::zone_text::ZoneText;
use sendready::dns::{Resolver, Settings};
use sendready::verify::evidence::{Answer, Failure};
use sendready::verify::purpose::Purpose;

use crate::support::dns_server::{DnsServer, Scripted};
use crate::support::knot::Knot;
use crate::support::unbound::Unbound;
use crate::support::vantages::{KEY, NAME, SECOND, ZONE, dkim_question, report, resolver, shown, with_key, world};

/// How long a server is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Two servers of one zone, each with its text.
fn two(first: &str, second: &str) -> (Knot, Knot) {
    let first = Knot::start(&[(NAME, first)]);
    let address = SocketAddr::from((SECOND, first.address.port()));
    (first, Knot::start_at(address, &[(NAME, second)]))
}

#[tokio::test]
async fn a_record_is_seen_while_unbound_still_denies_it() {
    let (first, second) = two(ZONE, ZONE);
    let unbound = Unbound::start(&[NAME], first.address);
    let resolver = resolver(&[unbound.address], first.address.port(), PATIENCE);
    assert_eq!(shown(&report(&resolver).await), "missing 0/2");
    for knot in [&first, &second] {
        knot.edit(NAME, &[&["zone-set", "s1._domainkey", "60", "TXT", KEY]]);
    }
    let report = report(&resolver).await;
    assert_eq!(shown(&report), "valid 2/2");
    assert!(report.is_all_valid(), "{report:#?}");
    let dkim = report.records.iter().find(|record| record.purpose == Purpose::Dkim).unwrap();
    let within = dkim.propagation.as_ref().unwrap().visible_within_seconds.unwrap();
    assert!((1..=300).contains(&within), "{within}");
    assert!(!resolver.ask(&dkim_question()).await[0].answer.records().iter().any(|_| true), "unbound denies it still");
}

#[tokio::test]
async fn servers_that_disagree_give_no_word() {
    let (first, second) = two(&with_key(ZONE), ZONE);
    // What caches hold came from the server that has nothing.
    let unbound = Unbound::start(&[NAME], second.address);
    let resolver = resolver(&[unbound.address], first.address.port(), PATIENCE);
    assert_eq!(shown(&report(&resolver).await), "unknown 1/2 propagation.partial");
}

#[tokio::test]
async fn a_failing_resolver_is_never_overruled() {
    let (first, _second) = two(&with_key(ZONE), &with_key(ZONE));
    let world = world(&with_key(ZONE));
    let broken = DnsServer::script(move |question| match *question == dkim_question() {
        true => Scripted::code(ResponseCode::ServFail),
        false => Scripted::Answer(world.answer(question)),
    });
    let resolver = resolver(&[broken.address()], first.address.port(), PATIENCE);
    assert_eq!(shown(&report(&resolver).await), "unknown 2/2");
}

#[tokio::test]
async fn an_answer_that_only_dnssec_forbids_is_bogus() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let denied = Scripted::code(ResponseCode::NXDomain);
    let server = DnsServer::script(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Scripted::code(ResponseCode::ServFail),
        _ => denied.clone(),
    });
    let replies = resolver(&[server.address()], 53, PATIENCE).ask(&dkim_question()).await;
    assert_eq!(replies[0].answer, Answer::Unknown(Failure::Bogus));
    assert_eq!(server.asked().len(), 2);
}

/// Every name of the domain is denied, its NS too; only the zone above leads to its servers.
#[tokio::test]
async fn a_broken_resolver_demotes_nobody_while_the_servers_are_right() {
    let above = "@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\nexample NS ns2.example\nns2.example A 127.0.0.2\n";
    let parent = Knot::start(&[("test", above)]);
    let own = with_key(ZONE).replace("@ NS ns1\n", "");
    let _own = Knot::start_at(SocketAddr::from((SECOND, parent.address.port())), &[(NAME, &own)]);
    let world: ZoneText = "$ORIGIN test.\n@ SOA ns h 1 1 1 1 60\n@ NS ns\nns A 127.0.0.1\n".parse().unwrap();
    let broken = DnsServer::script(move |question| Scripted::Answer(world.answer(question)));
    let resolver = resolver(&[broken.address()], parent.address.port(), PATIENCE);
    let report = report(&resolver).await;
    // The address of the MX host is of documentation: sound, with a warning.
    assert!(report.is_all_valid(), "{report:#?}");
    assert_eq!(shown(&report), "valid 1/1");
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
