//! All tests, one binary.

#[cfg(test)]
mod conformance;
