//! What hyper refuses below the router, as a problem document (RFC 9457) like every other refusal.
//!
//! A head that is malformed or too large never becomes a request, so no handler can answer it: hyper writes a bare
//! head by itself, and closes. [`Refusing`] stands between hyper and the socket, knows that head by what it lacks
//! (every answer of the router has `x-request-id`), and writes the problem in its place.
//!
//! Before it closes after such a refusal it reads what the client is still sending, within bounds: closing over unread
//! octets resets the connection, and the answer with it (RFC 9112 §9.6).
//!
//! # Left out
//!
//! A refusal that hyper writes together with the end of an answer before it stays as hyper has it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::http::problem::{Kind, MEDIA_TYPE};
use crate::http::request::{BODY_OCTETS_MAX, REQUEST_ID};

/// How long the rest of what a refused client sends is read.
const REST_TIME_MAX: Duration = Duration::from_secs(1);

/// How much of it.
const REST_OCTETS_MAX: usize = BODY_OCTETS_MAX;

/// A connection that refuses in our form.
pub(super) struct Refusing {
    stream: TcpStream,
    refusal: Option<Refusal>,
}

/// A refusal on its way.
struct Refusal {
    /// What goes out in place of hyper's head.
    text: Vec<u8>,
    /// How much of it is out.
    written: usize,
    /// How long the head was that it replaces.
    replaced: usize,
    /// Whether nothing more goes out.
    is_closed: bool,
    /// How much was read since then.
    read: usize,
    /// When reading ends.
    rest_until: Pin<Box<Sleep>>,
}

impl Refusing {
    pub(super) fn new(stream: TcpStream) -> Refusing {
        Refusing { stream, refusal: None }
    }

    /// Writes the rest of the refusal.
    fn poll_refuse(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(refusal) = &mut self.refusal else { return Poll::Ready(Ok(0)) };
        while let Some(rest) = refusal.text.get(refusal.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => refusal.written += written,
            }
        }
        Poll::Ready(Ok(refusal.replaced))
    }

    /// Reads what is still sent, and drops it.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(refusal) = &mut self.refusal else { return Poll::Ready(()) };
        let mut dropped = [0; 4_096];
        while refusal.read < REST_OCTETS_MAX && refusal.rest_until.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut dropped);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => refusal.read += buffer.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Refusing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Refusing {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.refusal.is_none() {
            match kind_of(octets) {
                None => return Pin::new(&mut self.stream).poll_write(context, octets),
                Some(kind) => {
                    self.refusal = Some(Refusal {
                        text: text_of(kind),
                        written: 0,
                        replaced: octets.len(),
                        is_closed: false,
                        read: 0,
                        rest_until: Box::pin(sleep(REST_TIME_MAX)),
                    });
                }
            }
        }
        self.poll_refuse(context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refusal.as_ref().is_none_or(|refusal| !refusal.is_closed) {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        if let Some(refusal) = &mut self.refusal {
            refusal.is_closed = true;
        }
        self.poll_rest(context).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match parts {
            // A bare head is one part.
            [head] => self.poll_write(context, head),
            parts => Pin::new(&mut self.stream).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Which refusal of hyper's own this is; nothing for every other answer.
fn kind_of(octets: &[u8]) -> Option<Kind> {
    let rest = octets.strip_prefix(b"HTTP/1.1 ").or_else(|| octets.strip_prefix(b"HTTP/1.0 "))?;
    let kind = match rest.get(..3)? {
        b"400" => Kind::BadRequest,
        b"431" | b"414" => Kind::HeadTooLarge,
        _ => return None,
    };
    let head = std::str::from_utf8(octets).ok()?.strip_suffix("\r\n\r\n")?;
    let is_ours = head
        .lines()
        .any(|line| line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case(REQUEST_ID.as_str())));
    (!is_ours).then_some(kind)
}

/// The whole answer. Its id is its own, for no request had one.
fn text_of(kind: Kind) -> Vec<u8> {
    let (status, word, title) = kind.row();
    let detail = match kind {
        Kind::HeadTooLarge => "the request line and the headers may have 32 KiB in all, in at most 64 headers",
        _ => "what came is no request of HTTP/1.1",
    };
    let body = serde_json::json!({
        "type": format!("/problems/{word}"), "title": title, "status": status.as_u16(), "detail": detail,
    });
    let body = body.to_string();
    let id = Chance::System.id(Clock::System.now());
    let reason = StatusCode::canonical_reason(&status).unwrap_or_default();
    format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\n\
         {REQUEST_ID}: {id}\r\nconnection: close\r\n\r\n{body}",
        status.as_u16(),
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hyper_s_own_refusals_are_known_as_such() {
        let check = |text: &str, kind| assert_eq!(kind_of(text.as_bytes()), kind, "{text}");
        check("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", Some(Kind::BadRequest));
        check("HTTP/1.1 431 X\r\ncontent-length: 0\r\n\r\n", Some(Kind::HeadTooLarge));
        check("HTTP/1.1 414 X\r\ncontent-length: 0\r\n\r\n", Some(Kind::HeadTooLarge));
        check("HTTP/1.1 400 Bad Request\r\nX-Request-Id: a\r\ncontent-length: 0\r\n\r\n", None);
        check("HTTP/1.1 400 Bad Request\r\ncontent-length: 1\r\n\r\nx", None);
        check("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None);
        check("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", None);
        check("", None);
    }
}
