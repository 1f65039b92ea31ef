//! How much may be sent, and how it is shared out.
//!
//! Pure: no clock, no store.

pub mod tier;
pub mod warmup;
