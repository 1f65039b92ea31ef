//! `PATCH /v1/mailboxes/{id}`, the three words `pause`, `resume` and `suspend`, and `PUT …/health`.

use axum::Json;
use axum::extract::State;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::field;
use crate::http::json::{self, Fields};
use crate::http::mailboxes::body::MailboxBody;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::NoQuery;
use crate::service::mailboxes::{HealthGiven, MailboxPatch, MailboxWord};
use crate::service::{Caller, Service};

/// What to change of a mailbox. What is left out stays, and so does what is null, where nothing else is said.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `patch` reads; tests hold the two together")]
#[schema(as = MailboxPatch)]
pub(in crate::http) struct PatchSchema {
    /// The name that its mail carries; null clears it.
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    /// The provider's id of it; null clears it.
    #[schema(min_length = 1, max_length = 255)]
    infraforge_mailbox_id: Option<String>,
    /// The sender's id of it; null clears it.
    #[schema(min_length = 1, max_length = 255)]
    smartlead_account_id: Option<String>,
    /// How many mails a day, when it is not being warmed up. Only operators may raise it.
    #[schema(example = 50, minimum = 0, maximum = 1000000)]
    daily_send_limit: Option<i32>,
    /// Whether it is warmed up. Switched off, it is `active` at the limit that it has; switched on again, its warm-up
    /// goes on from where it stood.
    warmup_enabled: Option<bool>,
}

/// What is known of a mailbox's mail; at least one rate. What is left out stays, but for the sample.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `health` reads; tests hold the two together")]
#[schema(as = MailboxHealth)]
pub(in crate::http) struct HealthSchema {
    /// What share came back, 0 to 1.
    #[schema(example = 0.01, minimum = 0, maximum = 1)]
    bounce_rate: Option<f64>,
    /// What share was called spam, 0 to 1.
    #[schema(example = 0.001, minimum = 0, maximum = 1)]
    spam_rate: Option<f64>,
    /// What share was answered, 0 to 1.
    #[schema(example = 0.1, minimum = 0, maximum = 1)]
    reply_rate: Option<f64>,
    /// How many mails these rates rest on. With fewer than 50 they only warn; left out, they count.
    #[schema(example = 1000, minimum = 0, maximum = 1000000)]
    sample: Option<i32>,
}

/// Change a mailbox.
///
/// What is left out stays. The address is never changed: delete the mailbox and add another.
#[utoipa::path(patch, path = "/v1/mailboxes/{id}", tag = "mailboxes", params(("id" = Uuid, Path, description = "The mailbox.")),
    request_body = PatchSchema, responses((status = 200, description = "The mailbox as it stands now.", body = MailboxBody)))]
pub(in crate::http) async fn mailbox_change(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    body: json::Json,
) -> Result<Json<MailboxBody>, Problem> {
    let patch = body.read(patch)?;
    let row = service.mailbox_change(&caller, id, &patch).await?;
    Ok(Json(MailboxBody::of(row, service.today())))
}

/// Pause a mailbox until somebody resumes it.
///
/// Warm-up waits: days that end in a pause do not count. One that is suspended stays so.
#[utoipa::path(post, path = "/v1/mailboxes/{id}/pause", tag = "mailboxes", params(("id" = Uuid, Path, description = "The mailbox.")),
    responses((status = 200, description = "The mailbox as it stands now.", body = MailboxBody)))]
pub(in crate::http) async fn mailbox_pause(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    _: json::Nothing,
) -> Result<Json<MailboxBody>, Problem> {
    tell(&service, &caller, id, MailboxWord::Pause).await
}

/// Let a paused mailbox go on; operators also a suspended one.
///
/// Its warm-up goes on from the day that it had reached.
#[utoipa::path(post, path = "/v1/mailboxes/{id}/resume", tag = "mailboxes", params(("id" = Uuid, Path, description = "The mailbox.")), responses(
    (status = 200, description = "The mailbox as it stands now.", body = MailboxBody),
    (status = 409, description = "`mailbox-unhealthy`: its rates are out of bounds.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::http) async fn mailbox_resume(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    _: json::Nothing,
) -> Result<Json<MailboxBody>, Problem> {
    tell(&service, &caller, id, MailboxWord::Resume).await
}

/// Suspend a mailbox until an operator resumes it.
///
/// Unlike a pause, its own client cannot lift it.
#[utoipa::path(post, path = "/v1/mailboxes/{id}/suspend", tag = "mailboxes", params(("id" = Uuid, Path, description = "The mailbox.")),
    responses((status = 200, description = "The mailbox as it stands now.", body = MailboxBody)))]
pub(in crate::http) async fn mailbox_suspend(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    _: json::Nothing,
) -> Result<Json<MailboxBody>, Problem> {
    tell(&service, &caller, id, MailboxWord::Suspend).await
}

/// Note what is known of a mailbox's mail. Operators only.
///
/// Where too much of it came back or was called spam, the mailbox is paused, and `mailbox.paused` is sent.
#[utoipa::path(put, path = "/v1/mailboxes/{id}/health", tag = "mailboxes", params(("id" = Uuid, Path, description = "The mailbox.")),
    request_body = HealthSchema, responses((status = 200, description = "The mailbox as it stands now.", body = MailboxBody)))]
pub(in crate::http) async fn mailbox_health(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    body: json::Json,
) -> Result<Json<MailboxBody>, Problem> {
    let given = body.read(health)?;
    let row = service.mailbox_health(&caller, id, given).await?;
    Ok(Json(MailboxBody::of(row, service.today())))
}

async fn tell(service: &Service, caller: &Caller, id: Uuid, word: MailboxWord) -> Result<Json<MailboxBody>, Problem> {
    let row = service.mailbox_tell(caller, id, word).await?;
    Ok(Json(MailboxBody::of(row, service.today())))
}

fn patch(fields: &mut Fields) -> Option<MailboxPatch> {
    Some(MailboxPatch {
        display_name: fields.change("display_name", field::display_name),
        infraforge_mailbox_id: fields.change("infraforge_mailbox_id", field::foreign_id),
        smartlead_account_id: fields.change("smartlead_account_id", field::foreign_id),
        daily_send_limit: fields.take("daily_send_limit", field::daily_limit),
        warmup_enabled: fields.take("warmup_enabled", field::flag),
    })
}

fn health(fields: &mut Fields) -> Option<HealthGiven> {
    Some(HealthGiven {
        bounce_rate: fields.take("bounce_rate", field::rate),
        spam_rate: fields.take("spam_rate", field::rate),
        reply_rate: fields.take("reply_rate", field::rate),
        sample: fields.take("sample", field::count),
    })
}
