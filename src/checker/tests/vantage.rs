//! Two vantages: what caches say, and what the zone's own servers say. Each server is a text.

use std::net::{IpAddr, SocketAddr};

use super::*;
use crate::protocol::domain::Domain;
use crate::verify::evidence::stored::{from_stored, to_stored};
use crate::verify::expectation::{DkimExpectation, DkimKey, Expectation};
use crate::verify::judge::{judge, judge_partly};
use crate::verify::purpose::Purpose;
use crate::verify::report::Report;

const NS1: &str = "192.0.2.1";
const NS2: &str = "192.0.2.2";
/// The server of the zone above.
const ABOVE: &str = "192.0.2.9";

/// The zone, but for its DKIM key.
const ZONE: &str = r#"
$ORIGIN example.test.
$TTL 300
@     SOA ns1 h 1 1 1 1 60
@     NS  ns1
@     NS  ns2
ns1   A   192.0.2.1
ns2   A   192.0.2.2
@     TXT "v=spf1 ip4:198.51.100.1 -all"
@     MX  10 mx.mail.test.
_dmarc TXT "v=DMARC1; p=reject"
"#;

/// The same key as published and as required, and another.
const KEY: &str = "s1._domainkey TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";
const OTHER: &str = "s1._domainkey TXT \"v=DKIM1; k=ed25519; p=PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\"\n";

/// Zones of others, whole from wherever they are seen.
const OTHERS: &str = "$ORIGIN mail.test.\n$TTL 300\n@ SOA ns h 1 1 1 1 60\n@ NS ns.other.test.\nmx A 8.8.8.8\n\
    $ORIGIN other.test.\n@ SOA ns h 1 1 1 1 60\n@ NS ns\nns A 192.0.2.7\n\
    key TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";

fn expectation() -> Expectation {
    let key =
        crate::protocol::dkim::KeyRecord::parse(b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    let selector = Name::parse("s1").unwrap();
    let key = key.unwrap().key.expect("a key that is not revoked");
    Expectation {
        dkim: vec![DkimExpectation { selector, key: DkimKey::Key(key) }],
        ..Expectation::soundness_of(Domain::parse("example.test").unwrap())
    }
}

fn world(caches: &str, servers: &[(&str, &str)]) -> ZoneText {
    let mut world: ZoneText = caches.parse().unwrap();
    for (address, text) in servers {
        world = world.with_server(address.parse::<IpAddr>().unwrap(), text.parse().unwrap());
    }
    world.with_server("192.0.2.7".parse().unwrap(), OTHERS.parse().unwrap())
}

fn report(world: &dyn Resolver) -> Report {
    let expectation = expectation();
    let limits = Limits::within(Duration::from_secs(40));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let checked = runtime.block_on(check(world, &limits, |evidence| judge(&expectation, evidence))).unwrap();
    let again = from_stored(&to_stored(&checked.evidence).body).unwrap();
    assert_eq!(again, checked.evidence, "evidence is stored whole");
    assert_eq!(judge_partly(&expectation, &again), checked.judgement, "judged again, it is the same");
    checked.judgement
}

/// The DKIM record in a line: verdict, how far it has come, whether a "no" is certain, findings about servers.
fn shown(report: &Report) -> String {
    let record = report.records.iter().find(|record| record.purpose == Purpose::Dkim).unwrap();
    let propagation = record.propagation.clone().unwrap();
    let mut text = record.verdict.to_string();
    text += &match propagation.published {
        Some(published) => format!(" {}/{}", published.count, published.of),
        None => " -".to_owned(),
    };
    text += if propagation.visible { " visible" } else { "" };
    text += &propagation.visible_within_seconds.map(|seconds| format!(" within {seconds}s")).unwrap_or_default();
    text += if propagation.confirmed { " certain" } else { "" };
    for finding in record.findings.iter().chain(&report.advisories) {
        if ["propagation.", "delegation.", "dnssec.bogus"].iter().any(|prefix| finding.code().starts_with(prefix)) {
            text += &format!(" {}", finding.code());
        }
    }
    text
}

#[track_caller]
fn check_dkim(why: &str, caches: &str, servers: &[(&str, &str)], expected: &str) {
    let world = world(caches, servers);
    let report = report(&world);
    assert_eq!(shown(&report), expected, "{why}");
}

#[test]
fn what_servers_say_beats_what_caches_deny() {
    let bare = &format!("{ZONE}{OTHERS}");
    let (with, bare_zone) = (&format!("{ZONE}{KEY}"), ZONE);
    let visible = &format!("{ZONE}{KEY}{OTHERS}");
    let old = &format!("{ZONE}{OTHER}{OTHERS}");
    let alone = &[(NS1, with.as_str())];
    check_dkim("all is well, and nobody is bothered", visible, &[], "valid - visible");
    check_dkim("published, not yet visible", bare, &[(NS1, with), (NS2, with)], "valid 2/2 within 60s");
    check_dkim("a cached old value", old, &[(NS1, with), (NS2, with)], "valid 2/2 within 300s");
    check_dkim("nowhere", bare, &[(NS1, bare_zone), (NS2, bare_zone)], "missing 0/2 certain");
    check_dkim("published on one only", bare, &[(NS1, with), (NS2, bare_zone)], "unknown 1/2 propagation.partial");
    check_dkim("one server is silent", bare, alone, "valid 1/1 within 60s");
    check_dkim("no server is reached", bare, &[], "missing -");
    check_dkim("a wrong key everywhere", old, &[(NS1, &format!("{ZONE}{OTHER}"))], "mismatch 0/1 certain");
    let failing = &format!("{bare};@ servfail s1._domainkey.example.test. *\n");
    check_dkim("a failure stays one", failing, &[(NS1, with), (NS2, with)], "unknown 2/2");
    let bogus = &format!("{bare};@ bogus s1._domainkey.example.test. *\n");
    check_dkim("so does a bogus answer", bogus, &[(NS1, with), (NS2, with)], "unknown 2/2 dnssec.bogus");
    let timing_out = &format!("{ZONE};@ timeout s1._domainkey.example.test. *\n");
    check_dkim("one fails, one has it", bare, &[(NS1, with), (NS2, timing_out)], "valid 1/1 within 60s");
}

#[test]
fn servers_that_do_not_know_the_zone() {
    let bare = &format!("{ZONE}{OTHERS}");
    let with = &format!("{ZONE}{KEY}");
    check_dkim("one is lame", bare, &[(NS1, with), (NS2, OTHERS)], "valid 1/1 within 60s delegation.lame");
    check_dkim("all are lame", bare, &[(NS1, OTHERS), (NS2, OTHERS)], "missing - delegation.elsewhere");
}

/// The zone above, as its server has it.
fn above(servers: &str) -> String {
    format!("$ORIGIN test.\n$TTL 300\n@ SOA ns h 1 1 1 1 60\n@ NS ns.up\nns.up A {ABOVE}\n{servers}")
}

#[test]
fn the_zone_above_is_heard_too() {
    let old_host = "$ORIGIN example.test.\n$TTL 300\n@ SOA ns h 1 1 1 1 60\n@ NS ns.old\nns.old A 192.0.2.5\n";
    let caches = &format!("{old_host}{}{OTHERS}", above(""));
    let new = &format!("{ZONE}{KEY}");
    let moved = &above("example NS ns1.example\nns1.example A 192.0.2.1\n");
    check_dkim(
        "a parked zone at the old host demotes nobody",
        caches,
        &[("192.0.2.5", old_host), (NS1, new), (ABOVE, moved)],
        "unknown 1/2 delegation.mismatch propagation.partial",
    );
    check_dkim(
        "nor does it while the new host is silent",
        caches,
        &[("192.0.2.5", old_host), (ABOVE, moved)],
        "unknown 0/1 delegation.mismatch",
    );
    let same = &above("example NS ns.old.example\nns.old.example A 192.0.2.5\n");
    check_dkim("one account, one word", caches, &[("192.0.2.5", old_host), (ABOVE, same)], "missing 0/1 certain");
    // Caches deny the whole domain; the way to it leads through the zone above.
    let broken = &format!("{}{OTHERS}", above(""));
    let delegated =
        &above("example NS ns1.example\nexample NS ns2.example\nns1.example A 192.0.2.1\nns2.example A 192.0.2.2\n");
    let world = world(broken, &[(NS1, new), (NS2, new), (ABOVE, delegated)]);
    let report = report(&world);
    assert!(report.is_all_valid(), "{report:#?}");
}

#[test]
fn a_chain_is_followed_into_the_zone_of_its_target() {
    let alias = "s1._domainkey CNAME key.other.test.\n";
    let gone = &OTHERS.replace("key TXT", "nokey TXT");
    let caches = &format!("{ZONE}{gone}");
    let servers = &format!("{ZONE}{alias}");
    check_dkim("both links are new", caches, &[(NS1, servers), (NS2, servers)], "valid 2/2 within 60s");
    let cached_alias = &format!("{ZONE}{alias}{gone}");
    check_dkim("the target is new", cached_alias, &[(NS1, servers), (NS2, servers)], "valid 2/2 within 60s");
    let parked = &format!("{ZONE}{alias}$ORIGIN other.test.\n@ SOA ns h 1 1 1 1 60\n");
    check_dkim("a copy of the target's zone is not asked", caches, &[(NS1, parked)], "valid 1/1 within 60s");
    let failing = &format!("{ZONE}{gone};@ servfail key.other.test. TXT\n");
    check_dkim("the target fails in caches", failing, &[(NS1, servers), (NS2, servers)], "unknown -");
    check_dkim("one server has no alias", caches, &[(NS1, servers), (NS2, ZONE)], "unknown 1/2 propagation.partial");
}

/// Two recursive servers, each a text; the zones' own servers are the first's.
struct Two(ZoneText, ZoneText);

impl Resolver for Two {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Vec<Reply>> {
        async move { [self.0.ask(question).await, self.1.ask(question).await].concat() }.boxed()
    }

    fn authority_at(&self, address: IpAddr) -> Option<SocketAddr> {
        self.0.authority_at(address)
    }

    fn ask_at<'a>(&'a self, server: SocketAddr, question: &'a Question) -> BoxFuture<'a, Told> {
        self.0.ask_at(server, question)
    }
}

#[test]
fn resolvers_that_contradict_each_other_decide_nothing() {
    let (bare, with) = (&format!("{ZONE}{OTHERS}"), &format!("{ZONE}{KEY}{OTHERS}"));
    let (bare_zone, with_zone) = (ZONE, &format!("{ZONE}{KEY}"));
    let check = |why: &str, first: &str, second: &str, servers: &[(&str, &str)], expected: &str| {
        let two = Two(world(first, servers), second.parse().unwrap());
        assert_eq!(shown(&report(&two)), expected, "{why}");
    };
    let [on_both, on_none] = [with_zone.as_str(), bare_zone].map(|zone| [(NS1, zone), (NS2, zone)]);
    check("both find it, and nobody is bothered", with, with, &[], "valid - visible");
    check("one denies what is there", bare, with, &on_both, "valid 2/2 within 60s");
    check("in whatever order", with, bare, &on_both, "valid 2/2 within 60s");
    check("one has what was removed", with, bare, &on_none, "missing 0/2 certain");
    let open = "unknown - propagation.resolvers-disagree";
    check("and nobody else can be asked", bare, with, &[], open);
    check("in whatever order, again", with, bare, &[], open);
    check("nobody has it", bare, bare, &[], "missing -");
    let denies_all = "$ORIGIN test.\n@ SOA ns h 1 1 1 1 60\n";
    check("one denies the way to the servers, too", denies_all, with, &on_both, "valid 2/2 within 60s");
    let fails = &format!("{ZONE}{OTHERS};@ servfail s1._domainkey.example.test. *\n");
    check("a failure contradicts nobody", fails, with, &[], "valid - visible");
    check("nor does it support anybody", bare, fails, &[], "missing -");
}

/// A name below a top-level domain that no recursive server knows, and one that the root gives away itself.
#[test]
fn the_root_is_asked_where_no_other_zone_is_known() {
    const ROOT: &str =
        "$ORIGIN .\n$TTL 300\n@ SOA ns.root.test. h.test. 1 1 1 1 60\n@ NS ns.root.test.\nns.root.test. A 192.0.2.9\n";
    const DELEGATED: &str = "example.test. NS ns1.example.test.\nexample.test. NS ns2.example.test.\n\
        ns1.example.test. A 192.0.2.1\nns2.example.test. A 192.0.2.2\n";
    let with = &format!("{ZONE}{KEY}");
    let direct = &format!("{ROOT}{DELEGATED}");
    check_dkim("caches deny all but the root", ROOT, &[(NS1, with), (ABOVE, direct)], "valid 1/1 within 60s");
    let over_tld = &format!("{ROOT}test. NS ns.up.test.\nns.up.test. A 192.0.2.8\n");
    let tld = &above(DELEGATED);
    check_dkim(
        "over the top-level domain",
        ROOT,
        &[(NS1, with), ("192.0.2.8", tld), (ABOVE, over_tld)],
        "valid 1/1 within 60s",
    );
    check_dkim("the root says that there is none", ROOT, &[(ABOVE, ROOT)], "missing 0/1 certain");
    let failing = &format!("{ROOT};@ servfail test. NS\n");
    check_dkim("a failure on the way is no absence", failing, &[(ABOVE, ROOT)], "missing -");
    let known = &format!("{ZONE}{OTHERS}{ROOT}");
    check_dkim("nor is the root asked where caches know the zone", known, &[(NS1, with)], "valid 1/1 within 60s");
}

#[test]
fn a_promise_is_never_too_early() {
    let servers = &format!("{ZONE}{KEY}");
    let both: &[(&str, &str)] = &[(NS1, servers), (NS2, servers)];
    let of = |records: &str| format!("{ZONE}{records}{OTHERS}");
    let other_key = OTHER.replace("s1._domainkey TXT", "key.other.test. 900 TXT");
    let old_alias = &format!(
        "{}$ORIGIN old.test.\n@ SOA ns h 1 1 1 1 60\nkey 20 TXT x\n",
        of("s1._domainkey 120 CNAME key.old.test.\n")
    );
    check_dkim("an old alias, whatever it leads to", old_alias, both, "valid 2/2 within 120s");
    let aliased = &format!("{ZONE}s1._domainkey 120 CNAME key.other.test.\n");
    let aliased_servers: &[(&str, &str)] = &[(NS1, aliased), (NS2, aliased)];
    let old_target = |ttl: u32| {
        let others = OTHERS.lines().filter(|line| !line.starts_with("key ")).collect::<Vec<_>>().join("\n");
        format!("{aliased}{others}\n{}", other_key.replace("900", &ttl.to_string()).replace("key.other.test.", "key"))
    };
    check_dkim("an old target, kept for less than its alias", &old_target(90), aliased_servers, "valid 2/2 within 90s");
    check_dkim("an old target, kept for who knows how long", &old_target(900), aliased_servers, "valid 2/2");
    let no_soa = &format!("$ORIGIN example.test.\n$TTL 300\n{}", ZONE.split_once("60\n").unwrap().1);
    check_dkim("a denial that says no time", &format!("{no_soa}{OTHERS}"), both, "valid 2/2");
}

#[test]
fn short_times_are_told_by_the_zone_s_own_servers_only() {
    let codes = |caches: &str, servers: &[(&str, &str)]| -> Vec<String> {
        let report = report(&world(caches, servers));
        let short = |record: &&crate::verify::report::RecordReport| {
            record.findings.iter().any(|finding| finding.code() == "ttl.short")
        };
        report.records.iter().filter(short).map(|record| record.purpose.to_string()).collect()
    };
    let short = &format!("{ZONE}{}", KEY.replace("TXT", "60 TXT"));
    let all_valid = &format!("{short}{OTHERS}");
    let bare = &format!("{ZONE}{OTHERS}");
    assert_eq!(codes(all_valid, &[(NS1, short)]), Vec::<String>::new(), "caches count down, and nobody else was asked");
    assert_eq!(codes(bare, &[(NS1, short), (NS2, short)]), ["dkim"]);
    assert_eq!(codes(bare, &[(NS1, &format!("{ZONE}{KEY}"))]), Vec::<String>::new(), "300 seconds will do");
    assert_eq!(codes(bare, &[]), Vec::<String>::new(), "nobody told");
}

#[test]
fn a_name_has_a_cut_of_its_own() {
    let own = "$ORIGIN _domainkey.example.test.\n$TTL 300\n@ SOA ns h 1 1 1 1 60\n@ NS ns.other.test.\n";
    let own_with = &format!("{own}s1 TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n");
    let delegates = &format!("{ZONE}_domainkey NS ns.other.test.\n");
    let caches = &format!("{ZONE}{own}{OTHERS}");
    let others_with = &format!("{OTHERS}{own_with}");
    let both = |caches: &str| {
        world(caches, &[(NS1, delegates)]).with_server("192.0.2.7".parse().unwrap(), others_with.parse().unwrap())
    };
    let seen = |caches: &str| shown(&report(&both(caches)));
    assert_eq!(seen(caches), "valid 1/1 within 60s", "caches know the cut");
    assert_eq!(seen(&format!("{ZONE}{OTHERS}")), "valid 1/1 within 60s", "only the zone above knows the cut");
}
