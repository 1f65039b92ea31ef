//! The turn of the day, noticed within seconds, and a look at all mailboxes now and then.

use std::time::Duration;

use chrono::NaiveDate;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use crate::jobs::BackOff;
use crate::service::{Error, Service};
use crate::telemetry::chain;

/// How often it looks whether a day is over. Counters must be zeroed within a minute of midnight.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// How often it looks at all mailboxes, for the platform may have changed them.
const WALK_INTERVAL: Duration = Duration::from_mins(15);

/// The pause between two steps, for others to get their turn.
const STEP_PAUSE: Duration = Duration::from_millis(20);

/// When all mailboxes were last looked at.
#[derive(Debug, Clone, Copy)]
struct Walk {
    day: NaiveDate,
    at: Instant,
}

/// Turns days until told to stop. A database that is down only delays it.
pub async fn run(service: Service, stop: CancellationToken) {
    let (mut back_off, mut last) = (BackOff::default(), None);
    loop {
        let wait = tokio::select! {
            () = stop.cancelled() => return,
            done = look(&service, &mut last) => match done {
                Ok(()) => {
                    back_off.mended();
                    LOOK_INTERVAL
                }
                Err(fault) => {
                    let wait = back_off.failed();
                    warn!(fault = chain(&fault), "Cannot turn the day; trying again in {wait:?}");
                    wait
                }
            },
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(wait) => {}
        }
    }
}

/// Zeroes what is of yesterday; looks at all mailboxes on a new day, and when that was long ago.
async fn look(service: &Service, last: &mut Option<Walk>) -> Result<(), Error> {
    while service.counters_turn().await? {
        sleep(STEP_PAUSE).await;
    }
    let walk = Walk { day: service.today(), at: Instant::now() };
    if last.is_some_and(|last| last.day == walk.day && walk.at - last.at < WALK_INTERVAL) {
        return Ok(());
    }
    turn(service).await?;
    *last = Some(walk);
    Ok(())
}

/// Everything once: counters, warm-up, and grants that count no more. May be dropped between steps.
///
/// # Errors
///
/// [`Error::Store`]; what was done by then stays so.
pub async fn turn(service: &Service) -> Result<(), Error> {
    while service.counters_turn().await? {
        sleep(STEP_PAUSE).await;
    }
    let mut after = Uuid::nil();
    while let Some(next) = service.mailboxes_look(after).await? {
        after = next;
        sleep(STEP_PAUSE).await;
    }
    while service.grants_forget().await? {
        sleep(STEP_PAUSE).await;
    }
    Ok(())
}
