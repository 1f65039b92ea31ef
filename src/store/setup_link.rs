//! Setup links: what lets the owner of a domain's DNS see its records. Only a hash of each token is stored.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{db, statements};
use crate::store::{Store, StoreError};

/// One setup link, without its token.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SetupLinkRow {
    /// The id.
    pub id: Uuid,
    /// Whose records it shows.
    pub domain_id: Uuid,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it opens nothing.
    pub expires_at: DateTime<Utc>,
    /// Since when it opens nothing.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl SetupLinkRow {
    /// Whether it opens its domain's records at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }
}

/// A setup link that is known by its token, and whose domain it is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SetupLinkOwner {
    /// The link.
    #[sqlx(flatten)]
    pub link: SetupLinkRow,
    /// The client that the domain belongs to.
    pub client_id: Uuid,
}

statements! {
    ADD = "INSERT INTO sendready_setup_links (id, domain_id, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    BY_HASH = "SELECT l.id, l.domain_id, l.created_at, l.expires_at, l.revoked_at, d.client_id \
        FROM sendready_setup_links AS l JOIN email_domains AS d ON d.id = l.domain_id WHERE l.hash = $1";
    GET = "SELECT id, domain_id, created_at, expires_at, revoked_at FROM sendready_setup_links \
        WHERE domain_id = $1 AND id = $2";
    LIST = "SELECT id, domain_id, created_at, expires_at, revoked_at FROM sendready_setup_links \
        WHERE domain_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    REVOKE = "UPDATE sendready_setup_links SET revoked_at = $3 WHERE domain_id = $1 AND id = $2 AND revoked_at IS NULL";
    PRUNE = "DELETE FROM sendready_setup_links WHERE id IN \
        (SELECT id FROM sendready_setup_links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
}

impl Store {
    /// Adds a setup link with the hash of its token.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], also when there is no such domain, or id or hash are taken; nothing has been added.
    pub async fn setup_link_add(&self, link: &SetupLinkRow, hash: &[u8; 32]) -> Result<(), StoreError> {
        db!(&self.db, ADD, |sql, pool| {
            let query = sqlx::query(sql).bind(link.id).bind(link.domain_id).bind(hash.as_slice());
            query.bind(link.created_at).bind(link.expires_at).execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("setup_link_add"))
    }

    /// The link whose token has this hash, revoked and expired ones too: see [`SetupLinkRow::is_live`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn setup_link_by_hash(&self, hash: &[u8; 32]) -> Result<Option<SetupLinkOwner>, StoreError> {
        db!(&self.db, BY_HASH, |sql, pool| sqlx::query_as(sql).bind(hash.as_slice()).fetch_optional(pool).await)
            .map_err(StoreError::at("setup_link_by_hash"))
    }

    /// One link of a domain.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn setup_link_get(&self, domain_id: Uuid, id: Uuid) -> Result<Option<SetupLinkRow>, StoreError> {
        db!(&self.db, GET, |sql, pool| sqlx::query_as(sql).bind(domain_id).bind(id).fetch_optional(pool).await)
            .map_err(StoreError::at("setup_link_get"))
    }

    /// At most `limit` links of a domain in the order of their ids, those behind `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn setup_link_list(
        &self,
        domain_id: Uuid,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<SetupLinkRow>, StoreError> {
        db!(&self.db, LIST, |sql, pool| {
            let query = sqlx::query_as(sql).bind(domain_id).bind(after.unwrap_or_default());
            query.bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at("setup_link_list"))
    }

    /// Revokes a domain's link for good. `false` when there is none, or it is revoked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has changed.
    pub async fn setup_link_revoke(&self, domain_id: Uuid, id: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
        db!(&self.db, REVOKE, |sql, pool| {
            let query = sqlx::query(sql).bind(domain_id).bind(id).bind(now);
            query.execute(pool).await.map(|done| done.rows_affected() == 1)
        })
        .map_err(StoreError::at("setup_link_revoke"))
    }

    /// Removes at most `limit` links that ended before `before`; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is removed.
    pub async fn setup_link_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        db!(&self.db, PRUNE, |sql, pool| {
            let query = sqlx::query(sql).bind(before).bind(i64::from(limit));
            query.execute(pool).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at("setup_link_prune"))
    }
}
