//! The shape of the code: what `ARCHITECTURE.md` and the style guide promise, read from the source.
//!
//! [`MAY_USE`] is the table of layers. To add an edge, change it in the same commit and say why. Every rule is
//! a function of one file, gives a line per fault as `file:line: what`, and has bad sources below to prove
//! that it can fail ([`bad`]).

mod bad;
mod rules;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rules::RULES;
use source::Source;

/// What each module of `src` may use of the others, innermost first. A row may name only rows above it.
/// A path such as `verify::evidence` allows that part and no other.
#[rustfmt::skip]
pub(crate) const MAY_USE: &[(&str, &[&str])] = &[
    // Pure.
    ("plural",    &[]),
    ("protocol",  &[]),
    ("verify",    &["plural", "protocol"]),
    ("sending",   &["plural", "protocol", "verify"]),
    ("webhook",   &["protocol", "verify", "sending"]),
    // World.
    ("clock",     &[]),
    ("chance",    &[]),
    // Secrets are told from other texts where they are read.
    ("config",    &["protocol", "verify", "webhook::signature"]),
    ("telemetry", &["protocol", "verify"]),
    // Answers, never judgements.
    ("dns",       &["protocol", "verify::evidence", "verify::step", "clock", "chance", "telemetry"]),
    // Takes the time, never reads it.
    ("store",     &["protocol", "verify", "sending", "webhook", "telemetry"]),
    // Looks names up at the resolvers of the settings.
    ("sender",    &["protocol", "verify::evidence", "webhook", "clock", "chance", "telemetry", "dns"]),
    // A running service, asked from outside. Speaks TLS as `sender` does.
    ("remote",    &["sender"]),
    // Use cases. A check knows no store.
    ("checker",   &["protocol", "verify", "clock", "chance", "telemetry", "dns"]),
    ("service",   &["plural", "protocol", "verify", "sending", "webhook", "clock", "chance", "config", "telemetry", "dns", "store",
                    "sender", "checker"]),
    // Ways in: no SQL, no DNS.
    ("http",      &["plural", "protocol", "verify", "sending", "webhook", "clock", "chance", "config", "telemetry", "service"]),
    ("web",       &["plural", "protocol", "verify", "sending", "config", "telemetry", "service", "http"]),
    ("jobs",      &["protocol", "verify", "sending", "webhook", "clock", "chance", "config", "telemetry", "service"]),
    // Root: wiring, and the commands that need no server.
    ("lifecycle", &["plural", "telemetry"]),
    ("app",       &["protocol", "verify", "sending", "webhook", "clock", "chance", "config", "telemetry", "dns", "store",
                    "sender", "checker", "service", "http", "web", "jobs", "lifecycle"]),
    ("cli",       &["protocol", "verify", "sending", "webhook", "clock", "chance", "config", "telemetry", "dns", "store",
                    "remote", "checker", "service", "http", "lifecycle", "app"]),
    ("main",      &["cli"]),
];

/// The root of the project.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`, by path.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => found.extend(files(&path)),
            Some(extension) if extension == "rs" => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

fn sources(folder: &str) -> Vec<Source> {
    let read = |path: &PathBuf| {
        let shown = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        Source::read(&shown, &fs::read_to_string(path).unwrap())
    };
    files(&root().join(folder)).iter().map(read).collect()
}

#[test]
fn the_source_keeps_every_rule() {
    let sources = sources("src");
    assert!(sources.len() > 10, "where is the source?");
    let faults: Vec<String> = sources.iter().flat_map(|source| RULES.iter().flat_map(|rule| rule(source))).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_tests_cite_in_the_same_spelling_and_have_heads() {
    // `bad` holds what must not be written.
    let sources = sources("tests").into_iter().filter(|source| source.path != "tests/architecture/bad.rs");
    let faults: Vec<String> =
        sources.flat_map(|source| [rules::head(&source), rules::citations(&source)].concat()).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_row_of_the_table_names_only_rows_above_it() {
    let mut above = BTreeSet::new();
    for (module, uses) in MAY_USE {
        for used in *uses {
            let top = used.split("::").next().unwrap();
            assert!(above.contains(top), "{module} may use {used}, which is not above it");
        }
        assert!(above.insert(*module), "{module} has two rows");
    }
}

#[test]
fn the_seed_s_migration_is_the_seed_s_sql() {
    let seed = root().join("../shared/seed-email-infrastructure.md");
    let migration = root().join("migrations/017_email_infrastructure.sql");
    let (Ok(seed), Ok(migration)) = (fs::read_to_string(seed), fs::read_to_string(migration)) else {
        assert!(!root().join("migrations").exists() || !root().join("../shared").exists(), "one of the two is missing");
        eprintln!("skipped: the seed or the migrations are not here");
        return;
    };
    assert!(same_sql(&seed, &migration), "migrations/017 is not the seed's SQL, block after block");
}

/// Whether `migration` is the SQL blocks of `seed`, byte for byte, with blank lines between them.
fn same_sql(seed: &str, migration: &str) -> bool {
    let blocks: Vec<&str> = seed.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let mut rest = migration;
    for block in &blocks {
        match rest.trim_start_matches('\n').strip_prefix(block.trim_end_matches('\n')) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    !blocks.is_empty() && rest.trim_matches('\n').is_empty()
}

#[test]
fn another_migration_than_the_seed_s_is_noticed() {
    let seed = "# A\n```sql\nCREATE TABLE a (\n    b INT\n);\n```\ntext\n```sql\nCREATE TABLE c (d INT);\n```\n";
    let check = |migration, expected| assert_eq!(same_sql(seed, migration), expected, "{migration}");
    check("CREATE TABLE a (\n    b INT\n);\n\nCREATE TABLE c (d INT);\n", true);
    check("CREATE TABLE a (\n    b INT\n);\nCREATE TABLE c (d INT);\n", true);
    check("CREATE TABLE a (\n  b INT\n);\n\nCREATE TABLE c (d INT);\n", false);
    check("CREATE TABLE a (\n    b INT\n);\n", false);
    check("CREATE TABLE a (\n    b INT\n);\n\nCREATE TABLE c (d INT);\nDROP TABLE a;\n", false);
    check("", false);
}
