//! All tests, one binary.

mod conformance;
