//! Whose a domain is, on real servers.

mod real;
