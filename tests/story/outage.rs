//! PostgreSQL dies while the service runs, and comes back.

mod real;
