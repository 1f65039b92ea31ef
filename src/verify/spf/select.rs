//! Which of the texts at a name are SPF records (RFC 7208 §4.4, §4.5).

use crate::protocol::name::Name;
use crate::protocol::spf::is_record;
use crate::verify::evidence::{Answer, Evidence, Failure, Question, RecordData, Txt};
use crate::verify::step::Needs;

/// The SPF records at one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published<'e> {
    /// None, though the name may have other texts.
    Nothing,
    /// The one record.
    One(&'e Txt),
    /// More than one, which is an error. RFC 7208 §4.5.
    Several(Vec<&'e Txt>),
    /// Nobody could tell.
    Failed(Failure),
}

/// The SPF records at `name`. Only TXT is asked. RFC 7208 §3.1.
///
/// # Errors
///
/// [`Needs`] when the name was not asked about.
pub fn published<'e>(name: &Name, evidence: &'e Evidence) -> Result<Published<'e>, Needs> {
    let answer = evidence.ask(&Question::txt(name))?;
    if let Answer::Unknown(failure) = answer {
        return Ok(Published::Failed(*failure));
    }
    let records: Vec<&Txt> = texts(answer).filter(|txt| is_record(&txt.joined())).collect();
    Ok(match records.as_slice() {
        [] => Published::Nothing,
        [one] => Published::One(one),
        _ => Published::Several(records),
    })
}

/// The texts of an answer.
pub fn texts(answer: &Answer) -> impl Iterator<Item = &Txt> {
    answer.records().iter().filter_map(|record| match record {
        RecordData::Txt(txt) => Some(txt),
        _ => None,
    })
}
