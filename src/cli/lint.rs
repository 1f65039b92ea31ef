//! `sendready lint`: judges the texts of records by themselves, without DNS.
//!
//! One record from the command line, or one a line from standard input: as many as come, in their order, and in
//! memory that does not grow with them. A line is octets; what is no UTF-8 is judged like anything else.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::Common;
use crate::cli::dmarc::tags;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Format};
use crate::http::document::{self, FindingBody};
use crate::protocol::bimi::{self, BimiRecord};
use crate::protocol::dkim::KeyRecord;
use crate::protocol::mta_sts;
use crate::protocol::name::Name;
use crate::protocol::spf::SpfRecord;
use crate::protocol::spf::terms::{Directive, Qualifier, shown};
use crate::protocol::tls_rpt;
use crate::verify::dkim;
use crate::verify::dmarc;
use crate::verify::evidence::RecordType;
use crate::verify::finding::Finding;
use crate::verify::finding::advice::{AdviceFinding, AdvisedRecord};
use crate::verify::finding::words::Place;
use crate::verify::spf;

/// The longest text that the strings of one TXT record can hold, in octets: 65,535 with a length octet for
/// each 255. RFC 1035 §3.2.1, §3.3.
const RECORD_OCTETS_MAX: usize = 65_279;

/// What is said of a longer one.
const TOO_LONG: &str = "the text is longer than the 65279 octets that one TXT record can hold (RFC 1035 §3.2.1)";

/// Judge the text of a record, without DNS
#[derive(Debug, Args)]
#[command(after_help = "The text stands without the quotes of a zone file. Exit: 0 all are valid, 1 one is not.")]
pub struct LintArgs {
    /// Which kind of record it is
    #[arg(value_name = "KIND", value_enum)]
    kind: Kind,
    /// The record's text; `-`, or nothing where input is piped in: one record a line from standard input
    #[arg(value_name = "RECORD|-")]
    record: Option<OsString>,
}

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Who may send (RFC 7208)
    Spf,
    /// A signing key (RFC 6376)
    Dkim,
    /// A policy (RFC 9989)
    Dmarc,
    /// That mail is to arrive over TLS (RFC 8461)
    MtaSts,
    /// Where reports about TLS go (RFC 8460)
    TlsRpt,
    /// A logo
    Bimi,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Kind::Spf => "spf",
            Kind::Dkim => "dkim",
            Kind::Dmarc => "dmarc",
            Kind::MtaSts => "mta-sts",
            Kind::TlsRpt => "tls-rpt",
            Kind::Bimi => "bimi",
        }
    }

    /// The host field of such a record, below a zone that nobody told.
    fn host(self) -> Name {
        let labels: &[&str] = match self {
            Kind::Spf => &[],
            Kind::Dkim => &["selector", "_domainkey"],
            Kind::Dmarc => &["_dmarc"],
            Kind::MtaSts => &["_mta-sts"],
            Kind::TlsRpt => &["_smtp", "_tls"],
            Kind::Bimi => &["default", "_bimi"],
        };
        Name::from_labels(labels).unwrap_or_else(|_| Name::root())
    }
}

/// Runs the command.
pub async fn run(args: LintArgs, common: &Common) -> Exit {
    let linter = Linter { kind: args.kind, zone: Name::root(), host: args.kind.host(), format: common.format() };
    match args.record {
        Some(record) if record != "-" => {
            let mut out = io::stdout().lock();
            let done = linter.write(&mut out, record.as_encoded_bytes()).and_then(|exit| out.flush().map(|()| exit));
            // Whoever read our results has gone; nobody is left to tell.
            done.unwrap_or(Exit::Interrupted)
        }
        None if io::stdin().is_terminal() => {
            common.fault("lint: a record is needed: as an argument, or one a line on standard input")
        }
        _ => {
            let lines = tokio::task::spawn_blocking(move || linter.lines(io::stdin().lock(), io::stdout().lock()));
            tokio::select! {
                done = lines => match done {
                    Ok(Ok(exit)) => exit,
                    Ok(Err(LinesFault::Read(fault))) => common.fault(&format!("standard input: {fault}")),
                    Ok(Err(LinesFault::Write)) | Err(_) => Exit::Interrupted,
                },
                _ = tokio::signal::ctrl_c() => Exit::Interrupted,
            }
        }
    }
}

/// Why the lines came to no end.
#[derive(Debug)]
enum LinesFault {
    /// Standard input cannot be read.
    Read(io::Error),
    /// Whoever read our results has gone.
    Write,
}

/// Judges records of one kind, and writes what it finds.
struct Linter {
    kind: Kind,
    /// The root: the zone is not known.
    zone: Name,
    host: Name,
    format: Format,
}

/// A judged text.
struct Linted {
    valid: bool,
    /// The fields by their standard names, where the text can be read.
    parsed: Option<Value>,
    findings: Vec<Finding>,
    /// What to publish instead, where the text tells.
    value: Option<String>,
    /// What no finding tells.
    fault: Option<&'static str>,
}

/// A judged text as a line of JSON.
#[derive(Debug, Serialize)]
struct LintedBody {
    kind: &'static str,
    valid: bool,
    parsed: Option<Value>,
    findings: Vec<FindingBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
}

impl Linter {
    /// Judges every line. Results are passed on whenever no more input is at hand.
    fn lines(&self, input: impl io::Read, out: impl Write) -> Result<Exit, LinesFault> {
        let mut reader = BufReader::with_capacity(RECORD_OCTETS_MAX, input);
        let mut out = BufWriter::new(out);
        let mut line = Vec::new();
        let mut exit = Exit::Valid;
        while next_line(&mut reader, &mut line).map_err(LinesFault::Read)? {
            exit = exit.worse(self.write(&mut out, &line).map_err(|_| LinesFault::Write)?);
            if reader.buffer().is_empty() {
                out.flush().map_err(|_| LinesFault::Write)?;
            }
        }
        out.flush().map_err(|_| LinesFault::Write)?;
        Ok(exit)
    }

    fn write(&self, out: &mut impl Write, text: &[u8]) -> io::Result<Exit> {
        let linted = if text.len() > RECORD_OCTETS_MAX {
            Linted { valid: false, parsed: None, findings: Vec::new(), value: None, fault: Some(TOO_LONG) }
        } else {
            self.lint(text)
        };
        let place = Place {
            zone: &self.zone,
            name: &self.host,
            value: linted.value.as_deref(),
            priority: None,
            record_type: RecordType::Txt,
            provider: None,
        };
        let exit = if linted.valid { Exit::Valid } else { Exit::NotValid };
        match self.format {
            Format::Json => {
                let findings = linted.findings.iter().map(|finding| document::finding_body(finding, &place)).collect();
                let Linted { valid, parsed, fault, .. } = linted;
                output::json_line(out, &LintedBody { kind: self.kind.as_str(), valid, parsed, findings, fault })?;
            }
            Format::Table => self.write_table(out, text, &linted, &place)?,
        }
        Ok(exit)
    }

    fn write_table(&self, out: &mut impl Write, text: &[u8], linted: &Linted, place: &Place<'_>) -> io::Result<()> {
        let word = if linted.valid { "valid" } else { "not valid" };
        writeln!(out, "{} {word}: {}", self.kind.as_str(), shown(text))?;
        for (name, value) in linted.parsed.iter().filter_map(Value::as_object).flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writeln!(out, "  {name}: {}", output::printable(&value))?;
        }
        if let Some(fault) = linted.fault {
            writeln!(out, "  ✗ {fault}")?;
        }
        output::findings(out, &linted.findings, place)
    }

    fn lint(&self, text: &[u8]) -> Linted {
        let advised = |record, parsed: Result<Value, String>| {
            let (parsed, findings) = match parsed {
                Ok(parsed) => (Some(parsed), Vec::new()),
                Err(rule) => {
                    let broken = AdviceFinding::Broken { record, at: self.host.clone(), rule };
                    (None, vec![Finding::Advice(broken)])
                }
            };
            Linted { valid: parsed.is_some(), parsed, findings, value: None, fault: None }
        };
        match self.kind {
            Kind::Spf => {
                let lint = spf::lint(text);
                let valid = lint.is_valid();
                let findings = lint.findings.into_iter().map(Finding::Spf).collect();
                Linted { valid, parsed: lint.record.as_ref().map(spf_value), findings, value: None, fault: None }
            }
            Kind::Dkim => {
                let lint = dkim::lint(text);
                let parsed = lint.parsed.as_ref().map(dkim_value);
                Linted { valid: lint.valid, parsed, findings: lint.findings, value: None, fault: None }
            }
            Kind::Dmarc => {
                let lint = dmarc::lint(text);
                let parsed = lint.parsed.as_ref().map(|parsed| Value::Object(tags(parsed)));
                let value = (!lint.valid).then(|| dmarc::repaired(text));
                Linted { valid: lint.valid, parsed, findings: lint.findings, value, fault: None }
            }
            Kind::MtaSts => {
                let parsed = mta_sts::parse(text).map(|record| json!({"v": "STSv1", "id": record.id}));
                advised(AdvisedRecord::MtaSts, parsed.map_err(|fault| fault.to_string()))
            }
            Kind::TlsRpt => {
                let parsed = tls_rpt::parse(text).map(|record| json!({"v": "TLSRPTv1", "rua": record.rua}));
                advised(AdvisedRecord::TlsRpt, parsed.map_err(|fault| fault.to_string()))
            }
            Kind::Bimi => {
                let parsed = bimi::parse(text).map(|record| bimi_value(&record));
                advised(AdvisedRecord::Bimi, parsed.map_err(|fault| fault.to_string()))
            }
        }
    }
}

/// The terms in their order; modifiers by their names. RFC 7208 §4.6.1.
fn spf_value(record: &SpfRecord) -> Value {
    let terms: Vec<Value> = record.directives.iter().map(directive_value).collect();
    let modifiers: Vec<String> = record.unknown.iter().map(ToString::to_string).collect();
    json!({
        "v": "spf1",
        "terms": terms,
        "redirect": record.redirect.as_ref().map(ToString::to_string),
        "exp": record.explanation.as_ref().map(ToString::to_string),
        "modifiers": modifiers,
    })
}

fn directive_value(directive: &Directive) -> Value {
    let qualifier = match directive.qualifier {
        Qualifier::Pass => "+",
        other => other.as_str(),
    };
    let text = directive.mechanism.to_string();
    // `a/24` is `a` with a network; what follows a colon stands without it.
    let (mechanism, value) = match text.find([':', '/']) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at..)),
        None => (text.as_str(), None),
    };
    let value = value.map(|value| value.strip_prefix(':').unwrap_or(value));
    json!({"qualifier": qualifier, "mechanism": mechanism, "value": value})
}

/// The tags of RFC 6376 §3.6.1 that are there, and the size of the key. An empty `p` is a revoked key.
fn dkim_value(record: &KeyRecord) -> Value {
    let mut tags = Map::new();
    if record.versioned {
        tags.insert("v".to_owned(), Value::from("DKIM1"));
    }
    if let Some(key) = &record.key {
        tags.insert("k".to_owned(), Value::from(key.algorithm().as_str()));
        tags.insert("bits".to_owned(), Value::from(key.bits()));
    }
    let p = record.key.as_ref().map(|key| key.record_base64()).unwrap_or_default();
    tags.insert("p".to_owned(), Value::from(p));
    for (name, values) in [("h", &record.hashes), ("s", &record.services)] {
        if let Some(values) = values {
            tags.insert(name.to_owned(), Value::from(values.clone()));
        }
    }
    if !record.flags.is_empty() {
        tags.insert("t".to_owned(), Value::from(record.flags.clone()));
    }
    Value::Object(tags)
}

fn bimi_value(record: &BimiRecord) -> Value {
    json!({
        "v": "BIMI1",
        "l": record.location.as_deref().unwrap_or_default(),
        "a": record.authority,
    })
}

/// Reads the next line, without its end, into `line`; whether there was one.
///
/// Of a line that is too long for a record only as much is kept as shows that it is.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
            Err(fault) => return Err(fault),
        };
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = buffer.iter().position(|octet| *octet == b'\n');
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        // Two more than a record has: one may be a carriage return, and the other shows the excess.
        let room = (RECORD_OCTETS_MAX + 2).saturating_sub(line.len());
        line.extend_from_slice(piece.get(..room).unwrap_or(piece));
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(kind: Kind, input: &[u8]) -> (Vec<Value>, u8) {
        let linter = Linter { kind, zone: Name::root(), host: kind.host(), format: Format::Json };
        let mut out = Vec::new();
        let exit = linter.lines(input, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), exit.code())
    }

    #[track_caller]
    fn check(why: &str, kind: Kind, text: &str, valid: bool, parsed: Value) {
        let (found, code) = lines(kind, text.as_bytes());
        let [found] = found.as_slice() else { panic!("{why}: {found:?}") };
        assert_eq!(found["kind"], kind.as_str(), "{why}");
        assert_eq!((found["valid"].as_bool(), code), (Some(valid), u8::from(!valid)), "{why}: {found:#}");
        assert_eq!(found["parsed"], parsed, "{why}");
        assert_eq!(
            found["findings"].as_array().unwrap().is_empty(),
            valid && why != "with a finding",
            "{why}: {found:#}"
        );
    }

    #[test]
    fn fields_have_their_standard_names() {
        let spf = json!({"v": "spf1", "terms": [
            {"qualifier": "+", "mechanism": "a", "value": "/24"},
            {"qualifier": "?", "mechanism": "ip6", "value": "2001:db8::/32"},
            {"qualifier": "-", "mechanism": "all", "value": null},
        ], "redirect": null, "exp": "exp.example.com", "modifiers": ["moo=cow"]});
        check("SPF", Kind::Spf, "v=spf1 a/24 ?ip6:2001:db8::/32 -all exp=exp.example.com moo=cow", true, spf);
        let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let dkim = json!({"v": "DKIM1", "k": "ed25519", "bits": 256, "p": key, "h": ["sha256"], "t": ["s"]});
        check("with a finding", Kind::Dkim, &format!("v=DKIM1; h=sha256; t=s; k=ed25519; p={key}"), true, dkim);
        check("a revoked key", Kind::Dkim, "v=DKIM1; p=", false, json!({"v": "DKIM1", "p": ""}));
        let dmarc = json!({"v": "DMARC1", "p": "reject", "rua": "mailto:d@example.com"});
        check("DMARC", Kind::Dmarc, "v=DMARC1; p=reject; rua=mailto:d@example.com", true, dmarc);
        check("no policy", Kind::Dmarc, "v=DMARC1; p=maybe", false, json!({"v": "DMARC1", "p": "maybe"}));
        check("no record", Kind::Dmarc, "hello", false, Value::Null);
        check("MTA-STS", Kind::MtaSts, "v=STSv1; id=1;", true, json!({"v": "STSv1", "id": "1"}));
        check("MTA-STS without an id", Kind::MtaSts, "v=STSv1;", false, Value::Null);
        let rua = ["mailto:t@example.com", "https://example.com/t"];
        check(
            "TLS-RPT",
            Kind::TlsRpt,
            &format!("v=TLSRPTv1; rua={}", rua.join(",")),
            true,
            json!({"v": "TLSRPTv1", "rua": rua}),
        );
        check("TLS-RPT to nowhere", Kind::TlsRpt, "v=TLSRPTv1; rua=example.com", false, Value::Null);
        let bimi = json!({"v": "BIMI1", "l": "https://example.com/l.svg", "a": null});
        check("BIMI", Kind::Bimi, "v=BIMI1; l=https://example.com/l.svg", true, bimi);
        check("BIMI without a location", Kind::Bimi, "v=BIMI1", false, Value::Null);
    }

    /// A fix names the host field, and never a full name that nobody told.
    #[test]
    fn fixes_make_sense_without_a_zone() {
        for (kind, text, host) in [
            (Kind::Spf, "v=spf1 ip4:192.0.2.300 +all", "`@`"),
            (Kind::Spf, "v=spf1 +all", "`@`"),
            (Kind::Spf, "v=spf1 ip6:2000::/3 ~all", "`@`"),
            (Kind::Dkim, "v=DKIM1; p=", "`selector._domainkey`"),
            (Kind::Dmarc, "v=DMARC1; p=maybe", "`_dmarc`"),
            (Kind::MtaSts, "v=STSv1", "`_mta-sts`"),
            (Kind::TlsRpt, "v=TLSRPTv1", "`_smtp._tls`"),
            (Kind::Bimi, "v=BIMI1", "`default._bimi`"),
        ] {
            let (found, _) = lines(kind, text.as_bytes());
            let finding = &found[0]["findings"][0];
            let (message, fix) = (finding["message"].as_str().unwrap(), finding["fix"].as_str().unwrap());
            assert!(fix.contains(host), "{text}: {fix}");
            if kind == Kind::Dmarc {
                assert!(fix.contains("`v=DMARC1; p=none`"), "the record to paste is told: {fix}");
            }
            assert!(!fix.contains("full name") && !message.contains("of ."), "{text}: {message} {fix}");
        }
    }

    #[test]
    fn every_line_has_its_answer_in_its_place() {
        let long = "x".repeat(RECORD_OCTETS_MAX + 5);
        let most = format!("v=spf1{} -all", " ".repeat(RECORD_OCTETS_MAX - 11));
        let input =
            [b"v=spf1 -all\r\n\n\xff\xfe\n".to_vec(), format!("{long}\n{most}\r\n{most}x\nv=spf1 ?all").into_bytes()]
                .concat();
        let (found, code) = lines(Kind::Spf, &input);
        let valid: Vec<bool> = found.iter().map(|line| line["valid"].as_bool().unwrap()).collect();
        assert_eq!(valid, [true, false, false, false, true, false, true]);
        let faults: Vec<bool> = found.iter().map(|line| line["fault"].is_string()).collect();
        assert_eq!(faults, [false, false, false, true, false, true, false], "one octet more is too long");
        assert_eq!(code, 1);
        assert_eq!(lines(Kind::Spf, b"").1, 0, "no line, no fault");
    }
}
