//! Each export is read by the tool that it is made for, and what the tool understands is what was to be published.
//!
//! `tests/exports/tools` installs the tools; `tests/run` calls it.

use std::path::{Path, PathBuf};
use std::process::Command;

use sendready::http::export::{self, TerraformProvider};
use sendready::protocol::domain::Domain;
use sendready::protocol::name::Name;
use sendready::verify::evidence::RecordType;
use sendready::verify::purpose::{Action, Purpose, Verdict};
use sendready::verify::report::{RecordReport, Report};
use serde_json::{Value, json};

const ZONE: &str = "example.com";

fn record(purpose: Purpose, record_type: RecordType, name: &str, value: &str) -> RecordReport {
    RecordReport {
        purpose,
        record_type,
        name: Name::parse(name).unwrap(),
        value: Some(value.to_owned()),
        priority: None,
        action: Action::Add,
        staged: false,
        ttl_seconds: 3_600,
        verdict: Verdict::Unchecked,
        found: Vec::new(),
        findings: Vec::new(),
        propagation: None,
    }
}

fn mx(preference: u16, host: &str) -> RecordReport {
    RecordReport { priority: Some(preference), ..record(Purpose::Mx, RecordType::Mx, ZONE, host) }
}

fn dkim(selector: &str, value: &str) -> RecordReport {
    record(Purpose::Dkim, RecordType::Txt, &format!("{selector}._domainkey.{ZONE}"), value)
}

/// Keys of all lengths about a string's 255 octets, texts that each form has to escape, several records at one name, and
/// one that there is nothing to say of.
fn report() -> Report {
    let key = |octets: usize| format!("v=DKIM1; k=rsa; p={}", "Ab+/".repeat(octets).split_at(octets).0);
    let mut records = vec![
        record(
            Purpose::Spf,
            RecordType::Txt,
            ZONE,
            "v=spf1 include:_spf.example.net exists:%{i}._h.%{d}.example.net ~all",
        ),
        dkim("s2", &key(236)),
        dkim("s10", &key(237)),
        dkim("20260601", &key(238)),
        dkim("s1b", &key(392)),
        dkim("s1a", &key(736)),
        dkim("quotes", "say \"${x}\" or \\ or '#' or $5, 100% {of} it; \"%{y}\""),
        dkim("quote-first", "\"a\"b;;c \u{7e}"),
        record(Purpose::Dkim, RecordType::Cname, &format!("c._domainkey.{ZONE}"), "s1._domainkey.example.net"),
        record(
            Purpose::Dmarc,
            RecordType::Txt,
            &format!("_dmarc.{ZONE}"),
            "v=DMARC1; p=reject; rua=mailto:a@example.net,mailto:b@example.net",
        ),
        mx(10, "mx1.example.net"),
        mx(20, "mx2.example.net"),
    ];
    records.push(RecordReport { value: None, ..dkim("unknown", "") });
    Report {
        domain: Domain::parse(ZONE).unwrap(),
        zone: Name::parse(ZONE).unwrap(),
        records,
        spf: None,
        dmarc: None,
        dns_provider: None,
        advisories: Vec::new(),
    }
}

/// A folder with the export in a file.
fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

/// Reads the export with its tool, and holds what is understood against what was to be published.
#[track_caller]
fn check(form: &str, text: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/export-tools/bin/python");
    assert!(python.exists(), "the tools are not installed: run tests/exports/tools");
    let (_folder, file) = written(text);
    let output =
        Command::new(python).arg(root.join("tests/exports/read.py")).arg(form).arg(file).arg(ZONE).output().unwrap();
    assert!(output.status.success(), "{form}: {}\n{text}", String::from_utf8_lossy(&output.stderr));
    let mut understood: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let mut wanted: Vec<Value> = report().records.iter().filter_map(wanted).collect();
    // A line of comma-separated values is there for every record, the field of its value empty.
    understood.retain(|one| one["value"] != "");
    for list in [&mut understood, &mut wanted] {
        list.sort_by_key(Value::to_string);
    }
    assert!(wanted.len() > 10);
    assert_eq!(understood, wanted, "{form}: {text}");
}

fn wanted(record: &RecordReport) -> Option<Value> {
    let value = record.value.as_ref()?;
    let (name, record_type) = (record.name.to_string(), record.record_type.as_str());
    Some(
        json!({"name": name, "type": record_type, "ttl": record.ttl_seconds, "priority": record.priority, "value": value}),
    )
}

#[test]
fn kzonecheck_and_dnspython_read_a_master_file() {
    let text = format!(
        "@ 60 IN SOA ns.example.net. h.example.net. 1 1 1 1 60\n@ 60 IN NS ns.example.net.\n{}",
        export::bind(&report())
    );
    let text = format!("$ORIGIN {ZONE}.\n{text}");
    check("bind", &text);
    let (_folder, file) = written(&text);
    let output = Command::new("kzonecheck").args(["-o", ZONE]).arg(file).output().expect("kzonecheck is installed");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{text}");
}

#[test]
fn python_reads_comma_separated_values() {
    check("csv", &export::csv(&report()));
}

#[test]
fn octodns_validates_and_reads_a_zone_s_file() {
    check("octodns", &export::octodns(&report()));
}

#[test]
fn octodns_understands_a_batch_for_cloudflare_and_would_ask_the_same() {
    check("cloudflare", &export::cloudflare(&report()).text);
}

#[test]
fn botocore_validates_a_batch_for_route_53() {
    check("route53", &export::route53(&report()).text);
}

#[test]
fn an_hcl_parser_reads_resources() {
    check("terraform", &export::terraform(&report(), TerraformProvider::Aws));
    check("terraform", &export::terraform(&report(), TerraformProvider::Cloudflare));
}
