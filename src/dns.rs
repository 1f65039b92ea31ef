//! Asking DNS: the [`Resolver`] port, and what stands behind it.
//!
//! Owns how a question reaches servers and what counts as an answer. Asking never fails: a failure is an
//! [`Answer`] like any other. What an answer means for a domain is
//! judged in [`crate::verify`]; how often to ask, and when to stop, is [`crate::checker`]'s.

mod chain;
pub mod hickory;
pub(crate) mod size;
pub mod watched;
pub mod zone_text;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::NetError;
use hickory_resolver::system_conf::read_system_conf;
use thiserror::Error;

use crate::verify::evidence::{Answer, Failure, Question, Reply, Told};

/// The most CNAMEs followed for one question. Ours: RFC 1034 §3.6.2 names none, and resolvers stop between 8 and 16.
pub const ALIAS_COUNT_MAX: usize = 8;

/// The port of DNS. RFC 1035 §4.2.
pub const PORT: u16 = 53;

/// Something that can be asked.
pub trait Resolver: Send + Sync {
    /// What each server that was asked said to `question`, in the order of asking, CNAME chain followed.
    ///
    /// Never fails, for failure is an answer; never empty.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Vec<Reply>>;

    /// Where the authoritative server at `address` is to be asked; nothing for one that is never asked.
    ///
    /// Without this, no authoritative server is.
    fn authority_at(&self, _address: IpAddr) -> Option<SocketAddr> {
        None
    }

    /// What the authoritative `server` says to `question`, asked without recursion.
    ///
    /// Never fails. An answer without authority is lame, unless it is a referral.
    fn ask_at<'a>(&'a self, _server: SocketAddr, _question: &'a Question) -> BoxFuture<'a, Told> {
        std::future::ready(Told::Answer(Answer::Unknown(Failure::Unreachable))).boxed()
    }
}

/// Whom to ask, how long, and how much at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The recursive servers, in the order of asking.
    pub servers: Vec<SocketAddr>,
    /// How long one server has for one question, TCP included.
    pub timeout: Duration,
    /// How many servers are being asked at once, at most; at least 1.
    pub in_flight_max: usize,
    /// The port of authoritative servers.
    pub authoritative_port: u16,
    /// Whether authoritative servers on addresses that the Internet cannot reach are asked, too.
    pub allow_private_servers: bool,
}

/// The system says nothing about DNS servers.
#[derive(Debug, Error)]
#[error("the system names no DNS servers")]
pub struct NoSystemServers(#[source] NetError);

/// The recursive servers that the system is set to use (`/etc/resolv.conf`), in its order. Reads a file.
///
/// # Errors
///
/// [`NoSystemServers`] when there is no such file, or no server in it; whoever runs the machine can name some.
pub fn system_servers() -> Result<Vec<SocketAddr>, NoSystemServers> {
    let (config, _) = read_system_conf().map_err(NoSystemServers)?;
    Ok(servers_of(&config))
}

/// The servers of a configuration, each once: some systems list one under two interfaces.
fn servers_of(config: &ResolverConfig) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    for server in config.name_servers() {
        let address = SocketAddr::new(server.ip, PORT);
        if !servers.contains(&address) {
            servers.push(address);
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use hickory_resolver::system_conf::parse_resolv_conf;

    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match parse_resolv_conf(text) {
            Ok((config, _)) => servers_of(&config).iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" "),
            Err(source) => NoSystemServers(source).to_string(),
        };
        assert_eq!(shown, expected, "{why}");
    }

    #[test]
    fn the_systems_servers_are_read() {
        check("in order", "nameserver 192.0.2.2\nnameserver 192.0.2.1\n", "192.0.2.2:53 192.0.2.1:53");
        check("IPv6", "search example.test\nnameserver 2001:db8::1\n", "[2001:db8::1]:53");
        check("each once", "nameserver 192.0.2.1\nnameserver 192.0.2.1\n", "192.0.2.1:53");
        check("none", "search example.test\n", "the system names no DNS servers");
    }
}
