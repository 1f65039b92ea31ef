//! Servers behind the [`Resolver`] port, over hickory's network streams.
//!
//! Owns the order of asking recursive servers: the first; on a failure the next; and before a "no" is believed, one
//! other, for a single broken server must not be able to deny what is there. Each reply is kept. Nothing is cached, so that what is seen is what the server says now. CNAME chains are followed here, for a server may give
//! only a part. Authoritative servers are asked one question each, and no chain is followed for them.
//!
//! # Limits
//!
//! So many servers at once ([`Settings::in_flight_max`]), so long for each of them and question ([`Settings::timeout`]),
//! the chain and TCP included. Waiting for a turn does not count. A server that is silent again and again is left out
//! for a while, as long as another is there; an authoritative one counts as unreachable for that while. An authoritative
//! server gets so many questions at once (8), and so many a second (200),
//! that it takes us for one resolver among many.

mod authority;
mod convert;
mod datagram;
mod health;
mod reading;
mod wire;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::dns::chain::Chain;
use crate::dns::hickory::authority::Authorities;
use crate::dns::hickory::health::Health;
use crate::dns::hickory::reading::Reading;
use crate::dns::{Resolver, Settings};
use crate::protocol::address::is_public;
use crate::verify::evidence::{Answer, Failure, Question, Reply, Told, Vantage};

/// How a server is asked, and what is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Manner {
    /// The RD bit: ask others if you do not know.
    recursion_desired: bool,
    /// The CD bit: answer even what DNSSEC says is bogus. RFC 4035 §3.2.2.
    checking_disabled: bool,
    /// Whether an answer without the AA bit is lame.
    authority_required: bool,
}

impl Manner {
    /// As recursive servers are asked.
    const RECURSIVE: Manner = Manner { recursion_desired: true, checking_disabled: false, authority_required: false };

    /// The same, but answers that DNSSEC says are bogus are wanted, too.
    const UNCHECKED: Manner = Manner { checking_disabled: true, ..Manner::RECURSIVE };

    /// As the servers of a zone are asked.
    const AUTHORITATIVE: Manner =
        Manner { recursion_desired: false, checking_disabled: false, authority_required: true };
}

/// Recursive servers, asked one after the other, and authoritative ones.
#[derive(Debug)]
pub struct Hickory {
    servers: Vec<Server>,
    timeout: Duration,
    turns: Arc<Semaphore>,
    authorities: Authorities,
    authoritative_port: u16,
    allow_private_servers: bool,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    health: Health,
}

impl Hickory {
    /// Servers as `settings` name them. Needs a tokio runtime when asked, not before.
    pub fn new(settings: Settings) -> Hickory {
        let servers = settings.servers.into_iter().map(|address| Server { address, health: Health::default() });
        Hickory {
            servers: servers.collect(),
            timeout: settings.timeout,
            turns: Arc::new(Semaphore::new(settings.in_flight_max.clamp(1, Semaphore::MAX_PERMITS))),
            authorities: Authorities::default(),
            authoritative_port: settings.authoritative_port,
            allow_private_servers: settings.allow_private_servers,
        }
    }

    /// The servers to ask, in order: those that are not left out, or else all.
    fn servers_to_ask(&self) -> Vec<&Server> {
        let now = Instant::now();
        let sound: Vec<&Server> = self.servers.iter().filter(|server| !server.health.is_left_out(now)).collect();
        if sound.is_empty() { self.servers.iter().collect() } else { sound }
    }

    async fn ask_servers(&self, question: &Question) -> Vec<Reply> {
        let mut replies: Vec<Reply> = Vec::new();
        let mut is_denied = false;
        for server in self.servers_to_ask() {
            let mut reply = self.ask_server(server.address, question, Manner::RECURSIVE).await;
            server.health.note(&reply.answer, Instant::now());
            if reply.answer == Answer::Unknown(Failure::Servfail)
                && self.ask_server(server.address, question, Manner::UNCHECKED).await.answer.is_definite()
            {
                // It knows, and does not believe what it knows: only DNSSEC makes it so. RFC 4035 §3.2.2.
                reply.answer = Answer::Unknown(Failure::Bogus);
            }
            // A "no" is looked at twice, and a second time only.
            let settles = is_denied || matches!(reply.answer, Answer::Found(_));
            is_denied |= reply.answer.is_definite();
            replies.push(reply);
            if settles {
                break;
            }
        }
        if replies.is_empty() {
            replies.push(recursive(None, Answer::Unknown(Failure::Unreachable)));
        }
        replies
    }

    /// Asks one server, and it alone, until the chain's end or until the time is up.
    async fn ask_server(&self, server: SocketAddr, question: &Question, manner: Manner) -> Reply {
        let failed = |failure| recursive(Some(server), Answer::Unknown(failure));
        // Closed by nobody; were it closed, nothing could be asked in time.
        let Ok(_turn) = self.turns.acquire().await else { return failed(Failure::Timeout) };
        let deadline = Instant::now() + self.timeout;
        let mut chain = Chain::at(question.name.clone());
        // The chain bounds itself.
        loop {
            let asked = Question::new(chain.end().clone(), question.record_type);
            let message = match wire::exchange(server, &asked, manner, deadline).await {
                Ok(message) => message,
                Err(failure) => return failed(failure),
            };
            match reading::read(&message, chain, question.record_type, manner) {
                Reading::Done(answer) => {
                    let extended_error = reading::extended_error(&message).filter(|_| !answer.is_definite());
                    return Reply { extended_error, ..recursive(Some(server), answer) };
                }
                Reading::Open(open) => chain = open,
            }
        }
    }
}

/// What a recursive server said, and no more.
fn recursive(server: Option<SocketAddr>, answer: Answer) -> Reply {
    Reply { vantage: Vantage::Recursive, server, answer, extended_error: None }
}

impl Hickory {
    /// Asks one server of a zone one question.
    async fn ask_authority(&self, address: SocketAddr, question: &Question) -> Told {
        let unknown = |failure| Told::Answer(Answer::Unknown(failure));
        let server = self.authorities.server(address);
        // Its own turn first: whoever waits for a slow server must not keep the others waiting.
        let Some(_turn) = server.turn().await else { return unknown(Failure::Unreachable) };
        let Ok(_turn_of_all) = self.turns.acquire().await else { return unknown(Failure::Timeout) };
        let deadline = Instant::now() + self.timeout;
        let told = match wire::exchange(address, question, Manner::AUTHORITATIVE, deadline).await {
            Err(failure) => unknown(failure),
            Ok(message) => reading::read_told(&message, question, Manner::AUTHORITATIVE),
        };
        if let Told::Answer(answer) = &told {
            server.health.note(answer, Instant::now());
        }
        told
    }
}

impl Resolver for Hickory {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Vec<Reply>> {
        self.ask_servers(question).boxed()
    }

    fn authority_at(&self, address: IpAddr) -> Option<SocketAddr> {
        let is_allowed = self.allow_private_servers || is_public(address);
        is_allowed.then(|| SocketAddr::new(address, self.authoritative_port))
    }

    fn ask_at<'a>(&'a self, server: SocketAddr, question: &'a Question) -> BoxFuture<'a, Told> {
        self.ask_authority(server, question).boxed()
    }
}
