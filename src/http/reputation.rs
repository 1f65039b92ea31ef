//! The reputation of a domain, its parts, and what others say of it.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::service::Service;
use crate::service::reputation::{ListingRow, ReputationView};

/// What a domain's reputation is made of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reputation)]
pub(super) struct ReputationBody {
    /// 0 to 100; an indication, which no flag, status or limit follows.
    #[schema(example = 67.6)]
    score: f64,
    /// What it is made of; the points add up to the score.
    parts: Vec<PartBody>,
    /// How old the domain is.
    domain_age: AgeBody,
    /// What each block list of the settings says of its registrable domain.
    lists: Vec<ListingBody>,
}

/// One part of a reputation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReputationPart)]
pub(super) struct PartBody {
    /// `dns`, `age`, `lists` or `mailboxes`.
    #[schema(example = "dns")]
    name: &'static str,
    /// How many points it gives.
    #[schema(example = 32.0)]
    points: f64,
    /// How many it can give. What is not known gives half of them.
    #[schema(example = 40.0)]
    of: f64,
    /// Why, for people.
    #[schema(example = "not valid: DMARC")]
    why: String,
}

/// How old a domain is, by RDAP.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DomainAge)]
pub(super) struct AgeBody {
    /// Whole days; null: not known.
    days: Option<i32>,
    /// When its registrable domain was registered.
    registered_at: Option<DateTime<Utc>>,
    /// Which RDAP server said so.
    #[schema(example = "rdap.example.net")]
    source: Option<String>,
    /// When a server was last asked.
    asked_at: Option<DateTime<Utc>>,
    /// Why the last question gave no day; null: it did.
    fault: Option<String>,
}

/// What a block list says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Listing)]
pub(super) struct ListingBody {
    /// The list's zone.
    #[schema(example = "dbl.example.net")]
    zone: String,
    /// Whether it has the domain; null: it never could tell.
    listed: Option<bool>,
    /// Its codes; what they mean is the list's affair.
    codes: Vec<String>,
    /// Why, in the list's words.
    reason: Option<String>,
    /// When it last could tell.
    told_at: Option<DateTime<Utc>>,
    /// When it was last asked.
    asked_at: DateTime<Utc>,
    /// Why it could not tell then; null: it could.
    fault: Option<String>,
}

impl ReputationBody {
    fn of(view: ReputationView) -> ReputationBody {
        let ReputationView { reputation, age_days, age, lists } = view;
        let parts = reputation.parts.into_iter().map(|scored| PartBody {
            name: scored.part.as_str(),
            points: scored.points,
            of: scored.part.of(),
            why: scored.why,
        });
        let listing = |row: ListingRow| {
            let ListingRow { zone, listed, codes, reason, told_at, asked_at, fault } = row;
            ListingBody { zone, listed, codes, reason, told_at, asked_at, fault }
        };
        ReputationBody {
            score: reputation.score,
            parts: parts.collect(),
            domain_age: AgeBody {
                days: age_days,
                registered_at: age.registered_at,
                source: age.age_source,
                asked_at: age.age_asked_at,
                fault: age.age_fault,
            },
            lists: lists.into_iter().map(listing).collect(),
        }
    }
}

/// A domain's reputation and what it is made of.
///
/// The weights stand in `docs/sending.md`.
#[utoipa::path(get, path = "/v1/domains/{id}/reputation", tag = "domains", params(("id" = Uuid, Path, description = "The domain.")), responses(
    (status = 200, description = "Score, parts, age and lists.", body = ReputationBody),
))]
pub(super) async fn domain_reputation(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
) -> Result<Json<ReputationBody>, Problem> {
    Ok(Json(ReputationBody::of(service.domain_reputation(&caller, id).await?)))
}
