//! Findings: what a judgement noticed, as data.
//!
//! Owns the codes, which never change once released, and their severity. One enum per purpose, one
//! file each; the English for people is made in [`words`] alone.

pub mod advice;
pub mod dkim;
pub mod dmarc;
pub mod mx;
pub mod ownership;
pub mod spf;
pub mod vantage;
pub mod words;
pub mod zone;

use crate::verify::finding::advice::AdviceFinding;
use crate::verify::finding::dkim::DkimFinding;
use crate::verify::finding::dmarc::DmarcFinding;
use crate::verify::finding::mx::MxFinding;
use crate::verify::finding::ownership::OwnershipFinding;
use crate::verify::finding::spf::SpfFinding;
use crate::verify::finding::vantage::VantageFinding;
use crate::verify::finding::zone::ZoneFinding;
use crate::verify::purpose::Purpose;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The record does not do, because of this.
    Error,
    /// Mail may suffer from this.
    Warning,
    /// Good to know.
    Notice,
}

impl Severity {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        }
    }
}

/// Something that a judgement noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// About the SPF record.
    Spf(SpfFinding),
    /// About a DKIM selector.
    Dkim(DkimFinding),
    /// About the DMARC policy.
    Dmarc(DmarcFinding),
    /// About the mail exchanges.
    Mx(MxFinding),
    /// About a zone, its servers, or a record in the wrong place.
    Zone(ZoneFinding),
    /// About what the servers of a zone say.
    Vantage(VantageFinding),
    /// About a record that nobody requires.
    Advice(AdviceFinding),
    /// About the record that proves whose the domain is.
    Ownership(OwnershipFinding),
}

impl Finding {
    /// The code: `<purpose>.<what>`. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            Finding::Spf(finding) => finding.code(),
            Finding::Dkim(finding) => finding.code(),
            Finding::Dmarc(finding) => finding.code(),
            Finding::Mx(finding) => finding.code(),
            Finding::Zone(finding) => finding.code(),
            Finding::Vantage(finding) => finding.code(),
            Finding::Advice(finding) => finding.code(),
            Finding::Ownership(finding) => finding.code(),
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Finding::Spf(finding) => finding.severity(),
            Finding::Dkim(finding) => finding.severity(),
            Finding::Dmarc(finding) => finding.severity(),
            Finding::Mx(finding) => finding.severity(),
            Finding::Zone(finding) => finding.severity(),
            Finding::Vantage(finding) => finding.severity(),
            Finding::Advice(finding) => finding.severity(),
            Finding::Ownership(finding) => finding.severity(),
        }
    }

    /// Which required record it is about.
    pub fn purpose(&self) -> Purpose {
        match self {
            Finding::Spf(_) => Purpose::Spf,
            Finding::Dkim(_) => Purpose::Dkim,
            Finding::Dmarc(_) => Purpose::Dmarc,
            Finding::Mx(_) => Purpose::Mx,
            Finding::Zone(finding) => finding.purpose(),
            Finding::Vantage(finding) => finding.purpose(),
            Finding::Advice(finding) => finding.purpose(),
            // About none of the four; like those about the zone, it is told with the first.
            Finding::Ownership(_) => Purpose::Spf,
        }
    }

    /// The facts that it rests on, by name, for programs and for the words.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            Finding::Spf(finding) => finding.facts(),
            Finding::Dkim(finding) => finding.facts(),
            Finding::Dmarc(finding) => finding.facts(),
            Finding::Mx(finding) => finding.facts(),
            Finding::Zone(finding) => finding.facts(),
            Finding::Vantage(finding) => finding.facts(),
            Finding::Advice(finding) => finding.facts(),
            Finding::Ownership(finding) => finding.facts(),
        }
    }

    /// One of each, for the documentation and for tests that want them all.
    pub fn examples() -> Vec<Finding> {
        let mut all: Vec<Finding> = SpfFinding::examples().into_iter().map(Finding::Spf).collect();
        all.extend(DkimFinding::examples().into_iter().map(Finding::Dkim));
        all.extend(DmarcFinding::examples().into_iter().map(Finding::Dmarc));
        all.extend(MxFinding::examples().into_iter().map(Finding::Mx));
        all.extend(ZoneFinding::examples().into_iter().map(Finding::Zone));
        all.extend(VantageFinding::examples().into_iter().map(Finding::Vantage));
        all.extend(AdviceFinding::examples().into_iter().map(Finding::Advice));
        all.extend(OwnershipFinding::examples().into_iter().map(Finding::Ownership));
        all
    }
}

/// One fact of a finding's evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A text; out of DNS it is hostile, and the reader escapes it.
    Text(String),
    /// A number; its unit is in the fact's name.
    Number(u64),
    /// Several texts.
    List(Vec<String>),
}

impl Fact {
    /// The text form of anything that has one.
    pub fn text(value: impl ToString) -> Fact {
        Fact::Text(value.to_string())
    }

    /// The text forms of several things.
    pub fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> Fact {
        Fact::List(values.into_iter().map(|value| value.to_string()).collect())
    }
}
