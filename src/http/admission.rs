//! Who is let in: whose key came with a request, and whether its limit has room for it.
//!
//! A request counts once, at its beginning, however long it is held. With a key that opens something it counts for the
//! key; without, for the address it came from. A key that was never seen here counts for the address, too, before
//! the database is asked about it: so guessing costs the database nothing past the limit, and whoever has called
//! with a right key goes on calling, whatever others at the same address try.
//!
//! # Left out
//!
//! `/healthz`, `/readyz` and `/metrics`: they are asked by machines that take a refusal for a fault. And
//! `X-Forwarded-For`, which anybody can write: behind a proxy the address is the proxy's.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::config::rates::RateClass;
use crate::http::AppState;
use crate::http::caller::{bearer, unknown_key};
use crate::http::limits::{Left, Limits, Refused, key_of_address};
use crate::http::problem::Problem;
use crate::http::request::{Peer, Whose};
use crate::service::keys::Recalled;
use crate::service::{Caller, Role, Service};

/// Whose key came with a request, as it was found at the door. Only [`admit`] says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admitted(pub(super) Caller);

/// Lets in what is within its limit, and tells what is left of that.
pub(super) async fn admit<F>(state: &AppState, mut request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let address = address_of(&request);
    let caller = match known(&state.service, &state.limits, address, request.headers()).await {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    if let (Some(caller), Some(whose)) = (&caller, request.extensions().get::<Whose>()) {
        whose.note(caller.key_id, caller.client_id);
    }
    let counted = match &caller {
        Some(caller) => count_caller(&state.limits, caller),
        None => count_stranger(&state.limits, address),
    };
    let left = match counted {
        Ok(left) => left,
        Err(refused) => return refusal(&refused),
    };
    if let Some(caller) = caller {
        request.extensions_mut().insert(Admitted(caller));
    }
    told(next(request).await, left)
}

/// The same where no key is needed, and none is looked at.
pub(super) async fn admit_stranger<F>(state: &AppState, request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    match count_stranger(&state.limits, address_of(&request)) {
        Ok(left) => told(next(request).await, left),
        Err(refused) => refusal(&refused),
    }
}

/// Whose key came, where that is known without asking.
pub(super) fn recalled(state: &AppState, headers: &HeaderMap) -> Option<Caller> {
    match state.service.recall(bearer(headers).ok()?) {
        Recalled::Caller(caller) => Some(caller),
        Recalled::Seen | Recalled::New => None,
    }
}

/// What a caller is answered, or the refusal where that is too much, with what is left of the limit.
pub(super) fn counted(state: &AppState, caller: &Caller, answer: impl FnOnce() -> Response) -> Response {
    match count_caller(&state.limits, caller) {
        Ok(left) => told(answer(), left),
        Err(refused) => refusal(&refused),
    }
}

/// Whose key came; nobody's where none came.
async fn known(
    service: &Service,
    limits: &Limits,
    address: Option<IpAddr>,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Box<Response>> {
    // What is no bearer's key is for the handler to refuse: it may be signed instead.
    let Ok(secret) = bearer(headers) else { return Ok(None) };
    match (service.recall(secret), address) {
        (Recalled::Caller(caller), _) => return Ok(Some(caller)),
        (Recalled::New, Some(address)) => {
            let tried = limits.count(RateClass::Failures, key_of_address(address));
            tried.map_err(|refused| Box::new(refusal(&refused)))?;
        }
        (Recalled::Seen, _) | (Recalled::New, None) => {}
    }
    let refused = |problem: Problem| Box::new(problem.into_response());
    // In a box of its own: who is recalled does not carry it along.
    match Box::pin(service.authenticate(secret)).await {
        Ok(Some(caller)) => Ok(Some(caller)),
        Ok(None) => Err(refused(unknown_key())),
        Err(fault) => Err(refused(Problem::from(fault))),
    }
}

fn class_of(caller: &Caller) -> RateClass {
    match (caller.domain_id, caller.role) {
        (Some(_), _) => RateClass::Setup,
        (None, Role::Operator) => RateClass::Operator,
        (None, Role::Client) => RateClass::Client,
        (None, Role::Hook) => RateClass::Hook,
    }
}

fn count_caller<'l>(limits: &'l Limits, caller: &Caller) -> Result<Option<Left<'l>>, Refused<'l>> {
    limits.count(class_of(caller), caller.key_id.as_u128())
}

/// Nobody has an address in process, and nobody is counted there.
fn count_stranger(limits: &Limits, address: Option<IpAddr>) -> Result<Option<Left<'_>>, Refused<'_>> {
    match address {
        Some(address) => limits.count(RateClass::Address, key_of_address(address)),
        None => Ok(None),
    }
}

fn address_of(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.address)
}

fn refusal(refused: &Refused<'_>) -> Response {
    told(refused.problem().into_response(), Some(refused.left()))
}

fn told(mut response: Response, left: Option<Left<'_>>) -> Response {
    if let Some(left) = left {
        left.tell(response.headers_mut());
    }
    response
}
