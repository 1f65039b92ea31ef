//! Sends that are asked for at once, served together: callers that come while others are being served are served next, all in
//! one transaction, which waits for the disk once.
//!
//! PostgreSQL has two lanes, so that one works while the other waits for the disk. All mailboxes of a domain go by the same,
//! as far as it is known whose they are: otherwise the lanes would only wait for each other's locks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::store::db::{Db, Held};
use crate::store::mailbox::MailboxRow;
use crate::store::send::{Send, SendKey, Sent};
use crate::store::send_batch::SendAsked;
use crate::store::{Store, StoreError};

/// As errors name what failed.
const OPERATION: &str = "mailbox_send";

/// How many callers are served by one transaction.
const BATCH_MAX: usize = 128;

/// Of how many mailboxes it is remembered whose they are, at about 50 octets each; past that all are forgotten.
const HOMES_MAX: usize = 100_000;

/// Those who wait for their sends.
#[derive(Debug, Default)]
pub(in crate::store) struct SendQueue {
    first: Mutex<Queue>,
    second: Mutex<Queue>,
    /// The domains of mailboxes; a mailbox never changes its domain.
    homes: Mutex<HashMap<Uuid, Uuid>>,
}

/// Those whose sends are served one batch after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    First,
    Second,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether somebody serves them.
    is_served: bool,
}

#[derive(Debug)]
struct Waiting {
    send: Send,
    key: Option<(Uuid, String)>,
    now: DateTime<Utc>,
    answer: oneshot::Sender<Result<Sent, StoreError>>,
}

impl Waiting {
    fn asked(&self) -> SendAsked<'_> {
        (self.send, self.key.as_ref().map(|(key_id, idem_key)| SendKey { key_id: *key_id, idem_key }))
    }
}

impl SendQueue {
    /// By which lane a mailbox's sends go. SQLite has one writer, and the first is his.
    fn lane_of(&self, db: &Db, mailbox_id: Uuid) -> Lane {
        let home = self.homes().get(&mailbox_id).copied().unwrap_or(mailbox_id);
        // The last octets of an id are random, in every version.
        match db {
            Db::Postgres(_) if home.as_u128() % 2 == 1 => Lane::Second,
            Db::Postgres(_) | Db::Sqlite(_) => Lane::First,
        }
    }

    fn queue(&self, lane: Lane) -> MutexGuard<'_, Queue> {
        let queue = match lane {
            Lane::First => &self.first,
            Lane::Second => &self.second,
        };
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins those who wait; whether somebody serves them.
    fn join(&self, lane: Lane, waiting: Waiting) -> bool {
        let mut queue = self.queue(lane);
        queue.waiting.push(waiting);
        std::mem::replace(&mut queue.is_served, true)
    }

    /// The next ones to serve, all of one day; nothing when nobody waits, and then whoever comes next is to be served
    /// anew.
    fn next(&self, lane: Lane) -> Option<Vec<Waiting>> {
        let mut queue = self.queue(lane);
        let day = queue.waiting.first().map(|first| first.now.date_naive());
        let is_same = |waiting: &&Waiting| Some(waiting.now.date_naive()) == day;
        let count = queue.waiting.iter().take(BATCH_MAX).take_while(is_same).count();
        let batch: Vec<Waiting> = queue.waiting.drain(..count).collect();
        queue.is_served = !batch.is_empty();
        (!batch.is_empty()).then_some(batch)
    }

    /// Notes whose mailboxes are.
    pub(in crate::store) fn note_homes(&self, rows: &[MailboxRow]) {
        let mut homes = self.homes();
        if homes.len() + rows.len() > HOMES_MAX {
            homes.clear();
        }
        homes.extend(rows.iter().map(|row| (row.id, row.domain_id)));
    }

    fn homes(&self) -> MutexGuard<'_, HashMap<Uuid, Uuid>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Takes sends from a mailbox's counter and its domain's, both or neither, and never over a limit, however many ask
    /// at once. With a key it is done once: whoever asks again gets the first grant, whatever became of its answer.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is taken, or with a key: ask again.
    pub async fn mailbox_send(
        &self,
        send: &Send,
        key: Option<SendKey<'_>>,
        now: DateTime<Utc>,
    ) -> Result<Sent, StoreError> {
        let (answer, answered) = oneshot::channel();
        let key = key.map(|key| (key.key_id, key.idem_key.to_owned()));
        let lane = self.sends.lane_of(&self.db, send.mailbox_id);
        if !self.sends.join(lane, Waiting { send: *send, key, now, answer }) {
            // In a task of its own: a caller that goes away must not leave the others unserved.
            let store = self.clone();
            tokio::spawn(async move {
                let mut held = None;
                while let Some(batch) = store.sends.next(lane) {
                    store.serve_sends(&mut held, batch).await;
                }
            });
        }
        // Only a process that ends drops its tasks.
        answered.await.map_err(|_| StoreError::unanswered(OPERATION, "the task ended"))?
    }

    /// One transaction for all of them; where the database refuses that, one for each.
    async fn serve_sends(&self, held: &mut Option<Held>, batch: Vec<Waiting>) {
        let Some(now) = batch.iter().map(|waiting| waiting.now).max() else { return };
        let asked: Vec<SendAsked<'_>> = batch.iter().map(Waiting::asked).collect();
        match self.mailbox_send_all(held, &asked, now).await {
            // An error of sending says that the caller has gone away.
            Ok(done) => batch.into_iter().zip(done).for_each(|(waiting, sent)| drop(waiting.answer.send(Ok(sent)))),
            Err(fault) if fault.is_refusal() && batch.len() > 1 => {
                for waiting in batch {
                    let sent = self.mailbox_send_all(held, &[waiting.asked()], waiting.now).await;
                    let sent = sent.map(|done| done.into_iter().next().unwrap_or(Sent::Missing));
                    drop(waiting.answer.send(sent));
                }
            }
            Err(fault) => {
                let text = fault.to_string();
                let mut batch = batch.into_iter();
                if let Some(first) = batch.next() {
                    drop(first.answer.send(Err(fault)));
                }
                batch.for_each(|waiting| drop(waiting.answer.send(Err(StoreError::unanswered(OPERATION, &text)))));
            }
        }
    }
}
