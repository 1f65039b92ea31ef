//! The one door through which every change of the console goes.

use uuid::Uuid;

use crate::web::console::Console;
use crate::web::console::posted::Posted;
use crate::web::console::refusal::Refusal;

/// A change that an operator has confirmed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Act {
    /// The operation's id in the OpenAPI document, for it is the same use case.
    pub(super) operation: &'static str,
    /// Which domain, where it is about one.
    pub(super) domain_id: Option<Uuid>,
}

/// Makes a change. Whatever stands around changes, such as who made which, stands here.
///
/// # Errors
///
/// Those of `work`.
pub(super) async fn act<T>(
    _: &Console,
    posted: &Posted,
    act: Act,
    work: impl Future<Output = Result<T, crate::service::Error>>,
) -> Result<T, Refusal> {
    let made = work.await?;
    tracing::info!(
        key.id = %posted.session.caller.key_id,
        domain.id = act.domain_id.map(|id| id.to_string()),
        operation = act.operation,
        "An operator did {} at the console",
        act.operation
    );
    Ok(made)
}
