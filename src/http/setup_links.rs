//! Setup links (contract §3.6): a way to one domain's records for whoever owns its DNS.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use axum::{Extension, response::Response};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::field;
use crate::http::idempotency::ShownOnce;
use crate::http::json::{Fields, MaybeJson};
use crate::http::list::List;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::{NoQuery, Query};
use crate::service::Service;
use crate::service::setup_links::{EXPIRES_IN, EXPIRES_IN_MAX, SetupLinkRow};

/// A link to make.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `expires_in` reads")]
#[schema(as = NewSetupLink)]
pub(super) struct NewSchema {
    /// For how many seconds it opens; 7 days unless given, at most 30.
    #[schema(example = 604800, minimum = 1, maximum = 2592000)]
    expires_in: Option<u64>,
}

/// A link that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeSetupLink {
    /// The id.
    id: Uuid,
    /// What to send to whoever owns the DNS. Shown here and never again: absent from a repeat with the same
    /// `Idempotency-Key`.
    #[schema(required = false)]
    url: String,
    /// From when on it opens nothing.
    expires_at: DateTime<Utc>,
}

/// A link, without its token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetupLink {
    /// The id.
    id: Uuid,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// From when on it opens nothing.
    expires_at: DateTime<Utc>,
    /// Since when it opens nothing; null unless somebody revoked it.
    revoked_at: Option<DateTime<Utc>>,
}

impl SetupLink {
    fn of(row: SetupLinkRow) -> SetupLink {
        let SetupLinkRow { id, domain_id: _, created_at, expires_at, revoked_at } = row;
        SetupLink { id, created_at, expires_at, revoked_at }
    }
}

/// Make a link for whoever owns the domain's DNS.
///
/// It shows this domain's records and their live status, and lets them be verified; nothing else. Its token, the last part of
/// the URL, also opens `GET …/records`, `GET …/events/stream` and `POST …/verify` as a bearer token. Repeated with the same
/// `Idempotency-Key`, the answer comes without the URL.
#[utoipa::path(post, path = "/v1/domains/{id}/setup-links", tag = "setup links",
    params(("id" = Uuid, Path, description = "The domain.")), request_body(content = NewSchema, description = "May be left out."),
    responses(
        (status = 201, description = "The link.", body = MadeSetupLink, headers(("location" = String, description = "Where it can be looked at and revoked."))),
        (status = 422, description = "`invalid`: `expires_in` is out of range.", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn setup_link_create(
    State(service): State<Service>,
    Known(caller): Known,
    At(domain_id): At<Uuid>,
    _: NoQuery,
    MaybeJson(body): MaybeJson,
) -> Result<Response, Problem> {
    let expires_in = body.read(|fields: &mut Fields| Some(fields.take("expires_in", expires_in)))?;
    let expires_in = expires_in.unwrap_or(EXPIRES_IN);
    let (link, token) = service.setup_link_create(&caller, domain_id, expires_in).await?;
    let url = format!("{}/setup/{}", service.settings().public_url, token.expose_secret());
    let body = MadeSetupLink { id: link.id, url, expires_at: link.expires_at };
    let place = [(LOCATION, format!("/v1/domains/{domain_id}/setup-links/{}", link.id))];
    Ok((StatusCode::CREATED, Extension(ShownOnce(&["url"])), place, Json(body)).into_response())
}

fn expires_in(value: serde_json::Value) -> Result<Duration, String> {
    let most = i32::try_from(EXPIRES_IN_MAX.as_secs()).unwrap_or(i32::MAX);
    let seconds = field::whole_number_within(&value, 1, most).map_err(|detail| format!("{detail}, in seconds"))?;
    Ok(Duration::from_secs(u64::from(seconds.unsigned_abs())))
}

/// A domain's setup links, without their tokens.
///
/// Revoked and expired ones too, page by page.
#[utoipa::path(get, path = "/v1/domains/{id}/setup-links", tag = "setup links", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 unless given.", minimum = 1, maximum = 200),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
), responses((status = 200, description = "One page.", body = List<SetupLink>)))]
pub(super) async fn setup_link_list(
    State(service): State<Service>,
    Known(caller): Known,
    At(domain_id): At<Uuid>,
    mut query: Query,
) -> Result<Json<List<SetupLink>>, Problem> {
    let (limit, after) = (query.limit(), query.cursor_id());
    let list = query.end()?;
    let page = service.setup_link_list(&caller, domain_id, after, limit).await?;
    Ok(Json(List::of(page, |id| list.cursor_of_id(id), SetupLink::of)))
}

/// A setup link, without its token.
///
/// Says when it expires, and whether it was revoked.
#[utoipa::path(get, path = "/v1/domains/{id}/setup-links/{link_id}", tag = "setup links", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("link_id" = Uuid, Path, description = "The link."),
), responses((status = 200, description = "The link.", body = SetupLink)))]
pub(super) async fn setup_link_get(
    State(service): State<Service>,
    Known(caller): Known,
    At((domain_id, id)): At<(Uuid, Uuid)>,
    _: NoQuery,
) -> Result<Json<SetupLink>, Problem> {
    Ok(Json(SetupLink::of(service.setup_link_get(&caller, domain_id, id).await?)))
}

/// Revoke a setup link for good.
///
/// Its token opens nothing from then on. Revoking again changes nothing.
#[utoipa::path(delete, path = "/v1/domains/{id}/setup-links/{link_id}", tag = "setup links", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("link_id" = Uuid, Path, description = "The link."),
), responses((status = 204, description = "It opens nothing any more.")))]
pub(super) async fn setup_link_revoke(
    State(service): State<Service>,
    Known(caller): Known,
    At((domain_id, id)): At<(Uuid, Uuid)>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    service.setup_link_revoke(&caller, domain_id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
