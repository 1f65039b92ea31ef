//! What a domain is required to publish.
//!
//! Made by `service` from a domain's requirements and its provider's profile, or by the command
//! line from its options. With nothing required of a record, the record is judged on its own soundness.

use std::net::IpAddr;

use crate::protocol::dkim::PublicKey;
use crate::protocol::dmarc::{DmarcRecord, Policy};
use crate::protocol::domain::Domain;
use crate::protocol::name::Name;

/// The most DKIM selectors of one domain. Design §6.
pub const SELECTORS_MAX: usize = 10;
/// The most SPF includes required of one domain. Design §6.
pub const INCLUDES_MAX: usize = 10;
/// The most sending addresses required of one domain. Design §6.
pub const ADDRESSES_MAX: usize = 32;
/// The most MX hosts required of one domain. Design §6.
pub const MX_MAX: usize = 10;

/// All that is required of one domain's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The domain.
    pub domain: Domain,
    /// What its SPF record must do.
    pub spf: SpfExpectation,
    /// Its DKIM selectors. Empty: DKIM is `unchecked`, for selectors are never guessed.
    pub dkim: Vec<DkimExpectation>,
    /// What its DMARC policy must be.
    pub dmarc: DmarcExpectation,
    /// Its mail exchanges. Empty: any that work.
    pub mx: Vec<MxExpectation>,
    /// The time to live that we recommend for every record, in seconds.
    pub ttl_seconds: u32,
}

impl Expectation {
    /// The time to live recommended where nobody says otherwise, in seconds.
    pub const TTL_SECONDS: u32 = 3_600;

    /// Nothing is required but soundness.
    pub fn soundness_of(domain: Domain) -> Expectation {
        Expectation {
            domain,
            spf: SpfExpectation::default(),
            dkim: Vec::new(),
            dmarc: DmarcExpectation::default(),
            mx: Vec::new(),
            ttl_seconds: Expectation::TTL_SECONDS,
        }
    }
}

/// What an SPF record must do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpfExpectation {
    /// Names that must be included, anywhere in the tree.
    pub includes: Vec<Name>,
    /// Addresses that must get `pass`.
    pub addresses: Vec<IpAddr>,
}

/// One DKIM selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimExpectation {
    /// The selector; it may have several labels. RFC 6376 §3.1.
    pub selector: Name,
    /// Which key it must yield.
    pub key: DkimKey,
}

/// Which key a selector must yield.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DkimKey {
    /// Any sound key: the expected one is not known.
    Any,
    /// This key.
    Key(PublicKey),
    /// The key that this name yields now; the record to publish is a CNAME to it.
    Cname(Name),
}

/// What the DMARC policy must be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DmarcExpectation {
    /// The record to publish where the domain has none.
    pub record: Option<DmarcRecord>,
    /// The weakest policy that will do.
    pub policy: Option<Policy>,
    /// Where aggregate reports must go, as URIs.
    pub rua: Vec<String>,
}

/// One required mail exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxExpectation {
    /// The host.
    pub host: Name,
    /// Its preference; the lower is tried first. RFC 5321 §5.1.
    pub preference: u16,
}
