//! What replicas hear through PostgreSQL: from each other, that a check is due at once and which domains are other than
//! they were; and from the database itself, which rows somebody has changed, whoever it was (migration 028).
//!
//! A notice only hastens what looking from time to time would find as well: one that is lost delays, and does no other
//! harm. It is sent in the transaction of what it tells, so nobody hears of what did not become so. With SQLite
//! there is one process, and nobody to tell.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgNotification, PgPoolOptions};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::store::connect::ACQUIRE_TIMEOUT;
use crate::store::db::{Db, Tx, in_time, statements};
use crate::store::{PING, Store, StoreError};

/// The channel. One for each database: PostgreSQL keeps those of different databases apart.
const CHANNEL: &str = "sendready";

/// The most domains that one notice names: PostgreSQL takes less than 8,000 octets.
pub const DOMAINS_MAX: usize = 256;

/// Where triggers tell of rows; one for each database, too.
const ROWS_CHANNEL: &str = "sendready_rows";

/// As the connection is named in `pg_stat_activity`.
const APPLICATION_NAME: &str = "sendready listener";

/// How long the line may be silent before we ask whether it still stands.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How often we make sure that words arrive: what is remembered is trusted no longer than that is known.
const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// How what we say to ourselves begins.
const BEAT_WORD: &str = "beat ";

statements! {
    // SQLite has nobody to tell; it is never asked.
    TELL = "SELECT CAST(pg_notify('sendready', $1) AS TEXT)" => "SELECT $1";
    // It need not outlive anything, so nobody waits for the disk. SQLite has nobody to hear it; it is never asked.
    BEAT = "SELECT set_config('synchronous_commit', 'off', TRUE), CAST(pg_notify('sendready_rows', $1) AS TEXT)" => "SELECT $1";
    // Drawn by the database: which store a notice comes from, so that nobody listens to himself.
    ORIGIN = "SELECT replace(CAST(gen_random_uuid() AS TEXT), '-', '')" => "SELECT lower(hex(randomblob(16)))";
}

/// What one replica tells the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notice {
    /// A check is due at once.
    pub is_due: bool,
    /// These domains were settled or changed; at most [`DOMAINS_MAX`] are told of.
    pub domains: Vec<Uuid>,
}

impl Notice {
    /// A check of this domain is due at once.
    pub(in crate::store) fn due(domain: Uuid) -> Notice {
        Notice { is_due: true, domains: vec![domain] }
    }

    /// As it is sent: who says it, `d` when something is due, the ids in base64; a dot between each.
    pub(in crate::store) fn write(&self, origin: &str) -> String {
        let octets: Vec<u8> = self.domains.iter().take(DOMAINS_MAX).flat_map(|id| *id.as_bytes()).collect();
        format!("{origin}.{}.{}", if self.is_due { "d" } else { "" }, URL_SAFE_NO_PAD.encode(octets))
    }

    /// What another said; nothing where we said it ourselves, or a later release something new.
    fn read(text: &str, origin: &str) -> Option<Notice> {
        let (from, rest) = text.split_once('.')?;
        let (due, ids) = rest.split_once('.')?;
        if from == origin {
            return None;
        }
        let octets = URL_SAFE_NO_PAD.decode(ids).ok()?;
        let domains = octets.chunks_exact(16).filter_map(|id| Uuid::from_slice(id).ok()).collect();
        Some(Notice { is_due: due == "d", domains })
    }
}

/// Whose records documents may be other than they were: rows have changed, by whomever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// This domain's.
    OfDomain(Uuid),
    /// Those of all domains of this client.
    OfClient(Uuid),
    /// Everybody's.
    All,
}

impl Rows {
    /// What a trigger said. What a later release tells is about anybody.
    fn read(text: &str) -> Rows {
        let (what, id) = text.split_once(' ').unwrap_or((text, ""));
        match (what, Uuid::parse_str(id)) {
            ("domain", Ok(id)) => Rows::OfDomain(id),
            ("client", Ok(id)) => Rows::OfClient(id),
            _ => Rows::All,
        }
    }
}

/// What is heard on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Another replica's word.
    Replica(Notice),
    /// The database's word.
    Rows(Rows),
    /// Words arrive: whatever was told before this time has been heard.
    Stands(Instant),
}

/// A line on which other replicas and the database are heard. It has a connection of its own.
#[derive(Debug)]
pub struct Line {
    listener: PgListener,
    origin: Arc<str>,
    /// Over which we speak to ourselves.
    pool: PgPool,
    /// What we said last, and when, until it is heard.
    beat: Option<(String, Instant)>,
    beats: u64,
    beat_at: Instant,
    ask_at: Instant,
}

impl Store {
    /// Opens a line to hear other replicas; nothing on SQLite, where there are none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn listen(&self) -> Result<Option<Line>, StoreError> {
        const OPERATION: &str = "listen";
        let Db::Postgres(pool) = &self.db else { return Ok(None) };
        let options = PgPoolOptions::new().max_connections(1).min_connections(0).acquire_timeout(ACQUIRE_TIMEOUT);
        let connect = (*pool.connect_options()).clone().application_name(APPLICATION_NAME);
        let own = options.idle_timeout(None).max_lifetime(None).connect_lazy_with(connect);
        let mut listener = in_time(PgListener::connect_with(&own)).await.map_err(StoreError::at(OPERATION))?;
        // Whoever is cut off must know it: what was told meanwhile is lost.
        listener.eager_reconnect(false);
        in_time(listener.listen_all([CHANNEL, ROWS_CHANNEL])).await.map_err(StoreError::at(OPERATION))?;
        let (now, origin, pool) = (Instant::now(), Arc::clone(&self.origin), pool.clone());
        Ok(Some(Line { listener, origin, pool, beat: None, beats: 0, beat_at: now, ask_at: now + SILENCE_MAX }))
    }

    /// Tells the others, once the transaction is done.
    pub(in crate::store) async fn tell_replicas(
        &self,
        tx: &mut Tx<'_>,
        notice: &Notice,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let Tx::Postgres(transaction) = tx else { return Ok(()) };
        if !notice.is_due && notice.domains.is_empty() {
            return Ok(());
        }
        let (sql, text) = (TELL.postgres, notice.write(&self.origin));
        in_time(async { sqlx::query(sql).bind(text).execute(&mut **transaction).await.map(|_| ()) })
            .await
            .map_err(StoreError::at(operation))
    }
}

impl Line {
    /// Waits for the next word, a second at most: then it is that the line stands. May be dropped and called again
    /// without missing anything.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the line is cut: what is told from then on is missed, and a new one is needed.
    pub async fn next(&mut self) -> Result<Heard, StoreError> {
        const OPERATION: &str = "listen";
        loop {
            let now = Instant::now();
            if now >= self.beat_at {
                self.beat().await;
                continue;
            }
            if now >= self.ask_at {
                // A connection that fell silent without a word would be waited on for ever.
                let (sql, listener) = (PING.postgres, &mut self.listener);
                in_time(async { sqlx::query(sql).execute(listener).await.map(|_| ()) })
                    .await
                    .map_err(StoreError::at(OPERATION))?;
                self.ask_at = Instant::now() + SILENCE_MAX;
                continue;
            }
            let until = self.beat_at.min(self.ask_at);
            let Ok(heard) = timeout_at(until, self.listener.try_recv()).await else { continue };
            let Some(heard) = heard.map_err(StoreError::at(OPERATION))? else {
                let cut = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "the line was cut");
                return Err(StoreError::Unavailable { operation: OPERATION, source: sqlx::Error::Io(cut) });
            };
            self.ask_at = Instant::now() + SILENCE_MAX;
            if let Some(heard) = self.read(&heard) {
                return Ok(heard);
            }
        }
    }

    /// Says something to ourselves, over another connection: only what is heard proves that words arrive. A pooler may
    /// answer for a line that carries none.
    async fn beat(&mut self) {
        let sent_at = Instant::now();
        (self.beat_at, self.beats) = (sent_at + BEAT_INTERVAL, self.beats.wrapping_add(1));
        let beat = format!("{}.{}", self.origin, self.beats);
        let (sql, text) = (BEAT.postgres, format!("{BEAT_WORD}{beat}"));
        let said = timeout(BEAT_INTERVAL, sqlx::query(sql).bind(text).execute(&self.pool)).await;
        // Where it could not be said nothing is heard, and that is what counts.
        self.beat = matches!(said, Ok(Ok(_))).then_some((beat, sent_at));
    }

    fn read(&mut self, heard: &PgNotification) -> Option<Heard> {
        if heard.channel() != ROWS_CHANNEL {
            return Notice::read(heard.payload(), &self.origin).map(Heard::Replica);
        }
        let Some(beat) = heard.payload().strip_prefix(BEAT_WORD) else {
            return Some(Heard::Rows(Rows::read(heard.payload())));
        };
        // Others' are heard as well, and ours of before.
        let (_, sent_at) = self.beat.take_if(|(own, _)| own == beat)?;
        Some(Heard::Stands(sent_at))
    }
}

/// Who this store is among replicas.
pub(in crate::store) async fn origin(db: &Db) -> Result<Arc<str>, StoreError> {
    let origin: String =
        crate::store::db::db!(db, ORIGIN, |sql, pool| sqlx::query_scalar::<_, String>(sql).fetch_one(pool).await)
            .map_err(StoreError::at("connect"))?;
    Ok(origin.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_triggers_say_is_read() {
        let id = Uuid::from_u128(7);
        assert_eq!(Rows::read(&format!("domain {id}")), Rows::OfDomain(id));
        assert_eq!(Rows::read(&format!("client {id}")), Rows::OfClient(id));
        for everybody in ["all", "", "domain", "domain x", "mailbox 00000000-0000-0000-0000-000000000007"] {
            assert_eq!(Rows::read(everybody), Rows::All, "{everybody:?}");
        }
    }

    #[test]
    fn a_notice_reads_back_and_fits() {
        let domains: Vec<Uuid> = (1..=DOMAINS_MAX + 1).map(|number| Uuid::from_u128(number as u128)).collect();
        let written = Notice { is_due: true, domains: domains.clone() }.write("a0b1");
        assert!(written.len() < 8_000, "{}", written.len());
        let read = Notice::read(&written, "other").unwrap();
        assert!(read.is_due);
        assert_eq!(read.domains, domains[..DOMAINS_MAX]);
        assert_eq!(Notice::read(&written, "a0b1"), None, "we said it ourselves");
        let calm = Notice { is_due: false, domains: Vec::new() };
        assert_eq!(Notice::read(&calm.write("a"), "b"), Some(calm));
        for strange in ["", "a", "a.d", "a.d.%%", "\u{0}"] {
            assert_eq!(Notice::read(strange, "b"), None, "{strange:?}");
        }
    }
}
