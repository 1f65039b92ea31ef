//! Requirements: as given, as stored, as judged.

use crate::config::providers::Profile;
use crate::protocol::dkim::PublicKey;
use crate::protocol::dmarc::{self, Policy};
use crate::protocol::domain::Domain;
use crate::protocol::name::Name;
use crate::service::requirements::{DmarcGiven, RequirementsGiven, SpfGiven, of_profile, of_stored, to_stored};
use crate::service::tests::{World, key, registration, word};
use crate::store::RowRequirements;
use crate::verify::expectation::{DkimExpectation, DkimKey, Expectation, MxExpectation};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn names(text: &str) -> Vec<Name> {
    text.split_whitespace().map(name).collect()
}

fn domain() -> Domain {
    Domain::parse("example.test").unwrap()
}

fn profile() -> Profile {
    Profile {
        spf_includes: names("_spf.provider.test"),
        dkim_selectors: names("p1 p2"),
        mx: vec![MxExpectation { host: name("mx.provider.test"), preference: 10 }],
        dmarc: Some("v=DMARC1; p=none".to_owned()),
        ttl_seconds: 600,
    }
}

fn selectors(texts: &[(&str, DkimKey)]) -> Option<Vec<DkimExpectation>> {
    Some(texts.iter().map(|(text, key)| DkimExpectation { selector: name(text), key: key.clone() }).collect())
}

/// All that is required, in one line.
fn shown(expectation: &Expectation) -> String {
    let mut words = Vec::new();
    words.extend(expectation.spf.includes.iter().map(|include| format!("include:{include}")));
    words.extend(expectation.spf.addresses.iter().map(|ip| format!("ip:{ip}")));
    words.extend(expectation.dkim.iter().map(|DkimExpectation { selector, key }| match key {
        DkimKey::Any => format!("dkim:{selector}"),
        DkimKey::Key(key) => format!("dkim:{selector}={}", key.algorithm().as_str()),
        DkimKey::Cname(target) => format!("dkim:{selector}->{target}"),
    }));
    words.extend(expectation.dmarc.record.as_ref().map(|record| format!("record:{}", record.render())));
    words.extend(expectation.dmarc.policy.map(|policy| format!("policy:{}", policy.as_str())));
    words.extend(expectation.dmarc.rua.iter().map(|uri| format!("rua:{uri}")));
    words.extend(expectation.mx.iter().map(|mx| format!("mx:{} {}", mx.preference, mx.host)));
    words.push(format!("ttl:{}", expectation.ttl_seconds));
    words.join(" ")
}

#[track_caller]
fn check(why: &str, given: &RequirementsGiven, expected: &str) {
    let mut expectation = of_profile(domain(), &profile());
    given.apply(&mut expectation);
    assert_eq!(shown(&expectation), expected, "{why}");
    assert_eq!(of_stored(domain(), &to_stored(&expectation)).unwrap(), expectation, "{why}: as stored");
    let json = serde_json::to_string(&to_stored(&expectation)).unwrap();
    assert_eq!(of_stored(domain(), &serde_json::from_str(&json).unwrap()).unwrap(), expectation, "{why}: as JSON");
    assert_eq!(given.faults(&domain()), [], "{why}");
}

#[test]
fn what_is_given_stands_in_place_of_the_profile_field_by_field() {
    let none = RequirementsGiven::default();
    let rest = "record:v=DMARC1; p=none mx:10 mx.provider.test ttl:600";
    let p = format!("include:_spf.provider.test dkim:p1 dkim:p2 {rest}");
    check("nothing given", &none, &p);
    let ips = Some(vec!["192.0.2.10".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
    check(
        "addresses leave the includes",
        &RequirementsGiven { spf: Some(SpfGiven { includes: None, ips }), ..none.clone() },
        &format!("include:_spf.provider.test ip:192.0.2.10 ip:2001:db8::1 dkim:p1 dkim:p2 {rest}"),
    );
    check(
        "includes replace the includes",
        &RequirementsGiven { spf: Some(SpfGiven { includes: Some(Vec::new()), ips: None }), ..none.clone() },
        &format!("dkim:p1 dkim:p2 {rest}"),
    );
    check(
        "selectors replace the selectors, each with its key",
        &RequirementsGiven {
            dkim: selectors(&[
                ("s1", DkimKey::Key(key())),
                ("s2.mail", DkimKey::Cname(name("s2.provider.test"))),
                ("s3", DkimKey::Any),
            ]),
            ..none.clone()
        },
        &format!("include:_spf.provider.test dkim:s1=ed25519 dkim:s2.mail->s2.provider.test dkim:s3 {rest}"),
    );
    let record = Some(dmarc::parse(b"v=DMARC1; p=reject; rua=mailto:d@example.test").unwrap().record);
    check(
        "a policy leaves the record",
        &RequirementsGiven {
            dmarc: Some(DmarcGiven { policy: Some(Policy::Quarantine), ..DmarcGiven::default() }),
            ..none.clone()
        },
        &p.replace("p=none", "p=none policy:quarantine"),
    );
    check(
        "a record replaces it",
        &RequirementsGiven {
            dmarc: Some(DmarcGiven { record, rua: Some(vec!["mailto:d@example.test".to_owned()]), policy: None }),
            ..none.clone()
        },
        &p.replace("p=none", "p=reject; rua=mailto:d@example.test rua:mailto:d@example.test"),
    );
    check(
        "hosts replace the hosts",
        &RequirementsGiven { mx: Some(vec![MxExpectation { host: name("mx.example.test"), preference: 0 }]), ..none },
        &p.replace("10 mx.provider.test", "0 mx.example.test"),
    );
}

#[test]
fn faults_name_their_fields() {
    let faults = |given: RequirementsGiven| {
        let pointers: Vec<String> = given.faults(&domain()).into_iter().map(|fault| fault.pointer).collect();
        pointers.join(" ")
    };
    let none = RequirementsGiven::default;
    let dkim = |texts: &[&str]| {
        let keys: Vec<_> = texts.iter().map(|text| (*text, DkimKey::Any)).collect();
        faults(RequirementsGiven { dkim: selectors(&keys), ..none() })
    };
    let ten: Vec<String> = (0..11).map(|number| format!("s{number}")).collect();
    let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
    assert_eq!(dkim(&ten[..10]), "", "ten selectors are enough");
    assert_eq!(dkim(&ten), "/dkim");
    assert_eq!(dkim(&["s1", "s1"]), "/dkim/1/selector");
    assert_eq!(dkim(&["a b"]), "/dkim/0/selector");
    assert_eq!(dkim(&[&format!("{0}.{0}.{0}.{0}", "a".repeat(60))]), "/dkim/0/selector", "no room");
    let short = PublicKey::parse_base64(SHORT_KEY).unwrap();
    let key = selectors(&[("s1", DkimKey::Key(short))]);
    assert_eq!(faults(RequirementsGiven { dkim: key, ..none() }), "/dkim/0/public_key");
    let spf = |includes: &str, ip_count: usize| {
        let ips = Some((0..ip_count).map(|n| format!("192.0.2.{n}").parse().unwrap()).collect());
        faults(RequirementsGiven { spf: Some(SpfGiven { includes: Some(names(includes)), ips }), ..none() })
    };
    assert_eq!(spf("a.test b.test", 32), "");
    assert_eq!(spf("a.test test", 33), "/spf/includes/1 /spf/ips");
    let eleven: Vec<String> = (0..11).map(|number| format!("a{number}.test")).collect();
    assert_eq!(spf(&eleven.join(" "), 0), "/spf/includes");
    assert_eq!(spf("a.test b.test a.test", 0), "/spf/includes/2", "twice");
    assert_eq!(spf("a.test EXAMPLE.test", 0), "/spf/includes/1", "the domain itself");
    assert_eq!(spf("sub.example.test test.test", 0), "", "a name below the domain is another");
    let ips = Some(["192.0.2.1", "2001:db8::1", "2001:db8:0::1"].map(|ip| ip.parse().unwrap()).to_vec());
    let twice = SpfGiven { includes: None, ips };
    assert_eq!(faults(RequirementsGiven { spf: Some(twice), ..none() }), "/spf/ips/2");
    let cname = |text: &str| {
        faults(RequirementsGiven {
            dkim: selectors(&[("s1", DkimKey::Any), ("s2", DkimKey::Cname(name(text)))]),
            ..none()
        })
    };
    assert_eq!(cname("s2._domainkey.example.test"), "/dkim/1/cname", "itself");
    assert_eq!(cname("s1._domainkey.example.test"), "", "another selector's record");
    let rua = |uri: &str| {
        let dmarc = Some(DmarcGiven { rua: Some(vec![uri.to_owned()]), ..DmarcGiven::default() });
        faults(RequirementsGiven { dmarc, ..none() })
    };
    assert_eq!(rua("mailto:a@example.test"), "");
    assert_eq!(rua("a@example.test"), "/dmarc/rua/0");
    assert_eq!(rua("https://example.test/r?a=b"), "");
    assert_eq!(rua("mailto:a%3Bb@example.test"), "", "encoded");
    for bad in [
        "mailto:a@example.test;p=none",
        "mailto:a@example.test,mailto:b@example.test",
        "mailto:a@example.test!10m",
        "javascript:alert(1)",
        "http://example.test/",
        "mailto://example.test",
        "mailto:a@example.test%3Bp=none",
        "https:///path",
    ] {
        assert_eq!(rua(bad), "/dmarc/rua/0", "{bad}");
    }
    let record = |text: &str| {
        let record = Some(dmarc::parse(text.as_bytes()).unwrap().record);
        faults(RequirementsGiven { dmarc: Some(DmarcGiven { record, ..DmarcGiven::default() }), ..none() })
    };
    assert_eq!(record("v=DMARC1; p=none; rua=mailto:a@example.test!10m"), "", "a size of RFC 7489 is passed over");
    assert_eq!(record("v=DMARC1; p=none; ruf=http://example.test/"), "/dmarc/record");
    let mx = |hosts: &str| {
        let mx = Some(names(hosts).into_iter().map(|host| MxExpectation { host, preference: 1 }).collect());
        faults(RequirementsGiven { mx, ..none() })
    };
    assert_eq!(mx("mx1.test mx2.test"), "");
    assert_eq!(mx("mx1.test 192.0.2.1 mx1.test"), "/mx/1/host /mx/2/host");
}

/// An RSA key of 512 bits.
const SHORT_KEY: &str = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMfZkVjiW3SI8tj1wLqbBjSXEc1wt1gwLbpq0ZVNtCfYvKHWpZqnFpZyQ1n1\
    q5BzWgbL9MHqgk4xWd8bVbnhTNkCAwEAAQ==";

#[tokio::test]
async fn a_provider_must_say_what_it_wants() {
    let world = World::with(|settings| {
        settings.profiles =
            [("infraforge", Profile::default()), ("acme", profile())].map(|(n, p)| (n.to_owned(), p)).into();
    })
    .await;
    let client = world.client(crate::sending::tier::Tier::Dominance).await;
    let register = async |domain: &str, provider: Option<&str>, requirements: &RequirementsGiven| {
        let mut new = registration(client.id, domain);
        new.provider = provider.map(str::to_owned);
        new.requirements = requirements.clone();
        word(world.service.domain_register(&world.operator, &new).await)
    };
    let nothing = RequirementsGiven::default();
    let dkim = RequirementsGiven { dkim: selectors(&[("s1", DkimKey::Any)]), ..nothing.clone() };
    let no_dkim = RequirementsGiven { dkim: Some(Vec::new()), ..nothing.clone() };
    assert_eq!(register("a.test", None, &nothing).await, "invalid /provider", "infraforge until configured");
    assert_eq!(register("a.test", Some("nobody"), &dkim).await, "invalid /provider");
    assert_eq!(register("a.test", Some("manual"), &nothing).await, "invalid /dkim");
    assert_eq!(register("a.test", Some("manual"), &no_dkim).await, "invalid /dkim");
    assert_eq!(register("a.test", Some("manual"), &dkim).await, "ok");
    assert_eq!(register("b.test", Some("acme"), &nothing).await, "ok");
    assert_eq!(register("c.test", Some("acme"), &dkim).await, "ok");
    let stored = async |text: &str| {
        let row = world.service.store().domain_by_name(&Domain::parse(text).unwrap()).await.unwrap().unwrap();
        match row.requirements {
            RowRequirements::Own(requirements) => Some(requirements.dkim.len()),
            _ => None,
        }
    };
    assert_eq!(stored("b.test").await, None, "it follows the profile");
    assert_eq!(stored("c.test").await, Some(1));
}
