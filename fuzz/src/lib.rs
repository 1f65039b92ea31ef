//! What the targets do with octets: the same functions that `tests/rubbish.rs` runs on a stable compiler.

#[path = "../../tests/rubbish/bodies.rs"]
pub mod bodies;
#[path = "../../tests/rubbish/made_up.rs"]
mod made_up;
