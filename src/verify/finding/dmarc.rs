//! Findings about DMARC policies.

use crate::protocol::dmarc::Policy;
use crate::protocol::name::Name;
use crate::verify::finding::{Fact, Severity};

/// What a judgement of DMARC noticed. Texts in it are cut and escaped already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DmarcFinding {
    /// No policy applies to the domain.
    Missing,
    /// Nobody could tell.
    Unanswered {
        /// The names that gave no usable answer.
        names: Vec<Name>,
    },
    /// Several policy records at one name; all of them are discarded.
    Several {
        /// The name.
        at: Name,
        /// How many.
        count: usize,
        /// Whether a policy from higher up applies all the same.
        covered: bool,
    },
    /// A text that was meant as a policy record, but is none.
    NotARecord {
        /// The text.
        text: String,
        /// Why.
        why: String,
        /// Whether another policy applies all the same.
        covered: bool,
    },
    /// Quotes or backslashes of a master file inside the value.
    Quotes {
        /// The text.
        text: String,
        /// Whether another policy applies all the same.
        covered: bool,
    },
    /// Typographic characters inside the value.
    SmartQuotes {
        /// The text.
        text: String,
    },
    /// Texts that have nothing to do with DMARC.
    ForeignText {
        /// The texts.
        texts: Vec<String>,
    },
    /// A policy record from which no reader gets a policy.
    NoPolicy {
        /// Where it stands, where it stands in DNS.
        at: Option<Name>,
    },
    /// A value that breaks the tag's rule.
    BadValue {
        /// The tag.
        tag: String,
        /// The value.
        value: String,
        /// Whether the policy is lost for it.
        fatal: bool,
    },
    /// A URI to report to that is none.
    BadUri {
        /// The tag.
        tag: String,
        /// The URI.
        uri: String,
        /// Which rule it breaks.
        why: String,
    },
    /// A tag that stands there twice.
    Duplicate {
        /// The tag.
        tag: String,
    },
    /// Something between two semicolons is no tag.
    Malformed {
        /// What stands there; empty for two semicolons in a row.
        text: String,
    },
    /// A tag that nobody knows.
    UnknownTag {
        /// The tag.
        tag: String,
    },
    /// A tag that RFC 9989 removed.
    RemovedTag {
        /// The tag.
        tag: String,
    },
    /// A tag's name in capitals.
    Capitals {
        /// The tag.
        tag: String,
    },
    /// A size limit behind a URI.
    UriSize {
        /// The tag.
        tag: String,
    },
    /// No usable `p`, so that the record counts as `p=none`.
    PolicyAssumed,
    /// `p` does not stand right behind `v`.
    PolicyLate,
    /// No `rua`.
    NoReports,
    /// `fo` without `ruf`.
    FoWithoutRuf,
    /// `t=y`.
    TestMode {
        /// The policy that is applied because of it.
        applied: Policy,
    },
    /// `psd=y`.
    PublicSuffix,
    /// Subdomains have a weaker policy than the domain.
    SubdomainsWeaker {
        /// The tag that says so.
        tag: &'static str,
        /// The weaker policy.
        policy: Policy,
    },
    /// The policy asks for nothing.
    PolicyNone,
    /// The policy that applies is weaker than required.
    TooWeak {
        /// What is required.
        required: Policy,
        /// What applies.
        effective: Policy,
        /// Where that comes from.
        at: Name,
        /// Whether something of the domain's own must give way.
        replaces: bool,
    },
    /// Reports do not go where they must.
    ReportsMissing {
        /// Where they must go, too.
        uris: Vec<String>,
        /// Whether something of the domain's own must give way.
        replaces: bool,
    },
    /// The policy comes from a name higher up.
    Inherited {
        /// Where it stands.
        at: Name,
    },
    /// Somebody else's domain is to receive reports, and has not agreed.
    ReportUnauthorised {
        /// The domain that is to receive them.
        destination: Name,
        /// The name of the record with which it would agree.
        at: Name,
    },
}

impl DmarcFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            DmarcFinding::Missing => "dmarc.missing",
            DmarcFinding::Unanswered { .. } => "dmarc.unanswered",
            DmarcFinding::Several { .. } => "dmarc.several",
            DmarcFinding::NotARecord { .. } => "dmarc.not-a-record",
            DmarcFinding::Quotes { .. } => "dmarc.quotes",
            DmarcFinding::SmartQuotes { .. } => "dmarc.smart-quotes",
            DmarcFinding::ForeignText { .. } => "dmarc.foreign-text",
            DmarcFinding::NoPolicy { .. } => "dmarc.no-policy",
            DmarcFinding::BadValue { .. } => "dmarc.bad-value",
            DmarcFinding::BadUri { .. } => "dmarc.bad-uri",
            DmarcFinding::Duplicate { .. } => "dmarc.duplicate-tag",
            DmarcFinding::Malformed { .. } => "dmarc.malformed",
            DmarcFinding::UnknownTag { .. } => "dmarc.unknown-tag",
            DmarcFinding::RemovedTag { .. } => "dmarc.removed-tag",
            DmarcFinding::Capitals { .. } => "dmarc.capitals",
            DmarcFinding::UriSize { .. } => "dmarc.uri-size",
            DmarcFinding::PolicyAssumed => "dmarc.policy-assumed",
            DmarcFinding::PolicyLate => "dmarc.policy-late",
            DmarcFinding::NoReports => "dmarc.no-reports",
            DmarcFinding::FoWithoutRuf => "dmarc.fo-without-ruf",
            DmarcFinding::TestMode { .. } => "dmarc.test-mode",
            DmarcFinding::PublicSuffix => "dmarc.public-suffix",
            DmarcFinding::SubdomainsWeaker { .. } => "dmarc.subdomains-weaker",
            DmarcFinding::PolicyNone => "dmarc.policy-none",
            DmarcFinding::TooWeak { .. } => "dmarc.too-weak",
            DmarcFinding::ReportsMissing { .. } => "dmarc.reports-missing",
            DmarcFinding::Inherited { .. } => "dmarc.inherited",
            DmarcFinding::ReportUnauthorised { .. } => "dmarc.report-unauthorised",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            DmarcFinding::Several { covered, .. }
            | DmarcFinding::NotARecord { covered, .. }
            | DmarcFinding::Quotes { covered, .. }
                if *covered =>
            {
                Severity::Warning
            }
            DmarcFinding::BadValue { fatal, .. } if !fatal => Severity::Warning,
            DmarcFinding::Missing
            | DmarcFinding::Several { .. }
            | DmarcFinding::NotARecord { .. }
            | DmarcFinding::Quotes { .. }
            | DmarcFinding::SmartQuotes { .. }
            | DmarcFinding::NoPolicy { .. }
            | DmarcFinding::BadValue { .. }
            | DmarcFinding::Duplicate { .. }
            | DmarcFinding::TooWeak { .. }
            | DmarcFinding::ReportsMissing { .. } => Severity::Error,
            DmarcFinding::Unanswered { .. }
            | DmarcFinding::ForeignText { .. }
            | DmarcFinding::BadUri { .. }
            | DmarcFinding::Malformed { .. }
            | DmarcFinding::Capitals { .. }
            | DmarcFinding::PolicyAssumed
            | DmarcFinding::TestMode { .. }
            | DmarcFinding::PublicSuffix
            | DmarcFinding::SubdomainsWeaker { .. }
            | DmarcFinding::ReportUnauthorised { .. } => Severity::Warning,
            DmarcFinding::UnknownTag { .. }
            | DmarcFinding::RemovedTag { .. }
            | DmarcFinding::UriSize { .. }
            | DmarcFinding::PolicyLate
            | DmarcFinding::NoReports
            | DmarcFinding::FoWithoutRuf
            | DmarcFinding::PolicyNone
            | DmarcFinding::Inherited { .. } => Severity::Notice,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            DmarcFinding::Unanswered { names } => vec![("names", Fact::list(names))],
            DmarcFinding::Several { at, count, .. } => {
                vec![("at", Fact::text(at)), ("count", Fact::Number(u64::try_from(*count).unwrap_or(u64::MAX)))]
            }
            DmarcFinding::NotARecord { text, why, .. } => vec![("text", Fact::text(text)), ("why", Fact::text(why))],
            DmarcFinding::Quotes { text, .. }
            | DmarcFinding::SmartQuotes { text }
            | DmarcFinding::Malformed { text } => {
                vec![("text", Fact::text(text))]
            }
            DmarcFinding::ForeignText { texts } => vec![("texts", Fact::list(texts))],
            DmarcFinding::NoPolicy { at: Some(at) } | DmarcFinding::Inherited { at } => vec![("at", Fact::text(at))],
            DmarcFinding::BadValue { tag, value, .. } => vec![("tag", Fact::text(tag)), ("value", Fact::text(value))],
            DmarcFinding::BadUri { tag, uri, why } => {
                vec![("tag", Fact::text(tag)), ("uri", Fact::text(uri)), ("why", Fact::text(why))]
            }
            DmarcFinding::Duplicate { tag }
            | DmarcFinding::UnknownTag { tag }
            | DmarcFinding::RemovedTag { tag }
            | DmarcFinding::Capitals { tag }
            | DmarcFinding::UriSize { tag } => vec![("tag", Fact::text(tag))],
            DmarcFinding::TestMode { applied } => vec![("applied", Fact::text(applied))],
            DmarcFinding::SubdomainsWeaker { tag, policy } => {
                vec![("tag", Fact::text(tag)), ("policy", Fact::text(policy))]
            }
            DmarcFinding::TooWeak { required, effective, at, .. } => {
                vec![("required", Fact::text(required)), ("effective", Fact::text(effective)), ("at", Fact::text(at))]
            }
            DmarcFinding::ReportsMissing { uris, .. } => vec![("uris", Fact::list(uris))],
            DmarcFinding::ReportUnauthorised { destination, at } => {
                vec![("destination", Fact::text(destination)), ("at", Fact::text(at))]
            }
            DmarcFinding::Missing
            | DmarcFinding::NoPolicy { at: None }
            | DmarcFinding::PolicyAssumed
            | DmarcFinding::PolicyLate
            | DmarcFinding::NoReports
            | DmarcFinding::FoWithoutRuf
            | DmarcFinding::PublicSuffix
            | DmarcFinding::PolicyNone => Vec::new(),
        }
    }

    /// One of each.
    pub fn examples() -> Vec<DmarcFinding> {
        let name = |text: &str| Name::parse(text).unwrap_or_else(|_| Name::root());
        let at = || name("_dmarc.example.com");
        let tag = |tag: &str| tag.to_owned();
        vec![
            DmarcFinding::Missing,
            DmarcFinding::Unanswered { names: vec![at()] },
            DmarcFinding::Several { at: at(), count: 2, covered: false },
            DmarcFinding::NotARecord {
                text: "v=dmarc1; p=none".to_owned(),
                why: "the version is `dmarc1`".to_owned(),
                covered: false,
            },
            DmarcFinding::Quotes { text: "v=DMARC1\\; p=none\\;".to_owned(), covered: false },
            DmarcFinding::SmartQuotes { text: "\\226\\128\\156v=DMARC1; p=none".to_owned() },
            DmarcFinding::ForeignText { texts: vec!["v=spf1 -all".to_owned()] },
            DmarcFinding::NoPolicy { at: Some(at()) },
            DmarcFinding::BadValue { tag: tag("p"), value: "rejct".to_owned(), fatal: true },
            DmarcFinding::BadUri {
                tag: tag("rua"),
                uri: "me@example.com".to_owned(),
                why: "it has no scheme such as `mailto:` before it".to_owned(),
            },
            DmarcFinding::Duplicate { tag: tag("p") },
            DmarcFinding::Malformed { text: "rf:afrf".to_owned() },
            DmarcFinding::UnknownTag { tag: tag("x") },
            DmarcFinding::RemovedTag { tag: tag("pct") },
            DmarcFinding::Capitals { tag: tag("P") },
            DmarcFinding::UriSize { tag: tag("rua") },
            DmarcFinding::PolicyAssumed,
            DmarcFinding::PolicyLate,
            DmarcFinding::NoReports,
            DmarcFinding::FoWithoutRuf,
            DmarcFinding::TestMode { applied: Policy::Quarantine },
            DmarcFinding::PublicSuffix,
            DmarcFinding::SubdomainsWeaker { tag: "sp", policy: Policy::None },
            DmarcFinding::PolicyNone,
            DmarcFinding::TooWeak { required: Policy::Reject, effective: Policy::None, at: at(), replaces: true },
            DmarcFinding::ReportsMissing { uris: vec!["mailto:dmarc@example.net".to_owned()], replaces: true },
            DmarcFinding::Inherited { at: at() },
            DmarcFinding::ReportUnauthorised {
                destination: name("example.net"),
                at: name("example.com._report._dmarc.example.net"),
            },
        ]
    }
}
