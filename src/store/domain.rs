//! Domains: the rows of `email_domains`, the platform's columns and ours.
//!
//! Owns how a row is read, whoever wrote it, and the look-ups. Adding is in [`crate::store::domain_add`],
//! changing in [`crate::store::domain_change`], the schedule in [`crate::store::schedule`].
//!
//! # Strictness
//!
//! The platform's columns may be NULL; each then reads as the seed's default. `deleted_at` or the status
//! `deleted` alone means deleted. A suspension without a reason was the platform's, and reads as an operator's.
//!
//! What a later release wrote into our columns does not take a list down: requirements that do not read back are
//! shown as such, an unknown reason to check reads as none, and an unknown reason to suspend as an operator's,
//! for only a person should lift what nobody here understands.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use uuid::Uuid;

use crate::protocol::domain::Domain;
use crate::store::db::{Db, Sql, Tx, db, in_time, rows_in_order, statements, tx};
use crate::store::requirements::{Requirements, RowRequirements};
use crate::store::{CheckReason, Store, StoreError};
use crate::verify::purpose::Purpose;
use crate::verify::staged::is_verified;
use crate::verify::standing::{Flags, Standing, Status, SuspendedReason};

/// What the seed lets a domain send a day until somebody changes it.
pub(in crate::store) const DAILY_SEND_LIMIT: i32 = 50;

/// Where a row without an age stands in a list: before all others. The statements and the index say it too.
const NO_AGE: DateTime<Utc> = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(date) => date.and_time(NaiveTime::MIN).and_utc(),
    None => DateTime::UNIX_EPOCH,
};

/// One row of `email_domains`, read.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainRow {
    /// `id`.
    pub id: Uuid,
    /// `client_id`.
    pub client_id: Uuid,
    /// `domain`, as it stands: the platform may have written a text that is no normal domain name.
    pub domain: String,
    /// `provider`.
    pub provider: String,
    /// `dns_configured`.
    pub dns_configured: bool,
    /// `spf_valid`.
    pub spf_valid: bool,
    /// `dkim_valid`.
    pub dkim_valid: bool,
    /// `dmarc_valid`.
    pub dmarc_valid: bool,
    /// `mx_valid`, our column.
    pub mx_valid: bool,
    /// `domain_age_days`.
    pub domain_age_days: Option<i32>,
    /// `reputation_score`, 0–100.
    pub reputation_score: Option<f64>,
    /// `daily_send_limit`.
    pub daily_send_limit: i32,
    /// `current_daily_sends`.
    pub current_daily_sends: i32,
    /// `status`, with `deleted_at` taken in.
    pub status: Status,
    /// `infraforge_domain_id`.
    pub infraforge_domain_id: Option<String>,
    /// `smartlead_domain_id`.
    pub smartlead_domain_id: Option<String>,
    /// `created_at`.
    pub created_at: Option<DateTime<Utc>>,
    /// `updated_at`.
    pub updated_at: Option<DateTime<Utc>>,
    /// `deleted_at`.
    pub deleted_at: Option<DateTime<Utc>>,
    /// When the last check that settled was made.
    pub last_checked_at: Option<DateTime<Utc>>,
    /// When a check last found all four valid.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When the next check is due. Nothing: at once when never checked, else only when asked.
    pub next_check_at: Option<DateTime<Utc>>,
    /// Why it is due.
    pub check_reason: Option<CheckReason>,
    /// Until when a worker holds it.
    pub lease_until: Option<DateTime<Utc>>,
    /// See [`Standing::degraded_since`].
    pub degraded_since: Option<DateTime<Utc>>,
    /// See [`Standing::suspends_at`].
    pub suspends_at: Option<DateTime<Utc>>,
    /// See [`Standing::suspended_reason`]; always there when suspended, never otherwise.
    pub suspended_reason: Option<SuspendedReason>,
    /// See [`Standing::recovering_since`].
    pub recovering_since: Option<DateTime<Utc>>,
    /// See [`Standing::stale_since`].
    pub stale_since: Option<DateTime<Utc>>,
    /// See [`Standing::verified_at`].
    pub verified_at: Option<DateTime<Utc>>,
    /// From when the ladder for pending domains counts; `created_at` where nobody says.
    pub pending_since: Option<DateTime<Utc>>,
    /// What it must publish.
    pub requirements: RowRequirements,
    /// What of it counts, where that is known: see [`crate::verify::staged`].
    pub binding: Option<Requirements>,
    /// The dedicated addresses of its client, which it must let send.
    pub dedicated_ips: Vec<IpAddr>,
    /// Which evidence the last settled check rests on.
    pub evidence_digest: Option<String>,
    /// The text of `domain` that was found to be no normal name, or a second spelling of another row's.
    pub malformed: Option<String>,
    /// What its client is to publish to prove that it is its own; nothing: nobody asks for that.
    pub ownership_value: Option<String>,
    /// Since when that is proven.
    pub ownership_proven_at: Option<DateTime<Utc>>,
    /// The id up to which its checks and events are those of an earlier client's time.
    pub history_after: Option<Uuid>,
}

impl DomainRow {
    /// How the domain stands, for [`crate::verify::standing::after`].
    pub fn standing(&self) -> Standing {
        Standing {
            status: self.status,
            flags: Flags { spf: self.spf_valid, dkim: self.dkim_valid, dmarc: self.dmarc_valid, mx: self.mx_valid },
            verified_at: self.verified_at,
            degraded_since: self.degraded_since,
            suspends_at: self.suspends_at,
            suspended_reason: self.suspended_reason,
            recovering_since: self.recovering_since,
            stale_since: self.stale_since,
        }
    }

    /// Whether a worker holds it at `now`.
    pub fn is_checking(&self, now: DateTime<Utc>) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }

    /// Whether `domain`, as it stands, is marked as no normal name.
    pub fn is_malformed(&self) -> bool {
        self.malformed.as_deref() == Some(self.domain.as_str())
    }

    /// Whether it is still to be proven that it is its client's. What the platform made active, it vouches for.
    pub fn is_unproven(&self) -> bool {
        self.ownership_value.is_some() && self.ownership_proven_at.is_none() && !is_verified(&self.standing())
    }

    /// Its place in [`Store::domain_list`].
    pub fn place(&self) -> Place {
        Place { created_at: self.created_at, id: self.id }
    }
}

/// A place in the list of domains: by age, then by id; without an age first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// `created_at`.
    pub created_at: Option<DateTime<Utc>>,
    /// `id`.
    pub id: Uuid,
}

/// Which domains to list; the default is all that are not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DomainFilter {
    /// Only this client's.
    pub client_id: Option<Uuid>,
    /// Only of this status; deleted ones are listed only when asked for.
    pub status: Option<Status>,
    /// Only those with a false flag.
    pub failing: Option<Failing>,
    /// Only those whose name begins so, in any case.
    pub q: Option<String>,
}

/// Which flag is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// This one.
    Purpose(Purpose),
    /// At least one of the four.
    Any,
}

/// The columns of [`Row`]. Never `*`: a newer release adds columns while this one runs.
///
/// The platform's times are kept within the calendar that can be shown: PostgreSQL has `infinity`, on which the
/// driver panics.
macro_rules! domain_columns {
    () => {
        "id, client_id, domain, provider, dns_configured, spf_valid, dkim_valid, dmarc_valid, mx_valid, \
         domain_age_days, reputation_score, daily_send_limit, current_daily_sends, status, \
         infraforge_domain_id, smartlead_domain_id, \
         CASE WHEN created_at < '0001-01-02' THEN '0001-01-02T00:00:00+00:00' \
         WHEN created_at >= '9999-12-31' THEN '9999-12-31T00:00:00+00:00' ELSE created_at END AS created_at, \
         CASE WHEN updated_at < '0001-01-02' THEN '0001-01-02T00:00:00+00:00' \
         WHEN updated_at >= '9999-12-31' THEN '9999-12-31T00:00:00+00:00' ELSE updated_at END AS updated_at, \
         CASE WHEN deleted_at < '0001-01-02' THEN '0001-01-02T00:00:00+00:00' \
         WHEN deleted_at >= '9999-12-31' THEN '9999-12-31T00:00:00+00:00' ELSE deleted_at END AS deleted_at, \
         last_checked_at, last_success_at, next_check_at, check_reason, lease_until, \
         degraded_since, suspends_at, suspended_reason, recovering_since, stale_since, verified_at, \
         pending_since, requirements, binding, evidence_digest, malformed, ownership_value, ownership_proven_at, history_after, \
         (SELECT string_agg(i.address, ' ' ORDER BY i.address) FROM sendready_dedicated_ips AS i \
             WHERE i.client_id = email_domains.client_id) AS dedicated_ips"
    };
}
pub(in crate::store) use domain_columns;

/// The conditions and the order of a list; `$1`, `$2` are the place before, `$3` how many.
macro_rules! list {
    ($which:literal) => {
        concat!(
            "SELECT ",
            domain_columns!(),
            " FROM email_domains WHERE ",
            $which,
            "(COALESCE(created_at, '0001-01-01T00:00:00+00:00'), id) > ($1, $2) \
             AND CASE WHEN deleted_at IS NOT NULL OR status = 'deleted' THEN $4 = 'deleted' \
                 ELSE $4 = '' OR $4 = COALESCE(status, 'pending') END \
             AND ($5 = '' \
                 OR $5 IN ('any', 'spf') AND NOT COALESCE(spf_valid, FALSE) \
                 OR $5 IN ('any', 'dkim') AND NOT COALESCE(dkim_valid, FALSE) \
                 OR $5 IN ('any', 'dmarc') AND NOT COALESCE(dmarc_valid, FALSE) \
                 OR $5 IN ('any', 'mx') AND NOT COALESCE(mx_valid, FALSE)) \
             ORDER BY COALESCE(created_at, '0001-01-01T00:00:00+00:00'), id LIMIT $3"
        )
    };
}

statements! {
    GET = "SELECT ", domain_columns!(), " FROM email_domains WHERE id = $1";
    // What the records document is made of that moves, in one question.
    GET_SHOWN = "SELECT ", domain_columns!(), ", EXISTS (SELECT 1 FROM sendready_breaker AS b \
        WHERE b.id = 1 AND b.opened_at IS NOT NULL AND b.closed_at IS NULL) AS breaker_open FROM email_domains WHERE id = $1";
    // Held until the transaction ends. SQLite has one writer, and this is it.
    GET_LIVING_LOCKED = "SELECT ", domain_columns!(), " FROM email_domains WHERE id = $1 \
        AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted' FOR UPDATE"
        => "SELECT ", domain_columns!(), " FROM email_domains WHERE id = $1 \
        AND deleted_at IS NULL AND COALESCE(status, 'pending') <> 'deleted'";
    BY_NAME = "SELECT ", domain_columns!(), " FROM email_domains \
        WHERE ltrim(rtrim(lower(domain), ' .'), ' ') IN ($1, $2) \
        ORDER BY CASE WHEN domain = $1 THEN 0 ELSE 1 END, id LIMIT 1";
    // A client's list has its own text, for an `OR` over a parameter would keep SQLite from its index.
    LIST = list!("");
    LIST_OF_CLIENT = list!("client_id = $6 AND ");
    // Few among many, each with an index of its own, for a parameter's value chooses no index.
    LIST_OF_STATUS = list!("COALESCE(status, 'pending') = $4 AND ");
    LIST_FAILING = list!("NOT (COALESCE(spf_valid, FALSE) AND COALESCE(dkim_valid, FALSE) \
        AND COALESCE(dmarc_valid, FALSE) AND COALESCE(mx_valid, FALSE)) AND ");
    LIST_DELETED = list!("(deleted_at IS NOT NULL OR status = 'deleted') AND ");
    // What begins alike lies together in its own index, and is put in order afterwards.
    LIST_BY_PREFIX = list!("lower(domain) COLLATE \"C\" >= $6 AND lower(domain) COLLATE \"C\" < $7 AND ")
        => list!("lower(domain) >= $6 AND lower(domain) < $7 AND ");
    LIST_OF_CLIENT_BY_PREFIX =
        list!("lower(domain) COLLATE \"C\" >= $6 AND lower(domain) COLLATE \"C\" < $7 AND client_id = $8 AND ")
        => list!("lower(domain) >= $6 AND lower(domain) < $7 AND client_id = $8 AND ");
}

rows_in_order! {
    /// A row as it comes, in the order of `domain_columns!`.
    pub(in crate::store) struct Row {
        id: Uuid,
        client_id: Uuid,
        domain: String,
        provider: String,
        dns_configured: Option<bool>,
        spf_valid: Option<bool>,
        dkim_valid: Option<bool>,
        dmarc_valid: Option<bool>,
        mx_valid: Option<bool>,
        domain_age_days: Option<i32>,
        reputation_score: Option<f64>,
        daily_send_limit: Option<i32>,
        current_daily_sends: Option<i32>,
        status: Option<String>,
        infraforge_domain_id: Option<String>,
        smartlead_domain_id: Option<String>,
        created_at: Option<DateTime<Utc>>,
        updated_at: Option<DateTime<Utc>>,
        deleted_at: Option<DateTime<Utc>>,
        last_checked_at: Option<DateTime<Utc>>,
        last_success_at: Option<DateTime<Utc>>,
        next_check_at: Option<DateTime<Utc>>,
        check_reason: Option<String>,
        lease_until: Option<DateTime<Utc>>,
        degraded_since: Option<DateTime<Utc>>,
        suspends_at: Option<DateTime<Utc>>,
        suspended_reason: Option<String>,
        recovering_since: Option<DateTime<Utc>>,
        stale_since: Option<DateTime<Utc>>,
        verified_at: Option<DateTime<Utc>>,
        pending_since: Option<DateTime<Utc>>,
        requirements: Option<String>,
        binding: Option<String>,
        evidence_digest: Option<String>,
        malformed: Option<String>,
        ownership_value: Option<String>,
        ownership_proven_at: Option<DateTime<Utc>>,
        history_after: Option<Uuid>,
        dedicated_ips: Option<String>,
    }
}

#[derive(sqlx::FromRow)]
struct ShownRow {
    #[sqlx(flatten)]
    row: Row,
    breaker_open: bool,
}

impl Row {
    /// The row as design §4 reads it.
    pub(in crate::store) fn read(self, operation: &'static str) -> Result<DomainRow, StoreError> {
        let corrupt = |what: String| StoreError::Corrupt { operation, what: format!("domain {}: {what}", self.id) };
        let status = match self.status.as_deref() {
            _ if self.deleted_at.is_some() => Status::Deleted,
            None => Status::Pending,
            Some(text) => Status::ALL
                .into_iter()
                .find(|status| status.as_str() == text)
                .ok_or_else(|| corrupt(format!("there is no status `{text}`")))?,
        };
        let suspended_reason =
            (status == Status::Suspended).then(|| read_suspended_reason(self.suspended_reason.as_deref()));
        Ok(DomainRow {
            id: self.id,
            client_id: self.client_id,
            dns_configured: self.dns_configured.unwrap_or(false),
            spf_valid: self.spf_valid.unwrap_or(false),
            dkim_valid: self.dkim_valid.unwrap_or(false),
            dmarc_valid: self.dmarc_valid.unwrap_or(false),
            mx_valid: self.mx_valid.unwrap_or(false),
            domain_age_days: self.domain_age_days,
            reputation_score: self.reputation_score,
            daily_send_limit: self.daily_send_limit.unwrap_or(DAILY_SEND_LIMIT),
            current_daily_sends: self.current_daily_sends.unwrap_or(0),
            status,
            created_at: self.created_at,
            updated_at: self.updated_at,
            deleted_at: self.deleted_at,
            last_checked_at: self.last_checked_at,
            last_success_at: self.last_success_at,
            next_check_at: self.next_check_at,
            check_reason: self.check_reason.as_deref().and_then(CheckReason::parse),
            lease_until: self.lease_until,
            degraded_since: self.degraded_since,
            suspends_at: self.suspends_at,
            suspended_reason,
            recovering_since: self.recovering_since,
            stale_since: self.stale_since,
            verified_at: self.verified_at,
            pending_since: self.pending_since.or(self.created_at),
            requirements: RowRequirements::read(self.requirements),
            binding: read_binding(self.binding),
            dedicated_ips: self
                .dedicated_ips
                .iter()
                .flat_map(|all| all.split(' '))
                .filter_map(|ip| ip.parse().ok())
                .collect(),
            domain: self.domain,
            provider: self.provider,
            infraforge_domain_id: self.infraforge_domain_id,
            smartlead_domain_id: self.smartlead_domain_id,
            evidence_digest: self.evidence_digest,
            malformed: self.malformed,
            ownership_value: self.ownership_value,
            ownership_proven_at: self.ownership_proven_at,
            history_after: self.history_after,
        })
    }
}

/// What a later release wrote is as good as nothing: all that is required counts then.
fn read_binding(text: Option<String>) -> Option<Requirements> {
    match RowRequirements::read(text) {
        RowRequirements::Own(binding) => Some(binding),
        RowRequirements::Profile | RowRequirements::Unreadable(_) => None,
    }
}

/// A suspension that nobody gave a reason for was the platform's, and only a person lifts that.
pub(in crate::store) fn read_suspended_reason(text: Option<&str>) -> SuspendedReason {
    let known = SuspendedReason::ALL.into_iter().find(|reason| Some(reason.as_str()) == text);
    known.unwrap_or(SuspendedReason::Operator)
}

impl Store {
    /// One domain, deleted ones too.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain_get(&self, id: Uuid) -> Result<Option<DomainRow>, StoreError> {
        const OPERATION: &str = "domain_get";
        db!(&self.db, GET, |sql, pool| sqlx::query_as::<_, Row>(sql).bind(id).fetch_optional(pool).await)
            .map_err(StoreError::at(OPERATION))?
            .map(|row| row.read(OPERATION))
            .transpose()
    }

    /// One domain, deleted ones too, and whether the fleet breaker is open.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain_shown(&self, id: Uuid) -> Result<Option<(DomainRow, bool)>, StoreError> {
        const OPERATION: &str = "domain_shown";
        // As `db!` has it, but this is asked for every read.
        let shown: Option<ShownRow> = match &self.db {
            Db::Postgres(pool) => self.readers.read_one(pool, GET_SHOWN.postgres, id).await,
            Db::Sqlite(pool) => {
                let sql = GET_SHOWN.sqlite;
                in_time(sqlx::query_as(sql).bind(id).fetch_optional(pool)).await
            }
        }
        .map_err(StoreError::at(OPERATION))?;
        shown.map(|shown| Ok((shown.row.read(OPERATION)?, shown.breaker_open))).transpose()
    }

    /// The row of a name, deleted ones too. A row in the normal spelling goes before others of the same name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain_by_name(&self, domain: &Domain) -> Result<Option<DomainRow>, StoreError> {
        const OPERATION: &str = "domain_by_name";
        let name = domain.to_string();
        let unicode = domain.unicode();
        db!(&self.db, BY_NAME, |sql, pool| {
            sqlx::query_as::<_, Row>(sql).bind(name).bind(unicode).fetch_optional(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .map(|row| row.read(OPERATION))
        .transpose()
    }

    /// At most `limit` domains behind `after`, in the order of their [`Place`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain_list(
        &self,
        filter: &DomainFilter,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<DomainRow>, StoreError> {
        const OPERATION: &str = "domain_list";
        let (age, id) = after.map_or((NO_AGE, Uuid::nil()), |place| (place.created_at.unwrap_or(NO_AGE), place.id));
        let limit = i64::from(limit);
        let status = filter.status.map_or("", Status::as_str);
        let failing = match filter.failing {
            None => "",
            Some(Failing::Any) => "any",
            Some(Failing::Purpose(purpose)) => purpose.as_str(),
        };
        let prefix = filter.q.as_deref().map(str::to_lowercase).filter(|prefix| !prefix.is_empty());
        // Above everything that begins so, and below everything else.
        let range = prefix.map(|prefix| (format!("{prefix}{}", char::MAX), prefix));
        let rows = match (filter.client_id, range) {
            (None, None) => db!(&self.db, whole_list(filter), |sql, pool| {
                let query = sqlx::query_as::<_, Row>(sql).bind(age).bind(id).bind(limit);
                query.bind(status).bind(failing).fetch_all(pool).await
            }),
            (Some(client), None) => db!(&self.db, LIST_OF_CLIENT, |sql, pool| {
                let query = sqlx::query_as::<_, Row>(sql).bind(age).bind(id).bind(limit);
                query.bind(status).bind(failing).bind(client).fetch_all(pool).await
            }),
            (None, Some((end, prefix))) => db!(&self.db, LIST_BY_PREFIX, |sql, pool| {
                let query = sqlx::query_as::<_, Row>(sql).bind(age).bind(id).bind(limit);
                query.bind(status).bind(failing).bind(prefix).bind(end).fetch_all(pool).await
            }),
            (Some(client), Some((end, prefix))) => db!(&self.db, LIST_OF_CLIENT_BY_PREFIX, |sql, pool| {
                let query = sqlx::query_as::<_, Row>(sql).bind(age).bind(id).bind(limit);
                query.bind(status).bind(failing).bind(prefix).bind(end).bind(client).fetch_all(pool).await
            }),
        };
        rows.map_err(StoreError::at(OPERATION))?.into_iter().map(|row| row.read(OPERATION)).collect()
    }
}

/// The statement of a list of everybody's domains.
fn whole_list(filter: &DomainFilter) -> Sql {
    match (filter.status, filter.failing) {
        (Some(Status::Pending | Status::Active | Status::Suspended), None) => LIST_OF_STATUS,
        // What is deleted may be so by its time alone.
        (Some(Status::Deleted), None) => LIST_DELETED,
        (_, Some(_)) => LIST_FAILING,
        (None, None) => LIST,
    }
}

/// One domain that is not deleted, held until the transaction ends.
pub(in crate::store) async fn get_living_locked(
    tx: &mut Tx<'_>,
    id: Uuid,
    operation: &'static str,
) -> Result<Option<DomainRow>, StoreError> {
    tx!(tx, GET_LIVING_LOCKED, |sql, connection| {
        sqlx::query_as::<_, Row>(sql).bind(id).fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))?
    .map(|row| row.read(operation))
    .transpose()
}

/// The row of a name as the transaction sees it; see [`Store::domain_by_name`].
pub(in crate::store) async fn by_name(
    tx: &mut Tx<'_>,
    domain: &Domain,
    operation: &'static str,
) -> Result<Option<DomainRow>, StoreError> {
    let name = domain.to_string();
    let unicode = domain.unicode();
    tx!(tx, BY_NAME, |sql, connection| {
        sqlx::query_as::<_, Row>(sql).bind(name).bind(unicode).fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))?
    .map(|row| row.read(operation))
    .transpose()
}
