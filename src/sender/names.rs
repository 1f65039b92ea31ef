//! The addresses of a host name: the [`Names`] port, and what stands behind it.
//!
//! [`SystemNames`] asks the system, as any program does: its hosts file, its servers, its search list. [`DnsNames`] asks
//! the servers that the settings name. Which of the addresses may be spoken to is the sender's to say.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join};
use thiserror::Error;
use tokio::net::lookup_host;

use crate::dns::Resolver;
use crate::protocol::name;
use crate::verify::evidence::{Question, RecordData, RecordType, Reply};

/// Something that knows the addresses of names.
pub trait Names: Send + Sync {
    /// The addresses of `host`, in the order in which they are to be tried.
    ///
    /// # Errors
    ///
    /// [`NameFault`].
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NameFault>>;
}

/// Why there are no addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameFault {
    /// The name has none.
    #[error("the name has no address")]
    NoAddress,
    /// Nobody could tell.
    #[error("the name could not be looked up")]
    Unknown,
}

/// The system's way.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NameFault>> {
        async move {
            match lookup_host((host, 0)).await {
                Ok(found) => Ok(found.map(|address| address.ip()).collect()),
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => Err(NameFault::NoAddress),
                // The system does not say why.
                Err(_) => Err(NameFault::Unknown),
            }
        }
        .boxed()
    }
}

/// The DNS servers of the settings.
pub struct DnsNames {
    resolver: Arc<dyn Resolver>,
}

impl DnsNames {
    /// Asks `resolver`.
    pub fn new(resolver: Arc<dyn Resolver>) -> DnsNames {
        DnsNames { resolver }
    }

    async fn ask(&self, name: &name::Name, record_type: RecordType) -> Vec<Reply> {
        self.resolver.ask(&Question::new(name.clone(), record_type)).await
    }
}

impl Names for DnsNames {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, NameFault>> {
        async move {
            if is_localhost(host) {
                return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
            }
            let name = name::Name::parse(host).map_err(|_| NameFault::NoAddress)?;
            let (v4, v6) = join(self.ask(&name, RecordType::A), self.ask(&name, RecordType::Aaaa)).await;
            let replies = || v4.iter().chain(&v6);
            let found: Vec<IpAddr> = replies().flat_map(|reply| reply.answer.records()).filter_map(address).collect();
            match found.is_empty() {
                false => Ok(found),
                true if replies().all(|reply| reply.answer.is_definite()) => Err(NameFault::NoAddress),
                true => Err(NameFault::Unknown),
            }
        }
        .boxed()
    }
}

fn address(record: &RecordData) -> Option<IpAddr> {
    match record {
        RecordData::A(address) => Some(IpAddr::V4(*address)),
        RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

/// Such names are never asked about. RFC 6761 §6.3.
fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use crate::dns::zone_text::ZoneText;

    use super::*;

    async fn found(host: &str) -> String {
        let zone: ZoneText = "$ORIGIN example.test.\n\
            both A 192.0.2.1\nboth AAAA 2001:db8::1\nalias CNAME both\nnone TXT \"x\"\n;@ servfail broken *\n"
            .parse()
            .unwrap();
        match DnsNames::new(Arc::new(zone)).addresses(host).await {
            Ok(found) => found.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "),
            Err(fault) => fault.to_string(),
        }
    }

    #[tokio::test]
    async fn both_kinds_of_addresses_are_asked_for() {
        assert_eq!(found("both.example.test").await, "192.0.2.1 2001:db8::1");
        assert_eq!(found("ALIAS.example.test.").await, "192.0.2.1 2001:db8::1");
        assert_eq!(found("none.example.test").await, "the name has no address");
        assert_eq!(found("nobody.example.test").await, "the name has no address");
        assert_eq!(found("broken.example.test").await, "the name could not be looked up");
        assert_eq!(found("a..b").await, "the name has no address");
        assert_eq!(found("hook.LOCALHOST.").await, "127.0.0.1 ::1");
    }

    #[tokio::test]
    async fn the_system_knows_itself() {
        let found = SystemNames.addresses("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
    }
}
