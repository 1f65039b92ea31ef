//! Records in the wrong place: looked for only when one is wanting, and only where panels put them.
//!
//! Owns the guesses: the host doubled by the panel, the record at the apex, an underscore or a label left
//! out, a target without its trailing dot. Each guess is one question at most.
//!
//! # Strictness
//!
//! A wildcard must not fake a hit: where a name that nobody would publish answers alike, there is none.

use sha2::{Digest, Sha256};

use crate::protocol::name::Name;
use crate::verify::evidence::{Answer, Evidence, Question, RecordData, RecordType};
use crate::verify::expectation::{DkimKey, Expectation};
use crate::verify::finding::Finding;
use crate::verify::finding::zone::{Misplacement, ZoneFinding};
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::report::RecordReport;
use crate::verify::step::Needs;

/// How many octets of the hash make a label that nobody publishes. As many as make a UUID: no chance hits them.
const NOBODYS_OCTETS: usize = 16;

/// Adds what is found elsewhere to the findings of records that are wanting.
///
/// # Errors
///
/// [`Needs`] with every guess not yet asked; nothing has been added then.
pub fn probe(
    expectation: &Expectation,
    zone: &Name,
    records: &mut [RecordReport],
    evidence: &Evidence,
) -> Result<(), Needs> {
    let mut needs = Needs::default();
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for (index, record) in records.iter().enumerate().filter(|(_, record)| record.verdict == Verdict::Missing) {
        for (how, at) in guesses(expectation, zone, record) {
            if needs.keep(is_there(record, &at, evidence)) == Some(true) {
                found.push((index, Finding::Zone(ZoneFinding::Misplaced { purpose: record.purpose, how, at })));
            }
        }
    }
    for (index, record) in records.iter().enumerate().filter(|(_, record)| record.verdict.is_failure()) {
        let target = needs.keep(target(expectation, zone, record, evidence)).flatten();
        found.extend(target.map(|finding| (index, Finding::Zone(finding))));
    }
    needs.or(())?;
    for (index, finding) in found {
        if let Some(record) = records.get_mut(index) {
            record.findings.push(finding);
        }
    }
    Ok(())
}

/// Where a record of this purpose is put by mistake.
fn guesses(expectation: &Expectation, zone: &Name, record: &RecordReport) -> Vec<(Misplacement, Name)> {
    let domain = expectation.domain.name();
    let mut names = vec![(Misplacement::HostDoubled, zone.under(&record.name).ok())];
    match record.purpose {
        Purpose::Dmarc => {
            names.push((Misplacement::Apex, Some(domain.clone())));
            names.push((Misplacement::UnderscoreLost, domain.child("dmarc").ok()));
        }
        Purpose::Dkim => {
            names.push((Misplacement::Apex, Some(domain.clone())));
            if let Some(selector) = selector(domain, &record.name) {
                let bare = domain.child("domainkey").ok().and_then(|parent| parent.under(&selector).ok());
                names.push((Misplacement::UnderscoreLost, bare));
                names.push((Misplacement::DomainkeyLost, domain.under(&selector).ok()));
            }
        }
        Purpose::Spf | Purpose::Mx => {}
    }
    names.into_iter().filter_map(|(how, name)| Some((how, name?))).filter(|(_, name)| *name != record.name).collect()
}

/// The labels before `_domainkey.<domain>`.
fn selector(domain: &Name, name: &Name) -> Option<Name> {
    let below = name.label_count().checked_sub(domain.label_count() + 1)?;
    Name::from_labels(name.labels().take(below)).ok()
}

/// Whether such a record stands at `at`, and not only by a wildcard.
fn is_there(record: &RecordReport, at: &Name, evidence: &Evidence) -> Result<bool, Needs> {
    let record_type = if record.purpose == Purpose::Mx { RecordType::Mx } else { RecordType::Txt };
    let answer = evidence.ask(&Question::new(at.clone(), record_type))?;
    if !is_like(record.purpose, answer) {
        return Ok(false);
    }
    let Some(sibling) = nobodys_sibling(at) else { return Ok(false) };
    let sibling = evidence.ask(&Question::new(sibling, record_type))?;
    // A sibling that nobody could tell about may be what a wildcard answers, too.
    Ok(sibling.is_definite() && answer.records() != sibling.records())
}

/// A name beside `at` that nobody publishes: what answers there answers everywhere.
///
/// It stands for a random name, and a judge has no chance to draw from: equal evidence must give equal judgements. So
/// its label is a hash of `at`. Nobody has it by accident, and one label cannot be published to mislead the probes of
/// many names: each has its own, and who makes it for his own name misleads nobody but himself.
fn nobodys_sibling(at: &Name) -> Option<Name> {
    // In lower case, for a name is the same in any.
    let hash = Sha256::digest(at.to_string().to_ascii_lowercase());
    let label: String = hash.iter().take(NOBODYS_OCTETS).map(|octet| format!("{octet:02x}")).collect();
    at.parent()?.child(&label).ok()
}

/// Whether an answer holds a record of this purpose.
fn is_like(purpose: Purpose, answer: &Answer) -> bool {
    answer.records().iter().any(|data| match (purpose, data) {
        (Purpose::Mx, RecordData::Mx { .. }) => true,
        (_, RecordData::Txt(txt)) => {
            let text = String::from_utf8_lossy(&txt.joined()).to_ascii_lowercase();
            let text = text.trim_start_matches(['"', '\\', ' ']);
            match purpose {
                Purpose::Spf => text.starts_with("v=spf1"),
                Purpose::Dkim => text.starts_with("v=dkim1") || (text.starts_with("k=") && text.contains("p=")),
                Purpose::Dmarc => text.starts_with("v=dmarc1"),
                Purpose::Mx => false,
            }
        }
        _ => false,
    })
}

/// A target that the panel took as relative, or a CNAME's target in a text.
fn target(
    expectation: &Expectation,
    zone: &Name,
    record: &RecordReport,
    evidence: &Evidence,
) -> Result<Option<ZoneFinding>, Needs> {
    match record.purpose {
        Purpose::Mx => mx_target(expectation, zone, record, evidence),
        Purpose::Dkim => dkim_target(expectation, zone, record, evidence),
        Purpose::Spf | Purpose::Dmarc => Ok(None),
    }
}

fn mx_target(
    expectation: &Expectation,
    zone: &Name,
    record: &RecordReport,
    evidence: &Evidence,
) -> Result<Option<ZoneFinding>, Needs> {
    let Some(expected) = record.value.as_deref().and_then(|value| Name::parse(value).ok()) else { return Ok(None) };
    let Ok(doubled) = zone.under(&expected) else { return Ok(None) };
    let answer = evidence.ask(&Question::new(expectation.domain.name().clone(), RecordType::Mx))?;
    let there =
        answer.records().iter().any(|data| matches!(data, RecordData::Mx { exchange, .. } if *exchange == doubled));
    Ok(there.then_some(ZoneFinding::TargetDoubled { purpose: Purpose::Mx, found: doubled, expected }))
}

fn dkim_target(
    expectation: &Expectation,
    zone: &Name,
    record: &RecordReport,
    evidence: &Evidence,
) -> Result<Option<ZoneFinding>, Needs> {
    let selector = selector(expectation.domain.name(), &record.name);
    let expected = expectation.dkim.iter().find(|dkim| Some(&dkim.selector) == selector.as_ref());
    let Some(DkimKey::Cname(expected)) = expected.map(|dkim| &dkim.key) else { return Ok(None) };
    let answer = evidence.ask(&Question::txt(&record.name))?;
    if let Ok(doubled) = zone.under(expected)
        && answer.aliases().first().is_some_and(|alias| alias.target == doubled)
    {
        let expected = expected.clone();
        return Ok(Some(ZoneFinding::TargetDoubled { purpose: Purpose::Dkim, found: doubled, expected }));
    }
    let as_text = answer.records().iter().find_map(|data| match data {
        RecordData::Txt(txt) => {
            let text = String::from_utf8(txt.joined()).ok()?;
            (Name::parse(text.trim()).ok()? == *expected).then_some(text)
        }
        _ => None,
    });
    Ok(as_text.map(|found| ZoneFinding::CnameAsText { found, expected: expected.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::domain::Domain;
    use crate::verify::evidence::{Denial, Failure, Found, Txt};
    use crate::verify::finding::Finding;
    use crate::verify::spf;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn found(text: &str) -> Answer {
        let records = vec![RecordData::Txt(Txt::of(text))];
        Answer::Found(Found { records, ttl_seconds: 60, aliases: Vec::new(), authentic: false })
    }

    /// What is said of example.com, without a record of its own, when the name with the host doubled and its sibling
    /// answer like this.
    #[track_caller]
    fn check(why: &str, doubled: Answer, sibling: Answer, expected: &[&str]) {
        let expectation = Expectation::soundness_of(Domain::parse("example.com").unwrap());
        let record = RecordReport { verdict: Verdict::Missing, ..spf::planned(&expectation) };
        let mut records = [record];
        let at = name("example.com.example.com");
        let mut evidence = Evidence::new();
        evidence.tell(Question::txt(&at), doubled);
        evidence.tell(Question::txt(&nobodys_sibling(&at).unwrap()), sibling);
        probe(&expectation, &name("example.com"), &mut records, &evidence).unwrap();
        let codes: Vec<&str> = records[0].findings.iter().map(Finding::code).collect();
        assert_eq!(codes, expected, "{why}");
    }

    #[test]
    fn a_wildcard_fakes_no_hit_even_when_its_answer_is_lost() {
        let none = || Answer::NoSuchName(Denial::default());
        let text = "v=spf1 -all";
        check("only there", found(text), none(), &["spf.host-doubled"]);
        check("another text elsewhere", found(text), found("hello"), &["spf.host-doubled"]);
        check("everywhere", found(text), found(text), &[]);
        check("nobody knows where else", found(text), Answer::Unknown(Failure::Timeout), &[]);
        check("nobody knows", Answer::Unknown(Failure::Timeout), none(), &[]);
        check("nowhere", none(), none(), &[]);
    }

    #[test]
    fn every_name_has_a_sibling_of_its_own() {
        let sibling = |text: &str| nobodys_sibling(&name(text)).unwrap().to_string();
        assert_eq!(sibling("_dmarc.example.com"), sibling("_DMARC.Example.com"), "in any case");
        assert_ne!(sibling("_dmarc.example.com"), sibling("dmarc.example.com"));
        assert!(sibling("_dmarc.example.com").ends_with(".example.com"));
        assert_eq!(sibling("_dmarc.example.com").len(), 2 * NOBODYS_OCTETS + ".example.com".len());
    }
}
