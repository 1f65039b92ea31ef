//! English for findings: what is wrong, and what to do about it.
//!
//! The only place where a judgement becomes sentences. Every fix names the host field as the person
//! at the panel sees it and the full name beside it; none says only "invalid".

mod advice;
mod dkim;
mod dmarc;
mod mx;
mod spf;
mod vantage;
mod zone;

use crate::protocol::name::Name;
use crate::verify::finding::Finding;
use crate::verify::report::{DnsProvider, RecordReport, Report};

/// Where a record is edited: the panel of a zone, and the field in it.
#[derive(Debug, Clone)]
pub struct Place<'r> {
    /// The zone whose panel it is.
    pub zone: &'r Name,
    /// The record's full name.
    pub name: &'r Name,
    /// The value to paste there, where there is one.
    pub value: Option<&'r str>,
    /// Who runs the panel, where that is known.
    pub provider: Option<&'r DnsProvider>,
}

impl<'r> Place<'r> {
    /// The place of one record of a report.
    pub fn of(report: &'r Report, record: &'r RecordReport) -> Place<'r> {
        Place {
            zone: &report.zone,
            name: &record.name,
            value: record.value.as_deref(),
            provider: report.dns_provider.as_ref(),
        }
    }

    /// What goes into the host field: relative to the zone, `@` for the zone itself.
    pub fn host(&self) -> String {
        self.name.relative_to(self.zone).unwrap_or_else(|| self.name.to_string())
    }

    /// The host field and the full name, as the fixes say it: `` `_dmarc` (that is, _dmarc.example.com) ``.
    pub fn field(&self) -> String {
        format!("`{}` (the full name is {})", self.host(), self.name)
    }
}

/// What is wrong, in one or two sentences.
pub fn message(finding: &Finding) -> String {
    match finding {
        Finding::Spf(finding) => spf::message(finding),
        Finding::Dkim(finding) => dkim::message(finding),
        Finding::Dmarc(finding) => dmarc::message(finding),
        Finding::Mx(finding) => mx::message(finding),
        Finding::Zone(finding) => zone::message(finding),
        Finding::Vantage(finding) => vantage::message(finding),
        Finding::Advice(finding) => advice::message(finding),
    }
}

/// What to do about it, at the panel where `place` is edited.
pub fn fix(finding: &Finding, place: &Place<'_>) -> String {
    match finding {
        Finding::Spf(finding) => spf::fix(finding, place),
        Finding::Dkim(finding) => dkim::fix(finding, place),
        Finding::Dmarc(finding) => dmarc::fix(finding, place),
        Finding::Mx(finding) => mx::fix(finding, place),
        Finding::Zone(finding) => zone::fix(finding, place),
        Finding::Vantage(finding) => vantage::fix(finding, place),
        Finding::Advice(finding) => advice::fix(finding, place),
    }
}
