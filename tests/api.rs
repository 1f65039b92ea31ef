//! The HTTP interface, in process: a router over SQLite in a temporary directory, DNS as text.

mod audit;
mod authority;
mod dedicated;
mod described;
mod documents;
mod fields;
pub mod house;
mod limits;
mod lists;
mod mailboxes;
mod names;
mod odd;
mod once;
mod ownership;
mod refusals;
mod rollups;
mod serving;
mod setup_links;
mod staged;
mod story;
mod waiting;
