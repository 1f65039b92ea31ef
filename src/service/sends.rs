//! Sends: reserved of today's limits, once for each key.
//!
//! Callers that come while others are being served are served next, all in one transaction, which waits for the disk once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::sending::gate::Readiness;
use crate::sending::warmup::midnight;
use crate::service::readiness::resets_at;
use crate::service::{Caller, Error, Service};
use crate::store::{Grant, Send, SendAsked, SendKey, Sent, StoreError};

/// The most sends that one request reserves.
pub const COUNT_MAX: i32 = 1_000_000;

/// How often it is tried again when something changes between the gate's look and the counters.
const TRIES_MAX: u32 = 8;

/// As errors name what failed.
const OPERATION: &str = "mailbox_send";

/// How many callers are served by one transaction.
const BATCH_MAX: usize = 128;

/// What was granted, and when the counters begin anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendView {
    /// What was granted.
    pub grant: Grant,
    /// When the next UTC day begins.
    pub resets_at: DateTime<Utc>,
    /// Whether it was granted before, by the same key.
    pub again: bool,
}

impl Service {
    /// Takes `count` sends of a mailbox's counter and its domain's, both or neither. With a key it is done once, and a
    /// repeat gets the first grant.
    ///
    /// # Errors
    ///
    /// [`Error::NotReady`], [`Error::DailyLimitReached`]: nothing is granted. [`Error::SendKeyReused`];
    /// [`Error::NoSuchMailbox`], [`Error::Forbidden`]; [`Error::DomainBusy`]; [`Error::Store`].
    pub async fn mailbox_send(
        &self,
        caller: &Caller,
        id: Uuid,
        count: i32,
        idem_key: Option<&str>,
    ) -> Result<SendView, Error> {
        let key = idem_key.map(|idem_key| SendKey { key_id: caller.key_id, idem_key });
        for _ in 0..TRIES_MAX {
            let row = self.see_mailbox(caller, id).await?;
            let now = self.clock.now();
            if let Err(refusal) = allowed(&self.readiness_of(&row, now), count, now) {
                // It may be a repeat of what took the last.
                let again = match key {
                    Some(key) => self.store.send_kept(id, key, now).await?,
                    None => None,
                };
                return again.map_or(Err(refusal), |grant| same(grant, count));
            }
            let send = Send {
                mailbox_id: id,
                domain_id: row.domain_id,
                count,
                status: row.status,
                daily_send_limit: row.daily_send_limit,
                stale_before: now - self.settings.patience.stale_limit,
            };
            match self.send_with_others(send, key).await? {
                Sent::Granted(grant) => return Ok(view(grant, false)),
                Sent::Again(grant) => return same(grant, count),
                Sent::Refused => {}
            }
        }
        Err(Error::DomainBusy)
    }
}

/// Whether the gate and the limits allow it.
fn allowed(readiness: &Readiness, count: i32, now: DateTime<Utc>) -> Result<(), Error> {
    if !readiness.may_send {
        let closing = readiness.reasons.iter().filter(|reason| reason.closes_sending());
        let shown: Vec<String> = closing.map(|reason| format!("{}: {}", reason.code(), reason.message())).collect();
        return Err(Error::NotReady(shown.join(" ")));
    }
    let (count, limit) = (u32::try_from(count).unwrap_or(0), readiness.daily_limit);
    let left = limit.saturating_sub(readiness.used_today);
    if count > left {
        return Err(Error::DailyLimitReached { count, left, limit, resets_at: resets_at(now) });
    }
    Ok(())
}

/// A repeat asks for what was granted.
fn same(grant: Grant, count: i32) -> Result<SendView, Error> {
    if grant.granted == count { Ok(view(grant, true)) } else { Err(Error::SendKeyReused) }
}

fn view(grant: Grant, again: bool) -> SendView {
    SendView { grant, resets_at: resets_at(midnight(grant.day)), again }
}

/// Those who wait for their sends.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
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

    /// The next ones to serve; nothing when nobody waits, and then whoever comes next is to be served anew.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.lock();
        let count = queue.waiting.len().min(BATCH_MAX);
        let batch: Vec<Waiting> = queue.waiting.drain(..count).collect();
        queue.is_served = !batch.is_empty();
        (!batch.is_empty()).then_some(batch)
    }
}

impl Service {
    /// Takes sends together with whoever asks at the same time.
    async fn send_with_others(&self, send: Send, key: Option<SendKey<'_>>) -> Result<Sent, Error> {
        let (answer, answered) = oneshot::channel();
        let key = key.map(|key| (key.key_id, key.idem_key.to_owned()));
        let is_served = {
            let mut queue = self.sends.lock();
            queue.waiting.push(Waiting { send, key, answer });
            std::mem::replace(&mut queue.is_served, true)
        };
        if !is_served {
            // In a task of its own: a caller that goes away must not leave the others unserved.
            let service = self.clone();
            tokio::spawn(async move {
                while let Some(batch) = service.sends.next() {
                    service.serve_sends(batch).await;
                }
            });
        }
        // Only a process that ends drops its tasks.
        answered.await.map_err(|_| StoreError::unanswered(OPERATION, "the task ended"))?.map_err(Error::Store)
    }

    /// One transaction for all of them; where the database refuses that, one for each.
    async fn serve_sends(&self, batch: Vec<Waiting>) {
        let now = self.clock.now();
        let asked: Vec<SendAsked<'_>> = batch.iter().map(Waiting::asked).collect();
        match self.store.mailbox_send_all(&asked, now).await {
            // An error of sending says that the caller has gone away.
            Ok(done) => batch.into_iter().zip(done).for_each(|(waiting, sent)| drop(waiting.answer.send(Ok(sent)))),
            Err(fault) if fault.is_refusal() && batch.len() > 1 => {
                for waiting in batch {
                    let (send, key) = waiting.asked();
                    let sent = self.store.mailbox_send(&send, key, now).await;
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
