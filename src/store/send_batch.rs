//! Sends of many callers in one transaction: whoever waits for the disk waits together.
//!
//! The rows of all domains and then of all mailboxes are locked, each in the order of their ids, as everybody does; what
//! each send takes is decided here, in the order in which they came, and the counters are written once. A key belongs to
//! its mailbox, and is looked for and kept under that mailbox's lock: nobody can keep the same in between.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::sending::limit::Counter;
use crate::store::db::{Tx, statements, tx};
use crate::store::idempotency::KEPT;
use crate::store::send::{Grant, KeptGrant, Send, SendKey, Sent};
use crate::store::settle::time;
use crate::store::{Store, StoreError};

statements! {
    LOCK_DOMAINS = "SELECT id, deleted_at IS NULL AND status = 'active' AND COALESCE(spf_valid AND dkim_valid AND dmarc_valid \
        AND mx_valid, FALSE) AS is_open, stale_since, COALESCE(current_daily_sends, 0) AS used, sends_day, \
        COALESCE(daily_send_limit, 50) AS daily_limit FROM email_domains \
        WHERE id = ANY (ARRAY(SELECT item_id FROM json_to_recordset($1::json) AS i(item_id UUID))) ORDER BY id FOR NO KEY UPDATE"
        => "SELECT id, deleted_at IS NULL AND status = 'active' AND COALESCE(spf_valid AND dkim_valid AND dmarc_valid \
        AND mx_valid, FALSE) AS is_open, stale_since, COALESCE(current_daily_sends, 0) AS used, sends_day, \
        COALESCE(daily_send_limit, 50) AS daily_limit FROM email_domains \
        WHERE id IN (SELECT unhex(value->>'item_id') FROM json_each($1)) ORDER BY id";
    LOCK_MAILBOXES = "SELECT id, deleted_at IS NULL AS is_living, COALESCE(status, 'warming') AS status, \
        COALESCE(current_daily_sends, 0) AS used, sends_day, COALESCE(daily_send_limit, 10) AS daily_limit \
        FROM email_mailboxes WHERE id = ANY (ARRAY(SELECT item_id FROM json_to_recordset($1::json) AS i(item_id UUID))) \
        ORDER BY id FOR NO KEY UPDATE"
        => "SELECT id, deleted_at IS NULL AS is_living, COALESCE(status, 'warming') AS status, \
        COALESCE(current_daily_sends, 0) AS used, sends_day, COALESCE(daily_send_limit, 10) AS daily_limit \
        FROM email_mailboxes WHERE id IN (SELECT unhex(value->>'item_id') FROM json_each($1)) ORDER BY id";
    KEPT_GRANTS = "SELECT i.place, s.day, s.granted, s.mailbox_used, s.mailbox_limit, s.domain_used, s.domain_limit \
        FROM json_to_recordset($1::json) AS i(place INTEGER, mailbox_id UUID, key_id UUID, idem_key TEXT) \
        CROSS JOIN LATERAL (SELECT * FROM sendready_sends WHERE mailbox_id = i.mailbox_id AND key_id = i.key_id \
        AND idem_key = i.idem_key AND at > $2 LIMIT 1) AS s"
        => "SELECT value->>'place' AS place, s.day, s.granted, s.mailbox_used, s.mailbox_limit, s.domain_used, s.domain_limit \
        FROM json_each($1) CROSS JOIN sendready_sends AS s WHERE s.mailbox_id = unhex(value->>'mailbox_id') \
        AND s.key_id = unhex(value->>'key_id') AND s.idem_key = value->>'idem_key' AND s.at > $2";
    WRITE_DOMAINS = "UPDATE email_domains AS d SET current_daily_sends = i.used, sends_day = i.day \
        FROM json_to_recordset($1::json) AS i(item_id UUID, used INTEGER, day DATE) WHERE d.id = i.item_id \
        AND d.id = ANY (ARRAY(SELECT item_id FROM json_to_recordset($1::json) AS j(item_id UUID)))"
        => "UPDATE email_domains SET current_daily_sends = i.value->>'used', sends_day = i.value->>'day' \
        FROM json_each($1) AS i WHERE email_domains.id = unhex(i.value->>'item_id')";
    WRITE_MAILBOXES = "UPDATE email_mailboxes AS m SET current_daily_sends = i.used, sends_day = i.day \
        FROM json_to_recordset($1::json) AS i(item_id UUID, used INTEGER, day DATE) WHERE m.id = i.item_id \
        AND m.id = ANY (ARRAY(SELECT item_id FROM json_to_recordset($1::json) AS j(item_id UUID)))"
        => "UPDATE email_mailboxes SET current_daily_sends = i.value->>'used', sends_day = i.value->>'day' \
        FROM json_each($1) AS i WHERE email_mailboxes.id = unhex(i.value->>'item_id')";
    // A key of long ago is nobody's.
    KEEP = "INSERT INTO sendready_sends (mailbox_id, key_id, idem_key, at, day, granted, mailbox_used, mailbox_limit, \
        domain_used, domain_limit) SELECT mailbox_id, key_id, idem_key, at, day, granted, mailbox_used, mailbox_limit, \
        domain_used, domain_limit FROM json_to_recordset($1::json) AS i(mailbox_id UUID, key_id UUID, idem_key TEXT, \
        at TIMESTAMPTZ, day DATE, granted INTEGER, mailbox_used INTEGER, mailbox_limit INTEGER, domain_used INTEGER, \
        domain_limit INTEGER) ON CONFLICT (mailbox_id, key_id, idem_key) DO UPDATE SET at = excluded.at, day = excluded.day, \
        granted = excluded.granted, mailbox_used = excluded.mailbox_used, mailbox_limit = excluded.mailbox_limit, \
        domain_used = excluded.domain_used, domain_limit = excluded.domain_limit"
        => "INSERT INTO sendready_sends (mailbox_id, key_id, idem_key, at, day, granted, mailbox_used, mailbox_limit, \
        domain_used, domain_limit) SELECT unhex(value->>'mailbox_id'), unhex(value->>'key_id'), value->>'idem_key', \
        value->>'at', value->>'day', value->>'granted', value->>'mailbox_used', value->>'mailbox_limit', \
        value->>'domain_used', value->>'domain_limit' FROM json_each($1) WHERE TRUE \
        ON CONFLICT (mailbox_id, key_id, idem_key) DO UPDATE SET at = excluded.at, day = excluded.day, \
        granted = excluded.granted, mailbox_used = excluded.mailbox_used, mailbox_limit = excluded.mailbox_limit, \
        domain_used = excluded.domain_used, domain_limit = excluded.domain_limit";
}

/// One caller's sends, and what they are known by.
pub type SendAsked<'a> = (Send, Option<SendKey<'a>>);

#[derive(sqlx::FromRow)]
struct DomainLocked {
    id: Uuid,
    is_open: bool,
    stale_since: Option<DateTime<Utc>>,
    used: i32,
    sends_day: Option<NaiveDate>,
    daily_limit: i32,
}

#[derive(sqlx::FromRow)]
struct MailboxLocked {
    id: Uuid,
    is_living: bool,
    status: String,
    used: i32,
    sends_day: Option<NaiveDate>,
    daily_limit: i32,
}

#[derive(sqlx::FromRow)]
struct KeptAt {
    place: i32,
    #[sqlx(flatten)]
    grant: KeptGrant,
}

/// What a row's counter was, and what becomes of it.
#[derive(Debug, Clone, Copy)]
struct Taking {
    used: i32,
    day: Option<NaiveDate>,
    limit: i32,
    is_written: bool,
}

impl Taking {
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

/// The locked rows, as they become.
struct Locked {
    domains: HashMap<Uuid, (DomainLocked, Taking)>,
    mailboxes: HashMap<Uuid, (MailboxLocked, Taking)>,
}

impl Locked {
    /// Takes of both counters, or of neither.
    fn take(&mut self, send: &Send, today: NaiveDate) -> Option<Grant> {
        let (domain, of_domain) = self.domains.get_mut(&send.domain_id)?;
        let (mailbox, of_mailbox) = self.mailboxes.get_mut(&send.mailbox_id)?;
        // As the gate saw them, for it looked before this transaction began.
        let is_open = domain.is_open && domain.stale_since.is_none_or(|since| since > send.stale_before);
        let is_same =
            mailbox.is_living && mailbox.status == send.status.as_str() && mailbox.daily_limit == send.daily_send_limit;
        if !is_open || !is_same {
            return None;
        }
        let (after_domain, after_mailbox) = (of_domain.after(send.count, today)?, of_mailbox.after(send.count, today)?);
        (*of_domain, *of_mailbox) = (after_domain, after_mailbox);
        let (mailbox, domain) = (after_mailbox.counter(), after_domain.counter());
        Some(Grant { granted: send.count, mailbox, domain, day: today })
    }
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
    /// each, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is known to be taken. What the database refuses takes the others with it, and nothing is
    /// written then ([`StoreError::is_refusal`]): each alone is to be tried.
    pub async fn mailbox_send_all(&self, sends: &[SendAsked<'_>], now: DateTime<Utc>) -> Result<Vec<Sent>, StoreError> {
        const OPERATION: &str = "mailbox_send";
        let today = now.date_naive();
        let mut tx = self.db.begin(OPERATION).await?;
        let mut locked = lock(&mut tx, sends, OPERATION).await?;
        let mut kept = kept(&mut tx, sends, now, OPERATION).await?;
        let mut done = Vec::with_capacity(sends.len());
        let mut granted = Vec::new();
        // Of two with one key, the first in this batch.
        let mut firsts: HashMap<(Uuid, SendKey<'_>), Grant> = HashMap::new();
        for (place, (send, key)) in sends.iter().enumerate() {
            let scope = key.map(|key| (send.mailbox_id, key));
            let before = kept.remove(&place).or_else(|| scope.and_then(|scope| firsts.get(&scope).copied()));
            done.push(match (before, locked.take_unless(before, send, today)) {
                (Some(grant), _) => Sent::Again(grant),
                (None, Some(grant)) => {
                    if let Some(scope) = scope {
                        firsts.insert(scope, grant);
                        granted.push((scope, grant));
                    }
                    Sent::Granted(grant)
                }
                (None, None) => Sent::Refused,
            });
        }
        if done.iter().any(|sent| matches!(sent, Sent::Granted(_))) {
            write(&mut tx, &locked, &granted, now, OPERATION).await?;
        }
        // Also where nothing is written: a transaction that is only dropped keeps its locks for a while.
        tx.commit(OPERATION).await?;
        Ok(done)
    }
}

impl Locked {
    fn take_unless(&mut self, before: Option<Grant>, send: &Send, today: NaiveDate) -> Option<Grant> {
        if before.is_some() { None } else { self.take(send, today) }
    }
}

/// Locks the rows of all domains, then of all mailboxes. SQLite has one writer, and this is it.
async fn lock(tx: &mut Tx, sends: &[SendAsked<'_>], operation: &'static str) -> Result<Locked, StoreError> {
    let ids = |of: fn(&Send) -> Uuid| {
        let ids: BTreeSet<Uuid> = sends.iter().map(|(send, _)| of(send)).collect();
        let items: Vec<IdItem> = ids.iter().map(|id| IdItem { item_id: id.simple().to_string() }).collect();
        json(&items, operation)
    };
    let (domain_ids, mailbox_ids) = (ids(|send| send.domain_id)?, ids(|send| send.mailbox_id)?);
    let domains = tx!(&mut *tx, LOCK_DOMAINS, |sql, connection| {
        sqlx::query_as::<_, DomainLocked>(sql).bind(domain_ids).fetch_all(connection).await
    })
    .map_err(StoreError::at(operation))?;
    let mailboxes = tx!(tx, LOCK_MAILBOXES, |sql, connection| {
        sqlx::query_as::<_, MailboxLocked>(sql).bind(mailbox_ids).fetch_all(connection).await
    })
    .map_err(StoreError::at(operation))?;
    let of = |used, day, limit| Taking { used, day, limit, is_written: false };
    Ok(Locked {
        domains: domains
            .into_iter()
            .map(|row| (row.id, (of(row.used, row.sends_day, row.daily_limit), row)))
            .map(|(id, (taking, row))| (id, (row, taking)))
            .collect(),
        mailboxes: mailboxes
            .into_iter()
            .map(|row| (row.id, (of(row.used, row.sends_day, row.daily_limit), row)))
            .map(|(id, (taking, row))| (id, (row, taking)))
            .collect(),
    })
}

/// What was granted by these keys before, by the place of who asks now.
async fn kept(
    tx: &mut Tx,
    sends: &[SendAsked<'_>],
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<BTreeMap<usize, Grant>, StoreError> {
    let mut items = Vec::new();
    for (place, (send, key)) in sends.iter().enumerate() {
        let Some(key) = key else { continue };
        let (mailbox_id, key_id) = (send.mailbox_id.simple().to_string(), key.key_id.simple().to_string());
        items.push(KeyItem { place, mailbox_id, key_id, idem_key: key.idem_key });
    }
    if items.is_empty() {
        return Ok(BTreeMap::new());
    }
    let items = json(&items, operation)?;
    let rows = tx!(tx, KEPT_GRANTS, |sql, connection| {
        sqlx::query_as::<_, KeptAt>(sql).bind(items).bind(now - KEPT).fetch_all(connection).await
    })
    .map_err(StoreError::at(operation))?;
    Ok(rows.into_iter().map(|row| (usize::try_from(row.place).unwrap_or(usize::MAX), row.grant.into())).collect())
}

/// Writes the counters that are other than they were, and the keys.
async fn write(
    tx: &mut Tx,
    locked: &Locked,
    granted: &[((Uuid, SendKey<'_>), Grant)],
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    let item = |(id, taking): (&Uuid, &Taking)| CounterItem {
        item_id: id.simple().to_string(),
        used: taking.used,
        day: taking.day,
    };
    let domains = locked.domains.iter().filter(|(_, (_, taking))| taking.is_written);
    let domains: Vec<CounterItem> = domains.map(|(id, (_, taking))| item((id, taking))).collect();
    let mailboxes = locked.mailboxes.iter().filter(|(_, (_, taking))| taking.is_written);
    let mailboxes: Vec<CounterItem> = mailboxes.map(|(id, (_, taking))| item((id, taking))).collect();
    let mut writes = vec![(WRITE_DOMAINS, json(&domains, operation)?), (WRITE_MAILBOXES, json(&mailboxes, operation)?)];
    if !granted.is_empty() {
        let items: Vec<KeepItem<'_>> = granted.iter().map(|(scope, grant)| keep_item(*scope, grant, now)).collect();
        writes.push((KEEP, json(&items, operation)?));
    }
    for (statement, items) in writes {
        tx!(&mut *tx, statement, |sql, connection| sqlx::query(sql).bind(items).execute(connection).await.map(|_| ()))
            .map_err(StoreError::at(operation))?;
    }
    Ok(())
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

fn json<T: Serialize>(items: &[T], operation: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(items)
        .map_err(|fault| StoreError::Corrupt { operation, what: format!("sends make no JSON: {fault}") })
}
