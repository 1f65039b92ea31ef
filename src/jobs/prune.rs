//! Forgetting: history past `history.keep`, and answers to repeated requests past their time.
//!
//! In small steps, so that none holds a lock that somebody notices. The newest check of a domain stays, for its
//! flags rest on it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::jobs::{BackOff, chain};
use crate::service::Service;
use crate::store::idempotency::KEPT;
use crate::store::{Store, StoreError};

/// How often it looks.
const LOOK_INTERVAL: Duration = Duration::from_hours(1);

/// The most rows removed in one step.
const STEP_ROWS_MAX: u32 = 500;

/// The pause between two steps, for others to get their turn.
const STEP_PAUSE: Duration = Duration::from_millis(50);

/// What is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Checks,
    Events,
    IdempotencyKeys,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Checks, Kind::Events, Kind::IdempotencyKeys];

    const fn as_str(self) -> &'static str {
        match self {
            Kind::Checks => "checks",
            Kind::Events => "events",
            Kind::IdempotencyKeys => "idempotency keys",
        }
    }
}

/// Forgets until told to stop. A database that is down only delays it.
pub async fn run(service: Service, stop: CancellationToken) {
    let mut back_off = BackOff::default();
    loop {
        let wait = tokio::select! {
            () = stop.cancelled() => return,
            done = prune(&service, &stop) => match done {
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

/// Forgets all that is old by now, step by step.
///
/// # Errors
///
/// [`StoreError::Unavailable`]; what was forgotten by then stays so.
pub async fn prune(service: &Service, stop: &CancellationToken) -> Result<(), StoreError> {
    let now = service.clock().now();
    let keep = TimeDelta::from_std(service.settings().history_keep).unwrap_or(TimeDelta::MAX);
    for kind in Kind::ALL {
        let keep = if kind == Kind::IdempotencyKeys { KEPT } else { keep };
        // Before the beginning of time: everything is kept.
        let Some(before) = now.checked_sub_signed(keep) else { continue };
        let mut count = 0;
        loop {
            let removed = step(service.store(), kind, before).await?;
            count += removed;
            if removed < u64::from(STEP_ROWS_MAX) || stop.is_cancelled() {
                break;
            }
            sleep(STEP_PAUSE).await;
        }
        if count > 0 {
            info!("Forgot {count} {} from before {before}", kind.as_str());
        }
    }
    Ok(())
}

async fn step(store: &Store, kind: Kind, before: DateTime<Utc>) -> Result<u64, StoreError> {
    match kind {
        Kind::Checks => store.check_prune(before, STEP_ROWS_MAX).await,
        Kind::Events => store.event_prune(before, STEP_ROWS_MAX).await,
        Kind::IdempotencyKeys => store.idempotency_prune(before, STEP_ROWS_MAX).await,
    }
}
