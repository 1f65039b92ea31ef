//! Registering a domain: new, or revived, within the client's tier.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::protocol::domain::Domain;
use crate::sending::tier::Resource;
use crate::store::client::{lock, usage};
use crate::store::db::{Tx, statements, tx};
use crate::store::domain::{DomainRow, Row, by_name, domain_columns};
use crate::store::notice::Notice;
use crate::store::ownership::{Claimed, Contested, contest};
use crate::store::requirements::Requirements;
use crate::store::schedule::earliest;
use crate::store::transfer::Exceeded;
use crate::store::{Store, StoreError, warmup};
use crate::verify::standing::Status;

/// A domain to register.
#[derive(Debug, Clone)]
pub struct NewDomain<'a> {
    /// The id, unless a row is revived.
    pub id: Uuid,
    /// Whose it is to be.
    pub client_id: Uuid,
    /// Its name.
    pub domain: &'a Domain,
    /// Its provider.
    pub provider: &'a str,
    /// What it must publish; nothing: what its provider's profile says.
    pub requirements: Option<&'a Requirements>,
    /// The provider's id of it.
    pub infraforge_domain_id: Option<&'a str>,
    /// The sender's id of it.
    pub smartlead_domain_id: Option<&'a str>,
    /// How long after its last check a revived one is checked at the earliest.
    pub min_interval: Duration,
    /// What proves that it is the client's: of its own, or of another's that has proven nothing.
    pub ownership_value: &'a str,
    /// An operator vouches for it: nothing is to be proven.
    pub is_vouched_for: bool,
}

/// What came of [`Store::domain_add`].
#[derive(Debug, Clone, PartialEq)]
pub enum DomainAdded {
    /// A new row.
    Added(DomainRow),
    /// The client's own deleted row, living again: pending, or suspended when an operator had suspended it.
    Revived(DomainRow),
    /// The client has it already; perhaps in another spelling, by the platform.
    Own,
    /// Another client has it, or had it, with proof.
    Taken,
    /// Another client has it, or had it, without proof: publishing this value transfers it.
    Claimed(Claimed),
    /// The value is published, but the client's tier does not allow the transfer.
    Blocked(Exceeded),
    /// There is no such client.
    NoSuchClient,
    /// The client's tier does not allow it.
    AllocationExceeded {
        /// Domains, or mailboxes that would come back with a revived row.
        resource: Resource,
        /// How many are in use.
        used: u32,
        /// How many the tier allows.
        limit: u32,
    },
}

/// What `status` and `suspended_reason` of a deleted row become when it lives again.
///
/// What an operator suspended comes back suspended; `status` is as it was before the row was deleted by SQL, and
/// 'deleted' where we deleted it, which kept the reason.
macro_rules! living_again {
    () => {
        "status = CASE WHEN suspended_reason = 'operator' AND status IN ('deleted', 'suspended') \
            OR suspended_reason IS NULL AND status = 'suspended' THEN 'suspended' ELSE 'pending' END, \
         suspended_reason = CASE WHEN suspended_reason = 'operator' AND status IN ('deleted', 'suspended') \
            OR suspended_reason IS NULL AND status = 'suspended' THEN 'operator' END, \
         malformed = NULL, deleted_at = NULL"
    };
}

pub(in crate::store) use living_again;

statements! {
    // All that the seed lets be NULL is written out. A name that another has taken meanwhile gives no row.
    ADD = "INSERT INTO email_domains (id, client_id, domain, provider, requirements, infraforge_domain_id, \
        smartlead_domain_id, dns_configured, spf_valid, dkim_valid, dmarc_valid, mx_valid, daily_send_limit, \
        current_daily_sends, status, created_at, updated_at, next_check_at, pending_since, check_reason, ownership_value) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE, FALSE, FALSE, FALSE, FALSE, 50, 0, 'pending', $8, $8, $8, $8, 'created', $9) \
        ON CONFLICT (domain) DO NOTHING RETURNING ", domain_columns!();
    // `last_checked_at` stays, for the least interval counts from it; without its evidence it shows nothing.
    // One who has proven that it is his may have been given it since it was read: then there is no such row.
    REVIVE = "UPDATE email_domains SET provider = $2, requirements = $3, binding = NULL, infraforge_domain_id = $4, \
        smartlead_domain_id = $5, dns_configured = FALSE, spf_valid = FALSE, dkim_valid = FALSE, \
        dmarc_valid = FALSE, mx_valid = FALSE, ", living_again!(), ", \
        verified_at = NULL, degraded_since = NULL, suspends_at = NULL, recovering_since = NULL, \
        stale_since = NULL, last_success_at = NULL, evidence_digest = NULL, \
        lease_until = NULL, lease_token = NULL, check_again_at = NULL, \
        follow_up_at = NULL, last_follow_up_at = NULL, next_check_at = $7, pending_since = $6, check_reason = 'created', updated_at = $6, \
        ownership_proven_at = CASE WHEN $8 THEN COALESCE(ownership_proven_at, $6) ELSE ownership_proven_at END \
        WHERE id = $1 AND client_id = $9 AND (deleted_at IS NOT NULL OR status = 'deleted') RETURNING ", domain_columns!();
    MAILBOXES = "SELECT COUNT(*) FROM email_mailboxes WHERE domain_id = $1 AND deleted_at IS NULL";
}

impl Store {
    /// Registers a domain for a client; its first check is due at `now`, reason `created`, but that of a revived
    /// one no sooner than `min_interval` after its last.
    ///
    /// However many are added at once, a tier is never exceeded: the client's row is locked first. A client
    /// without a tier is not limited. A revived row keeps its history, today's counters and its mailboxes.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has been added.
    pub async fn domain_add(&self, new: &NewDomain<'_>, now: DateTime<Utc>) -> Result<DomainAdded, StoreError> {
        const OPERATION: &str = "domain_add";
        let mut tx = self.db.begin(OPERATION).await?;
        let Some(tier) = lock(&mut tx, new.client_id, OPERATION).await? else {
            return Ok(DomainAdded::NoSuchClient);
        };
        let held = by_name(&mut tx, new.domain, OPERATION).await?;
        let revived = match held {
            None => None,
            Some(row)
                if row.status == Status::Deleted
                    && row.client_id == new.client_id
                    && row.domain == new.domain.to_string() =>
            {
                Some(row)
            }
            Some(row) if row.client_id == new.client_id => return Ok(DomainAdded::Own),
            Some(row) => {
                let contested = contest(&mut tx, &row, new, tier, now, OPERATION).await?;
                if let Contested::Claimed(_) = contested {
                    self.tell_replicas(&mut tx, &Notice::due(row.id), OPERATION).await?;
                }
                tx.commit(OPERATION).await?;
                return Ok(match contested {
                    Contested::Refused => DomainAdded::Taken,
                    Contested::Own => DomainAdded::Own,
                    Contested::Blocked(exceeded) => DomainAdded::Blocked(exceeded),
                    Contested::Claimed(claimed) => DomainAdded::Claimed(claimed),
                });
            }
        };
        if let (Some(tier), Some(usage)) = (tier, usage(&mut tx, new.client_id, OPERATION).await?) {
            let coming_back = match &revived {
                Some(row) => mailbox_count(&mut tx, row.id, OPERATION).await?,
                None => 0,
            };
            for (resource, more) in [(Resource::Domains, 1), (Resource::Mailboxes, coming_back)] {
                let (used, limit) = (usage.of(resource), tier.allocation().of(resource));
                if more > 0 && used.saturating_add(more) > limit {
                    return Ok(DomainAdded::AllocationExceeded { resource, used, limit });
                }
            }
        }
        let is_revived = revived.is_some();
        let was_deleted_at = revived.as_ref().map(|row| row.deleted_at.unwrap_or(now));
        let row = match revived {
            Some(row) => revive(&mut tx, &row, new, now, OPERATION).await?,
            None => add(&mut tx, new, now, OPERATION).await?,
        };
        let Some(row) = row else { return Ok(DomainAdded::Taken) };
        let row = row.read(OPERATION)?;
        if let Some(deleted_at) = was_deleted_at {
            // Open again with the standing that it will get.
            warmup::close_domain(&mut tx, row.id, deleted_at, None, OPERATION).await?;
        }
        self.tell_replicas(&mut tx, &Notice::due(row.id), OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(if is_revived { DomainAdded::Revived(row) } else { DomainAdded::Added(row) })
    }
}

pub(in crate::store) async fn mailbox_count(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    operation: &'static str,
) -> Result<u32, StoreError> {
    let count = tx!(tx, MAILBOXES, |sql, connection| {
        sqlx::query_scalar::<_, i64>(sql).bind(domain_id).fetch_one(connection).await
    })
    .map_err(StoreError::at(operation))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

async fn add(
    tx: &mut Tx<'_>,
    new: &NewDomain<'_>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<Option<Row>, StoreError> {
    let requirements = new.requirements.map(|requirements| requirements.write(operation)).transpose()?;
    let name = new.domain.to_string();
    let ownership_value = (!new.is_vouched_for).then_some(new.ownership_value);
    tx!(tx, ADD, |sql, connection| {
        let query = sqlx::query_as::<_, Row>(sql).bind(new.id).bind(new.client_id).bind(name).bind(new.provider);
        let query = query.bind(requirements).bind(new.infraforge_domain_id).bind(new.smartlead_domain_id);
        query.bind(now).bind(ownership_value).fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))
}

async fn revive(
    tx: &mut Tx<'_>,
    deleted: &DomainRow,
    new: &NewDomain<'_>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<Option<Row>, StoreError> {
    let requirements = new.requirements.map(|requirements| requirements.write(operation)).transpose()?;
    let due = earliest(deleted.last_checked_at, new.min_interval, now);
    tx!(tx, REVIVE, |sql, connection| {
        let query = sqlx::query_as::<_, Row>(sql).bind(deleted.id).bind(new.provider).bind(requirements);
        let query = query.bind(new.infraforge_domain_id).bind(new.smartlead_domain_id);
        query.bind(now).bind(due).bind(new.is_vouched_for).bind(new.client_id).fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))
}
