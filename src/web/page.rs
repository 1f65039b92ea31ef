//! A page as an answer: its status, its HTML, and the headers that keep it harmless.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Response};

use crate::http::problem::{Kind, Problem};

/// What a page may load and do: our own files, and nothing inline.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The headers of everything that a person looks at. Nothing of it is kept, framed, or told to where its links lead:
/// the address of a setup page is a secret.
pub const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// A template to be answered with a status.
#[derive(Debug)]
pub struct Page<T>(pub StatusCode, pub T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.1.render() {
            Ok(html) => (self.0, HEADERS, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
            Err(fault) => {
                let cause = Some(format!("a page cannot be written: {fault}"));
                Problem { cause, ..Problem::new(Kind::Internal) }.into_response()
            }
        }
    }
}
