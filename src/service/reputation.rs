//! The reputation of a domain with all that it is made of, and keeping the platform's two columns with it.

use uuid::Uuid;

use crate::sending::reputation::{Inputs, Reputation, reputation};
use crate::service::requirements::domain_of;
use crate::service::{Caller, Error, Service};

pub use crate::store::{AgeRow, ListingRow};

/// The most domains looked at in one step.
const STEP_ROWS_MAX: u32 = 500;

/// A domain's reputation, and what others say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReputationView {
    /// The score and its parts.
    pub reputation: Reputation,
    /// Whole days since it was registered.
    pub age_days: Option<i32>,
    /// What is known of its age.
    pub age: AgeRow,
    /// What block lists said, by zone.
    pub lists: Vec<ListingRow>,
}

impl Service {
    /// A domain's reputation, made of what is known now.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn domain_reputation(&self, caller: &Caller, id: Uuid) -> Result<ReputationView, Error> {
        let row = self.see_domain(caller, id).await?;
        let facts = self.store.reputation_facts(id, self.clock.now()).await?;
        let inputs = facts.map_or_else(Inputs::default, |facts| facts.inputs);
        Ok(ReputationView {
            reputation: reputation(&inputs),
            age_days: inputs.age_days.or(row.domain_age_days),
            age: self.store.age_of(id).await?.unwrap_or_default(),
            lists: self.store.listings(id).await?,
        })
    }

    /// Looks at some domains behind `after`: notes to which registrable domain each belongs, and brings age and
    /// reputation up to date. Behind which to go on; nothing at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; what was brought up to date by then stays so.
    pub async fn reputations_look(&self, after: Uuid) -> Result<Option<Uuid>, Error> {
        let (rows, now) = (self.store.organization_walk(after, STEP_ROWS_MAX).await?, self.clock.now());
        for row in rows.iter().filter(|row| row.organization.is_none()) {
            // A name that is none is nobody's to ask about.
            if let Ok(domain) = domain_of(&row.domain) {
                let organization = domain.registrable().to_string();
                self.store.organization_note(row.id, &row.domain, &organization, now).await?;
            }
        }
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        self.store.reputation_refresh(&ids, now).await?;
        Ok(ids.last().copied())
    }
}
