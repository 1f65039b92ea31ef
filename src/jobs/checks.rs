//! The worker: takes domains that are due, checks them side by side, settles each.
//!
//! A quarter of the slots is for the sweep, so that people who wait cannot starve it; all others go to people
//! first. Of what was asked for, one client holds at most a quarter of the slots, also while nobody else wants
//! them: a client whose name servers are dead holds its slots for long, and whoever comes next must not wait for
//! that. Rows that the platform wrote were not asked for by a client, and adopting many is not held up.
//! With one slot, every fourth check is the sweep's. A quarter at most looks for proofs of those who claim deleted domains,
//! and asks for that no more than once a second.
//!
//! Without work it looks once a second, and at once when woken. Results go through one settler, so that those
//! that end together are written together.

mod settler;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::jobs::BackOff;
use crate::jobs::checks::settler::Settler;
use crate::jobs::leased::Leased;
use crate::service::checks::{CLIENTS_EXCEPTED_MAX, CheckReason, Claim, Due, Examined, Resolver};
use crate::service::{Error, Service};
use crate::telemetry::chain;
use crate::telemetry::metrics::{UnderWay, checks_due};
use crate::verify::standing::Status;

/// How often it looks for work without being woken.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How often it counts what is due, for the metrics.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);

/// The most domains taken at once. A batch is one statement on the schedule's index.
const BATCH_MAX: usize = 100;

/// The part of the slots that is for the sweep, and the most that one client holds: one in so many. Design §3.
const SHARE: usize = 4;

/// How the worker fares, for whoever reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// It takes what is due.
    Working,
    /// It cannot: the database does not answer.
    Stalled,
}

/// Works until `soft` is cancelled; then takes nothing more and finishes what it has, or, once `hard` is cancelled,
/// gives it back. Says through `tell` when it stalls and when it goes on.
///
/// # Panics
///
/// When a check panicked: a fault of ours, for which the process should end. Domains that it held fall due
/// again when their leases end.
pub async fn run(
    service: Service,
    resolver: Arc<dyn Resolver>,
    soft: CancellationToken,
    hard: CancellationToken,
    tell: impl Fn(Pulse) + Send,
) {
    let mut running = Running::default();
    let worker = Worker::new(service, resolver, &mut running);
    let mut back_off = BackOff::default();
    let mut counted_at: Option<Instant> = None;
    while !soft.is_cancelled() {
        if counted_at.is_none_or(|at| at.elapsed() >= COUNT_INTERVAL) {
            worker.count_due().await;
            counted_at = Some(Instant::now());
        }
        let wait = match worker.fill(&mut running).await {
            Ok(more) => {
                if back_off.mended() {
                    info!("The database answers again; checking goes on");
                    tell(Pulse::Working);
                }
                if more { Duration::ZERO } else { LOOK_INTERVAL }
            }
            Err(fault) => {
                let wait = back_off.failed();
                warn!(fault = chain(&fault), "Cannot take domains to check; trying again in {wait:?}");
                tell(Pulse::Stalled);
                wait
            }
        };
        let woken = worker.service.woken();
        running.leased.pause(woken, Instant::now() + wait, back_off.failure_count > 0, &soft).await;
    }
    for claim in running.leased.finish(&hard).await {
        worker.give_back(&claim).await;
    }
}

/// What checks one domain after the other.
#[derive(Clone)]
struct Worker {
    service: Service,
    resolver: Arc<dyn Resolver>,
    settler: Settler,
}

impl Worker {
    /// A worker whose results are written by a task of `running`.
    fn new(service: Service, resolver: Arc<dyn Resolver>, running: &mut Running) -> Worker {
        let (settler, writing) = Settler::new(service.clone());
        running.leased.serve(writing);
        Worker { service, resolver, settler }
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
        if running.free(slots) == 0 {
            // Whether more is due was seen when the last slot was filled.
            return Ok(false);
        }
        let looking = self.take_abandoned(running, slots).await?;
        let sweep_slots = running.sweep_slots(slots).min(running.free(slots));
        let mut more = self.take(running, slots, Due::Sweep, sweep_slots).await?;
        let due = Due::AnyBut(running.full_clients(slots));
        more |= self.take(running, slots, due, running.free(slots)).await?;
        // What is held back for its client's share is due as soon as one of that client's checks ends.
        running.leased.backlog = more || looking || running.full_clients(slots) != NO_CLIENTS;
        Ok(more && running.free(slots) > 0)
    }

    async fn take(&self, running: &mut Running, slots: usize, due: Due, count_max: usize) -> Result<bool, Error> {
        let count_max = count_max.min(BATCH_MAX);
        if count_max == 0 {
            return Ok(false);
        }
        let claims = self.service.due(due, u32::try_from(count_max).unwrap_or(u32::MAX)).await?;
        let full = claims.len() >= count_max;
        for claim in claims {
            if is_asked(&claim) && running.asked_count(claim.domain.client_id) >= share(slots) {
                // The next look leaves this client out.
                self.give_back(&claim).await;
            } else {
                running.start(self, claim);
            }
        }
        Ok(full)
    }

    /// Takes deleted domains that somebody claims, and none when it looked for them just now. Whether there were any.
    async fn take_abandoned(&self, running: &mut Running, slots: usize) -> Result<bool, Error> {
        let count_max = share(slots).saturating_sub(running.abandoned_count()).min(running.free(slots)).min(BATCH_MAX);
        if count_max == 0 || running.abandoned_at.is_some_and(|at| at.elapsed() < LOOK_INTERVAL) {
            return Ok(false);
        }
        running.abandoned_at = Some(Instant::now());
        let claims = self.service.abandoned_due(u32::try_from(count_max).unwrap_or(u32::MAX)).await?;
        let any = !claims.is_empty();
        for claim in claims {
            running.leased.start(claim.clone(), self.clone().look_for_claimants(claim));
        }
        Ok(any)
    }

    /// Looks for the proofs of those who claim a deleted domain.
    async fn look_for_claimants(self, claim: Claim) {
        if let Err(fault) = self.service.look_for_claimants(&*self.resolver, &claim).await {
            warn!(fault = chain(&fault), "What others publish at {} could not be noted", claim.domain.domain);
            // As with a check: it falls due when the lease ends.
        }
    }

    async fn give_back(&self, claim: &Claim) {
        if let Err(fault) = self.service.release(claim).await {
            let domain = &claim.domain.domain;
            warn!(fault = chain(&fault), "Could not give {domain} back; it falls due when its lease ends");
        }
    }

    /// Checks one domain, from claim to settlement.
    async fn check(self, claim: Claim) {
        let _under_way = UnderWay::check();
        let lease_ends = Instant::now() + self.service.settings().lease;
        match self.service.run(&*self.resolver, &claim).await {
            Ok(examined) => self.settle(claim, examined, lease_ends).await,
            Err(fault) => {
                warn!(fault = chain(&fault), "{} was not checked", claim.domain.domain);
                // Not given back: whatever failed would fail again at once. It falls due when the lease ends.
            }
        }
    }

    /// Settles, again and again while the database is down, until the lease ends.
    async fn settle(&self, mut claim: Claim, mut examined: Examined, lease_ends: Instant) {
        let mut back_off = BackOff::default();
        loop {
            let Some((of, with, outcome)) = self.settler.settle(claim, examined).await else { return };
            let Err(fault) = outcome else { return };
            (claim, examined) = (of, with);
            let wait = back_off.failed();
            if Instant::now() + wait >= lease_ends {
                error!(fault = chain(&fault), "The check of {} is lost; it will be made again", claim.domain.domain);
                return;
            }
            sleep(wait).await;
        }
    }
}

/// No client to leave out.
const NO_CLIENTS: [Uuid; CLIENTS_EXCEPTED_MAX] = [Uuid::max(); CLIENTS_EXCEPTED_MAX];

/// A quarter of the slots, and one at least.
fn share(slots: usize) -> usize {
    slots.div_ceil(SHARE)
}

/// Whether it is no check, but a deleted domain's claims.
fn is_abandoned(claim: &Claim) -> bool {
    claim.domain.status == Status::Deleted
}

/// Whether it is due by schedule.
fn is_sweep(claim: &Claim) -> bool {
    claim.reason == CheckReason::Schedule && !is_abandoned(claim)
}

/// Whether somebody asked for this check through us.
fn is_asked(claim: &Claim) -> bool {
    claim.domain.check_reason.is_some_and(CheckReason::is_interactive) && !is_abandoned(claim)
}

/// The checks under way.
#[derive(Default)]
struct Running {
    leased: Leased<Claim>,
    /// How many checks were begun since the sweep's last.
    since_sweep: usize,
    /// When deleted domains were last taken.
    abandoned_at: Option<Instant>,
}

impl Running {
    fn start(&mut self, worker: &Worker, claim: Claim) {
        self.since_sweep = if is_sweep(&claim) { 0 } else { self.since_sweep.saturating_add(1) };
        let check = worker.clone().check(claim.clone());
        self.leased.start(claim, check);
    }

    fn free(&self, slots: usize) -> usize {
        slots.saturating_sub(self.leased.count())
    }

    /// How many slots are the sweep's before anybody else's, now.
    fn sweep_slots(&self, slots: usize) -> usize {
        if slots == 1 {
            // The one slot goes round.
            return usize::from(self.since_sweep >= SHARE - 1);
        }
        share(slots).saturating_sub(self.leased.held().filter(|claim| is_sweep(claim)).count())
    }

    /// How many deleted domains are looked at.
    fn abandoned_count(&self) -> usize {
        self.leased.held().filter(|claim| is_abandoned(claim)).count()
    }

    /// How many checks that were asked for run for a client.
    fn asked_count(&self, client: Uuid) -> usize {
        self.leased.held().filter(|claim| is_asked(claim) && claim.domain.client_id == client).count()
    }

    /// The clients that hold their share; there are not more than fit.
    fn full_clients(&self, slots: usize) -> [Uuid; CLIENTS_EXCEPTED_MAX] {
        let mut counts: HashMap<Uuid, usize> = HashMap::new();
        for claim in self.leased.held().filter(|claim| is_asked(claim)) {
            *counts.entry(claim.domain.client_id).or_default() += 1;
        }
        let full = counts.into_iter().filter(|(_, count)| *count >= share(slots)).map(|(client, _)| client);
        let mut clients = NO_CLIENTS;
        clients.iter_mut().zip(full).for_each(|(place, client)| *place = client);
        clients
    }
}

#[cfg(test)]
mod tests;
