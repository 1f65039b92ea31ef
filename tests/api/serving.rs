//! The server on a socket: slow clients, many clients, and the end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use sendready::http::serve::{Bounds, serve_within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const HELLO: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A request that runs until it is told to end.
#[derive(Default)]
struct Slow {
    /// Told when it has begun.
    begun: Notify,
    /// What ends it.
    end: Notify,
}

async fn served(bounds: Bounds) -> (std::net::SocketAddr, CancellationToken, JoinHandle<()>) {
    served_with(bounds, Arc::default()).await
}

async fn served_with(bounds: Bounds, slow: Arc<Slow>) -> (std::net::SocketAddr, CancellationToken, JoinHandle<()>) {
    let slow = move || async move {
        slow.begun.notify_one();
        slow.end.notified().await;
        "slow"
    };
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/slow", get(slow))
        .route("/large", get(|| async { vec![b'x'; 64 << 20] }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve_within(listener, router, stop.clone(), bounds));
    (address, stop, server)
}

fn bounds() -> Bounds {
    Bounds { head_time_max: Duration::from_millis(200), ..Bounds::with_grace(Duration::from_secs(5)) }
}

/// What comes until the server closes, or nothing if it does not within 5 s.
async fn rest(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut octets)).await;
    // A reset is a close, too.
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&octets).into_owned()
}

#[tokio::test]
async fn a_client_that_is_too_slow_with_its_head_is_cut_off() {
    let (address, _, _) = served(bounds()).await;
    for beginning in [&b""[..], b"GET / HTTP/1.1\r\nhost: loc"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        rest(&mut stream).await;
    }
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(HELLO).await.unwrap();
    assert!(rest(&mut idle).await.ends_with("hello"), "answered, then closed when nothing more came");
}

#[tokio::test]
async fn too_large_a_head_is_refused() {
    let (address, _, _) = served(bounds()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(40 * 1_024));
    let _ = stream.write_all(head.as_bytes()).await;
    // What was not read resets the connection, and may take the 431 with it.
    let said = rest(&mut stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: x\r\n".repeat(100));
    let _ = stream.write_all(head.as_bytes()).await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let (address, _, _) = served(Bounds { connections_max: 1, ..bounds() }).await;
    let holder = TcpStream::connect(address).await.unwrap();
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(HELLO).await.unwrap();
    assert!(rest(&mut waiting).await.ends_with("hello"), "the first is cut off for its silence, and the second served");
    drop(holder);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let bounds = Bounds { connections_max: 1, unread_time_max: Duration::from_millis(500), ..bounds() };
    let (address, _, _) = served(bounds).await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    deaf.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    deaf.readable().await.unwrap();
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(HELLO).await.unwrap();
    assert!(rest(&mut waiting).await.ends_with("hello"), "the only place is free again");
    drop(deaf);
}

#[tokio::test]
async fn what_runs_at_the_end_is_answered_and_nothing_new_is_accepted() {
    let slow = Arc::new(Slow::default());
    let bounds = Bounds { head_time_max: Duration::from_secs(60), ..bounds() };
    let (address, stop, server) = served_with(bounds, Arc::clone(&slow)).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(HELLO).await.unwrap();
    let mut first = [0_u8; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let mut running = TcpStream::connect(address).await.unwrap();
    running.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    slow.begun.notified().await;
    stop.cancel();
    // Nobody waits at the door any more: the stop has been heard, and what runs still runs.
    rest(&mut idle).await;
    slow.end.notify_one();
    assert!(rest(&mut running).await.ends_with("slow"));
    tokio::time::timeout(Duration::from_secs(5), server).await.expect("it ends").unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_in_time_is_dropped() {
    let slow = Arc::new(Slow::default());
    let bounds = Bounds { grace: Duration::from_millis(20), ..bounds() };
    let (address, stop, server) = served_with(bounds, Arc::clone(&slow)).await;
    let mut running = TcpStream::connect(address).await.unwrap();
    running.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    slow.begun.notified().await;
    stop.cancel();
    assert_eq!(rest(&mut running).await, "");
    server.await.unwrap();
}
