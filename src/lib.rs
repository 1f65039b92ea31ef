//! sendready tells whether an email domain may send, and exactly what to publish where if not.
//!
//! The layers, from the inside out: [`plural`], [`protocol`], [`verify`], [`sending`] and [`webhook`] are pure; [`clock`],
//! [`chance`], [`config`], [`telemetry`], [`dns`], [`store`], [`sender`] and [`remote`] touch the world; [`checker`] and [`service`]
//! are what the product does; [`http`], [`web`] and [`jobs`] are the ways in; [`lifecycle`], [`app`] and [`cli`] put it together.
//! See `ARCHITECTURE.md`.

pub mod plural;
pub mod protocol;
pub mod sending;
pub mod verify;
pub mod webhook;

pub mod chance;
pub mod clock;
pub mod config;
pub mod dns;
pub mod remote;
pub mod sender;
pub mod store;
pub mod telemetry;

pub mod checker;
pub mod service;

pub mod http;
pub mod jobs;
pub mod web;

pub mod app;
pub mod cli;
pub mod lifecycle;
