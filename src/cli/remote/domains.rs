//! `sendready domains`: the domains of a running service, listed, shown and verified.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use futures_util::StreamExt;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::cli::Common;
use crate::cli::exit::Exit;
use crate::cli::output::printable;
use crate::cli::remote::show::{self, Column};
use crate::cli::remote::{self, Desk, ListArgs, RemoteArgs, Stop, Thing, domain_given};
use crate::protocol::domain::Domain;
use crate::remote::Request;

/// For how long the service holds an answer until a check is done, in seconds. Contract §3.3.
const WAIT_SECONDS: u32 = 30;

/// How often a check that was not done in that time is waited for again.
const WAITS_MAX: u32 = 6;

/// How many domains are verified at once.
const VERIFIED_AT_ONCE: usize = 8;

const COLUMNS: &[Column] = &[
    ("domain", "/domain"),
    ("status", "/status"),
    ("spf", "/spf_valid"),
    ("dkim", "/dkim_valid"),
    ("dmarc", "/dmarc_valid"),
    ("mx", "/mx_valid"),
    ("checked", "/last_checked_at"),
    ("suspends", "/suspends_at"),
    ("id", "/id"),
];

const FACTS: &[Column] = &[
    ("id", "/id"),
    ("client", "/client_id"),
    ("provider", "/provider"),
    ("status", "/status"),
    ("suspended for", "/suspended_reason"),
    ("name is malformed", "/malformed"),
    ("checked", "/checked_at"),
    ("checked next", "/next_check_at"),
    ("all valid last", "/last_success_at"),
    ("failing since", "/degraded_since"),
    ("suspended at", "/suspends_at"),
    ("nobody can tell since", "/stale_since"),
    ("fleet breaker open", "/breaker_open"),
    ("ownership by TXT at", "/ownership/name"),
    ("ownership value", "/ownership/value"),
    ("ownership proven", "/ownership/verified"),
    ("requirements", "/requirements"),
    ("DNS is at", "/dns_provider/name"),
    ("its panel", "/dns_provider/panel_url"),
    ("SPF lookups", "/spf/lookups"),
    ("DMARC policy", "/dmarc/effective_policy"),
    ("reputation", "/reputation_score"),
    ("daily limit", "/daily_send_limit"),
    ("sent today", "/current_daily_sends"),
];

const QUEUED: &[Column] = &[("domain", "/domain"), ("state", "/state"), ("next check", "/next_check_at")];

/// List, show and verify the domains of a running service
#[derive(Debug, Args)]
pub struct DomainsArgs {
    #[command(subcommand)]
    command: DomainsCommand,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Debug, Subcommand)]
enum DomainsCommand {
    /// List domains, from the oldest on
    List {
        /// Only this client's
        #[arg(long, value_name = "UUID")]
        client: Option<Uuid>,
        /// Only of this status: pending, active, suspended or deleted; deleted ones are listed only so
        #[arg(long, value_name = "S")]
        status: Option<String>,
        /// Only those whose flag is false: spf, dkim, dmarc, mx, or any
        #[arg(long, value_name = "PURPOSE")]
        failing: Option<String>,
        /// Only those whose name begins so
        #[arg(long, value_name = "PREFIX")]
        q: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show how one domain stands, its records, and what to do
    ///
    /// JSON is one object with the fields of `GET /v1/domains/{id}` and of `GET /v1/domains/{id}/records`. Ends as `check`
    /// does: 0 all valid, 1 something is not, 3 nothing wrong but something unknown or never checked.
    Show {
        /// Its name or id
        #[arg(value_name = "DOMAIN|ID")]
        domain: String,
    },
    /// Have domains checked at once
    ///
    /// Without --wait it only asks for it. With --wait each domain is shown as soon as its check is done, and the command
    /// ends as `check` does. A service takes six of these a minute for one domain.
    Verify {
        /// Their names or ids
        #[arg(value_name = "DOMAIN|ID", required = true)]
        domains: Vec<String>,
        /// Wait until the checks are done, and show what they found
        #[arg(long)]
        wait: bool,
    },
}

/// Runs the command.
pub async fn run(args: DomainsArgs, common: &Common) -> Exit {
    let DomainsArgs { command, remote } = args;
    remote::run(&remote, common, |desk| async move {
        match command {
            DomainsCommand::List { client, status, failing, q, list } => {
                let request = Request::get(&["v1", "domains"])
                    .with("client_id", client)
                    .with("status", status)
                    .with("failing", failing)
                    .with("q", q);
                desk.list(request, &list, COLUMNS).await
            }
            DomainsCommand::Show { domain } => {
                let body = state(&desk, &domain_given(&domain)?).await?;
                desk.write(&body, |out, coloured| table(out, &body, coloured))?;
                Ok(show::exit(&body))
            }
            DomainsCommand::Verify { domains, wait } => verify_all(&desk, &domains, wait).await,
        }
    })
    .await
}

/// A domain with its records: the fields of both.
async fn state(desk: &Desk<'_>, given: &Thing<Domain>) -> Result<Value, Stop> {
    let domain = desk.domain(given).await?;
    let records = desk.get(&["v1", "domains", &remote::id_of(&domain)?, "records"]).await?;
    Ok(merged(domain, records))
}

/// The fields of both; where both have one, it means the same, and that of the records is newer.
fn merged(domain: Value, records: Value) -> Value {
    let mut fields = match domain {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    if let Value::Object(records) = records {
        fields.extend(records);
    }
    Value::Object(fields)
}

fn table(out: &mut impl Write, body: &Value, coloured: bool) -> io::Result<()> {
    let (name, unicode) = (show::text(body, "/domain"), show::text(body, "/domain_unicode"));
    let name = if unicode.is_empty() { name } else { format!("{unicode} ({name})") };
    writeln!(out, "{name}: {}, {}", show::text(body, "/status"), show::standing(body))?;
    show::facts(out, body, FACTS, coloured)?;
    show::records(out, body, coloured)?;
    writeln!(out)
}

/// Every name is read before the first is asked for.
async fn verify_all(desk: &Desk<'_>, domains: &[String], wait: bool) -> Result<Exit, Stop> {
    let given: Vec<Thing<Domain>> = domains.iter().map(|text| domain_given(text)).collect::<Result<_, _>>()?;
    let progress = progress(wait, given.len());
    let checks = given.iter().zip(domains).map(|(given, text)| async move { (text, verify(desk, given, wait).await) });
    let mut results = stream::iter(checks).buffered(VERIFIED_AT_ONCE);
    let mut exit = Exit::Valid;
    while let Some((text, result)) = results.next().await {
        progress.inc(1);
        let ended = match result {
            Ok((body, is_done)) => progress.suspend(|| told(desk, text, &body, wait, is_done))?,
            Err(Stop::Output(fault)) => return Err(Stop::Output(fault)),
            // The others are still worth knowing.
            Err(Stop::Failure(failure)) => {
                progress.suspend(|| desk.common.fault(&printable(&format!("{text}: {failure}"))))
            }
            Err(stop) => progress.suspend(|| stop.told(desk.common)),
        };
        exit = exit.worse(ended);
    }
    progress.finish_and_clear();
    Ok(exit)
}

/// Asks for a check: what is known then, and whether it is done.
async fn verify(desk: &Desk<'_>, given: &Thing<Domain>, wait: bool) -> Result<(Value, bool), Stop> {
    let domain = desk.domain(given).await?;
    let id = remote::id_of(&domain)?;
    let path = ["v1", "domains", &id, "verify"];
    let request = Request::post(&path).with("wait", wait.then_some(WAIT_SECONDS));
    let mut answer = desk.ask(&request).await?;
    // Each further wait counts among the six a minute, and there is one every half a minute.
    for _ in 1..WAITS_MAX {
        if !wait || answer.status == 200 {
            break;
        }
        answer = desk.ask(&request).await?;
    }
    if answer.status == 200 {
        return Ok((state(desk, given).await?, true));
    }
    let mut body = answer.body;
    if let (Value::Object(fields), Some(name)) = (&mut body, domain.get("domain")) {
        fields.insert("id".to_owned(), Value::String(id));
        fields.insert("domain".to_owned(), name.clone());
    }
    Ok((body, false))
}

fn told(desk: &Desk<'_>, text: &str, body: &Value, wait: bool, is_done: bool) -> Result<Exit, Stop> {
    if is_done {
        desk.write(body, |out, coloured| table(out, body, coloured))?;
        return Ok(show::exit(body));
    }
    desk.write(body, |out, coloured| show::rows(out, std::slice::from_ref(body), QUEUED, coloured))?;
    if !wait {
        return Ok(Exit::Valid);
    }
    let minutes = u64::from(WAIT_SECONDS * WAITS_MAX) / 60;
    desk.common.fault(&printable(&format!(
        "{text}: its check was not done within {minutes} min; `sendready domains show` tells later, /readyz whether the checker works"
    )));
    Ok(Exit::Unknown)
}

/// A bar on a terminal while checks are waited for; otherwise one that draws nothing.
fn progress(wait: bool, domains: usize) -> ProgressBar {
    if !wait || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(domains as u64), ProgressDrawTarget::stderr());
    bar.enable_steady_tick(Duration::from_millis(200));
    match ProgressStyle::with_template("{spinner} {pos}/{len} checked, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
