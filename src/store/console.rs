//! Sessions of the operator console: who is signed in. Only a hash of each session's cookie is stored.
//!
//! A session is worth no more than its key: a look-up joins the two, so that whoever's key is revoked or has ended is
//! signed out at once, on every replica.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{db, statements};
use crate::store::{Store, StoreError};

/// One session that is good.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionRow {
    /// The id.
    pub id: Uuid,
    /// The key that was signed in with.
    pub key_id: Uuid,
    /// What people call that key.
    pub key_name: Option<String>,
    /// When the session ends.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, about.
    pub last_seen_at: DateTime<Utc>,
}

/// A session to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The id.
    pub id: Uuid,
    /// The key that was signed in with.
    pub key_id: Uuid,
    /// SHA-256 of the cookie.
    pub hash: [u8; 32],
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

statements! {
    ADD = "INSERT INTO sendready_console_sessions (id, key_id, hash, created_at, expires_at, last_seen_at) \
        VALUES ($1, $2, $3, $4, $5, $4)";
    GET = "SELECT s.id, s.key_id, k.name AS key_name, s.expires_at, s.last_seen_at \
        FROM sendready_console_sessions AS s JOIN sendready_api_keys AS k ON k.id = s.key_id \
        WHERE s.hash = $1 AND s.expires_at > $2 AND k.role = 'operator' AND k.revoked_at IS NULL \
        AND (k.expires_at IS NULL OR k.expires_at > $2)";
    SEEN = "UPDATE sendready_console_sessions SET last_seen_at = $2 WHERE id = $1";
    REMOVE = "DELETE FROM sendready_console_sessions WHERE id = $1";
    PRUNE = "DELETE FROM sendready_console_sessions WHERE id IN \
        (SELECT id FROM sendready_console_sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
}

impl Store {
    /// Adds a session.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], also when there is no such key; nothing has been added.
    pub async fn console_session_add(&self, new: &NewSession, now: DateTime<Utc>) -> Result<(), StoreError> {
        db!(&self.db, ADD, |sql, pool| {
            let query = sqlx::query(sql).bind(new.id).bind(new.key_id).bind(new.hash.as_slice());
            query.bind(now).bind(new.expires_at).execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("console_session_add"))
    }

    /// The session whose cookie has this hash; nothing where it has ended, or its key opens nothing any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn console_session_get(
        &self,
        hash: &[u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRow>, StoreError> {
        db!(&self.db, GET, |sql, pool| sqlx::query_as(sql).bind(hash.as_slice()).bind(now).fetch_optional(pool).await)
            .map_err(StoreError::at("console_session_get"))
    }

    /// Notes that a session was used.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has changed.
    pub async fn console_session_seen(&self, id: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
        db!(&self.db, SEEN, |sql, pool| sqlx::query(sql).bind(id).bind(now).execute(pool).await.map(|_| ()))
            .map_err(StoreError::at("console_session_seen"))
    }

    /// Removes a session; one that is not there is none the less gone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; it is still there.
    pub async fn console_session_remove(&self, id: Uuid) -> Result<(), StoreError> {
        db!(&self.db, REMOVE, |sql, pool| sqlx::query(sql).bind(id).execute(pool).await.map(|_| ()))
            .map_err(StoreError::at("console_session_remove"))
    }

    /// Removes at most `limit` sessions that have ended; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is removed.
    pub async fn console_session_prune(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        db!(&self.db, PRUNE, |sql, pool| {
            let query = sqlx::query(sql).bind(now).bind(i64::from(limit));
            query.execute(pool).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at("console_session_prune"))
    }
}
