//! Setup links: for the person who owns a domain's DNS, who has no key and is to see nothing but its records.
//!
//! A link's token opens the records, their stream and `verify` of one domain. It is 256 random bits, given once and
//! known again by its hash, like a key.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::chance::SETUP_PREFIX;
use crate::service::keys::hash_of;
use crate::service::schedule::after;
use crate::service::{Caller, Error, Page, Role, Service, page_limit};

pub use crate::store::setup_link::SetupLinkRow;

/// How long a link opens, unless somebody says otherwise.
pub const EXPIRES_IN: Duration = Duration::from_hours(7 * 24);

/// The longest text that is looked at as a token, in octets; ours have 47.
const TOKEN_OCTETS_MAX: usize = 64;

/// The longest that one may.
pub const EXPIRES_IN_MAX: Duration = Duration::from_hours(30 * 24);

/// What a token of a setup link opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// The records of [`Caller::domain_id`].
    Open(Caller),
    /// Nothing any more, since then.
    Expired(DateTime<Utc>),
    /// Nothing: nobody made it, or somebody revoked it. Nobody is told which.
    Closed,
}

impl Service {
    /// What a token opens, for whoever is to be told why it does not.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: then nobody knows.
    pub async fn setup_link_open(&self, token: &str) -> Result<Door, Error> {
        if !token.starts_with(SETUP_PREFIX) || token.len() > TOKEN_OCTETS_MAX {
            return Ok(Door::Closed);
        }
        if let Some(caller) = self.authenticate(token).await? {
            return Ok(Door::Open(caller));
        }
        let known = self.store.setup_link_by_hash(&hash_of(token)).await?;
        Ok(match known {
            Some(owner) if owner.link.revoked_at.is_none() => Door::Expired(owner.link.expires_at),
            _ => Door::Closed,
        })
    }

    /// Makes a link to a domain's records. Its token is given here and never again.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], also when it is deleted; [`Error::Invalid`] for a time of nothing or past
    /// [`EXPIRES_IN_MAX`]; [`Error::Forbidden`]; [`Error::Store`].
    pub async fn setup_link_create(
        &self,
        caller: &Caller,
        domain_id: Uuid,
        expires_in: Duration,
    ) -> Result<(SetupLinkRow, SecretString), Error> {
        self.see_living_domain(caller, domain_id).await?;
        if expires_in.is_zero() || expires_in > EXPIRES_IN_MAX {
            let most = EXPIRES_IN_MAX.as_secs();
            return Err(Error::invalid("/expires_in", format!("a link opens for 1 to {most} seconds (30 days)")));
        }
        let now = self.clock.now();
        let (id, token) = (self.chance.id(now), self.chance.setup_token());
        let link =
            SetupLinkRow { id, domain_id, created_at: now, expires_at: after(now, expires_in), revoked_at: None };
        self.store.setup_link_add(&link, &hash_of(token.expose_secret())).await?;
        Ok((link, token))
    }

    /// A domain's links in the order of their age, those that open nothing any more too.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn setup_link_list(
        &self,
        caller: &Caller,
        domain_id: Uuid,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<SetupLinkRow, Uuid>, Error> {
        self.see_living_domain(caller, domain_id).await?;
        let limit = page_limit(limit);
        Ok(Page::of(self.store.setup_link_list(domain_id, after, limit + 1).await?, limit, |link| link.id))
    }

    /// One link of a domain.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::NoSuchSetupLink`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn setup_link_get(&self, caller: &Caller, domain_id: Uuid, id: Uuid) -> Result<SetupLinkRow, Error> {
        self.see_living_domain(caller, domain_id).await?;
        self.store.setup_link_get(domain_id, id).await?.ok_or(Error::NoSuchSetupLink(id))
    }

    /// Revokes a link for good: at once here, within five seconds elsewhere.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`]; [`Error::NoSuchSetupLink`], also when it is revoked; [`Error::Forbidden`]; [`Error::Store`].
    pub async fn setup_link_revoke(&self, caller: &Caller, domain_id: Uuid, id: Uuid) -> Result<(), Error> {
        self.see_living_domain(caller, domain_id).await?;
        let revoked = self.store.setup_link_revoke(domain_id, id, self.clock.now()).await?;
        self.key_cache.forget(id);
        if revoked { Ok(()) } else { Err(Error::NoSuchSetupLink(id)) }
    }

    /// Whose token this hash is of, and until when it may be believed; nothing when it opens nothing.
    pub(crate) async fn setup_link_caller(
        &self,
        hash: &[u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<(Caller, DateTime<Utc>)>, Error> {
        let known = self.store.setup_link_by_hash(hash).await?.filter(|owner| owner.link.is_live(now));
        Ok(known.map(|owner| {
            let caller = Caller {
                key_id: owner.link.id,
                role: Role::Client,
                client_id: Some(owner.client_id),
                domain_id: Some(owner.link.domain_id),
            };
            (caller, owner.link.expires_at)
        }))
    }
}
