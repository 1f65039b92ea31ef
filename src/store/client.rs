//! Clients: the platform's table `clients`, or ours where the platform has none, and what they have booked.
//!
//! A foreign `clients` is read for its `id` only by name; `name` and `created_at` may be missing or of any
//! type there. Tiers stand in `client_settings`, which is always ours.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use uuid::Uuid;

use crate::sending::tier::{Resource, Tier};
use crate::store::db::{Tx, db, statements, tx};
use crate::store::{Store, StoreError};

/// Somebody who owns domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The id in `clients`.
    pub id: Uuid,
    /// The name; nothing where a foreign table has none.
    pub name: Option<String>,
    /// What it has booked; nothing for an adopted client that was never given a tier, which is not limited.
    pub tier: Option<Tier>,
    /// When it was made; nothing where a foreign table does not say.
    pub created_at: Option<DateTime<Utc>>,
    /// Its dedicated addresses, in the order of their texts.
    pub dedicated_ips: Vec<IpAddr>,
}

/// What came of [`Store::client_add`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAdded {
    /// It is there.
    Added(Client),
    /// The table `clients` is the platform's; nothing is written to it.
    ManagedElsewhere,
}

/// What to change of a client; `None` leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientChange {
    /// Another name.
    pub name: Option<String>,
    /// Another tier.
    pub tier: Option<Tier>,
}

/// What came of [`Store::client_change`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientChanged {
    /// As it stands now.
    Changed(Client),
    /// There is no such client.
    NoSuchClient,
    /// The name is the platform's; nothing has changed, the tier neither.
    ManagedElsewhere,
    /// More is in use than the new tier allows; nothing has changed. Everything of which there is too much is named.
    AllocationExceeded(Vec<Excess>),
}

/// More of something in use than a tier allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    /// Of what there is too much.
    pub resource: Resource,
    /// How many are in use.
    pub used: u32,
    /// How many the tier allows.
    pub limit: u32,
}

/// What a client uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What it has booked.
    pub tier: Option<Tier>,
    /// Domains that are not deleted.
    pub domains_used: u32,
    /// Mailboxes that are not deleted, of domains that are not deleted.
    pub mailboxes_used: u32,
    /// Dedicated addresses.
    pub dedicated_ips_used: u32,
}

impl Usage {
    /// How many of one resource are in use.
    pub fn of(&self, resource: Resource) -> u32 {
        match resource {
            Resource::Domains => self.domains_used,
            Resource::Mailboxes => self.mailboxes_used,
            Resource::DedicatedIps => self.dedicated_ips_used,
        }
    }

    /// Everything of which more is in use than a tier allows.
    pub fn beyond(&self, tier: Tier) -> Vec<Excess> {
        let each = Resource::ALL.map(|resource| Excess {
            resource,
            used: self.of(resource),
            limit: tier.allocation().of(resource),
        });
        each.into_iter().filter(|one| one.used > one.limit).collect()
    }
}

/// A client, whatever columns `clients` has. A name that the inner table lacks is found in `absent`.
macro_rules! client_select {
    () => {
        "SELECT c.id, s.tier, \
         (SELECT CAST(name AS TEXT) FROM clients AS x WHERE x.id = c.id) AS name, \
         (SELECT CAST(created_at AS TEXT) FROM clients AS x WHERE x.id = c.id) AS created_at, \
         (SELECT string_agg(i.address, ' ' ORDER BY i.address) FROM sendready_dedicated_ips AS i \
             WHERE i.client_id = c.id) AS dedicated_ips \
         FROM clients AS c \
         CROSS JOIN (SELECT CAST(NULL AS TEXT) AS name, CAST(NULL AS TEXT) AS created_at) AS absent \
         LEFT JOIN sendready_client_settings AS s ON s.client_id = c.id "
    };
}

statements! {
    MANAGED_ELSEWHERE = "SELECT adopted FROM _sendready_migrations WHERE version = 2";
    ADD = "INSERT INTO clients (id, name, created_at) VALUES ($1, $2, $3)";
    SET_TIER = "INSERT INTO sendready_client_settings (client_id, tier, tier_changed_at) VALUES ($1, $2, $3) \
        ON CONFLICT (client_id) DO UPDATE SET tier = excluded.tier, tier_changed_at = excluded.tier_changed_at";
    SET_NAME = "UPDATE clients SET name = $2 WHERE id = $1";
    GET = client_select!(), "WHERE c.id = $1";
    LIST = client_select!(), "WHERE c.id > $1 ORDER BY c.id LIMIT $2";
    // Writes nothing new, but locks: whoever counts what a client uses comes through here first. The row is made
    // for an adopted client too, or two could count before there is anything to lock.
    LOCK = "INSERT INTO sendready_client_settings (client_id) SELECT id FROM clients WHERE id = $1 \
        ON CONFLICT (client_id) DO UPDATE SET tier = sendready_client_settings.tier RETURNING tier";
    USAGE = "SELECT (SELECT tier FROM sendready_client_settings WHERE client_id = $1) AS tier, \
        (SELECT COUNT(*) FROM email_domains WHERE client_id = $1 AND deleted_at IS NULL \
            AND COALESCE(status, 'pending') <> 'deleted') AS domains_used, \
        (SELECT COUNT(*) FROM email_mailboxes AS m JOIN email_domains AS d ON d.id = m.domain_id \
            WHERE m.client_id = $1 AND m.deleted_at IS NULL AND d.deleted_at IS NULL \
            AND COALESCE(d.status, 'pending') <> 'deleted') AS mailboxes_used, \
        (SELECT COUNT(*) FROM sendready_dedicated_ips WHERE client_id = $1) AS dedicated_ips_used \
        FROM clients WHERE id = $1";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: Option<String>,
    created_at: Option<String>,
    tier: Option<String>,
    dedicated_ips: Option<String>,
}

impl Row {
    fn read(self, operation: &'static str) -> Result<Client, StoreError> {
        Ok(Client {
            id: self.id,
            name: self.name,
            tier: read_tier(self.tier, operation)?,
            created_at: self.created_at.as_deref().and_then(read_time),
            dedicated_ips: self
                .dedicated_ips
                .iter()
                .flat_map(|all| all.split(' '))
                .filter_map(|ip| ip.parse().ok())
                .collect(),
        })
    }
}

#[derive(sqlx::FromRow)]
struct UsageRow {
    tier: Option<String>,
    domains_used: i64,
    mailboxes_used: i64,
    dedicated_ips_used: i64,
}

impl UsageRow {
    fn read(self, operation: &'static str) -> Result<Usage, StoreError> {
        let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Usage {
            tier: read_tier(self.tier, operation)?,
            domains_used: count(self.domains_used),
            mailboxes_used: count(self.mailboxes_used),
            dedicated_ips_used: count(self.dedicated_ips_used),
        })
    }
}

fn read_tier(text: Option<String>, operation: &'static str) -> Result<Option<Tier>, StoreError> {
    text.map(|text| {
        Tier::parse(&text).ok_or_else(|| StoreError::Corrupt { operation, what: format!("there is no tier `{text}`") })
    })
    .transpose()
}

/// A time out of a foreign column, as text: RFC 3339, PostgreSQL's ISO form, without a zone (UTC), or a date.
fn read_time(text: &str) -> Option<DateTime<Utc>> {
    let with_zone = |text| {
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
    };
    if let Ok(time) = with_zone(text) {
        return Some(time.with_timezone(&Utc));
    }
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
        .or_else(|_| NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN)));
    naive.ok().map(|time| time.and_utc())
}

impl Store {
    /// Adds a client, unless the table is the platform's.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], also when `id` is taken; nothing has been added.
    pub async fn client_add(
        &self,
        id: Uuid,
        name: &str,
        tier: Tier,
        now: DateTime<Utc>,
    ) -> Result<ClientAdded, StoreError> {
        const OPERATION: &str = "client_add";
        let mut tx = self.db.begin(OPERATION).await?;
        if managed_elsewhere(&mut tx, OPERATION).await? {
            return Ok(ClientAdded::ManagedElsewhere);
        }
        tx!(&mut tx, ADD, |sql, connection| {
            sqlx::query(sql).bind(id).bind(name).bind(now).execute(connection).await.map(|_| ())
        })
        .map_err(StoreError::at(OPERATION))?;
        set_tier(&mut tx, id, tier, now, OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(ClientAdded::Added(Client {
            id,
            name: Some(name.to_owned()),
            tier: Some(tier),
            created_at: Some(now),
            dedicated_ips: Vec::new(),
        }))
    }

    /// One client.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn client_get(&self, id: Uuid) -> Result<Option<Client>, StoreError> {
        const OPERATION: &str = "client_get";
        db!(&self.db, GET, |sql, pool| sqlx::query_as::<_, Row>(sql).bind(id).fetch_optional(pool).await)
            .map_err(StoreError::at(OPERATION))?
            .map(|row| row.read(OPERATION))
            .transpose()
    }

    /// At most `limit` clients in the order of their ids, those behind `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn client_list(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Client>, StoreError> {
        const OPERATION: &str = "client_list";
        // The nil id is below every other.
        let after = after.unwrap_or_default();
        db!(&self.db, LIST, |sql, pool| {
            sqlx::query_as::<_, Row>(sql).bind(after).bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .into_iter()
        .map(|row| row.read(OPERATION))
        .collect()
    }

    /// Changes a client's name or tier, all or nothing.
    ///
    /// A tier that allows less than is in use is refused, whatever is added meanwhile: the client's row is
    /// locked first.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn client_change(
        &self,
        id: Uuid,
        change: &ClientChange,
        now: DateTime<Utc>,
    ) -> Result<ClientChanged, StoreError> {
        const OPERATION: &str = "client_change";
        let mut tx = self.db.begin(OPERATION).await?;
        if lock(&mut tx, id, OPERATION).await?.is_none() {
            return Ok(ClientChanged::NoSuchClient);
        }
        if let Some(name) = &change.name {
            if managed_elsewhere(&mut tx, OPERATION).await? {
                return Ok(ClientChanged::ManagedElsewhere);
            }
            tx!(&mut tx, SET_NAME, |sql, connection| {
                sqlx::query(sql).bind(id).bind(name.as_str()).execute(connection).await.map(|_| ())
            })
            .map_err(StoreError::at(OPERATION))?;
        }
        if let Some(tier) = change.tier {
            let usage = usage(&mut tx, id, OPERATION).await?;
            let excess: Vec<Excess> = usage.map(|usage| usage.beyond(tier)).unwrap_or_default();
            if !excess.is_empty() {
                return Ok(ClientChanged::AllocationExceeded(excess));
            }
            set_tier(&mut tx, id, tier, now, OPERATION).await?;
        }
        let row = tx!(&mut tx, GET, |sql, connection| {
            sqlx::query_as::<_, Row>(sql).bind(id).fetch_optional(connection).await
        })
        .map_err(StoreError::at(OPERATION))?;
        let Some(row) = row else { return Ok(ClientChanged::NoSuchClient) };
        let client = row.read(OPERATION)?;
        tx.commit(OPERATION).await?;
        Ok(ClientChanged::Changed(client))
    }

    /// What a client uses; nothing when there is no such client.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn client_usage(&self, id: Uuid) -> Result<Option<Usage>, StoreError> {
        const OPERATION: &str = "client_usage";
        db!(&self.db, USAGE, |sql, pool| sqlx::query_as::<_, UsageRow>(sql).bind(id).fetch_optional(pool).await)
            .map_err(StoreError::at(OPERATION))?
            .map(|row| row.read(OPERATION))
            .transpose()
    }
}

/// Locks a client's allocation until the transaction ends, and gives its tier; nothing when there is no such client.
pub(in crate::store) async fn lock(
    tx: &mut Tx<'_>,
    id: Uuid,
    operation: &'static str,
) -> Result<Option<Option<Tier>>, StoreError> {
    tx!(tx, LOCK, |sql, connection| {
        sqlx::query_scalar::<_, Option<String>>(sql).bind(id).fetch_optional(connection).await
    })
    .map_err(StoreError::at(operation))?
    .map(|tier| read_tier(tier, operation))
    .transpose()
}

/// What a client uses, as the transaction sees it.
pub(in crate::store) async fn usage(
    tx: &mut Tx<'_>,
    id: Uuid,
    operation: &'static str,
) -> Result<Option<Usage>, StoreError> {
    tx!(tx, USAGE, |sql, connection| sqlx::query_as::<_, UsageRow>(sql).bind(id).fetch_optional(connection).await)
        .map_err(StoreError::at(operation))?
        .map(|row| row.read(operation))
        .transpose()
}

async fn managed_elsewhere(tx: &mut Tx<'_>, operation: &'static str) -> Result<bool, StoreError> {
    tx!(tx, MANAGED_ELSEWHERE, |sql, connection| {
        sqlx::query_scalar::<_, bool>(sql).fetch_optional(connection).await
    })
    .map(Option::unwrap_or_default)
    .map_err(StoreError::at(operation))
}

async fn set_tier(
    tx: &mut Tx<'_>,
    id: Uuid,
    tier: Tier,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    tx!(tx, SET_TIER, |sql, connection| {
        sqlx::query(sql).bind(id).bind(tier.as_str()).bind(now).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_times_read_or_are_nothing() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(read_time(text).map(|time| time.to_rfc3339()).as_deref(), expected, "{text}");
        };
        check("2026-01-02T03:04:05.5+00:00", Some("2026-01-02T03:04:05.500+00:00"));
        check("2026-01-02 03:04:05.5+02", Some("2026-01-02T01:04:05.500+00:00"));
        check("2026-01-02 03:04:05+05:30", Some("2026-01-01T21:34:05+00:00"));
        check("2026-01-02 03:04:05", Some("2026-01-02T03:04:05+00:00"));
        check("2026-01-02", Some("2026-01-02T00:00:00+00:00"));
        check("1767322800", None);
        check("yesterday", None);
    }
}
