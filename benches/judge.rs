//! How long judging takes.

fn main() {}
