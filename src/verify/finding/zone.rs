//! Findings about a zone, its servers, and records in the wrong place.

use crate::protocol::name::Name;
use crate::verify::evidence::Question;
use crate::verify::finding::{Fact, Severity};
use crate::verify::purpose::Purpose;

/// What was noticed about the zone around a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneFinding {
    /// The record stands at another name, in a way that people's panels bring about.
    Misplaced {
        /// What the record is for.
        purpose: Purpose,
        /// In which way.
        how: Misplacement,
        /// Where it stands.
        at: Name,
    },
    /// A target lost its trailing dot, so that the zone was added to it.
    TargetDoubled {
        /// What the record is for.
        purpose: Purpose,
        /// What the record points to.
        found: Name,
        /// What it was to point to.
        expected: Name,
    },
    /// The name of a CNAME's target stands in a TXT record.
    CnameAsText {
        /// The text found.
        found: String,
        /// What the CNAME was to point to.
        expected: Name,
    },
    /// The zone is signed, and a recursive server found the signatures right.
    DnssecSecure {
        /// The zone.
        zone: Name,
    },
    /// No recursive server vouches for the zone: it is not signed, or nobody looked.
    DnssecInsecure {
        /// The zone.
        zone: Name,
    },
    /// A recursive server refuses what the zone answers, for its signatures are wrong. RFC 4033 §5.
    DnssecBogus {
        /// The zone.
        zone: Name,
        /// Questions that were refused; a few of them.
        questions: Vec<Question>,
        /// Why, in the servers' own words (RFC 8914); empty where they do not tell. Out of DNS: hostile.
        reasons: Vec<String>,
    },
    /// Nothing says what the domain's records must hold: it came by SQL, and its provider has no profile.
    RequirementsMissing {
        /// The provider.
        provider: String,
    },
}

/// Ways of putting a record at the wrong name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Misplacement {
    /// The panel added the zone to a full name: `_dmarc.example.com.example.com`.
    HostDoubled,
    /// At the domain itself instead of below it.
    Apex,
    /// The underscore was left out: `dmarc`, `s1.domainkey`.
    UnderscoreLost,
    /// `_domainkey` was left out.
    DomainkeyLost,
}

impl Misplacement {
    /// Every way.
    pub const ALL: [Misplacement; 4] =
        [Misplacement::HostDoubled, Misplacement::Apex, Misplacement::UnderscoreLost, Misplacement::DomainkeyLost];
}

impl ZoneFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            ZoneFinding::Misplaced { purpose, how, .. } => misplaced_code(*purpose, *how),
            ZoneFinding::TargetDoubled { purpose: Purpose::Mx, .. } => "mx.target-doubled",
            ZoneFinding::TargetDoubled { .. } => "dkim.target-doubled",
            ZoneFinding::CnameAsText { .. } => "dkim.cname-as-text",
            ZoneFinding::DnssecSecure { .. } => "dnssec.secure",
            ZoneFinding::DnssecInsecure { .. } => "dnssec.insecure",
            ZoneFinding::DnssecBogus { .. } => "dnssec.bogus",
            ZoneFinding::RequirementsMissing { .. } => "requirements.missing",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            ZoneFinding::RequirementsMissing { .. } => Severity::Warning,
            ZoneFinding::DnssecSecure { .. } | ZoneFinding::DnssecInsecure { .. } => Severity::Notice,
            ZoneFinding::Misplaced { .. }
            | ZoneFinding::TargetDoubled { .. }
            | ZoneFinding::CnameAsText { .. }
            | ZoneFinding::DnssecBogus { .. } => Severity::Error,
        }
    }

    /// Which required record it is about.
    ///
    /// A finding about the zone itself is about all of them; it is told with the first, SPF.
    pub fn purpose(&self) -> Purpose {
        match self {
            ZoneFinding::DnssecSecure { .. } | ZoneFinding::DnssecInsecure { .. } | ZoneFinding::DnssecBogus { .. } => {
                Purpose::Spf
            }
            ZoneFinding::Misplaced { purpose, .. } | ZoneFinding::TargetDoubled { purpose, .. } => *purpose,
            ZoneFinding::CnameAsText { .. } | ZoneFinding::RequirementsMissing { .. } => Purpose::Dkim,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            ZoneFinding::Misplaced { at, .. } => vec![("at", Fact::text(at))],
            ZoneFinding::TargetDoubled { found, expected, .. } => {
                vec![("found", Fact::text(found)), ("expected", Fact::text(expected))]
            }
            ZoneFinding::CnameAsText { found, expected } => {
                vec![("found", Fact::text(found)), ("expected", Fact::text(expected))]
            }
            ZoneFinding::DnssecSecure { zone } | ZoneFinding::DnssecInsecure { zone } => {
                vec![("zone", Fact::text(zone))]
            }
            ZoneFinding::DnssecBogus { zone, questions, reasons } => {
                let mut facts = vec![("zone", Fact::text(zone)), ("questions", Fact::list(questions))];
                if !reasons.is_empty() {
                    facts.push(("reasons", Fact::list(reasons)));
                }
                facts
            }
            ZoneFinding::RequirementsMissing { provider } => vec![("provider", Fact::text(provider))],
        }
    }

    /// One of each code.
    pub fn examples() -> Vec<ZoneFinding> {
        let name = |text: &str| Name::parse(text).unwrap_or_else(|_| Name::root());
        let misplaced = |purpose, how, at: &str| ZoneFinding::Misplaced { purpose, how, at: name(at) };
        vec![
            misplaced(Purpose::Spf, Misplacement::HostDoubled, "example.com.example.com"),
            misplaced(Purpose::Dkim, Misplacement::HostDoubled, "s1._domainkey.example.com.example.com"),
            misplaced(Purpose::Dmarc, Misplacement::HostDoubled, "_dmarc.example.com.example.com"),
            misplaced(Purpose::Mx, Misplacement::HostDoubled, "example.com.example.com"),
            misplaced(Purpose::Dkim, Misplacement::Apex, "example.com"),
            misplaced(Purpose::Dmarc, Misplacement::Apex, "example.com"),
            misplaced(Purpose::Dkim, Misplacement::UnderscoreLost, "s1.domainkey.example.com"),
            misplaced(Purpose::Dmarc, Misplacement::UnderscoreLost, "dmarc.example.com"),
            misplaced(Purpose::Dkim, Misplacement::DomainkeyLost, "s1.example.com"),
            ZoneFinding::TargetDoubled {
                purpose: Purpose::Dkim,
                found: name("s1.dkim.example.net.example.com"),
                expected: name("s1.dkim.example.net"),
            },
            ZoneFinding::TargetDoubled {
                purpose: Purpose::Mx,
                found: name("mx.example.net.example.com"),
                expected: name("mx.example.net"),
            },
            ZoneFinding::CnameAsText {
                found: "s1.dkim.example.net.".to_owned(),
                expected: name("s1.dkim.example.net"),
            },
            ZoneFinding::DnssecSecure { zone: name("example.com") },
            ZoneFinding::DnssecInsecure { zone: name("example.com") },
            ZoneFinding::DnssecBogus {
                zone: name("example.com"),
                questions: vec![Question::txt(&name("example.com"))],
                reasons: vec!["Signature Expired (code 7)".to_owned()],
            },
            ZoneFinding::RequirementsMissing { provider: "infraforge".to_owned() },
        ]
    }
}

/// Not every record can be misplaced in every way; the probes only make those that can.
fn misplaced_code(purpose: Purpose, how: Misplacement) -> &'static str {
    match (purpose, how) {
        (Purpose::Spf, Misplacement::HostDoubled) => "spf.host-doubled",
        (Purpose::Mx, Misplacement::HostDoubled) => "mx.host-doubled",
        (Purpose::Dkim, Misplacement::HostDoubled) => "dkim.host-doubled",
        (Purpose::Dmarc, Misplacement::HostDoubled) => "dmarc.host-doubled",
        (Purpose::Dkim, Misplacement::Apex) => "dkim.at-apex",
        (Purpose::Dmarc, Misplacement::Apex) => "dmarc.at-apex",
        (Purpose::Dkim, Misplacement::UnderscoreLost) => "dkim.underscore-lost",
        (Purpose::Dmarc, Misplacement::UnderscoreLost) => "dmarc.underscore-lost",
        (Purpose::Dkim, Misplacement::DomainkeyLost) => "dkim.domainkey-lost",
        (Purpose::Spf, _) => "spf.misplaced",
        (Purpose::Mx, _) => "mx.misplaced",
        (Purpose::Dmarc, Misplacement::DomainkeyLost) => "dmarc.misplaced",
    }
}
