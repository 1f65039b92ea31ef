//! Claims: clients that ask for a name whose holder has proven nothing.
//!
//! A claim is made in the transaction of the registration that is refused, and ends with the holder's proof, a transfer,
//! or its time. What makes a claim good is [`crate::verify::ownership`]'s to say, and the transfer that follows
//! [`crate::store::transfer`]'s.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::sending::tier::Tier;
use crate::store::db::{Tx, db, statements, tx};
use crate::store::domain::{DomainRow, get_living_locked};
use crate::store::domain_add::NewDomain;
use crate::store::transfer::{Exceeded, room_for};
use crate::store::{Store, StoreError, abandoned};

/// How long a claim stands after it was last asked for.
pub const CLAIM_STANDS: TimeDelta = TimeDelta::days(7);

/// The most clients that claim one domain at once.
pub const CLAIMS_OF_DOMAIN_MAX: i64 = 50;

/// The most domains that one client claims at once.
pub const CLAIMS_OF_CLIENT_MAX: i64 = 20;

/// One claim that stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ClaimRow {
    /// Who asks for the domain.
    pub client_id: Uuid,
    /// What the client is to publish.
    pub value: String,
    /// The provider that it asked for.
    pub(in crate::store) provider: String,
    /// The requirements that it asked for, as they are stored.
    pub(in crate::store) requirements: Option<String>,
    /// The provider's id of it.
    pub(in crate::store) infraforge_domain_id: Option<String>,
    /// The sender's id of it.
    pub(in crate::store) smartlead_domain_id: Option<String>,
    /// Until when it stands.
    pub expires_at: DateTime<Utc>,
}

/// What came of asking for another's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contested {
    /// It was proven whose it is, or there are claims enough.
    Refused,
    /// Publishing this value transfers the domain.
    Claimed(Claimed),
    /// The value is published, but the client's tier does not allow the transfer.
    Blocked(Exceeded),
    /// It is the client's own by now.
    Own,
}

/// A claim as its client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The domain, another's: not to be told.
    pub domain_id: Uuid,
    /// What to publish.
    pub value: String,
    /// Until when that counts, unless it is asked for again.
    pub expires_at: DateTime<Utc>,
}

statements! {
    // Who asked first goes first.
    CLAIMS = "SELECT client_id, value, provider, requirements, infraforge_domain_id, smartlead_domain_id, expires_at \
        FROM sendready_ownership_claims WHERE domain_id = $1 AND expires_at > $2 ORDER BY asked_at, client_id";
    // Asked again while it stands, the value is the same; what is asked for is the latest.
    CLAIM = "INSERT INTO sendready_ownership_claims AS c (domain_id, client_id, value, provider, requirements, \
        infraforge_domain_id, smartlead_domain_id, asked_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
        ON CONFLICT (domain_id, client_id) DO UPDATE SET \
        value = CASE WHEN c.expires_at > excluded.asked_at THEN c.value ELSE excluded.value END, \
        blocked_at = CASE WHEN c.expires_at > excluded.asked_at THEN c.blocked_at END, \
        asked_at = CASE WHEN c.expires_at > excluded.asked_at THEN c.asked_at ELSE excluded.asked_at END, \
        provider = excluded.provider, requirements = excluded.requirements, \
        infraforge_domain_id = excluded.infraforge_domain_id, smartlead_domain_id = excluded.smartlead_domain_id, \
        expires_at = excluded.expires_at RETURNING value, expires_at, blocked_at";
    COUNT_OF_DOMAIN = "SELECT COUNT(*) FROM sendready_ownership_claims \
        WHERE domain_id = $1 AND client_id <> $2 AND expires_at > $3";
    COUNT_OF_CLIENT = "SELECT COUNT(*) FROM sendready_ownership_claims \
        WHERE client_id = $2 AND domain_id <> $1 AND expires_at > $3";
    BLOCK = "UPDATE sendready_ownership_claims SET blocked_at = $3 WHERE domain_id = $1 AND client_id = $2";
    FORGET = "DELETE FROM sendready_ownership_claims WHERE domain_id = $1";
    PRUNE = "DELETE FROM sendready_ownership_claims WHERE (domain_id, client_id) IN \
        (SELECT domain_id, client_id FROM sendready_ownership_claims WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
}

#[derive(sqlx::FromRow)]
struct MadeRow {
    value: String,
    expires_at: DateTime<Utc>,
    blocked_at: Option<DateTime<Utc>>,
}

impl Store {
    /// The claims on a domain that stand at `now`, those who asked first before others.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn ownership_claims(&self, domain_id: Uuid, now: DateTime<Utc>) -> Result<Vec<ClaimRow>, StoreError> {
        db!(&self.db, CLAIMS, |sql, pool| sqlx::query_as(sql).bind(domain_id).bind(now).fetch_all(pool).await)
            .map_err(StoreError::at("ownership_claims"))
    }

    /// Removes at most `limit` claims that ended before `before`; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is removed.
    pub async fn ownership_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        db!(&self.db, PRUNE, |sql, pool| {
            let query = sqlx::query(sql).bind(before).bind(i64::from(limit));
            query.execute(pool).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at("ownership_prune"))
    }
}

/// The same as the transaction sees it.
pub(in crate::store) async fn claims(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<Vec<ClaimRow>, StoreError> {
    tx!(tx, CLAIMS, |sql, connection| sqlx::query_as(sql).bind(domain_id).bind(now).fetch_all(connection).await)
        .map_err(StoreError::at(operation))
}

/// Claims `held`, another client's domain, also a deleted one; whoever claims has locked his own client, of `tier`.
pub(in crate::store) async fn contest(
    tx: &mut Tx<'_>,
    held: &DomainRow,
    new: &NewDomain<'_>,
    tier: Option<Tier>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<Contested, StoreError> {
    if !held.is_unproven() || held.is_malformed() || held.domain != new.domain.to_string() {
        return Ok(Contested::Refused);
    }
    let living = get_living_locked(tx, held.id, operation).await?;
    let held = if living.is_some() { living } else { abandoned::get_locked(tx, held.id, operation).await? };
    let Some(held) = held else { return Ok(Contested::Refused) };
    if held.client_id == new.client_id {
        return Ok(Contested::Own);
    }
    if !held.is_unproven() || is_enough(tx, held.id, new.client_id, now, operation).await? {
        return Ok(Contested::Refused);
    }
    let made = claim(tx, held.id, new, now, operation).await?;
    abandoned::look_soon(tx, held.id, now, operation).await?;
    if made.blocked_at.is_some()
        && let Some(exceeded) = room_for(tx, held.id, new.client_id, tier, operation).await?
    {
        return Ok(Contested::Blocked(exceeded));
    }
    Ok(Contested::Claimed(Claimed { domain_id: held.id, value: made.value, expires_at: made.expires_at }))
}

/// Whether there are as many other claims as there may be, on the domain or by the client.
async fn is_enough(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    client_id: Uuid,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<bool, StoreError> {
    for (statement, most) in [(COUNT_OF_DOMAIN, CLAIMS_OF_DOMAIN_MAX), (COUNT_OF_CLIENT, CLAIMS_OF_CLIENT_MAX)] {
        let count: i64 = tx!(&mut *tx, statement, |sql, connection| {
            sqlx::query_scalar(sql).bind(domain_id).bind(client_id).bind(now).fetch_one(connection).await
        })
        .map_err(StoreError::at(operation))?;
        if count >= most {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn claim(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    new: &NewDomain<'_>,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<MadeRow, StoreError> {
    let requirements = new.requirements.map(|requirements| requirements.write(operation)).transpose()?;
    let expires_at = now.checked_add_signed(CLAIM_STANDS).unwrap_or(now);
    tx!(tx, CLAIM, |sql, connection| {
        let query = sqlx::query_as(sql).bind(domain_id).bind(new.client_id).bind(new.ownership_value);
        let query = query.bind(new.provider).bind(requirements).bind(new.infraforge_domain_id);
        query.bind(new.smartlead_domain_id).bind(now).bind(expires_at).fetch_one(connection).await
    })
    .map_err(StoreError::at(operation))
}

/// Notes that a claim is good, but its client's tier does not allow the transfer.
pub(in crate::store) async fn block(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    client_id: Uuid,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    tx!(tx, BLOCK, |sql, connection| {
        sqlx::query(sql).bind(domain_id).bind(client_id).bind(now).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}

/// Ends every claim on a domain.
pub(in crate::store) async fn forget(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    operation: &'static str,
) -> Result<(), StoreError> {
    tx!(tx, FORGET, |sql, connection| sqlx::query(sql).bind(domain_id).execute(connection).await.map(|_| ()))
        .map_err(StoreError::at(operation))
}
