//! The authoritative servers that are, or lately were, being asked.
//!
//! Owns how much one of them is asked at once and how fast, and which of them is worth asking: by address, for a DNS
//! host's servers serve many zones.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use crate::dns::hickory::health::Health;

/// How many questions one server is asked at once.
pub(super) const IN_FLIGHT_MAX: usize = 8;

/// How far apart the questions to one server are when they come thick and fast: 200 a second, as from a busy resolver
/// and far below what a server begins to refuse.
pub(super) const SPACING: Duration = Duration::from_millis(5);

/// How many questions need not keep the distance, if none came for a while: those of one check or two.
const BURST: u32 = 16;

/// How many servers are remembered; beyond it, those that nobody is asking are forgotten.
const SERVERS_MAX: usize = 4_096;

/// One authoritative server.
#[derive(Debug)]
pub(super) struct Authority {
    /// What it did of late.
    pub(super) health: Health,
    turns: Semaphore,
    /// When the next question would be due, were all kept apart.
    due: Mutex<Instant>,
}

impl Authority {
    fn new() -> Authority {
        Authority { health: Health::default(), turns: Semaphore::new(IN_FLIGHT_MAX), due: Mutex::new(Instant::now()) }
    }

    /// Waits until the server may be asked one question more, which it may be as long as the turn is held. Nothing
    /// when the server is left out; whoever waited for it while it fell silent waits no longer.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if self.health.is_left_out(Instant::now()) {
            return None;
        }
        let turn = self.turns.acquire().await.ok()?;
        let now = Instant::now();
        if self.health.is_left_out(now) {
            return None;
        }
        sleep_until(self.reserve(now)).await;
        Some(turn)
    }

    /// When the question may be sent that comes at `now`: at once, or when the distance is kept.
    fn reserve(&self, now: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let planned = (*due).max(now);
        *due = planned + SPACING;
        planned.checked_sub(SPACING * (BURST - 1)).map_or(now, |early| early.max(now))
    }
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
        Arc::clone(servers.entry(address).or_insert_with(|| Arc::new(Authority::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::evidence::{Answer, Failure};

    #[test]
    fn a_burst_is_spread() {
        let server = Authority::new();
        let now = Instant::now();
        let burst = usize::try_from(BURST).unwrap();
        let begun: Vec<Duration> = (0..burst + 3).map(|_| server.reserve(now) - now).collect();
        assert!(begun[..burst].iter().all(Duration::is_zero), "{begun:?}");
        assert_eq!(begun[burst..], [SPACING, SPACING * 2, SPACING * 3]);
        let later = now + SPACING * 60;
        assert_eq!(server.reserve(later), later, "after a pause it may be asked at once");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_server_that_falls_silent_waits_no_longer() {
        let server = Authority::new();
        let mut held = Vec::new();
        for _ in 0..IN_FLIGHT_MAX {
            held.push(server.turn().await.unwrap());
        }
        let fall_silent = async {
            for _ in 0..2 {
                server.health.note(&Answer::Unknown(Failure::Timeout), Instant::now());
            }
            drop(held);
        };
        let (waited, ()) = tokio::join!(server.turn(), fall_silent);
        assert!(waited.is_none());
        assert!(server.turn().await.is_none(), "left out for a while");
    }

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
