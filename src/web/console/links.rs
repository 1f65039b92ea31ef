//! Setup links of one domain: made, shown once, revoked.

use axum::extract::State;
use axum::response::Response;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::service::setup_links::EXPIRES_IN;
use crate::web::console::Console;
use crate::web::console::act::{Act, act, nothing};
use crate::web::console::actions::back;
use crate::web::console::domain;
use crate::web::console::posted::Posted;
use crate::web::console::refusal::{At, Refusal};

/// `POST /domains/{id}/setup-links`: the domain's page with the link on it. A secret goes into no address, so there is
/// no other page to go to.
pub(super) async fn create(
    State(console): State<Console>,
    At(id): At<Uuid>,
    posted: Posted,
) -> Result<Response, Refusal> {
    let what = Act { operation: "setup_link_create", domain_id: Some(id) };
    let made = console.service.setup_link_create(&posted.session.caller, id, EXPIRES_IN);
    let (_, token) = act(&console.service, &posted, what, made, |(link, _)| Some(link.id)).await?;
    let url = format!("{}/setup/{}", console.service.settings().public_url, token.expose_secret());
    domain::show(&console, &posted.session, id, None, Some(url)).await
}

/// `POST /domains/{id}/setup-links/{link_id}/revoke`.
pub(super) async fn revoke(
    State(console): State<Console>,
    At((id, link_id)): At<(Uuid, Uuid)>,
    posted: Posted,
) -> Result<Response, Refusal> {
    let what = Act { operation: "setup_link_revoke", domain_id: Some(id) };
    let service = &console.service;
    act(service, &posted, what, service.setup_link_revoke(&posted.session.caller, id, link_id), nothing).await?;
    Ok(back(id, "revoked"))
}
