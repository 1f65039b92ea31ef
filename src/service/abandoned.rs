//! Abandoned domains: deleted, and never proven. Who claims one and publishes the proof is given it. Design §4, Control.
//!
//! A deleted domain is not checked: only the proofs are asked for, nothing of it changes, and its history gets no check.
//! How often is as for a pending domain, counted from when it was last claimed.

use chrono::{DateTime, Utc};
use tracing::{error, info};

use crate::checker::{self, Limits};
use crate::service::ownership::Asked;
use crate::service::requirements::domain_of;
use crate::service::schedule::{after, next_check_at};
use crate::service::{Error, Service, events};
use crate::store::ownership::CLAIM_STANDS;
use crate::store::{Claim, Claimant, ClaimsLook};
use crate::verify::ownership;
use crate::verify::standing::Standing;

pub use crate::dns::Resolver;
pub use crate::store::Looked;

impl Service {
    /// Takes at most `count_max` deleted domains for whose claimants' proofs it is time to look. Each is to be looked at or
    /// released. A row whose name is no normal domain name is marked and not given out.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; what was taken by then falls due again when its lease ends.
    pub async fn abandoned_due(&self, count_max: u32) -> Result<Vec<Claim>, Error> {
        let now = self.clock.now();
        let (until, token) = (after(now, self.settings.lease), self.chance.id(now));
        let mut normal = Vec::new();
        for claim in self.store.abandoned_claim_due(now, until, token, count_max).await? {
            match domain_of(&claim.domain.domain) {
                Ok(_) => normal.push(claim),
                Err(fault) => self.refuse(&claim, &fault).await?,
            }
        }
        Ok(normal)
    }

    /// Asks DNS for the proofs of those who claim a deleted domain, and gives it to the first whose proof is published and
    /// whose tier allows it. Ends within two thirds of the lease, whatever DNS does.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; nothing has changed, and it falls due again when the lease ends.
    pub async fn look_for_claimants(&self, resolver: &dyn Resolver, claim: &Claim) -> Result<Looked, Error> {
        let row = &claim.domain;
        let asked = self.asked(row).await?.filter(|asked| !asked.claims.is_empty());
        let claimants = match &asked {
            Some(asked) => self.claimants_published(resolver, claim, asked).await,
            None => Vec::new(),
        };
        let now = self.clock.now();
        let claimed_until = asked.and_then(|asked| asked.claims.iter().map(|claim| claim.expires_at).max());
        let look = ClaimsLook {
            claimants,
            claimed_until,
            next_at: claimed_until.and_then(|until| self.claims_check_at(until - CLAIM_STANDS, now)),
            earliest_at: after(now, self.settings.rhythm.min_interval),
        };
        let looked = self.store.abandoned_settle(claim, &look, now).await?;
        if looked == Looked::TakenOver {
            info!(domain.id = %row.id, "{} was deleted without proof, and now belongs to who has proven it", row.domain);
            self.tell_changed(row.id);
            self.wake();
        }
        Ok(looked)
    }

    /// Whose proofs are published; nobody's where the question came to no end, which is our fault.
    async fn claimants_published(&self, resolver: &dyn Resolver, claim: &Claim, asked: &Asked) -> Vec<Claimant> {
        let row = &claim.domain;
        let limits = Limits::within(self.settings.lease * 2 / 3);
        match checker::check(resolver, &limits, |evidence| ownership::judge(&asked.challenge, evidence)).await {
            Ok(checked) => {
                let now = self.clock.now();
                let event = |to| events::transferred(self.chance.id(now), row, to, events::BY_PROOF);
                let claims = asked.claimants(&checked.judgement);
                claims
                    .map(|claim| Claimant {
                        client_id: claim.client_id,
                        value: claim.value.clone(),
                        event: event(claim.client_id),
                    })
                    .collect()
            }
            Err(fault) => {
                error!(domain.id = %row.id, %fault, "Looking for proofs of {} came to no end; please report it", row.domain);
                Vec::new()
            }
        }
    }

    /// When to look again for what was last claimed at `claimed_at`: down the ladder, as a pending domain.
    fn claims_check_at(&self, claimed_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (rhythm, patience) = (&self.settings.rhythm, self.settings.patience);
        next_check_at(&Standing::NEW, Some(claimed_at), now, rhythm, patience, self.chance.number())
    }
}
