//! Sends that are asked for at once, served together: callers that come while others are being served are served next, all in
//! one transaction, which waits for the disk once. On PostgreSQL a thread serves them ([`crate::store::send_lane`]), on
//! SQLite a task.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use crate::store::db::Db;
use crate::store::send::{OPERATION, Send, SendKey, Sent};
use crate::store::send_batch::{Lane, SendAsked};
use crate::store::send_lane;
use crate::store::{Store, StoreError};

/// How many callers are served by one transaction.
const BATCH_MAX: usize = 128;

/// Those who wait for their sends.
#[derive(Debug, Default)]
pub(in crate::store) struct SendQueue {
    inner: Mutex<Queue>,
    /// Told to whoever rests.
    came: Notify,
}

/// What whoever serves those who wait is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) enum Server {
    /// There is nobody.
    #[default]
    Gone,
    /// Waits to be told that somebody has come.
    Resting,
    /// Serves, and will see whoever comes meanwhile.
    Busy,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    server: Server,
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

    /// Joins those who wait; what whoever is to serve them was doing.
    fn join(&self, waiting: Waiting) -> Server {
        let mut queue = self.lock();
        queue.waiting.push(waiting);
        std::mem::replace(&mut queue.server, Server::Busy)
    }

    /// The next ones to serve, all of one day. When nobody waits there is nothing to serve, and the server does as it is
    /// said from now on.
    fn next(&self, then: Server) -> Option<Vec<Waiting>> {
        let mut queue = self.lock();
        let day = queue.waiting.first().map(|first| first.now.date_naive());
        let is_same = |waiting: &&Waiting| Some(waiting.now.date_naive()) == day;
        let count = queue.waiting.iter().take(BATCH_MAX).take_while(is_same).count();
        let batch: Vec<Waiting> = queue.waiting.drain(..count).collect();
        queue.server = if batch.is_empty() { then } else { Server::Busy };
        (!batch.is_empty()).then_some(batch)
    }

    /// Waits until somebody has come to a server that rests.
    pub(in crate::store) async fn came(&self) {
        self.came.notified().await;
    }

    /// Whether the server may go; not when somebody has come in the last moment.
    pub(in crate::store) fn leave(&self) -> bool {
        let mut queue = self.lock();
        let may_go = queue.waiting.is_empty();
        if may_go {
            queue.server = Server::Gone;
        }
        may_go
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
        match self.sends.join(Waiting { send: *send, key, now, answer }) {
            Server::Busy => {}
            Server::Resting => self.sends.came.notify_one(),
            Server::Gone => match &self.db {
                Db::Postgres(pool) => send_lane::start(self, pool),
                // In a task of its own: a caller that goes away must not leave the others unserved.
                Db::Sqlite(_) => drop(tokio::spawn(self.clone().serve_for_now())),
            },
        }
        // Only a process that ends drops its tasks.
        answered.await.map_err(|_| StoreError::unanswered(OPERATION, "the task ended"))?
    }

    /// Serves those who wait and whoever comes meanwhile, and goes.
    pub(in crate::store) async fn serve_for_now(self) {
        self.serve_waiting(&mut Lane::default(), Server::Gone).await;
    }

    /// Serves those who wait and whoever comes meanwhile.
    pub(in crate::store) async fn serve_waiting(&self, lane: &mut Lane, then: Server) {
        while let Some(batch) = self.sends.next(then) {
            self.serve_sends(lane, batch).await;
        }
    }

    /// One transaction for all of them; where the database refuses that, one for each.
    async fn serve_sends(&self, lane: &mut Lane, batch: Vec<Waiting>) {
        let Some(now) = batch.iter().map(|waiting| waiting.now).max() else { return };
        let asked: Vec<SendAsked<'_>> = batch.iter().map(Waiting::asked).collect();
        match self.mailbox_send_all(lane, &asked, now).await {
            // An error of sending says that the caller has gone away.
            Ok(done) => batch.into_iter().zip(done).for_each(|(waiting, sent)| drop(waiting.answer.send(Ok(sent)))),
            Err(fault) if fault.is_refusal() && batch.len() > 1 => {
                for waiting in batch {
                    let sent = self.mailbox_send_all(lane, &[waiting.asked()], waiting.now).await;
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
