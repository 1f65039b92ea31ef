//! Names and records: text ↔ types, one file per record.
//!
//! Nothing here has an opinion about good or bad; that is [`crate::verify`]'s.

pub mod address;
pub mod bimi;
pub mod dkim;
pub mod dmarc;
pub mod dnsbl;
pub mod domain;
pub mod mail_address;
pub mod master_file;
pub mod mta_sts;
pub mod name;
pub mod spf;
pub mod tag_list;
pub mod tls_rpt;
