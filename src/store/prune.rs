//! Forgetting old history, in small steps.
//!
//! The newest check of every domain stays, however old, and with it the evidence that its flags rest on.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{db, statements, tx};
use crate::store::{Store, StoreError};

statements! {
    // Ids are of version 7 and begin with the time, so the primary key serves this.
    OLD_CHECKS = "DELETE FROM sendready_checks WHERE id IN (SELECT c.id FROM sendready_checks AS c WHERE c.id < $1 \
        AND EXISTS (SELECT 1 FROM sendready_checks AS later WHERE later.domain_id = c.domain_id AND later.id > c.id) \
        ORDER BY c.id LIMIT $2) RETURNING evidence_digest";
    UNUSED_EVIDENCE = "DELETE FROM sendready_evidence WHERE digest = $1 \
        AND NOT EXISTS (SELECT 1 FROM sendready_checks WHERE evidence_digest = $1) \
        AND NOT EXISTS (SELECT 1 FROM email_domains WHERE evidence_digest = $1)";
    OLD_EVENTS = "DELETE FROM sendready_events WHERE id IN \
        (SELECT id FROM sendready_events WHERE id < $1 ORDER BY id LIMIT $2)";
}

impl Store {
    /// Removes at most `limit` checks made before `before`, with the evidence that nothing else rests on; how many
    /// checks it were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is removed.
    pub async fn check_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        const OPERATION: &str = "check_prune";
        let mut tx = self.db.begin(OPERATION).await?;
        let digests: Vec<String> = tx!(&mut tx, OLD_CHECKS, |sql, connection| {
            sqlx::query_scalar(sql).bind(first_id_of(before)).bind(i64::from(limit)).fetch_all(connection).await
        })
        .map_err(StoreError::at(OPERATION))?;
        for digest in digests.iter().collect::<BTreeSet<_>>() {
            tx!(&mut tx, UNUSED_EVIDENCE, |sql, connection| {
                sqlx::query(sql).bind(digest.as_str()).execute(connection).await.map(|_| ())
            })
            .map_err(StoreError::at(OPERATION))?;
        }
        tx.commit(OPERATION).await?;
        Ok(u64::try_from(digests.len()).unwrap_or(u64::MAX))
    }

    /// Removes at most `limit` events written before `before`; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is removed.
    pub async fn event_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        db!(&self.db, OLD_EVENTS, |sql, pool| {
            let query = sqlx::query(sql).bind(first_id_of(before)).bind(i64::from(limit));
            query.execute(pool).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at("event_prune"))
    }
}

/// The least id of version 7 of this time's millisecond. RFC 9562 §5.7.
pub(in crate::store) fn first_id_of(time: DateTime<Utc>) -> Uuid {
    let milliseconds = u128::try_from(time.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(milliseconds << 80)
}
