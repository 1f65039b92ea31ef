//! `sendready migrate`: brings the database's schema up to date, and stops.

use std::io::{self, Write};

use clap::Args;
use comfy_table::Cell;
use serde_json::json;

use crate::app;
use crate::cli::Common;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Format};
use crate::store::MigrationState;
use crate::telemetry;

/// Run the database's migrations and stop
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// List the migrations and change nothing; without a database this is a fault
    #[arg(long)]
    status: bool,
}

/// Runs the command.
pub async fn run(args: &MigrateArgs, common: &Common) -> Exit {
    let config = match common.config() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let result = if args.status { app::migration_status(&config).await } else { app::migrate(&config).await };
    match result {
        Ok(states) => match write(&mut io::stdout().lock(), &states, common.format()) {
            Ok(()) => Exit::Valid,
            Err(fault) => common.unwritten(&fault),
        },
        Err(fault) => common.fault(&telemetry::chain(&fault)),
    }
}

fn write(out: &mut impl Write, states: &[MigrationState], format: Format) -> io::Result<()> {
    if format == Format::Json {
        return states.iter().try_for_each(|state| {
            let line = json!({"version": state.version, "name": state.name, "applied_at": state.applied_at, "adopted": state.adopted});
            output::json_line(out, &line)
        });
    }
    let mut table = output::table(output::is_coloured());
    table.set_header(["version", "name", "state"]);
    for state in states {
        let how = match (state.applied_at, state.adopted) {
            (Some(at), false) => format!("applied {}", at.format("%Y-%m-%d %H:%M")),
            (Some(at), true) => format!("adopted {}", at.format("%Y-%m-%d %H:%M")),
            (None, _) => "not yet; `sendready migrate` runs it".to_owned(),
        };
        table.add_row(vec![Cell::new(format!("{:03}", state.version)), Cell::new(&state.name), Cell::new(how)]);
    }
    writeln!(out, "{table}")
}
