//! `sendready spf`: what a domain's SPF record says of one sender, and how it comes to that.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::app;
use crate::checker::{self, Limits};
use crate::cli::Common;
use crate::cli::dns_args::DnsArgs;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Format};
use crate::clock::Clock;
use crate::protocol::spf::terms::shown;
use crate::protocol::spf::{LOOKUPS_MAX, VOID_LOOKUPS_MAX};
use crate::verify::spf::trace::{Gave, TraceLine};
use crate::verify::spf::{Session, SpfOutcome, SpfResult, check_host};

/// How long one evaluation may take; then it is a temperror. RFC 7208 §4.6.4.
const CHECK_TIME_MAX: Duration = Duration::from_secs(20);

/// Evaluate a domain's SPF record for one sender (RFC 7208)
#[derive(Debug, Args)]
#[command(after_help = "Exit: 0 pass, 3 temperror, 1 any other result. A malformed domain is answered with `none`.")]
pub struct SpfArgs {
    /// The domain whose record is evaluated
    #[arg(value_name = "DOMAIN")]
    domain: OsString,
    /// The address of the client that sends
    #[arg(long, value_name = "IP")]
    ip: IpAddr,
    /// The sender of MAIL FROM; empty means postmaster of the HELO name [default: postmaster@DOMAIN]
    #[arg(long, value_name = "A")]
    mail_from: Option<OsString>,
    /// The name that the client says in HELO [default: DOMAIN]
    #[arg(long, value_name = "H")]
    helo: Option<OsString>,
    #[command(flatten)]
    dns: DnsArgs,
}

/// Runs the command.
pub async fn run(args: &SpfArgs, common: &Common) -> Exit {
    let config = match common.config_without_database(|flags| args.dns.fill(flags)) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let resolver = match app::resolver(&config) {
        Ok(resolver) => resolver,
        Err(fault) => return common.fault(&fault.to_string()),
    };
    let session = session(args, Clock::System.now().timestamp().unsigned_abs());
    let limits = Limits::within(CHECK_TIME_MAX);
    let check = checker::check(resolver.as_ref(), &limits, |evidence| check_host(&session, evidence));
    let checked = tokio::select! {
        checked = check => checked,
        _ = tokio::signal::ctrl_c() => return Exit::Interrupted,
    };
    let outcome = match checked {
        Ok(checked) => checked.judgement,
        Err(fault) => return common.fault(&fault.to_string()),
    };
    match write(&session, &outcome, common.format()) {
        Ok(()) => exit(outcome.result),
        // Whoever read our results has gone; nobody is left to tell.
        Err(_) => Exit::Interrupted,
    }
}

/// The session that the arguments describe. Names are octets: what is no name is answered, not refused.
fn session(args: &SpfArgs, now_seconds: u64) -> Session {
    let octets = |text: &OsStr| text.as_encoded_bytes().to_vec();
    let domain = octets(&args.domain);
    let helo = args.helo.as_deref().map_or_else(|| domain.clone(), octets);
    let mail_from = match args.mail_from.as_deref().map(octets) {
        None => [b"postmaster@", domain.as_slice()].concat(),
        // The null reverse-path, as SMTP writes it. RFC 5321 §4.5.5.
        Some(path) if path == b"<>" => Vec::new(),
        Some(path) => path,
    };
    Session::new(args.ip, helo, mail_from, now_seconds).at(domain)
}

/// The contract's exit codes of `spf`.
const fn exit(result: SpfResult) -> Exit {
    match result {
        SpfResult::Pass => Exit::Valid,
        SpfResult::TempError => Exit::Unknown,
        SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral | SpfResult::None | SpfResult::PermError => {
            Exit::NotValid
        }
    }
}

/// The result as a line of JSON.
#[derive(Debug, Serialize)]
struct OutcomeBody<'o> {
    result: &'static str,
    /// What the domain says to those that fail. Text of strangers.
    explanation: Option<&'o str>,
    lookups: u32,
    void_lookups: u32,
    /// Why it is this result, in a sentence of ours.
    reason: String,
    trace: Vec<StepBody<'o>>,
}

/// One step of the evaluation.
#[derive(Debug, Serialize)]
struct StepBody<'o> {
    depth: u32,
    domain: &'o str,
    term: &'o str,
    lookups: u32,
    void_lookups: u32,
    gave: &'static str,
    /// The result that a match, a record or a fault gives.
    result: Option<&'static str>,
    detail: String,
}

fn write(session: &Session, outcome: &SpfOutcome, format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => output::json_line(&mut out, &body(session, outcome))?,
        Format::Table => write_table(&mut out, session, outcome)?,
    }
    out.flush()
}

fn body<'o>(session: &Session, outcome: &'o SpfOutcome) -> OutcomeBody<'o> {
    OutcomeBody {
        result: outcome.result.as_str(),
        explanation: outcome.explanation.as_deref(),
        lookups: outcome.lookups,
        void_lookups: outcome.void_lookups,
        reason: reason(session, outcome),
        trace: outcome.trace.iter().map(step_body).collect(),
    }
}

fn step_body(line: &TraceLine) -> StepBody<'_> {
    let (gave, result) = match &line.gave {
        Gave::Opened => ("opened", None),
        Gave::Record(_) => ("record", None),
        Gave::NoRecord => ("no-record", None),
        Gave::Match(result) => ("match", Some(*result)),
        Gave::NoMatch => ("no-match", None),
        Gave::Result(result) => ("result", Some(*result)),
        Gave::Explanation(_) => ("explanation", None),
        Gave::NoExplanation => ("no-explanation", None),
        Gave::Ended(cause) => ("ended", Some(cause.result())),
    };
    StepBody {
        depth: line.depth,
        domain: &line.domain,
        term: &line.term,
        lookups: line.lookups,
        void_lookups: line.void_lookups,
        gave,
        result: result.map(SpfResult::as_str),
        detail: line.gave.to_string(),
    }
}

/// Why it is this result.
fn reason(session: &Session, outcome: &SpfOutcome) -> String {
    // What ends an evaluation is noted on every line above it; the last is where it happened.
    let ended = outcome.trace.iter().rev().find_map(|line| match &line.gave {
        Gave::Ended(cause) => Some((line, cause)),
        _ => None,
    });
    if let Some((line, cause)) = ended {
        return match line.term.as_str() {
            "TXT" => format!("at {}: {cause}", line.domain),
            term => format!("at `{term}` in the record of {}: {cause}", line.domain),
        };
    }
    if let Some(line) = decisive(&outcome.trace) {
        return format!("`{}` in the record of {} matches the client", line.term, line.domain);
    }
    match (outcome.result, outcome.trace.is_empty()) {
        (SpfResult::None, true) => {
            format!("`{}` is not a domain that can be asked about (RFC 7208 §4.3)", shown(&session.domain))
        }
        (SpfResult::None, false) => "the domain has no SPF record (RFC 7208 §4.5)".to_owned(),
        _ => "nothing in the record matches the client, and there is no `all` (RFC 7208 §4.7)".to_owned(),
    }
}

/// The term whose match became the result, behind redirects if it came to them.
fn decisive(trace: &[TraceLine]) -> Option<&TraceLine> {
    let mut depth = 0;
    for line in trace.iter() {
        match line.gave {
            Gave::Match(_) if line.depth == depth => return Some(line),
            // What a redirect leads to takes the place of the record. RFC 7208 §6.1.
            _ if line.depth == depth && line.term.starts_with("redirect=") => depth += 1,
            _ => {}
        }
    }
    None
}

/// The result as a person reads it: what, why, at what cost, and the way there.
fn write_table(out: &mut impl Write, session: &Session, outcome: &SpfOutcome) -> io::Result<()> {
    let say = |text: &str| output::printable(text);
    writeln!(out, "{}: {}, because {}", shown(&session.domain), outcome.result, say(&reason(session, outcome)))?;
    writeln!(
        out,
        "  client {}, sender {}@{}, HELO {}",
        session.ip,
        shown(&session.local_part),
        shown(&session.sender_domain),
        shown(&session.helo)
    )?;
    writeln!(
        out,
        "  {} of {LOOKUPS_MAX} lookups, {} of {VOID_LOOKUPS_MAX} that found nothing",
        outcome.lookups, outcome.void_lookups
    )?;
    if let Some(explanation) = &outcome.explanation {
        writeln!(out, "  the domain says: {}", say(explanation))?;
    }
    for line in &outcome.trace {
        // Terms stand below the record that they are in, and an include's record below the include.
        let inner = usize::from(line.term != "TXT");
        let indent = "  ".repeat(1 + 2 * usize::try_from(line.depth).unwrap_or_default() + inner);
        writeln!(out, "{indent}{}", say(&line.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::dns::zone_text::ZoneText;
    use crate::verify::evidence::Evidence;
    use crate::verify::step::Step;

    #[derive(Debug, Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[command(flatten)]
        args: SpfArgs,
    }

    fn session_of(line: &str) -> Session {
        let words = line.split(' ').map(|word| word.trim_matches('\''));
        session(&Line::try_parse_from(words).unwrap().args, 0)
    }

    #[track_caller]
    fn check(why: &str, line: &str, expected: &str) {
        let session = session_of(&format!("{line} --ip 192.0.2.1"));
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let found = format!(
            "{} {}@{} {}",
            text(&session.domain),
            text(&session.local_part),
            text(&session.sender_domain),
            text(&session.helo)
        );
        assert_eq!(found, expected, "{why}");
    }

    #[test]
    fn arguments_become_a_session() {
        check("the domain alone", "a.test", "a.test postmaster@a.test a.test");
        check("a sender", "a.test --mail-from x@b.test", "a.test x@b.test a.test");
        check("a HELO name", "a.test --helo c.test", "a.test postmaster@a.test c.test");
        check("no sender, RFC 7208 §2.4", "a.test --helo c.test --mail-from ''", "a.test postmaster@c.test c.test");
        check("a null path", "a.test --helo c.test --mail-from <>", "a.test postmaster@c.test c.test");
        check("no local part", "a.test --mail-from @b.test", "a.test postmaster@b.test a.test");
        check("U-labels", "bücher.test", "xn--bcher-kva.test postmaster@xn--bcher-kva.test xn--bcher-kva.test");
        check("no domain at all", "x@a.test", "x@a.test postmaster@x@a.test x@a.test");
    }

    #[track_caller]
    fn told(record: &str, domain: &str, expected: &str) {
        let zone = format!(
            "example.test. 60 SOA ns h 1 1 1 1 60\nexample.test. 60 TXT \"{record}\"\n\
             other.example.test. 60 TXT \"v=spf1 ip4:192.0.2.1 ~all\"\n"
        );
        let zone: ZoneText = zone.parse().unwrap();
        let session = session_of(&format!("{domain} --ip 192.0.2.1"));
        let mut evidence = Evidence::new();
        let outcome = loop {
            match check_host(&session, &evidence) {
                Step::Done(outcome) => break outcome,
                Step::Need(questions) | Step::Confirm(questions) => {
                    for question in questions {
                        let answer = zone.answer(&question);
                        evidence.tell(question, answer);
                    }
                }
            }
        };
        let mut table = Vec::new();
        write_table(&mut table, &session, &outcome).unwrap();
        let table = String::from_utf8(table).unwrap();
        assert_eq!(table.lines().next().unwrap(), expected, "{table}");
    }

    #[test]
    fn the_reason_is_named() {
        let it = "example.test";
        told("v=spf1 -all", it, "example.test: fail, because `-all` in the record of example.test matches the client");
        told(
            "v=spf1 include:other.example.test -all",
            it,
            "example.test: pass, because `include:other.example.test` in the record of example.test matches the client",
        );
        told(
            "v=spf1 -include:other.example.test redirect=other.example.test",
            it,
            "example.test: fail, because `-include:other.example.test` in the record of example.test matches the client",
        );
        told(
            "v=spf1 redirect=other.example.test",
            it,
            "example.test: pass, because `ip4:192.0.2.1` in the record of other.example.test matches the client",
        );
        told(
            "v=spf1 ip4:192.0.2.9",
            it,
            "example.test: neutral, because nothing in the record matches the client, and there is no `all` (RFC 7208 §4.7)",
        );
        told(
            "v=spf1 include:no.example.test -all",
            it,
            "example.test: permerror, because at `include:no.example.test` in the record of example.test: it leads to no SPF record (RFC 7208 §5.2, §6.1)",
        );
        told("hello", it, "example.test: none, because the domain has no SPF record (RFC 7208 §4.5)");
        told(
            "v=spf1 -all",
            "localhost",
            "localhost: none, because `localhost` is not a domain that can be asked about (RFC 7208 §4.3)",
        );
    }
}
