//! Registering a domain: new, or revived, within the client's tier.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::protocol::domain::Domain;
use crate::sending::tier::Resource;
use crate::store::domain::DomainRow;
use crate::store::requirements::Requirements;
use crate::store::{Store, StoreError};

/// A domain to register.
#[derive(Debug, Clone)]
pub struct NewDomain<'a> {
    /// The id, unless a row is revived.
    pub id: Uuid,
    /// Whose it is to be.
    pub client_id: Uuid,
    /// Its name.
    pub domain: &'a Domain,
    /// Its provider.
    pub provider: &'a str,
    /// What it must publish; nothing: what its provider's profile says.
    pub requirements: Option<&'a Requirements>,
    /// The provider's id of it.
    pub infraforge_domain_id: Option<&'a str>,
    /// The sender's id of it.
    pub smartlead_domain_id: Option<&'a str>,
}

/// What came of [`Store::domain_add`].
#[derive(Debug, Clone, PartialEq)]
pub enum DomainAdded {
    /// A new row.
    Added(DomainRow),
    /// The client's own deleted row, living again: pending, or suspended when an operator had suspended it.
    Revived(DomainRow),
    /// The name has a row, living, or deleted but another's; or the platform has it in another spelling.
    Taken,
    /// There is no such client.
    NoSuchClient,
    /// The client's tier does not allow it.
    AllocationExceeded {
        /// Domains, or mailboxes that would come back with a revived row.
        resource: Resource,
        /// How many are in use.
        used: u32,
        /// How many the tier allows.
        limit: u32,
    },
}

impl Store {
    /// Registers a domain for a client; its first check is due at `now`, reason `created`.
    ///
    /// However many are added at once, a tier is never exceeded: the client's row is locked first. The row
    /// of a client without a tier is not limited.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has been added.
    pub async fn domain_add(&self, new: &NewDomain<'_>, now: DateTime<Utc>) -> Result<DomainAdded, StoreError> {
        let _ = (new, now);
        Err(StoreError::unbuilt("domain_add"))
    }
}
