//! The time now, in one place.
//!
//! Everything that depends on the time takes it as an argument; only the ways in and the jobs ask a
//! [`Clock`], and pass on what it said. Times have microseconds and no finer, for that is what the
//! databases keep: a time that was stored and read back equals the one that was stored.
//!
//! # Left out
//!
//! Waiting. Delays and time-outs are the runtime's, which tests can pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};

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
}

impl Clock {
    /// The time now, to the microsecond.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Clock::System => Utc::now().trunc_subsecs(SUBSECOND_DIGITS),
            Clock::Hand(hand) => hand.now(),
        }
    }
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
