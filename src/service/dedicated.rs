//! The dedicated addresses of a client: which may be, and what they require of its domains.
//!
//! # Strictness
//!
//! An address must be one that a mail server on the Internet can have; those for documentation are taken, too, so that
//! examples work as they stand (RFC 5737, RFC 3849). It is kept in its canonical form (RFC 5952), and an IPv4 address
//! in IPv6's clothes is the IPv4 address.

use std::collections::BTreeSet;
use std::net::IpAddr;

use uuid::Uuid;

use crate::protocol::address::{is_documentation, is_public};
use crate::service::requirements::{expectation_of, staging_of, to_stored, with_dedicated};
use crate::service::{Caller, Client, Error, FieldFault, Service};
use crate::store::{DedicatedReplaced, DomainRow, Requirements};
use crate::verify::expectation::ADDRESSES_MAX;
use crate::verify::staged::is_verified;

impl Service {
    /// Makes these the dedicated addresses of a client, in place of those that it had. Operators only.
    ///
    /// They are required of its domains at once: of a verified one staged, and what is taken away binds no more.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::NoSuchClient`]; [`Error::Invalid`], also for one that another client has;
    /// [`Error::TooManyDedicated`]; [`Error::Store`].
    pub async fn dedicated_replace(&self, caller: &Caller, id: Uuid, given: &[IpAddr]) -> Result<Client, Error> {
        if caller.operator().is_err() {
            self.see_client(caller, id)?;
        }
        caller.operator()?;
        let addresses: Vec<IpAddr> = given.iter().map(IpAddr::to_canonical).collect();
        let faults = faults(&addresses);
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let (min_interval, now) = (self.settings.rhythm.min_interval, self.clock.now());
        let bound = |row: &DomainRow| self.bound_with(row, &addresses);
        match self.store.dedicated_replace(id, &addresses, &bound, min_interval, now).await? {
            DedicatedReplaced::Replaced { domains } => {
                if !domains.is_empty() {
                    self.wake();
                }
                domains.into_iter().for_each(|domain| self.tell_changed(domain));
                self.store.client_get(id).await?.ok_or(Error::NoSuchClient(id))
            }
            DedicatedReplaced::NoSuchClient => Err(Error::NoSuchClient(id)),
            DedicatedReplaced::AllocationExceeded { tier, limit } => {
                Err(Error::TooManyDedicated { tier, given: addresses.len(), limit })
            }
            DedicatedReplaced::Taken(taken) => {
                let index = addresses.iter().position(|address| *address == taken).unwrap_or_default();
                Err(Error::invalid(format!("/ips/{index}"), "another client has this address"))
            }
        }
    }

    /// What of a domain's requirements counts once its client has these addresses. Design §1, rule 8.
    pub(crate) fn bound_with(&self, row: &DomainRow, addresses: &[IpAddr]) -> Option<Requirements> {
        if !is_verified(&row.standing()) {
            return None;
        }
        let profiles = &self.settings.profiles;
        let (Ok((before, _)), Ok((own, _))) = (staging_of(row, profiles), expectation_of(row, profiles)) else {
            // Whoever can read its name and requirements goes on from here.
            return row.binding.clone();
        };
        let after = DomainRow { dedicated_ips: addresses.to_vec(), ..row.clone() };
        Some(to_stored(before.changed(with_dedicated(&after, own)).binding()))
    }
}

/// What is wrong with addresses, by field.
fn faults(addresses: &[IpAddr]) -> Vec<FieldFault> {
    let fault = |pointer: String, detail: String| FieldFault { pointer, detail };
    if addresses.len() > ADDRESSES_MAX {
        let detail = format!("at most {ADDRESSES_MAX} are allowed, and these are {}", addresses.len());
        return vec![fault("/ips".to_owned(), detail)];
    }
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let at = format!("/ips/{index}");
        if let Some(why) = unfit(*address) {
            faults.push(fault(at, format!("{address} {why}; give one that the Internet reaches")));
        } else if !seen.insert(address) {
            faults.push(fault(at, format!("{address} stands here twice")));
        }
    }
    faults
}

/// Why no mail comes from an address; nothing for one that will do. RFC 6890.
pub(super) fn unfit(address: IpAddr) -> Option<&'static str> {
    let is_private = match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    };
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    if is_public(address) || is_documentation(address) {
        None
    } else if address.is_unspecified() {
        Some("is the unspecified address, and nobody's (RFC 6890)")
    } else if address.is_loopback() {
        Some("is a loopback address (RFC 6890)")
    } else if address.is_multicast() {
        Some("is a multicast address; nothing is sent from one (RFC 5771, RFC 4291 §2.7)")
    } else if is_private {
        Some("is for private use (RFC 1918, RFC 4193)")
    } else if is_link_local {
        Some("is only known on its own link (RFC 3927, RFC 4291 §2.5.6)")
    } else {
        Some("is set aside for a special purpose (RFC 6890)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_that_will_not_do_is_told_by_its_place_and_its_rule() {
        let check = |why: &str, text: &str, expected: &str| {
            let shown = faults(&[text.parse::<IpAddr>().unwrap().to_canonical()]);
            let shown = shown.first().map(|fault| fault.to_string()).unwrap_or_default();
            assert_eq!(shown.is_empty(), expected.is_empty(), "{why}: {shown}");
            assert!(shown.contains(expected) && (shown.is_empty() || shown.starts_with("/ips/0: ")), "{why}: {shown}");
        };
        check("public", "11.0.0.25", "");
        check("public IPv6", "2606:4700::1", "");
        check("documentation", "192.0.2.10", "");
        check("documentation, IPv6", "2001:db8::10", "");
        check("IPv4 in IPv6's clothes", "::ffff:11.0.0.25", "");
        check("nobody's", "0.0.0.0", "unspecified");
        check("nobody's, IPv6", "::", "unspecified");
        check("our own", "127.0.0.2", "loopback");
        check("our own, IPv6", "::1", "loopback");
        check("everybody's", "224.0.0.1", "multicast");
        check("everybody's, IPv6", "ff02::1", "multicast");
        check("private", "10.1.2.3", "private use");
        check("private, IPv6", "fd00::1", "private use");
        check("private, in IPv6's clothes", "::ffff:192.168.0.1", "192.168.0.1 is for private use");
        check("a link's", "169.254.1.1", "its own link");
        check("a link's, IPv6", "fe80::1", "its own link");
        check("shared", "100.64.0.1", "special purpose");
        check("broadcast", "255.255.255.255", "special purpose");
        let twice =
            ["11.0.0.25", "11.0.0.26", "::ffff:11.0.0.25"].map(|text| text.parse::<IpAddr>().unwrap().to_canonical());
        assert_eq!(faults(&twice)[0].to_string(), "/ips/2: 11.0.0.25 stands here twice");
    }
}
