//! sendready tells whether an email domain may send, and exactly what to publish where if not.
//!
//! The layers, from the inside out: [`protocol`] and [`verify`] are pure; see `ARCHITECTURE.md`.

pub mod dns;
pub mod protocol;
pub mod sending;
pub mod store;
pub mod verify;
