//! How many requests may come (`http.rate_limits`), and what is left of that.
//!
//! Owns the counting; who is counted as what is `http::admission`'s. Each process counts for itself.
//! GCRA, as governor has it: one time per key, no windows that turn over, and a refusal costs the refused nothing.
//!
//! # Strictness
//!
//! At most [`KEYS_MAX`] keys of a class are told apart. Those whose bucket is full again are forgotten, for they are
//! as if they had never come; whoever comes when all places are taken shares one bucket with everybody else who does.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::config::rates::{Rate, RateClass, RateLimits};
use crate::http::problem::{Kind, Problem};
use crate::plural::counted;
use crate::telemetry::metrics::request_refused;

/// How many keys of a class are told apart: at some 40 octets each, under a megabyte a class.
pub const KEYS_MAX: usize = 16_384;

/// How often those who are as good as new are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// How often when all places are taken.
const FORGET_INTERVAL_FULL: Duration = Duration::from_secs(1);

/// Which limit there is. draft-ietf-httpapi-ratelimit-headers-10 §3.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is left of it. draft-ietf-httpapi-ratelimit-headers-10 §4.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The limits of a process, and what was used of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limits {
    counters: Arc<[Option<Counter>; RateClass::ALL.len()]>,
}

/// What one request leaves.
#[derive(Debug, Clone, Copy)]
pub struct Left<'l> {
    counter: &'l Counter,
    /// How many more may come at once.
    count: u32,
}

/// A request too many.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'l> {
    left: Left<'l>,
    /// When the next may come.
    wait: Duration,
}

/// What a class has used.
#[derive(Debug)]
struct Counter {
    class: RateClass,
    rate: Rate,
    policy: HeaderValue,
    keys_max: usize,
    limiter: RateLimiter<u128, Places, Steady, StateInformationMiddleware>,
    /// When the last look for what can be forgotten was, in milliseconds since the beginning.
    looked: AtomicU64,
}

impl Limits {
    /// Nobody has used anything yet.
    pub fn new(limits: &RateLimits) -> Limits {
        Limits::with_keys_max(limits, KEYS_MAX)
    }

    /// The same with another number of keys that are told apart. For tests.
    pub fn with_keys_max(limits: &RateLimits, keys_max: usize) -> Limits {
        let counters = RateClass::ALL.map(|class| Counter::new(class, limits.get(class)?, keys_max));
        Limits { counters: Arc::new(counters) }
    }

    /// Counts one request; nothing is left to say where the class is not limited.
    ///
    /// # Errors
    ///
    /// [`Refused`]; it has not been counted.
    pub fn count(&self, class: RateClass, key: u128) -> Result<Option<Left<'_>>, Refused<'_>> {
        match self.counters.get(class as usize) {
            Some(Some(counter)) => counter.count(key).map(Some),
            _ => Ok(None),
        }
    }
}

impl Counter {
    fn new(class: RateClass, rate: Rate, keys_max: usize) -> Option<Counter> {
        let count = NonZeroU32::new(rate.count)?;
        // The settings allow no shorter time than a second and no more than a million in it.
        let quota = Quota::with_period(rate.per / rate.count)?.allow_burst(count);
        let seconds = whole_seconds(rate.per);
        let policy = format!("\"{}\";q={};w={seconds}", class.as_str(), rate.count);
        Some(Counter {
            class,
            rate,
            policy: HeaderValue::from_str(&policy).ok()?,
            keys_max,
            limiter: RateLimiter::new(quota, Places::with(keys_max), Steady { start: Instant::now() }),
            looked: AtomicU64::new(0),
        })
    }

    fn count(&self, key: u128) -> Result<Left<'_>, Refused<'_>> {
        self.forget();
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(Left { counter: self, count: state.remaining_burst_capacity() }),
            Err(until) => {
                let wait = until.wait_time_from(self.limiter.clock().now());
                Err(Refused { left: Left { counter: self, count: 0 }, wait })
            }
        }
    }

    /// Forgets those who are as good as new, from time to time.
    fn forget(&self) {
        let now = u64::try_from(self.limiter.clock().now().as_millis()).unwrap_or(u64::MAX);
        let before = self.looked.load(Ordering::Relaxed);
        let since = Duration::from_millis(now.saturating_sub(before));
        let is_due = since >= FORGET_INTERVAL || since >= FORGET_INTERVAL_FULL && self.limiter.len() >= self.keys_max;
        // Only one of those who notice at the same time.
        if is_due && self.looked.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.limiter.retain_recent();
        }
    }
}

impl Left<'_> {
    /// Says so in an answer's headers.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let Counter { class, rate, policy, .. } = self.counter;
        headers.insert(RATE_LIMIT_POLICY, policy.clone());
        // Until all of it is there again: one part of the time for each that is not.
        let gone = rate.count.saturating_sub(self.count);
        let again = whole_seconds((rate.per / rate.count).saturating_mul(gone));
        let left = format!("\"{}\";r={};t={again}", class.as_str(), self.count);
        if let Ok(left) = HeaderValue::from_str(&left) {
            headers.insert(RATE_LIMIT, left);
        }
    }
}

impl Refused<'_> {
    /// The refusal, and what there is to say of the limit beside it.
    pub fn problem(&self) -> Problem {
        let Counter { class, rate, .. } = self.left.counter;
        request_refused(class.as_str());
        let whose = match class {
            RateClass::Operator | RateClass::Client | RateClass::Hook => "with this key",
            RateClass::Setup => "with this link",
            RateClass::Address => "from this address without a key",
            RateClass::Failures => "from this address with keys that are not known here",
        };
        let (count, per) = (rate.count, humantime::format_duration(rate.per));
        let seconds = whole_seconds(self.wait).max(1);
        let count = counted(count, "request", "requests");
        let detail = format!("more than {count} in {per} came {whose}; come again in {seconds} s");
        Problem::because(Kind::TooManyRequests, detail).retry_after(self.wait)
    }

    /// What is left of the limit: nothing.
    pub fn left(&self) -> Left<'_> {
        self.left
    }
}

/// Rounded up: a moment too early is too early.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// By what an address is counted: an IPv6 network of 64 bits is one, for its owner has all of it (RFC 4291 §2.5.4).
pub fn key_of_address(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address) >> 64 << 64,
    }
}

/// The time since the beginning by the runtime's clock, which never goes back.
#[derive(Debug)]
struct Steady {
    start: Instant,
}

impl Clock for Steady {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// When the bucket of each key will be full again.
#[derive(Debug)]
struct Places {
    keys_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: HashMap<u128, Nanos>,
    /// The bucket of all who found no place.
    crowd: Option<Nanos>,
}

impl Places {
    fn with(keys_max: usize) -> Places {
        Places { keys_max, kept: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Places {
    type Key = u128;

    fn measure_and_replace<T, F, E>(&self, key: &u128, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut kept = self.lock();
        if let Some(full_at) = kept.keys.get_mut(key) {
            let (out, next) = measure(Some(*full_at))?;
            *full_at = next;
            return Ok(out);
        }
        if kept.keys.len() < self.keys_max {
            let (out, next) = measure(None)?;
            kept.keys.insert(*key, next);
            return Ok(out);
        }
        let (out, next) = measure(kept.crowd)?;
        kept.crowd = Some(next);
        Ok(out)
    }
}

impl ShrinkableKeyedStateStore<u128> for Places {
    fn retain_recent(&self, drop_below: Nanos) {
        self.lock().keys.retain(|_, full_at| *full_at > drop_below);
    }

    fn shrink_to_fit(&self) {
        self.lock().keys.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.lock().keys.len()
    }

    fn is_empty(&self) -> bool {
        self.lock().keys.is_empty()
    }
}

#[cfg(test)]
mod tests;
