//! `spf`, `dmarc` and `lint` from outside: forms, exit codes, streams.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::process::run;
use crate::support::dns_server::DnsServer;

/// How many lines a stream has.
const LINES: usize = 100_000;

/// The most memory that a stream may take, in KiB, however long it is.
const RESIDENT_KIB_MAX: u64 = 64 * 1_024;

const ZONE: &str = "$ORIGIN example.test.\n@ 60 SOA ns h 1 1 1 1 60\n@ 60 NS ns\n\
    @ 60 TXT \"v=spf1 include:_spf.example.test ~all exp=why.example.test\"\n\
    _spf 60 TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n\
    strict 60 TXT \"v=spf1 -all exp=why.example.test\"\n\
    why 60 TXT \"%{i} may not\"\n\
    broken 60 TXT \"v=spf1 ip4:nonsense -all\"\n\
    ;@ servfail fails.example.test. TXT\n\
    _dmarc 60 TXT \"v=DMARC1; p=quarantine; sp=reject; rua=mailto:d@example.test\"\n\
    sub 60 A 192.0.2.1\n";

/// Runs a command against [`ZONE`]: exit code and standard output.
fn ask(arguments: &[&str]) -> (i32, String) {
    let server = DnsServer::zones(ZONE);
    let folder = tempfile::tempdir().unwrap();
    let address = server.address().to_string();
    let arguments = [arguments, &["--resolver", &address, "--timeout", "1s"]].concat();
    let output = run(folder.path(), &arguments, &[], "");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), text)
}

#[track_caller]
fn spf(why: &str, line: &str, code: i32, expected: Value) {
    let arguments: Vec<&str> = ["spf"].into_iter().chain(line.split(' ')).collect();
    let (ended, text) = ask(&arguments);
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{why}: {text}"));
    assert_eq!(ended, code, "{why}: {body:#}");
    for (field, wanted) in expected.as_object().unwrap() {
        assert_eq!(body[field], *wanted, "{why}: {field}: {body:#}");
    }
}

#[test]
fn spf_answers_as_the_contract_says() {
    let fail = json!({"result": "fail", "explanation": "192.0.2.1 may not", "lookups": 0, "void_lookups": 0});
    spf("fail, with its words", "strict.example.test --ip 192.0.2.1", 1, fail);
    let softfail = json!({"result": "softfail", "explanation": null, "lookups": 1, "void_lookups": 0});
    spf("softfail, which has no words", "example.test --ip 198.51.100.1", 1, softfail);
    spf("permerror", "broken.example.test --ip 192.0.2.1", 1, json!({"result": "permerror", "explanation": null}));
    spf("temperror", "fails.example.test --ip 192.0.2.1", 3, json!({"result": "temperror"}));
    spf("no record", "why.example.test --ip 192.0.2.1", 1, json!({"result": "none"}));
    let none = json!({"result": "none", "explanation": null, "lookups": 0, "void_lookups": 0, "trace": []});
    spf("a single label", "localhost --ip 192.0.2.1", 1, none.clone());
    spf("an empty label", "a..example.test --ip 192.0.2.1", 1, none.clone());
    spf("an address literal", "[192.0.2.1] --ip 192.0.2.1", 1, none);
    spf("pass", "_spf.example.test --ip 192.0.2.7", 0, json!({"result": "pass", "lookups": 0}));
    spf("IPv6", "_spf.example.test --ip 2001:db8::1", 1, json!({"result": "fail"}));
}

#[test]
fn spf_shows_the_way_to_its_result() {
    let (code, text) = ask(&["spf", "strict.example.test", "--ip", "192.0.2.1", "--format", "table"]);
    assert_eq!(code, 1);
    let expected = "strict.example.test: fail, because `-all` in the record of strict.example.test matches the client
  client 192.0.2.1, sender postmaster@strict.example.test, HELO strict.example.test
  0 of 10 lookups, 0 of 2 that found nothing
  the domain says: 192.0.2.1 may not
  strict.example.test: TXT: v=spf1 -all exp=why.example.test
    strict.example.test: -all: matches, fail
";
    assert!(text.starts_with(expected), "{text}");
}

#[track_caller]
fn dmarc(why: &str, domain: &str, code: i32, expected: Value) {
    let (ended, text) = ask(&["dmarc", domain]);
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{why}: {text}"));
    assert_eq!(ended, code, "{why}: {body:#}");
    for (field, wanted) in expected.as_object().unwrap() {
        assert_eq!(body[field], *wanted, "{why}: {field}: {body:#}");
    }
}

#[test]
fn dmarc_answers_as_the_contract_says() {
    let record = json!({"v": "DMARC1", "p": "quarantine", "sp": "reject", "rua": "mailto:d@example.test"});
    let own = json!({
        "found": true, "at": "_dmarc.example.test", "organizational_domain": "example.test",
        "effective_policy": "quarantine", "record": record, "asked": ["_dmarc.example.test", "_dmarc.test"], "failed": [],
    });
    dmarc("its own record", "Example.Test.", 0, own);
    let above = json!({"found": true, "at": "_dmarc.example.test", "effective_policy": "reject"});
    dmarc("a record above", "sub.example.test", 0, above);
    let none = json!({"found": false, "at": null, "effective_policy": null, "record": null, "asked": ["_dmarc.test"]});
    dmarc("a top-level domain", "test", 1, none);
    let (code, text) = ask(&["dmarc", "sub.example.test", "--format", "table"]);
    assert_eq!(code, 0);
    assert!(text.starts_with("sub.example.test: the policy is reject, from _dmarc.example.test\n"), "{text}");
    let (code, text) = ask(&["dmarc", "test", "--format", "table"]);
    assert_eq!(code, 1);
    assert!(text.contains("dmarc.missing") && text.contains("`v=DMARC1; p=none`"), "{text}");
}

/// A failure is no absence, and says so by its own code.
#[test]
fn dmarc_without_an_answer_is_no_denial() {
    let server = DnsServer::zones("example.test. 60 SOA ns h 1 1 1 1 60\n;@ servfail _dmarc.example.test. TXT\n");
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["dmarc", "example.test", "--resolver", &server.address().to_string(), "--timeout", "1s"];
    let output = run(folder.path(), &arguments, &[], "");
    assert_eq!(output.status.code(), Some(3));
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&body["found"], &body["effective_policy"]), (&json!(false), &Value::Null));
    assert_eq!(body["failed"], json!(["_dmarc.example.test"]));
    assert_eq!(body["findings"][0]["code"], "dmarc.unanswered", "{body:#}");
}

#[track_caller]
fn refuse(why: &str, arguments: &[&str], says: &str) {
    let (code, text) = ask(arguments);
    assert_eq!(code, 2, "{why}: {text}");
    assert!(text.contains(says), "{why}: `{says}` is not in: {text}");
}

#[test]
fn wrong_usage_ends_with_2() {
    refuse("no address", &["spf", "example.test"], "--ip");
    refuse("a bad address", &["spf", "example.test", "--ip", "192.0.2"], "--ip");
    refuse("no domain", &["spf", "--ip", "192.0.2.1"], "DOMAIN");
    refuse("an e-mail address", &["dmarc", "x@example.test"], "e-mail address");
    refuse("an address", &["dmarc", "192.0.2.1"], "IP address");
}

#[test]
fn lint_reads_an_argument_or_lines() {
    let folder = tempfile::tempdir().unwrap();
    let lint = |arguments: &[&str], input: &str| {
        let output = run(folder.path(), &[&["lint"], arguments].concat(), &[], input);
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (code, text) = lint(&["spf", "v=spf1 +all"], "");
    assert_eq!(code, 0, "grammar is kept: {text}");
    assert!(text.contains("\"code\":\"spf.pass-all\""), "{text}");
    assert_eq!(lint(&["spf", "v=spf1 bogus -all"], "").0, 1);
    assert_eq!(lint(&["mta-sts"], "v=STSv1; id=1\n").0, 0, "piped input needs no `-`");
    let (code, text) = lint(&["dmarc", "-"], "v=DMARC1; p=reject\nhello\n");
    assert_eq!((code, text.lines().count()), (1, 2), "{text}");
    assert_eq!(lint(&["bimi", "-"], "").0, 0, "nothing is wrong with no record");
    assert_eq!(lint(&["mx", "10 mx.example.test"], "").0, 2, "an unknown kind");
    assert_eq!(lint(&[], "").0, 2, "no kind");
    let (code, text) = lint(&["dmarc", "v=DMARC1; p=maybe", "--format", "table"], "");
    assert_eq!(code, 1);
    assert!(text.starts_with("dmarc not valid: v=DMARC1; p=maybe\n  p: maybe\n"), "{text}");
}

/// Rubbish among the lines, in order, and in memory that does not grow.
#[test]
fn a_hundred_thousand_lines_stream() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sendready"))
        .args(["lint", "spf", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut stdin = std::io::BufWriter::new(child.stdin.take().unwrap());
    let writer = std::thread::spawn(move || {
        for number in 0..LINES {
            match number % 1_000 {
                999 => stdin.write_all(b"\xff\xfe\n").unwrap(),
                _ => writeln!(stdin, "v=spf1 include:d{number}.example.test -all").unwrap(),
            }
        }
    });
    let mut resident = 0;
    let mut count = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if count % 1_000 == 999 {
            assert!(line.contains("\"valid\":false"), "{line}");
            resident = resident.max(resident_kib(child.id()));
        } else {
            assert!(line.contains("\"valid\":true") && line.contains(&format!("\"d{count}.example.test\"")), "{line}");
        }
        count += 1;
    }
    writer.join().unwrap();
    assert_eq!(count, LINES);
    assert_eq!(child.wait().unwrap().code(), Some(1), "some are not valid");
    assert!(resident > 0 && resident < RESIDENT_KIB_MAX, "{resident} KiB");
    eprintln!("{LINES} lines in {resident} KiB");
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}
