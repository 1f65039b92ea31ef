//! Sends of many callers in one transaction: whoever waits for the disk waits together.
//!
//! The rows of all domains and then of all mailboxes are locked, each in the order of their ids, as everybody does; what
//! each send takes is decided here, by the gate and the counters, in the order in which they came, and the counters are
//! written once. A key belongs to its mailbox, and is looked for and kept under that mailbox's lock: nobody can keep the
//! same in between.
//!
//! # Strictness
//!
//! PostgreSQL is asked as little as can be. Whoever has just written a row knows it still, and writes it again in one
//! statement with no transaction around it, unless somebody else has (`send_memory`). Else it is read first.
//! And nearly every key is new, and the row that is to keep it says so when it is not: then nothing of the attempt stands,
//! and the keys are looked for first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::sending::limit::Counter;
use crate::store::db::{Held, Tx, in_time};
use crate::store::mailbox::MailboxRow;
use crate::store::send::{Grant, OPERATION, Send, SendKey, Sent};
use crate::store::send_memory::{Memory, Version};
use crate::store::send_rows::{Count, KeyGrant, Versions, Writes, kept, lock, take, write};
use crate::store::{Store, StoreError};

/// One caller's sends, and what they are known by.
pub type SendAsked<'a> = (Send, Option<SendKey<'a>>);

/// After how many batches PostgreSQL plans anew what it is asked, for the first time; then each time they are twice as many.
const PLANNED_FOR: u32 = 16;

/// After how many at most.
const PLANNED_FOR_MAX: u32 = 4_096;

/// What whoever serves sends has at hand from one batch to the next.
#[derive(Default)]
pub(in crate::store) struct Lane {
    /// It has prepared already what it asks.
    held: Option<Held>,
    memory: Memory,
    /// How many batches there were since it was planned how to ask, and how many there are to be.
    batches: u32,
    planned_for: u32,
}

/// What is known of the keys before anything is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Nothing: each is taken to be new.
    TakenAsNew,
    /// What was granted by them.
    LookedFor,
}

/// A counter of a row, and what becomes of it.
#[derive(Debug, Clone, Copy)]
struct Taking {
    used: i32,
    day: Option<NaiveDate>,
    limit: i32,
    is_written: bool,
}

impl Taking {
    fn of(used: i32, day: Option<NaiveDate>, limit: i32) -> Taking {
        Taking { used, day, limit, is_written: false }
    }

    /// The counter after `count` more of `today`; nothing where the limit does not allow it.
    fn after(self, count: i32, today: NaiveDate) -> Option<Taking> {
        // Of an earlier day it counts nothing; without a day it is the platform's, and meant for today.
        let used = if self.day.is_some_and(|day| day < today) { 0 } else { self.used.max(0) };
        let used = used.checked_add(count).filter(|used| *used <= self.limit)?;
        let day = self.day.filter(|day| *day > today).unwrap_or(today);
        Some(Taking { used, day: Some(day), is_written: true, ..self })
    }

    fn counter(self) -> Counter {
        Counter::of(self.used, self.limit)
    }
}

/// The rows that are held, and their counters as they become.
struct Locked {
    rows: HashMap<Uuid, MailboxRow>,
    domains: HashMap<Uuid, Taking>,
    mailboxes: HashMap<Uuid, Taking>,
}

impl Locked {
    fn of(rows: Vec<MailboxRow>) -> Locked {
        let domain = |row: &MailboxRow| {
            let domain = &row.domain;
            (row.domain_id, Taking::of(domain.current_daily_sends, domain.sends_day, domain.daily_send_limit))
        };
        let mailbox =
            |row: &MailboxRow| (row.id, Taking::of(row.current_daily_sends, row.sends_day, row.daily_send_limit));
        Locked {
            domains: rows.iter().map(domain).collect(),
            mailboxes: rows.iter().map(mailbox).collect(),
            rows: rows.into_iter().map(|row| (row.id, row)).collect(),
        }
    }

    /// The rows as they become.
    fn rows(self) -> impl Iterator<Item = MailboxRow> {
        let Locked { rows, domains, mailboxes } = self;
        rows.into_values().map(move |mut row| {
            if let (Some(of_domain), Some(of_mailbox)) = (domains.get(&row.domain_id), mailboxes.get(&row.id)) {
                (row.current_daily_sends, row.sends_day) = (of_mailbox.used, of_mailbox.day);
                (row.domain.current_daily_sends, row.domain.sends_day) = (of_domain.used, of_domain.day);
            }
            row
        })
    }

    /// Takes of both counters, or of neither. `before` is what the same key was granted.
    fn take(&mut self, send: &Send, before: Option<Grant>, now: DateTime<Utc>) -> Sent {
        let Some(row) = self.rows.get_mut(&send.mailbox_id) else { return Sent::Missing };
        if send.client_id.is_some_and(|client_id| client_id != row.client_id) {
            return Sent::Missing;
        }
        if let Some(grant) = before {
            return Sent::Again(grant);
        }
        if row.deleted_at.is_none() && row.wants_reckoning(now) {
            return Sent::Unreckoned;
        }
        let (Some(of_domain), Some(of_mailbox)) =
            (self.domains.get_mut(&row.domain_id), self.mailboxes.get_mut(&row.id))
        else {
            return Sent::Missing;
        };
        let today = now.date_naive();
        // The gate sees what those before it have taken.
        (row.current_daily_sends, row.sends_day) = (of_mailbox.used, of_mailbox.day);
        (row.domain.current_daily_sends, row.domain.sends_day) = (of_domain.used, of_domain.day);
        let readiness = row.readiness(send.rules, now);
        let taken = of_domain.after(send.count, today).zip(of_mailbox.after(send.count, today));
        match taken.filter(|_| readiness.may_send) {
            Some((domain, mailbox)) => {
                (*of_domain, *of_mailbox) = (domain, mailbox);
                let (mailbox, domain) = (mailbox.counter(), domain.counter());
                Sent::Granted(Grant { granted: send.count, mailbox, domain, day: today })
            }
            None => Sent::Refused(Box::new(readiness)),
        }
    }
}

/// What became of all, and what is to be kept of it.
struct Decided<'s> {
    done: Vec<Sent>,
    kept: Vec<KeyGrant<'s>>,
    /// Whether it would be otherwise if a key had been granted something before.
    hangs_on_keys: bool,
}

impl Store {
    /// Takes the sends of many callers from their mailboxes' counters and their domains', each from both or from neither,
    /// and never over a limit. Those with a key are done once: whoever asks again gets the first grant. What became of
    /// each, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is known to be taken. What the database refuses takes the others with it, and nothing is
    /// written then ([`StoreError::is_refusal`]): each alone is to be tried.
    pub(in crate::store) async fn mailbox_send_all(
        &self,
        lane: &mut Lane,
        sends: &[SendAsked<'_>],
        now: DateTime<Utc>,
    ) -> Result<Vec<Sent>, StoreError> {
        lane.plan().await;
        if let Some(done) = lane.send_as_remembered(sends, now).await? {
            return Ok(done);
        }
        if let Some(done) = self.send_all(lane, sends, Keys::TakenAsNew, now).await? {
            return Ok(done);
        }
        let done = self.send_all(lane, sends, Keys::LookedFor, now).await?;
        done.ok_or_else(|| StoreError::unanswered(OPERATION, "a key was kept by somebody else under our lock"))
    }

    /// Nothing, and nothing is taken, where the keys must be known first.
    async fn send_all(
        &self,
        lane: &mut Lane,
        sends: &[SendAsked<'_>],
        keys: Keys,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Sent>>, StoreError> {
        let mut connection = match lane.held.take() {
            Some(connection) => connection,
            None => self.db.hold(OPERATION).await?,
        };
        let memory = &mut lane.memory;
        let done = match connection.begin(OPERATION).await {
            Ok(tx) => Some(send_within(tx, memory, sends, keys, now).await?),
            // It has fallen since the batch before; nothing was asked of it yet.
            Err(_) => None,
        };
        let done = match done {
            Some(done) => done,
            None => {
                connection = self.db.hold(OPERATION).await?;
                let tx = connection.begin(OPERATION).await?;
                send_within(tx, memory, sends, keys, now).await?
            }
        };
        lane.held = Some(connection);
        Ok(done)
    }
}

impl Lane {
    /// Has what is asked planned anew from time to time. PostgreSQL plans a statement once for a connection, and goes on to
    /// read the whole of a table that was nearly empty then.
    async fn plan(&mut self) {
        self.batches += 1;
        if self.batches <= self.planned_for {
            return;
        }
        self.batches = 0;
        self.planned_for = (self.planned_for * 2).clamp(PLANNED_FOR, PLANNED_FOR_MAX);
        if let Some(Held::Postgres(connection)) = &mut self.held
            && in_time(connection.clear_cached_statements()).await.is_err()
        {
            // It has fallen; nothing was asked of it yet.
            self.held = None;
        }
    }

    /// In one statement, where all rows are remembered and nobody else has written them; nothing, and nothing is taken,
    /// where they must be read first.
    async fn send_as_remembered(
        &mut self,
        sends: &[SendAsked<'_>],
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Sent>>, StoreError> {
        let Some(Held::Postgres(connection)) = &mut self.held else { return Ok(None) };
        let Some(rows) = self.memory.rows(mailboxes_of(sends).iter()) else { return Ok(None) };
        let (taken, decided) = decide(Locked::of(rows), sends, BTreeMap::new(), now);
        if !decided.done.iter().all(|sent| matches!(sent, Sent::Granted(_) | Sent::Again(_))) {
            return Ok(None);
        }
        let writes =
            Writes { domains: counts(&taken.domains), mailboxes: counts(&taken.mailboxes), keys: &decided.kept };
        let of_domains = self.memory.of_domains(writes.domains.iter().map(|count| count.id));
        let of_mailboxes = self.memory.of_mailboxes(writes.mailboxes.iter().map(|count| count.id));
        match take(connection, &writes, &of_domains, &of_mailboxes, now).await {
            Ok(Some(version)) => {
                self.memory.put(taken.rows().map(|row| (row, version, version)));
                self.memory.was_right();
                Ok(Some(decided.done))
            }
            Ok(None) => {
                self.memory.was_wrong();
                Ok(None)
            }
            Err(fault) => {
                // Nobody knows what stands now, nor whether the connection does.
                self.memory.forget();
                self.held = None;
                Err(fault)
            }
        }
    }
}

/// The mailboxes of a batch, in the order in which rows are locked.
fn mailboxes_of(sends: &[SendAsked<'_>]) -> BTreeSet<Uuid> {
    sends.iter().map(|(send, _)| send.mailbox_id).collect()
}

/// The whole transaction.
async fn send_within(
    mut tx: Tx<'_>,
    memory: &mut Memory,
    sends: &[SendAsked<'_>],
    keys: Keys,
    now: DateTime<Utc>,
) -> Result<Option<Vec<Sent>>, StoreError> {
    let rows = lock(&mut tx, &Vec::from_iter(mailboxes_of(sends))).await?;
    let versions: HashMap<Uuid, Versions> =
        rows.iter().filter_map(|held| held.versions.map(|versions| (held.row.id, versions))).collect();
    let locked = Locked::of(rows.into_iter().map(|held| held.row).collect());
    let before = match keys {
        Keys::TakenAsNew => BTreeMap::new(),
        Keys::LookedFor => {
            let keyed = sends.iter().enumerate();
            let keyed = keyed.filter_map(|(place, (send, key))| key.map(|key| (place, send.mailbox_id, key)));
            kept(&mut tx, keyed, now).await?
        }
    };
    let (locked, decided) = decide(locked, sends, before, now);
    let is_sure = keys == Keys::LookedFor || !decided.hangs_on_keys;
    let is_done = is_sure && write_all(&mut tx, &locked, &decided, now).await?;
    // A transaction that is only dropped keeps its locks for a while.
    if !is_done {
        tx.rollback(OPERATION).await?;
        return Ok(None);
    }
    // Before it is known whether it stands: what does not is of no version.
    memory.put(remembered(locked, &versions));
    tx.commit(OPERATION).await?;
    Ok(Some(decided.done))
}

/// The rows as they are once the transaction stands.
fn remembered(
    taken: Locked,
    versions: &HashMap<Uuid, Versions>,
) -> impl Iterator<Item = (MailboxRow, Version, Version)> {
    let is_written = |taking: Option<&Taking>| taking.is_some_and(|taking| taking.is_written);
    let written: HashMap<Uuid, (bool, bool)> = taken
        .rows
        .values()
        .map(|row| (row.id, (is_written(taken.mailboxes.get(&row.id)), is_written(taken.domains.get(&row.domain_id)))))
        .collect();
    taken.rows().filter_map(move |row| {
        let (versions, (of_mailbox, of_domain)) = (versions.get(&row.id)?, written.get(&row.id)?);
        let mailbox = if *of_mailbox { versions.own } else { versions.mailbox };
        let domain = if *of_domain { versions.own } else { versions.domain };
        Some((row, mailbox, domain))
    })
}

/// What each takes, in their order.
fn decide<'s>(
    mut locked: Locked,
    sends: &[SendAsked<'s>],
    mut before: BTreeMap<usize, Grant>,
    now: DateTime<Utc>,
) -> (Locked, Decided<'s>) {
    let mut decided = Decided { done: Vec::with_capacity(sends.len()), kept: Vec::new(), hangs_on_keys: false };
    // Of two with one key, the first in this batch.
    let mut firsts: HashMap<(Uuid, SendKey<'_>), Grant> = HashMap::new();
    for (place, (send, key)) in sends.iter().enumerate() {
        let scope = key.map(|key| (send.mailbox_id, key));
        let first = || scope.and_then(|scope| firsts.get(&scope).copied());
        let sent = locked.take(send, before.remove(&place).or_else(first), now);
        match (scope, &sent) {
            (Some(scope), Sent::Granted(grant)) => {
                firsts.insert(scope, *grant);
                decided.kept.push((scope, *grant));
            }
            (Some(_), Sent::Refused(_) | Sent::Unreckoned) => decided.hangs_on_keys = true,
            _ => {}
        }
        decided.done.push(sent);
    }
    (locked, decided)
}

/// Writes the counters that are other than they were, and the keys; whether each key was new.
async fn write_all(
    tx: &mut Tx<'_>,
    locked: &Locked,
    decided: &Decided<'_>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    if !decided.done.iter().any(|sent| matches!(sent, Sent::Granted(_))) {
        return Ok(true);
    }
    let (domains, mailboxes) = (counts(&locked.domains), counts(&locked.mailboxes));
    let new = write(tx, &Writes { domains, mailboxes, keys: &decided.kept }, now).await?;
    Ok(usize::try_from(new).is_ok_and(|new| new == decided.kept.len()))
}

fn counts(takings: &HashMap<Uuid, Taking>) -> Vec<Count> {
    let count = |(id, taking): (&Uuid, &Taking)| Count { id: *id, used: taking.used, day: taking.day };
    takings.iter().filter(|(_, taking)| taking.is_written).map(count).collect()
}
