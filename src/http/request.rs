//! What happens around every request: its id, its line in the log, its numbers, its time, its panic.
//!
//! A line never holds keys, bodies or query texts, and of the path only the route that matched.

use std::any::Any;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tokio::time::Instant;
use uuid::Uuid;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::http::problem::{Cause, Kind, Problem};
use crate::service::Caller;
use crate::telemetry::metrics::Requests;

/// The most octets of a body. Contract §3.
pub const BODY_OCTETS_MAX: usize = 1 << 20;

/// How long a request may take until its answer begins. Longer than any wait that the API offers (30 s).
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// The longest `x-request-id` taken over from a request, in octets.
const ID_OCTETS_MAX: usize = 128;

/// The most characters of a path that a refusal repeats.
const PATH_SHOWN_CHARACTERS: usize = 120;

/// The most characters of a method that a refusal repeats.
const METHOD_SHOWN_CHARACTERS: usize = 20;

/// The header that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What [`watch`] works with. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// The time, for the ids of requests that bring none.
    pub clock: Clock,
    /// Where such ids come from.
    pub chance: Chance,
    /// Where they are counted.
    pub requests: Requests,
}

/// Where a request came from, and how patient we are with it. The server adds it to each.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The other end of the connection.
    pub address: IpAddr,
    /// How long its body may take to come.
    pub body_time_max: Duration,
}

/// Who made the request; filled in once the key is known.
#[derive(Debug, Clone, Default)]
pub struct Whose {
    request_id: Option<HeaderValue>,
    seen: Arc<OnceLock<(Uuid, Option<Uuid>)>>,
}

impl Whose {
    /// Notes the key, and whose it is.
    pub fn note(&self, key_id: Uuid, client_id: Option<Uuid>) {
        // A second note of the same request can only say the same.
        let _ = self.seen.set((key_id, client_id));
    }

    /// The request's id, as the answer will carry it.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().and_then(|id| id.to_str().ok())
    }

    fn seen(&self) -> Option<(Uuid, Option<Uuid>)> {
        self.seen.get().copied()
    }
}

/// [`watched`], as a layer.
pub async fn watch(State(with): State<Watch>, request: Request, next: Next) -> Response {
    watched(&with, request, |request| next.run(request)).await
}

/// The outermost of all that is around a request: names it, times and bounds it, catches its panic, and writes its one
/// line.
pub async fn watched<F>(with: &Watch, mut request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let began = Instant::now();
    let id = id_of(with, request.headers());
    let method = method_label(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let whose = Whose { request_id: Some(id.clone()), ..Whose::default() };
    request.extensions_mut().insert(whose.clone());
    let response = if is_announced_too_large(request.headers()) {
        too_large().into_response()
    } else {
        answered(next(request)).await
    };
    let came = Came { began, method, route: route.as_ref().map_or("-", MatchedPath::as_str) };
    ended(with, &came, id, whose.seen(), response)
}

/// The answer of a request that was over as soon as it came: it has an id, a line and its numbers like every other.
pub(super) fn written_down(
    with: &Watch,
    came: &Came<'_>,
    headers: &HeaderMap,
    caller: &Caller,
    response: Response,
) -> Response {
    ended(with, came, id_of(with, headers), Some((caller.key_id, caller.client_id)), response)
}

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Came<'r> {
    /// When it came.
    pub(super) began: Instant,
    /// Its method, as one of few words.
    pub(super) method: &'static str,
    /// The route that matched, never the path.
    pub(super) route: &'r str,
}

/// Counts and logs an answer, and names it.
fn ended(
    with: &Watch,
    came: &Came<'_>,
    id: HeaderValue,
    who: Option<(Uuid, Option<Uuid>)>,
    mut response: Response,
) -> Response {
    let cause = response.extensions_mut().remove::<Cause>();
    write_line(with, &Line { came, id: &id, status: response.status(), who, cause });
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// What came of the work, within its time, and also when it panics.
async fn answered(work: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(REQUEST_TIME_MAX, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => on_panic(&*panic),
        Err(_) => Problem {
            cause: Some(format!("no answer within {} seconds", REQUEST_TIME_MAX.as_secs())),
            ..Problem::new(Kind::Unavailable)
        }
        .into_response(),
    }
}

struct Line<'l> {
    came: &'l Came<'l>,
    id: &'l HeaderValue,
    status: StatusCode,
    who: Option<(Uuid, Option<Uuid>)>,
    cause: Option<Cause>,
}

fn write_line(with: &Watch, line: &Line<'_>) {
    let Came { began, method, route } = *line.came;
    let took = began.elapsed();
    let status = line.status.as_u16();
    with.requests.answered(method, route, status, took);
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let id = line.id.to_str().unwrap_or_default();
    let key = line.who.map(|(key, _)| key.to_string());
    let client = line.who.and_then(|(_, client)| client).map(|id| id.to_string());
    let cause = line.cause.as_ref().map(|cause| cause.0.as_str());
    if line.status.is_server_error() {
        tracing::error!(
            http.method = method,
            http.route = route,
            http.status = status,
            http.milliseconds = milliseconds,
            request.id = id,
            key.id = key,
            client.id = client,
            cause,
            "Could not answer {method} {route}: {status}"
        );
    } else {
        tracing::info!(
            http.method = method,
            http.route = route,
            http.status = status,
            http.milliseconds = milliseconds,
            request.id = id,
            key.id = key,
            client.id = client,
            cause,
            "Answered {method} {route}: {status}"
        );
    }
}

/// The caller's id of the request, if it is fit to be logged and sent back.
fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(REQUEST_ID)?;
    let octets = value.as_bytes();
    let sane = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_.:+/=".contains(octet);
    let is_sane = !octets.is_empty() && octets.len() <= ID_OCTETS_MAX && octets.iter().all(sane);
    is_sane.then(|| value.clone())
}

/// The id of a request: its own, or a new one.
fn id_of(with: &Watch, headers: &HeaderMap) -> HeaderValue {
    request_id(headers).unwrap_or_else(|| fresh(with))
}

fn fresh(with: &Watch) -> HeaderValue {
    // A UUID is always a header's value; the constant stands for what cannot happen.
    HeaderValue::from_str(&with.chance.id(with.clock.now()).to_string()).unwrap_or(HeaderValue::from_static("none"))
}

/// The method, as one of few words: a stranger can make any number of methods up.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Whether a body is announced that is refused before it is read, on every path.
fn is_announced_too_large(headers: &HeaderMap) -> bool {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    announced.is_some_and(|octets| octets > BODY_OCTETS_MAX as u64)
}

/// What a panic in a handler answers: a fault of ours, and no word of what it was.
fn on_panic(panic: &(dyn Any + Send)) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("something that is no text");
    let cause = Some(format!("a handler panicked: {said}"));
    Problem { cause, ..Problem::new(Kind::Internal) }.into_response()
}

/// The refusal of a body of more than [`BODY_OCTETS_MAX`].
pub fn too_large() -> Problem {
    Problem::because(Kind::BodyTooLarge, "a body may have at most 1 MiB (1048576 octets); send less at once")
}

/// What a path answers that nobody has.
pub async fn not_found(method: Method, uri: Uri) -> Problem {
    let detail = format!("there is no {}; /openapi.json lists what there is", asked(&method, &uri));
    Problem::because(Kind::NotFound, detail)
}

/// What a known path answers to another method; axum adds `Allow`.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("there is no {}; the header `Allow` names the methods of this path", asked(&method, &uri));
    Problem::because(Kind::MethodNotAllowed, detail)
}

/// What was asked for, cut: both are a stranger's text.
fn asked(method: &Method, uri: &Uri) -> String {
    let path: String = uri.path().chars().take(PATH_SHOWN_CHARACTERS).collect();
    let method: String = method.as_str().chars().take(METHOD_SHOWN_CHARACTERS).collect();
    format!("{method} {path}")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::header::AUTHORIZATION;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;
    use tracing::instrument::WithSubscriber;

    use super::*;

    /// What is logged, as text.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Status, body and log of one request to a small router with the layers of the real one.
    async fn watched(request: Request) -> (StatusCode, String, String) {
        let note = |whose: axum::Extension<Whose>| async move {
            whose.note(Uuid::from_u128(1), Some(Uuid::from_u128(2)));
            "done"
        };
        let router = Router::new()
            .route("/things/{id}", get(note))
            .route("/panic", get(|| async { if true { panic!("the inside") } else { "" } }))
            .route("/slow", get(std::future::pending::<&str>))
            .layer(from_fn_with_state(Watch::default(), watch));
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        let response = router.oneshot(request).with_subscriber(subscriber).await.unwrap();
        assert!(response.headers().contains_key(REQUEST_ID));
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap(), log)
    }

    fn request(path: &str) -> Request {
        let request = Request::get(path).header(AUTHORIZATION, "Bearer sr_secret").header(REQUEST_ID, "r-1");
        request.body(Body::from("a body")).unwrap()
    }

    #[tokio::test]
    async fn a_request_gives_one_line_without_secrets() {
        let (status, _, log) = watched(request("/things/me@example.com?q=hidden")).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(log.lines().count(), 1, "{log}");
        let line: serde_json::Value = serde_json::from_str(&log).unwrap();
        let fields = &line["fields"];
        assert_eq!(fields["http.route"], "/things/{id}");
        assert_eq!((&fields["http.method"], &fields["http.status"]), (&"GET".into(), &200.into()));
        assert_eq!(fields["request.id"], "r-1");
        assert_eq!(fields["key.id"], Uuid::from_u128(1).to_string());
        assert_eq!(fields["client.id"], Uuid::from_u128(2).to_string());
        assert!(fields["http.milliseconds"].is_u64());
        for hidden in ["sr_secret", "a body", "me@example.com", "hidden"] {
            assert!(!log.contains(hidden), "{hidden} is logged: {log}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_the_log_alone() {
        let (status, body, log) = watched(request("/panic")).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("/problems/internal") && !body.contains("the inside"), "{body}");
        assert!(log.contains("the inside") && log.contains("ERROR"), "{log}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_a_503() {
        let (status, body, _) = watched(request("/slow")).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("/problems/unavailable"), "{body}");
    }

    #[test]
    fn only_a_sane_id_is_taken_over() {
        let taken = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            request_id(&headers).is_some()
        };
        assert!(taken("0198-abc.def_1"));
        assert!(taken(&"a".repeat(ID_OCTETS_MAX)));
        assert!(!taken(&"a".repeat(ID_OCTETS_MAX + 1)));
        assert!(!taken(""));
        assert!(!taken("a b"));
        assert!(!taken("a\u{e9}"));
        assert!(!taken("{\"a\":1}"));
    }
}
