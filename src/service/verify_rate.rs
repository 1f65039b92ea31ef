//! How often one domain may be asked to be verified.
//!
//! Counted in this process: with several replicas behind one address each counts for itself, while
//! `checks.min_interval` holds for all of them together.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// How many calls a domain gets in [`WINDOW`]. Contract §3.3.
pub(crate) const CALLS_MAX: usize = 6;

/// The window in which calls are counted.
const WINDOW: TimeDelta = TimeDelta::minutes(1);

/// Past so many domains, those without a call in the window are swept out.
const DOMAINS_KEPT_MAX: usize = 4_096;

/// The calls of the last minute, by domain.
#[derive(Debug, Default)]
pub(crate) struct VerifyRate {
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    by_domain: HashMap<Uuid, VecDeque<DateTime<Utc>>>,
    sweep_at_count: usize,
}

impl VerifyRate {
    /// Counts one call.
    ///
    /// # Errors
    ///
    /// How long to wait, when there were too many; such a call does not count.
    pub(crate) fn call(&self, domain_id: Uuid, now: DateTime<Utc>) -> Result<(), Duration> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.sweep(now);
        let times = calls.by_domain.entry(domain_id).or_default();
        forget_old(times, now);
        match times.front() {
            Some(first) if times.len() >= CALLS_MAX => {
                // Never nothing, so that whoever waits does not come back at once.
                Err((*first + WINDOW - now).to_std().unwrap_or_default().max(Duration::from_secs(1)))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

impl Calls {
    /// Doubles the mark when all are alive, so that sweeping costs a constant share of the calls.
    fn sweep(&mut self, now: DateTime<Utc>) {
        if self.by_domain.len() < self.sweep_at_count.max(DOMAINS_KEPT_MAX) {
            return;
        }
        self.by_domain.retain(|_, times| {
            forget_old(times, now);
            !times.is_empty()
        });
        self.sweep_at_count = self.by_domain.len() * 2;
    }
}

fn forget_old(times: &mut VecDeque<DateTime<Utc>>, now: DateTime<Utc>) {
    while times.front().is_some_and(|time| *time + WINDOW <= now) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_calls_a_minute_and_no_more() {
        let rate = VerifyRate::default();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        for second in 0..6 {
            assert_eq!(rate.call(one, at(second)), Ok(()), "call at {second}");
        }
        assert_eq!(rate.call(one, at(6)), Err(Duration::from_secs(54)));
        assert_eq!(rate.call(other, at(6)), Ok(()), "each domain by itself");
        assert_eq!(rate.call(one, at(59)), Err(Duration::from_secs(1)));
        assert_eq!(rate.call(one, at(60)), Ok(()), "the first has left the window");
        assert_eq!(rate.call(one, at(60)), Err(Duration::from_secs(1)), "only the first");
    }

    #[test]
    fn what_is_kept_does_not_grow_for_ever() {
        let rate = VerifyRate::default();
        for number in 0..20_000_u32 {
            let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::from(number));
            rate.call(Uuid::from_u128(u128::from(number)), now).unwrap();
        }
        let kept = rate.calls.lock().unwrap().by_domain.len();
        assert!(kept <= DOMAINS_KEPT_MAX, "{kept}");
    }
}
