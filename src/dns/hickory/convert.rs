//! Our names, types and records ↔ hickory's.
//!
//! Names go over label by label as raw octets, so that `:`, `%` and octets above 127 are sent as they stand, and come
//! back folded: with 0x20 a server answers in the random case of the question.

use hickory_resolver::net::NetError;
use hickory_resolver::proto;
use hickory_resolver::proto::rr::RData;

use crate::protocol::name::{Name, NameFault};
use crate::verify::evidence::{RecordData, RecordType, Txt};

/// `name` for the wire.
///
/// # Errors
///
/// None in practice: what our names may hold, theirs may too.
pub(super) fn to_hickory(name: &Name) -> Result<proto::rr::Name, NetError> {
    Ok(proto::rr::Name::from_labels(name.labels())?)
}

/// A name from the wire, folded to lower case.
///
/// # Errors
///
/// [`NameFault`] for a name that no server should send.
pub(super) fn from_hickory(name: &proto::rr::Name) -> Result<Name, NameFault> {
    Name::from_labels(name.iter())
}

/// `record_type` for the wire.
pub(super) fn type_to_hickory(record_type: RecordType) -> proto::rr::RecordType {
    match record_type {
        RecordType::A => proto::rr::RecordType::A,
        RecordType::Aaaa => proto::rr::RecordType::AAAA,
        RecordType::Cname => proto::rr::RecordType::CNAME,
        RecordType::Mx => proto::rr::RecordType::MX,
        RecordType::Ns => proto::rr::RecordType::NS,
        RecordType::Ptr => proto::rr::RecordType::PTR,
        RecordType::Soa => proto::rr::RecordType::SOA,
        RecordType::Txt => proto::rr::RecordType::TXT,
    }
}

/// A record's content, or nothing for a type that is not asked for here.
///
/// # Errors
///
/// [`NameFault`] for a name in it that no server should send.
pub(super) fn data_from_hickory(data: &RData) -> Result<Option<RecordData>, NameFault> {
    Ok(Some(match data {
        RData::A(address) => RecordData::A(address.0),
        RData::AAAA(address) => RecordData::Aaaa(address.0),
        RData::CNAME(name) => RecordData::Cname(from_hickory(name)?),
        RData::MX(mx) => RecordData::Mx { preference: mx.preference, exchange: from_hickory(&mx.exchange)? },
        RData::NS(name) => RecordData::Ns(from_hickory(name)?),
        RData::PTR(name) => RecordData::Ptr(from_hickory(name)?),
        RData::SOA(soa) => {
            RecordData::Soa { primary: from_hickory(&soa.mname)?, serial: soa.serial, minimum_seconds: soa.minimum }
        }
        RData::TXT(txt) => {
            RecordData::Txt(Txt { strings: txt.txt_data.iter().map(|string| string.to_vec()).collect() })
        }
        _ => return Ok(None),
    }))
}
