//! A domain's records as server-sent events (HTML Living Standard §9.2): the same document as `GET records`, each
//! time that it changes.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use tokio::time::Instant;
use uuid::Uuid;

use crate::http::caller::{At, Looker};
use crate::http::look::{Onlooker, Seen};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::Query;
use crate::service::Service;

/// How often a word goes out where there is nothing to tell, so that nobody in between takes the line for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// For how long one stream is held. Whoever still listens comes again by itself, with the id of the last event.
const STREAM_TIME_MAX: Duration = Duration::from_hours(1);

/// When to come again after the stream has ended.
const COME_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// The id of the last event that was received.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A domain's records as server-sent events.
///
/// The event `records` holds the document of `GET /v1/domains/{id}/records`, at once and each time that it changes; its `id` is
/// the document's `ETag`. With `Last-Event-ID`, only what differs from that is told. For its first 30 minutes a stream brings
/// checks forward like polling. It ends when the domain is deleted, the key is revoked or the service stops, and after an hour;
/// then connect again.
#[utoipa::path(get, path = "/v1/domains/{id}/events/stream", tag = "records", params(
    ("id" = Uuid, Path, description = "The domain."),
    ("last-event-id" = Option<String>, Header, description = "The `id` of the last event received: it is not told again."),
), responses(
    (status = 200, description = "Events `records`, whose data is the records document.", body = String, content_type = "text/event-stream"),
    (status = 409, description = "`domain-malformed`: the row's name is no normal domain name.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn stream(
    State(service): State<Service>,
    Looker(_): Looker,
    At(id): At<Uuid>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    query.end()?;
    let mut onlooker = Onlooker::new(service, &headers, id);
    // Looked at before the answer begins, so that what cannot be seen is refused as everywhere.
    let first = Seen::of(&*onlooker.view().await?)?;
    let known = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let first = (known.as_deref() != Some(&*first.tag)).then_some(first);
    let telling = Telling { onlooker, told: known.unwrap_or_default(), first, until: Instant::now() + STREAM_TIME_MAX };
    let events = Sse::new(events(telling)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // Nothing in between may keep it, or hold events back to send them together.
    let headers = [(CACHE_CONTROL, "no-store"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, events).into_response())
}

/// One stream.
struct Telling {
    onlooker: Onlooker,
    /// The tag of what was told last.
    told: String,
    /// What was seen already and is to be told first.
    first: Option<Seen>,
    until: Instant,
}

fn events(telling: Telling) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(telling, |mut telling| async move {
        let seen = match telling.first.take() {
            Some(seen) => seen,
            None => telling.next().await?,
        };
        telling.told = seen.tag.to_string();
        Some((Ok(event(&seen)), telling))
    })
}

impl Telling {
    /// What differs from what was told; nothing when the stream is to end.
    async fn next(&mut self) -> Option<Seen> {
        let told = self.told.clone();
        // Whoever may see nothing more is not told why here: the next connection is.
        let seen = self.onlooker.see_other_than(|tag| *tag == told, self.until).await.ok()?;
        (*seen.tag != self.told).then_some(seen)
    }
}

fn event(seen: &Seen) -> Event {
    // JSON as we write it is one line of UTF-8.
    let data = String::from_utf8_lossy(&seen.body);
    Event::default().event("records").id(&seen.tag).retry(COME_AGAIN_AFTER).data(data)
}
