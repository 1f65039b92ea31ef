//! The suites through the command line: the real binary, and real packets from a server that serves the case's zone.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::{Output, Stdio};

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;
use tokio::process::Command;

use super::{dkim, dmarc, spf, zone};
use crate::process::run;
use crate::support::dns_server::{DnsServer, Scripted};

/// How many binaries run at once.
const AT_ONCE: usize = 8;

/// How long an answer is waited for: short, for some cases wait it out, and long enough for a busy machine.
const TIMEOUT: &str = "1s";

/// Where the suite allows several results, ours. `docs/conformance.md` says why.
const CHOSEN: &[(&str, &str)] = &[
    ("rfc7208/030-multispf1", "fail"),
    ("rfc7208/043-invalid-domain-empty-label", "fail"),
    ("rfc7208/044-invalid-domain-long", "fail"),
    ("rfc7208/045-invalid-domain-long-via-macro", "fail"),
    ("rfc7208/183-p-macro-multiple", "pass"),
    ("rfc7208/194-ptr-limit", "pass"),
];

/// Runs a command of the binary against this server.
async fn sendready(server: &DnsServer, command: &str, arguments: &[OsString]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sendready"))
        .args([command, "--format", "json", "--timeout", TIMEOUT, "--resolver", &server.address().to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the binary runs")
}

/// The one line that it printed, and how it ended.
fn read(output: &Output) -> Result<(Value, i32), String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let body = serde_json::from_str(&text)
        .map_err(|fault| format!("{fault}: {text} {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok((body, output.status.code().expect("an exit code")))
}

/// Runs all cases, some at once; what fails is told together.
async fn all<'c, F: Future<Output = Result<usize, String>>>(
    cases: impl IntoIterator<Item = &'c Value>,
    run: impl Fn(&'c Value) -> F,
) -> (usize, usize) {
    let runs = cases.into_iter().map(|case| {
        let run = run(case);
        async move { run.await.map_err(|fault| format!("{}: {fault}", case["id"])) }
    });
    let results: Vec<Result<usize, String>> = stream::iter(runs).buffer_unordered(AT_ONCE).collect().await;
    let faults: Vec<&str> = results.iter().filter_map(|result| result.as_ref().err().map(String::as_str)).collect();
    assert!(faults.is_empty(), "{} of {} fail:\n{}", faults.len(), results.len(), faults.join("\n"));
    (results.len(), results.iter().flatten().sum())
}

#[tokio::test]
async fn rfc_7208_suite_over_packets() {
    let Some(cases) = super::lines_of("rfc7208_cases.jsonl") else { return };
    let (count, packets) = all(&cases, check_host).await;
    assert_eq!(count, 203, "the suite has 203 cases");
    assert!(packets > count, "only {packets} questions came to the servers");
}

/// Runs one case; how many packets came, or what is wrong.
async fn check_host(case: &Value) -> Result<usize, String> {
    let text = |key: &str| spf::octets(case[key].as_str().expect("a text"));
    let (helo, mail_from) = (text("helo"), text("mail_from"));
    let domain = match mail_from.iter().rposition(|octet| *octet == b'@') {
        Some(at) => mail_from[at + 1..].to_vec(),
        None if mail_from.is_empty() => helo.clone(),
        None => mail_from.clone(),
    };
    let zone = spf::Zone::read(&case["zone"]);
    let server = DnsServer::script(move |question| Scripted::Answer(zone.answer(question)));
    let option = |name: &str, value: &[u8]| OsString::from_vec([name.as_bytes(), b"=", value].concat());
    let arguments = [
        option("--ip", &text("ip")),
        option("--mail-from", &mail_from),
        option("--helo", &helo),
        OsString::from("--"),
        OsString::from_vec(domain),
    ];
    let (body, code) = read(&sendready(&server, "spf", &arguments).await)?;
    judge_host(case, &body, code)?;
    Ok(server.asked().len())
}

fn judge_host(case: &Value, body: &Value, code: i32) -> Result<(), String> {
    let results = case["expected"]["results"].as_array().expect("results");
    if !results.contains(&body["result"]) {
        return Err(format!("{results:?} is expected, got {body:#}"));
    }
    let id = case["id"].as_str().expect("an id");
    let chosen = CHOSEN.iter().find(|(known, _)| *known == id).map(|(_, result)| *result);
    if results.len() > 1 && body["result"].as_str() != chosen {
        return Err(format!("of {results:?}, {chosen:?} was our choice, got {body:#}"));
    }
    match case["expected"]["explanation"].as_str() {
        None => {}
        Some("DEFAULT") if body["explanation"].is_null() => {}
        Some(expected) if body["explanation"] == expected => {}
        Some(expected) => return Err(format!("the words {expected:?} are expected, got {body:#}")),
    }
    let wanted = match body["result"].as_str() {
        Some("pass") => 0,
        Some("temperror") => 3,
        _ => 1,
    };
    if code != wanted {
        return Err(format!("ends with {code}: {body:#}"));
    }
    let steps = body["trace"].as_array().expect("a trace");
    let cost: u64 = steps.iter().map(|step| step["lookups"].as_u64().expect("a number")).sum();
    if body["lookups"] != cost || cost > 10 || body["reason"].as_str().is_none_or(str::is_empty) {
        return Err(format!("the trace does not account for the result: {body:#}"));
    }
    if steps.is_empty() && body["result"] != "none" {
        return Err(format!("no trace: {body:#}"));
    }
    Ok(())
}

#[tokio::test]
async fn dmarc_cases_over_packets() {
    let Some(cases) = super::lines_of("dmarc_cases.jsonl") else { return };
    let otherwise: BTreeSet<&str> = dmarc::OTHERWISE.iter().map(|(id, _)| *id).collect();
    let asks_dns = |case: &&Value| case["question"] == "dmarc.lookup" || case["question"] == "dmarc.evaluate";
    let undisputed = |case: &&Value| !otherwise.contains(case["id"].as_str().expect("an id"));
    let (count, packets) = all(cases.iter().filter(asks_dns).filter(undisputed), discover).await;
    assert!(count > 10 && packets > 2 * count, "{count} cases, {packets} questions");
}

/// Runs one case; how many packets came, or what is wrong.
async fn discover(case: &Value) -> Result<usize, String> {
    let zone = case["zone"].clone();
    let server = DnsServer::script(move |question| Scripted::Answer(zone::answer(&zone, question)));
    let from = case["header_from"].as_str().or(case["domain"].as_str()).expect("a name");
    let domain = from.rsplit_once('@').map_or(from, |(_, domain)| domain);
    let (body, code) = read(&sendready(&server, "dmarc", &[OsString::from(domain)]).await)?;
    let expected = &case["expected"];
    let status = match (body["found"].as_bool(), code) {
        (Some(true), 0) => "found",
        (Some(false), 1) => "none",
        (Some(false), 3) => "temperror",
        _ => "what no code says",
    };
    let expect = |what: &str, expected: Option<&str>, found: Option<&str>| {
        if expected == found { Ok(()) } else { Err(format!("{what}: {expected:?} is expected: {body:#}")) }
    };
    if expected["status"].is_string() {
        expect("status", expected["status"].as_str(), Some(status))?;
    }
    match expected["result"].as_str() {
        Some("none") => expect("found", Some("none"), Some(status))?,
        Some("pass" | "fail") => expect("found", Some("found"), Some(status))?,
        _ => {}
    }
    for what in ["applied_policy_on_failure", "effective_policy"] {
        if expected[what].is_string() {
            expect(what, expected[what].as_str(), body["effective_policy"].as_str())?;
        }
    }
    if let Some(wanted) = expected["record_domain"].as_str() {
        expect("at", Some(&format!("_dmarc.{wanted}")), body["at"].as_str())?;
    }
    if let Some(wanted) = expected["dkim_strict"].as_bool() {
        let strict = body["record"]["adkim"].as_str().is_some_and(|value| value.eq_ignore_ascii_case("s"));
        expect("adkim", Some(&wanted.to_string()), Some(&strict.to_string()))?;
    }
    let asked: Vec<&str> = body["asked"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let came: BTreeSet<String> = server.asked().iter().map(|asked| asked.question.name.to_string()).collect();
    if let Some(name) = asked.iter().find(|name| !came.contains(**name)) {
        return Err(format!("{name} was not asked: {body:#}"));
    }
    Ok(server.asked().len())
}

/// Every record text that is one line, through one `lint` of its kind.
#[test]
fn records_through_lint() {
    for (kind, file, otherwise) in
        [("dmarc", "dmarc_cases.jsonl", dmarc::OTHERWISE), ("dkim", "dkim_cases.jsonl", dkim::OTHERWISE)]
    {
        let Some(cases) = super::lines_of(file) else { return };
        let question = format!("{kind}.record.parse");
        let is_line = |case: &&Value| {
            let record = case["record"].as_str().unwrap_or_default();
            case["question"] == question && !record.contains('\n') && !record.ends_with('\r')
        };
        let cases: Vec<&Value> = cases.iter().filter(is_line).collect();
        let input: String =
            cases.iter().map(|case| format!("{}\n", case["record"].as_str().expect("a record"))).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let output = run(folder.path(), &["lint", kind, "-", "--format", "json"], &[], &input);
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(found.len(), cases.len(), "one line for each record of {file}");
        assert!(cases.len() > 10, "{file} has only {} records", cases.len());
        for (case, found) in cases.iter().zip(&found) {
            let id = case["id"].as_str().expect("an id");
            let differs = otherwise.iter().any(|(other, _)| *other == id);
            if let Some(valid) = case["expected"]["valid"].as_bool().filter(|_| !differs) {
                assert_eq!(found["valid"], valid, "{id}: {found:#}");
            }
        }
        assert_eq!(output.status.code(), Some(1), "some are not valid");
    }
}
