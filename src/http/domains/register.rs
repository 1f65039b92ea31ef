//! `POST /v1/domains`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::Known;
use crate::http::document::RecordBody;
use crate::http::domains::body::DomainBody;
use crate::http::domains::given::{self, DkimSchema, DmarcSchema, MxSchema, SpfSchema};
use crate::http::field;
use crate::http::json::{self, Fields};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::NoQuery;
use crate::http::records;
use crate::service::domains::Registration;
use crate::service::{Caller, Service};

/// A domain to register.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `registration` reads; tests hold the two together")]
pub(in crate::http) struct NewDomain {
    /// Whose it is to be. A client's key may leave it out; an operator's may not.
    #[schema(example = "0190a6a0-0000-7000-8000-000000000001")]
    client_id: Option<Uuid>,
    /// The name, in Unicode or ASCII.
    #[schema(example = "example.com")]
    domain: String,
    /// Whose profile it follows; `infraforge` unless given. `manual`: everything comes with the domain.
    #[schema(example = "manual", min_length = 1, max_length = 64)]
    provider: Option<String>,
    /// Its DKIM selectors; at most 10. Needed with `manual`: selectors are never guessed.
    #[schema(max_items = 10)]
    dkim: Option<Vec<DkimSchema>>,
    /// What its SPF record must do.
    spf: Option<SpfSchema>,
    /// What its DMARC policy must be.
    dmarc: Option<DmarcSchema>,
    /// Its mail exchanges; at most 10.
    #[schema(max_items = 10)]
    mx: Option<Vec<MxSchema>>,
    /// The provider's id of it.
    #[schema(min_length = 1, max_length = 255)]
    infraforge_domain_id: Option<String>,
    /// The sender's id of it.
    #[schema(min_length = 1, max_length = 255)]
    smartlead_domain_id: Option<String>,
}

/// A domain, and the records to publish for it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Registered {
    #[serde(flatten)]
    domain: DomainBody,
    /// What to publish, all `unchecked`: the first check is due at once.
    records: Vec<RecordBody>,
}

/// Register a domain.
///
/// A first check is due at once; poll its records to follow it. What a client's key registers stays `pending` until its
/// `ownership` record is published. A name that another client has, or had, is refused; where that client has proven nothing, the
/// refusal's `ownership` says what to publish to be given the domain. Ask again then: it is looked at soon.
#[utoipa::path(post, path = "/v1/domains", tag = "domains", request_body = NewDomain, responses(
    (status = 201, description = "The domain and what to publish.", body = Registered, headers(("location" = String, description = "Where it is."))),
    (status = 404, description = "`no-such-client`: there is no client `client_id`, or it is not the key's own.", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`domain-taken`, perhaps with `ownership`, or `allocation-exceeded`: the tier allows no more.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::http) async fn domain_register(
    State(service): State<Service>,
    Known(caller): Known,
    _: NoQuery,
    body: json::Json,
) -> Result<impl IntoResponse, Problem> {
    let new = body.read(|fields| registration(fields, &caller))?;
    let domain = service.domain_register(&caller, &new).await?;
    let id = domain.row.id;
    let view = service.records(&caller, id).await?;
    let registered = Registered { domain: DomainBody::of(domain), records: records::document(&view).into_records() };
    Ok((StatusCode::CREATED, [(LOCATION, format!("/v1/domains/{id}"))], Json(registered)))
}

fn registration(fields: &mut Fields, caller: &Caller) -> Option<Registration> {
    let client_id = match caller.client_id {
        Some(own) => Some(fields.take("client_id", field::id).unwrap_or(own)),
        None => fields.need("client_id", field::id),
    };
    let domain = fields.need("domain", field::domain);
    let provider = fields.take("provider", field::provider);
    let requirements = given::requirements(fields);
    let infraforge_domain_id = fields.take("infraforge_domain_id", field::foreign_id);
    let smartlead_domain_id = fields.take("smartlead_domain_id", field::foreign_id);
    let (client_id, domain) = client_id.zip(domain)?;
    Some(Registration { client_id, domain, provider, requirements, infraforge_domain_id, smartlead_domain_id })
}
