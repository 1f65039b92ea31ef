//! Texts of records and of macros, one a line.

use std::net::IpAddr;

use proptest::prelude::*;

use crate::protocol::spf::domain_spec::DomainSpec;
use crate::protocol::spf::macros::{MacroPlace, MacroString, MacroValues};
use crate::protocol::spf::{SpfFault, is_record, parse};

#[track_caller]
fn check(why: &str, text: &str, expected: &str) {
    bytes(why, text.as_bytes(), expected);
}

#[track_caller]
fn bytes(why: &str, text: &[u8], expected: &str) {
    let shown = match parse(text) {
        Ok(record) => record.to_string().trim_start_matches("v=spf1").trim_start().to_owned(),
        Err(fault) => format!("error: {fault}"),
    };
    assert!(
        shown == expected || (expected.ends_with('…') && shown.starts_with(expected.trim_end_matches('…'))),
        "{why}: {shown}"
    );
}

#[test]
fn the_version_is_exact() {
    check("the version folds case, §4.5", "V=SPF1 -all", "-all");
    check("it may stand alone", "v=spf1", "");
    check("spaces at the end, §4.5", "v=spf1 -all  ", "-all");
    check("several spaces, §4.6.1", "v=spf1   a  -all", "a -all");
    for text in ["v=spf10 -all", "v=spf1-all", " v=spf1 -all", "v=spf1\t-all", "v=spf", "", "spf1"] {
        check("not a record, §4.5", text, "error: the text does not begin with `v=spf1`…");
        assert!(!is_record(text.as_bytes()), "{text}");
    }
}

/// Bad terms, and how their faults begin.
const FAULTS: &[(&str, &str)] = &[
    ("moo", "there is no mechanism `moo`"),
    ("ip:192.0.2.1", "there is no mechanism `ip`"),
    ("--all", "there is no mechanism `-all`"),
    ("-", "there is no mechanism ``"),
    ("redirect:a.test", "there is no mechanism `redirect`"),
    ("-all.", "there is no mechanism `all.`"),
    ("all:a.test", "nothing may follow `all`"),
    ("all/8", "nothing may follow `all`"),
    ("include", "a domain name is needed here"),
    ("include:", "a domain name is needed here"),
    ("a:", "a domain name is needed here"),
    ("exp=", "a domain name is needed here"),
    ("include/8", "a domain name is needed here"),
    ("include:a.test/8", "a domain name with at least two labels"),
    ("a:test", "a domain name with at least two labels"),
    ("a:test.", "a domain name with at least two labels"),
    ("a:192.0.2.1", "a domain name with at least two labels"),
    ("a:a.-test", "a domain name with at least two labels"),
    ("a:a.test-", "a domain name with at least two labels"),
    ("a:a.test/", "a domain name with at least two labels"),
    ("redirect=-all", "a domain name with at least two labels"),
    ("a/33", "the network lengths must be"),
    ("a//129", "the network lengths must be"),
    ("a/024", "the network lengths must be"),
    ("a/24/64", "the network lengths must be"),
    ("a/", "the network lengths must be"),
    ("ptr/8", "a domain name is needed here"),
    ("ip4", "`ip4` needs a whole address"),
    ("ip4:192.0.2", "`ip4` needs a whole address"),
    ("ip4:192.0.2.01", "`ip4` needs a whole address"),
    ("ip4:2001:db8::1", "`ip4` needs a whole address"),
    ("ip4:192.0.2.1/33", "the network length must be a number from 0 to 32"),
    ("ip4:192.0.2.1/", "the network length must be a number from 0 to 32"),
    ("ip4:192.0.2.1//32", "the network length must be a number from 0 to 32"),
    ("ip6:2001:db8::/129", "the network length must be a number from 0 to 128"),
    ("ip6:2001:db8::/+8", "the network length must be a number from 0 to 128"),
    ("ip6:fe80::1%eth0", "`ip6` needs a whole address"),
    ("+redirect=a.test", "`+redirect` is no name of a modifier"),
    ("1up=a", "`1up` is no name of a modifier"),
    ("=all", "`` is no name of a modifier"),
    ("moo=%a", "a `%` must begin"),
    ("moo=%{c}", "the macro letter `c` is allowed only in"),
    ("exists:%{q}", "there is no macro letter `q`"),
    ("exists:%{d0}", "the number of parts in a macro must not be zero"),
    ("exists:%{d", "a macro is a letter, digits"),
    ("exists:%{}", "a macro is a letter, digits"),
    ("exists:%{dx}", "a macro is a letter, digits"),
    ("exists:%{d.r}", "a macro is a letter, digits"),
    ("exists:%", "a `%` must begin"),
];

#[test]
fn terms_keep_the_grammar_or_are_named() {
    let all = "a a:example.com a/24 a//64 a:example.com/24//64 mx mx:example.com/0 ptr ptr:example.com ip4:192.0.2.1 \
               ip4:192.0.2.0/24 ip6:2001:db8::/32 exists:%{ir}.example.com include:example.com ?all";
    check("all mechanisms, §5", &format!("v=spf1 {all}"), all);
    check("qualifiers, §4.6.2", "v=spf1 +a -mx ~ptr ?all", "a -mx ~ptr ?all");
    check(
        "names fold case, §4.6.1",
        "v=spf1 A MX:Example.COM IP4:192.0.2.1 -ALL REDIRECT=a.test",
        "a mx:Example.COM ip4:192.0.2.1 -all redirect=a.test",
    );
    check(
        "whole addresses",
        "v=spf1 a/32//128 ip4:192.0.2.1/32 ip6:2001:db8::1/128",
        "a ip4:192.0.2.1 ip6:2001:db8::1",
    );
    check(
        "modifiers, §6",
        "v=spf1 exp=e.test redirect=r.test moo.x-y_z=a:b/c",
        "redirect=r.test exp=e.test moo.x-y_z=a:b/c",
    );
    check("an empty unknown modifier", "v=spf1 moo=", "moo=");
    check("a slash within a name, §7.1", "v=spf1 a:foo:bar/baz.example.com/8", "a:foo:bar/baz.example.com/8");
    check("a slash as a delimiter", "v=spf1 a:%{d/}/8", "a:%{d/}/8");
    check("a trailing dot", "v=spf1 a:example.com.", "a:example.com.");
    check(
        "a repeat is an error, §6",
        "v=spf1 redirect=a.test redirect=b.test",
        "error: term 2 (`redirect=b.test`): `redirect=` may stand only once…",
    );
    check(
        "exp likewise",
        "v=spf1 a exp=a.test EXP=b.test",
        "error: term 3 (`EXP=b.test`): `exp=` may stand only once…",
    );
    for (term, fault) in FAULTS {
        check("§12", &format!("v=spf1 mx {term} -all"), &format!("error: term 2 (`{term}`): {fault}…"));
    }
    bytes(
        "octets above 127",
        b"v=spf1 a:\xef.example.com",
        "error: term 1 (`a:\\239.example.com`): the octet 239 is not allowed…",
    );
    bytes(
        "control characters",
        b"v=spf1 a:b.example.com\rmx",
        "error: term 1 (`a:b.example.com\\013mx`): the octet 13 is not allowed…",
    );
    bytes("a NUL", b"v=spf1 a:b.example.com\0", "error: term 1 (`a:b.example.com\\000`): the octet 0 is not allowed…");
    assert!(matches!(parse(b"v=spf1 -\xffall"), Err(SpfFault::Term { position: 1, .. })));
}

fn values<'v>(ip: IpAddr) -> MacroValues<'v> {
    MacroValues {
        local_part: b"strong-bad",
        sender_domain: b"email.example.com",
        domain: b"email.example.com",
        ip,
        helo: b"mail.example.net",
        validated: b"mx.example.org",
        receiver: b"example.org",
        now_seconds: 1_000,
    }
}

#[test]
fn macros_expand() {
    let ip4 = IpAddr::from([192, 0, 2, 3]);
    let ip6: IpAddr = "2001:db8::cb01".parse().unwrap();
    // The first sixteen are the table of RFC 7208 §7.4.
    for (ip, text, expected) in [
        (ip4, "%{s}", "strong-bad@email.example.com"),
        (ip4, "%{o}", "email.example.com"),
        (ip4, "%{d}", "email.example.com"),
        (ip4, "%{d4}", "email.example.com"),
        (ip4, "%{d3}", "email.example.com"),
        (ip4, "%{d2}", "example.com"),
        (ip4, "%{d1}", "com"),
        (ip4, "%{dr}", "com.example.email"),
        (ip4, "%{d2r}", "example.email"),
        (ip4, "%{l}", "strong-bad"),
        (ip4, "%{l-}", "strong.bad"),
        (ip4, "%{lr}", "strong-bad"),
        (ip4, "%{lr-}", "bad.strong"),
        (ip4, "%{l1r-}", "strong"),
        (ip4, "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        (ip6, "%{ir}.%{v}", "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6"),
        (ip4, "%{h} %{p} %{c} %{r} %{t}", "mail.example.net mx.example.org 192.0.2.3 example.org 1000"),
        (ip6, "%{c}", "2001:db8::cb01"),
        (ip4, "%%%_%-", "% %20"),
        (ip4, "%{S}", "strong-bad%40email.example.com"),
        (ip4, "%{D99999999999999999999R}", "com.example.email"),
        (ip4, "%{o.-}", "email.example.com"),
    ] {
        let macros = MacroString::parse(text.as_bytes(), MacroPlace::Explanation).unwrap();
        assert_eq!(String::from_utf8_lossy(&macros.expand_text(&values(ip))), expected, "{text}");
    }
}

#[test]
fn expansions_become_names_or_do_not() {
    let label = |length: usize| "a".repeat(length);
    let long = format!("{0}.{0}.{0}.{0}.{0}.example.com", label(50));
    for (text, expected) in [
        ("%{d}.com.", "email.example.com.com".to_owned()),
        ("%{l}.Example.COM.", "strong-bad.example.com".to_owned()),
        ("a%_b.example.com", r"a\032b.example.com".to_owned()),
        ("a..example.com", "a label between two dots is empty".to_owned()),
        ("a.%{d}..%{d}", "a label between two dots is empty".to_owned()),
        (&format!("{}.example.com", label(64)), "a label is longer than 63 octets".to_owned()),
        (&long, long.split_once('.').unwrap().1.to_owned()),
        (&format!("{}.example.com", label(300)), "example.com".to_owned()),
        (&format!("{}%{{d}}", label(300)), "example.com".to_owned()),
        (&format!("{}%%", label(300)), "the name is longer than 253 octets".to_owned()),
    ] {
        let target = DomainSpec::parse(text.as_bytes()).unwrap().expand(&values(IpAddr::from([192, 0, 2, 3])));
        assert_eq!(target.map_or_else(|fault| fault.to_string(), |target| target.name.to_string()), expected, "{text}");
    }
}

/// Octets that terms are made of, so that many are nearly right.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(" "),
        Just("a"),
        Just("mx"),
        Just("ip4:"),
        Just("ip6:"),
        Just("192.0.2.1"),
        Just("2001:db8::"),
        Just("/"),
        Just("24"),
        Just("include:"),
        Just("exists:"),
        Just("redirect="),
        Just("exp="),
        Just("ptr"),
        Just(":"),
        Just("all"),
        Just("-"),
        Just("%{d2r.-}"),
        Just("%{I}"),
        Just("%"),
        Just("{"),
        Just("%%"),
        Just("%_"),
        Just(".example.com"),
        Just("moo="),
    ];
    let word = prop_oneof![12 => word.prop_map(|word| word.as_bytes().to_vec()), 1 => proptest::collection::vec(any::<u8>(), 1..3)];
    proptest::collection::vec(word, 0..24).prop_map(|words| [b"v=spf1 ".to_vec(), words.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_read_is_written_back(text in any_text()) {
        if let Ok(record) = parse(&text) {
            let written = record.to_string();
            prop_assert_eq!(parse(written.as_bytes()), Ok(record), "{}", written);
        }
    }

    #[test]
    fn any_octets_are_read(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&text);
        let _ = parse(&[b"v=spf1 ".as_slice(), &text].concat());
        let ips = [IpAddr::from([0, 0, 0, 0]), IpAddr::from([255; 16])];
        for ip in ips {
            let odd = MacroValues { local_part: &text, sender_domain: &text, domain: &text, helo: &text, ..values(ip) };
            for spec in ["%{s}.%{L3r+-}", "%{o255}%{h2}", "%{S}%{D}", "%{l./_=}"] {
                if let Ok(target) = DomainSpec::parse(spec.as_bytes()).unwrap().expand(&odd) {
                    prop_assert!(target.text.len() <= 253);
                }
            }
        }
    }
}
