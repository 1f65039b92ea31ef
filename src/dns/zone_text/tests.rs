//! What zones of text answer, a line a case.

use super::*;

const ZONES: &str = r#"
$ORIGIN example.test.
$TTL 300
@       IN  SOA ns1 hostmaster ( 7 3600 ; a comment in the middle
                                 600 1d 60 )
        NS  ns1
        30 IN MX 10 mx
        MX  20 mx.example.net.
        TXT "v=spf1 ; not a comment" ; a comment
Ns1     A   192.0.2.53
octets  TXT "\255\000" "quote \" and \\" plain\;word
long    120 TXT ( "first "
            "second" )
a.b.c   A   192.0.2.1
alias   60  CNAME www.example.net.
dangle  CNAME gone.example.net.
nowhere CNAME name.outside.invalid.
loop1   CNAME loop2
loop2   CNAME loop1
*.wild  TXT wildcard
here.wild A 192.0.2.2
sub     NS  ns.example.net.
null    MX  0 .
www     CNAME @
;@ servfail _dmarc TXT
;@ timeout  mx.example.net. *
$ORIGIN example.net.
@       SOA ns1 hostmaster 1 3600 600 86400 30
www     90  AAAA 2001:db8::1
        40  AAAA 2001:db8::2
fail    CNAME mx
"#;

#[test]
fn signed_zones_are_authentic() {
    let text = "$ORIGIN a.test.\n@ SOA ns h 1 1 1 1 60\n@ TXT x\nout CNAME b.test.\n;@ secure @\n\
                ;@ servfail broken TXT\nb.test. SOA ns h 1 1 1 1 60\nb.test. TXT y\nin.b.test. CNAME a.test.\n";
    let zones: ZoneText = text.parse().unwrap();
    let check = |name: &str, expected: bool| {
        let answer = zones.answer(&Question::txt(&Name::parse(name).unwrap()));
        assert_eq!(answer.is_authentic(), expected, "{name}: {answer:?}");
    };
    check("a.test", true);
    check("no.a.test", true);
    check("broken.a.test", false);
    check("b.test", false);
    check("out.a.test", false);
    check("in.b.test", false);
    check("no.zone.test", false);
    assert!(";@ secure".parse::<ZoneText>().is_err(), "a name is wanting");
    assert!(";@ secure a.test. TXT".parse::<ZoneText>().is_err(), "and no type");
}

fn shown(answer: &Answer) -> String {
    let mut text = answer.outcome().to_owned();
    for alias in answer.aliases() {
        text += &format!(" ->{}", alias.target);
    }
    match answer {
        Answer::Found(found) => {
            text += &format!(" {}s", found.ttl_seconds);
            for record in &found.records {
                text += &match record {
                    RecordData::Txt(txt) => {
                        let strings = txt.strings.iter().map(|string| string.escape_ascii().to_string());
                        format!(" [{}]", strings.collect::<Vec<_>>().join("|"))
                    }
                    RecordData::A(address) => format!(" {address}"),
                    RecordData::Aaaa(address) => format!(" {address}"),
                    RecordData::Mx { preference, exchange } => format!(" {preference} {exchange}"),
                    RecordData::Cname(name) | RecordData::Ns(name) | RecordData::Ptr(name) => format!(" {name}"),
                    RecordData::Soa { primary, serial, minimum_seconds } => {
                        format!(" {primary} {serial} {minimum_seconds}")
                    }
                };
            }
        }
        Answer::NoData(denial) | Answer::NoSuchName(denial) => {
            if let Some(authority) = &denial.authority {
                text += &format!(" by {} {}s", authority.zone, authority.negative_ttl_seconds);
            }
        }
        Answer::Unknown(_) => {}
    }
    text
}

#[track_caller]
fn check(why: &str, name: &str, record_type: RecordType, expected: &str) {
    let zones: ZoneText = ZONES.parse().unwrap();
    let question = Question::new(Name::parse(name).unwrap(), record_type);
    assert_eq!(shown(&zones.answer(&question)), expected, "{why}");
}

#[test]
fn questions_are_answered() {
    use RecordType::{A, Aaaa, Cname, Mx, Ns, Soa, Txt};
    check("the zone's own record", "example.test", Ns, "found 300s ns1.example.test");
    check("parentheses, units, comments", "example.test", Soa, "found 300s ns1.example.test 7 60");
    check("one TTL a set, RFC 2181 §5.2", "example.test", Mx, "found 30s 10 mx.example.test 20 mx.example.net");
    check("a semicolon in quotes", "example.test", Txt, "found 300s [v=spf1 ; not a comment]");
    check("names fold case", "NS1.EXAMPLE.test", A, "found 300s 192.0.2.53");
    check("octets", "octets.example.test", Txt, r#"found 300s [\xff\x00|quote \" and \\|plain;word]"#);
    check("strings over lines", "long.example.test", Txt, "found 120s [first |second]");
    check("the null MX, RFC 7505", "null.example.test", Mx, "found 300s 0 .");
    check("no such type", "ns1.example.test", Txt, "nodata by example.test 60s");
    check("an empty name in between, RFC 8020", "b.c.example.test", A, "nodata by example.test 60s");
    check("no such name", "d.c.example.test", A, "nxdomain by example.test 60s");
    check("below a name with records", "x.ns1.example.test", A, "nxdomain by example.test 60s");
    check("in no zone", "example.invalid", A, "nxdomain");
    check("a wildcard, RFC 4592", "any.thing.wild.example.test", Txt, "found 300s [wildcard]");
    check("a wildcard has no other type", "any.wild.example.test", A, "nodata by example.test 60s");
    check("a name that exists is not the wildcard's", "here.wild.example.test", Txt, "nodata by example.test 60s");
    check("nor is what stands below it", "x.here.wild.example.test", Txt, "nxdomain by example.test 60s");
    check("delegated to nobody here", "x.sub.example.test", A, "lame");
    check("delegated, at the cut", "sub.example.test", Ns, "lame");
    check(
        "a chain into another zone, least TTL",
        "alias.example.test",
        Aaaa,
        "found ->www.example.net 40s 2001:db8::1 2001:db8::2",
    );
    check("a chain to no such type", "alias.example.test", A, "nodata ->www.example.net by example.net 30s");
    check("a chain that dangles", "dangle.example.test", A, "nxdomain ->gone.example.net by example.net 30s");
    check("a chain out of all zones", "nowhere.example.test", A, "nxdomain ->name.outside.invalid");
    check("an alias asked for by itself", "alias.example.test", Cname, "found 60s www.example.net");
    check("a chain that loops", "loop1.example.test", A, "malformed");
    check("a fault that is played", "_dmarc.example.test", Txt, "servfail");
    check("only for its type", "_dmarc.example.test", A, "nxdomain by example.test 60s");
    check("a fault for all types", "mx.example.net", A, "timeout");
    check("a fault at the end of a chain", "fail.example.net", Mx, "timeout");
    check("an alias to the zone", "www.example.test", Ns, "found ->example.test 300s ns1.example.test");
}

#[track_caller]
fn check_fault(why: &str, text: &str, expected: &str) {
    assert_eq!(text.parse::<ZoneText>().map(|_| ()).unwrap_err().to_string(), expected, "{why}");
}

#[test]
fn faults_name_their_line() {
    let long = format!("a TXT {}", "x".repeat(256));
    check_fault("an unknown type", "\na SRV 1 1 1 b", "line 2: `SRV` is no record type that is read here");
    check_fault("another class", "a CH TXT b", "line 1: `CH` is no record type that is read here");
    check_fault("too few words", "a MX 10", "line 1: the entry ends too soon");
    check_fault("only an owner", "a", "line 1: the entry ends too soon");
    check_fault("too many words", "a A 192.0.2.1 b", "line 1: the entry should end before `b`");
    check_fault("no address", "a A 192.0.2.256", "line 1: `192.0.2.256` is not the number or address that is due here");
    check_fault("no number", "$TTL x", "line 1: `x` is not the number or address that is due here");
    check_fault(
        "too large a TTL",
        "$TTL 4294967296",
        "line 1: `4294967296` is not the number or address that is due here",
    );
    check_fault("an open parenthesis", "a TXT ( b\nc", "line 1: parentheses do not match");
    check_fault("a closed parenthesis", "a A 192.0.2.1\na TXT b )", "line 2: parentheses do not match");
    check_fault("an open quote", "a TXT \"b", "line 1: a quoted string does not end on its line");
    check_fault("no owner", " A 192.0.2.1", "line 1: there is no owner before this line");
    check_fault("a long string", &long, "line 1: a character-string is longer than 255 octets");
    check_fault(
        "an octet above 255",
        r"a TXT \256",
        "line 1: a backslash is not followed by a character or three digits up to 255",
    );
    check_fault("another directive", "$INCLUDE x", "line 1: the directive `$INCLUDE` is not read here");
    check_fault("an unknown outcome", ";@ nxdomain a A", "line 1: `nxdomain` is no outcome that can be played");
    check_fault("a bad name", "a CNAME b..c", "line 1: `b..c` is not a domain name: a label between two dots is empty");
    check_fault("a CNAME beside others", "a A 192.0.2.1\na CNAME b", "line 2: `a` has a CNAME beside another record");
    check_fault("a zone twice", "a SOA b c 1 1 1 1 1\na SOA b c 1 1 1 1 1", "line 2: the zone `a` begins twice");
    check_fault(
        "out of its zone",
        "a. SOA b. c. 1 1 1 1 1\nb. A 192.0.2.1",
        "line 2: `b` is not in the zone `a`; its own zone begins with a SOA",
    );
}

#[test]
fn records_without_a_zone_are_answered_too() {
    let zones: ZoneText = "example.test. TXT \"v=spf1 -all\"\n".parse().unwrap();
    let shown_at = |name| shown(&zones.answer(&Question::txt(&Name::parse(name).unwrap())));
    assert_eq!(shown_at("example.test"), "found 3600s [v=spf1 -all]");
    assert_eq!(shown_at("example.invalid"), "nxdomain");
    assert_eq!(shown_at("test"), "nodata");
}

proptest::proptest! {
    #[test]
    fn rubbish_never_panics(text in "[a-c@$;*.\"()\\\\ \t\n0-9MXTINSOA:é]{0,200}") {
        if let Ok(zones) = text.parse::<ZoneText>() {
            zones.answer(&Question::txt(&Name::parse("a.b").unwrap()));
        }
    }
}
