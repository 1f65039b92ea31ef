//! Settling: the one transaction in which a check's result becomes so.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::store::db::{Tx, statements, tx};
use crate::store::history::write_events;
use crate::store::schedule::{CheckReason, Claim};
use crate::store::{NewEvent, Store, StoreError, warmup};
use crate::verify::evidence::stored::Stored;
use crate::verify::standing::{Standing, SuspendedReason};

/// The result of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// When the check was made; `last_checked_at`.
    pub at: DateTime<Utc>,
    /// How the domain stands after it.
    pub standing: Standing,
    /// What `dns_configured` is to be: it stays as it was where nobody could tell.
    pub dns_configured: bool,
    /// The verdict on each record, for the history.
    pub verdicts: Value,
    /// What it rests on; stored once per digest.
    pub evidence: Stored,
    /// What changed with it, for the history.
    pub changes: Value,
    /// Whether all four were valid; sets `last_success_at`.
    pub all_valid: bool,
    /// When to check again; nothing: only when asked.
    pub next_check_at: Option<DateTime<Utc>>,
    /// What to tell the world.
    pub events: Vec<NewEvent>,
    /// The id of the check in the history.
    pub check_id: Uuid,
    /// Why it was made.
    pub reason: CheckReason,
    /// How many questions were asked.
    pub questions: u32,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
}

/// What came of [`Store::domain_settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// All of it is written.
    Done,
    /// Another has the domain now, or it was changed meanwhile: none of it is written.
    LeaseLost,
}

statements! {
    // The fence: the token, and what the claim saw of columns that the platform may write at any time.
    SETTLE = "UPDATE email_domains SET dns_configured = $5, spf_valid = $6, dkim_valid = $7, dmarc_valid = $8, \
        mx_valid = $9, status = $10, verified_at = $11, degraded_since = $12, suspends_at = $13, \
        suspended_reason = $14, recovering_since = $15, stale_since = $16, last_checked_at = $17, \
        last_success_at = CASE WHEN $18 THEN $17 ELSE last_success_at END, \
        next_check_at = CASE WHEN check_again_at IS NOT NULL AND (check_again_at < $19 OR $19 IS NULL) \
            THEN check_again_at ELSE $19 END, \
        check_reason = CASE WHEN check_again_at IS NOT NULL AND (check_again_at < $19 OR $19 IS NULL) \
            THEN 'webhook' ELSE 'schedule' END, \
        check_again_at = NULL, lease_until = NULL, lease_token = NULL, evidence_digest = $20, \
        updated_at = CASE WHEN $21 THEN $22 ELSE updated_at END \
        WHERE id = $1 AND lease_token = $2 AND domain = $3 AND deleted_at IS NULL \
        AND COALESCE(status, 'pending') = $4";
    // It was changed by SQL while it was checked: due again at once.
    GIVE_UP = "UPDATE email_domains SET lease_until = NULL, lease_token = NULL WHERE id = $1 AND lease_token = $2";
    KEEP_EVIDENCE = "INSERT INTO sendready_evidence (digest, version, body, created_at) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (digest) DO NOTHING";
    KEEP_CHECK = "INSERT INTO sendready_checks (id, domain_id, at, reason, all_valid, verdicts, changes, \
        evidence_digest, questions, took_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
}

impl Store {
    /// Writes a check's result in one transaction: flags, status and clocks, evidence, history and events.
    ///
    /// Only behind the lease's token, and only when name, status and deletion still are what the claim saw, for
    /// the platform may have changed them by SQL. `updated_at` becomes `now` when a column of the seed changes.
    /// A check that a webhook asked for while this one ran comes before `next_check_at`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is written, and the domain falls due when the lease ends.
    pub async fn domain_settle(
        &self,
        claim: &Claim,
        settlement: &Settlement,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        const OPERATION: &str = "domain_settle";
        let mut tx = self.db.begin(OPERATION).await?;
        if !settle_row(&mut tx, claim, settlement, now, OPERATION).await? {
            tx!(&mut tx, GIVE_UP, |sql, connection| {
                sqlx::query(sql).bind(claim.domain.id).bind(claim.token).execute(connection).await.map(|_| ())
            })
            .map_err(StoreError::at(OPERATION))?;
            tx.commit(OPERATION).await?;
            return Ok(Settled::LeaseLost);
        }
        let (standing, dns_configured) = (&settlement.standing, settlement.dns_configured);
        warmup::follow(&mut tx, &claim.domain, standing, dns_configured, now, OPERATION).await?;
        keep(&mut tx, claim, settlement, OPERATION).await?;
        write_events(&mut tx, claim.domain.id, Some(settlement.check_id), &settlement.events, settlement.at, OPERATION)
            .await?;
        tx.commit(OPERATION).await?;
        Ok(Settled::Done)
    }
}

/// Whether the row was still as claimed, and so is written.
async fn settle_row(
    tx: &mut Tx,
    claim: &Claim,
    settlement: &Settlement,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<bool, StoreError> {
    let (before, after) = (&claim.domain, &settlement.standing);
    let is_other = before.standing().flags != after.flags
        || before.dns_configured != settlement.dns_configured
        || before.status != after.status;
    tx!(tx, SETTLE, |sql, connection| {
        let query = sqlx::query(sql).bind(before.id).bind(claim.token).bind(before.domain.as_str());
        let query = query.bind(before.status.as_str()).bind(settlement.dns_configured).bind(after.flags.spf);
        let query = query.bind(after.flags.dkim).bind(after.flags.dmarc).bind(after.flags.mx);
        let query = query.bind(after.status.as_str()).bind(after.verified_at).bind(after.degraded_since);
        let query = query.bind(after.suspends_at).bind(after.suspended_reason.map(SuspendedReason::as_str));
        let query = query.bind(after.recovering_since).bind(after.stale_since).bind(settlement.at);
        let query = query.bind(settlement.all_valid).bind(settlement.next_check_at);
        let query = query.bind(settlement.evidence.digest.as_str()).bind(is_other).bind(now);
        query.execute(connection).await.map(|done| done.rows_affected() == 1)
    })
    .map_err(StoreError::at(operation))
}

/// Writes the evidence, unless it is known, and the check.
async fn keep(tx: &mut Tx, claim: &Claim, settlement: &Settlement, operation: &'static str) -> Result<(), StoreError> {
    let evidence = &settlement.evidence;
    tx!(&mut *tx, KEEP_EVIDENCE, |sql, connection| {
        let query = sqlx::query(sql).bind(evidence.digest.as_str()).bind(number(evidence.version));
        query.bind(evidence.body.as_str()).bind(settlement.at).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    tx!(tx, KEEP_CHECK, |sql, connection| {
        let query = sqlx::query(sql).bind(settlement.check_id).bind(claim.domain.id).bind(settlement.at);
        let query = query.bind(settlement.reason.as_str()).bind(settlement.all_valid);
        let query = query.bind(settlement.verdicts.to_string()).bind(settlement.changes.to_string());
        let query = query.bind(evidence.digest.as_str()).bind(number(settlement.questions));
        query.bind(number(settlement.took_ms)).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}

/// An INTEGER column's number; the greatest there is when it is greater.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
