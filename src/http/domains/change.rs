//! `PATCH /v1/domains/{id}`.

use axum::Json;
use axum::extract::State;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::domains::body::DomainBody;
use crate::http::domains::given::{self, DkimSchema, DmarcSchema, MxSchema, SpfSchema};
use crate::http::field;
use crate::http::json::{self, Fields};
use crate::http::openapi::words::OperatorStatusWord;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::service::Service;
use crate::service::domains::DomainPatch;

/// What to change of a domain. What is left out stays, and so does what is null, where nothing else is said.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `patch` reads; tests hold the two together")]
#[schema(as = DomainPatch)]
pub(in crate::http) struct PatchSchema {
    /// All its DKIM selectors; at most 10.
    #[schema(max_items = 10)]
    dkim: Option<Vec<DkimSchema>>,
    /// What its SPF record must do.
    spf: Option<SpfSchema>,
    /// What its DMARC policy must be.
    dmarc: Option<DmarcSchema>,
    /// All its mail exchanges; at most 10.
    #[schema(max_items = 10)]
    mx: Option<Vec<MxSchema>>,
    /// Binds all that is required at once, what was staged before too. Operators only.
    bind: Option<bool>,
    /// How many mails a day. Only operators may raise it.
    #[schema(example = 50, minimum = 0, maximum = 1000000)]
    daily_send_limit: Option<i32>,
    /// The provider's id of it; null clears it.
    #[schema(min_length = 1, max_length = 255)]
    infraforge_domain_id: Option<String>,
    /// The sender's id of it; null clears it.
    #[schema(min_length = 1, max_length = 255)]
    smartlead_domain_id: Option<String>,
    /// `active` or `suspended`. Operators only.
    status: Option<OperatorStatusWord>,
}

/// Change a domain.
///
/// Other requirements are checked at once. Those of a domain that was once verified demote nobody: what is new is
/// staged (see `staged` of a record), and what it replaces goes on counting until the new is valid. What is taken
/// away is no longer required.
#[utoipa::path(patch, path = "/v1/domains/{id}", tag = "domains", params(("id" = Uuid, Path, description = "The domain.")),
    request_body = PatchSchema, responses((status = 200, description = "The domain as it stands now.", body = DomainBody)))]
pub(in crate::http) async fn domain_change(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    body: json::Json,
) -> Result<Json<DomainBody>, Problem> {
    let patch = body.read(patch)?;
    Ok(Json(DomainBody::of(service.domain_change(&caller, id, &patch).await?)))
}

fn patch(fields: &mut Fields) -> Option<DomainPatch> {
    let requirements = given::requirements(fields);
    let bind = fields.take("bind", field::flag).unwrap_or(false);
    let daily_send_limit = fields.take("daily_send_limit", field::daily_limit);
    let infraforge_domain_id = fields.change("infraforge_domain_id", field::foreign_id);
    let smartlead_domain_id = fields.change("smartlead_domain_id", field::foreign_id);
    let status = fields.take("status", field::operator_status);
    Some(DomainPatch { requirements, bind, daily_send_limit, infraforge_domain_id, smartlead_domain_id, status })
}
