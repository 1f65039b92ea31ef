//! The zones through the command line: real packets from a server that serves the zone's text.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::support::dns_server::DnsServer;
use crate::zones::{Fixture, fixtures, timeless};

/// What `sendready check` prints and how it ends.
async fn check(fixture: &Fixture) -> (Value, i32) {
    let server = DnsServer::zones(&fixture.zone);
    let output = Command::new(env!("CARGO_BIN_EXE_sendready"))
        .arg("check")
        .args(&fixture.arguments)
        .args(["--resolver", &server.address().to_string(), "--timeout", "1s", "--format", "json"])
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let document = serde_json::from_str(&text).unwrap_or_else(|fault| {
        panic!("{}: {fault}: {text} {}", fixture.name, String::from_utf8_lossy(&output.stderr))
    });
    (document, output.status.code().expect("an exit code"))
}

/// The exit code that a report's verdicts ask for, by the contract's table.
fn exit_code(report: &Value) -> i32 {
    let verdicts: Vec<&str> = report["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| record["verdict"].as_str().expect("a word"))
        .collect();
    if verdicts.iter().any(|verdict| ["missing", "mismatch", "invalid"].contains(verdict)) {
        1
    } else if verdicts.contains(&"unknown") {
        3
    } else {
        0
    }
}

#[tokio::test]
async fn every_zone_gives_its_report() {
    for fixture in fixtures() {
        let (document, code) = check(&fixture).await;
        assert!(document["checked_at"].is_string(), "{}: a report says when", fixture.name);
        assert_eq!(code, exit_code(&fixture.report()), "{}", fixture.name);
        assert_eq!(timeless(document), fixture.report(), "{}", fixture.name);
    }
}
