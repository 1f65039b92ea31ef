//! Answers of the API as tables. What is not there is shown as nothing; what strangers wrote is made harmless.

use std::io::{self, Write};

use comfy_table::{Cell, presets};
use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::output::{self, cut, printable};
use crate::verify::purpose::Verdict;

/// The most values of one record's `found` that a table shows.
const FOUND_SHOWN: usize = 10;

/// A column: its heading, and the pointer (RFC 6901) to its value.
pub(super) type Column = (&'static str, &'static str);

/// The text at a pointer; empty where there is none or null.
pub(super) fn text(body: &Value, pointer: &str) -> String {
    match body.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => printable(text),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(other) => printable(&other.to_string()),
    }
}

/// The items of a list, a row each.
pub(super) fn rows(out: &mut impl Write, items: &[Value], columns: &[Column], coloured: bool) -> io::Result<()> {
    let mut table = output::table(coloured);
    table.set_header(columns.iter().map(|(heading, _)| *heading));
    for item in items {
        table.add_row(columns.iter().map(|(_, pointer)| Cell::new(cut(&text(item, pointer)))));
    }
    writeln!(out, "{table}")
}

/// One thing, a line for each of its values that is there.
pub(super) fn facts(out: &mut impl Write, body: &Value, columns: &[Column], coloured: bool) -> io::Result<()> {
    let mut table = output::table(coloured);
    // Two columns are read without lines between their rows.
    table.load_style(presets::NOTHING);
    for (heading, pointer) in columns {
        let shown = text(body, pointer);
        if !shown.is_empty() {
            table.add_row(vec![Cell::new(heading), Cell::new(cut(&shown))]);
        }
    }
    writeln!(out, "{table}")
}

/// The records of a domain, as `check` shows those of a report: a table, and what to do.
pub(super) fn records(out: &mut impl Write, body: &Value, coloured: bool) -> io::Result<()> {
    let mut table = output::table(coloured);
    table.set_header(["purpose", "type", "host", "verdict", "published", "found"]);
    for record in list(body, "/records") {
        let staged = record.pointer("/staged") == Some(&Value::Bool(true));
        let purpose = text(record, "/purpose");
        table.add_row(vec![
            Cell::new(if staged { format!("{purpose} (staged)") } else { purpose }),
            Cell::new(text(record, "/type")),
            Cell::new(cut(&text(record, "/host"))),
            match verdict(record) {
                Some(verdict) => output::verdict_cell(verdict, coloured),
                None => Cell::new(text(record, "/verdict")),
            },
            Cell::new(text(record, "/propagation/published")),
            Cell::new(found(record)),
        ]);
    }
    writeln!(out, "{table}")?;
    for record in list(body, "/records") {
        list(record, "/findings").try_for_each(|finding| self::finding(out, finding))?;
        to_publish(out, record)?;
    }
    list(body, "/advisories").try_for_each(|advisory| finding(out, advisory))
}

fn found(record: &Value) -> String {
    let shown: Vec<String> = list(record, "/found")
        .take(FOUND_SHOWN)
        .map(|value| cut(&printable(value.as_str().unwrap_or_default())))
        .collect();
    shown.join("\n")
}

/// What was noticed, and how to mend it. Notices are left to the JSON, as in `check`.
fn finding(out: &mut impl Write, finding: &Value) -> io::Result<()> {
    let mark = match finding.pointer("/severity").and_then(Value::as_str) {
        Some("error") => "✗",
        Some("warning") => "!",
        _ => return Ok(()),
    };
    writeln!(out, "  {mark} {}: {}", text(finding, "/code"), text(finding, "/message"))?;
    writeln!(out, "    → {}", text(finding, "/fix"))
}

fn to_publish(out: &mut impl Write, record: &Value) -> io::Result<()> {
    let value = text(record, "/value");
    if value.is_empty() || !verdict(record).is_some_and(|verdict| verdict.is_failure() || verdict == Verdict::Unchecked)
    {
        return Ok(());
    }
    let priority = text(record, "/priority");
    let priority = if priority.is_empty() { priority } else { format!(" {priority}") };
    writeln!(out, "    publish: {} {}{priority} {value}", text(record, "/name"), text(record, "/type"))
}

/// How the records of a domain stand, as an exit code. What is staged does not count; a domain that was never
/// checked is one of which nobody can tell.
pub(super) fn exit(body: &Value) -> Exit {
    let binding = list(body, "/records").filter(|record| record.pointer("/staged") != Some(&Value::Bool(true)));
    // A verdict of a later version that is not known here is none that we may call good.
    let verdicts = Exit::over(binding.map(|record| verdict(record).unwrap_or(Verdict::Unknown)));
    let is_checked = body.pointer("/checked_at").is_some_and(Value::is_string);
    if is_checked { verdicts } else { verdicts.worse(Exit::Unknown) }
}

/// One phrase over a domain's four flags, and how long it may stay so.
pub(super) fn standing(body: &Value) -> String {
    let failing: Vec<&str> =
        [("/spf_valid", "spf"), ("/dkim_valid", "dkim"), ("/dmarc_valid", "dmarc"), ("/mx_valid", "mx")]
            .into_iter()
            .filter(|(pointer, _)| body.pointer(pointer) != Some(&Value::Bool(true)))
            .map(|(_, purpose)| purpose)
            .collect();
    if failing.is_empty() { "ready to send".to_owned() } else { format!("not valid: {}", failing.join(", ")) }
}

fn verdict(record: &Value) -> Option<Verdict> {
    let word = record.pointer("/verdict").and_then(Value::as_str)?;
    Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word)
}

/// The items of a list; none where there is no list.
pub(super) fn list<'b>(body: &'b Value, pointer: &str) -> impl Iterator<Item = &'b Value> {
    body.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_binding_records_decide() {
        let body = |verdict: &str, staged: bool, checked: bool| {
            json!({"checked_at": checked.then_some("2027-01-15T08:00:00Z"), "records": [
                {"verdict": "valid", "staged": false}, {"verdict": verdict, "staged": staged}]})
        };
        let check = |body: Value, code: u8| assert_eq!(exit(&body).code(), code, "{body}");
        check(body("valid", false, true), 0);
        check(body("missing", false, true), 1);
        check(body("missing", true, true), 0);
        check(body("unknown", false, true), 3);
        check(body("of-a-later-version", false, true), 3);
        check(body("valid", false, false), 3);
        check(body("missing", false, false), 1);
    }

    #[test]
    fn a_strangers_text_does_nothing_to_the_terminal() {
        let body = json!({"records": [{"purpose": "spf", "type": "TXT", "host": "@", "verdict": "invalid", "value": "v=\u{1b}[2J",
            "name": "a.example", "found": ["\u{1b}]0;title\u{7}", "a\nb"], "findings": [{"severity": "error", "code": "c",
            "message": "\u{9b}31m", "fix": "\u{202e}x"}]}], "advisories": []});
        let mut shown = Vec::new();
        records(&mut shown, &body, false).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(
            !shown.chars().any(|letter| letter.is_control() && letter != '\n' || letter == '\u{202e}'),
            "{shown:?}"
        );
        assert!(shown.contains("\\u{1b}]0;title\\u{7}") && shown.contains("a\\nb"), "{shown}");
    }
}
