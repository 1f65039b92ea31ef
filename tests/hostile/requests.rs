//! Clients at their worst, over real connections on loopback: what they send is refused clearly or cut off, and others are
//! served meanwhile and afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use sendready::http::serve::{Bounds, serve_within};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::api::house::House;

/// How long anything here may take that is to end by itself: only what hangs takes so long.
const END_TIME_MAX: Duration = Duration::from_secs(30);

/// A service on a socket.
struct Served {
    house: House,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Patient with heads and bodies, unless told otherwise.
fn bounds() -> Bounds {
    Bounds { head_time_max: END_TIME_MAX, body_time_max: END_TIME_MAX, ..Bounds::with_grace(Duration::ZERO) }
}

async fn served(bounds: Bounds) -> Served {
    let house = House::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    tokio::spawn(serve_within(listener, house.router.clone(), stop.clone(), bounds));
    Served { house, address, stop }
}

impl Served {
    async fn open(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// What is answered to these octets until the server closes.
    async fn answer(&self, octets: &[u8]) -> Answered {
        let mut stream = self.open().await;
        // It may be refused, and closed, before all of it is there.
        let _ = stream.write_all(octets).await;
        rest(&mut stream).await
    }

    /// A head with the operator's key, and whatever follows.
    fn head(&self, line: &str, headers: &str) -> Vec<u8> {
        let key = &self.house.operator;
        format!("{line} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n{headers}\r\n").into_bytes()
    }

    /// Others are served.
    async fn is_alive(&self) {
        let answered = self.answer(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert_eq!(answered.status, 200, "{}", answered.text);
        let answered = self.answer(&self.head("GET /v1/tiers", "connection: close\r\n")).await;
        assert_eq!(answered.status, 200, "{}", answered.text);
    }
}

/// What came back. The status is 0 where nothing did.
struct Answered {
    status: u16,
    text: String,
}

impl Answered {
    fn of(octets: &[u8]) -> Answered {
        let text = String::from_utf8_lossy(octets).into_owned();
        let status = text.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        Answered { status, text }
    }

    /// The kind of a problem document; nothing for what is none.
    fn problem(&self) -> String {
        let Some((head, body)) = self.text.split_once("\r\n\r\n") else { return String::new() };
        let head = head.to_ascii_lowercase();
        if !head.contains("content-type: application/problem+json") {
            return String::new();
        }
        assert!(head.contains("\r\nx-request-id: "), "{head}");
        let body: Value = serde_json::from_str(body).unwrap_or_else(|fault| panic!("{fault}: {body}"));
        assert_eq!(body["status"], self.status);
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
        body["type"].as_str().unwrap().trim_start_matches("/problems/").to_owned()
    }
}

async fn rest(stream: &mut TcpStream) -> Answered {
    let mut octets = Vec::new();
    let read = tokio::time::timeout(END_TIME_MAX, stream.read_to_end(&mut octets)).await;
    // A reset is a close, too.
    let _ = read.expect("the server closes the connection");
    Answered::of(&octets)
}

#[tokio::test]
async fn heads_that_are_none_and_heads_that_are_too_large_get_a_problem_and_a_close() {
    let served = served(bounds()).await;
    let many = |count: usize| "x: y\r\n".repeat(count);
    for (why, head, status, kind) in [
        ("no HTTP", b"nonsense\r\n\r\n".to_vec(), 400, "bad-request"),
        (
            "a TLS hello",
            [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0xaa; 600], b"\r\n\r\n"].concat(),
            400,
            "bad-request",
        ),
        ("zero octets", vec![0; 64], 400, "bad-request"),
        ("no version", b"GET /healthz\r\n\r\n".to_vec(), 400, "bad-request"),
        ("a version of the future", b"GET / HTTP/9.9\r\nhost: a\r\n\r\n".to_vec(), 400, "bad-request"),
        ("a space in a name", b"GET / HTTP/1.1\r\nho st: a\r\n\r\n".to_vec(), 400, "bad-request"),
        ("a header without a colon", b"GET / HTTP/1.1\r\nhost\r\n\r\n".to_vec(), 400, "bad-request"),
        ("a control character", b"GET / HTTP/1.1\r\nhost: \x01\r\n\r\n".to_vec(), 400, "bad-request"),
        ("a folded line", b"GET / HTTP/1.1\r\nhost: a\r\n b: c\r\n\r\n".to_vec(), 400, "bad-request"),
        (
            "two lengths",
            b"POST /v1/clients HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_vec(),
            400,
            "bad-request",
        ),
        (
            "a length of less than nothing",
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n".to_vec(),
            400,
            "bad-request",
        ),
        ("65 headers", format!("GET /healthz HTTP/1.1\r\n{}\r\n", many(65)).into_bytes(), 431, "head-too-large"),
        (
            "10,000 headers",
            format!("GET /healthz HTTP/1.1\r\n{}\r\n", many(10_000)).into_bytes(),
            431,
            "head-too-large",
        ),
        (
            "a header of 40 KiB",
            format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(40 << 10)).into_bytes(),
            431,
            "head-too-large",
        ),
        (
            "a path of 40 KiB",
            format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(40 << 10)).into_bytes(),
            431,
            "head-too-large",
        ),
        (
            "a header of 900 KiB",
            format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(900 << 10)).into_bytes(),
            431,
            "head-too-large",
        ),
    ] {
        let answered = served.answer(&head).await;
        assert_eq!((answered.status, answered.problem().as_str()), (status, kind), "{why}: {}", answered.text);
        assert!(answered.text.contains("connection: close"), "{why}");
    }
    let most = format!("GET /healthz HTTP/1.1\r\nconnection: close\r\n{}\r\n", many(63));
    assert_eq!(served.answer(most.as_bytes()).await.status, 200, "64 headers");
    served.is_alive().await;
}

#[tokio::test]
async fn bodies_that_are_wrong_are_refused_and_say_how() {
    let served = served(bounds()).await;
    let json = "content-type: application/json\r\n";
    let with = |kind: &str, body: &[u8]| {
        let headers = format!("{kind}content-length: {}\r\nconnection: close\r\n", body.len());
        [&served.head("POST /v1/clients", &headers)[..], body].concat()
    };
    let chunked = |chunks: usize| {
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
        let headers = format!("{json}transfer-encoding: chunked\r\n");
        [&served.head("POST /v1/clients", &headers)[..], chunk.repeat(chunks).as_bytes(), b"0\r\n\r\n"].concat()
    };
    let announced = format!("{json}content-length: 99999999\r\n");
    let deep = |count: usize| format!("{}{}", "{\"a\":".repeat(count), "1".to_owned() + &"}".repeat(count));
    for (why, request, status, kind) in [
        ("broken JSON", with(json, b"{\"name\": "), 400, "bad-json"),
        ("no JSON", with(json, b"<xml/>"), 400, "bad-json"),
        ("nothing", with(json, b""), 400, "bad-json"),
        ("no UTF-8", with(json, b"{\"name\": \"\xff\xfe\"}"), 400, "bad-json"),
        ("a lone surrogate", with(json, br#"{"name": "\ud800", "tier": "velocity"}"#), 400, "bad-json"),
        ("two documents", with(json, b"{}{}"), 400, "bad-json"),
        ("a NaN", with(json, b"{\"name\": NaN}"), 400, "bad-json"),
        ("50,000 lists deep", with(json, "[".repeat(50_000).as_bytes()), 400, "bad-json"),
        ("50,000 objects deep", with(json, deep(50_000).as_bytes()), 400, "bad-json"),
        ("a list", with(json, b"[]"), 422, "invalid"),
        ("a field twice", with(json, br#"{"name": "a", "name": "b", "tier": "velocity"}"#), 422, "invalid"),
        (
            "a field that is not known",
            with(json, br#"{"name": "a", "tier": "velocity", "admin": true}"#),
            422,
            "invalid",
        ),
        ("no type", with("", b"{}"), 415, "unsupported-media-type"),
        (
            "a form",
            with("content-type: application/x-www-form-urlencoded\r\n", b"name=a"),
            415,
            "unsupported-media-type",
        ),
        ("a text", with("content-type: text/plain\r\n", b"{}"), 415, "unsupported-media-type"),
        ("parts", with("content-type: multipart/form-data; boundary=x\r\n", b"--x--"), 415, "unsupported-media-type"),
        ("2 MiB in chunks, of no length", chunked(32), 413, "body-too-large"),
        ("100 MB, as it says", served.head("POST /v1/clients", &announced), 413, "body-too-large"),
    ] {
        let answered = served.answer(&request).await;
        assert_eq!((answered.status, answered.problem().as_str()), (status, kind), "{why}: {}", answered.text);
    }
    let broken =
        [&served.head("POST /v1/clients", &format!("{json}transfer-encoding: chunked\r\n"))[..], b"zz\r\n{}"].concat();
    let answered = served.answer(&broken).await;
    assert_eq!(
        (answered.status, answered.problem().as_str()),
        (400, "bad-json"),
        "a chunk of no size: {}",
        answered.text
    );
    assert_eq!(served.house.service.store().client_list(None, 10).await.unwrap(), [], "none of them made anything");
    served.is_alive().await;
}

#[tokio::test]
async fn slow_heads_and_slow_bodies_are_cut_off_while_others_are_served() {
    let short = Duration::from_millis(500);
    let served = served(Bounds { head_time_max: short, body_time_max: short, ..bounds() }).await;
    let mut heads = Vec::new();
    for _ in 0..50 {
        let mut slow = served.open().await;
        slow.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await.unwrap();
        heads.push(slow);
    }
    let headers = "content-type: application/json\r\ncontent-length: 100\r\n";
    let mut bodies = Vec::new();
    for more in ["", "idempotency-key: k\r\n"] {
        let mut slow = served.open().await;
        slow.write_all(&served.head("POST /v1/clients", &format!("{headers}{more}"))).await.unwrap();
        slow.write_all(b"{\"name\": ").await.unwrap();
        bodies.push(slow);
    }
    served.is_alive().await;
    for mut slow in heads {
        assert_eq!(rest(&mut slow).await.text, "", "cut off");
    }
    for mut slow in bodies {
        let answered = rest(&mut slow).await;
        assert_eq!((answered.status, answered.problem().as_str()), (408, "request-timeout"), "{}", answered.text);
    }
    served.is_alive().await;
}

#[tokio::test]
async fn one_octet_after_another_does_not_make_a_head_live_longer() {
    let served = served(Bounds { head_time_max: Duration::from_millis(500), ..bounds() }).await;
    let mut slow = served.open().await;
    let (mut from, mut to) = slow.split();
    to.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await.unwrap();
    let mut read = [0; 1];
    // Until it is closed: an octet every now and then, for ever.
    let dripping = async {
        loop {
            tokio::select! {
                end = from.read(&mut read) => return end,
                () = tokio::time::sleep(Duration::from_millis(20)) => {
                    let _ = to.write_all(b"x").await;
                }
            }
        }
    };
    let end = tokio::time::timeout(END_TIME_MAX, dripping).await.expect("it is cut off");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    served.is_alive().await;
}

#[tokio::test]
async fn a_flood_of_connections_fills_the_places_and_then_gives_them_back() {
    let places = 32;
    let served = served(Bounds { connections_max: places, head_time_max: Duration::from_secs(4), ..bounds() }).await;
    let mut held = served.open().await;
    // One that is being served already is served on, whatever comes.
    held.write_all(&served.head("GET /v1/tiers", "")).await.unwrap();
    let mut first = [0; 15];
    held.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let mut flood = Vec::new();
    for _ in 0..places * 2 {
        flood.push(served.open().await);
    }
    held.write_all(&served.head("GET /v1/tiers", "connection: close\r\n")).await.unwrap();
    let answered = tokio::time::timeout(END_TIME_MAX, rest(&mut held)).await.unwrap();
    assert!(answered.text.contains("HTTP/1.1 200 OK"), "{}", answered.text);
    // The silent ones are cut off, place by place, and whoever waited gets one.
    served.is_alive().await;
    drop(flood);
    served.is_alive().await;
}
