//! Tiers: how much infrastructure a client may have (`seed-email-infrastructure.md`, "Tier Infrastructure Allocation").
//!
//! Owns the numbers. That a race cannot exceed them is `store`'s affair.

use std::fmt;

/// What a client has booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// The smallest.
    Ignition,
    /// The middle one.
    Velocity,
    /// The largest.
    Dominance,
}

impl Tier {
    /// Every tier, from the smallest up.
    pub const ALL: [Tier; 3] = [Tier::Ignition, Tier::Velocity, Tier::Dominance];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Tier::Ignition => "ignition",
            Tier::Velocity => "velocity",
            Tier::Dominance => "dominance",
        }
    }

    /// Reads the word of the contract; nothing for any other.
    pub fn parse(text: &str) -> Option<Tier> {
        Tier::ALL.into_iter().find(|tier| tier.as_str() == text)
    }

    /// What the tier allows.
    pub const fn allocation(self) -> Allocation {
        match self {
            Tier::Ignition => Allocation { domains: 2, mailboxes: 3, dedicated_ips: 1 },
            Tier::Velocity => Allocation { domains: 3, mailboxes: 6, dedicated_ips: 1 },
            Tier::Dominance => Allocation { domains: 5, mailboxes: 11, dedicated_ips: 2 },
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many of each a client may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Allocation {
    /// Living domains.
    pub domains: u32,
    /// Living mailboxes.
    pub mailboxes: u32,
    /// Dedicated addresses.
    pub dedicated_ips: u32,
}

impl Allocation {
    /// The limit of one resource.
    pub const fn of(self, resource: Resource) -> u32 {
        match resource {
            Resource::Domains => self.domains,
            Resource::Mailboxes => self.mailboxes,
            Resource::DedicatedIps => self.dedicated_ips,
        }
    }
}

/// What an allocation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Living domains.
    Domains,
    /// Living mailboxes.
    Mailboxes,
    /// Dedicated addresses.
    DedicatedIps,
}

impl Resource {
    /// Every resource, in the contract's order.
    pub const ALL: [Resource; 3] = [Resource::Domains, Resource::Mailboxes, Resource::DedicatedIps];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Resource::Domains => "domains",
            Resource::Mailboxes => "mailboxes",
            Resource::DedicatedIps => "dedicated_ips",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_seed() {
        let shown: Vec<String> = Tier::ALL
            .iter()
            .map(|tier| {
                let counts = Resource::ALL.map(|resource| tier.allocation().of(resource).to_string());
                format!("{tier} {}", counts.join(" "))
            })
            .collect();
        assert_eq!(shown, ["ignition 2 3 1", "velocity 3 6 1", "dominance 5 11 2"]);
    }

    #[test]
    fn words_read_back() {
        for tier in Tier::ALL {
            assert_eq!(Tier::parse(tier.as_str()), Some(tier));
        }
        assert_eq!(Tier::parse("Velocity"), None, "the wire has one spelling");
    }
}
