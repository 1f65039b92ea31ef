//! What an operator does to one domain: look again, suspend, activate. Each was confirmed on its page.

use axum::extract::{Path, State};
use axum::response::Response;
use uuid::Uuid;

use crate::service::OperatorStatus;
use crate::service::domains::DomainPatch;
use crate::web::console::Console;
use crate::web::console::act::{Act, act};
use crate::web::console::posted::Posted;
use crate::web::console::refusal::Refusal;
use crate::web::console::sign_in::see_other;

/// An id as a path has it. What is none names nothing.
pub(super) fn id_of(text: &str) -> Result<Uuid, Refusal> {
    Uuid::parse_str(text).map_err(|_| Refusal::NotFound)
}

/// Back to a domain's page, with a word of what was done.
pub(super) fn back(id: Uuid, done: &str) -> Response {
    see_other(&format!("/domains/{id}?done={done}"))
}

/// `POST /domains/{id}/verify`.
pub(super) async fn verify(
    State(console): State<Console>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Refusal> {
    let id = id_of(&id)?;
    let what = Act { operation: "verify", domain_id: Some(id) };
    act(&console, &posted, what, console.service.verify(&posted.session.caller, id)).await?;
    Ok(back(id, "verify"))
}

/// `POST /domains/{id}/suspend`.
pub(super) async fn suspend(
    State(console): State<Console>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Refusal> {
    set_status(&console, &posted, id_of(&id)?, OperatorStatus::Suspended, "suspended").await
}

/// `POST /domains/{id}/activate`.
pub(super) async fn activate(
    State(console): State<Console>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Refusal> {
    set_status(&console, &posted, id_of(&id)?, OperatorStatus::Active, "activated").await
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
    act(console, posted, what, console.service.domain_change(&posted.session.caller, id, &patch)).await?;
    Ok(back(id, done))
}
