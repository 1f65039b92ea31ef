//! Domains, their verdicts, and what they are told to publish.

use proptest::prelude::*;

use crate::protocol::spf::parse;
use crate::verify::evidence::{Answer, Evidence, Found, Question, RecordData, Txt};
use crate::verify::finding::Finding;
use crate::verify::purpose::{Action, Verdict};
use crate::verify::spf::tests::{Zone, expecting, name, times};
use crate::verify::spf::{Session, SpfJudgement, check_host, judge, planned};

/// Verdict, action, value, codes: what a judgement comes to, in one line.
fn shown(judged: &SpfJudgement) -> String {
    let SpfJudgement { record, summary } = judged;
    let mut codes: Vec<&str> = record.findings.iter().map(Finding::code).collect();
    codes.retain(|code| *code != "spf.suggestion");
    let value = record.value.as_deref().unwrap_or("(none)");
    if let Some(suggested) = &summary.suggested_record {
        assert_eq!(suggested, value, "the record suggested is the value");
        let parsed = parse(suggested.as_bytes()).unwrap();
        assert_eq!(&parsed.to_string(), suggested);
        assert_eq!(suggested.matches("all").count(), 1, "one `all`: {suggested}");
    }
    let (verdict, action) = (record.verdict, record.action.as_str());
    format!("{verdict} {} {action} [{value}] {}", summary.lookups, codes.join(" ")).trim_end().to_owned()
}

#[track_caller]
fn domain(why: &str, zone: &str, includes: &[&str], addresses: &[&str], expected: &str) {
    let judged = Zone::read(zone).judge(includes, addresses);
    assert_eq!(shown(&judged), expected, "{why}");
    // Where there is a record to paste, pasting it helps.
    let Some(value) = judged.record.value.filter(|_| judged.record.action == Action::Replace) else { return };
    let rest: String = zone
        .lines()
        .filter(|line| !line.trim_start().starts_with("example.com TXT"))
        .map(|l| format!("{l}\n"))
        .collect();
    let pasted = Zone::read(&format!("{rest}example.com TXT {value}")).judge(includes, addresses);
    assert!(!pasted.record.verdict.is_failure(), "{why}: pasted: {}", shown(&pasted));
}

const OURS: &str = "_spf.example.net TXT v=spf1 ip4:192.0.2.0/24 -all\n";

fn with_ours(zone: &str) -> String {
    format!("{OURS}{zone}")
}

#[test]
fn domains_with_no_record_or_one() {
    let ours: &[&str] = &["_spf.example.net"];
    let ip: &[&str] = &["198.51.100.7"];
    domain("nothing required, nothing there", "", &[], &[], "missing 0 add [(none)] spf.missing");
    let made = "missing 0 add [v=spf1 include:_spf.example.net ip4:198.51.100.7 ~all] spf.missing";
    domain("what is required makes a record", OURS, ours, ip, made);
    domain("nobody could tell", "example.com FAIL", &[], &[], "unknown 0 add [(none)] spf.lookup-failed");
    let sound = "example.com TXT v=spf1 include:_spf.example.net -all";
    let kept = "valid 1 keep [v=spf1 include:_spf.example.net -all]";
    domain("what does is kept", &with_ours(sound), ours, &["192.0.2.7"], kept);
    domain(
        "ours is missing",
        &with_ours("example.com TXT v=spf1 a -all\nexample.com A 203.0.113.1"),
        ours,
        &[],
        "mismatch 1 replace [v=spf1 include:_spf.example.net a -all] spf.include-missing",
    );
    domain(
        "an address does not pass",
        "example.com TXT v=spf1 ip4:203.0.113.1 -all",
        &[],
        ip,
        "mismatch 0 replace [v=spf1 ip4:198.51.100.7 ip4:203.0.113.1 -all] spf.address-not-authorised",
    );
    domain(
        "an address that a - term takes",
        "example.com TXT v=spf1 -ip4:198.51.100.0/24 ip4:198.51.100.7 ~all",
        &[],
        ip,
        "mismatch 0 replace [v=spf1 ip4:198.51.100.7 -ip4:198.51.100.0/24 ~all] spf.address-not-authorised",
    );
}

#[test]
fn required_includes_count_by_way_of_passing_terms() {
    let ours: &[&str] = &["_spf.example.net"];
    domain(
        "anywhere in the tree",
        &with_ours(
            "example.com TXT v=spf1 include:a.example.net -all\na.example.net TXT v=spf1 redirect=_spf.example.net",
        ),
        ours,
        &[],
        "valid 2 keep [v=spf1 include:a.example.net -all]",
    );
    domain(
        "a ? term does not count",
        &with_ours("example.com TXT v=spf1 ?include:_spf.example.net -all"),
        ours,
        &[],
        "mismatch 1 replace [v=spf1 include:_spf.example.net -all] spf.include-missing",
    );
    domain(
        "nor what stands behind all",
        &with_ours("example.com TXT v=spf1 a -all include:_spf.example.net\nexample.com A 203.0.113.1"),
        ours,
        &[],
        "mismatch 1 replace [v=spf1 a include:_spf.example.net -all] spf.include-missing spf.after-all",
    );
    domain(
        "nor what stands behind a ? include",
        &with_ours(
            "example.com TXT v=spf1 ?include:a.example.net -all\na.example.net TXT v=spf1 include:_spf.example.net",
        ),
        ours,
        &[],
        "mismatch 2 replace [v=spf1 include:_spf.example.net ?include:a.example.net -all] spf.include-missing",
    );
}

#[test]
fn required_includes_count_by_their_networks() {
    let ours: &[&str] = &["_spf.example.net"];
    domain(
        "networks that a - term takes will not do",
        &with_ours("example.com TXT v=spf1 -ip4:192.0.2.0/25 ip4:192.0.2.0/24 -all"),
        ours,
        &[],
        "mismatch 0 replace [v=spf1 include:_spf.example.net -ip4:192.0.2.0/25 ip4:192.0.2.0/24 -all] \
         spf.include-missing",
    );
    domain(
        "no networks are not all of them",
        "example.com TXT v=spf1 ip4:192.0.2.0/24 -all\n_spf.example.net TXT v=spf1 a -all\n_spf.example.net A 192.0.2.1",
        ours,
        &[],
        "mismatch 0 replace [v=spf1 include:_spf.example.net ip4:192.0.2.0/24 -all] spf.include-missing",
    );
    domain(
        "its networks will do",
        &with_ours("example.com TXT v=spf1 ip4:192.0.2.0/23 -all"),
        ours,
        &[],
        "valid 0 keep [v=spf1 ip4:192.0.2.0/23 -all] spf.include-flattened",
    );
    domain(
        "half of its networks will not",
        &with_ours("example.com TXT v=spf1 ip4:192.0.2.0/25 -all"),
        ours,
        &[],
        "mismatch 0 replace [v=spf1 include:_spf.example.net ip4:192.0.2.0/25 -all] spf.include-missing",
    );
    domain(
        "a macro gives its networks",
        &with_ours(
            "example.com TXT v=spf1 exists:%{i}.ok.example.net -all\n192.0.2.0.ok.example.net A 127.0.0.2\n192.0.2.255.ok.example.net A 127.0.0.2",
        ),
        ours,
        &[],
        "valid 1 keep [v=spf1 exists:%{i}.ok.example.net -all] spf.include-flattened spf.not-followed",
    );
}

#[test]
fn ends_and_families() {
    let ours: &[&str] = &["_spf.example.net"];
    domain(
        "a redirect ends as it did",
        &with_ours("example.com TXT v=spf1 redirect=r.example.net\nr.example.net TXT v=spf1 ip4:203.0.113.1 -all"),
        ours,
        &[],
        "mismatch 1 replace [v=spf1 include:_spf.example.net include:r.example.net -all] spf.include-missing",
    );
    domain(
        "neutral",
        "example.com TXT v=spf1 ip4:203.0.113.1 ?all",
        &[],
        &[],
        "valid 0 keep [v=spf1 ip4:203.0.113.1 ?all] spf.neutral-all",
    );
    domain(
        "IPv6",
        "example.com TXT v=spf1 ip6:2001:db8::/32 -all",
        &[],
        &["2001:db8::7"],
        "valid 0 keep [v=spf1 ip6:2001:db8::/32 -all]",
    );
}

#[test]
fn domains_with_broken_records() {
    let ours: &[&str] = &["_spf.example.net"];
    domain(
        "several records become one",
        &with_ours(
            "example.com TXT v=spf1 ip4:203.0.113.1 -all\nexample.com TXT v=spf1 ?ip4:203.0.113.9 a:m.example.com ~all\nm.example.com A 203.0.113.2",
        ),
        ours,
        &[],
        "invalid 2 replace [v=spf1 include:_spf.example.net a:m.example.com ip4:203.0.113.1 ?ip4:203.0.113.9 ~all] spf.several-records",
    );
    domain(
        "the syntax, repaired",
        "example.com TXT v=spf1 ip:203.0.113.1 -all",
        &[],
        &[],
        "invalid 0 replace [v=spf1 ip4:203.0.113.1 -all] spf.syntax",
    );
    domain(
        "what lies about in a broken record is no modifier",
        "example.com TXT v=spf1 ip4:203.0.113.1 <img src=x onerror=alert(1)> -all",
        &[],
        &[],
        "invalid 0 replace [v=spf1 ip4:203.0.113.1 -all] spf.syntax",
    );
    domain(
        "the syntax, beyond repair",
        "example.com TXT v=spf1 ip4:203.0.113.1 moo -all",
        &[],
        &[],
        "invalid 0 replace [v=spf1 ip4:203.0.113.1 -all] spf.syntax",
    );
    domain(
        "quotes inside",
        "example.com TXT \"v=spf1 ip4:203.0.113.1 -all\"",
        &[],
        &[],
        "missing 0 replace [v=spf1 ip4:203.0.113.1 -all] spf.missing spf.quotes-inside",
    );
    domain(
        "another version",
        "example.com TXT v=spf10 ip4:203.0.113.1 -all",
        &[],
        &[],
        "missing 0 replace [v=spf1 ip4:203.0.113.1 -all] spf.missing spf.near-miss",
    );
}

#[test]
fn records_that_let_too_many_pass() {
    domain(
        "everybody",
        "example.com TXT v=spf1 ip4:203.0.113.1 +all",
        &[],
        &[],
        "invalid 0 replace [v=spf1 ip4:203.0.113.1 ~all] spf.pass-all",
    );
    domain(
        "everybody, by an include",
        "example.com TXT v=spf1 ip4:203.0.113.1 include:o.example.net -all\no.example.net TXT v=spf1 all",
        &[],
        &[],
        "invalid 1 replace [v=spf1 ip4:203.0.113.1 -all] spf.pass-all",
    );
    domain(
        "nobody, by a - include of all",
        "example.com TXT v=spf1 -include:o.example.net -all\no.example.net TXT v=spf1 all",
        &[],
        &[],
        "valid 1 keep [v=spf1 -include:o.example.net -all]",
    );
    domain(
        "2^28 addresses",
        "example.com TXT v=spf1 ip4:192.0.2.0/4 -all",
        &[],
        &[],
        "valid 0 keep [v=spf1 ip4:192.0.2.0/4 -all]",
    );
    domain(
        "one more",
        "example.com TXT v=spf1 ip4:192.0.2.0/4 ip4:1.0.0.0 -all",
        &[],
        &[],
        "invalid 0 replace [(none)] spf.too-wide",
    );
    domain(
        "the same twice is once",
        "example.com TXT v=spf1 ip4:192.0.2.0/4 ip4:192.0.2.0/5 -all",
        &[],
        &[],
        "valid 0 keep [v=spf1 ip4:192.0.2.0/4 ip4:192.0.2.0/5 -all]",
    );
    domain(
        "IPv6 /15",
        "example.com TXT v=spf1 ip6:2001:db8::/15 -all",
        &[],
        &[],
        "invalid 0 replace [(none)] spf.too-wide",
    );
}

#[test]
fn records_that_lead_nowhere() {
    let ours: &[&str] = &["_spf.example.net"];
    domain(
        "an include of nothing goes",
        "example.com TXT v=spf1 include:gone.example.net ip4:203.0.113.1 -all",
        &[],
        &[],
        "invalid 1 replace [v=spf1 ip4:203.0.113.1 -all] spf.include-without-record",
    );
    domain(
        "a loop",
        "example.com TXT v=spf1 include:a.example.net -all\na.example.net TXT v=spf1 include:example.com -all",
        &[],
        &[],
        "invalid 2 replace [v=spf1 -all] spf.loop",
    );
    domain(
        "three void lookups",
        "example.com TXT v=spf1 a:a.example.net a:b.example.net mx:c.example.net ip4:203.0.113.1 -all",
        &[],
        &[],
        "invalid 3 replace [v=spf1 ip4:203.0.113.1 -all] spf.void-lookups-exceeded",
    );
    domain(
        "a fault in an include",
        "example.com TXT v=spf1 include:a.example.net -all\na.example.net TXT v=spf1 moo",
        &[],
        &[],
        "invalid 1 replace [v=spf1 -all] spf.syntax",
    );
    let missing = Zone::read("example.com TXT v=spf1 include:_spf.example.net -all").judge(ours, &[]);
    assert_eq!(
        shown(&missing),
        "invalid 1 keep [v=spf1 include:_spf.example.net -all] spf.include-without-record",
        "the provider's fault"
    );
    domain(
        "strings run together",
        "example.com TXT v=spf1 ip4:203.0.113.1 | ip4:203.0.113.2 | -all",
        &[],
        &[],
        "invalid 0 replace [v=spf1 ip4:203.0.113.1 ip4:203.0.113.2 -all] spf.syntax spf.strings-run-together",
    );
}

#[test]
fn limits_of_lookups_hold_for_what_is_suggested() {
    let zone = |count: usize| {
        let hosts: String = times(count, " a:h{n}.example.com");
        with_ours(&format!(
            "example.com TXT v=spf1{hosts} -all\n{}",
            times(count, "h{n}.example.com A 203.0.113.{n}\n")
        ))
    };
    let ours: &[&str] = &["_spf.example.net"];
    let judged = |count, includes| Zone::read(&zone(count)).judge(includes, &[]);
    assert!(shown(&judged(7, &[])).ends_with("-all]"), "7 is fine");
    assert!(
        shown(&judged(8, &[])).starts_with("valid 8 ") && shown(&judged(8, &[])).ends_with("spf.lookups-near-limit")
    );
    assert!(shown(&judged(10, &[])).starts_with("valid 10 "));
    assert!(shown(&judged(11, &[])).starts_with("invalid 11 replace [(none)] spf.lookups-exceeded"));
    assert!(shown(&judged(9, ours)).starts_with("mismatch 9 replace [v=spf1 include:_spf.example.net a:h1"));
    let over = judged(10, ours);
    assert!(shown(&over).starts_with("mismatch 10 replace [(none)]"), "{}", shown(&over));
    assert!(shown(&over).ends_with("spf.suggestion-over-limit"), "{}", shown(&over));
    assert_eq!(over.summary.suggested_record, None);
}

#[test]
fn failures_count_only_where_they_matter() {
    let ours: &[&str] = &["_spf.example.net"];
    let failing = "example.com TXT v=spf1 include:f.example.net -all\nf.example.net FAIL\n";
    domain(
        "a failed include is not sound",
        failing,
        &[],
        &[],
        "unknown 1 keep [v=spf1 include:f.example.net -all] spf.lookup-failed",
    );
    domain(
        "ours may stand in there",
        &with_ours(failing),
        ours,
        &[],
        "unknown 1 keep [v=spf1 include:f.example.net -all] spf.lookup-failed",
    );
    domain(
        "a definite error stays one",
        &failing.replace("-all", "+all"),
        &[],
        &[],
        "invalid 1 replace [v=spf1 include:f.example.net ~all] spf.pass-all spf.lookup-failed",
    );
    domain(
        "a failed address changes nothing",
        "example.com TXT v=spf1 ip4:203.0.113.1 a:f.example.net -all\nf.example.net FAIL",
        &[],
        &["203.0.113.1"],
        "valid 1 keep [v=spf1 ip4:203.0.113.1 a:f.example.net -all]",
    );
    domain(
        "unless an address hangs on it",
        "example.com TXT v=spf1 a:f.example.net -all\nf.example.net FAIL",
        &[],
        &["203.0.113.1"],
        "unknown 1 keep [v=spf1 a:f.example.net -all] spf.lookup-failed",
    );
    domain(
        "several records are several",
        "example.com TXT v=spf1 include:f.example.net\nexample.com TXT v=spf1 -all\nf.example.net FAIL",
        &[],
        &[],
        "invalid 1 replace [v=spf1 include:f.example.net -all] spf.several-records",
    );
}

#[test]
fn what_is_planned_needs_no_dns() {
    let record = planned(&expecting(&["_spf.example.net"], &["192.0.2.7", "2001:db8::7"]));
    assert_eq!((record.verdict, record.action), (Verdict::Unchecked, Action::Add));
    assert_eq!(record.value.unwrap(), "v=spf1 include:_spf.example.net ip4:192.0.2.7 ip6:2001:db8::7 ~all");
    assert_eq!(planned(&expecting(&[], &[])).value, None);
}

#[test]
fn wide_trees_are_bounded() {
    let wide = times(200, " include:i{n}.example.net");
    let zone = format!(
        "example.com TXT v=spf1{wide} -all\n{}",
        times(200, "i{n}.example.net TXT v=spf1 include:x{n}.example.net\n")
    );
    let judged = Zone::read(&zone).judge(&["_spf.example.net"], &["192.0.2.1"]);
    assert_eq!(judged.record.verdict, Verdict::Invalid);
    assert_eq!(judged.record.value, None);
    let rubbish = Zone::read(&format!("example.com TXT v=spf1{} -all", " ip4:192.0.2.1".repeat(4_000)));
    assert_eq!(rubbish.judge(&[], &[]).record.verdict, Verdict::Valid);
}

/// A term, more often right than wrong.
fn any_term() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a"),
        Just("mx"),
        Just("ptr"),
        Just("-all"),
        Just("?all"),
        Just("+all"),
        Just("include:a.example.net"),
        Just("?include:b.example.net"),
        Just("include:b.example.net"),
        Just("redirect=b.example.net"),
        Just("moo"),
        Just("exists:%{i}.example.net"),
        Just("ip4:192.0.2.0/24"),
        Just("-ip4:198.51.100.0/24"),
        Just("ip6:2001:db8::/32"),
        Just("include:example.com"),
        Just("a:%{d}/0"),
        Just("include:%{d2}.example.net"),
        Just("exp=a.example.net"),
    ]
    .prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn any_domain_is_judged_and_helped(
        records in proptest::collection::vec(proptest::collection::vec(any_term(), 0..8), 0..3),
        a in proptest::collection::vec(any_term(), 0..6),
        b in proptest::collection::vec(any_term(), 0..6),
        failing in any::<bool>(),
    ) {
        let line = |name: &str, terms: &[String]| format!("{name} TXT v=spf1 {}\n", terms.join(" "));
        let texts: String = records.iter().map(|terms| line("example.com", terms)).collect();
        let fails = if failing { "example.com FAIL\n" } else { "" };
        let rest = format!("{}{}{fails}{OURS}", line("a.example.net", &a), line("b.example.net", &b));
        let (includes, addresses): (&[&str], &[&str]) = (&["_spf.example.net"], &["198.51.100.7"]);
        let judged = Zone::read(&format!("{texts}{rest}")).judge(includes, addresses);
        let outcome = Zone::read(&format!("{texts}{rest}")).check("198.51.100.7", "postmaster@example.com");
        prop_assert!(outcome.lookups <= 10 && outcome.void_lookups <= 3);
        prop_assert!(judged.record.verdict != Verdict::Valid || outcome.result.as_str() == "pass");
        shown(&judged);
        if let Some(suggested) = judged.summary.suggested_record {
            let pasted = Zone::read(&format!("example.com TXT {suggested}\n{rest}"));
            let again = pasted.judge(includes, addresses);
            let (ours, theirs) = (pasted.check("192.0.2.9", "joe@example.com"), pasted.check("198.51.100.7", "joe@example.com"));
            prop_assert!(again.summary.lookups <= 10, "{}", shown(&again));
            prop_assert_eq!((ours.result.as_str(), theirs.result.as_str()), ("pass", "pass"), "{}", shown(&again));
        }
    }

    #[test]
    fn any_octets_are_judged(text in proptest::collection::vec(any::<u8>(), 0..300), tail in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut evidence = Evidence::new();
        let octets = [b"v=spf1 ".as_slice(), &tail].concat();
        let records = vec![RecordData::Txt(Txt::of(text)), RecordData::Txt(Txt::of(octets))];
        evidence.tell(Question::txt(&name("example.com")), Answer::Found(Found { records, ttl_seconds: 1, aliases: Vec::new(), authentic: false }));
        let _ = judge(&expecting(&["_spf.example.net"], &["192.0.2.1"]), &evidence);
        let _ = check_host(&Session::new([192, 0, 2, 1].into(), &tail, &tail, 0), &evidence);
        let _ = check_host(&Session::new([192, 0, 2, 1].into(), &tail, "a@example.com", 0), &evidence);
    }
}
