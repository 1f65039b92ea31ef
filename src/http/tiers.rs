//! What tiers allow, and how warm-up goes: the seed's two tables.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::caller::Known;
use crate::http::list::List;
use crate::http::query::NoQuery;
use crate::sending::tier::Tier;
use crate::sending::warmup::{SCHEDULE, Stretch};

/// What a tier allows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tier)]
pub(super) struct TierBody {
    /// `ignition`, `velocity` or `dominance`.
    #[schema(example = "ignition")]
    name: &'static str,
    /// How many living domains.
    #[schema(example = 2)]
    domains: u32,
    /// How many living mailboxes.
    #[schema(example = 3)]
    mailboxes: u32,
    /// How many dedicated addresses.
    #[schema(example = 1)]
    dedicated_ips: u32,
}

/// A stretch of the warm-up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WarmupStretch)]
pub(super) struct StretchBody {
    /// Its first day.
    #[schema(example = 1)]
    from_day: u32,
    /// Its last day; null: for ever.
    #[schema(example = 5)]
    to_day: Option<u32>,
    /// How many mails a day.
    #[schema(example = 10)]
    daily_limit: u32,
    /// How many mails from day 1 to its end; null where it has no end.
    #[schema(example = 50)]
    cumulative: Option<u32>,
}

/// What the tiers allow.
///
/// The same for everybody; `GET /v1/clients/{id}/allocation` says what is used of it.
#[utoipa::path(get, path = "/v1/tiers", tag = "clients", responses((status = 200, description = "Every tier.", body = List<TierBody>)))]
pub(super) async fn tiers(_: Known, _: NoQuery) -> Json<List<TierBody>> {
    let body = |tier: Tier| {
        let allocation = tier.allocation();
        TierBody {
            name: tier.as_str(),
            domains: allocation.domains,
            mailboxes: allocation.mailboxes,
            dedicated_ips: allocation.dedicated_ips,
        }
    };
    Json(List::whole(Tier::ALL.into_iter().map(body).collect()))
}

/// How much a mailbox may send on which day of its warm-up.
///
/// Days count from the first day of the warm-up, without those that ended in a pause.
#[utoipa::path(get, path = "/v1/warmup-schedule", tag = "clients", responses((status = 200, description = "The schedule.", body = List<StretchBody>)))]
pub(super) async fn warmup_schedule(_: Known, _: NoQuery) -> Json<List<StretchBody>> {
    let body = |Stretch { from_day, to_day, daily_limit, cumulative }| StretchBody {
        from_day,
        to_day,
        daily_limit,
        cumulative,
    };
    Json(List::whole(SCHEDULE.into_iter().map(body).collect()))
}
