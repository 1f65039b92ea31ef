//! The whole interface: the router, and the door before it.
//!
//! Whether anything has changed is what is asked most, and nearly always in vain. Where that is known from memory it is
//! said at the door, at once, before the request goes anywhere; whatever else there is to say, the router says. The door
//! says nothing that the router would not: who asks, whose limit counts it, its id, its line in the log are the same.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Bytes, HttpBody};
use axum::http::header::{CONTENT_LENGTH, IF_NONE_MATCH};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures_util::TryFutureExt;
use futures_util::future::{Either, MapOk};
use tokio::time::Instant;
use tower::{BoxError, Service};
use uuid::Uuid;

use crate::http::AppState;
use crate::http::admission::{counted, recalled};
use crate::http::records::{known_tag, not_modified};
use crate::http::request::{Came, written_down};

/// The path of what is asked at the door, as the router has it.
const RECORDS: &str = "/v1/domains/{id}/records";

/// All that is answered over HTTP. Cheap to clone: each connection has its own.
#[derive(Clone)]
pub struct Api {
    pub(super) router: Router,
    pub(super) state: AppState,
}

impl Api {
    /// That nothing has changed; nothing where that is not known here and now.
    fn unchanged<B: HttpBody>(&self, request: &Request<B>) -> Option<Response> {
        let began = Instant::now();
        let headers = request.headers();
        if request.method() != Method::GET || !headers.contains_key(IF_NONE_MATCH) || !request.body().is_end_stream() {
            return None;
        }
        let domain_id = domain_of(request.uri().path()).filter(|_| request.uri().query().is_none())?;
        let caller = recalled(&self.state, headers)?;
        let tag = known_tag(&self.state.service, &caller, domain_id, headers)?;
        let response = counted(&self.state, &caller, || not_modified(&tag));
        let came = Came { began, method: "GET", route: RECORDS };
        Some(written_down(&self.state.watch, &came, headers, &caller, response))
    }
}

impl<B> Service<Request<B>> for Api
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, MapOk<RouteFuture<Infallible>, fn(Response) -> Response>>;

    /// Always: whoever is too much is refused with an answer.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.unchanged(&request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.router.call(request).map_ok(of_no_length)),
        }
    }
}

/// Says nothing of the length of what has not changed: axum says 0, and it would have to be that of the whole. RFC 9110 §8.6.
fn of_no_length(mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_MODIFIED {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

/// The domain whose records are asked for, where the path is written as everybody writes it.
fn domain_of(path: &str) -> Option<Uuid> {
    let (before, after) = RECORDS.split_once("{id}")?;
    Uuid::try_parse(path.strip_prefix(before)?.strip_suffix(after)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_path_of_a_domain_s_records_is_looked_at() {
        let id = Uuid::from_u128(0x10);
        assert_eq!(domain_of(&format!("/v1/domains/{id}/records")), Some(id));
        for other in ["", "/", "/v1/domains/x/records", "/v1/domains//records", "/v1/domains/records"] {
            assert_eq!(domain_of(other), None, "{other}");
        }
        for end in ["", "/", "/records/", "/records/stream", "/verify", "%2Frecords"] {
            assert_eq!(domain_of(&format!("/v1/domains/{id}{end}")), None, "{end}");
        }
    }
}
