//! `GET /v1/domains/{id}/warmup-stats` and `GET /v1/clients/{id}/warmup-stats`: what mailboxes told, together.

use axum::Json;
use axum::extract::State;
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::mailboxes::stats::{days, refused};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::sending::rollup::Sums;
use crate::service::Service;
use crate::service::warmup_stats::RollupView;

/// What mailboxes told of some days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WarmupRollup)]
pub(in crate::http) struct RollupBody {
    /// The first day that was asked for.
    #[schema(example = "2026-11-01")]
    from: NaiveDate,
    /// The last day that was asked for.
    #[schema(example = "2026-11-22")]
    to: NaiveDate,
    /// All days of `data` together.
    total: SumsBody,
    /// Each day of which some mailbox told, in order.
    data: Vec<RollupDayBody>,
    /// Always null: all days stand in `data`.
    next_cursor: Option<String>,
}

/// What mailboxes told of one day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WarmupRollupDay)]
pub(in crate::http) struct RollupDayBody {
    /// The day, by UTC.
    #[schema(example = "2026-11-22")]
    date: NaiveDate,
    #[serde(flatten)]
    sums: SumsBody,
}

/// What mailboxes told, together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WarmupSums)]
pub(in crate::http) struct SumsBody {
    /// How many mailboxes told something.
    #[schema(example = 3)]
    mailboxes: i64,
    /// How many mails they sent.
    #[schema(example = 30)]
    emails_sent: i64,
    /// How many mails they got.
    #[schema(example = 24)]
    emails_received: i64,
    /// How much of their mail came to the inbox, 0 to 100 per cent: the average of those that told it, each as heavy as what it
    /// sent. Null: nobody who sent mail told it.
    #[schema(example = 96.67)]
    inbox_rate: Option<f64>,
    /// The average of the warm-up scores that were given, 0 to 100, each as heavy as any other. Null: none was.
    #[schema(example = 98.5)]
    warmup_score: Option<f64>,
}

impl SumsBody {
    fn of(sums: &Sums) -> SumsBody {
        SumsBody {
            mailboxes: sums.mailboxes,
            emails_sent: sums.emails_sent,
            emails_received: sums.emails_received,
            inbox_rate: sums.inbox_rate(),
            warmup_score: sums.warmup_score(),
        }
    }
}

impl RollupBody {
    fn of(view: RollupView) -> RollupBody {
        let RollupView { from, to, rollup } = view;
        let day = |(date, sums): (NaiveDate, Sums)| RollupDayBody { date, sums: SumsBody::of(&sums) };
        let total = SumsBody::of(&rollup.total);
        RollupBody { from, to, total, data: rollup.days.into_iter().map(day).collect(), next_cursor: None }
    }
}

/// What all mailboxes of a domain told of their days, day by day and in total; the last 30 days unless told.
///
/// Deleted mailboxes count, too: what they sent was sent. Both ends of the range belong to it.
#[utoipa::path(get, path = "/v1/domains/{id}/warmup-stats", tag = "domains", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("from" = Option<String>, Query, description = "The first day, `YYYY-MM-DD`.", example = "2026-11-01"),
    ("to" = Option<String>, Query, description = "The last day, `YYYY-MM-DD`; at most 366 days in all.", example = "2026-11-22"),
), responses((status = 200, description = "The days of the range of which some mailbox told, and their total.", body = RollupBody)))]
pub(in crate::http) async fn domain_warmup_stats(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    query: Query,
) -> Result<Json<RollupBody>, Problem> {
    let (from, to) = days(query)?;
    let view = service.warmup_rollup_of_domain(&caller, id, from, to).await;
    view.map(|view| Json(RollupBody::of(view))).map_err(refused)
}

/// What all mailboxes of a client told of their days, day by day and in total; the last 30 days unless told.
///
/// Of all its domains, each mailbox with the client that has it now. Deleted ones count, too: what they sent was sent. Both
/// ends of the range belong to it.
#[utoipa::path(get, path = "/v1/clients/{id}/warmup-stats", tag = "clients", params(
    ("id" = Uuid, Path, description = "The client."),
    ("from" = Option<String>, Query, description = "The first day, `YYYY-MM-DD`.", example = "2026-11-01"),
    ("to" = Option<String>, Query, description = "The last day, `YYYY-MM-DD`; at most 366 days in all.", example = "2026-11-22"),
), responses((status = 200, description = "The days of the range of which some mailbox told, and their total.", body = RollupBody)))]
pub(in crate::http) async fn client_warmup_stats(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    query: Query,
) -> Result<Json<RollupBody>, Problem> {
    let (from, to) = days(query)?;
    let view = service.warmup_rollup_of_client(&caller, id, from, to).await;
    view.map(|view| Json(RollupBody::of(view))).map_err(refused)
}
