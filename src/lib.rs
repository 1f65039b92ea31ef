//! sendready tells whether an email domain may send, and exactly what to publish where if not.
//!
//! The layers, from the inside out: [`protocol`] and [`verify`] are pure; [`clock`], [`chance`], [`config`]
//! and [`telemetry`] touch the world; [`lifecycle`] starts and stops it all. See `ARCHITECTURE.md`.

pub mod http;
pub mod protocol;
pub mod sending;
pub mod store;
pub mod verify;

pub mod chance;
pub mod clock;
pub mod config;
pub mod telemetry;

pub mod lifecycle;
