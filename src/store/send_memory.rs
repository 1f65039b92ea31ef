//! What a server of sends remembers of the rows that it wrote last, so that it need not read them again before it writes
//! them once more.
//!
//! Nothing is believed of it: whatever is decided on remembered rows is written only where the rows are still of the same
//! versions. And only a grant is decided on them; who is refused is refused by what stands in the database.

use std::collections::HashMap;

use tokio::time::{Duration, Instant};
use uuid::Uuid;

use crate::store::mailbox::{MailboxDomain, MailboxRow};

/// The most mailboxes that are remembered, at about 600 octets each; past that all are forgotten.
const MAILBOXES_MAX: usize = 4_096;

/// How long after it was used a connection is taken to stand still. On an older one a transaction is begun first, which
/// finds out before anything is asked.
const STANDS_TIME: Duration = Duration::from_millis(100);

/// How many batches in a row are read first, at most, once it turned out that others write the same rows.
const PAUSE_MAX: u32 = 63;

/// The version of a row: PostgreSQL's number of the transaction that wrote it.
pub(in crate::store) type Version = i64;

/// What one server remembers.
#[derive(Debug, Default)]
pub(in crate::store) struct Memory {
    mailboxes: HashMap<Uuid, (MailboxRow, Version)>,
    domains: HashMap<Uuid, (MailboxDomain, Version)>,
    /// When the connection was last used.
    used_at: Option<Instant>,
    /// How many batches are to be read first, and how many it were the last time.
    pause: u32,
    paused: u32,
}

impl Memory {
    /// The rows of these mailboxes; nothing where one of them is not known, or they are rather to be read.
    pub(in crate::store) fn rows<'i>(&mut self, ids: impl Iterator<Item = &'i Uuid>) -> Option<Vec<MailboxRow>> {
        self.used_at.filter(|used| used.elapsed() < STANDS_TIME)?;
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        ids.map(|id| {
            let (row, _) = self.mailboxes.get(id)?;
            let (domain, _) = self.domains.get(&row.domain_id)?;
            Some(MailboxRow { domain: domain.clone(), ..row.clone() })
        })
        .collect()
    }

    /// The versions of these mailboxes.
    pub(in crate::store) fn of_mailboxes(&self, ids: impl Iterator<Item = Uuid>) -> Vec<Version> {
        ids.map(|id| self.mailboxes.get(&id).map_or(0, |(_, version)| *version)).collect()
    }

    /// The versions of these domains.
    pub(in crate::store) fn of_domains(&self, ids: impl Iterator<Item = Uuid>) -> Vec<Version> {
        ids.map(|id| self.domains.get(&id).map_or(0, |(_, version)| *version)).collect()
    }

    /// These rows stand in the database as they are here, in these versions.
    pub(in crate::store) fn put(&mut self, rows: impl Iterator<Item = (MailboxRow, Version, Version)>) {
        self.used_at = Some(Instant::now());
        if self.mailboxes.len() >= MAILBOXES_MAX {
            self.forget();
        }
        for (row, version, of_domain) in rows {
            self.domains.insert(row.domain_id, (row.domain.clone(), of_domain));
            self.mailboxes.insert(row.id, (row, version));
        }
    }

    /// What was decided on remembered rows has been written.
    pub(in crate::store) fn was_right(&mut self) {
        self.paused = 0;
    }

    /// Some row is no longer what is remembered: somebody else writes them, too, and may go on doing so.
    pub(in crate::store) fn was_wrong(&mut self) {
        self.paused = (self.paused * 2 + 1).min(PAUSE_MAX);
        self.pause = self.paused;
    }

    /// Nothing is known any more.
    pub(in crate::store) fn forget(&mut self) {
        self.mailboxes.clear();
        self.domains.clear();
    }
}
