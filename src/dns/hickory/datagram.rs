//! One question to one server in datagrams.
//!
//! Owns which datagram is the reply: it comes from the server's address and port, to a port that the system drew by lot
//! for this question alone, under the question's id, and repeats the question in the random case in which it was sent
//! (0x20). RFC 5452 §4, §9.
//!
//! # Why not hickory's stream
//!
//! It passes over every reply without a question, and real servers send just a header when they refuse: such a server
//! would be called silent. It gives a message that is cut in the middle of a record as unreadable, though the TC bit
//! says what is the matter. It opens a socket, with a forger's chance of its own, for each packet that is sent again.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::verify::evidence::Failure;

/// How often a question is sent: once, and again for a packet lost on either way.
pub(super) const SEND_COUNT_MAX: u32 = 3;

/// The longest datagram that is taken in. More than any server sends to who offers 1232 octets, as we do.
const OCTETS_MAX: usize = 4_096;

/// The TC bit, in the third octet of a message. RFC 1035 §4.1.1.
const TRUNCATION: u8 = 0x02;

/// The QR bit, in the third octet of a message. RFC 1035 §4.1.1.
const RESPONSE: u8 = 0x80;

/// What came back.
#[derive(Debug)]
pub(super) enum Reply {
    /// A whole message.
    Whole(Box<Message>),
    /// A part of one, wherever it was cut. The rest is to be had over TCP. RFC 7766 §5.
    Truncated,
    /// Nothing that can be believed: not readable, or not in our spelling. TCP settles whose it is.
    Unclear,
}

/// Sends `request` to `server`, again after each `interval`, and waits for the reply as long as it takes.
///
/// # Errors
///
/// [`Failure::Unreachable`] when there is no way there, or when nobody listens whenever it is sent.
pub(super) async fn exchange(server: SocketAddr, request: &Message, interval: Duration) -> Result<Reply, Failure> {
    let octets = request.to_vec().map_err(|_| Failure::Malformed)?;
    let socket = socket_to(server).await.map_err(|_| Failure::Unreachable)?;
    for _ in 1..SEND_COUNT_MAX {
        match timeout(interval, send(&socket, &octets, request)).await {
            Ok(Ok(reply)) => return Ok(reply),
            // Who is to listen there may be just about to start.
            Ok(Err(fault)) if fault.kind() == io::ErrorKind::ConnectionRefused => tokio::time::sleep(interval).await,
            Ok(Err(_)) => return Err(Failure::Unreachable),
            Err(_) => {}
        }
    }
    send(&socket, &octets, request).await.map_err(|_| Failure::Unreachable)
}

/// A socket that hears nobody but `server`.
async fn socket_to(server: SocketAddr) -> io::Result<UdpSocket> {
    let ours = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(ours).await?;
    socket.connect(server).await?;
    Ok(socket)
}

async fn send(socket: &UdpSocket, octets: &[u8], request: &Message) -> io::Result<Reply> {
    socket.send(octets).await?;
    let mut buffer = vec![0; OCTETS_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(reply) = buffer.get(..length).and_then(|octets| reply(octets, request)) {
            return Ok(reply);
        }
    }
}

/// What `octets` are to `request`; nothing when they are no reply to it.
fn reply(octets: &[u8], request: &Message) -> Option<Reply> {
    let [high, low, flags, ..] = *octets else { return None };
    if u16::from_be_bytes([high, low]) != request.metadata.id {
        return None;
    }
    if flags & RESPONSE != 0 && flags & TRUNCATION != 0 {
        return Some(Reply::Truncated);
    }
    let Ok(message) = Message::from_vec(octets) else { return Some(Reply::Unclear) };
    if message.metadata.message_type != MessageType::Response {
        return Some(Reply::Unclear);
    }
    if message.queries.is_empty() {
        // Not even the random case vouches for it, so it may say no more than that the server failed.
        let believed = is_failure(message.metadata.response_code);
        return Some(if believed { Reply::Whole(Box::new(message)) } else { Reply::Unclear });
    }
    let repeats = message.queries == request.queries;
    let in_our_case = message.queries.iter().zip(&request.queries).all(|(one, other)| one.name.eq_case(&other.name));
    match (repeats, in_our_case) {
        (false, _) => None,
        // A forged answer, or a server that does not keep the case.
        (true, false) => Some(Reply::Unclear),
        (true, true) => Some(Reply::Whole(Box::new(message))),
    }
}

/// Whether the code is no word about the name.
fn is_failure(code: ResponseCode) -> bool {
    !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain)
}
