//! The whole story on real servers: register, publish on knot, see it through unbound, on both databases.

mod outage;
mod ownership;
mod real;
