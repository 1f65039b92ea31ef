//! Judgement: evidence in, verdict out.
//!
//! Pure: no DNS, no clock, no database, and no words for people outside [`finding::words`].

pub mod advice;
pub mod breaker;
pub mod cut;
pub mod dkim;
pub mod dmarc;
pub mod dnssec;
pub mod doubt;
pub mod evidence;
pub mod expectation;
pub mod finding;
pub mod judge;
pub mod mx;
pub mod ownership;
pub mod placement;
pub mod purpose;
pub mod report;
pub mod spf;
pub mod staged;
pub mod standing;
pub mod step;
pub mod vantage;
pub mod zone;
