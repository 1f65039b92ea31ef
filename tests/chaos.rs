//! Everything around the service fails, and what it says stays true: name servers, replicas, clocks, connections.

mod real;
