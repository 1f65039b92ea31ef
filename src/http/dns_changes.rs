//! Webhooks that come in (contract §3.4): somebody says that the DNS of domains changed.
//!
//! Who says so shows a hook's or an operator's key, or signs by Standard Webhooks with one of
//! `webhooks.inbound_secrets`. One of the two is enough; where a key is sent, it decides, and a signature beside it is
//! not looked at. `webhook-id` is, in both cases: one that comes again changes nothing.
//!
//! # Strictness
//!
//! The signature is over the octets as they came, and is checked before they are read as JSON. What is no text is
//! refused; a text that is no domain's name is a name that nobody here has.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::AppState;
use crate::http::caller::{self, forbidden};
use crate::http::field;
use crate::http::json::{self, Fields, octets};
use crate::http::problem::{Kind, Problem};
use crate::http::query::NoQuery;
use crate::service::Role;
use crate::service::dns_changes::{DOMAINS_MAX, Sender, Word};
use crate::webhook::signature::Signed;

/// The event's id: the same when it is sent again.
pub(super) const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The longest `webhook-id`, in octets.
const ID_OCTETS_MAX: usize = 255;

/// The longest text that is looked at as a domain's name, in characters: Unicode may be longer than its A-labels.
const NAME_CHARACTERS_MAX: usize = 1_024;

/// Whose DNS changed: `domains`, or one `domain`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `word` reads; tests hold the two together")]
pub(super) struct DnsChanges {
    /// Their names; at most 1,000.
    #[schema(example = json!(["example.com", "example.net"]), max_items = 1000)]
    domains: Option<Vec<String>>,
    /// The one name.
    domain: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DnsChangesTaken {
    /// These are checked at once, and again after 30 s and 2 min while not all valid.
    #[schema(example = json!(["example.com"]))]
    accepted: Vec<String>,
    /// These nobody here has, or not whom the key may speak of.
    #[schema(example = json!(["example.net"]))]
    unknown: Vec<String>,
}

/// Say that the DNS of domains changed.
///
/// With a hook's or an operator's key, or signed by Standard Webhooks (`webhook-id`, `webhook-timestamp`,
/// `webhook-signature`) with one of `webhooks.inbound_secrets`; the timestamp may be 5 minutes off. A hook's key that was
/// made for a client speaks of that client's domains only. A `webhook-id` that came before changes nothing.
#[utoipa::path(post, path = "/v1/webhooks/dns-changes", tag = "webhooks", params(
    ("webhook-id" = Option<String>, Header, description = "The event's id, the same when it is sent again.", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ("webhook-timestamp" = Option<String>, Header, description = "Seconds since 1970; where it is signed."),
    ("webhook-signature" = Option<String>, Header, description = "`v1,` and base64 of HMAC-SHA256; in place of a key."),
), request_body = DnsChanges, responses(
    (status = 202, description = "Which names are known here.", body = DnsChangesTaken),
))]
pub(super) async fn dns_changes(
    State(state): State<AppState>,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<DnsChangesTaken>), Problem> {
    let (parts, body) = request.into_parts();
    let (sender, body) = if parts.headers.contains_key(AUTHORIZATION) {
        let sender = by_key(&parts, &state).await?;
        (sender, octets(Request::from_parts(parts.clone(), body)).await?)
    } else {
        let signed = signed(&parts.headers)?;
        let now = state.service.clock().now();
        // Before the body is read: what is too old is not worth reading.
        signed.check_time(now).map_err(unsigned)?;
        let body: Bytes = octets(Request::from_parts(parts.clone(), body)).await?;
        signed.check(&state.service.settings().webhooks.inbound_secrets, &body, now).map_err(unsigned)?;
        (Sender::Signature, body)
    };
    let webhook_id = webhook_id(&parts.headers)?;
    let names = json::of_octets(&parts.headers, &body)?.read(names)?;
    let word = Word { sender, webhook_id: webhook_id.as_deref(), names: &names };
    let taken = state.service.dns_changes(&word).await?;
    let taken = DnsChangesTaken { accepted: taken.accepted, unknown: taken.unknown };
    Ok((StatusCode::ACCEPTED, Json(taken)))
}

async fn by_key(parts: &Parts, state: &AppState) -> Result<Sender, Problem> {
    let caller = caller::authenticated(parts, state).await?;
    match caller.role {
        Role::Operator | Role::Hook if caller.domain_id.is_none() => Ok(Sender::Key(caller)),
        _ => Err(forbidden("a hook's or an operator's key")),
    }
}

/// What a signed webhook carries.
fn signed(headers: &HeaderMap) -> Result<Signed<'_>, Problem> {
    let one = |name: &HeaderName| {
        let mut given = headers.get_all(name).iter();
        match (given.next(), given.next()) {
            (Some(value), None) => value.to_str().ok().filter(|text| !text.is_empty()),
            _ => None,
        }
    };
    match (one(&WEBHOOK_ID), one(&WEBHOOK_TIMESTAMP), one(&WEBHOOK_SIGNATURE)) {
        (Some(id), Some(timestamp), Some(signature)) => Ok(Signed { id, timestamp, signature }),
        _ => {
            let detail = "send a hook's or an operator's key as `Authorization: Bearer sr_…`, or sign by Standard \
                Webhooks and send `webhook-id`, `webhook-timestamp` and `webhook-signature`, each once";
            Err(Problem::because(Kind::Unauthorized, detail))
        }
    }
}

fn unsigned(refused: crate::webhook::signature::Refused) -> Problem {
    Problem::because(Kind::Unauthorized, refused.to_string())
}

/// The id that tells a repetition; a keyed webhook may have none.
fn webhook_id(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all(&WEBHOOK_ID).iter();
    let text = match (given.next(), given.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().ok(),
        (Some(_), Some(_)) => None,
    };
    let is_visible =
        |text: &&str| (1..=ID_OCTETS_MAX).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
    match text.filter(is_visible) {
        Some(text) => Ok(Some(text.to_owned())),
        None => {
            let detail =
                format!("`webhook-id` must be 1 to {ID_OCTETS_MAX} visible ASCII characters, and be given once");
            Err(Problem::because(Kind::BadHeader, detail))
        }
    }
}

/// The names as they were given.
fn names(fields: &mut Fields) -> Option<Vec<String>> {
    let name = |value| field::text(value, NAME_CHARACTERS_MAX);
    let is_given = fields.has("domains") || fields.has("domain");
    let many = fields.list("domains", DOMAINS_MAX, name);
    let one = fields.take("domain", name);
    match (many, one) {
        // What is wrong with it was noted.
        (None, None) if is_given => None,
        (Some(_), Some(_)) => {
            fields.fault("domain", "must be left out where `domains` is given");
            None
        }
        (None, None) => {
            fields.fault("domains", "is needed, or `domain` for a single name");
            None
        }
        (many, one) => Some(many.into_iter().flatten().chain(one).collect()),
    }
}
