//! One check: what it found, and everything that DNS said.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use crate::web::console::domain::history::CheckLine;
use crate::web::console::evidence::{self, Asked};
use crate::web::console::refusal::{At, Refusal};
use crate::web::console::session::SignedIn;
use crate::web::console::{Console, Frame, Part};
use crate::web::page::Page;
use crate::web::shown::plain;

/// The most replies that a page shows: a check asks at most a few hundred questions.
const REPLIES_MAX: usize = 150;

#[derive(Template)]
#[template(path = "console/check.html")]
struct CheckPage {
    frame: Frame,
    domain: String,
    domain_href: String,
    line: CheckLine,
    evidence: Option<(Vec<Asked>, bool)>,
}

/// `GET /domains/{id}/checks/{check_id}`.
pub(super) async fn check(
    State(console): State<Console>,
    SignedIn(session): SignedIn,
    At((id, check_id)): At<(Uuid, Uuid)>,
) -> Result<Response, Refusal> {
    let domain = console.service.domain_get(&session.caller, id).await?;
    let check = console.service.check(&session.caller, id, check_id).await?;
    let page = CheckPage {
        frame: Frame::of(&session, Part::Domains),
        domain: plain(domain.domain_unicode.as_deref().unwrap_or(&domain.row.domain), 253),
        domain_href: format!("/domains/{id}"),
        line: CheckLine::of(&check.row, console.service.clock().now()),
        evidence: evidence::of_stored(&check.evidence, REPLIES_MAX),
    };
    Ok(Page(StatusCode::OK, page).into_response())
}
