//! `sendready key`: API keys, straight on the database.

use std::io::{self, Write};

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Cell;
use secrecy::ExposeSecret;
use serde_json::json;
use uuid::Uuid;

use crate::app;
use crate::cli::Common;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Format};
use crate::service::keys::KeyRequest;
use crate::service::{Error, PAGE_ITEMS_MAX, Service};
use crate::store::{KeyRow, Role};
use crate::telemetry;

/// Make, list and revoke API keys
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key and print it, once
    Create {
        /// What the key may do
        #[arg(long, value_enum)]
        role: RoleArg,
        /// The client whose things it may see; needed for the role `client`
        #[arg(long, value_name = "UUID")]
        client: Option<Uuid>,
        /// A name to know it by
        #[arg(long, value_name = "N")]
        name: Option<String>,
    },
    /// List all keys
    List,
    /// Revoke a key; it stops working within 5 seconds
    Revoke {
        /// The key's id, as `key list` shows it
        #[arg(value_name = "ID")]
        id: Uuid,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    /// Everything
    Operator,
    /// One client's things
    Client,
    /// Only webhooks about DNS changes
    Hook,
}

/// Runs the command.
pub async fn run(args: KeyArgs, common: &Common) -> Exit {
    let config = match common.config() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let service = match app::service_on_migrated_store(&config).await {
        Ok(service) => service,
        Err(fault) => return common.fault(&telemetry::chain(&fault)),
    };
    match args.command {
        KeyCommand::Create { role, client, name } => create(&service, role, client, name, common).await,
        KeyCommand::List => match all(&service).await {
            Ok(keys) => wrote(list(&mut io::stdout().lock(), &keys, common.format())),
            Err(fault) => common.fault(&telemetry::chain(&fault)),
        },
        KeyCommand::Revoke { id } => match service.key_revoke(id).await {
            Ok(()) => wrote(writeln!(io::stdout().lock(), "revoked {id}")),
            Err(fault) => common.fault(&telemetry::chain(&fault)),
        },
    }
}

/// Every key, page by page.
async fn all(service: &Service) -> Result<Vec<KeyRow>, Error> {
    let mut keys = Vec::new();
    let mut after = None;
    loop {
        let page = service.key_list(after, PAGE_ITEMS_MAX).await?;
        keys.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
}

async fn create(service: &Service, role: RoleArg, client: Option<Uuid>, name: Option<String>, common: &Common) -> Exit {
    let role = match role {
        RoleArg::Operator => Role::Operator,
        RoleArg::Client => Role::Client,
        RoleArg::Hook => Role::Hook,
    };
    match service.key_create(&KeyRequest { role, client_id: client, name }).await {
        Ok((row, secret)) => {
            let mut out = io::stdout().lock();
            wrote(match common.format() {
                Format::Json => output::json_line(
                    &mut out,
                    &json!({"id": row.id, "role": row.role.as_str(), "key": secret.expose_secret()}),
                ),
                Format::Table => writeln!(out, "{}", secret.expose_secret()),
            })
        }
        Err(fault) => common.fault(&telemetry::chain(&fault)),
    }
}

fn list(out: &mut impl Write, keys: &[KeyRow], format: Format) -> io::Result<()> {
    if format == Format::Json {
        return keys.iter().try_for_each(|key| output::json_line(out, &row(key)));
    }
    let mut table = output::table(output::is_coloured());
    table.set_header(["id", "role", "client", "name", "created", "state"]);
    for key in keys {
        table.add_row(vec![
            Cell::new(key.id),
            Cell::new(key.role.as_str()),
            Cell::new(key.client_id.map(|id| id.to_string()).unwrap_or_default()),
            Cell::new(key.name.as_deref().unwrap_or_default()),
            Cell::new(key.created_at.format("%Y-%m-%d %H:%M")),
            Cell::new(if key.revoked_at.is_some() { "revoked" } else { "works" }),
        ]);
    }
    writeln!(out, "{table}")
}

fn row(key: &KeyRow) -> serde_json::Value {
    json!({
        "id": key.id, "role": key.role.as_str(), "client_id": key.client_id, "name": key.name,
        "created_at": key.created_at, "revoked_at": key.revoked_at, "expires_at": key.expires_at,
    })
}

fn wrote(result: io::Result<()>) -> Exit {
    if result.is_ok() { Exit::Valid } else { Exit::Interrupted }
}
