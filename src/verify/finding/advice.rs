//! Advice: records that nobody requires of a sender, and that are worth having. Never touches a flag.

use crate::protocol::name::Name;
use crate::verify::finding::{Fact, Severity};
use crate::verify::purpose::Purpose;

/// The records that advice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AdvisedRecord {
    /// RFC 8461.
    MtaSts,
    /// RFC 8460.
    TlsRpt,
    /// The BIMI draft.
    Bimi,
}

impl AdvisedRecord {
    /// All of them.
    pub const ALL: [AdvisedRecord; 3] = [AdvisedRecord::MtaSts, AdvisedRecord::TlsRpt, AdvisedRecord::Bimi];

    /// The prefix of its codes, and its kind in `sendready lint`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AdvisedRecord::MtaSts => "mta-sts",
            AdvisedRecord::TlsRpt => "tls-rpt",
            AdvisedRecord::Bimi => "bimi",
        }
    }
}

/// What was noticed about such a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdviceFinding {
    /// There is none.
    Missing {
        /// Which record.
        record: AdvisedRecord,
        /// Where it would stand.
        at: Name,
    },
    /// There are several, so that readers use none.
    Several {
        /// Which record.
        record: AdvisedRecord,
        /// Where they stand.
        at: Name,
        /// How many.
        count: usize,
    },
    /// It breaks its standard.
    Broken {
        /// Which record.
        record: AdvisedRecord,
        /// Where it stands.
        at: Name,
        /// Which rule, in words.
        rule: String,
    },
    /// A BIMI record without a DMARC policy that enforces.
    BimiUnenforced {
        /// Where the BIMI record stands.
        at: Name,
    },
}

impl AdviceFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        use AdvisedRecord::{Bimi, MtaSts, TlsRpt};
        match self {
            AdviceFinding::Missing { record: MtaSts, .. } => "mta-sts.missing",
            AdviceFinding::Missing { record: TlsRpt, .. } => "tls-rpt.missing",
            AdviceFinding::Missing { record: Bimi, .. } => "bimi.missing",
            AdviceFinding::Several { record: MtaSts, .. } => "mta-sts.several-records",
            AdviceFinding::Several { record: TlsRpt, .. } => "tls-rpt.several-records",
            AdviceFinding::Several { record: Bimi, .. } => "bimi.several-records",
            AdviceFinding::Broken { record: MtaSts, .. } => "mta-sts.syntax",
            AdviceFinding::Broken { record: TlsRpt, .. } => "tls-rpt.syntax",
            AdviceFinding::Broken { record: Bimi, .. } => "bimi.syntax",
            AdviceFinding::BimiUnenforced { .. } => "bimi.dmarc-not-enforced",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            AdviceFinding::Missing { .. } => Severity::Notice,
            _ => Severity::Warning,
        }
    }

    /// Which required record it is nearest to.
    pub fn purpose(&self) -> Purpose {
        match self {
            AdviceFinding::Missing { record, .. }
            | AdviceFinding::Several { record, .. }
            | AdviceFinding::Broken { record, .. } => match record {
                AdvisedRecord::MtaSts | AdvisedRecord::TlsRpt => Purpose::Mx,
                AdvisedRecord::Bimi => Purpose::Dmarc,
            },
            AdviceFinding::BimiUnenforced { .. } => Purpose::Dmarc,
        }
    }

    /// Where the record stands, or would stand.
    pub fn at(&self) -> &Name {
        match self {
            AdviceFinding::Missing { at, .. }
            | AdviceFinding::Several { at, .. }
            | AdviceFinding::Broken { at, .. }
            | AdviceFinding::BimiUnenforced { at } => at,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        let mut facts = vec![("at", Fact::text(self.at()))];
        match self {
            AdviceFinding::Several { count, .. } => facts.push(("count", Fact::Number(*count as u64))),
            AdviceFinding::Broken { rule, .. } => facts.push(("rule", Fact::text(rule))),
            _ => {}
        }
        facts
    }

    /// One of each code.
    pub fn examples() -> Vec<AdviceFinding> {
        let at = |text: &str| Name::parse(text).unwrap_or_else(|_| Name::root());
        let mut all = Vec::new();
        for (record, name) in [
            (AdvisedRecord::MtaSts, "_mta-sts.example.com"),
            (AdvisedRecord::TlsRpt, "_smtp._tls.example.com"),
            (AdvisedRecord::Bimi, "default._bimi.example.com"),
        ] {
            all.push(AdviceFinding::Missing { record, at: at(name) });
            all.push(AdviceFinding::Several { record, at: at(name), count: 2 });
            all.push(AdviceFinding::Broken { record, at: at(name), rule: "the version is missing".to_owned() });
        }
        all.push(AdviceFinding::BimiUnenforced { at: at("default._bimi.example.com") });
        all
    }
}
