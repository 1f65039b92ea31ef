//! The records document of contract §3.3: what to publish, what is there, and what is wrong with it.
//!
//! Built from a [`Report`]; the HTTP interface adds what the database knows ([`Kept`]), the command line's
//! `check` prints it without. What came out of DNS is data: JSON escapes it, and pages must too.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::ownership::OwnershipRecordBody;
use crate::protocol::name::Name;
use crate::protocol::spf::LOOKUPS_MAX;
use crate::service::events;
use crate::service::requirements::RequirementsSource;
use crate::verify::evidence::RecordType;
use crate::verify::finding::Finding;
use crate::verify::finding::words::{self, Place};
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::report::{DmarcSummary, DnsProvider, Propagation, RecordReport, Report, ServerWord, SpfSummary};
use crate::verify::standing::{Flags, Status};

/// What the database knows of a domain beside its report.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The domain's id.
    pub id: Uuid,
    /// Whose it is.
    pub client_id: Uuid,
    /// Whose profile it follows.
    pub provider: String,
    /// How it stands.
    pub status: Status,
    /// The flags, as last definitely known; a report may say `unknown` where a flag still says true.
    pub flags: Flags,
    /// The column `dns_configured`: all four flags, but where the platform set it and `mx_valid` was never judged.
    pub dns_configured: bool,
    /// When it is looked at next.
    pub next_check_at: Option<DateTime<Utc>>,
    /// A check runs now.
    pub checking: bool,
    /// The fleet breaker is open.
    pub breaker_open: bool,
    /// Since when nobody could tell.
    pub stale_since: Option<DateTime<Utc>>,
    /// When to ask again, in seconds.
    pub poll_after_seconds: u64,
    /// What proves whose it is.
    pub ownership: Option<OwnershipRecordBody>,
    /// Who says what is required.
    pub requirements: RequirementsSource,
    /// When each of the report's records last changed, in their order.
    pub changed_at: Vec<Option<DateTime<Utc>>>,
}

/// A domain's records: what to publish, what is there, and what is wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Records)]
pub struct Document {
    /// The domain's id. Absent on the command line, as `client_id`, `provider` and `status` are.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// Whose the domain is.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Uuid>,
    /// The domain, in lower-case A-labels.
    #[schema(example = "example.com")]
    domain: String,
    /// The domain as people read it, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_unicode: Option<String>,
    /// Whose profile it follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "infraforge")]
    provider: Option<String>,
    /// `pending`, `active`, `suspended` or `deleted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pending")]
    status: Option<&'static str>,
    /// Who says what is required: `domain`, its provider's `profile`, or `missing`: nobody does, and records
    /// are judged on their own soundness.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "domain")]
    requirements: Option<&'static str>,
    /// All four flags are true.
    dns_configured: bool,
    /// Whether SPF was valid when last definitely known.
    spf_valid: bool,
    /// Whether every DKIM selector was valid when last definitely known.
    dkim_valid: bool,
    /// Whether DMARC was valid when last definitely known.
    dmarc_valid: bool,
    /// Whether the mail exchanges were valid when last definitely known.
    mx_valid: bool,
    /// When DNS was last asked; null before the first check.
    checked_at: Option<DateTime<Utc>>,
    /// When it is asked next; null when only on demand.
    next_check_at: Option<DateTime<Utc>>,
    /// A check runs now.
    checking: bool,
    /// Many unrelated domains turned bad or unknown at once, so what is wrong here is shown, but no flag falls and
    /// nobody is suspended. Absent on the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker_open: Option<bool>,
    /// Since when nobody could tell; null while somebody can.
    stale_since: Option<DateTime<Utc>>,
    /// When asking again is worth it. Soon, too, while something is staged.
    #[schema(example = 5)]
    poll_after_seconds: Option<u64>,
    /// The record that proves whose the domain is: to be published, too, where it is not `verified`. Absent where nothing
    /// is to be proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    ownership: Option<OwnershipRecordBody>,
    /// One entry per record to publish, and one more for each that is `staged` beside another of the same name.
    records: Vec<RecordBody>,
    /// What the SPF record costs; null where none was judged.
    spf: Option<SpfBody>,
    /// Which DMARC policy applies; null where none was judged.
    dmarc: Option<DmarcBody>,
    /// Who runs the zone's name servers; null where that cannot be told.
    dns_provider: Option<DnsProviderBody>,
    /// Good advice that decides nothing.
    advisories: Vec<FindingBody>,
}

/// One record to publish.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Record)]
pub struct RecordBody {
    /// `spf`, `dkim`, `dmarc` or `mx`.
    #[schema(example = "dkim")]
    purpose: &'static str,
    /// `TXT`, `CNAME` or `MX`.
    #[serde(rename = "type")]
    #[schema(example = "TXT")]
    record_type: &'static str,
    /// What goes into the host field of the zone's panel; `@` is the zone itself.
    #[schema(example = "s1._domainkey")]
    host: String,
    /// The full name.
    #[schema(example = "s1._domainkey.example.com")]
    name: String,
    /// What to publish; null where only the owner can know.
    #[schema(example = "v=DKIM1; k=rsa; p=…")]
    value: Option<String>,
    /// `add`, `replace` or `keep`.
    #[schema(example = "add")]
    action: &'static str,
    /// Required since a change of a verified domain's requirements, and not binding yet: no flag, status or event rests
    /// on this entry. It binds once a check finds it valid, and what it replaces binds until then. Where the same
    /// record serves both (the SPF record, the policy, another key of one selector), it has two entries: one without
    /// `staged`, which counts, and one with it, whose `value` does for both. Publish the `value` of every entry that
    /// is not `valid`.
    staged: bool,
    /// The time to live that we recommend, in seconds.
    #[schema(example = 3600)]
    ttl: u32,
    /// The MX preference.
    priority: Option<u16>,
    /// `valid`, `missing`, `mismatch`, `invalid`, `unknown` or `unchecked`.
    #[schema(example = "missing")]
    verdict: &'static str,
    /// Whether the verdict is `valid`.
    valid: bool,
    /// What is there, as DNS gave it: text of strangers.
    found: Vec<String>,
    /// How far what is published has come; null where nobody asked.
    propagation: Option<PropagationBody>,
    /// What was noticed.
    findings: Vec<FindingBody>,
    /// When what is there last changed; null where it was never checked.
    changed_at: Option<DateTime<Utc>>,
}

/// How far a record has come from the zone's own servers into the world.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Propagation)]
pub struct PropagationBody {
    /// On how many of the zone's servers it is valid, of those that answered; null where none did, or none was
    /// asked, for they are asked only where caches say that it is not valid.
    #[schema(example = "2/2")]
    published: Option<String>,
    /// Whether it is valid as the world sees it through caches.
    visible: bool,
    /// When caches will have forgotten what they say instead; null where that is not awaited.
    expected_visible_at: Option<DateTime<Utc>>,
    /// What each of the zone's servers said.
    servers: Vec<ServerBody>,
}

/// What one of a zone's servers said.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Server)]
pub struct ServerBody {
    /// Its name.
    #[schema(example = "ns1.example.net")]
    server: String,
    /// The address at which it was asked.
    #[schema(example = "192.0.2.53")]
    address: String,
    /// `found`, `nodata`, `nxdomain`, `servfail`, `refused`, `timeout`, `truncated`, `malformed`, `lame`, `bogus` or
    /// `unreachable`.
    #[schema(example = "nxdomain")]
    outcome: &'static str,
}

/// Something that was noticed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingBody {
    /// The code. Never changes once released.
    #[schema(example = "dkim.host-doubled")]
    code: &'static str,
    /// `error`, `warning` or `notice`.
    #[schema(example = "error")]
    severity: &'static str,
    /// Which required record it is about.
    #[schema(example = "dkim")]
    purpose: &'static str,
    /// What is wrong, for people.
    message: String,
    /// What to do about it, for people.
    fix: String,
    /// The facts that it rests on, for programs.
    #[schema(value_type = Object)]
    evidence: Map<String, Value>,
}

/// What the SPF record costs.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SpfCost)]
pub struct SpfBody {
    /// Terms that cost a lookup, over the whole tree.
    lookups: u32,
    /// How many may.
    lookups_max: u32,
    /// Of these, lookups that found nothing.
    void_lookups: u32,
    /// One record to publish in place of what is there.
    suggested_record: Option<String>,
}

/// Which DMARC policy applies.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DmarcPolicy)]
pub struct DmarcBody {
    /// The name of the record that applies.
    at: Option<String>,
    /// `none`, `quarantine` or `reject`; null where no policy applies.
    effective_policy: Option<&'static str>,
    /// Where the walk up the tree ended.
    organizational_domain: Option<String>,
}

/// Who runs the zone's name servers.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DnsProvider)]
pub struct DnsProviderBody {
    /// A short name.
    #[schema(example = "cloudflare")]
    name: String,
    /// Where its customers edit their records.
    panel_url: Option<String>,
}

impl Document {
    /// The document of a report alone: a line of `check`.
    ///
    /// The flags are those of this very report.
    pub fn of(report: &Report, checked_at: Option<DateTime<Utc>>) -> Document {
        let mut flags = Flags::default();
        for purpose in Purpose::ALL {
            flags.set(purpose, report.verdict(purpose) == Verdict::Valid);
        }
        let unicode = report.domain.unicode();
        let domain = report.domain.to_string();
        Document {
            id: None,
            client_id: None,
            domain_unicode: (unicode != domain).then_some(unicode),
            domain,
            provider: None,
            status: None,
            requirements: None,
            dns_configured: flags.all(),
            spf_valid: flags.spf,
            dkim_valid: flags.dkim,
            dmarc_valid: flags.dmarc,
            mx_valid: flags.mx,
            checked_at,
            next_check_at: None,
            checking: false,
            breaker_open: None,
            stale_since: None,
            poll_after_seconds: None,
            ownership: None,
            records: report.records.iter().map(|record| record_body(report, record, checked_at)).collect(),
            spf: report.spf.as_ref().map(spf_body),
            dmarc: report.dmarc.as_ref().map(dmarc_body),
            dns_provider: report.dns_provider.as_ref().map(dns_provider_body),
            advisories: report.advisories.iter().map(|finding| advisory_body(report, finding)).collect(),
        }
    }

    /// The document of a registered domain.
    pub fn of_domain(report: &Report, checked_at: Option<DateTime<Utc>>, kept: &Kept) -> Document {
        let mut document = Document::of(report, checked_at);
        for (record, changed_at) in document.records.iter_mut().zip(&kept.changed_at) {
            record.changed_at = *changed_at;
        }
        Document {
            id: Some(kept.id),
            client_id: Some(kept.client_id),
            provider: Some(kept.provider.clone()),
            status: Some(kept.status.as_str()),
            dns_configured: kept.dns_configured,
            spf_valid: kept.flags.spf,
            dkim_valid: kept.flags.dkim,
            dmarc_valid: kept.flags.dmarc,
            mx_valid: kept.flags.mx,
            next_check_at: kept.next_check_at,
            checking: kept.checking,
            breaker_open: Some(kept.breaker_open),
            stale_since: kept.stale_since,
            poll_after_seconds: Some(kept.poll_after_seconds),
            ownership: kept.ownership.clone(),
            requirements: Some(match kept.requirements {
                RequirementsSource::Domain => "domain",
                RequirementsSource::Profile => "profile",
                RequirementsSource::Missing => "missing",
            }),
            ..document
        }
    }

    /// The records alone.
    pub fn into_records(self) -> Vec<RecordBody> {
        self.records
    }
}

fn record_body(report: &Report, record: &RecordReport, checked_at: Option<DateTime<Utc>>) -> RecordBody {
    let place = Place::of(report, record);
    RecordBody {
        purpose: record.purpose.as_str(),
        record_type: record.record_type.as_str(),
        host: place.host(),
        name: record.name.to_string(),
        value: record.value.clone(),
        action: record.action.as_str(),
        staged: record.staged,
        ttl: record.ttl_seconds,
        priority: record.priority,
        verdict: record.verdict.as_str(),
        valid: record.verdict == Verdict::Valid,
        found: record.found.clone(),
        propagation: record.propagation.as_ref().map(|propagation| propagation_body(propagation, checked_at)),
        findings: record.findings.iter().map(|finding| finding_body(finding, &place)).collect(),
        changed_at: None,
    }
}

fn propagation_body(propagation: &Propagation, checked_at: Option<DateTime<Utc>>) -> PropagationBody {
    let within = propagation.visible_within_seconds.map(|seconds| TimeDelta::seconds(i64::from(seconds)));
    let server_body = |word: &ServerWord| ServerBody {
        server: word.server.to_string(),
        address: word.address.to_string(),
        outcome: word.outcome,
    };
    PropagationBody {
        published: propagation.published.map(|published| format!("{}/{}", published.count, published.of)),
        visible: propagation.visible,
        expected_visible_at: checked_at.zip(within).and_then(|(at, within)| at.checked_add_signed(within)),
        servers: propagation.servers.iter().map(server_body).collect(),
    }
}

/// An advisory is told at the first record of its purpose, or at the zone where there is none.
fn advisory_body(report: &Report, finding: &Finding) -> FindingBody {
    match report.records.iter().find(|record| record.purpose == finding.purpose()) {
        Some(record) => finding_body(finding, &Place::of(report, record)),
        None => {
            let (zone, provider) = (&report.zone, report.dns_provider.as_ref());
            let (name, record_type) = (report.domain.name(), RecordType::Txt);
            finding_body(finding, &Place { zone, name, record_type, value: None, priority: None, provider })
        }
    }
}

/// A finding with its words, for the panel where `place` is edited.
pub fn finding_body(finding: &Finding, place: &Place<'_>) -> FindingBody {
    FindingBody {
        code: finding.code(),
        severity: finding.severity().as_str(),
        purpose: finding.purpose().as_str(),
        message: words::message(finding),
        fix: words::fix(finding, place),
        evidence: events::evidence(finding),
    }
}

fn spf_body(spf: &SpfSummary) -> SpfBody {
    SpfBody {
        lookups: spf.lookups,
        lookups_max: LOOKUPS_MAX,
        void_lookups: spf.void_lookups,
        suggested_record: spf.suggested_record.clone(),
    }
}

fn dmarc_body(dmarc: &DmarcSummary) -> DmarcBody {
    DmarcBody {
        at: dmarc.at.as_ref().map(Name::to_string),
        effective_policy: dmarc.effective_policy.map(|policy| policy.as_str()),
        organizational_domain: dmarc.organizational_domain.as_ref().map(Name::to_string),
    }
}

fn dns_provider_body(provider: &DnsProvider) -> DnsProviderBody {
    DnsProviderBody { name: provider.name.clone(), panel_url: provider.panel_url.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::dmarc::Policy;
    use crate::protocol::domain::Domain;
    use crate::verify::finding::zone::{Misplacement, ZoneFinding};
    use crate::verify::purpose::Action;

    fn report() -> Report {
        let name = |text| Name::parse(text).unwrap();
        let doubled = ZoneFinding::Misplaced {
            purpose: Purpose::Dkim,
            how: Misplacement::HostDoubled,
            at: name("s1._domainkey.xn--bcher-kva.example.xn--bcher-kva.example"),
        };
        let record = RecordReport {
            purpose: Purpose::Dkim,
            record_type: RecordType::Txt,
            name: name("s1._domainkey.xn--bcher-kva.example"),
            value: Some("v=DKIM1; p=AAAA".to_owned()),
            priority: None,
            action: Action::Add,
            staged: false,
            ttl_seconds: 3_600,
            verdict: Verdict::Missing,
            found: vec!["<script>\u{7f}\"".to_owned()],
            findings: vec![Finding::Zone(doubled.clone())],
            propagation: None,
        };
        Report {
            domain: Domain::parse("bücher.example").unwrap(),
            zone: name("xn--bcher-kva.example"),
            records: vec![record],
            spf: Some(SpfSummary { lookups: 3, void_lookups: 0, suggested_record: None }),
            dmarc: Some(DmarcSummary {
                at: Some(name("_dmarc.xn--bcher-kva.example")),
                effective_policy: Some(Policy::None),
                organizational_domain: None,
            }),
            dns_provider: None,
            advisories: vec![Finding::Zone(doubled)],
        }
    }

    #[test]
    fn a_report_becomes_the_contract_s_document() {
        let shown = serde_json::to_value(Document::of(&report(), None)).unwrap();
        assert!(shown.get("id").is_none() && shown.get("status").is_none(), "no database fields");
        assert_eq!(shown["domain"], "xn--bcher-kva.example");
        assert_eq!(shown["domain_unicode"], "bücher.example");
        assert_eq!(shown["dns_configured"], false);
        let record = &shown["records"][0];
        assert_eq!(record["host"], "s1._domainkey");
        assert_eq!(record["type"], "TXT");
        assert_eq!(record["verdict"], "missing");
        assert_eq!(record["found"][0], "<script>\u{7f}\"", "text of strangers is data");
        assert_eq!(record["findings"][0]["code"], "dkim.host-doubled");
        assert!(record["findings"][0]["fix"].as_str().unwrap().contains("s1._domainkey"));
        assert_eq!(
            record["findings"][0]["evidence"]["at"],
            "s1._domainkey.xn--bcher-kva.example.xn--bcher-kva.example"
        );
        assert_eq!(shown["advisories"][0]["purpose"], "dkim");
        assert_eq!(shown["spf"], json!({"lookups": 3, "lookups_max": 10, "void_lookups": 0, "suggested_record": null}));
        assert_eq!(shown["dmarc"]["effective_policy"], "none");
    }

    #[test]
    fn a_registered_domain_s_flags_are_the_database_s() {
        let kept = Kept {
            id: Uuid::nil(),
            client_id: Uuid::nil(),
            provider: "manual".to_owned(),
            status: Status::Active,
            flags: Flags { spf: true, dkim: true, dmarc: true, mx: true },
            dns_configured: true,
            next_check_at: None,
            checking: true,
            breaker_open: true,
            stale_since: None,
            poll_after_seconds: 5,
            ownership: None,
            requirements: RequirementsSource::Profile,
            changed_at: vec![DateTime::from_timestamp(1, 0)],
        };
        let shown = serde_json::to_value(Document::of_domain(&report(), None, &kept)).unwrap();
        assert_eq!(shown["dns_configured"], true, "as last definitely known, whatever this report says");
        assert_eq!(shown["status"], "active");
        assert_eq!(shown["checking"], true);
        assert_eq!(shown["breaker_open"], true);
        assert_eq!(shown["requirements"], "profile");
        assert_eq!(shown["records"][0]["changed_at"], "1970-01-01T00:00:01Z");
        assert_eq!(shown["poll_after_seconds"], 5);
    }
}
