//! The HTTP interface (contract §3): requests in, service calls, bodies and problems out.
//!
//! One resource, one file; handlers parse at the edge, call [`Service`], and shape what it gives. Who may do
//! what is the service's to say; what a refusal looks like is [`problem`]'s.

pub mod problem;
pub mod request;

pub mod field;
pub mod json;
pub mod query;

pub mod audit;
pub mod document;
pub mod etag;
pub mod export;
pub mod health;
pub mod idempotency;
pub mod limits;
pub mod look;
pub mod serve;

mod admission;
mod around;
mod breaker;
mod caller;
mod clients;
mod dns_changes;
mod docs_page;
mod domains;
mod door;
mod endpoints;
mod history;
mod list;
mod mailboxes;
mod markup;
mod openapi;
mod ownership;
mod records;
mod reputation;
mod setup_links;
mod stream;
mod tiers;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::chance::Chance;
use crate::http::health::Health;
use crate::http::limits::Limits;
use crate::http::request::Watch;
use crate::service::Service;
use crate::telemetry::metrics::Metrics;

pub use crate::http::door::Api;
pub use crate::http::serve::serve;

/// What handlers work with. Cheap to clone: each request is given several.
#[derive(Clone)]
struct AppState {
    parts: Arc<Parts>,
}

/// What of it all requests share.
struct Parts {
    service: Service,
    health: Health,
    metrics: Option<Metrics>,
    limits: Limits,
    watch: Watch,
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl FromRef<AppState> for Health {
    fn from_ref(state: &AppState) -> Health {
        state.health.clone()
    }
}

impl FromRef<AppState> for Service {
    fn from_ref(state: &AppState) -> Service {
        state.service.clone()
    }
}

/// The whole HTTP interface over `service`.
///
/// `/readyz` tells what was said to `health`; `/metrics` is there where there are `metrics`.
pub fn router(service: Service, health: Health, metrics: Option<Metrics>) -> Api {
    router_with(service, health, metrics, Router::new())
}

/// The same with other routes beside it, such as pages: they get the same log, bounds and answer to a panic.
pub fn router_with(service: Service, health: Health, metrics: Option<Metrics>, beside: Router) -> Api {
    let watch = Watch { clock: service.clock().clone(), chance: Chance::System, ..Watch::default() };
    let limits = Limits::new(&service.settings().rate_limits);
    let state = AppState { parts: Arc::new(Parts { service, health, metrics, limits, watch }) };
    let (v1, _) = v1().split_for_parts();
    let (operations, _) = operations().split_for_parts();
    let open = Router::new()
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(docs_page::page))
        .route("/docs/style.css", get(docs_page::style))
        .route("/problems/{kind}", get(problem::pages::page))
        .merge(beside.with_state(()));
    // One layer each, for every layer of axum's copies all that lies within it.
    let router = v1
        .method_not_allowed_fallback(request::method_not_allowed)
        .layer(from_fn_with_state(state.clone(), around::keyed))
        .merge(
            open.method_not_allowed_fallback(request::method_not_allowed)
                .layer(from_fn_with_state(state.clone(), around::open)),
        )
        .merge(
            operations
                .fallback(request::not_found)
                .method_not_allowed_fallback(request::method_not_allowed)
                .layer(from_fn_with_state(state.watch.clone(), request::watch)),
        )
        .with_state(state.clone());
    Api { router, state }
}

/// The OpenAPI document of [`router`].
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, api) = v1().merge(operations()).split_for_parts();
    openapi::complete(api)
}

/// What needs a key.
fn v1() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::Api::openapi())
        .routes(routes!(tiers::tiers))
        .routes(routes!(tiers::warmup_schedule))
        .routes(routes!(clients::client_list, clients::client_add))
        .routes(routes!(clients::client_get, clients::client_change))
        .routes(routes!(clients::client_allocation))
        .routes(routes!(clients::dedicated_replace))
        .routes(routes!(domains::list::domain_list, domains::register::domain_register))
        .routes(routes!(domains::domain_get, domains::change::domain_change, domains::domain_delete))
        .routes(routes!(domains::domain_by_name))
        .routes(routes!(ownership::domain_transfer))
        .routes(routes!(records::records))
        .routes(routes!(records::verify))
        .routes(routes!(stream::stream))
        .routes(routes!(setup_links::setup_link_list, setup_links::setup_link_create))
        .routes(routes!(setup_links::setup_link_get, setup_links::setup_link_revoke))
        .routes(routes!(history::checks))
        .routes(routes!(history::check))
        .routes(routes!(history::events))
        .routes(routes!(mailboxes::mailbox_list, mailboxes::add::mailbox_add))
        .routes(routes!(mailboxes::mailbox_get, mailboxes::change::mailbox_change, mailboxes::mailbox_delete))
        .routes(routes!(mailboxes::change::mailbox_pause))
        .routes(routes!(mailboxes::change::mailbox_resume))
        .routes(routes!(mailboxes::change::mailbox_suspend))
        .routes(routes!(mailboxes::change::mailbox_health))
        .routes(routes!(mailboxes::readiness::mailbox_readiness))
        .routes(routes!(mailboxes::readiness::domain_readiness))
        .routes(routes!(reputation::domain_reputation))
        .routes(routes!(mailboxes::sends::mailbox_send))
        .routes(routes!(mailboxes::stats::warmup_stats_put))
        .routes(routes!(mailboxes::stats::warmup_stats_list))
        .routes(routes!(mailboxes::rollups::domain_warmup_stats))
        .routes(routes!(mailboxes::rollups::client_warmup_stats))
        .routes(routes!(breaker::accept))
        .routes(routes!(audit::list::audit_list))
        .routes(routes!(endpoints::endpoint_list, endpoints::endpoint_add))
        .routes(routes!(endpoints::endpoint_get, endpoints::endpoint_change, endpoints::endpoint_remove))
        .routes(routes!(endpoints::endpoint_rotate))
        .routes(routes!(endpoints::deliveries::endpoint_test))
        .routes(routes!(endpoints::deliveries::delivery_list))
        .routes(routes!(endpoints::deliveries::delivery_retry))
        .routes(routes!(dns_changes::dns_changes))
}

/// What anybody may ask.
fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}
