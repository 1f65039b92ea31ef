//! Findings about mail exchanges.

use std::net::IpAddr;

use crate::protocol::name::Name;
use crate::verify::finding::{Fact, Severity};

/// What a judgement of the mail exchanges noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MxFinding {
    /// The domain has no MX record.
    Missing,
    /// The domain has MX records, but not the required one.
    HostMissing {
        /// The required host.
        host: Name,
        /// Whether others receive the domain's mail now: whether to add it is then told by [`MxFinding::ForeignMx`].
        beside_foreign: bool,
    },
    /// Nobody could tell.
    Unanswered {
        /// The question.
        question: String,
        /// What came of it, in the contract's words.
        outcome: &'static str,
    },
    /// Without an MX record, mail goes to the domain's own address.
    ImplicitMx,
    /// The domain says that it receives no mail.
    NullMx,
    /// The null MX beside others.
    NullBesideOthers,
    /// A host that cannot receive mail.
    BadHost {
        /// The host.
        host: Name,
        /// Why.
        fault: HostFault,
        /// Whether the verdict rests on it.
        decisive: bool,
    },
    /// The host has only addresses that are set aside for documentation.
    DocumentationAddress {
        /// The host.
        host: Name,
        /// The first of its addresses.
        address: IpAddr,
    },
    /// A foreign host is tried before the first required one.
    ForeignPreferred {
        /// The foreign host.
        host: Name,
        /// Its preference.
        preference: u16,
        /// The preference of the first required host as it stands in DNS.
        own_preference: u16,
    },
    /// Others receive the domain's mail now; what adding the required hosts does to that.
    ForeignMx {
        /// The hosts that receive mail now, best first.
        hosts: Vec<Name>,
        /// How the required host stands to them.
        rank: Rank,
    },
    /// A required host has another preference than recommended.
    PreferenceDiffers {
        /// What is there.
        found: u16,
        /// What is recommended.
        recommended: u16,
    },
    /// More hosts than anybody tries.
    TooMany {
        /// How many there are.
        count: usize,
        /// How many were looked at.
        looked_at: usize,
    },
}

/// Why a host cannot receive mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostFault {
    /// The MX names an alias. RFC 2181 §10.3.
    Alias {
        /// Where the alias leads.
        target: Name,
    },
    /// The MX names an address instead of a host.
    Literal,
    /// The host has no address.
    Unresolved,
    /// The host has only addresses that nobody outside can reach.
    Private {
        /// The addresses.
        addresses: Vec<IpAddr>,
    },
}

/// When a host that is to be added will be tried, beside those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Before them all: mail will no longer reach them.
    First,
    /// Among or beside them: mail will be spread by chance.
    Among,
    /// After them all: it gets mail only when they fail.
    Last,
}

impl Rank {
    fn as_str(self) -> &'static str {
        match self {
            Rank::First => "first",
            Rank::Among => "among",
            Rank::Last => "last",
        }
    }
}

impl MxFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            MxFinding::Missing => "mx.missing",
            MxFinding::HostMissing { .. } => "mx.host-missing",
            MxFinding::Unanswered { .. } => "mx.unanswered",
            MxFinding::ImplicitMx => "mx.implicit",
            MxFinding::NullMx => "mx.null",
            MxFinding::NullBesideOthers => "mx.null-beside-others",
            MxFinding::BadHost { fault, .. } => match fault {
                HostFault::Alias { .. } => "mx.host-alias",
                HostFault::Literal => "mx.host-literal",
                HostFault::Unresolved => "mx.host-unresolved",
                HostFault::Private { .. } => "mx.host-private",
            },
            MxFinding::DocumentationAddress { .. } => "mx.documentation-address",
            MxFinding::ForeignPreferred { .. } => "mx.foreign-preferred",
            MxFinding::ForeignMx { .. } => "mx.foreign",
            MxFinding::PreferenceDiffers { .. } => "mx.preference-differs",
            MxFinding::TooMany { .. } => "mx.too-many",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            MxFinding::Missing
            | MxFinding::HostMissing { .. }
            | MxFinding::NullMx
            | MxFinding::NullBesideOthers
            | MxFinding::BadHost { decisive: true, .. }
            | MxFinding::ForeignPreferred { .. } => Severity::Error,
            MxFinding::DocumentationAddress { .. }
            | MxFinding::BadHost { decisive: false, .. }
            | MxFinding::Unanswered { .. }
            | MxFinding::ForeignMx { .. } => Severity::Warning,
            MxFinding::ImplicitMx | MxFinding::PreferenceDiffers { .. } | MxFinding::TooMany { .. } => Severity::Notice,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        let number = |value: usize| Fact::Number(u64::try_from(value).unwrap_or(u64::MAX));
        match self {
            MxFinding::HostMissing { host, .. } => vec![("host", Fact::text(host))],
            MxFinding::Unanswered { question, outcome } => {
                vec![("question", Fact::text(question)), ("outcome", Fact::text(outcome))]
            }
            MxFinding::BadHost { host, fault, .. } => {
                let mut facts = vec![("host", Fact::text(host))];
                match fault {
                    HostFault::Alias { target } => facts.push(("target", Fact::text(target))),
                    HostFault::Private { addresses } => facts.push(("addresses", Fact::list(addresses))),
                    HostFault::Literal | HostFault::Unresolved => {}
                }
                facts
            }
            MxFinding::DocumentationAddress { host, address } => {
                vec![("host", Fact::text(host)), ("address", Fact::text(address))]
            }
            MxFinding::ForeignPreferred { host, preference, own_preference } => vec![
                ("host", Fact::text(host)),
                ("preference", Fact::Number(u64::from(*preference))),
                ("own_preference", Fact::Number(u64::from(*own_preference))),
            ],
            MxFinding::ForeignMx { hosts, rank } => {
                vec![("hosts", Fact::list(hosts)), ("rank", Fact::text(rank.as_str()))]
            }
            MxFinding::PreferenceDiffers { found, recommended } => {
                vec![("found", Fact::Number(u64::from(*found))), ("recommended", Fact::Number(u64::from(*recommended)))]
            }
            MxFinding::TooMany { count, looked_at } => {
                vec![("count", number(*count)), ("looked_at", number(*looked_at))]
            }
            MxFinding::Missing | MxFinding::ImplicitMx | MxFinding::NullMx | MxFinding::NullBesideOthers => Vec::new(),
        }
    }

    /// One of each.
    pub fn examples() -> Vec<MxFinding> {
        let name = |text: &str| Name::parse(text).unwrap_or_else(|_| Name::root());
        let bad = |fault| MxFinding::BadHost { host: name("mx1.example.com"), fault, decisive: true };
        vec![
            MxFinding::Missing,
            MxFinding::HostMissing { host: name("mx1.example.com"), beside_foreign: false },
            MxFinding::Unanswered { question: "example.com MX".to_owned(), outcome: "servfail" },
            MxFinding::ImplicitMx,
            MxFinding::NullMx,
            MxFinding::NullBesideOthers,
            bad(HostFault::Alias { target: name("mail.example.net") }),
            bad(HostFault::Literal),
            bad(HostFault::Unresolved),
            bad(HostFault::Private { addresses: vec![IpAddr::from([10, 0, 0, 1])] }),
            MxFinding::DocumentationAddress { host: name("mx1.example.com"), address: IpAddr::from([192, 0, 2, 25]) },
            MxFinding::ForeignPreferred { host: name("mx.example.net"), preference: 5, own_preference: 10 },
            MxFinding::ForeignMx { hosts: vec![name("mx.example.net")], rank: Rank::First },
            MxFinding::PreferenceDiffers { found: 20, recommended: 10 },
            MxFinding::TooMany { count: 40, looked_at: 20 },
        ]
    }
}
