//! English for findings: what is wrong, and what to do about it.
//!
//! The only place where a judgement becomes sentences. Every fix names the host field as the person
//! at the panel sees it and the full name beside it; none says only "invalid".

mod advice;
mod dkim;
mod dmarc;
mod mx;
mod ownership;
mod spf;
mod vantage;
mod zone;

use crate::protocol::master_file;
use crate::protocol::name::Name;
use crate::verify::evidence::RecordType;
use crate::verify::finding::Finding;
use crate::verify::report::{DnsProvider, RecordReport, Report};
use crate::verify::zone::providers::{TextHabit, text_habit};

/// Where a record is edited: the panel of a zone, and the field in it.
#[derive(Debug, Clone)]
pub struct Place<'r> {
    /// The zone whose panel it is.
    pub zone: &'r Name,
    /// The record's full name.
    pub name: &'r Name,
    /// The record's type.
    pub record_type: RecordType,
    /// The value to paste there, where there is one, as DNS is to hold it; [`Place::pasted`] is what the panel wants.
    pub value: Option<&'r str>,
    /// The MX preference.
    pub priority: Option<u16>,
    /// Who runs the panel, where that is known.
    pub provider: Option<&'r DnsProvider>,
}

impl<'r> Place<'r> {
    /// The place of one record of a report.
    pub fn of(report: &'r Report, record: &'r RecordReport) -> Place<'r> {
        Place {
            zone: &report.zone,
            name: &record.name,
            record_type: record.record_type,
            value: record.value.as_deref(),
            priority: record.priority,
            provider: report.dns_provider.as_ref(),
        }
    }

    /// What goes into the host field: relative to the zone, `@` for the zone itself.
    pub fn host(&self) -> String {
        self.name.relative_to(self.zone).unwrap_or_else(|| self.name.to_string())
    }

    /// The host field, the full name and, where it is known, the panel, as the fixes say it.
    ///
    /// A zone that is the root stands for one that nobody told; then there is only the host field.
    pub fn field(&self) -> String {
        if self.zone.label_count() == 0 {
            return format!("`{}`", self.host());
        }
        let panel = match self.provider {
            Some(DnsProvider { name, panel_url: Some(url) }) => format!("; the zone is at {name}, {url}"),
            Some(DnsProvider { name, panel_url: None }) => format!("; the zone is at {name}"),
            None => String::new(),
        };
        format!("`{}` (the full name is {}{panel})", self.host(), self.name)
    }

    /// The value as this panel's field wants it, between backticks: a text with or without quotes of its own.
    pub fn pasted(&self) -> Option<String> {
        let value = self.value?;
        Some(match self.quoting_provider() {
            Some(_) => format!("`{}`", master_file::txt(value.as_bytes())),
            None => format!("`{value}`"),
        })
    }

    /// How to paste a text here: the end of a sentence that has shown it.
    pub fn manner(&self) -> String {
        match self.quoting_provider() {
            Some(provider) => format!("quotation marks included, for {provider} wants each string in its own"),
            None => "without any quotation marks around it".to_owned(),
        }
    }

    /// Whether a text goes in as one piece, which the panel cuts into strings by itself.
    pub fn is_unquoted(&self) -> bool {
        self.quoting_provider().is_none()
    }

    /// Who wants the quotation marks of a text to be typed, where that is so.
    fn quoting_provider(&self) -> Option<&'r str> {
        let provider = self.provider.filter(|_| self.record_type == RecordType::Txt)?;
        (text_habit(&provider.name) == TextHabit::Quoted).then_some(provider.name.as_str())
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
        Finding::Ownership(finding) => ownership::message(finding),
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
        Finding::Ownership(finding) => ownership::fix(finding, place),
    }
}
