//! The fleet breaker (contract §3.7): an operator's word that what it opened for is so.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::caller::Known;
use crate::http::health::{BreakerState, Health};
use crate::http::json::Nothing;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::service::Service;

/// What came of accepting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BreakerAccepted)]
pub(super) struct AcceptedBody {
    /// `closed`, always.
    #[schema(example = "closed")]
    breaker: &'static str,
    /// Whether this call closed it; false where it was closed already, and nothing was accepted.
    accepted: bool,
    /// Until when what was seen is accepted; null where nothing was.
    accepted_at: Option<DateTime<Utc>>,
    /// When it had opened; null where nothing was accepted.
    opened_at: Option<DateTime<Utc>>,
    /// How many valid domains had been looked at when it opened.
    #[schema(example = 40)]
    looked: Option<usize>,
    /// How many of these had turned bad or unknown.
    #[schema(example = 40)]
    turned: Option<usize>,
}

/// Accept what the fleet breaker opened for. Operators only.
///
/// Send no body, or `{}`. The breaker closes, and domains that were bad or unknown by now no longer count: the next
/// check of each is believed, within `checks.breaker_window`. Domains that turn afterwards count anew and may open it
/// again. Where it is closed, nothing is accepted, least of all in advance.
#[utoipa::path(post, path = "/v1/breaker/accept", tag = "operations", responses(
    (status = 200, description = "It is closed; `accepted` says whether by this.", body = AcceptedBody),
))]
pub(super) async fn accept(
    State(service): State<Service>,
    State(health): State<Health>,
    Known(caller): Known,
    _: NoQuery,
    _: Nothing,
) -> Result<Json<AcceptedBody>, Problem> {
    let accepted = service.breaker_accept(&caller).await?;
    if accepted.is_some() {
        health.breaker(BreakerState::Closed);
    }
    Ok(Json(AcceptedBody {
        breaker: "closed",
        accepted: accepted.is_some(),
        accepted_at: accepted.and_then(|breaker| breaker.accepted_at),
        opened_at: accepted.and_then(|breaker| breaker.opened_at),
        looked: accepted.map(|breaker| breaker.counts.looked),
        turned: accepted.map(|breaker| breaker.counts.turned),
    }))
}
