//! The schedule's table, pauses, and a day-by-day simulation beside the function.

use chrono::TimeDelta;
use proptest::prelude::*;

use crate::sending::warmup::*;

#[test]
fn the_days_are_without_a_gap_and_the_sums_are_right() {
    let (mut day, mut sum) = (1, 0);
    for stretch in SCHEDULE {
        assert_eq!(stretch.from_day, day);
        let Some(last) = stretch.to_day else { break };
        sum += (last - stretch.from_day + 1) * stretch.daily_limit;
        assert_eq!(stretch.cumulative, Some(sum), "day {last}");
        day = last + 1;
    }
    assert_eq!((day, sum), (31, 1_050));
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn after(days: u64) -> NaiveDate {
    date("2026-11-22") + Days::new(days)
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn closure(closed_at: &str, reopened_at: Option<&str>) -> Closure {
    Closure { closed_at: time(closed_at), reopened_at: reopened_at.map(time) }
}

#[test]
fn the_days_of_the_issue() {
    let days = [1, 5, 6, 10, 11, 15, 16, 20, 21, 25, 26, 30, 31];
    let limits = days.map(|day| progress(after(0), &[], after(day - 1)).daily_limit());
    assert_eq!(limits, [10, 10, 20, 20, 30, 30, 40, 40, 50, 50, 60, 60, 75]);
    let stages = [1, 30, 31, 32, 400].map(|day| progress(after(0), &[], after(day - 1)));
    assert_eq!(stages.map(Progress::stage), [1, 30, 30, 30, 30]);
    let completed = [None, None, Some(after(30)), Some(after(30)), Some(after(30))];
    assert_eq!(stages.map(|progress| progress.completed_on), completed);
}

#[test]
fn a_pause_of_three_days_on_day_12_shifts_the_rest_by_three() {
    // Day 12 is 2026-12-03; the ends of the 3rd, 4th and 5th do not count.
    let pause = [closure("2026-12-03T09:00:00Z", Some("2026-12-06T09:00:00Z"))];
    let day = |days| progress(after(0), &pause, after(days)).day;
    assert_eq!([day(10), day(11), day(12), day(13), day(14), day(15)], [11, 12, 12, 12, 12, 13]);
    assert_eq!(progress(after(0), &pause, after(32)).completed_on, None);
    assert_eq!(progress(after(0), &pause, after(33)).completed_on, Some(after(33)));
    let open = [closure("2026-12-03T09:00:00Z", None)];
    assert_eq!(progress(after(0), &open, after(400)).day, 12, "a pause without an end");
}

#[test]
fn a_day_counts_by_how_it_ends() {
    let day_after = |closed: &str, reopened: Option<&str>| {
        progress(date("2026-03-01"), &[closure(closed, reopened)], date("2026-03-03")).day
    };
    assert_eq!(day_after("2026-03-01T00:00:00Z", Some("2026-03-01T23:59:59.999999Z")), 3, "open again before its end");
    assert_eq!(day_after("2026-03-01T12:00:00Z", Some("2026-03-02T00:00:00Z")), 2, "reopened at midnight is too late");
    assert_eq!(
        day_after("2026-03-02T00:00:00Z", Some("2026-03-02T01:00:00Z")),
        3,
        "closed at midnight is the next day's"
    );
    assert_eq!(day_after("2026-03-01T23:59:59.999999Z", Some("2026-03-02T00:00:01Z")), 2, "closed at the last moment");
    assert_eq!(day_after("2026-02-01T00:00:00Z", None), 1, "closed from before the start");
    assert_eq!(day_after("2026-02-01T00:00:00Z", Some("2026-02-20T00:00:00Z")), 3, "closed and open before the start");
}

#[test]
fn leap_days_and_years_ends_are_days_like_others() {
    assert_eq!(progress(date("2028-02-27"), &[], date("2028-03-01")).day, 4, "a leap year");
    assert_eq!(progress(date("2027-02-27"), &[], date("2027-03-01")).day, 3, "none");
    assert_eq!(progress(date("2026-12-30"), &[], date("2027-01-02")).day, 4);
    assert_eq!(progress(date("2027-12-15"), &[], date("2028-01-14")).completed_on, Some(date("2028-01-14")));
}

#[test]
fn clocks_that_are_wrong_do_no_harm() {
    assert_eq!(progress(after(5), &[], after(0)).day, 1, "today is before the first day");
    assert_eq!(progress(NaiveDate::MIN, &[], NaiveDate::MAX).day, 31);
    let always = [Closure { closed_at: DateTime::<Utc>::MIN_UTC, reopened_at: None }];
    assert_eq!(progress(date("1900-01-01"), &always, NaiveDate::MAX).day, 1);
}

#[test]
fn adopted_mailboxes_begin_as_far_back_as_they_stand() {
    for (stage, day) in [(1, 1), (12, 12), (30, 30), (0, 1), (-5, 1), (99, 30)] {
        assert_eq!(progress(day_one_of(stage, after(0)), &[], after(0)).day, day, "stage {stage}");
    }
}

/// What happens to a mailbox, told minute by minute, as somebody would who watches it all the time.
fn simulated(start_minute: u32, switches: &[(u32, bool)], days: u64) -> Vec<u32> {
    let is_open_at = |minute: u32| {
        let last = switches.iter().filter(|(at, _)| *at < minute).max_by_key(|(at, _)| *at);
        last.is_none_or(|(_, is_open)| *is_open)
    };
    let mut day = 1;
    let mut reached = Vec::new();
    for number in 0..days {
        reached.push(day);
        let end = u32::try_from(number + 1).unwrap() * 1_440;
        if is_open_at(end) && end > start_minute {
            day = (day + 1).min(31);
        }
    }
    reached
}

proptest! {
    #[test]
    fn the_function_agrees_with_watching(
        start_minute in 0_u32..1_440,
        raw in prop::collection::btree_map(0_u32..60 * 1_440, any::<bool>(), 0..40),
        shuffle in any::<bool>(),
    ) {
        let switches: Vec<(u32, bool)> = raw.into_iter().collect();
        let at = |minute: u32| midnight(after(0)) + TimeDelta::minutes(i64::from(minute));
        // Closures as they are recorded: from closed to open.
        let mut closures: Vec<Closure> = Vec::new();
        for (minute, is_open) in &switches {
            match closures.last_mut().filter(|last| last.reopened_at.is_none()) {
                Some(last) if *is_open => last.reopened_at = Some(at(*minute)),
                None if !*is_open => closures.push(Closure { closed_at: at(*minute), reopened_at: None }),
                _ => {}
            }
        }
        if shuffle {
            closures.reverse();
        }
        let days = 61;
        let reached: Vec<u32> = (0..days).map(|day| progress(after(0), &closures, after(day)).day).collect();
        prop_assert_eq!(&reached, &simulated(start_minute, &switches, days));
        prop_assert!(reached.windows(2).all(|pair| pair[0] <= pair[1]), "a day reached is never lost");
    }
}
