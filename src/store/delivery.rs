//! Deliveries: events on their way to endpoints.
//!
//! They are written in the transaction of the event itself, so none is lost and none doubled: the event's id is the
//! delivery's within its endpoint. Lending them out and settling attempts is [`crate::store::delivery_claim`]'s.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::store::db::{Tx, db, statements, tx};
use crate::store::prune::first_id_of;
use crate::store::settle::time;
use crate::store::{NewEvent, Store, StoreError};
use crate::webhook::event;

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// It is still to be taken.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// It was tried as often as it may be, in vain.
    Failed,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [DeliveryStatus; 3] = [DeliveryStatus::Pending, DeliveryStatus::Delivered, DeliveryStatus::Failed];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeliveryStatus::Pending => "pending",
            DeliveryStatus::Delivered => "delivered",
            DeliveryStatus::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<DeliveryStatus> {
        DeliveryStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// One event on its way to one endpoint, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Whom it goes to.
    pub endpoint_id: Uuid,
    /// The event's id, and the delivery's within its endpoint.
    pub event_id: Uuid,
    /// The event's type on the wire.
    pub kind: String,
    /// When the event happened.
    pub created_at: DateTime<Utc>,
    /// How it stands.
    pub status: DeliveryStatus,
    /// How many attempts were made.
    pub attempts: u32,
    /// Whether a person asked for the next attempt.
    pub asked: bool,
    /// When the next attempt is due; nothing: none is.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Until when a worker has it, or had it.
    pub lease_until: Option<DateTime<Utc>>,
    /// When the first attempt ended.
    pub first_attempt_at: Option<DateTime<Utc>>,
    /// When the last attempt ended.
    pub attempted_at: Option<DateTime<Utc>>,
    /// How long that took, in milliseconds.
    pub took_ms: Option<u32>,
    /// What it was answered; nothing when it was not.
    pub response_code: Option<u16>,
    /// How the answer's body begins: a stranger's text, made harmless.
    pub response_excerpt: Option<String>,
    /// Why the last attempt failed, for people.
    pub failure: Option<String>,
    /// When it was taken, the last time.
    pub delivered_at: Option<DateTime<Utc>>,
}

/// The columns of [`DeliveryRow`].
macro_rules! delivery_columns {
    () => {
        "endpoint_id, event_id, kind, created_at, status, attempts, asked, next_attempt_at, lease_until, \
         first_attempt_at, attempted_at, took_ms, response_code, response_excerpt, failure, delivered_at"
    };
}
pub(in crate::store) use delivery_columns;

/// One delivery of each event of a list to each endpoint that gets its domain's events and wants its type.
macro_rules! write_of_domains {
    ($items:literal, $position:literal, $lock:literal) => {
        concat!(
            "INSERT INTO sendready_webhook_deliveries (endpoint_id, event_id, kind, body, created_at, status, \
             attempts, asked, next_attempt_at) SELECT e.id, i.event_id, i.kind, i.body, i.at, 'pending', 0, FALSE, i.at \
             FROM ",
            $items,
            " JOIN email_domains AS d ON d.id = i.domain_id JOIN sendready_webhook_endpoints AS e \
             ON (e.client_id IS NULL OR e.client_id = d.client_id) WHERE e.enabled AND (e.events = '' OR ",
            $position,
            "(e.events, ' ' || i.kind || ' ') > 0)",
            $lock
        )
    };
}

/// One delivery of event `$1` to each endpoint of the operators but `$6` that wants its type, `$5` between two spaces.
macro_rules! write_to_operators {
    ($position:literal, $lock:literal) => {
        concat!(
            "INSERT INTO sendready_webhook_deliveries (endpoint_id, event_id, kind, body, created_at, status, \
             attempts, asked, next_attempt_at) SELECT e.id, $1, $2, $3, $4, 'pending', 0, FALSE, $4 \
             FROM sendready_webhook_endpoints AS e WHERE e.client_id IS NULL AND e.id <> $6 AND e.enabled \
             AND (e.events = '' OR ",
            $position,
            "(e.events, $5) > 0)",
            $lock
        )
    };
}

statements! {
    // The lock waits for whoever removes an endpoint, or the reference to it would fail the event's own transaction.
    WRITE_OF_DOMAINS = write_of_domains!("json_to_recordset($1::json) \
        AS i(event_id UUID, domain_id UUID, kind TEXT, body TEXT, at TIMESTAMPTZ)", "strpos", " FOR KEY SHARE OF e")
        => write_of_domains!("(SELECT unhex(value->>'event_id') AS event_id, unhex(value->>'domain_id') AS domain_id, \
        value->>'kind' AS kind, value->>'body' AS body, value->>'at' AS at FROM json_each($1)) AS i", "instr", "");
    WRITE_TO_OPERATORS = write_to_operators!("strpos", " FOR KEY SHARE OF e") => write_to_operators!("instr", "");
    WRITE_TEST = "INSERT INTO sendready_webhook_deliveries (endpoint_id, event_id, kind, body, created_at, status, \
        attempts, asked, next_attempt_at) SELECT id, $2, $3, $4, $5, 'pending', 0, TRUE, $5 \
        FROM sendready_webhook_endpoints WHERE id = $1";
    GET = "SELECT ", delivery_columns!(), " FROM sendready_webhook_deliveries WHERE endpoint_id = $1 AND event_id = $2";
    LIST = "SELECT ", delivery_columns!(), " FROM sendready_webhook_deliveries \
        WHERE endpoint_id = $1 AND event_id < $2 ORDER BY event_id DESC LIMIT $3";
    RETRY = "UPDATE sendready_webhook_deliveries SET asked = TRUE, status = 'pending', next_attempt_at = $3 \
        WHERE endpoint_id = $1 AND event_id = $2 RETURNING ", delivery_columns!();
    // Not what an endpoint still waits for, unless it is disabled.
    PRUNE = "DELETE FROM sendready_webhook_deliveries WHERE (endpoint_id, event_id) IN \
        (SELECT d.endpoint_id, d.event_id FROM sendready_webhook_deliveries AS d WHERE d.event_id < $1 \
        AND (d.next_attempt_at IS NULL OR NOT (SELECT e.enabled FROM sendready_webhook_endpoints AS e \
        WHERE e.id = d.endpoint_id)) ORDER BY d.event_id LIMIT $2)";
}

#[derive(sqlx::FromRow)]
pub(in crate::store) struct Columns {
    endpoint_id: Uuid,
    event_id: Uuid,
    kind: String,
    created_at: DateTime<Utc>,
    status: String,
    attempts: i32,
    asked: bool,
    next_attempt_at: Option<DateTime<Utc>>,
    lease_until: Option<DateTime<Utc>>,
    first_attempt_at: Option<DateTime<Utc>>,
    attempted_at: Option<DateTime<Utc>>,
    took_ms: Option<i32>,
    response_code: Option<i32>,
    response_excerpt: Option<String>,
    failure: Option<String>,
    delivered_at: Option<DateTime<Utc>>,
}

impl Columns {
    pub(in crate::store) fn read(self, operation: &'static str) -> Result<DeliveryRow, StoreError> {
        let corrupt = |what: String| StoreError::Corrupt {
            operation,
            what: format!("delivery {} to {}: {what}", self.event_id, self.endpoint_id),
        };
        let negative = |_| corrupt("a negative number".to_owned());
        Ok(DeliveryRow {
            endpoint_id: self.endpoint_id,
            event_id: self.event_id,
            created_at: self.created_at,
            status: DeliveryStatus::parse(&self.status)
                .ok_or_else(|| corrupt(format!("there is no status `{}`", self.status)))?,
            attempts: u32::try_from(self.attempts).map_err(negative)?,
            asked: self.asked,
            next_attempt_at: self.next_attempt_at,
            lease_until: self.lease_until,
            first_attempt_at: self.first_attempt_at,
            attempted_at: self.attempted_at,
            took_ms: self.took_ms.map(u32::try_from).transpose().map_err(negative)?,
            response_code: self.response_code.map(u16::try_from).transpose().map_err(negative)?,
            delivered_at: self.delivered_at,
            kind: self.kind,
            response_excerpt: self.response_excerpt,
            failure: self.failure,
        })
    }
}

impl Store {
    /// Writes a test event for one endpoint, whatever its state; it is due at once. `false` when there is no such
    /// endpoint.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], also when the endpoint goes away at the same time; nothing is written.
    pub async fn delivery_test(
        &self,
        endpoint_id: Uuid,
        event_id: Uuid,
        data: &Value,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        db!(&self.db, WRITE_TEST, |sql, pool| {
            let query = sqlx::query(sql).bind(endpoint_id).bind(event_id).bind(event::TEST);
            let query = query.bind(event::body(event::TEST, now, data)).bind(now);
            query.execute(pool).await.map(|done| done.rows_affected() == 1)
        })
        .map_err(StoreError::at("delivery_test"))
    }

    /// One delivery.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn delivery_get(&self, endpoint_id: Uuid, event_id: Uuid) -> Result<Option<DeliveryRow>, StoreError> {
        const OPERATION: &str = "delivery_get";
        db!(&self.db, GET, |sql, pool| {
            sqlx::query_as::<_, Columns>(sql).bind(endpoint_id).bind(event_id).fetch_optional(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .map(|row| row.read(OPERATION))
        .transpose()
    }

    /// At most `limit` deliveries to an endpoint, the newest first, those older than `before`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn delivery_list(
        &self,
        endpoint_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        const OPERATION: &str = "delivery_list";
        // The greatest id is above every other.
        let before = before.unwrap_or(Uuid::max());
        db!(&self.db, LIST, |sql, pool| {
            let query = sqlx::query_as::<_, Columns>(sql).bind(endpoint_id).bind(before);
            query.bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .into_iter()
        .map(|row| row.read(OPERATION))
        .collect()
    }

    /// Makes another attempt due at once, whatever became of those before, and whatever the endpoint's state. One
    /// that runs is joined. Nothing when there is no such delivery.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed, unless the row does not read back.
    pub async fn delivery_retry(
        &self,
        endpoint_id: Uuid,
        event_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<DeliveryRow>, StoreError> {
        const OPERATION: &str = "delivery_retry";
        db!(&self.db, RETRY, |sql, pool| {
            let query = sqlx::query_as::<_, Columns>(sql).bind(endpoint_id).bind(event_id).bind(now);
            query.fetch_optional(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .map(|row| row.read(OPERATION))
        .transpose()
    }

    /// Removes at most `limit` deliveries of events from before `before`; how many it were. What is still to be
    /// tried stays, unless its endpoint is disabled.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is removed.
    pub async fn delivery_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        db!(&self.db, PRUNE, |sql, pool| {
            let query = sqlx::query(sql).bind(first_id_of(before)).bind(i64::from(limit));
            query.execute(pool).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at("delivery_prune"))
    }
}

/// An event of a domain, as the database gets it.
#[derive(Serialize)]
struct EventItem {
    event_id: String,
    domain_id: String,
    kind: &'static str,
    body: String,
    at: String,
}

/// Writes the deliveries of domains' events, each to every enabled endpoint of its domain's client, and of everybody,
/// that wants its type; in the transaction of the events. Each event with its domain and its time.
pub(in crate::store) async fn write_of_domains(
    tx: &mut Tx<'_>,
    events: &[(Uuid, &NewEvent, DateTime<Utc>)],
    operation: &'static str,
) -> Result<(), StoreError> {
    let item = |(domain_id, event, at): &(Uuid, &NewEvent, DateTime<Utc>)| EventItem {
        event_id: event.id.simple().to_string(),
        domain_id: domain_id.simple().to_string(),
        kind: event.kind,
        body: event::body(event.kind, *at, &event.body),
        at: time(*at),
    };
    let items: Vec<EventItem> = events.iter().map(item).collect();
    if items.is_empty() {
        return Ok(());
    }
    let items = serde_json::to_string(&items)
        .map_err(|fault| StoreError::Corrupt { operation, what: format!("an event makes no JSON: {fault}") })?;
    tx!(tx, WRITE_OF_DOMAINS, |sql, connection| sqlx::query(sql).bind(items).execute(connection).await.map(|_| ()))
        .map_err(StoreError::at(operation))
}

/// Writes an event about one endpoint for the enabled endpoints of the operators, itself left out, in the
/// transaction of what happened.
pub(in crate::store) async fn write_to_operators(
    tx: &mut Tx<'_>,
    endpoint_id: Uuid,
    event: &NewEvent,
    at: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    let body = event::body(event.kind, at, &event.body);
    tx!(tx, WRITE_TO_OPERATORS, |sql, connection| {
        let query = sqlx::query(sql).bind(event.id).bind(event.kind).bind(body.as_str()).bind(at);
        query.bind(format!(" {} ", event.kind)).bind(endpoint_id).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}
