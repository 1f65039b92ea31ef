//! In and out: one field for an operator's key, and a button.

use askama::Template;
use axum::extract::{FromRequest, RawQuery, Request, State};
use axum::http::header::{HeaderValue, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;

use crate::http::query::decoded;
use crate::service::console::SignIn;
use crate::web::console::Console;
use crate::web::console::posted::{Form, Posted, peer};
use crate::web::console::refusal::Refusal;
use crate::web::console::session::{cookie, local, no_cookie, token};
use crate::web::page::{HEADERS, Page};

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage {
    /// Where to go afterwards.
    to: String,
    /// Why it did not work.
    fault: Option<String>,
}

/// `GET /sign-in`. Whoever is signed in already goes on.
pub(super) async fn form(
    State(console): State<Console>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let to = query.as_deref().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("to=")));
    let to = to.and_then(decoded).unwrap_or_default();
    let to = local(&to).to_owned();
    if console.service.console_session(token(&console, &headers).unwrap_or_default()).await?.is_some() {
        return Ok(see_other(&to));
    }
    Ok(Page(StatusCode::OK, SignInPage { to, fault: None }).into_response())
}

/// `POST /sign-in`.
pub(super) async fn sign_in(State(console): State<Console>, request: Request) -> Result<Response, Refusal> {
    let peer = peer(request.extensions());
    let form = Form::from_request(request, &console).await?;
    let to = local(form.text("to")).to_owned();
    let now = console.service.clock().now();
    if let Err(wait) = console.door.sign_in_allowed(peer, now) {
        let seconds = wait.num_seconds().max(1);
        let fault = format!("Too many wrong keys were tried. Wait {} min, then try again.", seconds / 60 + 1);
        let page = Page(StatusCode::TOO_MANY_REQUESTS, SignInPage { to, fault: Some(fault) });
        return Ok(([(RETRY_AFTER, HeaderValue::from(seconds))], page).into_response());
    }
    let (status, fault) = match console.service.console_sign_in(form.text("key")).await? {
        SignIn::Done(token) => {
            tracing::info!("An operator signed in at the console");
            let mut response = see_other(&to);
            let (name, value) = cookie(&console, token.expose_secret());
            response.headers_mut().insert(name, value);
            return Ok(response);
        }
        SignIn::NotAnOperator => (
            StatusCode::FORBIDDEN,
            "That key is good, but it is not an operator's. The console is for operators; with this key you can use the \
             API, and a setup link shows a domain's records to whoever owns its DNS.",
        ),
        SignIn::UnknownKey => (
            StatusCode::FORBIDDEN,
            "That key is not known here, or it was revoked. An operator key begins with sr_ and has 46 characters; \
             `sendready key create --role operator` makes a new one.",
        ),
    };
    console.door.count_wrong(peer, now);
    Ok(Page(status, SignInPage { to, fault: Some(fault.to_owned()) }).into_response())
}

/// `POST /sign-out`.
pub(super) async fn sign_out(State(console): State<Console>, posted: Posted) -> Result<Response, Refusal> {
    console.service.console_sign_out(&posted.session).await?;
    let mut response = see_other("/sign-in");
    let (name, value) = no_cookie(&console);
    response.headers_mut().insert(name, value);
    Ok(response)
}

/// To another page of ours, with a `GET`. RFC 9110 §15.4.4.
pub(super) fn see_other(place: &str) -> Response {
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, HEADERS, [(LOCATION, place)]).into_response()
}
