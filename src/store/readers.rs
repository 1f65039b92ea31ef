//! Connections at hand for a read that comes thick and fast.
//!
//! The pool asks a connection whether it still stands when it lends it, and again when it takes it back: three questions
//! for one. One that was read with a moment ago stays here instead, and goes back once nobody has read for a moment.
//! Whoever finds all of them in use waits here, and not for the pool: the next that is free is his.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgPool, Postgres};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::store::connect::ACQUIRE_TIMEOUT;
use crate::store::db::in_time;

/// How many read at once: not as many as the pool has, for others want some, too.
const READERS_MAX: usize = 10;

/// How long one is taken to stand still, and is kept, after it was used.
const KEPT_TIME: Duration = Duration::from_millis(100);

/// The connections at hand. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Readers {
    places: Arc<Semaphore>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The one that was used last is the last.
    kept: Vec<(PoolConnection<Postgres>, Instant)>,
    /// Whether a task gives back what nobody uses.
    is_swept: bool,
}

impl Default for Readers {
    fn default() -> Readers {
        Readers { places: Arc::new(Semaphore::new(READERS_MAX)), inner: Arc::default() }
    }
}

impl Readers {
    /// The row of an id, with a connection at hand or with one of the pool's. One that has fallen is found out by reading,
    /// and the read is made again with one that stands.
    pub(in crate::store) async fn read_one<T>(
        &self,
        pool: &PgPool,
        sql: &'static str,
        id: Uuid,
    ) -> Result<Option<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let place = timeout(ACQUIRE_TIMEOUT, self.places.acquire()).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let _place = place.map_err(|_| sqlx::Error::PoolClosed)?;
        if let Some(mut connection) = self.take()
            && let Ok(found) = in_time(sqlx::query_as(sql).bind(id).fetch_optional(&mut *connection)).await
        {
            self.keep(connection);
            return Ok(found);
        }
        let mut connection = in_time(pool.acquire()).await?;
        let found = in_time(sqlx::query_as(sql).bind(id).fetch_optional(&mut *connection)).await?;
        self.keep(connection);
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<PoolConnection<Postgres>> {
        let (connection, used) = self.lock().kept.pop()?;
        // Dropped, it goes back to the pool, which asks it.
        (used.elapsed() < KEPT_TIME).then_some(connection)
    }

    /// Only one whose last question was answered to the end.
    fn keep(&self, connection: PoolConnection<Postgres>) {
        let mut inner = self.lock();
        inner.kept.push((connection, Instant::now()));
        if !std::mem::replace(&mut inner.is_swept, true) {
            tokio::spawn(self.clone().sweep());
        }
    }

    /// Gives back what nobody has used for a moment, until nothing is left.
    async fn sweep(self) {
        loop {
            tokio::time::sleep(KEPT_TIME).await;
            let mut inner = self.lock();
            let given_back = inner.kept.extract_if(.., |(_, used)| used.elapsed() >= KEPT_TIME).collect::<Vec<_>>();
            let is_done = inner.kept.is_empty();
            inner.is_swept = !is_done;
            drop(inner);
            drop(given_back);
            if is_done {
                return;
            }
        }
    }
}
