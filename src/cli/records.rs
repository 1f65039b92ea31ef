//! `sendready records`: what to publish, without asking anybody.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use comfy_table::Cell;

use crate::cli::Common;
use crate::cli::dns_args::DnsArgs;
use crate::cli::exit::Exit;
use crate::cli::expect::ExpectArgs;
use crate::cli::output::{self, Format};
use crate::http::document::Document;
use crate::http::export;
use crate::protocol::domain::Domain;
use crate::verify::evidence::Evidence;
use crate::verify::judge;
use crate::verify::report::{RecordReport, Report};

/// The forms of a list of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Export {
    /// A table, for people
    Table,
    /// The records document of the API
    Json,
    /// A master file (RFC 1035 §5), for a name server
    Bind,
}

/// Show the records that a domain is to publish
#[derive(Debug, Args)]
pub struct RecordsArgs {
    /// The domain
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// The form of the list [default: as --format]
    #[arg(long)]
    export: Option<Export>,
    #[command(flatten)]
    expect: ExpectArgs,
}

/// Runs the command.
pub fn run(args: &RecordsArgs, common: &Common) -> Exit {
    let (_, expected) = match common.config_and_expectation(&DnsArgs::default(), &args.expect) {
        Ok(both) => both,
        Err(exit) => return exit,
    };
    let domain = match Domain::parse(&args.domain) {
        Ok(domain) => domain,
        Err(fault) => return common.fault(&format!("{}: {fault}", args.domain)),
    };
    let report = judge::judge_partly(&expected.of(domain), &Evidence::new());
    let export = args.export.unwrap_or(match common.format() {
        Format::Table => Export::Table,
        Format::Json => Export::Json,
    });
    match write(&mut io::stdout().lock(), &report, export) {
        Ok(()) => Exit::Valid,
        Err(fault) => common.unwritten(&fault),
    }
}

fn write(out: &mut impl Write, report: &Report, form: Export) -> io::Result<()> {
    match form {
        Export::Json => output::json_line(out, &Document::of(report, None)),
        Export::Table => table(out, report),
        Export::Bind => out.write_all(export::bind(report).as_bytes()),
    }
}

fn table(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut table = output::table(output::is_coloured());
    table.set_header(["purpose", "type", "host", "value", "priority", "ttl"]);
    for record in &report.records {
        table.add_row(vec![
            Cell::new(record.purpose.as_str()),
            Cell::new(record.record_type.as_str()),
            Cell::new(host(report, record)),
            Cell::new(record.value.as_deref().unwrap_or(export::NOTHING_REQUIRED)),
            Cell::new(record.priority.map(|priority| priority.to_string()).unwrap_or_default()),
            Cell::new(record.ttl_seconds),
        ]);
    }
    writeln!(out, "Publish in the zone {}:\n{table}", report.zone)
}

fn host(report: &Report, record: &RecordReport) -> String {
    record.name.relative_to(&report.zone).unwrap_or_else(|| format!("{}.", record.name))
}
