//! Lending deliveries out, and settling what came of an attempt.
//!
//! A lease is a time and a token, as for checks: whoever settles must still have the token, and what a worker that
//! died had is lent again when its lease ends. Endpoints are served in turns, so that one with many deliveries, or a
//! slow one, does not stand before the others.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{Tx, db, statements, tx};
use crate::store::delivery::{Columns, DeliveryRow, DeliveryStatus, delivery_columns, write_to_operators};
use crate::store::endpoint::DisabledReason;
use crate::store::{NewEvent, Store, StoreError};

/// An endpoint with deliveries that are due and free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The endpoint.
    pub endpoint_id: Uuid,
    /// Whether it failed the last time.
    pub is_failing: bool,
}

/// Which deliveries of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that are due.
    Any,
    /// Only those that a person asked for: the endpoint is disabled, or rests.
    Asked,
}

/// A delivery on loan to one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryClaim {
    /// The row as it was when lent.
    pub delivery: DeliveryRow,
    /// What is posted.
    pub body: String,
    /// What settling must show.
    pub token: Uuid,
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// What was answered, if anything was.
    pub response_code: Option<u16>,
    /// How the answer's body begins. Without zero octets, which the databases cannot hold.
    pub response_excerpt: Option<&'a str>,
    /// Why it failed; nothing when it was taken.
    pub failure: Option<&'a str>,
    /// When to try again; nothing: it was taken, or is given up.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The endpoint asked not to be called before.
    pub resumes_at: Option<DateTime<Utc>>,
}

/// That an endpoint is to be disabled.
#[derive(Debug, Clone, PartialEq)]
pub struct Disabling {
    /// Why.
    pub reason: DisabledReason,
    /// Only if it was not well since then.
    pub unless_well_since: DateTime<Utc>,
    /// What operators are told.
    pub event: NewEvent,
}

/// What came of [`Store::delivery_settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliverySettled {
    /// It is written.
    Done,
    /// It is written, and the endpoint is disabled by it.
    Disabled,
    /// Another has the delivery now, or it is gone: nothing is written.
    LeaseLost,
}

/// When the first delivery of endpoint `e` is due that is free and that `$which`.
macro_rules! first_due {
    ($which:literal) => {
        concat!(
            "(SELECT d.next_attempt_at FROM sendready_webhook_deliveries AS d WHERE d.endpoint_id = e.id \
             AND d.next_attempt_at IS NOT NULL AND d.next_attempt_at <= $1 \
             AND (d.lease_until IS NULL OR d.lease_until <= $1)",
            $which,
            " ORDER BY d.next_attempt_at LIMIT 1)"
        )
    };
}

macro_rules! claim {
    ($which:literal, $skip_locked:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (SELECT event_id FROM sendready_webhook_deliveries WHERE endpoint_id = $1 \
             AND next_attempt_at IS NOT NULL AND next_attempt_at <= $2 \
             AND (lease_until IS NULL OR lease_until <= $2)",
            $which,
            " ORDER BY next_attempt_at, event_id LIMIT $5",
            $skip_locked,
            ") UPDATE sendready_webhook_deliveries SET lease_until = $3, lease_token = $4 \
             WHERE endpoint_id = $1 AND event_id IN (SELECT event_id FROM due) RETURNING body, ",
            delivery_columns!()
        )
    };
}

statements! {
    // From one endpoint of the index to the next, however many deliveries each has. What a disabled or resting one
    // has is looked at only where a person asked for it.
    CLAIMABLE = "WITH RECURSIVE waiting(endpoint_id) AS (SELECT (SELECT endpoint_id FROM sendready_webhook_deliveries \
        WHERE next_attempt_at IS NOT NULL ORDER BY endpoint_id LIMIT 1) UNION ALL \
        SELECT (SELECT d.endpoint_id FROM sendready_webhook_deliveries AS d WHERE d.next_attempt_at IS NOT NULL \
        AND d.endpoint_id > w.endpoint_id ORDER BY d.endpoint_id LIMIT 1) FROM waiting AS w \
        WHERE w.endpoint_id IS NOT NULL), \
        due AS (SELECT e.id, e.failing_since IS NOT NULL AS is_failing, \
        CASE WHEN e.enabled AND (e.resumes_at IS NULL OR e.resumes_at <= $1) THEN ", first_due!(""),
        " ELSE ", first_due!(" AND d.asked"), " END AS first_at \
        FROM waiting AS w JOIN sendready_webhook_endpoints AS e ON e.id = w.endpoint_id) \
        SELECT id, is_failing FROM due WHERE first_at IS NOT NULL ORDER BY is_failing, first_at, id LIMIT $2";
    CLAIM = claim!("", " FOR UPDATE SKIP LOCKED") => claim!("", "");
    CLAIM_ASKED = claim!(" AND asked", " FOR UPDATE SKIP LOCKED") => claim!(" AND asked", "");
    RELEASE = "UPDATE sendready_webhook_deliveries SET lease_until = NULL, lease_token = NULL \
        WHERE endpoint_id = $1 AND event_id = $2 AND lease_token = $3";
    POSTPONE = "UPDATE sendready_webhook_deliveries SET lease_until = NULL, lease_token = NULL, next_attempt_at = $4 \
        WHERE endpoint_id = $1 AND event_id = $2 AND lease_token = $3";
    // Endpoint before delivery, as removing goes, so that nobody waits in a circle. SQLite's one writer is inside.
    LOCK = "SELECT id FROM sendready_webhook_endpoints WHERE id = $1 FOR NO KEY UPDATE"
        => "SELECT id FROM sendready_webhook_endpoints WHERE id = $1";
    SETTLE = "UPDATE sendready_webhook_deliveries SET status = $4, attempts = attempts + 1, asked = FALSE, \
        next_attempt_at = $5, lease_until = NULL, lease_token = NULL, \
        first_attempt_at = COALESCE(first_attempt_at, $6), attempted_at = $6, took_ms = $7, response_code = $8, \
        response_excerpt = $9, failure = $10, delivered_at = CASE WHEN $4 = 'delivered' THEN $6 ELSE delivered_at END \
        WHERE endpoint_id = $1 AND event_id = $2 AND lease_token = $3";
    WELL = "UPDATE sendready_webhook_endpoints SET well_at = $2, failing_since = NULL, resumes_at = NULL WHERE id = $1";
    FAILING = "UPDATE sendready_webhook_endpoints SET failing_since = COALESCE(failing_since, $2), \
        resumes_at = COALESCE($3, resumes_at) WHERE id = $1";
    DISABLE = "UPDATE sendready_webhook_endpoints SET enabled = FALSE, disabled_at = $2, disabled_reason = $3, \
        updated_at = $2 WHERE id = $1 AND enabled AND well_at <= $4";
}

#[derive(sqlx::FromRow)]
struct WaitingColumns {
    id: Uuid,
    is_failing: bool,
}

#[derive(sqlx::FromRow)]
struct ClaimColumns {
    #[sqlx(flatten)]
    delivery: Columns,
    body: String,
}

impl Store {
    /// At most `count_max` endpoints with deliveries that are due at `now` and free: those that do not
    /// fail first, and of each kind those that wait longest.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn endpoint_claimable(&self, now: DateTime<Utc>, count_max: u32) -> Result<Vec<Waiting>, StoreError> {
        let rows = db!(&self.db, CLAIMABLE, |sql, pool| {
            sqlx::query_as::<_, WaitingColumns>(sql).bind(now).bind(i64::from(count_max)).fetch_all(pool).await
        })
        .map_err(StoreError::at("endpoint_claimable"))?;
        let waiting = |WaitingColumns { id, is_failing }| Waiting { endpoint_id: id, is_failing };
        Ok(rows.into_iter().map(waiting).collect())
    }

    /// Lends out at most `count_max` deliveries of one endpoint that are due at `now`, the first due first.
    ///
    /// None is lent twice before `lease_until`, however many workers ask at once.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has been lent, unless a row does not read back.
    pub async fn delivery_claim(
        &self,
        (endpoint_id, which): (Uuid, Which),
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        token: Uuid,
        count_max: u32,
    ) -> Result<Vec<DeliveryClaim>, StoreError> {
        const OPERATION: &str = "delivery_claim";
        let statement = match which {
            Which::Any => CLAIM,
            Which::Asked => CLAIM_ASKED,
        };
        let rows = db!(&self.db, statement, |sql, pool| {
            let query = sqlx::query_as::<_, ClaimColumns>(sql).bind(endpoint_id).bind(now).bind(lease_until);
            query.bind(token).bind(i64::from(count_max)).fetch_all(pool).await
        })
        .map_err(StoreError::at(OPERATION))?;
        let claim =
            |row: ClaimColumns| Ok(DeliveryClaim { delivery: row.delivery.read(OPERATION)?, body: row.body, token });
        let mut claims: Vec<DeliveryClaim> = rows.into_iter().map(claim).collect::<Result<_, StoreError>>()?;
        claims.sort_by_key(|claim| (claim.delivery.next_attempt_at, claim.delivery.event_id));
        Ok(claims)
    }

    /// Gives a loan back untouched; it is due as it was. A lost lease is fine.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; it falls due when the lease ends.
    pub async fn delivery_release(&self, claim: &DeliveryClaim) -> Result<(), StoreError> {
        let DeliveryRow { endpoint_id, event_id, .. } = claim.delivery;
        db!(&self.db, RELEASE, |sql, pool| {
            sqlx::query(sql).bind(endpoint_id).bind(event_id).bind(claim.token).execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("delivery_release"))
    }

    /// Gives a loan back whose attempt is not due yet: it is at `until`. A lost lease is fine.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; it falls due when the lease ends.
    pub async fn delivery_postpone(&self, claim: &DeliveryClaim, until: DateTime<Utc>) -> Result<(), StoreError> {
        let DeliveryRow { endpoint_id, event_id, .. } = claim.delivery;
        db!(&self.db, POSTPONE, |sql, pool| {
            let query = sqlx::query(sql).bind(endpoint_id).bind(event_id).bind(claim.token).bind(until);
            query.execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("delivery_postpone"))
    }

    /// Writes what came of an attempt in one transaction: the delivery, how its endpoint fares, and, with
    /// `disabling`, that it is disabled and the operators' endpoints are told. Only behind the lease's token.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is written, and the delivery falls due when the lease ends.
    pub async fn delivery_settle(
        &self,
        claim: &DeliveryClaim,
        attempt: &Attempt<'_>,
        disabling: Option<&Disabling>,
    ) -> Result<DeliverySettled, StoreError> {
        const OPERATION: &str = "delivery_settle";
        let endpoint_id = claim.delivery.endpoint_id;
        let mut tx = self.db.begin(OPERATION).await?;
        tx!(&mut tx, LOCK, |sql, connection| sqlx::query(sql).bind(endpoint_id).execute(connection).await.map(|_| ()))
            .map_err(StoreError::at(OPERATION))?;
        if !settle_row(&mut tx, claim, attempt, OPERATION).await? {
            return Ok(DeliverySettled::LeaseLost);
        }
        note_endpoint(&mut tx, endpoint_id, attempt, OPERATION).await?;
        let is_disabled = match disabling {
            Some(disabling) => disable(&mut tx, endpoint_id, disabling, attempt.at, OPERATION).await?,
            None => false,
        };
        tx.commit(OPERATION).await?;
        Ok(if is_disabled { DeliverySettled::Disabled } else { DeliverySettled::Done })
    }
}

/// Whether the loan was still ours, and so is settled.
async fn settle_row(
    tx: &mut Tx<'_>,
    claim: &DeliveryClaim,
    attempt: &Attempt<'_>,
    operation: &'static str,
) -> Result<bool, StoreError> {
    let status = match (attempt.failure, attempt.next_attempt_at) {
        (None, _) => DeliveryStatus::Delivered,
        (Some(_), Some(_)) => DeliveryStatus::Pending,
        (Some(_), None) => DeliveryStatus::Failed,
    };
    tx!(tx, SETTLE, |sql, connection| {
        let query = sqlx::query(sql).bind(claim.delivery.endpoint_id).bind(claim.delivery.event_id);
        let query = query.bind(claim.token).bind(status.as_str()).bind(attempt.next_attempt_at).bind(attempt.at);
        let query = query.bind(i32::try_from(attempt.took_ms).unwrap_or(i32::MAX));
        let query = query.bind(attempt.response_code.map(i32::from)).bind(attempt.response_excerpt);
        query.bind(attempt.failure).execute(connection).await.map(|done| done.rows_affected() == 1)
    })
    .map_err(StoreError::at(operation))
}

/// Notes how the endpoint fares.
async fn note_endpoint(
    tx: &mut Tx<'_>,
    endpoint_id: Uuid,
    attempt: &Attempt<'_>,
    operation: &'static str,
) -> Result<(), StoreError> {
    match attempt.failure {
        None => tx!(tx, WELL, |sql, connection| {
            sqlx::query(sql).bind(endpoint_id).bind(attempt.at).execute(connection).await.map(|_| ())
        }),
        Some(_) => tx!(tx, FAILING, |sql, connection| {
            let query = sqlx::query(sql).bind(endpoint_id).bind(attempt.at).bind(attempt.resumes_at);
            query.execute(connection).await.map(|_| ())
        }),
    }
    .map_err(StoreError::at(operation))
}

/// Whether the endpoint was enabled and unwell, and so is disabled, with the event.
async fn disable(
    tx: &mut Tx<'_>,
    endpoint_id: Uuid,
    disabling: &Disabling,
    at: DateTime<Utc>,
    operation: &'static str,
) -> Result<bool, StoreError> {
    let is_disabled = tx!(&mut *tx, DISABLE, |sql, connection| {
        let query = sqlx::query(sql).bind(endpoint_id).bind(at).bind(disabling.reason.as_str());
        query.bind(disabling.unless_well_since).execute(connection).await.map(|done| done.rows_affected() == 1)
    })
    .map_err(StoreError::at(operation))?;
    if is_disabled {
        write_to_operators(tx, endpoint_id, &disabling.event, at, operation).await?;
    }
    Ok(is_disabled)
}
