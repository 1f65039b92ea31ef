//! The two vantages with real servers: knot as the zone's own, unbound or a liar as what the world sees.

mod real;
