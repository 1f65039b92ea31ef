//! A domain as the API shows it: every column of the seed's `email_domains` under its own name, and ours.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::ownership::OwnershipBody;
use crate::service::domains::DomainView;

/// A domain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Domain)]
pub(in crate::http) struct DomainBody {
    /// Its id.
    id: Uuid,
    /// Whose it is.
    client_id: Uuid,
    /// Its name, in lower-case A-labels.
    #[schema(example = "example.com")]
    domain: String,
    /// Its name as people read it, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_unicode: Option<String>,
    /// Whose profile it follows.
    #[schema(example = "infraforge")]
    provider: String,
    /// All four flags are true.
    dns_configured: bool,
    /// Whether SPF was valid when last definitely known.
    spf_valid: bool,
    /// Whether every DKIM selector was valid when last definitely known.
    dkim_valid: bool,
    /// Whether DMARC was valid when last definitely known.
    dmarc_valid: bool,
    /// Whether the mail exchanges were valid when last definitely known.
    mx_valid: bool,
    /// How old the registration is; null while unknown.
    domain_age_days: Option<i32>,
    /// 0 to 100; null while unknown.
    reputation_score: Option<f64>,
    /// How many mails a day.
    #[schema(example = 50)]
    daily_send_limit: i32,
    /// How many of them today.
    #[schema(example = 0)]
    current_daily_sends: i32,
    /// `pending`, `active`, `suspended` or `deleted`.
    #[schema(example = "pending")]
    status: &'static str,
    /// The provider's id of it.
    infraforge_domain_id: Option<String>,
    /// The sender's id of it.
    smartlead_domain_id: Option<String>,
    /// When it was registered.
    created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    updated_at: Option<DateTime<Utc>>,
    /// When it was deleted.
    deleted_at: Option<DateTime<Utc>>,
    /// When DNS was last asked.
    last_checked_at: Option<DateTime<Utc>>,
    /// When all four were last valid.
    last_success_at: Option<DateTime<Utc>>,
    /// When DNS is asked next; null when only on demand.
    next_check_at: Option<DateTime<Utc>>,
    /// When all four were first valid.
    verified_at: Option<DateTime<Utc>>,
    /// Since when an active domain has been failing.
    degraded_since: Option<DateTime<Utc>>,
    /// When the next failure suspends it.
    suspends_at: Option<DateTime<Utc>>,
    /// `dns`, `unverifiable` or `operator`.
    suspended_reason: Option<&'static str>,
    /// Since when nobody could tell.
    stale_since: Option<DateTime<Utc>>,
    /// How the client proves that the name is its own; null where nothing needs proving: an operator registered it.
    ownership: Option<OwnershipBody>,
    /// Why the name, written by another program, is no normal domain name, so that it is never checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<String>,
}

impl DomainBody {
    /// The body of a domain.
    pub(in crate::http) fn of(view: DomainView) -> DomainBody {
        let DomainView { row, domain_unicode, malformed, ownership } = view;
        DomainBody {
            id: row.id,
            client_id: row.client_id,
            domain: row.domain,
            domain_unicode,
            provider: row.provider,
            dns_configured: row.dns_configured,
            spf_valid: row.spf_valid,
            dkim_valid: row.dkim_valid,
            dmarc_valid: row.dmarc_valid,
            mx_valid: row.mx_valid,
            domain_age_days: row.domain_age_days,
            reputation_score: row.reputation_score,
            daily_send_limit: row.daily_send_limit,
            current_daily_sends: row.current_daily_sends,
            status: row.status.as_str(),
            infraforge_domain_id: row.infraforge_domain_id,
            smartlead_domain_id: row.smartlead_domain_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
            last_checked_at: row.last_checked_at,
            last_success_at: row.last_success_at,
            next_check_at: row.next_check_at,
            verified_at: row.verified_at,
            degraded_since: row.degraded_since,
            suspends_at: row.suspends_at,
            suspended_reason: row.suspended_reason.map(|reason| reason.as_str()),
            stale_since: row.stale_since,
            ownership: ownership.map(OwnershipBody::of),
            malformed,
        }
    }
}
