//! What a failed lookup may do to a verdict, and what it may not. Design §1, rule 2.
//!
//! A verdict with some answers lost is compared with the verdict that all answers give:
//!
//! - `valid` becomes `valid` or `unknown`: no failure is ever an absence.
//! - A failure verdict stays one or becomes `unknown`: what nobody knows never makes a record do. Which failure it is
//!   may change, for the worse of two may be the one that is lost.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::verify::evidence::Question;
use crate::verify::purpose::Verdict;
use crate::verify::spf::judge;
use crate::verify::spf::tests::{Zone, expecting};
use crate::verify::step::Step;

/// The most questions of which every subset is tried; of more, every one and every pair.
const SUBSETS_OF_MAX: usize = 7;

fn verdict(zone: &Zone, includes: &[&str], addresses: &[&str]) -> Verdict {
    zone.judge(includes, addresses).record.verdict
}

/// The questions that a judgement asks.
fn asked(zone: &Zone, includes: &[&str], addresses: &[&str]) -> Vec<Question> {
    let expectation = expecting(includes, addresses);
    let (_, evidence) = zone.settle(|evidence| Step::from(judge(&expectation, evidence)));
    evidence.iter().map(|(question, _)| question.clone()).collect()
}

/// Whether losing answers may turn one verdict into the other.
fn may_become(whole: Verdict, lost: Verdict) -> bool {
    lost == Verdict::Unknown || lost == whole || (whole.is_failure() && lost.is_failure())
}

/// Loses answers in every way, and holds what comes of it against what may.
#[track_caller]
fn lose(why: &str, zone: &str, includes: &[&str], addresses: &[&str], whole: &str) {
    let mut zone = Zone::read(zone);
    let before = verdict(&zone, includes, addresses);
    assert_eq!(before.as_str(), whole, "{why}: with all answers");
    let questions = asked(&zone, includes, addresses);
    let count = questions.len();
    let singles = (0..count).map(|one| vec![one]);
    let pairs = (0..count).flat_map(|one| (0..one).map(move |other| vec![one, other]));
    let subsets: Vec<Vec<usize>> = match count <= SUBSETS_OF_MAX {
        true => (1..1_usize << count).map(|mask| (0..count).filter(|bit| mask >> bit & 1 == 1).collect()).collect(),
        false => singles.chain(pairs).collect(),
    };
    for subset in subsets {
        zone.lost = subset.iter().map(|index| questions[*index].clone()).collect();
        let after = verdict(&zone, includes, addresses);
        let lost: Vec<String> = zone.lost.iter().map(Question::to_string).collect();
        assert!(may_become(before, after), "{why}: {before} became {after} without {}", lost.join(", "));
    }
}

const OURS: &str = "_spf.example.net TXT v=spf1 ip4:192.0.2.0/28 -all\n";

/// `example.com` has `terms`; ours is one network; `rest` is the rest.
#[track_caller]
fn lose_ours(why: &str, terms: &str, rest: &str, whole: &str) {
    lose(why, &format!("{OURS}example.com TXT v=spf1 {terms}\n{rest}"), &["_spf.example.net"], &[], whole);
}

#[test]
fn a_lost_answer_is_no_missing_include() {
    lose_ours("included", "include:_spf.example.net -all", "", "valid");
    lose_ours(
        "by way of another",
        "include:x.example.net -all",
        "x.example.net TXT v=spf1 include:_spf.example.net",
        "valid",
    );
    lose_ours("by its networks", "ip4:192.0.2.0/28 -all", "", "valid");
    lose_ours("by an a", "a:out.example.com/28 -all", "out.example.com A 192.0.2.1", "valid");
    lose_ours("by an mx", "mx/28 -all", "example.com MX m.example.com\nm.example.com A 192.0.2.1", "valid");
    lose_ours(
        "by an exists",
        "exists:%{ir}.ok.example.com -all",
        "0.2.0.192.ok.example.com A 127.0.0.2\n15.2.0.192.ok.example.com A 127.0.0.2",
        "valid",
    );
    lose_ours(
        "by an include's a",
        "include:x.example.net -all",
        "x.example.net TXT v=spf1 a:y.example.net/28\ny.example.net A 192.0.2.1",
        "valid",
    );
    lose_ours("by halves", "a:out.example.com/29 ip4:192.0.2.8/29 -all", "out.example.com A 192.0.2.1", "valid");
    lose_ours(
        "behind a - term elsewhere",
        "-a:no.example.com ip4:192.0.2.0/28 -all",
        "no.example.com A 203.0.113.9",
        "valid",
    );
    lose_ours(
        "behind a - include",
        "-include:n.example.net ip4:192.0.2.0/28 -all",
        "n.example.net TXT v=spf1 -a:y.example.net ip4:192.0.2.0/24\ny.example.net A 192.0.2.1",
        "mismatch",
    );
    lose_ours(
        "and not behind a - term for it",
        "-a:no.example.com/28 ip4:192.0.2.0/28 -all",
        "no.example.com A 192.0.2.1",
        "mismatch",
    );
    lose_ours("nor by an a elsewhere", "a:out.example.com -all", "out.example.com A 203.0.113.1", "mismatch");
    lose_ours(
        "nor by a wrong include",
        "include:x.example.net -all",
        "x.example.net TXT v=spf1 ip4:203.0.113.1",
        "mismatch",
    );
}

#[test]
fn a_half_known_include_is_not_known() {
    let half = "_spf.example.net TXT v=spf1 ip4:192.0.2.0/28 include:_b.example.net\n\
                example.com TXT v=spf1 ip4:192.0.2.0/28 -all\n";
    let ours: &[&str] = &["_spf.example.net"];
    let nested = |network: &str| format!("{half}_b.example.net TXT v=spf1 {network}");
    lose("the other half is there", &nested("ip4:192.0.2.1"), ours, &[], "valid");
    lose("the other half is not there", &nested("ip4:203.0.113.1"), ours, &[], "mismatch");
    let lost = |network: &str| {
        verdict(
            &Zone::read(&format!(
                "{}\n_b.example.net FAIL",
                nested(network).replace("_b.example.net TXT", "_c.example.net TXT")
            )),
            ours,
            &[],
        )
    };
    assert_eq!(lost("ip4:192.0.2.1"), Verdict::Unknown, "nobody knows the other half");
    let missing = nested("ip4:192.0.2.1").replace("ip4:192.0.2.0/28 -all", "ip4:203.0.113.1 -all");
    let lost = missing.replace("_b.example.net TXT", "_c.example.net TXT") + "\n_b.example.net FAIL";
    assert_eq!(verdict(&Zone::read(&lost), ours, &[]), Verdict::Mismatch, "the half that is known is not there");
    let none = OURS.replace("ip4:192.0.2.0/28", "include:_b.example.net")
        + "example.com TXT v=spf1 a:f.example.com -all\nf.example.com A 203.0.113.1\n_b.example.net FAIL";
    assert_eq!(verdict(&Zone::read(&none), ours, &[]), Verdict::Unknown, "nothing is known of it");
}

/// `example.com` has `terms`; 192.0.2.7 is to pass.
#[track_caller]
fn lose_address(why: &str, terms: &str, rest: &str, whole: &str) {
    let zone = format!("example.com TXT v=spf1 {terms}\n{rest}");
    lose(why, &zone, &[], &["192.0.2.7"], whole);
}

#[test]
fn a_lost_answer_is_no_refused_address() {
    let led_back = "7.2.0.192.in-addr.arpa PTR m.example.com\nm.example.com A 192.0.2.7";
    lose_address("by an a", "a -all", "example.com A 192.0.2.7", "valid");
    lose_address(
        "by one of two hosts",
        "mx -all",
        "example.com MX a.example.net\nexample.com MX b.example.net\na.example.net A 203.0.113.1\nb.example.net A 192.0.2.7",
        "valid",
    );
    lose_address("by its own name", "ptr -all", led_back, "valid");
    lose_address(
        "by its own name, included",
        "include:x.example.net -all",
        &format!("{led_back}\nx.example.net TXT v=spf1 ptr:example.com -all"),
        "valid",
    );
    lose_address(
        "by its own name in a macro",
        "exists:%{p}.ok.example.com -all",
        &format!("{led_back}\nm.example.com.ok.example.com A 127.0.0.2"),
        "valid",
    );
    lose_address(
        "by its own name in an include",
        "include:%{p}.ok.example.com -all",
        &format!("{led_back}\nm.example.com.ok.example.com TXT v=spf1 all"),
        "valid",
    );
    lose_address("not by a - name", "-ptr ip4:192.0.2.7 -all", led_back, "mismatch");
    lose_address(
        "not by a ?include of a name",
        "?include:x.example.net ip4:192.0.2.7 -all",
        &format!("{led_back}\nx.example.net TXT v=spf1 ptr:example.com -all"),
        "mismatch",
    );
    lose_address("by a name or by its address", "ptr ip4:192.0.2.7 -all", led_back, "valid");
    lose_address(
        "not where names find too little",
        "a:x.example.com a:y.example.com ptr ip4:192.0.2.7 -all",
        "",
        "mismatch",
    );
    lose_address(
        "nor where a macro leads nowhere",
        "include:%{p}.x.example.com ip4:192.0.2.7 -all",
        led_back,
        "mismatch",
    );
    let six = "example.com TXT v=spf1 a:x.example.com a:y.example.com mx -all\nexample.com MX a.example.net\nexample.com MX b.example.net\nb.example.net AAAA 2001:db8::7\nx.example.com A 203.0.113.1\ny.example.com A 203.0.113.1\na.example.net A 203.0.113.1\nb.example.net A 203.0.113.1";
    lose("nor where hosts find too little", six, &[], &["2001:db8::7"], "mismatch");
}

#[test]
fn a_lost_answer_hides_no_error_and_makes_none() {
    lose_address("everybody by an exists", "exists:x.example.com -all", "x.example.com A 127.0.0.2", "invalid");
    lose_address(
        "nobody by a - exists",
        "ip4:192.0.2.7 -exists:x.example.com -all",
        "x.example.com A 127.0.0.2",
        "valid",
    );
    lose_address("too wide an a", "ip4:192.0.2.7 a:x.example.com/2 -all", "x.example.com A 203.0.113.1", "invalid");
    lose_address(
        "wide enough together",
        "ip4:192.0.2.7/5 a:x.example.com/5 -all",
        "x.example.com A 203.0.113.1",
        "valid",
    );
    lose_address(
        "too wide together",
        "ip4:192.0.2.7/5 a:x.example.com/5 ip4:1.0.0.0 -all",
        "x.example.com A 100.0.0.1",
        "invalid",
    );
    lose_address(
        "too wide, but for a - term",
        "ip4:192.0.2.7 -a:x.example.com/2 ip4:200.0.0.0/3 -all",
        "x.example.com A 203.0.113.1",
        "valid",
    );
    lose_address(
        "too wide, for a - term has an include's hole",
        "ip4:192.0.2.7 -include:n.example.net ip4:200.0.0.0/3 -all",
        "n.example.net TXT v=spf1 -a:x.example.com/3 ip4:200.0.0.0/2\nx.example.com A 203.0.113.1",
        "invalid",
    );
    let hosts: String =
        (1..=11).map(|n| format!("example.com MX h{n}.example.net\nh{n}.example.net A 203.0.113.{n}\n")).collect();
    lose_address("eleven mail exchanges", "ip4:192.0.2.7 mx -all", &hosts, "invalid");
    lose_address(
        "three void hosts",
        "ip4:192.0.2.7 mx -all",
        "example.com MX a.example.net\nexample.com MX b.example.net\nexample.com MX c.example.net",
        "invalid",
    );
    lose_address(
        "three void lookups",
        "ip4:192.0.2.7 a:x.example.com a:y.example.com exists:z.example.com -all",
        "",
        "invalid",
    );
    lose_address("two void lookups", "ip4:192.0.2.7 a:x.example.com a:y.example.com -all", "", "valid");
    lose_address("an include of nothing", "ip4:192.0.2.7 include:x.example.com -all", "", "invalid");
    lose_address("several records", "ip4:192.0.2.7 -all", "example.com TXT v=spf1 ip4:192.0.2.7", "invalid");
    lose_address("no record", "ip4:192.0.2.7 -all", "", "valid");
    lose("nothing", "example.com A 192.0.2.7", &[], &["192.0.2.7"], "missing");
}

/// A term, of those whose lookups do something.
fn any_term() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "-a:h.example.net/24",
        "a:h.example.net/28",
        "a:g.example.net",
        "mx",
        "mx/24",
        "-mx",
        "ptr",
        "-ptr",
        "ptr:example.net",
        "exists:g.example.net",
        "-exists:h.example.net",
        "exists:%{i}.example.net",
        "-exists:%{i}.example.net",
        "exists:%{p}.example.net",
        "include:%{p}.example.net",
        "include:a.example.net",
        "-include:a.example.net",
        "?include:b.example.net",
        "include:b.example.net",
        "redirect=b.example.net",
        "include:_spf.example.net",
        "ip4:192.0.2.0/28",
        "-ip4:192.0.2.0/29",
        "ip4:198.51.100.7",
        "ip4:1.0.0.0/4",
        "ip6:2001:db8::/32",
        "-all",
        "?all",
    ])
}

/// A record beside the texts.
fn any_record() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "example.com A 192.0.2.1",
        "h.example.net A 192.0.2.2",
        "h.example.net A 198.51.100.7",
        "g.example.net A 127.0.0.2",
        "h.example.net AAAA 2001:db8::7",
        "example.com MX h.example.net",
        "example.com MX g.example.net",
        "7.100.51.198.in-addr.arpa PTR h.example.net",
        "7.100.51.198.in-addr.arpa PTR x.example.com",
        "x.example.com A 198.51.100.7",
        "198.51.100.7.example.net A 127.0.0.2",
        "h.example.net.example.net A 127.0.0.2",
        "h.example.net.example.net TXT v=spf1 all",
        "192.0.2.0.example.net A 127.0.0.2",
        "unknown.example.net A 127.0.0.2",
    ])
}

proptest! {
    #[test]
    fn no_lost_answer_decides(
        own in prop::collection::vec(any_term(), 0..6),
        a in prop::collection::vec(any_term(), 0..4),
        b in prop::collection::vec(any_term(), 0..4),
        ours in prop::collection::vec(any_term(), 0..4),
        rest in prop::collection::vec(any_record(), 0..14),
        losses in prop::collection::vec(any::<u64>(), 8),
        requires_include in any::<bool>(),
        addresses in prop::sample::subsequence(vec!["198.51.100.7", "2001:db8::7"], 0..=2),
    ) {
        let line = |name: &str, terms: &[&str]| format!("{name} TXT v=spf1 {}\n", terms.join(" "));
        let texts = [line("example.com", &own), line("a.example.net", &a), line("b.example.net", &b), line("_spf.example.net", &ours)];
        let rest: BTreeSet<&str> = rest.into_iter().collect();
        let mut zone = Zone::read(&format!("{}{}", texts.concat(), Vec::from_iter(rest).join("\n")));
        let includes: &[&str] = if requires_include { &["_spf.example.net"] } else { &[] };
        let before = verdict(&zone, includes, &addresses);
        let questions = asked(&zone, includes, &addresses);
        let singles = (0..questions.len().min(63)).map(|bit| 1_u64 << bit);
        for mask in singles.chain(losses) {
            zone.lost = questions.iter().enumerate().filter(|(index, _)| mask >> (index % 64) & 1 == 1).map(|(_, q)| q.clone()).collect();
            let after = verdict(&zone, includes, &addresses);
            prop_assert!(may_become(before, after), "{} became {} without {:?}", before, after, zone.lost);
        }
    }
}
