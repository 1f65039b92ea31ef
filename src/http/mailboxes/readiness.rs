//! `GET /v1/mailboxes/{id}/readiness` and `GET /v1/domains/{id}/readiness`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::sending::reason::Reason;
use crate::service::Service;
use crate::service::readiness::ReadinessView;

/// What may be done today, and why not more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(in crate::http) struct ReadinessBody {
    /// Whether it may send. How many is `daily_limit`'s to say.
    may_send: bool,
    /// Whether it may be warmed up: DMARC and MX do not count.
    may_warm_up: bool,
    /// Every reason against either, and for a lower limit.
    reasons: Vec<ReasonBody>,
    /// How many mails today in all: the smaller of its own limit and what the domain still allows.
    #[schema(example = 20)]
    daily_limit: u32,
    /// How many of them are sent.
    #[schema(example = 3)]
    used_today: u32,
    /// When the next UTC day begins.
    resets_at: DateTime<Utc>,
}

/// Why something may not be done, or less of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reason)]
pub(in crate::http) struct ReasonBody {
    /// The code. Never changes once released.
    #[schema(example = "dns.dkim-missing")]
    code: &'static str,
    /// Whether it is against sending.
    closes_sending: bool,
    /// Whether it is against warm-up.
    closes_warm_up: bool,
    /// What is so, for people.
    message: String,
    /// What would lift it, for people.
    fix: &'static str,
}

impl ReadinessBody {
    fn of(view: ReadinessView) -> ReadinessBody {
        let ReadinessView { readiness, resets_at } = view;
        let body = |reason: Reason| ReasonBody {
            code: reason.code(),
            closes_sending: reason.closes_sending(),
            closes_warm_up: reason.closes_warm_up(),
            message: reason.message(),
            fix: reason.fix(),
        };
        ReadinessBody {
            may_send: readiness.may_send,
            may_warm_up: readiness.may_warm_up,
            reasons: readiness.reasons.into_iter().map(body).collect(),
            daily_limit: readiness.daily_limit,
            used_today: readiness.used_today,
            resets_at,
        }
    }
}

/// May this mailbox send today, how much, and if not, why.
///
/// Every reason has a code, and says what would lift it.
#[utoipa::path(get, path = "/v1/mailboxes/{id}/readiness", tag = "mailboxes", params(("id" = Uuid, Path, description = "The mailbox.")),
    responses((status = 200, description = "What it may.", body = ReadinessBody)))]
pub(in crate::http) async fn mailbox_readiness(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<Json<ReadinessBody>, Problem> {
    Ok(Json(ReadinessBody::of(service.mailbox_readiness(&caller, id).await?)))
}

/// May this domain's mailboxes send today, how much in all, and if not, why.
///
/// Counts all of its mailboxes together; a single one may be stopped for reasons of its own.
#[utoipa::path(get, path = "/v1/domains/{id}/readiness", tag = "mailboxes", params(("id" = Uuid, Path, description = "The domain.")),
    responses((status = 200, description = "What it may.", body = ReadinessBody)))]
pub(in crate::http) async fn domain_readiness(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<Json<ReadinessBody>, Problem> {
    Ok(Json(ReadinessBody::of(service.domain_readiness(&caller, id).await?)))
}
