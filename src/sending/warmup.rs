//! The warm-up (`seed-email-infrastructure.md`, "Warmup Schedule"): how much a mailbox may send on which day, and which
//! day it has reached.
//!
//! Owns the numbers, and [`progress`]: from the first day and the closures to day, stage, limit and completion. What is
//! stored of it elsewhere is a cache. Days are those of UTC, so leap days and the ends of years are days like others.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

/// A stretch of days with one daily limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first day, from 1.
    pub from_day: u32,
    /// Its last day; nothing: for ever.
    pub to_day: Option<u32>,
    /// How many mails a day.
    pub daily_limit: u32,
    /// How many mails from day 1 to its end; nothing where it has no end.
    pub cumulative: Option<u32>,
}

/// How many days a stretch of the warm-up has.
const STRETCH_DAYS: u32 = 5;

/// The whole schedule; its last stretch is full capacity.
pub const SCHEDULE: [Stretch; 7] = [
    warming(1, 10, 50),
    warming(6, 20, 150),
    warming(11, 30, 300),
    warming(16, 40, 500),
    warming(21, 50, 750),
    warming(26, 60, 1_050),
    Stretch { from_day: 31, to_day: None, daily_limit: 75, cumulative: None },
];

const fn warming(from_day: u32, daily_limit: u32, cumulative: u32) -> Stretch {
    Stretch { from_day, to_day: Some(from_day + STRETCH_DAYS - 1), daily_limit, cumulative: Some(cumulative) }
}

/// The last day of the warm-up; the day after is full capacity.
pub const LAST_DAY: u32 = 30;

/// The most days that are looked at, a hundred years: behind it lies no warm-up, but somebody's wrong clock.
const DAYS_LOOKED_AT_MAX: usize = 36_525;

/// A time during which warm-up was closed: by the domain's gate, a pause, a suspension, or because it was switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closure {
    /// From when on.
    pub closed_at: DateTime<Utc>,
    /// Until when; nothing: it still is.
    pub reopened_at: Option<DateTime<Utc>>,
}

impl Closure {
    /// Whether warm-up was closed at the end of a UTC day.
    fn covers_end_of(&self, day: NaiveDate) -> bool {
        let Some(end) = day.checked_add_days(Days::new(1)).map(midnight) else { return false };
        self.closed_at < end && self.reopened_at.is_none_or(|at| at >= end)
    }
}

/// How far a warm-up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Today's day, 1 to 31; 31 is full capacity.
    pub day: u32,
    /// The first date of full capacity.
    pub completed_on: Option<NaiveDate>,
}

impl Progress {
    /// `warmup_stage`: the day reached, 0 to 30.
    pub fn stage(self) -> u32 {
        self.day.min(LAST_DAY)
    }

    /// How many mails today.
    pub fn daily_limit(self) -> u32 {
        daily_limit_on(self.day)
    }
}

/// How many mails the schedule allows on a day; before the first as on the first.
pub fn daily_limit_on(day: u32) -> u32 {
    let reached = SCHEDULE.iter().rev().find(|stretch| stretch.from_day <= day.max(1));
    reached.map_or(0, |stretch| stretch.daily_limit)
}

/// How far a warm-up has come by `today` that began on `day_one`.
///
/// A UTC day counts unless warm-up was closed at its end. Closures may overlap and come in any order. What happened
/// after the warm-up was over changes nothing.
pub fn progress(day_one: NaiveDate, closures: &[Closure], today: NaiveDate) -> Progress {
    let mut counted = 0;
    for day in day_one.iter_days().take(DAYS_LOOKED_AT_MAX).take_while(|day| *day < today) {
        if closures.iter().any(|closure| closure.covers_end_of(day)) {
            continue;
        }
        counted += 1;
        if counted == LAST_DAY {
            return Progress { day: LAST_DAY + 1, completed_on: day.succ_opt() };
        }
    }
    Progress { day: counted + 1, completed_on: None }
}

/// The first day of a warm-up that stands at `stage` today, for a mailbox that the platform has warmed up.
pub fn day_one_of(stage: i32, today: NaiveDate) -> NaiveDate {
    let stage = u32::try_from(stage).unwrap_or(0).clamp(1, LAST_DAY);
    today.checked_sub_days(Days::new(u64::from(stage - 1))).unwrap_or(today)
}

/// The first instant of a UTC day.
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests;
