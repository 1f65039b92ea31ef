//! What the setup page says, in plain words: each state ends in what to do next.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};

use crate::plural::counted;
use crate::service::records::RecordsView;
use crate::service::requirements::RequirementsSource;
use crate::verify::evidence::RecordType;
use crate::verify::ownership;
use crate::verify::purpose::{Action, Purpose, Verdict};
use crate::verify::report::RecordReport;
use crate::verify::standing::{Status, SuspendedReason};

/// How something is coloured: the class of the style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Ok,
    Bad,
    Warn,
    Wait,
}

impl Tone {
    /// The class.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Tone::Ok => "ok",
            Tone::Bad => "bad",
            Tone::Warn => "warn",
            Tone::Wait => "wait",
        }
    }
}

/// A word to the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) tone: Tone,
    pub(super) title: String,
    pub(super) text: String,
}

impl Note {
    fn new(tone: Tone, title: impl Into<String>, text: impl Into<String>) -> Note {
        Note { tone, title: title.into(), text: text.into() }
    }
}

/// Why a link shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nobody made it, or somebody revoked it.
    Unknown,
    /// It is too old.
    Expired(DateTime<Utc>),
    /// Its domain is not set up here any more.
    DomainGone,
    /// The domain's name, written by another program, is none.
    NameMalformed,
}

impl Ended {
    /// Status, title and paragraphs of the page.
    pub(super) fn page(self) -> (StatusCode, &'static str, Vec<String>) {
        let asks = "Ask whoever sent you the link for a new one. They can make one in a moment, and nothing that you have \
                    published is lost.";
        match self {
            Ended::Unknown => (
                StatusCode::NOT_FOUND,
                "This link does not open anything",
                vec![
                    "It may have been withdrawn, or a part of it is missing: mail programs sometimes break long links. Copy \
                     the whole link from the message and try once more."
                        .to_owned(),
                    format!("If that does not help: {}", lower_first(asks)),
                ],
            ),
            Ended::Expired(at) => (
                StatusCode::GONE,
                "This link has expired",
                vec![format!("It could be used until {}.", at.format("%-d %B %Y, %H:%M UTC")), asks.to_owned()],
            ),
            Ended::DomainGone => (
                StatusCode::GONE,
                "This domain is not being set up any more",
                vec![
                    "Whoever sent you the link has taken the domain off their list, so there is nothing to publish for it. You \
                     may close this page."
                        .to_owned(),
                    "If you did not expect that, ask whoever sent you the link.".to_owned(),
                ],
            ),
            Ended::NameMalformed => (
                StatusCode::CONFLICT,
                "The domain's name was entered wrongly",
                vec![
                    "It is no name that can be looked up, so there are no records to show. This is not yours to mend: tell \
                     whoever sent you the link that the domain's name needs to be corrected."
                        .to_owned(),
                ],
            ),
        }
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// The page of a fault of ours: title and paragraphs.
pub(super) fn trouble() -> (&'static str, Vec<String>) {
    let text = "Something is wrong on our side, not with your domain, and nothing that you have published is lost. Wait a \
                minute and reload this page.";
    let more = "If it stays like this, tell whoever sent you the link.";
    ("We cannot show your records just now", vec![text.to_owned(), more.to_owned()])
}

/// Somebody pressed the button too often.
pub(super) fn too_often(seconds: u64) -> Note {
    let wait = counted(seconds, "second", "seconds");
    let text = format!(
        "We were asked several times within a minute. You can ask again in {wait}; until then there is nothing \
         you need to do, for we look by ourselves too."
    );
    Note::new(Tone::Warn, "We are on it already", text)
}

/// How many records there are, and how they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    /// What is required or staged.
    pub(super) all: usize,
    /// What a person has to publish or change.
    pub(super) to_do: usize,
    /// Of which nobody could tell.
    pub(super) unknown: usize,
    /// Which nobody has looked at.
    pub(super) unchecked: usize,
}

impl Count {
    pub(super) fn of(records: &[RecordReport]) -> Count {
        let required = records.iter().filter(|record| is_required(record));
        required.fold(Count::default(), |count, record| Count {
            all: count.all + 1,
            to_do: count.to_do + usize::from(record.verdict.is_failure()),
            unknown: count.unknown + usize::from(record.verdict == Verdict::Unknown),
            unchecked: count.unchecked + usize::from(record.verdict == Verdict::Unchecked),
        })
    }
}

/// Whether there is something to publish: what has no value and was never judged is the owner's own affair.
fn is_required(record: &RecordReport) -> bool {
    record.value.is_some() || record.verdict != Verdict::Unchecked
}

/// Whether nothing is left to do.
pub(super) fn is_done(records: &RecordsView, count: Count) -> bool {
    records.judged.report.is_all_valid() && count.to_do + count.unknown + count.unchecked == 0
}

/// What stands above everything: how far it is.
pub(super) fn headline(records: &RecordsView, count: Count) -> Note {
    let row = &records.row;
    if is_done(records, count) {
        return done(records, count);
    }
    if records.judged.requirements == RequirementsSource::Missing {
        let text = "Nobody has told us yet which records this domain needs. What you see below is only how the records that \
                    are there look to us. Ask whoever sent you the link what is missing.";
        return Note::new(Tone::Warn, "Not ready: the list of records is missing", text);
    }
    if row.last_checked_at.is_none() || row.evidence_digest.is_none() {
        let text = "We are looking your domain up for the first time; that takes a few seconds. Below is what needs to be \
                    there: you can begin at once.";
        return Note::new(Tone::Wait, "Looking for the first time", text);
    }
    if count.to_do > 0 {
        let (are, them) = if count.to_do == 1 { ("is", "it") } else { ("are", "them") };
        let title = format!("{} of {} {are} still to publish", count.to_do, counted(count.all, "record", "records"));
        let text = format!("Add or change {them} as shown below, then press “Check now”. We also look by ourselves.");
        return Note::new(Tone::Bad, title, text);
    }
    if count.unknown > 0 {
        let text = "The name servers of your domain did not give a clear answer. That is often over in a minute, and we keep \
                    asking: there is nothing you need to change yet. If it lasts, tell your DNS provider.";
        return Note::new(Tone::Warn, "We cannot tell at the moment", text);
    }
    let text =
        "Some of it has not been looked at since it was asked for. Press “Check now”, or wait: we look by ourselves.";
    Note::new(Tone::Wait, "Almost there", text)
}

/// The end state.
fn done(records: &RecordsView, count: Count) -> Note {
    let all = if count.all == 1 { "The record is".to_owned() } else { format!("All {} records are", count.all) };
    let reason = records.row.suspended_reason.filter(|_| records.row.status == Status::Suspended);
    match reason {
        Some(SuspendedReason::Operator) => Note::new(
            Tone::Warn,
            "Your records are right; the domain is on hold",
            format!(
                "{all} in place, and there is nothing more for you to publish. Sending was stopped by hand: ask whoever sent you the link."
            ),
        ),
        Some(SuspendedReason::Dns | SuspendedReason::Unverifiable) => Note::new(
            Tone::Ok,
            "Your records are right again",
            format!(
                "{all} in place. Sending begins again by itself once they have stayed so for a while. There is nothing more to do; you may close this page."
            ),
        ),
        None => Note::new(
            Tone::Ok,
            "Ready: everything is in place",
            format!("{all} right. There is nothing more to do; you may close this page."),
        ),
    }
}

/// What else is to be known before reading on.
pub(super) fn notes(records: &RecordsView, count: Count) -> Vec<Note> {
    let mut notes = Vec::new();
    let is_done = is_done(records, count);
    if records.breaker_open && !is_done {
        let text = "Many unrelated domains look wrong to us at this moment, so the fault may well be ours. Nothing is held \
                    against your domain meanwhile; look again later before you change what worked.";
        notes.push(Note::new(Tone::Warn, "Take this with a grain of salt", text));
    }
    if !is_done && records.row.status == Status::Suspended {
        let (title, text) = match records.row.suspended_reason {
            Some(SuspendedReason::Operator) => (
                "The domain is on hold",
                "Sending was stopped by hand. Records can be put right meanwhile; ask whoever sent you the link about the rest.",
            ),
            _ => (
                "Sending has stopped",
                "The records were not right for too long. Put right what is marked below; sending begins again by itself once \
                 everything has stayed right for a while.",
            ),
        };
        notes.push(Note::new(Tone::Bad, title, text));
    }
    notes
}

/// What need not be known before the end. It comes when all is right, and stands below the records, so that nothing of
/// them moves then.
pub(super) fn afterword(records: &RecordsView, count: Count) -> Option<Note> {
    let is_hidden = |record: &RecordReport| record.propagation.as_ref().is_some_and(|known| !known.visible);
    let text = "Your name servers have everything. Some others still remember what was there before, and will forget it by \
                themselves.";
    let is_late = is_done(records, count) && records.judged.report.records.iter().any(is_hidden);
    is_late.then(|| Note::new(Tone::Wait, "Not visible everywhere yet", text))
}

/// The word for a verdict, and its colour.
pub(super) fn verdict(record: &RecordReport) -> (&'static str, Tone) {
    match record.verdict {
        Verdict::Valid => ("In place", Tone::Ok),
        Verdict::Missing => ("Missing", Tone::Bad),
        Verdict::Mismatch => ("Different", Tone::Bad),
        Verdict::Invalid => ("Faulty", Tone::Bad),
        Verdict::Unknown => ("Can't tell yet", Tone::Warn),
        Verdict::Unchecked if is_required(record) => ("Not checked yet", Tone::Wait),
        Verdict::Unchecked => ("Not required", Tone::Wait),
    }
}

/// What a record is for, in a few words.
pub(super) fn what(record: &RecordReport) -> (&'static str, &'static str) {
    if ownership::is_proof(&record.name) {
        return ("Ownership", "shows that the domain is yours");
    }
    match record.purpose {
        Purpose::Spf => ("SPF", "who may send mail for your domain"),
        Purpose::Dkim => ("DKIM", "the key that shows that mail is yours"),
        Purpose::Dmarc => ("DMARC", "what happens to mail that is not"),
        Purpose::Mx => ("MX", "where replies arrive"),
    }
}

/// What to do with a record.
pub(super) fn to_do(record: &RecordReport) -> String {
    let kind = record.record_type;
    if record.value.is_none() {
        return match record.verdict {
            Verdict::Valid => "Nothing to do here.".to_owned(),
            Verdict::Unchecked => {
                "We ask for nothing here; your mail provider knows whether there should be a record.".to_owned()
            }
            _ => "Only your mail provider knows the value to publish here: ask them for it.".to_owned(),
        };
    }
    match (record.verdict, record.action) {
        (Verdict::Valid, _) if ownership::is_proof(&record.name) => {
            "Nothing to do: the domain is yours. The record is not needed any more.".to_owned()
        }
        (Verdict::Valid, _) => format!("Nothing to do: the {kind} record is as it should be."),
        (Verdict::Unknown, _) => "Leave what you have published as it is; we look again by ourselves.".to_owned(),
        (_, Action::Replace) => format!("Change the {kind} record that is there into this one. Do not add a second."),
        (_, Action::Add) => {
            let article = if kind == RecordType::Mx { "an" } else { "a" };
            format!("Add {article} {kind} record with these fields.")
        }
        (_, Action::Keep) => format!("Keep the {kind} record as it is."),
    }
}
