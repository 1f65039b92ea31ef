//! Mailboxes (contract §3.5): added, found, changed, stopped, deleted; what they may send, and what they sent.

pub(super) mod add;
pub(super) mod body;
pub(super) mod change;
pub(super) mod readiness;
pub(super) mod rollups;
pub(super) mod sends;
pub(super) mod stats;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::list::List;
use crate::http::mailboxes::body::MailboxBody;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};
use crate::service::Service;

/// List a domain's mailboxes, in the order of their ids. Deleted ones are not listed.
///
/// Page by page.
#[utoipa::path(get, path = "/v1/domains/{id}/mailboxes", tag = "mailboxes", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 unless given.", minimum = 1, maximum = 200),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
), responses((status = 200, description = "One page.", body = List<MailboxBody>)))]
pub(super) async fn mailbox_list(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    mut query: Query,
) -> Result<Json<List<MailboxBody>>, Problem> {
    let (limit, after) = (query.limit(), query.cursor_id());
    let list = query.end()?;
    let page = service.mailbox_list(&caller, id, after, limit).await?;
    let today = service.today();
    Ok(Json(List::of(page, |id| list.cursor_of_id(id), |row| MailboxBody::of(row, today))))
}

/// One mailbox, deleted ones too.
///
/// With its warm-up, its limit of today, and what is left of it.
#[utoipa::path(get, path = "/v1/mailboxes/{id}", tag = "mailboxes", params(("id" = Uuid, Path, description = "The mailbox.")), responses(
    (status = 200, description = "The mailbox.", body = MailboxBody),
))]
pub(super) async fn mailbox_get(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<Json<MailboxBody>, Problem> {
    let row = service.mailbox_get(&caller, id).await?;
    Ok(Json(MailboxBody::of(row, service.today())))
}

/// Delete a mailbox softly.
///
/// Its history stays; added again, it goes on from where it stood.
#[utoipa::path(delete, path = "/v1/mailboxes/{id}", tag = "mailboxes", params(("id" = Uuid, Path, description = "The mailbox.")), responses(
    (status = 204, description = "It is deleted."),
))]
pub(super) async fn mailbox_delete(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    service.mailbox_delete(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
