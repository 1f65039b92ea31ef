//! `sendready dmarc`: which policy applies to a name, and where it comes from (RFC 9989 §4.10).

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app;
use crate::checker::{self, Limits};
use crate::cli::Common;
use crate::cli::dns_args::DnsArgs;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Format};
use crate::http::document::{self, FindingBody};
use crate::protocol::dmarc::ParsedRecord;
use crate::protocol::domain::registrable;
use crate::protocol::name::Name;
use crate::verify::dmarc::{Discovery, Remarks, discover, remarks};
use crate::verify::evidence::{Evidence, RecordType};
use crate::verify::finding::words::Place;
use crate::verify::step::{Needs, Step};

/// How long one discovery may take.
const CHECK_TIME_MAX: Duration = Duration::from_secs(20);

/// Find the DMARC policy that applies to a name (RFC 9989)
#[derive(Debug, Args)]
#[command(after_help = "Exit: 0 a policy applies, 1 none does, 3 DNS failed, so that nobody can tell.")]
pub struct DmarcArgs {
    /// The name; public suffixes and names with underscores can be asked about, too
    #[arg(value_name = "DOMAIN")]
    domain: String,
    #[command(flatten)]
    dns: DnsArgs,
}

/// Runs the command.
pub async fn run(args: &DmarcArgs, common: &Common) -> Exit {
    let config = match common.config_with(|flags| args.dns.fill(flags)) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let name = match name(&args.domain) {
        Ok(name) => name,
        Err(fault) => return common.fault(&format!("{}: {fault}", output::printable(&args.domain))),
    };
    let resolver = match app::resolver(&config) {
        Ok(resolver) => resolver,
        Err(fault) => return common.fault(&fault.to_string()),
    };
    let limits = Limits::within(CHECK_TIME_MAX);
    let check = checker::check(resolver.as_ref(), &limits, |evidence| Step::from(look(&name, evidence)));
    let checked = tokio::select! {
        checked = check => checked,
        _ = tokio::signal::ctrl_c() => return Exit::Interrupted,
    };
    let (discovery, remarks) = match checked {
        Ok(checked) => checked.judgement,
        Err(fault) => return common.fault(&fault.to_string()),
    };
    match write(&name, &discovery, &remarks, common.format()) {
        Ok(()) => exit(&discovery),
        // Whoever read our results has gone; nobody is left to tell.
        Err(_) => Exit::Interrupted,
    }
}

/// Any name that DNS can be asked about. What a person surely did not mean is refused.
fn name(text: &str) -> Result<Name, String> {
    let text = text.trim();
    if text.contains('@') {
        return Err("this is an e-mail address; give only the part behind the @".to_owned());
    }
    if text.contains('/') || text.contains(char::is_whitespace) || text.contains(char::is_control) {
        return Err("this is no domain name".to_owned());
    }
    if text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Err("an IP address is not a domain name".to_owned());
    }
    let name = if text.is_ascii() {
        Name::parse(text)
    } else {
        let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY).map_err(|_| {
            "the name holds characters that international domain names (RFC 5891) do not allow".to_owned()
        })?;
        Name::parse(&ascii)
    };
    let name = name.map_err(|fault| format!("{fault} (RFC 1035 §2.3.4)"))?;
    if name.label_count() == 0 { Err("the root of DNS has no policy".to_owned()) } else { Ok(name) }
}

fn look(name: &Name, evidence: &Evidence) -> Result<(Discovery, Remarks), Needs> {
    let discovery = discover(name, evidence)?;
    let remarks = remarks(&discovery, evidence)?;
    Ok((discovery, remarks))
}

/// The contract's exit codes of `dmarc`.
fn exit(discovery: &Discovery) -> Exit {
    match (discovery.found, discovery.failed.is_empty()) {
        (true, _) => Exit::Valid,
        (false, true) => Exit::NotValid,
        (false, false) => Exit::Unknown,
    }
}

/// A discovery as a line of JSON.
#[derive(Debug, Serialize)]
struct DiscoveryBody {
    found: bool,
    at: Option<String>,
    /// Null only where a failure of DNS hides it.
    organizational_domain: Option<String>,
    effective_policy: Option<&'static str>,
    /// The tags as they are written; null where there is no record.
    record: Option<Map<String, Value>>,
    findings: Vec<FindingBody>,
    asked: Vec<String>,
    /// The names that gave no usable answer, and that the policy hangs on.
    failed: Vec<String>,
}

/// A record's tags by their names; of a name that stands twice, the first.
pub(super) fn tags(parsed: &ParsedRecord) -> Map<String, Value> {
    let mut tags = Map::new();
    for (name, value) in &parsed.tags {
        tags.entry(name.to_ascii_lowercase()).or_insert_with(|| Value::from(value.as_str()));
    }
    tags
}

fn write(name: &Name, discovery: &Discovery, remarks: &Remarks, format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let zone = registrable(name).unwrap_or_else(|| name.clone());
    let place = Place {
        zone: &zone,
        name: &discovery.own.at,
        value: remarks.value.as_deref(),
        priority: None,
        record_type: RecordType::Txt,
        provider: None,
    };
    match format {
        Format::Json => output::json_line(&mut out, &body(discovery, remarks, &place))?,
        Format::Table => write_table(&mut out, name, discovery, remarks, &place)?,
    }
    out.flush()
}

fn body(discovery: &Discovery, remarks: &Remarks, place: &Place<'_>) -> DiscoveryBody {
    let texts = |names: &[Name]| names.iter().map(Name::to_string).collect();
    DiscoveryBody {
        found: discovery.found,
        at: discovery.at.as_ref().map(Name::to_string),
        organizational_domain: discovery.organizational_domain.as_ref().map(Name::to_string),
        effective_policy: discovery.effective_policy.map(|policy| policy.as_str()),
        record: discovery.record.as_ref().map(tags),
        findings: remarks.findings.iter().map(|finding| document::finding_body(finding, place)).collect(),
        asked: texts(&discovery.asked),
        failed: texts(&discovery.failed),
    }
}

fn write_table(
    out: &mut impl Write,
    name: &Name,
    discovery: &Discovery,
    remarks: &Remarks,
    place: &Place<'_>,
) -> io::Result<()> {
    match (discovery.effective_policy, &discovery.at) {
        (Some(policy), Some(at)) => writeln!(out, "{name}: the policy is {policy}, from {at}")?,
        _ if discovery.failed.is_empty() => writeln!(out, "{name}: no policy applies")?,
        _ => writeln!(out, "{name}: nobody can tell, because DNS failed")?,
    }
    if let Some(domain) = &discovery.organizational_domain {
        writeln!(out, "  organizational domain: {domain}")?;
    }
    if let Some(parsed) = &discovery.record {
        let tags: Vec<String> = parsed.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        writeln!(out, "  record: {}", output::printable(&tags.join("; ")))?;
    }
    let asked: Vec<String> = discovery.asked.iter().map(Name::to_string).collect();
    writeln!(out, "  asked: {}", asked.join(", "))?;
    output::findings(out, &remarks.findings, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let found = match name(text) {
            Ok(name) => name.to_string(),
            Err(fault) => format!("error: {fault}"),
        };
        assert!(found.starts_with(expected), "{why}: {found}");
    }

    #[test]
    fn any_name_of_dns_will_do() {
        check("a domain", "Example.COM.", "example.com");
        check("a public suffix", "co.uk", "co.uk");
        check("a top-level domain", "com", "com");
        check("an underscore", "zero_pct.com", "zero_pct.com");
        check("U-labels", "bücher.example", "xn--bcher-kva.example");
        check("the root", ".", "error: the root");
        check("nothing", "", "error: a label between two dots is empty");
        check("an empty label", "a..com", "error: a label");
        check("a long label", &format!("{}.com", "a".repeat(64)), "error: a label is longer");
        check("an address", "192.0.2.1", "error: an IP address");
        check("an IPv6 address", "[2001:db8::1]", "error: an IP address");
        check("an e-mail address", "x@example.com", "error: this is an e-mail address");
        check("a URL", "https://example.com", "error: this is no domain name");
        check("words", "two words", "error: this is no domain name");
    }
}
