//! DKIM keys, judged as eight other implementations judge them.

use std::collections::BTreeMap;

use sendready::protocol::dkim::{Algorithm, KeyFault, KeyRecord, KeyRecordFault, PublicKey};
use sendready::protocol::domain::Domain;
use sendready::protocol::name::Name;
use sendready::verify::dkim::{self, DkimLint};
use sendready::verify::expectation::{DkimExpectation, DkimKey, Expectation};
use sendready::verify::finding::Finding;
use sendready::verify::purpose::Verdict;
use serde_json::Value;

use super::zone::judged;

/// Cases where we say otherwise, and why. A line that is no longer needed fails the test.
pub(super) const OTHERWISE: &[(&str, &str)] = &[
    ("dkim/jdkim/09", "its library does not decode `p=`; what stands there is no base64 (RFC 6376 §3.6.1)"),
    ("dkim/jdkim/17", "its library does not decode `p=`; what stands there is no base64 (RFC 6376 §3.6.1)"),
    ("dkim/jdkim/18", "its library does not decode `p=`; what stands there is no base64 (RFC 6376 §3.6.1)"),
    ("dkim/mail-dkim/goodkey-1", "of the time of RFC 4871: the key has 512 bits, which RFC 8301 §3.2 forbids"),
    ("dkim/mail-dkim/goodkey-3", "of the time of RFC 4871: the key has 512 bits, which RFC 8301 §3.2 forbids"),
];

#[test]
fn published_cases() {
    let Some(lines) = super::lines_of("dkim_cases.jsonl") else { return };
    let otherwise: BTreeMap<&str, &str> = OTHERWISE.iter().copied().collect();
    let mut wrong = Vec::new();
    for case in &lines {
        let id = case["id"].as_str().expect("every case has an id");
        let outcome = check(case);
        match (outcome, otherwise.get(id)) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            (Err(why), None) => wrong.push(format!("{id}: {why}")),
            (Ok(()), Some(_)) => wrong.push(format!("{id}: passes; take it off the list")),
        }
    }
    eprintln!("dkim: {} cases, {} of them answered otherwise on purpose", lines.len(), otherwise.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}

fn check(case: &Value) -> Result<(), String> {
    match case["question"].as_str() {
        Some("dkim.record.parse") => check_record(case),
        Some("dkim.tag.value") => check_value(case),
        Some("dkim.lookup") => check_lookup(case),
        other => Err(format!("no such question: {other:?}")),
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, found: T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: {expected:?} is expected, {found:?} found")) }
}

fn check_record(case: &Value) -> Result<(), String> {
    let lint = dkim::lint(case["record"].as_str().expect("a record").as_bytes());
    let parsed = lint.parsed.as_ref();
    let key = parsed.and_then(|record| record.key.as_ref());
    for (what, wanted) in case["expected"].as_object().expect("expectations") {
        let text = wanted.as_str().unwrap_or_default();
        match what.as_str() {
            "valid" => expect("valid", wanted.as_bool(), Some(lint.valid))?,
            "revoked" => expect("revoked", wanted.as_bool(), Some(has(&lint, "dkim.revoked") && !lint.valid))?,
            "error" => check_error(&lint, text)?,
            "key_type" => expect("key_type", Some(text), key.map(|key| key.algorithm().as_str()))?,
            "bits" => expect("bits", wanted.as_u64(), key.map(|key| u64::from(key.bits())))?,
            "hashes" => expect("hashes", wanted, &list(parsed.and_then(|record| record.hashes.clone())))?,
            "flags" => expect("flags", wanted, &list(parsed.map(|record| record.flags.clone())))?,
            "testing" => expect("testing", wanted.as_bool(), parsed.map(KeyRecord::is_testing))?,
            "strict_subdomain" => expect("strict", wanted.as_bool(), parsed.map(KeyRecord::is_strict))?,
            "is_dkim" => expect("is_dkim", wanted.as_bool(), Some(!has(&lint, "dkim.bad-version")))?,
            other => return Err(format!("no such expectation: {other}")),
        }
    }
    Ok(())
}

fn list(values: Option<Vec<String>>) -> Value {
    values.unwrap_or_default().into_iter().map(Value::String).collect()
}

fn has(lint: &DkimLint, code: &str) -> bool {
    lint.findings.iter().any(|finding: &Finding| finding.code() == code)
}

/// The words that name one flaw; other words are each library's own.
fn check_error(lint: &DkimLint, word: &str) -> Result<(), String> {
    let codes: &[&str] = match word {
        "bad_version" | "failure: wrong version" => &["dkim.bad-version"],
        "unknown_key_type" => &["dkim.unknown-key-type"],
        "bad_key" => &["dkim.not-a-key", "dkim.ed25519-without-type", "dkim.not-base64", "dkim.truncated"],
        _ => return Ok(()),
    };
    let found: Vec<&str> = lint.findings.iter().map(Finding::code).collect();
    if found.iter().any(|code| codes.contains(code)) { Ok(()) } else { Err(format!("`{word}` is expected: {found:?}")) }
}

/// One tag by itself, beside a key that is sound.
fn check_value(case: &Value) -> Result<(), String> {
    let (tag, value) = (case["tag"].as_str().expect("a tag"), case["value"].as_str().expect("a value"));
    let key = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let record = |text: String| KeyRecord::parse(text.as_bytes());
    let valid = match tag {
        // The source checks the base64 only, not what is in it.
        "p" => !matches!(PublicKey::of_record(Algorithm::Rsa, value.as_bytes()), Err(KeyFault::NotBase64)),
        "v" => !matches!(record(format!("v={value}; k=ed25519; {key}")), Err(KeyRecordFault::BadVersion(_))),
        "k" => Algorithm::parse(value.as_bytes()).is_some(),
        "s" => record(format!("s={value}; k=ed25519; {key}")).is_ok_and(|record| record.allows_email()),
        "h" => record(format!("h={value}; k=ed25519; {key}")).is_ok_and(|record| record.allows_sha256()),
        _ => record(format!("{tag}={value}; k=ed25519; {key}")).is_ok(),
    };
    expect("valid", case["expected"]["valid"].as_bool(), Some(valid))
}

/// A selector in DNS, of which nothing but soundness is required.
fn check_lookup(case: &Value) -> Result<(), String> {
    let domain = Domain::parse(case["domain"].as_str().expect("a domain")).map_err(|fault| fault.to_string())?;
    let selector = Name::parse(case["selector"].as_str().expect("a selector")).map_err(|fault| fault.to_string())?;
    let expectation = Expectation::soundness_of(domain);
    let selector = DkimExpectation { selector, key: DkimKey::Any };
    let report = judged(&case["zone"], |evidence| dkim::judge(&expectation, &selector, evidence));
    let expected = &case["expected"];
    if expected["status"] == "temperror" {
        expect("verdict", Verdict::Unknown, report.verdict)?;
    }
    expect("usable", expected["usable_for_this_signature"].as_bool(), Some(report.verdict == Verdict::Valid))
}
