//! The command line (contract §2): arguments, one command a file, exit codes.
//!
//! Results go to standard output, log and progress to standard error. Every fault of usage,
//! configuration or input is a sentence that names what is wrong, and exit code 2.

pub mod check;
pub mod dmarc;
pub mod dns_args;
pub mod exit;
pub mod expect;
pub mod health;
pub mod key;
pub mod lint;
pub mod migrate;
pub mod output;
pub mod records;
pub mod remote;
pub mod serve;
pub mod spf;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use secrecy::SecretString;

use crate::cli::check::CheckArgs;
use crate::cli::dmarc::DmarcArgs;
use crate::cli::dns_args::DnsArgs;
use crate::cli::exit::Exit;
use crate::cli::expect::{ExpectArgs, Expected};
use crate::cli::health::HealthArgs;
use crate::cli::key::KeyArgs;
use crate::cli::lint::LintArgs;
use crate::cli::migrate::MigrateArgs;
use crate::cli::output::Format;
use crate::cli::records::RecordsArgs;
use crate::cli::remote::breaker::BreakerArgs;
use crate::cli::remote::clients::ClientsArgs;
use crate::cli::remote::domains::DomainsArgs;
use crate::cli::remote::mailboxes::MailboxesArgs;
use crate::cli::serve::ServeArgs;
use crate::cli::spf::SpfArgs;
use crate::config::providers::{MANUAL, Profile};
use crate::config::{Config, Flags};
use crate::http;
use crate::telemetry;

/// A URL that is never opened, in the place of one that nobody needs.
const UNUSED_DATABASE: &str = "sqlite:unused.db";

/// Tells whether an email domain may send, and exactly what to publish where if not
#[derive(Debug, Parser)]
#[command(name = "sendready", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// The options of every command.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// A configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database: `sqlite:PATH` or `postgres://…`
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// The form of results [default: table on a terminal, json otherwise]
    #[arg(long, global = true, value_enum)]
    format: Option<Format>,
    /// What to log, such as `info` or `sendready=debug` [default: info for serve, warn otherwise]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(ServeArgs),
    Check(Box<CheckArgs>),
    Records(RecordsArgs),
    Spf(SpfArgs),
    Dmarc(DmarcArgs),
    Lint(LintArgs),
    Migrate(MigrateArgs),
    Key(KeyArgs),
    Domains(DomainsArgs),
    Clients(ClientsArgs),
    Mailboxes(MailboxesArgs),
    Breaker(BreakerArgs),
    /// Print the OpenAPI document
    Openapi,
    Health(HealthArgs),
}

/// Reads the arguments, runs the command, and says how it ended.
pub async fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(fault) => return usage(&fault).into(),
    };
    let Cli { command, common } = cli;
    // What a one-shot command would log at `info` is in its result.
    let default = if matches!(command, Command::Serve(_)) { None } else { Some("warn") };
    let _log = match telemetry::start_log(common.log.as_deref().or(default)) {
        Ok(log) => log,
        Err(fault) => return common.fault(&fault.to_string()).into(),
    };
    let exit = match command {
        Command::Serve(args) => {
            return serve::run(args, &common).await.map_or_else(ExitCode::from, ExitCode::from);
        }
        Command::Check(args) => check::run(*args, &common).await,
        Command::Records(args) => records::run(&args, &common),
        Command::Spf(args) => spf::run(&args, &common).await,
        Command::Dmarc(args) => dmarc::run(&args, &common).await,
        Command::Lint(args) => lint::run(args, &common).await,
        Command::Migrate(args) => migrate::run(&args, &common).await,
        Command::Key(args) => key::run(args, &common).await,
        Command::Domains(args) => remote::domains::run(args, &common).await,
        Command::Clients(args) => remote::clients::run(args, &common).await,
        Command::Mailboxes(args) => remote::mailboxes::run(args, &common).await,
        Command::Breaker(args) => remote::breaker::run(args, &common).await,
        Command::Openapi => openapi(),
        Command::Health(args) => health::run(&args, &common).await,
    };
    exit.into()
}

/// The command line's own description, for the documentation and its test.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Help and version go to standard output and are no fault; anything else is.
fn usage(fault: &clap::Error) -> Exit {
    let wanted = matches!(
        fault.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    // Nobody is left to tell when the terminal is gone.
    let _ = if wanted {
        write!(io::stdout().lock(), "{}", fault.render())
    } else {
        write!(io::stderr().lock(), "{}", fault.render())
    };
    if wanted { Exit::Valid } else { Exit::Input }
}

fn openapi() -> Exit {
    match serde_json::to_writer_pretty(io::stdout().lock(), &http::openapi()) {
        Ok(()) => Exit::Valid,
        Err(_) => Exit::Interrupted,
    }
}

impl Common {
    /// The form of results.
    pub fn format(&self) -> Format {
        Format::or_by_terminal(self.format)
    }

    /// Writes one fault to standard error.
    pub fn fault(&self, fault: &str) -> Exit {
        // Nobody is left to tell when the terminal is gone.
        let _ = writeln!(io::stderr().lock(), "sendready: {fault}");
        Exit::Input
    }

    /// Writes faults to standard error, all of them.
    pub fn faults<F: AsRef<str>>(&self, faults: &[F]) -> Exit {
        for fault in faults {
            self.fault(fault.as_ref());
        }
        Exit::Input
    }

    /// The configuration without options of a command's own.
    ///
    /// # Errors
    ///
    /// The exit code; the faults have been written.
    pub fn config(&self) -> Result<Config, Exit> {
        self.config_with(|_| {})
    }

    /// The configuration with a command's own options laid over it.
    ///
    /// # Errors
    ///
    /// The exit code; the faults have been written.
    pub fn config_with(&self, fill: impl FnOnce(&mut Flags)) -> Result<Config, Exit> {
        let mut flags = Flags {
            config: self.config.clone(),
            database_url: self.database_url.clone().map(SecretString::from),
            ..Flags::default()
        };
        fill(&mut flags);
        Config::load(&flags).map_err(|faults| self.fault(&faults.to_string()))
    }

    /// [`Common::config_with`] for commands without a database: what is wrong with its URL is none of their business.
    ///
    /// # Errors
    ///
    /// The exit code; the faults have been written.
    pub fn config_without_database(&self, fill: impl FnOnce(&mut Flags)) -> Result<Config, Exit> {
        self.config_with(|flags| {
            fill(flags);
            flags.database_url = Some(SecretString::from(UNUSED_DATABASE));
        })
    }

    /// How a command ends whose only work was to write a result.
    pub fn wrote(&self, result: io::Result<()>) -> Exit {
        result.map_or_else(|fault| self.unwritten(&fault), |()| Exit::Valid)
    }

    /// Says that a result could not be written. A reader that has gone is nobody to tell.
    pub fn unwritten(&self, fault: &io::Error) -> Exit {
        if fault.kind() == io::ErrorKind::BrokenPipe {
            return Exit::Interrupted;
        }
        self.fault(&format!("standard output: {fault}"))
    }

    /// The profile of a provider, by its name.
    fn profile(&self, config: &Config, name: &str) -> Result<Profile, Exit> {
        let profile = config.providers.get(name).cloned();
        // Of `manual` everything comes with the domain; any other profile that is empty was forgotten.
        if profile.as_ref().is_some_and(Profile::is_empty) && name != MANUAL {
            return Err(self.fault(&format!(
                "--provider {name}: its profile is empty; say in `[providers.{name}]` of the configuration what it requires"
            )));
        }
        profile.ok_or_else(|| {
            let known: Vec<&str> = config.providers.iter().map(|(name, _)| name).collect();
            self.fault(&format!(
                "--provider {name}: there is no such profile; known are {}; add `[providers.{name}]` to the configuration",
                known.join(", ")
            ))
        })
    }

    /// The configuration and what is expected of each domain.
    ///
    /// # Errors
    ///
    /// The exit code; the faults have been written.
    pub fn config_and_expectation(&self, dns: &DnsArgs, expect: &ExpectArgs) -> Result<(Config, Expected), Exit> {
        let config = self.config_without_database(|flags| dns.fill(flags))?;
        let profile = match &expect.provider {
            None => None,
            Some(name) => Some(self.profile(&config, name)?),
        };
        let expected = expect.read(profile).map_err(|faults| self.faults(&faults))?;
        Ok((config, expected))
    }
}
