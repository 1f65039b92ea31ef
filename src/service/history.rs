//! What was found and what happened, as far back as it is kept.

use uuid::Uuid;

use crate::service::{Caller, Error, Page, Service, page_limit};
use crate::store::{CheckRow, DomainRow, EventRow};

/// One check with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckView {
    /// The check.
    pub row: CheckRow,
    /// The evidence in its stored form, JSON.
    pub evidence: String,
}

/// Up to which id the history is an earlier client's, and not the caller's to see. Operators see all of it.
fn hidden_to(caller: &Caller, row: &DomainRow) -> Option<Uuid> {
    row.history_after.filter(|_| caller.operator().is_err())
}

impl Service {
    /// A domain's checks, the newest first, behind `before`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn checks(
        &self,
        caller: &Caller,
        id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<CheckRow, Uuid>, Error> {
        let row = self.see_domain(caller, id).await?;
        let limit = page_limit(limit);
        let after = hidden_to(caller, &row);
        Ok(Page::of(self.store.check_list_after(after, row.id, before, limit + 1).await?, limit, |check| check.id))
    }

    /// One check of a domain, with its evidence.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::NoSuchCheck`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn check(&self, caller: &Caller, id: Uuid, check_id: Uuid) -> Result<CheckView, Error> {
        let domain = self.see_domain(caller, id).await?;
        if hidden_to(caller, &domain).is_some_and(|last| check_id <= last) {
            return Err(Error::NoSuchCheck(check_id));
        }
        let (row, evidence) = self.store.check_get(domain.id, check_id).await?.ok_or(Error::NoSuchCheck(check_id))?;
        Ok(CheckView { row, evidence })
    }

    /// What happened to a domain, the newest first, behind `before`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn events(
        &self,
        caller: &Caller,
        id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<EventRow, Uuid>, Error> {
        let row = self.see_domain(caller, id).await?;
        let limit = page_limit(limit);
        let after = hidden_to(caller, &row);
        Ok(Page::of(self.store.event_list_after(after, row.id, before, limit + 1).await?, limit, |event| event.id))
    }
}
