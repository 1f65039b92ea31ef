//! `sendready serve`: API, checker and background jobs in one process.

use clap::Args;

use crate::app;
use crate::cli::Common;
use crate::cli::dns_args::DnsArgs;
use crate::cli::exit::Exit;

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

/// Runs the command.
pub async fn run(args: ServeArgs, common: &Common) -> Exit {
    let config = common.config_with(|flags| {
        args.dns.fill(flags);
        flags.listen.clone_from(&args.listen);
        flags.public_url.clone_from(&args.public_url);
        flags.concurrency.clone_from(&args.concurrency);
    });
    let config = match config {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    match app::serve(config).await {
        Ok(()) => Exit::Valid,
        Err(fault) => common.fault(&app::chain(&fault)),
    }
}
