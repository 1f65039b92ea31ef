//! Sends that are asked for at once, served together: callers that come while others are being served are served next, all in
//! one transaction, which waits for the disk once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::store::db::Held;
use crate::store::send::{Send, SendKey, Sent};
use crate::store::send_batch::SendAsked;
use crate::store::{Store, StoreError};

/// As errors name what failed.
const OPERATION: &str = "mailbox_send";

/// How many callers are served by one transaction.
const BATCH_MAX: usize = 128;

/// Those who wait for their sends.
#[derive(Debug, Default)]
pub(in crate::store) struct SendQueue {
    inner: Mutex<Queue>,
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
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next ones to serve, all of one day; nothing when nobody waits, and then whoever comes next is to be served
    /// anew.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.lock();
        let day = queue.waiting.first().map(|first| first.now.date_naive());
        let is_same = |waiting: &&Waiting| Some(waiting.now.date_naive()) == day;
        let count = queue.waiting.iter().take(BATCH_MAX).take_while(is_same).count();
        let batch: Vec<Waiting> = queue.waiting.drain(..count).collect();
        queue.is_served = !batch.is_empty();
        (!batch.is_empty()).then_some(batch)
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
        let is_served = {
            let mut queue = self.sends.lock();
            queue.waiting.push(Waiting { send: *send, key, now, answer });
            std::mem::replace(&mut queue.is_served, true)
        };
        if !is_served {
            // In a task of its own: a caller that goes away must not leave the others unserved.
            let store = self.clone();
            tokio::spawn(async move {
                let mut held = None;
                while let Some(batch) = store.sends.next() {
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
