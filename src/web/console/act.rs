//! The one door through which every change of the console goes: it is written down before it is made.

use uuid::Uuid;

use crate::service::audit::Doing;
use crate::service::{Error, Service};
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

/// Makes a change, written down with who makes it. `made` names what it made.
///
/// # Errors
///
/// [`Error::Store`], when it could not be written down, and was not made; those of `work`.
pub(super) async fn act<T>(
    service: &Service,
    posted: &Posted,
    act: Act,
    work: impl Future<Output = Result<T, Error>>,
    made: impl FnOnce(&T) -> Option<Uuid>,
) -> Result<T, Refusal> {
    let doing = Doing {
        path: posted.path.clone(),
        domain_id: act.domain_id,
        request_id: posted.request_id.clone(),
        peer: posted.peer.map(|address| address.to_canonical().to_string()),
        ..Doing::by(&posted.session.caller, act.operation)
    };
    Ok(service.audited(&doing, work, made).await?)
}

/// What made nothing.
pub(super) fn nothing<T>(_: &T) -> Option<Uuid> {
    None
}
