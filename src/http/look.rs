//! Looking at a domain's records until they are other than what somebody has seen: long polls and streams.
//!
//! Whoever waits is told by [`Service::watch`], and looks by itself from time to time, for a word may be missed. Each
//! look asks anew whether the caller's key is still good: a revoked one sees nothing more.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, IntoResponseParts, Response};

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::http::caller::{Looker, bearer};
use crate::http::etag;
use crate::http::problem::{Kind, Problem};
use crate::http::records::document;
use crate::service::Service;
use crate::service::records::RecordsView;

/// How often whoever waits looks without being told.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// For how long waiting counts as asking, and brings checks forward. Design §3.
const ASKS_FOR: Duration = Duration::from_mins(30);

/// A domain's records as somebody was shown them.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The weak tag of the document.
    pub(super) tag: String,
    /// The document, as JSON.
    pub(super) body: Bytes,
}

impl Seen {
    /// The document of a view.
    ///
    /// # Errors
    ///
    /// `internal`: it cannot be written.
    pub(super) fn of(view: &RecordsView) -> Result<Seen, Problem> {
        let fault = |fault| Problem {
            cause: Some(format!("the records document cannot be written: {fault}")),
            ..Problem::new(Kind::Internal)
        };
        let document = serde_json::to_value(document(view)).map_err(fault)?;
        let body = serde_json::to_vec(&document).map_err(fault)?.into();
        Ok(Seen { tag: etag::weak(&document), body })
    }

    /// The headers of an answer. It may be kept, but is asked about every time. RFC 9111 §5.2.2.4.
    pub(super) fn headers(&self) -> impl IntoResponseParts + use<> {
        [(ETAG, self.tag.clone()), (CACHE_CONTROL, "private, no-cache".to_owned())]
    }

    /// The whole answer.
    pub(super) fn into_response(self) -> Response {
        let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
        (self.headers(), json, self.body).into_response()
    }
}

/// Somebody who looks at one domain.
pub struct Onlooker {
    service: Service,
    /// The caller's key, to be tried at every look.
    headers: HeaderMap,
    domain_id: Uuid,
    changes: tokio::sync::watch::Receiver<()>,
    began: Instant,
}

impl Onlooker {
    /// Whoever asked with these headers, of which only the key is kept.
    pub(super) fn new(service: Service, headers: &HeaderMap, domain_id: Uuid) -> Onlooker {
        let changes = service.watch(domain_id);
        let kept = headers.get(axum::http::header::AUTHORIZATION).cloned();
        let headers = kept.into_iter().map(|key| (axum::http::header::AUTHORIZATION, key)).collect();
        Onlooker { service, headers, domain_id, changes, began: Instant::now() }
    }

    /// Whoever has this token of a setup link, or key.
    ///
    /// # Errors
    ///
    /// `unauthorized`: it is no text for a header.
    pub fn with_token(service: Service, token: &str, domain_id: Uuid) -> Result<Onlooker, Problem> {
        let unfit = |_| Problem::because(Kind::Unauthorized, "the token is not known here");
        let mut key = HeaderValue::from_str(&format!("Bearer {token}")).map_err(unfit)?;
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([(axum::http::header::AUTHORIZATION, key)]);
        Ok(Onlooker::new(service, &headers, domain_id))
    }

    /// What there is to see now; that counts as asking while the waiting is not too old.
    ///
    /// # Errors
    ///
    /// As for reading the records; `unauthorized` once the key is no longer good.
    pub async fn view(&mut self) -> Result<RecordsView, Problem> {
        // Before it is read: what changes afterwards is told.
        self.changes.mark_unchanged();
        let Looker(caller) = Looker::of(&self.service, bearer(&self.headers)?).await?;
        let view = match self.began.elapsed() < ASKS_FOR {
            true => self.service.records(&caller, self.domain_id).await?,
            false => self.service.records_as_they_are(&caller, self.domain_id).await?,
        };
        Ok(view)
    }

    /// The records once `is_known` knows them no more, or what they are at `until` or when the process is to stop.
    ///
    /// # Errors
    ///
    /// Those of [`Onlooker::view`].
    pub(super) async fn see_other_than(
        &mut self,
        is_known: impl Fn(&str) -> bool,
        until: Instant,
    ) -> Result<Seen, Problem> {
        loop {
            let seen = Seen::of(&self.view().await?)?;
            if !is_known(&seen.tag) || !self.wait(until).await {
                return Ok(seen);
            }
        }
    }

    /// Waits until looking again is worth it. Whether it is: not at `until`, nor when the process is to stop.
    pub async fn wait(&mut self, until: Instant) -> bool {
        let look_at = until.min(Instant::now() + LOOK_INTERVAL);
        tokio::select! {
            biased;
            () = self.service.closed() => false,
            // An error would say that the service is gone, and it is not: we hold it.
            _ = self.changes.changed() => true,
            () = sleep_until(look_at) => look_at < until,
        }
    }
}
