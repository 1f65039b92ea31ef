//! Names and records: text ↔ types, one file per record.
//!
//! Nothing here has an opinion about good or bad; that is [`crate::verify`]'s.

pub mod address;
pub mod dkim;
pub mod dmarc;
pub mod domain;
pub mod name;
pub mod tag_list;
