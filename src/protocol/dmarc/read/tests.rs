//! Tables for reading policy records.

use super::*;
use proptest::prelude::*;

/// One line for a record: what a reader gets, and the faults.
fn shown(text: &[u8]) -> String {
    match parse(text) {
        Err(why) => format!("none: {why}"),
        Ok(parsed) => {
            let effective = parsed.effective().map_or("no policy".to_owned(), |e| {
                format!("p={} sp={} np={}", e.policy, e.subdomain_policy, e.nonexistent_policy)
            });
            let faults: Vec<String> = parsed.faults.iter().map(|fault| format!("{fault:?}")).collect();
            format!("{effective} | {}", faults.join(", "))
        }
    }
}

#[track_caller]
fn check(why: &str, text: &str, expected: &str) {
    let shown = shown(text.as_bytes());
    assert!(shown.starts_with(expected), "{why}: {shown}");
}

#[test]
fn a_record_gives_a_policy_or_none() {
    check("the plain form", "v=DMARC1; p=reject", "p=reject sp=reject np=reject | ");
    check("np follows sp", "v=DMARC1; p=reject; sp=none", "p=reject sp=none np=none | ");
    check("np by itself", "v=DMARC1; p=none; np=reject", "p=none sp=none np=reject | ");
    check("case of values folds, §4.8", "v=DMARC1;p=ReJect", "p=reject");
    check("whitespace around =", "v = DMARC1 ; p = none ; sp = reject", "p=none sp=reject");
    check("any order behind v", "v=DMARC1; sp=none; p=reject", "p=reject sp=none");
    check("trailing semicolon and space", "v=DMARC1; p=none; ", "p=none sp=none np=none | ");
    check("no p but rua counts as none, §4.10.1", "v=DMARC1; rua=mailto:a@example.com", "p=none");
    check("no p, sp stays", "v=DMARC1; sp=reject; rua=mailto:a@example.com", "p=none sp=reject np=reject");
    check("a bad sp but rua counts as none", "v=DMARC1; p=reject; sp=x; rua=mailto:a@example.com", "p=none sp=none");
    check("a bad p without rua", "v=DMARC1; p=999", "no policy");
    check("a bad sp without rua", "v=DMARC1; p=none; sp=", "no policy");
    check("no p without rua", "v=DMARC1; sp=quarantine; np=reject", "no policy");
    check("rua must hold a URI", "v=DMARC1; rua=a@example.com", "no policy");
    check("nothing but the version", "v=DMARC1", "no policy");
    check(
        "a duplicate spoils all, RFC 6376 §3.2",
        "v=DMARC1; p=reject; p=none",
        "no policy | Duplicate { tag: \"p\" }",
    );
    check(
        "other bad values fall to defaults, §4.8",
        "v=DMARC1; p=reject; fo=x; adkim=z",
        "p=reject sp=reject np=reject | BadV",
    );
    check("what is no tag is discarded", "v=DMARC1; p=none; bogus;", "p=none sp=none np=none | NotATag");
    check("sp without = is no tag", "v=DMARC1;p=none;sp;adkim=X", "p=none");
    check("a colon for =", "v=DMARC1;p=none;rf:afrf", "p=none sp=none np=none | NotATag");
    check("unknown tags are ignored", "v=DMARC1; p=none; x=y", "p=none sp=none np=none | Unknown");
    check("removed tags are ignored", "v=DMARC1; p=none; pct=0", "p=none sp=none np=none | Removed");
    check("a name in capitals", "v=DMARC1; P=none", "p=none sp=none np=none | Capitals");
    check("octets above ASCII", "v=DMARC1; p=none; adkim=\u{201c}", "p=none sp=none np=none | BadValue");
}

#[test]
fn a_text_that_is_no_policy_record() {
    check("another version", "v=DMARC2; p=none", "none: the version is `DMARC2`");
    check("lower case", "v=dmarc1; p=none", "none: the version is `dmarc1`");
    check("letters behind it", "v=DMARC1x; p=reject", "none: the version is `DMARC1x`");
    check("a backslash", "v=DMARC1\\; p=reject\\;", "none: the version is `DMARC1\\`");
    check("no version", "v=; p=none", "none: the text does not begin");
    check("no semicolon", "v=DMARC1 p=none", "none: a semicolon must follow");
    check("a comma", "v=DMARC1, p=none", "none: a semicolon must follow");
    check("not first", "p=none; v=DMARC1", "none: `v=DMARC1` must be the first tag");
    check("whitespace before", " v=DMARC1; p=none", "none: there is whitespace");
    check("SPF", "v=spf1 -all", "none: the text does not begin");
    check("quotes", "\"v=DMARC1; p=none\"", "none: the text does not begin");
    check("nothing", "", "none: the text does not begin");
}

#[test]
fn values_by_tag() {
    let good = [
        ("fo", "d:s:0"),
        ("fo", "1"),
        ("fo", "S"),
        ("t", "Y"),
        ("psd", "u"),
        ("pct", "100"),
        ("ri", "0"),
        ("rf", "AFRF"),
        ("rua", "mailto:a@example.com!10m, mailto:b@example.com"),
        ("aspf", "R"),
    ];
    for (tag, value) in good {
        assert_eq!(check_value(tag, value), Ok(()), "{tag}={value}");
    }
    let bad = [
        ("fo", ""),
        ("fo", "0:1"),
        ("fo", "d:d"),
        ("fo", "11"),
        ("t", "yes"),
        ("psd", "no"),
        ("pct", "101"),
        ("pct", "-1"),
        ("ri", "4294967296"),
        ("rf", "x-"),
        ("adkim", "strict"),
        ("rua", "a@example.com"),
        ("rua", ""),
    ];
    for (tag, value) in bad {
        assert!(check_value(tag, value).is_err(), "{tag}={value}");
    }
}

#[test]
fn what_stands_there_is_kept() {
    let text = "v=DMARC1; p=quarantine; sp=none; np=reject; t=y; psd=n; adkim=s; aspf=r; fo=1:d; \
                rua=mailto:a@example.com,https://example.com/x!5m; ruf=mailto:b@example.com; x=y; pct=50";
    assert_eq!(parse(text.as_bytes()).unwrap().record.render(), text);
}

fn policies() -> impl Strategy<Value = Option<Policy>> {
    proptest::option::of(prop_oneof![Just(Policy::None), Just(Policy::Quarantine), Just(Policy::Reject)])
}

fn alignments() -> impl Strategy<Value = Option<Alignment>> {
    proptest::option::of(prop_oneof![Just(Alignment::Relaxed), Just(Alignment::Strict)])
}

fn uris() -> impl Strategy<Value = Vec<ReportUri>> {
    let uri = ("[a-z]{1,9}", proptest::option::of("[0-9]{1,4}[kmgt]?"))
        .prop_map(|(local, size)| ReportUri { uri: format!("mailto:{local}@example.com"), size });
    proptest::collection::vec(uri, 0..4)
}

proptest! {
    #[test]
    fn any_octets_are_read_without_harm(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&text);
        let _ = parse(&[b"v=DMARC1;".as_slice(), &text].concat()).map(|parsed| parsed.effective());
    }

    #[test]
    fn what_is_rendered_reads_back(
        policies in (policies(), policies(), policies()),
        testing: Option<bool>,
        psd in proptest::option::of(prop_oneof![Just(Psd::Yes), Just(Psd::No), Just(Psd::Undeclared)]),
        alignments in (alignments(), alignments()),
        options in prop_oneof![Just(vec![]), Just(vec!['0']), Just(vec!['1', 'd', 's']), Just(vec!['d', '0'])],
        uris in (uris(), uris()),
        other in "[a-z0-9 =]{0,8}[a-z0-9]",
    ) {
        let record = DmarcRecord {
            policy: policies.0,
            subdomain_policy: policies.1,
            nonexistent_policy: policies.2,
            testing,
            psd,
            dkim_alignment: alignments.0,
            spf_alignment: alignments.1,
            failure_options: options,
            aggregate_reports: uris.0,
            failure_reports: uris.1,
            others: vec![("x".to_owned(), other.trim().to_owned())],
        };
        prop_assert_eq!(parse(record.render().as_bytes()).unwrap().record, record);
    }
}
