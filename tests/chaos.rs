//! Everything around the service fails, and what it says stays true.

mod real;
