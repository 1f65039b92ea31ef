//! What was found and what happened: checks and events of a domain.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::list::List;
use crate::http::problem::{Kind, Problem};
use crate::http::query::{NoQuery, Query};
use crate::service::{CheckRow, EventRow, Service};

/// A check.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub(super) struct CheckBody {
    /// Its id.
    id: Uuid,
    /// When it was made.
    at: DateTime<Utc>,
    /// Why: `created`, `poll`, `verify`, `webhook` or `schedule`.
    #[schema(example = "created")]
    reason: &'static str,
    /// Whether all four were valid.
    all_valid: bool,
    /// The verdict on each record.
    #[schema(value_type = Vec<Object>)]
    verdicts: Value,
    /// What changed with it: `status` and `flags` from and to, and `bound`, the records that were staged and count from
    /// this check on.
    changes: Value,
    /// How many questions were asked.
    questions: u32,
    /// How long it took, in milliseconds.
    took_ms: u32,
}

impl CheckBody {
    fn of(row: CheckRow) -> CheckBody {
        CheckBody {
            id: row.id,
            at: row.at,
            reason: row.reason.as_str(),
            all_valid: row.all_valid,
            verdicts: row.verdicts,
            changes: row.changes,
            questions: row.questions,
            took_ms: row.took_ms,
        }
    }
}

/// A check, and what it rests on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckWithEvidence {
    #[serde(flatten)]
    check: CheckBody,
    /// Every question, who was asked, and what each answered. Text of strangers.
    evidence: Value,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(super) struct EventBody {
    /// Its id; stable over deliveries.
    id: Uuid,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "domain.verified")]
    kind: String,
    /// When.
    timestamp: DateTime<Utc>,
    /// Which check showed it; null when a person did it.
    check_id: Option<Uuid>,
    /// What it was about.
    #[schema(value_type = Object)]
    data: Value,
}

impl EventBody {
    fn of(row: EventRow) -> EventBody {
        let EventRow { id, domain_id: _, check_id, at, kind, body } = row;
        EventBody { id, kind, timestamp: at, check_id, data: body }
    }
}

/// A domain's checks, the newest first.
///
/// Each with its verdicts, why it was made, and what it changed.
#[utoipa::path(get, path = "/v1/domains/{id}/checks", tag = "records", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 unless given.", minimum = 1, maximum = 200),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
), responses((status = 200, description = "One page.", body = List<CheckBody>)))]
pub(super) async fn checks(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    mut query: Query,
) -> Result<Json<List<CheckBody>>, Problem> {
    let (limit, before) = (query.limit(), query.cursor_id());
    let list = query.end()?;
    let page = service.checks(&caller, id, before, limit).await?;
    Ok(Json(List::of(page, |id| list.cursor_of_id(id), CheckBody::of)))
}

/// One check, with its evidence.
///
/// The evidence is what DNS said, so that a verdict can be judged again.
#[utoipa::path(get, path = "/v1/domains/{id}/checks/{check_id}", tag = "records", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("check_id" = Uuid, Path, description = "The check."),
), responses((status = 200, description = "The check.", body = CheckWithEvidence)))]
pub(super) async fn check(
    State(service): State<Service>,
    Known(caller): Known,
    At((id, check_id)): At<(Uuid, Uuid)>,
    _: NoQuery,
) -> Result<Json<CheckWithEvidence>, Problem> {
    let view = service.check(&caller, id, check_id).await?;
    let evidence = serde_json::from_str(&view.evidence).map_err(|fault| Problem {
        cause: Some(format!("the evidence of check {check_id} is no JSON: {fault}")),
        ..Problem::new(Kind::Internal)
    })?;
    Ok(Json(CheckWithEvidence { check: CheckBody::of(view.row), evidence }))
}

/// What happened to a domain, the newest first.
///
/// The same events that webhooks are told.
#[utoipa::path(get, path = "/v1/domains/{id}/events", tag = "records", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 unless given.", minimum = 1, maximum = 200),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
), responses((status = 200, description = "One page.", body = List<EventBody>)))]
pub(super) async fn events(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    mut query: Query,
) -> Result<Json<List<EventBody>>, Problem> {
    let (limit, before) = (query.limit(), query.cursor_id());
    let list = query.end()?;
    let page = service.events(&caller, id, before, limit).await?;
    Ok(Json(List::of(page, |id| list.cursor_of_id(id), EventBody::of)))
}
