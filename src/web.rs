//! Pages for people: rendered here, in the same process, over the same use cases as the API.
//!
//! A page is a template of `templates/` filled by a type beside its handler, and answered as a [`page::Page`], which
//! brings the headers that keep a page harmless. Style sheet, scripts and icon are [`assets`]: built in, and named by
//! their content. Text out of DNS reaches a page only through a template, which escapes it.

pub mod assets;
pub mod page;

mod console;
mod difference;
mod setup;
mod shown;

use axum::Router;
use axum::routing::get;

use crate::http::health::Health;
use crate::service::Service;

/// Every page over `service`, to be served beside the API: see [`crate::http::router_with`]. The console shows what
/// was said to `health`.
pub fn router(service: Service, health: Health) -> Router {
    let console = console::router(service.clone(), health);
    Router::new().route("/static/{file}", get(assets::asset)).merge(setup::routes()).with_state(service).merge(console)
}
