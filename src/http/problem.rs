//! Problems: every refusal as `application/problem+json` (RFC 9457), and the only place that knows their status codes.
//!
//! Owns the kinds: one line each in [`Kind::row`]. What a kind means, why it happens and what to do next
//! stands in `docs/problems/<kind>.md`, which [`pages`] serves at `/problems/<kind>`.

pub mod pages;

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::ownership::ChallengeBody;
use crate::service;
use crate::service::{Error, StoreError};
use crate::telemetry::chain;

/// The media type of a problem. RFC 9457 §3.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// When to come back after a 429 or 503 that does not say better.
pub const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(5);

/// The kinds of problems. A kind's word never changes once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body is not JSON.
    BadJson,
    /// A parameter of the query is not what it must be.
    BadQuery,
    /// A header is not what it must be.
    BadHeader,
    /// What came is no HTTP/1.1 request.
    BadRequest,
    /// No key, or none that we know.
    Unauthorized,
    /// A known key, whose role may not do this.
    Forbidden,
    /// Nothing is at this path.
    NotFound,
    /// No such client, or not the caller's.
    NoSuchClient,
    /// No such domain, or not the caller's.
    NoSuchDomain,
    /// No such check of this domain.
    NoSuchCheck,
    /// No such key.
    NoSuchKey,
    /// No such mailbox, or not the caller's.
    NoSuchMailbox,
    /// No such setup link of this domain.
    NoSuchSetupLink,
    /// No such webhook endpoint, or not the caller's.
    NoSuchWebhookEndpoint,
    /// No such delivery to this endpoint.
    NoSuchDelivery,
    /// The path knows other methods.
    MethodNotAllowed,
    /// The body did not come in time.
    RequestTimeout,
    /// Another client has the domain, or the client has it already.
    DomainTaken,
    /// More than the client's tier allows.
    AllocationExceeded,
    /// The client has as many webhook endpoints as it may.
    TooManyWebhookEndpoints,
    /// The platform owns the clients.
    ClientsManagedElsewhere,
    /// The domain's name, written by another program, is none.
    DomainMalformed,
    /// Another mailbox has the address.
    MailboxTaken,
    /// A mailbox's rates are out of bounds.
    MailboxUnhealthy,
    /// The gate is closed.
    NotReady,
    /// All that may be sent today is sent.
    DailyLimitReached,
    /// The first request with this `Idempotency-Key` is still running.
    IdempotencyKeyRunning,
    /// The body is larger than we read.
    BodyTooLarge,
    /// The body is not said to be JSON.
    UnsupportedMediaType,
    /// Fields are not what they must be.
    Invalid,
    /// The `Idempotency-Key` came before, with another body.
    IdempotencyKeyReused,
    /// More verifications than a domain gets a minute.
    TooManyVerifications,
    /// More requests than a limit allows.
    TooManyRequests,
    /// The head of the request is larger than is read.
    HeadTooLarge,
    /// A fault of ours.
    Internal,
    /// The database is away, or the work took too long.
    Unavailable,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 36] = [
        Kind::BadJson,
        Kind::BadQuery,
        Kind::BadHeader,
        Kind::BadRequest,
        Kind::Unauthorized,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::NoSuchClient,
        Kind::NoSuchDomain,
        Kind::NoSuchCheck,
        Kind::NoSuchKey,
        Kind::NoSuchMailbox,
        Kind::NoSuchSetupLink,
        Kind::NoSuchWebhookEndpoint,
        Kind::NoSuchDelivery,
        Kind::MethodNotAllowed,
        Kind::RequestTimeout,
        Kind::DomainTaken,
        Kind::AllocationExceeded,
        Kind::TooManyWebhookEndpoints,
        Kind::ClientsManagedElsewhere,
        Kind::DomainMalformed,
        Kind::MailboxTaken,
        Kind::MailboxUnhealthy,
        Kind::NotReady,
        Kind::DailyLimitReached,
        Kind::IdempotencyKeyRunning,
        Kind::BodyTooLarge,
        Kind::UnsupportedMediaType,
        Kind::Invalid,
        Kind::IdempotencyKeyReused,
        Kind::TooManyVerifications,
        Kind::TooManyRequests,
        Kind::HeadTooLarge,
        Kind::Internal,
        Kind::Unavailable,
    ];

    /// The kind's status, its word in `type`, and its title: one line each.
    pub const fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Kind::BadJson => (S::BAD_REQUEST, "bad-json", "The body is not JSON"),
            Kind::BadQuery => (S::BAD_REQUEST, "bad-query", "A query parameter is wrong"),
            Kind::BadHeader => (S::BAD_REQUEST, "bad-header", "A header is wrong"),
            Kind::BadRequest => (S::BAD_REQUEST, "bad-request", "The request is malformed"),
            Kind::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "An API key is needed"),
            Kind::Forbidden => (S::FORBIDDEN, "forbidden", "This key may not do that"),
            Kind::NotFound => (S::NOT_FOUND, "not-found", "Nothing is here"),
            Kind::NoSuchClient => (S::NOT_FOUND, "no-such-client", "No such client"),
            Kind::NoSuchDomain => (S::NOT_FOUND, "no-such-domain", "No such domain"),
            Kind::NoSuchCheck => (S::NOT_FOUND, "no-such-check", "No such check"),
            Kind::NoSuchKey => (S::NOT_FOUND, "no-such-key", "No such key"),
            Kind::NoSuchMailbox => (S::NOT_FOUND, "no-such-mailbox", "No such mailbox"),
            Kind::NoSuchSetupLink => (S::NOT_FOUND, "no-such-setup-link", "No such setup link"),
            Kind::NoSuchWebhookEndpoint => (S::NOT_FOUND, "no-such-webhook-endpoint", "No such webhook endpoint"),
            Kind::NoSuchDelivery => (S::NOT_FOUND, "no-such-delivery", "No such delivery"),
            Kind::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method-not-allowed", "The path knows other methods"),
            Kind::RequestTimeout => (S::REQUEST_TIMEOUT, "request-timeout", "The body did not come in time"),
            Kind::DomainTaken => (S::CONFLICT, "domain-taken", "The domain is taken"),
            Kind::AllocationExceeded => (S::CONFLICT, "allocation-exceeded", "The tier allows no more"),
            Kind::TooManyWebhookEndpoints => {
                (S::CONFLICT, "too-many-webhook-endpoints", "There are enough webhook endpoints")
            }
            Kind::ClientsManagedElsewhere => {
                (S::CONFLICT, "clients-managed-elsewhere", "Clients are managed elsewhere")
            }
            Kind::DomainMalformed => (S::CONFLICT, "domain-malformed", "The domain's name is malformed"),
            Kind::MailboxTaken => (S::CONFLICT, "mailbox-taken", "The address is taken"),
            Kind::MailboxUnhealthy => (S::CONFLICT, "mailbox-unhealthy", "The mailbox is not healthy"),
            Kind::NotReady => (S::CONFLICT, "not-ready", "The mailbox may not send"),
            Kind::DailyLimitReached => (S::CONFLICT, "daily-limit-reached", "The daily limit is reached"),
            Kind::IdempotencyKeyRunning => (S::CONFLICT, "idempotency-key-running", "The first request still runs"),
            Kind::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Kind::UnsupportedMediaType => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "JSON is needed"),
            Kind::Invalid => (S::UNPROCESSABLE_ENTITY, "invalid", "Fields are wrong"),
            Kind::IdempotencyKeyReused => {
                (S::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The idempotency key came with another body")
            }
            Kind::TooManyVerifications => (S::TOO_MANY_REQUESTS, "too-many-verifications", "Asked to verify too often"),
            Kind::TooManyRequests => (S::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
            Kind::HeadTooLarge => {
                (S::REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "The head of the request is too large")
            }
            Kind::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
            Kind::Unavailable => (S::SERVICE_UNAVAILABLE, "unavailable", "Try again later"),
        }
    }

    /// The status code.
    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// The kind's word, the last part of `type`.
    pub const fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// Where, as a JSON pointer (RFC 6901) into the body; a query parameter is named as a member of an object.
    #[schema(example = "/dkim/0/selector")]
    pub pointer: String,
    /// What is wrong there, for people.
    #[schema(example = "is needed")]
    pub detail: String,
}

impl FieldFault {
    /// The fault `detail` at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> FieldFault {
        FieldFault { pointer: pointer.into(), detail: detail.into() }
    }
}

/// A refusal, on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which kind.
    pub kind: Kind,
    /// What is wrong this time. Never shown with a 5xx.
    pub detail: Option<String>,
    /// Which fields are wrong.
    pub errors: Vec<FieldFault>,
    /// When to come back. Every 429 and 503 says so, with a default.
    pub retry_after: Option<Duration>,
    /// What to publish to be given another's domain.
    pub ownership: Option<Box<ChallengeBody>>,
    /// The chain of causes of a fault of ours, for the log alone.
    pub cause: Option<String>,
}

impl Problem {
    /// A problem of this kind that says no more.
    pub fn new(kind: Kind) -> Problem {
        Problem { kind, detail: None, errors: Vec::new(), retry_after: None, ownership: None, cause: None }
    }

    /// A problem of this kind, and what is wrong this time.
    pub fn because(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem { detail: Some(detail.into()), ..Problem::new(kind) }
    }

    /// Fields of the body are wrong.
    pub fn invalid(errors: Vec<FieldFault>) -> Problem {
        Problem { detail: Some(field_count(errors.len())), errors, ..Problem::new(Kind::Invalid) }
    }

    /// Parameters of the query are wrong.
    pub fn bad_query(errors: Vec<FieldFault>) -> Problem {
        Problem { detail: Some(field_count(errors.len())), errors, ..Problem::new(Kind::BadQuery) }
    }

    /// The same problem, to be asked again after `wait`.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Problem {
        Problem { retry_after: Some(wait), ..self }
    }

    fn seconds_to_wait(&self) -> Option<u64> {
        let wait = match self.kind.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                self.retry_after.unwrap_or(RETRY_AFTER_DEFAULT)
            }
            _ => self.retry_after?,
        };
        // Rounded up, for a second too early is refused again; and never 0, which says "at once".
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let kind = match &error {
            Error::NoSuchClient(_) => Kind::NoSuchClient,
            Error::NoSuchDomain(_) => Kind::NoSuchDomain,
            Error::NoSuchCheck(_) => Kind::NoSuchCheck,
            Error::NoSuchKey(_) => Kind::NoSuchKey,
            Error::NoSuchMailbox(_) => Kind::NoSuchMailbox,
            Error::MailboxOwn | Error::MailboxTaken => Kind::MailboxTaken,
            Error::MailboxUnhealthy(_) => Kind::MailboxUnhealthy,
            Error::NotReady(_) => Kind::NotReady,
            Error::DailyLimitReached { .. } => Kind::DailyLimitReached,
            Error::SendKeyReused => Kind::IdempotencyKeyReused,
            Error::NoSuchSetupLink(_) => Kind::NoSuchSetupLink,
            Error::NoSuchEndpoint(_) => Kind::NoSuchWebhookEndpoint,
            Error::NoSuchDelivery(_) => Kind::NoSuchDelivery,
            Error::TooManyEndpoints { .. } => Kind::TooManyWebhookEndpoints,
            Error::Forbidden { .. } => Kind::Forbidden,
            Error::KeyExpired(_) => Kind::Unauthorized,
            Error::Invalid(_) => Kind::Invalid,
            Error::DomainOwn | Error::DomainTaken { .. } => Kind::DomainTaken,
            Error::DomainBusy | Error::EndpointBusy => Kind::Unavailable,
            Error::DomainMalformed(_) => Kind::DomainMalformed,
            Error::AllocationExceeded { .. }
            | Error::TransferExceeds(_)
            | Error::TierTooSmall { .. }
            | Error::TooManyDedicated { .. } => Kind::AllocationExceeded,
            Error::ClientsManagedElsewhere => Kind::ClientsManagedElsewhere,
            Error::TooManyVerifications { .. } => Kind::TooManyVerifications,
            Error::Store(StoreError::Unavailable { .. }) => Kind::Unavailable,
            Error::Judge(_)
            | Error::Store(
                StoreError::Corrupt { .. }
                | StoreError::BadUrl { .. }
                | StoreError::Absent { .. }
                | StoreError::Served { .. },
            ) => Kind::Internal,
        };
        let cause = kind.status().is_server_error().then(|| chain(&error));
        let detail = Some(error.to_string());
        match error {
            Error::Invalid(faults) => Problem::invalid(faults.into_iter().map(FieldFault::from).collect()),
            Error::DomainTaken { claim } => Problem {
                detail,
                ownership: claim.map(|claim| Box::new(ChallengeBody::of(claim))),
                ..Problem::new(kind)
            },
            Error::TooManyVerifications { retry_after } => {
                Problem { detail, ..Problem::new(kind) }.retry_after(retry_after)
            }
            _ => Problem { detail, cause, ..Problem::new(kind) },
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Problem::from(Error::from(error))
    }
}

impl From<service::FieldFault> for FieldFault {
    fn from(fault: service::FieldFault) -> FieldFault {
        FieldFault { pointer: fault.pointer, detail: fault.detail }
    }
}

fn field_count(count: usize) -> String {
    match count {
        1 => "one field is wrong".to_owned(),
        _ => format!("{count} fields are wrong"),
    }
}

/// Why a request failed, for the line that the log gets of it.
#[derive(Debug, Clone)]
pub struct Cause(pub String);

/// What a problem looks like on the wire. RFC 9457 §3.1.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The kind: a path under which a page explains it.
    #[serde(rename = "type")]
    #[schema(example = "/problems/invalid")]
    kind: String,
    /// The kind in a few words.
    #[schema(example = "Fields are wrong")]
    title: &'static str,
    /// The status code again.
    #[schema(example = 422)]
    status: u16,
    /// What is wrong this time. Absent on a 5xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Which fields are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldFault>,
    /// With `domain-taken`, where the domain's holder has proven nothing: publish this, and the domain becomes yours.
    #[serde(skip_serializing_if = "Option::is_none")]
    ownership: Option<Box<ChallengeBody>>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, word, title) = self.kind.row();
        let wait = self.seconds_to_wait();
        let detail = self.detail.filter(|_| !status.is_server_error());
        let kind = format!("/problems/{word}");
        let body = ProblemBody {
            kind,
            title,
            status: status.as_u16(),
            detail,
            errors: self.errors,
            ownership: self.ownership,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1 wants a challenge with every 401; RFC 6750 §3 says which.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sendready\""));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::body::to_bytes;
    use serde_json::Value;

    use super::*;

    async fn shown(problem: Problem) -> (StatusCode, Option<String>, Value) {
        let response = problem.into_response();
        assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
        let wait = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, wait, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn every_kind_has_its_status_its_word_and_its_page() {
        let mut words = BTreeSet::new();
        for kind in Kind::ALL {
            let (status, wait, body) = shown(Problem::because(kind, "why")).await;
            assert!(words.insert(kind.as_str()), "{kind:?}: the word is used twice");
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            assert_eq!(body["type"], format!("/problems/{}", kind.as_str()));
            assert_eq!(body["status"], status.as_u16());
            assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()));
            assert_eq!(body.get("detail").is_some(), status.is_client_error(), "{kind:?}: no detail on a 5xx");
            assert_eq!(wait.is_some(), matches!(status.as_u16(), 429 | 503), "{kind:?}: Retry-After");
            let page = pages::text(kind);
            assert!(page.starts_with("# "), "{kind:?}: the page begins with its title");
            for heading in ["## What it means", "## Why it happens", "## What to do next"] {
                assert!(page.contains(heading), "{kind:?}: the page lacks `{heading}`");
            }
            assert!(page.contains(&format!("`{}`", kind.as_str())), "{kind:?}: the page is another kind's");
            assert!(page.contains(&format!("{}", status.as_u16())), "{kind:?}: the page names another status");
        }
        let files = std::fs::read_dir("docs/problems").unwrap();
        for file in files {
            let name = file.unwrap().file_name().into_string().unwrap();
            let word = name.trim_end_matches(".md").to_owned();
            assert!(words.contains(word.as_str()), "docs/problems/{name} is the page of no kind");
        }
    }

    #[tokio::test]
    async fn waits_are_rounded_up_and_fields_are_listed() {
        let wait = |wait| shown(Problem::new(Kind::TooManyVerifications).retry_after(wait));
        assert_eq!(wait(Duration::from_millis(1)).await.1.unwrap(), "1");
        assert_eq!(wait(Duration::from_millis(1_001)).await.1.unwrap(), "2");
        assert_eq!(wait(Duration::ZERO).await.1.unwrap(), "1");
        assert_eq!(shown(Problem::new(Kind::Unavailable)).await.1.unwrap(), "5");
        let (_, _, body) = shown(Problem::invalid(vec![FieldFault::new("/a", "is needed")])).await;
        assert_eq!(body["errors"], serde_json::json!([{"pointer": "/a", "detail": "is needed"}]));
        assert!(shown(Problem::new(Kind::NotFound)).await.2.get("errors").is_none());
    }
}
