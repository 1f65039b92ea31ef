//! Clients and what they use (contract §3.1).

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known, Operator};
use crate::http::field;
use crate::http::json;
use crate::http::list::List;
use crate::http::openapi::words::TierWord;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::{NoQuery, Query};
use crate::service::clients::{AllocationView, Used};
use crate::service::{Client, Service};
use crate::verify::expectation::ADDRESSES_MAX;

/// A client to make.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `client_add` reads; tests hold the two together")]
pub(super) struct NewClient {
    /// Its name, at most 200 characters.
    #[schema(example = "Example Ltd", min_length = 1, max_length = 200)]
    name: String,
    /// Its tier.
    tier: TierWord,
}

/// What to change of a client. What is left out stays, and so does what is null.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `client_change` reads; tests hold the two together")]
pub(super) struct ClientPatch {
    /// Another name, at most 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Another tier. Refused when more is in use than it allows.
    tier: Option<TierWord>,
}

/// A client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Client)]
pub(super) struct ClientBody {
    /// Its id.
    id: Uuid,
    /// Its name; null where the platform's table has none.
    name: Option<String>,
    /// Its tier; null for an adopted client that was not given one, and is not limited.
    tier: Option<&'static str>,
    /// When it was made, where that is known.
    created_at: Option<DateTime<Utc>>,
    /// Its dedicated addresses: each of its domains must let them send.
    #[schema(value_type = Vec<String>, example = json!(["192.0.2.10"]))]
    dedicated_ips: Vec<IpAddr>,
}

impl ClientBody {
    fn of(client: Client) -> ClientBody {
        let Client { id, name, tier, created_at, dedicated_ips } = client;
        ClientBody { id, name, tier: tier.map(|tier| tier.as_str()), created_at, dedicated_ips }
    }
}

/// The dedicated addresses of a client, all of them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `dedicated_replace` reads; tests hold the two together")]
pub(super) struct DedicatedIps {
    /// IPv4 and IPv6 addresses that the Internet reaches, none twice; empty: none.
    #[schema(value_type = Vec<String>, example = json!(["192.0.2.10"]), max_items = 32)]
    ips: Vec<IpAddr>,
}

/// What a client uses, and may.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Allocation)]
pub(super) struct AllocationBody {
    /// Its tier; null: not limited.
    #[schema(example = "velocity")]
    tier: Option<&'static str>,
    /// Living domains.
    domains: UsedBody,
    /// Living mailboxes.
    mailboxes: UsedBody,
    /// Dedicated addresses.
    dedicated_ips: UsedBody,
}

/// Use of one resource.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Used)]
pub(super) struct UsedBody {
    /// How many are in use.
    #[schema(example = 1)]
    used: u32,
    /// How many may be; null: not limited.
    #[schema(example = 3)]
    limit: Option<u32>,
}

impl AllocationBody {
    fn of(view: AllocationView) -> AllocationBody {
        let used = |Used { used, limit }| UsedBody { used, limit };
        AllocationBody {
            tier: view.tier.map(|tier| tier.as_str()),
            domains: used(view.domains),
            mailboxes: used(view.mailboxes),
            dedicated_ips: used(view.dedicated_ips),
        }
    }
}

/// Make a client. Operators only.
///
/// Its tier says how many domains, mailboxes and dedicated addresses it may have. Where the platform owns the table
/// of clients, make it there.
#[utoipa::path(post, path = "/v1/clients", tag = "clients", request_body = NewClient, responses(
    (status = 201, description = "The client.", body = ClientBody, headers(("location" = String, description = "Where it is."))),
    (status = 409, description = "`clients-managed-elsewhere`: the platform owns the clients.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn client_add(
    State(service): State<Service>,
    Operator(caller): Operator,
    _: NoQuery,
    body: json::Json,
) -> Result<impl IntoResponse, Problem> {
    let (name, tier) = body.read(|fields| fields.need("name", field::label).zip(fields.need("tier", field::tier)))?;
    let client = service.client_add(&caller, &name, tier).await?;
    let location = format!("/v1/clients/{}", client.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(ClientBody::of(client))))
}

/// List clients. A client's key sees its own only.
///
/// In the order of their ids, page by page.
#[utoipa::path(get, path = "/v1/clients", tag = "clients", params(
    ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 unless given.", minimum = 1, maximum = 200),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
), responses((status = 200, description = "One page.", body = List<ClientBody>)))]
pub(super) async fn client_list(
    State(service): State<Service>,
    Known(caller): Known,
    mut query: Query,
) -> Result<Json<List<ClientBody>>, Problem> {
    let (limit, after) = (query.limit(), query.cursor_id());
    let list = query.end()?;
    let page = service.client_list(&caller, after, limit).await?;
    Ok(Json(List::of(page, |id| list.cursor_of_id(id), ClientBody::of)))
}

/// One client.
///
/// A client's key sees its own only; any other is 404.
#[utoipa::path(get, path = "/v1/clients/{id}", tag = "clients", params(("id" = Uuid, Path, description = "The client.")), responses(
    (status = 200, description = "The client.", body = ClientBody),
))]
pub(super) async fn client_get(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<Json<ClientBody>, Problem> {
    Ok(Json(ClientBody::of(service.client_get(&caller, id).await?)))
}

/// Change a client's name or tier. Operators only.
///
/// What is left out stays. A smaller tier is refused while more is in use than it allows; the refusal says what to
/// remove.
#[utoipa::path(patch, path = "/v1/clients/{id}", tag = "clients", params(("id" = Uuid, Path, description = "The client.")),
    request_body = ClientPatch, responses(
    (status = 200, description = "The client as it stands now.", body = ClientBody),
    (status = 409, description = "`allocation-exceeded` or `clients-managed-elsewhere`; nothing has changed.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn client_change(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    body: json::Json,
) -> Result<Json<ClientBody>, Problem> {
    let (name, tier) =
        body.read(|fields| Some((fields.take("name", field::label), fields.take("tier", field::tier))))?;
    Ok(Json(ClientBody::of(service.client_change(&caller, id, name.as_deref(), tier).await?)))
}

/// What a client uses, and may.
///
/// Counts what lives: what is deleted no longer counts.
#[utoipa::path(get, path = "/v1/clients/{id}/allocation", tag = "clients", params(("id" = Uuid, Path, description = "The client.")), responses(
    (status = 200, description = "Used and allowed, by resource.", body = AllocationBody),
))]
pub(super) async fn client_allocation(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<Json<AllocationBody>, Problem> {
    Ok(Json(AllocationBody::of(service.client_allocation(&caller, id).await?)))
}

/// Replace a client's dedicated addresses. Operators only.
///
/// Each of the client's domains must let them send from now on, and is checked at once. Of a verified domain a new
/// address is staged: it binds when the domain's SPF record lets it send for the first time. The same again changes
/// nothing.
#[utoipa::path(put, path = "/v1/clients/{id}/dedicated-ips", tag = "clients", params(("id" = Uuid, Path, description = "The client.")),
    request_body = DedicatedIps, responses(
    (status = 200, description = "The client as it stands now.", body = ClientBody),
    (status = 409, description = "`allocation-exceeded`: more than the tier allows; nothing has changed.", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid`: an address that the Internet does not reach, stands there twice, or belongs to another client; nothing has changed.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn dedicated_replace(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    body: json::Json,
) -> Result<Json<ClientBody>, Problem> {
    let ips = body.read(|fields| {
        if !fields.has("ips") {
            return fields.need("ips", |_| Err::<Vec<IpAddr>, _>("is needed".to_owned()));
        }
        fields.list("ips", ADDRESSES_MAX, field::address)
    })?;
    Ok(Json(ClientBody::of(service.dedicated_replace(&caller, id, &ips).await?)))
}
