//! Clients, and how much of their tiers is in use.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use crate::sending::tier::Tier;
use crate::service::clients::Used;
use crate::web::console::refusal::Refusal;
use crate::web::console::session::SignedIn;
use crate::web::console::words::{self, grouped};
use crate::web::console::{Console, Frame, Part};
use crate::web::page::Page;

/// How many clients stand on a page: each is counted by itself.
const ROWS: u32 = 25;

#[derive(Template)]
#[template(path = "console/clients.html")]
struct ClientsPage {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
    is_further: bool,
}

#[derive(Debug)]
struct Row {
    id: Uuid,
    name: String,
    tier: &'static str,
    /// Of each resource, by its name.
    shares: [(&'static str, Share); 3],
}

/// How much of something is in use.
#[derive(Debug)]
struct Share {
    text: String,
    is_full: bool,
}

impl Share {
    fn of(used: Used) -> Share {
        let is_full = used.limit.is_some_and(|limit| used.used >= limit && used.used > 0);
        let text = match used.limit {
            Some(limit) => format!("{} of {}", grouped(used.used.into()), grouped(limit.into())),
            None => format!("{}, no limit", grouped(used.used.into())),
        };
        Share { text, is_full }
    }
}

/// `GET /clients`.
pub(super) async fn clients(
    State(console): State<Console>,
    SignedIn(session): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let service = &console.service;
    let after = query.as_deref().and_then(|query| query.strip_prefix("after=")).and_then(|id| Uuid::parse_str(id).ok());
    let page = service.client_list(&session.caller, after, ROWS).await?;
    let mut rows = Vec::with_capacity(page.items.len());
    for client in &page.items {
        let allocation = service.client_allocation(&session.caller, client.id).await?;
        rows.push(Row {
            id: client.id,
            name: words::client(client),
            tier: allocation.tier.map_or("none", Tier::as_str),
            shares: [
                ("Domains", Share::of(allocation.domains)),
                ("Mailboxes", Share::of(allocation.mailboxes)),
                ("Dedicated addresses", Share::of(allocation.dedicated_ips)),
            ],
        });
    }
    let page = ClientsPage {
        frame: Frame::of(&session, Part::Clients),
        rows,
        next: page.next.map(|id| format!("/clients?after={id}")),
        is_further: after.is_some(),
    };
    Ok(Page(StatusCode::OK, page).into_response())
}
