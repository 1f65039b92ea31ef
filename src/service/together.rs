//! Those who wait for the same domain, and are told of the same change, read it once.
//!
//! A reading serves whoever came before it began: so nobody gets what was read before they were told. Of a thousand
//! who are told at once the first reads, and the second reads for all others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as Turn;
use uuid::Uuid;

/// Readings that are shared, by domain and by whether they bring a check forward.
#[derive(Debug)]
pub(crate) struct Together<T> {
    /// Counts comers and readings, to tell who came first.
    count: AtomicU64,
    shelves: Mutex<Shelves<T>>,
}

/// By domain and by whether a check is brought forward.
type Shelves<T> = HashMap<(Uuid, bool), Arc<Shelf<T>>>;

/// The last reading, and its number. Whoever reads holds it.
type Shelf<T> = Turn<Option<(u64, Option<Arc<T>>)>>;

impl<T> Default for Together<T> {
    fn default() -> Together<T> {
        Together { count: AtomicU64::new(0), shelves: Mutex::default() }
    }
}

impl<T> Together<T> {
    /// What was read since this was called, by whomever.
    ///
    /// # Errors
    ///
    /// Those of `read`. Whoever waited for a reading that failed reads for himself.
    pub(crate) async fn read<E, R>(&self, key: (Uuid, bool), read: impl Fn() -> R) -> Result<Arc<T>, E>
    where
        R: Future<Output = Result<T, E>>,
    {
        let came = self.count.fetch_add(1, Ordering::SeqCst);
        let shelf = Arc::clone(self.lock().entry(key).or_default());
        let place = Place { together: self, key, shelf };
        self.read_from(&place.shelf, came, read).await
    }

    async fn read_from<E, R>(&self, shelf: &Shelf<T>, came: u64, read: impl Fn() -> R) -> Result<Arc<T>, E>
    where
        R: Future<Output = Result<T, E>>,
    {
        let mut turn = shelf.lock().await;
        match &*turn {
            Some((began, Some(found))) if *began > came => return Ok(Arc::clone(found)),
            Some((began, None)) if *began > came => {
                // Not one after the other: a database that is gone takes its time to say so.
                drop(turn);
                return read().await.map(Arc::new);
            }
            _ => {}
        }
        let began = self.count.fetch_add(1, Ordering::SeqCst);
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
    async fn many_who_come_at_once_cost_two_readings() {
        let (together, readings) = (Together::default(), AtomicU32::new(0));
        let read = || async {
            let number = readings.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<u32, ()>(number)
        };
        let all = futures_util::future::join_all((0..1_000).map(|_| together.read(KEY, read))).await;
        assert_eq!(readings.load(Ordering::SeqCst), 2);
        let firsts = all.iter().filter(|found| **found.as_ref().unwrap() == 0).count();
        assert_eq!(firsts, 1, "what was read before somebody came is not for him");
        assert!(together.lock().is_empty());
        assert_eq!(*together.read(KEY, read).await.unwrap(), 2, "a later one reads anew");
    }

    #[tokio::test]
    async fn a_reading_that_is_given_up_leaves_nothing_behind() {
        let together = Together::<u32>::default();
        let never = std::future::pending::<Result<u32, ()>>;
        let _ = futures_util::future::select(Box::pin(together.read(KEY, never)), std::future::ready(())).await;
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
        let all = futures_util::future::join_all((0..10).map(|_| together.read(KEY, read))).await;
        let failed = all.iter().filter(|found| found.is_err()).count();
        assert_eq!(failed, 2, "{all:?}");
        assert!(together.lock().is_empty());
    }
}
