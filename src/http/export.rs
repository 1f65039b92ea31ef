//! The records to publish in forms for other programs, and for people who are not here.
//!
//! What has no value is said, not left out. A form is text made from a [`Report`]; no clock, no database.

mod cloudflare;
mod octodns;
mod route53;
#[cfg(test)]
mod samples;
mod sets;
mod terraform;

use std::fmt::Write;

pub use cloudflare::cloudflare;
pub use octodns::octodns;
pub use route53::route53;
pub use terraform::{TerraformProvider, terraform};

use crate::protocol::master_file;
use crate::verify::evidence::RecordType;
use crate::verify::ownership;
use crate::verify::purpose::{Action, Verdict};
use crate::verify::report::{RecordReport, Report};

/// What stands in place of a value that only the owner can know.
pub const NOTHING_REQUIRED: &str = "(nothing is required here; your mail provider knows the value)";

/// A form that has no place for remarks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The form.
    pub text: String,
    /// What is not in it, or must be known before it is used, one sentence each without the stop. Printable ASCII.
    pub notices: Vec<String>,
}

/// A master file (RFC 1035 §5), for a name server or a panel that takes one.
pub fn bind(report: &Report) -> String {
    let mut out = format!("; records of {}\n$ORIGIN {}.\n", report.domain, report.zone);
    for (index, record) in report.records.iter().enumerate() {
        let host = host(report, record);
        let Some(value) = &record.value else {
            line(&mut out, &format!("; {} at {host}: {NOTHING_REQUIRED}", record.purpose));
            continue;
        };
        // Two SPF records at one name are none. RFC 7208 §4.5.
        if sets::gives_way(report, index) {
            line(&mut out, &format!("; {} at {host}: gives way to the one below", record.purpose));
            continue;
        }
        if let Some(remark) = remark(record) {
            line(&mut out, &format!("; {remark}"));
        }
        let data = match record.record_type {
            RecordType::Txt => master_file::txt(value.as_bytes()),
            RecordType::Mx => format!("{} {value}.", record.priority.unwrap_or_default()),
            _ => format!("{value}."),
        };
        line(&mut out, &format!("{host}\t{}\tIN\t{}\t{data}", record.ttl_seconds, record.record_type));
    }
    out
}

/// Comma-separated values (RFC 4180) with a header, one line a record.
pub fn csv(report: &Report) -> String {
    let mut out = String::from("purpose,type,host,name,value,priority,ttl,action,verdict\r\n");
    for record in &report.records {
        let fields = [
            what(record).to_owned(),
            record.record_type.to_string(),
            host(report, record),
            record.name.to_string(),
            record.value.clone().unwrap_or_default(),
            record.priority.map(|priority| priority.to_string()).unwrap_or_default(),
            record.ttl_seconds.to_string(),
            record.action.as_str().to_owned(),
            record.verdict.as_str().to_owned(),
        ];
        let quoted: Vec<String> = fields.iter().map(|field| csv_field(field)).collect();
        out.push_str(&quoted.join(","));
        out.push_str("\r\n");
    }
    out
}

/// Quoted where it must be. RFC 4180 §2.
fn csv_field(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Plain text, to mail to whoever runs the DNS.
pub fn text(report: &Report) -> String {
    let mut out = format!("DNS records for {}\nPublish them in the zone {}.\n", report.domain, report.zone);
    for (index, record) in report.records.iter().enumerate() {
        let what = what(record).to_ascii_uppercase();
        line(&mut out, &format!("\n{}. {what} ({})", index + 1, record.verdict));
        line(&mut out, &format!("   Type:     {}", record.record_type));
        line(&mut out, &format!("   Host:     {}   (in full: {})", host(report, record), record.name));
        line(&mut out, &format!("   Value:    {}", record.value.as_deref().unwrap_or(NOTHING_REQUIRED)));
        if let Some(priority) = record.priority {
            line(&mut out, &format!("   Priority: {priority}"));
        }
        line(&mut out, &format!("   TTL:      {}", record.ttl_seconds));
        if let Some(remark) = remark(record) {
            line(&mut out, &format!("   Note:     {remark}"));
        }
    }
    out
}

/// What a record is for: its purpose, unless it proves whose the domain is.
fn what(record: &RecordReport) -> &'static str {
    if ownership::is_proof(&record.name) { "ownership" } else { record.purpose.as_str() }
}

/// What is to be known of a record beside its fields.
fn remark(record: &RecordReport) -> Option<&'static str> {
    match (record.verdict, record.action) {
        (Verdict::Valid, _) => Some("in place: nothing to do"),
        (_, Action::Replace) => Some("in place of the one that is there, not beside it"),
        _ => None,
    }
}

fn line(out: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{line}");
}

/// The name as a master file has it: relative to the zone, or in full with its dot.
fn host(report: &Report, record: &RecordReport) -> String {
    record.name.relative_to(&report.zone).unwrap_or_else(|| format!("{}.", record.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::export::samples::{cname, mx, report as report_of, txt};
    use crate::verify::purpose::Purpose;

    fn report() -> Report {
        let spf = txt(Purpose::Spf, "example.com", "v=spf1 exists:\"a,b\" -all");
        report_of(vec![
            RecordReport { action: Action::Replace, ..spf },
            cname("s1._domainkey.example.com", "s1.example.net"),
            mx(10, "mx1.example.net"),
            RecordReport { value: None, ..txt(Purpose::Dmarc, "_dmarc.example.com", "") },
        ])
    }

    #[test]
    fn a_master_file() {
        let expected = "; records of example.com\n$ORIGIN example.com.\n; in place of the one that is there, not beside it\n\
            @\t3600\tIN\tTXT\t\"v=spf1 exists:\\\"a,b\\\" -all\"\n\
            s1._domainkey\t3600\tIN\tCNAME\ts1.example.net.\n@\t3600\tIN\tMX\t10 mx1.example.net.\n\
            ; dmarc at _dmarc: (nothing is required here; your mail provider knows the value)\n";
        assert_eq!(bind(&report()), expected);
    }

    /// Published together they would be two SPF records, which is none.
    #[test]
    fn what_is_staged_takes_the_place_of_what_binds() {
        let mut report = report();
        let binding = RecordReport { action: Action::Keep, verdict: Verdict::Valid, ..report.records[0].clone() };
        report.records[0].staged = true;
        report.records.insert(0, RecordReport { value: Some("v=spf1 -all".to_owned()), ..binding });
        let made = bind(&report);
        assert!(made.contains("; spf at @: gives way to the one below\n"), "{made}");
        assert_eq!(made.matches("\"v=spf1").count(), 1, "{made}");
    }

    #[test]
    fn comma_separated_values() {
        let made = csv(&report());
        let lines: Vec<&str> = made.split("\r\n").collect();
        assert_eq!(lines[1], "spf,TXT,@,example.com,\"v=spf1 exists:\"\"a,b\"\" -all\",,3600,replace,missing");
        assert_eq!(lines[3], "mx,MX,@,example.com,mx1.example.net,10,3600,add,missing");
        assert_eq!(lines[4], "dmarc,TXT,_dmarc,_dmarc.example.com,,,3600,add,missing");
        assert_eq!(lines.len(), 6, "{made}");
    }

    #[test]
    fn a_letter_to_a_colleague() {
        let made = text(&report());
        for line in
            ["1. SPF (missing)", "   Host:     s1._domainkey   (in full: s1._domainkey.example.com)", "   Priority: 10"]
        {
            assert!(made.lines().any(|one| one == line), "{line} is not in {made}");
        }
        assert!(made.contains("   Note:     in place of the one that is there, not beside it\n"), "{made}");
    }
}
