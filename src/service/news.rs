//! What has become other than it was, told to whoever waits for it: in this process at once, and by other replicas.
//!
//! News only hasten. Whoever waits must also look from time to time, for a replica that is cut off hears nothing.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use crate::service::{Error, Service};

/// A word of the database's clock that took longer to come is not believed, unless there was none before.
const WORD_TIME_MAX: Duration = Duration::from_secs(1);

/// What those who wait are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// This domain was settled or changed.
    Domain(Uuid),
    /// Something may have been missed; whoever waits should look.
    Gap,
}

impl Service {
    /// Waits until a check has become due at once since the last call, here or on another replica. For one worker.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Says in this process that a check is due at once.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Which domains are settled or changed from now on, here or on other replicas, usually within a second.
    ///
    /// A listener that lags behind gets `RecvError::Lagged`, which says the same as [`News::Gap`].
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Says in this process that a domain was settled or changed.
    pub(crate) fn tell(&self, domain_id: Uuid) {
        // An error says that nobody listens.
        let _ = self.news.send(News::Domain(domain_id));
    }

    /// Passes on what other replicas say, until the line is cut; `up` is called once it stands. On SQLite there are no
    /// others, and this ends at once.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when there is no line, or none any more. What was said meanwhile is missed; after the next
    /// call's beginning everybody looks for himself.
    pub async fn hear_replicas(&self, up: impl FnOnce()) -> Result<(), Error> {
        let Some(mut line) = self.store.listen().await? else { return Ok(()) };
        up();
        self.wake();
        let _ = self.news.send(News::Gap);
        loop {
            let notice = line.next().await?;
            if notice.is_due {
                self.wake();
            }
            notice.domains.into_iter().for_each(|domain_id| self.tell(domain_id));
        }
    }

    /// Sets our clock by the database's, which all replicas go by. `false` on SQLite, whose clock is ours.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; the clock goes on as it was set last.
    pub async fn follow_database_time(&self) -> Result<bool, Error> {
        let asked = Instant::now();
        let Some(time) = self.store.time().await? else { return Ok(false) };
        let took = asked.elapsed();
        if took <= WORD_TIME_MAX || !self.clock.is_ruled() {
            // It was read somewhere between asking and hearing.
            self.clock.rule(time, took / 2);
        }
        Ok(true)
    }
}
