//! The fleet breaker's memory: how it stands, and the latest look at every domain that is or was valid.
//!
//! What opens and closes it is [`crate::verify::breaker`]; here it is decided on what all replicas have written.
//! A healthy domain costs one row written with its settlement. The one row of `sendready_breaker` is locked only by
//! who is about to demote, and by who opens or closes: so no demotion is written after the breaker has opened.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::store::db::{Tx, db, statements, tx};
use crate::store::settle::time;
use crate::store::{Store, StoreError};
use crate::verify::breaker::{self, Breaker, Change, Counts, Look, Outcome, Rule, Span};

/// The most looks that are counted: the latest ones. More say nothing more.
const LOOKS_MAX: u32 = 20_000;

/// The most domains brought forward at once.
const SAMPLE_MAX: usize = 100;

/// What a check says of a domain to the breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLook {
    /// Its registrable domain.
    pub organization: String,
    /// What was seen.
    pub outcome: Outcome,
    /// When it turned, if it had been good until now.
    pub turned_at: DateTime<Utc>,
    /// Whether it was valid before, and so counts.
    pub was_valid: bool,
    /// Whether it is valid now, and so may be asked about.
    pub is_valid: bool,
}

/// What came of asking the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// How it stands.
    pub breaker: Breaker,
    /// What was counted. Zeros where nothing had to be.
    pub counts: Counts,
    /// How many other organizations were looked at within the window.
    pub others: usize,
    /// What became of it.
    pub change: Change,
}

macro_rules! state {
    ($lock:literal) => {
        concat!(
            "SELECT opened_at, closed_at, counted_from, accepted_at, looked, turned FROM sendready_breaker \
             WHERE id = 1",
            $lock
        )
    };
}

/// Writes looks over those that are there.
macro_rules! keep_looks {
    ($rows:literal) => {
        concat!(
            "INSERT INTO sendready_breaker_looks (domain_id, organization, looked_at, outcome, turned_at, counts) ",
            $rows,
            " ON CONFLICT (domain_id) DO UPDATE SET organization = excluded.organization, \
             looked_at = excluded.looked_at, outcome = excluded.outcome, \
             turned_at = CASE WHEN excluded.outcome = 'good' THEN NULL \
                 ELSE COALESCE(sendready_breaker_looks.turned_at, excluded.turned_at) END, \
             counts = sendready_breaker_looks.counts OR excluded.counts"
        )
    };
}

statements! {
    STATE = state!("");
    STATE_LOCKED = state!(" FOR UPDATE") => state!("");
    KEEP_STATE = "UPDATE sendready_breaker SET opened_at = $1, closed_at = $2, counted_from = $3, accepted_at = $4, \
        looked = $5, turned = $6 WHERE id = 1";
    // A run that is not good keeps its beginning. What has counted once does so until its domain is gone.
    KEEP_LOOK = keep_looks!("VALUES ($1, $2, $3, $4, $5, $6)");
    KEEP_LOOKS = keep_looks!("SELECT i.domain_id, i.organization, i.looked_at, i.outcome, i.turned_at, i.counts \
        FROM json_to_recordset($1::json) AS i(domain_id UUID, organization TEXT, looked_at TIMESTAMPTZ, outcome TEXT, \
        turned_at TIMESTAMPTZ, counts BOOLEAN) ORDER BY i.domain_id")
        => keep_looks!("SELECT unhex(value->>'domain_id'), value->>'organization', value->>'looked_at', \
        value->>'outcome', value->>'turned_at', value->>'counts' FROM json_each($1) WHERE TRUE");
    // Of one that is valid no longer, only what is remembered already: it may become good again.
    KEEP_LOOK_IF_KNOWN = "UPDATE sendready_breaker_looks SET looked_at = $2, outcome = $3, \
        turned_at = CASE WHEN $3 = 'good' THEN NULL ELSE COALESCE(turned_at, $4) END WHERE domain_id = $1";
    TURNED_COUNT = "SELECT count(*) FROM (SELECT 1 FROM sendready_breaker_looks WHERE turned_at > $1 LIMIT $2) AS turned";
    // The looks come first: SQLite takes a CROSS JOIN in the order in which it is written.
    LOOKS = "SELECT l.organization, l.looked_at, l.outcome, l.turned_at FROM sendready_breaker_looks AS l \
        CROSS JOIN email_domains AS d WHERE d.id = l.domain_id AND l.looked_at > $1 AND l.counts \
        AND d.deleted_at IS NULL AND COALESCE(d.status, 'pending') <> 'deleted' ORDER BY l.looked_at DESC LIMIT $2";
    SAMPLE = "SELECT l.domain_id FROM sendready_breaker_looks AS l CROSS JOIN email_domains AS d \
        WHERE d.id = l.domain_id AND l.looked_at <= $1 AND l.domain_id <> $2 AND l.organization <> $3 AND d.dns_configured \
        AND d.deleted_at IS NULL AND COALESCE(d.status, 'pending') <> 'deleted' \
        AND COALESCE(d.malformed, '') <> d.domain ORDER BY l.looked_at LIMIT $4";
    BRING_FORWARD = "UPDATE email_domains SET next_check_at = $2 \
        WHERE id = $1 AND (next_check_at IS NULL OR next_check_at > $2)";
}

#[derive(sqlx::FromRow)]
struct StateRow {
    opened_at: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    counted_from: Option<DateTime<Utc>>,
    accepted_at: Option<DateTime<Utc>>,
    looked: i32,
    turned: i32,
}

impl StateRow {
    fn read(self) -> Breaker {
        let StateRow { opened_at, closed_at, counted_from, accepted_at, looked, turned } = self;
        let count = |number: i32| usize::try_from(number).unwrap_or(0);
        let counts = Counts { looked: count(looked), turned: count(turned) };
        Breaker { opened_at, closed_at, counted_from, accepted_at, counts }
    }
}

#[derive(sqlx::FromRow)]
struct LookRow {
    organization: String,
    looked_at: DateTime<Utc>,
    outcome: String,
    turned_at: Option<DateTime<Utc>>,
}

impl LookRow {
    fn read(self, operation: &'static str) -> Result<Look, StoreError> {
        let LookRow { organization, looked_at, outcome, turned_at } = self;
        let Some(outcome) = Outcome::parse(&outcome) else {
            return Err(StoreError::Corrupt { operation, what: format!("the outcome `{outcome}` of a look") });
        };
        Ok(Look { organization, looked_at, outcome, turned_at })
    }
}

impl Store {
    /// How the breaker stands.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn breaker(&self) -> Result<Breaker, StoreError> {
        let row: StateRow = db!(&self.db, STATE, |sql, pool| sqlx::query_as(sql).fetch_one(pool).await)
            .map_err(StoreError::at("breaker"))?;
        Ok(row.read())
    }

    /// Asks before a domain is demoted: writes down what was seen of it, counts, and opens the breaker where that
    /// is due. Closing is left to [`Store::breaker_watch`].
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is written.
    pub async fn breaker_ask(
        &self,
        domain_id: Uuid,
        look: &NewLook,
        rule: &Rule,
        span: Span,
        now: DateTime<Utc>,
    ) -> Result<Asked, StoreError> {
        const OPERATION: &str = "breaker_ask";
        let mut tx = self.db.begin(OPERATION).await?;
        keep_look(&mut tx, domain_id, look, now, OPERATION).await?;
        let asked = judge(&mut tx, Some(&look.organization), rule, span, now, OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(asked)
    }

    /// Opens the breaker, or closes it, where that is due. While too few have turned for that, it only reads.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is written.
    pub async fn breaker_watch(&self, rule: &Rule, now: DateTime<Utc>) -> Result<Asked, StoreError> {
        const OPERATION: &str = "breaker_watch";
        let breaker = self.breaker().await?;
        if !breaker.is_open() && !self.may_open(&breaker, rule, now).await? {
            return Ok(Asked { breaker, counts: Counts::default(), others: 0, change: Change::None });
        }
        let mut tx = self.db.begin(OPERATION).await?;
        let asked = judge(&mut tx, None, rule, Span::Window, now, OPERATION).await?;
        tx.commit(OPERATION).await?;
        Ok(asked)
    }

    /// Closes the breaker over what was seen until now, by an operator's word. How it stood before and stands after;
    /// nothing when it was not open.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing has changed.
    pub async fn breaker_accept(&self, now: DateTime<Utc>) -> Result<Option<Breaker>, StoreError> {
        const OPERATION: &str = "breaker_accept";
        let mut tx = self.db.begin(OPERATION).await?;
        let accepted = locked(&mut tx, OPERATION).await?.accepted(now);
        if let Some(breaker) = &accepted {
            keep_state(&mut tx, breaker, OPERATION).await?;
        }
        tx.commit(OPERATION).await?;
        Ok(accepted)
    }

    /// Brings the checks of valid domains forward to `now` that were last looked at at `before` or earlier, the
    /// longest ago first, at most `count_max` of them; how many there were.
    ///
    /// Not `but`, the domain on whose behalf it is done, nor others of its organization.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; some may have been brought forward.
    pub async fn breaker_sample(
        &self,
        but: (Uuid, &str),
        before: DateTime<Utc>,
        count_max: usize,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        const OPERATION: &str = "breaker_sample";
        let limit = i64::try_from(count_max.min(SAMPLE_MAX)).unwrap_or(i64::MAX);
        let ids: Vec<Uuid> = db!(&self.db, SAMPLE, |sql, pool| {
            sqlx::query_scalar(sql).bind(before).bind(but.0).bind(but.1).bind(limit).fetch_all(pool).await
        })
        .map_err(StoreError::at(OPERATION))?;
        // One by one: whoever holds one row while waiting for another can be waited for in a circle.
        for id in &ids {
            db!(&self.db, BRING_FORWARD, |sql, pool| {
                sqlx::query(sql).bind(*id).bind(now).execute(pool).await.map(|_| ())
            })
            .map_err(StoreError::at(OPERATION))?;
        }
        Ok(ids.len())
    }

    /// Whether more have turned than could be too few, one row for each.
    async fn may_open(&self, breaker: &Breaker, rule: &Rule, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let enough = breaker::turned_min(rule);
        let limit = i64::try_from(enough).unwrap_or(i64::MAX);
        let from = breaker.counts_from(rule, Span::Window, now);
        let count: i64 = db!(&self.db, TURNED_COUNT, |sql, pool| {
            sqlx::query_scalar(sql).bind(from).bind(limit).fetch_one(pool).await
        })
        .map_err(StoreError::at("breaker_watch"))?;
        Ok(count >= limit)
    }
}

/// Counts under the breaker's lock, and writes what becomes of it. One who asks for a domain never closes it.
async fn judge(
    tx: &mut Tx<'_>,
    own: Option<&str>,
    rule: &Rule,
    span: Span,
    now: DateTime<Utc>,
    operation: &'static str,
) -> Result<Asked, StoreError> {
    let before = locked(tx, operation).await?;
    if own.is_some() && before.is_open() {
        return Ok(Asked { breaker: before, counts: before.counts, others: 0, change: Change::None });
    }
    let window = now.checked_sub_signed(rule.window).unwrap_or(DateTime::UNIX_EPOCH);
    let from = before.counts_from(rule, span, now).min(window).max(DateTime::UNIX_EPOCH);
    let rows: Vec<LookRow> = tx!(&mut *tx, LOOKS, |sql, connection| {
        sqlx::query_as(sql).bind(from).bind(i64::from(LOOKS_MAX)).fetch_all(connection).await
    })
    .map_err(StoreError::at(operation))?;
    let looks: Vec<Look> = rows.into_iter().map(|row| row.read(operation)).collect::<Result<_, _>>()?;
    let (breaker, counts, change) = breaker::after(&before, &looks, rule, span, now);
    if change != Change::None {
        keep_state(tx, &breaker, operation).await?;
    }
    let others = own.map_or(0, |own| breaker::others(&looks, own, rule, now));
    Ok(Asked { breaker, counts, others, change })
}

/// How the breaker stands, held until the transaction ends.
async fn locked(tx: &mut Tx<'_>, operation: &'static str) -> Result<Breaker, StoreError> {
    let row: StateRow = tx!(tx, STATE_LOCKED, |sql, connection| sqlx::query_as(sql).fetch_one(connection).await)
        .map_err(StoreError::at(operation))?;
    Ok(row.read())
}

async fn keep_state(tx: &mut Tx<'_>, breaker: &Breaker, operation: &'static str) -> Result<(), StoreError> {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    tx!(tx, KEEP_STATE, |sql, connection| {
        let query = sqlx::query(sql).bind(breaker.opened_at).bind(breaker.closed_at).bind(breaker.counted_from);
        let query = query.bind(breaker.accepted_at).bind(number(breaker.counts.looked));
        query.bind(number(breaker.counts.turned)).execute(connection).await.map(|_| ())
    })
    .map_err(StoreError::at(operation))
}

/// Writes the latest look at a domain: one row, touched only by who holds the domain.
pub(in crate::store) async fn keep_look(
    tx: &mut Tx<'_>,
    domain_id: Uuid,
    look: &NewLook,
    at: DateTime<Utc>,
    operation: &'static str,
) -> Result<(), StoreError> {
    let outcome = look.outcome.as_str();
    let turned_at = (look.outcome != Outcome::Good).then_some(look.turned_at);
    let done = if look.was_valid || look.is_valid {
        tx!(tx, KEEP_LOOK, |sql, connection| {
            let query = sqlx::query(sql).bind(domain_id).bind(look.organization.as_str()).bind(at).bind(outcome);
            query.bind(turned_at).bind(look.was_valid).execute(connection).await.map(|_| ())
        })
    } else {
        tx!(tx, KEEP_LOOK_IF_KNOWN, |sql, connection| {
            let query = sqlx::query(sql).bind(domain_id).bind(at).bind(outcome).bind(turned_at);
            query.execute(connection).await.map(|_| ())
        })
    };
    done.map_err(StoreError::at(operation))
}

/// Writes the latest looks at domains, each once, in one statement for all that are or were valid: nearly all.
pub(in crate::store) async fn keep_looks(
    tx: &mut Tx<'_>,
    looks: &[(Uuid, &NewLook, DateTime<Utc>)],
    operation: &'static str,
) -> Result<(), StoreError> {
    let (valid, others): (Vec<_>, Vec<_>) = looks.iter().partition(|(_, look, _)| look.was_valid || look.is_valid);
    if !valid.is_empty() {
        let items: Vec<LookItem<'_>> = valid.iter().map(|(id, look, at)| LookItem::of(*id, look, *at)).collect();
        let items = serde_json::to_string(&items)
            .map_err(|fault| StoreError::Corrupt { operation, what: format!("looks make no JSON: {fault}") })?;
        tx!(&mut *tx, KEEP_LOOKS, |sql, connection| sqlx::query(sql).bind(items).execute(connection).await.map(|_| ()))
            .map_err(StoreError::at(operation))?;
    }
    for (id, look, at) in others {
        keep_look(tx, id, look, at, operation).await?;
    }
    Ok(())
}

/// A look, for the statement that writes many.
#[derive(Serialize)]
struct LookItem<'l> {
    domain_id: String,
    organization: &'l str,
    looked_at: String,
    outcome: &'static str,
    turned_at: Option<String>,
    counts: bool,
}

impl<'l> LookItem<'l> {
    fn of(domain_id: Uuid, look: &'l NewLook, at: DateTime<Utc>) -> LookItem<'l> {
        LookItem {
            domain_id: domain_id.simple().to_string(),
            organization: &look.organization,
            looked_at: time(at),
            outcome: look.outcome.as_str(),
            turned_at: (look.outcome != Outcome::Good).then(|| time(look.turned_at)),
            counts: look.was_valid,
        }
    }
}

/// Whether the breaker is open. The lock keeps it from opening before the transaction ends.
pub(in crate::store) async fn is_open_locked(tx: &mut Tx<'_>, operation: &'static str) -> Result<bool, StoreError> {
    Ok(locked(tx, operation).await?.is_open())
}
