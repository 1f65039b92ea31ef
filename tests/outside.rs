//! What others say of domains: registries, block lists, and the reputation that is made of it.

mod lists;
mod rdap;
mod real;
