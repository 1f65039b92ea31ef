//! Sends of many callers in one transaction: whoever waits for the disk waits together.
//!
//! The rows of all domains and then of all mailboxes are locked, each in the order of their ids, as everybody does; what
//! each send takes is decided here, by the gate and the counters, in the order in which they came, and the counters are
//! written once. A key belongs to its mailbox, and is looked for and kept under that mailbox's lock: nobody can keep the
//! same in between.
//!
//! # Strictness
//!
//! PostgreSQL is asked as little as can be: nearly every key is new, and the row that is to keep it says so when it is
//! not. Then nothing of the attempt stands, and the keys are looked for first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::sending::limit::Counter;
use crate::store::db::{Held, Tx, statements, tx};
use crate::store::idempotency::KEPT;
use crate::store::mailbox::{MailboxRow, Row, mailbox_columns, mailbox_select};
use crate::store::send::{Grant, KeptGrant, Send, SendKey, Sent};
use crate::store::settle::time;
use crate::store::{Store, StoreError};

/// As errors name what failed.
const OPERATION: &str = "mailbox_send";

macro_rules! ids {
    () => {
        "ANY (ARRAY(SELECT item_id FROM json_to_recordset($1::json) AS i(item_id UUID)))"
    };
}

macro_rules! keep_columns {
    () => {
        "mailbox_id, key_id, idem_key, at, day, granted, mailbox_used, mailbox_limit, domain_used, domain_limit"
    };
}

macro_rules! keep_over {
    () => {
        "ON CONFLICT (mailbox_id, key_id, idem_key) DO UPDATE SET at = excluded.at, day = excluded.day, \
         granted = excluded.granted, mailbox_used = excluded.mailbox_used, mailbox_limit = excluded.mailbox_limit, \
         domain_used = excluded.domain_used, domain_limit = excluded.domain_limit "
    };
}

statements! {
    // All domains before the first mailbox: the list of the domains that are held is whole before a mailbox is looked at.
    LOCK = "WITH d AS (SELECT id, domain, status, suspended_reason, deleted_at, dns_configured, spf_valid, dkim_valid, \
        dmarc_valid, mx_valid, stale_since, daily_send_limit, current_daily_sends, sends_day, malformed FROM email_domains \
        WHERE id = ANY (ARRAY(SELECT domain_id FROM email_mailboxes WHERE id = ", ids!(), ")) ORDER BY id FOR NO KEY UPDATE) \
        SELECT ", mailbox_columns!(), " FROM email_mailboxes AS m JOIN d ON d.id = m.domain_id WHERE m.id = ", ids!(), " \
        AND m.domain_id = ANY (ARRAY(SELECT id FROM d)) ORDER BY m.id FOR NO KEY UPDATE OF m"
        => mailbox_select!(), "WHERE m.id IN (SELECT unhex(value->>'item_id') FROM json_each($1)) ORDER BY m.id";
    KEPT_GRANTS = "SELECT i.place, s.day, s.granted, s.mailbox_used, s.mailbox_limit, s.domain_used, s.domain_limit \
        FROM json_to_recordset($1::json) AS i(place INTEGER, mailbox_id UUID, key_id UUID, idem_key TEXT) \
        CROSS JOIN LATERAL (SELECT * FROM sendready_sends WHERE mailbox_id = i.mailbox_id AND key_id = i.key_id \
        AND idem_key = i.idem_key AND at > $2 LIMIT 1) AS s"
        => "SELECT value->>'place' AS place, s.day, s.granted, s.mailbox_used, s.mailbox_limit, s.domain_used, s.domain_limit \
        FROM json_each($1) CROSS JOIN sendready_sends AS s WHERE s.mailbox_id = unhex(value->>'mailbox_id') \
        AND s.key_id = unhex(value->>'key_id') AND s.idem_key = value->>'idem_key' AND s.at > $2";
    // PostgreSQL writes all at once. A key of long ago ($4) is nobody's.
    WRITE = "WITH d AS (UPDATE email_domains AS t SET current_daily_sends = i.used, sends_day = i.day \
        FROM json_to_recordset($1::json) AS i(item_id UUID, used INTEGER, day DATE) WHERE t.id = i.item_id AND t.id = ", ids!(), "), \
        m AS (UPDATE email_mailboxes AS t SET current_daily_sends = i.used, sends_day = i.day \
        FROM json_to_recordset($2::json) AS i(item_id UUID, used INTEGER, day DATE) WHERE t.id = i.item_id \
        AND t.id = ANY (ARRAY(SELECT item_id FROM json_to_recordset($2::json) AS i(item_id UUID)))) \
        INSERT INTO sendready_sends (", keep_columns!(), ") SELECT ", keep_columns!(), " FROM json_to_recordset($3::json) \
        AS i(mailbox_id UUID, key_id UUID, idem_key TEXT, at TIMESTAMPTZ, day DATE, granted INTEGER, mailbox_used INTEGER, \
        mailbox_limit INTEGER, domain_used INTEGER, domain_limit INTEGER) ", keep_over!(), "WHERE sendready_sends.at <= $4"
        => "SELECT $1, $2, $3, $4";
    // SQLite writes one table after the other; PostgreSQL has done it.
    WRITE_DOMAINS = "SELECT $1"
        => "UPDATE email_domains SET current_daily_sends = i.value->>'used', sends_day = i.value->>'day' \
        FROM json_each($1) AS i WHERE email_domains.id = unhex(i.value->>'item_id')";
    WRITE_MAILBOXES = "SELECT $1"
        => "UPDATE email_mailboxes SET current_daily_sends = i.value->>'used', sends_day = i.value->>'day' \
        FROM json_each($1) AS i WHERE email_mailboxes.id = unhex(i.value->>'item_id')";
    KEEP = "SELECT $1, $2"
        => "INSERT INTO sendready_sends (", keep_columns!(), ") SELECT unhex(value->>'mailbox_id'), unhex(value->>'key_id'), \
        value->>'idem_key', value->>'at', value->>'day', value->>'granted', value->>'mailbox_used', value->>'mailbox_limit', \
        value->>'domain_used', value->>'domain_limit' FROM json_each($1) WHERE TRUE ", keep_over!(), "WHERE sendready_sends.at <= $2";
}

/// One caller's sends, and what they are known by.
pub type SendAsked<'a> = (Send, Option<SendKey<'a>>);

#[derive(sqlx::FromRow)]
struct KeptAt {
    place: i32,
    #[sqlx(flatten)]
    grant: KeptGrant,
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
    kept: Vec<((Uuid, SendKey<'s>), Grant)>,
    /// Whether it would be otherwise if a key had been granted something before.
    hangs_on_keys: bool,
}

#[derive(Serialize)]
struct IdItem {
    item_id: String,
}

#[derive(Serialize)]
struct CounterItem {
    item_id: String,
    used: i32,
    day: Option<NaiveDate>,
}

#[derive(Serialize)]
struct KeyItem<'s> {
    place: usize,
    mailbox_id: String,
    key_id: String,
    idem_key: &'s str,
}

#[derive(Serialize)]
struct KeepItem<'s> {
    mailbox_id: String,
    key_id: String,
    idem_key: &'s str,
    at: String,
    day: NaiveDate,
    granted: i32,
    mailbox_used: i32,
    mailbox_limit: i32,
    domain_used: i32,
    domain_limit: i32,
}

impl Store {
    /// Takes the sends of many callers from their mailboxes' counters and their domains', each from both or from neither,
    /// and never over a limit. Those with a key are done once: whoever asks again gets the first grant. What became of
    /// each, in their order. `held` is the connection of the batch before, and of the next.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is known to be taken. What the database refuses takes the others with it, and nothing is
    /// written then ([`StoreError::is_refusal`]): each alone is to be tried.
    pub(in crate::store) async fn mailbox_send_all(
        &self,
        held: &mut Option<Held>,
        sends: &[SendAsked<'_>],
        now: DateTime<Utc>,
    ) -> Result<Vec<Sent>, StoreError> {
        if let Some(done) = self.send_all(held, sends, Keys::TakenAsNew, now).await? {
            return Ok(done);
        }
        let done = self.send_all(held, sends, Keys::LookedFor, now).await?;
        done.ok_or_else(|| StoreError::unanswered(OPERATION, "a key was kept by somebody else under our lock"))
    }

    /// Nothing, and nothing is taken, where the keys must be known first.
    async fn send_all(
        &self,
        held: &mut Option<Held>,
        sends: &[SendAsked<'_>],
        keys: Keys,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Sent>>, StoreError> {
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => self.db.hold(OPERATION).await?,
        };
        let done = match connection.begin(OPERATION).await {
            Ok(tx) => Some(send_within(tx, sends, keys, now).await?),
            // It has fallen since the batch before; nothing was asked of it yet.
            Err(_) => None,
        };
        let done = match done {
            Some(done) => done,
            None => {
                connection = self.db.hold(OPERATION).await?;
                let tx = connection.begin(OPERATION).await?;
                send_within(tx, sends, keys, now).await?
            }
        };
        *held = Some(connection);
        Ok(done)
    }
}

/// The whole transaction.
async fn send_within(
    mut tx: Tx<'_>,
    sends: &[SendAsked<'_>],
    keys: Keys,
    now: DateTime<Utc>,
) -> Result<Option<Vec<Sent>>, StoreError> {
    let locked = Locked::of(lock(&mut tx, sends).await?);
    let before = match keys {
        Keys::TakenAsNew => BTreeMap::new(),
        Keys::LookedFor => kept(&mut tx, sends, now).await?,
    };
    let (locked, decided) = decide(locked, sends, before, now);
    let is_sure = keys == Keys::LookedFor || !decided.hangs_on_keys;
    let is_done = is_sure && write(&mut tx, &locked, &decided, now).await?;
    // A transaction that is only dropped keeps its locks for a while.
    if !is_done {
        tx.rollback(OPERATION).await?;
        return Ok(None);
    }
    tx.commit(OPERATION).await?;
    Ok(Some(decided.done))
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

/// The mailboxes with their domains, all of them held until the transaction ends. SQLite has one writer, and this is it.
async fn lock(tx: &mut Tx<'_>, sends: &[SendAsked<'_>]) -> Result<Vec<MailboxRow>, StoreError> {
    let ids: BTreeSet<Uuid> = sends.iter().map(|(send, _)| send.mailbox_id).collect();
    let items: Vec<IdItem> = ids.iter().map(|id| IdItem { item_id: id.simple().to_string() }).collect();
    let items = json(&items)?;
    let rows = tx!(tx, LOCK, |sql, connection| sqlx::query_as::<_, Row>(sql).bind(items).fetch_all(connection).await)
        .map_err(StoreError::at(OPERATION))?;
    rows.into_iter().map(|row| row.read(OPERATION)).collect()
}

/// What was granted by these keys before, by the place of who asks now.
async fn kept(
    tx: &mut Tx<'_>,
    sends: &[SendAsked<'_>],
    now: DateTime<Utc>,
) -> Result<BTreeMap<usize, Grant>, StoreError> {
    let mut items = Vec::new();
    for (place, (send, key)) in sends.iter().enumerate() {
        let Some(key) = key else { continue };
        let (mailbox_id, key_id) = (send.mailbox_id.simple().to_string(), key.key_id.simple().to_string());
        items.push(KeyItem { place, mailbox_id, key_id, idem_key: key.idem_key });
    }
    let items = json(&items)?;
    let rows = tx!(tx, KEPT_GRANTS, |sql, connection| {
        sqlx::query_as::<_, KeptAt>(sql).bind(items).bind(now - KEPT).fetch_all(connection).await
    })
    .map_err(StoreError::at(OPERATION))?;
    Ok(rows.into_iter().map(|row| (usize::try_from(row.place).unwrap_or(usize::MAX), row.grant.into())).collect())
}

/// Writes the counters that are other than they were, and the keys; whether each key was new.
async fn write(
    tx: &mut Tx<'_>,
    locked: &Locked,
    decided: &Decided<'_>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    if !decided.done.iter().any(|sent| matches!(sent, Sent::Granted(_))) {
        return Ok(true);
    }
    let (domains, mailboxes) = (json(&counters(&locked.domains))?, json(&counters(&locked.mailboxes))?);
    let items: Vec<KeepItem<'_>> = decided.kept.iter().map(|(scope, grant)| keep_item(*scope, grant, now)).collect();
    let items = json(&items)?;
    let kept = match tx {
        Tx::Postgres(_) => tx!(tx, WRITE, |sql, connection| {
            let query = sqlx::query(sql).bind(domains).bind(mailboxes).bind(items).bind(now - KEPT);
            query.execute(connection).await.map(|done| done.rows_affected())
        }),
        Tx::Sqlite(_) => {
            for (statement, items) in [(WRITE_DOMAINS, domains), (WRITE_MAILBOXES, mailboxes)] {
                tx!(&mut *tx, statement, |sql, connection| {
                    sqlx::query(sql).bind(items).execute(connection).await.map(|_| ())
                })
                .map_err(StoreError::at(OPERATION))?;
            }
            tx!(tx, KEEP, |sql, connection| {
                let query = sqlx::query(sql).bind(items).bind(now - KEPT);
                query.execute(connection).await.map(|done| done.rows_affected())
            })
        }
    };
    let kept = kept.map_err(StoreError::at(OPERATION))?;
    Ok(usize::try_from(kept).is_ok_and(|kept| kept == decided.kept.len()))
}

fn counters(takings: &HashMap<Uuid, Taking>) -> Vec<CounterItem> {
    let item = |(id, taking): (&Uuid, &Taking)| CounterItem {
        item_id: id.simple().to_string(),
        used: taking.used,
        day: taking.day,
    };
    takings.iter().filter(|(_, taking)| taking.is_written).map(item).collect()
}

fn keep_item<'s>((mailbox_id, key): (Uuid, SendKey<'s>), grant: &Grant, now: DateTime<Utc>) -> KeepItem<'s> {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    KeepItem {
        mailbox_id: mailbox_id.simple().to_string(),
        key_id: key.key_id.simple().to_string(),
        idem_key: key.idem_key,
        at: time(now),
        day: grant.day,
        granted: grant.granted,
        mailbox_used: number(grant.mailbox.used),
        mailbox_limit: number(grant.mailbox.limit),
        domain_used: number(grant.domain.used),
        domain_limit: number(grant.domain.limit),
    }
}

fn json<T: Serialize>(items: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(items)
        .map_err(|fault| StoreError::Corrupt { operation: OPERATION, what: format!("sends make no JSON: {fault}") })
}
