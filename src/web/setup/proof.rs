//! The proof of ownership as one more record to publish (design §4, Control): without it a domain that a client
//! registered is never ready, and whoever has only the link must learn of it here.

use crate::service::records::RecordsView;
use crate::verify::evidence::RecordType;
use crate::verify::expectation::Expectation;
use crate::verify::ownership;
use crate::verify::purpose::{Action, Purpose, Verdict};
use crate::verify::report::{RecordReport, Report};

/// The report with the proof as its first record, where one is asked for.
pub(super) fn with_proof(records: &RecordsView) -> Report {
    let mut report = records.judged.report.clone();
    let Some((own, seen)) = &records.judged.ownership else { return report };
    let verdict = if own.verified { Verdict::Valid } else { seen.verdict };
    let proof = RecordReport {
        // It has none; `ownership::is_proof` tells it apart.
        purpose: Purpose::Spf,
        record_type: RecordType::Txt,
        name: own.name.clone(),
        value: Some(own.value.clone()),
        priority: None,
        // Other texts at the name are nobody's business: it is added beside them.
        action: if own.verified { Action::Keep } else { Action::Add },
        staged: false,
        ttl_seconds: Expectation::TTL_SECONDS,
        verdict,
        found: if own.verified { Vec::new() } else { seen.found.clone() },
        findings: if own.verified { Vec::new() } else { seen.findings.clone() },
        propagation: None,
    };
    debug_assert!(ownership::is_proof(&proof.name), "it is told apart by its name");
    report.records.insert(0, proof);
    report
}
