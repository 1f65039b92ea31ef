//! Deliveries: what went to an endpoint, what is still to go, and one attempt.
//!
//! An attempt is claimed, made with empty hands, and settled behind its lease, as a check is. No database connection
//! is held while a receiver is waited for.
//!
//! # When an endpoint is disabled
//!
//! When a delivery has used up its schedule and the endpoint took nothing since that delivery's first attempt; or at
//! once when it says that it is gone for good (410). What a person asked for by hand disables nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use crate::sender::target::Target;
use crate::sender::{Answered, Post};
use crate::service::{Caller, Error, Page, Service, page_limit};
use crate::store::{Attempt, DeliveryRow, DeliverySettled, DisabledReason, Disabling, EndpointRow, NewEvent, Which};
use crate::telemetry::metrics::webhook_attempted;
use crate::webhook::event::Kind;
use crate::webhook::{retry, signature};

/// What a worker holds: it names neither the store nor HTTP.
pub use crate::sender::Sender;
pub use crate::store::{DeliveryClaim, DeliveryStatus, Waiting};

/// For how long a worker has a delivery. Much longer than an attempt takes, so that what is late is rare.
pub const LEASE: Duration = Duration::from_secs(30);

/// A delivery on loan, and whom it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The endpoint as it was when lent.
    pub endpoint: EndpointRow,
    /// The loan.
    pub claim: DeliveryClaim,
}

/// An attempt that was made and has not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    at: DateTime<Utc>,
    took_ms: u32,
    answered: Option<Answered>,
    failure: Option<String>,
}

impl Service {
    /// What went to an endpoint, the newest first, behind `before`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEndpoint`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn delivery_list(
        &self,
        caller: &Caller,
        endpoint_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<DeliveryRow, Uuid>, Error> {
        let endpoint = self.endpoint_get(caller, endpoint_id).await?;
        let limit = page_limit(limit);
        Ok(Page::of(self.store.delivery_list(endpoint.id, before, limit + 1).await?, limit, |row| row.event_id))
    }

    /// Sends a test event to an endpoint, also to a disabled one.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEndpoint`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn endpoint_test(&self, caller: &Caller, endpoint_id: Uuid) -> Result<DeliveryRow, Error> {
        let endpoint = self.endpoint_get(caller, endpoint_id).await?;
        let now = self.clock.now();
        let event_id = self.chance.id(now);
        let data = json!({ "webhook_endpoint_id": endpoint.id, "client_id": endpoint.client_id });
        if !self.store.delivery_test(endpoint.id, event_id, &data, now).await? {
            return Err(Error::NoSuchEndpoint(endpoint_id));
        }
        self.wake_deliveries();
        self.store.delivery_get(endpoint.id, event_id).await?.ok_or(Error::NoSuchDelivery(event_id))
    }

    /// Makes another attempt at once, whatever became of those before, and also on a disabled endpoint.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEndpoint`], [`Error::NoSuchDelivery`], [`Error::Forbidden`], [`Error::Store`].
    pub async fn delivery_retry(
        &self,
        caller: &Caller,
        endpoint_id: Uuid,
        delivery_id: Uuid,
    ) -> Result<DeliveryRow, Error> {
        let endpoint = self.endpoint_get(caller, endpoint_id).await?;
        let retried = self.store.delivery_retry(endpoint.id, delivery_id, self.clock.now()).await?;
        self.wake_deliveries();
        retried.ok_or(Error::NoSuchDelivery(delivery_id))
    }

    /// Waits until a delivery has become due at once since the last call. For one worker.
    pub async fn deliveries_woken(&self) {
        self.wake_deliveries.notified().await;
    }

    /// Says that a delivery is due at once.
    pub(crate) fn wake_deliveries(&self) {
        self.wake_deliveries.notify_one();
    }

    /// At most `count_max` endpoints for which something is due, those that do not fail first.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn endpoints_waiting(&self, count_max: u32) -> Result<Vec<Waiting>, Error> {
        Ok(self.store.endpoint_claimable(self.clock.now(), count_max).await?)
    }

    /// Takes at most `count_max` deliveries of one endpoint that are due. Each must be settled or released.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; what was taken by then falls due again when its lease ends.
    pub async fn deliveries_due(&self, endpoint_id: Uuid, count_max: u32) -> Result<Vec<Due>, Error> {
        let now = self.clock.now();
        let Some(endpoint) = self.store.endpoint_get(endpoint_id).await? else { return Ok(Vec::new()) };
        let rests = endpoint.resumes_at.is_some_and(|at| at > now);
        let which = if endpoint.enabled && !rests { Which::Any } else { Which::Asked };
        let (until, token) = (now + TimeDelta::from_std(LEASE).unwrap_or_default(), self.chance.id(now));
        let mut due = Vec::new();
        for claim in self.store.delivery_claim((endpoint_id, which), now, until, token, count_max).await? {
            match self.first_due(&claim).filter(|first| *first > now) {
                Some(first) => self.store.delivery_postpone(&claim, first).await?,
                None => due.push(Due { endpoint: endpoint.clone(), claim }),
            }
        }
        Ok(due)
    }

    /// When a first attempt is due, for the schedule has a wait before it, too.
    fn first_due(&self, claim: &DeliveryClaim) -> Option<DateTime<Utc>> {
        let row = &claim.delivery;
        let is_first = row.attempts == 0 && !row.asked;
        let schedule = &self.settings.webhooks.retry_schedule;
        is_first.then(|| retry::next_attempt(schedule, 0, None, row.created_at)).flatten()
    }

    /// Makes one attempt. Ends within the sender's time; nothing is written yet.
    pub async fn attempt(&self, sender: &Sender, due: &Due) -> Made {
        let (now, begun) = (self.clock.now(), Instant::now());
        let id = due.claim.delivery.event_id.to_string();
        let older = due.endpoint.older_secrets.iter().filter(|older| older.until > now).map(|older| &older.secret);
        let secrets = [&due.endpoint.secret].into_iter().chain(older);
        let timestamp = now.timestamp();
        let signature = signature::header(secrets, &id, timestamp, due.claim.body.as_bytes());
        let post = Post { id: &id, timestamp, signature: &signature, body: &due.claim.body };
        // Judged again: the setting may have been another when the URL was given.
        let outcome = match Target::parse(&due.endpoint.url, sender.allows_private()) {
            Ok(target) => sender.post(&target, &post).await.map_err(|why| (why.as_str(), why.to_string())),
            Err(fault) => Err(("url", format!("the URL {fault}"))),
        };
        let took = begun.elapsed();
        let (word, answered, failure) = match outcome {
            Ok(answered) if answered.is_taken() => ("taken", Some(answered), None),
            Ok(answered) => {
                let failure = refusal(answered.code);
                ("refused", Some(answered), Some(failure))
            }
            Err((word, failure)) => (word, None, Some(failure)),
        };
        webhook_attempted(word, took);
        let took_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        Made { at: self.clock.now(), took_ms, answered, failure }
    }

    /// Writes what came of an attempt, all or nothing, and only while the lease is ours.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; nothing is written. It may be tried again until the lease ends.
    pub async fn delivery_settle(&self, due: &Due, made: &Made) -> Result<(), Error> {
        let (endpoint, row) = (&due.endpoint, &due.claim.delivery);
        let answered = made.answered.as_ref();
        let code = answered.map(|answered| answered.code);
        let put_off = answered.and_then(|answered| retry::retry_after(answered.retry_after.as_deref()?, made.at));
        let next = self.next_attempt(due, made, put_off);
        // Busy, it says for itself as a whole, not for one event. RFC 6585 §4, RFC 9110 §15.6.4.
        let rest = put_off.filter(|_| matches!(code, Some(429 | 503)));
        let attempt = Attempt {
            at: made.at,
            took_ms: made.took_ms,
            response_code: code,
            response_excerpt: answered.and_then(|answered| answered.excerpt.as_deref()),
            failure: made.failure.as_deref(),
            next_attempt_at: next,
            resumes_at: rest.and_then(|wait| made.at.checked_add_signed(TimeDelta::from_std(wait).ok()?)),
        };
        let disabling = made.failure.is_some().then(|| self.disabling(due, made, next)).flatten();
        let settled = self.store.delivery_settle(&due.claim, &attempt, disabling.as_ref()).await?;
        let (id, attempts) = (row.event_id, row.attempts.saturating_add(1));
        if let Some(failure) = &made.failure {
            let then = next.map_or("given up".to_owned(), |at| format!("again at {at}"));
            warn!(webhook.endpoint = %endpoint.id, event.id = %id, attempts, http.status = code,
                "Could not deliver {} to {}: {failure}; {then}", row.kind, host_of(&endpoint.url));
        }
        match settled {
            DeliverySettled::Done => {}
            DeliverySettled::Disabled => {
                warn!(webhook.endpoint = %endpoint.id, "Disabled a webhook endpoint that takes nothing");
                self.wake_deliveries();
            }
            DeliverySettled::LeaseLost => {
                info!(webhook.endpoint = %endpoint.id, event.id = %id, "Dropped an attempt's result: its lease was lost");
            }
        }
        Ok(())
    }

    /// When to try again; nothing when it was taken or is given up.
    fn next_attempt(&self, due: &Due, made: &Made, put_off: Option<Duration>) -> Option<DateTime<Utc>> {
        made.failure.as_ref()?;
        let is_gone = made.answered.as_ref().is_some_and(|answered| answered.code == GONE);
        if is_gone || !due.endpoint.enabled {
            return None;
        }
        let attempts = due.claim.delivery.attempts.saturating_add(1);
        retry::next_attempt(&self.settings.webhooks.retry_schedule, attempts, put_off, made.at)
    }

    /// Whether a failed attempt disables its endpoint, and what operators are told then.
    fn disabling(&self, due: &Due, made: &Made, next: Option<DateTime<Utc>>) -> Option<Disabling> {
        let row = &due.claim.delivery;
        let is_gone = made.answered.as_ref().is_some_and(|answered| answered.code == GONE);
        let (reason, unless_well_since) = match (is_gone, next) {
            (true, _) => (DisabledReason::Gone, made.at),
            (false, None) if !row.asked => (DisabledReason::Failing, row.first_attempt_at.unwrap_or(made.at)),
            (false, _) => return None,
        };
        let endpoint = &due.endpoint;
        let body = json!({
            "webhook_endpoint_id": endpoint.id,
            "client_id": endpoint.client_id,
            "url": endpoint.url,
            "reason": reason.as_str(),
            "failing_since": endpoint.failing_since.unwrap_or(made.at),
            "failure": made.failure,
        });
        let event = NewEvent { id: self.chance.id(made.at), kind: Kind::EndpointDisabled.as_str(), body };
        Some(Disabling { reason, unless_well_since, event })
    }

    /// Gives a delivery back untouched.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; it falls due again when the lease ends.
    pub async fn delivery_release(&self, due: &Due) -> Result<(), Error> {
        Ok(self.store.delivery_release(&due.claim).await?)
    }
}

/// Gone for good. RFC 9110 §15.5.11.
const GONE: u16 = 410;

fn refusal(code: u16) -> String {
    match code {
        300..400 => format!("it answered {code}, and redirects are not followed"),
        _ => format!("it answered {code}"),
    }
}

/// The host alone: a URL's path and query may be secrets.
fn host_of(url: &str) -> String {
    Target::parse(url, true).map_or_else(|_| "an unreadable URL".to_owned(), |target| target.host().to_owned())
}
