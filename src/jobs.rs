//! The pace of background work: what is due is done, again and again, until told to stop.
//!
//! A job takes no input but the database. Twice is the same as once. It stops between items when told, mends by
//! itself when the database comes back, and a panic in it ends the process.

pub mod breaker;
pub mod checks;
pub mod daily;
pub mod deliveries;
mod leased;
pub mod outside;
pub mod prune;
pub mod replicas;

use std::time::Duration;

/// The shortest wait after the database failed.
const BACK_OFF_MIN: Duration = Duration::from_millis(500);

/// The longest.
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// How long to wait after failures in a row: doubling, from half a second to five seconds.
#[derive(Debug, Default)]
struct BackOff {
    failure_count: u32,
}

impl BackOff {
    /// Counts a failure, and says how long to wait for the next try.
    fn failed(&mut self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failure_count.min(10));
        self.failure_count = self.failure_count.saturating_add(1);
        (BACK_OFF_MIN * doubled).min(BACK_OFF_MAX)
    }

    /// Forgets the failures. Whether there were any.
    fn mended(&mut self) -> bool {
        std::mem::take(&mut self.failure_count) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_seconds() {
        let mut back_off = BackOff::default();
        let waits: Vec<u128> = (0..8).map(|_| back_off.failed().as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000]);
        assert!(back_off.mended());
        assert!(!back_off.mended());
        assert_eq!(back_off.failed().as_millis(), 500);
    }
}
