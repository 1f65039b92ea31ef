//! Forms: that they are ours, and what they say.
//!
//! Three things keep others from posting in an operator's name: the cookie does not come along from elsewhere
//! (`SameSite=Strict`), browsers say where a request comes from (`Sec-Fetch-Site`), and every form carries a token of
//! its session, which no other page can read.

use std::net::IpAddr;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{Extensions, HeaderMap, HeaderName};

use crate::http::json::octets;
use crate::http::query::decoded;
use crate::http::request::{Peer, Whose};
use crate::service::console::Session;
use crate::web::console::Console;
use crate::web::console::refusal::Refusal;
use crate::web::console::session::SignedIn;

/// Where a request comes from, as browsers say. Fetch Metadata Request Headers §2.4.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The field of the form's token.
const TOKEN_FIELD: &str = "form_token";

/// The most fields of a form.
const FIELDS_MAX: usize = 64;

/// A form of whoever is signed in, posted from a page of ours.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) session: Session,
    pub(super) form: Form,
    /// Where it was posted to.
    pub(super) path: String,
    /// By which request.
    pub(super) request_id: Option<String>,
    /// From where.
    pub(super) peer: Option<IpAddr>,
}

impl FromRequest<Console> for Posted {
    type Rejection = Refusal;

    async fn from_request(request: Request, console: &Console) -> Result<Posted, Refusal> {
        let (mut parts, body) = request.into_parts();
        let SignedIn(session) = SignedIn::from_request_parts(&mut parts, console).await?;
        let (path, peer) = (parts.uri.path().to_owned(), peer(&parts.extensions));
        let request_id = parts.extensions.get::<Whose>().and_then(Whose::request_id).map(str::to_owned);
        let form = Form::from_request(Request::from_parts(parts, body), console).await?;
        match session.owns_form(form.text(TOKEN_FIELD)) {
            true => Ok(Posted { session, form, path, request_id, peer }),
            false => Err(Refusal::Foreign),
        }
    }
}

/// The fields of a form, posted from a page of ours as far as the browser says.
#[derive(Debug)]
pub(super) struct Form {
    fields: Vec<(String, String)>,
}

impl FromRequest<Console> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Console) -> Result<Form, Refusal> {
        if !is_from_here(request.headers()) {
            return Err(Refusal::Foreign);
        }
        let body = octets(request).await.map_err(|_| Refusal::Unreadable)?;
        let text = std::str::from_utf8(&body).map_err(|_| Refusal::Unreadable)?;
        Form::parse(text).ok_or(Refusal::Unreadable)
    }
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`; nothing where it is none.
    fn parse(text: &str) -> Option<Form> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let field = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name)?, decoded(value)?))
        };
        let fields: Vec<_> = pairs.take(FIELDS_MAX + 1).map(field).collect::<Option<_>>()?;
        (fields.len() <= FIELDS_MAX).then_some(Form { fields })
    }

    /// A field's text; empty where it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }
}

/// Browsers that say where a request comes from must say that it is a page of ours, or the person.
fn is_from_here(headers: &HeaderMap) -> bool {
    match headers.get(SITE) {
        None => true,
        Some(site) => site == "same-origin" || site == "none",
    }
}

/// The address that a request comes from; nothing in process.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().map(|peer| peer.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read() {
        let form = Form::parse("a=1&b=%C3%BC+x&lines=one%0D%0A+two%0D%0A&a=2&empty=&c").unwrap();
        assert_eq!((form.text("a"), form.text("b"), form.text("c"), form.text("none")), ("1", "ü x", "", ""));
        assert_eq!((form.text("lines"), form.text("empty")), ("one\r\n two\r\n", ""));
        assert!(Form::parse("a=%zz").is_none() && Form::parse("a=%00").is_none());
        assert!(Form::parse(&"a=1&".repeat(FIELDS_MAX)).is_some());
        assert!(Form::parse(&"a=1&".repeat(FIELDS_MAX + 1)).is_none());
    }

    #[test]
    fn other_sites_are_told_apart() {
        let from = |site: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            site.map(|site| headers.insert(SITE, site.parse().unwrap()));
            is_from_here(&headers)
        };
        assert!(from(None) && from(Some("same-origin")) && from(Some("none")));
        assert!(!from(Some("cross-site")) && !from(Some("same-site")) && !from(Some("x")));
    }
}
