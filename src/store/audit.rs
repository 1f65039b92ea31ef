//! Who changed what: a row is begun before the change, and ended after it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::db::{db, statements};
use crate::store::prune::first_id_of;
use crate::store::{Store, StoreError};

/// Who changes things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Somebody with an operator's key.
    Operator,
    /// Somebody with a client's key.
    Client,
    /// Somebody with a setup link.
    SetupLink,
    /// Somebody at the command line, straight on the database.
    CommandLine,
}

impl Actor {
    /// Every one.
    pub const ALL: [Actor; 4] = [Actor::Operator, Actor::Client, Actor::SetupLink, Actor::CommandLine];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Actor::Operator => "operator",
            Actor::Client => "client",
            Actor::SetupLink => "setup-link",
            Actor::CommandLine => "command-line",
        }
    }

    /// Reads the word; nothing for any other.
    pub fn parse(text: &str) -> Option<Actor> {
        Actor::ALL.into_iter().find(|actor| actor.as_str() == text)
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody knows yet, or whoever knew is gone: it may have happened.
    Begun,
    /// It happened.
    Done,
    /// It was refused; nothing changed.
    Refused,
    /// A fault of ours; it may have happened.
    Failed,
}

impl Outcome {
    /// Every one.
    pub const ALL: [Outcome; 4] = [Outcome::Begun, Outcome::Done, Outcome::Refused, Outcome::Failed];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Begun => "begun",
            Outcome::Done => "done",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// A change that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAudit<'a> {
    /// The id.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: Actor,
    /// By which key or setup link. A key's name is added.
    pub key_id: Option<Uuid>,
    /// Whose key.
    pub client_id: Option<Uuid>,
    /// What is done.
    pub operation: &'a str,
    /// To what: the request's path.
    pub path: &'a str,
    /// Which domain, if any. Its name is added.
    pub domain_id: Option<Uuid>,
    /// Which mailbox, if any. Its domain is added.
    pub mailbox_id: Option<Uuid>,
    /// By which request.
    pub request_id: Option<&'a str>,
    /// From where.
    pub peer: Option<&'a str>,
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEnd<'a> {
    /// What came of it.
    pub outcome: Outcome,
    /// The status of the answer, where there is one.
    pub status: Option<u16>,
    /// What was made.
    pub made_id: Option<Uuid>,
    /// The names of the fields that came.
    pub fields: &'a str,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// The id.
    pub id: Uuid,
    /// When it began.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: Actor,
    /// By which key or setup link.
    pub key_id: Option<Uuid>,
    /// The key's name then.
    pub key_name: Option<String>,
    /// Whose key.
    pub client_id: Option<Uuid>,
    /// What was done.
    pub operation: String,
    /// To what.
    pub path: String,
    /// Which domain.
    pub domain_id: Option<Uuid>,
    /// Its name then.
    pub domain: Option<String>,
    /// What was made.
    pub made_id: Option<Uuid>,
    /// The names of the fields that came.
    pub fields: String,
    /// By which request.
    pub request_id: Option<String>,
    /// From where.
    pub peer: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The status of the answer.
    pub status: Option<u16>,
}

/// Which changes are wanted; what is not said is not filtered by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Only this kind of actor.
    pub actor: Option<Actor>,
    /// Only this key or setup link.
    pub key_id: Option<Uuid>,
    /// Only this domain.
    pub domain_id: Option<Uuid>,
    /// Only this operation.
    pub operation: Option<String>,
    /// Only since then.
    pub since: Option<DateTime<Utc>>,
}

macro_rules! columns {
    () => {
        "SELECT id, at, actor, key_id, key_name, client_id, operation, path, domain_id, domain, made_id, fields, \
        request_id, peer, outcome, status FROM sendready_audit \
        WHERE id < $1 AND id >= $2 AND ($3 = '' OR actor = $3) AND ($4 = '' OR operation = $4)"
    };
}

statements! {
    BEGIN = "INSERT INTO sendready_audit (id, at, actor, key_id, key_name, client_id, operation, path, domain_id, \
        domain, fields, request_id, peer, outcome) \
        SELECT $1, $2, $3, $4, (SELECT name FROM sendready_api_keys WHERE id = $4), $5, $6, $7, d.id, d.domain, '', \
        $10, $11, 'begun' FROM (SELECT 1 AS one) AS o LEFT JOIN email_domains AS d \
        ON d.id = COALESCE($8, (SELECT domain_id FROM email_mailboxes WHERE id = $9))";
    // What was made may be a domain.
    END = "UPDATE sendready_audit SET outcome = $2, status = $3, made_id = $4, fields = $5, \
        domain_id = COALESCE(domain_id, (SELECT id FROM email_domains WHERE id = $4)), \
        domain = COALESCE(domain, (SELECT domain FROM email_domains WHERE id = $4)) WHERE id = $1";
    LIST = columns!(), " ORDER BY id DESC LIMIT $5";
    LIST_OF_KEY = columns!(), " AND key_id = $6 ORDER BY id DESC LIMIT $5";
    LIST_OF_DOMAIN = columns!(), " AND domain_id = $6 AND (key_id = $7 OR $7 IS NULL) ORDER BY id DESC LIMIT $5";
    PRUNE = "DELETE FROM sendready_audit WHERE id IN \
        (SELECT id FROM sendready_audit WHERE id < $1 ORDER BY id LIMIT $2)";
}

#[derive(sqlx::FromRow)]
struct Columns {
    id: Uuid,
    at: DateTime<Utc>,
    actor: String,
    key_id: Option<Uuid>,
    key_name: Option<String>,
    client_id: Option<Uuid>,
    operation: String,
    path: String,
    domain_id: Option<Uuid>,
    domain: Option<String>,
    made_id: Option<Uuid>,
    fields: String,
    request_id: Option<String>,
    peer: Option<String>,
    outcome: String,
    status: Option<i32>,
}

impl Columns {
    fn read(self) -> Result<AuditRow, StoreError> {
        let corrupt = |what: &str, word: &str| StoreError::Corrupt {
            operation: "audit_list",
            what: format!("audit {}: there is no {what} `{word}`", self.id),
        };
        Ok(AuditRow {
            actor: Actor::parse(&self.actor).ok_or_else(|| corrupt("actor", &self.actor))?,
            outcome: Outcome::parse(&self.outcome).ok_or_else(|| corrupt("outcome", &self.outcome))?,
            id: self.id,
            at: self.at,
            key_id: self.key_id,
            key_name: self.key_name,
            client_id: self.client_id,
            operation: self.operation,
            path: self.path,
            domain_id: self.domain_id,
            domain: self.domain,
            made_id: self.made_id,
            fields: self.fields,
            request_id: self.request_id,
            peer: self.peer,
            status: self.status.and_then(|status| u16::try_from(status).ok()),
        })
    }
}

impl Store {
    /// Writes that a change is about to be made.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; then nothing is written, and the change must not be made.
    pub async fn audit_begin(&self, new: &NewAudit<'_>) -> Result<(), StoreError> {
        db!(&self.db, BEGIN, |sql, pool| {
            let query = sqlx::query(sql).bind(new.id).bind(new.at).bind(new.actor.as_str()).bind(new.key_id);
            let query = query.bind(new.client_id).bind(new.operation).bind(new.path).bind(new.domain_id);
            let query = query.bind(new.mailbox_id).bind(new.request_id).bind(new.peer);
            query.execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("audit_begin"))
    }

    /// Writes what came of a change.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; then it stays begun.
    pub async fn audit_end(&self, id: Uuid, end: &AuditEnd<'_>) -> Result<(), StoreError> {
        db!(&self.db, END, |sql, pool| {
            let query = sqlx::query(sql).bind(id).bind(end.outcome.as_str()).bind(end.status.map(i32::from));
            query.bind(end.made_id).bind(end.fields).execute(pool).await.map(|_| ())
        })
        .map_err(StoreError::at("audit_end"))
    }

    /// At most `limit` changes, the newest first, those older than `before`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn audit_list(
        &self,
        filter: &AuditFilter,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        // The greatest id is above every other, the least is not below itself.
        let (before, since) = (before.unwrap_or(Uuid::max()), filter.since.map_or(Uuid::nil(), first_id_of));
        let actor = filter.actor.map_or("", Actor::as_str);
        let operation = filter.operation.as_deref().unwrap_or("");
        let statement = match (filter.domain_id, filter.key_id) {
            (Some(_), _) => LIST_OF_DOMAIN,
            (None, Some(_)) => LIST_OF_KEY,
            (None, None) => LIST,
        };
        let rows = db!(&self.db, statement, |sql, pool| {
            let query = sqlx::query_as::<_, Columns>(sql).bind(before).bind(since).bind(actor).bind(operation);
            let query = query.bind(i64::from(limit));
            let query = match (filter.domain_id, filter.key_id) {
                (Some(domain_id), key_id) => query.bind(domain_id).bind(key_id),
                (None, Some(key_id)) => query.bind(key_id),
                (None, None) => query,
            };
            query.fetch_all(pool).await
        });
        rows.map_err(StoreError::at("audit_list"))?.into_iter().map(Columns::read).collect()
    }

    /// Removes at most `limit` changes made before `before`; how many it were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; nothing is removed.
    pub async fn audit_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        db!(&self.db, PRUNE, |sql, pool| {
            let query = sqlx::query(sql).bind(first_id_of(before)).bind(i64::from(limit));
            query.execute(pool).await.map(|done| done.rows_affected())
        })
        .map_err(StoreError::at("audit_prune"))
    }
}
