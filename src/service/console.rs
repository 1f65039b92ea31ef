//! Sessions of the operator console: an operator's key is given once, and a cookie stands for it afterwards.
//!
//! A session's token is 256 random bits, kept by its hash like a key, and looked up with its key at every use: a
//! revoked key ends its sessions at once. What a form must carry is made of the token, so it needs no keeping.

use std::error::Error as StdError;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::chance::SECRET_OCTETS;
use crate::service::keys::hash_of;
use crate::service::schedule::after;
use crate::service::{Caller, Error, Role, Service};
use crate::store::console::NewSession;

/// How long a session lasts: a working day, and no night.
pub const SESSION_TIME: Duration = Duration::from_hours(12);

/// How often it is noted that a session is used.
const SEEN_INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// How many sessions that have ended one sign-in removes: more than it makes.
const PRUNED_MAX: u32 = 100;

/// The longest text that is looked at as a token, in octets; ours have 43.
const TOKEN_OCTETS_MAX: usize = 64;

/// What a form's token is told apart from the session's hash by.
const FORM_LABEL: &[u8] = b"sendready console form\0";

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session.
    pub id: Uuid,
    /// What they may do: an operator, by the key that was signed in with.
    pub caller: Caller,
    /// What people call that key.
    pub key_name: Option<String>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// What every form of this session carries.
    pub form_token: String,
}

impl Session {
    /// Whether a form carries this session's token. Takes the same time for every wrong one.
    pub fn owns_form(&self, given: &str) -> bool {
        bool::from(self.form_token.as_bytes().ct_eq(given.as_bytes()))
    }
}

/// What came of signing in.
#[derive(Debug)]
pub enum SignIn {
    /// The session's token, for its cookie. Given here and never again.
    Done(SecretString),
    /// A good key that is no operator's.
    NotAnOperator,
    /// No key of ours, or one that opens nothing any more.
    UnknownKey,
}

impl Service {
    /// Makes a session for whoever has an operator's key.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: then nobody knows, and no session was made.
    pub async fn console_sign_in(&self, key: &str) -> Result<SignIn, Error> {
        let caller = match self.authenticate(key.trim()).await? {
            None => return Ok(SignIn::UnknownKey),
            Some(caller) if caller.role != Role::Operator || caller.domain_id.is_some() => {
                return Ok(SignIn::NotAnOperator);
            }
            Some(caller) => caller,
        };
        let now = self.clock.now();
        let token = SecretString::from(URL_SAFE_NO_PAD.encode(self.chance.octets::<SECRET_OCTETS>()));
        let session = NewSession {
            id: self.chance.id(now),
            key_id: caller.key_id,
            hash: hash_of(token.expose_secret()),
            expires_at: after(now, SESSION_TIME),
        };
        self.store.console_session_add(&session, now).await?;
        if let Err(fault) = self.store.console_session_prune(now, PRUNED_MAX).await {
            // The next sign-in tries it again.
            tracing::warn!(error = &fault as &dyn StdError, "Could not remove console sessions that have ended");
        }
        Ok(SignIn::Done(token))
    }

    /// Whose session this token is of; nothing when it has ended, or its key opens nothing any more.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: then nobody knows.
    pub async fn console_session(&self, token: &str) -> Result<Option<Session>, Error> {
        if token.is_empty() || token.len() > TOKEN_OCTETS_MAX {
            return Ok(None);
        }
        let now = self.clock.now();
        let Some(row) = self.store.console_session_get(&hash_of(token), now).await? else { return Ok(None) };
        if now - row.last_seen_at >= SEEN_INTERVAL {
            self.store.console_session_seen(row.id, now).await?;
        }
        Ok(Some(Session {
            id: row.id,
            caller: Caller { key_id: row.key_id, role: Role::Operator, client_id: None, domain_id: None },
            key_name: row.key_name,
            expires_at: row.expires_at,
            form_token: form_token(token),
        }))
    }

    /// Ends a session for good.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: it goes on.
    pub async fn console_sign_out(&self, session: &Session) -> Result<(), Error> {
        Ok(self.store.console_session_remove(session.id).await?)
    }
}

fn form_token(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::new().chain_update(FORM_LABEL).chain_update(token.as_bytes()).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_s_token_is_neither_the_session_s_nor_its_hash() {
        let token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let form = form_token(token);
        assert_eq!(form.len(), 43);
        assert_ne!(form, token);
        assert_ne!(form, URL_SAFE_NO_PAD.encode(hash_of(token)));
        assert_ne!(form, form_token("BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    }
}
