//! One question to one server, over UDP and, where that does not do, over TCP.
//!
//! Owns packets: retransmission, 0x20, EDNS and its absence, truncation. What the message says is read in
//! [`crate::dns::hickory::reading`].
//!
//! # Why not hickory's pool
//!
//! `NameServerPool` gives a SERVFAIL as a bare code, so the extended error that tells a bogus zone from a broken server
//! (RFC 8914) is lost; it refuses a whole answer for one record of a foreign class, and takes an empty answer with a SOA
//! to a question for SOA as found. Its streams, used here, give the message as it came.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::{DnsHandle, DnsRequestSender, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, Message, Query, ResponseCode};
use tokio::time::{Instant, timeout_at};

use crate::dns::hickory::Manner;
use crate::dns::hickory::convert::{to_hickory, type_to_hickory};
use crate::verify::evidence::{Failure, Question};

/// How often a question is sent over UDP before its time is up: once, and again for a packet lost on either way.
const SEND_COUNT_MAX: u8 = 3;

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
    let time = deadline.saturating_duration_since(Instant::now());
    let request = request(question, manner, edns, time).map_err(|_| Failure::Malformed)?;
    let over_udp = match timeout_at(deadline, over_udp(server, request.clone(), time)).await {
        Err(_) => return Err(Failure::Timeout),
        Ok(Ok(message)) if !message.metadata.truncation => return Ok(message),
        Ok(other) => other,
    };
    let failure = match over_udp {
        // RFC 7766 §5: a truncated answer is asked for again over TCP.
        Ok(_) => Failure::Truncated,
        // A forged answer, or a server that does not keep the case; TCP settles which.
        Err(NetError::QueryCaseMismatch) => Failure::Malformed,
        Err(error) => return Err(failure_of(&error)),
    };
    match timeout_at(deadline, over_tcp(server, request, time)).await {
        Ok(Ok(message)) if !message.metadata.truncation => Ok(message),
        // The server did answer, so neither a refused connection nor a slow one is the news.
        _ => Err(failure),
    }
}

fn request(question: &Question, manner: Manner, edns: Edns, time: Duration) -> Result<DnsRequest, NetError> {
    let query = Query::query(to_hickory(&question.name)?, type_to_hickory(question.record_type));
    let mut options = DnsRequestOptions::default();
    options.use_edns = edns == Edns::With;
    options.recursion_desired = manner.recursion_desired;
    options.case_randomization = true;
    options.retry_interval = time / u32::from(SEND_COUNT_MAX);
    let mut request = DnsRequest::from_query(query, options);
    request.metadata.checking_disabled = manner.checking_disabled;
    // Whether the answer is authentic is wanted, without the signatures that DO would bring. RFC 6840 §5.7.
    request.metadata.authentic_data = manner.recursion_desired;
    Ok(request)
}

async fn over_udp(server: SocketAddr, request: DnsRequest, time: Duration) -> Result<Message, NetError> {
    let mut stream = UdpClientStream::builder(server, TokioRuntimeProvider::new())
        .with_timeout(Some(time))
        .with_max_retries(SEND_COUNT_MAX)
        .with_retry_interval_floor(0)
        .build();
    Ok(stream.send_message(request).first_answer().await?.into_message())
}

async fn over_tcp(server: SocketAddr, request: DnsRequest, time: Duration) -> Result<Message, NetError> {
    // The connection's task lives as long as its provider, so this one must outlive the answer.
    let provider = TokioRuntimeProvider::new();
    let stream = TcpClientStream::exchange(server, None, time, None, provider.clone()).await?;
    let response = stream.send(request).first_answer().await;
    drop(provider);
    Ok(response?.into_message())
}

fn failure_of(error: &NetError) -> Failure {
    match error {
        NetError::Timeout => Failure::Timeout,
        NetError::Proto(_) => Failure::Malformed,
        NetError::Io(error) if error.kind() == io::ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Unreachable,
    }
}
