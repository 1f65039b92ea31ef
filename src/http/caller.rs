//! Who asks: from the `Authorization` header to a [`Caller`], and from a path to ids.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::http::AppState;
use crate::http::admission::Admitted;
use crate::http::problem::{Kind, Problem};
use crate::http::request::Whose;
use crate::service::{Caller, Role, Service};

/// Whoever has an operator's or a client's key. A hook's key is refused: it opens one path only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known(pub(super) Caller);

/// Whoever may look at one domain's records and have them verified: [`Known`], or a setup link of that domain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looker(pub(super) Caller);

/// Whoever has an operator's key. Refused before the body is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operator(pub(super) Caller);

impl FromRequestParts<AppState> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Known, Problem> {
        let caller = authenticated(parts, state).await?;
        Known::among_all(caller)
    }
}

impl FromRequestParts<AppState> for Looker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Looker, Problem> {
        let caller = authenticated(parts, state).await?;
        Looker::among_all(caller)
    }
}

impl Looker {
    /// Whoever has this key or token. For those who stay for longer than a request.
    ///
    /// # Errors
    ///
    /// `unauthorized`, `forbidden`; `unavailable` when nobody knows.
    pub(super) async fn of(service: &Service, secret: &str) -> Result<Looker, Problem> {
        Looker::among_all(caller_of(service, secret).await?)
    }

    fn among_all(caller: Caller) -> Result<Looker, Problem> {
        if caller.domain_id.is_some() {
            Ok(Looker(caller))
        } else {
            Known::among_all(caller).map(|known| Looker(known.0))
        }
    }
}

impl Known {
    fn among_all(caller: Caller) -> Result<Known, Problem> {
        if caller.domain_id.is_some() {
            return Err(forbidden("a key; a setup link only opens its domain's records, their stream and `verify`"));
        }
        match caller.role {
            Role::Operator | Role::Client => Ok(Known(caller)),
            Role::Hook => Err(forbidden("an operator's or a client's key; a hook key only reports DNS changes")),
        }
    }
}

impl FromRequestParts<AppState> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Operator, Problem> {
        let caller = authenticated(parts, state).await?;
        match caller.role {
            Role::Operator => Ok(Operator(caller)),
            Role::Client | Role::Hook => Err(forbidden("an operator key")),
        }
    }
}

/// A known key, whose role may not do this.
pub(super) fn forbidden(needs: &str) -> Problem {
    Problem::because(Kind::Forbidden, format!("this needs {needs}"))
}

/// Whoever has the key of a request, whatever its role.
///
/// # Errors
///
/// `unauthorized`, `unavailable`.
pub(super) async fn authenticated(parts: &Parts, state: &AppState) -> Result<Caller, Problem> {
    // Asked at the door already, where there was a key.
    let caller = match parts.extensions.get::<Admitted>() {
        Some(Admitted(caller)) => *caller,
        None => Box::pin(caller_of(&state.service, bearer(&parts.headers)?)).await?,
    };
    if let Some(whose) = parts.extensions.get::<Whose>() {
        whose.note(caller.key_id, caller.client_id);
    }
    Ok(caller)
}

async fn caller_of(service: &Service, secret: &str) -> Result<Caller, Problem> {
    let known = service.authenticate(secret).await.map_err(Problem::from)?;
    known.ok_or_else(unknown_key)
}

/// A key that opens nothing.
pub(super) fn unknown_key() -> Problem {
    Problem::because(Kind::Unauthorized, "the key is not known here")
}

/// The key of `Authorization: Bearer <key>`; the scheme's case does not matter. RFC 9110 §11.1.
///
/// # Errors
///
/// `unauthorized`.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let wanted = || Problem::because(Kind::Unauthorized, "send an API key as `Authorization: Bearer sr_…`");
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let value = given.next().and_then(|value| value.to_str().ok()).ok_or_else(wanted)?;
    if given.next().is_some() {
        // Whoever stands between may have looked at the other one.
        return Err(Problem::because(Kind::Unauthorized, "send `Authorization` once, with one API key"));
    }
    let (scheme, secret) = value.split_once(' ').ok_or_else(wanted)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(secret.trim()) } else { Err(wanted()) }
}

/// What stands in a path's place holders. What cannot be read there does not exist.
#[derive(Debug)]
pub(super) struct At<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(At(value)),
            Err(PathRejection::FailedToDeserializePathParams(_)) => {
                Err(Problem::because(Kind::NotFound, "an id in the path is not a UUID"))
            }
            Err(_) => Err(Problem::because(Kind::NotFound, "the path holds `%` escapes that are no text")),
        }
    }
}
