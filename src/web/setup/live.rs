//! The setup page as server-sent events (HTML Living Standard §9.2): the page's live parts, each time that they change.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::header::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use tokio::time::Instant;

use crate::http::look::Onlooker;
use crate::service::Service;
use crate::web::page::HEADERS;
use crate::web::setup::view::View;
use crate::web::setup::words::Ended;
use crate::web::setup::{Refusal, Token, Visitor};

/// How often a word goes out where there is nothing to tell, so that nobody in between takes the line for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// For how long one stream is held. The browser comes again by itself.
const STREAM_TIME_MAX: Duration = Duration::from_hours(1);

/// When to come again after the stream has ended.
const COME_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// The part of the page that changes.
#[derive(Template)]
#[template(path = "setup_live.html")]
struct Live<'v> {
    base: &'v str,
    view: &'v View,
}

/// `GET /setup/{token}/stream`: the event `page` holds the live parts as HTML, at once and each time that they change.
pub(super) async fn stream(State(service): State<Service>, token: Token) -> Response {
    let answer = async {
        let visitor = Visitor::of(&service, token).await?;
        let unknown = |_| Refusal::Ended(Ended::Unknown);
        let onlooker = Onlooker::with_token(service.clone(), &visitor.token, visitor.domain_id).map_err(unknown)?;
        let until = Instant::now() + STREAM_TIME_MAX;
        let telling = Telling { service, visitor, onlooker, told: String::new(), until };
        let events = Sse::new(events(telling)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
        // Nothing in between may hold events back to send them together.
        Ok::<_, Refusal>((HEADERS, [(HeaderName::from_static("x-accel-buffering"), "no")], events))
    };
    answer.await.into_response()
}

/// One stream.
struct Telling {
    service: Service,
    visitor: Visitor,
    onlooker: Onlooker,
    /// What was told last.
    told: String,
    until: Instant,
}

fn events(telling: Telling) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(telling, |mut telling| async move {
        let html = telling.next().await?;
        let event = Event::default().event("page").retry(COME_AGAIN_AFTER).data(&html);
        telling.told = html;
        Some((Ok(event), telling))
    })
}

impl Telling {
    /// What differs from what was told; nothing when the stream is to end. Whoever may see nothing more learns why by
    /// coming again.
    async fn next(&mut self) -> Option<String> {
        loop {
            let records = self.onlooker.view().await.ok()?;
            let view = View::of(&records, self.service.clock().now(), None);
            let html = Live { base: &self.visitor.base(), view: &view }.render().ok()?;
            if html != self.told {
                return Some(html);
            }
            if !self.onlooker.wait(self.until).await {
                return None;
            }
        }
    }
}
