//! What a batch of sends ([`crate::store::send_batch`]) reads and writes: the rows that are locked, their counters, the keys.
//!
//! # Strictness
//!
//! PostgreSQL takes rows as one list for each column: of all the ways to hand it many it reads this one fastest.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::postgres::PgArguments;
use sqlx::{PgConnection, Postgres, Row as _, SqliteConnection, query::Query};
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::db::{Sql, Tx, in_time, statements, tx};
use crate::store::idempotency::KEPT;
use crate::store::mailbox::{MailboxRow, Row, mailbox_columns, mailbox_select};
use crate::store::send::{Grant, KeptGrant, OPERATION, SendKey};
use crate::store::send_memory::Version;
use crate::store::settle::time;

/// The number of the transaction that wrote a row; in the end they begin anew, after four billions.
macro_rules! version {
    ($row:literal) => {
        concat!("CAST(CAST(", $row, ".xmin AS TEXT) AS BIGINT)")
    };
}

/// The number that rows get which this transaction writes.
macro_rules! own_version {
    () => {
        "CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) % 4294967296"
    };
}

macro_rules! counts_of_domains {
    () => {
        "UPDATE email_domains AS t SET current_daily_sends = i.used, sends_day = i.day \
         FROM UNNEST($1::uuid[], $2::integer[], $3::date[]) AS i(id, used, day) WHERE t.id = i.id AND t.id = ANY ($1)"
    };
}

macro_rules! counts_of_mailboxes {
    () => {
        "UPDATE email_mailboxes AS t SET current_daily_sends = i.used, sends_day = i.day \
         FROM UNNEST($4::uuid[], $5::integer[], $6::date[]) AS i(id, used, day) WHERE t.id = i.id AND t.id = ANY ($4)"
    };
}

/// The keys of a batch, as PostgreSQL is given them.
macro_rules! keys {
    () => {
        "UNNEST($7::uuid[], $8::uuid[], $9::text[], $10::date[], $11::integer[], $12::integer[], $13::integer[], \
         $14::integer[], $15::integer[]) AS i(mailbox_id, key_id, idem_key, day, granted, mailbox_used, mailbox_limit, \
         domain_used, domain_limit)"
    };
}

macro_rules! kept_keys {
    () => {
        "SELECT mailbox_id, key_id, idem_key, $16, day, granted, mailbox_used, mailbox_limit, domain_used, domain_limit FROM "
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
    LOCK = "WITH d AS (SELECT xmin, id, domain, status, suspended_reason, deleted_at, dns_configured, spf_valid, dkim_valid, \
        dmarc_valid, mx_valid, stale_since, daily_send_limit, current_daily_sends, sends_day, malformed FROM email_domains \
        WHERE id = ANY (ARRAY(SELECT domain_id FROM email_mailboxes WHERE id = ANY ($1))) ORDER BY id FOR NO KEY UPDATE) \
        SELECT ", mailbox_columns!(), ", ", version!("m"), " AS version, ", version!("d"), " AS d_version, ", own_version!(), " AS own_version \
        FROM email_mailboxes AS m JOIN d ON d.id = m.domain_id WHERE m.id = ANY ($1) \
        AND m.domain_id = ANY (ARRAY(SELECT id FROM d)) ORDER BY m.id FOR NO KEY UPDATE OF m"
        => mailbox_select!(), "WHERE m.id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY m.id";
    KEPT_GRANTS = "SELECT i.place, s.day, s.granted, s.mailbox_used, s.mailbox_limit, s.domain_used, s.domain_limit \
        FROM json_to_recordset($1::json) AS i(place INTEGER, mailbox_id UUID, key_id UUID, idem_key TEXT) \
        CROSS JOIN LATERAL (SELECT * FROM sendready_sends WHERE mailbox_id = i.mailbox_id AND key_id = i.key_id \
        AND idem_key = i.idem_key AND at > $2 LIMIT 1) AS s"
        => "SELECT value->>'place' AS place, s.day, s.granted, s.mailbox_used, s.mailbox_limit, s.domain_used, s.domain_limit \
        FROM json_each($1) CROSS JOIN sendready_sends AS s WHERE s.mailbox_id = unhex(value->>'mailbox_id') \
        AND s.key_id = unhex(value->>'key_id') AND s.idem_key = value->>'idem_key' AND s.at > $2";
    // PostgreSQL writes all at once. A key of long ago ($17) is nobody's.
    WRITE = "WITH d AS (", counts_of_domains!(), "), m AS (", counts_of_mailboxes!(), ") INSERT INTO sendready_sends (", keep_columns!(), ") ",
        kept_keys!(), keys!(), " ", keep_over!(), "WHERE sendready_sends.at <= $17"
        => "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17";
    // All of it or nothing, with no transaction around it: only where all rows are of these versions, and no key is kept. The
    // rows are locked as everybody does, and whoever waited for one sees what became of it. Says of which version they are now.
    // SQLite has nobody to wait for.
    TAKE = "WITH d AS (SELECT t.id FROM email_domains AS t JOIN UNNEST($1::uuid[], $18::bigint[]) AS i(id, version) ON t.id = i.id \
        WHERE t.id = ANY ($1) AND ", version!("t"), " = i.version ORDER BY t.id FOR NO KEY UPDATE OF t), \
        m AS (SELECT t.id FROM email_mailboxes AS t JOIN UNNEST($4::uuid[], $19::bigint[]) AS i(id, version) ON t.id = i.id \
        WHERE t.id = ANY ($4) AND ", version!("t"), " = i.version AND (SELECT count(*) FROM d) = cardinality($1) \
        ORDER BY t.id FOR NO KEY UPDATE OF t), \
        same AS (SELECT 1 WHERE (SELECT count(*) FROM m) = cardinality($4) AND NOT EXISTS (SELECT FROM \
        UNNEST($7::uuid[], $8::uuid[], $9::text[]) AS i(mailbox_id, key_id, idem_key) CROSS JOIN LATERAL (SELECT FROM sendready_sends \
        WHERE mailbox_id = i.mailbox_id AND key_id = i.key_id AND idem_key = i.idem_key AND at > $17 LIMIT 1) AS s)), \
        wd AS (", counts_of_domains!(), " AND EXISTS (SELECT FROM same)), wm AS (", counts_of_mailboxes!(), " AND EXISTS (SELECT FROM same)), \
        wk AS (INSERT INTO sendready_sends (", keep_columns!(), ") ", kept_keys!(), keys!(), " WHERE EXISTS (SELECT FROM same) ", keep_over!(), ") \
        SELECT ", own_version!(), " FROM same"
        => "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19";
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

/// A counter as it is to be, by the id of its row.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Count {
    pub(in crate::store) id: Uuid,
    pub(in crate::store) used: i32,
    pub(in crate::store) day: Option<NaiveDate>,
}

/// A key of a mailbox's, and what it was granted.
pub(in crate::store) type KeyGrant<'k> = ((Uuid, SendKey<'k>), Grant);

/// All that one batch writes.
#[derive(Debug)]
pub(in crate::store) struct Writes<'w> {
    pub(in crate::store) domains: Vec<Count>,
    pub(in crate::store) mailboxes: Vec<Count>,
    pub(in crate::store) keys: &'w [KeyGrant<'w>],
}

/// A row that is held.
#[derive(Debug)]
pub(in crate::store) struct HeldRow {
    pub(in crate::store) row: MailboxRow,
    /// Nothing on SQLite.
    pub(in crate::store) versions: Option<Versions>,
}

/// The versions of a mailbox and its domain, and of what this transaction writes.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(in crate::store) struct Versions {
    #[sqlx(rename = "version")]
    pub(in crate::store) mailbox: Version,
    #[sqlx(rename = "d_version")]
    pub(in crate::store) domain: Version,
    #[sqlx(rename = "own_version")]
    pub(in crate::store) own: Version,
}

#[derive(sqlx::FromRow)]
struct VersionedRow {
    #[sqlx(flatten)]
    row: Row,
    #[sqlx(flatten)]
    versions: Versions,
}

#[derive(sqlx::FromRow)]
struct KeptAt {
    place: i32,
    #[sqlx(flatten)]
    grant: KeptGrant,
}

#[derive(Serialize)]
struct KeyItem<'k> {
    place: usize,
    mailbox_id: String,
    key_id: String,
    idem_key: &'k str,
}

#[derive(Serialize)]
struct CountItem {
    item_id: String,
    used: i32,
    day: Option<NaiveDate>,
}

#[derive(Serialize)]
struct KeepItem<'k> {
    mailbox_id: String,
    key_id: String,
    idem_key: &'k str,
    at: String,
    day: NaiveDate,
    granted: i32,
    mailbox_used: i32,
    mailbox_limit: i32,
    domain_used: i32,
    domain_limit: i32,
}

/// The mailboxes of these ids with their domains, all of them held until the transaction ends. SQLite has one writer, and
/// this is it.
pub(in crate::store) async fn lock(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<HeldRow>, StoreError> {
    let rows: Vec<(Row, Option<Versions>)> = match tx {
        Tx::Postgres(transaction) => {
            let sql = LOCK.postgres;
            let query = sqlx::query_as(sql).bind(ids).fetch_all(&mut **transaction);
            let rows: Vec<VersionedRow> = in_time(query).await.map_err(StoreError::at(OPERATION))?;
            rows.into_iter().map(|row| (row.row, Some(row.versions))).collect()
        }
        Tx::Sqlite(transaction) => {
            let ids = json(&ids.iter().map(|id| id.simple().to_string()).collect::<Vec<_>>())?;
            let sql = LOCK.sqlite;
            let query = sqlx::query_as(sql).bind(ids).fetch_all(&mut **transaction);
            let rows: Vec<Row> = in_time(query).await.map_err(StoreError::at(OPERATION))?;
            rows.into_iter().map(|row| (row, None)).collect()
        }
    };
    rows.into_iter().map(|(row, versions)| Ok(HeldRow { row: row.read(OPERATION)?, versions })).collect()
}

/// What was granted by these keys before, by the place that stands beside each.
pub(in crate::store) async fn kept<'k>(
    tx: &mut Tx<'_>,
    keys: impl Iterator<Item = (usize, Uuid, SendKey<'k>)>,
    now: DateTime<Utc>,
) -> Result<BTreeMap<usize, Grant>, StoreError> {
    let items = json(&keys.map(key_item).collect::<Vec<_>>())?;
    let rows = tx!(tx, KEPT_GRANTS, |sql, connection| {
        sqlx::query_as::<_, KeptAt>(sql).bind(items).bind(now - KEPT).fetch_all(connection).await
    })
    .map_err(StoreError::at(OPERATION))?;
    Ok(rows.into_iter().map(|row| (usize::try_from(row.place).unwrap_or(usize::MAX), row.grant.into())).collect())
}

/// Writes all of it; how many keys were new.
pub(in crate::store) async fn write(
    tx: &mut Tx<'_>,
    writes: &Writes<'_>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    match tx {
        Tx::Postgres(transaction) => {
            in_time(write_postgres(transaction, writes, now)).await.map_err(StoreError::at(OPERATION))
        }
        Tx::Sqlite(transaction) => write_sqlite(transaction, writes, now).await,
    }
}

async fn write_postgres(
    connection: &mut PgConnection,
    writes: &Writes<'_>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    bound(WRITE, writes, now).execute(connection).await.map(|done| done.rows_affected())
}

/// Writes all of it where all rows are of these versions and no key is kept; of which version they are then. Nothing is
/// written otherwise.
pub(in crate::store) async fn take(
    connection: &mut PgConnection,
    writes: &Writes<'_>,
    of_domains: &[Version],
    of_mailboxes: &[Version],
    now: DateTime<Utc>,
) -> Result<Option<Version>, StoreError> {
    let query = bound(TAKE, writes, now).bind(of_domains).bind(of_mailboxes);
    let taken = async { query.fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose() };
    in_time(taken).await.map_err(StoreError::at(OPERATION))
}

/// PostgreSQL's statement with all that it writes.
fn bound<'q>(statement: Sql, writes: &Writes<'q>, now: DateTime<Utc>) -> Query<'q, Postgres, PgArguments> {
    let sql = statement.postgres;
    let mut query = sqlx::query(sql);
    for counts in [&writes.domains, &writes.mailboxes] {
        let list = counts.iter();
        query = query.bind(list.clone().map(|count| count.id).collect::<Vec<_>>());
        query = query.bind(list.clone().map(|count| count.used).collect::<Vec<_>>());
        query = query.bind(list.map(|count| count.day).collect::<Vec<_>>());
    }
    let list = writes.keys.iter();
    query = query.bind(list.clone().map(|((mailbox_id, _), _)| *mailbox_id).collect::<Vec<_>>());
    query = query.bind(list.clone().map(|((_, key), _)| key.key_id).collect::<Vec<_>>());
    query = query.bind(list.clone().map(|((_, key), _)| key.idem_key).collect::<Vec<_>>());
    query = query.bind(list.clone().map(|(_, grant)| grant.day).collect::<Vec<_>>());
    query = query.bind(list.clone().map(|(_, grant)| grant.granted).collect::<Vec<_>>());
    let numbers: [fn(&Grant) -> u32; 4] = [
        |grant| grant.mailbox.used,
        |grant| grant.mailbox.limit,
        |grant| grant.domain.used,
        |grant| grant.domain.limit,
    ];
    for of in numbers {
        query = query.bind(list.clone().map(|(_, grant)| number(of(grant))).collect::<Vec<_>>());
    }
    query.bind(now).bind(now - KEPT)
}

async fn write_sqlite(
    connection: &mut SqliteConnection,
    writes: &Writes<'_>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let items = json(&writes.keys.iter().map(|key| keep_item(key, now)).collect::<Vec<_>>())?;
    for (statement, counts) in [(WRITE_DOMAINS, &writes.domains), (WRITE_MAILBOXES, &writes.mailboxes)] {
        let counts = json(&counts.iter().map(count_item).collect::<Vec<_>>())?;
        let sql = statement.sqlite;
        let query = sqlx::query(sql).bind(counts);
        in_time(query.execute(&mut *connection)).await.map_err(StoreError::at(OPERATION))?;
    }
    let sql = KEEP.sqlite;
    let query = sqlx::query(sql).bind(items).bind(now - KEPT);
    let done = in_time(query.execute(connection)).await.map_err(StoreError::at(OPERATION))?;
    Ok(done.rows_affected())
}

fn count_item(count: &Count) -> CountItem {
    CountItem { item_id: count.id.simple().to_string(), used: count.used, day: count.day }
}

fn key_item((place, mailbox_id, key): (usize, Uuid, SendKey<'_>)) -> KeyItem<'_> {
    let (mailbox_id, key_id) = (mailbox_id.simple().to_string(), key.key_id.simple().to_string());
    KeyItem { place, mailbox_id, key_id, idem_key: key.idem_key }
}

fn keep_item<'k>(((mailbox_id, key), grant): &KeyGrant<'k>, now: DateTime<Utc>) -> KeepItem<'k> {
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

/// As the columns have it.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn json<T: Serialize>(items: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(items)
        .map_err(|fault| StoreError::Corrupt { operation: OPERATION, what: format!("sends make no JSON: {fault}") })
}
