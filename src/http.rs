//! The HTTP interface (contract §3): requests in, service calls, bodies and problems out.

pub mod field;
pub mod json;
pub mod problem;
pub mod query;
pub mod request;
pub mod serve;
