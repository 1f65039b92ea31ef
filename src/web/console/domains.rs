//! The list of domains: found by client, status, flag and the beginning of a name, page by page.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::http::query::decoded;
use crate::service::domains::DomainView;
use crate::service::{Caller, DomainFilter, Error, Failing, Place, Service};
use crate::verify::purpose::Purpose;
use crate::verify::standing::Status;
use crate::web::console::refusal::{Refusal, escaped};
use crate::web::console::session::SignedIn;
use crate::web::console::words::{self, Flag, Mark};
use crate::web::console::{Console, Frame, Part};
use crate::web::page::Page;
use crate::web::shown::{Moment, plain};

/// How many domains stand on a page.
const ROWS: u32 = 50;

/// The longest beginning of a name, in characters: a whole name.
const PREFIX_CHARACTERS_MAX: usize = 253;

/// The most letters of a name in a list.
const NAME_CHARACTERS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "console/domains.html")]
struct DomainsPage {
    frame: Frame,
    asked: Asked,
    statuses: Vec<Choice>,
    failing: Vec<Choice>,
    rows: Vec<Row>,
    /// The address of the next page.
    next: Option<String>,
    /// What was not understood of the query.
    fault: Option<&'static str>,
    is_filtered: bool,
    is_further: bool,
}

/// An entry of a list to choose from.
#[derive(Debug)]
struct Choice {
    value: &'static str,
    word: &'static str,
    is_chosen: bool,
}

#[derive(Debug)]
struct Row {
    href: String,
    domain: String,
    client: String,
    client_href: String,
    mark: Mark,
    flags: [Flag; 4],
    checked_at: Option<Moment>,
    suspends_at: Option<Moment>,
}

/// What is asked for, as it was typed.
#[derive(Debug, Default)]
struct Asked {
    q: String,
    client: String,
    status: String,
    failing: String,
    after: String,
}

impl Asked {
    fn of(query: &str) -> Asked {
        let value = |name: &str| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.and_then(decoded).unwrap_or_default().trim().to_owned()
        };
        let cut = |text: String| text.chars().take(PREFIX_CHARACTERS_MAX).collect();
        Asked {
            q: cut(value("q")),
            client: cut(value("client")),
            status: cut(value("status")),
            failing: cut(value("failing")),
            after: cut(value("after")),
        }
    }

    /// What to look for, and behind what; or what of it makes no sense.
    fn read(&self) -> Result<(DomainFilter, Option<Place>), &'static str> {
        let status = Status::ALL.into_iter().find(|status| status.as_str() == self.status);
        let failing = match self.failing.as_str() {
            "any" => Some(Failing::Any),
            word => Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == word).map(Failing::Purpose),
        };
        let client_id = match self.client.as_str() {
            "" => None,
            id => Some(Uuid::parse_str(id).map_err(|_| "That client's id is no UUID. All clients are shown.")?),
        };
        let after = match self.after.as_str() {
            "" => None,
            text => Some(place(text).ok_or("That page does not exist any more. This is the first.")?),
        };
        let q = match self.q.is_ascii() {
            true => self.q.to_ascii_lowercase(),
            // Names are kept as A-labels. RFC 5890 §2.3.2.1.
            false => idna::domain_to_ascii(&self.q).map_err(|_| "No domain's name begins so. All are shown.")?,
        };
        Ok((DomainFilter { client_id, status, failing, q: Some(q).filter(|q| !q.is_empty()) }, after))
    }

    /// The address of this list behind a place.
    fn href_after(&self, after: Place) -> String {
        let micros = after.created_at.map(|at| at.timestamp_micros().to_string()).unwrap_or_default();
        let after = format!("{}.{micros}", after.id);
        let fields = [
            ("q", &self.q),
            ("client", &self.client),
            ("status", &self.status),
            ("failing", &self.failing),
            ("after", &after),
        ];
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = given.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        format!("/domains?{}", pairs.join("&"))
    }
}

/// A place in the list as the address of a page has it: an id, and an age in microseconds.
fn place(text: &str) -> Option<Place> {
    let (id, micros) = text.split_once('.')?;
    let created_at = match micros {
        "" => None,
        micros => Some(DateTime::from_timestamp_micros(micros.parse().ok()?)?),
    };
    Some(Place { created_at, id: Uuid::parse_str(id).ok()? })
}

/// `GET /domains`.
pub(super) async fn domains(
    State(console): State<Console>,
    SignedIn(session): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let service = &console.service;
    let asked = Asked::of(query.as_deref().unwrap_or_default());
    let (read, fault) = match asked.read() {
        Ok(read) => (read, None),
        Err(fault) => ((DomainFilter::default(), None), Some(fault)),
    };
    let page = service.domain_list(&session.caller, &read.0, read.1, ROWS).await?;
    let names = client_names(service, &session.caller, &page.items).await?;
    let now = service.clock().now();
    let choice = |value, word, chosen: &str| Choice { value, word, is_chosen: chosen == value };
    let page = DomainsPage {
        frame: Frame::of(&session, Part::Domains),
        statuses: Status::ALL.map(|status| choice(status.as_str(), status.as_str(), &asked.status)).into(),
        failing: [("any", "any record"), ("spf", "SPF"), ("dkim", "DKIM"), ("dmarc", "DMARC"), ("mx", "MX")]
            .map(|(value, word)| choice(value, word, &asked.failing))
            .into(),
        next: page.next.map(|place| asked.href_after(place)),
        rows: page.items.iter().map(|view| Row::of(view, &names, now)).collect(),
        fault,
        is_filtered: read.0 != DomainFilter::default(),
        is_further: read.1.is_some(),
        asked,
    };
    Ok(Page(StatusCode::OK, page).into_response())
}

/// The names of the clients of these domains.
async fn client_names(
    service: &Service,
    caller: &Caller,
    domains: &[DomainView],
) -> Result<BTreeMap<Uuid, String>, Error> {
    let mut names = BTreeMap::new();
    for view in domains {
        let id = view.row.client_id;
        if names.contains_key(&id) {
            continue;
        }
        let name = match service.client_get(caller, id).await {
            Ok(client) => words::client(&client),
            Err(Error::NoSuchClient(_)) => String::new(),
            Err(fault) => return Err(fault),
        };
        names.insert(id, name);
    }
    Ok(names)
}

impl Row {
    fn of(view: &DomainView, names: &BTreeMap<Uuid, String>, now: DateTime<Utc>) -> Row {
        let row = &view.row;
        Row {
            href: format!("/domains/{}", row.id),
            domain: plain(view.domain_unicode.as_deref().unwrap_or(&row.domain), NAME_CHARACTERS_MAX),
            client: names.get(&row.client_id).cloned().unwrap_or_default(),
            client_href: format!("/domains?client={}", row.client_id),
            mark: words::standing(view),
            flags: words::flags(view),
            checked_at: row.last_checked_at.map(|at| Moment::of(at, now)),
            suspends_at: row.suspends_at.filter(|_| row.status == Status::Active).map(|at| Moment::of(at, now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_s_address_leads_to_the_next() {
        let asked = Asked::of("q=a%2Bb&status=active&failing=any&x=y");
        let place_at = |micros| Place { created_at: DateTime::from_timestamp_micros(micros), id: Uuid::from_u128(7) };
        let href = asked.href_after(place_at(1_800_000_000_000_007));
        assert_eq!(
            href,
            "/domains?q=a%2Bb&status=active&failing=any&after=00000000-0000-0000-0000-000000000007.1800000000000007"
        );
        let again = Asked::of(href.split_once('?').unwrap().1);
        assert_eq!((again.q.as_str(), again.read().unwrap().1), ("a+b", Some(place_at(1_800_000_000_000_007))));
        assert_eq!(
            place("00000000-0000-0000-0000-000000000007."),
            Some(Place { created_at: None, id: Uuid::from_u128(7) })
        );
        assert_eq!(place("7.1"), None);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        assert!(Asked::of("client=7").read().is_err());
        assert!(Asked::of("after=7").read().is_err());
        assert_eq!(Asked::of("q=B%C3%BCcher").read().unwrap().0.q.as_deref(), Some("xn--bcher-kva"));
        assert_eq!(Asked::of("status=no&failing=no&q=+").read().unwrap().0, DomainFilter::default());
    }
}
