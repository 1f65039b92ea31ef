//! Work that is done under leases: the tasks under way, and what each of them holds, so that whatever is not
//! finished in the end can be given back.

use std::collections::HashMap;
use std::future::pending;
use std::panic::resume_unwind;

use futures_util::FutureExt;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The tasks under way. `W` is what one of them holds a lease on.
pub(in crate::jobs) struct Leased<W> {
    tasks: JoinSet<()>,
    held: HashMap<Id, W>,
    /// Whether more may be due than the last look could take: then a task that ends is a reason to look again.
    pub(in crate::jobs) backlog: bool,
}

impl<W> Default for Leased<W> {
    fn default() -> Leased<W> {
        Leased { tasks: JoinSet::new(), held: HashMap::new(), backlog: false }
    }
}

impl<W> Leased<W> {
    /// Starts the task that works on what it `holds`.
    pub(in crate::jobs) fn start(&mut self, holds: W, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(task);
        self.held.insert(task.id(), holds);
    }

    /// Starts a task that serves the others and holds nothing; nobody waits for its end.
    pub(in crate::jobs) fn serve(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// What is held now.
    pub(in crate::jobs) fn held(&self) -> impl Iterator<Item = &W> {
        self.held.values()
    }

    /// How much is held now.
    pub(in crate::jobs) fn count(&self) -> usize {
        self.held.len()
    }

    /// Waits until a task ended that others wait behind, somebody wakes us, it is `until`, or we are told to stop.
    ///
    /// While the database is `down`, neither a free place nor a call is a reason to ask it sooner.
    pub(in crate::jobs) async fn pause(
        &mut self,
        woken: impl Future<Output = ()>,
        until: Instant,
        down: bool,
        soft: &CancellationToken,
    ) {
        tokio::pin!(woken);
        loop {
            tokio::select! {
                () = soft.cancelled() => return,
                () = sleep_until(until) => return,
                () = self.next() => if !down && self.backlog {
                    return;
                },
                () = &mut woken, if !down => return,
            }
        }
    }

    /// Finishes what runs, or, once `hard` is cancelled, ends it. Gives what was not finished, to be given back: a
    /// task may have been about to settle, but its lease decides, and giving back a lost one does nothing.
    ///
    /// # Panics
    ///
    /// When a task panicked.
    pub(in crate::jobs) async fn finish(mut self, hard: &CancellationToken) -> Vec<W> {
        while !self.held.is_empty() {
            tokio::select! {
                () = self.next() => {}
                () = hard.cancelled() => break,
            }
        }
        self.tasks.abort_all();
        let mut unfinished = Vec::new();
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let cancelled = ended.as_ref().is_err_and(JoinError::is_cancelled);
            if let Some(holds) = self.end(ended).filter(|_| cancelled) {
                unfinished.push(holds);
            }
        }
        unfinished
    }

    /// Waits for one task to end, and takes in all that have ended by then; for ever when none runs. A panic in one
    /// goes on here.
    pub(in crate::jobs) async fn next(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else { return pending().await };
        self.end(ended);
        while let Some(Some(ended)) = self.tasks.join_next_with_id().now_or_never() {
            self.end(ended);
        }
    }

    /// What the task held that came to this end.
    fn end(&mut self, ended: Result<(Id, ()), JoinError>) -> Option<W> {
        let id = match ended {
            Ok((id, ())) => id,
            Err(fault) if fault.is_panic() => resume_unwind(fault.into_panic()),
            Err(fault) => fault.id(),
        };
        self.held.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn settled(leased: &mut Leased<u8>, down: bool) -> bool {
        let until = Instant::now() + Duration::from_secs(60);
        let began = Instant::now();
        leased.pause(pending(), until, down, &CancellationToken::new()).await;
        began.elapsed() < Duration::from_secs(60)
    }

    #[tokio::test(start_paused = true)]
    async fn a_free_place_ends_the_pause_where_others_wait_for_one() {
        let mut leased = Leased::default();
        leased.start(1, async {});
        assert!(!settled(&mut leased, false).await, "nobody waited for the place");
        assert_eq!(leased.count(), 0);
        leased.backlog = true;
        leased.start(2, async {});
        assert!(settled(&mut leased, false).await);
        leased.start(3, async {});
        assert!(!settled(&mut leased, true).await, "the database is down");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_finished_in_the_end_is_given_back() {
        let mut leased = Leased::default();
        leased.serve(pending());
        leased.start(1, async {});
        leased.start(2, pending());
        let hard = CancellationToken::new();
        let (unfinished, ()) = tokio::join!(leased.finish(&hard), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            hard.cancel();
        });
        assert_eq!(unfinished, [2]);
    }

    #[tokio::test]
    async fn the_end_waits_for_what_comes_to_its_end_by_itself() {
        let mut leased = Leased::default();
        leased.serve(pending());
        leased.start(1, async {});
        assert_eq!(leased.finish(&CancellationToken::new()).await, [0_u8; 0]);
    }

    #[tokio::test]
    #[should_panic(expected = "a fault of ours")]
    async fn a_panic_goes_on() {
        let mut leased = Leased::default();
        leased.start(1, async { panic!("a fault of ours") });
        leased.finish(&CancellationToken::new()).await;
    }
}
