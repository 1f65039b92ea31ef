//! The HTTP interface, in process: a router over SQLite in a temporary directory, DNS as text.

mod house;
