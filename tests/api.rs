//! The HTTP interface, in process: a router over SQLite in a temporary directory, DNS as text.

mod authority;
mod documents;
mod fields;
pub mod house;
mod lists;
mod mailboxes;
mod once;
mod ownership;
mod refusals;
mod serving;
mod setup_links;
mod staged;
mod story;
mod waiting;
