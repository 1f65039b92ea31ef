//! Serving on a listener: bounded connections, patience with slow clients, an orderly end.
//!
//! `axum::serve` sets no time limit on a request's head, so a client that sends one octet a minute would hold
//! its connection for ever. This drives hyper's connections directly, which can say how long.

mod bell;
mod refusal;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

use crate::http::json::BODY_TIME_MAX;
use crate::http::request::Peer;
use crate::http::serve::bell::Bell;
use crate::http::serve::refusal::Refusing;

/// How long a client may take for a request's head, and how long an idle connection is kept.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a client may leave an answer unread before its connection is dropped.
const UNREAD_TIME_MAX: Duration = Duration::from_secs(30);

/// The largest head of a request, in octets; beyond it the answer is 431. RFC 6585 §5.
const HEAD_OCTETS_MAX: usize = 32 * 1024;

/// The most headers of a request; beyond it the answer is 431.
const HEADERS_MAX: usize = 64;

/// The most connections at once: thousands of long polls and streams. More wait in the system's queue until one ends.
const CONNECTIONS_MAX: usize = 4_096;

/// How long accepting rests when the system has no more file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(200);

/// What answers requests: a router, or what stands around one.
pub trait Answers:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// The bounds of a server.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long requests that run at the end may still take.
    pub grace: Duration,
    /// How long a client may take for a request's head.
    pub head_time_max: Duration,
    /// How long a client may take for a request's body.
    pub body_time_max: Duration,
    /// How long a client may leave an answer unread.
    pub unread_time_max: Duration,
    /// The most connections at once.
    pub connections_max: usize,
}

impl Bounds {
    /// The bounds of a server in earnest.
    pub fn with_grace(grace: Duration) -> Bounds {
        Bounds {
            grace,
            head_time_max: HEAD_TIME_MAX,
            body_time_max: BODY_TIME_MAX,
            unread_time_max: UNREAD_TIME_MAX,
            connections_max: CONNECTIONS_MAX,
        }
    }
}

/// Serves `service` on `listener` until `stop`, then lets what runs end within `grace`.
///
/// After `stop` no connection is accepted and idle ones are closed. What still runs after `grace` is dropped.
pub async fn serve(listener: TcpListener, service: impl Answers, stop: CancellationToken, grace: Duration) {
    serve_within(listener, service, stop, Bounds::with_grace(grace)).await;
}

/// [`serve`], with other bounds. For tests.
pub async fn serve_within(listener: TcpListener, service: impl Answers, stop: CancellationToken, bounds: Bounds) {
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let connections = TaskTracker::new();
    let hard_stop = CancellationToken::new();
    while let Some((stream, address, place)) = next_connection(&listener, &places, &stop).await {
        let peer = Peer { address, body_time_max: bounds.body_time_max };
        let connection = connection(stream, peer, service.clone(), stop.clone(), bounds);
        let hard_stop = hard_stop.clone();
        connections.spawn(async move {
            tokio::select! {
                () = connection => {}
                () = hard_stop.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(bounds.grace, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "Dropped the requests that did not end in time");
        hard_stop.cancel();
        connections.wait().await;
    }
}

/// Waits for a free place and a client; nothing once stopped.
async fn next_connection(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let next = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, address)) => return Some((stream, address.ip(), place)),
                Err(fault) => {
                    // Mostly a client that went away again, or too many open files; both pass.
                    tracing::debug!(error = %fault, "Could not accept a connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        next = next => next,
    }
}

/// One connection, from its first request to its last.
async fn connection(stream: TcpStream, peer: Peer, service: impl Answers, stop: CancellationToken, bounds: Bounds) {
    // Without it small answers wait for the client's acknowledgement (RFC 896).
    let _ = stream.set_nodelay(true);
    // The system's own clock over what is sent and not taken (RFC 5482); it also ends connections to clients
    // that are gone. A system without it serves all the same.
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(bounds.unread_time_max));
    let service = service_fn(move |mut request| {
        request.extensions_mut().insert(peer);
        service.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(Bell::default())
        .header_read_timeout(bounds.head_time_max)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_OCTETS_MAX)
        .max_buf_size(HEAD_OCTETS_MAX * 2);
    let connection = builder.serve_connection(TokioIo::new(Refusing::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let ended: Result<(), hyper::Error> = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(fault) = ended {
        // The client's doing: it went away, was too slow, or does not speak HTTP.
        tracing::debug!(error = %fault, "A connection broke");
    }
}
