//! The OpenAPI document: made from the handlers, completed here with what all of them share.

pub(in crate::http) mod example;
mod strict;
pub(in crate::http) mod words;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::Json;
use axum::response::IntoResponse;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

use crate::http::idempotency::{KEY_OCTETS_MAX, REPLAYED};
use crate::http::problem::{FieldFault, Kind, MEDIA_TYPE, ProblemBody};

/// The name of the key's security scheme.
const KEY: &str = "api-key";

/// What stands before every path.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "sendready",
        description = "Tells whether an email domain may send, and exactly what to publish where if not.\n\n\
            Every refusal is `application/problem+json` (RFC 9457); its `type` is a path that explains it. Unknown JSON \
            fields are refused. Bodies may have 1 MiB. Every answer carries `x-request-id`. Times are RFC 3339 in UTC.\n\n\
            Where a key is limited, every answer to it carries `RateLimit-Policy` and `RateLimit` \
            (draft-ietf-httpapi-ratelimit-headers-10): `q` requests may come at once and fill again over `w` seconds; `r` \
            are left, and all are there again in `t` seconds. One too many is a 429 with `Retry-After`. A long poll \
            or a stream counts once.",
    ),
    tags(
        (name = "clients", description = "Clients, their tiers and what they use."),
        (name = "domains", description = "Domains: registered, found, changed, deleted."),
        (name = "records", description = "What to publish, what is there, and what happened."),
        (name = "webhooks", description = "Told when something happens, and told when DNS changed."),
        (name = "mailboxes", description = "Mailboxes, their warm-up, what they may send and what they sent."),
        (name = "operations", description = "How the service fares."),
    ),
    components(schemas(ProblemBody, FieldFault)),
)]
pub(super) struct Api;

/// Adds what all operations share: the key, the problems, the headers.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    let mut components = api.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
    let scheme = SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("sr_…").build());
    components.security_schemes.insert(KEY.to_owned(), RefOr::T(scheme));
    strict::refuse_unknown(&api, &mut components.schemas);
    // Schemas are plain data: that they become JSON cannot fail, and without them there would only be no examples.
    let schemas = serde_json::to_value(&components.schemas).unwrap_or_default();
    let mut responses = Responses::new();
    api.security = Some(vec![SecurityRequirement::new(KEY, Vec::<String>::new())]);
    for (path, item) in &mut api.paths.paths {
        let is_open = !path.starts_with("/v1/");
        for operation in [&mut item.get, &mut item.put, &mut item.patch, &mut item.delete] {
            operation.iter_mut().for_each(|operation| {
                share(operation, &always(path, is_open, operation.request_body.is_some()), &mut responses);
            });
        }
        if let Some(operation) = &mut item.post {
            // Every POST reads a body, if only to find it empty.
            let mut kinds = always(path, is_open, true);
            kinds.extend([Kind::BadHeader, Kind::IdempotencyKeyRunning, Kind::IdempotencyKeyReused]);
            share(operation, &kinds, &mut responses);
            add_idempotency_key(operation);
            add_replayed(operation);
        }
        let all = [&mut item.get, &mut item.put, &mut item.patch, &mut item.delete, &mut item.post];
        all.into_iter().flatten().for_each(|operation| add_examples(operation, &schemas));
    }
    components.responses.extend(responses);
    api.components = Some(components);
    api
}

/// What a path names, and the refusal where it is not there, or another client's.
const THINGS: [(&str, Kind); 8] = [
    ("/clients/{id}", Kind::NoSuchClient),
    ("/domains/{id}", Kind::NoSuchDomain),
    ("/by-name/{domain}", Kind::NoSuchDomain),
    ("/checks/{check_id}", Kind::NoSuchCheck),
    ("/mailboxes/{id}", Kind::NoSuchMailbox),
    ("/setup-links/{link_id}", Kind::NoSuchSetupLink),
    ("/webhook-endpoints/{id}", Kind::NoSuchWebhookEndpoint),
    ("/deliveries/{delivery_id}", Kind::NoSuchDelivery),
];

/// The answers that several operations share, by their names.
type Responses = BTreeMap<String, RefOr<Response>>;

/// One answer for the kinds of problems of one status.
fn problem_response(kinds: &[Kind]) -> Response {
    let said: Vec<String> = kinds.iter().map(|kind| format!("`{}`: {}.", kind.as_str(), kind.row().2)).collect();
    let example = kinds.first().map(|kind| {
        let (status, word, title) = kind.row();
        serde_json::json!({"type": format!("/problems/{word}"), "title": title, "status": status.as_u16()})
    });
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).example(example).build();
    let mut response = ResponseBuilder::new().description(said.join(" ")).content(MEDIA_TYPE, content);
    if kinds.iter().any(|kind| matches!(kind, Kind::Unavailable | Kind::TooManyRequests)) {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait.")).build();
        response = response.header("retry-after", header);
    }
    response.build()
}

/// The problems that an operation can always meet.
fn always(path: &str, is_open: bool, reads_body: bool) -> Vec<Kind> {
    // Also where nobody reads a body: what is announced is refused before anybody is asked.
    let mut kinds = vec![Kind::BodyTooLarge];
    if is_open {
        return kinds;
    }
    kinds.extend([Kind::Unauthorized, Kind::Forbidden, Kind::TooManyRequests, Kind::Internal, Kind::Unavailable]);
    if path.contains('{') {
        kinds.extend(THINGS.iter().filter(|(part, _)| path.contains(part)).map(|(_, kind)| *kind));
        kinds.push(Kind::NotFound);
    }
    if reads_body {
        kinds.extend([Kind::BadJson, Kind::RequestTimeout, Kind::UnsupportedMediaType, Kind::Invalid]);
    }
    kinds.push(Kind::BadQuery);
    kinds
}

/// Adds problems to an operation: an answer for each status that it does not describe, and a word where it does.
fn share(operation: &mut Operation, kinds: &[Kind], responses: &mut Responses) {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in kinds {
        by_status.entry(kind.status().as_u16()).or_default().push(*kind);
    }
    for (status, kinds) in by_status {
        match operation.responses.responses.entry(status.to_string()) {
            Entry::Vacant(place) => {
                let name = kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(".");
                let response = RefOr::Ref(Ref::from_response_name(&name));
                responses.entry(name).or_insert_with(|| RefOr::T(problem_response(&kinds)));
                place.insert(response);
            }
            Entry::Occupied(mut place) => {
                if let RefOr::T(own) = place.get_mut() {
                    add_words(own, &kinds);
                }
            }
        }
    }
}

/// Says of an operation's own answer which kinds of problems it may hold beside those that it names.
fn add_words(own: &mut Response, kinds: &[Kind]) {
    // That nothing is at a path is what an operation's own 404 says more precisely.
    for kind in kinds.iter().filter(|kind| **kind != Kind::NotFound) {
        let (_, word, title) = kind.row();
        if !own.description.contains(&format!("`{word}`")) {
            own.description.push_str(&format!(" `{word}`: {title}."));
        }
    }
}

/// The operations that also work without their body; where it is described, it is taken to be needed.
const OPTIONAL_BODIES: [&str; 1] = ["setup_link_create"];

/// Gives each body of a request the example that its schema makes, where it has none of its own.
fn add_examples(operation: &mut Operation, schemas: &Value) {
    // A body that is only referred to has its example where it stands.
    let may_be_left_out = operation.operation_id.as_deref().is_some_and(|id| OPTIONAL_BODIES.contains(&id));
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    if may_be_left_out {
        body.required = Some(Required::False);
    }
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        if content.example.is_none() {
            let schema = serde_json::to_value(&content.schema).unwrap_or_default();
            content.example = Some(example::of_request(&schema, schemas));
        }
    }
}

fn add_idempotency_key(operation: &mut Operation) {
    let parameter = ParameterBuilder::new()
        .name("idempotency-key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("A key of your choice, new for every request: a repeat within 48 hours gives the first answer and does nothing."))
        .schema(Some(visible(KEY_OCTETS_MAX)))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

/// A text of 1 to `octets_max` visible ASCII characters.
pub(in crate::http) fn visible(octets_max: usize) -> Object {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]+$"));
    text.min_length(Some(1)).max_length(Some(octets_max)).build()
}

/// Says how a repeat is told from the first answer.
fn add_replayed(operation: &mut Operation) {
    let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"])).build();
    let said = "`true` where the `Idempotency-Key` came before: this is the first answer again.";
    let header = HeaderBuilder::new().schema(Some(text)).description(Some(said)).build();
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            response.headers.insert(REPLAYED.as_str().to_owned(), header.clone().into());
        }
    }
}

/// `GET /openapi.json`.
pub(super) async fn document() -> impl IntoResponse {
    Json(crate::http::openapi())
}
