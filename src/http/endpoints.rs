//! Webhook endpoints (contract §3.4): whom events are posted to. What went to one is in [`deliveries`].

pub(super) mod deliveries;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::field;
use crate::http::idempotency::ShownOnce;
use crate::http::json::{self, Nothing};
use crate::http::list::List;
use crate::http::openapi::words::EventWord;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::{NoQuery, Query};
use crate::service::Service;
use crate::service::endpoints::{EndpointPatch, EndpointRequest, EndpointRow, Kind};

/// The member of an answer that is shown once.
const SHOWN_ONCE: ShownOnce = ShownOnce(&["secret"]);

/// An endpoint to make.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `endpoint_add` reads; tests hold the two together")]
#[schema(as = NewWebhookEndpoint)]
pub(super) struct NewEndpoint {
    /// Where events are posted: `https` or `http`, a host of the public Internet, port 80, 443 or from 1024 on.
    #[schema(example = "https://hooks.example.com/dns", max_length = 2048)]
    url: String,
    /// The types of events that it gets, none twice; empty or left out: all.
    #[schema(example = json!(["domain.verified", "domain.at_risk"]), max_items = 7)]
    events: Option<Vec<EventWord>>,
    /// Whose events it gets; left out: everybody's, or with a client's key its own.
    client_id: Option<Uuid>,
}

/// What to change of an endpoint. What is left out stays, and so does what is null.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `endpoint_change` reads; tests hold the two together")]
#[schema(as = WebhookEndpointPatch)]
pub(super) struct EndpointPatchSchema {
    /// Whether it gets anything.
    enabled: Option<bool>,
    /// Another place.
    #[schema(example = "https://hooks.example.com/dns", max_length = 2048)]
    url: Option<String>,
    /// Other types of events, none twice; empty: all.
    #[schema(max_items = 7)]
    events: Option<Vec<EventWord>>,
}

/// A webhook endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub(super) struct EndpointBody {
    /// Its id.
    id: Uuid,
    /// Whose events it gets; null: everybody's.
    client_id: Option<Uuid>,
    /// Where events are posted, as it was understood.
    #[schema(example = "https://hooks.example.com/dns")]
    url: String,
    /// The types of events that it gets; empty: all.
    #[schema(example = json!(["domain.verified", "domain.at_risk"]))]
    events: Vec<&'static str>,
    /// Whether it gets anything.
    enabled: bool,
    /// Since when it gets nothing.
    disabled_at: Option<DateTime<Utc>>,
    /// Why: `failing` or `gone`; null when a person disabled it.
    #[schema(example = "failing")]
    disabled_reason: Option<&'static str>,
    /// Since when every attempt has failed.
    failing_since: Option<DateTime<Utc>>,
    /// Until when the secret before this one signs, too.
    previous_secret_expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

/// A webhook endpoint with its secret, which is never shown again: a repeat with the same `Idempotency-Key` comes without.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpointWithSecret)]
pub(super) struct EndpointWithSecret {
    #[serde(flatten)]
    endpoint: EndpointBody,
    /// What signs the events (Standard Webhooks). Shown this once, and absent from a repeat.
    #[schema(required = false, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

impl EndpointBody {
    fn of(row: EndpointRow) -> EndpointBody {
        EndpointBody {
            id: row.id,
            client_id: row.client_id,
            events: row.events.iter().map(|kind| kind.as_str()).collect(),
            enabled: row.enabled,
            disabled_at: row.disabled_at,
            disabled_reason: row.disabled_reason.map(|reason| reason.as_str()),
            failing_since: row.failing_since,
            previous_secret_expires_at: row.older_secrets.iter().map(|older| older.until).max(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            url: row.url,
        }
    }
}

impl EndpointWithSecret {
    fn of(row: EndpointRow) -> EndpointWithSecret {
        let secret = row.secret.expose();
        EndpointWithSecret { endpoint: EndpointBody::of(row), secret }
    }
}

/// Make a webhook endpoint.
///
/// The answer has its secret, once. A client's key makes one for its own client's events; an operator's for any
/// client's, or for everybody's. `webhook_endpoint.disabled` goes to the operators' endpoints only.
#[utoipa::path(post, path = "/v1/webhook-endpoints", tag = "webhooks", request_body = NewEndpoint, responses(
    (status = 201, description = "The endpoint with its secret.", body = EndpointWithSecret, headers(("location" = String, description = "Where it is."))),
    (status = 404, description = "`no-such-client`.", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`too-many-webhook-endpoints`.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn endpoint_add(
    State(service): State<Service>,
    Known(caller): Known,
    _: NoQuery,
    body: json::Json,
) -> Result<impl IntoResponse, Problem> {
    let new = body.read(|fields| {
        let url = fields.need("url", field::url);
        let events = fields.distinct("events", Kind::ALL.len(), field::event_kind).unwrap_or_default();
        let client_id = fields.take("client_id", field::id);
        Some(EndpointRequest { url: url?, events, client_id })
    })?;
    let row = service.endpoint_create(&caller, &new).await?;
    let location = format!("/v1/webhook-endpoints/{}", row.id);
    let headers = [(LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Extension(SHOWN_ONCE), Json(EndpointWithSecret::of(row))))
}

/// List webhook endpoints. A client's key sees its own only.
///
/// Without their secrets, page by page.
#[utoipa::path(get, path = "/v1/webhook-endpoints", tag = "webhooks", params(
    ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 unless given.", minimum = 1, maximum = 200),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
), responses((status = 200, description = "One page.", body = List<EndpointBody>)))]
pub(super) async fn endpoint_list(
    State(service): State<Service>,
    Known(caller): Known,
    mut query: Query,
) -> Result<Json<List<EndpointBody>>, Problem> {
    let (limit, after) = (query.limit(), query.cursor_id());
    let list = query.end()?;
    let page = service.endpoint_list(&caller, after, limit).await?;
    Ok(Json(List::of(page, |id| list.cursor_of_id(id), EndpointBody::of)))
}

/// One webhook endpoint.
///
/// Without its secret, which is shown when it is made and when it is replaced.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{id}", tag = "webhooks", params(("id" = Uuid, Path, description = "The endpoint.")), responses(
    (status = 200, description = "The endpoint.", body = EndpointBody),
))]
pub(super) async fn endpoint_get(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<Json<EndpointBody>, Problem> {
    Ok(Json(EndpointBody::of(service.endpoint_get(&caller, id).await?)))
}

/// Change a webhook endpoint.
///
/// One that is enabled again gets what was still to be tried when it was disabled.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{id}", tag = "webhooks", params(("id" = Uuid, Path, description = "The endpoint.")),
    request_body = EndpointPatchSchema, responses((status = 200, description = "The endpoint as it stands now.", body = EndpointBody)))]
pub(super) async fn endpoint_change(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    body: json::Json,
) -> Result<Json<EndpointBody>, Problem> {
    let patch = body.read(|fields| {
        let enabled = fields.take("enabled", field::flag);
        let url = fields.take("url", field::url);
        let events = fields.distinct("events", Kind::ALL.len(), field::event_kind);
        Some(EndpointPatch { enabled, url, events })
    })?;
    Ok(Json(EndpointBody::of(service.endpoint_change(&caller, id, &patch).await?)))
}

/// Remove a webhook endpoint with its deliveries.
///
/// What was still to be delivered to it is dropped.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{id}", tag = "webhooks", params(("id" = Uuid, Path, description = "The endpoint.")), responses(
    (status = 204, description = "It is gone."),
))]
pub(super) async fn endpoint_remove(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    service.endpoint_remove(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a webhook endpoint another secret.
///
/// Send no body, or `{}`. The answer has the new secret, once. The one before signs beside it for 24 hours more.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/rotate-secret", tag = "webhooks", params(("id" = Uuid, Path, description = "The endpoint.")), responses(
    (status = 200, description = "The endpoint with its new secret.", body = EndpointWithSecret),
))]
pub(super) async fn endpoint_rotate(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    _: Nothing,
) -> Result<impl IntoResponse, Problem> {
    let row = service.endpoint_rotate(&caller, id).await?;
    Ok((Extension(SHOWN_ONCE), Json(EndpointWithSecret::of(row))))
}
