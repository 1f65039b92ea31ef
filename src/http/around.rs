//! What happens around a request, in its order: one layer for each kind of path.
//!
//! Written as calls and not as layers of the router's: each of those copies all that lies within it for every request.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::AppState;
use crate::http::admission::{admit, admit_stranger};
use crate::http::audit::audit;
use crate::http::idempotency::once;
use crate::http::request::watched;

/// Around what needs a key.
pub(super) async fn keyed(State(state): State<AppState>, request: Request, next: Next) -> Response {
    watched(&state.watch, request, |request| admit(&state, request, |request| at_most_once(&state, request, next)))
        .await
}

/// Around what needs none.
pub(super) async fn open(State(state): State<AppState>, request: Request, next: Next) -> Response {
    watched(&state.watch, request, |request| admit_stranger(&state, request, |request| next.run(request))).await
}

/// What changes something is done once for each `Idempotency-Key`, and written down.
async fn at_most_once(state: &AppState, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let own = state.clone();
    let audited = move |request| async move { audit(&own, request, |request| next.run(request)).await };
    // In a box of its own, so that whoever only reads does not carry it along.
    Box::pin(once(state, request, audited)).await
}
