//! Answers on one line, for tables.

use sendready::verify::evidence::{Answer, RecordData};

/// `found ->alias.target 60s [text|text] 10 mx.host`, `nodata by zone 60s`, `servfail` …
pub fn shown(answer: &Answer) -> String {
    let mut text = answer.outcome().to_owned();
    for alias in answer.aliases() {
        text += &format!(" ->{}", alias.target);
    }
    match answer {
        Answer::Found(found) => {
            text += &format!(" {}s", found.ttl_seconds);
            for record in &found.records {
                text += &format!(" {}", shown_record(record));
            }
        }
        Answer::NoData(denial) | Answer::NoSuchName(denial) => {
            if let Some(authority) = &denial.authority {
                text += &format!(" by {} {}s", authority.zone, authority.negative_ttl_seconds);
            }
        }
        Answer::Unknown(_) => {}
    }
    text
}

fn shown_record(record: &RecordData) -> String {
    match record {
        RecordData::Txt(txt) => {
            let strings = txt.strings.iter().map(|string| string.escape_ascii().to_string());
            format!("[{}]", strings.collect::<Vec<_>>().join("|"))
        }
        RecordData::A(address) => address.to_string(),
        RecordData::Aaaa(address) => address.to_string(),
        RecordData::Mx { preference, exchange } => format!("{preference} {exchange}"),
        RecordData::Cname(name) | RecordData::Ns(name) | RecordData::Ptr(name) => name.to_string(),
        RecordData::Soa { primary, serial, minimum_seconds } => format!("{primary} {serial} {minimum_seconds}"),
    }
}
