//! Forgets old history, a step at a time.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::jobs::BackOff;
use crate::service::prune::Old;
use crate::service::{Error, Service};
use crate::telemetry::chain;

/// How often it looks.
const LOOK_INTERVAL: Duration = Duration::from_hours(1);

/// The pause between two steps, for others to get their turn.
const STEP_PAUSE: Duration = Duration::from_millis(50);

/// Forgets until told to stop. A database that is down only delays it.
pub async fn run(service: Service, stop: CancellationToken) {
    let mut back_off = BackOff::default();
    loop {
        let wait = tokio::select! {
            () = stop.cancelled() => return,
            done = prune(&service) => match done {
                Ok(()) => {
                    back_off.mended();
                    LOOK_INTERVAL
                }
                Err(fault) => {
                    let wait = back_off.failed();
                    warn!(fault = chain(&fault), "Cannot forget old history; trying again in {wait:?}");
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

/// Forgets all that is old by now. May be dropped between steps, and inside one: then that step is not done.
///
/// # Errors
///
/// [`Error::Store`]; what was forgotten by then stays so.
pub async fn prune(service: &Service) -> Result<(), Error> {
    for what in Old::ALL {
        let mut count = 0;
        loop {
            let step = service.forget(what).await?;
            count += step.count;
            if !step.more {
                break;
            }
            sleep(STEP_PAUSE).await;
        }
        if count > 0 {
            info!("Forgot {count} old {}", what.as_str());
        }
    }
    Ok(())
}
