//! How much may be sent, and how it is shared out.
//!
//! Pure: no clock, no store.

pub mod tier;
pub mod warmup;

pub mod gate;
pub mod health;
pub mod limit;
pub mod mailbox;
pub mod reason;
pub mod reckoning;
pub mod reputation;
pub mod rollup;
