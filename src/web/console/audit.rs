//! Who changed what: the list that every change is written into before it is made.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::service::audit::{AuditFilter, AuditRow, Outcome};
use crate::web::console::refusal::Refusal;
use crate::web::console::session::SignedIn;
use crate::web::console::words::Mark;
use crate::web::console::{Console, Frame, Part};
use crate::web::page::Page;
use crate::web::shown::{Moment, plain};

/// How many changes stand on a page.
const ROWS: u32 = 50;

/// The most letters of one text in a line.
const TEXT_CHARACTERS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
    is_further: bool,
    /// Of which domain alone.
    of: Option<Uuid>,
}

#[derive(Debug)]
struct Row {
    at: Moment,
    actor: &'static str,
    key: String,
    peer: String,
    operation: String,
    about: String,
    href: Option<String>,
    mark: Mark,
}

/// `GET /audit`.
pub(super) async fn audit(
    State(console): State<Console>,
    SignedIn(session): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let id = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.and_then(|id| Uuid::parse_str(id).ok())
    };
    let (domain_id, before) = (id("domain"), id("before"));
    let filter = AuditFilter { domain_id, ..AuditFilter::default() };
    let page = console.service.audit_list(&session.caller, &filter, before, ROWS).await?;
    let now = console.service.clock().now();
    let of = domain_id.map(|id| format!("domain={id}&")).unwrap_or_default();
    let page = AuditPage {
        frame: Frame::of(&session, Part::Audit),
        rows: page.items.iter().map(|row| Row::of(row, now)).collect(),
        next: page.next.map(|id| format!("/audit?{of}before={id}")),
        is_further: before.is_some(),
        of: domain_id,
    };
    Ok(Page(StatusCode::OK, page).into_response())
}

impl Row {
    fn of(row: &AuditRow, now: DateTime<Utc>) -> Row {
        let text = |text: &str| plain(text, TEXT_CHARACTERS_MAX);
        let tone = match row.outcome {
            Outcome::Done => "ok",
            Outcome::Refused | Outcome::Begun => "warn",
            Outcome::Failed => "bad",
        };
        Row {
            at: Moment::of(row.at, now),
            actor: row.actor.as_str(),
            key: text(row.key_name.as_deref().unwrap_or_default()),
            peer: text(row.peer.as_deref().unwrap_or_default()),
            operation: text(&row.operation),
            about: text(row.domain.as_deref().unwrap_or(&row.path)),
            href: row.domain_id.map(|id| format!("/domains/{id}")),
            mark: Mark { word: row.outcome.as_str(), tone },
        }
    }
}
