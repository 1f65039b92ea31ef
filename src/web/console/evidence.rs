//! What DNS said in one check: every question, who was asked, and what each answered. Text of strangers.

use std::net::SocketAddr;

use crate::verify::evidence::stored::from_stored;
use crate::verify::evidence::{Answer, RecordData, Reply, Vantage};
use crate::web::console::words::Mark;
use crate::web::shown::plain;

/// The most letters of one record.
const RECORD_CHARACTERS_MAX: usize = 600;

/// The most records of one answer.
const RECORDS_MAX: usize = 20;

/// One question, and what was answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) record_type: &'static str,
    pub(super) said: Vec<Said>,
}

/// What one server answered.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) vantage: &'static str,
    pub(super) server: String,
    pub(super) mark: Mark,
    pub(super) records: Vec<String>,
    /// What the answer says beside.
    pub(super) beside: Option<String>,
}

/// The evidence of a check, at most `replies_max` replies of it; whether that is all. Nothing where it does not read
/// back.
pub(super) fn of_stored(body: &str, replies_max: usize) -> Option<(Vec<Asked>, bool)> {
    let evidence = from_stored(body).ok()?;
    let (mut asked, mut left) = (Vec::new(), replies_max);
    for (question, replies) in evidence.iter() {
        if left == 0 {
            return Some((asked, false));
        }
        let said: Vec<Said> = replies.iter().take(left).map(said).collect();
        left = left.saturating_sub(said.len().max(1));
        asked.push(Asked { name: question.name.to_string(), record_type: question.record_type.as_str(), said });
    }
    Some((asked, true))
}

fn said(reply: &Reply) -> Said {
    let tone = match &reply.answer {
        Answer::Found(_) => "ok",
        answer if answer.is_definite() => "wait",
        _ => "warn",
    };
    let records = reply.answer.records().iter().take(RECORDS_MAX).map(record);
    let aliases = reply.answer.aliases().iter().map(|alias| format!("alias of {}", alias.target));
    Said {
        vantage: match reply.vantage {
            Vantage::Recursive => "cache",
            Vantage::Authoritative => "the zone's own",
        },
        server: reply.server.as_ref().map(SocketAddr::to_string).unwrap_or_default(),
        mark: Mark { word: reply.answer.outcome(), tone },
        records: aliases.chain(records).collect(),
        beside: reply.extended_error.as_ref().map(|error| plain(&error.to_string(), RECORD_CHARACTERS_MAX)),
    }
}

fn record(record: &RecordData) -> String {
    let text = match record {
        RecordData::A(address) => address.to_string(),
        RecordData::Aaaa(address) => address.to_string(),
        RecordData::Cname(name) | RecordData::Ns(name) | RecordData::Ptr(name) => name.to_string(),
        RecordData::Mx { preference, exchange } => format!("{preference} {exchange}"),
        RecordData::Soa { primary, serial, minimum_seconds } => {
            format!("{primary}, serial {serial}, minimum {minimum_seconds} s")
        }
        RecordData::Txt(text) => text.shown(),
    };
    plain(&text, RECORD_CHARACTERS_MAX)
}
