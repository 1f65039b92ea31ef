//! A batch of changes for Amazon Route 53: what `aws route53 change-resource-record-sets --change-batch` takes.
//!
//! Route 53 knows only whole sets. `UPSERT` puts a set in the place of the one that is there, with everything in it;
//! beside an SPF record stand texts of others. So `UPSERT` is used only where a record is to be replaced at a name that
//! nobody else uses, DKIM's and DMARC's. Everything else is `CREATE`, which Route 53 refuses where a set is there, and the
//! whole batch with it: nothing is lost. What is known to be refused is not in the batch, but said.

use serde_json::{Value, json};

use crate::http::export::Exported;
use crate::http::export::sets::{Publishable, RecordSet, Wanted};
use crate::protocol::master_file::STRING_OCTETS_MAX;
use crate::verify::evidence::RecordType;
use crate::verify::report::Report;

/// The batch: names in full with their dot, each set's values together, texts as quoted character-strings.
pub fn route53(report: &Report) -> Exported {
    let Wanted { sets, left_out: mut notices } = Wanted::of(report);
    let mut changes = Vec::new();
    for set in &sets {
        match action(set) {
            Ok(action) => changes.push(change(set, action)),
            Err(why) => notices.push(format!("{} is left out: {why}", set.title())),
        }
    }
    if sets.iter().any(RecordSet::is_unchecked) {
        notices.push(
            "nobody has looked at what is published: where one of these sets is there already, as a TXT set at the domain \
             itself usually is, Route 53 refuses the whole batch; add to that set by hand, and take it out of the batch"
                .to_owned(),
        );
    }
    // At most 256 characters, and a domain is of at most 253: it is not named here.
    let comment = "Records to send mail by, made by sendready. CREATE is refused where a set is there.";
    let batch = json!({ "Comment": comment, "Changes": changes });
    Exported { text: format!("{batch:#}\n"), notices }
}

/// What to do with a set, or why nothing is safe to do.
fn action(set: &RecordSet<'_>) -> Result<&'static str, String> {
    if set.is_in_place() {
        return Err("it is in place".to_owned());
    }
    match (set.is_alone(), set.is_there() || set.replaces()) {
        (_, false) => Ok("CREATE"),
        (true, true) => Ok("UPSERT"),
        (false, true) => {
            let shown = set.shown();
            Err(format!(
                "a set is there, and Route 53 would replace all of it; have in it, beside what else is wanted: {shown}"
            ))
        }
    }
}

fn change(set: &RecordSet<'_>, action: &str) -> Value {
    let values: Vec<Value> = set.records.iter().map(|one| json!({ "Value": value(one) })).collect();
    json!({
        "Action": action,
        "ResourceRecordSet": {
            "Name": format!("{}.", set.name),
            "Type": set.record_type.as_str(),
            "TTL": set.ttl_seconds,
            "ResourceRecords": values,
        },
    })
}

/// A value as Route 53 writes it.
pub(super) fn value(one: &Publishable<'_>) -> String {
    match one.record.record_type {
        RecordType::Txt => format!("\"{}\"", strings(one.value).join("\" \"")),
        _ => one.data(),
    }
}

/// The character-strings of a text, without their quotes. Where a master file counts in tens, Route 53 counts in
/// eights: what is not printable ASCII is a backslash and three octal digits.
pub(super) fn strings(text: &str) -> Vec<String> {
    text.as_bytes().chunks(STRING_OCTETS_MAX).map(|string| string.iter().copied().map(escaped).collect()).collect()
}

fn escaped(octet: u8) -> String {
    match octet {
        b'"' | b'\\' => format!("\\{}", char::from(octet)),
        b' '..=b'~' => char::from(octet).to_string(),
        _ => format!("\\{octet:03o}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::export::samples;
    use crate::verify::purpose::{Action, Purpose};
    use crate::verify::report::RecordReport;

    fn changes(report: &Report) -> Vec<Value> {
        let batch: Value = serde_json::from_str(&route53(report).text).unwrap();
        batch["Changes"].as_array().unwrap().clone()
    }

    #[test]
    fn a_batch_of_sets() {
        let set = |action: &str, name: &str, record_type: &str, values: &[&str]| {
            let values: Vec<Value> = values.iter().map(|value| json!({"Value": value})).collect();
            let set = json!({"Name": name, "Type": record_type, "TTL": 3600, "ResourceRecords": values});
            json!({"Action": action, "ResourceRecordSet": set})
        };
        let expected = [
            set("CREATE", "example.com.", "TXT", &["\"v=spf1 exists:%{i}.example.net -all\""]),
            set("CREATE", "s2._domainkey.example.com.", "CNAME", &["s2.example.net."]),
            set("UPSERT", "_dmarc.example.com.", "TXT", &["\"v=DMARC1; p=none\""]),
            set("CREATE", "example.com.", "MX", &["10 mx1.example.net.", "20 mx2.example.net."]),
        ];
        assert_eq!(changes(&samples::motley()), expected);
        let notices = route53(&samples::motley()).notices;
        assert_eq!(notices.len(), 3, "{notices:#?}");
        assert!(
            notices[1].starts_with("CNAME at s4._domainkey.example.com is left out: it is in place"),
            "{notices:#?}"
        );
        assert!(notices[2].contains("Route 53 refuses the whole batch"), "{notices:#?}");
    }

    /// `UPSERT` there would delete proofs of ownership beside the SPF record, and hosts that take mail.
    #[test]
    fn a_set_that_others_are_in_is_never_replaced() {
        let spf = samples::txt(Purpose::Spf, "example.com", "v=spf1 -all");
        let mx = samples::mx(10, "mx1.example.net");
        let found = vec!["10 old.example.net".to_owned()];
        let report = samples::report(vec![
            RecordReport { action: Action::Replace, found: vec!["v=spf1 mx".to_owned()], ..spf },
            RecordReport { action: Action::Keep, found: found.clone(), ..mx },
            RecordReport { found, ..samples::mx(20, "mx2.example.net") },
        ]);
        assert_eq!(changes(&report), [json!(null); 0]);
        let notices = route53(&report).notices;
        assert!(notices[0].ends_with("beside what else is wanted: \"v=spf1 -all\""), "{notices:#?}");
        assert!(notices[1].ends_with(": 10 mx1.example.net., 20 mx2.example.net."), "{notices:#?}");
    }

    #[test]
    fn octets_are_counted_in_eights() {
        assert_eq!(strings("\u{fc}\t\"\\;"), [r#"\303\274\011\"\\;"#]);
    }

    proptest! {
        #[test]
        fn every_text_comes_through(value in "\\PC{1,600}") {
            let changes = changes(&samples::one_text(&value));
            let value_there = changes[0]["ResourceRecordSet"]["ResourceRecords"][0]["Value"].as_str().unwrap();
            prop_assert_eq!(samples::unquoted(value_there, 8), value.into_bytes());
        }
    }
}
