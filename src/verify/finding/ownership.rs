//! Findings about the record that proves whose a domain is.

use crate::protocol::name::Name;
use crate::verify::finding::{Fact, Severity};

/// What was noticed about the proof of control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnershipFinding {
    /// Nothing like it is published.
    Missing,
    /// A proof is published, but not this one.
    Mismatch {
        /// The texts that look like one. Out of DNS: hostile.
        found: Vec<String>,
    },
    /// It stands at a full name to which the panel has added the zone.
    HostDoubled {
        /// Where it stands.
        at: Name,
    },
    /// It stands at the domain itself.
    AtApex {
        /// Where it stands.
        at: Name,
    },
    /// Nobody could tell.
    Unanswered {
        /// The contract's word for what came of the question.
        outcome: &'static str,
    },
}

impl OwnershipFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            OwnershipFinding::Missing => "ownership.missing",
            OwnershipFinding::Mismatch { .. } => "ownership.mismatch",
            OwnershipFinding::HostDoubled { .. } => "ownership.host-doubled",
            OwnershipFinding::AtApex { .. } => "ownership.at-apex",
            OwnershipFinding::Unanswered { .. } => "ownership.unanswered",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            OwnershipFinding::Unanswered { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            OwnershipFinding::Missing => Vec::new(),
            OwnershipFinding::Mismatch { found } => vec![("found", Fact::list(found))],
            OwnershipFinding::HostDoubled { at } | OwnershipFinding::AtApex { at } => vec![("at", Fact::text(at))],
            OwnershipFinding::Unanswered { outcome } => vec![("outcome", Fact::text(outcome))],
        }
    }

    /// One of each code.
    pub fn examples() -> Vec<OwnershipFinding> {
        let name = |text: &str| Name::parse(text).unwrap_or_else(|_| Name::root());
        vec![
            OwnershipFinding::Missing,
            OwnershipFinding::Mismatch { found: vec!["sendready-verification=of-somebody-else".to_owned()] },
            OwnershipFinding::HostDoubled { at: name("_sendready-challenge.example.com.example.com") },
            OwnershipFinding::AtApex { at: name("example.com") },
            OwnershipFinding::Unanswered { outcome: "servfail" },
        ]
    }
}
