//! What the world is told: the `data` of an event's body. Contract §3.4.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::store::{DomainRow, NewEvent};
use crate::verify::finding::words::{self, Place};
use crate::verify::finding::{Fact, Finding, Severity};
use crate::verify::purpose::Purpose;
use crate::verify::report::{RecordReport, Report};
use crate::verify::standing::{Flags, Happening, Standing};

/// The most findings that one event carries; the records themselves have them all.
const FINDINGS_MAX: usize = 50;

/// The type of the event that says that other records are published than before.
pub(crate) const RECORDS_CHANGED: &str = "domain.records_changed";

/// Why a domain is at risk of which nobody could tell for too long.
const STALE: &str = "dns.stale";

/// The event of something that happened to a domain's standing.
pub(crate) fn happened(
    id: Uuid,
    happening: Happening,
    row: &DomainRow,
    before: &Standing,
    after: &Standing,
    report: Option<&Report>,
) -> NewEvent {
    let mut body = body(row, before, after, report);
    if happening == Happening::Stale {
        body["reason"] = json!(STALE);
    }
    NewEvent { id, kind: happening.as_str(), body }
}

/// The event that says that other records are published than before.
pub(crate) fn records_changed(
    id: Uuid,
    row: &DomainRow,
    before: &Standing,
    after: &Standing,
    report: &Report,
) -> NewEvent {
    NewEvent { id, kind: RECORDS_CHANGED, body: body(row, before, after, Some(report)) }
}

/// The kind of what the history says of a transfer. It is no event of the contract's: only operators see it, and it is
/// sent to nobody.
pub(crate) const TRANSFERRED: &str = "domain.transferred";

/// An operator transferred it.
pub(crate) const BY_OPERATOR: &str = "operator";

/// It was transferred because the other's proof is published.
pub(crate) const BY_PROOF: &str = "proof";

/// That a domain becomes another client's.
pub(crate) fn transferred(id: Uuid, row: &DomainRow, to: Uuid, by: &'static str) -> NewEvent {
    let client_id = json!({ "from": row.client_id, "to": to });
    let body = json!({ "domain_id": row.id, "domain": row.domain, "client_id": client_id, "by": by });
    NewEvent { id, kind: TRANSFERRED, body }
}

fn body(row: &DomainRow, before: &Standing, after: &Standing, report: Option<&Report>) -> Value {
    json!({
        "domain_id": row.id,
        "client_id": row.client_id,
        "domain": row.domain,
        "status": { "from": before.status.as_str(), "to": after.status.as_str() },
        "flags": flags_changed(before.flags, after.flags),
        "suspends_at": after.suspends_at,
        "reason": after.suspended_reason.map(|reason| reason.as_str()),
        "findings": report.map(findings).unwrap_or_default(),
    })
}

/// What changed with a check, for its history: flags and status, each only when it changed, and the records that
/// bind from this check on.
pub(crate) fn changes(before: &Standing, after: &Standing, bound: &[RecordReport]) -> Value {
    let mut changes = Map::new();
    if before.status != after.status {
        changes.insert("status".to_owned(), json!({ "from": before.status.as_str(), "to": after.status.as_str() }));
    }
    let flags = flags_changed(before.flags, after.flags);
    if !flags.is_empty() {
        changes.insert("flags".to_owned(), Value::Object(flags));
    }
    if !bound.is_empty() {
        changes.insert("bound".to_owned(), bound.iter().map(bound_json).collect());
    }
    Value::Object(changes)
}

/// A record that binds now, by the names that a check's `verdicts` have for it.
fn bound_json(record: &RecordReport) -> Value {
    let mut shown = json!({
        "purpose": record.purpose.as_str(),
        "type": record.record_type.as_str(),
        "name": record.name.to_string(),
    });
    if let (Some(_), Some(host)) = (record.priority, &record.value) {
        shown["host"] = json!(host);
    }
    shown
}

/// The flags that are other than they were, each with both values; `dns_configured` among them.
fn flags_changed(before: Flags, after: Flags) -> Map<String, Value> {
    let each =
        Purpose::ALL.into_iter().map(|purpose| (format!("{purpose}_valid"), before.get(purpose), after.get(purpose)));
    let all = ("dns_configured".to_owned(), before.all(), after.all());
    each.chain([all])
        .filter(|(_, from, to)| from != to)
        .map(|(name, from, to)| (name, json!({ "from": from, "to": to })))
        .collect()
}

/// The errors and warnings of a report, in the contract's form (§1). What is staged is no reason for anything.
fn findings(report: &Report) -> Vec<Value> {
    let each = report.records.iter().filter(|record| !record.staged).flat_map(|record| {
        let place = Place::of(report, record);
        record.findings.iter().map(move |finding| (finding, place.clone()))
    });
    each.filter(|(finding, _)| finding.severity() != Severity::Notice)
        .take(FINDINGS_MAX)
        .map(|(finding, place)| finding_json(finding, &place))
        .collect()
}

fn finding_json(finding: &Finding, place: &Place<'_>) -> Value {
    json!({
        "code": finding.code(),
        "severity": finding.severity().as_str(),
        "purpose": finding.purpose().as_str(),
        "message": words::message(finding),
        "fix": words::fix(finding, place),
        "evidence": evidence(finding),
    })
}

/// What a finding rests on, by name.
pub(crate) fn evidence(finding: &Finding) -> Map<String, Value> {
    let value = |fact| match fact {
        Fact::Text(text) => Value::from(text),
        Fact::Number(number) => Value::from(number),
        Fact::List(texts) => Value::from(texts),
    };
    finding.facts().into_iter().map(|(name, fact)| (name.to_owned(), value(fact))).collect()
}
