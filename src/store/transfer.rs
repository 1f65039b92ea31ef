//! Transfers: a domain, with its mailboxes, becomes another client's.
//!
//! By an operator's word ([`Store::domain_transfer`]), or because the other's proof is published, which the check that
//! saw it writes in its own transaction (`take_over`). Either is all or nothing: the client's allocation is
//! locked first, its setup links end, what was before is hidden, and whoever checks the domain now loses it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::sending::tier::{Resource, Tier};
use crate::store::client::{lock, usage};
use crate::store::db::{Tx, statements, tx};
use crate::store::domain::{DomainRow, Row, domain_columns, get_living_locked};
use crate::store::domain_add::{living_again, mailbox_count};
use crate::store::notice::Notice;
use crate::store::ownership::{self, ClaimRow};
use crate::store::schedule::earliest;
use crate::store::{BindingChange, NewEvent, Store, StoreError};
use crate::verify::standing::Status;

/// A domain to transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// Which domain.
    pub domain_id: Uuid,
    /// Whose it is to be.
    pub client_id: Uuid,
    /// Whose it was when this was made; where it is another's by now, nothing happens.
    pub from: Uuid,
    /// What of its requirements is to count, made from what was read.
    pub binding: BindingChange,
    /// Written to the history, where only operators see it.
    pub event: NewEvent,
    /// How long after the last check the next is due at the earliest.
    pub min_interval: Duration,
}

/// What came of [`Store::domain_transfer`].
#[derive(Debug, Clone, PartialEq)]
pub enum Transferred {
    /// As it stands now.
    Done(Box<DomainRow>),
    /// There is no such domain, or it is deleted.
    NoSuchDomain,
    /// There is no such client.
    NoSuchClient,
    /// It is another's by now, or something else counts; nothing has changed.
    Moved,
    /// The new client's tier does not allow it; nothing has changed.
    AllocationExceeded(Exceeded),
}

/// What a client has too much of, were a domain its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Of what.
    pub resource: Resource,
    /// The tier that does not allow it.
    pub tier: Tier,
    /// How many are in use.
    pub used: u32,
    /// How many would come with the domain.
    pub more: u32,
    /// How many the tier allows.
    pub limit: u32,
}

/// Somebody whose proof a check has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimant {
    /// Who.
    pub client_id: Uuid,
    /// What is published.
    pub value: String,
    /// Written to the history, where only operators see it.
    pub event: NewEvent,
}

/// What becomes of a row that is taken over: as if it were registered now. What was required was the other's, and so is what
/// was judged by it.
macro_rules! take_over {
    ($also:expr) => {
        concat!(
            "UPDATE email_domains SET client_id = $2, provider = $3, requirements = $4, infraforge_domain_id = $5, \
             smartlead_domain_id = $6, ownership_value = $7, ownership_proven_at = $8, history_after = $9, next_check_at = $10, \
             check_reason = 'created', pending_since = $8, binding = NULL, dns_configured = FALSE, spf_valid = FALSE, \
             dkim_valid = FALSE, dmarc_valid = FALSE, mx_valid = FALSE, verified_at = NULL, degraded_since = NULL, \
             suspends_at = NULL, recovering_since = NULL, stale_since = NULL, last_success_at = NULL, \
             evidence_digest = NULL, lease_until = NULL, lease_token = NULL, check_again_at = NULL, follow_up_at = NULL, \
             last_follow_up_at = NULL, ",
            $also,
            "updated_at = $8 WHERE id = $1"
        )
    };
}

statements! {
    TRANSFER = "UPDATE email_domains SET client_id = $2, binding = $3, ownership_proven_at = $4, history_after = $5, \
        next_check_at = $6, check_reason = 'verify', pending_since = $4, lease_until = NULL, lease_token = NULL, \
        check_again_at = NULL, updated_at = $4 WHERE id = $1 RETURNING ", domain_columns!();
    // An operator vouches for whoever has it.
    VOUCH = "UPDATE email_domains SET ownership_proven_at = $2, next_check_at = $3, check_reason = 'verify', \
        lease_until = NULL, lease_token = NULL, check_again_at = NULL WHERE id = $1 RETURNING ", domain_columns!();
    // A suspension stays.
    TAKE_OVER = take_over!("");
    // An operator's suspension comes back with it.
    TAKE_OVER_DELETED = take_over!(concat!("claims_check_at = NULL, ", living_again!(), ", "));
    TAKE_MAILBOXES = "UPDATE email_mailboxes SET client_id = $2, updated_at = $3 WHERE domain_id = $1";
    REVOKE_LINKS = "UPDATE sendready_setup_links SET revoked_at = $2 WHERE domain_id = $1 AND revoked_at IS NULL";
    LAST_CHECK = "SELECT id FROM sendready_checks WHERE domain_id = $1 ORDER BY id DESC LIMIT 1";
    LAST_EVENT = "SELECT id FROM sendready_events WHERE domain_id = $1 ORDER BY id DESC LIMIT 1";
    // No endpoint gets it: it is an operator's affair.
    NOTE = "INSERT INTO sendready_events (id, domain_id, check_id, at, kind, body) VALUES ($1, $2, $3, $4, $5, $6)";
}

impl Store {
    /// Gives a domain that is not deleted, and its mailboxes, to another client; it counts as proven from then on. The
    /// same client keeps what it has.
    ///
    /// However much is added at once, the client's tier is never exceeded. Setup links end, claims too; the checks and
    /// events up to now are operators' alone to see.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn domain_transfer(&self, transfer: &Transfer, now: DateTime<Utc>) -> Result<Transferred, StoreError> {
        const OPERATION: &str = "domain_transfer";
        let (id, to) = (transfer.domain_id, transfer.client_id);
        let mut tx = self.db.begin(OPERATION).await?;
        let Some(tier) = lock(&mut tx, to, OPERATION).await? else { return Ok(Transferred::NoSuchClient) };
        let Some(before) = get_living_locked(&mut tx, id, OPERATION).await? else {
            return Ok(Transferred::NoSuchDomain);
        };
        if before.client_id != transfer.from || before.binding != transfer.binding.from {
            return Ok(Transferred::Moved);
        }
        let due = earliest(before.last_checked_at, transfer.min_interval, now);
        let due = before.next_check_at.map_or(due, |next| next.min(due));
        if before.client_id == to {
            let row = match before.is_unproven() {
                true => vouch(&mut tx, id, due, now, OPERATION).await?,
                false => before,
            };
            ownership::forget(&mut tx, id, OPERATION).await?;
            self.tell_replicas(&mut tx, &Notice::due(id), OPERATION).await?;
            tx.commit(OPERATION).await?;
            return Ok(Transferred::Done(Box::new(row)));
        }
        if let Some(exceeded) = room_for(&mut tx, id, to, tier, OPERATION).await? {
            return Ok(Transferred::AllocationExceeded(exceeded));
        }
        let along = Move { domain_id: id, client_id: to, check_id: None, event: &transfer.event };
        let hidden_to = move_along(&mut tx, along, now, OPERATION).await?;
        let binding = transfer.binding.to.as_ref().map(|binding| binding.write(OPERATION)).transpose()?;
        let row = tx!(&mut tx, TRANSFER, |sql, connection| {
            let query = sqlx::query_as::<_, Row>(sql).bind(id).bind(to).bind(binding).bind(now);
            query.bind(hidden_to).bind(due).fetch_one(connection).await
        })
        .map_err(StoreError::at(OPERATION))?
        .read(OPERATION)?;
        self.tell_replicas(&mut tx, &Notice::due(id), OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(Transferred::Done(Box::new(row)))
    }
}

async fn vouch(
    tx: &mut Tx<'_>,
    id: Uuid,
    due: DateTime<Utc>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<DomainRow, StoreError> {
    tx!(tx, VOUCH, |sql, connection| {
        sqlx::query_as::<_, Row>(sql).bind(id).bind(now).bind(due).fetch_one(connection).await
    })
    .map_err(StoreError::at(operation))?
    .read(operation)
}

/// What the client, whose allocation is locked, would have too much of with this domain; nothing when it fits.
pub(in crate::store) async fn room_for(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    client_id: Uuid,
    tier: Option<Tier>,
    operation: &'static str,
) -> Result<Option<Exceeded>, StoreError> {
    let (Some(tier), Some(usage)) = (tier, usage(tx, client_id, operation).await?) else { return Ok(None) };
    let mailboxes = mailbox_count(tx, domain_id, operation).await?;
    for (resource, more) in [(Resource::Domains, 1), (Resource::Mailboxes, mailboxes)] {
        let (used, limit) = (usage.of(resource), tier.allocation().of(resource));
        if more > 0 && used.saturating_add(more) > limit {
            return Ok(Some(Exceeded { resource, tier, used, more, limit }));
        }
    }
    Ok(None)
}

/// What moves where, and why.
struct Move<'m> {
    domain_id: Uuid,
    client_id: Uuid,
    /// The check that showed it; nothing when a person did it.
    check_id: Option<Uuid>,
    event: &'m NewEvent,
}

/// All that goes with a domain but its row; the id up to which its history is an earlier client's.
async fn move_along(
    tx: &mut Tx<'_>,
    Move { domain_id, client_id, check_id, event }: Move<'_>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<Uuid, StoreError> {
    tx!(&mut *tx, TAKE_MAILBOXES, |sql, connection| {
        sqlx::query(sql).bind(domain_id).bind(client_id).bind(now).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    tx!(&mut *tx, REVOKE_LINKS, |sql, connection| {
        sqlx::query(sql).bind(domain_id).bind(now).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    ownership::forget(tx, domain_id, operation).await?;
    // Not below what is there, should a clock have been set back.
    let mut hidden_to = event.id;
    for statement in [LAST_CHECK, LAST_EVENT] {
        let last: Option<Uuid> = tx!(&mut *tx, statement, |sql, connection| {
            sqlx::query_scalar(sql).bind(domain_id).fetch_optional(connection).await
        })
        .map_err(StoreError::at(operation))?;
        hidden_to = last.map_or(hidden_to, |last| hidden_to.max(last));
    }
    tx!(&mut *tx, NOTE, |sql, connection| {
        let query = sqlx::query(sql).bind(event.id).bind(domain_id).bind(check_id).bind(now);
        query.bind(event.kind).bind(event.body.to_string()).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    Ok(hidden_to)
}

/// Who may be given a domain within this transaction: clients with their tiers, their allocations locked in the order of
/// their ids.
pub(in crate::store) type Locked = BTreeMap<Uuid, Option<Tier>>;

/// Locks the allocations of all who may be given a domain. Before any domain is locked, as everywhere.
pub(in crate::store) async fn lock_claimants(
    tx: &mut Tx<'_>,
    claimants: impl Iterator<Item = Uuid>,
    operation: &'static str,
) -> Result<Locked, StoreError> {
    let mut locked: BTreeMap<Uuid, Option<Tier>> = claimants.map(|id| (id, None)).collect();
    for id in locked.keys().copied().collect::<Vec<_>>() {
        match lock(tx, id, operation).await? {
            Some(tier) => locked.insert(id, tier),
            None => locked.remove(&id),
        };
    }
    Ok(locked)
}

/// A check that has found the proofs of others.
pub(in crate::store) struct Found<'s> {
    /// Its id; nothing where it is not in the history.
    pub(in crate::store) check_id: Option<Uuid>,
    /// When the domain is checked again at the earliest.
    pub(in crate::store) earliest_at: DateTime<Utc>,
    /// Whose, those who asked first before others.
    pub(in crate::store) claimants: &'s [Claimant],
}

/// Gives a domain that its holder has not proven to be his to the first whose proof is published and whose tier allows
/// it, also when it is deleted: then it lives again. Claims that ended meanwhile do not count. Whether somebody has it now.
pub(in crate::store) async fn take_over(
    tx: &mut Tx<'_>,
    before: &DomainRow,
    found: &Found<'_>,
    locked: &Locked,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<bool, StoreError> {
    let claims = ownership::claims(tx, before.id, now, operation).await?;
    for claimant in found.claimants {
        let claim = claims.iter().find(|one| one.client_id == claimant.client_id && one.value == claimant.value);
        let (Some(claim), Some(tier)) = (claim, locked.get(&claimant.client_id)) else { continue };
        if room_for(tx, before.id, claim.client_id, *tier, operation).await?.is_some() {
            ownership::block(tx, before.id, claim.client_id, now, operation).await?;
            continue;
        }
        let (domain_id, client_id, event) = (before.id, claim.client_id, &claimant.event);
        let along = Move { domain_id, client_id, check_id: found.check_id, event };
        let hidden_to = move_along(tx, along, now, operation).await?;
        // Its warm-up was closed before, for it was pending or suspended, and still is.
        take_row(tx, before, claim, (hidden_to, found.earliest_at), now, operation).await?;
        return Ok(true);
    }
    Ok(false)
}

async fn take_row(
    tx: &mut Tx<'_>,
    before: &DomainRow,
    claim: &ClaimRow,
    (hidden_to, due): (Uuid, DateTime<Utc>),
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    let statement = if before.status == Status::Deleted { TAKE_OVER_DELETED } else { TAKE_OVER };
    tx!(tx, statement, |sql, connection| {
        let query = sqlx::query(sql).bind(before.id).bind(claim.client_id).bind(claim.provider.as_str());
        let query = query.bind(claim.requirements.as_deref()).bind(claim.infraforge_domain_id.as_deref());
        let query = query.bind(claim.smartlead_domain_id.as_deref()).bind(claim.value.as_str()).bind(now);
        query.bind(hidden_to).bind(due).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}
