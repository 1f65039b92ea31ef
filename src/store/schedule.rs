//! The schedule: which domains are due, who holds them, and bringing one forward.
//!
//! It stands on the domain's row. A lease is a time and a token; whoever settles must still have the token.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;
use uuid::Uuid;

use crate::store::db::{db, statements};
use crate::store::domain::{DomainRow, Row, domain_columns};
use crate::store::notice::Notice;
use crate::store::{Store, StoreError};

/// Why a domain is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckReason {
    /// It was registered.
    Created,
    /// Somebody looks at its records.
    Poll,
    /// Somebody asked for it.
    Verify,
    /// A webhook said that its DNS changed.
    Webhook,
    /// It was time.
    Schedule,
}

impl CheckReason {
    /// Every reason, in the contract's order.
    pub const ALL: [CheckReason; 5] =
        [CheckReason::Created, CheckReason::Poll, CheckReason::Verify, CheckReason::Webhook, CheckReason::Schedule];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            CheckReason::Created => "created",
            CheckReason::Poll => "poll",
            CheckReason::Verify => "verify",
            CheckReason::Webhook => "webhook",
            CheckReason::Schedule => "schedule",
        }
    }

    /// Reads the word of the contract; nothing for any other.
    pub fn parse(text: &str) -> Option<CheckReason> {
        CheckReason::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Whether somebody waits for it.
    pub const fn is_interactive(self) -> bool {
        !matches!(self, CheckReason::Schedule)
    }
}

/// A domain on loan to one worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The row as it was when lent.
    pub domain: DomainRow,
    /// What settling must show.
    pub token: Uuid,
    /// Why it is checked.
    pub reason: CheckReason,
}

/// What came of [`Store::domain_advance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advanced {
    /// Whether a worker holds the domain now: the call joins that check.
    pub running: bool,
    /// When the next check is due; at most `now` while one runs.
    pub next_check_at: DateTime<Utc>,
}

/// Rows that `$1` finds due and free, at most `$4`; the conditions are those of an index, word for word.
macro_rules! due {
    ($which:literal, $order:literal, $skip_locked:literal) => {
        concat!(
            "(SELECT id, next_check_at FROM email_domains WHERE ",
            $which,
            " AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted' \
             AND COALESCE(malformed, '') <> domain AND (lease_until IS NULL OR lease_until <= $1) ORDER BY ",
            $order,
            " LIMIT $4",
            $skip_locked,
            ")"
        )
    };
}

macro_rules! asked {
    ($skip_locked:literal) => {
        due!(
            "next_check_at <= $1 AND check_reason <> 'schedule' AND client_id NOT IN ($5, $6, $7, $8)",
            "next_check_at",
            $skip_locked
        )
    };
}

macro_rules! new {
    ($skip_locked:literal) => {
        due!("next_check_at IS NULL AND last_checked_at IS NULL", "id", $skip_locked)
    };
}

macro_rules! sweep {
    ($skip_locked:literal) => {
        due!("next_check_at <= $1 AND COALESCE(check_reason, 'schedule') = 'schedule'", "next_check_at", $skip_locked)
    };
}

/// Lends what `$due` selects. Materialised, or PostgreSQL might run the selection again for each row it looks
/// at, and lend more than `$4`.
macro_rules! claim {
    ($($due:expr),+) => {
        concat!(
            "WITH due AS MATERIALIZED (",
            $($due),+,
            ") UPDATE email_domains SET lease_until = $2, lease_token = $3 WHERE id IN (SELECT id FROM due) RETURNING ",
            domain_columns!()
        )
    };
}

macro_rules! claim_due {
    ($skip_locked:literal) => {
        claim!(
            "SELECT id FROM (SELECT id, next_check_at, 1 AS turn FROM ",
            asked!($skip_locked),
            " AS asked UNION ALL SELECT id, next_check_at, 2 AS turn FROM ",
            new!($skip_locked),
            " AS new UNION ALL SELECT id, next_check_at, 3 AS turn FROM ",
            sweep!($skip_locked),
            " AS sweep) AS turns ORDER BY turn, next_check_at LIMIT $4"
        )
    };
}

macro_rules! claim_sweep {
    ($skip_locked:literal) => {
        claim!("SELECT id FROM ", sweep!($skip_locked), " AS sweep")
    };
}

statements! {
    CLAIM_DUE = claim_due!(" FOR UPDATE SKIP LOCKED") => claim_due!("");
    CLAIM_SWEEP = claim_sweep!(" FOR UPDATE SKIP LOCKED") => claim_sweep!("");
    // The three parts are the conditions of one index each, and no row is in two of them.
    DUE_COUNT = "SELECT (SELECT count(*) FROM email_domains WHERE next_check_at <= $1 AND check_reason <> 'schedule' \
            AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted' AND COALESCE(malformed, '') <> domain \
            AND (lease_until IS NULL OR lease_until <= $1)) \
        + (SELECT count(*) FROM email_domains WHERE next_check_at <= $1 \
            AND COALESCE(check_reason, 'schedule') = 'schedule' AND deleted_at IS NULL \
            AND COALESCE(status, 'pending') <> 'deleted' AND COALESCE(malformed, '') <> domain \
            AND (lease_until IS NULL OR lease_until <= $1)) \
        + (SELECT count(*) FROM email_domains WHERE next_check_at IS NULL AND last_checked_at IS NULL \
            AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted' AND COALESCE(malformed, '') <> domain \
            AND (lease_until IS NULL OR lease_until <= $1))";
    RELEASE = "UPDATE email_domains SET lease_until = NULL, lease_token = NULL WHERE id = $1 AND lease_token = $2";
    POSTPONE = "UPDATE email_domains SET lease_until = NULL, lease_token = NULL, next_check_at = $3, \
        check_reason = 'schedule' WHERE id = $1 AND lease_token = $2";
    CLOCKS = "SELECT last_checked_at, next_check_at, check_reason, check_again_at, lease_until FROM email_domains \
        WHERE id = $1 AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted'";
    // Only on what was read: somebody may have settled or lent meanwhile.
    // With `$7` other replicas are told.
    ADVANCE = "WITH moved AS (UPDATE email_domains SET next_check_at = $2, check_reason = $3 \
        WHERE id = $1 AND next_check_at IS NOT DISTINCT FROM $4 AND last_checked_at IS NOT DISTINCT FROM $5 \
        AND lease_until IS NOT DISTINCT FROM $6 RETURNING id) \
        SELECT id, CASE WHEN $7 <> '' THEN CAST(pg_notify('sendready', $7) AS TEXT) END FROM moved"
        => "UPDATE email_domains SET next_check_at = $2, check_reason = $3 \
        WHERE id = $1 AND next_check_at IS NOT DISTINCT FROM $4 AND last_checked_at IS NOT DISTINCT FROM $5 \
        AND lease_until IS NOT DISTINCT FROM $6 RETURNING id, $7";
    AGAIN = "UPDATE email_domains SET check_again_at = $2 \
        WHERE id = $1 AND check_again_at IS NOT DISTINCT FROM $3 AND lease_until IS NOT DISTINCT FROM $4";
}

/// How many clients a claim can leave out: as many as can hold a quarter of the slots each.
pub const CLIENTS_EXCEPTED_MAX: usize = 4;

/// How often an advance tries again when others write the same row at the same time.
const ADVANCE_TRIES_MAX: u32 = 8;

#[derive(sqlx::FromRow)]
struct Clocks {
    last_checked_at: Option<DateTime<Utc>>,
    next_check_at: Option<DateTime<Utc>>,
    check_reason: Option<String>,
    check_again_at: Option<DateTime<Utc>>,
    lease_until: Option<DateTime<Utc>>,
}

impl Clocks {
    /// When the next check is due; nothing: only when asked.
    fn due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.next_check_at.or_else(|| self.last_checked_at.is_none().then_some(now))
    }

    fn is_asked_for(&self) -> bool {
        self.check_reason.as_deref().is_some_and(|reason| reason != CheckReason::Schedule.as_str())
    }
}

/// A span in the form that times are reckoned in; the longest there is when it is longer.
fn interval(span: Duration) -> TimeDelta {
    TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX)
}

/// When a check that is wanted at `now` may be made, `min_interval` after the last.
pub(in crate::store) fn earliest(
    last_checked_at: Option<DateTime<Utc>>,
    min_interval: Duration,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let after = last_checked_at.and_then(|last| last.checked_add_signed(interval(min_interval)));
    after.map_or(now, |after| after.max(now))
}

impl Store {
    /// Lends out at most `count_max` domains that are due at `now`.
    ///
    /// Those that somebody waits for go first (everything but reason `schedule`), each by how long it has been
    /// due. No domain is lent twice before `lease_until`, however many workers ask at once. A worker that dies
    /// gives nothing back; its domains fall due again at `lease_until`. Deleted and malformed ones are not lent.
    /// A row that does not read back is passed over aloud, and again after each lease.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has been lent.
    pub async fn domain_claim_due(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        token: Uuid,
        count_max: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        self.domain_claim_due_but(&[], now, lease_until, token, count_max).await
    }

    /// The same, but of what somebody asked for nothing of the clients `but`, which hold their share; those past
    /// [`CLIENTS_EXCEPTED_MAX`] are not looked at. What is due by schedule, or was never looked at, is lent all
    /// the same.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has been lent.
    pub async fn domain_claim_due_but(
        &self,
        but: &[Uuid],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        token: Uuid,
        count_max: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        const OPERATION: &str = "domain_claim_due";
        // The greatest id is nobody's.
        let mut excepted = [Uuid::max(); CLIENTS_EXCEPTED_MAX];
        excepted.iter_mut().zip(but).for_each(|(place, client)| *place = *client);
        let rows = db!(&self.db, CLAIM_DUE, |sql, pool| {
            let query = sqlx::query_as::<_, Row>(sql).bind(now).bind(lease_until).bind(token);
            let query = excepted.iter().fold(query.bind(i64::from(count_max)), |query, client| query.bind(*client));
            query.fetch_all(pool).await
        });
        Ok(claims(rows.map_err(StoreError::at(OPERATION))?, token, OPERATION))
    }

    /// The same, but only what is due by schedule, so that the sweep can have its share.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has been lent.
    pub async fn domain_claim_sweep(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        token: Uuid,
        count_max: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        const OPERATION: &str = "domain_claim_sweep";
        let rows = db!(&self.db, CLAIM_SWEEP, |sql, pool| {
            let query = sqlx::query_as::<_, Row>(sql).bind(now).bind(lease_until).bind(token);
            query.bind(i64::from(count_max)).fetch_all(pool).await
        });
        Ok(claims(rows.map_err(StoreError::at(OPERATION))?, token, OPERATION))
    }

    /// How many domains are due at `now` and held by nobody.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn domain_due_count(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let count: i64 = db!(&self.db, DUE_COUNT, |sql, pool| sqlx::query_scalar(sql).bind(now).fetch_one(pool).await)
            .map_err(StoreError::at("domain_due_count"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Gives a loan back untouched; the domain is due as it was. A lost lease is fine.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; it falls due when the lease ends.
    pub async fn domain_release(&self, claim: &Claim) -> Result<(), StoreError> {
        db!(&self.db, RELEASE, |sql, pool| {
            sqlx::query(sql).bind(claim.domain.id).bind(claim.token).execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("domain_release"))
    }

    /// Brings a domain's next check forward to `at`, but not closer than `min_interval` to its last, and never
    /// later than it is. Nothing when there is no such domain or it is deleted.
    ///
    /// What is due already only gains its turn before the sweep. While a check runs, the call joins it, except
    /// that a webhook's word asks for another one after it, not closer than `min_interval` to `now`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn domain_advance(
        &self,
        id: Uuid,
        reason: CheckReason,
        at: DateTime<Utc>,
        min_interval: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<Advanced>, StoreError> {
        let after = |time: DateTime<Utc>| time.checked_add_signed(interval(min_interval)).unwrap_or(time);
        for _ in 0..ADVANCE_TRIES_MAX {
            let Some(clocks) = self.clocks(id).await? else { return Ok(None) };
            let due = clocks.due(now);
            if clocks.lease_until.is_some_and(|until| until > now) {
                let again = at.max(after(now));
                let is_later = clocks.check_again_at.is_some_and(|planned| planned <= again);
                if reason != CheckReason::Webhook || is_later || self.again(id, again, &clocks).await? {
                    return Ok(Some(Advanced { running: true, next_check_at: due.unwrap_or(now) }));
                }
                continue;
            }
            let wanted = clocks.last_checked_at.map_or(at, |last| at.max(after(last)));
            let next_check_at = due.map_or(wanted, |due| due.min(wanted));
            let gains = due != Some(next_check_at)
                || (reason.is_interactive() && !clocks.is_asked_for() && due <= Some(wanted));
            let notice = if next_check_at <= now { Notice::due(id).write(&self.origin) } else { String::new() };
            if !gains || self.advance(id, next_check_at, reason, &clocks, &notice).await? {
                return Ok(Some(Advanced { running: false, next_check_at }));
            }
        }
        // Others keep writing the row: it is being checked, or brought forward, by them.
        let Some(clocks) = self.clocks(id).await? else { return Ok(None) };
        let running = clocks.lease_until.is_some_and(|until| until > now);
        Ok(Some(Advanced { running, next_check_at: clocks.due(now).unwrap_or(now) }))
    }

    /// Gives a loan back that cannot be used now: the domain is due again at `until`, by schedule. A lost lease is fine.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; it falls due when the lease ends.
    pub async fn domain_postpone(&self, claim: &Claim, until: DateTime<Utc>) -> Result<(), StoreError> {
        db!(&self.db, POSTPONE, |sql, pool| {
            let query = sqlx::query(sql).bind(claim.domain.id).bind(claim.token).bind(until);
            query.execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("domain_postpone"))
    }

    async fn clocks(&self, id: Uuid) -> Result<Option<Clocks>, StoreError> {
        db!(&self.db, CLOCKS, |sql, pool| sqlx::query_as::<_, Clocks>(sql).bind(id).fetch_optional(pool).await)
            .map_err(StoreError::at("domain_advance"))
    }

    async fn advance(
        &self,
        id: Uuid,
        to: DateTime<Utc>,
        reason: CheckReason,
        read: &Clocks,
        notice: &str,
    ) -> Result<bool, StoreError> {
        db!(&self.db, ADVANCE, |sql, pool| {
            let query = sqlx::query(sql).bind(id).bind(to).bind(reason.as_str());
            let query = query.bind(read.next_check_at).bind(read.last_checked_at).bind(read.lease_until);
            query.bind(notice).fetch_optional(pool).await.map(|row| row.is_some())
        })
        .map_err(StoreError::at("domain_advance"))
    }

    async fn again(&self, id: Uuid, at: DateTime<Utc>, read: &Clocks) -> Result<bool, StoreError> {
        db!(&self.db, AGAIN, |sql, pool| {
            let query = sqlx::query(sql).bind(id).bind(at).bind(read.check_again_at).bind(read.lease_until);
            query.execute(pool).await.map(|done| done.rows_affected() == 1)
        })
        .map_err(StoreError::at("domain_advance"))
    }
}

/// The loans of some rows, in the order in which they are to be worked on.
pub(in crate::store) fn claims(rows: Vec<Row>, token: Uuid, operation: &'static str) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::with_capacity(rows.len());
    for row in rows {
        match row.read(operation) {
            Ok(domain) => {
                let first = domain.last_checked_at.is_none() && domain.next_check_at.is_none();
                let fallback = if first { CheckReason::Created } else { CheckReason::Schedule };
                let reason = domain.check_reason.unwrap_or(fallback);
                claims.push(Claim { domain, token, reason });
            }
            // One such row must not keep the others from being checked.
            Err(fault) => warn!("Not checked: {fault}"),
        }
    }
    claims.sort_by_key(|claim| {
        (!claim.reason.is_interactive(), claim.domain.next_check_at.is_none(), claim.domain.next_check_at)
    });
    claims
}
