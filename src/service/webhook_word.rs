//! A webhook's word that the DNS of domains changed. Contract §3.4.
//!
//! Owns who may say so of which domain, and which names of a list are known. How the word came, and whether it is a
//! repetition, is the way in's affair.

use std::collections::BTreeSet;

use crate::protocol::domain::Domain;
use crate::service::caller::Sight;
use crate::service::requirements::domain_of;
use crate::service::{Caller, Error, Service};
use crate::store::Role;
use crate::store::webhook_word::{Announced, NAMES_MAX};

/// What came of a webhook's word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// These are checked at once, and again after 30 s and 2 min while not all valid.
    pub accepted: Vec<Domain>,
    /// These nobody has, or not whom the caller may speak of.
    pub unknown: Vec<Domain>,
}

impl Service {
    /// Takes the word that the DNS of these domains changed, at most [`NAMES_MAX`]; each is told once, in their order.
    ///
    /// They are due at once, but not closer than the least interval to their last check.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for more; [`Error::Forbidden`] for client keys; [`Error::Store`], and then nothing is taken.
    pub async fn dns_changed(&self, caller: &Caller, domains: &[Domain]) -> Result<Taken, Error> {
        let sight = speaks_of(caller)?;
        if domains.len() > NAMES_MAX {
            return Err(Error::invalid("/domains", format!("at most {NAMES_MAX} names are taken at once")));
        }
        let spellings: BTreeSet<String> =
            domains.iter().flat_map(|domain| [domain.to_string(), domain.unicode()]).collect();
        let names: Vec<String> = spellings.into_iter().collect();
        let client_id = match sight {
            Sight::All => None,
            Sight::Client(client_id) => Some(client_id),
        };
        let announced = Announced { names: &names, client_id, min_interval: self.settings.rhythm.min_interval };
        let marked = self.store.domain_announce(&announced, self.clock.now()).await?;
        self.wake();
        let marked: BTreeSet<String> =
            marked.iter().filter_map(|name| domain_of(name).ok()).map(|domain| domain.to_string()).collect();
        let (mut taken, mut named) = (Taken::default(), BTreeSet::new());
        for domain in domains {
            let name = domain.to_string();
            let list = if marked.contains(&name) { &mut taken.accepted } else { &mut taken.unknown };
            if named.insert(name) {
                list.push(domain.clone());
            }
        }
        Ok(taken)
    }
}

/// Whose domains a caller may speak of: an operator's key and a hook's of all, unless the hook's is one client's.
fn speaks_of(caller: &Caller) -> Result<Sight, Error> {
    match (caller.role, caller.client_id) {
        (Role::Operator, _) | (Role::Hook, None) => Ok(Sight::All),
        (Role::Hook, Some(client_id)) => Ok(Sight::Client(client_id)),
        (Role::Client, _) => Err(Error::Forbidden { needs: "a hook's or an operator's key" }),
    }
}
