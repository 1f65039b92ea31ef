//! With real servers, and the binary where processes are killed.

mod clocks;
mod cuts;
mod disk;
mod dns;
mod hearing;
mod replicas;
mod world;
