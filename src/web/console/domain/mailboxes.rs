//! Mailboxes: the warm-up as a curve, and today's use.

use chrono::{DateTime, Utc};

use crate::plural::counted;
use crate::sending::mailbox::MailboxStatus;
use crate::sending::warmup::{LAST_DAY, daily_limit_on};
use crate::service::{Caller, Error, MailboxRow, Service, WarmupStatsRow};
use crate::web::console::chart::{self, Bar};
use crate::web::console::words::Mark;
use crate::web::shown::plain;

/// The most letters of an address.
const ADDRESS_CHARACTERS_MAX: usize = 120;

/// A mailbox.
#[derive(Debug)]
pub(super) struct MailboxCard {
    /// Its place on the page, for ids.
    pub(super) id: String,
    pub(super) address: String,
    pub(super) mark: Mark,
    /// How far the warm-up is, in words.
    pub(super) progress: String,
    pub(super) curve: Vec<Bar>,
    pub(super) used: u32,
    pub(super) limit: u32,
    pub(super) may_send: bool,
    pub(super) reasons: Vec<&'static str>,
    /// What was sent a day, of late; nothing where nobody reported it.
    pub(super) sent: Option<(Vec<Bar>, String)>,
}

impl MailboxCard {
    pub(super) async fn of(
        service: &Service,
        caller: &Caller,
        row: &MailboxRow,
        now: DateTime<Utc>,
    ) -> Result<MailboxCard, Error> {
        let readiness = service.mailbox_readiness(caller, row.id).await?.readiness;
        let stats = service.warmup_stats_list(caller, row.id, None, None).await?;
        let day = row.warmup_day.and_then(|day| u32::try_from(day).ok());
        Ok(MailboxCard {
            id: row.id.simple().to_string(),
            address: plain(&row.email_address, ADDRESS_CHARACTERS_MAX),
            mark: mark(row.status),
            progress: progress(row, day),
            curve: curve(day),
            used: row.counter(now.date_naive()).used,
            limit: readiness.daily_limit,
            may_send: readiness.may_send,
            reasons: readiness.reasons.iter().map(|reason| reason.code()).collect(),
            sent: sent(&stats),
        })
    }
}

fn mark(status: MailboxStatus) -> Mark {
    let tone = match status {
        MailboxStatus::Active => "ok",
        MailboxStatus::Warming => "wait",
        MailboxStatus::Paused => "warn",
        MailboxStatus::Suspended => "bad",
    };
    Mark { word: status.as_str(), tone }
}

fn progress(row: &MailboxRow, day: Option<u32>) -> String {
    match day {
        _ if !row.warmup_enabled && row.warmup_completed_at.is_none() => "Its warm-up is switched off.".to_owned(),
        None => "Its warm-up begins once the domain is first verified.".to_owned(),
        Some(day) if day > LAST_DAY => format!("Warmed up: {} mails a day.", daily_limit_on(day)),
        Some(day) => format!("Day {day} of {LAST_DAY}: {} mails today by the schedule.", daily_limit_on(day)),
    }
}

/// The schedule day by day, what is reached in another colour.
fn curve(day: Option<u32>) -> Vec<Bar> {
    let reached = day.unwrap_or(0);
    let column = |on: u32| {
        let class = match on {
            on if on < reached => "is-ok",
            on if on == reached => "is-accent",
            _ => "is-limit",
        };
        vec![(u64::from(daily_limit_on(on)), class)]
    };
    chart::columns(&(1..=LAST_DAY + 1).map(column).collect::<Vec<_>>())
}

fn sent(stats: &[WarmupStatsRow]) -> Option<(Vec<Bar>, String)> {
    let counts: Vec<u64> = stats.iter().map(|day| u64::try_from(day.emails_sent).unwrap_or(0)).collect();
    let (total, most) = (counts.iter().sum::<u64>(), counts.iter().max()?);
    let bars = chart::columns(&counts.iter().map(|count| vec![(*count, "is-accent")]).collect::<Vec<_>>());
    let days = counted(counts.len(), "reported day", "reported days");
    Some((bars, format!("{total} sent on {days}, at most {most} on one.")))
}
