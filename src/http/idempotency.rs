//! `Idempotency-Key` on any POST (contract §3): a repeat gives the first answer and does nothing.
//!
//! Scoped to key, method and path; kept 48 hours by the store. Only a 2xx is kept: what was
//! refused may be tried again with the same key.

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;
use uuid::Uuid;

use crate::http::AppState;
use crate::http::admission::Admitted;
use crate::http::dns_changes::WEBHOOK_ID;
use crate::http::json::octets;
use crate::http::problem::{Kind, Problem};
use crate::service::{Began, Error, IdempotencyScope, Service};

/// The header that callers send.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header that marks an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The path whose handler runs each key once by itself.
const SENDS: &str = "/v1/mailboxes/{id}/sends";

/// The longest key, in octets.
pub(super) const KEY_OCTETS_MAX: usize = 255;

/// The largest answer that is kept, in octets: a page of 200 domains with room.
const ANSWER_OCTETS_MAX: usize = 4 << 20;

/// When to ask again while the first request runs.
const RUNNING_RETRY: Duration = Duration::from_secs(1);

/// Members of an answer that are shown once: a handler adds it to its answer's extensions.
#[derive(Debug, Clone, Copy)]
pub struct ShownOnce(pub &'static [&'static str]);

/// What is kept of an answer beside its status.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    content_type: Option<String>,
    location: Option<String>,
    etag: Option<String>,
    body: String,
}

/// What a request with a key is known by.
#[derive(Debug, Clone)]
struct Scope {
    key_id: Uuid,
    path: String,
    idem_key: String,
}

impl Scope {
    fn borrowed(&self) -> IdempotencyScope<'_> {
        IdempotencyScope { key_id: self.key_id, method: "POST", path: &self.path, idem_key: &self.idem_key }
    }
}

/// Runs a POST that carries an `Idempotency-Key` at most once.
pub(super) async fn once<F>(
    state: &AppState,
    request: Request,
    next: impl FnOnce(Request) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    let headers = request.headers();
    // Whoever comes without a key may be signed; otherwise the handler says that a key is needed.
    let is_scoped = headers.contains_key(IDEMPOTENCY_KEY) && headers.contains_key(AUTHORIZATION);
    if request.method() != Method::POST || !is_scoped || keeps_its_own(&request) {
        return next(request).await;
    }
    run_once(&state.service, request, next).await.unwrap_or_else(Problem::into_response)
}

/// Sends keep their keys with what they took, in one transaction: that is safer than two, and three times as fast.
fn keeps_its_own(request: &Request) -> bool {
    request.extensions().get::<MatchedPath>().is_some_and(|path| path.as_str() == SENDS)
}

async fn run_once<F>(
    service: &Service,
    request: Request,
    next: impl FnOnce(Request) -> F + Send + 'static,
) -> Result<Response, Problem>
where
    F: Future<Output = Response> + Send + 'static,
{
    let idem_key = key_of(request.headers())?;
    let Some(Admitted(caller)) = request.extensions().get::<Admitted>().copied() else {
        // The handler says what is wrong with the key.
        return Ok(next(request).await);
    };
    if caller.domain_id.is_some() {
        // A setup link has only `verify`, which joins what runs, and no key under which an answer could be kept.
        return Ok(next(request).await);
    }
    let (parts, body) = request.into_parts();
    let body = octets(Request::from_parts(parts.clone(), body)).await?;
    let scope = Scope { key_id: caller.key_id, path: parts.uri.path().to_owned(), idem_key };
    let digest = digest_of(&parts, &body);
    match service.once_begin(&scope.borrowed(), &digest).await? {
        Began::Fresh => {}
        Began::Replay { status, body } => return replayed(status, &body),
        Began::Running => {
            let detail = "the first request with this key has not ended yet";
            return Err(Problem::because(Kind::IdempotencyKeyRunning, detail).retry_after(RUNNING_RETRY));
        }
        Began::OtherBody => {
            let detail = "this key came before with another body, query or `webhook-id`; every request needs a new key";
            return Err(Problem::because(Kind::IdempotencyKeyReused, detail));
        }
    }
    // In a task of its own, for a caller that goes away must not leave the work half done and the key running.
    let (service, request) = (service.clone(), Request::from_parts(parts, Body::from(body)));
    let work = tokio::spawn(async move { work(&service, &scope, request, next).await });
    work.await.unwrap_or_else(|fault| {
        Err(Problem { cause: Some(format!("the request's task ended: {fault}")), ..Problem::new(Kind::Internal) })
    })
}

/// Does the work and keeps its answer. What did not succeed is forgotten, also when it panics.
async fn work<F>(
    service: &Service,
    scope: &Scope,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Result<Response, Problem>
where
    F: Future<Output = Response> + Send + 'static,
{
    let response = match tokio::spawn(next(request)).await {
        Ok(response) => response,
        Err(fault) => {
            let cause = Some(format!("a handler panicked: {fault}"));
            Problem { cause, ..Problem::new(Kind::Internal) }.into_response()
        }
    };
    let kept = if response.status().is_success() { keep(service, scope, response).await } else { Err(response) };
    match kept {
        Ok(response) => Ok(response),
        Err(response) => {
            log(service.once_forget(&scope.borrowed()).await);
            Ok(response)
        }
    }
}

/// Keeps a 2xx; gives it back as an error when it cannot be kept, though it happened.
async fn keep(service: &Service, scope: &Scope, response: Response) -> Result<Response, Response> {
    let (parts, body) = response.into_parts();
    let Ok(octets) = to_bytes(body, ANSWER_OCTETS_MAX).await else {
        return Err(Problem::new(Kind::Internal).into_response());
    };
    let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let shown_once = parts.extensions.get::<ShownOnce>().map_or(&[][..], |names| names.0);
    let body = without(&octets, shown_once);
    let kept = Kept { content_type: text(CONTENT_TYPE), location: text(LOCATION), etag: text(ETAG), body };
    let status = parts.status.as_u16();
    if let Ok(kept) = serde_json::to_string(&kept) {
        log(service.once_finish(&scope.borrowed(), status, &kept).await);
    }
    Ok(Response::from_parts(parts, Body::from(octets)))
}

/// The body without the members that are shown once.
fn without(body: &[u8], names: &[&str]) -> String {
    let text = || String::from_utf8_lossy(body).into_owned();
    if names.is_empty() {
        return text();
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut map)) => {
            map.retain(|name, _| !names.contains(&name.as_str()));
            Value::Object(map).to_string()
        }
        // What cannot be searched is not kept, for it may hold the secret.
        _ => String::new(),
    }
}

fn replayed(status: u16, kept: &str) -> Result<Response, Problem> {
    let lost = |what: String| Problem { cause: Some(what), ..Problem::new(Kind::Internal) };
    let kept: Kept =
        serde_json::from_str(kept).map_err(|fault| lost(format!("a kept answer does not read: {fault}")))?;
    let status = StatusCode::from_u16(status).map_err(|_| lost(format!("a kept answer has the status {status}")))?;
    let mut response = (status, kept.body).into_response();
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    for (name, value) in [(CONTENT_TYPE, kept.content_type), (LOCATION, kept.location), (ETAG, kept.etag)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// The key of a request, where it carries one.
///
/// # Errors
///
/// `bad-header`.
pub(super) fn key_given(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    if headers.contains_key(IDEMPOTENCY_KEY) { key_of(headers).map(Some) } else { Ok(None) }
}

fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let bad = || {
        let detail =
            format!("`Idempotency-Key` must be 1 to {KEY_OCTETS_MAX} visible ASCII characters, and be given once");
        Problem::because(Kind::BadHeader, detail)
    };
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return Err(bad()) };
    let text = value.to_str().map_err(|_| bad())?.trim();
    let is_visible =
        !text.is_empty() && text.len() <= KEY_OCTETS_MAX && text.bytes().all(|octet| octet.is_ascii_graphic());
    if is_visible { Ok(text.to_owned()) } else { Err(bad()) }
}

/// The digest of what makes two requests the same: their query, body, and which webhook they are.
fn digest_of(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let mut head = parts.uri.query().unwrap_or_default().as_bytes().to_vec();
    for id in parts.headers.get_all(WEBHOOK_ID) {
        // No query holds a line's end, and no header's value does.
        head.push(b'\n');
        head.extend_from_slice(id.as_bytes());
    }
    // The length keeps the head's end and a body's beginning apart.
    let mut digest = Sha256::new();
    digest.update((head.len() as u64).to_be_bytes());
    digest.update(head);
    digest.update(body);
    digest.finalize().into()
}

/// The answer stands either way; that it will not be given again, or only after a while, is worth a line.
fn log(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::warn!(error = &error as &dyn std::error::Error, "Could not settle an idempotency key");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        assert_eq!(without(br#"{"id":1,"secret":"x"}"#, &["secret"]), r#"{"id":1}"#);
        assert_eq!(without(b"not json", &["secret"]), "");
        assert_eq!(without(b"not json", &[]), "not json");
    }

    #[test]
    fn a_query_is_not_a_body_and_another_webhook_is_another_request() {
        let digest = |query: &str, ids: &[&str], body: &[u8]| {
            let mut request = Request::post(format!("/v1/things?{query}"));
            for id in ids {
                request = request.header(WEBHOOK_ID, *id);
            }
            digest_of(&request.body(()).unwrap().into_parts().0, body)
        };
        assert_ne!(digest("ab", &[], b"c"), digest("a", &[], b"bc"));
        assert_ne!(digest("a", &["b"], b"c"), digest("a", &[], b"bc"));
        assert_ne!(digest("a", &["b"], b"c"), digest("a", &["c"], b"c"));
        assert_ne!(digest("a", &["b"], b"c"), digest("a", &[], b"c"));
        assert_ne!(digest("a", &["b", "c"], b"d"), digest("a", &["bc"], b"d"));
        assert_eq!(digest("a", &["b"], b"c"), digest("a", &["b"], b"c"));
    }
}
