//! Commands that ask a running service by its URL, with a key: what they share.
//!
//! Every text out of an answer is a stranger's and passes [`output::printable`] before a terminal sees it.

pub mod breaker;
pub mod clients;
pub mod domains;
pub mod mailboxes;
mod show;

use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use uuid::Uuid;

use crate::cli::Common;
use crate::cli::exit::Exit;
use crate::cli::output::{self, Format};
use crate::protocol::domain::Domain;
use crate::remote::{Answer, Failure, Remote, Request};

/// The variable that holds the key.
const KEY_VARIABLE: &str = "SENDREADY_KEY";

/// The most items of a page.
const PAGE_ITEMS_MAX: u32 = 200;

/// How many items are listed where nobody says otherwise.
const ITEMS: u32 = 50;

/// Which service is asked, and with which key.
#[derive(Debug, Args)]
pub struct RemoteArgs {
    /// The service's address
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SENDREADY_URL",
        default_value = "http://127.0.0.1:8080",
        help_heading = "Service"
    )]
    url: String,
    /// An API key. Others on the machine can read arguments: better set SENDREADY_KEY or use --key-file
    #[arg(long, global = true, value_name = "KEY", help_heading = "Service")]
    key: Option<SecretString>,
    /// A file whose one line is the key; it and --key go before SENDREADY_KEY
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "key", help_heading = "Service")]
    key_file: Option<PathBuf>,
}

/// How many items of a list are wanted.
#[derive(Debug, Args)]
struct ListArgs {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = ITEMS, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All there are, page after page as they come
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl ListArgs {
    /// How many may still be listed.
    fn most(&self) -> u32 {
        if self.all { u32::MAX } else { self.limit }
    }
}

/// Why a command stops before its end.
enum Stop {
    /// The service could not be asked, or refused.
    Failure(Failure),
    /// What was given is wrong.
    Input(String),
    /// Standard output is gone.
    Output(io::Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failure(failure)
    }
}

impl From<io::Error> for Stop {
    fn from(fault: io::Error) -> Stop {
        Stop::Output(fault)
    }
}

impl Stop {
    /// Tells why, and how the command ends for it.
    fn told(&self, common: &Common) -> Exit {
        match self {
            Stop::Failure(failure) => common.fault(&output::printable(&failure.to_string())),
            Stop::Input(fault) => common.fault(&output::printable(fault)),
            Stop::Output(fault) => common.unwritten(fault),
        }
    }
}

/// A service, and how what it answers is written.
struct Desk<'c> {
    remote: Remote,
    common: &'c Common,
}

/// Runs a command against the service of `args`; an interrupt ends it.
async fn run<'c, F>(args: &RemoteArgs, common: &'c Common, command: impl FnOnce(Desk<'c>) -> F) -> Exit
where
    F: Future<Output = Result<Exit, Stop>> + 'c,
{
    let remote = key(args).and_then(|key| {
        let key = key.as_ref().map(ExposeSecret::expose_secret);
        Ok(Remote::new(&args.url, key)?)
    });
    let remote = match remote {
        Ok(remote) => remote,
        Err(stop) => return stop.told(common),
    };
    let command = command(Desk { remote, common });
    tokio::select! {
        ended = command => ended.unwrap_or_else(|stop| stop.told(common)),
        _ = tokio::signal::ctrl_c() => Exit::Interrupted,
    }
}

/// The key: of the file, of the option, or else of the environment.
fn key(args: &RemoteArgs) -> Result<Option<SecretString>, Stop> {
    if let Some(path) = &args.key_file {
        let text = std::fs::read_to_string(path)
            .map_err(|fault| Stop::Input(format!("--key-file {}: {fault}", path.display())))?;
        let key = text.trim();
        if key.is_empty() {
            return Err(Stop::Input(format!("--key-file {}: is empty; write the key into it", path.display())));
        }
        return Ok(Some(SecretString::from(key)));
    }
    if let Some(key) = &args.key {
        return Ok(Some(key.clone()));
    }
    match std::env::var(KEY_VARIABLE) {
        Ok(key) if !key.trim().is_empty() => Ok(Some(SecretString::from(key.trim()))),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::BadKey.into()),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
    }
}

impl Desk<'_> {
    /// One request; a short wait for being asked too often is told on standard error.
    async fn ask(&self, request: &Request<'_>) -> Result<Answer, Stop> {
        let told = |wait: Duration| {
            // Nobody is left to tell when the terminal is gone.
            let _ = writeln!(io::stderr().lock(), "sendready: asked too often; going on in {} s", wait.as_secs());
        };
        Ok(self.remote.ask(request, told).await?)
    }

    /// The body of a `GET`.
    async fn get(&self, path: &[&str]) -> Result<Value, Stop> {
        Ok(self.ask(&Request::get(path)).await?.body)
    }

    /// Writes one result: a line of JSON, or what `table` makes of it.
    fn write(&self, body: &Value, table: impl FnOnce(&mut Vec<u8>, bool) -> io::Result<()>) -> Result<(), Stop> {
        let mut text = Vec::new();
        match self.common.format() {
            Format::Json => output::json_line(&mut text, body)?,
            Format::Table => table(&mut text, output::is_coloured())?,
        }
        let mut out = io::stdout().lock();
        out.write_all(&text)?;
        out.flush()?;
        Ok(())
    }

    /// Lists what `request` finds, page by page, each written as it comes.
    async fn list<'r>(
        &self,
        request: Request<'r>,
        args: &ListArgs,
        columns: &'static [show::Column],
    ) -> Result<Exit, Stop> {
        let mut left = args.most();
        let mut cursor: Option<String> = None;
        loop {
            let page = request.clone().with("limit", Some(left.min(PAGE_ITEMS_MAX))).with("cursor", cursor.as_deref());
            let body = self.ask(&page).await?.body;
            let items = body.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let before = cursor.take();
            cursor = body.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            self.write_items(items, columns, before.is_none())?;
            left = left.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX));
            match &cursor {
                None => return Ok(Exit::Valid),
                // A service that gives the same page for ever is none of ours.
                Some(_) if items.is_empty() || cursor == before => return Ok(Exit::Valid),
                Some(_) if left == 0 => {
                    let _ = writeln!(io::stderr().lock(), "sendready: there are more; --all lists them");
                    return Ok(Exit::Valid);
                }
                Some(_) => {}
            }
        }
    }

    fn write_items(&self, items: &[Value], columns: &[show::Column], is_first: bool) -> Result<(), Stop> {
        let mut text = Vec::new();
        match self.common.format() {
            Format::Json => items.iter().try_for_each(|item| output::json_line(&mut text, item))?,
            Format::Table if items.is_empty() && is_first => writeln!(text, "There are none.")?,
            Format::Table => show::rows(&mut text, items, columns, output::is_coloured())?,
        }
        let mut out = io::stdout().lock();
        out.write_all(&text)?;
        out.flush()?;
        Ok(())
    }

    /// The domain of an id or a name.
    async fn domain(&self, given: &Thing<Domain>) -> Result<Value, Stop> {
        match given {
            Thing::Id(id) => self.get(&["v1", "domains", id.to_string().as_str()]).await,
            Thing::Named(name) => self.get(&["v1", "domains", "by-name", name.to_string().as_str()]).await,
        }
    }

    /// The id of a domain.
    async fn domain_id(&self, given: &Thing<Domain>) -> Result<String, Stop> {
        match given {
            Thing::Id(id) => Ok(id.to_string()),
            Thing::Named(_) => id_of(&self.domain(given).await?),
        }
    }
}

/// Something that is given by its id or by its name.
#[derive(Debug, Clone)]
enum Thing<N> {
    Id(Uuid),
    Named(N),
}

/// Reads a domain as given.
fn domain_given(text: &str) -> Result<Thing<Domain>, Stop> {
    if let Ok(id) = Uuid::parse_str(text.trim()) {
        return Ok(Thing::Id(id));
    }
    Domain::parse(text).map(Thing::Named).map_err(|fault| Stop::Input(format!("{text}: {fault}")))
}

fn id_of(body: &Value) -> Result<String, Stop> {
    let id = body.get("id").and_then(Value::as_str).and_then(|text| Uuid::parse_str(text).ok());
    let id =
        id.ok_or_else(|| Stop::Input("what answers there gives things without an id; is it a sendready?".into()))?;
    Ok(id.to_string())
}
