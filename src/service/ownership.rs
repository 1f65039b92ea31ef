//! Whose a domain is: the proof that is asked for, who else asks, and transfers. Design §4, Control.
//!
//! What an operator registers counts as proven. What a client registers stays pending until its check has found the
//! challenge; until then another client may ask for the same name, and gets it when his is found instead, also when it
//! was deleted meanwhile ([`crate::service::abandoned`]).

use chrono::{DateTime, Utc};
use tracing::info;
use uuid::Uuid;

use crate::protocol::name::Name;
use crate::service::domains::DomainView;
use crate::service::requirements::{domain_of, expectation_of, staging_of, to_stored};
use crate::service::{Caller, Error, Service, events};
use crate::store::transfer::{Transfer, Transferred};
use crate::store::{BindingChange, CheckReason, ClaimRow, Claimed, DomainRow};
use crate::verify::evidence::Evidence;
use crate::verify::ownership::{self, Challenge, OwnershipReport, VALUE_PREFIX};
use crate::verify::staged::{self, Judged, Staging, is_verified};
use crate::verify::standing::{Control, Status};
use crate::verify::step::Step;

pub use crate::store::transfer::Exceeded;

/// How often a transfer is made again when others change the domain at the same time.
const TRANSFER_TRIES_MAX: u32 = 8;

/// What a domain's client is to publish to prove that it is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnershipView {
    /// The name of the TXT record.
    pub name: Name,
    /// What it says.
    pub value: String,
    /// Whether it is proven. Once it is, the record may go.
    pub verified: bool,
}

impl OwnershipView {
    /// What is shown of a row; nothing where nothing is to be proven.
    pub fn of(row: &DomainRow) -> Option<OwnershipView> {
        let name = ownership::name_of(&domain_of(&row.domain).ok()?).ok()?;
        Some(OwnershipView { name, value: row.ownership_value.clone()?, verified: !row.is_unproven() })
    }
}

/// What somebody is to publish to be given a domain that another holds without proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimView {
    /// The name of the TXT record.
    pub name: String,
    /// What it says.
    pub value: String,
    /// Until when that counts, unless it is asked for again.
    pub expires_at: DateTime<Utc>,
}

/// What a check looks for beside the records.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) challenge: Challenge,
    pub(crate) claims: Vec<ClaimRow>,
}

impl Asked {
    /// Whose of the proofs that a report names is published.
    pub(crate) fn claimants<'a>(&'a self, report: &'a OwnershipReport) -> impl Iterator<Item = &'a ClaimRow> {
        report.claimed.iter().filter_map(|value| self.claims.iter().find(|claim| claim.value == *value))
    }
}

/// A domain's records and, where it is asked for, the proof that it is its client's.
pub(crate) fn judge(
    staging: &Staging,
    asked: Option<&Asked>,
    evidence: &Evidence,
) -> Step<(Judged, Option<OwnershipReport>)> {
    let records = staged::judge(staging, evidence);
    match asked {
        None => records.map(|judged| (judged, None)),
        Some(asked) => {
            let proof = ownership::judge(&asked.challenge, evidence);
            records.and(proof).map(|(judged, report)| (judged, Some(report)))
        }
    }
}

/// Whether control of a row's domain is known after what a check has seen.
pub(crate) fn control(row: &DomainRow, is_proven: bool) -> Control {
    if row.is_unproven() && !is_proven { Control::Unproven } else { Control::Proven }
}

fn challenge_of(row: &DomainRow, claims: &[ClaimRow]) -> Option<Challenge> {
    let domain = domain_of(&row.domain).ok()?;
    let name = ownership::name_of(&domain).ok()?;
    let claims = claims.iter().map(|claim| claim.value.clone()).collect();
    let value = row.ownership_value.clone()?;
    // Whoever has deleted it holds it no more, whatever he has published.
    let value = (row.status != Status::Deleted).then_some(value);
    Some(Challenge { domain, name, value, claims })
}

/// What the last check says of the proof; nothing where nothing is to be proven.
pub(crate) fn seen(row: &DomainRow, evidence: &Evidence) -> Option<OwnershipReport> {
    Some(ownership::judge_partly(&challenge_of(row, &[])?, evidence))
}

impl Service {
    /// What a check is to look for beside the records; nothing where it is proven whose the domain is.
    pub(crate) async fn asked(&self, row: &DomainRow) -> Result<Option<Asked>, Error> {
        if !row.is_unproven() {
            return Ok(None);
        }
        let claims = self.store.ownership_claims(row.id, self.clock.now()).await?;
        Ok(challenge_of(row, &claims).map(|challenge| Asked { challenge, claims }))
    }

    /// A new value to prove control by.
    pub(crate) fn ownership_value(&self) -> String {
        format!("{VALUE_PREFIX}{}", self.chance.token())
    }

    /// What whoever asks for another's name is told. The name is looked at soon, for he may have published it already.
    pub(crate) async fn claim_view(&self, name: String, claimed: Claimed) -> Result<ClaimView, Error> {
        let Claimed { domain_id, value, expires_at } = claimed;
        self.advance(domain_id, CheckReason::Poll, self.clock.now()).await?;
        Ok(ClaimView { name, value, expires_at })
    }

    /// Gives a domain and its mailboxes to another client. It counts as proven from then on; setup links end, and what
    /// was before only operators see. The same client keeps what it has.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], also when it is deleted; [`Error::Forbidden`] for all but operators;
    /// [`Error::NoSuchClient`]; [`Error::TransferExceeds`]; [`Error::DomainMalformed`]; [`Error::Store`].
    pub async fn domain_transfer(&self, caller: &Caller, id: Uuid, client_id: Uuid) -> Result<DomainView, Error> {
        for _ in 0..TRANSFER_TRIES_MAX {
            let row = self.see_living_domain(caller, id).await?;
            caller.operator()?;
            let now = self.clock.now();
            let transfer = Transfer {
                domain_id: id,
                client_id,
                from: row.client_id,
                binding: self.binding_without_dedicated(&row)?,
                event: events::transferred(self.chance.id(now), &row, client_id, events::BY_OPERATOR),
                min_interval: self.settings.rhythm.min_interval,
            };
            match self.store.domain_transfer(&transfer, now).await? {
                Transferred::Done(after) => {
                    if after.client_id != row.client_id {
                        info!(domain.id = %id, "{} now belongs to another client", row.domain);
                    }
                    self.wake();
                    self.tell_changed(id);
                    return Ok(DomainView::of(*after));
                }
                Transferred::NoSuchDomain => return Err(Error::NoSuchDomain(id.to_string())),
                Transferred::NoSuchClient => return Err(Error::NoSuchClient(client_id)),
                Transferred::AllocationExceeded(exceeded) => return Err(Error::TransferExceeds(exceeded)),
                // A check has bound something just now, or somebody else was given it.
                Transferred::Moved => {}
            }
        }
        Err(Error::DomainBusy)
    }

    /// What of a domain's requirements counts without the dedicated addresses of its client: those of the next are
    /// staged, and the old ones are nobody's affair any more.
    fn binding_without_dedicated(&self, row: &DomainRow) -> Result<BindingChange, Error> {
        let from = row.binding.clone();
        if !is_verified(&row.standing()) {
            return Ok(BindingChange { from, to: None });
        }
        let profiles = &self.settings.profiles;
        let (staging, own) = match (staging_of(row, profiles), expectation_of(row, profiles)) {
            (Ok((staging, _)), Ok((own, _))) => (staging, own),
            // What does not read back is kept as it is.
            _ => return Ok(BindingChange { to: from.clone(), from }),
        };
        let mut binding = staging.binding().clone();
        binding
            .spf
            .addresses
            .retain(|address| !row.dedicated_ips.contains(address) || own.spf.addresses.contains(address));
        Ok(BindingChange { from, to: Some(to_stored(&binding)) })
    }
}
