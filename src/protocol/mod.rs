//! Names and records: text ↔ types, one file per record.
//!
//! Nothing here has an opinion about good or bad; that is [`crate::verify`]'s.

pub mod domain;
pub mod name;
