//! Who is signed in: a cookie, and what it stands for.

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HeaderValue, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, Uri};

use crate::http::request::Whose;
use crate::service::console::{SESSION_TIME, Session};
use crate::web::console::Console;
use crate::web::console::refusal::Refusal;

/// The cookie's name where browsers come by https: they then refuse it from anybody but this very host.
/// draft-ietf-httpbis-rfc6265bis §4.1.3.2.
const COOKIE_HOST: &str = "__Host-sendready";

/// The cookie's name otherwise.
const COOKIE_PLAIN: &str = "sendready";

/// The longest address that one goes back to after signing in, in octets.
const PLACE_OCTETS_MAX: usize = 1_024;

/// What htmx adds to its requests.
const BY_HTMX: HeaderName = HeaderName::from_static("hx-request");

/// Whoever is signed in; everybody else is sent to the sign-in, and comes back from there.
#[derive(Debug)]
pub(super) struct SignedIn(pub(super) Session);

impl FromRequestParts<Console> for SignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<SignedIn, Refusal> {
        let token = token(console, &parts.headers).unwrap_or_default();
        let Some(session) = console.service.console_session(token).await? else {
            let place = place_of(&parts.method, &parts.uri);
            return Err(Refusal::SignIn { place, by_htmx: parts.headers.contains_key(BY_HTMX) });
        };
        if let Some(whose) = parts.extensions.get::<Whose>() {
            whose.note(session.caller.key_id, None);
        }
        Ok(SignedIn(session))
    }
}

/// The token of a request's cookie.
pub(super) fn token<'h>(console: &Console, headers: &'h HeaderMap) -> Option<&'h str> {
    let wanted = name(console);
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

fn name(console: &Console) -> &'static str {
    if console.is_https() { COOKIE_HOST } else { COOKIE_PLAIN }
}

/// The header that signs a browser in.
pub(super) fn cookie(console: &Console, token: &str) -> (HeaderName, HeaderValue) {
    set_cookie(console, token, SESSION_TIME.as_secs())
}

/// The header that makes a browser forget.
pub(super) fn no_cookie(console: &Console) -> (HeaderName, HeaderValue) {
    set_cookie(console, "", 0)
}

fn set_cookie(console: &Console, token: &str, seconds: u64) -> (HeaderName, HeaderValue) {
    let secure = if console.is_https() { "; Secure" } else { "" };
    let name = name(console);
    let text = format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    // A token is base64url, so this is always a header's value.
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    (SET_COOKIE, value)
}

/// Where to come back to. What was posted is not posted again: one comes back to the page of its form.
fn place_of(method: &Method, uri: &Uri) -> String {
    let path = uri.path();
    if method.is_safe() {
        return uri.path_and_query().map_or("/", |all| all.as_str()).to_owned();
    }
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "domains", id, _, ..] => format!("/domains/{id}"),
        _ => "/".to_owned(),
    }
}

/// A place of ours; the overview in place of any other, so that nobody is led away.
pub(super) fn local(place: &str) -> &str {
    let is_plain = place.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'\\');
    // Two slashes begin the name of another host. RFC 3986 §4.2.
    let is_local = place.starts_with('/') && !place.starts_with("//") && !place.starts_with("/sign-");
    if is_plain && is_local && place.len() <= PLACE_OCTETS_MAX { place } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_places_of_ours_only() {
        for good in ["/", "/domains", "/domains?status=active&q=a.b", "/domains/0?done=x"] {
            assert_eq!(local(good), good);
        }
        let long = format!("/{}", "a".repeat(PLACE_OCTETS_MAX));
        for bad in ["", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "domains"] {
            assert_eq!(local(bad), "/", "{bad}");
        }
        for bad in ["/a b", "/a\r\nset-cookie: b", "/\u{e9}", "/sign-out", "/sign-in?to=/", long.as_str()] {
            assert_eq!(local(bad), "/", "{bad}");
        }
    }

    #[test]
    fn what_was_posted_comes_back_to_its_page() {
        let place = |method, uri: &'static str| place_of(&method, &Uri::from_static(uri));
        assert_eq!(place(Method::GET, "/domains?q=a"), "/domains?q=a");
        assert_eq!(place(Method::POST, "/domains/7/suspend"), "/domains/7");
        assert_eq!(place(Method::POST, "/domains/7/setup-links/8/revoke"), "/domains/7");
        assert_eq!(place(Method::POST, "/breaker/accept"), "/");
    }
}
