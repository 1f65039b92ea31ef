//! Bodies: from JSON to typed fields, all faults of a body at once.
//!
//! Owns [`Json`], which reads a body as one object, and [`Fields`], which takes it apart field by field,
//! notes what is wrong under its JSON pointer (RFC 6901), and refuses fields that nobody took.
//! What the single fields may hold is read by [`crate::http::field`].

mod value;

use std::error::Error;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use http_body_util::LengthLimitError;
use serde_json::{Map, Value};

use crate::http::audit::FieldNames;
use crate::http::problem::{FieldFault, Kind, Problem};
use crate::http::request::{BODY_OCTETS_MAX, Peer, too_large};

/// How long a body may take to come.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(20);

/// The most faults that one answer lists. More help nobody, and a body of commas could make a million.
const FAULTS_MAX: usize = 100;

/// The most octets of a stranger's field name that an answer repeats.
const NAME_SHOWN_OCTETS: usize = 64;

/// A body that is one JSON object.
#[derive(Debug)]
pub struct Json(Fields);

impl Json {
    /// Reads the body's fields with `read`, and refuses the body with all its faults.
    ///
    /// # Errors
    ///
    /// `invalid` with every fault: those that `read` noted, and every field that it did not take.
    pub fn read<T>(self, read: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, Problem> {
        let mut fields = self.0;
        let value = read(&mut fields);
        fields.refuse_unknown();
        match value {
            Some(value) if fields.faults.is_empty() => Ok(value),
            _ => Err(Problem::invalid(fields.faults)),
        }
    }

    #[cfg(test)]
    fn of(value: Value) -> Json {
        match value {
            Value::Object(map) => Json(Fields::new(String::new(), map)),
            other => panic!("{other} is no object"),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Json {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Json, Problem> {
        check_json(request.headers())?;
        let names = names_wanted(&request);
        let body = octets(request).await?;
        Ok(noted(object_there(&body)?, names))
    }
}

/// A body that is one JSON object, or is left out: then it is as if it were an empty one.
#[derive(Debug)]
pub struct MaybeJson(pub Json);

impl<S: Send + Sync> FromRequest<S> for MaybeJson {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<MaybeJson, Problem> {
        let (is_json, coding) = (is_json(request.headers()), check_coding(request.headers()));
        let names = names_wanted(&request);
        let body = octets(request).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(MaybeJson(Json(Fields::new(String::new(), Map::new()))));
        }
        if !is_json {
            return Err(Problem::because(Kind::UnsupportedMediaType, "send no body, or JSON as `application/json`"));
        }
        coding?;
        Ok(MaybeJson(noted(object(&body)?, names)))
    }
}

/// A body that is left out, or is an empty JSON object.
#[derive(Debug)]
pub struct Nothing;

impl<S: Send + Sync> FromRequest<S> for Nothing {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Nothing, Problem> {
        let (is_json, coding) = (is_json(request.headers()), check_coding(request.headers()));
        let body = octets(request).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Nothing);
        }
        if !is_json {
            return Err(Problem::because(Kind::UnsupportedMediaType, "send no body, or `{}` as `application/json`"));
        }
        coding?;
        object(&body)?.read(|_| Some(Nothing))
    }
}

/// The same for a body that was read already, for its octets are signed.
///
/// # Errors
///
/// `unsupported-media-type`, `bad-json`, `invalid`.
pub fn of_octets(headers: &HeaderMap, body: &[u8]) -> Result<Json, Problem> {
    check_json(headers)?;
    object_there(body)
}

fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    if !is_json(headers) {
        let detail = "the body must come with `Content-Type: application/json`";
        return Err(Problem::because(Kind::UnsupportedMediaType, detail));
    }
    check_coding(headers)
}

/// Bodies are read as they are: of one that is packed, it would only be said that it is no JSON. RFC 9110 §8.4.
fn check_coding(headers: &HeaderMap) -> Result<(), Problem> {
    let is_plain = |value: &HeaderValue| value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        return Ok(());
    }
    let detail = "the body must come as it is, not compressed: send it without `Content-Encoding`";
    Err(Problem::because(Kind::UnsupportedMediaType, detail))
}

fn object_there(body: &[u8]) -> Result<Json, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::because(Kind::BadJson, "the body is empty; a JSON object is needed"));
    }
    object(body)
}

/// Where the names of the fields are to be noted, if anywhere.
fn names_wanted(request: &Request) -> Option<FieldNames> {
    request.extensions().get::<FieldNames>().cloned()
}

fn noted(body: Json, names: Option<FieldNames>) -> Json {
    if let Some(names) = names {
        names.note(&body.0.map);
    }
    body
}

/// A body's text as one object.
fn object(body: &[u8]) -> Result<Json, Problem> {
    // UTF-16 and UTF-32 are told by their zero octets; a mark before UTF-8 is passed over. RFC 8259 §8.1.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if matches!(body, [0, ..] | [_, 0, ..] | [0xfe, 0xff, ..] | [0xff, 0xfe, ..]) {
        let detail = "the body is written in UTF-16 or UTF-32; JSON is sent as UTF-8 (RFC 8259 §8.1)";
        return Err(Problem::because(Kind::BadJson, detail));
    }
    match value::read(body)? {
        Value::Object(map) => Ok(Json(Fields::new(String::new(), map))),
        _ => Err(Problem::invalid(vec![FieldFault::new("", "must be a JSON object")])),
    }
}

/// The whole body, bounded in size and time.
///
/// # Errors
///
/// `body-too-large`, `request-timeout`, or `bad-json` when the connection broke in the middle.
pub async fn octets(request: Request) -> Result<Bytes, Problem> {
    let time_max = request.extensions().get::<Peer>().map_or(BODY_TIME_MAX, |peer| peer.body_time_max);
    match tokio::time::timeout(time_max, to_bytes(request.into_body(), BODY_OCTETS_MAX)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(fault)) if is_too_long(&fault) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::because(Kind::BadJson, "the body broke off")),
        Err(_) => {
            let time = humantime::format_duration(time_max);
            let detail = format!("the body did not come within {time}; send it again");
            Err(Problem::because(Kind::RequestTimeout, detail))
        }
    }
}

fn is_too_long(fault: &axum::Error) -> bool {
    fault.source().is_some_and(|cause| cause.is::<LengthLimitError>())
}

/// `application/json` or a type built on it (RFC 6839 §3.1), with whatever parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The fields of one JSON object, and what was found wrong with them.
#[derive(Debug)]
pub struct Fields {
    pointer: String,
    map: Map<String, Value>,
    known: Vec<&'static str>,
    faults: Vec<FieldFault>,
}

impl Fields {
    fn new(pointer: String, map: Map<String, Value>) -> Fields {
        Fields { pointer, map, known: Vec::new(), faults: Vec::new() }
    }

    /// An optional field; `null` counts as absent.
    pub fn take<T>(&mut self, name: &'static str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        self.change(name, read).flatten()
    }

    /// Whether a field is there, and is not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// A field that must be there.
    pub fn need<T>(&mut self, name: &'static str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        if self.map.get(name).is_none_or(Value::is_null) {
            self.known.push(name);
            self.map.remove(name);
            self.fault(name, "is needed");
            return None;
        }
        self.take(name, read)
    }

    /// A field of a change: `None` leaves as it is, `Some(None)` (`null` in the body) clears.
    pub fn change<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value) -> Result<T, String>,
    ) -> Option<Option<T>> {
        self.known.push(name);
        match self.map.remove(name)? {
            Value::Null => Some(None),
            value => match read(value) {
                Ok(value) => Some(Some(value)),
                Err(detail) => {
                    self.fault(name, detail);
                    None
                }
            },
        }
    }

    /// An optional list of at most `count_max` plain values.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        read: impl Fn(Value) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.items(name, count_max, |value, _| read(value))
    }

    /// The same, in which nothing may stand twice.
    pub fn distinct<T: PartialEq>(
        &mut self,
        name: &'static str,
        count_max: usize,
        read: impl Fn(Value) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.items(name, count_max, |value, before| match read(value)? {
            item if before.contains(&item) => Err("stands here twice".to_owned()),
            item => Ok(item),
        })
    }

    /// What `read` makes of each value, seeing what was made of those before it.
    fn items<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        read: impl Fn(Value, &[T]) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let values = self.values(name, count_max)?;
        let mut items = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            match read(value, &items) {
                Ok(item) => items.push(item),
                Err(detail) => self.note(format!("{}/{name}/{index}", self.pointer), detail),
            }
        }
        Some(items)
    }

    /// An optional list of at most `count_max` objects.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        read: impl Fn(&mut Fields) -> Option<T>,
    ) -> Option<Vec<T>> {
        let values = self.values(name, count_max)?;
        let mut items = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            let pointer = format!("{}/{name}/{index}", self.pointer);
            items.extend(self.inner(pointer, value, &read));
        }
        Some(items)
    }

    /// An optional object.
    pub fn object<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Fields) -> Option<T>) -> Option<T> {
        let value = self.take(name, Ok)?;
        self.inner(format!("{}/{name}", self.pointer), value, read)
    }

    /// Notes a fault of the field `name`.
    pub fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.note(format!("{}/{}", self.pointer, escaped(name)), detail.into());
    }

    fn values(&mut self, name: &'static str, count_max: usize) -> Option<Vec<Value>> {
        self.take(name, |value| match value {
            Value::Array(values) if values.len() > count_max => {
                Err(format!("may hold at most {count_max} entries, not {}", values.len()))
            }
            Value::Array(values) => Ok(values),
            _ => Err("must be a list".to_owned()),
        })
    }

    fn inner<T>(&mut self, pointer: String, value: Value, read: impl FnOnce(&mut Fields) -> Option<T>) -> Option<T> {
        let Value::Object(map) = value else {
            self.note(pointer, "must be an object".to_owned());
            return None;
        };
        let mut fields = Fields::new(pointer, map);
        let value = read(&mut fields);
        fields.refuse_unknown();
        for FieldFault { pointer, detail } in fields.faults {
            self.note(pointer, detail);
        }
        value
    }

    /// Refuses what nobody took: a typo must not be passed over in silence.
    fn refuse_unknown(&mut self) {
        let known = match self.known.join(", ") {
            none if none.is_empty() => "no field is".to_owned(),
            known => format!("known are: {known}"),
        };
        for (name, _) in std::mem::take(&mut self.map) {
            self.fault(&name, format!("is not known here; {known}"));
        }
    }

    fn note(&mut self, pointer: String, detail: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(FieldFault { pointer, detail });
        }
    }
}

/// A stranger's field name as a part of a pointer, cut. RFC 6901 §3.
fn escaped(name: &str) -> String {
    let end = (0..=NAME_SHOWN_OCTETS.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name.get(..end).unwrap_or_default().replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(value: Value) -> Result<u64, String> {
        value.as_u64().ok_or_else(|| "must be a number".to_owned())
    }

    fn read(fields: &mut Fields) -> Option<()> {
        fields.need("a", number);
        fields.list("b", 2, number);
        fields.objects("c", 2, |inner| inner.need("d", number));
        fields.object("e", |inner| inner.take("f", number));
        fields.distinct("g", 3, number);
        Some(())
    }

    #[track_caller]
    fn check(why: &str, body: Value, expected: &[&str]) {
        let faults = match Json::of(body).read(read) {
            Ok(()) => Vec::new(),
            Err(problem) => problem.errors,
        };
        let shown: Vec<String> =
            faults.into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
        assert_eq!(shown, expected, "{why}");
    }

    #[test]
    fn all_faults_of_a_body_come_at_once_each_under_its_pointer() {
        check("a good body", json!({"a": 1, "b": [1], "c": [{"d": 1}], "e": {"f": 1}}), &[]);
        check("null is absent", json!({"a": 1, "b": null, "e": {"f": null}}), &[]);
        check("a needed field", json!({}), &["/a: is needed"]);
        check("a needed null", json!({"a": null}), &["/a: is needed"]);
        check("a list is too long", json!({"a": 1, "b": [1, 2, 3]}), &["/b: may hold at most 2 entries, not 3"]);
        check("no list", json!({"a": 1, "b": {}}), &["/b: must be a list"]);
        check("twice where that is nothing", json!({"a": 1, "b": [1, 1]}), &[]);
        check("twice", json!({"a": 1, "g": ["x", 1, 1]}), &["/g/0: must be a number", "/g/2: stands here twice"]);
        check("no object", json!({"a": 1, "c": [1], "e": []}), &["/c/0: must be an object", "/e: must be an object"]);
        check(
            "every fault, in the order of reading",
            json!({"a": "x", "b": [1, "y"], "c": [{"d": 1}, {}], "e": {"f": {}, "g": 1}, "h/~": 1}),
            &[
                "/a: must be a number",
                "/b/1: must be a number",
                "/c/1/d: is needed",
                "/e/f: must be a number",
                "/e/g: is not known here; known are: f",
                "/h~1~0: is not known here; known are: a, b, c, e, g",
            ],
        );
    }

    #[test]
    fn the_faults_of_one_body_are_bounded() {
        let many: Map<String, Value> =
            (0..1_000).map(|index| (format!("{index}{}", "ü".repeat(99)), json!(1))).collect();
        let problem = Json::of(Value::Object(many)).read(read).unwrap_err();
        assert_eq!(problem.errors.len(), FAULTS_MAX);
        assert!(problem.errors.iter().all(|fault| fault.pointer.len() <= NAME_SHOWN_OCTETS + 1));
    }

    #[test]
    fn a_change_tells_null_from_absent() {
        let change = |body| {
            let mut out = None;
            Json::of(body)
                .read(|fields| {
                    out = fields.change("a", number);
                    Some(())
                })
                .unwrap();
            out
        };
        assert_eq!(change(json!({})), None);
        assert_eq!(change(json!({"a": null})), Some(None));
        assert_eq!(change(json!({"a": 1})), Some(Some(1)));
    }
}
