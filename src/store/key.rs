//! API keys. Only a hash of each is stored; making and comparing them is the service's affair.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{db, statements, tx};
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

macro_rules! key_columns {
    () => {
        "id, role, client_id, name, created_at, revoked_at, expires_at"
    };
}

statements! {
    ADD = "INSERT INTO sendready_api_keys (id, role, client_id, name, hash, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    BY_HASH = "SELECT ", key_columns!(), " FROM sendready_api_keys WHERE hash = $1";
    LIST = "SELECT ", key_columns!(), " FROM sendready_api_keys WHERE id > $1 ORDER BY id LIMIT $2";
    REVOKE = "UPDATE sendready_api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    // Those who would add the first key wait here for one another; the lock ends with the transaction. The number
    // is ours alone: "firstkey" in ASCII. SQLite's one writer is already inside.
    WAIT = "SELECT pg_advisory_xact_lock(7379555304623269241)" => "SELECT 1";
    ADD_FIRST = "INSERT INTO sendready_api_keys (id, role, name, hash, created_at, expires_at) \
        SELECT $1, 'operator', $2, $3, $4, $5 WHERE NOT EXISTS \
        (SELECT 1 FROM sendready_api_keys WHERE role = 'operator' AND revoked_at IS NULL)";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    role: String,
    client_id: Option<Uuid>,
    name: Option<String>,
    created_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

impl Row {
    fn read(self, operation: &'static str) -> Result<KeyRow, StoreError> {
        let role = Role::parse(&self.role).ok_or_else(|| StoreError::Corrupt {
            operation,
            what: format!("key {}: there is no role `{}`", self.id, self.role),
        })?;
        Ok(KeyRow {
            id: self.id,
            role,
            client_id: self.client_id,
            name: self.name,
            created_at: self.created_at,
            revoked_at: self.revoked_at,
            expires_at: self.expires_at,
        })
    }
}

impl Store {
    /// Adds a key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], also when id or hash are taken; nothing has been added.
    pub async fn key_add(&self, new: &NewKey<'_>, now: DateTime<Utc>) -> Result<KeyAdded, StoreError> {
        let added = db!(&self.db, ADD, |sql, pool| {
            let query = sqlx::query(sql).bind(new.id).bind(new.role.as_str()).bind(new.client_id).bind(new.name);
            query.bind(new.hash.as_slice()).bind(now).bind(new.expires_at).execute(pool).await.map(|_| ())
        });
        match added {
            Ok(()) => Ok(KeyAdded::Added(KeyRow {
                id: new.id,
                role: new.role,
                client_id: new.client_id,
                name: new.name.map(str::to_owned),
                created_at: now,
                revoked_at: None,
                expires_at: new.expires_at,
            })),
            // `clients` is all that a key refers to.
            Err(sqlx::Error::Database(fault)) if fault.is_foreign_key_violation() => Ok(KeyAdded::NoSuchClient),
            Err(source) => Err(StoreError::of("key_add", source)),
        }
    }

    /// The key with this hash, revoked and expired ones too: see [`KeyRow::is_live`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<KeyRow>, StoreError> {
        const OPERATION: &str = "key_by_hash";
        db!(&self.db, BY_HASH, |sql, pool| {
            sqlx::query_as::<_, Row>(sql).bind(hash.as_slice()).fetch_optional(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .map(|row| row.read(OPERATION))
        .transpose()
    }

    /// At most `limit` keys in the order of their ids, those behind `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn key_list(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<KeyRow>, StoreError> {
        const OPERATION: &str = "key_list";
        let after = after.unwrap_or_default();
        db!(&self.db, LIST, |sql, pool| {
            sqlx::query_as::<_, Row>(sql).bind(after).bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at(OPERATION))?
        .into_iter()
        .map(|row| row.read(OPERATION))
        .collect()
    }

    /// Revokes a key for good. `false` when there is none, or it is revoked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has changed.
    pub async fn key_revoke(&self, id: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
        db!(&self.db, REVOKE, |sql, pool| {
            sqlx::query(sql).bind(id).bind(now).execute(pool).await.map(|done| done.rows_affected() == 1)
        })
        .map_err(StoreError::at("key_revoke"))
    }

    /// Adds an operator's key, unless there is one that is not revoked. Whether it was added.
    ///
    /// However many replicas start at once, one of them adds it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has been added.
    pub async fn key_add_first(&self, new: &NewKey<'_>, now: DateTime<Utc>) -> Result<bool, StoreError> {
        const OPERATION: &str = "key_add_first";
        let mut tx = self.db.begin(OPERATION).await?;
        tx!(&mut tx, WAIT, |sql, connection| sqlx::query(sql).execute(connection).await.map(|_| ()))
            .map_err(StoreError::at(OPERATION))?;
        let added = tx!(&mut tx, ADD_FIRST, |sql, connection| {
            let query = sqlx::query(sql).bind(new.id).bind(new.name).bind(new.hash.as_slice());
            query.bind(now).bind(new.expires_at).execute(connection).await.map(|done| done.rows_affected() == 1)
        })
        .map_err(StoreError::at(OPERATION))?;
        tx.commit(OPERATION).await?;
        Ok(added)
    }
}
