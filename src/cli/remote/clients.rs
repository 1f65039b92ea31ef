//! `sendready clients`: who uses a running service, their tiers, and what they use.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::Common;
use crate::cli::exit::Exit;
use crate::cli::remote::show::{self, Column};
use crate::cli::remote::{self, Desk, ListArgs, RemoteArgs, Stop};
use crate::remote::Request;

const COLUMNS: &[Column] = &[("id", "/id"), ("name", "/name"), ("tier", "/tier"), ("made", "/created_at")];

/// What of a tier is used, and how it is called.
const RESOURCES: [(&str, &str); 3] = [
    ("domains", "/allocation/domains"),
    ("mailboxes", "/allocation/mailboxes"),
    ("dedicated addresses", "/allocation/dedicated_ips"),
];

/// List, show, add clients of a running service, and change their tiers
#[derive(Debug, Args)]
pub struct ClientsArgs {
    #[command(subcommand)]
    command: ClientsCommand,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Debug, Subcommand)]
enum ClientsCommand {
    /// List clients
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one client and what it uses of its tier
    Show {
        /// Its id
        #[arg(value_name = "ID")]
        id: Uuid,
    },
    /// Add a client (operators)
    Add {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// Its tier: ignition, velocity or dominance
        #[arg(long, value_name = "TIER")]
        tier: String,
    },
    /// Change a client's tier (operators); refused while it uses more than the new tier allows
    Tier {
        /// Its id
        #[arg(value_name = "ID")]
        id: Uuid,
        /// The new tier: ignition, velocity or dominance
        #[arg(value_name = "TIER")]
        tier: String,
    },
}

/// Runs the command.
pub async fn run(args: ClientsArgs, common: &Common) -> Exit {
    let ClientsArgs { command, remote } = args;
    remote::run(&remote, common, |desk| async move {
        match command {
            ClientsCommand::List { list } => desk.list(Request::get(&["v1", "clients"]), &list, COLUMNS).await,
            ClientsCommand::Show { id } => {
                let client = desk.get(&["v1", "clients", id.to_string().as_str()]).await?;
                tell(&desk, client).await
            }
            ClientsCommand::Add { name, tier } => {
                let request = Request::post(&["v1", "clients"]).json(json!({"name": name, "tier": tier}));
                tell(&desk, desk.ask(&request).await?.body).await
            }
            ClientsCommand::Tier { id, tier } => {
                let id = id.to_string();
                let path = ["v1", "clients", id.as_str()];
                let request = Request::patch(&path).json(json!({"tier": tier}));
                tell(&desk, desk.ask(&request).await?.body).await
            }
        }
    })
    .await
}

/// Shows a client, with what it uses.
async fn tell(desk: &Desk<'_>, mut client: Value) -> Result<Exit, Stop> {
    let allocation = desk.get(&["v1", "clients", &remote::id_of(&client)?, "allocation"]).await?;
    if let Value::Object(fields) = &mut client {
        fields.insert("allocation".to_owned(), allocation);
    }
    desk.write(&client, |out, coloured| table(out, &client, coloured))?;
    Ok(Exit::Valid)
}

fn table(out: &mut impl Write, client: &Value, coloured: bool) -> io::Result<()> {
    show::facts(out, client, COLUMNS, coloured)?;
    for (name, pointer) in RESOURCES {
        let used = show::text(client, &format!("{pointer}/used"));
        let limit = show::text(client, &format!("{pointer}/limit"));
        let limit = if limit.is_empty() { "any number".to_owned() } else { limit };
        writeln!(out, "  {name}: {used} of {limit}")?;
    }
    Ok(())
}
