//! The operator console: the fleet at a glance, its domains one by one, and what an operator does about them.
//!
//! Everything stands on the page as it is sent: no page needs a script. Who may come in is [`session`]'s to say, what
//! forms must carry is [`posted`]'s, and every change goes through [`act`], once it was confirmed on its page.

mod act;
mod actions;
mod audit;
mod breaker;
mod chart;
mod check;
mod clients;
mod domain;
mod domains;
mod done;
mod door;
mod evidence;
mod links;
mod overview;
mod posted;
mod refusal;
mod requirements;
mod session;
mod sign_in;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::http::health::Health;
use crate::service::Service;
use crate::service::console::Session;
use crate::web::console::door::Door;

/// What the console's handlers work with.
#[derive(Debug, Clone)]
struct Console {
    service: Service,
    health: Health,
    door: Arc<Door>,
}

impl Console {
    /// Whether browsers reach us by https alone, so that a cookie need never travel without.
    fn is_https(&self) -> bool {
        self.service.settings().public_url.starts_with("https://")
    }
}

/// What stands around every page of the console.
#[derive(Debug)]
struct Frame {
    /// Which part of the console it is.
    part: Part,
    /// For the form that signs out, and those of the page.
    form_token: String,
    /// By which key the reader signed in.
    key_name: String,
    /// What was just done.
    done: Option<&'static str>,
}

/// A part of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Overview,
    Domains,
    Clients,
    Audit,
}

impl Frame {
    fn of(session: &Session, part: Part) -> Frame {
        Frame {
            part,
            form_token: session.form_token.clone(),
            key_name: session.key_name.clone().unwrap_or_else(|| "operator".to_owned()),
            done: None,
        }
    }

    /// The same with what was just done, as the address says it.
    fn with_done(self, query: Option<&str>) -> Frame {
        Frame { done: done::said(query), ..self }
    }

    /// Whether a part is the one that is shown.
    fn is(&self, part: &str) -> bool {
        part == match self.part {
            Part::Overview => "overview",
            Part::Domains => "domains",
            Part::Clients => "clients",
            Part::Audit => "audit",
        }
    }
}

/// The console over `service`.
pub(super) fn router(service: Service, health: Health) -> Router {
    let console = Console { service, health, door: Arc::default() };
    Router::new()
        .route("/", get(overview::overview))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/domains", get(domains::domains))
        .route("/domains/{id}", get(domain::domain))
        .route("/domains/{id}/verify", post(actions::verify))
        .route("/domains/{id}/suspend", post(actions::suspend))
        .route("/domains/{id}/activate", post(actions::activate))
        .route("/domains/{id}/transfer", post(actions::transfer))
        .route("/domains/{id}/requirements", get(requirements::form).post(requirements::change))
        .route("/domains/{id}/setup-links", post(links::create))
        .route("/domains/{id}/setup-links/{link_id}/revoke", post(links::revoke))
        .route("/domains/{id}/checks/{check_id}", get(check::check))
        .route("/clients", get(clients::clients))
        .route("/audit", get(audit::audit))
        .route("/breaker/accept", post(breaker::accept))
        .with_state(console)
}
