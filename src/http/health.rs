//! Whether the service lives, can serve, and what it counts.
//!
//! The parts that work in the background say how they fare through [`Health`]; the database is asked.

use std::sync::{Arc, RwLock};

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::AppState;
use crate::http::problem::{ProblemBody, RETRY_AFTER_DEFAULT};
use crate::service::breaker::BreakerView;

/// How the resolver fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResolverState {
    /// It answers, or was not asked yet.
    #[default]
    Ok,
    /// It has not answered lately.
    Failing,
}

/// How authoritative servers, all together, fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthoritativeState {
    /// None was asked yet, or too few to tell.
    #[default]
    Unknown,
    /// Some answer.
    Ok,
    /// No one anywhere answers: port 53 is filtered. Design §3.
    Unreachable,
}

/// How the checker fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckerState {
    /// It works.
    #[default]
    Ok,
    /// It has not done anything though domains are due.
    Stalled,
}

/// How the fleet breaker stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BreakerState {
    /// Nothing out of the ordinary.
    #[default]
    Closed,
    /// Many domains turned bad at once: nobody is demoted. With the reason for people.
    Open(String),
}

impl BreakerState {
    /// As the service sees it.
    pub fn of(view: &BreakerView) -> BreakerState {
        view.reason().map_or(BreakerState::Closed, BreakerState::Open)
    }
}

/// What the parts in the background say of themselves. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Health {
    said: Arc<RwLock<Said>>,
}

/// All that was said.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// How the resolver fares.
    pub resolver: ResolverState,
    /// How the checker fares.
    pub checker: CheckerState,
    /// How the fleet breaker stands.
    pub breaker: BreakerState,
    /// How authoritative servers, all together, fare.
    pub authoritative: AuthoritativeState,
}

impl Health {
    /// The resolver fares so.
    pub fn resolver(&self, state: ResolverState) {
        self.say(|said| said.resolver = state);
    }

    /// The checker fares so.
    pub fn checker(&self, state: CheckerState) {
        self.say(|said| said.checker = state);
    }

    /// The breaker stands so.
    pub fn breaker(&self, state: BreakerState) {
        self.say(|said| said.breaker = state);
    }

    /// Authoritative servers fare so.
    pub fn authoritative(&self, state: AuthoritativeState) {
        self.say(|said| said.authoritative = state);
    }

    fn say(&self, change: impl FnOnce(&mut Said)) {
        // A poisoned lock holds a whole value all the same: every change is one assignment.
        change(&mut self.said.write().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// What was said last.
    pub fn said(&self) -> Said {
        self.said.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// Whether the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alive {
    /// Always true: whoever can read it, knows.
    alive: bool,
}

/// Whether the service can serve.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// Whether requests can be answered.
    ready: bool,
    /// `ok` or `down`.
    #[schema(example = "ok")]
    database: &'static str,
    /// `ok` or `failing`.
    #[schema(example = "ok")]
    resolver: &'static str,
    /// `ok` or `stalled`.
    #[schema(example = "ok")]
    checker: &'static str,
    /// `closed`, or `open`: many domains turned bad at once, so nobody is demoted.
    #[schema(example = "closed")]
    breaker: &'static str,
    /// Why the breaker is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker_reason: Option<String>,
    /// `ok`; `unreachable` when no authoritative server anywhere answers: port 53 is filtered; `unknown` as long as too few
    /// were asked.
    #[schema(example = "ok")]
    authoritative: &'static str,
}

/// Is the process alive?
///
/// Says only that the process answers; `/readyz` says whether it can serve.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, description = "It is.", body = Alive)), security(()))]
pub(super) async fn healthz() -> Json<Alive> {
    Json(Alive { alive: true })
}

/// Can the service serve?
///
/// 503 when its database does not answer. An open breaker is 200: it serves, but demotes nobody.
#[utoipa::path(get, path = "/readyz", tag = "operations", security(()), responses(
    (status = 200, description = "It can.", body = Ready),
    (status = 503, description = "It cannot; `database` says why.", body = Ready, headers(("retry-after" = u64, description = "Seconds to wait."))),
))]
pub(super) async fn readyz(State(state): State<AppState>) -> Response {
    let is_ready = state.service.ping().await.is_ok();
    let said = state.health.said();
    let (breaker, breaker_reason) = match said.breaker {
        BreakerState::Closed => ("closed", None),
        BreakerState::Open(reason) => ("open", Some(reason)),
    };
    let body = Ready {
        ready: is_ready,
        database: if is_ready { "ok" } else { "down" },
        resolver: match said.resolver {
            ResolverState::Ok => "ok",
            ResolverState::Failing => "failing",
        },
        checker: match said.checker {
            CheckerState::Ok => "ok",
            CheckerState::Stalled => "stalled",
        },
        breaker,
        breaker_reason,
        authoritative: match said.authoritative {
            AuthoritativeState::Unknown => "unknown",
            AuthoritativeState::Ok => "ok",
            AuthoritativeState::Unreachable => "unreachable",
        },
    };
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response();
    if !is_ready {
        // Every 503 says when to come back. Contract §3.
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_DEFAULT.as_secs()));
    }
    response
}

/// What is counted, in the text format of Prometheus.
///
/// Needs no key, so keep it from strangers. Names and help stand in the text itself.
#[utoipa::path(get, path = "/metrics", tag = "operations", security(()), responses(
    (status = 200, description = "The numbers.", body = String, content_type = "text/plain"),
    (status = 404, description = "Nothing is counted in this process.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn metrics(State(state): State<AppState>, method: Method, uri: Uri) -> Response {
    match &state.metrics {
        Some(metrics) => {
            ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
        }
        None => crate::http::request::not_found(method, uri).await.into_response(),
    }
}
