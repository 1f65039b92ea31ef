//! sendready tells whether an email domain may send, and exactly what to publish where if not.
//!
//! The layers, from the inside out: [`protocol`], [`verify`] and [`sending`] are pure; [`clock`], [`chance`],
//! [`config`], [`telemetry`], [`dns`] and [`store`] touch the world; [`checker`] puts them to use; [`lifecycle`]
//! starts and stops it all. See `ARCHITECTURE.md`.

pub mod http;
pub mod protocol;
pub mod sending;
pub mod verify;

pub mod chance;
pub mod clock;
pub mod config;
pub mod dns;
pub mod store;
pub mod telemetry;

pub mod checker;

pub mod service;

pub mod jobs;
pub mod lifecycle;
