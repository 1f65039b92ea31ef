//! `sendready check`: one-shot checks without a database.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};

use crate::app;
use crate::checker::{self, Limits};
use crate::cli::Common;
use crate::cli::dns_args::DnsArgs;
use crate::cli::exit::Exit;
use crate::cli::expect::{ExpectArgs, Expected};
use crate::cli::output::{self, Format};
use crate::clock::Clock;
use crate::dns::Resolver;
use crate::http::document::Document;
use crate::protocol::domain::Domain;
use crate::verify::judge;
use crate::verify::report::Report;

/// How many domains are checked at once where nobody says otherwise.
const CONCURRENCY: usize = 32;
/// The most domains checked at once; beyond it a resolver is hurt and nothing is faster.
const CONCURRENCY_MAX: usize = 4_096;
/// The longest line of a file that is read as a domain, in octets.
const LINE_OCTETS_MAX: usize = 4_096;
/// How long one domain may take: two thirds of the default lease, as in the service.
const CHECK_TIME_MAX: Duration = Duration::from_secs(40);

/// Check domains once, without a database
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The domains to check
    #[arg(value_name = "DOMAIN", required_unless_present = "file")]
    domains: Vec<String>,
    /// Read domains from a file, one a line; `-` is standard input
    #[arg(long, value_name = "FILE|-")]
    file: Option<PathBuf>,
    /// How many domains are checked at once
    #[arg(long, value_name = "N", default_value_t = CONCURRENCY)]
    concurrency: usize,
    /// Give results in the order of the input
    #[arg(long)]
    ordered: bool,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    dns: DnsArgs,
}

/// One line of input: where it stands, and the text.
struct Line {
    place: String,
    text: io::Result<String>,
}

/// Runs the command.
pub async fn run(args: CheckArgs, common: &Common) -> Exit {
    let (config, expected) = match common.config_and_expectation(&args.dns, &args.expect) {
        Ok(both) => both,
        Err(exit) => return exit,
    };
    if !(1..=CONCURRENCY_MAX).contains(&args.concurrency) {
        return common.fault(&format!("--concurrency: a number from 1 to {CONCURRENCY_MAX} is needed"));
    }
    if let Some(exit) = refuse_bad_arguments(&args, common) {
        return exit;
    }
    let resolver = match app::resolver(&config) {
        Ok(resolver) => resolver,
        Err(fault) => return common.fault(&fault.to_string()),
    };
    let lines = match lines(&args).await {
        Ok(lines) => lines,
        Err(fault) => return common.fault(&fault),
    };
    let progress = progress(&args);
    let checks = lines.map(|line| check_line(line, &expected, resolver.as_ref()));
    let results = if args.ordered {
        checks.buffered(args.concurrency).left_stream()
    } else {
        checks.buffer_unordered(args.concurrency).right_stream()
    };
    let write = write_all(results, common, progress);
    tokio::select! {
        exit = write => exit,
        _ = tokio::signal::ctrl_c() => Exit::Interrupted,
    }
}

/// Domains given as arguments are all read before the first is checked.
fn refuse_bad_arguments(args: &CheckArgs, common: &Common) -> Option<Exit> {
    let faults: Vec<String> = args
        .domains
        .iter()
        .filter_map(|text| Domain::parse(text).err().map(|fault| format!("{text}: {fault}")))
        .collect();
    (!faults.is_empty()).then(|| common.faults(&faults))
}

async fn check_line(line: Line, expected: &Expected, resolver: &dyn Resolver) -> Result<Report, String> {
    let text = line.text.map_err(|fault| format!("{}: {fault}", line.place))?;
    let domain = Domain::parse(&text).map_err(|fault| format!("{}: {}: {fault}", line.place, shown(&text)))?;
    let expectation = expected.of(domain);
    let limits = Limits::within(CHECK_TIME_MAX);
    let checked = checker::check(resolver, &limits, |evidence| judge::judge(&expectation, evidence)).await;
    checked.map(|checked| checked.judgement).map_err(|fault| format!("{}: {fault}", line.place))
}

/// A line of input as a message may show it.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

async fn write_all(
    results: impl stream::Stream<Item = Result<Report, String>>,
    common: &Common,
    progress: ProgressBar,
) -> Exit {
    let mut results = std::pin::pin!(results);
    let mut exit = Exit::Valid;
    while let Some(result) = results.next().await {
        progress.inc(1);
        match result {
            Ok(report) => {
                exit = exit.worse(Exit::over(report.records.iter().filter(|r| !r.staged).map(|r| r.verdict)));
                if let Err(fault) = progress.suspend(|| write_one(&report, common.format(), Clock::System.now())) {
                    return common.unwritten(&fault);
                }
            }
            Err(fault) => exit = exit.worse(progress.suspend(|| common.fault(&fault))),
        }
    }
    progress.finish_and_clear();
    exit
}

fn write_one(report: &Report, format: Format, at: DateTime<Utc>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => output::json_line(&mut out, &Document::of(report, Some(at)))?,
        Format::Table => output::report(&mut out, report, output::is_coloured())?,
    }
    out.flush()
}

/// A bar on a terminal, for more than one domain; otherwise one that draws nothing.
fn progress(args: &CheckArgs) -> ProgressBar {
    let several = args.file.is_some() || args.domains.len() > 1;
    if !several || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let known = args.file.is_none().then_some(args.domains.len() as u64);
    let template = match known {
        Some(_) => "{bar:30} {pos}/{len} checked, {per_sec}, {eta} left",
        None => "{spinner} {pos} checked, {per_sec}, {elapsed}",
    };
    let bar = ProgressBar::with_draw_target(known, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The arguments, then the lines of the file, read as they are needed.
async fn lines(args: &CheckArgs) -> Result<BoxStream<'static, Line>, String> {
    let given: Vec<Line> =
        args.domains.iter().map(|text| Line { place: "argument".to_owned(), text: Ok(text.clone()) }).collect();
    let given = stream::iter(given);
    let Some(path) = &args.file else { return Ok(given.boxed()) };
    if path.as_os_str() == "-" {
        return Ok(given.chain(file_lines(BufReader::new(tokio::io::stdin()))).boxed());
    }
    let file = tokio::fs::File::open(path).await.map_err(|fault| format!("--file {}: {fault}", path.display()))?;
    Ok(given.chain(file_lines(BufReader::new(file))).boxed())
}

/// The lines that hold a domain: empty ones and those behind a `#` are passed over.
fn file_lines(reader: impl AsyncBufRead + Unpin + Send + 'static) -> BoxStream<'static, Line> {
    let state = (reader, 0u64);
    stream::unfold(Some(state), |state| async move {
        let (mut reader, mut number) = state?;
        loop {
            number += 1;
            let place = format!("line {number}");
            match next_line(&mut reader).await {
                Ok(None) => return None,
                Ok(Some(text)) if text.trim().is_empty() || text.trim_start().starts_with('#') => {}
                Ok(Some(text)) => return Some((Line { place, text: Ok(text) }, Some((reader, number)))),
                Err(fault) => return Some((Line { place, text: Err(fault) }, None)),
            }
        }
    })
    .boxed()
}

/// The next line, whatever its octets; of a line too long only the beginning, which is then no domain.
async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let buffer = reader.fill_buf().await?;
        if buffer.is_empty() {
            return Ok((!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned()));
        }
        let end = buffer.iter().position(|octet| *octet == b'\n');
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        line.extend(piece.iter().take(LINE_OCTETS_MAX.saturating_sub(line.len())));
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}
