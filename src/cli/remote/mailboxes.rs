//! `sendready mailboxes`: a domain's mailboxes in a running service, whether they may send, and how they are stopped.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::Value;
use uuid::Uuid;

use crate::cli::Common;
use crate::cli::exit::Exit;
use crate::cli::remote::show::{self, Column};
use crate::cli::remote::{self, Desk, ListArgs, RemoteArgs, Stop, Thing, domain_given};
use crate::protocol::mail_address::MailAddress;
use crate::remote::Request;

const COLUMNS: &[Column] = &[
    ("address", "/email_address"),
    ("status", "/status"),
    ("paused for", "/paused_reason"),
    ("warm-up day", "/warmup_stage"),
    ("sent today", "/current_daily_sends"),
    ("daily limit", "/daily_send_limit"),
    ("bounced", "/bounce_rate"),
    ("spam", "/spam_rate"),
    ("id", "/id"),
];

const FACTS: &[Column] = &[
    ("address", "/email_address"),
    ("id", "/id"),
    ("domain", "/domain_id"),
    ("client", "/client_id"),
    ("name", "/display_name"),
    ("status", "/status"),
    ("paused for", "/paused_reason"),
    ("warmed up", "/warmup_enabled"),
    ("warm-up began", "/warmup_started_at"),
    ("warm-up day", "/warmup_stage"),
    ("warm-up over", "/warmup_completed_at"),
    ("sent today", "/current_daily_sends"),
    ("daily limit", "/daily_send_limit"),
    ("bounced", "/bounce_rate"),
    ("spam", "/spam_rate"),
    ("answered", "/reply_rate"),
    ("deleted", "/deleted_at"),
];

const READINESS: &[Column] = &[
    ("may send", "/may_send"),
    ("may warm up", "/may_warm_up"),
    ("sent today", "/used_today"),
    ("daily limit", "/daily_limit"),
    ("counts anew", "/resets_at"),
];

/// List, show, pause, resume and suspend mailboxes of a running service
#[derive(Debug, Args)]
pub struct MailboxesArgs {
    #[command(subcommand)]
    command: MailboxesCommand,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Debug, Args)]
struct Which {
    /// Its id or its address
    #[arg(value_name = "ID|ADDRESS")]
    mailbox: String,
}

#[derive(Debug, Subcommand)]
enum MailboxesCommand {
    /// List a domain's mailboxes
    List {
        /// The domain's name or id
        #[arg(value_name = "DOMAIN|ID")]
        domain: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one mailbox
    Show(Which),
    /// Tell whether it may send today, how much, and if not, why: 0 it may, 1 it may not
    Readiness(Which),
    /// Pause it until somebody resumes it; its warm-up waits
    Pause(Which),
    /// Let it go on; operators also when it is suspended
    Resume(Which),
    /// Suspend it until an operator resumes it
    Suspend(Which),
}

/// Runs the command.
pub async fn run(args: MailboxesArgs, common: &Common) -> Exit {
    let MailboxesArgs { command, remote } = args;
    remote::run(&remote, common, |desk| async move {
        match command {
            MailboxesCommand::List { domain, list } => {
                let id = desk.domain_id(&domain_given(&domain)?).await?;
                let path = ["v1", "domains", id.as_str(), "mailboxes"];
                desk.list(Request::get(&path), &list, COLUMNS).await
            }
            MailboxesCommand::Show(which) => {
                let id = id(&desk, &which.mailbox).await?;
                tell(&desk, &desk.get(&["v1", "mailboxes", &id]).await?)
            }
            MailboxesCommand::Readiness(which) => {
                let id = id(&desk, &which.mailbox).await?;
                readiness(&desk, &desk.get(&["v1", "mailboxes", &id, "readiness"]).await?)
            }
            MailboxesCommand::Pause(which) => word(&desk, &which, "pause").await,
            MailboxesCommand::Resume(which) => word(&desk, &which, "resume").await,
            MailboxesCommand::Suspend(which) => word(&desk, &which, "suspend").await,
        }
    })
    .await
}

async fn word(desk: &Desk<'_>, which: &Which, word: &str) -> Result<Exit, Stop> {
    let id = id(desk, &which.mailbox).await?;
    tell(desk, &desk.ask(&Request::post(&["v1", "mailboxes", &id, word])).await?.body)
}

fn tell(desk: &Desk<'_>, mailbox: &Value) -> Result<Exit, Stop> {
    desk.write(mailbox, |out, coloured| show::facts(out, mailbox, FACTS, coloured))?;
    Ok(Exit::Valid)
}

fn readiness(desk: &Desk<'_>, body: &Value) -> Result<Exit, Stop> {
    desk.write(body, |out, coloured| reasons(out, body, coloured))?;
    let may_send = body.pointer("/may_send") == Some(&Value::Bool(true));
    Ok(if may_send { Exit::Valid } else { Exit::NotValid })
}

fn reasons(out: &mut impl Write, body: &Value, coloured: bool) -> io::Result<()> {
    show::facts(out, body, READINESS, coloured)?;
    for reason in show::list(body, "/reasons") {
        writeln!(out, "  {}: {}", show::text(reason, "/code"), show::text(reason, "/message"))?;
        writeln!(out, "    → {}", show::text(reason, "/fix"))?;
    }
    Ok(())
}

/// The id of a mailbox. The API finds none by its address, so its domain's are gone through.
async fn id(desk: &Desk<'_>, given: &str) -> Result<String, Stop> {
    if let Ok(id) = Uuid::parse_str(given.trim()) {
        return Ok(id.to_string());
    }
    let address = MailAddress::parse(given).map_err(|fault| Stop::Input(format!("{given}: {fault}")))?;
    let domain = desk.domain_id(&Thing::Named(address.domain().clone())).await?;
    let (wanted, mut cursor) = (address.to_string(), None::<String>);
    loop {
        let path = ["v1", "domains", domain.as_str(), "mailboxes"];
        let request = Request::get(&path).with("limit", Some(remote::PAGE_ITEMS_MAX)).with("cursor", cursor.as_deref());
        let body = desk.ask(&request).await?.body;
        if let Some(found) = show::list(&body, "/data").find(|mailbox| is_at(mailbox, &wanted)) {
            return remote::id_of(found);
        }
        let next = body.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if next.is_none() || next == cursor {
            let domain = address.domain();
            return Err(Stop::Input(format!(
                "{wanted}: no such mailbox; `sendready mailboxes list {domain}` lists those that there are"
            )));
        }
        cursor = next;
    }
}

fn is_at(mailbox: &Value, address: &str) -> bool {
    mailbox.get("email_address").and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case(address))
}
