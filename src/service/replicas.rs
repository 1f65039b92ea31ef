//! Living beside other replicas: hearing what they say, and going by the same clock.
//!
//! For those who wait, what is heard only hastens: whoever waits must also look from time to time, for a replica that is
//! cut off hears nothing. What is remembered of records rests on it: nothing is while nothing would be heard.

use std::time::Duration;

use tokio::time::Instant;

use crate::service::snapshot::Snapshot;
use crate::service::{Error, Service};
use crate::store::notice::{Heard, Rows};

/// A word of the database's clock that took longer to come is not believed, unless there was none before.
const WORD_TIME_MAX: Duration = Duration::from_secs(1);

/// While somebody hears; when dropped, nobody does.
struct Hearing<'s>(&'s Snapshot);

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        self.0.line_is_cut();
    }
}

impl Service {
    /// Passes on what other replicas say, until the line is cut; `up` is called once it stands. On SQLite there are no
    /// others, and this ends at once.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when there is no line, or none any more. What was said meanwhile is missed; after the next
    /// call's beginning everybody looks for himself.
    pub async fn hear_replicas(&self, up: impl FnOnce()) -> Result<(), Error> {
        let Some(mut line) = self.store.listen().await? else { return Ok(()) };
        // However this ends: nothing is heard any more then.
        let _cut = Hearing(&self.snapshot);
        up();
        self.wake();
        self.tell_missed();
        loop {
            match line.next().await? {
                Heard::Replica(notice) => {
                    if notice.is_due {
                        self.wake();
                    }
                    notice.domains.into_iter().for_each(|domain_id| self.tell_changed(domain_id));
                }
                Heard::Rows(Rows::OfDomain(domain_id)) => self.tell_changed(domain_id),
                Heard::Rows(rows) => {
                    self.snapshot.forget(rows);
                    // Who waits for which client's domain is not known; this happens seldom.
                    self.tell_missed();
                }
                Heard::Stands(at) => self.snapshot.line_stands(at),
            }
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
