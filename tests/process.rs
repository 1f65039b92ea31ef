//! The binary from outside: first and second start, memory, faults of configuration, exit codes.

mod real;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::dns_server::DnsServer;
use crate::support::process::Serve;

/// Runs the binary in `folder` with `input` on standard input.
pub fn run(folder: &Path, arguments: &[&str], settings: &[(&str, &str)], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sendready"))
        .args(arguments)
        .envs(settings.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A child that ends without reading closes the pipe; that is its good right.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn check(why: &str, arguments: &[&str], settings: &[(&str, &str)], code: i32, says: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), arguments, settings, "");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{why}: {text}");
    for said in says {
        assert!(text.contains(said), "{why}: `{said}` is not in: {text}");
    }
}

#[test]
fn faults_name_what_is_wrong_and_end_with_2() {
    check("no argument prints help", &[], &[], 0, &["Usage: sendready", "serve", "check", "migrate"]);
    check("an unknown command", &["serv"], &[], 2, &["serv"]);
    check(
        "a bad domain",
        &["check", "localhost", "co.uk"],
        &[],
        2,
        &["localhost: a single label", "co.uk: `co.uk` is a public suffix"],
    );
    check("no domain", &["check"], &[], 2, &["DOMAIN"]);
    check("a bad resolver", &["check", "example.test", "--resolver", "dns"], &[], 2, &["--resolver"]);
    check("a bad key", &["check", "example.test", "--dkim", "s1=!"], &[], 2, &["--dkim s1"]);
    check("a bad MX", &["check", "example.test", "--mx", "10.0.0.1"], &[], 2, &["--mx 10.0.0.1"]);
    check(
        "an unknown profile",
        &["check", "example.test", "--provider", "nobody"],
        &[],
        2,
        &["nobody", "infraforge, manual"],
    );
    check(
        "a profile that says nothing",
        &["records", "example.test", "--provider", "infraforge"],
        &[],
        2,
        &["[providers.infraforge]"],
    );
    check("no database is needed", &["records", "example.test"], &[("DATABASE_URL", "garbage")], 0, &["example.test"]);
    check("a missing file", &["check", "--file", "nothing.txt"], &[], 2, &["nothing.txt"]);
    check("no concurrency", &["check", "example.test", "--concurrency", "0"], &[], 2, &["--concurrency"]);
    check(
        "all faults of the configuration at once",
        &["serve"],
        &[("SENDREADY_CHECKS__LEAS", "60s"), ("SENDREADY_DNS__TIMEOUT", "soon"), ("SENDREADY_HTTP__LISTEN", "here")],
        2,
        &["checks.lease", "dns.timeout", "http.listen"],
    );
    check("a missing configuration", &["--config", "nothing.toml", "serve"], &[], 2, &["nothing.toml"]);
    check("a database that is none", &["migrate", "--database-url", "mysql://x"], &[], 2, &["database.url"]);
    check("a key for no time", &["key", "create", "--role", "operator", "--expires-in", "0s"], &[], 2, &["1 second"]);
    check(
        "a key for a word",
        &["key", "create", "--role", "operator", "--expires-in", "soon"],
        &[],
        2,
        &["expires-in"],
    );
    check("a key without its client", &["key", "create", "--role", "client"], &[], 2, &["client"]);
}

#[test]
fn a_result_that_cannot_be_written_is_a_fault() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sendready"))
        .args(["records", "example.test", "--format", "json"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

#[test]
fn every_command_has_help() {
    for command in [
        "serve",
        "check",
        "records",
        "spf",
        "dmarc",
        "lint",
        "migrate",
        "key",
        "openapi",
        "health",
        "domains",
        "clients",
        "mailboxes",
        "breaker",
    ] {
        check("help", &[command, "--help"], &[], 0, &["Usage: sendready"]);
    }
}

#[test]
fn migrations_are_listed_run_and_listed_again() {
    let folder = tempfile::tempdir().unwrap();
    let migrate = |arguments: &[&str]| {
        let output = run(folder.path(), arguments, &[], "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let all = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")).unwrap().count();
    // A file without a table is a database without a migration.
    std::fs::File::create(folder.path().join("sendready.db")).unwrap();
    assert_eq!(migrate(&["migrate", "--status", "--format", "json"]).matches("\"applied_at\":null").count(), all);
    assert_eq!(migrate(&["migrate", "--format", "json"]).matches("\"applied_at\":null").count(), 0);
    assert_eq!(migrate(&["migrate", "--status", "--format", "json"]).lines().count(), all);
}

#[test]
fn what_only_reads_makes_no_database() {
    let nobody = "00000000-0000-0000-0000-000000000001";
    for arguments in [&["migrate", "--status"][..], &["key", "list"], &["key", "revoke", nobody]] {
        let folder = tempfile::tempdir().unwrap();
        let output = run(folder.path(), &[arguments, &["--database-url", "sqlite:none.db"]].concat(), &[], "");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        for said in ["there is no database at none.db", "sendready migrate", "--database-url"] {
            assert!(text.contains(said), "{arguments:?}: `{said}` is not in: {text}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?} has made something");
    }
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let key = |arguments: &[&str]| {
        let output = run(folder.path(), &[&["key"], arguments].concat(), &[], "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let made = key(&["create", "--role", "operator", "--name", "night shift", "--format", "json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with("sr_") && secret.len() == 46, "{secret}");
    let list = key(&["list", "--format", "json"]);
    assert!(list.contains("night shift") && !list.contains(secret), "{list}");
    let short = key(&["create", "--role", "operator", "--expires-in", "30d", "--format", "json"]);
    let short: serde_json::Value = serde_json::from_str(&short).unwrap();
    assert_eq!(made["expires_at"], serde_json::Value::Null);
    let table = key(&["list", "--format", "table"]);
    assert!(table.contains(&short["expires_at"].as_str().unwrap()[..10]), "{table}");
    key(&["revoke", short["id"].as_str().unwrap()]);
    key(&["revoke", made["id"].as_str().unwrap()]);
    assert!(!key(&["list", "--format", "json"]).contains("\"revoked_at\":null"));
}

#[test]
fn records_are_shown_without_asking_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let key = include_str!("../fixtures/keys/rsa-2048.b64").trim();
    let dkim = format!("s1={key}");
    let arguments = [
        "records",
        "mail.example.test",
        "--dkim",
        &dkim,
        "--mx",
        "mx1.example.test",
        "--spf-include",
        "_spf.provider.test",
    ];
    let output = run(folder.path(), &[&arguments[..], &["--export", "bind"]].concat(), &[], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("$ORIGIN example.test."), "{text}");
    assert!(text.contains("mail\t3600\tIN\tTXT\t\"v=spf1 include:_spf.provider.test ~all\""), "{text}");
    assert!(text.contains("s1._domainkey.mail\t3600\tIN\tTXT\t\"v=DKIM1; k=rsa; p="), "{text}");
    assert!(text.contains("mail\t3600\tIN\tMX\t10 mx1.example.test."), "{text}");
    assert!(
        text.lines().all(|line| line.split('"').all(|string| string.len() <= 255)),
        "strings are short enough: {text}"
    );
}

#[test]
fn the_first_start_prints_a_key_and_the_second_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--resolver", "127.0.0.1:9"];
    let mut serve = Serve::start(folder.path(), "sqlite:first.db", &arguments, &[]);
    assert!(serve.printed_key);
    assert!(serve.key.starts_with("sr_") && serve.key.len() == 46);
    // Of what is released, `tests/run` sees that it stays under 40 MB in all. Here code without optimisation lies in
    // memory three times as large, so what is looked at is what the service itself asked for.
    let own = serve.anonymous_kib();
    assert!(own < 20 * 1_024, "idle memory beside the program is {own} KiB");
    assert!(serve.terminate().success());
    let mut again = Serve::start(folder.path(), "sqlite:first.db", &arguments, &[]);
    assert!(!again.printed_key);
    assert!(again.terminate().success());
}

/// How `serve` ends that is not let serve.
fn refused(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sendready"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// One process serves a SQLite file; what is asked of the database beside it works, and the next one may serve it.
#[tokio::test]
async fn a_second_process_does_not_serve_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Serve::start(folder.path(), "sqlite:one.db", &["--resolver", "127.0.0.1:9"], &[]);
    std::os::unix::fs::symlink("one.db", folder.path().join("link.db")).unwrap();
    for name in ["sqlite:one.db", "sqlite:link.db"] {
        let (code, told) = refused(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--database-url", name]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("another `sendready serve` runs on") && told.contains("one.db: stop"), "{told}");
    }
    for beside in
        [&["key", "list"][..], &["key", "create", "--role", "operator"], &["migrate"], &["migrate", "--status"]]
    {
        let output = run(folder.path(), &[beside, &["--database-url", "sqlite:one.db"]].concat(), &[], "");
        assert!(output.status.success(), "{beside:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(first.api("GET", "/v1/tiers", None).await.0, 200, "it serves on");
    let mut other = Serve::start(folder.path(), "sqlite:two.db", &["--resolver", "127.0.0.1:9"], &[]);
    assert!(other.terminate().success(), "another file is another's");
    first.kill();
    let mut next = Serve::start(folder.path(), "sqlite:one.db", &["--resolver", "127.0.0.1:9"], &[]);
    assert!(next.terminate().success());
    let mut last = Serve::start(folder.path(), "sqlite:one.db", &["--resolver", "127.0.0.1:9"], &[]);
    assert!(last.terminate().success());
}

/// Where port 0 leaves the choice to the system, a setup link names what was chosen, unless it is to name something else.
#[tokio::test]
async fn a_setup_link_names_the_port_that_is_bound() {
    for public in [None, Some("https://mail.example.com")] {
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<&str> = public.iter().flat_map(|url| ["--public-url", url]).collect();
        let serve = Serve::start(
            folder.path(),
            "sqlite:links.db",
            &[&["--resolver", "127.0.0.1:9"], &options[..]].concat(),
            &[],
        );
        let (_, client) = serve.api("POST", "/v1/clients", Some(json!({"name": "Example", "tier": "ignition"}))).await;
        let dkim = json!([{"selector": "s1"}]);
        let body = json!({"client_id": client["id"], "domain": "example.test", "provider": "manual", "dkim": dkim});
        let (_, domain) = serve.api("POST", "/v1/domains", Some(body)).await;
        let path = format!("/v1/domains/{}/setup-links", domain["id"].as_str().unwrap());
        let (status, link) = serve.api("POST", &path, None).await;
        assert_eq!(status, 201, "{link:#}");
        let wanted = format!("{}/setup/", public.unwrap_or(&serve.url));
        let url = link["url"].as_str().unwrap();
        assert!(url.starts_with(&wanted), "{url} does not begin with {wanted}");
    }
}

/// A file of domains with what a file may hold: comments, empty lines, a line that is no domain.
#[test]
fn a_file_of_domains_streams_and_names_bad_lines() {
    let server =
        DnsServer::zones("$ORIGIN example.test.\n@ 60 SOA ns h 1 1 1 1 60\n@ 60 NS ns\n@ 60 TXT \"v=spf1 -all\"\n");
    let folder = tempfile::tempdir().unwrap();
    let resolver = server.address().to_string();
    let input = "# domains\n\nexample.test\r\nnot a domain\nexample.test\n\u{feff}\n";
    let arguments = ["check", "--file", "-", "--format", "json", "--ordered", "--resolver", &resolver];
    let output = run(folder.path(), &arguments, &[], input);
    assert_eq!(output.status.code(), Some(2), "a bad line is an input error");
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "the others are answered");
    assert!(lines.iter().all(|line| line["domain"] == "example.test" && line["spf_valid"] == true));
    let faults = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(faults.contains("line 4"), "{faults}");
}
