//! The fleet breaker, accepted by a person.

use axum::extract::State;
use axum::response::Response;

use crate::web::console::Console;
use crate::web::console::act::{Act, act, nothing};
use crate::web::console::posted::Posted;
use crate::web::console::refusal::Refusal;
use crate::web::console::sign_in::see_other;

/// `POST /breaker/accept`.
pub(super) async fn accept(State(console): State<Console>, posted: Posted) -> Result<Response, Refusal> {
    let what = Act { operation: "accept", domain_id: None };
    let service = &console.service;
    act(service, &posted, what, service.breaker_accept(&posted.session.caller), nothing).await?;
    Ok(see_other("/?done=accepted"))
}
