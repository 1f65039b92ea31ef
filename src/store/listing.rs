//! What block lists said of registrable domains: the last word of each, and the last question.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{db, statements, tx};
use crate::store::organization::{OrganizationClaim, domains};
use crate::store::reputation::refresh;
use crate::store::{Store, StoreError};

/// What one list says of a registrable domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingRow {
    /// The list's zone.
    pub zone: String,
    /// Whether it has it; nothing where it never could tell.
    pub listed: Option<bool>,
    /// Its codes.
    pub codes: Vec<String>,
    /// Why, in its own words.
    pub reason: Option<String>,
    /// When it last could tell.
    pub told_at: Option<DateTime<Utc>>,
    /// When it was last asked.
    pub asked_at: DateTime<Utc>,
    /// Why it could not tell then.
    pub fault: Option<String>,
}

/// What a list said when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListTold {
    /// The list's zone.
    pub zone: String,
    /// Codes and reason; none: it has it not. Or why it could not tell.
    pub told: Result<(Vec<String>, Option<String>), String>,
}

statements! {
    OF_DOMAIN = "SELECT l.zone, l.listed, l.codes, l.reason, l.told_at, l.asked_at, l.fault \
        FROM sendready_domain_organizations AS o JOIN sendready_listings AS l ON l.organization = o.organization \
        WHERE o.domain_id = $1 ORDER BY l.zone";
    TOLD = "INSERT INTO sendready_listings (organization, zone, listed, codes, reason, told_at, asked_at, fault) \
        VALUES ($1, $2, $3, $4, $5, $6, $6, NULL) ON CONFLICT (organization, zone) DO UPDATE SET listed = excluded.listed, \
        codes = excluded.codes, reason = excluded.reason, told_at = excluded.told_at, asked_at = excluded.asked_at, \
        fault = NULL";
    // The last word stands.
    NOT_TOLD = "INSERT INTO sendready_listings (organization, zone, codes, asked_at, fault) VALUES ($1, $2, '', $3, $4) \
        ON CONFLICT (organization, zone) DO UPDATE SET asked_at = excluded.asked_at, fault = excluded.fault";
    SETTLE = "UPDATE sendready_organizations SET lists_next_at = $3, lists_lease_until = NULL, lists_lease_token = NULL \
        WHERE organization = $1 AND lists_lease_token = $2";
    ZONES = "SELECT DISTINCT zone FROM sendready_listings ORDER BY zone";
    FORGET = "DELETE FROM sendready_listings WHERE zone = $1";
    AT_ONCE = "UPDATE sendready_organizations SET lists_next_at = $1 WHERE lists_next_at > $1";
}

#[derive(sqlx::FromRow)]
struct Row {
    zone: String,
    listed: Option<bool>,
    codes: String,
    reason: Option<String>,
    told_at: Option<DateTime<Utc>>,
    asked_at: DateTime<Utc>,
    fault: Option<String>,
}

impl Row {
    fn read(self) -> ListingRow {
        let Row { zone, listed, codes, reason, told_at, asked_at, fault } = self;
        let codes = codes.split(' ').filter(|code| !code.is_empty()).map(str::to_owned).collect();
        ListingRow { zone, listed, codes, reason, told_at, asked_at, fault }
    }
}

impl Store {
    /// What each list says of a domain's registrable domain, by zone.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn listings(&self, domain_id: Uuid) -> Result<Vec<ListingRow>, StoreError> {
        let rows = db!(&self.db, OF_DOMAIN, |sql, pool| {
            sqlx::query_as::<_, Row>(sql).bind(domain_id).fetch_all(pool).await
        })
        .map_err(StoreError::at("listings"))?;
        Ok(rows.into_iter().map(Row::read).collect())
    }

    /// Writes what lists said, and the reputation of the domains with it. `false` where another has it now; nothing is
    /// written then.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn lists_settle(
        &self,
        claim: &OrganizationClaim,
        told: &[ListTold],
        next_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "lists_settle";
        let mut tx = self.db.begin(OPERATION).await?;
        let count = tx!(&mut tx, SETTLE, |sql, connection| {
            let query = sqlx::query(sql).bind(&claim.organization).bind(claim.token).bind(next_at);
            query.execute(connection).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at(OPERATION))?;
        if count == 0 {
            return Ok(false);
        }
        for ListTold { zone, told } in told {
            match told {
                Ok((codes, reason)) => tx!(&mut tx, TOLD, |sql, connection| {
                    let query = sqlx::query(sql).bind(&claim.organization).bind(zone).bind(!codes.is_empty());
                    let query = query.bind(codes.join(" ")).bind(reason.as_deref()).bind(now);
                    query.execute(connection).await.map(|_| ())
                }),
                Err(fault) => tx!(&mut tx, NOT_TOLD, |sql, connection| {
                    let query = sqlx::query(sql).bind(&claim.organization).bind(zone).bind(now).bind(fault);
                    query.execute(connection).await.map(|_| ())
                }),
            }
            .map_err(StoreError::at(OPERATION))?;
        }
        let domains = domains(&mut tx, &claim.organization, OPERATION).await?;
        refresh(&mut tx, &domains, now, OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(true)
    }

    /// Forgets what lists said that are not among `zones` any more. Where one of `zones` is new, all are asked at `now`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn lists_keep(&self, zones: &[String], now: DateTime<Utc>) -> Result<(), StoreError> {
        const OPERATION: &str = "lists_keep";
        let mut tx = self.db.begin(OPERATION).await?;
        let known: Vec<String> =
            tx!(&mut tx, ZONES, |sql, connection| sqlx::query_scalar(sql).fetch_all(connection).await)
                .map_err(StoreError::at(OPERATION))?;
        for zone in known.iter().filter(|zone| !zones.contains(zone)) {
            tx!(&mut tx, FORGET, |sql, connection| {
                sqlx::query(sql).bind(zone).execute(connection).await.map(|_| ())
            })
            .map_err(StoreError::at(OPERATION))?;
        }
        if zones.iter().any(|zone| !known.contains(zone)) {
            tx!(&mut tx, AT_ONCE, |sql, connection| {
                sqlx::query(sql).bind(now).execute(connection).await.map(|_| ())
            })
            .map_err(StoreError::at(OPERATION))?;
        }
        tx.commit(OPERATION).await
    }
}
