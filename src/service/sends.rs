//! Sends: reserved of today's limits, once for each key.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::sending::gate::Readiness;
use crate::sending::warmup::midnight;
use crate::service::caller::Sight;
use crate::service::readiness::resets_at;
use crate::service::{Caller, Error, Service};
use crate::store::{Grant, Send, SendKey, Sent};

/// The most sends that one request reserves.
pub const COUNT_MAX: i32 = 1_000_000;

/// How often it is tried again when the warm-up is to be reckoned between one look and the next.
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
        let client_id = match caller.sight()? {
            Sight::All => None,
            Sight::Client(client_id) => Some(client_id),
        };
        let key = idem_key.map(|idem_key| SendKey { key_id: caller.key_id, idem_key });
        let send = Send { mailbox_id: id, client_id, count, rules: self.gate_rules() };
        for _ in 0..TRIES_MAX {
            let now = self.clock.now();
            match self.store.mailbox_send(&send, key, now).await? {
                Sent::Granted(grant) => return Ok(view(grant, false)),
                Sent::Again(grant) => return same(grant, count),
                Sent::Refused(readiness) => return Err(refusal(&readiness, count, now)),
                Sent::Missing => return Err(Error::NoSuchMailbox(id)),
                Sent::Unreckoned => drop(self.see_mailbox(caller, id).await?),
            }
        }
        Err(Error::DomainBusy)
    }
}

/// Why the gate or a limit does not allow it.
fn refusal(readiness: &Readiness, count: i32, now: DateTime<Utc>) -> Error {
    if !readiness.may_send {
        let closing = readiness.reasons.iter().filter(|reason| reason.closes_sending());
        let shown: Vec<String> = closing.map(|reason| format!("{}: {}", reason.code(), reason.message())).collect();
        return Error::NotReady(shown.join(" "));
    }
    let (count, limit) = (u32::try_from(count).unwrap_or(0), readiness.daily_limit);
    let left = limit.saturating_sub(readiness.used_today);
    Error::DailyLimitReached { count, left, limit, resets_at: resets_at(now) }
}

/// A repeat asks for what was granted.
fn same(grant: Grant, count: i32) -> Result<SendView, Error> {
    if grant.granted == count { Ok(view(grant, true)) } else { Err(Error::SendKeyReused) }
}

fn view(grant: Grant, again: bool) -> SendView {
    SendView { grant, resets_at: resets_at(midnight(grant.day)), again }
}
