//! What was found and what happened, as far back as it is kept.

use uuid::Uuid;

use crate::service::{Caller, Error, Page, Service, page_limit};
use crate::store::{CheckRow, EventRow};

/// One check with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckView {
    /// The check.
    pub row: CheckRow,
    /// The evidence in its stored form, JSON.
    pub evidence: String,
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
        Ok(Page::of(self.store.check_list(row.id, before, limit + 1).await?, limit, |check| check.id))
    }

    /// One check of a domain, with its evidence.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::NoSuchCheck`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn check(&self, caller: &Caller, id: Uuid, check_id: Uuid) -> Result<CheckView, Error> {
        let domain = self.see_domain(caller, id).await?;
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
        Ok(Page::of(self.store.event_list(row.id, before, limit + 1).await?, limit, |event| event.id))
    }
}
