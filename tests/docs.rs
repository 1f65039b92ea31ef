//! Documents that are made from the code, and are to stay as the code is.
//!
//! `UPDATE_DOCS=1 cargo nextest run docs` writes them anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use sendready::protocol::name::Name;
use sendready::verify::evidence::RecordType;
use sendready::verify::finding::words::{self, Place};
use sendready::verify::finding::{Fact, Finding};
use sendready::verify::purpose::Purpose;

/// Holds a document against the text made from the code.
#[track_caller]
pub fn hold(path: &str, made: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, made).expect("the document can be written");
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == made,
        "{path} is not what the code says: run `UPDATE_DOCS=1 cargo nextest run docs`, and look at the difference"
    );
}

#[test]
fn every_finding_is_documented() {
    hold("docs/findings.md", &findings());
}

#[test]
fn every_finding_says_what_to_do() {
    for finding in Finding::examples() {
        let (message, fix) = said(&finding);
        let code = finding.code();
        assert!(message.len() > 20 && fix.len() > 15, "{code} says too little: {message} / {fix}");
        assert!(
            message.ends_with(['.', '`']) && fix.ends_with(['.', '`', '"']),
            "{code} does not speak in sentences: {message} / {fix}"
        );
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        assert!(code.chars().all(known) && code.contains('.'), "{code} is no code");
    }
}

#[test]
fn a_code_is_one_thing() {
    let mut seen = BTreeMap::new();
    for finding in Finding::examples() {
        let known = *seen.entry(finding.code()).or_insert((finding.purpose(), finding.severity()));
        assert_eq!(known, (finding.purpose(), finding.severity()), "{} is two things", finding.code());
    }
}

fn findings() -> String {
    let mut text = String::from(
        "# Findings\n\nWhat `sendready` notices about a domain's records. A code never changes once released. Made from the code;\n\
         the examples are those of `example.com`.\n\n",
    );
    let mut all = Finding::examples();
    // Some codes have several examples, for their words differ; the first stands for them.
    all.sort_by_key(|finding| (finding.purpose(), finding.severity(), finding.code()));
    all.dedup_by_key(|finding| finding.code());
    for purpose in Purpose::ALL {
        writeln!(text, "## {}\n", purpose.as_str().to_ascii_uppercase()).unwrap();
        for finding in all.iter().filter(|finding| finding.purpose() == purpose) {
            let (message, fix) = said(finding);
            writeln!(
                text,
                "### `{}`\n\n*{}.* {message}\n\n**Cure:** {fix}\n",
                finding.code(),
                finding.severity().as_str()
            )
            .unwrap();
            let facts = finding.facts();
            if !facts.is_empty() {
                text.push_str("| evidence | such as |\n| --- | --- |\n");
                for (name, fact) in facts {
                    writeln!(text, "| `{name}` | {} |", shown(&fact)).unwrap();
                }
                text.push('\n');
            }
        }
    }
    text
}

/// Message and fix, at a panel of example.com.
fn said(finding: &Finding) -> (String, String) {
    let name = |text: &str| Name::parse(text).expect("a name");
    let (name_of_record, value) = match finding.purpose() {
        _ if finding.code().starts_with("ownership.") => {
            (name("_sendready-challenge.example.com"), "sendready-verification=3q2-7w…")
        }
        Purpose::Spf => (name("example.com"), "v=spf1 include:_spf.example.net ~all"),
        Purpose::Dkim => (name("s1._domainkey.example.com"), "v=DKIM1; k=rsa; p=MIIBIjANBgkq…"),
        Purpose::Dmarc => (name("_dmarc.example.com"), "v=DMARC1; p=none"),
        Purpose::Mx => (name("example.com"), "mx.example.net"),
    };
    let zone = name("example.com");
    let (record_type, priority) = match finding.purpose() {
        Purpose::Mx => (RecordType::Mx, Some(10)),
        _ => (RecordType::Txt, None),
    };
    let place = Place { zone: &zone, name: &name_of_record, record_type, value: Some(value), priority, provider: None };
    (words::message(finding), words::fix(finding, &place))
}

fn shown(fact: &Fact) -> String {
    let text = match fact {
        Fact::Text(text) => text.clone(),
        Fact::Number(number) => number.to_string(),
        Fact::List(texts) => texts.join(", "),
    };
    format!("`{}`", text.replace('`', "'").replace('|', "\\|"))
}
