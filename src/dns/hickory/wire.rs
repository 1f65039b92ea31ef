//! One question to one server, over UDP and, where that does not do, over TCP.
//!
//! Owns the way a question goes: EDNS and its absence, and when TCP is tried. Datagrams are
//! [`crate::dns::hickory::datagram`]'s; what the message says is read in [`crate::dns::hickory::reading`].
//!
//! # When TCP is tried
//!
//! Once, when the datagram was cut short or cannot be believed, and when none came in three quarters of the time: some
//! paths lose every datagram of a size, and some servers hear only TCP. The deadline is the same.
//!
//! # Why not hickory's pool
//!
//! `NameServerPool` gives a SERVFAIL as a bare code, so the extended error that tells a bogus zone from a broken server
//! (RFC 8914) is lost; it refuses a whole answer for one record of a foreign class, and takes an empty answer with a SOA
//! to a question for SOA as found. Its TCP stream, used here, gives the message as it came.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, Message, Query, ResponseCode};
use tokio::time::{Instant, timeout_at};

use crate::dns::hickory::convert::{to_hickory, type_to_hickory};
use crate::dns::hickory::{Manner, datagram};
use crate::verify::evidence::{Failure, Question};

/// The parts that a question's time has: one for each datagram, the last for TCP.
const PARTS: u32 = datagram::SEND_COUNT_MAX + 1;

/// Asks `server`, and gives its message whole: never one that says it is truncated.
///
/// # Errors
///
/// The [`Failure`] when no message could be had before `deadline`.
pub(super) async fn exchange(
    server: SocketAddr,
    question: &Question,
    manner: Manner,
    deadline: Instant,
) -> Result<Message, Failure> {
    let with_edns = attempt(server, question, manner, Edns::With, deadline).await?;
    // A server from before EDNS says FORMERR or NOTIMP, without an OPT record. RFC 6891 §7.
    let too_old = matches!(with_edns.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp);
    if too_old && with_edns.edns.is_none() {
        return attempt(server, question, manner, Edns::Without, deadline).await;
    }
    Ok(with_edns)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edns {
    With,
    Without,
}

async fn attempt(
    server: SocketAddr,
    question: &Question,
    manner: Manner,
    edns: Edns,
    deadline: Instant,
) -> Result<Message, Failure> {
    let begin = Instant::now();
    let time = deadline.saturating_duration_since(begin);
    let part = time / PARTS;
    let request = request(question, manner, edns).map_err(|_| Failure::Malformed)?;
    let mut datagrams = pin!(datagram::exchange(server, &request, part));
    let failure = match timeout_at(begin + part * datagram::SEND_COUNT_MAX, &mut datagrams).await {
        Ok(Ok(datagram::Reply::Whole(message))) => return Ok(*message),
        Ok(Ok(datagram::Reply::Truncated)) => Failure::Truncated,
        Ok(Ok(datagram::Reply::Unclear)) => Failure::Malformed,
        Ok(Err(failure)) => return Err(failure),
        // The datagram may still come.
        Err(_) => {
            let late = async {
                tokio::select! {
                    message = whole_datagram(datagrams) => message,
                    message = whole_over_tcp(server, request.clone(), time) => message,
                }
            };
            return timeout_at(deadline, late).await.map_err(|_| Failure::Timeout);
        }
    };
    // The server did answer, so neither a refused connection nor a slow one is the news.
    timeout_at(deadline, over_tcp(server, request.clone(), time)).await.ok().flatten().ok_or(failure)
}

/// The whole message that the datagrams bring; nothing else ends the waiting.
async fn whole_datagram(datagrams: impl Future<Output = Result<datagram::Reply, Failure>>) -> Message {
    match datagrams.await {
        Ok(datagram::Reply::Whole(message)) => *message,
        _ => std::future::pending().await,
    }
}

/// The whole message that comes over TCP; nothing else ends the waiting.
async fn whole_over_tcp(server: SocketAddr, request: DnsRequest, time: Duration) -> Message {
    match over_tcp(server, request, time).await {
        Some(message) => message,
        None => std::future::pending().await,
    }
}

fn request(question: &Question, manner: Manner, edns: Edns) -> Result<DnsRequest, NetError> {
    let query = Query::query(to_hickory(&question.name)?, type_to_hickory(question.record_type));
    let mut options = DnsRequestOptions::default();
    options.use_edns = edns == Edns::With;
    options.recursion_desired = manner.recursion_desired;
    options.case_randomization = true;
    let mut request = DnsRequest::from_query(query, options);
    request.metadata.checking_disabled = manner.checking_disabled;
    // Whether the answer is authentic is wanted, without the signatures that DO would bring. RFC 6840 §5.7.
    request.metadata.authentic_data = manner.recursion_desired;
    Ok(request)
}

/// The message over TCP; nothing when there is none, or none that is whole.
async fn over_tcp(server: SocketAddr, request: DnsRequest, time: Duration) -> Option<Message> {
    // The connection's task lives as long as its provider, so this one must outlive the answer.
    let provider = TokioRuntimeProvider::new();
    let stream = TcpClientStream::exchange(server, None, time, None, provider.clone()).await.ok()?;
    let response = stream.send(request).first_answer().await;
    drop(provider);
    response
        .ok()
        .map(hickory_resolver::proto::op::DnsResponse::into_message)
        .filter(|message| !message.metadata.truncation)
}
