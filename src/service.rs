//! What the product does: clients, domains, records, checks, keys.
//!
//! Owns authority (who may do what, [`caller`]), the order in which things happen, and what is told to whom.
//! Knows nothing of HTTP: its faults are [`Error`], and a way in makes of them what its protocol says.
//!
//! A thing of another client is no such thing, never a forbidden one: its existence is not told.

pub mod abandoned;
pub mod audit;
pub mod blocklists;
pub mod breaker;
pub mod caller;
pub mod checks;
pub mod clients;
pub mod console;
pub mod daily;
pub mod dedicated;
pub mod deliveries;
pub mod dns_changes;
pub mod domain_age;
pub mod domains;
pub mod endpoints;
pub mod error;
pub mod history;
pub mod idempotency;
pub mod judged;
pub mod keys;
pub mod mailboxes;
pub mod overview;
pub mod ownership;
pub mod prune;
pub mod rdap;
pub mod readiness;
pub mod records;
pub mod replicas;
pub mod reputation;
pub mod requirements;
pub mod schedule;
pub mod sends;
pub mod setup_links;
pub mod snapshot;
pub mod warmup_stats;
pub mod webhook_word;

pub(crate) mod events;
mod notes;
mod together;
mod verify_rate;
mod waiting;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use crate::service::caller::Caller;
pub use crate::service::error::{Error, FieldFault};
pub use crate::service::together::Moment;

// What ways in get and give; they know no store.
pub use crate::store::{
    Began, CheckRow, Client, DeliveryRow, DomainFilter, EventRow, Failing, IdempotencyScope, MailboxRow,
    OperatorStatus, Place, Role, StoreError, WarmupStatsRow,
};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::providers::Profile;
use crate::config::rates::RateLimits;
use crate::sending::health::Bounds;
use crate::service::judged::Judgements;
use crate::service::keys::KeyCache;
use crate::service::records::RecordsView;
use crate::service::schedule::Rhythm;
use crate::service::snapshot::Snapshot;
use crate::service::together::Together;
use crate::service::verify_rate::VerifyRate;
use crate::service::waiting::Waiting;
use crate::store::Store;
use crate::store::notice::Rows;
use crate::verify::breaker::Rule;
use crate::verify::standing::Patience;
use crate::webhook::signature::Secret;

/// The most items that one page of a list holds.
pub const PAGE_ITEMS_MAX: u32 = 200;

/// How many settled checks a slow listener may lag behind before it misses some and must look for itself.
const SETTLED_BACKLOG_MAX: usize = 1_024;

/// What the use cases are set to. Made from the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How long a domain may fail, and must be well again.
    pub patience: Patience,
    /// How often domains are looked at.
    pub rhythm: Rhythm,
    /// For how long a worker holds a domain. `checks.lease`.
    pub lease: Duration,
    /// How many domains are checked at once. `checks.concurrency`.
    pub concurrency: usize,
    /// When trouble is taken to be ours. `checks.breaker_*`.
    pub breaker: Rule,
    /// For how long checks and events are kept. `history.keep`.
    pub history_keep: Duration,
    /// For how long it is kept who changed what. `audit.keep`.
    pub audit_keep: Duration,
    /// How many requests may come. `http.rate_limits`.
    pub rate_limits: RateLimits,
    /// Above which rates a mailbox is paused. `sending.*`.
    pub sending: Bounds,
    /// How the world reaches us, without a slash at its end. `http.public_url`.
    pub public_url: String,
    /// What webhooks are set to. `[webhooks]`.
    pub webhooks: WebhookSettings,
    /// What each provider requires. `[providers.NAME]`.
    pub profiles: BTreeMap<String, Profile>,
}

/// What webhooks are set to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookSettings {
    /// By which webhooks that come in may be signed. `webhooks.inbound_secrets`.
    pub inbound_secrets: Vec<Secret>,
    /// How long to wait before each attempt. `webhooks.retry_schedule`.
    pub retry_schedule: Vec<Duration>,
    /// Whether events may go to private addresses. `webhooks.allow_private`.
    pub allow_private: bool,
}

/// The use cases. Cheap to clone: every request has its own.
#[derive(Debug, Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

/// What all clones of a [`Service`] share.
#[derive(Debug)]
pub struct Shared {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    wake: Notify,
    settled: broadcast::Sender<Uuid>,
    waiting: Arc<Waiting>,
    closing: CancellationToken,
    verify_rate: VerifyRate,
    key_cache: KeyCache,
    wake_deliveries: Notify,
    snapshot: Snapshot,
    judgements: Judgements,
    together: Together<RecordsView>,
}

impl Deref for Service {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Service {
    /// The use cases over a migrated database.
    pub fn new(store: Store, settings: Settings, clock: Clock, chance: Chance) -> Service {
        let shared = Shared {
            store,
            settings,
            clock,
            chance,
            wake: Notify::new(),
            settled: broadcast::Sender::new(SETTLED_BACKLOG_MAX),
            waiting: Arc::default(),
            closing: CancellationToken::new(),
            verify_rate: VerifyRate::default(),
            key_cache: KeyCache::default(),
            wake_deliveries: Notify::new(),
            snapshot: Snapshot::default(),
            judgements: Judgements::default(),
            together: Together::default(),
        };
        Service { shared: Arc::new(shared) }
    }

    /// Where things are kept.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What it is set to.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Which time it goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Waits until a check has become due at once since the last call. For one worker.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Says that a check is due at once.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// The ids of domains as their checks settle in this process, from now on.
    ///
    /// Other replicas' checks are not among them: [`Service::watch`] hears of those, too.
    pub fn settled(&self) -> broadcast::Receiver<Uuid> {
        self.settled.subscribe()
    }

    /// Says that a domain's check has settled.
    pub(crate) fn tell_settled(&self, domain_id: Uuid) {
        // An error says that nobody listens.
        let _ = self.settled.send(domain_id);
        self.tell_changed(domain_id);
    }

    /// Hears of every change of one domain from now on, here and on other replicas: its checks, and what people change.
    ///
    /// A word may be missed: whoever waits must also look from time to time.
    pub fn watch(&self, domain_id: Uuid) -> watch::Receiver<Moment> {
        self.waiting.watch(domain_id)
    }

    /// Says that a domain has changed.
    pub(crate) fn tell_changed(&self, domain_id: Uuid) {
        // First, so that whoever is told does not get what was remembered.
        self.snapshot.forget(Rows::OfDomain(domain_id));
        self.waiting.tell(domain_id, self.together.now());
    }

    /// Says that words may have been missed: everybody who waits looks.
    pub fn tell_missed(&self) {
        self.waiting.tell_all(self.together.now());
    }

    /// Says that whoever waits must be answered now: the process is about to stop.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Ends when whoever waits must be answered now.
    pub async fn closed(&self) {
        self.closing.cancelled().await;
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// What to ask behind for the next page; nothing at the end.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// The page of at most `limit` items out of a list that was read one item further.
    pub(crate) fn of(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C) -> Page<T, C> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Page { items, next }
    }

    /// The page with each item made into another.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U, C> {
        Page { items: self.items.into_iter().map(make).collect(), next: self.next }
    }
}

/// A page's limit within its bounds.
pub(crate) fn page_limit(limit: u32) -> u32 {
    limit.clamp(1, PAGE_ITEMS_MAX)
}
