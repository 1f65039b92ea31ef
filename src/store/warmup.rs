//! Warm-up in the rows: when it was closed, when it began, and how far it has come.
//!
//! The closures are the record, and [`crate::sending::reckoning`] the rule; the columns of `email_mailboxes` follow.
//! Whoever changes what may close a warm-up notes it in the same transaction with `note_domain` or `note_mailbox`.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::sending::gate::{DomainFacts, domain_closes_warm_up};
use crate::sending::limit::Counter;
use crate::sending::mailbox::MailboxStatus;
use crate::sending::reckoning::{Facts, Reckoned, reckon};
use crate::sending::warmup::{Closure, daily_limit_on, midnight};
use crate::store::db::{Tx, statements, tx};
use crate::store::domain::DomainRow;
use crate::store::mailbox::{self, MailboxRow};
use crate::store::{Store, StoreError};
use crate::verify::standing::Standing;

statements! {
    CLOSE_DOMAIN = "INSERT INTO sendready_domain_closures (domain_id, closed_at, reopened_at) VALUES ($1, $2, $3) \
        ON CONFLICT DO NOTHING";
    CLOSE_MAILBOX = "INSERT INTO sendready_mailbox_closures (mailbox_id, closed_at, reopened_at) VALUES ($1, $2, $3) \
        ON CONFLICT DO NOTHING";
    // Closed today and open again: the end of no day lies in it.
    FORGET_DOMAIN = "DELETE FROM sendready_domain_closures WHERE domain_id = $1 AND reopened_at IS NULL AND closed_at >= $2";
    FORGET_MAILBOX = "DELETE FROM sendready_mailbox_closures WHERE mailbox_id = $1 AND reopened_at IS NULL AND closed_at >= $2";
    REOPEN_DOMAIN = "UPDATE sendready_domain_closures SET reopened_at = $2 WHERE domain_id = $1 AND reopened_at IS NULL";
    REOPEN_MAILBOX = "UPDATE sendready_mailbox_closures SET reopened_at = $2 WHERE mailbox_id = $1 AND reopened_at IS NULL";
    CLOSURES = "SELECT closed_at, reopened_at FROM sendready_mailbox_closures WHERE mailbox_id = $1 \
        UNION ALL SELECT closed_at, reopened_at FROM sendready_domain_closures WHERE domain_id = $2";
    NOT_BEGUN = "SELECT id FROM email_mailboxes WHERE domain_id = $1 AND deleted_at IS NULL AND warmup_day_one IS NULL \
        ORDER BY id";
    RECKONED = "UPDATE email_mailboxes SET status = $2, resumes_as = $3, warmup_started_at = $4, warmup_completed_at = $5, \
        warmup_stage = $6, daily_send_limit = $7, warmup_day_one = $8, warmup_day = $9, warmup_reckoned_on = $10, \
        updated_at = CASE WHEN $11 THEN $12 ELSE updated_at END WHERE id = $1";
}

#[derive(sqlx::FromRow)]
struct ClosureRow {
    closed_at: DateTime<Utc>,
    reopened_at: Option<DateTime<Utc>>,
}

impl MailboxRow {
    /// What [`reckon`] asks of it.
    pub fn warmup_facts(&self) -> Facts {
        Facts {
            status: self.status,
            resumes_as: self.resumes_as,
            warmup_enabled: self.warmup_enabled,
            started_at: self.warmup_started_at,
            completed_at: self.warmup_completed_at,
            stage: self.warmup_stage,
            daily_send_limit: self.daily_send_limit,
            day_one: self.warmup_day_one,
            dns_configured: self.domain.dns_configured || self.domain.flags.all(),
        }
    }

    /// Whether its columns may say something else than they must at `now`.
    pub fn wants_reckoning(&self, now: DateTime<Utc>) -> bool {
        let facts = self.warmup_facts();
        if !facts.is_in_warm_up() {
            return self.status == MailboxStatus::Warming;
        }
        if facts.day_one.is_none() {
            return facts.dns_configured || facts.stage > 0;
        }
        let day = self.warmup_day.and_then(|day| u32::try_from(day).ok()).unwrap_or(0);
        let as_noted = i64::from(self.warmup_stage) == i64::from(day)
            && i64::from(self.daily_send_limit) == i64::from(daily_limit_on(day));
        self.warmup_reckoned_on != Some(now.date_naive()) || !as_noted
    }
}

impl Store {
    /// Brings a mailbox's warm-up columns up to date; the row as it stands then, or nothing where there is none, or it
    /// is deleted. `stale_limit` is how long the last known word about a domain holds. Twice is the same as once.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn mailbox_reckon(
        &self,
        id: Uuid,
        stale_limit: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<MailboxRow>, StoreError> {
        const OPERATION: &str = "mailbox_reckon";
        let mut tx = self.db.begin(OPERATION).await?;
        let row = reckon_in(&mut tx, id, Some(stale_limit), now, OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(row)
    }

    /// Notes whether a mailbox by itself keeps its warm-up closed, where nobody has.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn warmup_note_mailbox(&self, id: Uuid, is_closed: bool, now: DateTime<Utc>) -> Result<(), StoreError> {
        const OPERATION: &str = "warmup_note_mailbox";
        let mut tx = self.db.begin(OPERATION).await?;
        note_mailbox(&mut tx, id, is_closed, now, OPERATION).await?;
        tx.commit(OPERATION).await
    }

    /// Notes whether a domain keeps the warm-up of its mailboxes closed, where nobody has.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn warmup_note_domain(&self, id: Uuid, is_closed: bool, now: DateTime<Utc>) -> Result<(), StoreError> {
        const OPERATION: &str = "warmup_note_domain";
        let mut tx = self.db.begin(OPERATION).await?;
        note_domain(&mut tx, id, is_closed, now, OPERATION).await?;
        tx.commit(OPERATION).await
    }

    /// Notes that a domain's warm-up was closed from `closed_at` to `reopened_at`, because nobody could tell.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn warmup_note_stale(
        &self,
        domain_id: Uuid,
        closed_at: DateTime<Utc>,
        reopened_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "warmup_note_stale";
        let mut tx = self.db.begin(OPERATION).await?;
        close_domain(&mut tx, domain_id, closed_at, Some(reopened_at), OPERATION).await?;
        tx.commit(OPERATION).await
    }
}

/// Follows a change of a domain's standing: warm-up is closed or open again, or begins.
pub(in crate::store) async fn follow(
    tx: &mut Tx<'_>,
    before: &DomainRow,
    after: &Standing,
    dns_configured: bool,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    let (was_closed, is_closed) = (closes(&before.standing()), closes(after));
    if was_closed != is_closed {
        note_domain(tx, before.id, is_closed, now, operation).await?;
    }
    if dns_configured && !before.dns_configured {
        begin(tx, before.id, now, operation).await?;
        if was_closed && is_closed {
            // Nobody knows yet whose it is: it has begun, and waits.
            note_domain(tx, before.id, true, now, operation).await?;
        }
    }
    Ok(())
}

/// Whether a standing closes warm-up. Staleness is told by its own clock, and is not a closure that somebody notes.
fn closes(standing: &Standing) -> bool {
    domain_closes_warm_up(&DomainFacts {
        status: standing.status,
        suspended_reason: standing.suspended_reason,
        flags: standing.flags,
        is_stale: false,
        is_malformed: false,
        counter: Counter { used: 0, limit: 0 },
    })
}

/// Begins the warm-up of a domain's mailboxes that wait for it.
async fn begin(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    let ids = tx!(&mut *tx, NOT_BEGUN, |sql, connection| {
        sqlx::query_scalar::<_, Uuid>(sql).bind(domain_id).fetch_all(connection).await
    })
    .map_err(StoreError::at(operation))?;
    for id in ids {
        reckon_in(tx, id, None, now, operation).await?;
    }
    Ok(())
}

/// Notes whether a domain keeps warm-up closed.
pub(in crate::store) async fn note_domain(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    is_closed: bool,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    if is_closed {
        return close_domain(tx, domain_id, now, None, operation).await;
    }
    let today = midnight(now.date_naive());
    tx!(&mut *tx, FORGET_DOMAIN, |sql, connection| {
        sqlx::query(sql).bind(domain_id).bind(today).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    tx!(tx, REOPEN_DOMAIN, |sql, connection| {
        sqlx::query(sql).bind(domain_id).bind(now).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}

/// Notes that a domain's warm-up is closed, or was.
pub(in crate::store) async fn close_domain(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    closed_at: DateTime<Utc>,
    reopened_at: Option<DateTime<Utc>>,
    operation: &'static str,
) -> Result<(), StoreError> {
    tx!(tx, CLOSE_DOMAIN, |sql, connection| {
        sqlx::query(sql).bind(domain_id).bind(closed_at).bind(reopened_at).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}

/// Notes whether a mailbox by itself keeps its warm-up closed.
pub(in crate::store) async fn note_mailbox(
    tx: &mut Tx<'_>,
    mailbox_id: Uuid,
    is_closed: bool,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    if is_closed {
        return close_mailbox(tx, mailbox_id, now, None, operation).await;
    }
    let today = midnight(now.date_naive());
    tx!(&mut *tx, FORGET_MAILBOX, |sql, connection| {
        sqlx::query(sql).bind(mailbox_id).bind(today).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    tx!(tx, REOPEN_MAILBOX, |sql, connection| {
        sqlx::query(sql).bind(mailbox_id).bind(now).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}

/// Notes that a mailbox's warm-up is closed, or was.
pub(in crate::store) async fn close_mailbox(
    tx: &mut Tx<'_>,
    mailbox_id: Uuid,
    closed_at: DateTime<Utc>,
    reopened_at: Option<DateTime<Utc>>,
    operation: &'static str,
) -> Result<(), StoreError> {
    tx!(tx, CLOSE_MAILBOX, |sql, connection| {
        sqlx::query(sql).bind(mailbox_id).bind(closed_at).bind(reopened_at).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}

/// Reckons one mailbox, its row held; the row as it stands then.
pub(in crate::store) async fn reckon_in(
    tx: &mut Tx<'_>,
    id: Uuid,
    stale_limit: Option<TimeDelta>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<Option<MailboxRow>, StoreError> {
    let Some(row) = mailbox::get_living_locked(tx, id, operation).await? else { return Ok(None) };
    if !row.wants_reckoning(now) {
        return Ok(Some(row));
    }
    let mut closures = closures(tx, &row, operation).await?;
    let stale_from = row.domain.stale_since.zip(stale_limit).and_then(|(since, limit)| since.checked_add_signed(limit));
    closures.extend(stale_from.map(|closed_at| Closure { closed_at, reopened_at: None }));
    let reckoned = reckon(&row.warmup_facts(), &closures, now);
    write(tx, &row, &reckoned, now, operation).await?;
    mailbox::get(tx, id, operation).await
}

async fn closures(tx: &mut Tx<'_>, row: &MailboxRow, operation: &'static str) -> Result<Vec<Closure>, StoreError> {
    let rows = tx!(tx, CLOSURES, |sql, connection| {
        sqlx::query_as::<_, ClosureRow>(sql).bind(row.id).bind(row.domain_id).fetch_all(connection).await
    })
    .map_err(StoreError::at(operation))?;
    Ok(rows.into_iter().map(|ClosureRow { closed_at, reopened_at }| Closure { closed_at, reopened_at }).collect())
}

async fn write(
    tx: &mut Tx<'_>,
    row: &MailboxRow,
    reckoned: &Reckoned,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    let Reckoned { status, resumes_as, started_at, completed_at, stage, daily_send_limit, day_one } = *reckoned;
    let is_other = (status, started_at, completed_at) != (row.status, row.warmup_started_at, row.warmup_completed_at)
        || (stage, daily_send_limit) != (row.warmup_stage, row.daily_send_limit);
    tx!(tx, RECKONED, |sql, connection| {
        let query = sqlx::query(sql).bind(row.id).bind(status.as_str()).bind(resumes_as.map(MailboxStatus::as_str));
        let query = query.bind(started_at).bind(completed_at).bind(stage).bind(daily_send_limit).bind(day_one);
        let query = query.bind(day_one.map(|_| stage)).bind(now.date_naive()).bind(is_other).bind(now);
        query.execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}
