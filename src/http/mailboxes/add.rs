//! `POST /v1/domains/{id}/mailboxes`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::field;
use crate::http::json::{self, Fields};
use crate::http::mailboxes::body::MailboxBody;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::NoQuery;
use crate::service::Service;
use crate::service::mailboxes::MailboxGiven;

/// A mailbox to add.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `given` reads; tests hold the two together")]
pub(in crate::http) struct NewMailbox {
    /// Its address, in the domain; Unicode or ASCII, any case.
    #[schema(example = "max@example.com", max_length = 254)]
    email_address: String,
    /// The name that its mail carries, at most 200 characters.
    #[schema(example = "Max Muster", min_length = 1, max_length = 200)]
    display_name: Option<String>,
    /// The provider's id of it.
    #[schema(min_length = 1, max_length = 255)]
    infraforge_mailbox_id: Option<String>,
    /// The sender's id of it.
    #[schema(min_length = 1, max_length = 255)]
    smartlead_account_id: Option<String>,
    /// Whether it is to be warmed up; true unless given. One that is added again stays as it was.
    warmup_enabled: Option<bool>,
}

/// Add a mailbox to a domain.
///
/// Its warm-up begins when the domain is first configured. An address that the domain had before comes back with its
/// history, also a pause, a suspension, its warm-up and what it sent today.
#[utoipa::path(post, path = "/v1/domains/{id}/mailboxes", tag = "mailboxes", params(("id" = Uuid, Path, description = "The domain.")),
    request_body = NewMailbox, responses(
    (status = 201, description = "The mailbox.", body = MailboxBody, headers(("location" = String, description = "Where it is."))),
    (status = 409, description = "`mailbox-taken`, `domain-malformed`, or `allocation-exceeded`: the tier allows no more.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::http) async fn mailbox_add(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    body: json::Json,
) -> Result<impl IntoResponse, Problem> {
    let given = body.read(given)?;
    let row = service.mailbox_add(&caller, id, &given).await?;
    let location = format!("/v1/mailboxes/{}", row.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(MailboxBody::of(row, service.today()))))
}

fn given(fields: &mut Fields) -> Option<MailboxGiven> {
    let address = fields.need("email_address", field::mail_address);
    let display_name = fields.take("display_name", field::display_name);
    let infraforge_mailbox_id = fields.take("infraforge_mailbox_id", field::foreign_id);
    let smartlead_account_id = fields.take("smartlead_account_id", field::foreign_id);
    let warmup_enabled = fields.take("warmup_enabled", field::flag);
    let address = address?;
    Some(MailboxGiven { address, display_name, infraforge_mailbox_id, smartlead_account_id, warmup_enabled })
}
