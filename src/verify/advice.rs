//! Advice about records that decide nothing: MTA-STS, TLS reporting, BIMI.
//!
//! A question that fails gives no advice: there is nothing that must be said.

use crate::protocol::bimi;
use crate::protocol::dmarc::Policy;
use crate::protocol::mta_sts;
use crate::protocol::name::Name;
use crate::protocol::tls_rpt;
use crate::verify::evidence::{Answer, Evidence, Question, RecordData};
use crate::verify::expectation::Expectation;
use crate::verify::finding::Finding;
use crate::verify::finding::advice::{AdviceFinding, AdvisedRecord};
use crate::verify::report::DmarcSummary;
use crate::verify::step::Needs;

/// What may be said about a domain beyond its required records.
///
/// # Errors
///
/// [`Needs`] with every question not yet asked.
pub fn of(expectation: &Expectation, dmarc: Option<&DmarcSummary>, evidence: &Evidence) -> Result<Vec<Finding>, Needs> {
    let mut needs = Needs::default();
    let mut advice = Vec::new();
    for record in AdvisedRecord::ALL {
        let Ok(at) = place(record, expectation.domain.name()) else { continue };
        if let Some(answer) = needs.keep(evidence.ask(&Question::txt(&at))) {
            advice.extend(about(record, at, answer, dmarc));
        }
    }
    needs.or(advice.into_iter().map(Finding::Advice).collect())
}

/// Where the record of a domain stands.
fn place(record: AdvisedRecord, domain: &Name) -> Result<Name, crate::protocol::name::NameFault> {
    match record {
        // RFC 8461 §3.1.
        AdvisedRecord::MtaSts => domain.child("_mta-sts"),
        // RFC 8460 §3.
        AdvisedRecord::TlsRpt => domain.child("_tls").and_then(|parent| parent.child("_smtp")),
        // The selector `default` is the one used where a message names none.
        AdvisedRecord::Bimi => domain.child("_bimi").and_then(|parent| parent.child("default")),
    }
}

fn about(record: AdvisedRecord, at: Name, answer: &Answer, dmarc: Option<&DmarcSummary>) -> Option<AdviceFinding> {
    if !answer.is_definite() {
        return None;
    }
    let texts: Vec<Vec<u8>> = answer
        .records()
        .iter()
        .filter_map(|data| match data {
            RecordData::Txt(txt) => Some(txt.joined()),
            _ => None,
        })
        .filter(|text| is_record(record, text))
        .collect();
    match texts.as_slice() {
        [] => Some(AdviceFinding::Missing { record, at }),
        [text] => match rule(record, text) {
            Some(rule) => Some(AdviceFinding::Broken { record, at, rule }),
            None if record == AdvisedRecord::Bimi && is_unenforced(dmarc) => Some(AdviceFinding::BimiUnenforced { at }),
            None => None,
        },
        several => Some(AdviceFinding::Several { record, at, count: several.len() }),
    }
}

fn is_record(record: AdvisedRecord, text: &[u8]) -> bool {
    match record {
        AdvisedRecord::MtaSts => mta_sts::is_record(text),
        AdvisedRecord::TlsRpt => tls_rpt::is_record(text),
        AdvisedRecord::Bimi => bimi::is_record(text),
    }
}

/// Which rule the record breaks, in words; nothing when it breaks none.
pub fn rule(record: AdvisedRecord, text: &[u8]) -> Option<String> {
    match record {
        AdvisedRecord::MtaSts => mta_sts::parse(text).err().map(|fault| fault.to_string()),
        AdvisedRecord::TlsRpt => tls_rpt::parse(text).err().map(|fault| fault.to_string()),
        AdvisedRecord::Bimi => bimi::parse(text).err().map(|fault| fault.to_string()),
    }
}

/// Whether the policy is surely too weak. Where none is known there is either none at all, which the DMARC record's
/// own findings say, or nobody could tell.
fn is_unenforced(dmarc: Option<&DmarcSummary>) -> bool {
    dmarc.and_then(|dmarc| dmarc.effective_policy) == Some(Policy::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::evidence::{Found, Txt};

    #[track_caller]
    fn check(why: &str, policy: Option<Policy>, expected: Option<&str>) {
        let records = vec![RecordData::Txt(Txt::of("v=BIMI1; l=https://example.com/logo.svg"))];
        let answer = Answer::Found(Found { records, ttl_seconds: 60, aliases: Vec::new(), authentic: false });
        let dmarc = DmarcSummary { at: None, effective_policy: policy, organizational_domain: None };
        let at = place(AdvisedRecord::Bimi, &Name::parse("example.com").unwrap()).unwrap();
        let advice = about(AdvisedRecord::Bimi, at.clone(), &answer, Some(&dmarc));
        assert_eq!(advice.map(|advice| advice.code()), expected, "{why}");
    }

    #[test]
    fn a_logo_is_in_vain_only_where_the_policy_is_known() {
        check("nothing is asked for", Some(Policy::None), Some("bimi.dmarc-not-enforced"));
        check("enforced", Some(Policy::Quarantine), None);
        check("enforced", Some(Policy::Reject), None);
        check("nobody knows", None, None);
    }
}
