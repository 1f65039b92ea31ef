//! When to try again: the schedule, and what a receiver asks for.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The longest that a receiver may put us off. Beyond it an event is no news any more.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// The longest `Retry-After` that is read, in octets. A date has 29.
const RETRY_AFTER_OCTETS_MAX: usize = 64;

/// When to make the next attempt after `attempts` of them, the last one at `now`; nothing when they are used up.
///
/// `schedule` says how long to wait before each attempt, the first one included. A receiver can put an attempt off
/// (`put_off`), and never bring it forward.
pub fn next_attempt(
    schedule: &[Duration],
    attempts: u32,
    put_off: Option<Duration>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let wait = *schedule.get(usize::try_from(attempts).ok()?)?;
    let wait = put_off.map_or(wait, |put_off| wait.max(put_off));
    // A wait past the end of time is one without end.
    now.checked_add_signed(TimeDelta::from_std(wait).ok()?)
}

/// How long `Retry-After` asks to wait from `now` on: seconds, or a date. RFC 9110 §10.2.3. At most
/// [`RETRY_AFTER_MAX`]; nothing for what is neither.
pub fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if text.is_empty() || text.len() > RETRY_AFTER_OCTETS_MAX {
        return None;
    }
    if text.bytes().all(|octet| octet.is_ascii_digit()) {
        // More digits than a number has are a long time all the same.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    // The preferred form of a date is one of RFC 5322 in GMT. RFC 9110 §5.6.7.
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default().min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn the_schedule_is_walked_to_its_end() {
        let schedule = [0, 5, 300].map(Duration::from_secs);
        let wait = |attempts, put_off: Option<u64>| {
            let next = next_attempt(&schedule, attempts, put_off.map(Duration::from_secs), now());
            next.map(|next| (next - now()).num_seconds())
        };
        assert_eq!([wait(0, None), wait(1, None), wait(2, None), wait(3, None)], [Some(0), Some(5), Some(300), None]);
        assert_eq!(wait(1, Some(60)), Some(60), "it can be put off");
        assert_eq!(wait(2, Some(60)), Some(300), "and is not brought forward");
        assert_eq!(wait(3, Some(60)), None, "nor made where none is left");
        assert_eq!(next_attempt(&[Duration::MAX], 0, None, now()), None);
        assert_eq!(next_attempt(&[], 0, None, now()), None);
    }

    #[test]
    fn what_a_receiver_asks_for_is_read() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(retry_after(text, now()).map(|wait| wait.as_secs()), expected, "{text}");
        };
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("86401", Some(86_400));
        check("99999999999999999999999999", Some(86_400));
        check("Fri, 15 Jan 2027 08:01:00 GMT", Some(60));
        check("Fri, 15 Jan 2027 07:00:00 GMT", Some(0));
        check("Fri, 15 Jan 2044 07:00:00 GMT", Some(86_400));
        check("-1", None);
        check("1.5", None);
        check("soon", None);
        check("", None);
        check(&"1".repeat(65), None);
    }
}
