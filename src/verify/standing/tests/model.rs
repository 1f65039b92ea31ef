//! The same rules said another way: over whole histories, with no clock kept between reports.

use chrono::{DateTime, Duration, Utc};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::standing::{
    Control, Flags, Happening, Patience, Standing, Status, SuspendedReason, Verdicts, after,
};

const PATIENCE: Patience =
    Patience { grace: Duration::minutes(30), recovery_hold: Duration::minutes(7), stale_limit: Duration::minutes(20) };

/// One report of a history. Control once proven stays, but nothing here may rest on that.
#[derive(Debug, Clone, Copy)]
struct Report {
    at: DateTime<Utc>,
    verdicts: Verdicts,
    control: Control,
}

impl Report {
    fn fails(&self) -> bool {
        Purpose::ALL.into_iter().any(|purpose| self.verdicts.get(purpose).is_failure())
    }

    fn is_unsure(&self) -> bool {
        Purpose::ALL.into_iter().any(|purpose| self.verdicts.get(purpose) == Verdict::Unknown)
    }

    fn is_well(&self) -> bool {
        Purpose::ALL.into_iter().all(|purpose| self.verdicts.get(purpose) == Verdict::Valid)
    }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        12 => Just(Verdict::Valid),
        2 => Just(Verdict::Unknown),
        1 => Just(Verdict::Missing),
        1 => Just(Verdict::Mismatch),
        1 => Just(Verdict::Invalid),
    ]
}

fn verdicts() -> impl Strategy<Value = Verdicts> {
    let single = (verdict(), verdict(), verdict(), verdict());
    let mixed = single.prop_map(|(spf, dkim, dmarc, mx)| Verdicts { spf, dkim, dmarc, mx });
    let alike = |verdict| Just(Verdicts { spf: verdict, dkim: verdict, dmarc: verdict, mx: verdict });
    prop_oneof![2 => mixed, 3 => alike(Verdict::Valid), 2 => alike(Verdict::Unknown), 1 => alike(Verdict::Missing)]
}

fn history() -> impl Strategy<Value = Vec<Report>> {
    let control = prop_oneof![Just(Control::Proven), Just(Control::Unproven)];
    vec((0i64..15, verdicts(), control), 0..80).prop_map(|steps| {
        let mut at = DateTime::UNIX_EPOCH;
        let report = |(minutes, verdicts, control)| {
            at += Duration::minutes(minutes);
            Report { at, verdicts, control }
        };
        steps.into_iter().map(report).collect()
    })
}

fn start() -> impl Strategy<Value = Standing> {
    let flags = Flags { spf: true, dkim: true, dmarc: true, mx: true };
    let active = Standing { status: Status::Active, flags, ..Standing::NEW };
    let operator = Standing { status: Status::Suspended, suspended_reason: Some(SuspendedReason::Operator), ..active };
    prop_oneof![2 => Just(Standing::NEW), 3 => Just(active), 1 => Just(operator)]
}

/// The last definite word on each purpose, and what the start said where there is none.
fn flags(start: Flags, history: &[Report]) -> Flags {
    let mut flags = start;
    for purpose in Purpose::ALL {
        let words = history.iter().rev().map(|report| report.verdicts.get(purpose));
        let mut definite = words.filter(|verdict| !matches!(verdict, Verdict::Unknown | Verdict::Unchecked));
        if let Some(verdict) = definite.next() {
            flags.set(purpose, verdict == Verdict::Valid);
        }
    }
    flags
}

/// Since when every report up to the last one had something unknown in it.
fn stale_since(history: &[Report]) -> Option<DateTime<Utc>> {
    history.iter().rev().take_while(|report| report.is_unsure()).last().map(|report| report.at)
}

/// How long all has been well, without what nobody could tell; a failure begins anew.
fn well_for(history: &[Report]) -> Duration {
    let span: Vec<&Report> = history.iter().rev().take_while(|report| !report.fails()).collect();
    let mut steps = span.into_iter().rev().skip_while(|report| !report.is_well()).peekable();
    let mut well = Duration::zero();
    while let Some(report) = steps.next() {
        let next = steps.peek().map_or(report.at, |next| next.at);
        if report.is_well() {
            well += next - report.at;
        }
    }
    well
}

/// For how long nobody could tell, at the end of `history`.
fn stale_for(history: &[Report]) -> Duration {
    history.last().zip(stale_since(history)).map_or(Duration::zero(), |(last, since)| last.at - since)
}

/// The report that began the trouble of an active domain.
fn trouble(history: &[Report]) -> Option<usize> {
    (0..history.len()).find(|index| {
        let past = &history[..=*index];
        past[*index].fails() || (past[*index].is_unsure() && stale_for(past) >= PATIENCE.stale_limit)
    })
}

/// Why a domain whose trouble began at `began` was suspended.
fn suspension(history: &[Report], began: usize) -> Option<SuspendedReason> {
    let end = history[began].at + PATIENCE.grace;
    (began + 1..history.len()).find_map(|index| {
        let (past, report) = (&history[..=index], history[index]);
        let too_long = || report.is_unsure() && stale_for(past) >= PATIENCE.stale_limit + PATIENCE.grace;
        match report.at >= end {
            true if report.fails() => Some(SuspendedReason::Dns),
            true => too_long().then_some(SuspendedReason::Unverifiable),
            false => None,
        }
    })
}

/// What a whole history comes to: status, its reason, and since when there is trouble.
fn outcome(start: &Standing, history: &[Report]) -> (Status, Option<SuspendedReason>, Option<DateTime<Utc>>) {
    let mut rest = match start.status {
        Status::Pending => {
            match history.iter().position(|report| report.is_well() && report.control == Control::Proven) {
                Some(verified) => &history[verified + 1..],
                None => return (Status::Pending, None, None),
            }
        }
        Status::Active => history,
        Status::Suspended | Status::Deleted => return (start.status, start.suspended_reason, None),
    };
    while let Some(began) = trouble(rest) {
        let restored = (began + 1..rest.len())
            .find(|index| rest[*index].is_well() && well_for(&rest[began + 1..=*index]) >= PATIENCE.recovery_hold);
        let Some(restored) = restored else {
            let reason = suspension(rest, began);
            let status = if reason.is_some() { Status::Suspended } else { Status::Active };
            return (status, reason, Some(rest[began].at));
        };
        rest = &rest[restored + 1..];
    }
    (Status::Active, None, None)
}

/// What must have happened between two standings, and nothing else.
fn changes(before: &Standing, after: &Standing) -> Vec<Happening> {
    let mut changes = Vec::new();
    if (before.status, after.status) == (Status::Pending, Status::Active) {
        changes.push(Happening::Verified);
    }
    if before.degraded_since.is_none() && after.degraded_since.is_some() {
        changes.push(if after.flags == before.flags { Happening::Stale } else { Happening::AtRisk });
    }
    if before.degraded_since.is_some() && after.degraded_since.is_none() {
        changes.push(Happening::Restored);
    }
    if before.status == Status::Active && after.status == Status::Suspended {
        changes.push(Happening::Suspended);
    }
    changes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_history_comes_to_what_the_model_says(start in start(), history in history()) {
        let mut standing = start;
        for (index, report) in history.iter().enumerate() {
            let before = standing;
            let (now, happenings) = after(&before, report.verdicts, report.control, report.at, PATIENCE);
            standing = now;
            let past = &history[..=index];
            prop_assert_eq!(standing.flags, flags(start.flags, past));
            prop_assert_eq!(standing.stale_since, stale_since(past));
            let shown = (standing.status, standing.suspended_reason, standing.degraded_since);
            prop_assert_eq!(shown, outcome(&start, past), "after {}", index);
            prop_assert_eq!(happenings, changes(&before, &standing), "at {}", index);
            let expected_end = standing.degraded_since.map(|since| since + PATIENCE.grace);
            prop_assert_eq!(standing.suspends_at, expected_end);
        }
    }

    /// Rule 2, by itself: whatever came before, a report in which nobody could tell moves no flag and no clock.
    #[test]
    fn unknown_moves_nothing(start in start(), history in history(), gap in 0i64..20) {
        let mut standing = start;
        let mut at = DateTime::UNIX_EPOCH;
        for report in &history {
            (standing, _) = after(&standing, report.verdicts, report.control, report.at, PATIENCE);
            at = report.at;
        }
        let unknown = Verdicts {
            spf: Verdict::Unknown, dkim: Verdict::Unknown, dmarc: Verdict::Unknown, mx: Verdict::Unknown,
        };
        let now = at + Duration::minutes(gap);
        let (later, happenings) = after(&standing, unknown, Control::Unproven, now, PATIENCE);
        prop_assert_eq!(later.flags, standing.flags);
        prop_assert_eq!(later.recovering_since, standing.recovering_since);
        let is_short = standing.stale_since.is_none_or(|since| now - since < PATIENCE.stale_limit);
        if is_short {
            prop_assert_eq!(happenings, Vec::new());
            let still = Standing { stale_since: standing.stale_since.or(Some(now)), ..standing };
            prop_assert_eq!(later, still);
        }
    }
}
