//! What the setup page shows, made of a [`RecordsView`]: texts ready for a template, nothing left to reckon.

use chrono::{DateTime, TimeDelta, Utc};

use crate::protocol::master_file;
use crate::service::records::RecordsView;
use crate::verify::evidence::RecordType;
use crate::verify::finding::words::{self as finding_words, Place};
use crate::verify::finding::{Finding, Severity};
use crate::verify::purpose::Verdict;
use crate::verify::report::{Propagation, RecordReport, Report};
use crate::verify::zone::providers::{self, ApexHabit, Panel, TextHabit};
use crate::web::difference::{self, difference};
use crate::web::setup::proof::with_proof;
use crate::web::setup::words::{self, Count, Note};
use crate::web::shown::{Moment, Piece, plain, sentence};

/// The most letters of one text out of DNS. A key of 4,096 bits has 800.
const TEXT_CHARACTERS_MAX: usize = 4_200;

/// The most letters of all texts that are there in place of one record: strangers shall not make a page heavy.
const TEXTS_CHARACTERS_MAX: usize = 6_000;

/// The most letters of one sentence.
const SENTENCE_CHARACTERS_MAX: usize = 2_500;

/// How many letters of a value stand in one line of its field, about.
const LINE_CHARACTERS: usize = 64;

/// The most lines of such a field; longer values scroll in it.
const LINES_MAX: usize = 6;

/// The page.
#[derive(Debug)]
pub(super) struct View {
    /// The domain as people read it.
    pub(super) domain: String,
    /// The same in A-labels, where that differs.
    pub(super) ascii: Option<String>,
    /// How far it is.
    pub(super) headline: Note,
    /// What else is to be known.
    pub(super) notes: Vec<Note>,
    /// What is to be known in the end.
    pub(super) afterword: Option<Note>,
    /// What came of pressing the button.
    pub(super) answer: Option<Note>,
    /// Nothing is left to do.
    pub(super) is_done: bool,
    /// Who runs the DNS, where that is known.
    pub(super) panel: Option<Panel>,
    /// The zone whose panel it is.
    pub(super) zone: String,
    /// A check runs.
    pub(super) checking: bool,
    /// When DNS was last asked.
    pub(super) checked_at: Option<Moment>,
    /// When it is asked next.
    pub(super) next_at: Option<Moment>,
    /// When sending stops, unless everything is right by then.
    pub(super) suspends_at: Option<Moment>,
    /// The records.
    pub(super) cards: Vec<Card>,
    /// Good advice.
    pub(super) advice: Vec<Advice>,
}

/// One record to publish.
#[derive(Debug)]
pub(super) struct Card {
    /// Its place in the list, from 1.
    pub(super) number: usize,
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    /// The verdict's word in the contract.
    pub(super) verdict: &'static str,
    pub(super) verdict_word: &'static str,
    pub(super) tone: &'static str,
    pub(super) to_do: String,
    pub(super) is_staged: bool,
    pub(super) record_type: String,
    /// What goes into the host field; nothing where it is to stay empty.
    pub(super) host: Option<String>,
    /// The full name.
    pub(super) name: String,
    pub(super) value: Option<Value>,
    pub(super) priority: Option<u16>,
    pub(super) ttl: u32,
    /// What is there instead.
    pub(super) found: Vec<Vec<difference::Piece>>,
    /// What is to be there, with what is missing marked; where one text is there in its place.
    pub(super) wanted: Option<Vec<difference::Piece>>,
    pub(super) advice: Vec<Advice>,
    pub(super) spread: Option<Spread>,
}

/// What goes into a value field.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) lines: usize,
    /// Whether the quotation marks are part of it.
    pub(super) is_quoted: bool,
    /// Whether an MX record's preference is part of it.
    pub(super) has_priority: bool,
}

/// A finding in words.
#[derive(Debug)]
pub(super) struct Advice {
    pub(super) tone: &'static str,
    /// `error`, `warning`, `notice`, for ears.
    pub(super) weight: &'static str,
    pub(super) message: Vec<Piece>,
    pub(super) fix: Vec<Piece>,
}

/// How far a record has come.
#[derive(Debug)]
pub(super) struct Spread {
    pub(super) text: String,
    /// When it is visible everywhere.
    pub(super) by: Option<Moment>,
}

impl View {
    /// The page at `now`.
    pub(super) fn of(records: &RecordsView, now: DateTime<Utc>, answer: Option<Note>) -> View {
        let (row, report) = (&records.row, &with_proof(records));
        let count = Count::of(&report.records);
        let (ascii, unicode) = (report.domain.to_string(), report.domain.unicode());
        let panel = report.dns_provider.as_ref().and_then(|provider| providers::panel(&provider.name));
        // A revived domain was checked in its former life; what is shown of it now was not.
        let checked_at = row.last_checked_at.filter(|_| row.evidence_digest.is_some());
        let cards = report.records.iter().enumerate();
        let is_done = words::is_done(records, count);
        View {
            domain: plain(&unicode, SENTENCE_CHARACTERS_MAX),
            ascii: (unicode != ascii).then_some(ascii),
            headline: words::headline(records, count),
            notes: words::notes(records, count),
            afterword: words::afterword(records, count),
            answer,
            is_done,
            panel,
            zone: report.zone.to_string(),
            checking: records.checking,
            checked_at: checked_at.map(|at| Moment::of(at, now)),
            next_at: row.next_check_at.filter(|at| *at > now && !records.checking).map(|at| Moment::of(at, now)),
            suspends_at: row.suspends_at.filter(|at| *at > now && !is_done).map(|at| Moment::of(at, now)),
            cards: cards.map(|(index, record)| Card::of(report, record, index + 1, panel, checked_at, now)).collect(),
            advice: report.advisories.iter().filter_map(|finding| advisory(report, finding)).collect(),
        }
    }

    /// Whether a step of the list is behind the reader: there is nothing to publish any more.
    pub(super) fn is_published(&self) -> bool {
        self.checked_at.is_some() && self.cards.iter().all(|card| card.tone != "bad")
    }
}

impl Card {
    fn of(
        report: &Report,
        record: &RecordReport,
        number: usize,
        panel: Option<Panel>,
        checked_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Card {
        let place = Place::of(report, record);
        let ((title, about), (verdict_word, tone)) = (words::what(record), words::verdict(record));
        let (found, wanted) = found(record);
        Card {
            number,
            title,
            about,
            verdict: record.verdict.as_str(),
            verdict_word,
            tone: tone.class(),
            to_do: words::to_do(record),
            is_staged: record.staged,
            record_type: record.record_type.to_string(),
            host: host(&place, panel),
            name: record.name.to_string(),
            value: record.value.as_deref().map(|value| Value::of(value, record, panel)),
            priority: record.priority,
            ttl: record.ttl_seconds,
            found,
            wanted,
            advice: record.findings.iter().map(|finding| Advice::of(finding, &place)).collect(),
            spread: record.propagation.as_ref().and_then(|known| Spread::of(known, record.verdict, checked_at, now)),
        }
    }
}

/// The host as this panel's field wants it; nothing where that is to stay empty.
fn host(place: &Place<'_>, panel: Option<Panel>) -> Option<String> {
    let host = place.host();
    let is_empty = host == "@" && panel.is_some_and(|panel| panel.apex == ApexHabit::Empty);
    (!is_empty).then_some(host)
}

impl Value {
    fn of(value: &str, record: &RecordReport, panel: Option<Panel>) -> Value {
        let is_quoted =
            record.record_type == RecordType::Txt && panel.is_some_and(|panel| panel.text == TextHabit::Quoted);
        let has_priority = record.record_type == RecordType::Mx && panel.is_some_and(|panel| panel.preference_in_value);
        let text = match (is_quoted, has_priority) {
            (true, _) => master_file::txt(value.as_bytes()),
            (_, true) => format!("{} {value}", record.priority.unwrap_or_default()),
            _ => value.to_owned(),
        };
        let lines = text.chars().count().div_ceil(LINE_CHARACTERS).clamp(1, LINES_MAX);
        Value { text, lines, is_quoted, has_priority }
    }
}

/// What is there in place of a record, and what is to be, with the differences marked.
fn found(record: &RecordReport) -> (Vec<Vec<difference::Piece>>, Option<Vec<difference::Piece>>) {
    if record.verdict == Verdict::Valid {
        return (Vec::new(), None);
    }
    let mut left = TEXTS_CHARACTERS_MAX;
    let (mut shown, mut wanted) = (Vec::new(), Vec::new());
    for text in &record.found {
        let text = plain(text, TEXT_CHARACTERS_MAX.min(left));
        left = left.saturating_sub(text.chars().count());
        // Lists of hosts are no text that one could be changed into the other.
        let value = record.value.as_deref().filter(|_| record.record_type == RecordType::Txt);
        match value.and_then(|value| difference(&text, &plain(value, TEXT_CHARACTERS_MAX))) {
            Some(made) => {
                shown.push(made.found);
                wanted.push(made.wanted);
            }
            None => shown.push(vec![difference::Piece { is_marked: false, text }]),
        }
        if left == 0 {
            break;
        }
    }
    let wanted = if wanted.len() == 1 { wanted.pop() } else { None };
    (shown, wanted)
}

impl Advice {
    fn of(finding: &Finding, place: &Place<'_>) -> Advice {
        let severity = finding.severity();
        let (tone, weight) = match severity {
            Severity::Error => ("bad", "Wrong"),
            Severity::Warning => ("warn", "Warning"),
            Severity::Notice => ("wait", "Note"),
        };
        // The panel has its own step on the page; only where it wants quotation marks, the words must know.
        let wants_quotes = |name: &str| providers::text_habit(name) == TextHabit::Quoted;
        let place = Place { provider: place.provider.filter(|provider| wants_quotes(&provider.name)), ..place.clone() };
        let mut fix = sentence(&finding_words::fix(finding, &place), SENTENCE_CHARACTERS_MAX);
        shorten(&mut fix, &place);
        Advice { tone, weight, message: sentence(&finding_words::message(finding), SENTENCE_CHARACTERS_MAX), fix }
    }
}

/// A long value stands in its field already, with a button; a second time it would only hide what is said.
fn shorten(pieces: &mut [Piece], place: &Place<'_>) {
    let pasted = place.pasted().unwrap_or_default();
    let pasted = plain(pasted.trim_matches('`'), SENTENCE_CHARACTERS_MAX);
    for piece in pieces.iter_mut().filter(|piece| piece.text == pasted && pasted.len() > LINE_CHARACTERS) {
        *piece = Piece { is_code: false, text: "shown above".to_owned() };
    }
}

/// An advisory is told at the first record of its purpose; where there is none, there is nothing to change.
fn advisory(report: &Report, finding: &Finding) -> Option<Advice> {
    let record = report.records.iter().find(|record| record.purpose == finding.purpose())?;
    Some(Advice::of(finding, &Place::of(report, record)))
}

impl Spread {
    fn of(
        known: &Propagation,
        verdict: Verdict,
        checked_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<Spread> {
        let within = known.visible_within_seconds.map(|seconds| TimeDelta::seconds(i64::from(seconds)));
        let by = checked_at.zip(within).and_then(|(at, within)| at.checked_add_signed(within));
        let by = by.filter(|_| !known.visible).map(|at| Moment::of(at, now));
        let servers = match known.published {
            None if known.visible && verdict == Verdict::Valid => "Visible everywhere.".to_owned(),
            None => return None,
            // Something else is there, and is shown as such.
            Some(published) if published.count == 0 && verdict != Verdict::Missing => return None,
            Some(published) if published.of == 1 => match published.count {
                0 => "The name server that we asked does not have it".to_owned(),
                _ => "Your name server has it".to_owned(),
            },
            Some(published) if published.count == 0 => format!("None of {} name servers has it", published.of),
            Some(published) if published.count == 1 => format!("1 of {} name servers has it", published.of),
            Some(published) => format!("{} of {} name servers have it", published.count, published.of),
        };
        let text = match (&by, known.visible, known.published) {
            (_, _, None) => servers,
            (Some(_), ..) => format!("{servers}, visible everywhere by"),
            (None, true, Some(_)) => format!("{servers}, and it is visible everywhere."),
            (None, false, Some(published)) if published.count > 0 => {
                format!("{servers}, but it is not visible everywhere yet.")
            }
            (None, false, Some(_)) => format!("{servers}."),
        };
        Some(Spread { text, by })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::report::Published;

    #[test]
    fn how_far_a_record_has_come() {
        let (checked_at, now) =
            (DateTime::from_timestamp(1_800_000_000, 0), DateTime::from_timestamp(1_800_000_010, 0).unwrap());
        let spread = |published: Option<(usize, usize)>, visible, within, verdict| {
            let known = Propagation {
                published: published.map(|(count, of)| Published { count, of }),
                visible,
                visible_within_seconds: within,
                ..Propagation::default()
            };
            let spread = Spread::of(&known, verdict, checked_at, now)?;
            Some([Some(spread.text), spread.by.map(|at| at.short)].into_iter().flatten().collect::<Vec<_>>().join(" "))
        };
        let check = |made: Option<String>, expected: &str| assert_eq!(made.unwrap_or_default(), expected);
        let (valid, unknown, missing) = (Verdict::Valid, Verdict::Unknown, Verdict::Missing);
        check(
            spread(Some((2, 4)), false, Some(300), unknown),
            "2 of 4 name servers have it, visible everywhere by 08:05 UTC",
        );
        check(
            spread(Some((4, 4)), false, None, valid),
            "4 of 4 name servers have it, but it is not visible everywhere yet.",
        );
        check(
            spread(Some((4, 4)), true, Some(300), valid),
            "4 of 4 name servers have it, and it is visible everywhere.",
        );
        check(spread(Some((1, 1)), false, Some(60), valid), "Your name server has it, visible everywhere by 08:01 UTC");
        check(spread(Some((0, 4)), false, None, missing), "None of 4 name servers has it.");
        check(spread(Some((0, 4)), false, None, Verdict::Invalid), "");
        check(spread(None, true, None, valid), "Visible everywhere.");
        check(spread(None, false, None, missing), "");
    }
}
