//! A DNS made of the zones that cases carry: `{name: [{TYPE: data}]}`.

use sendready::protocol::name::Name;
use sendready::verify::evidence::{Answer, Denial, Evidence, Failure, Found, Question, RecordData, RecordType, Txt};
use sendready::verify::step::{Needs, Step};
use serde_json::Value;

/// The most rounds of asking; a judge that wants more does not end.
const ROUNDS_MAX: usize = 20;

/// Judges with whatever the zone answers, and judges twice.
pub(super) fn judged<T: PartialEq + std::fmt::Debug>(zone: &Value, judge: impl Fn(&Evidence) -> Result<T, Needs>) -> T {
    let mut evidence = Evidence::new();
    for _ in 0..ROUNDS_MAX {
        match judge(&evidence).into() {
            Step::Done(done) => {
                assert_eq!(judge(&evidence).as_ref(), Ok(&done), "judging twice is judging once");
                return done;
            }
            Step::Need(questions) | Step::Confirm(questions) => {
                for question in questions {
                    let answer = answer(zone, &question);
                    evidence.tell(question, answer);
                }
            }
        }
    }
    panic!("the judgement does not end");
}

/// What a resolver would say.
pub(super) fn answer(zone: &Value, question: &Question) -> Answer {
    let mut records = Vec::new();
    let mut there = false;
    for (owner, entries) in zone.as_object().into_iter().flatten() {
        let Ok(owner) = Name::parse(owner) else { continue };
        there |= owner.is_at_or_below(&question.name);
        if owner != question.name {
            continue;
        }
        for entry in entries.as_array().into_iter().flatten() {
            if entry == "TIMEOUT" {
                return Answer::Unknown(Failure::Timeout);
            }
            for (kind, data) in entry.as_object().into_iter().flatten() {
                if kind == question.record_type.as_str() && data == "TIMEOUT" {
                    return Answer::Unknown(Failure::Timeout);
                }
                records.extend(record(kind, data).filter(|_| kind == question.record_type.as_str()));
            }
        }
    }
    match (records.is_empty(), there) {
        (false, _) => Answer::Found(Found { records, ttl_seconds: 60, aliases: Vec::new(), authentic: false }),
        (true, true) => Answer::NoData(Denial::default()),
        (true, false) => Answer::NoSuchName(Denial::default()),
    }
}

fn record(kind: &str, data: &Value) -> Option<RecordData> {
    let kind = RecordType::ALL.into_iter().find(|known| known.as_str() == kind)?;
    match kind {
        RecordType::Txt => Some(RecordData::Txt(match data {
            Value::Array(strings) => {
                Txt { strings: strings.iter().filter_map(Value::as_str).map(|text| text.as_bytes().to_vec()).collect() }
            }
            data => Txt::of(data.as_str()?),
        })),
        RecordType::A => data.as_str()?.parse().ok().map(RecordData::A),
        RecordType::Aaaa => data.as_str()?.parse().ok().map(RecordData::Aaaa),
        RecordType::Mx => {
            let preference = u16::try_from(data.get(0)?.as_u64()?).ok()?;
            Some(RecordData::Mx { preference, exchange: Name::parse(data.get(1)?.as_str()?).ok()? })
        }
        _ => None,
    }
}
