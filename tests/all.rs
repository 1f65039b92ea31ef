//! All tests, one binary: linking the library once per file would cost more than the tests.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "in a test, a panic with a line number is the report")]
#![expect(clippy::print_stderr, reason = "what is skipped or measured is said aloud")]
#![expect(unreachable_pub, reason = "modules of one binary see each other")]

mod api;
mod architecture;
mod breaker;
mod chaos;
mod commands;
mod config;
mod conformance;
mod dependencies;
mod dns_server;
mod docs;
mod exports;
mod guides;
mod hostile;
mod outside;
mod pages;
mod process;
mod remote;
mod rubbish;
mod snapshot;
mod store;
mod story;
mod support;
mod vantage;
mod waiters;
mod webhooks;
mod zones;
