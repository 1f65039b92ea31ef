//! Waiting for a domain's records to change: held answers and streams.

use std::time::{Duration, Instant};

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt;
use sendready::service::Role;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use crate::api::house::{Answer, House};

/// Longer than any of these tests takes where things are right.
const LONG: &str = "30";

const EMPTY: &str =
    "$ORIGIN example.test.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\n";

fn with_spf() -> String {
    format!("{EMPTY}@ TXT \"v=spf1 ip4:11.0.0.25 -all\"\n")
}

struct Waits {
    house: House,
    id: Uuid,
    client: Uuid,
    records: String,
}

impl Waits {
    /// A domain that was looked at once.
    async fn new() -> Waits {
        let house = House::new().await;
        let client = house.client("velocity").await;
        let id = house.domain(client, "example.test").await;
        assert_eq!(house.check_all(EMPTY).await, 1);
        house.hand.advance(Duration::from_secs(20));
        Waits { house, id, client, records: format!("/v1/domains/{id}/records") }
    }

    async fn tag(&self) -> String {
        self.house.operator("GET", &self.records, None).await.header("etag").to_owned()
    }

    /// An answer that is held for `seconds` while nothing changes.
    async fn held(&self, key: &str, tag: &str, seconds: &str) -> Answer {
        let path = format!("{}?wait={seconds}", self.records);
        let request = Request::get(path).header("authorization", format!("Bearer {key}")).header("if-none-match", tag);
        self.house.send(request.body(Body::empty()).unwrap()).await
    }

    /// Checks as soon as something is due.
    async fn check(&self, zone: &str) {
        while self.house.check_all(zone).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn stream(&self, key: &str, last: Option<&str>) -> Frames {
        let path = format!("/v1/domains/{}/events/stream", self.id);
        let mut request = Request::get(path).header("authorization", format!("Bearer {key}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.house.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Frames { body: response.into_body().into_data_stream(), read: String::new() }
    }
}

/// What comes on a stream.
struct Frames {
    body: BodyDataStream,
    read: String,
}

impl Frames {
    /// The next event's id and data; nothing when the stream has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.map(str::to_owned)
                };
                let frame = field("event").map(|name| {
                    assert_eq!(name, "records");
                    (field("id").unwrap(), serde_json::from_str(&field("data").unwrap()).unwrap())
                });
                self.read = rest.to_owned();
                if frame.is_some() {
                    return frame;
                }
                continue;
            }
            let octets = self.body.next().await?.unwrap();
            self.read.push_str(std::str::from_utf8(&octets).unwrap());
        }
    }
}

#[tokio::test]
async fn an_answer_is_held_until_the_records_change() {
    let waits = Waits::new().await;
    let tag = waits.tag().await;
    let published = with_spf();
    let (held, ()) = tokio::join!(waits.held(&waits.house.operator, &tag, LONG), waits.check(&published));
    assert_eq!(held.status, 200, "{}", held.text);
    assert_ne!(held.header("etag"), tag);
    let spf = &held.json()["records"][0];
    assert_eq!((&spf["purpose"], &spf["verdict"]), (&json!("spf"), &json!("valid")));
}

#[tokio::test]
async fn what_people_change_is_told_too() {
    let waits = Waits::new().await;
    let tag = waits.tag().await;
    let more = json!({"dkim": [{"selector": "s1"}, {"selector": "s2"}]});
    let path = format!("/v1/domains/{}", waits.id);
    let mut changes = waits.house.service.watch(waits.id);
    let operator = &waits.house.operator;
    let (held, changed) =
        tokio::join!(waits.held(operator, &tag, LONG), waits.house.operator("PATCH", &path, Some(more)));
    assert_eq!((held.status.as_u16(), changed.status.as_u16()), (200, 200), "{}", changed.text);
    assert!(held.text.contains("s2._domainkey"), "{}", held.text);
    assert!(changes.has_changed().unwrap(), "told, not found by looking now and then");
    changes.mark_unchanged();
    let (held, deleted) =
        tokio::join!(waits.held(operator, held.header("etag"), LONG), waits.house.operator("DELETE", &path, None));
    assert_eq!((held.status.as_u16(), deleted.status.as_u16()), (404, 204));
    assert!(changes.has_changed().unwrap());
}

#[tokio::test]
async fn nothing_new_in_time_is_304() {
    let waits = Waits::new().await;
    let (tag, began) = (waits.tag().await, Instant::now());
    let held = waits.held(&waits.house.operator, &tag, "1").await;
    assert_eq!((held.status.as_u16(), held.text.as_str(), held.header("etag")), (304, "", tag.as_str()));
    assert!(began.elapsed() >= Duration::from_secs(1), "held");
    let known = [("if-none-match", "W/\"other\"")];
    let other = waits.house.with("GET", &format!("{}?wait={LONG}", waits.records), &known, "").await;
    assert_eq!(other.status, 200, "whoever knows something else is answered at once");
    let unasked = waits.house.operator("GET", &format!("{}?wait={LONG}", waits.records), None).await;
    assert_eq!(unasked.status, 200, "and whoever knows nothing");
}

#[tokio::test]
async fn a_stop_answers_whoever_waits() {
    let waits = Waits::new().await;
    let (tag, began) = (waits.tag().await, Instant::now());
    let mut frames = waits.stream(&waits.house.operator, Some(&tag)).await;
    let close = async { waits.house.service.close() };
    let (held, ended, ()) = tokio::join!(waits.held(&waits.house.operator, &tag, LONG), frames.next(), close);
    assert_eq!((held.status.as_u16(), ended), (304, None));
    assert!(began.elapsed() < Duration::from_secs(30), "not only when the time was over");
}

#[tokio::test]
async fn a_revoked_key_sees_nothing_more() {
    let waits = Waits::new().await;
    let tag = waits.tag().await;
    let (key_id, key) = waits.house.key(Role::Client, Some(waits.client)).await;
    let mut frames = waits.stream(&key, Some(&tag)).await;
    let published = with_spf();
    let revoke_and_change = async {
        waits.house.service.key_revoke(key_id).await.unwrap();
        waits.check(&published).await;
    };
    let (held, ended, ()) = tokio::join!(waits.held(&key, &tag, LONG), frames.next(), revoke_and_change);
    assert_eq!((held.status.as_u16(), ended), (401, None));
}

#[tokio::test]
async fn verify_waits_for_the_check() {
    let waits = Waits::new().await;
    let verify = format!("/v1/domains/{}/verify", waits.id);
    let early = waits.house.operator("POST", &format!("{verify}?wait=1"), None).await;
    assert_eq!(early.status, 202, "nobody checks: {}", early.text);
    assert_eq!(early.json()["state"], "queued");
    let (path, published) = (format!("{verify}?wait={LONG}"), with_spf());
    let (done, ()) = tokio::join!(waits.house.operator("POST", &path, None), waits.check(&published));
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.json()["records"][0]["verdict"], "valid");
    assert_eq!(done.header("etag"), waits.tag().await);
}

#[tokio::test]
async fn a_stream_tells_each_change_once() {
    let waits = Waits::new().await;
    let mut frames = waits.stream(&waits.house.operator, None).await;
    let (first, document) = frames.next().await.unwrap();
    assert_eq!((first.as_str(), &document["records"][0]["verdict"]), (waits.tag().await.as_str(), &json!("missing")));
    let published = with_spf();
    let (second, ()) = tokio::join!(frames.next(), waits.check(&published));
    let (second, document) = second.unwrap();
    assert_ne!(first, second);
    assert_eq!(document["records"][0]["verdict"], "valid");
    // Somebody who was cut off in between hears what was missed; somebody who was not hears nothing twice.
    let mut resumed = waits.stream(&waits.house.operator, Some(&first)).await;
    assert_eq!(resumed.next().await.unwrap().0, second);
    let mut current = waits.stream(&waits.house.operator, Some(&second)).await;
    waits.house.hand.advance(Duration::from_secs(20));
    let (third, ()) = tokio::join!(current.next(), waits.check(EMPTY));
    assert_eq!(third.unwrap().1["records"][0]["verdict"], "missing");
}

#[tokio::test]
async fn a_stream_is_refused_like_everything_else() {
    let waits = Waits::new().await;
    let path = format!("/v1/domains/{}/events/stream", waits.id);
    let other = waits.house.client("velocity").await;
    let (_, stranger) = waits.house.key(Role::Client, Some(other)).await;
    let (_, hook) = waits.house.key(Role::Hook, None).await;
    for (key, status) in [(None, 401), (Some(stranger.as_str()), 404), (Some(hook.as_str()), 403)] {
        assert_eq!(waits.house.call("GET", &path, key, None).await.status, status, "{key:?}");
    }
}
