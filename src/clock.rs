//! The time now, in one place.
//!
//! Everything that depends on the time takes it as an argument; only the ways in and the jobs ask a
//! [`Clock`], and pass on what it said. Times have microseconds and no finer, for that is what the
//! databases keep: a time that was stored and read back equals the one that was stored.
//!
//! Replicas on one database go by the database's clock ([`Ruled`]), so that it does not matter how wrong their own are.
//!
//! # Left out
//!
//! Waiting. Delays and time-outs are the runtime's, which tests can pause.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// The digits after the second that a time keeps; PostgreSQL's `timestamptz` has as many.
const SUBSECOND_DIGITS: u16 = 6;

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that stands still until a test moves it.
    Hand(Hand),
    /// A clock that another one rules.
    Ruled(Ruled),
}

impl Clock {
    /// The time now, to the microsecond.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Clock::System => Utc::now().trunc_subsecs(SUBSECOND_DIGITS),
            Clock::Hand(hand) => hand.now(),
            Clock::Ruled(ruled) => ruled.now(),
        }
    }

    /// This clock until it is set by another's word ([`Clock::rule`]), and then that one.
    pub fn ruled(self) -> Clock {
        Clock::Ruled(Ruled { own: Arc::new(self), set: Arc::default() })
    }

    /// Whether another clock's word has set this one.
    pub fn is_ruled(&self) -> bool {
        matches!(self, Clock::Ruled(ruled) if ruled.lock().is_some())
    }

    /// Sets a ruled clock: the clock that rules it showed `time`, `ago` before now. Others go on as they were.
    pub fn rule(&self, time: DateTime<Utc>, ago: Duration) {
        if let Clock::Ruled(ruled) = self {
            *ruled.lock() = Some(Set { time: after(time, ago), at: Instant::now() });
        }
    }
}

/// A clock that was set by another one's word, and goes on by the machine's steady clock until the next. Steps of
/// the machine's own wall clock do not move it. Its clones are the same clock.
#[derive(Debug, Clone)]
pub struct Ruled {
    own: Arc<Clock>,
    set: Arc<Mutex<Option<Set>>>,
}

/// The last word of the clock that rules.
#[derive(Debug, Clone, Copy)]
struct Set {
    time: DateTime<Utc>,
    at: Instant,
}

impl Ruled {
    fn now(&self) -> DateTime<Utc> {
        let set = *self.lock();
        set.map_or_else(|| self.own.now(), |set| after(set.time, set.at.elapsed()).trunc_subsecs(SUBSECOND_DIGITS))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Set>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time and a while after it; the end of time where that is too far away.
fn after(time: DateTime<Utc>, while_: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(while_)
        .ok()
        .and_then(|delta| time.checked_add_signed(delta))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The hand of a clock that stands still. Its clones are the same hand.
#[derive(Debug, Clone)]
pub struct Hand {
    /// Microseconds since 1970.
    microseconds: Arc<AtomicI64>,
}

impl Hand {
    /// A hand that shows `now`, to the microsecond.
    pub fn new(now: DateTime<Utc>) -> Hand {
        Hand { microseconds: Arc::new(AtomicI64::new(now.timestamp_micros())) }
    }

    /// The clock that this hand moves.
    pub fn clock(&self) -> Clock {
        Clock::Hand(self.clone())
    }

    /// What the hand shows.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.microseconds.load(Ordering::SeqCst)).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Moves the hand to `now`, back if need be.
    pub fn set(&self, now: DateTime<Utc>) {
        self.microseconds.store(now.timestamp_micros(), Ordering::SeqCst);
    }

    /// Moves the hand forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.microseconds.fetch_add(by, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_time_keeps_no_more_than_a_database_does() {
        let now = Clock::System.now();
        assert_eq!(now, DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap());
        assert!(now.timestamp() > 1_700_000_000, "{now}");
    }

    #[test]
    fn a_ruled_clock_is_the_other_s_once_it_is_set() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let hand = Hand::new(start);
        let clock = hand.clock().ruled();
        assert_eq!(clock.now(), start, "its own until then");
        let word = start + TimeDelta::seconds(30);
        clock.clone().rule(word, Duration::from_secs(2));
        hand.set(DateTime::UNIX_EPOCH);
        let ahead = clock.now() - word;
        assert!(
            ahead >= TimeDelta::seconds(2) && ahead < TimeDelta::seconds(60),
            "{ahead}: the hand's step is nothing to it"
        );
        let own = hand.clock();
        own.rule(word, Duration::ZERO);
        assert_eq!(own.now(), DateTime::UNIX_EPOCH, "only a ruled clock is ruled");
    }

    #[test]
    fn a_hand_moves_every_clock_that_was_made_from_it() {
        let start = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        let hand = Hand::new(start);
        let clock = hand.clock();
        assert_eq!(clock.now().timestamp_subsec_nanos(), 123_456_000);
        hand.advance(Duration::from_millis(1_500));
        assert_eq!((clock.now() - start).num_milliseconds(), 1_499);
        hand.set(start);
        assert_eq!(clock.now().timestamp(), start.timestamp());
    }
}
