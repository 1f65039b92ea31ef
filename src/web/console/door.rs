//! How many wrong keys may be tried at the sign-in.
//!
//! A key is beyond guessing; this is for the database, which is asked about each, and for the log. Each process counts
//! for itself. A right key is never counted, and whoever is refused is told when to come again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// How many wrong keys one address may try within [`WINDOW`].
pub(super) const TRIES_MAX: u32 = 10;

/// How many all those may whose address is not known, or has no place.
pub(super) const CROWD_TRIES_MAX: u32 = 100;

/// For how long wrong keys count.
const WINDOW: TimeDelta = TimeDelta::minutes(5);

/// How many addresses are told apart.
const ADDRESSES_MAX: usize = 4_096;

/// The wrong keys of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Door {
    tries: Mutex<HashMap<Option<u128>, Tries>>,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    since: DateTime<Utc>,
    count: u32,
}

impl Door {
    /// Whether another key may be tried from an address at `now`; if not, how long to wait.
    pub(super) fn sign_in_allowed(&self, peer: Option<IpAddr>, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        let tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let key = peer.map(key_of).filter(|key| tries.contains_key(&Some(*key)) || tries.len() < ADDRESSES_MAX);
        let most = if key.is_some() { TRIES_MAX } else { CROWD_TRIES_MAX };
        match tries.get(&key) {
            Some(tries) if tries.count >= most && tries.since + WINDOW > now => Err(tries.since + WINDOW - now),
            _ => Ok(()),
        }
    }

    /// Counts a wrong key.
    pub(super) fn count_wrong(&self, peer: Option<IpAddr>, now: DateTime<Utc>) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= ADDRESSES_MAX {
            tries.retain(|_, tries| tries.since + WINDOW > now);
        }
        let key = peer.map(key_of).filter(|key| tries.contains_key(&Some(*key)) || tries.len() < ADDRESSES_MAX);
        let entry = tries.entry(key).or_insert(Tries { since: now, count: 0 });
        if entry.since + WINDOW <= now {
            *entry = Tries { since: now, count: 0 };
        }
        entry.count = entry.count.saturating_add(1);
    }
}

/// By what an address is counted: an IPv6 network of 64 bits is one, for its owner has all of it (RFC 4291 §2.5.4).
fn key_of(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address) >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn wrong_keys_are_bounded_for_each_address() {
        let door = Door::default();
        for _ in 0..TRIES_MAX {
            assert_eq!(door.sign_in_allowed(address("192.0.2.1"), at(0)), Ok(()));
            door.count_wrong(address("192.0.2.1"), at(0));
        }
        assert_eq!(door.sign_in_allowed(address("192.0.2.1"), at(60)), Err(TimeDelta::minutes(4)));
        assert_eq!(door.sign_in_allowed(address("::ffff:192.0.2.1"), at(60)), Err(TimeDelta::minutes(4)));
        assert_eq!(door.sign_in_allowed(address("192.0.2.2"), at(60)), Ok(()));
        assert_eq!(door.sign_in_allowed(None, at(60)), Ok(()));
        assert_eq!(door.sign_in_allowed(address("192.0.2.1"), at(300)), Ok(()));
        door.count_wrong(address("192.0.2.1"), at(300));
        assert_eq!(door.sign_in_allowed(address("192.0.2.1"), at(301)), Ok(()), "it began anew");
    }

    #[test]
    fn a_network_is_one_address_and_no_more_are_kept_than_have_a_place() {
        let door = Door::default();
        for host in 0..TRIES_MAX {
            door.count_wrong(address(&format!("2001:db8::{host:x}")), at(0));
        }
        assert!(door.sign_in_allowed(address("2001:db8::ffff"), at(0)).is_err());
        assert!(door.sign_in_allowed(address("2001:db8:0:1::1"), at(0)).is_ok());
        for host in 0..10_000_u32 {
            door.count_wrong(Some(IpAddr::from(host.to_be_bytes())), at(1));
        }
        assert!(door.tries.lock().unwrap().len() <= ADDRESSES_MAX + 1, "and one for all others");
        assert!(door.sign_in_allowed(address("203.0.113.1"), at(1)).is_err(), "all others share one bound");
        door.count_wrong(address("203.0.113.1"), at(400));
        assert!(door.sign_in_allowed(address("203.0.113.1"), at(400)).is_ok(), "and are forgotten with time");
    }
}
