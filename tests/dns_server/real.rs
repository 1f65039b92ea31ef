//! Real servers: knot, and unbound before it.

use sendready::dns::hickory::Hickory;
use sendready::dns::zone_text::ZoneText;
use sendready::dns::{Resolver, Settings};
use sendready::verify::evidence::RecordType;

use crate::dns_server::{ask, question, settings};
use crate::support::knot::Knot;
use crate::support::shown::shown;
use crate::support::unbound::Unbound;

const ZONE: &str = "\
@       SOA ns1 hostmaster ( 1 3600 600 86400
                             30 )
@       NS  ns1
ns1     A   192.0.2.53
@       120 TXT \"v=spf1 -all\" ; a comment
@       TXT \"\\255\\000 \\\"quoted\\\"\" second
@       MX  10 mx
@       MX  20 mx.other.test.
mx      AAAA 2001:db8::1
a.b.c   A   192.0.2.1
null    MX  0 .
alias   45  CNAME @
dangle  CNAME nobody
away    CNAME www.other.test.
*.wild  TXT wildcard
here.wild A 192.0.2.2
odd\\.label TXT odd
;@ servfail nothing-is-played-by-knot TXT
";

const OTHER: &str = "\
@       SOA ns1 hostmaster 1 3600 600 86400 40
@       NS  ns1
ns1     A   192.0.2.54
www     50  A 192.0.2.80
";

fn at(server: std::net::SocketAddr) -> Hickory {
    Hickory::new(Settings { servers: vec![server], ..settings(&[]) })
}

#[tokio::test]
async fn zone_text_answers_as_knot_does() {
    let knot = Knot::start(&[("example.test", ZONE), ("other.test", OTHER)]);
    let hickory = at(knot.address);
    let text = format!("$TTL 60\n$ORIGIN example.test.\n{ZONE}\n$ORIGIN other.test.\n{OTHER}");
    let zones: ZoneText = text.parse().unwrap();
    let names = [
        "example.test",
        "ns1.example.test",
        "mx.example.test",
        "b.c.example.test",
        "c.example.test",
        "a.b.c.example.test",
        "x.a.b.c.example.test",
        "no.example.test",
        "null.example.test",
        "alias.example.test",
        "dangle.example.test",
        "away.example.test",
        "x.wild.example.test",
        "x.y.wild.example.test",
        "wild.example.test",
        "here.wild.example.test",
        "x.here.wild.example.test",
        "odd\\.label.example.test",
        "other.test",
        "www.other.test",
        "EXAMPLE.test",
    ];
    let mut differing = Vec::new();
    for asked in names {
        for record_type in RecordType::ALL {
            let asked = question(asked, record_type);
            let real = shown(&hickory.ask(&asked).await[0].answer);
            let ours = shown(&zones.answer(&asked));
            if real != ours {
                differing.push(format!("{asked}: knot {real}, we {ours}"));
            }
        }
    }
    assert_eq!(differing, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_published_is_seen_when_caches_let_go() {
    let knot = Knot::start(&[("example.test", "@ 300 SOA ns1 h 1 3600 600 86400 300\n@ NS ns1\nns1 A 192.0.2.53\n")]);
    let unbound = Unbound::start(&["example.test"], knot.address);
    let (published, visible) = (at(knot.address), at(unbound.address));
    let key = "s1._domainkey.example.test";
    assert_eq!(ask(&published, key).await, ["nxdomain by example.test 300s"]);
    assert_eq!(ask(&visible, key).await, ["nxdomain by example.test 300s"]);

    knot.edit("example.test", &[&["zone-set", "s1._domainkey", "60", "TXT", "\"v=DKIM1; p=AAAA\""]]);
    assert_eq!(ask(&published, key).await, ["found 60s [v=DKIM1; p=AAAA]"]);
    let kept = ask(&visible, key).await;
    assert!(kept[0].starts_with("nxdomain by example.test "), "the cache keeps its no: {kept:?}");

    unbound.flush("example.test");
    assert_eq!(ask(&visible, key).await, ["found 60s [v=DKIM1; p=AAAA]"]);
    knot.edit("example.test", &[&["zone-unset", "s1._domainkey", "TXT"]]);
    assert_eq!(ask(&published, key).await, ["nxdomain by example.test 300s"]);
}

#[tokio::test]
async fn a_zone_that_does_not_validate_is_bogus() {
    let knot = Knot::start(&[("example.test", ZONE)]);
    let unbound = Unbound::start_distrusting(&["example.test"], knot.address);
    assert_eq!(ask(&at(unbound.address), "example.test").await, ["bogus"]);
}

#[tokio::test]
async fn a_signed_zone_is_authentic_denials_too() {
    let knot = Knot::start_signed(&[("example.test", ZONE)]);
    let unbound = Unbound::start_trusting("example.test", &knot.ds("example.test"), knot.address);
    let resolver = at(unbound.address);
    for (name, outcome) in [("example.test", "found"), ("alias.example.test", "found"), ("no.example.test", "nxdomain")]
    {
        let replies = resolver.ask(&question(name, RecordType::Txt)).await;
        assert_eq!((replies[0].answer.outcome(), replies[0].answer.is_authentic()), (outcome, true), "{name}");
    }
    let replies = at(knot.address).ask(&question("example.test", RecordType::Txt)).await;
    assert!(!replies[0].answer.is_authentic(), "the zone's own server vouches for nothing");
}

#[tokio::test]
async fn a_zone_that_nobody_signed_is_not_authentic() {
    let knot = Knot::start(&[("example.test", ZONE)]);
    let unbound = Unbound::start(&["example.test"], knot.address);
    let replies = at(unbound.address).ask(&question("example.test", RecordType::Ns)).await;
    assert!(replies[0].answer.is_definite() && !replies[0].answer.is_authentic(), "{replies:?}");
}

#[tokio::test]
async fn a_zone_whose_servers_are_gone_is_servfail() {
    let knot = Knot::start(&[("example.test", ZONE)]);
    let unbound = Unbound::start(&["other.test"], knot.address);
    assert_eq!(ask(&at(unbound.address), "www.other.test").await, ["servfail"], "knot refuses what it does not serve");
}
