//! Who changed what, for operators to look up.
//!
//! A row is written before a change is made, and ended after it: where the row cannot be written, nothing is changed.
//! A row that stays begun says that nobody lived to tell what came of it.
//!
//! # Left out
//!
//! What was there before and after: a domain's events and staged requirements hold that. A row has the names of the
//! fields that came, never their values, for some are secret.

use std::error::Error as StdError;

use uuid::Uuid;

use crate::service::{Caller, Error, Page, Role, Service, page_limit};
use crate::store::audit::NewAudit;

pub use crate::store::audit::{Actor, AuditEnd, AuditFilter, AuditRow, Outcome};

/// The longest path that is kept, in characters: any of ours, with room.
const PATH_CHARACTERS_MAX: usize = 255;

/// A change that somebody is about to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    /// Who.
    pub actor: Actor,
    /// By which key or setup link.
    pub key_id: Option<Uuid>,
    /// Whose key that is.
    pub client_id: Option<Uuid>,
    /// What: the operation's id in the OpenAPI document, or the command.
    pub operation: &'static str,
    /// To what: the request's path, without its query.
    pub path: String,
    /// Which domain, where the path says.
    pub domain_id: Option<Uuid>,
    /// Which mailbox, where the path says.
    pub mailbox_id: Option<Uuid>,
    /// The request's id.
    pub request_id: Option<String>,
    /// From which address.
    pub peer: Option<String>,
}

impl Doing {
    /// What a caller is about to do, by whatever way in.
    pub fn by(caller: &Caller, operation: &'static str) -> Doing {
        let actor = match (caller.domain_id, caller.role) {
            (Some(_), _) => Actor::SetupLink,
            (None, Role::Operator) => Actor::Operator,
            // A hook's key changes nothing that is audited.
            (None, Role::Client | Role::Hook) => Actor::Client,
        };
        Doing {
            actor,
            key_id: Some(caller.key_id),
            client_id: caller.client_id,
            domain_id: caller.domain_id,
            ..Doing::on_the_command_line(operation)
        }
    }

    /// What somebody is about to do at the command line.
    pub fn on_the_command_line(operation: &'static str) -> Doing {
        Doing {
            actor: Actor::CommandLine,
            key_id: None,
            client_id: None,
            operation,
            path: String::new(),
            domain_id: None,
            mailbox_id: None,
            request_id: None,
            peer: None,
        }
    }
}

impl Service {
    /// Writes that a change is about to be made; the row's id, for [`Service::audit_end`].
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: then the change must not be made.
    pub async fn audit_begin(&self, doing: &Doing) -> Result<Uuid, Error> {
        let at = self.clock.now();
        let id = self.chance.id(at);
        let path: String = doing.path.chars().take(PATH_CHARACTERS_MAX).collect();
        let new = NewAudit {
            id,
            at,
            actor: doing.actor,
            key_id: doing.key_id,
            client_id: doing.client_id,
            operation: doing.operation,
            path: &path,
            domain_id: doing.domain_id,
            mailbox_id: doing.mailbox_id,
            request_id: doing.request_id.as_deref(),
            peer: doing.peer.as_deref(),
        };
        self.store.audit_begin(&new).await?;
        Ok(id)
    }

    /// Writes what came of a change. Where that fails, the row stays begun, and the log says so: the change stands.
    pub async fn audit_end(&self, id: Uuid, end: &AuditEnd<'_>) {
        if let Err(fault) = self.store.audit_end(id, end).await {
            tracing::warn!(
                audit.id = %id,
                error = &fault as &dyn StdError,
                "Could not write what came of a change: it was {}",
                end.outcome.as_str()
            );
        }
    }

    /// Does `work` between the two. `made` names what it made. For ways in that know no status codes.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], when the change could not be written beforehand, and was not made; those of `work`.
    pub async fn audited<T>(
        &self,
        doing: &Doing,
        work: impl Future<Output = Result<T, Error>>,
        made: impl FnOnce(&T) -> Option<Uuid>,
    ) -> Result<T, Error> {
        let id = self.audit_begin(doing).await?;
        let result = work.await;
        let (outcome, made_id) = match &result {
            Ok(value) => (Outcome::Done, made(value)),
            Err(Error::Store(_) | Error::Judge(_)) => (Outcome::Failed, None),
            Err(_) => (Outcome::Refused, None),
        };
        self.audit_end(id, &AuditEnd { outcome, status: None, made_id, fields: "" }).await;
        result
    }

    /// Changes, the newest first, those older than `before`. Operators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Store`].
    pub async fn audit_list(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<AuditRow, Uuid>, Error> {
        caller.operator()?;
        let limit = page_limit(limit);
        Ok(Page::of(self.store.audit_list(filter, before, limit + 1).await?, limit, |row| row.id))
    }
}
