//! Sends: reserved of today's limits, once for each key.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::sending::gate::Readiness;
use crate::sending::warmup::midnight;
use crate::service::readiness::resets_at;
use crate::service::{Caller, Error, Service};
use crate::store::{Grant, Send, SendKey, Sent};

/// The most sends that one request reserves.
pub const COUNT_MAX: i32 = 1_000_000;

/// How often it is tried again when something changes between the gate's look and the counters.
const TRIES_MAX: u32 = 8;

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
            match self.store.mailbox_send(&send, key, now).await? {
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
