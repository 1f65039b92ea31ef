//! What an operator does to one domain: look again, suspend, activate, give to another client. Each was confirmed on its page.

use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use crate::service::domains::DomainPatch;
use crate::service::{Error, FieldFault, OperatorStatus};
use crate::web::console::Console;
use crate::web::console::act::{Act, act, nothing};
use crate::web::console::posted::Posted;
use crate::web::console::refusal::{At, Refusal};
use crate::web::console::sign_in::see_other;

/// Back to a domain's page, with a word of what was done.
pub(super) fn back(id: Uuid, done: &str) -> Response {
    see_other(&format!("/domains/{id}?done={done}"))
}

/// `POST /domains/{id}/verify`.
pub(super) async fn verify(
    State(console): State<Console>,
    At(id): At<Uuid>,
    posted: Posted,
) -> Result<Response, Refusal> {
    // Not written down, as over the API: it changes nothing, and the check that follows is listed with its reason.
    console.service.verify(&posted.session.caller, id).await?;
    Ok(back(id, "verify"))
}

/// `POST /domains/{id}/suspend`.
pub(super) async fn suspend(
    State(console): State<Console>,
    At(id): At<Uuid>,
    posted: Posted,
) -> Result<Response, Refusal> {
    set_status(&console, &posted, id, OperatorStatus::Suspended, "suspended").await
}

/// `POST /domains/{id}/activate`.
pub(super) async fn activate(
    State(console): State<Console>,
    At(id): At<Uuid>,
    posted: Posted,
) -> Result<Response, Refusal> {
    set_status(&console, &posted, id, OperatorStatus::Active, "activated").await
}

/// `POST /domains/{id}/transfer`.
pub(super) async fn transfer(
    State(console): State<Console>,
    At(id): At<Uuid>,
    posted: Posted,
) -> Result<Response, Refusal> {
    let service = &console.service;
    let given = posted.form.text("client_id").trim();
    let client_id = Uuid::parse_str(given).map_err(|_| Error::Invalid(vec![not_a_uuid()]))?;
    let what = Act { operation: "domain_transfer", domain_id: Some(id) };
    act(service, &posted, what, service.domain_transfer(&posted.session.caller, id, client_id), nothing).await?;
    Ok(back(id, "transferred"))
}

fn not_a_uuid() -> FieldFault {
    let detail = "a client's id is a UUID; the list of clients has it".to_owned();
    FieldFault { pointer: "client_id".to_owned(), detail }
}

async fn set_status(
    console: &Console,
    posted: &Posted,
    id: Uuid,
    status: OperatorStatus,
    done: &str,
) -> Result<Response, Refusal> {
    let patch = DomainPatch { status: Some(status), ..DomainPatch::default() };
    let what = Act { operation: "domain_change", domain_id: Some(id) };
    let change = console.service.domain_change(&posted.session.caller, id, &patch);
    act(&console.service, posted, what, change, nothing).await?;
    Ok(back(id, done))
}
