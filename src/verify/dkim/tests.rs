//! Tables for the judgement of selectors.

use super::*;
use crate::protocol::domain::Domain;
use crate::verify::evidence::{Alias, Denial, Failure, Found};
use proptest::prelude::*;

/// RSA keys of 1024 and 2048 bits, made for these tests; nobody has the private halves.
const WEAK: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";
const POINT: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const OTHER: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUR0=";

/// A 2048-bit RSA key of a fixed pattern.
fn good() -> PublicKey {
    let mut modulus = vec![0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
    modulus.extend((0..=255u8).map(|octet| octet | 0x81));
    modulus.extend([2, 3, 1, 0, 1]);
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &modulus);
    PublicKey::parse_base64(&base64).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// `POINT`, `OTHER`, `WEAK` and `GOOD` stand for their keys.
fn fill(text: &str) -> String {
    let text = text.replace("POINT", POINT).replace("OTHER", OTHER).replace("WEAK", WEAK);
    text.replace("GOOD", &good().record_base64())
}

/// The answer of a line: `nx`, `nodata`, `servfail`, or texts between bars; `->name` before it is an alias.
fn answer(owner: &str, line: &str) -> Answer {
    let mut aliases = Vec::new();
    let mut rest = line;
    while let Some(after) = rest.strip_prefix("->") {
        let (target, after) = after.split_once(' ').unwrap();
        let owner = aliases.last().map_or(name(owner), |alias: &Alias| alias.target.clone());
        aliases.push(Alias { owner, target: name(target), ttl_seconds: 60 });
        rest = after;
    }
    let denial = Denial { aliases: aliases.clone(), authority: None, authentic: false };
    match rest {
        "nx" => Answer::NoSuchName(denial),
        "nodata" => Answer::NoData(denial),
        "servfail" => Answer::Unknown(Failure::Servfail),
        texts => {
            let records = texts.split('|').map(|text| RecordData::Txt(Txt::of(fill(text)))).collect();
            Answer::Found(Found { records, ttl_seconds: 60, aliases, authentic: false })
        }
    }
}

const OWN: &str = "s1._domainkey.example.com";
const TARGET: &str = "s1.provider.example";

fn judge_lines(key: DkimKey, own: &str, target: &str) -> RecordReport {
    let mut expectation = Expectation::soundness_of(Domain::parse("example.com").unwrap());
    let selector = DkimExpectation { selector: name("s1"), key };
    expectation.dkim.push(selector.clone());
    let mut evidence = Evidence::new();
    evidence.tell(Question::txt(&name(OWN)), answer(OWN, own));
    evidence.tell(Question::txt(&name(TARGET)), answer(TARGET, target));
    let report = judge(&expectation, &selector, &evidence).unwrap();
    assert_eq!(judge(&expectation, &selector, &evidence).as_ref(), Ok(&report), "judging twice is judging once");
    report
}

/// `verdict action code code …`, without the notice about the key itself.
fn shown(report: &RecordReport) -> String {
    let codes: Vec<&str> = report.findings.iter().map(Finding::code).filter(|code| *code != "dkim.key").collect();
    format!("{} {} {}", report.verdict, report.action.as_str(), codes.join(" ")).trim_end().to_owned()
}

#[track_caller]
fn check_key(why: &str, own: &str, expected: &str) {
    let key = DkimKey::Key(PublicKey::parse_base64(POINT).unwrap());
    assert_eq!(shown(&judge_lines(key, own, "nx")), expected, "{why}");
}

#[test]
fn a_required_key() {
    check_key("the key", "v=DKIM1; k=ed25519; p=POINT", "valid keep");
    check_key("in another order", "v=DKIM1; p=POINT; n=x; k=ed25519;", "valid keep");
    check_key("through any CNAME", "->x.example v=DKIM1; k=ed25519; p=POINT", "valid keep");
    check_key("nothing", "nx", "missing add dkim.missing");
    check_key("nothing of this type", "nodata", "missing add dkim.missing");
    check_key("a CNAME to nowhere", "->x.example nx", "missing replace dkim.alias-dangles");
    check_key("no answer is no absence", "servfail", "unknown add dkim.unanswered");
    check_key("another key", "v=DKIM1; k=ed25519; p=OTHER", "mismatch replace dkim.key-differs");
    check_key("a wildcard's text", "v=spf1 -all", "missing add dkim.missing dkim.foreign-text");
    check_key("a wildcard's DMARC", "v=DMARC1; p=none", "missing add dkim.missing dkim.foreign-text");
    check_key("foreign text beside it", "v=spf1 -all|v=DKIM1; k=ed25519; p=POINT", "valid keep dkim.foreign-text");
    check_key("two keys", "v=DKIM1; k=ed25519; p=POINT|v=DKIM1; k=ed25519; p=OTHER", "invalid replace dkim.several");
    check_key("revoked", "v=DKIM1; p=", "invalid replace dkim.revoked");
    check_key("no p", "v=DKIM1; k=rsa", "invalid replace dkim.no-key");
    check_key("quotes inside", "\"v=DKIM1; k=ed25519; p=POINT\"", "invalid replace dkim.quotes");
    check_key("backslashes inside", "v=DKIM1\\; k=ed25519\\; p=POINT", "invalid replace dkim.quotes");
    check_key("smart quotes", "\u{201c}v=DKIM1; k=ed25519; p=POINT\u{201d}", "invalid replace dkim.smart-quotes");
    check_key("a small v", "v=dkim1; k=ed25519; p=POINT", "invalid replace dkim.bad-version");
    check_key("two semicolons", "v=DKIM1;; k=ed25519; p=POINT", "invalid replace dkim.malformed");
    check_key("an unknown type", "v=DKIM1; k=dsa; p=POINT", "invalid replace dkim.unknown-key-type");
    check_key("no type", "v=DKIM1; p=POINT", "invalid replace dkim.ed25519-without-type");
    check_key("no base64", "v=DKIM1; p=hello world!", "invalid replace dkim.not-base64");
    check_key("no key", "v=DKIM1; p=aGVsbG8gd29ybGQh", "invalid replace dkim.not-a-key");
    check_key("no sha256", "v=DKIM1; h=sha1; k=ed25519; p=POINT", "invalid replace dkim.no-sha256");
    check_key("no mail", "v=DKIM1; s=tlsrpt; k=ed25519; p=POINT", "invalid replace dkim.no-email");
    check_key("testing", "v=DKIM1; t=y; k=ed25519; p=POINT", "valid keep dkim.test-mode");
    check_key("strict", "v=DKIM1; t=s; k=ed25519; p=POINT", "valid keep dkim.strict");
    check_key(
        "unsound and another",
        "v=DKIM1; h=sha1; k=ed25519; p=OTHER",
        "invalid replace dkim.key-differs dkim.no-sha256",
    );
}

#[test]
fn a_key_by_its_own_soundness() {
    let any = |own: &str| shown(&judge_lines(DkimKey::Any, own, "nx"));
    assert_eq!(any("v=DKIM1; p=GOOD"), "valid keep dkim.expected-unknown");
    assert_eq!(any("v=DKIM1; p=WEAK"), "valid keep dkim.key-weak dkim.expected-unknown");
    assert_eq!(any("nx"), "missing add dkim.missing");
    let short = format!(
        "v=DKIM1; p={}",
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALgSoqXVSEmfcIsOzw7oRuCCOwsmtX/SJnTWxYyj2leFxfS/AVJ+dYfY+hXqMsT7l+MZvvh/R1WzN4MO/kI/7XsCAwEAAQ=="
    );
    assert_eq!(any(&short), "invalid replace dkim.key-too-short");
}

#[test]
fn cut_keys() {
    let text = fill("v=DKIM1; k=rsa; p=GOOD");
    let key = || DkimKey::Key(good());
    let (head, tail) = text.split_at(255);
    let cut = judge_lines(key(), head, "nx");
    assert_eq!(shown(&cut), "invalid replace dkim.truncated");
    assert!(matches!(cut.findings.as_slice(), [Finding::Dkim(DkimFinding::Truncated { at_string_end: true, .. })]));
    let split = judge_lines(key(), &format!("{head}|{tail}"), "nx");
    assert_eq!(shown(&split), "invalid replace dkim.split-records");
    assert_eq!(shown(&judge_lines(key(), &text, "nx")), "valid keep");
    let missing = judge_lines(key(), "nx", "nx");
    assert_eq!(missing.findings[0].facts()[1], ("value_strings", crate::verify::finding::Fact::Number(2)));
}

#[track_caller]
fn check_cname(why: &str, own: &str, target: &str, expected: &str) {
    let report = judge_lines(DkimKey::Cname(name(TARGET)), own, target);
    assert_eq!(shown(&report), expected, "{why}");
    assert_eq!((report.record_type, report.value.as_deref()), (RecordType::Cname, Some(TARGET)), "{why}");
}

#[test]
fn a_required_cname() {
    let key = "v=DKIM1; k=ed25519; p=POINT";
    let other = "v=DKIM1; k=ed25519; p=OTHER";
    let led = |rest: &str| format!("->{TARGET} {rest}");
    check_cname("as it must be", &led(key), key, "valid keep");
    check_cname("through one more alias", &format!("->x.example ->{TARGET} {key}"), key, "valid keep");
    check_cname("a cache behind the provider", &led(key), other, "valid keep");
    check_cname("the target is gone", &led("nx"), "nx", "unknown keep dkim.target-missing");
    check_cname("the target is revoked", &led("v=DKIM1; p="), "v=DKIM1; p=", "unknown keep dkim.target-missing");
    check_cname("a cached no", &led("nx"), key, "unknown keep dkim.unanswered");
    check_cname("nothing there", "nx", key, "missing add dkim.missing");
    check_cname("nothing anywhere", "nx", "nx", "missing add dkim.missing dkim.target-missing");
    check_cname("no answer", "servfail", key, "unknown add dkim.unanswered");
    check_cname("flattened", key, key, "valid keep dkim.flattened");
    check_cname("flattened and stale", other, key, "mismatch replace dkim.key-differs");
    check_cname("flattened, target gone", key, "nx", "unknown replace dkim.target-missing");
    check_cname("flattened, target silent", key, "servfail", "unknown replace dkim.unanswered");
    check_cname("another CNAME, same key", &format!("->x.example {key}"), key, "valid keep dkim.wrong-target");
    let elsewhere = format!("->x.example {other}");
    check_cname("another CNAME, another key", &elsewhere, key, "mismatch replace dkim.key-differs dkim.wrong-target");
    let dangling = "mismatch replace dkim.wrong-target dkim.alias-dangles";
    check_cname("another CNAME to nowhere", "->x.example nx", key, dangling);
    check_cname("a wildcard's text", "v=spf1 -all", key, "missing add dkim.missing dkim.foreign-text");
    check_cname("a broken copy", "v=DKIM1; p=", key, "invalid replace dkim.revoked");
}

#[test]
fn both_questions_of_a_cname_are_asked_at_once() {
    let expectation = Expectation::soundness_of(Domain::parse("example.com").unwrap());
    let selector = DkimExpectation { selector: name("s1"), key: DkimKey::Cname(name(TARGET)) };
    let mut both = Needs::one(Question::txt(&name(OWN)));
    both.join(Needs::one(Question::txt(&name(TARGET))));
    assert_eq!(judge(&expectation, &selector, &Evidence::new()), Err(both));
}

#[test]
fn a_record_by_itself() {
    let valid = |text: &str| lint(fill(text).as_bytes()).valid;
    assert!(valid("v=DKIM1; p=WEAK"));
    assert!(!valid("v=DKIM1; p="));
    assert!(!valid("v=DKIM1; h=sha1; p=WEAK"));
    assert!(!valid("v=DKIM1"));
}

proptest! {
    #[test]
    fn any_octets_are_judged_without_harm(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = lint(&text);
        let _ = lint(&[b"v=DKIM1; p=".as_slice(), &text].concat());
    }
}
