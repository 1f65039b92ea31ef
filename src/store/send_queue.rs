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
    /// Told when the server has gone.
    gone: Notify,
}

/// What whoever serves those who wait is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) enum Server {
    /// There is nobody.
    #[default]
    Gone,
    /// Tidies up, and serves no more.
    Going,
    /// Waits to be told that somebody has come.
    Resting,
    /// Serves, and will see whoever comes meanwhile.
    Busy,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    server: Server,
    /// Whether nobody is to come any more.
    is_ending: bool,
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

/// Whoever serves. Should he panic, nobody must wait for him for ever: who waits is answered, and the next who comes is served
/// anew.
struct Shift<'q>(&'q SendQueue);

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = self.0.lock();
            queue.waiting.clear();
            queue.server = Server::Gone;
            self.0.gone.notify_waiters();
        }
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
        if queue.server == Server::Gone {
            self.gone.notify_waiters();
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Waits until somebody has come to a server that rests.
    pub(in crate::store) async fn came(&self) {
        self.came.notified().await;
    }

    /// Whether the server goes; not when somebody has come in the last moment.
    pub(in crate::store) fn leave(&self) -> bool {
        let mut queue = self.lock();
        let goes = queue.waiting.is_empty();
        if goes {
            queue.server = Server::Going;
        }
        goes
    }

    /// Whether a server that rests is rather to go.
    pub(in crate::store) fn is_ending(&self) -> bool {
        self.lock().is_ending
    }

    /// The server has gone, unless another has come meanwhile.
    pub(in crate::store) fn went(&self) {
        let mut queue = self.lock();
        if queue.server == Server::Going {
            queue.server = Server::Gone;
        }
        self.gone.notify_waiters();
    }

    /// Has the server go once it has served who waits, and waits for that.
    pub(in crate::store) async fn end(&self) {
        loop {
            let gone = self.gone.notified();
            {
                let mut queue = self.lock();
                queue.is_ending = true;
                if queue.server == Server::Gone {
                    return;
                }
            }
            self.came.notify_one();
            gone.await;
        }
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
            Server::Gone | Server::Going => match &self.db {
                Db::Postgres(pool) => send_lane::start(self, pool),
                // In a task of its own: a caller that goes away must not leave the others unserved.
                Db::Sqlite(_) => drop(tokio::spawn(self.clone().serve_for_now())),
            },
        }
        // Only a process that ends, or a panic, drops it unanswered.
        answered.await.map_err(|_| StoreError::unanswered(OPERATION, "the task ended"))?
    }

    /// Serves those who wait and whoever comes meanwhile, and goes.
    pub(in crate::store) async fn serve_for_now(self) {
        self.serve_waiting(&mut Lane::default(), Server::Gone).await;
    }

    /// Serves those who wait and whoever comes meanwhile.
    pub(in crate::store) async fn serve_waiting(&self, lane: &mut Lane, then: Server) {
        let _shift = Shift(&self.sends);
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use chrono::TimeDelta;

    use super::*;
    use crate::sending::health::Bounds;
    use crate::store::GateRules;
    use crate::verify::standing::Patience;

    fn waiting() -> (Waiting, oneshot::Receiver<Result<Sent, StoreError>>) {
        let hour = TimeDelta::hours(1);
        let patience = Patience { grace: hour, recovery_hold: hour, stale_limit: hour };
        let rules = GateRules { patience, bounds: Bounds { bounce_max: 0.05, spam_max: 0.001 } };
        let send = Send { mailbox_id: Uuid::nil(), client_id: None, count: 1, rules };
        let (answer, answered) = oneshot::channel();
        (Waiting { send, key: None, now: DateTime::UNIX_EPOCH, answer }, answered)
    }

    #[test]
    fn a_server_that_panics_leaves_nobody_waiting() {
        let queue = SendQueue::default();
        let (first, mut answered) = waiting();
        assert_eq!(queue.join(first), Server::Gone);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let _shift = Shift(&queue);
            panic!("in the middle");
        }));
        assert!(ended.is_err());
        assert_eq!(answered.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
        assert_eq!(queue.join(waiting().0), Server::Gone, "the next is served anew");
    }

    #[test]
    fn a_server_leaves_only_when_nobody_has_come() {
        let queue = SendQueue::default();
        assert_eq!(queue.join(waiting().0), Server::Gone);
        assert_eq!(queue.next(Server::Resting).map(|batch| batch.len()), Some(1));
        assert!(queue.next(Server::Resting).is_none());
        assert_eq!(queue.join(waiting().0), Server::Resting, "and is to be told");
        assert!(!queue.leave());
        assert_eq!(queue.next(Server::Resting).map(|batch| batch.len()), Some(1));
        assert!(queue.next(Server::Resting).is_none() && queue.leave());
        assert_eq!(queue.join(waiting().0), Server::Going, "so another is to come");
        queue.went();
        assert_eq!(queue.join(waiting().0), Server::Busy, "which the one before does not undo by going");
    }
}
