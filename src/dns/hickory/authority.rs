//! The authoritative servers that are, or lately were, being asked.
//!
//! Owns how much one of them is asked at once, and which of them is worth asking: by address, for a DNS host's
//! servers serve many zones.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::dns::hickory::health::Health;

/// How many questions one server is asked at once.
pub(super) const IN_FLIGHT_MAX: usize = 8;

/// How many servers are remembered; beyond it, those that nobody is asking are forgotten.
const SERVERS_MAX: usize = 4_096;

/// One authoritative server.
#[derive(Debug)]
pub(super) struct Authority {
    /// What it did of late.
    pub(super) health: Health,
    /// Its turns.
    pub(super) turns: Semaphore,
}

/// Authoritative servers by address.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    servers: Mutex<HashMap<SocketAddr, Arc<Authority>>>,
}

impl Authorities {
    /// The server at `address`.
    pub(super) fn server(&self, address: SocketAddr) -> Arc<Authority> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.len() >= SERVERS_MAX && !servers.contains_key(&address) {
            servers.retain(|_, server| Arc::strong_count(server) > 1);
        }
        let new = || Arc::new(Authority { health: Health::default(), turns: Semaphore::new(IN_FLIGHT_MAX) });
        Arc::clone(servers.entry(address).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_servers_are_remembered_than_there_is_room_for() {
        let authorities = Authorities::default();
        let address = |number: u32| SocketAddr::from((std::net::Ipv4Addr::from(number), 53));
        let asked = authorities.server(address(0));
        (1..10_000).for_each(|number| drop(authorities.server(address(number))));
        assert!(authorities.servers.lock().unwrap().len() <= SERVERS_MAX);
        assert!(Arc::ptr_eq(&asked, &authorities.server(address(0))), "one that is being asked keeps its turns");
    }
}
