//! Who asks, and what that lets them do.

use uuid::Uuid;

use crate::service::Error;
use crate::store::{KeyRow, Role};

/// Whose key came with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The key.
    pub key_id: Uuid,
    /// What it may do.
    pub role: Role,
    /// Whose it is; always there for role `client`.
    pub client_id: Option<Uuid>,
    /// The one domain that a setup link opens; nothing for keys.
    pub domain_id: Option<Uuid>,
}

impl Caller {
    /// Whoever holds this key.
    pub fn of(key: &KeyRow) -> Caller {
        Caller { key_id: key.id, role: key.role, client_id: key.client_id, domain_id: None }
    }

    /// Lets only operators pass.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`].
    pub fn operator(&self) -> Result<(), Error> {
        match self.role {
            Role::Operator => Ok(()),
            Role::Client | Role::Hook => Err(Error::Forbidden { needs: "an operator key" }),
        }
    }

    /// What the caller sees: everything, or one client's things.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for hook keys, which see nothing.
    pub fn sight(&self) -> Result<Sight, Error> {
        match (self.role, self.client_id) {
            (Role::Operator, _) => Ok(Sight::All),
            (Role::Client, Some(client_id)) => Ok(Sight::Client(client_id)),
            (Role::Client, None) | (Role::Hook, _) => {
                Err(Error::Forbidden { needs: "an operator's or a client's key" })
            }
        }
    }
}

/// Whose things are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Everybody's.
    All,
    /// One client's.
    Client(Uuid),
}

impl Sight {
    /// Whether a client's things are seen.
    pub fn sees(self, client_id: Uuid) -> bool {
        match self {
            Sight::All => true,
            Sight::Client(own) => own == client_id,
        }
    }
}
