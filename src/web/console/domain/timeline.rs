//! The four flags over time, out of what each check changed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::plural::counted;
use crate::service::CheckRow;
use crate::verify::purpose::Purpose;
use crate::verify::standing::Flags;
use crate::web::console::chart::{self, Bar};
use crate::web::console::words;
use crate::web::shown::Moment;

/// How high a strip is.
const STRIP_HEIGHT: u64 = 20;

/// How wide the mark of a check is.
const TICK_WIDTH: u64 = 3;

/// The shortest time that the picture shows, so that the first minutes are no picture of nothing.
const SPAN_MIN: TimeDelta = TimeDelta::minutes(10);

/// The picture.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) strips: Vec<Strip>,
    /// When each check was made.
    pub(super) ticks: Vec<Bar>,
    pub(super) checks: String,
    pub(super) from: Moment,
}

/// One flag.
#[derive(Debug)]
pub(super) struct Strip {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) bars: Vec<Bar>,
    /// The same in words.
    pub(super) told: String,
}

impl Timeline {
    /// The picture of a domain's flags and checks, the newest first; nothing before the first.
    pub(super) fn of(flags: Flags, checks: &[CheckRow], now: DateTime<Utc>) -> Option<Timeline> {
        let from = checks.last()?.at.min(now - SPAN_MIN);
        let strip = |purpose: Purpose| {
            let changes = checks.iter().filter_map(|check| Some((check.at, was_valid(&check.changes, purpose)?)));
            let stretches = chart::stretches(flags.get(purpose), changes, from, now);
            let falls = stretches.windows(2).filter(|pair| matches!(pair, [a, b] if a.is_valid && !b.is_valid)).count();
            let state = if stretches.last().is_some_and(|last| last.is_valid) { "valid" } else { "not valid" };
            Strip {
                id: purpose.as_str(),
                label: words::purpose(purpose),
                bars: chart::strip(&stretches, from, now, STRIP_HEIGHT),
                told: format!("Now {state}; it fell {} in the time shown.", counted(falls, "time", "times")),
            }
        };
        let tick = |check: &CheckRow| Bar {
            x: chart::place(check.at, from, now).min(chart::STRIP_WIDTH - TICK_WIDTH),
            y: 0,
            width: TICK_WIDTH,
            height: STRIP_HEIGHT,
            class: "is-tick",
        };
        Some(Timeline {
            strips: Purpose::ALL.map(strip).into(),
            ticks: checks.iter().map(tick).collect(),
            checks: counted(checks.len(), "check", "checks"),
            from: Moment::of(from, now),
        })
    }
}

/// What a flag was before a check, where that changed it.
fn was_valid(changes: &Value, purpose: Purpose) -> Option<bool> {
    changes.get("flags")?.get(format!("{purpose}_valid"))?.get("from")?.as_bool()
}
