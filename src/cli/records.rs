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
use crate::http::export::{self, Exported, TerraformProvider};
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
    /// A master file (RFC 1035 §5), for a name server, or for the import of Cloudflare's dashboard
    Bind,
    /// Comma-separated values (RFC 4180), one line a record
    Csv,
    /// A batch for Cloudflare's API: POST /zones/ZONE_ID/dns_records/batch
    Cloudflare,
    /// A batch for `aws route53 change-resource-record-sets --change-batch`
    Route53,
    /// Resources for Terraform or OpenTofu, of the provider that --terraform-provider names
    Terraform,
    /// A zone's file for octoDNS' YamlProvider
    Octodns,
}

/// Whose resources `--export terraform` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Resources {
    /// hashicorp/aws: `aws_route53_record`
    Aws,
    /// cloudflare/cloudflare, 5 or later: `cloudflare_dns_record`
    Cloudflare,
}

impl From<Resources> for TerraformProvider {
    fn from(resources: Resources) -> TerraformProvider {
        match resources {
            Resources::Aws => TerraformProvider::Aws,
            Resources::Cloudflare => TerraformProvider::Cloudflare,
        }
    }
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
    /// Whose resources `--export terraform` writes
    #[arg(long, value_enum, default_value = "aws")]
    terraform_provider: Resources,
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
    match write(&mut io::stdout().lock(), &report, export, args.terraform_provider.into()) {
        Ok(()) => Exit::Valid,
        Err(fault) => common.unwritten(&fault),
    }
}

fn write(out: &mut impl Write, report: &Report, form: Export, terraform: TerraformProvider) -> io::Result<()> {
    let text = match form {
        Export::Json => return output::json_line(out, &Document::of(report, None)),
        Export::Table => return table(out, report),
        Export::Bind => export::bind(report),
        Export::Csv => export::csv(report),
        Export::Cloudflare => noticed(export::cloudflare(report)),
        Export::Route53 => noticed(export::route53(report)),
        Export::Terraform => export::terraform(report, terraform),
        Export::Octodns => export::octodns(report),
    };
    out.write_all(text.as_bytes())
}

/// The form, for which standard error says what has no place in it.
fn noticed(exported: Exported) -> String {
    for notice in &exported.notices {
        // Nobody is left to tell when the terminal is gone.
        let _ = writeln!(io::stderr().lock(), "sendready: {notice}");
    }
    exported.text
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
