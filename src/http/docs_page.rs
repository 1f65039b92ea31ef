//! `/docs`: the API reference as one page, made from the OpenAPI document itself. It needs no network and no script.
//!
//! What stands in the document is text and is escaped; `code` between backquotes is marked, and a kind of problem that
//! is named so leads to its page.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::http::markup::marked_with;
use crate::http::openapi::example;
use crate::http::problem::{Kind, Problem};

/// The page's one style sheet.
const STYLE: &str = include_str!("../../templates/docs.css");

/// Nothing is loaded but our own style sheet; there is no script, no form, no frame.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The methods, in the order in which a path's operations are shown.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

#[derive(Template)]
#[template(path = "docs.html")]
struct Page {
    title: String,
    version: String,
    description: Vec<String>,
    groups: Vec<Group>,
    schemas: Vec<Schema>,
    problems: Vec<ProblemRow>,
}

struct Group {
    name: String,
    description: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: Vec<String>,
    needs_key: bool,
    parameters: Vec<Parameter>,
    request: Vec<Body>,
    answers: Vec<Answer>,
}

struct Parameter {
    name: String,
    place: String,
    kind: String,
    is_required: bool,
    description: String,
}

struct Body {
    media_type: String,
    schema: String,
    example: String,
}

struct Answer {
    status: String,
    description: String,
    bodies: Vec<Body>,
}

struct Schema {
    name: String,
    description: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: String,
    schema: String,
    description: String,
}

struct ProblemRow {
    kind: &'static str,
    status: u16,
    title: &'static str,
}

/// `GET /docs`.
///
/// # Errors
///
/// `internal` when the page cannot be made, which is a fault of this build.
pub(super) async fn page() -> Result<Response, Problem> {
    static MADE: OnceLock<Option<String>> = OnceLock::new();
    let made = MADE.get_or_init(|| html(&serde_json::to_value(crate::http::openapi()).ok()?).ok());
    let html = made.as_deref().ok_or_else(|| Problem {
        cause: Some("the template of /docs could not be filled".to_owned()),
        ..Problem::new(Kind::Internal)
    })?;
    Ok(with_headers("text/html; charset=utf-8", html))
}

/// `GET /docs/style.css`.
pub(super) async fn style() -> Response {
    with_headers("text/css; charset=utf-8", STYLE)
}

fn with_headers(content_type: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A new version may describe other things; the page is small and seldom asked for.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

/// The page of a document.
fn html(document: &Value) -> Result<String, askama::Error> {
    let schemas = document.pointer("/components/schemas").unwrap_or(&Value::Null);
    let mut tagged: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for (path, item) in entries(document.get("paths")) {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                let tag = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or("others");
                tagged.entry(tag.to_owned()).or_default().push(self::operation(document, path, method, operation));
            }
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    for tag in items(document.get("tags")) {
        let name = text(tag, "name");
        let operations = tagged.remove(&name).unwrap_or_default();
        groups.push(Group { description: marked(&text(tag, "description")), operations, name });
    }
    // A tag that nobody described is shown all the same.
    let rest = tagged.into_iter().map(|(name, operations)| Group { name, description: String::new(), operations });
    groups.extend(rest);
    let info = document.get("info").unwrap_or(&Value::Null);
    let page = Page {
        title: text(info, "title"),
        version: text(info, "version"),
        description: paragraphs(&text(info, "description")),
        groups,
        schemas: entries(Some(schemas)).map(|(name, schema)| self::schema(name, schema)).collect(),
        problems: Kind::ALL.into_iter().map(problem_row).collect(),
    };
    page.render()
}

fn problem_row(kind: Kind) -> ProblemRow {
    let (status, word, title) = kind.row();
    ProblemRow { kind: word, status: status.as_u16(), title }
}

fn operation(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let request = operation.get("requestBody").unwrap_or(&Value::Null);
    Operation {
        id: text(operation, "operationId"),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: marked(&text(operation, "summary")),
        description: paragraphs(&text(operation, "description")),
        // `security: [{}]` says that none is needed.
        needs_key: operation.get("security") != Some(&serde_json::json!([{}])),
        parameters: items(operation.get("parameters")).map(parameter).collect(),
        request: bodies(document, request),
        answers: entries(operation.get("responses"))
            .map(|(status, response)| answer(document, status, followed(document, response)))
            .collect(),
    }
}

fn parameter(parameter: &Value) -> Parameter {
    Parameter {
        name: text(parameter, "name"),
        place: text(parameter, "in"),
        kind: kind(parameter.get("schema").unwrap_or(&Value::Null)).0,
        is_required: parameter.get("required") == Some(&Value::Bool(true)),
        description: marked(&text(parameter, "description")),
    }
}

fn answer(document: &Value, status: &str, response: &Value) -> Answer {
    Answer {
        status: status.to_owned(),
        description: marked(&text(response, "description")),
        bodies: bodies(document, response),
    }
}

/// What a reference leads to, or the thing itself.
fn followed<'d>(document: &'d Value, thing: &'d Value) -> &'d Value {
    let pointer = thing.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(thing)
}

fn bodies(document: &Value, of: &Value) -> Vec<Body> {
    let schemas = document.pointer("/components/schemas").unwrap_or(&Value::Null);
    let body = |(media_type, content): (&str, &Value)| {
        let schema = content.get("schema").unwrap_or(&Value::Null);
        let example = content.get("example").cloned().unwrap_or_else(|| example::of(schema, schemas));
        // What is no JSON has no example that would help.
        let shown = media_type.ends_with("json").then(|| serde_json::to_string_pretty(&example).unwrap_or_default());
        Body { media_type: media_type.to_owned(), schema: kind(schema).1, example: shown.unwrap_or_default() }
    };
    entries(of.get("content")).map(body).collect()
}

fn schema(name: &str, schema: &Value) -> Schema {
    let required: Vec<&str> = items(schema.get("required")).filter_map(Value::as_str).collect();
    let field = |(name, field): (&str, &Value)| {
        let (mut kind, schema) = kind(field);
        if required.contains(&name) {
            kind.push_str(", always there");
        }
        let choice = example::choice(field).unwrap_or(field);
        let said = [field, choice].into_iter().map(|of| text(of, "description")).find(|text| !text.is_empty());
        Field { name: name.to_owned(), kind, schema, description: marked(&said.unwrap_or_default()) }
    };
    Schema {
        name: name.to_owned(),
        description: marked(&text(schema, "description")),
        fields: entries(schema.get("properties")).map(field).collect(),
    }
}

/// The type of a schema in words, and the name of the schema that it leads to, or nothing.
fn kind(schema: &Value) -> (String, String) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = example::name(reference).to_owned();
        return (name.clone(), name);
    }
    if let Some(choice) = example::choice(schema) {
        let (kind, name) = kind(choice);
        return (format!("{kind} or null"), name);
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec!["any"],
    };
    let (items, name) = schema.get("items").map(kind).unwrap_or_default();
    let words: Vec<String> = types
        .into_iter()
        .map(|word| match word {
            "array" => format!("list of {items}"),
            word => word.to_owned(),
        })
        .collect();
    let format = schema.get("format").and_then(Value::as_str).map(|format| format!(" ({format})")).unwrap_or_default();
    (format!("{}{format}{}", words.join(" or "), bounds(schema)), name)
}

fn bounds(schema: &Value) -> String {
    let said = [("minimum", "from"), ("maximum", "to"), ("maxLength", "characters up to"), ("maxItems", "at most")];
    let words: Vec<String> =
        said.into_iter().filter_map(|(name, word)| schema.get(name).map(|bound| format!("{word} {bound}"))).collect();
    if words.is_empty() { String::new() } else { format!(", {}", words.join(" ")) }
}

fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn entries(of: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    of.and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn items(of: Option<&Value>) -> impl Iterator<Item = &Value> {
    of.and_then(Value::as_array).into_iter().flatten()
}

fn paragraphs(text: &str) -> Vec<String> {
    text.split("\n\n").filter(|part| !part.trim().is_empty()).map(marked).collect()
}

/// Escaped text, with `code` marked, and kinds of problems linked.
fn marked(text: &str) -> String {
    marked_with(text, |word| Kind::parse(word).map(|kind| format!("problems/{}", kind.as_str())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_is_escaped() {
        let evil = "<script>alert(1)</script>";
        let document = json!({
            "info": {"title": evil, "version": "1", "description": evil},
            "tags": [{"name": "t", "description": evil}],
            "components": {"schemas": {"S": {"description": evil, "properties": {evil: {"type": "string", "example": evil, "description": evil}}}}},
            "paths": {format!("/{evil}"): {"get": {"tags": ["t"], "operationId": evil, "summary": evil, "description": evil,
                "parameters": [{"name": evil, "in": evil, "description": evil, "schema": {"type": "string"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S"}}}},
                "responses": {evil: {"description": evil, "content": {"application/json": {"example": evil}}}}}}},
        });
        let made = html(&document).unwrap();
        assert!(!made.contains("<script"), "{made}");
        assert!(made.matches("script").count() >= 20, "it is shown all the same");
    }

    #[test]
    fn words_are_marked_and_kinds_are_linked() {
        assert_eq!(marked("a `b<c` d"), "a <code>b&lt;c</code> d");
        assert_eq!(marked("`not-ready`: why"), "<a href=\"problems/not-ready\"><code>not-ready</code></a>: why");
    }
}
