//! Records and status (contract §3.3): what onboarding polls, and asking for a check.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Looker};
use crate::http::document::{Document, Kept};
use crate::http::etag;
use crate::http::json::Nothing;
use crate::http::look::{self, Onlooker, Seen};
use crate::http::ownership::OwnershipRecordBody;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::Query;
use crate::service::records::RecordsView;
use crate::service::{Caller, Service};

/// What became of the wish for a check.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Advanced {
    /// `queued` or `running`.
    #[schema(example = "queued")]
    state: &'static str,
    /// When it is due.
    next_check_at: DateTime<Utc>,
}

/// A domain's records: what to publish, what is there, and what is wrong.
///
/// While not all is valid, or something is staged, asking brings the next check forward. The weak `ETag` is over everything but times.
#[utoipa::path(get, path = "/v1/domains/{id}/records", tag = "records", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("wait" = Option<u32>, Query, description = "With `If-None-Match`: how many seconds the answer is held until the records change, 1 to 30.", minimum = 1, maximum = 30),
    ("if-none-match" = Option<String>, Header, description = "The `ETag` of an earlier answer: 304 while nothing has changed."),
), responses(
    (status = 200, description = "The records.", body = Document, headers(("etag" = String, description = "A weak tag over everything but times."))),
    (status = 304, description = "Nothing has changed."),
    (status = 409, description = "`domain-malformed`: the row's name is no normal domain name.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn records(
    State(service): State<Service>,
    Looker(caller): Looker,
    At(id): At<Uuid>,
    mut query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wait = query.wait();
    query.end()?;
    // At the door nobody knew whose key it was.
    if wait.is_none()
        && let Some(tag) = known_tag(&service, &caller, id, &headers)
    {
        return Ok(not_modified(&tag));
    }
    let seen = match wait {
        None => look(&service, &caller, id).await?,
        Some(wait) => {
            let mut onlooker = Onlooker::new(service, &headers, id);
            onlooker.see_other_than(|tag| etag::is_known(&headers, tag), Instant::now() + wait).await?
        }
    };
    if etag::is_known(&headers, &seen.tag) {
        return Ok(not_modified(&seen.tag));
    }
    Ok(seen.into_response())
}

/// The tag of the document that the caller has already, where that is known without asking.
pub(super) fn known_tag(service: &Service, caller: &Caller, id: Uuid, headers: &HeaderMap) -> Option<Arc<str>> {
    if !headers.contains_key(IF_NONE_MATCH) {
        return None;
    }
    // What the caller may not see is refused where it is read.
    let tag = service.records_tag(caller, id).ok().flatten();
    tag.filter(|tag| etag::is_known(headers, tag))
}

/// What there is to see at once.
async fn look(service: &Service, caller: &Caller, id: Uuid) -> Result<Seen, Problem> {
    let ticket = service.records_ticket(id);
    let view = service.records(caller, id).await?;
    let seen = Seen::of(&view)?;
    if let Some(ticket) = ticket {
        service.records_note(ticket, &view, &seen.tag);
    }
    Ok(seen)
}

/// What whoever has the document of this tag is told.
pub(super) fn not_modified(tag: &str) -> Response {
    (StatusCode::NOT_MODIFIED, look::headers(tag), ()).into_response()
}

/// Ask for a check at once.
///
/// Send no body, or `{}`. A check that runs is joined. It never resets status or flags. More than six a minute are refused.
/// With `wait`, the answer is the records as soon as the check is done; 202 when that is not in time.
#[utoipa::path(post, path = "/v1/domains/{id}/verify", tag = "records", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("wait" = Option<u32>, Query, description = "How many seconds to wait for the check to be done, 1 to 30.", minimum = 1, maximum = 30),
), responses(
    (status = 200, description = "With `wait`: the check is done, and these are the records.", body = Document, headers(("etag" = String, description = "A weak tag over everything but times."))),
    (status = 202, description = "It is due, or running.", body = Advanced),
    (status = 409, description = "`domain-malformed`: the row's name is no normal domain name.", body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, description = "`too-many-verifications` or `too-many-requests`; `Retry-After` says when.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn verify(
    State(service): State<Service>,
    Looker(caller): Looker,
    At(id): At<Uuid>,
    mut query: Query,
    headers: HeaderMap,
    _: Nothing,
) -> Result<Response, Problem> {
    let wait = query.wait();
    query.end()?;
    let mut onlooker = Onlooker::new(service.clone(), &headers, id);
    let asked_at = service.clock().now();
    let advanced = service.verify(&caller, id).await?;
    if let Some(wait) = wait {
        let until = Instant::now() + wait;
        loop {
            let view = onlooker.view().await?;
            // A check that ran when it was asked for is joined.
            if view.row.last_checked_at.is_some_and(|at| at >= asked_at) {
                return Ok(Seen::of(&view)?.into_response());
            }
            if !onlooker.wait(until).await {
                break;
            }
        }
    }
    let state = if advanced.running { "running" } else { "queued" };
    let body = Advanced { state, next_check_at: advanced.next_check_at };
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

/// The document of a domain's records.
pub(super) fn document(view: &RecordsView) -> Document {
    let row = &view.row;
    let kept = Kept {
        id: row.id,
        client_id: row.client_id,
        provider: row.provider.clone(),
        status: row.status,
        flags: row.standing().flags,
        dns_configured: row.dns_configured,
        next_check_at: row.next_check_at,
        checking: view.checking,
        breaker_open: view.breaker_open,
        stale_since: row.stale_since,
        poll_after_seconds: view.poll_after.as_secs(),
        ownership: view
            .judged
            .ownership
            .as_ref()
            .map(|(own, seen)| OwnershipRecordBody::of(own, seen, &view.judged.report)),
        requirements: view.judged.requirements,
        changed_at: view.judged.changed_at.clone(),
    };
    // A revived domain was checked in its former life; what is shown of it now was not.
    let checked_at = row.last_checked_at.filter(|_| row.evidence_digest.is_some());
    Document::of_domain(&view.judged.report, checked_at, &kept)
}
