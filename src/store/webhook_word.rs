//! A webhook's word that the DNS of domains changed: they are looked at at once, and again twice while not all valid.
//!
//! All that is planned stands on the row, so that it outlives the process that took the word. Which of the looks comes
//! next is decided where a check settles ([`crate::store::settle`]).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::store::db::{statements, tx};
use crate::store::notice::Notice;
use crate::store::{Store, StoreError};

/// The most names that are taken at once. Contract §3.4.
pub const NAMES_MAX: usize = 1_000;

/// When a domain that is not all valid is looked at again after a webhook's word. Contract §3.4.
const FOLLOW_UP_AFTER: TimeDelta = TimeDelta::seconds(30);

/// And for the last time.
const LAST_FOLLOW_UP_AFTER: TimeDelta = TimeDelta::minutes(2);

/// The longest least interval that is reckoned with: a thousand million seconds, for the databases' sake.
const MIN_INTERVAL_MAX: Duration = Duration::from_secs(1_000_000_000);

/// A webhook's word about some domains.
#[derive(Debug, Clone, Copy)]
pub struct Announced<'a> {
    /// Their names as they may stand in the database: A-labels, and what a person reads where that differs. The first
    /// [`NAMES_MAX`] names count twice as many spellings.
    pub names: &'a [String],
    /// Only this client's; nothing: anybody's.
    pub client_id: Option<Uuid>,
    /// How long after its last check a domain is checked at the earliest.
    pub min_interval: Duration,
}

/// The earliest time of a check after the last one; `$plus` is it and the least interval.
macro_rules! wanted_at {
    ($plus:literal) => {
        concat!("CASE WHEN ", $plus, " > $3 THEN ", $plus, " ELSE $3 END")
    };
}

macro_rules! announce {
    ($names:literal, $lock:literal, $plus:literal) => {
        concat!(
            "WITH chosen AS MATERIALIZED (SELECT id FROM email_domains \
             WHERE ltrim(rtrim(lower(domain), ' .'), ' ') IN (SELECT value FROM ",
            $names,
            ") AND client_id = COALESCE($2, client_id) AND deleted_at IS NULL \
             AND COALESCE(status, 'pending') <> 'deleted' AND COALESCE(malformed, '') <> domain ORDER BY id",
            $lock,
            ") UPDATE email_domains SET follow_up_at = $4, last_follow_up_at = $5, \
             check_again_at = CASE WHEN lease_until > $3 AND (check_again_at IS NULL OR check_again_at > $6) \
                 THEN $6 ELSE check_again_at END, \
             check_reason = CASE WHEN lease_until > $3 THEN check_reason \
                 WHEN check_reason <> 'schedule' AND next_check_at <= ",
            wanted_at!($plus),
            " THEN check_reason ELSE 'webhook' END, \
             next_check_at = CASE WHEN lease_until > $3 THEN next_check_at WHEN next_check_at <= ",
            wanted_at!($plus),
            " THEN next_check_at ELSE ",
            wanted_at!($plus),
            " END WHERE id IN (SELECT id FROM chosen) RETURNING domain"
        )
    };
}

statements! {
    // Locked in the order of their ids, as settling does, so that nobody waits in a circle.
    ANNOUNCE = announce!("json_array_elements_text($1::json)", " FOR UPDATE", "last_checked_at + CAST($7 AS INTERVAL)")
        // This clock has milliseconds and cuts off; one more keeps the interval.
        => announce!("json_each($1)", "", "strftime('%Y-%m-%dT%H:%M:%f+00:00', last_checked_at, $7, '+0.001 seconds')");
}

impl Store {
    /// Marks all living domains of these names as announced at `now`: due at once, but not closer than the least
    /// interval to their last check, and again after 30 s and 2 min while not all valid. The names of those marked,
    /// as the database has them.
    ///
    /// A domain that is being checked is checked once more after that check, for it may have asked before the change.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is marked.
    pub async fn domain_announce(
        &self,
        announced: &Announced<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, StoreError> {
        const OPERATION: &str = "domain_announce";
        let interval = announced.min_interval.min(MIN_INTERVAL_MAX);
        let seconds = format!("{}.{:03} seconds", interval.as_secs(), interval.subsec_millis());
        let again = now + TimeDelta::from_std(interval).unwrap_or_default();
        let names: Vec<&String> = announced.names.iter().take(NAMES_MAX * 2).collect();
        let names = serde_json::to_string(&names)
            .map_err(|fault| StoreError::Corrupt { operation: OPERATION, what: fault.to_string() })?;
        let mut tx = self.db.begin(OPERATION).await?;
        let marked: Vec<String> = tx!(&mut tx, ANNOUNCE, |sql, connection| {
            let query = sqlx::query_scalar(sql).bind(names).bind(announced.client_id).bind(now);
            let query = query.bind(now + FOLLOW_UP_AFTER).bind(now + LAST_FOLLOW_UP_AFTER).bind(again);
            query.bind(seconds).fetch_all(connection).await
        })
        .map_err(StoreError::at(OPERATION))?;
        let notice = Notice { is_due: !marked.is_empty(), domains: Vec::new() };
        self.tell_replicas(&mut tx, &notice, OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(marked)
    }
}
