//! Webhooks: out to receivers that do as they please, in from whoever says that DNS changed.

mod delivering;
mod endpoints;
mod guide;
mod inbound;
mod real;
mod sender;
