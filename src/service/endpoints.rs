//! Webhook endpoints: whom events are posted to, and who may say so.
//!
//! An operator sees all of them; one without a client gets everybody's events. A client's key sees its own client's.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::chance::Chance;
use crate::sender::target::Target;
use crate::service::caller::Sight;
use crate::service::{Caller, Error, Page, Service, page_limit};
use crate::store::{EndpointAdded, EndpointChange, NewEndpoint};
use crate::webhook::signature::Secret;

pub use crate::store::{DisabledReason, EndpointRow, OlderSecret};
pub use crate::webhook::event::Kind;

/// The most endpoints of one client, and the most of the operators.
pub const ENDPOINTS_MAX: u32 = 20;

/// How long a secret that was replaced still signs. Contract §3.4.
pub const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// The most replaced secrets that still sign; the oldest goes first.
pub const OLDER_SECRETS_MAX: usize = 4;

/// How often a secret is replaced again when others replace it at the same time.
const ROTATE_TRIES_MAX: u32 = 4;

/// An endpoint to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRequest {
    /// Where events are posted.
    pub url: String,
    /// The types that it gets; none: all.
    pub events: Vec<Kind>,
    /// Whose events it gets. Nothing: everybody's, or those of the caller's own client.
    pub client_id: Option<Uuid>,
}

/// What to change of an endpoint; `None` leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointPatch {
    /// Whether it gets anything.
    pub enabled: Option<bool>,
    /// Another place.
    pub url: Option<String>,
    /// Other types; none: all.
    pub events: Option<Vec<Kind>>,
}

impl Service {
    /// Makes an endpoint. Its secret is in the row; whoever shows it does so once.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a URL that is never posted to; [`Error::NoSuchClient`], also for another client's key;
    /// [`Error::TooManyEndpoints`]; [`Error::Forbidden`] for hook keys; [`Error::Store`].
    pub async fn endpoint_create(&self, caller: &Caller, new: &EndpointRequest) -> Result<EndpointRow, Error> {
        let client_id = match (caller.sight()?, new.client_id) {
            (Sight::All, client_id) => client_id,
            (Sight::Client(own), None) => Some(own),
            (Sight::Client(own), Some(wanted)) if wanted == own => Some(own),
            (Sight::Client(_), Some(wanted)) => return Err(Error::NoSuchClient(wanted)),
        };
        let url = self.target(&new.url)?;
        let (now, secret) = (self.clock.now(), fresh(&self.chance));
        let id = self.chance.id(now);
        let row = NewEndpoint { id, client_id, url: url.as_str(), events: &new.events, secret: &secret };
        match self.store.endpoint_add(&row, ENDPOINTS_MAX, now).await? {
            EndpointAdded::Added => {}
            EndpointAdded::NoSuchClient => return Err(Error::NoSuchClient(client_id.unwrap_or_default())),
            EndpointAdded::TooMany => return Err(Error::TooManyEndpoints { limit: ENDPOINTS_MAX }),
        }
        self.store.endpoint_get(id).await?.ok_or(Error::NoSuchEndpoint(id))
    }

    /// Endpoints in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for hook keys; [`Error::Store`].
    pub async fn endpoint_list(
        &self,
        caller: &Caller,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<EndpointRow, Uuid>, Error> {
        let client_id = match caller.sight()? {
            Sight::All => None,
            Sight::Client(own) => Some(own),
        };
        let limit = page_limit(limit);
        Ok(Page::of(self.store.endpoint_list(client_id, after, limit + 1).await?, limit, |row| row.id))
    }

    /// One endpoint.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEndpoint`], also for another client's; [`Error::Forbidden`] for hook keys; [`Error::Store`].
    pub async fn endpoint_get(&self, caller: &Caller, id: Uuid) -> Result<EndpointRow, Error> {
        let sight = caller.sight()?;
        let row = self.store.endpoint_get(id).await?.filter(|row| sees(sight, row));
        row.ok_or(Error::NoSuchEndpoint(id))
    }

    /// Changes an endpoint. One that is enabled again, or moves, begins anew; what it missed meanwhile and was still
    /// to be tried is tried again.
    ///
    /// # Errors
    ///
    /// As [`Service::endpoint_get`], and [`Error::Invalid`]; nothing has changed.
    pub async fn endpoint_change(
        &self,
        caller: &Caller,
        id: Uuid,
        patch: &EndpointPatch,
    ) -> Result<EndpointRow, Error> {
        self.endpoint_get(caller, id).await?;
        let url = patch.url.as_deref().map(|url| self.target(url)).transpose()?;
        let change = EndpointChange {
            enabled: patch.enabled,
            url: url.map(|url| url.as_str().to_owned()),
            events: patch.events.clone(),
        };
        let changed = self.store.endpoint_change(id, &change, self.clock.now()).await?;
        self.wake_deliveries();
        changed.ok_or(Error::NoSuchEndpoint(id))
    }

    /// Removes an endpoint with its deliveries.
    ///
    /// # Errors
    ///
    /// As [`Service::endpoint_get`].
    pub async fn endpoint_remove(&self, caller: &Caller, id: Uuid) -> Result<(), Error> {
        self.endpoint_get(caller, id).await?;
        if self.store.endpoint_remove(id).await? { Ok(()) } else { Err(Error::NoSuchEndpoint(id)) }
    }

    /// Gives an endpoint another secret; the one before signs beside it for [`OVERLAP`].
    ///
    /// # Errors
    ///
    /// As [`Service::endpoint_get`]; [`Error::EndpointBusy`] when others keep replacing it.
    pub async fn endpoint_rotate(&self, caller: &Caller, id: Uuid) -> Result<EndpointRow, Error> {
        for _ in 0..ROTATE_TRIES_MAX {
            let row = self.endpoint_get(caller, id).await?;
            let now = self.clock.now();
            let replaced = OlderSecret { secret: row.secret.clone(), until: now + OVERLAP };
            let older: Vec<OlderSecret> = [replaced]
                .into_iter()
                .chain(row.older_secrets.iter().filter(|older| older.until > now).cloned())
                .take(OLDER_SECRETS_MAX)
                .collect();
            if let Some(row) = self.store.endpoint_rotate(&row, &fresh(&self.chance), &older, now).await? {
                return Ok(row);
            }
        }
        Err(Error::EndpointBusy)
    }

    /// A URL that may be posted to.
    fn target(&self, url: &str) -> Result<Target, Error> {
        Target::parse(url, self.settings.webhooks.allow_private)
            .map_err(|fault| Error::invalid("/url", fault.to_string()))
    }
}

fn fresh(chance: &Chance) -> Secret {
    Secret::of(chance.octets())
}

/// Whether an endpoint is seen; one that gets everybody's events is the operators' alone.
fn sees(sight: Sight, row: &EndpointRow) -> bool {
    match (sight, row.client_id) {
        (Sight::All, _) => true,
        (Sight::Client(own), client_id) => client_id == Some(own),
    }
}
