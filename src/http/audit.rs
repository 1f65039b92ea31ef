//! Who changed what: the door through which every changing request goes, and the list of what went through.
//!
//! [`ALL`] says of each operation that is no `GET` whether it is written down, and why not where it is not. One that
//! it does not know is written down, under its path: forgetting a line of the table must not hide anybody's change.
//!
//! Stands inside idempotency: a repeat that is given the first answer changes nothing. A caller without a key, or with
//! a hook's, gets no further than its refusal, except for what is not written down anyway.

pub(super) mod list;

use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request};
use axum::http::header::LOCATION;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::http::AppState;
use crate::http::admission::Admitted;
use crate::http::problem::Problem;
use crate::http::request::{Peer, Whose};
use crate::service::audit::{AuditEnd, Doing, Outcome};
use crate::service::{Role, Service};

/// The most characters of field names that are kept, and the most of one.
const FIELDS_CHARACTERS_MAX: usize = 255;
const FIELD_CHARACTERS_MAX: usize = 64;

/// One operation that is no `GET`.
#[derive(Debug)]
pub struct Audited {
    /// Its method.
    pub method: &'static str,
    /// Its path, as the router has it.
    pub path: &'static str,
    /// Its id in the OpenAPI document.
    pub operation: &'static str,
    /// Why it is not written down; nothing where it is.
    pub left_out: Option<&'static str>,
}

const fn written(method: &'static str, path: &'static str, operation: &'static str) -> Audited {
    Audited { method, path, operation, left_out: None }
}

const fn left_out(method: &'static str, path: &'static str, operation: &'static str, why: &'static str) -> Audited {
    Audited { method, path, operation, left_out: Some(why) }
}

/// Every operation that is no `GET`.
#[rustfmt::skip]
pub const ALL: &[Audited] = &[
    written("POST",   "/v1/clients", "client_add"),
    written("PATCH",  "/v1/clients/{id}", "client_change"),
    written("PUT",    "/v1/clients/{id}/dedicated-ips", "dedicated_replace"),
    written("POST",   "/v1/domains", "domain_register"),
    written("PATCH",  "/v1/domains/{id}", "domain_change"),
    written("DELETE", "/v1/domains/{id}", "domain_delete"),
    written("POST",   "/v1/domains/{id}/transfer", "domain_transfer"),
    written("POST",   "/v1/domains/{id}/setup-links", "setup_link_create"),
    written("DELETE", "/v1/domains/{id}/setup-links/{link_id}", "setup_link_revoke"),
    written("POST",   "/v1/domains/{id}/mailboxes", "mailbox_add"),
    written("PATCH",  "/v1/mailboxes/{id}", "mailbox_change"),
    written("DELETE", "/v1/mailboxes/{id}", "mailbox_delete"),
    written("POST",   "/v1/mailboxes/{id}/pause", "mailbox_pause"),
    written("POST",   "/v1/mailboxes/{id}/resume", "mailbox_resume"),
    written("POST",   "/v1/mailboxes/{id}/suspend", "mailbox_suspend"),
    written("PUT",    "/v1/mailboxes/{id}/health", "mailbox_health"),
    written("POST",   "/v1/breaker/accept", "accept"),
    written("POST",   "/v1/webhook-endpoints", "endpoint_add"),
    written("PATCH",  "/v1/webhook-endpoints/{id}", "endpoint_change"),
    written("DELETE", "/v1/webhook-endpoints/{id}", "endpoint_remove"),
    written("POST",   "/v1/webhook-endpoints/{id}/rotate-secret", "endpoint_rotate"),
    written("POST",   "/v1/webhook-endpoints/{id}/test", "endpoint_test"),
    written("POST",   "/v1/webhook-endpoints/{id}/deliveries/{delivery_id}/retry", "delivery_retry"),
    left_out("POST",  "/v1/domains/{id}/verify", "verify",
        "asks for a check, as polling does; the checks that follow are listed with their reason"),
    left_out("POST",  "/v1/mailboxes/{id}/sends", "mailbox_send",
        "the sender asks before every mail; what was granted is kept with its key"),
    left_out("PUT",   "/v1/mailboxes/{id}/warmup-stats/{date}", "warmup_stats_put",
        "a program reports each mailbox's day; the numbers are kept by day"),
    left_out("POST",  "/v1/webhooks/dns-changes", "dns_changes",
        "a provider's machine says that something changed elsewhere, and only a check follows"),
];

/// What is to be written of a request; nothing where it is left out.
fn operation(method: &Method, route: &str) -> Option<&'static str> {
    if method.is_safe() {
        return None;
    }
    match ALL.iter().find(|line| line.path == route && method.as_str() == line.method) {
        Some(Audited { left_out: Some(_), .. }) => None,
        Some(line) => Some(line.operation),
        None => Some("unlisted"),
    }
}

/// Writes down who changes what. Inside [`crate::http::idempotency::once`].
pub(super) async fn audit<F>(state: &AppState, mut request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let Some(doing) = doing(&request) else { return next(request).await };
    let fields = FieldNames::default();
    request.extensions_mut().insert(fields.clone());
    write_around(&state.service, &doing, &fields, next(request)).await
}

/// Does `work`, which changes something, between the two halves of a row: for ways in of other kinds than the API.
///
/// Where the row cannot be written, `work` is not begun, and the answer is `unavailable`.
pub async fn audited(service: &Service, doing: &Doing, work: impl Future<Output = Response>) -> Response {
    write_around(service, doing, &FieldNames::default(), work).await
}

async fn write_around(
    service: &Service,
    doing: &Doing,
    fields: &FieldNames,
    work: impl Future<Output = Response>,
) -> Response {
    let id = match service.audit_begin(doing).await {
        Ok(id) => id,
        Err(fault) => return Problem::from(fault).into_response(),
    };
    let response = work.await;
    let status = response.status();
    let outcome = match status {
        _ if status.is_server_error() => Outcome::Failed,
        _ if status.is_client_error() => Outcome::Refused,
        _ => Outcome::Done,
    };
    let fields = fields.seen.get().map_or("", String::as_str);
    let end = AuditEnd { outcome, status: Some(status.as_u16()), made_id: made(&response), fields };
    service.audit_end(id, &end).await;
    response
}

/// Who is about to do what; nothing where that is not written down.
fn doing(request: &Request) -> Option<Doing> {
    let route = request.extensions().get::<MatchedPath>()?.as_str();
    let operation = operation(request.method(), route)?;
    let Admitted(caller) = request.extensions().get::<Admitted>()?;
    if caller.role == Role::Hook {
        return None;
    }
    let whose = request.extensions().get::<Whose>();
    let id = |of: &str| route.starts_with(of).then(|| id_of(request.uri())).flatten();
    let doing = Doing::by(caller, operation);
    Some(Doing {
        path: request.uri().path().to_owned(),
        domain_id: id("/v1/domains/{id}").or(doing.domain_id),
        mailbox_id: id("/v1/mailboxes/{id}"),
        request_id: whose.and_then(Whose::request_id).map(str::to_owned),
        peer: request.extensions().get::<Peer>().map(|peer| peer.address.to_canonical().to_string()),
        ..doing
    })
}

/// The id in `/v1/THINGS/ID…`.
fn id_of(uri: &Uri) -> Option<Uuid> {
    uri.path().split('/').nth(3)?.parse().ok()
}

/// The last part of `Location`.
fn made(response: &Response) -> Option<Uuid> {
    response.headers().get(LOCATION)?.to_str().ok()?.rsplit('/').next()?.parse().ok()
}

/// The names of the fields that came; filled in once the body was read.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldNames {
    seen: Arc<OnceLock<String>>,
}

impl FieldNames {
    /// Notes the names of a body's fields, never their values. Names are a stranger's text, and cut.
    pub(super) fn note(&self, body: &Map<String, Value>) {
        let mut names = String::new();
        for name in body.keys() {
            let shown: String = name.chars().filter(char::is_ascii_graphic).take(FIELD_CHARACTERS_MAX).collect();
            if names.len() + shown.len() + 1 > FIELDS_CHARACTERS_MAX {
                break;
            }
            if !names.is_empty() {
                names.push(' ');
            }
            names.push_str(&shown);
        }
        // A body is read once.
        let _ = self.seen.set(names);
    }
}
