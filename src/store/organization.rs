//! Registrable domains: which domains belong to them, and the schedule of what is asked of others about them.
//!
//! Asking RDAP is paced for all replicas together: whoever takes one must take the one turn that there is, too.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::store::db::{Tx, db, statements, tx};
use crate::store::reputation::refresh;
use crate::store::{Store, StoreError};

/// A domain on the walk through all of them.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DomainOrganization {
    /// The domain.
    pub id: Uuid,
    /// Its name as it stands.
    pub domain: String,
    /// The registrable domain noted for that name; nothing where none is.
    pub organization: Option<String>,
}

/// A registrable domain lent to whoever asks about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationClaim {
    /// The registrable domain.
    pub organization: String,
    /// The loan.
    pub token: Uuid,
    /// How often in a row a registry gave no day.
    pub failures: u32,
    /// Whether it has a domain that is not deleted.
    pub is_living: bool,
}

/// What came of asking when a domain was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgeTold {
    /// When it was asked; nothing where nobody was.
    pub asked_at: Option<DateTime<Utc>>,
    /// The day, and who said so.
    pub told: Result<(DateTime<Utc>, String), String>,
    /// How often in a row there was none.
    pub failures: u32,
    /// When to ask again.
    pub next_at: DateTime<Utc>,
}

/// What is known of a domain's age.
#[derive(Debug, Clone, PartialEq, Eq, Default, sqlx::FromRow)]
pub struct AgeRow {
    /// When it was registered.
    pub registered_at: Option<DateTime<Utc>>,
    /// Which server said so.
    pub age_source: Option<String>,
    /// When a server was last asked.
    pub age_asked_at: Option<DateTime<Utc>>,
    /// Why it gave no day then.
    pub age_fault: Option<String>,
}

macro_rules! claim {
    ($next:literal, $until:literal, $token:literal, $lock:literal) => {
        concat!(
            "UPDATE sendready_organizations SET ", $until, " = $2, ", $token, " = $3 WHERE organization = \
             (SELECT organization FROM sendready_organizations WHERE ", $next, " <= $1 AND (", $until, " IS NULL OR ",
            $until, " <= $1) ORDER BY ", $next, " LIMIT 1", $lock, ") RETURNING organization, age_failures, \
             EXISTS (SELECT 1 FROM sendready_domain_organizations AS o JOIN email_domains AS d ON d.id = o.domain_id \
             WHERE o.organization = sendready_organizations.organization AND d.deleted_at IS NULL \
             AND COALESCE(d.status, 'pending') <> 'deleted') AS is_living"
        )
    };
}

statements! {
    WALK = "SELECT d.id, d.domain, o.organization FROM email_domains AS d \
        LEFT JOIN sendready_domain_organizations AS o ON o.domain_id = d.id AND o.domain = d.domain \
        WHERE d.id > $1 AND d.deleted_at IS NULL AND COALESCE(d.status, 'pending') <> 'deleted' ORDER BY d.id LIMIT $2";
    LINK = "INSERT INTO sendready_domain_organizations (domain_id, domain, organization) VALUES ($1, $2, $3) \
        ON CONFLICT (domain_id) DO UPDATE SET domain = excluded.domain, organization = excluded.organization";
    ADD = "INSERT INTO sendready_organizations (organization, age_failures, age_next_at, lists_next_at) \
        VALUES ($1, 0, $2, $2) ON CONFLICT (organization) DO NOTHING";
    DOMAINS = "SELECT domain_id FROM sendready_domain_organizations WHERE organization = $1 ORDER BY domain_id";
    CLAIM_AGE = claim!("age_next_at", "age_lease_until", "age_lease_token", " FOR UPDATE SKIP LOCKED")
        => claim!("age_next_at", "age_lease_until", "age_lease_token", "");
    CLAIM_LISTS = claim!("lists_next_at", "lists_lease_until", "lists_lease_token", " FOR UPDATE SKIP LOCKED")
        => claim!("lists_next_at", "lists_lease_until", "lists_lease_token", "");
    PACE = "UPDATE sendready_rdap_pace SET next_at = $2 WHERE id = 1 AND next_at <= $1";
    SETTLE_AGE = "UPDATE sendready_organizations SET registered_at = COALESCE($3, registered_at), \
        age_source = COALESCE($4, age_source), age_asked_at = COALESCE($5, age_asked_at), age_fault = $6, \
        age_failures = $7, age_next_at = $8, age_lease_until = NULL, age_lease_token = NULL \
        WHERE organization = $1 AND age_lease_token = $2";
    AGE_OF = "SELECT g.registered_at, g.age_source, g.age_asked_at, g.age_fault \
        FROM sendready_domain_organizations AS o JOIN sendready_organizations AS g ON g.organization = o.organization \
        WHERE o.domain_id = $1";
}

#[derive(sqlx::FromRow)]
struct ClaimRow {
    organization: String,
    age_failures: i32,
    is_living: bool,
}

impl ClaimRow {
    fn lent(self, token: Uuid) -> OrganizationClaim {
        let failures = u32::try_from(self.age_failures).unwrap_or(0);
        OrganizationClaim { organization: self.organization, token, failures, is_living: self.is_living }
    }
}

impl Store {
    /// At most `limit` living domains behind `after`, by id, and which registrable domain is noted for each.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn organization_walk(&self, after: Uuid, limit: u32) -> Result<Vec<DomainOrganization>, StoreError> {
        db!(&self.db, WALK, |sql, pool| {
            sqlx::query_as::<_, DomainOrganization>(sql).bind(after).bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at("organization_walk"))
    }

    /// Notes to which registrable domain a domain of this name belongs. What is new is asked about at `now`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn organization_note(
        &self,
        domain_id: Uuid,
        domain: &str,
        organization: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "organization_note";
        let mut tx = self.db.begin(OPERATION).await?;
        tx!(&mut tx, ADD, |sql, connection| {
            sqlx::query(sql).bind(organization).bind(now).execute(connection).await.map(|_| ())
        })
        .map_err(StoreError::at(OPERATION))?;
        tx!(&mut tx, LINK, |sql, connection| {
            sqlx::query(sql).bind(domain_id).bind(domain).bind(organization).execute(connection).await.map(|_| ())
        })
        .map_err(StoreError::at(OPERATION))?;
        tx.commit(OPERATION).await
    }

    /// Lends the registrable domain whose age is the longest due, until `until`; nothing where none is, or it is not yet
    /// time to ask: there are `pace` between two questions of all replicas.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is lent.
    pub async fn age_claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        token: Uuid,
        pace: TimeDelta,
    ) -> Result<Option<OrganizationClaim>, StoreError> {
        const OPERATION: &str = "age_claim";
        let mut tx = self.db.begin(OPERATION).await?;
        let claimed = tx!(&mut tx, CLAIM_AGE, |sql, connection| {
            let query = sqlx::query_as::<_, ClaimRow>(sql).bind(now).bind(until).bind(token);
            query.fetch_optional(connection).await
        })
        .map_err(StoreError::at(OPERATION))?;
        let Some(claimed) = claimed else { return Ok(None) };
        let next = now + pace;
        let count = tx!(&mut tx, PACE, |sql, connection| {
            sqlx::query(sql).bind(now).bind(next).execute(connection).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at(OPERATION))?;
        if count == 0 {
            return Ok(None);
        }
        tx.commit(OPERATION).await?;
        Ok(Some(claimed.lent(token)))
    }

    /// Writes what came of asking, and the age and the reputation of its domains with it. `false` where another has it
    /// now; nothing is written then.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn age_settle(
        &self,
        claim: &OrganizationClaim,
        told: &AgeTold,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "age_settle";
        let (day, source, fault) = match &told.told {
            Ok((day, source)) => (Some(*day), Some(source.as_str()), None),
            Err(fault) => (None, None, Some(fault.as_str())),
        };
        let failures = i32::try_from(told.failures).unwrap_or(i32::MAX);
        let mut tx = self.db.begin(OPERATION).await?;
        let count = tx!(&mut tx, SETTLE_AGE, |sql, connection| {
            let query = sqlx::query(sql).bind(&claim.organization).bind(claim.token).bind(day).bind(source);
            let query = query.bind(told.asked_at).bind(fault).bind(failures).bind(told.next_at);
            query.execute(connection).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at(OPERATION))?;
        if count == 0 {
            return Ok(false);
        }
        let domains = domains(&mut tx, &claim.organization, OPERATION).await?;
        refresh(&mut tx, &domains, now, OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(true)
    }

    /// What is known of a domain's age; nothing where nothing was noted of it yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn age_of(&self, domain_id: Uuid) -> Result<Option<AgeRow>, StoreError> {
        db!(&self.db, AGE_OF, |sql, pool| {
            sqlx::query_as::<_, AgeRow>(sql).bind(domain_id).fetch_optional(pool).await
        })
        .map_err(StoreError::at("age_of"))
    }

    /// Lends the registrable domain of which block lists are the longest due to be asked, until `until`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is lent.
    pub async fn lists_claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        token: Uuid,
    ) -> Result<Option<OrganizationClaim>, StoreError> {
        let claimed = db!(&self.db, CLAIM_LISTS, |sql, pool| {
            let query = sqlx::query_as::<_, ClaimRow>(sql).bind(now).bind(until).bind(token);
            query.fetch_optional(pool).await
        })
        .map_err(StoreError::at("lists_claim"))?;
        Ok(claimed.map(|row| row.lent(token)))
    }
}

/// The domains of a registrable domain, deleted ones too, in the order of their ids.
pub(in crate::store) async fn domains(
    tx: &mut Tx<'_>,
    organization: &str,
    operation: &'static str,
) -> Result<Vec<Uuid>, StoreError> {
    tx!(tx, DOMAINS, |sql, connection| sqlx::query_scalar(sql).bind(organization).fetch_all(connection).await)
        .map_err(StoreError::at(operation))
}
