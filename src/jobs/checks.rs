//! The worker: takes domains that are due, checks them side by side, settles each.
//!
//! A quarter of the slots is for the sweep, so that people who wait cannot starve it; all others go to people
//! first. Without work it looks once a second, and at once when woken.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::dns::Resolver;
use crate::jobs::{BackOff, JobError, chain};
use crate::service::checks::{Due, Examined};
use crate::service::{Error, Service};
use crate::store::{CheckReason, Claim};
use crate::telemetry::metrics::{UnderWay, checks_due};

/// How often it looks for work without being woken.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How often it counts what is due, for the metrics.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);

/// How much of the grace is kept for giving back what did not finish.
const GIVE_BACK_TIME: Duration = Duration::from_secs(2);

/// The most domains taken at once. A batch is one statement on the schedule's index.
const BATCH_MAX: usize = 100;

/// The part of the slots that is for the sweep: one in so many. Design §3.
const SWEEP_SHARE: usize = 4;

/// The worker.
#[derive(Clone)]
pub struct Checks {
    service: Service,
    resolver: Arc<dyn Resolver>,
    /// How long to go on after being told to stop, before what still runs is given back.
    grace: Duration,
}

impl Checks {
    /// A worker that has `grace` to end in.
    pub fn new(service: Service, resolver: Arc<dyn Resolver>, grace: Duration) -> Checks {
        Checks { service, resolver, grace }
    }

    /// Works until told to stop; then takes nothing more, and finishes or gives back what it has.
    ///
    /// # Errors
    ///
    /// [`JobError::Panicked`] when a check panicked. The others then end with it; their domains fall due again when
    /// their leases end.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), JobError> {
        let mut running = Running::default();
        let mut back_off = BackOff::default();
        let mut counted_at: Option<Instant> = None;
        while !stop.is_cancelled() {
            if counted_at.is_none_or(|at| at.elapsed() >= COUNT_INTERVAL) {
                self.count_due().await;
                counted_at = Some(Instant::now());
            }
            let wait = match self.fill(&mut running).await {
                Ok(true) => Duration::ZERO,
                Ok(false) => {
                    if back_off.mended() {
                        info!("The database answers again; checking goes on");
                    }
                    LOOK_INTERVAL
                }
                Err(fault) => {
                    let wait = back_off.failed();
                    warn!(fault = chain(&fault), "Cannot take domains to check; trying again in {wait:?}");
                    wait
                }
            };
            self.pause(&mut running, Instant::now() + wait, back_off.failure_count > 0, stop).await?;
        }
        self.wind_down(running).await
    }

    /// Says in the metrics how many are due. The database's faults show where domains are taken.
    async fn count_due(&self) {
        if let Ok(count) = self.service.store().domain_due_count(self.service.clock().now()).await {
            checks_due(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// Takes what is due into the free slots. Whether more may be due than was taken.
    async fn fill(&self, running: &mut Running) -> Result<bool, Error> {
        let slots = self.service.settings().concurrency.max(1);
        let sweep_slots = (slots / SWEEP_SHARE).saturating_sub(running.sweep_count());
        let mut more = self.take(running, Due::Sweep, sweep_slots.min(running.free(slots))).await?;
        more |= self.take(running, Due::Any, running.free(slots)).await?;
        running.backlog = more;
        Ok(more && running.free(slots) > 0)
    }

    async fn take(&self, running: &mut Running, due: Due, count_max: usize) -> Result<bool, Error> {
        let count_max = count_max.min(BATCH_MAX);
        if count_max == 0 {
            return Ok(false);
        }
        let claims = self.service.due(due, u32::try_from(count_max).unwrap_or(u32::MAX)).await?;
        let full = claims.len() >= count_max;
        for claim in claims {
            running.start(self, claim);
        }
        Ok(full)
    }

    /// Waits until a slot is free, somebody wakes us, it is time to look, or we are told to stop.
    ///
    /// While the database is down, a free slot or a call is no reason to ask it sooner.
    async fn pause(
        &self,
        running: &mut Running,
        until: Instant,
        down: bool,
        stop: &CancellationToken,
    ) -> Result<(), JobError> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep_until(until) => return Ok(()),
                Some(ended) = running.next() => {
                    ended?;
                    if !down && running.backlog {
                        return Ok(());
                    }
                }
                () = self.service.woken(), if !down => return Ok(()),
            }
        }
    }

    /// Finishes what runs, and gives back what does not finish in time.
    async fn wind_down(&self, mut running: Running) -> Result<(), JobError> {
        let finish = self.grace.saturating_sub(GIVE_BACK_TIME);
        let finished = timeout(finish, async {
            while let Some(ended) = running.next().await {
                ended?;
            }
            Ok(())
        });
        if let Ok(result) = finished.await {
            return result;
        }
        running.tasks.abort_all();
        // An aborted task may have been settling; its lease decides, and giving back a lost one does nothing.
        while let Some(ended) = running.tasks.join_next().await {
            if let Err(fault) = ended
                && fault.is_panic()
            {
                return Err(panicked(fault));
            }
        }
        let claims: Vec<Claim> = running.claims.into_values().collect();
        let give_back = async {
            for claim in &claims {
                if let Err(fault) = self.service.release(claim).await {
                    warn!(fault = chain(&fault), "Could not give {} back", claim.domain.domain);
                }
            }
        };
        if timeout(GIVE_BACK_TIME, give_back).await.is_err() {
            warn!("Not all of {} domains were given back in time; they fall due when their leases end", claims.len());
        }
        Ok(())
    }

    /// Checks one domain, from claim to settlement.
    async fn check(self, claim: Claim) {
        let _under_way = UnderWay::check();
        let lease_ends = Instant::now() + self.service.settings().lease;
        match self.service.run(&*self.resolver, &claim).await {
            Ok(examined) => self.settle(&claim, &examined, lease_ends).await,
            Err(fault) => {
                warn!(fault = chain(&fault), "{} was not checked", claim.domain.domain);
                // Not at once: whatever failed would fail again. It falls due when the lease ends.
                if !matches!(fault, Error::Store(_))
                    && let Err(fault) = self.service.release(&claim).await
                {
                    warn!(fault = chain(&fault), "Could not give {} back", claim.domain.domain);
                }
            }
        }
    }

    /// Settles, again and again while the database is down, until the lease ends.
    async fn settle(&self, claim: &Claim, examined: &Examined, lease_ends: Instant) {
        let mut back_off = BackOff::default();
        loop {
            let Err(fault) = self.service.settle(claim, examined).await else {
                return;
            };
            let wait = back_off.failed();
            if Instant::now() + wait >= lease_ends {
                error!(fault = chain(&fault), "The check of {} is lost; it will be made again", claim.domain.domain);
                return;
            }
            sleep(wait).await;
        }
    }
}

/// The checks under way.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    claims: HashMap<Id, Claim>,
    /// Whether more may be due than the last look could take: then a free slot is a reason to look again.
    backlog: bool,
}

impl Running {
    fn start(&mut self, worker: &Checks, claim: Claim) {
        let task = self.tasks.spawn(worker.clone().check(claim.clone()));
        self.claims.insert(task.id(), claim);
    }

    fn free(&self, slots: usize) -> usize {
        slots.saturating_sub(self.claims.len())
    }

    fn sweep_count(&self) -> usize {
        self.claims.values().filter(|claim| claim.reason == CheckReason::Schedule).count()
    }

    /// Waits for one check to end; nothing when none runs.
    async fn next(&mut self) -> Option<Result<(), JobError>> {
        let ended = self.tasks.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        self.claims.remove(&id);
        Some(match ended {
            Err(fault) if fault.is_panic() => Err(panicked(fault)),
            Ok(_) | Err(_) => Ok(()),
        })
    }
}

fn panicked(fault: JoinError) -> JobError {
    let what = match fault.try_into_panic() {
        Ok(payload) => payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "nothing that can be shown".to_owned()),
        Err(fault) => fault.to_string(),
    };
    JobError::Panicked { job: "checks", what }
}
