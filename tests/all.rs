//! All tests, one binary.
//!
//! `cfg(test)` always holds here; it is written so that clippy knows helpers to be tests too.

#[cfg(test)]
mod architecture;
