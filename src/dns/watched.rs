//! A resolver that is watched: what it answers is counted, and whether it answers at all is known.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::dns::Resolver;
use crate::telemetry::metrics::{UnderWay, dns_answered};
use crate::verify::evidence::{Question, Reply, Told, Vantage};

/// How many questions in a row must go without a definite answer before the resolver counts as failing. More
/// than one domain asks, so that a single broken zone is not mistaken for a broken resolver.
const FAILURES_IN_A_ROW: u32 = 20;

/// A resolver, counted.
pub struct Watched {
    inner: Arc<dyn Resolver>,
    failures: AtomicU32,
}

impl Watched {
    /// Watches `inner`.
    pub fn new(inner: Arc<dyn Resolver>) -> Watched {
        Watched { inner, failures: AtomicU32::new(0) }
    }

    /// Whether the last questions all went without a definite answer.
    pub fn is_failing(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES_IN_A_ROW
    }

    fn note(&self, replies: &[Reply]) {
        if replies.iter().any(|reply| reply.answer.is_definite()) {
            self.failures.store(0, Ordering::Relaxed);
        } else {
            // Saturates by itself: nobody asks four thousand million questions in vain.
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Resolver for Watched {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Vec<Reply>> {
        async move {
            let _under_way = UnderWay::dns_question();
            let begun = Instant::now();
            let replies = self.inner.ask(question).await;
            for reply in &replies {
                dns_answered(reply.vantage, &reply.answer, begun.elapsed());
            }
            self.note(&replies);
            replies
        }
        .boxed()
    }

    fn authority_at(&self, address: IpAddr) -> Option<SocketAddr> {
        self.inner.authority_at(address)
    }

    fn ask_at<'a>(&'a self, server: SocketAddr, question: &'a Question) -> BoxFuture<'a, Told> {
        async move {
            let _under_way = UnderWay::dns_question();
            let begun = Instant::now();
            let told = self.inner.ask_at(server, question).await;
            if let Told::Answer(answer) = &told {
                dns_answered(Vantage::Authoritative, answer, begun.elapsed());
            }
            told
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::zone_text::ZoneText;
    use crate::protocol::name::Name;

    #[tokio::test]
    async fn failing_is_many_in_a_row_and_one_answer_ends_it() {
        let text = "$ORIGIN example.test.\n;@ servfail bad.example.test. *\n@ 60 SOA ns h 1 1 1 1 1\n";
        let zone: ZoneText = text.parse().unwrap();
        let watched = Watched::new(Arc::new(zone));
        let bad = Question::txt(&Name::parse("bad.example.test").unwrap());
        for _ in 1..FAILURES_IN_A_ROW {
            watched.ask(&bad).await;
        }
        assert!(!watched.is_failing(), "one fewer is not enough");
        watched.ask(&bad).await;
        assert!(watched.is_failing());
        watched.ask(&Question::txt(&Name::parse("nothing.example.test").unwrap())).await;
        assert!(!watched.is_failing(), "a definite no is an answer");
    }
}
