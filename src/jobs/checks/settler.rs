//! Writes together what finishes together: one transaction, one wait for the disk, for many checks.
//!
//! While one batch is being written the next one gathers, so that a busy worker writes large ones and a calm one waits
//! for nobody. What comes of a result is told to whoever handed it in; trying again is his affair.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::service::Service;
use crate::service::checks::{Claim, Examined, Settled, TOGETHER_MAX, Unsettled};

/// How long the first result waits for others, where others are under way.
const GATHER_TIME: Duration = Duration::from_millis(2);

/// A result that is handed in.
struct Handed {
    claim: Claim,
    examined: Examined,
    tell: oneshot::Sender<(Claim, Examined, Result<Settled, Unsettled>)>,
}

/// Where results are handed in. Its clones hand in at the same place.
#[derive(Clone)]
pub(super) struct Settler {
    queue: mpsc::Sender<Handed>,
}

impl Settler {
    /// A settler, and its work, which ends when there is nobody left who could hand in anything.
    pub(super) fn new(service: Service) -> (Settler, impl Future<Output = ()> + Send + use<>) {
        let (queue, handed) = mpsc::channel(TOGETHER_MAX);
        (Settler { queue }, write(service, handed))
    }

    /// Hands in a result and waits until it is written or not; gives it back with the word. Nothing when nobody
    /// writes any more: the process is being stopped.
    pub(super) async fn settle(
        &self,
        claim: Claim,
        examined: Examined,
    ) -> Option<(Claim, Examined, Result<Settled, Unsettled>)> {
        let (tell, told) = oneshot::channel();
        self.queue.send(Handed { claim, examined, tell }).await.ok()?;
        told.await.ok()
    }
}

async fn write(service: Service, mut handed: mpsc::Receiver<Handed>) {
    let mut batch = Vec::with_capacity(TOGETHER_MAX);
    while handed.recv_many(&mut batch, TOGETHER_MAX).await > 0 {
        if batch.len() < TOGETHER_MAX && handed.sender_strong_count() > 2 {
            sleep(GATHER_TIME).await;
            while batch.len() < TOGETHER_MAX {
                match handed.try_recv() {
                    Ok(more) => batch.push(more),
                    Err(_) => break,
                }
            }
        }
        let (checks, tells): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|Handed { claim, examined, tell }| ((claim, examined), tell)).unzip();
        let outcomes = service.settle_all(&checks).await;
        for (((claim, examined), tell), outcome) in checks.into_iter().zip(tells).zip(outcomes) {
            // Whoever handed it in may have been cut short; what is written is written.
            let _ = tell.send((claim, examined, outcome));
        }
    }
}
