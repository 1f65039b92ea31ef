//! Every `fixtures/zones/*.zone` gives the report beside it, from library, command line and API alike.
//!
//! A zone's second line is `;! check ARGUMENTS`, as the command line takes them. `UPDATE_FIXTURES=1` writes
//! the reports anew; look at the difference before you commit it.

mod api;
mod command;
mod failures;
mod library;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use sendready::cli::expect::{ExpectArgs, Expected};
use sendready::protocol::domain::Domain;
use sendready::verify::finding::Finding;
use serde_json::Value;

/// What a zone is checked with: the arguments of `check`.
#[derive(Debug, Clone, Parser)]
#[command(no_binary_name = true)]
pub struct CheckLine {
    /// The domain.
    pub domain: String,
    /// What is expected of it.
    #[command(flatten)]
    pub expect: ExpectArgs,
}

/// One zone of `fixtures/zones`.
pub struct Fixture {
    /// The file's name without its ending.
    pub name: String,
    /// The text.
    pub zone: String,
    /// The arguments of `check`, as they stand in the file.
    pub arguments: Vec<String>,
    /// The same, read.
    pub line: CheckLine,
    report: PathBuf,
}

impl Fixture {
    /// What is expected of the domain.
    pub fn expected(&self) -> Expected {
        self.line.expect.read(None).expect("a fixture's expectation is sound")
    }

    /// The domain.
    pub fn domain(&self) -> Domain {
        Domain::parse(&self.line.domain).expect("a fixture's domain is one")
    }

    /// The report that is expected.
    #[track_caller]
    pub fn report(&self) -> Value {
        let text = fs::read_to_string(&self.report)
            .unwrap_or_else(|fault| panic!("{}: {fault}; UPDATE_FIXTURES=1 writes it", self.report.display()));
        serde_json::from_str(&text).expect("a report is JSON")
    }

    /// Writes the report anew, when that is asked for.
    fn update(&self, report: &Value) {
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            let text = serde_json::to_string_pretty(report).expect("JSON") + "\n";
            fs::write(&self.report, text).expect("the fixture can be written");
        }
    }
}

/// All zones, by name.
pub fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/zones");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("the fixtures").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "zone"))
        .map(|path| read(&path))
        .collect()
}

fn read(path: &Path) -> Fixture {
    let zone = fs::read_to_string(path).expect("a zone is text");
    let line = zone.lines().find_map(|line| line.strip_prefix(";! check ")).expect("a line `;! check …`");
    let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let line = CheckLine::try_parse_from(&arguments).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    Fixture {
        name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
        zone,
        arguments,
        line,
        report: path.with_extension("report.json"),
    }
}

/// A report without what belongs to one moment or to the database.
pub fn timeless(mut report: Value) -> Value {
    let fields = report.as_object_mut().expect("a report is an object");
    for field in [
        "id",
        "client_id",
        "status",
        "provider",
        "requirements",
        "checked_at",
        "next_check_at",
        "checking",
        "breaker_open",
        "stale_since",
        "poll_after_seconds",
        "requirements",
    ] {
        fields.remove(field);
    }
    for record in fields.get_mut("records").and_then(Value::as_array_mut).expect("records") {
        record.as_object_mut().expect("a record").remove("changed_at");
    }
    report
}

#[test]
fn there_are_zones_enough() {
    assert!(fixtures().len() >= 25);
}

/// The codes that no zone can bring about by itself, why, and the test that brings them about instead.
const ELSEWHERE: [(&str, &str, &str); 14] = [
    ("propagation.partial", "one text is one server's word", "checker::tests::vantage"),
    ("propagation.resolvers-disagree", "one text is one server's word", "checker::tests::vantage"),
    ("ttl.short", "caches count down, so it takes the word of the zone's own servers", "checker::tests::vantage"),
    ("delegation.mismatch", "one text is one server's word", "checker::tests::vantage"),
    ("delegation.lame", "one text is one server's word", "checker::tests::vantage"),
    ("delegation.elsewhere", "one text is one server's word", "checker::tests::vantage"),
    ("dmarc.too-weak", "only the API requires a policy", "zones::api::what_only_the_api_can_require"),
    ("dmarc.reports-missing", "only the API requires reports", "zones::api::what_only_the_api_can_require"),
    ("ownership.missing", "only a client's registration is to be proven", "verify::ownership::tests"),
    ("ownership.mismatch", "only a client's registration is to be proven", "verify::ownership::tests"),
    ("ownership.host-doubled", "only a client's registration is to be proven", "verify::ownership::tests"),
    ("ownership.at-apex", "only a client's registration is to be proven", "verify::ownership::tests"),
    ("ownership.unanswered", "only a client's registration is to be proven", "verify::ownership::tests"),
    ("requirements.missing", "only a row of the database can lack them", "service::tests::checking"),
];

#[test]
fn every_finding_is_reached_by_a_zone() {
    let reports: Vec<Value> = fixtures().iter().map(Fixture::report).collect();
    let codes_of = |findings: &Value| -> Vec<String> {
        let findings = findings.as_array().expect("a list of findings");
        findings.iter().map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
    };
    let mut reached: BTreeSet<String> = BTreeSet::new();
    for report in &reports {
        reached.extend(codes_of(&report["advisories"]));
        for record in report["records"].as_array().expect("records") {
            reached.extend(codes_of(&record["findings"]));
        }
    }
    let known: BTreeSet<String> = Finding::examples().iter().map(|finding| finding.code().to_owned()).collect();
    let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(|(code, ..)| (*code).to_owned()).collect();
    let unreached: Vec<&String> = known.difference(&reached).filter(|code| !elsewhere.contains(*code)).collect();
    assert!(unreached.is_empty(), "no zone brings about {unreached:?}");
    let idle: Vec<&String> =
        elsewhere.iter().filter(|code| reached.contains(*code) || !known.contains(*code)).collect();
    assert!(idle.is_empty(), "ELSEWHERE lists {idle:?} for nothing");
    let undocumented: Vec<&String> = reached.difference(&known).collect();
    assert!(undocumented.is_empty(), "{undocumented:?} have no example, so nobody documents them");
}
