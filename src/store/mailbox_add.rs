//! Adding a mailbox: new, or revived, within the client's tier.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::protocol::mail_address::MailAddress;
use crate::sending::mailbox::MailboxStatus;
use crate::sending::tier::{Resource, Tier};
use crate::store::client::{lock, usage};
use crate::store::db::{Tx, statements, tx};
use crate::store::domain::get_living_locked;
use crate::store::mailbox::{self, MailboxRow, by_address};
use crate::store::reputation::refresh;
use crate::store::warmup::{close_mailbox, reckon_in};
use crate::store::{Store, StoreError};

/// A mailbox to add.
#[derive(Debug, Clone)]
pub struct NewMailbox<'a> {
    /// The id, unless a row is revived.
    pub id: Uuid,
    /// Whose it is to be; the domain must be the same client's.
    pub client_id: Uuid,
    /// The domain that it is to be in.
    pub domain_id: Uuid,
    /// Its address.
    pub address: &'a MailAddress,
    /// The name that its mail carries.
    pub display_name: Option<&'a str>,
    /// The provider's id of it.
    pub infraforge_mailbox_id: Option<&'a str>,
    /// The sender's id of it.
    pub smartlead_account_id: Option<&'a str>,
    /// Whether it is to be warmed up. A revived one stays as it was.
    pub warmup_enabled: bool,
}

/// What came of [`Store::mailbox_add`].
#[derive(Debug, Clone, PartialEq)]
pub enum MailboxAdded {
    /// A new row.
    Added(Box<MailboxRow>),
    /// The deleted row of the same address, living again with its history: also a pause, a suspension, its warm-up and
    /// what it sent today.
    Revived(Box<MailboxRow>),
    /// The domain has it already.
    Own,
    /// Another domain's row has the address, or had it.
    Taken,
    /// There is no such domain, or it is deleted, or another client's.
    NoSuchDomain,
    /// The client's tier does not allow it.
    AllocationExceeded {
        /// The tier.
        tier: Tier,
        /// How many mailboxes are in use.
        used: u32,
        /// How many the tier allows.
        limit: u32,
    },
}

statements! {
    // All that the seed lets be NULL is written out. An address that another has taken meanwhile gives no row.
    ADD = "INSERT INTO email_mailboxes (id, domain_id, client_id, email_address, display_name, infraforge_mailbox_id, \
        smartlead_account_id, warmup_enabled, warmup_stage, daily_send_limit, current_daily_sends, bounce_rate, spam_rate, \
        reply_rate, status, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 10, 0, 0, 0, 0, $9, $10, $10) ON CONFLICT DO NOTHING";
    REVIVE = "UPDATE email_mailboxes SET display_name = $2, infraforge_mailbox_id = $3, smartlead_account_id = $4, \
        deleted_at = NULL, updated_at = $5 WHERE id = $1";
}

impl Store {
    /// Adds a mailbox to a domain that is not deleted. Where the domain is configured already, its warm-up begins.
    ///
    /// However many are added at once, a tier is never exceeded: the client's row is locked first. A client without
    /// a tier is not limited. The time during which a revived one was deleted counts as a pause of its warm-up.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has been added.
    pub async fn mailbox_add(&self, new: &NewMailbox<'_>, now: DateTime<Utc>) -> Result<MailboxAdded, StoreError> {
        const OPERATION: &str = "mailbox_add";
        let mut tx = self.db.begin(OPERATION).await?;
        let Some(tier) = lock(&mut tx, new.client_id, OPERATION).await? else { return Ok(MailboxAdded::NoSuchDomain) };
        let domain = get_living_locked(&mut tx, new.domain_id, OPERATION).await?;
        if domain.is_none_or(|domain| domain.client_id != new.client_id) {
            return Ok(MailboxAdded::NoSuchDomain);
        }
        let held = by_address(&mut tx, new.address, OPERATION).await?;
        let revived = match held {
            None => None,
            Some(row) if row.domain_id != new.domain_id || row.client_id != new.client_id => {
                return Ok(MailboxAdded::Taken);
            }
            Some(row) if row.deleted_at.is_none() => return Ok(MailboxAdded::Own),
            Some(row) => Some(row),
        };
        if let (Some(tier), Some(usage)) = (tier, usage(&mut tx, new.client_id, OPERATION).await?) {
            let (used, limit) = (usage.of(Resource::Mailboxes), tier.allocation().of(Resource::Mailboxes));
            if used >= limit {
                return Ok(MailboxAdded::AllocationExceeded { tier, used, limit });
            }
        }
        let (id, is_revived) = match revived {
            Some(row) => (revive(&mut tx, &row, new, now, OPERATION).await?, true),
            None if add(&mut tx, new, now, OPERATION).await? => (new.id, false),
            None => return Ok(MailboxAdded::Taken),
        };
        reckon_in(&mut tx, id, None, now, OPERATION).await?;
        if is_revived {
            // Its health comes back with it.
            refresh(&mut tx, &[new.domain_id], now, OPERATION).await?;
        }
        let Some(row) = mailbox::get(&mut tx, id, OPERATION).await? else { return Ok(MailboxAdded::NoSuchDomain) };
        tx.commit(OPERATION).await?;
        let row = Box::new(row);
        Ok(if is_revived { MailboxAdded::Revived(row) } else { MailboxAdded::Added(row) })
    }
}

/// Whether the address was free.
async fn add(
    tx: &mut Tx<'_>,
    new: &NewMailbox<'_>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<bool, StoreError> {
    let status = if new.warmup_enabled { MailboxStatus::Warming } else { MailboxStatus::Active };
    let address = new.address.to_string();
    tx!(tx, ADD, |sql, connection| {
        let query = sqlx::query(sql).bind(new.id).bind(new.domain_id).bind(new.client_id).bind(address);
        let query = query.bind(new.display_name).bind(new.infraforge_mailbox_id).bind(new.smartlead_account_id);
        let query = query.bind(new.warmup_enabled).bind(status.as_str()).bind(now);
        query.execute(connection).await.map(|done| done.rows_affected() == 1)
    })
    .map_err(StoreError::at(operation))
}

/// The id of the row that lives again.
async fn revive(
    tx: &mut Tx<'_>,
    deleted: &MailboxRow,
    new: &NewMailbox<'_>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<Uuid, StoreError> {
    tx!(&mut *tx, REVIVE, |sql, connection| {
        let query = sqlx::query(sql).bind(deleted.id).bind(new.display_name).bind(new.infraforge_mailbox_id);
        query.bind(new.smartlead_account_id).bind(now).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    if let Some(deleted_at) = deleted.deleted_at.filter(|at| *at < now) {
        close_mailbox(tx, deleted.id, deleted_at, Some(now), operation).await?;
    }
    Ok(deleted.id)
}
