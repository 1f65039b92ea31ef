//! History: checks, the evidence they rest on, and events.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::store::db::{Tx, db, statements, tx};
use crate::store::delivery::write_of_domains;
use crate::store::schedule::CheckReason;
use crate::store::{Store, StoreError};

/// One check that settled.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRow {
    /// The id.
    pub id: Uuid,
    /// Which domain.
    pub domain_id: Uuid,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: CheckReason,
    /// Whether all four were valid.
    pub all_valid: bool,
    /// The verdict on each record.
    pub verdicts: Value,
    /// What changed with it.
    pub changes: Value,
    /// What it rests on.
    pub evidence_digest: String,
    /// How many questions were asked.
    pub questions: u32,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
}

/// Something to tell the world.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The id, stable over deliveries.
    pub id: Uuid,
    /// The type on the wire, such as `domain.verified`.
    pub kind: &'static str,
    /// The body's `data`.
    pub body: Value,
}

/// Something that happened to a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// The id, stable over deliveries.
    pub id: Uuid,
    /// Which domain.
    pub domain_id: Uuid,
    /// Which check showed it; nothing when a person did it.
    pub check_id: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
    /// The type on the wire.
    pub kind: String,
    /// The body's `data`.
    pub body: Value,
}

macro_rules! check_columns {
    () => {
        "c.id, c.domain_id, c.at, c.reason, c.all_valid, c.verdicts, c.changes, c.evidence_digest, \
         c.questions, c.took_ms"
    };
}

macro_rules! event_columns {
    () => {
        "id, domain_id, check_id, at, kind, body"
    };
}

statements! {
    CHECK_LIST = "SELECT ", check_columns!(), " FROM sendready_checks AS c WHERE c.domain_id = $1 AND c.id < $2 AND c.id > $4 \
        ORDER BY c.id DESC LIMIT $3";
    CHECK_GET = "SELECT ", check_columns!(), ", e.body AS evidence FROM sendready_checks AS c \
        JOIN sendready_evidence AS e ON e.digest = c.evidence_digest WHERE c.id = $1 AND c.domain_id = $2";
    EVIDENCE_LATEST = "SELECT e.body FROM email_domains AS d \
        JOIN sendready_evidence AS e ON e.digest = d.evidence_digest WHERE d.id = $1";
    EVIDENCE_GET = "SELECT body FROM sendready_evidence WHERE digest = $1";
    EVENT_LIST = "SELECT ", event_columns!(), " FROM sendready_events WHERE domain_id = $1 AND id < $2 AND id > $4 \
        ORDER BY id DESC LIMIT $3";
    EVENT_ADD = "INSERT INTO sendready_events (id, domain_id, check_id, at, kind, body) VALUES ($1, $2, $3, $4, $5, $6)";
}

#[derive(sqlx::FromRow)]
struct CheckColumns {
    id: Uuid,
    domain_id: Uuid,
    at: DateTime<Utc>,
    reason: String,
    all_valid: bool,
    verdicts: String,
    changes: String,
    evidence_digest: String,
    questions: i32,
    took_ms: i32,
}

impl CheckColumns {
    fn read(self, operation: &'static str) -> Result<CheckRow, StoreError> {
        let corrupt = |what: String| StoreError::Corrupt { operation, what: format!("check {}: {what}", self.id) };
        Ok(CheckRow {
            id: self.id,
            domain_id: self.domain_id,
            at: self.at,
            reason: CheckReason::parse(&self.reason)
                .ok_or_else(|| corrupt(format!("there is no reason `{}`", self.reason)))?,
            all_valid: self.all_valid,
            verdicts: read_json(&self.verdicts).map_err(corrupt)?,
            changes: read_json(&self.changes).map_err(corrupt)?,
            questions: u32::try_from(self.questions).map_err(|_| corrupt("a negative count".to_owned()))?,
            took_ms: u32::try_from(self.took_ms).map_err(|_| corrupt("a negative time".to_owned()))?,
            evidence_digest: self.evidence_digest,
        })
    }
}

#[derive(sqlx::FromRow)]
struct CheckWithEvidence {
    #[sqlx(flatten)]
    check: CheckColumns,
    evidence: String,
}

#[derive(sqlx::FromRow)]
struct EventColumns {
    id: Uuid,
    domain_id: Uuid,
    check_id: Option<Uuid>,
    at: DateTime<Utc>,
    kind: String,
    body: String,
}

impl EventColumns {
    fn read(self, operation: &'static str) -> Result<EventRow, StoreError> {
        let corrupt = |what: String| StoreError::Corrupt { operation, what: format!("event {}: {what}", self.id) };
        Ok(EventRow {
            id: self.id,
            domain_id: self.domain_id,
            check_id: self.check_id,
            at: self.at,
            body: read_json(&self.body).map_err(corrupt)?,
            kind: self.kind,
        })
    }
}

fn read_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|fault| format!("a text is no JSON: {fault}"))
}

impl Store {
    /// At most `limit` checks of a domain, the newest first, those older than `before`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn check_list(
        &self,
        domain_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<CheckRow>, StoreError> {
        self.check_list_after(None, domain_id, before, limit).await
    }

    /// The same, but none up to the id `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn check_list_after(
        &self,
        after: Option<Uuid>,
        domain_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<CheckRow>, StoreError> {
        const OPERATION: &str = "check_list";
        // The greatest id is above every other.
        let before = before.unwrap_or(Uuid::max());
        db!(&self.db, CHECK_LIST, |sql, pool| {
            let query = sqlx::query_as::<_, CheckColumns>(sql).bind(domain_id).bind(before);
            query.bind(i64::from(limit)).bind(after.unwrap_or_default()).fetch_all(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .into_iter()
        .map(|row| row.read(OPERATION))
        .collect()
    }

    /// One check of a domain, with the stored form of its evidence.
    ///
    /// Equal evidence is stored once, so its times to live are those of the first check that found it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn check_get(&self, domain_id: Uuid, check_id: Uuid) -> Result<Option<(CheckRow, String)>, StoreError> {
        const OPERATION: &str = "check_get";
        db!(&self.db, CHECK_GET, |sql, pool| {
            sqlx::query_as::<_, CheckWithEvidence>(sql).bind(check_id).bind(domain_id).fetch_optional(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .map(|row| Ok((row.check.read(OPERATION)?, row.evidence)))
        .transpose()
    }

    /// The stored form of the evidence that a domain's last settled check rests on.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn evidence_latest(&self, domain_id: Uuid) -> Result<Option<String>, StoreError> {
        db!(&self.db, EVIDENCE_LATEST, |sql, pool| {
            sqlx::query_scalar::<_, String>(sql).bind(domain_id).fetch_optional(pool).await
        })
        .map_err(StoreError::at("evidence_latest"))
    }

    /// The body of the evidence with this digest; nothing where it was pruned.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn evidence_get(&self, digest: &str) -> Result<Option<String>, StoreError> {
        db!(&self.db, EVIDENCE_GET, |sql, pool| {
            sqlx::query_scalar::<_, String>(sql).bind(digest).fetch_optional(pool).await
        })
        .map_err(StoreError::at("evidence_get"))
    }

    /// At most `limit` events of a domain, the newest first, those older than `before`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn event_list(
        &self,
        domain_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        self.event_list_after(None, domain_id, before, limit).await
    }

    /// The same, but none up to the id `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn event_list_after(
        &self,
        after: Option<Uuid>,
        domain_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        const OPERATION: &str = "event_list";
        let before = before.unwrap_or(Uuid::max());
        db!(&self.db, EVENT_LIST, |sql, pool| {
            let query = sqlx::query_as::<_, EventColumns>(sql).bind(domain_id).bind(before);
            query.bind(i64::from(limit)).bind(after.unwrap_or_default()).fetch_all(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .into_iter()
        .map(|row| row.read(OPERATION))
        .collect()
    }
}

/// Writes events, and their deliveries to endpoints, in the transaction of what they tell.
pub(in crate::store) async fn write_events(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    check_id: Option<Uuid>,
    events: &[NewEvent],
    at: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    for event in events {
        tx!(&mut *tx, EVENT_ADD, |sql, connection| {
            let query = sqlx::query(sql).bind(event.id).bind(domain_id).bind(check_id).bind(at);
            query.bind(event.kind).bind(event.body.to_string()).execute(connection).await.map(|_| ())
        })
        .map_err(StoreError::at(operation))?;
    }
    let events: Vec<_> = events.iter().map(|event| (domain_id, event, at)).collect();
    write_of_domains(tx, &events, operation).await
}
