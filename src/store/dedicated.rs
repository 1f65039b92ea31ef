//! The dedicated addresses of a client: replaced as a whole, within its tier, with all that hangs on them.
//!
//! They are part of what each of the client's domains must publish, so the domains are written in the same transaction:
//! what of their requirements counts, and that a check is due.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::sending::tier::{Resource, Tier};
use crate::store::client::lock;
use crate::store::db::{Tx, statements, tx};
use crate::store::domain::{DomainRow, Row, domain_columns};
use crate::store::notice::{DOMAINS_MAX, Notice};
use crate::store::requirements::Requirements;
use crate::store::schedule::earliest;
use crate::store::{Store, StoreError};

/// What came of [`Store::dedicated_replace`].
#[derive(Debug, Clone, PartialEq)]
pub enum DedicatedReplaced {
    /// They are the client's.
    Replaced {
        /// The client's living domains, whose requirements changed with them; none where the addresses were these before.
        domains: Vec<Uuid>,
    },
    /// There is no such client.
    NoSuchClient,
    /// The client's tier does not allow so many; nothing has changed.
    AllocationExceeded {
        /// The tier.
        tier: Tier,
        /// How many it allows.
        limit: u32,
    },
    /// Another client has this one; nothing has changed.
    Taken(IpAddr),
}

statements! {
    ADDRESSES = "SELECT address FROM sendready_dedicated_ips WHERE client_id = $1 ORDER BY address";
    ADD = "INSERT INTO sendready_dedicated_ips (address, client_id, created_at) VALUES ($1, $2, $3) \
        ON CONFLICT (address) DO NOTHING";
    REMOVE = "DELETE FROM sendready_dedicated_ips WHERE address = $1 AND client_id = $2";
    // In the order of their ids, as settling takes them, so that two transactions never wait for each other.
    DOMAINS_LOCKED = "SELECT ", domain_columns!(), " FROM email_domains WHERE client_id = $1 \
        AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted' ORDER BY id FOR UPDATE"
        => "SELECT ", domain_columns!(), " FROM email_domains WHERE client_id = $1 \
        AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted' ORDER BY id";
    // Whoever checks the domain now loses it: what he looks for is no longer what is asked.
    REQUIRE = "UPDATE email_domains SET binding = $2, next_check_at = $3, check_reason = 'verify', pending_since = $4, \
        lease_until = NULL, lease_token = NULL, check_again_at = NULL, updated_at = $4 WHERE id = $1";
}

impl Store {
    /// Makes `addresses`, none twice, the dedicated addresses of a client, in place of those that it had.
    ///
    /// Where they are others, `bound` says what of each living domain's requirements counts from now on, out of its row
    /// as it was; a running check's result is dropped, and a new check is due, `min_interval` after the last at the
    /// earliest. However many are set at once, the tier is never exceeded and an address never belongs to two.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn dedicated_replace(
        &self,
        client_id: Uuid,
        addresses: &[IpAddr],
        bound: &(dyn Fn(&DomainRow) -> Option<Requirements> + Sync),
        min_interval: Duration,
        now: DateTime<Utc>,
    ) -> Result<DedicatedReplaced, StoreError> {
        const OPERATION: &str = "dedicated_replace";
        let mut tx = self.db.begin(OPERATION).await?;
        let Some(tier) = lock(&mut tx, client_id, OPERATION).await? else {
            return Ok(DedicatedReplaced::NoSuchClient);
        };
        if let Some(tier) = tier {
            let limit = tier.allocation().of(Resource::DedicatedIps);
            if u32::try_from(addresses.len()).unwrap_or(u32::MAX) > limit {
                return Ok(DedicatedReplaced::AllocationExceeded { tier, limit });
            }
        }
        let after: BTreeSet<String> = addresses.iter().map(IpAddr::to_string).collect();
        let before = texts(&mut tx, client_id, OPERATION).await?;
        if before == after {
            return Ok(DedicatedReplaced::Replaced { domains: Vec::new() });
        }
        let domains = domains_locked(&mut tx, client_id, OPERATION).await?;
        // In their order, so that two clients that swap addresses never wait for each other.
        for address in before.symmetric_difference(&after) {
            let is_written = match after.contains(address) {
                true => add(&mut tx, address, client_id, now, OPERATION).await?,
                false => remove(&mut tx, address, client_id, OPERATION).await?,
            };
            if let (false, Ok(address)) = (is_written, address.parse()) {
                return Ok(DedicatedReplaced::Taken(address));
            }
        }
        for row in &domains {
            let due = earliest(row.last_checked_at, min_interval, now);
            let next = row.next_check_at.map_or(due, |next| next.min(due));
            require(&mut tx, row.id, bound(row).as_ref(), next, now, OPERATION).await?;
        }
        let domains: Vec<Uuid> = domains.iter().map(|row| row.id).collect();
        for some in domains.chunks(DOMAINS_MAX) {
            self.tell_replicas(&mut tx, &Notice { is_due: true, domains: some.to_vec() }, OPERATION).await?;
        }
        tx.commit(OPERATION).await?;
        Ok(DedicatedReplaced::Replaced { domains })
    }
}

async fn texts(tx: &mut Tx<'_>, client_id: Uuid, operation: &'static str) -> Result<BTreeSet<String>, StoreError> {
    let texts: Vec<String> =
        tx!(tx, ADDRESSES, |sql, connection| sqlx::query_scalar(sql).bind(client_id).fetch_all(connection).await)
            .map_err(StoreError::at(operation))?;
    Ok(texts.into_iter().collect())
}

async fn domains_locked(
    tx: &mut Tx<'_>,
    client_id: Uuid,
    operation: &'static str,
) -> Result<Vec<DomainRow>, StoreError> {
    tx!(tx, DOMAINS_LOCKED, |sql, connection| {
        sqlx::query_as::<_, Row>(sql).bind(client_id).fetch_all(connection).await
    })
    .map_err(StoreError::at(operation))?
    .into_iter()
    .map(|row| row.read(operation))
    .collect()
}

/// Whether it was free.
async fn add(
    tx: &mut Tx<'_>,
    address: &str,
    client_id: Uuid,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<bool, StoreError> {
    let count = tx!(tx, ADD, |sql, connection| {
        let query = sqlx::query(sql).bind(address).bind(client_id).bind(now);
        query.execute(connection).await.map(|done| done.rows_affected())
    })
    .map_err(StoreError::at(operation))?;
    Ok(count > 0)
}

/// Always true: the client's row is locked, so nobody else removes what it has.
async fn remove(tx: &mut Tx<'_>, address: &str, client_id: Uuid, operation: &'static str) -> Result<bool, StoreError> {
    tx!(tx, REMOVE, |sql, connection| {
        sqlx::query(sql).bind(address).bind(client_id).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    Ok(true)
}

async fn require(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    binding: Option<&Requirements>,
    next_check_at: DateTime<Utc>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    let binding = binding.map(|binding| binding.write(operation)).transpose()?;
    tx!(tx, REQUIRE, |sql, connection| {
        let query = sqlx::query(sql).bind(domain_id).bind(binding).bind(next_check_at).bind(now);
        query.execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}
