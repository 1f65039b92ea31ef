//! What several test modules need of the world.

pub mod postgres;
