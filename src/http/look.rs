//! Looking at a domain's records until they are other than what somebody has seen: long polls and streams.
//!
//! Whoever waits is told by [`Service::watch`], and looks by itself from time to time, for a word may be missed. Each
//! look asks anew whether the caller's key is still good: a revoked one sees nothing more.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, IntoResponseParts, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::http::caller::{Looker, bearer};
use crate::http::etag;
use crate::http::problem::{Kind, Problem};
use crate::http::records::document;
use crate::service::judged::{Piece, Told};
use crate::service::records::RecordsView;
use crate::service::{Moment, Service};

/// How often whoever waits looks without being told.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// For how long waiting counts as asking, and brings checks forward. Design §3.
const ASKS_FOR: Duration = Duration::from_mins(30);

/// Room for a member that moves: a time in quotes.
const MOVING_OCTETS: usize = 40;

/// A domain's records as somebody was shown them.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The weak tag of the document.
    pub(super) tag: Arc<str>,
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
        let told = match view.judged.told.get() {
            Some(told) => told,
            None => {
                let told = told(view).map_err(|fault| Problem {
                    cause: Some(format!("the records document cannot be written: {fault}")),
                    ..Problem::new(Kind::Internal)
                })?;
                // Of two who tell it at once either may stay: they tell the same.
                view.judged.told.get_or_init(|| told)
            }
        };
        let mut body = String::with_capacity(told.pieces.iter().map(length).sum());
        for piece in &told.pieces {
            match piece {
                Piece::Text(text) => body.push_str(text),
                Piece::NextCheckAt => body.push_str(&json!(view.row.next_check_at).to_string()),
                Piece::Checking => body.push_str(if view.checking { "true" } else { "false" }),
                Piece::PollAfter => body.push_str(&view.poll_after.as_secs().to_string()),
            }
        }
        Ok(Seen { tag: Arc::clone(&told.tag), body: body.into() })
    }

    /// The whole answer.
    pub(super) fn into_response(self) -> Response {
        let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
        (headers(&self.tag), json, self.body).into_response()
    }
}

/// The headers of an answer with this tag. It may be kept, but is asked about every time. RFC 9111 §5.2.2.4.
pub(super) fn headers(tag: &str) -> impl IntoResponseParts + use<> {
    // A tag is hexadecimal digits in quotes.
    let tag = HeaderValue::from_str(tag).unwrap_or(HeaderValue::from_static("W/\"\""));
    [(ETAG, tag), (CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))]
}

/// A view's document, cut at the members that move by themselves.
fn told(view: &RecordsView) -> Result<Told, serde_json::Error> {
    let document = serde_json::to_value(document(view))?;
    let tag = etag::weak(&document).into();
    let mut pieces = Vec::new();
    let mut text = String::from("{");
    for (number, (name, value)) in document.as_object().into_iter().flatten().enumerate() {
        if number > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        let moving = match name.as_str() {
            "next_check_at" => Piece::NextCheckAt,
            "checking" => Piece::Checking,
            "poll_after_seconds" => Piece::PollAfter,
            _ => {
                text.push_str(&value.to_string());
                continue;
            }
        };
        pieces.push(Piece::Text(std::mem::take(&mut text)));
        pieces.push(moving);
    }
    text.push('}');
    pieces.push(Piece::Text(text));
    Ok(Told { tag, pieces })
}

/// About how many octets a piece has.
fn length(piece: &Piece) -> usize {
    match piece {
        Piece::Text(text) => text.len(),
        Piece::NextCheckAt | Piece::Checking | Piece::PollAfter => MOVING_OCTETS,
    }
}

/// Somebody who looks at one domain.
pub struct Onlooker {
    service: Service,
    /// The caller's key, to be tried at every look.
    headers: HeaderMap,
    domain_id: Uuid,
    changes: tokio::sync::watch::Receiver<Moment>,
    /// Whether a change was told that was not looked at yet.
    is_told: bool,
    began: Instant,
}

impl Onlooker {
    /// Whoever asked with these headers, of which only the key is kept.
    pub(super) fn new(service: Service, headers: &HeaderMap, domain_id: Uuid) -> Onlooker {
        let changes = service.watch(domain_id);
        let kept = headers.get(axum::http::header::AUTHORIZATION).cloned();
        let headers = kept.into_iter().map(|key| (axum::http::header::AUTHORIZATION, key)).collect();
        Onlooker { service, headers, domain_id, changes, is_told: false, began: Instant::now() }
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
    pub async fn view(&mut self) -> Result<Arc<RecordsView>, Problem> {
        // Before it is read: what changes afterwards is told.
        let last = *self.changes.borrow_and_update();
        let told = std::mem::take(&mut self.is_told).then_some(last);
        // In a box, for as long as it takes: thousands wait, and few look.
        Box::pin(async {
            let Looker(caller) = Looker::of(&self.service, bearer(&self.headers)?).await?;
            let asks = self.began.elapsed() < ASKS_FOR;
            Ok(self.service.records_told(&caller, self.domain_id, asks, told).await?)
        })
        .await
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
            let seen = Seen::of(&*self.view().await?)?;
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
            _ = self.changes.changed() => {
                self.is_told = true;
                true
            }
            () = sleep_until(look_at) => look_at < until,
        }
    }
}
