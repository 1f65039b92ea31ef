//! What a mailbox's columns must say today: warm-up begun, carried on or over. Design §5.
//!
//! One pure function, [`reckon`]. It is called as often as somebody looks; equal facts give equal results, whoever
//! slept meanwhile.

use chrono::{DateTime, NaiveDate, Utc};

use crate::sending::mailbox::MailboxStatus;
use crate::sending::warmup::{self, Closure, daily_limit_on, midnight, progress};

/// What is known of a mailbox and its warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its status.
    pub status: MailboxStatus,
    /// What it would be if it were not paused or suspended; nothing where nobody noted it.
    pub resumes_as: Option<MailboxStatus>,
    /// `warmup_enabled`.
    pub warmup_enabled: bool,
    /// `warmup_started_at`.
    pub started_at: Option<DateTime<Utc>>,
    /// `warmup_completed_at`.
    pub completed_at: Option<DateTime<Utc>>,
    /// `warmup_stage`.
    pub stage: i32,
    /// `daily_send_limit`.
    pub daily_send_limit: i32,
    /// The UTC date of day 1; nothing before the start.
    pub day_one: Option<NaiveDate>,
    /// Whether the domain is `dns_configured`.
    pub dns_configured: bool,
}

/// What the columns must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reckoned {
    /// The status.
    pub status: MailboxStatus,
    /// What it would be if it were not paused or suspended.
    pub resumes_as: Option<MailboxStatus>,
    /// `warmup_started_at`.
    pub started_at: Option<DateTime<Utc>>,
    /// `warmup_completed_at`.
    pub completed_at: Option<DateTime<Utc>>,
    /// `warmup_stage`.
    pub stage: i32,
    /// `daily_send_limit`.
    pub daily_send_limit: i32,
    /// The UTC date of day 1.
    pub day_one: Option<NaiveDate>,
}

impl Facts {
    /// What it is when it is not stopped. One that the platform stopped was in its warm-up, unless that is over.
    pub fn going(&self) -> MailboxStatus {
        let noted = if self.status.is_stopped() { self.resumes_as } else { Some(self.status) };
        let noted = noted.filter(|status| !status.is_stopped()).unwrap_or(MailboxStatus::Warming);
        if self.completed_at.is_some() || !self.warmup_enabled { MailboxStatus::Active } else { noted }
    }

    /// Whether the schedule says how much it may send.
    pub fn is_in_warm_up(&self) -> bool {
        self.going() == MailboxStatus::Warming
    }

    fn as_they_stand(&self) -> Reckoned {
        Reckoned {
            status: self.status,
            resumes_as: self.resumes_as,
            started_at: self.started_at,
            completed_at: self.completed_at,
            stage: self.stage,
            daily_send_limit: self.daily_send_limit,
            day_one: self.day_one,
        }
    }
}

/// What the columns must say at `now`, the warm-up having been closed as `closures` say.
///
/// A warm-up begins with the domain's first `dns_configured`. One that the platform began goes on from where it stands.
pub fn reckon(facts: &Facts, closures: &[Closure], now: DateTime<Utc>) -> Reckoned {
    let today = now.date_naive();
    let going = facts.going();
    let mut reckoned = with_going(facts.as_they_stand(), going);
    if going != MailboxStatus::Warming {
        return reckoned;
    }
    let begun_elsewhere = (facts.stage > 0).then(|| warmup::day_one_of(facts.stage, today));
    let begins_now = facts.dns_configured.then_some(today);
    let Some(day_one) = facts.day_one.or(begun_elsewhere).or(begins_now) else {
        reckoned.daily_send_limit = number(daily_limit_on(0));
        return reckoned;
    };
    let progress = progress(day_one, closures, today);
    reckoned.day_one = Some(day_one);
    let begun_at = if day_one == today { now } else { midnight(day_one) };
    reckoned.started_at = facts.started_at.or(Some(begun_at));
    reckoned.stage = number(progress.stage());
    reckoned.daily_send_limit = number(progress.daily_limit());
    if let Some(day) = progress.completed_on {
        reckoned.completed_at = Some(midnight(day));
        reckoned = with_going(reckoned, MailboxStatus::Active);
    }
    reckoned
}

/// The same, going on as `going`, now or when it is resumed.
fn with_going(reckoned: Reckoned, going: MailboxStatus) -> Reckoned {
    match reckoned.status.is_stopped() {
        true => Reckoned { resumes_as: Some(going), ..reckoned },
        false => Reckoned { status: going, resumes_as: None, ..reckoned },
    }
}

fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Facts = Facts {
        status: MailboxStatus::Warming,
        resumes_as: None,
        warmup_enabled: true,
        started_at: None,
        completed_at: None,
        stage: 0,
        daily_send_limit: 10,
        day_one: None,
        dns_configured: false,
    };

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(why: &str, facts: Facts, expected: &str) {
        let now = time("2026-11-22T15:00:00Z");
        let reckoned = reckon(&facts, &[], now);
        let resumes = reckoned.resumes_as.map_or(String::new(), |status| format!("→{}", status.as_str()));
        let day = reckoned.day_one.map_or("–".to_owned(), |day| day.to_string());
        let done = if reckoned.completed_at.is_some() { " done" } else { "" };
        let (status, stage, limit) = (reckoned.status.as_str(), reckoned.stage, reckoned.daily_send_limit);
        assert_eq!(format!("{status}{resumes} {stage} {limit} {day}{done}"), expected, "{why}");
        let again = Facts {
            status: reckoned.status,
            resumes_as: reckoned.resumes_as,
            started_at: reckoned.started_at,
            completed_at: reckoned.completed_at,
            stage: reckoned.stage,
            daily_send_limit: reckoned.daily_send_limit,
            day_one: reckoned.day_one,
            ..facts
        };
        assert_eq!(reckon(&again, &[], now), reckoned, "{why}: twice is the same as once");
    }

    #[test]
    fn a_warm_up_begins_goes_on_and_ends() {
        let (begun, paused) = (Facts { dns_configured: true, ..FRESH }, MailboxStatus::Paused);
        check("it waits for the domain", FRESH, "warming 0 10 –");
        check("it begins", begun, "warming 1 10 2026-11-22");
        let on = Facts { day_one: Some(date("2026-11-11")), ..begun };
        check("it goes on", on, "warming 12 30 2026-11-11");
        check("whatever the cache says", Facts { stage: 3, daily_send_limit: 999, ..on }, "warming 12 30 2026-11-11");
        let last = Facts { day_one: Some(date("2026-10-23")), ..begun };
        check("day 31", last, "active 30 75 2026-10-23 done");
        check("a week too late", Facts { day_one: Some(date("2026-10-16")), ..begun }, "active 30 75 2026-10-16 done");
        check("day 31 while paused", Facts { status: paused, ..last }, "paused→active 30 75 2026-10-23 done");
        check("paused", Facts { status: paused, ..on }, "paused→warming 12 30 2026-11-11");
        check(
            "the domain's later failures do not undo it",
            Facts { dns_configured: false, ..on },
            "warming 12 30 2026-11-11",
        );
    }

    #[test]
    fn without_warm_up_it_is_active_at_its_stored_limit() {
        let off = Facts { warmup_enabled: false, daily_send_limit: 33, dns_configured: true, ..FRESH };
        check("never begun", off, "active 0 33 –");
        check("stopped", Facts { status: MailboxStatus::Suspended, ..off }, "suspended→active 0 33 –");
        let on = Facts { day_one: Some(date("2026-11-11")), stage: 12, daily_send_limit: 30, ..off };
        check("switched off half way", on, "active 12 30 2026-11-11");
    }

    #[test]
    fn rows_of_the_platform_go_on_from_where_they_stand() {
        let adopted = Facts { stage: 7, daily_send_limit: 5, ..FRESH };
        check("on day 7", adopted, "warming 7 20 2026-11-16");
        check("on no day at all", Facts { stage: -3, ..adopted }, "warming -3 10 –");
        check("beyond the last", Facts { stage: 99, ..adopted }, "warming 30 60 2026-10-24");
        let active = Facts { status: MailboxStatus::Active, daily_send_limit: 200, ..adopted };
        check("active", active, "active 7 200 –");
        check(
            "paused while active",
            Facts { status: MailboxStatus::Paused, resumes_as: Some(MailboxStatus::Active), ..active },
            "paused→active 7 200 –",
        );
        check(
            "paused by the platform",
            Facts { status: MailboxStatus::Paused, ..adopted },
            "paused→warming 7 20 2026-11-16",
        );
        let over = Facts { completed_at: Some(time("2026-01-01T00:00:00Z")), daily_send_limit: 75, ..adopted };
        check("over, though the status lags behind", over, "active 7 75 – done");
    }

    #[test]
    fn times_are_those_of_the_days() {
        let now = time("2026-11-22T15:00:00Z");
        let begun = reckon(&Facts { dns_configured: true, ..FRESH }, &[], now);
        assert_eq!(begun.started_at, Some(now));
        let adopted = reckon(&Facts { stage: 7, ..FRESH }, &[], now);
        assert_eq!(adopted.started_at, Some(time("2026-11-16T00:00:00Z")));
        let late = reckon(&Facts { day_one: Some(date("2026-10-16")), ..FRESH }, &[], now);
        assert_eq!(late.completed_at, Some(time("2026-11-15T00:00:00Z")), "when it was so, not when it was noticed");
    }
}
