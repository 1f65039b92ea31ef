//! `POST /v1/mailboxes/{id}/sends`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::field;
use crate::http::idempotency;
use crate::http::json;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::NoQuery;
use crate::sending::limit::Counter;
use crate::service::Service;
use crate::service::sends::SendView;

/// Sends to reserve.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `mailbox_send` reads; tests hold the two together")]
pub(in crate::http) struct NewSends {
    /// How many.
    #[schema(example = 1, minimum = 1, maximum = 1000000)]
    count: i32,
}

/// What was granted.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Sends {
    /// How many: as many as were asked for.
    #[schema(example = 1)]
    granted: i32,
    /// The mailbox's counter afterwards.
    mailbox: CounterBody,
    /// The domain's counter afterwards.
    domain: CounterBody,
    /// When the next UTC day begins, and the counters with it.
    resets_at: DateTime<Utc>,
}

/// A counter of today.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Counter)]
pub(in crate::http) struct CounterBody {
    /// How many mails are sent today.
    #[schema(example = 4)]
    used: u32,
    /// How many may be.
    #[schema(example = 20)]
    limit: u32,
}

impl Sends {
    fn of(view: SendView) -> Sends {
        let SendView { grant, resets_at, again: _ } = view;
        let counter = |Counter { used, limit }| CounterBody { used, limit };
        let (mailbox, domain) = (counter(grant.mailbox), counter(grant.domain));
        Sends { granted: grant.granted, mailbox, domain, resets_at }
    }
}

/// Reserve sends of today's limits: all that are asked for, or none.
///
/// Send an `Idempotency-Key`: without one, a repeat reserves again.
#[utoipa::path(post, path = "/v1/mailboxes/{id}/sends", tag = "mailboxes", params(("id" = Uuid, Path, description = "The mailbox.")),
    request_body = NewSends, responses(
    (status = 200, description = "They are granted.", body = Sends),
    (status = 409, description = "`not-ready` or `daily-limit-reached`; nothing is granted.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::http) async fn mailbox_send(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    headers: HeaderMap,
    body: json::Json,
) -> Result<Response, Problem> {
    let count = body.read(|fields| fields.need("count", field::send_count))?;
    let key = idempotency::key_given(&headers)?;
    let view = service.mailbox_send(&caller, id, count, key.as_deref()).await?;
    let mut response = Json(Sends::of(view)).into_response();
    if view.again {
        response.headers_mut().insert(idempotency::REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}
