//! Sources that break the rules, and good ones that look as if they did: a check that cannot fail is none.

use super::rules::{LINES_MAX, Rule, citations, edges, head, homes, imports, length, promises, purity};
use super::source::Source;

/// The rule finds exactly one fault, at this line with these words; or none, where nothing is expected.
#[track_caller]
fn check(rule: Rule, path: &str, text: &str, expected: &str) {
    let faults = rule(&Source::read(path, text));
    match expected {
        "" => assert!(faults.is_empty(), "{text}\n{faults:#?}"),
        _ => assert!(
            faults.len() == 1 && faults[0].starts_with(path) && faults[0].contains(expected),
            "{text}\n{expected}\n{faults:#?}"
        ),
    }
}

#[test]
fn an_edge_that_the_table_lacks_is_a_fault() {
    check(edges, "src/verify/spf.rs", "//! A.\nuse crate::protocol::name::Name;", "");
    check(edges, "src/verify/spf.rs", "//! A.\nuse crate::verify::step::Step;", "");
    check(edges, "src/verify/spf.rs", "//! A.\n\nuse crate::dns::Resolver;", ":3: `verify` may not use `dns`");
    check(edges, "src/verify.rs", "fn a() { crate::store::open() }", ":1: `verify` may not use `store`");
    check(edges, "src/verify.rs", "fn a(b: &\ncrate::\nstore::Store) {}", ":2: `verify` may not use `store`");
    check(edges, "src/verify.rs", "/// As [`crate::store`] says.\nfn a() { b(\"crate::store\") }", "");
    check(edges, "src/verify.rs", "#[cfg(test)]\nmod tests { use crate::dns::Text; }", "");
    check(edges, "src/protocol/name.rs", "use crate::verify::step::Step;", "`protocol` may not use `verify`");
    check(edges, "src/dns/wire.rs", "use crate::verify::evidence::Answer;", "");
    check(edges, "src/dns/wire.rs", "use crate::verify::spf::policy;", "`dns` may not use `verify::spf`");
    check(edges, "src/dns/wire.rs", "use crate::verify::{evidence, spf};", "`dns` may not use `verify`");
    check(edges, "src/checker.rs", "use crate::store::Store;", "`checker` may not use `store`");
    check(edges, "src/http/domains.rs", "use crate::store::Store;", "`http` may not use `store`");
    check(edges, "src/main.rs", "use sendready::cli;", "");
    check(edges, "src/main.rs", "use sendready::store::Store;", "`main` may not use `store`");
    check(edges, "src/lib.rs", "pub use crate::dns::Resolver;", "");
    check(edges, "src/extra.rs", "", "`extra` has no row");
}

#[test]
fn an_import_that_hides_edges_is_a_fault() {
    check(imports, "src/a/b.rs", "use crate::store::{Claim, Store};\nuse super::c;", "");
    check(imports, "src/a/b.rs", "use std::io;\nuse crate::{store, dns};", ":2: begin each import");
    check(imports, "src/a/b.rs", "use super::super::c;", "instead of `super::super`");
    check(imports, "src/a/b.rs", "fn a() { super::super::c() }", "instead of `super::super`");
    check(imports, "src/a/b.rs", "use crate::store::*;", "instead of `*`");
    check(imports, "src/a/b.rs", "use crate::store::{self, a::*, b};", "instead of `*`");
    check(imports, "src/a/b.rs", "const A: u32 = 2 * 3; // use a::*;", "");
    check(imports, "src/a/b.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n}", "");
    check(imports, "src/a.rs", "use super::dns::Resolver;", "this is the top");
    check(imports, "src/a/mod.rs", "use super::dns::Resolver;", "this is the top");
}

#[test]
fn a_pure_module_that_reaches_out_is_a_fault() {
    for out in [
        "fn a() { tokio::spawn(b) }",
        "fn a() { std::fs::read(b) }",
        "fn a() { let now = chrono::Utc::now(); }",
        "fn a() { let now = std::time::SystemTime::now(); }",
        "fn a(stream: TcpStream) {}",
        "fn a() { std::env::var(b) }",
        "fn a() { println!(\"b\") }",
        "use rand::Rng;",
        "use serde::Serialize;",
        "fn a(b: serde_json::Value) {}",
    ] {
        check(purity, "src/protocol/spf.rs", out, ":1: a pure module reaches for nothing");
        check(purity, "src/checker.rs", out, "");
    }
    check(
        purity,
        "src/verify/spf.rs",
        "use std::net::IpAddr;\nuse chrono::{DateTime, Utc};\nuse thiserror::Error;",
        "",
    );
    check(purity, "src/verify/spf.rs", "mod words;\nuse words::say;", "");
    check(
        purity,
        "src/verify/spf.rs",
        "// tokio::spawn, std::fs\n#[cfg(test)]\nmod tests { use proptest::prelude::*; }",
        "",
    );
    check(purity, "src/verify/evidence/stored.rs", "use serde::{Deserialize, Serialize};", "");
    check(purity, "src/webhook.rs", "use serde::Serialize;", "");
    check(purity, "src/verify/evidence.rs", "use serde::Serialize;", "`serde`");
}

#[test]
fn a_crate_away_from_home_is_a_fault() {
    check(homes, "src/store/domains.rs", "use sqlx::PgPool;", "");
    check(homes, "src/service.rs", "fn a() {}\nfn b(error: sqlx::Error) {}", ":2: `sqlx` lives in store");
    check(homes, "src/service.rs", "use sqlx;", "`sqlx` lives in store");
    check(homes, "src/service.rs", "use axum::http::StatusCode;", "`axum` lives in http, web, app");
    check(homes, "src/service.rs", "use crate::telemetry::metrics::check_ended;", "");
    check(homes, "src/app.rs", "fn a() { metrics::counter!(\"b\") }", "`metrics` lives in telemetry");
    check(homes, "src/checker.rs", "fn a() { hickory_resolver::Resolver::b() }", "`hickory_resolver` lives in dns");
    check(homes, "src/service.rs", "fn a() { crate::sqlx::b(); c(\"sqlx::d\") }", "");
}

#[test]
fn a_promise_in_the_wrong_place_is_a_fault() {
    for good in ["src/http/domains.rs", "src/store.rs", "src/verify/evidence/stored.rs"] {
        check(promises, good, "#[derive(Serialize)]\nstruct A;", "");
    }
    for bad in ["src/verify/report.rs", "src/service/domain.rs", "src/protocol/name.rs"] {
        check(promises, bad, "#[derive(Debug, Deserialize)]\nstruct A;", ":1: what is serialised");
        check(promises, bad, "impl serde::Serialize for A {}", "what is serialised");
    }
}

#[test]
fn a_file_without_a_head_is_a_fault() {
    check(head, "src/a.rs", "//! What it owns.\nfn a() {}", "");
    for text in ["", "fn a() {}", "// A.", "//!", "//! ", "\n//! A."] {
        check(head, "src/a.rs", text, ":1: begins without");
    }
}

#[test]
fn a_long_file_is_a_fault_and_only_code_makes_it_long() {
    let code = |lines: usize| "const A: u32 = 1;\n".repeat(lines);
    check(length, "src/a.rs", &code(LINES_MAX), "");
    check(length, "src/a.rs", &code(LINES_MAX + 1), "501 lines");
    check(length, "src/a.rs", &format!("{}{}", code(LINES_MAX), "// a\n\n/* b\n\n c */\n".repeat(9)), "");
    check(length, "src/a.rs", &format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", code(LINES_MAX), code(9)), "");
    check(length, "src/a.rs", &format!("const B: &str = \"{}\";\n", "\n b".repeat(LINES_MAX)), "501 lines");
}

#[test]
fn a_standard_in_another_spelling_is_a_fault() {
    for good in [
        "//! RFC 7208 §4.6.4.",
        "// See RFC 7208 (§4.6) and RFC 9989.",
        "// https://www.rfc-editor.org/rfc/rfc7208#section-4.6",
        "// fixtures/rfc7208-tests.yml, rfc7208_cases.jsonl",
        "// The version section. RFC 7208 §4.5",
        "// a section of the file, sections 'a'",
        "// RFC 6376, 8301 and 8463 §3",
        "fn a(rfc_7208: u32) {}",
    ] {
        check(citations, "src/a.rs", good, "");
    }
    for bad in [
        "// RFC7208 says so.",
        "// RFC-7208.",
        "// rfc 7208.",
        "// as rfc7208 says",
        "// RFC 7208 section 4.6.",
        "// Section 4.6 of it.",
        "// RFC 7208 sec. 4.6",
        "// RFC 7489 section A.4",
        "// RFC 7208 § 4.6",
        "// RFC 7208, §4.6",
        "// RFC 7208§4.6",
        "// RFC 7208  §4.6",
        "fn a() -> &'static str { \"see RFC7208\" }",
    ] {
        check(citations, "src/a.rs", bad, ":1: write");
    }
}
