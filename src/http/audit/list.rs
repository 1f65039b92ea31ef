//! `GET /v1/audit`: who changed what.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::Operator;
use crate::http::list::List;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::service::Service;
use crate::service::audit::{Actor, AuditFilter, AuditRow};

/// The longest operation that is looked for, in characters.
const OPERATION_CHARACTERS_MAX: usize = 64;

/// One change, or the attempt at one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditLine)]
pub(in crate::http) struct AuditBody {
    /// The id.
    id: Uuid,
    /// When it began, by the database's clock.
    at: String,
    /// `operator`, `client`, `setup-link` or `command-line`.
    #[schema(example = "operator")]
    actor: &'static str,
    /// The key or setup link; null for the command line.
    key_id: Option<Uuid>,
    /// The key's name then.
    #[schema(example = "night shift")]
    key_name: Option<String>,
    /// Whose key that is; null for an operator's.
    client_id: Option<Uuid>,
    /// What: the `operationId` here, or the command.
    #[schema(example = "domain_change")]
    operation: String,
    /// To what: the request's path.
    #[schema(example = "/v1/domains/0198a3c0-0000-7000-8000-000000000001")]
    path: String,
    /// Which domain; null where it concerns none.
    domain_id: Option<Uuid>,
    /// Its name then.
    #[schema(example = "example.com")]
    domain: Option<String>,
    /// What was made; null where nothing was.
    made_id: Option<Uuid>,
    /// The names of the fields that came, never their values.
    #[schema(example = json!(["status"]))]
    fields: Vec<String>,
    /// `x-request-id` of the answer.
    request_id: Option<String>,
    /// The address at the other end of the connection.
    #[schema(example = "192.0.2.7")]
    peer: Option<String>,
    /// `done`, `refused` (nothing changed), `failed` (a fault of ours; it may have changed), or `begun`: nobody lived
    /// to tell what came of it.
    #[schema(example = "done")]
    outcome: &'static str,
    /// The status of the answer; null for the command line, and while it is `begun`.
    #[schema(example = 200)]
    status: Option<u16>,
}

impl AuditBody {
    fn of(row: AuditRow) -> AuditBody {
        AuditBody {
            id: row.id,
            at: row.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            actor: row.actor.as_str(),
            key_id: row.key_id,
            key_name: row.key_name,
            client_id: row.client_id,
            operation: row.operation,
            path: row.path,
            domain_id: row.domain_id,
            domain: row.domain,
            made_id: row.made_id,
            fields: row.fields.split_whitespace().map(str::to_owned).collect(),
            request_id: row.request_id,
            peer: row.peer,
            outcome: row.outcome.as_str(),
            status: row.status,
        }
    }
}

/// Who changed what, the newest first. Operators only.
///
/// Every request that may change something is here, by whichever key, also when it was refused; and what was done to keys at the
/// command line. Left out is what machines do all day: `sends`, `verify`, warm-up statistics and webhooks that come in.
#[utoipa::path(get, path = "/v1/audit", tag = "operations", params(
    ("actor" = Option<String>, Query, description = "Only this actor: the id of a key or setup link, or `operator`, `client`, `setup-link`, `command-line`."),
    ("domain_id" = Option<Uuid>, Query, description = "Only what concerns this domain, its mailboxes and setup links included."),
    ("operation" = Option<String>, Query, description = "Only this operation, such as `domain_change`.", max_length = 64),
    ("since" = Option<DateTime<Utc>>, Query, description = "Only what began since then."),
    ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 unless given.", minimum = 1, maximum = 200),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
), responses((status = 200, description = "One page.", body = List<AuditBody>)))]
pub(in crate::http) async fn audit_list(
    State(service): State<Service>,
    Operator(caller): Operator,
    mut query: Query,
) -> Result<Json<List<AuditBody>>, Problem> {
    let by = query.take("actor", actor);
    let filter = AuditFilter {
        actor: by.and_then(Result::ok),
        key_id: by.and_then(Result::err),
        domain_id: query.take("domain_id", |text| text.parse().map_err(|_| "must be a UUID".to_owned())),
        operation: query.take("operation", operation),
        since: query.take("since", time),
    };
    let (limit, before) = (query.limit(), query.cursor_id());
    let list = query.end()?;
    let page = service.audit_list(&caller, &filter, before, limit).await?;
    Ok(Json(List::of(page, |id| list.cursor_of_id(id), AuditBody::of)))
}

/// A kind of actor, or else a key.
fn actor(text: &str) -> Result<Result<Actor, Uuid>, String> {
    let words = Actor::ALL.map(Actor::as_str).join(", ");
    match (Actor::parse(text), text.parse()) {
        (Some(actor), _) => Ok(Ok(actor)),
        (None, Ok(id)) => Ok(Err(id)),
        (None, Err(_)) => Err(format!("must be the id of a key or setup link, or one of {words}")),
    }
}

fn operation(text: &str) -> Result<String, String> {
    let is_word = |text: &str| {
        (1..=OPERATION_CHARACTERS_MAX).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_')
    };
    if is_word(text) { Ok(text.to_owned()) } else { Err("must be an operation, such as `domain_change`".to_owned()) }
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
    time.map_err(|_| {
        // In a query a `+` is a space, so `+01:00` comes as ` 01:00`.
        let plus = if text.contains(' ') { "; a `+` in a query must be written `%2B`" } else { "" };
        format!("must be a time as RFC 3339 writes it, such as `2026-01-31T12:00:00Z`{plus}")
    })
}
