//! The postman: takes deliveries that are due, makes an attempt at each side by side, settles each.
//!
//! A slow receiver never delays another. One endpoint holds at most four of the slots, one that failed the last time
//! a single one, and those that failed hold at most half of all slots together. An attempt holds no connection to the
//! database, so there are many slots.
//!
//! Without work it looks once a second, and at once when woken.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::jobs::BackOff;
use crate::jobs::leased::Leased;
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
        let woken = postman.service.deliveries_woken();
        running.0.pause(woken, Instant::now() + wait, back_off.failure_count > 0, &soft).await;
    }
    for held in running.0.finish(&hard).await {
        postman.give_back(&held.due).await;
    }
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
        running.0.backlog = false;
        if running.free() == 0 {
            running.0.backlog = true;
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
            running.0.backlog |= running.room(&waiting) == 0;
        }
        Ok(())
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
struct Running(Leased<Held>);

impl Running {
    fn start(&mut self, postman: &Postman, due: Due, is_failing: bool) {
        let attempt = postman.clone().deliver(due.clone());
        self.0.start(Held { due, is_failing }, attempt);
    }

    fn free(&self) -> usize {
        SLOTS.saturating_sub(self.0.count())
    }

    /// How many more attempts may begin for an endpoint.
    fn room(&self, waiting: &Waiting) -> usize {
        let own = self.count(waiting.endpoint_id);
        if !waiting.is_failing {
            return ENDPOINT_SLOTS.saturating_sub(own).min(self.free());
        }
        let failing = self.0.held().filter(|held| held.is_failing).count();
        1_usize.saturating_sub(own).min(FAILING_SLOTS.saturating_sub(failing)).min(self.free())
    }

    fn count(&self, endpoint_id: Uuid) -> usize {
        self.0.held().filter(|held| held.due.endpoint.id == endpoint_id).count()
    }
}
