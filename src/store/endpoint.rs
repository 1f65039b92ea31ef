//! Webhook endpoints: whom events are posted to.
//!
//! Secrets stand here as they are, for signing needs them; whoever reads the database can sign. `docs/adr/0013`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::db::{db, statements};
use crate::store::{Store, StoreError};
use crate::webhook::event::Kind;
use crate::webhook::signature::Secret;

/// Whom events are posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRow {
    /// The id.
    pub id: Uuid,
    /// Whose events it gets; nothing: everybody's.
    pub client_id: Option<Uuid>,
    /// Where they are posted.
    pub url: String,
    /// The types that it gets; none: all.
    pub events: Vec<Kind>,
    /// What signs.
    pub secret: Secret,
    /// What else signs, for a while.
    pub older_secrets: Vec<OlderSecret>,
    /// Whether it gets anything.
    pub enabled: bool,
    /// Since when it gets nothing.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Why; nothing when a person did it.
    pub disabled_reason: Option<DisabledReason>,
    /// Since when it takes nothing.
    pub failing_since: Option<DateTime<Utc>>,
    /// It asked not to be called before.
    pub resumes_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When a person or the service last changed it.
    pub updated_at: DateTime<Utc>,
}

/// A secret that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderSecret {
    /// It.
    pub secret: Secret,
    /// Until when it signs.
    pub until: DateTime<Utc>,
}

/// Why the service disabled an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// It took nothing for as long as a delivery is tried.
    Failing,
    /// It said that it is gone for good: 410. RFC 9110 §15.5.11.
    Gone,
}

impl DisabledReason {
    /// Every reason.
    pub const ALL: [DisabledReason; 2] = [DisabledReason::Failing, DisabledReason::Gone];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            DisabledReason::Failing => "failing",
            DisabledReason::Gone => "gone",
        }
    }

    fn parse(text: &str) -> Option<DisabledReason> {
        DisabledReason::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// An endpoint to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint<'a> {
    /// The id.
    pub id: Uuid,
    /// Whose events it gets; nothing: everybody's.
    pub client_id: Option<Uuid>,
    /// Where they are posted.
    pub url: &'a str,
    /// The types that it gets; none: all.
    pub events: &'a [Kind],
    /// What signs.
    pub secret: &'a Secret,
}

/// What came of [`Store::endpoint_add`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointAdded {
    /// It is there.
    Added,
    /// There is no such client.
    NoSuchClient,
    /// The client has as many as it may.
    TooMany,
}

/// What to change of an endpoint; `None` leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointChange {
    /// Whether it gets anything.
    pub enabled: Option<bool>,
    /// Another place.
    pub url: Option<String>,
    /// Other types; none: all.
    pub events: Option<Vec<Kind>>,
}

/// An older secret as it stands in the row.
#[derive(Serialize, Deserialize)]
struct StoredSecret {
    secret: String,
    until: DateTime<Utc>,
}

macro_rules! endpoint_columns {
    () => {
        "id, client_id, url, events, secret, older_secrets, enabled, disabled_at, disabled_reason, failing_since, \
         resumes_at, created_at, updated_at"
    };
}

/// Whether a change begins a new life: enabled again, or posted elsewhere. What was before counts no more.
macro_rules! begins_anew {
    () => {
        "($4 AND NOT enabled OR $2 <> url)"
    };
}

statements! {
    ADD = "INSERT INTO sendready_webhook_endpoints (id, client_id, url, events, secret, older_secrets, enabled, \
        well_at, created_at, updated_at) SELECT $1, $2, $3, $4, $5, '[]', TRUE, $6, $6, $6 \
        WHERE (SELECT COUNT(*) FROM sendready_webhook_endpoints \
        WHERE client_id = $2 OR (client_id IS NULL AND $2 IS NULL)) < $7";
    GET = "SELECT ", endpoint_columns!(), " FROM sendready_webhook_endpoints WHERE id = $1";
    LIST = "SELECT ", endpoint_columns!(), " FROM sendready_webhook_endpoints WHERE id > $1 ORDER BY id LIMIT $2";
    LIST_OF_CLIENT = "SELECT ", endpoint_columns!(), " FROM sendready_webhook_endpoints \
        WHERE client_id = $3 AND id > $1 ORDER BY id LIMIT $2";
    CHANGE = "UPDATE sendready_webhook_endpoints SET url = COALESCE($2, url), events = COALESCE($3, events), \
        enabled = COALESCE($4, enabled), \
        disabled_at = CASE WHEN $4 THEN NULL WHEN NOT $4 AND enabled THEN $5 ELSE disabled_at END, \
        disabled_reason = CASE WHEN $4 THEN NULL WHEN NOT $4 AND enabled THEN NULL ELSE disabled_reason END, \
        well_at = CASE WHEN ", begins_anew!(), " THEN $5 ELSE well_at END, \
        failing_since = CASE WHEN ", begins_anew!(), " THEN NULL ELSE failing_since END, \
        resumes_at = CASE WHEN ", begins_anew!(), " THEN NULL ELSE resumes_at END, \
        updated_at = $5 WHERE id = $1 RETURNING ", endpoint_columns!();
    // Only on the secret that was read: of two at once, one begins again.
    ROTATE = "UPDATE sendready_webhook_endpoints SET secret = $3, older_secrets = $4, updated_at = $5 \
        WHERE id = $1 AND secret = $2 RETURNING ", endpoint_columns!();
    REMOVE = "DELETE FROM sendready_webhook_endpoints WHERE id = $1";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    client_id: Option<Uuid>,
    url: String,
    events: String,
    secret: String,
    older_secrets: String,
    enabled: bool,
    disabled_at: Option<DateTime<Utc>>,
    disabled_reason: Option<String>,
    failing_since: Option<DateTime<Utc>>,
    resumes_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    /// What does not read back is told without its text: it may be a secret.
    fn read(self, operation: &'static str) -> Result<EndpointRow, StoreError> {
        let corrupt =
            |column| StoreError::Corrupt { operation, what: format!("webhook endpoint {}: column {column}", self.id) };
        let events: Option<Vec<Kind>> = self.events.split_whitespace().map(Kind::parse).collect();
        let reason = self.disabled_reason.as_deref();
        let stored: Vec<StoredSecret> =
            serde_json::from_str(&self.older_secrets).map_err(|_| corrupt("older_secrets"))?;
        let older = |stored: StoredSecret| {
            Ok(OlderSecret {
                secret: Secret::parse(&stored.secret).map_err(|_| corrupt("older_secrets"))?,
                until: stored.until,
            })
        };
        Ok(EndpointRow {
            id: self.id,
            client_id: self.client_id,
            events: events.ok_or_else(|| corrupt("events"))?,
            secret: Secret::parse(&self.secret).map_err(|_| corrupt("secret"))?,
            older_secrets: stored.into_iter().map(older).collect::<Result<_, _>>()?,
            enabled: self.enabled,
            disabled_at: self.disabled_at,
            disabled_reason: reason
                .map(|reason| DisabledReason::parse(reason).ok_or_else(|| corrupt("disabled_reason")))
                .transpose()?,
            failing_since: self.failing_since,
            resumes_at: self.resumes_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            url: self.url,
        })
    }
}

/// Types as they stand in a row: each between two spaces, so that one can be looked for.
fn events_column(events: &[Kind]) -> String {
    events.iter().fold(String::new(), |text, kind| {
        let text = if text.is_empty() { " ".to_owned() } else { text };
        text + kind.as_str() + " "
    })
}

impl Store {
    /// Adds an endpoint, unless its client has `count_max` of them. Many at once may go beyond that by a few.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has been added.
    pub async fn endpoint_add(
        &self,
        new: &NewEndpoint<'_>,
        count_max: u32,
        now: DateTime<Utc>,
    ) -> Result<EndpointAdded, StoreError> {
        let added = db!(&self.db, ADD, |sql, pool| {
            let query = sqlx::query(sql).bind(new.id).bind(new.client_id).bind(new.url);
            let query = query.bind(events_column(new.events)).bind(new.secret.expose()).bind(now);
            query.bind(i64::from(count_max)).execute(pool).await.map(|done| done.rows_affected() == 1)
        });
        match added {
            Ok(true) => Ok(EndpointAdded::Added),
            Ok(false) => Ok(EndpointAdded::TooMany),
            // `clients` is all that an endpoint refers to.
            Err(sqlx::Error::Database(fault)) if fault.is_foreign_key_violation() => Ok(EndpointAdded::NoSuchClient),
            Err(source) => Err(StoreError::of("endpoint_add", source)),
        }
    }

    /// One endpoint.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn endpoint_get(&self, id: Uuid) -> Result<Option<EndpointRow>, StoreError> {
        const OPERATION: &str = "endpoint_get";
        db!(&self.db, GET, |sql, pool| sqlx::query_as::<_, Row>(sql).bind(id).fetch_optional(pool).await)
            .map_err(StoreError::at(OPERATION))?
            .map(|row| row.read(OPERATION))
            .transpose()
    }

    /// At most `limit` endpoints in the order of their ids, those behind `after`; of one client, or all.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn endpoint_list(
        &self,
        client_id: Option<Uuid>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<EndpointRow>, StoreError> {
        const OPERATION: &str = "endpoint_list";
        let (after, limit) = (after.unwrap_or_default(), i64::from(limit));
        let rows = match client_id {
            None => db!(&self.db, LIST, |sql, pool| {
                sqlx::query_as::<_, Row>(sql).bind(after).bind(limit).fetch_all(pool).await
            }),
            Some(client_id) => db!(&self.db, LIST_OF_CLIENT, |sql, pool| {
                sqlx::query_as::<_, Row>(sql).bind(after).bind(limit).bind(client_id).fetch_all(pool).await
            }),
        };
        rows.map_err(StoreError::at(OPERATION))?.into_iter().map(|row| row.read(OPERATION)).collect()
    }

    /// Changes an endpoint; as it stands then, or nothing when there is none.
    ///
    /// One that is enabled again, or moves, begins anew: it is not failing, and was well at `now`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed, unless the row does not read back.
    pub async fn endpoint_change(
        &self,
        id: Uuid,
        change: &EndpointChange,
        now: DateTime<Utc>,
    ) -> Result<Option<EndpointRow>, StoreError> {
        const OPERATION: &str = "endpoint_change";
        let events = change.events.as_deref().map(events_column);
        db!(&self.db, CHANGE, |sql, pool| {
            let query = sqlx::query_as::<_, Row>(sql).bind(id).bind(change.url.as_deref()).bind(events);
            query.bind(change.enabled).bind(now).fetch_optional(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .map(|row| row.read(OPERATION))
        .transpose()
    }

    /// Replaces the secret of an endpoint as it was read; `older` sign beside it. Nothing when the endpoint is gone,
    /// or has another secret by now.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed, unless the row does not read back.
    pub async fn endpoint_rotate(
        &self,
        read: &EndpointRow,
        secret: &Secret,
        older: &[OlderSecret],
        now: DateTime<Utc>,
    ) -> Result<Option<EndpointRow>, StoreError> {
        const OPERATION: &str = "endpoint_rotate";
        let stored: Vec<StoredSecret> =
            older.iter().map(|older| StoredSecret { secret: older.secret.expose(), until: older.until }).collect();
        let stored = serde_json::to_string(&stored)
            .map_err(|fault| StoreError::Corrupt { operation: OPERATION, what: fault.to_string() })?;
        db!(&self.db, ROTATE, |sql, pool| {
            let query = sqlx::query_as::<_, Row>(sql).bind(read.id).bind(read.secret.expose());
            query.bind(secret.expose()).bind(stored).bind(now).fetch_optional(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .map(|row| row.read(OPERATION))
        .transpose()
    }

    /// Removes an endpoint with its deliveries. `false` when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is removed.
    pub async fn endpoint_remove(&self, id: Uuid) -> Result<bool, StoreError> {
        db!(&self.db, REMOVE, |sql, pool| {
            sqlx::query(sql).bind(id).execute(pool).await.map(|done| done.rows_affected() == 1)
        })
        .map_err(StoreError::at("endpoint_remove"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_stands_between_spaces() {
        assert_eq!(events_column(&[]), "");
        assert_eq!(events_column(&[Kind::DomainVerified]), " domain.verified ");
        assert_eq!(events_column(&[Kind::DomainVerified, Kind::MailboxPaused]), " domain.verified mailbox.paused ");
    }
}
