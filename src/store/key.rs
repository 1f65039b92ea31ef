//! API keys. Only a hash of each is stored; making and comparing them is the service's affair.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Operator,
    /// Its own client's things.
    Client,
    /// Only to say that DNS changed.
    Hook,
}

impl Role {
    /// Every role, in the contract's order.
    pub const ALL: [Role; 3] = [Role::Operator, Role::Client, Role::Hook];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::Client => "client",
            Role::Hook => "hook",
        }
    }

    /// Reads the word of the contract; nothing for any other.
    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// A key to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey<'a> {
    /// The id.
    pub id: Uuid,
    /// What it may do.
    pub role: Role,
    /// Whose it is; a key of role `client` must have one.
    pub client_id: Option<Uuid>,
    /// What people call it.
    pub name: Option<&'a str>,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// From when on it does nothing.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What came of [`Store::key_add`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAdded {
    /// It is there.
    Added(KeyRow),
    /// There is no such client.
    NoSuchClient,
}

/// One key, without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The id.
    pub id: Uuid,
    /// What it may do.
    pub role: Role,
    /// Whose it is.
    pub client_id: Option<Uuid>,
    /// What people call it.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it does nothing.
    pub revoked_at: Option<DateTime<Utc>>,
    /// From when on it does nothing.
    pub expires_at: Option<DateTime<Utc>>,
}

impl KeyRow {
    /// Whether the key opens anything at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }
}

impl Store {
    /// Adds a key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], also when id or hash are taken; nothing has been added.
    pub async fn key_add(&self, new: &NewKey<'_>, now: DateTime<Utc>) -> Result<KeyAdded, StoreError> {
        let _ = (new, now);
        Err(StoreError::unbuilt("key_add"))
    }

    /// The key with this hash, revoked and expired ones too: see [`KeyRow::is_live`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<KeyRow>, StoreError> {
        let _ = hash;
        Err(StoreError::unbuilt("key_by_hash"))
    }

    /// At most `limit` keys in the order of their ids, those behind `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn key_list(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<KeyRow>, StoreError> {
        let _ = (after, limit);
        Err(StoreError::unbuilt("key_list"))
    }

    /// Revokes a key for good. `false` when there is none, or it is revoked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has changed.
    pub async fn key_revoke(&self, id: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let _ = (id, now);
        Err(StoreError::unbuilt("key_revoke"))
    }

    /// Whether there is an operator's key that is not revoked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn key_operator_exists(&self) -> Result<bool, StoreError> {
        Err(StoreError::unbuilt("key_operator_exists"))
    }
}
