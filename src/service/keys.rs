//! API keys: made, shown once, known again by their hash.
//!
//! A key is 256 random bits, so a plain SHA-256 is enough to keep it by: there is nothing to guess. Whoever
//! measures how long a look-up takes learns something about the hash of what they sent, never about a key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::chance::{KEY_PREFIX, SETUP_PREFIX};
use crate::config::keys::DURATION_MAX;
use crate::service::schedule::after;
use crate::service::{Caller, Error, Page, Service, page_limit};
use crate::store::{KeyAdded, KeyRow, NewKey, Role};

/// How long a key is believed without asking the database: a revocation holds after that. Design §6.
const BELIEVED: TimeDelta = TimeDelta::seconds(5);

/// How many keys are remembered.
const REMEMBERED_MAX: usize = 4_096;

/// The longest text that is looked at as a key, in octets; ours have 46.
const KEY_OCTETS_MAX: usize = 256;

/// The longest name of a key, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// The shortest time of a key that expires.
const EXPIRES_IN_MIN: Duration = Duration::from_secs(1);

/// The longest: the longest duration of any setting.
const EXPIRES_IN_MAX: Duration = DURATION_MAX;

/// A key to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRequest {
    /// What it may do.
    pub role: Role,
    /// Whose it is to be. Must be there for role `client`, may for `hook`, is not for `operator`.
    pub client_id: Option<Uuid>,
    /// What people call it.
    pub name: Option<String>,
    /// How long it is to open anything; nothing: until it is revoked.
    pub expires_in: Option<Duration>,
}

/// What is known of a key or token without asking the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recalled {
    /// Whose it is, as the database said a moment ago.
    Caller(Caller),
    /// It opened something once; the database knows whether it still does.
    Seen,
    /// It has not been seen here.
    New,
}

impl Service {
    /// Makes a key. Its secret is given here and never again.
    ///
    /// Whoever calls this answers for it: it is for the command line and the first start.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], [`Error::NoSuchClient`], [`Error::Store`].
    pub async fn key_create(&self, request: &KeyRequest) -> Result<(KeyRow, SecretString), Error> {
        match (request.role, request.client_id) {
            (Role::Client, None) => return Err(Error::invalid("/client_id", "a client's key needs its client")),
            (Role::Operator, Some(_)) => return Err(Error::invalid("/client_id", "an operator's key is nobody's")),
            _ => {}
        }
        if request.name.as_ref().is_some_and(|name| name.chars().count() > NAME_CHARACTERS_MAX) {
            return Err(Error::invalid("/name", format!("a name has at most {NAME_CHARACTERS_MAX} characters")));
        }
        if request.expires_in.is_some_and(|time| time < EXPIRES_IN_MIN || time > EXPIRES_IN_MAX) {
            return Err(Error::invalid("/expires_in", "a key that expires lives from 1 second to 10 years"));
        }
        let now = self.clock.now();
        let secret = self.chance.key();
        let new = NewKey {
            id: self.chance.id(now),
            role: request.role,
            client_id: request.client_id,
            name: request.name.as_deref(),
            hash: hash_of(secret.expose_secret()),
            expires_at: request.expires_in.map(|time| after(now, time)),
        };
        match self.store.key_add(&new, now).await? {
            KeyAdded::Added(row) => Ok((row, secret)),
            KeyAdded::NoSuchClient => Err(Error::NoSuchClient(request.client_id.unwrap_or_default())),
        }
    }

    /// The operator's key of a first start; nothing when there is one already, or another replica just made it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn first_operator_key(&self) -> Result<Option<SecretString>, Error> {
        let now = self.clock.now();
        let secret = self.chance.key();
        let new = NewKey {
            id: self.chance.id(now),
            role: Role::Operator,
            client_id: None,
            name: Some("first start"),
            hash: hash_of(secret.expose_secret()),
            expires_at: None,
        };
        let added = self.store.key_add_first(&new, now).await?;
        Ok(added.then_some(secret))
    }

    /// Keys in the order of their ids, revoked ones too.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn key_list(&self, after: Option<Uuid>, limit: u32) -> Result<Page<KeyRow, Uuid>, Error> {
        let limit = page_limit(limit);
        Ok(Page::of(self.store.key_list(after, limit + 1).await?, limit, |key| key.id))
    }

    /// Revokes a key for good: at once here, within five seconds elsewhere.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchKey`] when there is none, or it is revoked; [`Error::Store`].
    pub async fn key_revoke(&self, id: Uuid) -> Result<(), Error> {
        let revoked = self.store.key_revoke(id, self.clock.now()).await?;
        self.key_cache.forget(id);
        if revoked { Ok(()) } else { Err(Error::NoSuchKey(id)) }
    }

    /// What is known of a key or token without asking the database.
    pub fn recall(&self, secret: &str) -> Recalled {
        match looks_like_ours(secret) {
            true => self.key_cache.recall(&hash_of(secret), self.clock.now()),
            false => Recalled::New,
        }
    }

    /// Whose key, or whose setup link's token, this is; nothing when it opens nothing.
    ///
    /// # Errors
    ///
    /// [`Error::KeyExpired`]: that is told to whoever holds the key, and nobody else; [`Error::Store`]: then nobody
    /// knows.
    pub async fn authenticate(&self, secret: &str) -> Result<Option<Caller>, Error> {
        if !looks_like_ours(secret) {
            return Ok(None);
        }
        let hash = hash_of(secret);
        let now = self.clock.now();
        if let Recalled::Caller(caller) = self.key_cache.recall(&hash, now) {
            return Ok(Some(caller));
        }
        let known = match secret.starts_with(SETUP_PREFIX) {
            true => self.setup_link_caller(&hash, now).await?.map(|(caller, end)| (caller, Some(end))),
            false => {
                let row = self.store.key_by_hash(&hash).await?.filter(|row| row.revoked_at.is_none());
                match row {
                    Some(KeyRow { expires_at: Some(at), .. }) if at <= now => return Err(Error::KeyExpired(at)),
                    row => row.map(|row| (Caller::of(&row), row.expires_at)),
                }
            }
        };
        let Some((caller, end)) = known else { return Ok(None) };
        // Never believed past its own end.
        let until = end.map_or(now + BELIEVED, |end| end.min(now + BELIEVED));
        self.key_cache.put(hash, caller, until);
        Ok(Some(caller))
    }
}

fn looks_like_ours(secret: &str) -> bool {
    secret.len() <= KEY_OCTETS_MAX && (secret.starts_with(SETUP_PREFIX) || secret.starts_with(KEY_PREFIX))
}

/// What a secret of 256 random bits is kept by.
pub(crate) fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The keys seen in the last seconds. Only good ones: strangers cannot fill it.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    keys: Mutex<HashMap<u64, Remembered>>,
}

#[derive(Debug)]
struct Remembered {
    hash: [u8; 32],
    caller: Caller,
    until: DateTime<Utc>,
}

impl KeyCache {
    fn recall(&self, hash: &[u8; 32], now: DateTime<Utc>) -> Recalled {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match keys.get(&shelf(hash)) {
            Some(remembered) if bool::from(remembered.hash.ct_eq(hash)) => match remembered.until > now {
                true => Recalled::Caller(remembered.caller),
                false => Recalled::Seen,
            },
            _ => Recalled::New,
        }
    }

    fn put(&self, hash: [u8; 32], caller: Caller, until: DateTime<Utc>) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= REMEMBERED_MAX {
            keys.clear();
        }
        keys.insert(shelf(&hash), Remembered { hash, caller, until });
    }

    pub(crate) fn forget(&self, key_id: Uuid) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, remembered| remembered.caller.key_id != key_id);
    }
}

/// Where a hash is looked for; the whole of it is compared in constant time.
fn shelf(hash: &[u8; 32]) -> u64 {
    hash.iter().take(8).fold(0, |shelf, octet| shelf << 8 | u64::from(*octet))
}
