//! `sendready key`: API keys, straight on the database.

use std::io::{self, Write};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Cell;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::app;
use crate::cli::Common;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Format};
use crate::service::audit::Doing;
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
        /// How long the key is to work, such as `30d` [default: until it is revoked]
        #[arg(long, value_name = "DUR", value_parser = humantime::parse_duration)]
        expires_in: Option<Duration>,
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

impl RoleArg {
    fn role(self) -> Role {
        match self {
            RoleArg::Operator => Role::Operator,
            RoleArg::Client => Role::Client,
            RoleArg::Hook => Role::Hook,
        }
    }
}

/// Runs the command.
pub async fn run(args: KeyArgs, common: &Common) -> Exit {
    let config = match common.config() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let opened = match args.command {
        KeyCommand::Create { .. } => app::service_on_migrated_store(&config).await,
        // Of what is not there, nothing can be listed or revoked.
        KeyCommand::List | KeyCommand::Revoke { .. } => app::service_on_existing_store(&config).await,
    };
    let service = match opened {
        Ok(service) => service,
        Err(fault) => return common.fault(&telemetry::chain(&fault)),
    };
    match args.command {
        KeyCommand::Create { role, client, name, expires_in } => {
            let request = KeyRequest { role: role.role(), client_id: client, name, expires_in };
            create(&service, &request, common).await
        }
        KeyCommand::List => match all(&service).await {
            Ok(keys) => {
                let now = service.clock().now();
                common.wrote(list(&mut io::stdout().lock(), &keys, now, common.format()))
            }
            Err(fault) => common.fault(&telemetry::chain(&fault)),
        },
        KeyCommand::Revoke { id } => {
            let doing = Doing { path: id.to_string(), ..Doing::on_the_command_line("key_revoke") };
            match service.audited(&doing, service.key_revoke(id), |()| None).await {
                Ok(()) => common.wrote(revoked(&mut io::stdout().lock(), id, common.format())),
                Err(fault) => common.fault(&telemetry::chain(&fault)),
            }
        }
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

async fn create(service: &Service, request: &KeyRequest, common: &Common) -> Exit {
    let doing = Doing::on_the_command_line("key_create");
    let made = |(row, _): &(KeyRow, SecretString)| Some(row.id);
    match service.audited(&doing, service.key_create(request), made).await {
        Ok((row, secret)) => {
            let mut out = io::stdout().lock();
            common.wrote(match common.format() {
                Format::Json => output::json_line(
                    &mut out,
                    &json!({
                        "id": row.id, "role": row.role.as_str(), "key": secret.expose_secret(),
                        "expires_at": row.expires_at,
                    }),
                ),
                Format::Table => writeln!(out, "{}", secret.expose_secret()),
            })
        }
        Err(fault) => common.fault(&telemetry::chain(&fault)),
    }
}

fn list(out: &mut impl Write, keys: &[KeyRow], now: DateTime<Utc>, format: Format) -> io::Result<()> {
    if format == Format::Json {
        return keys.iter().try_for_each(|key| output::json_line(out, &row(key)));
    }
    let mut table = output::table(output::is_coloured());
    table.set_header(["id", "role", "client", "name", "created", "expires", "state"]);
    for key in keys {
        table.add_row(vec![
            Cell::new(key.id),
            Cell::new(key.role.as_str()),
            Cell::new(key.client_id.map(|id| id.to_string()).unwrap_or_default()),
            Cell::new(key.name.as_deref().unwrap_or_default()),
            Cell::new(key.created_at.format("%Y-%m-%d %H:%M")),
            Cell::new(key.expires_at.map(|at| at.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()),
            Cell::new(match (key.revoked_at, key.is_live(now)) {
                (Some(_), _) => "revoked",
                (None, false) => "expired",
                (None, true) => "works",
            }),
        ]);
    }
    writeln!(out, "{table}")
}

fn revoked(out: &mut impl Write, id: Uuid, format: Format) -> io::Result<()> {
    match format {
        Format::Json => output::json_line(out, &json!({"id": id, "revoked": true})),
        Format::Table => writeln!(out, "revoked {id}"),
    }
}

fn row(key: &KeyRow) -> serde_json::Value {
    json!({
        "id": key.id, "role": key.role.as_str(), "client_id": key.client_id, "name": key.name,
        "created_at": key.created_at, "revoked_at": key.revoked_at, "expires_at": key.expires_at,
    })
}
