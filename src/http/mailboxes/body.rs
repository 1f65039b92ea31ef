//! A mailbox as the API shows it: every column of the seed's `email_mailboxes` under its own name, and ours.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::service::MailboxRow;

/// A mailbox.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Mailbox)]
pub(in crate::http) struct MailboxBody {
    /// Its id.
    id: Uuid,
    /// Which domain's.
    domain_id: Uuid,
    /// Whose it is.
    client_id: Uuid,
    /// Its address, in lower case, its domain in A-labels.
    #[schema(example = "max@example.com")]
    email_address: String,
    /// The name that its mail carries.
    display_name: Option<String>,
    /// The provider's id of it.
    infraforge_mailbox_id: Option<String>,
    /// The sender's id of it.
    smartlead_account_id: Option<String>,
    /// Whether it is warmed up.
    warmup_enabled: bool,
    /// When its warm-up began; null while it waits for the domain.
    warmup_started_at: Option<DateTime<Utc>>,
    /// When its warm-up was over.
    warmup_completed_at: Option<DateTime<Utc>>,
    /// The day of the warm-up that it has reached, 0 to 30.
    #[schema(example = 12)]
    warmup_stage: i32,
    /// How many mails a day by itself; `readiness` says what its domain leaves of it.
    #[schema(example = 30)]
    daily_send_limit: i32,
    /// How many of them today.
    #[schema(example = 3)]
    current_daily_sends: i32,
    /// What share of its mail came back, 0 to 1.
    #[schema(example = 0.01)]
    bounce_rate: f64,
    /// What share was called spam, 0 to 1.
    #[schema(example = 0.001)]
    spam_rate: f64,
    /// What share was answered, 0 to 1.
    #[schema(example = 0.1)]
    reply_rate: f64,
    /// How many mails the rates rest on, where that was said.
    health_sample: Option<i32>,
    /// `warming`, `active`, `paused` or `suspended`.
    #[schema(example = "warming")]
    status: &'static str,
    /// `requested`, `bounce` or `spam`; null where it is not paused, or another program did it.
    paused_reason: Option<&'static str>,
    /// When it was added.
    created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    updated_at: Option<DateTime<Utc>>,
    /// When it was deleted.
    deleted_at: Option<DateTime<Utc>>,
}

impl MailboxBody {
    /// The body of a mailbox on the UTC date `today`.
    pub(in crate::http) fn of(row: MailboxRow, today: NaiveDate) -> MailboxBody {
        let used = row.counter(today).used;
        MailboxBody {
            id: row.id,
            domain_id: row.domain_id,
            client_id: row.client_id,
            email_address: row.email_address,
            display_name: row.display_name,
            infraforge_mailbox_id: row.infraforge_mailbox_id,
            smartlead_account_id: row.smartlead_account_id,
            warmup_enabled: row.warmup_enabled,
            warmup_started_at: row.warmup_started_at,
            warmup_completed_at: row.warmup_completed_at,
            warmup_stage: row.warmup_stage,
            daily_send_limit: row.daily_send_limit,
            current_daily_sends: i32::try_from(used).unwrap_or(i32::MAX),
            bounce_rate: row.bounce_rate,
            spam_rate: row.spam_rate,
            reply_rate: row.reply_rate,
            health_sample: row.health_sample,
            status: row.status.as_str(),
            paused_reason: row.paused_reason.map(|reason| reason.as_str()),
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
        }
    }
}
