//! Starting the jobs of a process, and stopping them in good order.
//!
//! The first SIGTERM or SIGINT is soft: take nothing new, finish or give back what is held. When
//! `shutdown.grace` is nearly over, or a second signal comes, the stop is hard: drop everything. A
//! job that panics stops the process softly and makes its exit code that of a failure.
//!
//! # Left out
//!
//! What a job does when it is told: jobs take a [`Stop`] and stop between items.

use std::io;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::plural::counted;

/// The part of the grace that is kept for dropping everything after the jobs were cut short: a tenth …
const HARD_SHARE: u32 = 10;

/// … and no more than this: dropping takes no time, and the jobs can use it.
const HARD_MAX: Duration = Duration::from_secs(2);

/// The exit code after a job panicked: `EX_SOFTWARE` of sysexits, which no command of ours uses otherwise.
const FAILED: u8 = 70;

/// The exit code after a second signal: that of a shell's child that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// How many files a process may want to have open: connections, sockets to name servers, the database.
const OPEN_FILES: u64 = 65_536;

/// Lets this process open as many files as the system allows without asking: shells allow 1,024, and each connection
/// that waits is one. Where it may not, it serves with what it has.
pub fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if limit.current.is_some_and(|now| now < current) {
        let wanted = Rlimit { current: Some(current), maximum: limit.maximum };
        if let Err(fault) = setrlimit(Resource::Nofile, wanted) {
            warn!(%fault, "Cannot open more than {:?} files; raise `ulimit -n` if many are to wait", limit.current);
        }
    }
}

/// What tells a job to stop. Its clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Take nothing new, finish or give back what is held.
    pub soft: CancellationToken,
    /// Drop everything. Never before `soft`.
    pub hard: CancellationToken,
}

impl Stop {
    /// Tells everybody to finish.
    pub fn softly(&self) {
        self.soft.cancel();
    }

    /// Tells everybody to drop everything.
    pub fn hard(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every job finished.
    Clean,
    /// The grace was over and jobs were cut short. What they held falls due again by itself.
    Cut,
    /// A second signal cut the jobs short.
    Interrupted,
    /// This job panicked.
    Failed {
        /// Its name.
        job: &'static str,
    },
}

impl End {
    /// The exit code. A stop that was asked for is a success, even where something was cut short.
    pub fn code(self) -> u8 {
        match self {
            End::Clean | End::Cut => 0,
            End::Interrupted => INTERRUPTED,
            End::Failed { .. } => FAILED,
        }
    }
}

impl From<End> for ExitCode {
    fn from(end: End) -> ExitCode {
        ExitCode::from(end.code())
    }
}

/// The jobs of a process.
#[derive(Debug)]
pub struct Lifecycle {
    stop: Stop,
    jobs: TaskTracker,
    failed: Arc<OnceLock<&'static str>>,
    grace: Duration,
}

impl Lifecycle {
    /// A process that takes at most `grace` to stop.
    pub fn new(grace: Duration) -> Lifecycle {
        Lifecycle { stop: Stop::default(), jobs: TaskTracker::new(), failed: Arc::default(), grace }
    }

    /// What tells the jobs to stop.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Starts a job on the current runtime. Should it panic, the process stops.
    pub fn spawn<F>(&self, job: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, failed) = (self.stop.clone(), Arc::clone(&self.failed));
        // Nothing that the job held is used after it panicked: the process only stops.
        let work = AssertUnwindSafe(work).catch_unwind();
        self.jobs.spawn(async move {
            if work.await.is_err() {
                // Only the first is told; others may well be its consequence.
                let _ = failed.set(job);
                error!(job, "The job {job} panicked; stopping");
                stop.softly();
            }
        });
    }

    /// Stops softly at the first SIGTERM or SIGINT from now on, and hard at the second.
    ///
    /// # Errors
    ///
    /// When the system takes no handler for a signal.
    pub fn catch_signals(&self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = self.stop.clone();
        // Not one of the jobs: it waits for a second signal that need never come.
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                }
            };
            let first = next().await;
            info!(signal = first, "Stopping after {first}");
            stop.softly();
            let second = next().await;
            warn!(signal = second, "Stopping at once after a second signal, {second}");
            stop.hard();
        });
        Ok(())
    }

    /// Waits until somebody stops the process, then until the jobs have ended, but no longer than the grace.
    pub async fn run(self) -> End {
        self.stop.soft.cancelled().await;
        self.jobs.close();
        let hard_time = (self.grace / HARD_SHARE).min(HARD_MAX);
        let end = tokio::select! {
            biased;
            // Before the jobs, which end because of it.
            () = self.stop.hard.cancelled() => End::Interrupted,
            () = self.jobs.wait() => End::Clean,
            () = tokio::time::sleep(self.grace.saturating_sub(hard_time)) => End::Cut,
        };
        if end != End::Clean {
            warn!(jobs = self.jobs.len(), "Cutting {} short", counted(self.jobs.len(), "job", "jobs"));
            self.stop.hard();
            // What does not end now ends with the process.
            let _ = tokio::time::timeout(hard_time, self.jobs.wait()).await;
        }
        match self.failed.get() {
            Some(job) => End::Failed { job },
            None => end,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const GRACE: Duration = Duration::from_secs(20);

    /// What becomes of a process with this one job, and in what time. Time is paused.
    async fn ends<J, M>(job: impl FnOnce(Stop) -> J, meanwhile: impl FnOnce(Stop) -> M) -> (End, Duration)
    where
        J: Future<Output = ()> + Send + 'static,
        M: Future<Output = ()> + Send + 'static,
    {
        let lifecycle = Lifecycle::new(GRACE);
        let started = Instant::now();
        lifecycle.spawn("job", job(lifecycle.stop()));
        tokio::spawn(meanwhile(lifecycle.stop()));
        (lifecycle.run().await, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_ends_in_time_ends_cleanly() {
        let job = |stop: Stop| async move {
            stop.soft.cancelled().await;
            tokio::time::sleep(Duration::from_secs(3)).await;
        };
        let (end, took) = ends(job, |stop: Stop| async move { stop.softly() }).await;
        assert_eq!((end, took), (End::Clean, Duration::from_secs(3)));
        assert_eq!(end.code(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_does_not_end_is_cut_short_within_the_grace() {
        let job = |stop: Stop| async move { stop.hard.cancelled().await };
        let (end, took) = ends(job, |stop: Stop| async move { stop.softly() }).await;
        assert_eq!((end, took), (End::Cut, Duration::from_secs(18)));
        assert_eq!(end.code(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_listens_to_nobody_ends_with_the_process_within_the_grace() {
        let (end, took) = ends(|_| std::future::pending(), |stop: Stop| async move { stop.softly() }).await;
        assert_eq!((end, took), (End::Cut, GRACE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_waits_for_nothing() {
        let job = |stop: Stop| async move { stop.hard.cancelled().await };
        let meanwhile = |stop: Stop| async move {
            stop.softly();
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.hard();
        };
        let (end, took) = ends(job, meanwhile).await;
        assert_eq!((end, took), (End::Interrupted, Duration::from_secs(1)));
        assert_eq!(end.code(), 130);
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_panics_stops_the_process_with_a_failure() {
        let lifecycle = Lifecycle::new(GRACE);
        let stop = lifecycle.stop();
        lifecycle.spawn("steady", async move { stop.soft.cancelled().await });
        lifecycle.spawn("fragile", async { panic!("as the test wants it") });
        // Paused time passes at once where nothing else happens: a process that went on would be seen.
        let end = tokio::time::timeout(GRACE, lifecycle.run()).await.unwrap();
        assert_eq!(end, End::Failed { job: "fragile" });
        assert_ne!(end.code(), 0);
    }

    #[tokio::test]
    async fn the_first_signal_is_soft_and_the_second_hard() {
        use rustix::process::{Signal, getpid, kill_process};

        let lifecycle = Lifecycle::new(GRACE);
        lifecycle.catch_signals().unwrap();
        let stop = lifecycle.stop();
        assert!(!stop.soft.is_cancelled());
        kill_process(getpid(), Signal::TERM).unwrap();
        stop.soft.cancelled().await;
        assert!(!stop.hard.is_cancelled());
        kill_process(getpid(), Signal::INT).unwrap();
        stop.hard.cancelled().await;
    }
}
