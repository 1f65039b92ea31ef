//! The tags of records documents that callers have, so that "nothing has changed" costs the database nothing. ADR 0014.
//!
//! What is remembered is only that a tag was right when it was read, and it is dropped by the word that anything of it
//! has changed, which the database itself gives (migration 028). So it is used only while that word can be heard: never
//! on SQLite, never while the line is cut, and no longer than three seconds after the line was last known to stand.
//!
//! Somebody may have read before a change and want to note after its word: each look takes a [`Ticket`] first, and one
//! that was taken before any word about its domain notes nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::store::notice::Rows;

/// How long after the line was known to stand it is taken to stand still. It is asked each second.
const TRUSTED: Duration = Duration::from_secs(3);

/// How long a tag is believed at most: whatever nobody has thought of ends after that.
const BELIEVED: Duration = Duration::from_secs(60);

/// The most tags that are remembered, at about 130 octets each; past that all are forgotten.
const TAGS_MAX: usize = 100_000;

/// Into how many parts domains are put, to tell which of them a word was about. A power of two.
const PARTS: usize = 4_096;

/// The tags that are known to be right.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Until when the line is taken to stand; nothing while it is cut.
    trusted_until: Option<Instant>,
    /// How many words were about everybody, or about nobody knows whom.
    words_to_all: u64,
    /// How many words were about a domain of each part.
    words: Box<[u64]>,
    tags: HashMap<Uuid, Tag>,
}

#[derive(Debug)]
struct Tag {
    client_id: Uuid,
    text: Arc<str>,
    until: Instant,
}

/// What has been heard of a domain when somebody began to read it.
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    domain_id: Uuid,
    words_to_all: u64,
    words: u64,
}

impl Default for Inner {
    fn default() -> Inner {
        let words = vec![0; PARTS].into_boxed_slice();
        Inner { trusted_until: None, words_to_all: 0, words, tags: HashMap::new() }
    }
}

impl Snapshot {
    /// The tag of a domain's records document, and whose domain it is; nothing where only the database knows.
    pub(crate) fn get(&self, domain_id: Uuid) -> Option<(Uuid, Arc<str>)> {
        let inner = self.lock();
        let now = Instant::now();
        inner.trusted_until.filter(|until| now < *until)?;
        let tag = inner.tags.get(&domain_id).filter(|tag| now < tag.until)?;
        Some((tag.client_id, Arc::clone(&tag.text)))
    }

    /// Before a domain is read whose tag is to be noted; nothing while no word would be heard of it.
    pub(crate) fn ticket(&self, domain_id: Uuid) -> Option<Ticket> {
        let inner = self.lock();
        inner.trusted_until.filter(|until| Instant::now() < *until)?;
        Some(Ticket { domain_id, words_to_all: inner.words_to_all, words: inner.words_of(domain_id) })
    }

    /// Notes what was read with a ticket, to be believed for so long, unless a word about it came meanwhile.
    pub(crate) fn note(&self, ticket: Ticket, client_id: Uuid, text: &Arc<str>, believed: Option<Duration>) {
        let mut inner = self.lock();
        let id = ticket.domain_id;
        if ticket.words_to_all != inner.words_to_all || ticket.words != inner.words_of(id) {
            return;
        }
        if inner.tags.len() >= TAGS_MAX && !inner.tags.contains_key(&id) {
            inner.tags.clear();
        }
        let until = Instant::now() + believed.map_or(BELIEVED, |believed| believed.min(BELIEVED));
        inner.tags.insert(id, Tag { client_id, text: Arc::clone(text), until });
    }

    /// Takes a word that something of these has changed.
    pub(crate) fn forget(&self, rows: Rows) {
        let mut inner = self.lock();
        match rows {
            Rows::OfDomain(id) => {
                if let Some(words) = inner.words.get_mut(part(id)) {
                    *words += 1;
                }
                inner.tags.remove(&id);
            }
            Rows::OfClient(client_id) => {
                // Whose domains are being read is not known.
                inner.words_to_all += 1;
                inner.tags.retain(|_, tag| tag.client_id != client_id);
            }
            Rows::All => inner.forget_all(),
        }
    }

    /// The line stood at this time, and all that was told before it has been heard or is heard now.
    pub(crate) fn line_stands(&self, at: Instant) {
        self.lock().trusted_until = Some(at + TRUSTED);
    }

    /// The line is cut: whatever is told from now on is missed.
    pub(crate) fn line_is_cut(&self) {
        let mut inner = self.lock();
        inner.trusted_until = None;
        inner.forget_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn words_of(&self, domain_id: Uuid) -> u64 {
        self.words.get(part(domain_id)).copied().unwrap_or(0)
    }

    fn forget_all(&mut self) {
        self.words_to_all += 1;
        self.tags = HashMap::new();
    }
}

/// The part that a domain is in; two that share one only hinder each other's noting for a moment.
fn part(id: Uuid) -> usize {
    // The last octets of an id are random, in every version.
    let [.., high, low] = *id.as_bytes();
    usize::from(u16::from_be_bytes([high, low])) % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn standing() -> Snapshot {
        let snapshot = Snapshot::default();
        snapshot.line_stands(Instant::now());
        snapshot
    }

    /// Reads and notes a domain of the client 100.
    fn note(snapshot: &Snapshot, number: u128) {
        let ticket = snapshot.ticket(id(number)).unwrap();
        snapshot.note(ticket, id(100), &Arc::from("tag"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tag_is_known_until_a_word_about_it() {
        for rows in [Rows::OfDomain(id(1)), Rows::OfClient(id(100)), Rows::All] {
            let snapshot = standing();
            assert_eq!(snapshot.get(id(1)), None);
            note(&snapshot, 1);
            assert_eq!(snapshot.get(id(1)), Some((id(100), "tag".into())));
            assert_eq!(snapshot.get(id(2)), None);
            snapshot.forget(Rows::OfDomain(id(2)));
            snapshot.forget(Rows::OfClient(id(101)));
            assert!(snapshot.get(id(1)).is_some(), "{rows:?}: not about it");
            snapshot.forget(rows);
            assert_eq!(snapshot.get(id(1)), None, "{rows:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_before_a_word_is_not_noted_after_it() {
        for rows in [Rows::OfDomain(id(1)), Rows::OfClient(id(100)), Rows::All] {
            let snapshot = standing();
            let ticket = snapshot.ticket(id(1)).unwrap();
            snapshot.forget(rows);
            snapshot.note(ticket, id(100), &Arc::from("old"), None);
            assert_eq!(snapshot.get(id(1)), None, "{rows:?}");
        }
        let snapshot = standing();
        let ticket = snapshot.ticket(id(1)).unwrap();
        snapshot.line_is_cut();
        snapshot.line_stands(Instant::now());
        snapshot.note(ticket, id(100), &Arc::from("old"), None);
        assert_eq!(snapshot.get(id(1)), None, "the line was cut in between");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_known_while_no_word_would_be_heard() {
        let snapshot = Snapshot::default();
        assert!(snapshot.ticket(id(1)).is_none(), "no line yet");
        snapshot.line_stands(Instant::now());
        note(&snapshot, 1);
        tokio::time::advance(TRUSTED).await;
        assert_eq!(snapshot.get(id(1)), None, "silent for too long");
        assert!(snapshot.ticket(id(1)).is_none());
        snapshot.line_stands(Instant::now());
        assert!(snapshot.get(id(1)).is_some(), "it was only slow: all words were heard");
        snapshot.line_is_cut();
        assert_eq!(snapshot.get(id(1)), None, "cut");
        snapshot.line_stands(Instant::now());
        assert_eq!(snapshot.get(id(1)), None, "and what was known before is not believed again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tag_ages() {
        let snapshot = standing();
        note(&snapshot, 1);
        let ticket = snapshot.ticket(id(2)).unwrap();
        snapshot.note(ticket, id(100), &Arc::from("tag"), Some(Duration::from_secs(2)));
        let pass = async |seconds| {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            snapshot.line_stands(Instant::now());
        };
        pass(1).await;
        assert!(snapshot.get(id(1)).is_some() && snapshot.get(id(2)).is_some());
        pass(1).await;
        assert!(snapshot.get(id(1)).is_some() && snapshot.get(id(2)).is_none());
        pass(BELIEVED.as_secs()).await;
        assert_eq!(snapshot.get(id(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let snapshot = standing();
        for number in 0..=TAGS_MAX {
            note(&snapshot, u128::try_from(number).unwrap() << 64);
        }
        let kept = snapshot.lock().tags.len();
        assert!((1..=TAGS_MAX).contains(&kept), "{kept}");
    }
}
