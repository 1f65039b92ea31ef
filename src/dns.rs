//! Asking DNS: the [`Resolver`] port, and what stands behind it.
//!
//! Owns how a question reaches servers and what counts as an answer. Asking never fails: a failure is an
//! [`Answer`](crate::verify::evidence::Answer) like any other. What an answer means for a domain is
//! judged in [`crate::verify`]; how often to ask, and when to stop, is [`crate::checker`]'s.

mod chain;
pub mod zone_text;

use futures_util::future::BoxFuture;

use crate::verify::evidence::{Question, Reply};

/// The most CNAMEs followed for one question. Ours: RFC 1034 §3.6.2 names none, and resolvers stop between 8 and 16.
pub const ALIAS_COUNT_MAX: usize = 8;

/// Something that can be asked.
pub trait Resolver: Send + Sync {
    /// What each server that was asked said to `question`, in the order of asking, CNAME chain followed.
    ///
    /// Never fails, for failure is an answer; never empty.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Vec<Reply>>;
}
