//! Watches the fleet breaker: opens and closes it where that is due, and tells how it stands.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::jobs::BackOff;
use crate::service::Service;
use crate::service::breaker::BreakerView;
use crate::telemetry::chain;

/// How often it looks. One small question to the database while nothing is wrong.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Watches until told to stop. A database that is down only delays it.
pub async fn run(service: Service, stop: CancellationToken, tell: impl Fn(BreakerView) + Send) {
    let mut back_off = BackOff::default();
    loop {
        let wait = tokio::select! {
            () = stop.cancelled() => return,
            seen = service.breaker_watch() => match seen {
                Ok(view) => {
                    back_off.mended();
                    tell(view);
                    LOOK_INTERVAL
                }
                Err(fault) => {
                    let wait = back_off.failed();
                    warn!(fault = chain(&fault), "Cannot see how the fleet breaker stands; trying again in {wait:?}");
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
