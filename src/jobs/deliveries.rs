//! The postman: takes deliveries that are due, makes an attempt at each side by side, settles each.
//!
//! A slow receiver never delays another. One endpoint holds at most four of the slots, one that failed the last time
//! a single one, and those that failed hold at most half of all slots together. An attempt holds no connection to the
//! database, so there are many slots.
//!
//! Without work it looks once a second, and at once when woken.

use std::collections::HashMap;
use std::future::pending;
use std::panic::resume_unwind;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::jobs::BackOff;
use crate::service::deliveries::{Due, LEASE, Sender, Waiting};
use crate::service::{Error, Service};
use crate::telemetry::chain;
use crate::telemetry::metrics::UnderWay;

/// How often it looks for work without being woken.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How many attempts are made at once.
const SLOTS: usize = 128;

/// How many of them those endpoints hold together that failed the last time.
const FAILING_SLOTS: usize = SLOTS / 2;

/// How many of them one endpoint holds.
const ENDPOINT_SLOTS: usize = 4;

/// How many endpoints one look sees: more than can be held back, so that nobody hides behind them.
const ENDPOINTS_SEEN: u32 = 256;

/// Works until `soft` is cancelled; then takes nothing more and finishes what it has, or, once `hard` is cancelled,
/// gives it back.
///
/// # Panics
///
/// When an attempt panicked: a fault of ours, for which the process should end. What it held falls due again when its
/// lease ends.
pub async fn run(service: Service, sender: Sender, soft: CancellationToken, hard: CancellationToken) {
    let postman = Postman { service, sender };
    let mut running = Running::default();
    let mut back_off = BackOff::default();
    while !soft.is_cancelled() {
        let wait = match postman.fill(&mut running).await {
            Ok(()) => {
                if back_off.mended() {
                    info!("The database answers again; delivering goes on");
                }
                LOOK_INTERVAL
            }
            Err(fault) => {
                let wait = back_off.failed();
                warn!(fault = chain(&fault), "Cannot take events to deliver; trying again in {wait:?}");
                wait
            }
        };
        postman.pause(&mut running, Instant::now() + wait, back_off.failure_count > 0, &soft).await;
    }
    postman.wind_down(running, &hard).await;
}

/// What makes one attempt after the other.
#[derive(Clone)]
struct Postman {
    service: Service,
    sender: Sender,
}

impl Postman {
    /// Takes what is due into the free slots, each endpoint its share.
    async fn fill(&self, running: &mut Running) -> Result<(), Error> {
        running.backlog = false;
        if running.free() == 0 {
            running.backlog = true;
            return Ok(());
        }
        for waiting in self.service.endpoints_waiting(ENDPOINTS_SEEN).await? {
            let room = running.room(&waiting);
            if room > 0 {
                let count_max = u32::try_from(room).unwrap_or(u32::MAX);
                for due in self.service.deliveries_due(waiting.endpoint_id, count_max).await? {
                    running.start(self, due, waiting.is_failing);
                }
            }
            // It may have more than it has room for: then a slot that comes free is a reason to look again.
            running.backlog |= running.room(&waiting) == 0;
        }
        Ok(())
    }

    /// Waits until a slot is free that somebody waits for, somebody wakes us, it is time to look, or we are told to
    /// stop. While the database is down, neither a free slot nor a call is a reason to ask it sooner.
    async fn pause(&self, running: &mut Running, until: Instant, down: bool, soft: &CancellationToken) {
        loop {
            tokio::select! {
                () = soft.cancelled() => return,
                () = sleep_until(until) => return,
                () = running.next() => if !down && running.backlog {
                    return;
                },
                () = self.service.deliveries_woken(), if !down => return,
            }
        }
    }

    /// Finishes what runs; once `hard` is cancelled, gives it back.
    async fn wind_down(&self, mut running: Running, hard: &CancellationToken) {
        while !running.held.is_empty() {
            tokio::select! {
                () = running.next() => {}
                () = hard.cancelled() => break,
            }
        }
        running.tasks.abort_all();
        while !running.held.is_empty() {
            let id = match running.tasks.join_next_with_id().await {
                Some(Ok((id, ()))) => id,
                Some(Err(fault)) if fault.is_cancelled() => {
                    // It may have been settling; its lease decides, and giving back a lost one does nothing.
                    if let Some(held) = running.held.remove(&fault.id()) {
                        self.give_back(&held.due).await;
                    }
                    continue;
                }
                Some(Err(fault)) => resume_unwind(fault.into_panic()),
                None => return,
            };
            running.held.remove(&id);
        }
    }

    async fn give_back(&self, due: &Due) {
        if let Err(fault) = self.service.delivery_release(due).await {
            let id = due.claim.delivery.event_id;
            warn!(fault = chain(&fault), "Could not give delivery {id} back; it falls due when its lease ends");
        }
    }

    /// Makes one attempt, and settles it again and again while the database is down, until the lease ends.
    async fn deliver(self, due: Due) {
        let _under_way = UnderWay::webhook_attempt();
        let lease_ends = Instant::now() + LEASE;
        let made = self.service.attempt(&self.sender, &due).await;
        let mut back_off = BackOff::default();
        while let Err(fault) = self.service.delivery_settle(&due, &made).await {
            let wait = back_off.failed();
            if Instant::now() + wait >= lease_ends {
                let id = due.claim.delivery.event_id;
                error!(fault = chain(&fault), "What came of delivery {id} is lost; it will be made again");
                return;
            }
            sleep(wait).await;
        }
    }
}

/// One attempt under way.
struct Held {
    due: Due,
    is_failing: bool,
}

/// The attempts under way.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    held: HashMap<Id, Held>,
    /// Whether more may be due than the last look could take.
    backlog: bool,
}

impl Running {
    fn start(&mut self, postman: &Postman, due: Due, is_failing: bool) {
        let task = self.tasks.spawn(postman.clone().deliver(due.clone()));
        self.held.insert(task.id(), Held { due, is_failing });
    }

    fn free(&self) -> usize {
        SLOTS.saturating_sub(self.held.len())
    }

    /// How many more attempts may begin for an endpoint.
    fn room(&self, waiting: &Waiting) -> usize {
        let own = self.count(waiting.endpoint_id);
        if !waiting.is_failing {
            return ENDPOINT_SLOTS.saturating_sub(own).min(self.free());
        }
        let failing = self.held.values().filter(|held| held.is_failing).count();
        1_usize.saturating_sub(own).min(FAILING_SLOTS.saturating_sub(failing)).min(self.free())
    }

    fn count(&self, endpoint_id: Uuid) -> usize {
        self.held.values().filter(|held| held.due.endpoint.id == endpoint_id).count()
    }

    /// Waits for one attempt to end; for ever when none runs. A panic in it goes on here.
    async fn next(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(fault)) if fault.is_panic() => resume_unwind(fault.into_panic()),
            Some(Err(fault)) => fault.id(),
            None => return pending().await,
        };
        self.held.remove(&id);
    }
}
