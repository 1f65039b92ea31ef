//! How large an answer is, for the limits on what strangers may make us keep.

use crate::protocol::name::Name;
use crate::verify::evidence::{Answer, RecordData};

/// The octets of an answer's content: its records and the names of its chain.
pub(crate) fn answer_octets(answer: &Answer) -> usize {
    let records: usize = answer.records().iter().map(data_octets).sum();
    let aliases: usize = answer.aliases().iter().map(|alias| name_octets(&alias.target)).sum();
    records + aliases
}

/// The octets of one record's content, nearly as uncompressed on the wire.
pub(crate) fn data_octets(data: &RecordData) -> usize {
    match data {
        RecordData::A(_) => 4,
        RecordData::Aaaa(_) => 16,
        RecordData::Txt(txt) => txt.strings.iter().map(|string| string.len() + 1).sum(),
        RecordData::Cname(name) | RecordData::Ns(name) | RecordData::Ptr(name) => name_octets(name),
        RecordData::Mx { exchange, .. } => 2 + name_octets(exchange),
        RecordData::Soa { primary, .. } => 20 + name_octets(primary),
    }
}

/// The octets of a name on the wire, uncompressed.
pub(crate) fn name_octets(name: &Name) -> usize {
    name.labels().map(|label| label.len() + 1).sum::<usize>() + 1
}
