//! With real servers: knot, unbound, PostgreSQL.

mod dns;
