//! Settling: the one transaction in which the results of checks become so.
//!
//! What finishes together is written together: the rows in one statement, their evidence, history and events in one
//! each, and one word to other replicas. Each result stands behind its own lease; a lost one takes no other with it.
//! A statement gets its rows as one JSON text, for that both databases take apart.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::store::breaker::{self, NewLook};
use crate::store::db::{Tx, statements, tx};
use crate::store::delivery::write_of_domains;
use crate::store::notice::{self, Notice};
use crate::store::requirements::Requirements;
use crate::store::schedule::{CheckReason, Claim};
use crate::store::transfer::{Claimant, Found, Locked, lock_claimants, take_over};
use crate::store::{NewEvent, ReputationFacts, Store, StoreError, ownership, reputation, warmup};
use crate::verify::evidence::stored::Stored;
use crate::verify::standing::{Standing, SuspendedReason};

/// The most results that are written together: one word to other replicas can name them all.
pub const TOGETHER_MAX: usize = notice::DOMAINS_MAX;

/// The last time that both databases read out of a text; nothing is planned for later.
const TIME_MAX: &str = "9999-12-31T00:00:00+00:00";

/// The result of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// When the check was made; `last_checked_at`.
    pub at: DateTime<Utc>,
    /// How the domain stands after it.
    pub standing: Standing,
    /// What `dns_configured` is to be: it stays as it was where nobody could tell.
    pub dns_configured: bool,
    /// What of its requirements counts from now on; nothing: all of them.
    pub binding: Option<Requirements>,
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
    /// When the next check may be made at the earliest, whoever asks: the least interval after this one.
    pub earliest_at: DateTime<Utc>,
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
    /// What the fleet breaker is told. Nothing for what never was valid.
    pub look: Option<NewLook>,
    /// Whether it has found the proof that the domain is its client's.
    pub is_proven: bool,
    /// Whose proofs it has found besides, where its client has none; those who asked first before others.
    pub claimants: Vec<Claimant>,
    /// What is written instead where this demotes and the breaker has opened meanwhile; there whenever it demotes.
    pub withheld: Option<Box<Settlement>>,
}

/// What came of [`Store::domain_settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// All of it is written.
    Done,
    /// The fleet breaker has opened: what demotes nobody is written in its place.
    Withheld,
    /// Another has the domain now, or it was changed meanwhile: none of it is written.
    LeaseLost,
}

/// When a webhook wants the domain looked at after this check; NULL: it does not.
///
/// `check_again_at` was asked for while the check ran. The follow-ups are for a domain that is not all valid, or not proven, and
/// keep the least interval. The row as it is now decides, not as it was when it was claimed.
macro_rules! wanted_at {
    () => {
        "CASE WHEN check_again_at IS NOT NULL THEN check_again_at WHEN i.is_done THEN NULL \
         WHEN follow_up_at > i.checked_at \
             THEN CASE WHEN follow_up_at < i.earliest_at THEN i.earliest_at ELSE follow_up_at END \
         WHEN last_follow_up_at > i.checked_at \
             THEN CASE WHEN last_follow_up_at < i.earliest_at THEN i.earliest_at ELSE last_follow_up_at END END"
    };
}

/// What settling makes of the rows that the items `i` find as they were claimed. `$narrow` is for PostgreSQL, which would
/// read a small table as a whole for a hundred items, and lock its rows in no order.
///
/// The fence: the token, and what the claim saw of columns that the platform may write at any time.
macro_rules! settle {
    ($with:literal, $from:literal, $narrow:literal) => {
        concat!(
            $with,
            "UPDATE email_domains AS d SET dns_configured = i.dns_configured, spf_valid = i.spf, dkim_valid = i.dkim, \
             dmarc_valid = i.dmarc, mx_valid = i.mx, status = i.status_after, verified_at = i.verified, \
             degraded_since = i.degraded, suspends_at = i.suspends, suspended_reason = i.suspended, \
             recovering_since = i.recovering, stale_since = i.stale, last_checked_at = i.checked_at, \
             last_success_at = CASE WHEN i.all_valid THEN i.checked_at ELSE last_success_at END, next_check_at = CASE WHEN ",
            wanted_at!(),
            " < i.next_at OR i.next_at IS NULL THEN ",
            wanted_at!(),
            " ELSE i.next_at END, check_reason = CASE WHEN ",
            wanted_at!(),
            " < i.next_at OR i.next_at IS NULL AND ",
            wanted_at!(),
            " IS NOT NULL THEN 'webhook' ELSE 'schedule' END, \
             follow_up_at = CASE WHEN i.is_done AND check_again_at IS NULL THEN NULL ELSE follow_up_at END, \
             last_follow_up_at = CASE WHEN i.is_done AND check_again_at IS NULL THEN NULL ELSE last_follow_up_at END, \
             check_again_at = NULL, lease_until = NULL, lease_token = NULL, evidence_digest = i.digest, \
             binding = i.binding, ownership_proven_at = COALESCE(ownership_proven_at, i.proven), \
             reputation_score = COALESCE(i.score, reputation_score), \
             updated_at = CASE WHEN i.is_other THEN i.settled_at ELSE updated_at END FROM ",
            $from,
            " WHERE ",
            $narrow,
            "d.id = i.item_id AND d.lease_token = i.token AND d.domain = i.name_before \
             AND d.deleted_at IS NULL AND COALESCE(d.status, 'pending') = i.status_before RETURNING id"
        )
    };
}

statements! {
    SETTLE = settle!("WITH i AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) AS j(item_id UUID, token UUID, name_before TEXT, status_before TEXT, \
        dns_configured BOOLEAN, spf BOOLEAN, dkim BOOLEAN, dmarc BOOLEAN, mx BOOLEAN, status_after TEXT, \
        verified TIMESTAMPTZ, degraded TIMESTAMPTZ, suspends TIMESTAMPTZ, suspended TEXT, recovering TIMESTAMPTZ, \
        stale TIMESTAMPTZ, checked_at TIMESTAMPTZ, earliest_at TIMESTAMPTZ, next_at TIMESTAMPTZ, \
        settled_at TIMESTAMPTZ, all_valid BOOLEAN, is_other BOOLEAN, is_done BOOLEAN, digest TEXT, binding TEXT, proven TIMESTAMPTZ, score DOUBLE PRECISION)) ",
        "i", "d.id = ANY (ARRAY(SELECT item_id FROM i)) AND ")
        => settle!("", "(SELECT unhex(value->>'item_id') AS item_id, unhex(value->>'token') AS token, \
        value->>'name_before' AS name_before, value->>'status_before' AS status_before, \
        value->>'dns_configured' AS dns_configured, value->>'spf' AS spf, value->>'dkim' AS dkim, \
        value->>'dmarc' AS dmarc, value->>'mx' AS mx, value->>'status_after' AS status_after, \
        value->>'verified' AS verified, value->>'degraded' AS degraded, value->>'suspends' AS suspends, \
        value->>'suspended' AS suspended, value->>'recovering' AS recovering, value->>'stale' AS stale, \
        value->>'checked_at' AS checked_at, value->>'earliest_at' AS earliest_at, value->>'next_at' AS next_at, \
        value->>'settled_at' AS settled_at, value->>'all_valid' AS all_valid, value->>'is_other' AS is_other, \
        value->>'is_done' AS is_done, \
        value->>'digest' AS digest, value->>'binding' AS binding, value->>'proven' AS proven, \
         value->>'score' AS score FROM json_each($1)) AS i", "");
    // It was changed by SQL while it was checked: due again at once.
    GIVE_UP = "UPDATE email_domains SET lease_until = NULL, lease_token = NULL WHERE id = $1 AND lease_token = $2";
    IS_KEPT = "SELECT EXISTS (SELECT 1 FROM sendready_checks WHERE id = $1)";
    KEEP_EVIDENCE = "INSERT INTO sendready_evidence (digest, version, body, created_at) \
        SELECT digest, version, body, created_at \
        FROM json_to_recordset($1::json) AS i(digest TEXT, version INTEGER, body TEXT, created_at TIMESTAMPTZ) \
        WHERE TRUE ON CONFLICT (digest) DO NOTHING"
        => "INSERT INTO sendready_evidence (digest, version, body, created_at) \
        SELECT value->>'digest', value->>'version', value->>'body', value->>'created_at' \
        FROM json_each($1) WHERE TRUE ON CONFLICT (digest) DO NOTHING";
    KEEP_CHECKS = "INSERT INTO sendready_checks (id, domain_id, at, reason, all_valid, verdicts, changes, \
        evidence_digest, questions, took_ms) SELECT id, domain_id, at, reason, all_valid, verdicts, changes, \
        digest, questions, took_ms FROM json_to_recordset($1::json) AS i(id UUID, domain_id UUID, at TIMESTAMPTZ, \
        reason TEXT, all_valid BOOLEAN, verdicts TEXT, changes TEXT, digest TEXT, questions INTEGER, took_ms INTEGER)"
        => "INSERT INTO sendready_checks (id, domain_id, at, reason, all_valid, verdicts, changes, \
        evidence_digest, questions, took_ms) SELECT unhex(value->>'id'), unhex(value->>'domain_id'), value->>'at', \
        value->>'reason', value->>'all_valid', value->>'verdicts', value->>'changes', value->>'digest', \
        value->>'questions', value->>'took_ms' FROM json_each($1)";
    KEEP_EVENTS = "INSERT INTO sendready_events (id, domain_id, check_id, at, kind, body) \
        SELECT id, domain_id, check_id, at, kind, body FROM json_to_recordset($1::json) \
        AS i(id UUID, domain_id UUID, check_id UUID, at TIMESTAMPTZ, kind TEXT, body TEXT)"
        => "INSERT INTO sendready_events (id, domain_id, check_id, at, kind, body) \
        SELECT unhex(value->>'id'), unhex(value->>'domain_id'), unhex(value->>'check_id'), value->>'at', \
        value->>'kind', value->>'body' FROM json_each($1)";
}

/// What becomes of a row.
#[derive(Serialize)]
struct RowItem<'s> {
    item_id: String,
    token: String,
    name_before: &'s str,
    status_before: &'static str,
    dns_configured: bool,
    spf: bool,
    dkim: bool,
    dmarc: bool,
    mx: bool,
    status_after: &'static str,
    verified: Option<String>,
    degraded: Option<String>,
    suspends: Option<String>,
    suspended: Option<&'static str>,
    recovering: Option<String>,
    stale: Option<String>,
    checked_at: String,
    earliest_at: String,
    next_at: Option<String>,
    settled_at: String,
    all_valid: bool,
    is_other: bool,
    is_done: bool,
    digest: &'s str,
    binding: Option<String>,
    proven: Option<String>,
    /// Nothing: as it was.
    score: Option<f64>,
}

#[derive(Serialize)]
struct EvidenceItem<'s> {
    digest: &'s str,
    version: u32,
    body: &'s str,
    created_at: String,
}

#[derive(Serialize)]
struct CheckItem<'s> {
    id: String,
    domain_id: String,
    at: String,
    reason: &'static str,
    all_valid: bool,
    verdicts: String,
    changes: String,
    digest: &'s str,
    questions: i32,
    took_ms: i32,
}

#[derive(Serialize)]
struct EventItem {
    id: String,
    domain_id: String,
    check_id: String,
    at: String,
    kind: &'static str,
    body: String,
}

/// One check's result and the loan it was made on.
pub type CheckResult<'s> = (&'s Claim, &'s Settlement);

impl Store {
    /// Writes one check's result; see [`Store::domain_settle_all`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is known to be written, and it may be tried again.
    pub async fn domain_settle(
        &self,
        claim: &Claim,
        settlement: &Settlement,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        let settled = self.domain_settle_all(&[(claim, settlement)], now).await?;
        Ok(settled.first().copied().unwrap_or(Settled::LeaseLost))
    }

    /// Writes the results of checks in one transaction: flags, status and clocks, evidence, history and events.
    /// What became of each, in their order.
    ///
    /// Each only behind its lease's token, and only when name, status and deletion still are what the claim saw, for
    /// the platform may have changed them by SQL. `updated_at` becomes `now` when a column of the seed changes.
    /// A check that a webhook asked for comes before `next_check_at`. Tried again after an error, what the first try
    /// wrote after all is `Done` and not written twice. Other replicas are told, with one word for all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is known to be written, and it may be tried again until the leases end.
    /// One result that the database refuses takes the others with it; each alone is then to be tried.
    pub async fn domain_settle_all(
        &self,
        results: &[CheckResult<'_>],
        now: DateTime<Utc>,
    ) -> Result<Vec<Settled>, StoreError> {
        const OPERATION: &str = "domain_settle";
        let mut tx = self.db.begin(OPERATION).await?;
        // An opening waits for what demotes, and what demotes for an opening.
        let is_open = match results.iter().any(|(_, settlement)| settlement.withheld.is_some()) {
            true => breaker::is_open_locked(&mut tx, OPERATION).await?,
            false => false,
        };
        let in_force = |settlement| if is_open { withheld(settlement) } else { settlement };
        let in_force: Vec<CheckResult<'_>> = results.iter().map(|(claim, given)| (*claim, in_force(*given))).collect();
        let claimants = in_force.iter().flat_map(|(_, settlement)| &settlement.claimants);
        let locked = lock_claimants(&mut tx, claimants.map(|claimant| claimant.client_id), OPERATION).await?;
        // In the order of their ids, so that two transactions never wait for each other.
        let mut ordered: Vec<&CheckResult<'_>> = in_force.iter().collect();
        ordered.sort_by_key(|(claim, _)| claim.domain.id);
        // A domain that stands there twice was lent twice; of its two tokens one is right, and is in one of the rounds.
        let mut done = BTreeSet::new();
        let mut round: Vec<&CheckResult<'_>> = Vec::with_capacity(ordered.len());
        for result in ordered {
            if round.last().is_some_and(|last| last.0.domain.id == result.0.domain.id) {
                settle_rows(&mut tx, &[result], now, &mut done).await?;
            } else {
                round.push(result);
            }
        }
        settle_rows(&mut tx, &round, now, &mut done).await?;
        let mut settled = Vec::with_capacity(results.len());
        let mut written = Vec::with_capacity(results.len());
        for (given, result) in results.iter().zip(&in_force) {
            if done.contains(&result.1.check_id) {
                written.push(result);
                settled.push(if std::ptr::eq(given.1, result.1) { Settled::Done } else { Settled::Withheld });
            } else {
                settled.push(give_up(&mut tx, given, OPERATION).await?);
            }
        }
        for (claim, settlement) in &written {
            let (standing, dns_configured) = (&settlement.standing, settlement.dns_configured);
            warmup::follow(&mut tx, &claim.domain, standing, dns_configured, now, OPERATION).await?;
        }
        keep(&mut tx, &written, OPERATION).await?;
        for result in &written {
            conclude_ownership(&mut tx, result, &locked, now, OPERATION).await?;
        }
        let domains = written.iter().map(|(claim, _)| claim.domain.id).collect();
        self.tell_replicas(&mut tx, &Notice { is_due: false, domains }, OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(settled)
    }
}

/// What a check means for those who ask for the domain: the holder's proof ends it, theirs transfers the domain.
async fn conclude_ownership(
    tx: &mut Tx<'_>,
    (claim, settlement): &CheckResult<'_>,
    locked: &Locked,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    if settlement.is_proven {
        return ownership::forget(tx, claim.domain.id, operation).await;
    }
    if settlement.claimants.is_empty() {
        return Ok(());
    }
    let Settlement { check_id, earliest_at, claimants, .. } = settlement;
    let found = Found { check_id: Some(*check_id), earliest_at: *earliest_at, claimants };
    take_over(tx, &claim.domain, &found, locked, now, operation).await.map(|_| ())
}

/// What is written of a settlement while the fleet breaker is open.
fn withheld(settlement: &Settlement) -> &Settlement {
    settlement.withheld.as_deref().unwrap_or(settlement)
}

/// Writes the rows that still are as claimed, no domain twice among them; adds the ids of their checks to `done`.
async fn settle_rows<'s>(
    tx: &mut Tx<'_>,
    results: &[&CheckResult<'s>],
    now: DateTime<Utc>,
    done: &mut BTreeSet<Uuid>,
) -> Result<(), StoreError> {
    const OPERATION: &str = "domain_settle";
    let turned: Vec<Uuid> =
        results.iter().filter(|result| is_other(result)).map(|(claim, _)| claim.domain.id).collect();
    let facts = reputation::facts(tx, &turned, now, OPERATION).await?;
    let item = |result: &&CheckResult<'s>| row_item(result, facts.get(&result.0.domain.id), now, OPERATION);
    let items: Vec<RowItem<'_>> = results.iter().map(item).collect::<Result<_, _>>()?;
    let items = json(&items, OPERATION)?;
    let rows: Vec<Uuid> =
        tx!(tx, SETTLE, |sql, connection| sqlx::query_scalar(sql).bind(items).fetch_all(connection).await)
            .map_err(StoreError::at(OPERATION))?;
    let rows: BTreeSet<Uuid> = rows.into_iter().collect();
    done.extend(results.iter().filter(|(claim, _)| rows.contains(&claim.domain.id)).map(|(_, result)| result.check_id));
    Ok(())
}

fn row_item<'s>(
    result @ (claim, settlement): &CheckResult<'s>,
    facts: Option<&ReputationFacts>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<RowItem<'s>, StoreError> {
    let (before, after) = (&claim.domain, &settlement.standing);
    Ok(RowItem {
        item_id: before.id.simple().to_string(),
        token: claim.token.simple().to_string(),
        name_before: &before.domain,
        status_before: before.status.as_str(),
        dns_configured: settlement.dns_configured,
        spf: after.flags.spf,
        dkim: after.flags.dkim,
        dmarc: after.flags.dmarc,
        mx: after.flags.mx,
        status_after: after.status.as_str(),
        verified: after.verified_at.map(time),
        degraded: after.degraded_since.map(time),
        suspends: after.suspends_at.map(time),
        suspended: after.suspended_reason.map(SuspendedReason::as_str),
        recovering: after.recovering_since.map(time),
        stale: after.stale_since.map(time),
        checked_at: time(settlement.at),
        earliest_at: time(settlement.earliest_at),
        next_at: settlement.next_check_at.map(time),
        settled_at: time(now),
        all_valid: settlement.all_valid,
        is_other: is_other(result),
        // Nothing is waited for any more: neither a record nor a proof.
        is_done: settlement.all_valid && (settlement.is_proven || !before.is_unproven()),
        digest: &settlement.evidence.digest,
        binding: settlement.binding.as_ref().map(|binding| binding.write(operation)).transpose()?,
        proven: settlement.is_proven.then(|| time(settlement.at)),
        score: facts.map(|facts| facts.score_with(after.flags)),
    })
}

/// Whether a column of the seed changes.
fn is_other((claim, settlement): &CheckResult<'_>) -> bool {
    let (before, after) = (&claim.domain, &settlement.standing);
    before.standing().flags != after.flags
        || before.dns_configured != settlement.dns_configured
        || before.status != after.status
}

/// What became of a result whose row is no longer as claimed.
async fn give_up(
    tx: &mut Tx<'_>,
    (claim, settlement): &CheckResult<'_>,
    operation: &'static str,
) -> Result<Settled, StoreError> {
    let either = [(Some(*settlement), Settled::Done), (settlement.withheld.as_deref(), Settled::Withheld)];
    for (written, settled) in either {
        let Some(written) = written else { continue };
        let kept: bool = tx!(&mut *tx, IS_KEPT, |sql, connection| {
            sqlx::query_scalar(sql).bind(written.check_id).fetch_one(connection).await
        })
        .map_err(StoreError::at(operation))?;
        if kept {
            // The connection was lost after an earlier try had been written.
            return Ok(settled);
        }
    }
    tx!(tx, GIVE_UP, |sql, connection| {
        sqlx::query(sql).bind(claim.domain.id).bind(claim.token).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    Ok(Settled::LeaseLost)
}

/// Writes the evidence, unless it is known, the checks, their events, and those events' deliveries.
async fn keep(tx: &mut Tx<'_>, results: &[&CheckResult<'_>], operation: &'static str) -> Result<(), StoreError> {
    if results.is_empty() {
        return Ok(());
    }
    let (evidence, checks) = (json(&evidence_items(results), operation)?, json(&check_items(results), operation)?);
    let events: Vec<EventItem> = results.iter().flat_map(|result| event_items(result)).collect();
    for (statement, items) in [(KEEP_EVIDENCE, evidence), (KEEP_CHECKS, checks)] {
        tx!(&mut *tx, statement, |sql, connection| sqlx::query(sql).bind(items).execute(connection).await.map(|_| ()))
            .map_err(StoreError::at(operation))?;
    }
    let looks: Vec<_> = results
        .iter()
        .filter_map(|(claim, settlement)| Some((claim.domain.id, settlement.look.as_ref()?, settlement.at)))
        .collect();
    breaker::keep_looks(tx, &looks, operation).await?;
    if !events.is_empty() {
        let events = json(&events, operation)?;
        tx!(&mut *tx, KEEP_EVENTS, |sql, connection| {
            sqlx::query(sql).bind(events).execute(connection).await.map(|_| ())
        })
        .map_err(StoreError::at(operation))?;
    }
    let mut events = Vec::new();
    for (claim, settlement) in results {
        events.extend(settlement.events.iter().map(|event| (claim.domain.id, event, settlement.at)));
    }
    write_of_domains(tx, &events, operation).await
}

/// Each once, in the order of their digests, so that two transactions never wait for each other.
fn evidence_items<'s>(results: &[&CheckResult<'s>]) -> Vec<EvidenceItem<'s>> {
    let item = |(_, settlement): &&CheckResult<'s>| EvidenceItem {
        digest: &settlement.evidence.digest,
        version: settlement.evidence.version,
        body: &settlement.evidence.body,
        created_at: time(settlement.at),
    };
    let mut items: Vec<EvidenceItem<'s>> = results.iter().map(item).collect();
    items.sort_by_key(|item| item.digest);
    items.dedup_by_key(|item| item.digest);
    items
}

fn check_items<'s>(results: &[&CheckResult<'s>]) -> Vec<CheckItem<'s>> {
    let item = |(claim, settlement): &&CheckResult<'s>| CheckItem {
        id: settlement.check_id.simple().to_string(),
        domain_id: claim.domain.id.simple().to_string(),
        at: time(settlement.at),
        reason: settlement.reason.as_str(),
        all_valid: settlement.all_valid,
        verdicts: settlement.verdicts.to_string(),
        changes: settlement.changes.to_string(),
        digest: &settlement.evidence.digest,
        questions: number(settlement.questions),
        took_ms: number(settlement.took_ms),
    };
    results.iter().map(item).collect()
}

fn event_items((claim, settlement): &CheckResult<'_>) -> Vec<EventItem> {
    let item = |event: &NewEvent| EventItem {
        id: event.id.simple().to_string(),
        domain_id: claim.domain.id.simple().to_string(),
        check_id: settlement.check_id.simple().to_string(),
        at: time(settlement.at),
        kind: event.kind,
        body: event.body.to_string(),
    };
    settlement.events.iter().map(item).collect()
}

fn json<T: Serialize>(items: &[T], operation: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(items)
        .map_err(|fault| StoreError::Corrupt { operation, what: format!("a result makes no JSON: {fault}") })
}

/// A time as the driver spells it, for SQLite compares the texts.
pub(in crate::store) fn time(time: DateTime<Utc>) -> String {
    let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, false);
    // A year of five digits has a sign before it.
    if text.starts_with(['+', '-']) { TIME_MAX.to_owned() } else { text }
}

/// An INTEGER column's number; the greatest there is when it is greater.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
