//! Pages for people: what they answer, and what a browser makes of them.

mod console;
mod headers;
mod real;
mod setup;
