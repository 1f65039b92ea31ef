//! Domains (contract §3.2): registered, found, changed, deleted. Their records are in [`crate::http::records`].

pub(super) mod body;
pub(super) mod change;
pub(super) mod given;
pub(super) mod list;
pub(super) mod register;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::domains::body::DomainBody;
use crate::http::problem::{Kind, Problem};
use crate::http::query::NoQuery;
use crate::protocol::domain::Domain;
use crate::service::Service;

/// One domain, deleted ones too.
///
/// Its flags, how long it may stay failing, and when it is looked at next. What to publish stands in its records.
#[utoipa::path(get, path = "/v1/domains/{id}", tag = "domains", params(("id" = Uuid, Path, description = "The domain.")), responses(
    (status = 200, description = "The domain.", body = DomainBody),
))]
pub(super) async fn domain_get(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<Json<DomainBody>, Problem> {
    Ok(Json(DomainBody::of(service.domain_get(&caller, id).await?)))
}

/// The domain of a name, in any spelling.
///
/// For whoever has no id. A name that nobody can register is 404 with the rule that it breaks.
#[utoipa::path(get, path = "/v1/domains/by-name/{domain}", tag = "domains",
    params(("domain" = String, Path, description = "The name, in Unicode or ASCII.", example = "example.com")), responses(
    (status = 200, description = "The domain.", body = DomainBody),
))]
pub(super) async fn domain_by_name(
    State(service): State<Service>,
    Known(caller): Known,
    At(name): At<String>,
    _: NoQuery,
) -> Result<Json<DomainBody>, Problem> {
    // A name that nobody can register is no domain of anybody's; the rule is told all the same.
    let name = Domain::parse(&name).map_err(|fault| Problem::because(Kind::NoSuchDomain, fault.to_string()))?;
    Ok(Json(DomainBody::of(service.domain_by_name(&caller, &name).await?)))
}

/// Delete a domain softly: its history stays.
///
/// It is no longer checked, its mailboxes stop, and its name can be registered again.
#[utoipa::path(delete, path = "/v1/domains/{id}", tag = "domains", params(("id" = Uuid, Path, description = "The domain.")), responses(
    (status = 204, description = "It is deleted."),
))]
pub(super) async fn domain_delete(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    service.domain_delete(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
