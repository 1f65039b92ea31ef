//! A resolver that is watched: what it answers is counted, and whether it answers at all is known.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::dns::Resolver;
use crate::telemetry::metrics::{UnderWay, dns_answered};
use crate::verify::evidence::{Answer, Failure, Question, Reply, Told, Vantage};

/// How many questions in a row must go without a definite answer before the resolver counts as failing. More
/// than one domain asks, so that a single broken zone is not mistaken for a broken resolver.
const FAILURES_IN_A_ROW: u32 = 20;

/// How many authoritative servers must be silent, and none answer, before all count as unreachable. A check asks four of
/// its zone and two of the zone above, so that one dead DNS host is not mistaken for a filtered port.
const SILENT_MIN: usize = 4;

/// How authoritative servers, all together, fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authorities {
    /// None was asked yet, or too few to tell.
    #[default]
    Unknown,
    /// The last to be heard of answered, or only few have been silent since one did.
    Answering,
    /// Several have been silent since one answered, if any ever did.
    Unreachable,
}

/// What is known of authoritative servers.
#[derive(Debug, Default)]
struct Reach {
    has_answered: bool,
    /// Those that were silent since one answered; no more of them than tell.
    silent: BTreeSet<IpAddr>,
}

impl Reach {
    fn note(&mut self, server: IpAddr, told: &Told) {
        if !matches!(told, Told::Answer(Answer::Unknown(Failure::Timeout | Failure::Unreachable))) {
            *self = Reach { has_answered: true, silent: BTreeSet::new() };
        } else if self.silent.len() < SILENT_MIN {
            self.silent.insert(server);
        }
    }

    fn state(&self) -> Authorities {
        match (self.silent.len() >= SILENT_MIN, self.has_answered) {
            (true, _) => Authorities::Unreachable,
            (false, true) => Authorities::Answering,
            (false, false) => Authorities::Unknown,
        }
    }
}

/// A resolver, counted.
pub struct Watched {
    inner: Arc<dyn Resolver>,
    failures: AtomicU32,
    reach: Mutex<Reach>,
}

impl Watched {
    /// Watches `inner`.
    pub fn new(inner: Arc<dyn Resolver>) -> Watched {
        Watched { inner, failures: AtomicU32::new(0), reach: Mutex::default() }
    }

    /// How authoritative servers, all together, fare.
    pub fn authorities(&self) -> Authorities {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner).state()
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
            self.reach.lock().unwrap_or_else(PoisonError::into_inner).note(server.ip(), &told);
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

    /// `1` to `9` is a server that is silent, `a` one that answers, `l` one that answers that it is lame.
    #[track_caller]
    fn check_reach(why: &str, events: &str, expected: Authorities) {
        let mut reach = Reach::default();
        for event in events.chars() {
            let (number, answer) = match event.to_digit(10) {
                Some(number) => (number, Answer::Unknown(Failure::Timeout)),
                None if event == 'l' => (0, Answer::Unknown(Failure::Lame)),
                None => (0, Answer::NoData(crate::verify::evidence::Denial::default())),
            };
            reach.note(std::net::Ipv4Addr::from(number).into(), &Told::Answer(answer));
        }
        assert_eq!(reach.state(), expected, "{why}");
    }

    #[test]
    fn a_filtered_port_is_no_dead_host() {
        check_reach("nobody asked", "", Authorities::Unknown);
        check_reach("one dead host, asked again and again", "1231231233", Authorities::Unknown);
        check_reach("four are silent", "1234", Authorities::Unreachable);
        check_reach("though one answered long ago", "a1234", Authorities::Unreachable);
        check_reach("one answers in between", "12a34", Authorities::Answering);
        check_reach("one answers again", "1234a", Authorities::Answering);
        check_reach("a refusal is an answer", "1234l", Authorities::Answering);
    }

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
