//! The OpenAPI document: made from the handlers, completed here with what all of them share.

use axum::Json;
use axum::response::IntoResponse;
use utoipa::ToSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder};

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
    for kind in shared() {
        components.responses.insert(kind.as_str().to_owned(), RefOr::T(problem_response(kind)));
    }
    api.components = Some(components);
    api.security = Some(vec![SecurityRequirement::new(KEY, Vec::<String>::new())]);
    for (path, item) in &mut api.paths.paths {
        let is_open = !path.starts_with("/v1/");
        for operation in [&mut item.get, &mut item.put, &mut item.patch, &mut item.delete] {
            operation.iter_mut().for_each(|operation| share(operation, path, is_open));
        }
        if let Some(operation) = &mut item.post {
            share(operation, path, is_open);
            add_idempotency_key(operation);
        }
    }
    api
}

/// The problems that several operations share.
fn shared() -> [Kind; 12] {
    [
        Kind::BadJson,
        Kind::BadQuery,
        Kind::Unauthorized,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::RequestTimeout,
        Kind::BodyTooLarge,
        Kind::UnsupportedMediaType,
        Kind::Invalid,
        Kind::TooManyRequests,
        Kind::Internal,
        Kind::Unavailable,
    ]
}

fn problem_response(kind: Kind) -> utoipa::openapi::Response {
    let (status, word, title) = kind.row();
    let example = serde_json::json!({"type": format!("/problems/{word}"), "title": title, "status": status.as_u16()});
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).example(Some(example)).build();
    let mut response = ResponseBuilder::new().description(format!("`{word}`: {title}.")).content(MEDIA_TYPE, content);
    if matches!(kind, Kind::Unavailable | Kind::TooManyRequests) {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait.")).build();
        response = response.header("retry-after", header);
    }
    response.build()
}

/// Adds the problems that an operation can always meet.
fn share(operation: &mut Operation, path: &str, is_open: bool) {
    if is_open {
        return;
    }
    let mut kinds = vec![Kind::Unauthorized, Kind::Forbidden, Kind::TooManyRequests, Kind::Internal, Kind::Unavailable];
    if path.contains('{') {
        kinds.push(Kind::NotFound);
    }
    if operation.request_body.is_some() {
        kinds.extend([Kind::BadJson, Kind::RequestTimeout, Kind::BodyTooLarge]);
        kinds.extend([Kind::UnsupportedMediaType, Kind::Invalid]);
    }
    kinds.push(Kind::BadQuery);
    for kind in kinds {
        let response = RefOr::Ref(Ref::from_response_name(kind.as_str()));
        operation.responses.responses.entry(kind.status().as_u16().to_string()).or_insert(response);
    }
}

fn add_idempotency_key(operation: &mut Operation) {
    let parameter = ParameterBuilder::new()
        .name("idempotency-key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("A key of your choice, new for every request: a repeat within 48 hours gives the first answer and does nothing."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255)).build()))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

/// `GET /openapi.json`.
pub(super) async fn document() -> impl IntoResponse {
    Json(crate::http::openapi())
}
