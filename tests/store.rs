//! The store's contract: one test for each operation, on both databases, each on an empty one.

mod world;

mod clients;
mod connection;
mod domains;
mod keys;
mod mailboxes;
mod plans;
mod schedule;
mod schema;
mod sending;
mod settle;
mod statements;
