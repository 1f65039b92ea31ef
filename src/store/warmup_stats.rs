//! Warm-up statistics: the rows of `warmup_stats`, one for each mailbox and day.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::store::db::{db, statements};
use crate::store::{Store, StoreError};

/// One day of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmupStatsRow {
    /// The day.
    pub date: NaiveDate,
    /// `emails_sent`.
    pub emails_sent: i32,
    /// `emails_received`.
    pub emails_received: i32,
    /// `warmup_score`, 0–100.
    pub warmup_score: Option<f64>,
    /// `inbox_rate`, 0–100.
    pub inbox_rate: Option<f64>,
}

statements! {
    PUT = "INSERT INTO warmup_stats (id, mailbox_id, date, emails_sent, emails_received, warmup_score, inbox_rate, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (mailbox_id, date) DO UPDATE \
        SET emails_sent = excluded.emails_sent, emails_received = excluded.emails_received, \
        warmup_score = excluded.warmup_score, inbox_rate = excluded.inbox_rate";
    LIST = "SELECT date, COALESCE(emails_sent, 0) AS emails_sent, COALESCE(emails_received, 0) AS emails_received, \
        warmup_score, inbox_rate FROM warmup_stats WHERE mailbox_id = $1 AND date >= $2 AND date <= $3 ORDER BY date LIMIT $4";
}

#[derive(sqlx::FromRow)]
struct Row {
    date: NaiveDate,
    emails_sent: i32,
    emails_received: i32,
    warmup_score: Option<f64>,
    inbox_rate: Option<f64>,
}

impl Store {
    /// Writes a mailbox's day, over what was there. `id` is for a day that is new.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn warmup_stats_put(
        &self,
        id: Uuid,
        mailbox_id: Uuid,
        day: &WarmupStatsRow,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        db!(&self.db, PUT, |sql, pool| {
            let query = sqlx::query(sql).bind(id).bind(mailbox_id).bind(day.date).bind(day.emails_sent);
            let query = query.bind(day.emails_received).bind(day.warmup_score).bind(day.inbox_rate).bind(now);
            query.execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("warmup_stats_put"))
    }

    /// A mailbox's days from `from` to `to`, both included, in order; at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn warmup_stats_list(
        &self,
        mailbox_id: Uuid,
        from: NaiveDate,
        to: NaiveDate,
        limit: u32,
    ) -> Result<Vec<WarmupStatsRow>, StoreError> {
        let rows = db!(&self.db, LIST, |sql, pool| {
            let query = sqlx::query_as::<_, Row>(sql).bind(mailbox_id).bind(from).bind(to);
            query.bind(i64::from(limit)).fetch_all(pool).await
        })
        .map_err(StoreError::at("warmup_stats_list"))?;
        let read = |Row { date, emails_sent, emails_received, warmup_score, inbox_rate }| WarmupStatsRow {
            date,
            emails_sent,
            emails_received,
            warmup_score,
            inbox_rate,
        };
        Ok(rows.into_iter().map(read).collect())
    }
}
