//! DMARC policy records (RFC 9989 §4.7, §4.8): from octets to what a reader gets out of them.
//!
//! Owns one question: *what does this record say?* Where records are looked for, and whether one is
//! strong enough, is judged in [`crate::verify::dmarc`].
//!
//! # Strictness
//!
//! `v=DMARC1` must stand first, to the letter; without it a text is no policy record at all. Behind
//! it, what cannot be read is discarded (RFC 9989 §4.8) and told as a [`Fault`]; a name that stands
//! twice spoils the whole record (RFC 6376 §3.2, whose syntax RFC 9989 §4.7 takes over).
//!
//! # Left out
//!
//! `pct`, `rf`, `ri` and the size behind a URI's `!` went with RFC 7489; they are only reported.

mod read;
pub mod uri;

use std::fmt;

pub use crate::protocol::dmarc::read::{Fault, NotDmarc, check_value, parse};
pub use crate::protocol::dmarc::uri::{ReportUri, UriFault};

/// What a receiver is asked to do with mail that fails. Ordered from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    None,
    /// Suspect it.
    Quarantine,
    /// Refuse it.
    Reject,
}

impl Policy {
    /// The word of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Policy::None => "none",
            Policy::Quarantine => "quarantine",
            Policy::Reject => "reject",
        }
    }

    /// Reads the word, in any case. RFC 9989 §4.8.
    pub fn parse(text: &str) -> Option<Policy> {
        [Policy::None, Policy::Quarantine, Policy::Reject].into_iter().find(|p| p.as_str().eq_ignore_ascii_case(text))
    }

    /// The policy one level below, which `t=y` asks for. RFC 9989 §4.7.
    pub const fn one_below(self) -> Policy {
        match self {
            Policy::None | Policy::Quarantine => Policy::None,
            Policy::Reject => Policy::Quarantine,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How alike two domains must be to count as one. RFC 9989 §4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alignment {
    /// `r`: the same organizational domain.
    Relaxed,
    /// `s`: the same name.
    Strict,
}

impl Alignment {
    /// The letter of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Alignment::Relaxed => "r",
            Alignment::Strict => "s",
        }
    }
}

/// Whether the domain is a public suffix. RFC 9989 §4.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Psd {
    /// `y`: it is.
    Yes,
    /// `n`: it is not, and is the organizational domain of all below.
    No,
    /// `u`: the tree walk tells.
    Undeclared,
}

impl Psd {
    /// The letter of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Psd::Yes => "y",
            Psd::No => "n",
            Psd::Undeclared => "u",
        }
    }
}

/// A policy record: the tags that could be read. Nothing where a tag is absent or was discarded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DmarcRecord {
    /// `p`: the policy for the domain itself.
    pub policy: Option<Policy>,
    /// `sp`: the policy for names below it that exist.
    pub subdomain_policy: Option<Policy>,
    /// `np`: the policy for names below it that do not exist.
    pub nonexistent_policy: Option<Policy>,
    /// `t`: whether the policy is only being tested.
    pub testing: Option<bool>,
    /// `psd`: whether the domain is a public suffix.
    pub psd: Option<Psd>,
    /// `adkim`: how DKIM domains must align.
    pub dkim_alignment: Option<Alignment>,
    /// `aspf`: how SPF domains must align.
    pub spf_alignment: Option<Alignment>,
    /// `fo`: when failure reports are wanted, as letters out of `0 1 d s`.
    pub failure_options: Vec<char>,
    /// `rua`: where aggregate reports go.
    pub aggregate_reports: Vec<ReportUri>,
    /// `ruf`: where failure reports go.
    pub failure_reports: Vec<ReportUri>,
    /// Other tags, kept as they are written: unknown ones, and those that RFC 9989 removed.
    pub others: Vec<(String, String)>,
}

impl DmarcRecord {
    /// The record that only asks for reports, or not even that.
    pub fn of_policy(policy: Policy) -> DmarcRecord {
        DmarcRecord { policy: Some(policy), ..DmarcRecord::default() }
    }

    /// The record's text.
    pub fn render(&self) -> String {
        let mut text = "v=DMARC1".to_owned();
        let mut push = |name: &str, value: &str| text.push_str(&format!("; {name}={value}"));
        let policies = [("p", self.policy), ("sp", self.subdomain_policy), ("np", self.nonexistent_policy)];
        for (name, policy) in policies {
            if let Some(policy) = policy {
                push(name, policy.as_str());
            }
        }
        if let Some(testing) = self.testing {
            push("t", if testing { "y" } else { "n" });
        }
        if let Some(psd) = self.psd {
            push("psd", psd.as_str());
        }
        for (name, alignment) in [("adkim", self.dkim_alignment), ("aspf", self.spf_alignment)] {
            if let Some(alignment) = alignment {
                push(name, alignment.as_str());
            }
        }
        if !self.failure_options.is_empty() {
            let letters: Vec<String> = self.failure_options.iter().map(char::to_string).collect();
            push("fo", &letters.join(":"));
        }
        for (name, uris) in [("rua", &self.aggregate_reports), ("ruf", &self.failure_reports)] {
            if !uris.is_empty() {
                let uris: Vec<String> = uris.iter().map(ReportUri::to_string).collect();
                push(name, &uris.join(","));
            }
        }
        for (name, value) in &self.others {
            push(name, value);
        }
        text
    }
}

/// A text that is a policy record, read as far as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedRecord {
    /// What could be read.
    pub record: DmarcRecord,
    /// Every tag as it is written, in order, `v` included.
    pub tags: Vec<(String, String)>,
    /// What is wrong with it, in order.
    pub faults: Vec<Fault>,
}

impl ParsedRecord {
    /// What a reader does with the record, defaults filled in, or nothing: then no DMARC is applied. RFC 9989 §4.10.1.
    pub fn effective(&self) -> Option<Effective> {
        if self.faults.iter().any(|fault| matches!(fault, Fault::Duplicate { .. })) {
            return None;
        }
        let record = &self.record;
        let bad_policy = self
            .faults
            .iter()
            .any(|fault| matches!(fault, Fault::BadValue { tag, .. } if matches!(tag.as_str(), "p" | "sp" | "np")));
        let (policy, subdomain, nonexistent, assumed) = match record.policy {
            Some(policy) if !bad_policy => (policy, record.subdomain_policy, record.nonexistent_policy, false),
            // Without a usable `p` the record still asks for reports, if it does, and counts as `p=none`.
            _ if record.aggregate_reports.is_empty() => return None,
            None if !bad_policy => (Policy::None, record.subdomain_policy, record.nonexistent_policy, true),
            _ => (Policy::None, None, None, true),
        };
        let subdomain_policy = subdomain.unwrap_or(policy);
        Some(Effective {
            policy,
            subdomain_policy,
            nonexistent_policy: nonexistent.unwrap_or(subdomain_policy),
            assumed,
            testing: record.testing.unwrap_or(false),
            psd: record.psd.unwrap_or(Psd::Undeclared),
            dkim_alignment: record.dkim_alignment.unwrap_or(Alignment::Relaxed),
            spf_alignment: record.spf_alignment.unwrap_or(Alignment::Relaxed),
        })
    }

    /// What `psd` says, which counts even where the policy does not. RFC 9989 §4.10.
    pub fn psd(&self) -> Psd {
        self.record.psd.unwrap_or(Psd::Undeclared)
    }
}

/// What a record comes to, defaults filled in. `t=y` is not yet applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective {
    /// For the domain itself.
    pub policy: Policy,
    /// For names below that exist.
    pub subdomain_policy: Policy,
    /// For names below that do not exist.
    pub nonexistent_policy: Policy,
    /// The policies are not the record's own: without a usable `p`, but with `rua`, it counts as `p=none`.
    pub assumed: bool,
    /// Whether every policy is to be applied one level lower.
    pub testing: bool,
    /// Whether the domain is a public suffix.
    pub psd: Psd,
    /// How DKIM domains must align.
    pub dkim_alignment: Alignment,
    /// How SPF domains must align.
    pub spf_alignment: Alignment,
}

impl Effective {
    /// A policy of this record as it is to be applied. RFC 9989 §4.7, tag `t`.
    pub const fn applied(&self, policy: Policy) -> Policy {
        if self.testing { policy.one_below() } else { policy }
    }
}
