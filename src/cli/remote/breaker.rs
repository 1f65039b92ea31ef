//! `sendready breaker`: the fleet breaker of a running service.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::Common;
use crate::cli::exit::Exit;
use crate::cli::remote::show::{self, Column};
use crate::cli::remote::{self, RemoteArgs};
use crate::remote::Request;

const STATUS: &[Column] = &[
    ("breaker", "/breaker"),
    ("why", "/breaker_reason"),
    ("ready", "/ready"),
    ("database", "/database"),
    ("resolver", "/resolver"),
    ("authoritative servers", "/authoritative"),
    ("checker", "/checker"),
];

const ACCEPTED: &[Column] = &[
    ("breaker", "/breaker"),
    ("closed by this", "/accepted"),
    ("had opened", "/opened_at"),
    ("accepted until", "/accepted_at"),
    ("looked at", "/looked"),
    ("had turned", "/turned"),
];

/// Tell how the fleet breaker of a running service stands, or accept what it opened for
#[derive(Debug, Args)]
pub struct BreakerArgs {
    #[command(subcommand)]
    command: BreakerCommand,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Debug, Subcommand)]
enum BreakerCommand {
    /// Show /readyz: 0 ready and closed, 1 open or not ready. Needs no key
    Status,
    /// Accept what it opened for (operators): flags fall and graces begin for the domains that turned
    Accept,
}

/// Runs the command.
pub async fn run(args: BreakerArgs, common: &Common) -> Exit {
    let BreakerArgs { command, remote } = args;
    remote::run(&remote, common, |desk| async move {
        match command {
            BreakerCommand::Status => {
                let body = desk.remote.ask_whatever_the_status(&Request::get(&["readyz"])).await?.body;
                desk.write(&body, |out, coloured| show::facts(out, &body, STATUS, coloured))?;
                let is_well = body.get("ready") == Some(&Value::Bool(true))
                    && body.get("breaker").and_then(Value::as_str) == Some("closed");
                Ok(if is_well { Exit::Valid } else { Exit::NotValid })
            }
            BreakerCommand::Accept => {
                let body = desk.ask(&Request::post(&["v1", "breaker", "accept"])).await?.body;
                desk.write(&body, |out, coloured| accepted(out, &body, coloured))?;
                Ok(Exit::Valid)
            }
        }
    })
    .await
}

fn accepted(out: &mut impl Write, body: &Value, coloured: bool) -> io::Result<()> {
    show::facts(out, body, ACCEPTED, coloured)?;
    if body.get("accepted") == Some(&Value::Bool(false)) {
        writeln!(out, "It was closed already; nothing was accepted.")?;
    }
    Ok(())
}
