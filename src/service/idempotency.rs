//! Requests that are to be done once, and whether the database answers: what a way in asks beside the use cases.

use crate::service::{Error, Service};
use crate::store::{Began, IdempotencyScope};

impl Service {
    /// Begins a request that carries a key of its caller's choice. Of many at once one gets [`Began::Fresh`].
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; nothing has begun.
    pub async fn once_begin(&self, scope: &IdempotencyScope<'_>, body_digest: &[u8; 32]) -> Result<Began, Error> {
        Ok(self.store.idempotency_begin(scope, body_digest, self.clock.now()).await?)
    }

    /// Keeps the answer of a request that was found fresh.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; a repeat finds it running for a while, and is then done again.
    pub async fn once_finish(&self, scope: &IdempotencyScope<'_>, status: u16, answer: &str) -> Result<(), Error> {
        Ok(self.store.idempotency_finish(scope, status, answer).await?)
    }

    /// Forgets a request that was refused, so that it can be tried again.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; a repeat finds it running for a while.
    pub async fn once_forget(&self, scope: &IdempotencyScope<'_>) -> Result<(), Error> {
        Ok(self.store.idempotency_forget(scope).await?)
    }

    /// Whether the database answers. Asks it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], after at most the pool's time-out.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.store.ping().await?)
    }
}
