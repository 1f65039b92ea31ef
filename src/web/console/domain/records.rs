//! The records of a domain: what is to be there, what is, and what each of the zone's servers says.

use chrono::{DateTime, TimeDelta, Utc};

use crate::service::records::RecordsView;
use crate::verify::finding::words::{self as finding_words, Place};
use crate::verify::finding::{Finding, Severity};
use crate::verify::report::{Propagation, RecordReport};
use crate::web::console::words::{self, Mark};
use crate::web::shown::{Moment, Piece, plain, sentence};

/// The most letters of one text out of DNS. A key of 4,096 bits has 800.
const TEXT_CHARACTERS_MAX: usize = 1_600;

/// The most texts that are shown in place of one record.
const TEXTS_MAX: usize = 8;

/// The most letters of one sentence.
const SENTENCE_CHARACTERS_MAX: usize = 1_500;

/// One record to publish.
#[derive(Debug)]
pub(super) struct RecordLine {
    pub(super) purpose: &'static str,
    pub(super) record_type: &'static str,
    pub(super) name: String,
    pub(super) mark: Mark,
    pub(super) is_staged: bool,
    pub(super) value: Option<String>,
    pub(super) priority: Option<u16>,
    pub(super) ttl: u32,
    pub(super) found: Vec<String>,
    pub(super) found_more: usize,
    pub(super) findings: Vec<Noticed>,
    pub(super) servers: Vec<Server>,
    pub(super) published: Option<String>,
    pub(super) visible_at: Option<Moment>,
    pub(super) changed_at: Option<Moment>,
}

/// A finding in words.
#[derive(Debug)]
pub(super) struct Noticed {
    pub(super) tone: &'static str,
    pub(super) weight: &'static str,
    pub(super) code: &'static str,
    pub(super) message: Vec<Piece>,
    pub(super) fix: Vec<Piece>,
}

/// One of the zone's servers.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) outcome: &'static str,
}

/// Every record, and after them what was noticed of none in particular.
pub(super) fn lines(view: &RecordsView, now: DateTime<Utc>) -> Vec<RecordLine> {
    let changed = view.judged.changed_at.iter().copied().chain(std::iter::repeat(None));
    view.judged.report.records.iter().zip(changed).map(|(record, changed)| line(view, record, changed, now)).collect()
}

fn line(view: &RecordsView, record: &RecordReport, changed: Option<DateTime<Utc>>, now: DateTime<Utc>) -> RecordLine {
    let place = Place::of(&view.judged.report, record);
    let known = record.propagation.as_ref();
    RecordLine {
        purpose: words::purpose(record.purpose),
        record_type: record.record_type.as_str(),
        name: record.name.to_string(),
        mark: words::verdict(record.verdict),
        is_staged: record.staged,
        value: record.value.as_deref().map(|value| plain(value, TEXT_CHARACTERS_MAX)),
        priority: record.priority,
        ttl: record.ttl_seconds,
        found: record.found.iter().take(TEXTS_MAX).map(|text| plain(text, TEXT_CHARACTERS_MAX)).collect(),
        found_more: record.found.len().saturating_sub(TEXTS_MAX),
        findings: record.findings.iter().map(|finding| noticed(finding, &place)).collect(),
        servers: known.map(servers).unwrap_or_default(),
        published: known.and_then(|known| known.published).map(|part| format!("{} of {}", part.count, part.of)),
        visible_at: known.and_then(|known| visible_at(known, view.row.last_checked_at)).map(|at| Moment::of(at, now)),
        changed_at: changed.map(|at| Moment::of(at, now)),
    }
}

fn servers(known: &Propagation) -> Vec<Server> {
    let server = |word: &crate::verify::report::ServerWord| Server {
        name: word.server.to_string(),
        address: word.address.to_string(),
        outcome: word.outcome,
    };
    known.servers.iter().map(server).collect()
}

/// When caches will have forgotten what they say instead.
fn visible_at(known: &Propagation, checked_at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let within = TimeDelta::seconds(i64::from(known.visible_within_seconds?));
    checked_at?.checked_add_signed(within).filter(|_| !known.visible)
}

fn noticed(finding: &Finding, place: &Place<'_>) -> Noticed {
    let (tone, weight) = match finding.severity() {
        Severity::Error => ("bad", "Wrong"),
        Severity::Warning => ("warn", "Warning"),
        Severity::Notice => ("wait", "Note"),
    };
    Noticed {
        tone,
        weight,
        code: finding.code(),
        message: sentence(&finding_words::message(finding), SENTENCE_CHARACTERS_MAX),
        fix: sentence(&finding_words::fix(finding, place), SENTENCE_CHARACTERS_MAX),
    }
}
