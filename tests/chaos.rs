//! What goes wrong with machines: replicas that die, clocks that disagree, connections that are cut.

mod real;
