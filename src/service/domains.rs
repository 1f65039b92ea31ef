//! Domains: registered, found, changed, deleted.

use uuid::Uuid;

use crate::config::providers::{INFRAFORGE, MANUAL};
use crate::protocol::domain::Domain;
use crate::service::caller::Sight;
use crate::service::events;
use crate::service::ownership::OwnershipView;
use crate::service::requirements::{
    ExpectationFault, RequirementsGiven, domain_of, expectation_of, of_provider, of_stored, staging_of, to_stored,
    with_dedicated,
};
use crate::service::{Caller, Error, FieldFault, Page, Service, page_limit};
use crate::store::{
    BindingChange, DomainAdded, DomainChange, DomainChanged, DomainFilter, DomainRow, NewDomain, OperatorStatus, Place,
    Requirements, RequirementsChange, RowRequirements,
};
use crate::verify::expectation::Expectation;
use crate::verify::ownership::name_of;
use crate::verify::staged::is_verified;
use crate::verify::standing::{Happening, Standing, Status, SuspendedReason};

/// The longest id of another system, in characters.
pub const FOREIGN_ID_CHARACTERS_MAX: usize = 255;

/// How often a change of requirements is made again when others change them at the same time.
const CHANGE_TRIES_MAX: u32 = 8;

/// A domain to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Whose it is to be.
    pub client_id: Uuid,
    /// Its name.
    pub domain: Domain,
    /// Its provider; nothing: the seed's default, `infraforge`.
    pub provider: Option<String>,
    /// What it must publish beside or in place of what its provider's profile says.
    pub requirements: RequirementsGiven,
    /// The provider's id of it.
    pub infraforge_domain_id: Option<String>,
    /// The sender's id of it.
    pub smartlead_domain_id: Option<String>,
}

/// What to change of a domain; `None` leaves as it is, `Some(None)` clears.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DomainPatch {
    /// Other requirements. Of a verified domain, what is new among them is staged.
    pub requirements: RequirementsGiven,
    /// All that is required binds at once. Operators only.
    pub bind: bool,
    /// Another daily limit.
    pub daily_send_limit: Option<i32>,
    /// Another id at the provider.
    pub infraforge_domain_id: Option<Option<String>>,
    /// Another id at the sender.
    pub smartlead_domain_id: Option<Option<String>>,
    /// An operator's word.
    pub status: Option<OperatorStatus>,
}

/// A domain.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainView {
    /// Its row.
    pub row: DomainRow,
    /// Its name as a person reads it, where that differs.
    pub domain_unicode: Option<String>,
    /// Why its name, written by somebody else, is no normal domain name: `domain.malformed`. It is never checked.
    pub malformed: Option<String>,
    /// What proves that it is its client's; nothing where nothing is to be proven.
    pub ownership: Option<OwnershipView>,
}

impl DomainView {
    /// What is shown of a row.
    pub fn of(row: DomainRow) -> DomainView {
        let ownership = OwnershipView::of(&row);
        match domain_of(&row.domain) {
            Ok(domain) => {
                let unicode = Some(domain.unicode()).filter(|unicode| *unicode != row.domain);
                let malformed = row.is_malformed().then(|| "it doubles another row's".to_owned());
                DomainView { row, domain_unicode: unicode, malformed, ownership }
            }
            Err(fault) => DomainView { row, domain_unicode: None, malformed: Some(fault.to_string()), ownership },
        }
    }
}

impl Service {
    /// Registers a domain for a client; its first check is due at once.
    ///
    /// A deleted domain of the same client lives again. The records to publish are
    /// [`Service::records`]'s to give, each `unchecked` before that first check. By an operator's key it counts as
    /// proven; by a client's, the client is to prove that it is its own. So may be another's domain that is not proven:
    /// the refusal says what to publish to be given it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`], also for another client's key; [`Error::Invalid`]; [`Error::DomainOwn`], [`Error::DomainTaken`];
    /// [`Error::AllocationExceeded`]; [`Error::TransferExceeds`]; [`Error::Forbidden`] for hook keys; [`Error::Store`].
    pub async fn domain_register(&self, caller: &Caller, new: &Registration) -> Result<DomainView, Error> {
        self.see_client(caller, new.client_id)?;
        let provider = new.provider.as_deref().unwrap_or(INFRAFORGE);
        let requirements = self.registered_requirements(new, provider)?;
        let challenge = name_of(&new.domain).map_err(|_| {
            Error::invalid("/domain", "the name is so long that no record can stand below it to prove whose it is")
        })?;
        let (now, value) = (self.clock.now(), self.ownership_value());
        let row = NewDomain {
            id: self.chance.id(now),
            client_id: new.client_id,
            domain: &new.domain,
            provider,
            requirements: requirements.as_ref(),
            infraforge_domain_id: new.infraforge_domain_id.as_deref(),
            smartlead_domain_id: new.smartlead_domain_id.as_deref(),
            min_interval: self.settings.rhythm.min_interval,
            ownership_value: &value,
            is_vouched_for: caller.operator().is_ok(),
        };
        match self.store.domain_add(&row, now).await? {
            DomainAdded::Added(row) | DomainAdded::Revived(row) => {
                self.wake();
                Ok(DomainView::of(row))
            }
            DomainAdded::Own => Err(Error::DomainOwn),
            DomainAdded::Taken => Err(Error::DomainTaken { claim: None }),
            DomainAdded::Claimed(claimed) => {
                let claim = Some(self.claim_view(challenge.to_string(), claimed).await?);
                Err(Error::DomainTaken { claim })
            }
            DomainAdded::Blocked(exceeded) => Err(Error::TransferExceeds(exceeded)),
            DomainAdded::NoSuchClient => Err(Error::NoSuchClient(new.client_id)),
            DomainAdded::AllocationExceeded { resource, used, limit } => {
                let tier = self.store.client_usage(new.client_id).await?.and_then(|usage| usage.tier);
                Err(Error::AllocationExceeded { resource, tier, used, limit })
            }
        }
    }

    /// What to store of a registration's requirements; nothing: as the profile says, also when it changes.
    fn registered_requirements(&self, new: &Registration, provider: &str) -> Result<Option<Requirements>, Error> {
        let mut faults = new.requirements.faults(&new.domain);
        faults.extend(id_fault("/infraforge_domain_id", new.infraforge_domain_id.as_deref()));
        faults.extend(id_fault("/smartlead_domain_id", new.smartlead_domain_id.as_deref()));
        let base = of_provider(new.domain.clone(), provider, &self.settings.profiles);
        let expectation = base.map_err(|fault| faults.push(fault)).ok().map(|mut expectation| {
            new.requirements.apply(&mut expectation);
            expectation
        });
        faults.extend(expectation.as_ref().and_then(|expectation| manual_fault(expectation, provider)));
        match expectation {
            Some(expectation) if faults.is_empty() => {
                Ok((!new.requirements.is_empty()).then(|| to_stored(&expectation)))
            }
            _ => Err(Error::Invalid(faults)),
        }
    }

    /// One domain, deleted ones too.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn domain_get(&self, caller: &Caller, id: Uuid) -> Result<DomainView, Error> {
        self.see_domain(caller, id).await.map(DomainView::of)
    }

    /// The domain of a name, deleted ones too.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn domain_by_name(&self, caller: &Caller, domain: &Domain) -> Result<DomainView, Error> {
        let sight = caller.sight()?;
        let row = self.store.domain_by_name(domain).await?.filter(|row| sight.sees(row.client_id));
        row.map(DomainView::of).ok_or_else(|| Error::NoSuchDomain(domain.to_string()))
    }

    /// Domains in the order of their age: any for an operator, its own for a client's key.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Store`].
    pub async fn domain_list(
        &self,
        caller: &Caller,
        filter: &DomainFilter,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Page<DomainView, Place>, Error> {
        let mut filter = filter.clone();
        if let Sight::Client(own) = caller.sight()? {
            if filter.client_id.is_some_and(|asked| asked != own) {
                return Ok(Page { items: Vec::new(), next: None });
            }
            filter.client_id = Some(own);
        }
        let limit = page_limit(limit);
        let rows = self.store.domain_list(&filter, after, limit + 1).await?;
        Ok(Page::of(rows, limit, DomainRow::place).map(DomainView::of))
    }

    /// Changes a domain; other requirements or another status are checked at once.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], also when it is deleted; [`Error::Forbidden`] for what only operators may;
    /// [`Error::Invalid`]; [`Error::DomainMalformed`]; [`Error::Store`].
    pub async fn domain_change(&self, caller: &Caller, id: Uuid, patch: &DomainPatch) -> Result<DomainView, Error> {
        for _ in 0..CHANGE_TRIES_MAX {
            let row = self.see_living_domain(caller, id).await?;
            let change = self.change_of(caller, &row, patch)?;
            match self.store.domain_change(id, &change, self.clock.now()).await? {
                DomainChanged::Changed(row) => {
                    self.wake();
                    self.tell_changed(id);
                    return Ok(DomainView::of(*row));
                }
                DomainChanged::NoSuchDomain => return Err(Error::NoSuchDomain(id.to_string())),
                // Another changed them just now: what is given goes on top of that.
                DomainChanged::RequirementsMoved => {}
            }
        }
        Err(Error::DomainBusy)
    }

    /// What a patch makes of a domain.
    fn change_of(&self, caller: &Caller, row: &DomainRow, patch: &DomainPatch) -> Result<DomainChange, Error> {
        refuse_operators_affairs(caller, row, patch)?;
        let mut faults = Vec::new();
        if patch.daily_send_limit.is_some_and(i32::is_negative) {
            let detail = "a limit is 0 or more".to_owned();
            faults.push(FieldFault { pointer: "/daily_send_limit".to_owned(), detail });
        }
        faults.extend(id_fault("/infraforge_domain_id", patch.infraforge_domain_id.clone().flatten().as_deref()));
        faults.extend(id_fault("/smartlead_domain_id", patch.smartlead_domain_id.clone().flatten().as_deref()));
        let requirements = self.changed_requirements(row, &patch.requirements, faults)?;
        Ok(DomainChange {
            binding: self.changed_binding(row, requirements.as_ref(), patch.bind)?,
            requirements,
            daily_send_limit: patch.daily_send_limit,
            infraforge_domain_id: patch.infraforge_domain_id.clone(),
            smartlead_domain_id: patch.smartlead_domain_id.clone(),
            status: patch.status,
            min_interval: self.settings.rhythm.min_interval,
            events: patch.status.and_then(|status| self.event_of(row, status)).into_iter().collect(),
        })
    }

    /// What to store of changed requirements; nothing when they are as they were.
    fn changed_requirements(
        &self,
        row: &DomainRow,
        given: &RequirementsGiven,
        mut faults: Vec<FieldFault>,
    ) -> Result<Option<RequirementsChange>, Error> {
        let mut requirements = None;
        if !given.is_empty() {
            let domain = domain_of(&row.domain).map_err(|fault| Error::DomainMalformed(fault.to_string()))?;
            faults.extend(given.faults(&domain));
            let mut expectation = match expectation_of(row, &self.settings.profiles) {
                Ok((expectation, _)) => expectation,
                Err(ExpectationFault::Malformed { .. } | ExpectationFault::Unreadable(_)) => {
                    Expectation::soundness_of(domain)
                }
            };
            given.apply(&mut expectation);
            faults.extend(manual_fault(&expectation, &row.provider));
            let (from, to) = (row.requirements.clone(), to_stored(&expectation));
            let is_other = from != RowRequirements::Own(to.clone());
            requirements = is_other.then_some(RequirementsChange { from, to });
        }
        if faults.is_empty() { Ok(requirements) } else { Err(Error::Invalid(faults)) }
    }

    /// What binds after a change of a domain's requirements, or by an operator's word; nothing when nobody changes it.
    fn changed_binding(
        &self,
        row: &DomainRow,
        change: Option<&RequirementsChange>,
        bind: bool,
    ) -> Result<Option<BindingChange>, Error> {
        if change.is_none() && !bind {
            return Ok(None);
        }
        let before = match staging_of(row, &self.settings.profiles) {
            Ok((staging, _)) => staging,
            Err(fault @ ExpectationFault::Malformed { .. }) => return Err(Error::DomainMalformed(fault.to_string())),
            // Nobody knows what bound, so all that is required from now on does.
            Err(ExpectationFault::Unreadable(_)) => {
                return Ok(Some(BindingChange { from: row.binding.clone(), to: None }));
            }
        };
        let wanted = change.and_then(|change| of_stored(before.wanted().domain.clone(), &change.to).ok());
        let wanted = wanted.map_or_else(|| before.wanted().clone(), |own| with_dedicated(row, own));
        let binding = match bind {
            true => wanted,
            false => before.changed(wanted).binding().clone(),
        };
        let to = is_verified(&row.standing()).then(|| to_stored(&binding));
        Ok(Some(BindingChange { from: row.binding.clone(), to }))
    }

    /// What to tell the world of an operator's word.
    fn event_of(&self, row: &DomainRow, status: OperatorStatus) -> Option<crate::store::NewEvent> {
        let before = row.standing();
        let (happening, after) = match (status, before.status) {
            (OperatorStatus::Suspended, Status::Pending | Status::Active) => (
                Happening::Suspended,
                Standing { status: Status::Suspended, suspended_reason: Some(SuspendedReason::Operator), ..before },
            ),
            (OperatorStatus::Active, Status::Suspended) => {
                let status = if before.verified_at.is_some() { Status::Active } else { Status::Pending };
                let flags = before.flags;
                (Happening::Restored, Standing { status, flags, verified_at: before.verified_at, ..Standing::NEW })
            }
            _ => return None,
        };
        let id = self.chance.id(self.clock.now());
        Some(events::happened(id, happening, row, &before, &after, None))
    }

    /// Deletes a domain softly: its row and its history stay.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], also when it is deleted; [`Error::Forbidden`], [`Error::Store`].
    pub async fn domain_delete(&self, caller: &Caller, id: Uuid) -> Result<(), Error> {
        self.see_living_domain(caller, id).await?;
        match self.store.domain_delete(id, self.clock.now()).await? {
            true => {
                self.tell_changed(id);
                Ok(())
            }
            false => Err(Error::NoSuchDomain(id.to_string())),
        }
    }

    /// The row of a domain that the caller sees.
    pub(crate) async fn see_domain(&self, caller: &Caller, id: Uuid) -> Result<DomainRow, Error> {
        let sight = caller.sight()?;
        if caller.domain_id.is_some_and(|only| only != id) {
            return Err(Error::NoSuchDomain(id.to_string()));
        }
        let row = self.store.domain_get(id).await?.filter(|row| sight.sees(row.client_id));
        row.ok_or_else(|| Error::NoSuchDomain(id.to_string()))
    }

    /// Lets only those pass who see this client's domain.
    pub(crate) fn sees_domain(&self, caller: &Caller, id: Uuid, client_id: Uuid) -> Result<(), Error> {
        let is_other = caller.domain_id.is_some_and(|only| only != id);
        if is_other || !caller.sight()?.sees(client_id) {
            return Err(Error::NoSuchDomain(id.to_string()));
        }
        Ok(())
    }

    /// The row of a domain that the caller sees and that is not deleted, and whether the fleet breaker is open.
    pub(crate) async fn see_shown_domain(&self, caller: &Caller, id: Uuid) -> Result<(DomainRow, bool), Error> {
        caller.sight()?;
        let shown = self.store.domain_shown(id).await?.filter(|(row, _)| row.status != Status::Deleted);
        let (row, breaker_open) = shown.ok_or_else(|| Error::NoSuchDomain(id.to_string()))?;
        self.sees_domain(caller, id, row.client_id)?;
        Ok((row, breaker_open))
    }

    /// The row of a domain that the caller sees and that is not deleted.
    pub(crate) async fn see_living_domain(&self, caller: &Caller, id: Uuid) -> Result<DomainRow, Error> {
        let row = self.see_domain(caller, id).await?;
        if row.status == Status::Deleted { Err(Error::NoSuchDomain(id.to_string())) } else { Ok(row) }
    }
}

/// What only operators may: set a status, and let more be sent.
fn refuse_operators_affairs(caller: &Caller, row: &DomainRow, patch: &DomainPatch) -> Result<(), Error> {
    if caller.operator().is_ok() {
        return Ok(());
    }
    if patch.status.is_some() {
        return Err(Error::Forbidden { needs: "an operator key, to set `status`" });
    }
    if patch.bind {
        return Err(Error::Forbidden { needs: "an operator key, to `bind` at once" });
    }
    if patch.daily_send_limit.is_some_and(|limit| limit > row.daily_send_limit) {
        return Err(Error::Forbidden { needs: "an operator key, to raise `daily_send_limit`" });
    }
    Ok(())
}

/// With `manual` everything comes with the domain, and without a selector it could never be verified.
fn manual_fault(expectation: &Expectation, provider: &str) -> Option<FieldFault> {
    (provider == MANUAL && expectation.dkim.is_empty()).then(|| FieldFault {
        pointer: "/dkim".to_owned(),
        detail: format!("with the provider `{MANUAL}` at least one selector is needed: we never guess them"),
    })
}

fn id_fault(pointer: &str, id: Option<&str>) -> Option<FieldFault> {
    let bad = |id: &str| id.is_empty() || id.chars().count() > FOREIGN_ID_CHARACTERS_MAX || id.contains('\0');
    id.filter(|id| bad(id)).map(|_| FieldFault {
        pointer: pointer.to_owned(),
        detail: format!("an id has 1 to {FOREIGN_ID_CHARACTERS_MAX} characters"),
    })
}
