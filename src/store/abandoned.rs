//! Abandoned domains: deleted, and never proven to be whose they were. Nobody checks them, so the proofs of those who
//! claim them are looked for apart; the lease is that of every domain.
//!
//! When that is due stands on the row from the claim on, also while the domain lives and its checks look for them: whoever
//! deletes it, by SQL too, cannot make anybody forget it. The one who claims locks the row, and so does the one who
//! writes what was found, so that no claim is made in between and overlooked.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{Tx, db, statements, tx};
use crate::store::domain::{DomainRow, Row, domain_columns};
use crate::store::notice::Notice;
use crate::store::schedule::{Claim, claims};
use crate::store::transfer::{Claimant, Found, lock_claimants, take_over};
use crate::store::{Store, StoreError, ownership, warmup};

/// What was found of the proofs of those who claim a deleted domain.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimsLook {
    /// Whose proofs are published, those who asked first before others.
    pub claimants: Vec<Claimant>,
    /// Until when the youngest of the claims stands that were looked for; nothing where there were none.
    pub claimed_until: Option<DateTime<Utc>>,
    /// When to look again; nothing: only when it is claimed again.
    pub next_at: Option<DateTime<Utc>>,
    /// When to look again at the earliest, and when its new client's domain is checked.
    pub earliest_at: DateTime<Utc>,
}

/// What came of [`Store::abandoned_settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It is as it was, and looked at again when it is time.
    Nobody,
    /// It lives again, as the domain of one of the claimants.
    TakenOver,
    /// It lives again as it was, or another looks: none of it is written.
    LeaseLost,
}

/// A deleted row, unless the platform had made it active: what it made so, it had vouched for.
macro_rules! get {
    ($and:literal) => {
        concat!(
            "SELECT ",
            domain_columns!(),
            " FROM email_domains WHERE id = $1 AND (deleted_at IS NOT NULL OR status = 'deleted') \
             AND COALESCE(status, 'pending') <> 'active'",
            $and
        )
    };
}

macro_rules! lend {
    ($skip_locked:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (SELECT id FROM email_domains WHERE claims_check_at <= $1 \
             AND claims_check_at IS NOT NULL AND (deleted_at IS NOT NULL OR status = 'deleted') \
             AND COALESCE(status, 'pending') <> 'active' AND COALESCE(malformed, '') <> domain \
             AND (lease_until IS NULL OR lease_until <= $1) ORDER BY claims_check_at LIMIT $4",
            $skip_locked,
            ") UPDATE email_domains SET lease_until = $2, lease_token = $3 WHERE id IN (SELECT id FROM due) RETURNING ",
            domain_columns!()
        )
    };
}

statements! {
    LEND = lend!(" FOR UPDATE SKIP LOCKED") => lend!("");
    GET_LOCKED = get!(" FOR UPDATE") => get!("");
    GET_HELD = get!(" AND lease_token = $2 FOR UPDATE") => get!(" AND lease_token = $2");
    LOOK_SOON = "UPDATE email_domains SET claims_check_at = CASE WHEN claims_earliest_at > $2 THEN claims_earliest_at \
        ELSE $2 END WHERE id = $1 AND (claims_check_at IS NULL OR claims_check_at > $2)";
    LOOK_AGAIN = "UPDATE email_domains SET claims_check_at = $2, claims_earliest_at = $3, lease_until = NULL, \
        lease_token = NULL WHERE id = $1";
}

impl Store {
    /// Lends out at most `count_max` deleted domains whose claims are due to be looked at, the longest due first; as
    /// [`Store::domain_claim_due`] does with those that live.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has been lent.
    pub async fn abandoned_claim_due(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        token: Uuid,
        count_max: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        const OPERATION: &str = "abandoned_claim_due";
        let rows = db!(&self.db, LEND, |sql, pool| {
            let query = sqlx::query_as::<_, Row>(sql).bind(now).bind(lease_until).bind(token);
            query.bind(i64::from(count_max)).fetch_all(pool).await
        });
        Ok(claims(rows.map_err(StoreError::at(OPERATION))?, token, OPERATION))
    }

    /// Writes what was found, all or nothing, and only while the domain is deleted and the lease is ours: the first claimant
    /// whose tier allows it gets the domain, which lives again and counts as proven. A claim that was made meanwhile is
    /// looked for as soon as may be.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is known to be written. It falls due again when the lease ends.
    pub async fn abandoned_settle(
        &self,
        claim: &Claim,
        look: &ClaimsLook,
        now: DateTime<Utc>,
    ) -> Result<Looked, StoreError> {
        const OPERATION: &str = "abandoned_settle";
        let id = claim.domain.id;
        let mut tx = self.db.begin(OPERATION).await?;
        let claimants = look.claimants.iter().map(|claimant| claimant.client_id);
        let locked = lock_claimants(&mut tx, claimants, OPERATION).await?;
        let Some(before) = held(&mut tx, claim, OPERATION).await? else { return Ok(Looked::LeaseLost) };
        let found = Found { check_id: None, earliest_at: look.earliest_at, claimants: &look.claimants };
        if before.is_unproven() && take_over(&mut tx, &before, &found, &locked, now, OPERATION).await? {
            // Open again with the standing that it will get.
            let closed_at = before.deleted_at.unwrap_or(now);
            warmup::close_domain(&mut tx, id, closed_at, None, OPERATION).await?;
            self.tell_replicas(&mut tx, &Notice::due(id), OPERATION).await?;
            tx.commit(OPERATION).await?;
            return Ok(Looked::TakenOver);
        }
        let claims = ownership::claims(&mut tx, id, now, OPERATION).await?;
        let claimed_until = claims.iter().map(|claim| claim.expires_at).max();
        let next_at = if claimed_until > look.claimed_until { Some(look.earliest_at) } else { look.next_at };
        tx!(&mut tx, LOOK_AGAIN, |sql, connection| {
            let query = sqlx::query(sql).bind(id).bind(next_at).bind(look.earliest_at);
            query.execute(connection).await.map(|_| ())
        })
        .map_err(StoreError::at(OPERATION))?;
        tx.commit(OPERATION).await?;
        Ok(Looked::Nobody)
    }
}

/// The deleted domain that is lent, locked until the transaction ends.
async fn held(tx: &mut Tx<'_>, claim: &Claim, operation: &'static str) -> Result<Option<DomainRow>, StoreError> {
    tx!(tx, GET_HELD, |sql, connection| {
        sqlx::query_as::<_, Row>(sql).bind(claim.domain.id).bind(claim.token).fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))?
    .map(|row| row.read(operation))
    .transpose()
}

/// A deleted domain that the platform had not vouched for, locked until the transaction ends.
pub(in crate::store) async fn get_locked(
    tx: &mut Tx<'_>,
    id: Uuid,
    operation: &'static str,
) -> Result<Option<DomainRow>, StoreError> {
    tx!(tx, GET_LOCKED, |sql, connection| sqlx::query_as::<_, Row>(sql).bind(id).fetch_optional(connection).await)
        .map_err(StoreError::at(operation))?
        .map(|row| row.read(operation))
        .transpose()
}

/// Has the claims on a domain looked at as soon as may be, should it be deleted, or become so.
pub(in crate::store) async fn look_soon(
    tx: &mut Tx<'_>,
    id: Uuid,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    tx!(tx, LOOK_SOON, |sql, connection| sqlx::query(sql).bind(id).bind(now).execute(connection).await.map(|_| ()))
        .map_err(StoreError::at(operation))
}
