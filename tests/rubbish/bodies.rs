//! What must hold for any octets at all: one function per thing that reads them.
//!
//! Used twice: by `tests/rubbish.rs` on a stable compiler, and by the targets in `fuzz/`. A function fails by panicking.
//! `render` below stands for whatever gives the text back.

use std::net::IpAddr;

use sendready::checker::QUESTION_COUNT_MAX;
use sendready::dns::zone_text::ZoneText;
use sendready::protocol::dkim::{KeyRecord, PublicKey};
use sendready::protocol::domain::Domain;
use sendready::protocol::name::Name;
use sendready::protocol::spf::domain_spec::DomainSpec;
use sendready::protocol::spf::macros::{EXPLANATION_OCTETS_MAX, MacroPlace, MacroString, MacroValues};
use sendready::protocol::spf::{LOOKUPS_MAX, NAMES_MAX, VOID_LOOKUPS_MAX};
use sendready::protocol::tag_list::Element;
use sendready::protocol::{bimi, dkim, dmarc, master_file, mta_sts, spf, tag_list, tls_rpt};
use sendready::verify::evidence::stored::{from_stored, to_stored};
use sendready::verify::evidence::{Evidence, Question, RecordData, RecordType};
use sendready::verify::expectation::{
    DkimExpectation, DkimKey, DmarcExpectation, Expectation, MxExpectation, SpfExpectation,
};
use sendready::verify::finding::Finding;
use sendready::verify::finding::words::{Place, fix, message};
use sendready::verify::judge::{judge, judge_partly, verdicts};
use sendready::verify::report::Report;
use sendready::verify::spf::{Session, SpfOutcome, SpfResult, check_host};
use sendready::verify::step::Step;

use super::made_up::{DOMAIN, MadeUp};

/// A record that reads is the record that its text reads as; the linter says "valid" of the same texts.
pub fn spf_record(data: &[u8]) {
    let lint = sendready::verify::spf::lint(data);
    speak(&lint.findings.iter().cloned().map(Finding::Spf).collect::<Vec<_>>());
    match spf::parse(data) {
        Ok(record) => {
            let text = record.to_string();
            assert_eq!(spf::parse(text.as_bytes()).as_ref(), Ok(&record), "{text}");
            assert!(spf::is_record(data));
            assert!(record.reachable().len() <= record.directives.len());
        }
        Err(fault) => assert!(!fault.to_string().is_empty() && !lint.is_valid()),
    }
}

/// Names that come out of macros are names, and explanations have an end.
pub fn spf_macro(data: &[u8]) {
    let mut lines = data.splitn(4, |octet| *octet == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (text, local_part, helo, domain) = (next(), next(), next(), next());
    let ip = match data.len() % 2 {
        0 => IpAddr::from([192, 0, 2, 3]),
        _ => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0xcb, 1]),
    };
    let values = MacroValues {
        local_part,
        sender_domain: domain,
        domain,
        ip,
        helo,
        validated: helo,
        receiver: b"receiver.test",
        now_seconds: 1_234_567_890,
    };
    if let Ok(spec) = DomainSpec::parse(text) {
        let shown = spec.to_string();
        assert_eq!(DomainSpec::parse(shown.as_bytes()).as_ref(), Ok(&spec), "{shown}");
        if let Ok(target) = spec.expand(&values) {
            assert_eq!(Name::parse(&target.name.to_string()).as_ref(), Ok(&target.name));
            assert!(target.text.len() <= 253, "{} octets", target.text.len());
        }
        if let Some(name) = spec.plain_name() {
            // A name that can be written in a record is written as it was meant.
            if let Ok(again) = DomainSpec::of_name(&name) {
                assert_eq!(again.plain_name(), Some(name));
            }
        }
    }
    for place in [MacroPlace::Term, MacroPlace::Explanation] {
        if let Ok(text) = MacroString::parse(text, place) {
            let shown = text.to_string();
            assert_eq!(MacroString::parse(shown.as_bytes(), place).as_ref(), Ok(&text), "{shown}");
            assert!(text.expand_text(&values).len() <= EXPLANATION_OCTETS_MAX);
        }
    }
}

/// Whatever DNS says, an evaluation ends within the limits of RFC 7208 §4.6.4. The first line is address, HELO, sender.
pub fn spf_check_host(data: &[u8]) {
    let dns = MadeUp::of(data);
    let mut parts = dns.own.splitn(3, |octet| *octet == b' ');
    let ip = match parts.next().and_then(|part| part.first()) {
        Some(b'6') => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
        _ => IpAddr::from([192, 0, 2, 1]),
    };
    let helo = parts.next().unwrap_or(b"example.com");
    let sender = parts.next().unwrap_or(b"info@example.com");
    let session = Session::new(ip, helo, sender, 1_234_567_890);
    let settled = dns.settle(|evidence| check_host(&session, evidence));
    let outcome = settled.judgement;
    check_outcome(&outcome);
    // The record itself; of each lookup one answer, and of an `mx` its hosts'; the client's names once; the explanation.
    let names = NAMES_MAX + 1;
    let questions_max = 1 + LOOKUPS_MAX as usize * names + names + 1;
    assert!(settled.question_count <= questions_max, "{} questions", settled.question_count);
    assert_eq!(check_host(&session, &settled.evidence), Step::Done(outcome), "judging twice is judging once");
}

fn check_outcome(outcome: &SpfOutcome) {
    assert!(outcome.lookups <= LOOKUPS_MAX, "{} lookups", outcome.lookups);
    assert!(outcome.void_lookups <= VOID_LOOKUPS_MAX + 1, "{} void lookups", outcome.void_lookups);
    if outcome.void_lookups > VOID_LOOKUPS_MAX {
        assert_eq!(outcome.result, SpfResult::PermError);
    }
    assert!(outcome.explanation.is_none() || outcome.result == SpfResult::Fail);
    let explained = outcome.explanation.as_ref().map_or(0, String::len);
    // An octet that is no UTF-8 becomes a character of three.
    assert!(explained <= 3 * EXPLANATION_OCTETS_MAX, "{explained} octets of explanation");
    assert!(outcome.trace.iter().all(|line| !line.to_string().is_empty()));
}

/// Cutting loses nothing, and a list that reads is the list that its tags make.
pub fn tag_list(data: &[u8]) {
    let elements = tag_list::elements(data);
    assert_eq!(elements.len(), data.iter().filter(|octet| **octet == b';').count() + 1);
    let Ok(tags) = tag_list::parse(data) else { return };
    let read: Vec<_> = elements.into_iter().filter(|element| *element != Element::Empty).collect();
    assert_eq!(read, tags.iter().cloned().map(Element::Tag).collect::<Vec<_>>());
    let text: Vec<Vec<u8>> = tags.iter().map(|tag| [tag.name.as_bytes(), b"=", &tag.value].concat()).collect();
    assert_eq!(tag_list::parse(&text.join(&b';')), Ok(tags));
}

/// A key is the same key in all its clothes.
pub fn dkim_key(data: &[u8]) {
    speak(&sendready::verify::dkim::lint(data).findings);
    if let Ok(record) = KeyRecord::parse(data) {
        let text = record.render();
        let again = KeyRecord::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(again, KeyRecord { unknown_tags: Vec::new(), ..record.clone() });
        record.key.iter().for_each(check_key);
    }
    for algorithm in [dkim::Algorithm::Rsa, dkim::Algorithm::Ed25519] {
        if let Ok(key) = PublicKey::of_record(algorithm, data) {
            assert_eq!(key.algorithm(), algorithm);
            check_key(&key);
        }
    }
    if let Ok(key) = PublicKey::parse_base64(&String::from_utf8_lossy(data)) {
        check_key(&key);
    }
}

fn check_key(key: &PublicKey) {
    let text = key.to_record_value();
    let record = KeyRecord::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    assert_eq!(record.key.as_ref(), Some(key));
    assert_eq!(PublicKey::parse_base64(&text).as_ref(), Ok(key));
    assert!(key.bits() <= 40_000, "{} bits", key.bits());
}

/// What could be read of a record is what its text reads as.
pub fn dmarc_record(data: &[u8]) {
    let lint = sendready::verify::dmarc::lint(data);
    speak(&lint.findings);
    let Ok(parsed) = dmarc::parse(data) else {
        return assert!(!lint.valid);
    };
    let text = parsed.record.render();
    let again = dmarc::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    assert_eq!(again.record, parsed.record, "{text}");
    let uris = parsed.record.aggregate_reports.iter().chain(&parsed.record.failure_reports);
    for uri in uris {
        assert_eq!(dmarc::ReportUri::parse(&uri.to_string()).as_ref(), Ok(uri));
        assert!(uri.is_same_place(uri));
        uri.host();
    }
    assert!(parsed.effective().is_some() || !lint.valid);
}

/// Only a text that is such a record reads as one. MTA-STS, TLS reports, BIMI.
pub fn advised(data: &[u8]) {
    assert!(mta_sts::parse(data).is_err() || mta_sts::is_record(data));
    assert!(tls_rpt::parse(data).is_err() || tls_rpt::is_record(data));
    assert!(bimi::parse(data).is_err() || bimi::is_record(data));
}

/// A name is what its text reads as, wherever it came from.
pub fn name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let of_labels = Name::from_labels(data.split(|octet| *octet == b'.'));
    for name in [Name::parse(&text), of_labels].into_iter().flatten() {
        let shown = name.to_string();
        assert_eq!(Name::parse(&shown).as_ref(), Ok(&name), "{shown}");
        assert!(name.label_count() <= 127 && name.labels().all(|label| (1..=63).contains(&label.len())));
        for count in 0..=name.label_count() {
            let above = name.last_labels(count);
            assert_eq!(above.label_count(), count);
            assert!(name.is_at_or_below(&above));
            assert!(name.relative_to(&above).is_some());
        }
    }
    if let Ok(domain) = Domain::parse(&text) {
        assert_eq!(Domain::parse(&domain.to_string()).as_ref(), Ok(&domain));
        assert!(domain.name().is_at_or_below(&domain.registrable()));
        let unicode = domain.unicode();
        assert_eq!(Domain::parse(&unicode).as_ref(), Ok(&domain), "{unicode}");
    }
}

/// Any text that reads as zones answers any question; any octets written as a text read back as themselves.
pub fn zone_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<ZoneText>() {
        Ok(zones) => {
            let names = text.split_whitespace().take(20).filter_map(|word| Name::parse(word).ok());
            for name in names.chain([Name::root()]) {
                for record_type in RecordType::ALL {
                    let answer = zones.answer(&Question::new(name.clone(), record_type));
                    assert!(answer.records().is_sorted() && answer.aliases().len() <= 8);
                }
            }
        }
        Err(fault) => assert!(fault.line >= 1 && !fault.to_string().is_empty()),
    }
    let written = format!("example.test. TXT {}\n", master_file::txt(data));
    let zones: ZoneText = written.parse().unwrap_or_else(|fault| panic!("{written}: {fault}"));
    match zones.answer(&Question::txt(&Name::parse("example.test").unwrap_or_else(|_| Name::root()))).records() {
        [RecordData::Txt(txt)] => assert_eq!(txt.joined(), data),
        other => panic!("{other:?}"),
    }
}

/// Evidence that reads back is stored in one form, and can be judged, whatever it is.
pub fn stored(data: &[u8]) {
    let Ok(evidence) = from_stored(&String::from_utf8_lossy(data)) else { return };
    check_stored(&evidence);
    let report = judge_partly(&expectation(data.len().is_multiple_of(2)), &evidence);
    check_words(&report);
}

fn check_stored(evidence: &Evidence) {
    let form = to_stored(evidence);
    let again = from_stored(&form.body).unwrap_or_else(|fault| panic!("{fault}: {}", form.body));
    assert_eq!(again, *evidence);
    assert_eq!(to_stored(&again), form);
}

/// A whole domain is always judged, within a check's limits, and the same again out of the store.
///
/// The first line's first octet says how much is required.
pub fn judge_all(data: &[u8]) {
    let dns = MadeUp::of(data);
    let expectation = expectation(dns.own.first().is_some_and(|octet| octet % 2 == 0));
    let settled = dns.settle(|evidence| judge(&expectation, evidence));
    let report = settled.judgement;
    check_words(&report);
    let _ = verdicts(&report);
    if settled.question_count > QUESTION_COUNT_MAX {
        assert!(!report.is_all_valid(), "valid, though not everything was asked");
    }
    if let Some(suggested) = report.spf.as_ref().and_then(|spf| spf.suggested_record.as_ref()) {
        assert!(spf::parse(suggested.as_bytes()).is_ok(), "{suggested}");
    }
    check_stored(&settled.evidence);
    assert_eq!(judge(&expectation, &settled.evidence), Step::Done(report), "judging twice is judging once");
}

/// What is required: everything that can be, or soundness.
fn expectation(all: bool) -> Expectation {
    let soundness = Expectation::soundness_of(Domain::parse(DOMAIN).unwrap_or_else(|fault| panic!("{fault}")));
    if !all {
        return soundness;
    }
    let name = |text: &str| Name::parse(text).unwrap_or_else(|fault| panic!("{fault}"));
    let key = DkimKey::Key(PublicKey::ed25519([7; 32]));
    let keys = [("s1", DkimKey::Any), ("s2", key), ("s3", DkimKey::Cname(name("a._domainkey.test")))];
    Expectation {
        spf: SpfExpectation {
            includes: vec![name("a.test"), name("_spf.b.test")],
            addresses: vec![IpAddr::from([192, 0, 2, 1]), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])],
        },
        dkim: keys.map(|(selector, key)| DkimExpectation { selector: name(selector), key }).to_vec(),
        dmarc: DmarcExpectation {
            record: None,
            policy: Some(dmarc::Policy::Quarantine),
            rua: vec!["mailto:dmarc@example.net".to_owned()],
        },
        mx: [("a.test", 10), ("mx.example.com", 20)]
            .map(|(host, preference)| MxExpectation { host: name(host), preference })
            .to_vec(),
        ..soundness
    }
}

/// Every finding of a report has words.
fn check_words(report: &Report) {
    for record in &report.records {
        speak(&record.findings);
        for finding in &record.findings {
            assert!(!fix(finding, &Place::of(report, record)).is_empty(), "{}", finding.code());
        }
    }
    speak(&report.advisories);
}

fn speak(findings: &[Finding]) {
    for finding in findings {
        assert!(!message(finding).is_empty(), "{}", finding.code());
        let _ = (finding.facts(), finding.severity());
    }
}
