//! When a domain is looked at next.
//!
//! One pure function, [`next_check_at`]. What people ask for in between (a poll, `verify`, a webhook) brings
//! that time forward in the store; it never moves it back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::chance::jittered;
use crate::verify::standing::{Patience, Standing, Status};

/// How long a suspended domain is still watched as closely as a failing one. Design §3.
const SUSPENDED_CLOSELY_FOR: TimeDelta = TimeDelta::days(7);

/// How often domains are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rhythm {
    /// For pending domains, by how long they have been so; after the last rung only when asked. `checks.pending_ladder`.
    pub pending_ladder: Vec<Rung>,
    /// For domains with which all is well. `checks.active_interval`.
    pub active_interval: Duration,
    /// For domains that fail, recover, or of which nobody could tell. `checks.degraded_interval`.
    pub degraded_interval: Duration,
    /// Never closer than this to the last check. `checks.min_interval`.
    pub min_interval: Duration,
}

/// One rung of the ladder for pending domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// It is for domains that have been pending for less than this.
    pub younger_than: Duration,
    /// How often they are looked at.
    pub every: Duration,
}

/// When a domain that was checked at `checked_at`, and then stood like this, is due again.
///
/// Nothing: only when asked. The wait is moved by up to a tenth either way, by lot (`chance`, all of
/// `u32`), so that domains registered together drift apart; a deadline (grace, recovery) is not waited past.
pub fn next_check_at(
    standing: &Standing,
    pending_since: Option<DateTime<Utc>>,
    checked_at: DateTime<Utc>,
    rhythm: &Rhythm,
    patience: Patience,
    chance: u32,
) -> Option<DateTime<Utc>> {
    let wait = match standing.status {
        Status::Deleted => return None,
        Status::Pending => on_ladder(pending_since, checked_at, &rhythm.pending_ladder)?,
        Status::Active if standing.degraded_since.is_some() || standing.stale_since.is_some() => {
            rhythm.degraded_interval
        }
        Status::Active => rhythm.active_interval,
        Status::Suspended => match standing.suspends_at.or(standing.stale_since) {
            Some(since) if checked_at - since < SUSPENDED_CLOSELY_FOR => rhythm.degraded_interval,
            _ if standing.recovering_since.is_some() => rhythm.degraded_interval,
            _ => rhythm.active_interval,
        },
    };
    let by_rhythm = after(checked_at, jittered(wait, chance));
    let deadline = [standing.recovering_since.map(|since| since + patience.recovery_hold), standing.suspends_at]
        .into_iter()
        .flatten()
        .filter(|at| *at > checked_at)
        .min();
    let at = deadline.map_or(by_rhythm, |deadline| deadline.min(by_rhythm));
    Some(at.max(after(checked_at, rhythm.min_interval)))
}

/// A row without an age was not made by us: it stays on the last rung rather than being forgotten.
fn on_ladder(pending_since: Option<DateTime<Utc>>, now: DateTime<Utc>, ladder: &[Rung]) -> Option<Duration> {
    let Some(pending_since) = pending_since else {
        return ladder.last().map(|rung| rung.every);
    };
    // A row from the future (another machine's clock) is a young one.
    let age = (now - pending_since).to_std().unwrap_or_default();
    ladder.iter().find(|rung| age < rung.younger_than).map(|rung| rung.every)
}

/// `at` and a wait after it; the end of time where that is too far away.
pub(crate) fn after(at: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait).ok().and_then(|wait| at.checked_add_signed(wait)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::standing::{Flags, SuspendedReason};

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    /// The lot that moves nothing.
    const MIDDLE: u32 = u32::MAX / 2 + 1;

    fn rhythm() -> Rhythm {
        let rung =
            |younger, every| Rung { younger_than: Duration::from_secs(younger), every: Duration::from_secs(every) };
        Rhythm {
            pending_ladder: vec![
                rung(15 * MINUTE, 2 * MINUTE),
                rung(2 * HOUR, 10 * MINUTE),
                rung(DAY, HOUR),
                rung(30 * DAY, 6 * HOUR),
            ],
            active_interval: Duration::from_secs(12 * HOUR),
            degraded_interval: Duration::from_secs(15 * MINUTE),
            min_interval: Duration::from_secs(15),
        }
    }

    fn check_with(why: &str, standing: Standing, age: Option<u64>, (rhythm, chance): (&Rhythm, u32), expected: &str) {
        let patience = Patience {
            grace: TimeDelta::hours(72),
            recovery_hold: TimeDelta::hours(1),
            stale_limit: TimeDelta::hours(72),
        };
        let pending_since = age.map(|age| after_epoch(0) - TimeDelta::seconds(i64::try_from(age).unwrap()));
        let next = next_check_at(&standing, pending_since, after_epoch(0), rhythm, patience, chance);
        let shown = next.map_or("when asked".to_owned(), |at| format!("{}", (at - after_epoch(0)).num_seconds()));
        assert_eq!(shown, expected, "{why}");
    }

    #[track_caller]
    fn check(why: &str, standing: Standing, age: u64, expected: &str) {
        check_with(why, standing, Some(age), (&rhythm(), MIDDLE), expected);
    }

    fn after_epoch(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_pending_domain_goes_down_the_ladder() {
        let new = Standing::NEW;
        check("new", new, 0, "120");
        check("just below the first rung's end", new, 15 * MINUTE - 1, "120");
        check("at it", new, 15 * MINUTE, "600");
        check("the third", new, 2 * HOUR, "3600");
        check("the fourth", new, DAY, "21600");
        check("just below the end", new, 30 * DAY - 1, "21600");
        check("after the last, only when asked", new, 30 * DAY, "when asked");
        check("nobody could tell: no oftener", Standing { stale_since: Some(after_epoch(0)), ..new }, 0, "120");
        check_with("no age: the last rung", new, None, (&rhythm(), MIDDLE), "21600");
    }

    #[test]
    fn an_active_domain_is_watched_as_it_needs() {
        let active = Standing {
            status: Status::Active,
            flags: Flags { spf: true, dkim: true, dmarc: true, mx: true },
            ..Standing::NEW
        };
        let degraded =
            Standing { degraded_since: Some(after_epoch(-60)), suspends_at: Some(after_epoch(71 * 3600)), ..active };
        check("all is well", active, 90 * DAY, "43200");
        check("failing", degraded, 90 * DAY, "900");
        check("nobody could tell", Standing { stale_since: Some(after_epoch(0)), ..active }, 90 * DAY, "900");
        check("recovering", Standing { recovering_since: Some(after_epoch(0)), ..degraded }, 0, "900");
        check(
            "the end of the hold is not waited past",
            Standing { recovering_since: Some(after_epoch(-3_500)), ..degraded },
            0,
            "100",
        );
        check(
            "the end of the grace is not waited past",
            Standing { suspends_at: Some(after_epoch(30)), ..degraded },
            0,
            "30",
        );
        check(
            "but never closer than the least interval",
            Standing { suspends_at: Some(after_epoch(1)), ..degraded },
            0,
            "15",
        );
    }

    #[test]
    fn a_suspended_domain_is_watched_closely_for_a_week() {
        let suspended = |days: i64| Standing {
            status: Status::Suspended,
            suspended_reason: Some(SuspendedReason::Dns),
            suspends_at: Some(after_epoch(-days * 86_400)),
            ..Standing::NEW
        };
        check("the first day", suspended(0), 90 * DAY, "900");
        check("the seventh", suspended(6), 90 * DAY, "900");
        check("after it", suspended(7), 90 * DAY, "43200");
        check(
            "unless it recovers",
            Standing { recovering_since: Some(after_epoch(0)), ..suspended(9) },
            90 * DAY,
            "900",
        );
        check(
            "a person's suspension is nothing to wait for",
            Standing { suspended_reason: Some(SuspendedReason::Operator), suspends_at: None, ..suspended(0) },
            0,
            "43200",
        );
        check("a deleted one never", Standing { status: Status::Deleted, ..Standing::NEW }, 0, "when asked");
    }

    #[test]
    fn lots_move_the_wait_by_a_tenth() {
        check_with("the least lot", Standing::NEW, Some(0), (&rhythm(), 0), "108");
        check_with("the greatest", Standing::NEW, Some(0), (&rhythm(), u32::MAX), "132");
        let hasty =
            Rhythm { pending_ladder: vec![Rung { younger_than: Duration::MAX, every: Duration::ZERO }], ..rhythm() };
        check_with("never closer than the least interval", Standing::NEW, Some(0), (&hasty, 0), "15");
        let patient = Rhythm { min_interval: Duration::MAX, ..rhythm() };
        let patience = Patience {
            grace: TimeDelta::hours(72),
            recovery_hold: TimeDelta::hours(1),
            stale_limit: TimeDelta::hours(72),
        };
        let never = next_check_at(&Standing::NEW, None, after_epoch(0), &patient, patience, 0);
        assert_eq!(never, Some(DateTime::<Utc>::MAX_UTC), "an absurd setting does not wrap");
    }
}
