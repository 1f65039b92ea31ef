//! Roll-ups of warm-up statistics: the rows of `warmup_stats` of a domain's or a client's mailboxes, added up.
//!
//! # Strictness
//!
//! All mailboxes count, deleted ones too, for what they sent was sent; each with the domain and the client that it is in
//! now. Another program may write the table: a number of mails below zero counts as zero, and a rate or score
//! that is none from 0 to 100 as not given.

use chrono::NaiveDate;
use uuid::Uuid;

use crate::sending::rollup::Sums;
use crate::store::db::{Sql, db, statements};
use crate::store::{Store, StoreError};

/// What mailboxes told of a range of days.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WarmupRollup {
    /// The days of which somebody told, in order.
    pub days: Vec<(NaiveDate, Sums)>,
    /// All of them together.
    pub total: Sums,
}

/// What is added up of the rows in `s`.
macro_rules! sums {
    () => {
        "COUNT(DISTINCT mailbox_id) AS mailboxes, COALESCE(SUM(sent), 0) AS emails_sent, \
         COALESCE(SUM(received), 0) AS emails_received, \
         COALESCE(SUM(CASE WHEN rate IS NOT NULL THEN sent END), 0) AS rated_sent, \
         COALESCE(SUM(sent * rate), 0.0) AS rated_sum, COUNT(score) AS scores, COALESCE(SUM(score), 0.0) AS score_sum FROM s "
    };
}

/// The days of the mailboxes whose `$column` is `$1`, and all together in the row without a date. One statement, so
/// that both speak of the same moment.
macro_rules! rollup {
    ($column:literal) => {
        concat!(
            "WITH s AS (SELECT told.mailbox_id, told.date, CASE WHEN told.emails_sent > 0 THEN told.emails_sent ELSE 0 END AS sent, \
             CASE WHEN told.emails_received > 0 THEN told.emails_received ELSE 0 END AS received, \
             CASE WHEN told.inbox_rate BETWEEN 0 AND 100 THEN told.inbox_rate END AS rate, \
             CASE WHEN told.warmup_score BETWEEN 0 AND 100 THEN told.warmup_score END AS score \
             FROM email_mailboxes AS m JOIN warmup_stats AS told ON told.mailbox_id = m.id WHERE ",
            $column,
            " = $1 AND told.date >= $2 AND told.date <= $3) SELECT date, ",
            sums!(),
            "GROUP BY date UNION ALL SELECT NULL, ",
            sums!(),
            "ORDER BY 1"
        )
    };
}

statements! {
    OF_DOMAIN = rollup!("m.domain_id");
    OF_CLIENT = rollup!("m.client_id");
}

#[derive(sqlx::FromRow)]
struct Row {
    date: Option<NaiveDate>,
    mailboxes: i64,
    emails_sent: i64,
    emails_received: i64,
    rated_sent: i64,
    rated_sum: f64,
    scores: i64,
    score_sum: f64,
}

impl Row {
    fn sums(&self) -> Sums {
        let Row { date: _, mailboxes, emails_sent, emails_received, rated_sent, rated_sum, scores, score_sum } = *self;
        Sums { mailboxes, emails_sent, emails_received, rated_sent, rated_sum, scores, score_sum }
    }
}

impl Store {
    /// The days of a domain's mailboxes from `from` to `to`, both included; nothing but zeros where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn warmup_rollup_of_domain(
        &self,
        domain_id: Uuid,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<WarmupRollup, StoreError> {
        self.warmup_rollup(OF_DOMAIN, domain_id, from, to).await
    }

    /// The same of a client's mailboxes, in all its domains.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn warmup_rollup_of_client(
        &self,
        client_id: Uuid,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<WarmupRollup, StoreError> {
        self.warmup_rollup(OF_CLIENT, client_id, from, to).await
    }

    async fn warmup_rollup(
        &self,
        statement: Sql,
        id: Uuid,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<WarmupRollup, StoreError> {
        let rows = db!(&self.db, statement, |sql, pool| {
            sqlx::query_as::<_, Row>(sql).bind(id).bind(from).bind(to).fetch_all(pool).await
        })
        .map_err(StoreError::at("warmup_rollup"))?;
        let mut rollup = WarmupRollup::default();
        for row in rows {
            match row.date {
                Some(date) => rollup.days.push((date, row.sums())),
                None => rollup.total = row.sums(),
            }
        }
        Ok(rollup)
    }
}
