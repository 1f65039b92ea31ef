//! What went to a webhook endpoint, and sending to it by hand.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::json::Nothing;
use crate::http::list::List;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};
use crate::service::{DeliveryRow, Service};

/// One event on its way to one endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(in crate::http) struct DeliveryBody {
    /// Its id.
    id: Uuid,
    /// The event's id, the same in the header `webhook-id` of every attempt.
    event_id: Uuid,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "domain.verified")]
    kind: String,
    /// When it happened.
    timestamp: DateTime<Utc>,
    /// `pending`, `delivered` or `failed`.
    #[schema(example = "delivered")]
    status: &'static str,
    /// How many attempts were made.
    #[schema(example = 1)]
    attempts: u32,
    /// When the next attempt is due; null: none is.
    next_attempt_at: Option<DateTime<Utc>>,
    /// When the last attempt ended.
    last_attempt_at: Option<DateTime<Utc>>,
    /// How long that took, in milliseconds.
    took_ms: Option<u32>,
    /// What the endpoint answered; null when it did not.
    #[schema(example = 200)]
    response_code: Option<u16>,
    /// How the answer's body begins: a stranger's text, cut.
    response_excerpt: Option<String>,
    /// Why the last attempt failed.
    #[schema(example = "there was no answer in time")]
    failure: Option<String>,
    /// When the endpoint took it.
    delivered_at: Option<DateTime<Utc>>,
}

impl DeliveryBody {
    fn of(row: DeliveryRow) -> DeliveryBody {
        DeliveryBody {
            // Within its endpoint a delivery is known by its event.
            id: row.event_id,
            event_id: row.event_id,
            kind: row.kind,
            timestamp: row.created_at,
            status: row.status.as_str(),
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            last_attempt_at: row.attempted_at,
            took_ms: row.took_ms,
            response_code: row.response_code,
            response_excerpt: row.response_excerpt,
            failure: row.failure,
            delivered_at: row.delivered_at,
        }
    }
}

/// What went to a webhook endpoint, the newest first.
///
/// With the status and the beginning of the answer of the last attempt, page by page.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{id}/deliveries", tag = "webhooks", params(
    ("id" = Uuid, Path, description = "The endpoint."),
    ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 unless given.", minimum = 1, maximum = 200),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
), responses((status = 200, description = "One page.", body = List<DeliveryBody>)))]
pub(in crate::http) async fn delivery_list(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    mut query: Query,
) -> Result<Json<List<DeliveryBody>>, Problem> {
    let (limit, before) = (query.limit(), query.cursor_id());
    let list = query.end()?;
    let page = service.delivery_list(&caller, id, before, limit).await?;
    Ok(Json(List::of(page, |id| list.cursor_of_id(id), DeliveryBody::of)))
}

/// Send a test event.
///
/// Send no body, or `{}`. An event of the type `webhook_endpoint.test`, signed and tried again as every other; also to
/// an endpoint that is disabled. Its delivery tells what came of it.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/test", tag = "webhooks", params(("id" = Uuid, Path, description = "The endpoint.")), responses(
    (status = 202, description = "The delivery, due at once.", body = DeliveryBody),
))]
pub(in crate::http) async fn endpoint_test(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    _: Nothing,
) -> Result<(StatusCode, Json<DeliveryBody>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(DeliveryBody::of(service.endpoint_test(&caller, id).await?))))
}

/// Make another attempt at once.
///
/// Send no body, or `{}`. Whatever became of the attempts before, and also on an endpoint that is disabled; the
/// event's id stays. An attempt that runs is joined.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/deliveries/{delivery_id}/retry", tag = "webhooks", params(
    ("id" = Uuid, Path, description = "The endpoint."),
    ("delivery_id" = Uuid, Path, description = "The delivery."),
), responses((status = 202, description = "The delivery, due at once.", body = DeliveryBody)))]
pub(in crate::http) async fn delivery_retry(
    State(service): State<Service>,
    Known(caller): Known,
    At((id, delivery_id)): At<(Uuid, Uuid)>,
    _: NoQuery,
    _: Nothing,
) -> Result<(StatusCode, Json<DeliveryBody>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(DeliveryBody::of(service.delivery_retry(&caller, id, delivery_id).await?))))
}
