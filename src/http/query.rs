//! Query parameters and the places in lists.
//!
//! Owns [`Query`], which takes a query apart as [`crate::http::json::Fields`] does a body, the bounds of
//! `limit`, and the form of a `cursor`: opaque to callers, an id or an age and an id to us.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::http::problem::{FieldFault, Problem};
use crate::service::Place;

/// How many entries a list gives unless told. Contract §3.
pub const LIMIT_DEFAULT: u32 = 50;
/// The most entries that a list gives. Contract §3.
pub const LIMIT_MAX: u32 = 200;
/// The longest that an answer may be held, in seconds. Contract §3.3.
pub const WAIT_SECONDS_MAX: u64 = 30;
/// The most parameters that are looked at.
const PARAMETERS_MAX: usize = 32;

/// The octets by which a cursor is bound to its list.
const LIST_OCTETS: usize = 4;

/// The list that a query is about: its cursors are of no other. By its path, so that of two domains' checks each
/// has cursors of its own.
#[derive(Debug, Clone, Default)]
pub struct ListAt {
    uri: Uri,
}

/// The parameters of a query, each at most once.
#[derive(Debug, Default)]
pub struct Query {
    list: ListAt,
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
    faults: Vec<FieldFault>,
}

impl Query {
    fn parse(text: &str) -> Query {
        let mut query = Query::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = match (decoded(name), decoded(value)) {
                (Some(name), Some(value)) => (name, value),
                (Some(name), None) => {
                    query.fault(&name, "holds `%` escapes that are no text");
                    continue;
                }
                (None, _) => {
                    query.fault("", "the query holds `%` escapes that are no text");
                    continue;
                }
            };
            if query.given.iter().any(|(other, _)| *other == name) {
                query.fault(&name, "is given more than once");
            } else {
                query.given.push((name, value));
            }
        }
        query
    }

    /// An optional parameter.
    pub fn take<T>(&mut self, name: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.known.push(name);
        let index = self.given.iter().position(|(given, _)| given == name)?;
        let (_, value) = self.given.swap_remove(index);
        match read(&value) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.fault(name, detail);
                None
            }
        }
    }

    /// `limit`: how many entries are wanted.
    pub fn limit(&mut self) -> u32 {
        let read = |text: &str| match text.parse::<u32>() {
            Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
            _ => Err(format!("must be a number from 1 to {LIMIT_MAX}")),
        };
        self.take("limit", read).unwrap_or(LIMIT_DEFAULT)
    }

    /// `wait`: how many seconds the answer may be held.
    pub fn wait(&mut self) -> Option<Duration> {
        let read = |text: &str| match text.parse::<u64>() {
            Ok(seconds @ 1..=WAIT_SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
            _ => Err(format!("must be a number of seconds from 1 to {WAIT_SECONDS_MAX}")),
        };
        self.take("wait", read)
    }

    /// `cursor` of a list in the order of ids.
    pub fn cursor_id(&mut self) -> Option<Uuid> {
        let list = self.list.clone();
        self.take("cursor", |text| list.read(text).and_then(|octets| id_of(&octets)).ok_or_else(cursor_fault))
    }

    /// `cursor` of a list in the order of age.
    pub fn cursor_place(&mut self) -> Option<Place> {
        let list = self.list.clone();
        self.take("cursor", |text| list.read(text).and_then(|octets| place_of(&octets)).ok_or_else(cursor_fault))
    }

    /// Refuses the query if anything was wrong with it, or is left. Gives what makes the list's cursors.
    ///
    /// # Errors
    ///
    /// `bad-query` with every fault.
    pub fn end(mut self) -> Result<ListAt, Problem> {
        let known = match self.known.join(", ") {
            none if none.is_empty() => "no parameter is".to_owned(),
            known => format!("known are: {known}"),
        };
        for (name, _) in std::mem::take(&mut self.given) {
            self.fault(&name, format!("is not known here; {known}"));
        }
        if self.faults.is_empty() { Ok(self.list) } else { Err(Problem::bad_query(self.faults)) }
    }

    fn fault(&mut self, name: &str, detail: impl Into<String>) {
        let shown: String = name.chars().take(64).collect();
        self.faults.push(FieldFault::new(format!("/{}", shown.replace('~', "~0").replace('/', "~1")), detail));
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query, Problem> {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        Ok(Query { list: ListAt { uri: parts.uri.clone() }, ..query })
    }
}

/// The query of a path that takes no parameters.
#[derive(Debug)]
pub struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<NoQuery, Problem> {
        Query::from_request_parts(parts, state).await?.end().map(|_| NoQuery)
    }
}

impl ListAt {
    /// The cursor of a list in the order of ids.
    pub fn cursor_of_id(&self, id: Uuid) -> String {
        self.written(id.as_bytes())
    }

    /// The cursor of a list in the order of age.
    pub fn cursor_of_place(&self, place: Place) -> String {
        let mut octets = place.id.as_bytes().to_vec();
        if let Some(at) = place.created_at {
            octets.extend(at.timestamp_micros().to_be_bytes());
        }
        self.written(&octets)
    }

    fn written(&self, octets: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode([&self.mark(), octets].concat())
    }

    fn read(&self, text: &str) -> Option<Vec<u8>> {
        let octets = (text.len() <= 64).then(|| URL_SAFE_NO_PAD.decode(text).ok())??;
        octets.strip_prefix(&self.mark()).map(<[u8]>::to_vec)
    }

    /// No secret: it tells lists apart, and keeps nobody from making up a place.
    fn mark(&self) -> [u8; LIST_OCTETS] {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(self.uri.path().to_ascii_lowercase()).into();
        [a, b, c, d]
    }
}

fn cursor_fault() -> String {
    "must be a `next_cursor` that this list gave out".to_owned()
}

fn id_of(octets: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(octets).ok()
}

fn place_of(octets: &[u8]) -> Option<Place> {
    let (id, at) = octets.split_at_checked(16)?;
    let created_at = match at {
        [] => None,
        _ => Some(DateTime::from_timestamp_micros(i64::from_be_bytes(at.try_into().ok()?))?),
    };
    Some(Place { created_at, id: id_of(id)? })
}

/// A part of a query, or of a form, as text: `+` is a space, `%` and two digits an octet.
pub fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        match octet {
            b'+' => octets.push(b' '),
            b'%' => {
                let digits = [rest.next()?, rest.next()?].map(char::from);
                let [high, low] = digits.map(|digit| digit.to_digit(16));
                octets.push(u8::try_from(high? * 16 + low?).ok()?);
            }
            _ => octets.push(octet),
        }
    }
    // The databases cannot hold a zero octet in a text, and no parameter means one.
    String::from_utf8(octets).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let mut query = Query::parse(text);
        let limit = query.limit();
        let q = query.take("q", |text| Ok(text.to_owned()));
        let shown = match query.end() {
            Ok(_) => format!("{limit} {q:?}"),
            Err(problem) => problem
                .errors
                .iter()
                .map(|fault| format!("{} {}", fault.pointer, fault.detail))
                .collect::<Vec<_>>()
                .join("; "),
        };
        assert_eq!(shown, expected, "{why}");
    }

    #[test]
    fn a_query_becomes_values_or_faults() {
        check("nothing", "", "50 None");
        check("escapes", "q=%C3%BC+x&limit=1", "1 Some(\"ü x\")");
        check("an empty value is a value", "q=", "50 Some(\"\")");
        check("an empty number is none", "limit=", "/limit must be a number from 1 to 200");
        check("a broken escape in a number", "limit=%ff", "/limit holds `%` escapes that are no text");
        check("the most", "limit=200", "200 None");
        check("too many", "limit=201", "/limit must be a number from 1 to 200");
        check("none", "limit=0", "/limit must be a number from 1 to 200");
        check("no number", "limit=many", "/limit must be a number from 1 to 200");
        check("twice", "q=a&q=b", "/q is given more than once");
        check("a typo", "lmit=1", "/lmit is not known here; known are: limit, q");
        check("a broken escape", "q=%zz", "/q holds `%` escapes that are no text");
        check("a broken escape in a name", "%zz=q", "/ the query holds `%` escapes that are no text");
        check("no UTF-8", "q=%ff", "/q holds `%` escapes that are no text");
        check("a zero octet", "q=%00", "/q holds `%` escapes that are no text");
    }

    #[test]
    fn cursors_come_back_as_they_were_and_others_are_refused() {
        let id = Uuid::from_u128(7);
        let list = ListAt::default();
        let with_age = Place { created_at: DateTime::from_timestamp_micros(1_700_000_000_123_456), id };
        for place in [with_age, Place { created_at: None, id }] {
            let mut query = Query::parse(&format!("cursor={}", list.cursor_of_place(place)));
            assert_eq!(query.cursor_place(), Some(place));
            query.end().unwrap();
        }
        assert_eq!(Query::parse(&format!("cursor={}", list.cursor_of_id(id))).cursor_id(), Some(id));
        let other = ListAt { uri: Uri::from_static("/v1/clients") };
        for bad in ["", "x", "AAAA", "!!", &"A".repeat(100), &list.cursor_of_place(with_age), &other.cursor_of_id(id)] {
            let mut query = Query::parse(&format!("cursor={bad}"));
            assert_eq!(query.cursor_id(), None, "{bad}");
            assert!(query.end().is_err(), "{bad}");
        }
    }
}
