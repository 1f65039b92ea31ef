//! See `tests/rubbish/bodies.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sendready_fuzz::bodies;

fuzz_target!(|data: &[u8]| bodies::stored(data));
