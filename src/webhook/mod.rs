//! Webhooks, as computations: events ↔ bytes, signatures, and when to try again.
//!
//! Owns what stands in a body and in the headers beside it. Posting is the affair of [`crate::sender`]; which
//! endpoint gets what, and the clock, are [`crate::service`]'s.

pub mod event;
pub mod retry;
pub mod signature;
