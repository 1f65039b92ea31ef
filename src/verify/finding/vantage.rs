//! Findings about what the servers of a zone say, beside what the world sees through caches.

use crate::protocol::name::Name;
use crate::verify::finding::{Fact, Severity};
use crate::verify::purpose::Purpose;

/// What was noticed about the servers that a record comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VantageFinding {
    /// The zone's servers do not say the same: a change is under way, or a server has been left behind.
    Partial {
        /// What the record is for.
        purpose: Purpose,
        /// What they were asked.
        question: String,
        /// Each server with what it said.
        servers: Vec<String>,
    },
    /// One recursive server denies what another has found, and no server of the zone's own could be asked.
    ResolversDisagree {
        /// What the record is for.
        purpose: Purpose,
        /// What they were asked.
        question: String,
        /// Each recursive server with what it said.
        resolvers: Vec<String>,
    },
    /// The zone's own servers let the record be kept for a short time only.
    ShortTtl {
        /// What the record is for.
        purpose: Purpose,
        /// The record's question.
        question: String,
        /// How long it may be kept, in seconds.
        ttl_seconds: u32,
    },
    /// The zone above and the zone itself name different servers.
    DelegationMismatch {
        /// What the record is for.
        purpose: Purpose,
        /// The zone.
        zone: Name,
        /// Who serves it, as the zone above says.
        delegated: Vec<Name>,
        /// Who serves it, as it says itself.
        own: Vec<Name>,
    },
    /// Some of the zone's servers do not know it.
    DelegationLame {
        /// What the record is for.
        purpose: Purpose,
        /// The zone.
        zone: Name,
        /// Each such server with what it said.
        servers: Vec<String>,
    },
    /// None of the zone's servers knows it: it is kept somewhere else, or nowhere.
    DelegationElsewhere {
        /// What the record is for.
        purpose: Purpose,
        /// The zone.
        zone: Name,
        /// Each server with what it said.
        servers: Vec<String>,
    },
}

impl VantageFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            VantageFinding::Partial { .. } => "propagation.partial",
            VantageFinding::ResolversDisagree { .. } => "propagation.resolvers-disagree",
            VantageFinding::ShortTtl { .. } => "ttl.short",
            VantageFinding::DelegationMismatch { .. } => "delegation.mismatch",
            VantageFinding::DelegationLame { .. } => "delegation.lame",
            VantageFinding::DelegationElsewhere { .. } => "delegation.elsewhere",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            VantageFinding::ShortTtl { .. } => Severity::Notice,
            VantageFinding::Partial { .. }
            | VantageFinding::ResolversDisagree { .. }
            | VantageFinding::DelegationMismatch { .. }
            | VantageFinding::DelegationLame { .. } => Severity::Warning,
            VantageFinding::DelegationElsewhere { .. } => Severity::Error,
        }
    }

    /// Which required record it was noticed at. The same thing may be noticed at several.
    pub fn purpose(&self) -> Purpose {
        match self {
            VantageFinding::Partial { purpose, .. }
            | VantageFinding::ResolversDisagree { purpose, .. }
            | VantageFinding::ShortTtl { purpose, .. }
            | VantageFinding::DelegationMismatch { purpose, .. }
            | VantageFinding::DelegationLame { purpose, .. }
            | VantageFinding::DelegationElsewhere { purpose, .. } => *purpose,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            VantageFinding::Partial { question, servers, .. } => {
                vec![("question", Fact::text(question)), ("servers", Fact::list(servers))]
            }
            VantageFinding::ResolversDisagree { question, resolvers, .. } => {
                vec![("question", Fact::text(question)), ("resolvers", Fact::list(resolvers))]
            }
            VantageFinding::ShortTtl { question, ttl_seconds, .. } => {
                vec![("question", Fact::text(question)), ("ttl", Fact::Number(u64::from(*ttl_seconds)))]
            }
            VantageFinding::DelegationMismatch { zone, delegated, own, .. } => {
                vec![("zone", Fact::text(zone)), ("delegated", Fact::list(delegated)), ("own", Fact::list(own))]
            }
            VantageFinding::DelegationLame { zone, servers, .. }
            | VantageFinding::DelegationElsewhere { zone, servers, .. } => {
                vec![("zone", Fact::text(zone)), ("servers", Fact::list(servers))]
            }
        }
    }

    /// One of each code.
    pub fn examples() -> Vec<VantageFinding> {
        let name = |text: &str| Name::parse(text).unwrap_or_else(|_| Name::root());
        let (purpose, zone) = (Purpose::Dkim, name("example.com"));
        let question = "s1._domainkey.example.com TXT".to_owned();
        vec![
            VantageFinding::Partial {
                purpose,
                question: question.clone(),
                servers: vec![
                    "ns1.example.net (192.0.2.53): found".to_owned(),
                    "ns2.example.net (198.51.100.53): nxdomain".to_owned(),
                ],
            },
            VantageFinding::ResolversDisagree {
                purpose,
                question: question.clone(),
                resolvers: vec!["192.0.2.1:53: nxdomain".to_owned(), "198.51.100.1:53: found".to_owned()],
            },
            VantageFinding::ShortTtl { purpose, question, ttl_seconds: 60 },
            VantageFinding::DelegationMismatch {
                purpose,
                zone: zone.clone(),
                delegated: vec![name("ns1.example.net"), name("ns2.example.net")],
                own: vec![name("ns1.example.org")],
            },
            VantageFinding::DelegationLame {
                purpose,
                zone: zone.clone(),
                servers: vec!["ns2.example.net (198.51.100.53): lame".to_owned()],
            },
            VantageFinding::DelegationElsewhere {
                purpose,
                zone,
                servers: vec!["ns1.example.net (192.0.2.53): refused".to_owned()],
            },
        ]
    }
}
