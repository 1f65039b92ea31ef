//! `PUT /v1/mailboxes/{id}/warmup-stats/{date}` and `GET /v1/mailboxes/{id}/warmup-stats`.

use axum::Json;
use axum::extract::State;
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::field;
use crate::http::json::{self, Fields};
use crate::http::list::List;
use crate::http::problem::{Kind, Problem};
use crate::http::query::{NoQuery, Query};
use crate::service::{Error, Service, WarmupStatsRow};

/// What is known of a mailbox's day.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `stats` reads; tests hold the two together")]
#[schema(as = WarmupStatsGiven)]
pub(in crate::http) struct StatsSchema {
    /// How many mails it sent.
    #[schema(example = 10, minimum = 0, maximum = 1000000)]
    emails_sent: i32,
    /// How many mails it got.
    #[schema(example = 8, minimum = 0, maximum = 1000000)]
    emails_received: i32,
    /// The sender's score of its warm-up, 0 to 100.
    #[schema(example = 98.5, minimum = 0, maximum = 100)]
    warmup_score: Option<f64>,
    /// How much of its mail came to the inbox, 0 to 100 per cent.
    #[schema(example = 95, minimum = 0, maximum = 100)]
    inbox_rate: Option<f64>,
}

/// A day of a mailbox.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WarmupStats)]
pub(in crate::http) struct StatsBody {
    /// The day.
    #[schema(example = "2026-11-22")]
    date: NaiveDate,
    /// How many mails it sent.
    emails_sent: i32,
    /// How many mails it got.
    emails_received: i32,
    /// The sender's score of its warm-up, 0 to 100.
    warmup_score: Option<f64>,
    /// How much of its mail came to the inbox, 0 to 100 per cent.
    inbox_rate: Option<f64>,
}

impl StatsBody {
    fn of(row: WarmupStatsRow) -> StatsBody {
        let WarmupStatsRow { date, emails_sent, emails_received, warmup_score, inbox_rate } = row;
        StatsBody { date, emails_sent, emails_received, warmup_score, inbox_rate }
    }
}

/// Write what is known of a mailbox's day, over what was there.
///
/// Writing the same day again replaces all of it.
#[utoipa::path(put, path = "/v1/mailboxes/{id}/warmup-stats/{date}", tag = "mailboxes", params(
    ("id" = Uuid, Path, description = "The mailbox."),
    ("date" = String, Path, description = "The day, `YYYY-MM-DD`, tomorrow at the latest.", example = "2026-11-22"),
), request_body = StatsSchema, responses((status = 200, description = "The day as it stands now.", body = StatsBody)))]
pub(in crate::http) async fn warmup_stats_put(
    State(service): State<Service>,
    Known(caller): Known,
    At((id, date)): At<(Uuid, String)>,
    _: NoQuery,
    body: json::Json,
) -> Result<Json<StatsBody>, Problem> {
    let date = date_of(&date).map_err(|detail| Problem::because(Kind::NotFound, format!("the day {detail}")))?;
    let row = body.read(|fields| stats(fields, date))?;
    service.warmup_stats_put(&caller, id, &row).await?;
    Ok(Json(StatsBody::of(row)))
}

/// A mailbox's days, in order; the last 30 unless told. Days of which nobody wrote are left out.
///
/// Both ends of the range belong to it.
#[utoipa::path(get, path = "/v1/mailboxes/{id}/warmup-stats", tag = "mailboxes", params(
    ("id" = Uuid, Path, description = "The mailbox."),
    ("from" = Option<String>, Query, description = "The first day, `YYYY-MM-DD`.", example = "2026-11-01"),
    ("to" = Option<String>, Query, description = "The last day, `YYYY-MM-DD`; at most 366 days in all.", example = "2026-11-22"),
), responses((status = 200, description = "All days of the range.", body = List<StatsBody>)))]
pub(in crate::http) async fn warmup_stats_list(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    query: Query,
) -> Result<Json<List<StatsBody>>, Problem> {
    let (from, to) = days(query)?;
    match service.warmup_stats_list(&caller, id, from, to).await {
        Ok(rows) => Ok(Json(List::whole(rows.into_iter().map(StatsBody::of).collect()))),
        Err(error) => Err(refused(error)),
    }
}

/// The first and the last day that were asked for.
pub(super) fn days(mut query: Query) -> Result<(Option<NaiveDate>, Option<NaiveDate>), Problem> {
    let days = (query.take("from", date_of), query.take("to", date_of));
    query.end()?;
    Ok(days)
}

/// What is said where days were not given. A range that is none came in the query.
pub(super) fn refused(error: Error) -> Problem {
    match error {
        Error::Invalid(faults) => Problem::bad_query(faults.into_iter().map(Into::into).collect()),
        error => error.into(),
    }
}

fn stats(fields: &mut Fields, date: NaiveDate) -> Option<WarmupStatsRow> {
    let sent = fields.need("emails_sent", field::count);
    let received = fields.need("emails_received", field::count);
    let warmup_score = fields.take("warmup_score", field::percentage);
    let inbox_rate = fields.take("inbox_rate", field::percentage);
    let (emails_sent, emails_received) = sent.zip(received)?;
    Some(WarmupStatsRow { date, emails_sent, emails_received, warmup_score, inbox_rate })
}

/// A day as `YYYY-MM-DD`, and nothing else that looks like one.
fn date_of(text: &str) -> Result<NaiveDate, String> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    date.filter(|date| date.to_string() == text).ok_or_else(|| "must be a date such as 2026-11-22".to_owned())
}
