//! One domain with servers of its own, and what a check through a resolver says of it.
//!
//! ```text
//! let knot = Knot::start(&[(NAME, &with_key(ZONE))]);
//! let resolver = resolver(&[unbound.address], knot.address.port(), Duration::from_secs(2));
//! assert_eq!(shown(&report(&resolver).await), "valid 1/1 visible");
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use sendready::checker::{self, Limits};
use sendready::dns::Settings;
use sendready::dns::hickory::Hickory;
use sendready::dns::zone_text::ZoneText;
use sendready::protocol::domain::Domain;
use sendready::protocol::name::Name;
use sendready::verify::evidence::{Question, RecordType};
use sendready::verify::expectation::{DkimExpectation, DkimKey, Expectation};
use sendready::verify::judge::judge;
use sendready::verify::purpose::Purpose;
use sendready::verify::report::Report;

/// The domain.
pub const NAME: &str = "example.test";

/// Where its second server is, at the port of the first.
pub const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Its zone: all but the DKIM key; a "no" is kept for five minutes.
pub const ZONE: &str = "\
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

/// Its DKIM key, as a master file has it.
pub const KEY: &str = "\"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"";

/// A zone with the key.
pub fn with_key(zone: &str) -> String {
    format!("{zone}s1._domainkey TXT {KEY}\n")
}

/// The domain's zone as a DNS made of text.
pub fn world(zone: &str) -> ZoneText {
    format!("$ORIGIN {NAME}.\n{zone}").parse().unwrap()
}

/// What is asked for the key.
pub fn dkim_question() -> Question {
    Question::new(Name::parse("s1._domainkey.example.test").unwrap(), RecordType::Txt)
}

/// What asks these servers, and those of the zones at this port, each for so long.
pub fn resolver(recursive: &[SocketAddr], authoritative_port: u16, timeout: Duration) -> Hickory {
    Hickory::new(Settings {
        servers: recursive.to_vec(),
        timeout,
        in_flight_max: 128,
        authoritative_port,
        allow_private_servers: true,
    })
}

/// What a check says that wants any sound key.
pub async fn report(resolver: &Hickory) -> Report {
    let selector = Name::parse("s1").unwrap();
    let expectation = Expectation {
        dkim: vec![DkimExpectation { selector, key: DkimKey::Any }],
        ..Expectation::soundness_of(Domain::parse(NAME).unwrap())
    };
    let limits = Limits::within(Duration::from_secs(40));
    checker::check(resolver, &limits, |evidence| judge(&expectation, evidence)).await.unwrap().judgement
}

/// DKIM in a line: verdict, on how many servers, `visible` where caches have it, findings about servers.
pub fn shown(report: &Report) -> String {
    let record = report.records.iter().find(|record| record.purpose == Purpose::Dkim).unwrap();
    let mut text = record.verdict.to_string();
    if let Some(propagation) = &record.propagation {
        text += &propagation.published.map_or(" -".to_owned(), |one| format!(" {}/{}", one.count, one.of));
        text += if propagation.visible { " visible" } else { "" };
    }
    for code in record.findings.iter().map(|finding| finding.code()) {
        if code.starts_with("propagation.") || code.starts_with("delegation.") {
            text += &format!(" {code}");
        }
    }
    text
}
