//! Changing and deleting a mailbox, and what follows for the reputation of its domain, in one transaction.
//!
//! The domain's row is locked first, as everybody does who locks both.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::sending::mailbox::{MailboxStatus, PausedReason};
use crate::store::db::{Tx, statements, tx};
use crate::store::history::write_events;
use crate::store::mailbox::{self, MailboxRow, get_living_locked};
use crate::store::reputation::refresh;
use crate::store::warmup::{note_mailbox, reckon_in};
use crate::store::{NewEvent, Store, StoreError};

/// What is to become of a mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxUpdate {
    /// The row as it is to be; what is no column of its own is passed over.
    pub row: MailboxRow,
    /// Whether it keeps its warm-up closed then.
    pub closes_warm_up: bool,
    /// What to tell the world.
    pub events: Vec<NewEvent>,
}

statements! {
    // Not against those who only refer to it. SQLite has one writer, and this is it.
    LOCK_DOMAIN = "SELECT id FROM email_domains WHERE id = (SELECT domain_id FROM email_mailboxes WHERE id = $1) \
        FOR NO KEY UPDATE"
        => "SELECT id FROM email_domains WHERE id = (SELECT domain_id FROM email_mailboxes WHERE id = $1)";
    CHANGE = "UPDATE email_mailboxes SET display_name = $2, infraforge_mailbox_id = $3, smartlead_account_id = $4, \
        warmup_enabled = $5, daily_send_limit = $6, bounce_rate = $7, spam_rate = $8, reply_rate = $9, \
        health_sample = $10, status = $11, paused_reason = $12, resumes_as = $13, updated_at = $14 WHERE id = $1";
    DELETE = "UPDATE email_mailboxes SET deleted_at = $2, updated_at = $2 WHERE id = $1 AND deleted_at IS NULL";
}

impl Store {
    /// Changes a mailbox as `decide` says, who sees its row while nobody else changes it; its domain's reputation follows.
    /// Nothing where there is none, or it is deleted; what `decide` refuses changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn mailbox_change<E>(
        &self,
        id: Uuid,
        now: DateTime<Utc>,
        decide: impl FnOnce(&MailboxRow) -> Result<MailboxUpdate, E> + Send,
    ) -> Result<Option<Result<MailboxRow, E>>, StoreError> {
        const OPERATION: &str = "mailbox_change";
        let mut tx = self.db.begin(OPERATION).await?;
        let Some(domain_id) = lock_domain(&mut tx, id, OPERATION).await? else { return Ok(None) };
        let Some(before) = get_living_locked(&mut tx, id, OPERATION).await? else { return Ok(None) };
        let update = match decide(&before) {
            Ok(update) => update,
            Err(refused) => return Ok(Some(Err(refused))),
        };
        if update.row == before {
            return Ok(Some(Ok(before)));
        }
        write(&mut tx, &update.row, now, OPERATION).await?;
        note_mailbox(&mut tx, id, update.closes_warm_up, now, OPERATION).await?;
        write_events(&mut tx, before.domain_id, None, &update.events, now, OPERATION).await?;
        reckon_in(&mut tx, id, None, now, OPERATION).await?;
        refresh(&mut tx, &[domain_id], now, OPERATION).await?;
        let Some(row) = mailbox::get(&mut tx, id, OPERATION).await? else { return Ok(None) };
        tx.commit(OPERATION).await?;
        Ok(Some(Ok(row)))
    }

    /// Deletes a mailbox softly: the row and its history stay; its domain's reputation goes without it. `false` when there
    /// is none or it is deleted.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn mailbox_delete(&self, id: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
        const OPERATION: &str = "mailbox_delete";
        let mut tx = self.db.begin(OPERATION).await?;
        let Some(domain_id) = lock_domain(&mut tx, id, OPERATION).await? else { return Ok(false) };
        let is_done = tx!(&mut tx, DELETE, |sql, connection| {
            sqlx::query(sql).bind(id).bind(now).execute(connection).await.map(|done| done.rows_affected() == 1)
        })
        .map_err(StoreError::at(OPERATION))?;
        if is_done {
            refresh(&mut tx, &[domain_id], now, OPERATION).await?;
        }
        tx.commit(OPERATION).await?;
        Ok(is_done)
    }
}

/// Locks the row of a mailbox's domain; nothing where there is no such mailbox.
async fn lock_domain(tx: &mut Tx<'_>, id: Uuid, operation: &'static str) -> Result<Option<Uuid>, StoreError> {
    tx!(tx, LOCK_DOMAIN, |sql, connection| {
        sqlx::query_scalar::<_, Uuid>(sql).bind(id).fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))
}

async fn write(
    tx: &mut Tx<'_>,
    row: &MailboxRow,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    tx!(tx, CHANGE, |sql, connection| {
        let query = sqlx::query(sql).bind(row.id).bind(row.display_name.as_deref());
        let query = query.bind(row.infraforge_mailbox_id.as_deref()).bind(row.smartlead_account_id.as_deref());
        let query = query.bind(row.warmup_enabled).bind(row.daily_send_limit).bind(row.bounce_rate);
        let query = query.bind(row.spam_rate).bind(row.reply_rate).bind(row.health_sample);
        let query = query.bind(row.status.as_str()).bind(row.paused_reason.map(PausedReason::as_str));
        let query = query.bind(row.resumes_as.map(MailboxStatus::as_str)).bind(now);
        query.execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}
