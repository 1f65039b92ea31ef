//! Living beside other replicas: hearing what they say, and going by the same clock, the database's.
//!
//! With SQLite there are no others, and both end at once.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::jobs::BackOff;
use crate::service::Service;
use crate::telemetry::chain;

/// How often the clock is set. In that time a machine's steady clock goes wrong by less than a millisecond.
const CLOCK_INTERVAL: Duration = Duration::from_secs(10);

/// Hears other replicas until told to stop. While the line is cut, looking from time to time must do.
pub async fn hear(service: Service, stop: CancellationToken) {
    let mut back_off = BackOff::default();
    loop {
        let up = || {
            if back_off.mended() {
                info!("Other replicas are heard again");
            }
        };
        let heard = tokio::select! {
            () = stop.cancelled() => return,
            heard = service.hear_replicas(up) => heard,
        };
        let Err(fault) = heard else { return };
        let wait = back_off.failed();
        warn!(fault = chain(&fault), "Other replicas are not heard; trying again in {wait:?}");
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(wait) => {}
        }
    }
}

/// Keeps our clock with the database's until told to stop.
pub async fn follow_clock(service: Service, stop: CancellationToken) {
    loop {
        match service.follow_database_time().await {
            Ok(true) => {}
            Ok(false) => return,
            // Said aloud where it hinders anybody; the steady clock goes on.
            Err(fault) => debug!(fault = chain(&fault), "The clock was not set"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(CLOCK_INTERVAL) => {}
        }
    }
}
