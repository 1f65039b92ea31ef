//! Why there is no page to show: always a page that says what to do.

use askama::Template;
use axum::extract::{FromRequestParts, Path};
use axum::http::header::{HeaderValue, LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use crate::http::problem::{Problem, RETRY_AFTER_DEFAULT};
use crate::service::Error;
use crate::web::page::{HEADERS, Page};

/// By which htmx is told to load another page.
const HTMX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");

/// Why there is no page to show.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nobody is signed in.
    SignIn {
        /// Where to come back to.
        place: String,
        /// Whether a script asked, which would put the sign-in into the page.
        by_htmx: bool,
    },
    /// The form is not of this session, or comes from elsewhere.
    Foreign,
    /// The form is none.
    Unreadable,
    /// Nothing is at this address.
    NotFound,
    /// A use case gave nothing.
    Fault(Error),
}

impl From<Error> for Refusal {
    fn from(fault: Error) -> Refusal {
        Refusal::Fault(fault)
    }
}

/// The ids of a path. What is none names nothing.
#[derive(Debug)]
pub(super) struct At<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, Refusal> {
        Path::<T>::from_request_parts(parts, state).await.map(|Path(ids)| At(ids)).map_err(|_| Refusal::NotFound)
    }
}

#[derive(Template)]
#[template(path = "console/refusal.html")]
struct RefusalPage {
    title: &'static str,
    paragraphs: Vec<String>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::SignIn { place, by_htmx } => sign_in(&place, by_htmx),
            Refusal::Foreign => page(
                StatusCode::FORBIDDEN,
                "This form is out of date",
                vec![
                    "It was made for another session, or sent from another site. Nothing was changed.".to_owned(),
                    "Go back, load the page again, and try once more.".to_owned(),
                ],
            ),
            Refusal::Unreadable => page(
                StatusCode::BAD_REQUEST,
                "This form could not be read",
                vec![
                    "What came is no form of ours, or it broke off. Nothing was changed. Load the page again, and try \
                    once more."
                        .to_owned(),
                ],
            ),
            Refusal::NotFound => not_found("Nothing is at this address."),
            Refusal::Fault(fault) => fault_page(fault),
        }
    }
}

fn page(status: StatusCode, title: &'static str, paragraphs: Vec<String>) -> Response {
    Page(status, RefusalPage { title, paragraphs }).into_response()
}

fn sign_in(place: &str, by_htmx: bool) -> Response {
    let to = if place == "/" { "/sign-in".to_owned() } else { format!("/sign-in?to={}", escaped(place)) };
    let to = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/sign-in"));
    if by_htmx {
        return (StatusCode::NO_CONTENT, HEADERS, [(HTMX_REDIRECT, to)]).into_response();
    }
    (StatusCode::SEE_OTHER, HEADERS, [(LOCATION, to)]).into_response()
}

/// A text as a part of a query.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                escaped.push(char::from(octet));
            }
            _ => escaped.push_str(&format!("%{octet:02X}")),
        }
    }
    escaped
}

fn not_found(what: &str) -> Response {
    let advice = "It may have been deleted, or the address was cut off when it was copied.".to_owned();
    page(StatusCode::NOT_FOUND, "There is no such page", vec![what.to_owned(), advice])
}

/// The problem knows its status and brings its cause to the log; a person is shown a page instead.
fn fault_page(fault: Error) -> Response {
    let said = fault.to_string();
    let retry_after = match &fault {
        Error::TooManyVerifications { retry_after } => *retry_after,
        _ => RETRY_AFTER_DEFAULT,
    };
    let problem = Problem::from(fault).into_response();
    let status = problem.status();
    let mut response = match status {
        StatusCode::NOT_FOUND => not_found(&sentence(&said)),
        StatusCode::SERVICE_UNAVAILABLE => page(
            status,
            "The database does not answer",
            vec![
                "Nothing can be shown or changed until it does. The service tries again by itself with every request."
                    .to_owned(),
                "Load the page again in a moment. If it stays so: /readyz says what is down, and the log says why."
                    .to_owned(),
            ],
        ),
        _ if status.is_server_error() => page(
            status,
            "This page could not be made",
            vec![
                "This is a fault of ours; the log says what it was, under the x-request-id of this answer.".to_owned(),
            ],
        ),
        _ => page(status, "This could not be done", vec![sentence(&said), "Nothing was changed.".to_owned()]),
    };
    *response.extensions_mut() = problem.extensions().clone();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
    }
    response
}

/// What an error says, as a sentence.
pub(super) fn sentence(said: &str) -> String {
    let mut letters = said.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_the_sign_in() {
        assert_eq!(escaped("/domains?q=a&status=active"), "/domains%3Fq%3Da%26status%3Dactive");
        assert_eq!(escaped("/\u{fc} \r\n"), "/%C3%BC%20%0D%0A");
    }

    #[test]
    fn an_error_becomes_a_sentence() {
        assert_eq!(sentence("there is no domain x"), "There is no domain x.");
        assert_eq!(sentence(""), ".");
    }
}
