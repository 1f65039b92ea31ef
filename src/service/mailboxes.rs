//! Mailboxes: added, found, changed, paused, resumed, suspended, deleted, and their health.

use serde_json::json;
use tracing::info;
use uuid::Uuid;

use crate::protocol::mail_address::MailAddress;
use crate::sending::health;
use crate::sending::mailbox::{MailboxStatus, PausedReason};
use crate::sending::reason::Reason;
use crate::sending::tier::Resource;
use crate::service::requirements::domain_of;
use crate::service::{Caller, Error, Page, Service, page_limit};
use crate::store::{MailboxAdded, MailboxRow, MailboxUpdate, NewEvent, NewMailbox};

/// The longest name that a mailbox's mail carries, in characters.
pub const DISPLAY_NAME_CHARACTERS_MAX: usize = 200;

/// The type of the event that says that a mailbox is paused.
const PAUSED: &str = "mailbox.paused";

/// A mailbox to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxGiven {
    /// Its address.
    pub address: MailAddress,
    /// The name that its mail carries.
    pub display_name: Option<String>,
    /// The provider's id of it.
    pub infraforge_mailbox_id: Option<String>,
    /// The sender's id of it.
    pub smartlead_account_id: Option<String>,
    /// Whether it is to be warmed up; unless told otherwise it is.
    pub warmup_enabled: Option<bool>,
}

/// What to change of a mailbox; `None` leaves as it is, `Some(None)` clears.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailboxPatch {
    /// Another name.
    pub display_name: Option<Option<String>>,
    /// Another id at the provider.
    pub infraforge_mailbox_id: Option<Option<String>>,
    /// Another id at the sender.
    pub smartlead_account_id: Option<Option<String>>,
    /// Another daily limit.
    pub daily_send_limit: Option<i32>,
    /// Whether it is warmed up.
    pub warmup_enabled: Option<bool>,
}

/// What is reported of a mailbox's mail. What is left out stays, but for the sample: it belongs to these figures.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HealthGiven {
    /// What share came back.
    pub bounce_rate: Option<f64>,
    /// What share was called spam.
    pub spam_rate: Option<f64>,
    /// What share was answered.
    pub reply_rate: Option<f64>,
    /// How many mails the rates rest on.
    pub sample: Option<i32>,
}

/// A word that stops a mailbox, or lets it go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxWord {
    /// Until somebody resumes it.
    Pause,
    /// It goes on.
    Resume,
    /// Until an operator resumes it.
    Suspend,
}

impl Service {
    /// Adds a mailbox to a domain, within the client's tier. A deleted one of the same address lives again.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], also of a deleted one; [`Error::Invalid`] for an address of another domain;
    /// [`Error::MailboxOwn`], [`Error::MailboxTaken`], [`Error::AllocationExceeded`]; [`Error::DomainMalformed`];
    /// [`Error::Forbidden`], [`Error::Store`].
    pub async fn mailbox_add(
        &self,
        caller: &Caller,
        domain_id: Uuid,
        given: &MailboxGiven,
    ) -> Result<MailboxRow, Error> {
        let domain = self.see_living_domain(caller, domain_id).await?;
        let name = domain_of(&domain.domain).map_err(|fault| Error::DomainMalformed(fault.to_string()))?;
        if *given.address.domain() != name {
            return Err(Error::invalid("/email_address", format!("must be an address of {}", name.unicode())));
        }
        let now = self.clock.now();
        let new = NewMailbox {
            id: self.chance.id(now),
            client_id: domain.client_id,
            domain_id,
            address: &given.address,
            display_name: given.display_name.as_deref(),
            infraforge_mailbox_id: given.infraforge_mailbox_id.as_deref(),
            smartlead_account_id: given.smartlead_account_id.as_deref(),
            warmup_enabled: given.warmup_enabled.unwrap_or(true),
        };
        match self.store.mailbox_add(&new, now).await? {
            MailboxAdded::Added(row) | MailboxAdded::Revived(row) => Ok(*row),
            MailboxAdded::Own => Err(Error::MailboxOwn),
            MailboxAdded::Taken => Err(Error::MailboxTaken),
            MailboxAdded::NoSuchDomain => Err(Error::NoSuchDomain(domain_id.to_string())),
            MailboxAdded::AllocationExceeded { tier, used, limit } => {
                let resource = Resource::Mailboxes;
                Err(Error::AllocationExceeded { resource, tier: Some(tier), used, limit })
            }
        }
    }

    /// One mailbox, deleted ones too.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMailbox`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn mailbox_get(&self, caller: &Caller, id: Uuid) -> Result<MailboxRow, Error> {
        self.see_mailbox(caller, id).await
    }

    /// The mailboxes of a domain that are not deleted, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDomain`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn mailbox_list(
        &self,
        caller: &Caller,
        domain_id: Uuid,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<MailboxRow, Uuid>, Error> {
        self.see_domain(caller, domain_id).await?;
        let limit = page_limit(limit);
        let mut rows = self.store.mailbox_list(domain_id, after, limit + 1).await?;
        for row in &mut rows {
            *row = self.reckoned(row.clone()).await?;
        }
        Ok(Page::of(rows, limit, |row| row.id))
    }

    /// Changes a mailbox. Only operators raise its limit; while it is warmed up the schedule says what that is.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMailbox`], also when it is deleted; [`Error::Invalid`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn mailbox_change(&self, caller: &Caller, id: Uuid, patch: &MailboxPatch) -> Result<MailboxRow, Error> {
        let is_operator = caller.operator().is_ok();
        self.change(caller, id, |before| {
            let after = patched(before, patch);
            if let Some(limit) = patch.daily_send_limit {
                if after.warmup_facts().is_in_warm_up() {
                    let detail = "follows the warm-up schedule until day 31; `warmup_enabled` false ends it before";
                    return Err(Error::invalid("/daily_send_limit", detail));
                }
                if limit > before.daily_send_limit && !is_operator {
                    return Err(Error::Forbidden { needs: "an operator key, to raise `daily_send_limit`" });
                }
            }
            Ok((after, None))
        })
        .await
    }

    /// Pauses a mailbox, lets it go on, or suspends it. Only operators lift a suspension. What is so already stays so,
    /// and a suspended one is not paused, which anybody could lift.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMailbox`], also when it is deleted; [`Error::MailboxUnhealthy`] when it is to go on though its
    /// rates are out of bounds; [`Error::Forbidden`], [`Error::Store`].
    pub async fn mailbox_tell(&self, caller: &Caller, id: Uuid, word: MailboxWord) -> Result<MailboxRow, Error> {
        let is_operator = caller.operator().is_ok();
        self.change(caller, id, |before| match word {
            MailboxWord::Pause if !before.status.is_stopped() => {
                Ok((stopped(before, MailboxStatus::Paused), Some(PausedReason::Requested)))
            }
            MailboxWord::Suspend if before.status != MailboxStatus::Suspended => {
                Ok((stopped(before, MailboxStatus::Suspended), None))
            }
            MailboxWord::Resume if before.status.is_stopped() => {
                if before.status == MailboxStatus::Suspended && !is_operator {
                    return Err(Error::Forbidden { needs: "an operator key, to lift a suspension" });
                }
                self.refuse_unhealthy(before)?;
                Ok((resumed(before), None))
            }
            _ => Ok((before.clone(), None)),
        })
        .await
    }

    /// Notes what is known of a mailbox's mail; it is paused where too much of it came back or was called spam.
    /// Operators only.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMailbox`], also when it is deleted; [`Error::Invalid`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn mailbox_health(&self, caller: &Caller, id: Uuid, given: HealthGiven) -> Result<MailboxRow, Error> {
        if caller.operator().is_err() {
            self.see_mailbox(caller, id).await?;
        }
        caller.operator()?;
        if given.bounce_rate.or(given.spam_rate).or(given.reply_rate).is_none() {
            return Err(Error::invalid("", "give at least one of `bounce_rate`, `spam_rate` and `reply_rate`"));
        }
        self.change(caller, id, |before| {
            let mut after = before.clone();
            after.bounce_rate = given.bounce_rate.unwrap_or(before.bounce_rate);
            after.spam_rate = given.spam_rate.unwrap_or(before.spam_rate);
            after.reply_rate = given.reply_rate.unwrap_or(before.reply_rate);
            after.health_sample = given.sample;
            match health::pausing(&after.health(), self.settings.sending) {
                Some(reason) if !before.status.is_stopped() => {
                    Ok((stopped(&after, MailboxStatus::Paused), Some(reason)))
                }
                _ => Ok((after, None)),
            }
        })
        .await
    }

    /// Deletes a mailbox softly: its row and its history stay.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMailbox`], also when it is deleted; [`Error::Forbidden`], [`Error::Store`].
    pub async fn mailbox_delete(&self, caller: &Caller, id: Uuid) -> Result<(), Error> {
        self.see_mailbox(caller, id).await?;
        match self.store.mailbox_delete(id, self.clock.now()).await? {
            true => Ok(()),
            false => Err(Error::NoSuchMailbox(id)),
        }
    }

    /// Changes a mailbox that the caller sees as `decide` says; where that pauses it, the world is told why.
    async fn change(
        &self,
        caller: &Caller,
        id: Uuid,
        decide: impl FnOnce(&MailboxRow) -> Result<(MailboxRow, Option<PausedReason>), Error> + Send,
    ) -> Result<MailboxRow, Error> {
        self.see_mailbox(caller, id).await?;
        let now = self.clock.now();
        let event_id = self.chance.id(now);
        let decide = |before: &MailboxRow| {
            let (mut row, paused) = decide(before)?;
            if paused.is_some() {
                row.paused_reason = paused;
            }
            let events = paused.map(|reason| self.paused(event_id, before, &row, reason)).into_iter().collect();
            let closes_warm_up = self.closes_warm_up(&row, now.date_naive());
            Ok(MailboxUpdate { row, closes_warm_up, events })
        };
        let changed = self.store.mailbox_change(id, now, decide).await?;
        changed.unwrap_or(Err(Error::NoSuchMailbox(id)))
    }

    fn refuse_unhealthy(&self, row: &MailboxRow) -> Result<(), Error> {
        let bounds = self.settings.sending;
        if health::pausing(&row.health(), bounds).is_none() {
            return Ok(());
        }
        let reasons = health::faults(&row.health(), bounds).into_iter().map(Reason::Health);
        let shown: Vec<String> = reasons.filter(|reason| reason.closes_sending()).map(Reason::message).collect();
        Err(Error::MailboxUnhealthy(shown.join(" ")))
    }

    /// The event that says that a mailbox is paused.
    fn paused(&self, id: Uuid, before: &MailboxRow, after: &MailboxRow, reason: PausedReason) -> NewEvent {
        let faults = health::faults(&after.health(), self.settings.sending).into_iter().map(Reason::Health);
        let findings: Vec<_> =
            faults.map(|fault| json!({"code": fault.code(), "message": fault.message(), "fix": fault.fix()})).collect();
        info!(mailbox.id = %before.id, event.id = %id, reason = reason.as_str(), "Paused a mailbox of {}", before.domain.domain);
        let body = json!({
            "domain_id": before.domain_id,
            "client_id": before.client_id,
            "domain": before.domain.domain,
            "mailbox_id": before.id,
            "email_address": before.email_address,
            "status": { "from": before.status.as_str(), "to": after.status.as_str() },
            "flags": {},
            "suspends_at": null,
            "reason": reason.as_str(),
            "findings": findings,
        });
        NewEvent { id, kind: PAUSED, body }
    }

    /// The row of a mailbox that the caller sees, its warm-up reckoned.
    pub(crate) async fn see_mailbox(&self, caller: &Caller, id: Uuid) -> Result<MailboxRow, Error> {
        let sight = caller.sight()?;
        let row = self.store.mailbox_get(id).await?.filter(|row| sight.sees(row.client_id));
        self.reckoned(row.ok_or(Error::NoSuchMailbox(id))?).await
    }

    /// A row whose warm-up columns say what they must now.
    pub(crate) async fn reckoned(&self, row: MailboxRow) -> Result<MailboxRow, Error> {
        let now = self.clock.now();
        if row.deleted_at.is_some() || !row.wants_reckoning(now) {
            return Ok(row);
        }
        let stale_limit = self.settings.patience.stale_limit;
        Ok(self.store.mailbox_reckon(row.id, stale_limit, now).await?.unwrap_or(row))
    }
}

/// The row with what a change gives; the status follows `warmup_enabled`.
fn patched(before: &MailboxRow, patch: &MailboxPatch) -> MailboxRow {
    let mut after = before.clone();
    if let Some(name) = &patch.display_name {
        after.display_name.clone_from(name);
    }
    if let Some(id) = &patch.infraforge_mailbox_id {
        after.infraforge_mailbox_id.clone_from(id);
    }
    if let Some(id) = &patch.smartlead_account_id {
        after.smartlead_account_id.clone_from(id);
    }
    if let Some(enabled) = patch.warmup_enabled.filter(|enabled| *enabled != before.warmup_enabled) {
        after.warmup_enabled = enabled;
        let is_over = before.warmup_completed_at.is_some();
        let going = if enabled && !is_over { MailboxStatus::Warming } else { MailboxStatus::Active };
        match before.status.is_stopped() {
            true => after.resumes_as = Some(going),
            false => after.status = going,
        }
    }
    if let Some(limit) = patch.daily_send_limit {
        after.daily_send_limit = limit;
    }
    after
}

fn stopped(before: &MailboxRow, status: MailboxStatus) -> MailboxRow {
    let going = before.warmup_facts().going();
    MailboxRow { status, paused_reason: None, resumes_as: Some(going), ..before.clone() }
}

fn resumed(before: &MailboxRow) -> MailboxRow {
    let going = before.warmup_facts().going();
    MailboxRow { status: going, paused_reason: None, resumes_as: None, ..before.clone() }
}
