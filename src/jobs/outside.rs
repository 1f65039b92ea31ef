//! What others say of domains: how old they are, and whether block lists have them; and a look at all of them now and
//! then, by which days go on counting.
//!
//! Nothing waits for it, and nothing of it holds a check up.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use crate::jobs::BackOff;
use crate::service::blocklists::{Blocklists, Resolver};
use crate::service::domain_age::Registries;
use crate::service::{Error, Service};
use crate::telemetry::chain;

/// How often it looks at all domains: new ones are noted, and days counted.
const WALK_INTERVAL: Duration = Duration::from_mins(5);

/// How often it looks for something to ask. With RDAP also the least time between two questions.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The pause between two steps, for others to get their turn.
const STEP_PAUSE: Duration = Duration::from_millis(20);

/// The pause between two domains about which lists are asked: fifty a second at most.
const LISTS_PAUSE: Duration = Duration::from_millis(20);

/// Looks at all domains, again and again, until told to stop. A database that is down only delays it.
pub async fn walk(service: Service, stop: CancellationToken) {
    let mut rest = Rest::new("look at all domains", &stop);
    while let Some(done) = stop.run_until_cancelled(turn(&service)).await {
        rest.after(done.map(|()| WALK_INTERVAL)).await;
    }
}

/// Looks at all domains once.
///
/// # Errors
///
/// [`Error::Store`]; what was done by then stays so.
pub async fn turn(service: &Service) -> Result<(), Error> {
    let mut after = Uuid::nil();
    while let Some(next) = service.reputations_look(after).await? {
        after = next;
        sleep(STEP_PAUSE).await;
    }
    Ok(())
}

/// Asks RDAP until told to stop.
pub async fn ask_ages(service: Service, registries: Registries, stop: CancellationToken) {
    let mut rest = Rest::new("ask how old domains are", &stop);
    while let Some(done) = stop.run_until_cancelled(service.age_ask(&registries)).await {
        rest.after(done.map(|_| LOOK_INTERVAL)).await;
    }
}

/// Asks block lists until told to stop. What lists said that are not asked any more is forgotten first; where there are
/// none, that is all.
pub async fn ask_lists(service: Service, mut lists: Blocklists, resolver: Arc<dyn Resolver>, stop: CancellationToken) {
    let mut rest = Rest::new("ask block lists", &stop);
    while let Some(kept) = stop.run_until_cancelled(service.lists_keep(&lists)).await {
        if kept.is_ok() {
            break;
        }
        rest.after(kept.map(|()| LOOK_INTERVAL)).await;
    }
    if lists.is_empty() {
        return;
    }
    while let Some(done) = stop.run_until_cancelled(service.lists_ask(&mut lists, &*resolver)).await {
        rest.after(done.map(|was_due| if was_due { LISTS_PAUSE } else { LOOK_INTERVAL })).await;
    }
}

/// The wait between two goes: as long as the last one asks for, or backing off from a fault.
struct Rest<'s> {
    what: &'static str,
    stop: &'s CancellationToken,
    back_off: BackOff,
}

impl Rest<'_> {
    fn new<'s>(what: &'static str, stop: &'s CancellationToken) -> Rest<'s> {
        Rest { what, stop, back_off: BackOff::default() }
    }

    /// Waits, but no longer than until told to stop.
    async fn after(&mut self, done: Result<Duration, Error>) {
        let wait = match done {
            Ok(wait) => {
                self.back_off.mended();
                wait
            }
            Err(fault) => {
                let wait = self.back_off.failed();
                warn!(fault = chain(&fault), "Cannot {}; trying again in {wait:?}", self.what);
                wait
            }
        };
        self.stop.run_until_cancelled(sleep(wait)).await;
    }
}
