//! Whose a domain is (contract §3.2): the proof that a client is to publish, and transfers by operators.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::caller::{At, Known};
use crate::http::document::{FindingBody, finding_body};
use crate::http::domains::body::DomainBody;
use crate::http::field;
use crate::http::json;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::NoQuery;
use crate::service::Service;
use crate::service::ownership::{ClaimView, OwnershipView};
use crate::verify::evidence::RecordType;
use crate::verify::expectation::Expectation;
use crate::verify::finding::words::Place;
use crate::verify::ownership::OwnershipReport;
use crate::verify::purpose::Verdict;
use crate::verify::report::Report;

/// What a client is to publish, as a TXT record, to prove that a domain is its own.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Ownership)]
pub(super) struct OwnershipBody {
    /// The record's full name.
    #[schema(example = "_sendready-challenge.example.com")]
    name: String,
    /// What it says.
    #[schema(example = "sendready-verification=3q2-7w…")]
    value: String,
    /// Whether it is proven. Until then the domain stays `pending`; from then on the record is no longer needed.
    verified: bool,
}

impl OwnershipBody {
    /// The body of a proof.
    pub(super) fn of(view: OwnershipView) -> OwnershipBody {
        OwnershipBody { name: view.name.to_string(), value: view.value, verified: view.verified }
    }
}

/// What to publish, as a TXT record, to be given a domain that another client holds without proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OwnershipChallenge)]
pub struct ChallengeBody {
    /// The record's full name.
    #[schema(example = "_sendready-challenge.example.com")]
    name: String,
    /// What it says. Asked again, it is the same.
    #[schema(example = "sendready-verification=3q2-7w…")]
    value: String,
    /// Until when it counts, unless it is asked for again.
    expires_at: DateTime<Utc>,
}

impl ChallengeBody {
    /// The body of a claim.
    pub(super) fn of(claim: ClaimView) -> ChallengeBody {
        ChallengeBody { name: claim.name, value: claim.value, expires_at: claim.expires_at }
    }
}

/// The record that proves whose a domain is, and what DNS says of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = OwnershipRecord)]
pub struct OwnershipRecordBody {
    /// `TXT`.
    #[serde(rename = "type")]
    #[schema(example = "TXT")]
    record_type: &'static str,
    /// What goes into the host field of the zone's panel.
    #[schema(example = "_sendready-challenge")]
    host: String,
    /// The full name.
    #[schema(example = "_sendready-challenge.example.com")]
    name: String,
    /// What to publish.
    #[schema(example = "sendready-verification=3q2-7w…")]
    value: String,
    /// The time to live that we recommend, in seconds.
    #[schema(example = 3600)]
    ttl: u32,
    /// Whether it is proven. Until then the domain stays `pending`; from then on the record is no longer needed.
    verified: bool,
    /// `valid`, `missing`, `mismatch` (another proof is there), `unknown` or `unchecked`; `valid` from when it is proven.
    #[schema(example = "missing")]
    verdict: &'static str,
    /// The texts at the name, as DNS gave them: of strangers. Only looked at until it is proven.
    found: Vec<String>,
    /// What was noticed.
    findings: Vec<FindingBody>,
}

impl OwnershipRecordBody {
    /// The body of a proof, for the panel of the report's zone.
    pub(super) fn of(view: &OwnershipView, seen: &OwnershipReport, report: &Report) -> OwnershipRecordBody {
        let place = Place {
            zone: &report.zone,
            name: &view.name,
            record_type: RecordType::Txt,
            value: Some(&view.value),
            priority: None,
            provider: report.dns_provider.as_ref(),
        };
        let findings = seen.findings.iter().filter(|_| !view.verified);
        OwnershipRecordBody {
            record_type: RecordType::Txt.as_str(),
            host: place.host(),
            name: view.name.to_string(),
            value: view.value.clone(),
            ttl: Expectation::TTL_SECONDS,
            verified: view.verified,
            verdict: if view.verified { Verdict::Valid } else { seen.verdict }.as_str(),
            found: seen.found.clone(),
            findings: findings.map(|finding| finding_body(finding, &place)).collect(),
        }
    }
}

/// To whom a domain goes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of what `client_id` reads")]
#[schema(as = DomainTransfer)]
pub(super) struct TransferSchema {
    /// The client.
    client_id: Uuid,
}

/// Give a domain to another client. Operators only.
///
/// Its mailboxes go with it, within the other client's tier. From then on it counts as proven; its setup links end, its
/// earlier checks and events are seen by operators alone, and its earlier client's keys see it no more. Dedicated addresses of
/// the earlier client are no longer required; those of the other are staged where the domain is verified. To the client that
/// has it already, nothing is moved.
#[utoipa::path(post, path = "/v1/domains/{id}/transfer", tag = "domains", params(("id" = Uuid, Path, description = "The domain.")),
    request_body = TransferSchema, responses(
    (status = 200, description = "The domain as it stands now.", body = DomainBody),
    (status = 404, description = "`no-such-domain`, also when it is deleted, or `no-such-client`.", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`allocation-exceeded`: the client's tier does not allow the domain or its mailboxes; nothing has changed.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn domain_transfer(
    State(service): State<Service>,
    Known(caller): Known,
    At(id): At<Uuid>,
    _: NoQuery,
    body: json::Json,
) -> Result<Json<DomainBody>, Problem> {
    let client_id = body.read(|fields| fields.need("client_id", field::id))?;
    Ok(Json(DomainBody::of(service.domain_transfer(&caller, id, client_id).await?)))
}
