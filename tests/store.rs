//! The store's contract: one test for each operation, on both databases, each on an empty one.

pub mod world;

mod abandoned;
mod announce;
mod audit;
mod breaker;
mod clients;
mod connection;
mod console;
mod dedicated;
mod domains;
mod health;
mod hot;
mod keys;
mod mailboxes;
mod notices;
mod outside;
mod ownership;
mod plans;
mod remembered;
mod rollups;
mod schedule;
mod schema;
mod sending;
mod settle;
mod setup_links;
mod staged;
mod statements;
mod webhooks;
