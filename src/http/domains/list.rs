//! `GET /v1/domains`.

use axum::Json;
use axum::extract::State;
use uuid::Uuid;

use crate::http::caller::Known;
use crate::http::domains::body::DomainBody;
use crate::http::list::List;
use crate::http::openapi::words::{FailingWord, StatusWord};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::service::{DomainFilter, Failing, Service};
use crate::verify::purpose::Purpose;
use crate::verify::standing::Status;

/// The longest beginning of a name to search for, in characters.
const PREFIX_CHARACTERS_MAX: usize = 253;

/// List domains, from the oldest on. A client's key sees its own only.
///
/// Page by page; an item that lives as long as the listing lasts is listed exactly once. The filters may be
/// combined.
#[utoipa::path(get, path = "/v1/domains", tag = "domains", params(
    ("client_id" = Option<Uuid>, Query, description = "Only this client's."),
    ("status" = inline(Option<StatusWord>), Query, description = "Only of this status: `pending`, `active`, `suspended`, `deleted`. Deleted ones are listed only so."),
    ("failing" = inline(Option<FailingWord>), Query, description = "Only those whose flag is false: `spf`, `dkim`, `dmarc`, `mx`, or `any`."),
    ("q" = Option<String>, Query, description = "Only those whose name begins so.", max_length = 253),
    ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 unless given.", minimum = 1, maximum = 200),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
), responses((status = 200, description = "One page.", body = List<DomainBody>)))]
pub(in crate::http) async fn domain_list(
    State(service): State<Service>,
    Known(caller): Known,
    mut query: Query,
) -> Result<Json<List<DomainBody>>, Problem> {
    let filter = DomainFilter {
        client_id: query.take("client_id", |text| Uuid::parse_str(text).map_err(|_| "must be a UUID".to_owned())),
        status: query.take("status", status),
        failing: query.take("failing", failing),
        // Every name begins with nothing.
        q: query.take("q", prefix).filter(|text| !text.is_empty()),
    };
    let (limit, after) = (query.limit(), query.cursor_place());
    let list = query.end()?;
    let page = service.domain_list(&caller, &filter, after, limit).await?;
    Ok(Json(List::of(page, |place| list.cursor_of_place(place), DomainBody::of)))
}

fn status(text: &str) -> Result<Status, String> {
    let found = Status::ALL.into_iter().find(|status| status.as_str() == text);
    found.ok_or_else(|| "must be `pending`, `active`, `suspended` or `deleted`".to_owned())
}

fn failing(text: &str) -> Result<Failing, String> {
    if text == "any" {
        return Ok(Failing::Any);
    }
    let found = Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == text);
    found.map(Failing::Purpose).ok_or_else(|| "must be `spf`, `dkim`, `dmarc`, `mx` or `any`".to_owned())
}

/// The beginning of a name. Names are stored as A-labels, so one in Unicode is folded where it can be.
fn prefix(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() > PREFIX_CHARACTERS_MAX {
        return Err(format!("may have at most {PREFIX_CHARACTERS_MAX} characters"));
    }
    if text.is_ascii() {
        return Ok(text.to_ascii_lowercase());
    }
    idna::domain_to_ascii(text).map_err(|_| "is no beginning of a domain name".to_owned())
}
