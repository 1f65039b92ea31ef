//! The timer of one connection: how long a request's head may take is waited for by one timer that stays.
//!
//! hyper begins a new wait with every request and nearly always drops it a moment later. Each would be entered into the
//! runtime's timers and taken out again, which costs as much as a small answer. Here a wait is only a time; the one timer
//! is set to the earliest that was waited for, and when it goes off too early, it is set anew.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Sleep, Timer};
use tokio::time::Instant;

/// The timer of a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Bell {
    /// Nothing until somebody has waited.
    timer: Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>,
}

/// A wait of one connection.
#[derive(Debug)]
struct Wait {
    until: Instant,
    bell: Bell,
}

impl Timer for Bell {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until((Instant::now() + duration).into_std())
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait { until: deadline.into(), bell: self.clone() })
    }

    /// By the runtime's clock, which tests can stop.
    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timer = self.bell.timer.lock().unwrap_or_else(PoisonError::into_inner);
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.until)));
        if timer.deadline() > self.until {
            timer.as_mut().reset(self.until);
        }
        while timer.deadline() < self.until {
            ready!(timer.as_mut().poll(context));
            timer.as_mut().reset(self.until);
        }
        timer.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn took(wait: Pin<Box<dyn Sleep>>) -> Duration {
        let began = Instant::now();
        wait.await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_time_whatever_was_waited_for_before() {
        let bell = Bell::default();
        let seconds = Duration::from_secs;
        assert_eq!(took(bell.sleep(seconds(30))).await, seconds(30));
        // Dropped after a moment, as hyper does.
        for _ in 0..3 {
            let dropped = tokio::time::timeout(seconds(1), bell.sleep(seconds(30))).await;
            assert!(dropped.is_err());
        }
        assert_eq!(took(bell.sleep(seconds(30))).await, seconds(30), "though the timer was set to an earlier time");
        let dropped = tokio::time::timeout(seconds(1), bell.sleep(seconds(30))).await;
        assert!(dropped.is_err());
        assert_eq!(took(bell.sleep(seconds(2))).await, seconds(2), "though the timer was set to a later time");
        assert_eq!(took(bell.sleep(Duration::ZERO)).await, Duration::ZERO);
    }
}
