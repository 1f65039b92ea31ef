//! How results are written: one JSON object a line, or tables for people.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use crate::verify::finding::words::{self, Place};
use crate::verify::finding::{Finding, Severity};
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::report::{RecordReport, Report};

/// The longest text out of DNS that a table shows, in characters; the whole of it is in the JSON.
const CELL_CHARS_MAX: usize = 120;

/// The longest line of strangers' text outside a table, in characters.
const LINE_CHARS_MAX: usize = 1_000;

/// The forms of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table, for people
    Table,
    /// One JSON object a line, for programs
    Json,
}

impl Format {
    /// The form asked for, or else a table on a terminal and JSON otherwise.
    pub fn or_by_terminal(asked: Option<Format>) -> Format {
        asked.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Json })
    }
}

/// Whether standard output takes colour: a terminal, and `NO_COLOR` is not set.
pub fn is_coloured() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes one line of JSON.
///
/// # Errors
///
/// When standard output is gone.
pub fn json_line(out: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// Writes a report as a person reads it: a head, a table of records, and what to do.
///
/// # Errors
///
/// When standard output is gone.
pub fn report(out: &mut impl Write, report: &Report, coloured: bool) -> io::Result<()> {
    writeln!(out, "{}: {}", heading(report), standing(report))?;
    let mut table = table(coloured);
    table.set_header(["purpose", "type", "host", "verdict", "found"]);
    for record in &report.records {
        table.add_row(vec![
            Cell::new(record.purpose.as_str()),
            Cell::new(record.record_type.as_str()),
            Cell::new(record.name.relative_to(&report.zone).unwrap_or_else(|| record.name.to_string())),
            verdict_cell(record.verdict, coloured),
            Cell::new(cut(&record.found.join("\n"))),
        ]);
    }
    writeln!(out, "{table}")?;
    for record in &report.records {
        to_do(out, report, record)?;
    }
    for advisory in &report.advisories {
        writeln!(out, "  {} {}: {}", mark(advisory), advisory.code(), words::message(advisory))?;
    }
    writeln!(out)
}

/// An empty table in the house's style, as wide as the terminal.
pub fn table(coloured: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if !coloured {
        table.force_no_tty();
        table.set_width(140);
    }
    table
}

fn heading(report: &Report) -> String {
    let (ascii, unicode) = (report.domain.to_string(), report.domain.unicode());
    if ascii == unicode { ascii } else { format!("{unicode} ({ascii})") }
}

/// One phrase over all four purposes.
fn standing(report: &Report) -> String {
    let named: Vec<String> = Purpose::ALL
        .into_iter()
        .map(|purpose| (purpose, report.verdict(purpose)))
        .filter(|(_, verdict)| *verdict != Verdict::Valid)
        .map(|(purpose, verdict)| format!("{purpose} {verdict}"))
        .collect();
    if named.is_empty() { "ready to send".to_owned() } else { named.join(", ") }
}

/// What was noticed about one record, and what to publish where it does not do.
fn to_do(out: &mut impl Write, report: &Report, record: &RecordReport) -> io::Result<()> {
    let place = Place::of(report, record);
    for finding in record.findings.iter().filter(|finding| finding.severity() != Severity::Notice) {
        writeln!(out, "  {} {}: {}", mark(finding), finding.code(), words::message(finding))?;
        writeln!(out, "    → {}", words::fix(finding, &place))?;
    }
    match (&record.value, record.verdict) {
        (Some(value), verdict) if verdict.is_failure() => writeln!(
            out,
            "    publish: {} {}{} {value}",
            record.name,
            record.record_type,
            record.priority.map(|priority| format!(" {priority}")).unwrap_or_default()
        ),
        _ => Ok(()),
    }
}

/// Writes findings with what to do about them.
///
/// # Errors
///
/// When standard output is gone.
pub fn findings(out: &mut impl Write, findings: &[Finding], place: &Place<'_>) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "  {} {}: {}", mark(finding), finding.code(), words::message(finding))?;
        writeln!(out, "    → {}", words::fix(finding, place))?;
    }
    Ok(())
}

/// A text of strangers as a terminal may show it: what controls or hides is escaped, and what is long is cut.
pub fn printable(text: &str) -> String {
    let mut printable = String::new();
    for letter in text.chars().take(LINE_CHARS_MAX) {
        if letter.is_control() || is_unseen(letter) {
            printable.extend(letter.escape_default());
        } else {
            printable.push(letter);
        }
    }
    if text.chars().nth(LINE_CHARS_MAX).is_some() {
        printable.push('…');
    }
    printable
}

/// Whether a letter shows nothing and changes how others are shown: marks of direction (UAX #9 §2), of width nothing,
/// and of lines.
fn is_unseen(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn mark(finding: &Finding) -> &'static str {
    match finding.severity() {
        Severity::Error => "✗",
        Severity::Warning => "!",
        Severity::Notice => "·",
    }
}

/// A verdict, in its colour.
pub fn verdict_cell(verdict: Verdict, coloured: bool) -> Cell {
    let cell = Cell::new(verdict.as_str());
    if !coloured {
        return cell;
    }
    let colour = match verdict {
        Verdict::Valid => Color::Green,
        Verdict::Unknown | Verdict::Unchecked => Color::Yellow,
        Verdict::Missing | Verdict::Mismatch | Verdict::Invalid => Color::Red,
    };
    cell.fg(colour).add_attribute(Attribute::Bold)
}

/// Cuts a text for a cell. What comes out of DNS is printable already ([`crate::verify::evidence::Txt::shown`]).
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_or_hides_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("v=spf1 é 漢 🙂", "v=spf1 é 漢 🙂");
        check("a\u{1b}[2Jb\nc", "a\\u{1b}[2Jb\\nc");
        check("moc.\u{202e}elpmaxe\u{202c}", "moc.\\u{202e}elpmaxe\\u{202c}");
        check("a\u{200b}b\u{2066}c\u{feff}", "a\\u{200b}b\\u{2066}c\\u{feff}");
        assert_eq!(printable(&"x".repeat(LINE_CHARS_MAX + 1)).chars().count(), LINE_CHARS_MAX + 1);
    }
}
