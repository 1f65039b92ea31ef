//! On a real PostgreSQL, with the binary where processes are killed.

mod clocks;
mod cuts;
mod hearing;
mod replicas;
mod world;
