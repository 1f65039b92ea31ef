//! Clients: the platform's table `clients`, or ours where the platform has none, and what they have booked.
//!
//! A foreign `clients` is read for its `id` only by name; `name` and `created_at` may be missing or of any
//! type there. Tiers stand in `client_settings`, which is always ours.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::sending::tier::{Resource, Tier};
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
    /// More is in use than the new tier allows; nothing has changed. The first such resource is named.
    AllocationExceeded {
        /// Of what there is too much.
        resource: Resource,
        /// How many are in use.
        used: u32,
        /// How many the new tier allows.
        limit: u32,
    },
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
        let _ = (id, name, tier, now);
        Err(StoreError::unbuilt("client_add"))
    }

    /// One client.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn client_get(&self, id: Uuid) -> Result<Option<Client>, StoreError> {
        let _ = id;
        Err(StoreError::unbuilt("client_get"))
    }

    /// At most `limit` clients in the order of their ids, those behind `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn client_list(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Client>, StoreError> {
        let _ = (after, limit);
        Err(StoreError::unbuilt("client_list"))
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
        let _ = (id, change, now);
        Err(StoreError::unbuilt("client_change"))
    }

    /// What a client uses; nothing when there is no such client.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn client_usage(&self, id: Uuid) -> Result<Option<Usage>, StoreError> {
        let _ = id;
        Err(StoreError::unbuilt("client_usage"))
    }
}
