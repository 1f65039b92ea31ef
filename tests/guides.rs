//! The guides do what they say: their commands are run, and what they print is what stands there.
//!
//! A block ```` ```console ```` holds commands behind `$ ` (and `> ` where they go on) and what they print. `…` stands for
//! anything within a line, and on a line of its own for any number of lines. All blocks of a guide run in one shell.

use std::path::Path;
use std::process::Command;

use crate::support::dns_server::DnsServer;
use crate::support::process::Serve;

/// What the guides' domain publishes: all but DMARC.
const ZONE: &str = "$ORIGIN example.com.\n@ 60 SOA ns h 1 1 1 1 60\n@ 60 NS ns\n@ 60 MX 10 mx.example.net.\n\
    @ 60 TXT \"v=spf1 include:_spf.example.net ~all\"\ns1._domainkey 60 CNAME s1.dkim.example.net.\n\
    $ORIGIN example.net.\n@ 60 SOA ns h 1 1 1 1 60\n@ 60 NS ns\nmx 60 A 192.0.2.1\n\
    _spf 60 TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n";

/// What ends the output of one command; no command of a guide prints it.
const END: &str = "--- end of a command ---";

/// A command and what it prints.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    command: String,
    prints: String,
}

fn steps(guide: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let blocks = guide.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    for line in blocks.flat_map(str::lines) {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), prints: String::new() });
            continue;
        }
        let step = steps.last_mut().expect("a block begins with a command");
        match line.strip_prefix("> ") {
            Some(more) => step.command += &format!("\n{more}"),
            None => step.prints += &format!("{line}\n"),
        }
    }
    steps
}

/// Whether `printed` is what `expected` says.
fn is_as(expected: &str, printed: &str) -> bool {
    let (expected, printed): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), printed.lines().collect());
    lines_are_as(&expected, &printed)
}

fn lines_are_as(expected: &[&str], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((&"…", rest)) => (0..=printed.len()).any(|skipped| lines_are_as(rest, &printed[skipped..])),
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, others)| line_is_as(line, first) && lines_are_as(rest, others))
        }
    }
}

fn line_is_as(expected: &str, printed: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut left) = printed.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.is_empty()
}

#[test]
fn what_is_printed_is_compared_line_by_line() {
    let check =
        |expected: &str, printed: &str, same| assert_eq!(is_as(expected, printed), same, "{expected}|{printed}");
    check("a\nb\n", "a\nb\n", true);
    check("a\n", "a\nb\n", false);
    check("a\n", "b\n", false);
    check("", "a\n", false);
    check("a…c\n", "abbc\n", true);
    check("a…c\n", "abbcd\n", false);
    check("{…\"x\":1…}\n", "{\"a\":0,\"x\":1,\"b\":2}\n", true);
    check("{…\"x\":1…}\n", "{\"a\":0,\"x\":2}\n", false);
    check("a\n…\nb\n", "a\n1\n2\nb\n", true);
    check("a\n…\nb\n", "a\nb\n", true);
    check("a\n…\nb\n", "a\n1\n", false);
    let expected =
        [Step { command: "a\nb".into(), prints: "c\n".into() }, Step { command: "d".into(), prints: String::new() }];
    assert_eq!(steps("x\n```console\n$ a\n> b\nc\n$ d\n```\ny"), expected);
}

/// Runs a guide's commands beside a service of its own.
async fn run(guide: &str, fewest: usize) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide").join(guide)).unwrap();
    let steps = steps(&text);
    assert!(steps.len() >= fewest, "{guide} has {} commands", steps.len());
    let dkim = include_str!("../fixtures/keys/rsa-2048.b64").trim();
    let zone = format!("{ZONE}s1.dkim 60 TXT \"v=DKIM1; k=rsa; p={}\" \"{}\"\n", &dkim[..200], &dkim[200..]);
    let dns = DnsServer::zones(&zone);
    let folder = tempfile::tempdir().unwrap();
    let resolver = dns.address().to_string();
    let serve = Serve::start(
        folder.path(),
        "sqlite:sendready.db",
        &["--resolver", &resolver],
        &[("SENDREADY_CHECKS__MIN_INTERVAL", "1s")],
    );
    let script: String = steps.iter().map(|step| format!("{}\necho '{END}'\n", step.command)).collect();
    let programs = Path::new(env!("CARGO_BIN_EXE_sendready")).parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let mut bash = Command::new("bash");
    bash.args(["-c", &script])
        .env("PATH", path)
        .env("SENDREADY_URL", &serve.url)
        .env("SENDREADY_KEY", &serve.key)
        .current_dir(folder.path());
    let output = tokio::task::spawn_blocking(move || bash.output().unwrap()).await.unwrap();
    let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if told.contains("curl: command not found") {
        assert!(std::env::var_os("CI").is_none(), "curl is missing");
        eprintln!("skipped: curl is not here; it runs the guide's commands");
        return;
    }
    let mut printed = printed.split(&format!("{END}\n")).map(str::to_owned).collect::<Vec<_>>().into_iter();
    for Step { command, prints } in &steps {
        let printed = printed.next().unwrap_or_default();
        // What a command prints may end without a line's end.
        assert!(
            is_as(prints, &printed),
            "{guide}: {command}\n--- is to print\n{prints}--- prints\n{printed}\n--- and says\n{told}"
        );
    }
}

#[tokio::test]
async fn onboarding() {
    run("onboarding.md", 14).await;
}

#[tokio::test]
async fn operators() {
    run("operators.md", 22).await;
}
