//! What the reputation of domains is made of, read in one statement, and the two columns that follow it:
//! `domain_age_days` and `reputation_score`.
//!
//! Whoever writes something that the reputation is made of has it follow in the same transaction; what others write by
//! SQL is noticed by the walk through all domains.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::sending::reputation::{Inputs, ListWord, Rates, age_days, reputation};
use crate::store::db::{Tx, db, statements, tx};
use crate::store::{Store, StoreError};
use crate::verify::standing::Flags;

/// What is known of one domain, and what its columns say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReputationFacts {
    /// What the reputation is made of.
    pub inputs: Inputs,
    /// `domain_age_days` as it stands.
    pub age_days: Option<i32>,
    /// `reputation_score` as it stands.
    pub score: Option<f64>,
}

impl ReputationFacts {
    /// The score once these records are valid.
    pub(in crate::store) fn score_with(&self, flags: Flags) -> f64 {
        reputation(&Inputs { flags: Some(flags), ..self.inputs }).score
    }
}

/// The facts, of the domains that `$whose` names. Rates that are no fractions are not acted on.
macro_rules! facts {
    ($whose:literal) => {
        concat!(
            "SELECT d.id, d.last_checked_at, d.stale_since, COALESCE(d.spf_valid, FALSE) AS spf, \
             COALESCE(d.dkim_valid, FALSE) AS dkim, COALESCE(d.dmarc_valid, FALSE) AS dmarc, \
             COALESCE(d.mx_valid, FALSE) AS mx, d.domain_age_days, d.reputation_score, g.registered_at, \
             (SELECT COUNT(*) FROM sendready_listings AS l WHERE l.organization = o.organization \
                 AND l.listed IS NOT NULL) AS lists_asked, \
             (SELECT COUNT(*) FROM sendready_listings AS l WHERE l.organization = o.organization \
                 AND l.listed) AS lists_listed, \
             (SELECT MAX(m.bounce_rate) FROM email_mailboxes AS m WHERE m.domain_id = d.id AND m.deleted_at IS NULL \
                 AND m.bounce_rate BETWEEN 0 AND 1 AND (m.health_sample IS NOT NULL OR m.bounce_rate <> 0 \
                 OR m.spam_rate <> 0)) AS bounce, \
             (SELECT MAX(m.spam_rate) FROM email_mailboxes AS m WHERE m.domain_id = d.id AND m.deleted_at IS NULL \
                 AND m.spam_rate BETWEEN 0 AND 1 AND (m.health_sample IS NOT NULL OR m.bounce_rate <> 0 \
                 OR m.spam_rate <> 0)) AS spam \
             FROM email_domains AS d LEFT JOIN sendready_domain_organizations AS o ON o.domain_id = d.id \
             LEFT JOIN sendready_organizations AS g ON g.organization = o.organization WHERE ",
            $whose
        )
    };
}

statements! {
    FACTS = facts!("d.id = ANY (ARRAY(SELECT CAST(i.value AS UUID) FROM json_array_elements_text($1::json) AS i(value)))")
        => facts!("d.id IN (SELECT unhex(value) FROM json_each($1))");
    WRITE = "UPDATE email_domains SET domain_age_days = $2, reputation_score = $3, updated_at = $4 WHERE id = $1";
    // In the order of their ids, as settling takes them; nobody is kept from referring to them. SQLite has one writer, and
    // this is it.
    LOCK = "SELECT d.id FROM email_domains AS d WHERE d.id = ANY (ARRAY(SELECT CAST(i.value AS UUID) \
        FROM json_array_elements_text($1::json) AS i(value))) ORDER BY d.id FOR NO KEY UPDATE"
        => "SELECT d.id FROM email_domains AS d WHERE d.id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY d.id";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    last_checked_at: Option<DateTime<Utc>>,
    stale_since: Option<DateTime<Utc>>,
    spf: bool,
    dkim: bool,
    dmarc: bool,
    mx: bool,
    domain_age_days: Option<i32>,
    reputation_score: Option<f64>,
    registered_at: Option<DateTime<Utc>>,
    lists_asked: i64,
    lists_listed: i64,
    bounce: Option<f64>,
    spam: Option<f64>,
}

impl Row {
    fn read(self, now: DateTime<Utc>) -> (Uuid, ReputationFacts) {
        let flags = Flags { spf: self.spf, dkim: self.dkim, dmarc: self.dmarc, mx: self.mx };
        // A first look at which nobody could tell says nothing; what was known before still is.
        let is_known = self.last_checked_at.is_some() && self.stale_since.is_none() || flags != Flags::default();
        let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        let lists = ListWord { asked: count(self.lists_asked), listed: count(self.lists_listed) };
        let inputs = Inputs {
            flags: is_known.then_some(flags),
            age_days: self.registered_at.map(|day| age_days(day, now)).or(self.domain_age_days),
            lists: (lists.asked > 0).then_some(lists),
            rates: match (self.bounce, self.spam) {
                (None, None) => None,
                (bounce, spam) => Some(Rates { bounce: bounce.unwrap_or(0.0), spam: spam.unwrap_or(0.0) }),
            },
        };
        (self.id, ReputationFacts { inputs, age_days: self.domain_age_days, score: self.reputation_score })
    }
}

impl Store {
    /// What is known of a domain; nothing where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn reputation_facts(&self, id: Uuid, now: DateTime<Utc>) -> Result<Option<ReputationFacts>, StoreError> {
        let ids = ids(&[id]);
        let row = db!(&self.db, FACTS, |sql, pool| sqlx::query_as::<_, Row>(sql).bind(ids).fetch_optional(pool).await)
            .map_err(StoreError::at("reputation_facts"))?;
        Ok(row.map(|row| row.read(now).1))
    }

    /// Brings age and reputation of domains up to date, where they are not. How many were not.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed.
    pub async fn reputation_refresh(&self, ids: &[Uuid], now: DateTime<Utc>) -> Result<u64, StoreError> {
        const OPERATION: &str = "reputation_refresh";
        let mut tx = self.db.begin(OPERATION).await?;
        let count = refresh(&mut tx, ids, now, OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(count)
    }
}

/// The same inside a transaction. It locks the domains' rows: whoever has locked a mailbox's row must have locked its
/// domain's before that.
pub(in crate::store) async fn refresh(
    tx: &mut Tx<'_>,
    domains: &[Uuid],
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<u64, StoreError> {
    let stale: Vec<Uuid> = facts(tx, domains, now, operation).await?.into_iter().filter_map(outdated).collect();
    if stale.is_empty() {
        return Ok(0);
    }
    let locked = ids(&stale);
    tx!(&mut *tx, LOCK, |sql, connection| {
        sqlx::query_scalar::<_, Uuid>(sql).bind(locked).fetch_all(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))?;
    let mut count = 0;
    // Read again, for what they said before the lock may be others' past.
    for (id, facts) in facts(tx, &stale, now, operation).await? {
        let (age, score) = (facts.inputs.age_days, reputation(&facts.inputs).score);
        count += tx!(&mut *tx, WRITE, |sql, connection| {
            let query = sqlx::query(sql).bind(id).bind(age).bind(score).bind(now);
            query.execute(connection).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at(operation))?;
    }
    Ok(count)
}

fn outdated((id, facts): (Uuid, ReputationFacts)) -> Option<Uuid> {
    let is_same = facts.age_days == facts.inputs.age_days && facts.score == Some(reputation(&facts.inputs).score);
    (!is_same).then_some(id)
}

/// What is known of domains, as the transaction sees it.
pub(in crate::store) async fn facts(
    tx: &mut Tx<'_>,
    domains: &[Uuid],
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<BTreeMap<Uuid, ReputationFacts>, StoreError> {
    if domains.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids = ids(domains);
    let rows = tx!(tx, FACTS, |sql, connection| sqlx::query_as::<_, Row>(sql).bind(ids).fetch_all(connection).await)
        .map_err(StoreError::at(operation))?;
    Ok(rows.into_iter().map(|row| row.read(now)).collect())
}

/// Ids as one JSON text, for that both databases take apart.
fn ids(ids: &[Uuid]) -> String {
    let each: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.simple())).collect();
    format!("[{}]", each.join(","))
}
