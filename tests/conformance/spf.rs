//! The openspf test suite for RFC 7208, against [`check_host`] over a zone that is data.

use std::collections::BTreeMap;

use sendready::protocol::name::Name;
use sendready::protocol::spf::domain_spec::Target;
use sendready::verify::evidence::{
    Alias, Answer, Denial, Evidence, Failure, Found, Question, RecordData, RecordType, Txt,
};
use sendready::verify::spf::{Session, SpfOutcome, check_host};
use sendready::verify::step::Step;
use serde_json::Value;

/// More rounds than any case can need.
const ROUNDS_MAX: usize = 100;

/// The most CNAMEs followed.
const ALIASES_MAX: usize = 8;

#[test]
fn rfc_7208_suite() {
    let Some(cases) = super::lines_of("rfc7208_cases.jsonl") else {
        return;
    };
    assert_eq!(cases.len(), 203, "the suite has 203 cases");
    let faults: Vec<String> = cases.iter().filter_map(|case| run(case).err()).collect();
    assert!(faults.is_empty(), "{} of {} fail:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

/// Runs one case; the fault says what was expected.
fn run(case: &Value) -> Result<(), String> {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    let outcome = outcome(case).ok_or_else(|| format!("{}: no end", text("id")))?;
    let results = case["expected"]["results"].as_array().expect("results");
    let trace: Vec<String> = outcome.trace.iter().map(|line| format!("    {line}")).collect();
    let said = format!("{} {:?}\n{}", outcome.result, outcome.explanation, trace.join("\n"));
    if !results.iter().any(|result| result == outcome.result.as_str()) {
        return Err(format!("{}: expected {results:?}, got {said}", text("id")));
    }
    match case["expected"]["explanation"].as_str() {
        Some("DEFAULT") if outcome.explanation.is_none() => Ok(()),
        Some(expected) if outcome.explanation.as_deref() == Some(expected) => Ok(()),
        None => Ok(()),
        Some(expected) => Err(format!("{}: expected the words {expected:?}, got {said}", text("id"))),
    }
}

/// What we say of a case; nothing where there is no end.
pub(super) fn outcome(case: &Value) -> Option<SpfOutcome> {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    let zone = Zone::read(&case["zone"]);
    let session = Session {
        receiver: Some("receiver.example.net".to_owned()),
        ..Session::new(text("ip").parse().expect("an address"), octets(text("helo")), octets(text("mail_from")), 0)
    };
    let mut evidence = Evidence::new();
    for _ in 0..ROUNDS_MAX {
        match check_host(&session, &evidence) {
            Step::Done(done) => return Some(done),
            Step::Need(questions) | Step::Confirm(questions) => {
                for question in questions {
                    assert!(!evidence.has(&question), "{}: asked twice: {question}", text("id"));
                    let answer = zone.answer(&question);
                    evidence.tell(question, answer);
                }
            }
        }
    }
    None
}

/// The octets of a text of the suite: one character is one octet.
pub(super) fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("an octet")).collect()
}

/// The zone of a case.
pub(super) struct Zone {
    names: BTreeMap<Name, Vec<Entry>>,
}

enum Entry {
    Record(RecordType, RecordData),
    Timeout,
}

impl Zone {
    pub(super) fn read(zone: &Value) -> Zone {
        let mut names: BTreeMap<Name, Vec<Entry>> = BTreeMap::new();
        for (name, entries) in zone.as_object().expect("a zone") {
            let Some(name) = name_of(name) else { continue };
            let entries = entries.as_array().expect("entries").iter().flat_map(read_entry);
            names.entry(name).or_default().extend(entries);
        }
        Zone { names }
    }

    /// What a resolver would say: aliases followed, a loop of them malformed.
    pub(super) fn answer(&self, question: &Question) -> Answer {
        let mut name = question.name.clone();
        let mut aliases = Vec::new();
        for _ in 0..ALIASES_MAX {
            let Some(entries) = self.names.get(&name) else {
                return Answer::NoSuchName(Denial { aliases, authority: None, authentic: false });
            };
            let of_type = |wanted: RecordType| {
                let records = entries.iter().filter_map(move |entry| match entry {
                    Entry::Record(record_type, data) if *record_type == wanted => Some(data.clone()),
                    _ => None,
                });
                records.collect::<Vec<RecordData>>()
            };
            let mut records = of_type(question.record_type);
            if !records.is_empty() {
                records.sort();
                return Answer::Found(Found { records, ttl_seconds: 300, aliases, authentic: false });
            }
            match of_type(RecordType::Cname).pop() {
                Some(RecordData::Cname(target)) => {
                    aliases.push(Alias { owner: name, target: target.clone(), ttl_seconds: 300 });
                    name = target;
                }
                _ if entries.iter().any(|entry| matches!(entry, Entry::Timeout)) => {
                    return Answer::Unknown(Failure::Timeout);
                }
                _ => return Answer::NoData(Denial { aliases, authority: None, authentic: false }),
            }
        }
        Answer::Unknown(Failure::Malformed)
    }
}

/// A name of the suite: dots between labels, no escapes.
fn name_of(text: &str) -> Option<Name> {
    let text = octets(text);
    match text.strip_suffix(b".").unwrap_or(&text) {
        [] => Some(Name::root()),
        text => Target::read(text).ok().map(|target| target.name),
    }
}

fn read_entry(entry: &Value) -> Vec<Entry> {
    let Some(records) = entry.as_object() else {
        assert_eq!(entry, "TIMEOUT");
        return vec![Entry::Timeout];
    };
    records.iter().filter_map(|(kind, value)| read_record(kind, value)).collect()
}

fn read_record(kind: &str, value: &Value) -> Option<Entry> {
    let text = || value.as_str().expect("a text");
    let name = |text: &str| name_of(text).expect("a name");
    let (record_type, data) = match kind {
        "A" => (RecordType::A, RecordData::A(text().parse().expect("an address"))),
        "AAAA" => (RecordType::Aaaa, RecordData::Aaaa(text().parse().expect("an address"))),
        "CNAME" => (RecordType::Cname, RecordData::Cname(name(text()))),
        "PTR" => (RecordType::Ptr, RecordData::Ptr(name(text()))),
        "MX" => {
            let preference = value[0].as_u64().and_then(|n| u16::try_from(n).ok()).expect("a preference");
            let exchange = name(value[1].as_str().expect("a host"));
            (RecordType::Mx, RecordData::Mx { preference, exchange })
        }
        "TXT" if *value == "NONE" => return None,
        "TXT" => {
            let strings: Vec<Vec<u8>> = match value.as_array() {
                // A record of no strings cannot be sent; an empty one takes its place.
                Some(strings) if strings.is_empty() => vec![Vec::new()],
                Some(strings) => strings.iter().map(|s| octets(s.as_str().expect("a string"))).collect(),
                None => vec![octets(text())],
            };
            (RecordType::Txt, RecordData::Txt(Txt { strings }))
        }
        // Type 99 is never asked for. RFC 7208 §3.1.
        "SPF" => return None,
        other => panic!("an unknown kind of record: {other}"),
    };
    Some(Entry::Record(record_type, data))
}
