//! Posting a body to a stranger's URL, safely.
//!
//! Owns what is never done: no private address is spoken to, whether the URL names it ([`target`]) or only DNS does
//! (the addresses of a name are looked up once, when connecting, and nothing else is connected to); no redirect is
//! followed; no proxy is asked; no answer is read beyond its beginning; and all of it ends in time. What an answer
//! means for a delivery, and when to try again, is the service's affair.
//!
//! # Strictness
//!
//! Taken is what is answered with 2xx, whatever becomes of the answer's body. Certificates are checked against the
//! roots of Mozilla, which are built in.
//!
//! # Left out
//!
//! Connections are not kept: each attempt looks up and checks anew.

mod answer;
pub mod fetch;
pub mod names;
pub mod target;

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::time::timeout;

use crate::protocol::address::is_public;
use crate::sender::names::{NameFault, Names};
use crate::sender::target::Target;

/// How long an attempt may take, from the name's look-up to the answer's head. Contract §3.4.
pub const TIME_MAX: Duration = Duration::from_secs(10);

/// How long connecting may take of that.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// The longest `Retry-After` that is passed on, in octets.
const RETRY_AFTER_OCTETS_MAX: usize = 64;

/// Who we say we are.
const USER_AGENT: &str = concat!("sendready/", env!("CARGO_PKG_VERSION"));

/// How to post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether private addresses are spoken to, too. For development.
    pub allow_private: bool,
    /// How long an attempt may take; [`TIME_MAX`] in earnest.
    pub time_max: Duration,
}

/// What posts. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    settings: Settings,
}

/// One post. The headers are those of Standard Webhooks.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`, in seconds.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: &'a str,
    /// JSON.
    pub body: &'a str,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status code.
    pub code: u16,
    /// How the body begins, made harmless; nothing when it is empty.
    pub excerpt: Option<String>,
    /// The text of `Retry-After`.
    pub retry_after: Option<String>,
}

impl Answered {
    /// Whether the post was taken.
    pub fn is_taken(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// Why nothing was answered. None says more of our network than the URL's owner knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unanswered {
    /// The name has no address.
    #[error("the host name has no address")]
    NoAddress,
    /// Its addresses could not be looked up.
    #[error("the host name could not be looked up")]
    NameUnknown,
    /// The name leads to addresses that are not public.
    #[error("the host name leads to an address that is not public")]
    Private,
    /// Nobody took the connection.
    #[error("no connection could be made")]
    NoConnection,
    /// The connection could not be made safe.
    #[error("no TLS connection could be made: the certificate, its name or the protocol is wrong")]
    Tls,
    /// It took too long.
    #[error("there was no answer in time")]
    Timeout,
    /// The connection ended before the answer, or the answer is no HTTP.
    #[error("the connection broke off, or what came is no HTTP")]
    Broken,
}

impl Unanswered {
    /// A word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unanswered::NoAddress => "no-address",
            Unanswered::NameUnknown => "name-unknown",
            Unanswered::Private => "private",
            Unanswered::NoConnection => "no-connection",
            Unanswered::Tls => "tls",
            Unanswered::Timeout => "timeout",
            Unanswered::Broken => "broken",
        }
    }
}

/// The sender could not be set up: a fault of this build.
#[derive(Debug, Error)]
#[error("outgoing HTTP could not be set up")]
pub struct SetupError(#[source] Box<dyn StdError + Send + Sync>);

impl Sender {
    /// A sender that looks names up by `names`.
    ///
    /// # Errors
    ///
    /// [`SetupError`].
    pub fn new(settings: Settings, names: Arc<dyn Names>) -> Result<Sender, SetupError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls().map_err(|fault| SetupError(fault.into()))?)
            .dns_resolver(Arc::new(Guard { names, allow_private: settings.allow_private }))
            .redirect(Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .http1_only()
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_TIME_MAX.min(settings.time_max))
            .user_agent(USER_AGENT)
            .build()
            .map_err(|fault| SetupError(fault.into()))?;
        Ok(Sender { client, settings })
    }

    /// Whether private addresses are spoken to.
    pub fn allows_private(&self) -> bool {
        self.settings.allow_private
    }

    /// Posts once, to no other place than `target`.
    ///
    /// # Errors
    ///
    /// [`Unanswered`], within the time that an attempt may take.
    pub async fn post(&self, target: &Target, post: &Post<'_>) -> Result<Answered, Unanswered> {
        let request = self
            .client
            .post(Url::clone(target.url()))
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", post.id)
            .header("webhook-timestamp", post.timestamp)
            .header("webhook-signature", post.signature)
            .body(post.body.to_owned());
        match timeout(self.settings.time_max, request.send()).await {
            Ok(Ok(response)) => Ok(answered(response).await),
            Ok(Err(fault)) => Err(unanswered(&fault)),
            Err(_) => Err(Unanswered::Timeout),
        }
    }
}

/// How TLS is spoken by whoever asks others: ring's cryptography, and the roots of Mozilla.
///
/// # Errors
///
/// When this build can speak no version of it.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
        .with_no_client_auth())
}

/// Whether it was TLS that failed.
pub fn is_tls_fault(fault: &reqwest::Error) -> bool {
    find::<rustls::Error>(fault).is_some()
}

async fn answered(response: Response) -> Answered {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.filter(|text| text.len() <= RETRY_AFTER_OCTETS_MAX).map(str::to_owned);
    Answered { code: response.status().as_u16(), retry_after, excerpt: answer::excerpt(response).await }
}

/// Sorts the client's faults by what the URL's owner can do about them.
fn unanswered(fault: &reqwest::Error) -> Unanswered {
    if let Some(refused) = find::<Unanswered>(fault) {
        return *refused;
    }
    if fault.is_timeout() {
        Unanswered::Timeout
    } else if is_tls_fault(fault) {
        Unanswered::Tls
    } else if fault.is_connect() {
        Unanswered::NoConnection
    } else {
        Unanswered::Broken
    }
}

/// The first fault of a type in a chain of causes, also inside the faults of the system.
fn find<'f, T: StdError + 'static>(fault: &'f (dyn StdError + 'static)) -> Option<&'f T> {
    let mut next = Some(fault);
    while let Some(fault) = next {
        if let Some(found) = fault.downcast_ref() {
            return Some(found);
        }
        // What stands inside such a fault is not among its causes, only what stands behind that.
        let inner = fault.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => fault.source(),
        };
    }
    None
}

/// The look-up of names that stands before every connection, and the last word on where it may go.
struct Guard {
    names: Arc<dyn Names>,
    allow_private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, allow_private) = (Arc::clone(&self.names), self.allow_private);
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await.map_err(|fault| match fault {
                NameFault::NoAddress => Unanswered::NoAddress,
                NameFault::Unknown => Unanswered::NameUnknown,
            })?;
            let allowed: Vec<SocketAddr> = found
                .iter()
                .filter(|address| allow_private || is_public(**address))
                .take(ADDRESSES_MAX)
                // The client puts the URL's port in place of none.
                .map(|address: &IpAddr| SocketAddr::new(*address, 0))
                .collect();
            match (found.is_empty(), allowed.is_empty()) {
                (true, _) => Err(Unanswered::NoAddress.into()),
                (false, true) => Err(Unanswered::Private.into()),
                (false, false) => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
