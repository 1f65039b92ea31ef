//! Clients, and what their tiers allow them.

use uuid::Uuid;

use crate::sending::tier::{Resource, Tier};
use crate::service::caller::Sight;
use crate::service::{Caller, Error, Page, Service, page_limit};
use crate::store::{Client, ClientAdded, ClientChange, ClientChanged, Usage};

/// The longest name of a client, in characters.
pub const NAME_CHARACTERS_MAX: usize = 200;

/// What a client has booked, and what of it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllocationView {
    /// The tier; nothing for an adopted client that was never given one.
    pub tier: Option<Tier>,
    /// Living domains.
    pub domains: Used,
    /// Living mailboxes.
    pub mailboxes: Used,
    /// Dedicated addresses.
    pub dedicated_ips: Used,
}

/// How much of one resource is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// How many are in use.
    pub used: u32,
    /// How many are allowed; nothing where there is no limit.
    pub limit: Option<u32>,
}

impl AllocationView {
    fn of(usage: &Usage) -> AllocationView {
        let used =
            |resource| Used { used: usage.of(resource), limit: usage.tier.map(|tier| tier.allocation().of(resource)) };
        AllocationView {
            tier: usage.tier,
            domains: used(Resource::Domains),
            mailboxes: used(Resource::Mailboxes),
            dedicated_ips: used(Resource::DedicatedIps),
        }
    }
}

impl Service {
    /// Adds a client. Operators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Invalid`], [`Error::ClientsManagedElsewhere`], [`Error::Store`].
    pub async fn client_add(&self, caller: &Caller, name: &str, tier: Tier) -> Result<Client, Error> {
        caller.operator()?;
        let name = name_read(name)?;
        let now = self.clock.now();
        match self.store.client_add(self.chance.id(now), name, tier, now).await? {
            ClientAdded::Added(client) => Ok(client),
            ClientAdded::ManagedElsewhere => Err(Error::ClientsManagedElsewhere),
        }
    }

    /// One client: any for an operator, its own for a client's key.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn client_get(&self, caller: &Caller, id: Uuid) -> Result<Client, Error> {
        self.see_client(caller, id)?;
        self.store.client_get(id).await?.ok_or(Error::NoSuchClient(id))
    }

    /// Clients in the order of their ids: all for an operator, its own for a client's key.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Store`].
    pub async fn client_list(
        &self,
        caller: &Caller,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<Client, Uuid>, Error> {
        let limit = page_limit(limit);
        match caller.sight()? {
            Sight::All => {
                let clients = self.store.client_list(after, limit + 1).await?;
                Ok(Page::of(clients, limit, |client| client.id))
            }
            Sight::Client(id) => {
                let own = self.store.client_get(id).await?.filter(|client| after.is_none_or(|after| client.id > after));
                Ok(Page { items: own.into_iter().collect(), next: None })
            }
        }
    }

    /// Changes a client's name or tier. Operators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Invalid`], [`Error::NoSuchClient`]; [`Error::TierTooSmall`] when the new
    /// tier allows less than is in use; [`Error::ClientsManagedElsewhere`]; [`Error::Store`].
    pub async fn client_change(
        &self,
        caller: &Caller,
        id: Uuid,
        name: Option<&str>,
        tier: Option<Tier>,
    ) -> Result<Client, Error> {
        if caller.operator().is_err() {
            self.see_client(caller, id)?;
        }
        caller.operator()?;
        let name = name.map(name_read).transpose()?.map(str::to_owned);
        match self.store.client_change(id, &ClientChange { name, tier }, self.clock.now()).await? {
            ClientChanged::Changed(client) => Ok(client),
            ClientChanged::NoSuchClient => Err(Error::NoSuchClient(id)),
            ClientChanged::ManagedElsewhere => Err(Error::ClientsManagedElsewhere),
            ClientChanged::AllocationExceeded(excess) => Err(Error::TierTooSmall { tier, excess }),
        }
    }

    /// What a client has booked, and what of it is in use.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn client_allocation(&self, caller: &Caller, id: Uuid) -> Result<AllocationView, Error> {
        self.see_client(caller, id)?;
        let usage = self.store.client_usage(id).await?.ok_or(Error::NoSuchClient(id))?;
        Ok(AllocationView::of(&usage))
    }

    /// Lets only those pass who see this client.
    pub(crate) fn see_client(&self, caller: &Caller, id: Uuid) -> Result<(), Error> {
        if caller.sight()?.sees(id) { Ok(()) } else { Err(Error::NoSuchClient(id)) }
    }
}

fn name_read(name: &str) -> Result<&str, Error> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::invalid("/name", "a name is needed"));
    }
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(Error::invalid("/name", format!("a name has at most {NAME_CHARACTERS_MAX} characters")));
    }
    // A NUL is no text in PostgreSQL, and other control characters deceive whoever reads a list of names.
    if name.chars().any(char::is_control) {
        return Err(Error::invalid("/name", "a name has no control characters"));
    }
    Ok(name)
}
