//! Those who wait for the same domain, and are told of the same change, read it once.
//!
//! A reading serves whoever was told before it began: so nobody gets what was read before they were told, and of a
//! thousand who are told of one change the first reads for all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as Turn;
use uuid::Uuid;

/// A place in the order in which words are told and readings begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// Readings that are shared, by domain and by whether they bring a check forward.
#[derive(Debug)]
pub(crate) struct Together<T> {
    /// The last moment that was given.
    last: AtomicU64,
    shelves: Mutex<Shelves<T>>,
}

/// By domain and by whether a check is brought forward.
type Shelves<T> = HashMap<(Uuid, bool), Arc<Shelf<T>>>;

/// The last reading, and when it began. Whoever reads holds it.
type Shelf<T> = Turn<Option<(Moment, Option<Arc<T>>)>>;

impl<T> Default for Together<T> {
    fn default() -> Together<T> {
        Together { last: AtomicU64::new(0), shelves: Mutex::default() }
    }
}

impl<T> Together<T> {
    /// Now: after every moment that was given before.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.last.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// What was read after `told`, by whomever.
    ///
    /// # Errors
    ///
    /// Those of `read`. Whoever waited for a reading that failed reads for himself.
    pub(crate) async fn read<E, R>(&self, key: (Uuid, bool), told: Moment, read: impl Fn() -> R) -> Result<Arc<T>, E>
    where
        R: Future<Output = Result<T, E>>,
    {
        let shelf = Arc::clone(self.lock().entry(key).or_default());
        let place = Place { together: self, key, shelf };
        self.read_from(&place.shelf, told, read).await
    }

    async fn read_from<E, R>(&self, shelf: &Shelf<T>, told: Moment, read: impl Fn() -> R) -> Result<Arc<T>, E>
    where
        R: Future<Output = Result<T, E>>,
    {
        let mut turn = shelf.lock().await;
        match &*turn {
            Some((began, Some(found))) if *began > told => return Ok(Arc::clone(found)),
            Some((began, None)) if *began > told => {
                // Not one after the other: a database that is gone takes its time to say so.
                drop(turn);
                return read().await.map(Arc::new);
            }
            _ => {}
        }
        let began = self.now();
        // Also for those who wait when this reading is given up half-way.
        *turn = Some((began, None));
        let found = Arc::new(read().await?);
        *turn = Some((began, Some(Arc::clone(&found))));
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, Shelves<T>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits or reads; the last to go, or to be dropped half-way, takes the shelf away.
struct Place<'t, T> {
    together: &'t Together<T>,
    key: (Uuid, bool),
    shelf: Arc<Shelf<T>>,
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        let mut shelves = self.together.lock();
        // Ours, and the map's.
        if Arc::strong_count(&self.shelf) == 2 {
            shelves.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    const KEY: (Uuid, bool) = (Uuid::nil(), true);

    #[tokio::test]
    async fn many_who_are_told_at_once_cost_one_reading() {
        let (together, readings) = (Together::default(), AtomicU32::new(0));
        let read = || async {
            let number = readings.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<u32, ()>(number)
        };
        let told = together.now();
        let all = futures_util::future::join_all((0..1_000).map(|_| together.read(KEY, told, read))).await;
        assert!(all.iter().all(|found| **found.as_ref().unwrap() == 0));
        assert_eq!(readings.load(Ordering::SeqCst), 1);
        assert!(together.lock().is_empty());
        assert_eq!(*together.read(KEY, told, read).await.unwrap(), 1, "nothing is kept for those who come later");
    }

    #[tokio::test]
    async fn what_was_read_before_somebody_was_told_is_not_for_him() {
        let (together, readings) = (Together::default(), AtomicU32::new(0));
        let read = || async {
            let number = readings.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<u32, ()>(number)
        };
        // Each is told once the one before has begun to read.
        let all = futures_util::future::join_all(
            (0..1_000).map(|_| async { together.read(KEY, together.now(), read).await }),
        )
        .await;
        let firsts = all.iter().filter(|found| **found.as_ref().unwrap() == 0).count();
        assert_eq!(
            (firsts, readings.load(Ordering::SeqCst)),
            (1, 2),
            "the second reads for all who were told before that"
        );
    }

    #[tokio::test]
    async fn a_reading_that_is_given_up_leaves_nothing_behind() {
        let together = Together::<u32>::default();
        let never = std::future::pending::<Result<u32, ()>>;
        let _ =
            futures_util::future::select(Box::pin(together.read(KEY, together.now(), never)), std::future::ready(()))
                .await;
        assert!(together.lock().is_empty());
    }

    #[tokio::test]
    async fn a_reading_that_fails_is_nobody_elses_failure() {
        let (together, readings) = (Together::default(), AtomicU32::new(0));
        let read = || async {
            let number = readings.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if number < 2 { Err(number) } else { Ok(number) }
        };
        let all =
            futures_util::future::join_all((0..10).map(|_| async { together.read(KEY, together.now(), read).await }))
                .await;
        let failed = all.iter().filter(|found| found.is_err()).count();
        assert_eq!(failed, 2, "{all:?}");
        assert!(together.lock().is_empty());
    }
}
