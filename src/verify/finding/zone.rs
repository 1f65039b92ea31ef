//! Findings about a zone, its servers, and records in the wrong place.

use crate::protocol::name::Name;
use crate::verify::finding::{Fact, Severity};
use crate::verify::purpose::Purpose;

/// What was noticed about the zone around a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneFinding {
    /// The record stands at a name that repeats the zone: the panel added the zone to a full name.
    HostDoubled {
        /// What the record is for.
        purpose: Purpose,
        /// Where it stands.
        at: Name,
    },
}

impl ZoneFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            ZoneFinding::HostDoubled { purpose, .. } => match purpose {
                Purpose::Spf => "spf.host-doubled",
                Purpose::Dkim => "dkim.host-doubled",
                Purpose::Dmarc => "dmarc.host-doubled",
                Purpose::Mx => "mx.host-doubled",
            },
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            ZoneFinding::HostDoubled { .. } => Severity::Error,
        }
    }

    /// Which required record it is about.
    pub fn purpose(&self) -> Purpose {
        match self {
            ZoneFinding::HostDoubled { purpose, .. } => *purpose,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            ZoneFinding::HostDoubled { at, .. } => vec![("at", Fact::text(at))],
        }
    }

    /// One of each.
    pub fn examples() -> Vec<ZoneFinding> {
        let at = Name::parse("s1._domainkey.example.com.example.com").unwrap_or_else(|_| Name::root());
        vec![ZoneFinding::HostDoubled { purpose: Purpose::Dkim, at }]
    }
}
