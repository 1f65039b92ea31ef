//! The report: everything that is known of a domain's records at one moment.

use std::net::IpAddr;

use crate::protocol::dmarc::Policy;
use crate::protocol::domain::Domain;
use crate::protocol::name::Name;
use crate::verify::doubt::Denial;
use crate::verify::evidence::RecordType;
use crate::verify::finding::Finding;
use crate::verify::purpose::{Action, Purpose, Verdict};

/// The judgement of a whole domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The domain.
    pub domain: Domain,
    /// The zone whose panel the records go into.
    pub zone: Name,
    /// One entry per record to publish: SPF, each DKIM selector, DMARC, each MX host.
    pub records: Vec<RecordReport>,
    /// What the SPF record costs. Nothing where none was judged.
    pub spf: Option<SpfSummary>,
    /// Which DMARC policy applies. Nothing where none was judged.
    pub dmarc: Option<DmarcSummary>,
    /// Who runs the zone's name servers, where that can be told from their names.
    pub dns_provider: Option<DnsProvider>,
    /// Good advice that decides nothing.
    pub advisories: Vec<Finding>,
}

impl Report {
    /// The verdict over all records of one purpose.
    pub fn verdict(&self, purpose: Purpose) -> Verdict {
        Verdict::over(self.records.iter().filter(|r| r.purpose == purpose && !r.staged).map(|r| r.verdict))
    }

    /// How sure a negative verdict on one purpose is: one record that surely fails is enough.
    pub fn denial(&self, purpose: Purpose) -> Denial {
        let failing = self.records.iter().filter(|r| r.purpose == purpose && !r.staged && r.verdict.is_failure());
        let words = failing.filter_map(|record| record.propagation.as_ref());
        words.fold(Denial { is_certain: false, ttl_seconds: 0 }, |denial, word| Denial {
            is_certain: denial.is_certain || word.confirmed,
            ttl_seconds: denial.ttl_seconds.max(word.denial_ttl_seconds),
        })
    }

    /// Whether something is required that does not bind yet: there is something left to publish, or to see.
    pub fn has_staged(&self) -> bool {
        self.records.iter().any(|record| record.staged)
    }

    /// Whether every purpose is valid.
    pub fn is_all_valid(&self) -> bool {
        Purpose::ALL.into_iter().all(|purpose| self.verdict(purpose) == Verdict::Valid)
    }
}

/// The judgement of one record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordReport {
    /// What the record is for.
    pub purpose: Purpose,
    /// Its type: TXT, CNAME or MX.
    pub record_type: RecordType,
    /// The full name that has it, or is to have it.
    pub name: Name,
    /// What to publish, as the panel's value field wants it (an MX's host without its preference).
    /// Nothing where nothing is required and only the owner can know.
    pub value: Option<String>,
    /// The MX preference.
    pub priority: Option<u16>,
    /// What to do.
    pub action: Action,
    /// Required since a change, but not binding yet.
    pub staged: bool,
    /// The time to live that we recommend, in seconds.
    pub ttl_seconds: u32,
    /// What is said of it.
    pub verdict: Verdict,
    /// What is there, as text for people, sorted. Out of DNS: hostile.
    pub found: Vec<String>,
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// How far what is published has come. Nothing where nobody asked.
    pub propagation: Option<Propagation>,
}

/// How far a record has come from the zone's own servers into the world.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Propagation {
    /// On how many of the zone's servers. Nothing where none answered, or none was asked.
    pub published: Option<Published>,
    /// Whether the record is valid as the world sees it through caches.
    pub visible: bool,
    /// How long caches may keep what they say instead, in seconds. Nothing where it is visible, or not published.
    pub visible_within_seconds: Option<u32>,
    /// What each of the zone's servers said.
    pub servers: Vec<ServerWord>,
    /// Whether a negative verdict is the word of the zones' own servers, in all that it rests on.
    pub confirmed: bool,
    /// How long caches may keep what a negative verdict rests on, in seconds.
    pub denial_ttl_seconds: u32,
}

/// On how many servers a record is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// So many have it.
    pub count: usize,
    /// Of so many that answered.
    pub of: usize,
}

/// What one of a zone's servers said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerWord {
    /// Its name.
    pub server: Name,
    /// The address at which it was asked.
    pub address: IpAddr,
    /// The contract's word for what it said.
    pub outcome: &'static str,
}

/// What evaluating the SPF record costs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpfSummary {
    /// Terms that cost a lookup, over the whole tree. RFC 7208 §4.6.4.
    pub lookups: u32,
    /// Of these, lookups that found nothing. RFC 7208 §4.6.4.
    pub void_lookups: u32,
    /// One record to publish in place of what is there, where that is several or lacks something.
    pub suggested_record: Option<String>,
}

/// Which DMARC policy applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcSummary {
    /// The name of the record that applies. Nothing where none does.
    pub at: Option<Name>,
    /// The policy for this very name. Nothing where none applies.
    pub effective_policy: Option<Policy>,
    /// The organizational domain, where the walk ended. RFC 9989 §4.10.
    pub organizational_domain: Option<Name>,
}

/// Who runs a zone's name servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsProvider {
    /// A short name, such as `cloudflare`.
    pub name: String,
    /// Where its customers edit their records.
    pub panel_url: Option<String>,
}
