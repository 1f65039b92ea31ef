//! `sendready serve`: API, checker and background jobs in one process.

use clap::Args;

use crate::app;
use crate::cli::Common;
use crate::cli::dns_args::DnsArgs;
use crate::cli::exit::Exit;
use crate::lifecycle::End;
use crate::telemetry;

/// Serve the API and check domains
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,
    /// How the world reaches this service
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// How many domains are checked at once
    #[arg(long, value_name = "N")]
    concurrency: Option<String>,
    #[command(flatten)]
    dns: DnsArgs,
}

/// Runs the command, until it is told to stop.
///
/// # Errors
///
/// The exit code of a start that failed; why has been written.
pub async fn run(args: ServeArgs, common: &Common) -> Result<End, Exit> {
    let config = common.config_with(|flags| {
        args.dns.fill(flags);
        flags.listen.clone_from(&args.listen);
        flags.public_url.clone_from(&args.public_url);
        flags.concurrency.clone_from(&args.concurrency);
    });
    app::serve(config?).await.map_err(|fault| common.fault(&telemetry::chain(&fault)))
}
