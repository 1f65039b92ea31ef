//! What the history keeps of each record: its verdict, and a digest of what was there.
//!
//! A note carries over what was last definitely seen and when it last changed, so that the newest check alone
//! says whether something is other than it was, however long nobody could tell in between.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::store::note::Note;
use crate::verify::doubt::Doubts;
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::report::{RecordReport, Report};
use crate::verify::standing::Verdicts;

/// The note of a record before it is compared with an earlier one.
fn note_of(record: &RecordReport) -> Note {
    let definite = record.verdict == Verdict::Valid || record.verdict.is_failure();
    Note {
        purpose: record.purpose.as_str().to_owned(),
        record_type: record.record_type.as_str().to_owned(),
        name: record.name.to_string(),
        host: record.priority.and_then(|_| record.value.clone()),
        verdict: record.verdict.as_str().to_owned(),
        staged: record.staged,
        findings: record.findings.iter().map(|finding| finding.code().to_owned()).collect(),
        seen: definite.then(|| digest(&record.found)),
        believed_from: None,
        changed_at: None,
    }
}

/// The doubts that the last check left.
pub(crate) fn doubts(before: &[Note]) -> Doubts {
    let of = |purpose: Purpose| {
        let notes = before.iter().filter(|note| note.purpose == purpose.as_str());
        notes.filter_map(|note| note.believed_from).min().map(|from| (purpose, from))
    };
    Purpose::ALL.into_iter().filter_map(of).collect()
}

/// Whether two notes are of the same record.
fn same_record(one: &Note, other: &Note) -> bool {
    // Not the type: a selector may turn from TXT to CNAME and is the same selector.
    (&one.purpose, &one.name, &one.host) == (&other.purpose, &other.name, &other.host)
}

/// The earlier note of the same record: where two are, one of them staged, the one that was as this is.
fn earlier<'n>(before: &'n [Note], note: &Note) -> Option<&'n Note> {
    let same = || before.iter().filter(|old| same_record(old, note));
    same().find(|old| old.staged == note.staged).or_else(|| same().next())
}

/// The notes of a report at `at`, those of the check before it taken over.
///
/// A denial that is not `believed` is nothing that was definitely seen.
pub(crate) fn notes(
    report: &Report,
    believed: &Verdicts,
    before: &[Note],
    doubts: &Doubts,
    at: DateTime<Utc>,
) -> Vec<Note> {
    let each = report.records.iter().map(|record| {
        let mut note = note_of(record);
        if report.verdict(record.purpose).is_failure() && !believed.get(record.purpose).is_failure() {
            note.seen = None;
        }
        note.believed_from = doubts.get(&record.purpose).copied();
        let Some(old) = earlier(before, &note) else {
            note.changed_at = Some(at);
            return note;
        };
        note.seen = note.seen.or_else(|| old.seen.clone());
        let same = note.verdict == old.verdict && note.seen == old.seen;
        note.changed_at = if same { old.changed_at.or(Some(at)) } else { Some(at) };
        note
    });
    each.collect()
}

/// When each of a report's records last changed, in their order.
pub(crate) fn changed_at(report: &Report, notes: &[Note]) -> Vec<Option<DateTime<Utc>>> {
    let each = report.records.iter().map(note_of);
    each.map(|note| earlier(notes, &note).and_then(|old| old.changed_at)).collect()
}

/// Whether something else is published now than what was last definitely seen.
///
/// Only records that were looked at both times count: another requirement is no change of DNS.
pub(crate) fn found_changed(before: &[Note], after: &[Note]) -> bool {
    after.iter().any(|note| {
        let old = earlier(before, note).and_then(|old| old.seen.as_ref());
        old.is_some_and(|old| note.seen.as_ref().is_some_and(|new| new != old))
    })
}

/// A digest of texts in their order; each is ended, so that no two lists run together.
fn digest(found: &[String]) -> String {
    let mut sorted: Vec<&String> = found.iter().collect();
    sorted.sort();
    let mut hash = Sha256::new();
    for text in sorted {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().iter().take(16).map(|octet| format!("{octet:02x}")).collect()
}
