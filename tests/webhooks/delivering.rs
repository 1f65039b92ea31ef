//! From an event to a receiver: signed, tried again, given up, and never held up by a neighbour.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sendready::jobs::deliveries;
use sendready::sender::names::SystemNames;
use sendready::sender::{Sender, TIME_MAX};
use sendready::service::Role;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::api::house::House;
use crate::support::receiver::{Post, Receiver, Reply, SOON};
use crate::webhooks::sender::sender;

/// A house whose events may go to loopback.
pub async fn house() -> House {
    House::set_to(|settings| settings.webhooks.allow_private = true).await
}

fn open() -> Sender {
    sender(true, TIME_MAX, SystemNames)
}

/// A new endpoint; its path and its secret.
pub async fn endpoint(house: &House, body: Value) -> (String, String) {
    let answer = house.operator("POST", "/v1/webhook-endpoints", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let made = answer.json();
    assert_eq!(answer.header("location"), format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap()));
    (answer.header("location").to_owned(), made["secret"].as_str().unwrap().to_owned())
}

/// Makes every attempt that is due; how many it were.
async fn deliver(house: &House, sender: &Sender) -> usize {
    let mut count = 0;
    for waiting in house.service.endpoints_waiting(100).await.unwrap() {
        for due in house.service.deliveries_due(waiting.endpoint_id, 100).await.unwrap() {
            let made = house.service.attempt(sender, &due).await;
            house.service.delivery_settle(&due, &made).await.unwrap();
            count += 1;
        }
    }
    count
}

async fn deliveries_of(house: &House, path: &str) -> Vec<Value> {
    house.operator("GET", &format!("{path}/deliveries"), None).await.json()["data"].as_array().unwrap().clone()
}

/// Whether the specification's own crate signs a post alike.
fn is_signed(post: &Post, secret: &str) -> bool {
    let hook = standardwebhooks::Webhook::new(secret).unwrap();
    let timestamp = post.header("webhook-timestamp").parse().unwrap();
    let expected = hook.sign(post.header("webhook-id"), timestamp, &post.body).unwrap();
    post.header("webhook-signature").split(' ').any(|signature| signature == expected)
}

const GOOD: &str = "$ORIGIN example.com.\n@ TXT \"v=spf1 -all\"\n";

/// Suspends a domain: one event.
async fn suspend(house: &House, domain: Uuid) {
    let path = format!("/v1/domains/{domain}");
    assert_eq!(house.operator("PATCH", &path, Some(json!({"status": "suspended"}))).await.status, 200);
}

#[tokio::test]
async fn an_event_goes_to_whom_it_concerns_and_who_wants_it() {
    let house = house().await;
    let receiver = Receiver::start(|_, _| Reply::with(200, "", "ok")).await;
    let at = |place: &str| format!("{}/{place}", receiver.url());
    let (own, other) = (house.client("velocity").await, house.client("velocity").await);
    let domain = house.domain(own, "example.com").await;
    let (all, _) = endpoint(&house, json!({"url": at("all")})).await;
    let (_, secret) = endpoint(&house, json!({"url": at("own"), "client_id": own})).await;
    endpoint(&house, json!({"url": at("other"), "client_id": other})).await;
    endpoint(&house, json!({"url": at("unwanted"), "events": ["domain.verified"]})).await;
    endpoint(&house, json!({"url": at("wanted"), "events": ["domain.at_risk", "domain.suspended"]})).await;
    let (off, _) = endpoint(&house, json!({"url": at("off")})).await;
    house.operator("PATCH", &off, Some(json!({"enabled": false}))).await;
    suspend(&house, domain).await;
    assert_eq!(deliver(&house, &open()).await, 3);
    let posts = receiver.posts();
    let mut places: Vec<&str> = posts.iter().map(|post| post.head.split(' ').nth(1).unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/hook/all", "/hook/own", "/hook/wanted"]);
    let events = house.operator("GET", &format!("/v1/domains/{domain}/events"), None).await.json();
    for post in &posts {
        assert_eq!(post.header("webhook-id"), events["data"][0]["id"], "the event's own id");
        let body = post.json();
        assert_eq!(body["type"], "domain.suspended");
        assert_eq!(body["timestamp"], events["data"][0]["timestamp"]);
        assert_eq!(body["data"], events["data"][0]["data"]);
        assert_eq!(body["data"]["domain"], "example.com");
        assert_eq!(body["data"]["status"], json!({"from": "pending", "to": "suspended"}));
        for field in ["domain_id", "client_id", "flags", "suspends_at", "reason", "findings"] {
            assert!(body["data"].as_object().unwrap().contains_key(field), "{field}: {body}");
        }
    }
    let to_own = posts.iter().find(|post| post.head.contains("/own ")).unwrap();
    assert!(is_signed(to_own, &secret));
    assert!(!is_signed(posts.iter().find(|post| post.head.contains("/all ")).unwrap(), &secret), "each its own secret");
    let delivery = &deliveries_of(&house, &all).await[0];
    assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("delivered"), &json!(1)));
    assert_eq!((&delivery["response_code"], &delivery["response_excerpt"]), (&json!(200), &json!("ok")));
    assert_eq!((&delivery["failure"], &delivery["next_attempt_at"]), (&Value::Null, &Value::Null));
    assert!(delivery["delivered_at"].is_string() && delivery["took_ms"].is_u64(), "{delivery}");
    assert_eq!(deliver(&house, &open()).await, 0, "once");
}

#[tokio::test]
async fn a_check_s_events_go_out_too() {
    let house = house().await;
    let receiver = Receiver::start(|_, _| Reply::status(204)).await;
    let client = house.client("velocity").await;
    house.domain(client, "example.com").await;
    endpoint(&house, json!({"url": receiver.url(), "events": ["domain.records_changed"]})).await;
    assert_eq!(house.check_all("").await, 1);
    house.hand.advance(Duration::from_secs(3_600));
    assert_eq!(house.check_all(GOOD).await, 1);
    deliver(&house, &open()).await;
    let posts = receiver.posts();
    let kinds: Vec<String> = posts.iter().map(|post| post.json()["type"].as_str().unwrap().to_owned()).collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| kind == "domain.records_changed"), "{kinds:?}");
    let findings = posts.last().unwrap().json()["data"]["findings"].clone();
    assert!(findings.as_array().is_some_and(|all| !all.is_empty()), "{findings}");
}

#[tokio::test]
async fn the_schedule_is_kept_with_one_id_and_the_endpoint_disabled_at_its_end() {
    let house = house().await;
    let receiver = Receiver::start(|_, _| Reply::with(500, "", "not today")).await;
    let operators = Receiver::start(|_, _| Reply::status(200)).await;
    let client = house.client("velocity").await;
    let (path, secret) = endpoint(&house, json!({"url": receiver.url(), "client_id": client})).await;
    endpoint(&house, json!({"url": operators.url(), "events": ["webhook_endpoint.disabled"]})).await;
    // A client asks for it in vain: it is the operators'.
    let (client_path, _) = endpoint(&house, json!({"url": operators.url(), "client_id": client})).await;
    assert_eq!(house.operator("POST", &format!("{path}/test"), None).await.status, 202);
    let waits = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
    for (number, wait) in waits.into_iter().enumerate() {
        if wait > 0 {
            house.hand.advance(Duration::from_secs(wait - 1));
            assert_eq!(deliver(&house, &open()).await, 0, "attempt {number} comes too early");
            house.hand.advance(Duration::from_secs(1));
        }
        assert_eq!(house.operator("GET", &path, None).await.json()["enabled"], true, "before attempt {number}");
        assert_eq!(deliver(&house, &open()).await, 1, "attempt {number}");
    }
    let posts = receiver.posts();
    assert_eq!(posts.len(), 8);
    assert!(posts.iter().all(|post| post.header("webhook-id") == posts[0].header("webhook-id")));
    assert!(posts.iter().all(|post| post.body == posts[0].body && is_signed(post, &secret)));
    let times: Vec<i64> = posts.iter().map(|post| post.header("webhook-timestamp").parse().unwrap()).collect();
    assert_eq!(
        times.windows(2).map(|two| two[1] - two[0]).collect::<Vec<_>>(),
        [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]
    );
    let delivery = &deliveries_of(&house, &path).await[0];
    assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("failed"), &json!(8)));
    assert_eq!((&delivery["failure"], &delivery["response_excerpt"]), (&json!("it answered 500"), &json!("not today")));
    let shown = house.operator("GET", &path, None).await.json();
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("failing")));
    assert!(shown["disabled_at"].is_string() && shown["failing_since"].is_string(), "{shown}");
    assert_eq!(deliver(&house, &open()).await, 1, "operators are told");
    let told = operators.posts()[0].json();
    assert_eq!(told["type"], "webhook_endpoint.disabled");
    assert_eq!((&told["data"]["webhook_endpoint_id"], &told["data"]["reason"]), (&shown["id"], &json!("failing")));
    assert_eq!(deliveries_of(&house, &client_path).await.len(), 0);
    // Mended and enabled, it gets what is sent by hand, and what happens from then on.
    assert_eq!(house.operator("POST", &format!("{path}/test"), None).await.status, 202);
    assert_eq!(deliver(&house, &open()).await, 1, "a test reaches a disabled endpoint");
    assert_eq!(deliveries_of(&house, &path).await[0]["status"], "failed", "and is tried once");
    let enabled = house.operator("PATCH", &path, Some(json!({"enabled": true}))).await.json();
    assert_eq!(
        (&enabled["enabled"], &enabled["disabled_at"], &enabled["failing_since"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn an_endpoint_that_takes_something_is_not_disabled() {
    let house = House::set_to(|settings| {
        settings.webhooks.allow_private = true;
        settings.webhooks.retry_schedule = vec![Duration::ZERO, Duration::from_secs(60)];
    })
    .await;
    let poison = Arc::new(AtomicBool::new(true));
    let picky = Arc::clone(&poison);
    let receiver =
        Receiver::start(move |_, _| Reply::status(if picky.load(Ordering::SeqCst) { 500 } else { 200 })).await;
    let (path, _) = endpoint(&house, json!({"url": receiver.url()})).await;
    house.operator("POST", &format!("{path}/test"), None).await;
    assert_eq!(deliver(&house, &open()).await, 1);
    poison.store(false, Ordering::SeqCst);
    house.hand.advance(Duration::from_secs(10));
    house.operator("POST", &format!("{path}/test"), None).await;
    assert_eq!(deliver(&house, &open()).await, 1);
    assert_eq!(house.operator("GET", &path, None).await.json()["failing_since"], Value::Null);
    poison.store(true, Ordering::SeqCst);
    house.hand.advance(Duration::from_secs(60));
    assert_eq!(deliver(&house, &open()).await, 1, "the first one's last attempt");
    let shown = house.operator("GET", &path, None).await.json();
    assert_eq!(shown["enabled"], true, "it took another one meanwhile: {shown}");
    assert_eq!(deliveries_of(&house, &path).await[1]["status"], "failed");
}

#[tokio::test]
async fn one_that_is_gone_is_disabled_at_once() {
    let house = house().await;
    let receiver = Receiver::start(|_, _| Reply::status(410)).await;
    let (path, _) = endpoint(&house, json!({"url": receiver.url()})).await;
    house.operator("POST", &format!("{path}/test"), None).await;
    assert_eq!(deliver(&house, &open()).await, 1);
    let shown = house.operator("GET", &path, None).await.json();
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("gone")));
    assert_eq!(deliveries_of(&house, &path).await[0]["next_attempt_at"], Value::Null);
}

#[tokio::test]
async fn a_receiver_can_put_us_off_as_a_whole() {
    let house = house().await;
    let receiver = Receiver::start(|_, number| match number {
        0 => Reply::with(429, "Retry-After: 120\r\n", ""),
        _ => Reply::status(200),
    })
    .await;
    let (path, _) = endpoint(&house, json!({"url": receiver.url()})).await;
    house.operator("POST", &format!("{path}/test"), None).await;
    assert_eq!(deliver(&house, &open()).await, 1);
    let client = house.client("velocity").await;
    let domain = house.domain(client, "example.com").await;
    suspend(&house, domain).await;
    house.hand.advance(Duration::from_secs(119));
    assert_eq!(deliver(&house, &open()).await, 0, "neither that one after 5 s, nor another one");
    house.hand.advance(Duration::from_secs(1));
    assert_eq!(deliver(&house, &open()).await, 2);
    assert!(deliveries_of(&house, &path).await.iter().all(|delivery| delivery["status"] == "delivered"));
}

#[tokio::test]
async fn a_replaced_secret_signs_for_a_day_more() {
    let house = house().await;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    let (path, old) = endpoint(&house, json!({"url": receiver.url()})).await;
    let rotated = house.operator("POST", &format!("{path}/rotate-secret"), None).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    let new = rotated.json()["secret"].as_str().unwrap().to_owned();
    assert!(new != old && rotated.json()["previous_secret_expires_at"].is_string());
    house.hand.advance(Duration::from_secs(86_399));
    house.operator("POST", &format!("{path}/test"), None).await;
    assert_eq!(deliver(&house, &open()).await, 1);
    house.hand.advance(Duration::from_secs(1));
    house.operator("POST", &format!("{path}/test"), None).await;
    assert_eq!(deliver(&house, &open()).await, 1);
    let signed: Vec<_> = receiver.posts().iter().map(|post| (is_signed(post, &old), is_signed(post, &new))).collect();
    assert_eq!(signed, [(true, true), (false, true)]);
    // However often it is replaced within the day, each signs its day out.
    let mut secrets = vec![new];
    for _ in 0..4 {
        let answer = house.operator("POST", &format!("{path}/rotate-secret"), None).await.json();
        secrets.push(answer["secret"].as_str().unwrap().to_owned());
    }
    house.operator("POST", &format!("{path}/test"), None).await;
    assert_eq!(deliver(&house, &open()).await, 1);
    let post = receiver.posts().pop().unwrap();
    assert!(secrets.iter().all(|secret| is_signed(&post, secret)), "{}", post.head);
}

#[tokio::test]
async fn a_url_is_judged_again_when_it_is_used() {
    let house = house().await;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    let (path, _) = endpoint(&house, json!({"url": receiver.url()})).await;
    house.operator("POST", &format!("{path}/test"), None).await;
    assert_eq!(deliver(&house, &sender(false, TIME_MAX, SystemNames)).await, 1);
    assert_eq!(receiver.posts().len(), 0);
    let delivery = &deliveries_of(&house, &path).await[0];
    assert_eq!(delivery["failure"], "the URL must not name an address that is not public");
    assert_eq!(delivery["response_code"], Value::Null);
}

#[tokio::test]
async fn by_hand_a_delivery_is_made_again_with_its_id() {
    let house = house().await;
    let receiver = Receiver::start(|_, number| Reply::status(if number == 0 { 503 } else { 200 })).await;
    let (path, _) = endpoint(&house, json!({"url": receiver.url()})).await;
    let delivery = house.operator("POST", &format!("{path}/test"), None).await.json();
    assert_eq!((&delivery["type"], &delivery["status"]), (&json!("webhook_endpoint.test"), &json!("pending")));
    assert_eq!(deliver(&house, &open()).await, 1);
    assert_eq!(deliver(&house, &open()).await, 0, "not before its time");
    let retry = format!("{path}/deliveries/{}/retry", delivery["id"].as_str().unwrap());
    assert_eq!(house.operator("POST", &retry, None).await.status, 202);
    assert_eq!(deliver(&house, &open()).await, 1);
    let after = &deliveries_of(&house, &path).await[0];
    assert_eq!((&after["status"], &after["attempts"]), (&json!("delivered"), &json!(2)));
    assert_eq!(house.operator("POST", &retry, None).await.json()["status"], "pending", "also one that was delivered");
    assert_eq!(deliver(&house, &open()).await, 1);
    let posts = receiver.posts();
    assert!(posts.len() == 3 && posts.iter().all(|post| post.header("webhook-id") == delivery["event_id"]));
}

/// Many deliveries wait for many receivers that never answer; one that does is served meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_receivers_delay_nobody_else() {
    const SLOW: usize = 12;
    let house = house().await;
    let slow = Receiver::start(|_, _| Reply::Hang).await;
    let quick = Receiver::start(|_, _| Reply::status(200)).await;
    for number in 0..SLOW {
        let (path, _) = endpoint(&house, json!({"url": format!("{}/{number}", slow.url())})).await;
        for _ in 0..8 {
            house.operator("POST", &format!("{path}/test"), None).await;
        }
    }
    let (path, _) = endpoint(&house, json!({"url": quick.url()})).await;
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    // An hour for an attempt: whoever waited for the slow ones would wait for ever.
    let patient = sender(true, Duration::from_secs(3_600), SystemNames);
    let postman = tokio::spawn(deliveries::run(house.service.clone(), patient, soft.clone(), hard.clone()));
    slow.wait(SLOW * 4).await;
    for number in 1..=20 {
        house.operator("POST", &format!("{path}/test"), None).await;
        quick.wait(number).await;
    }
    assert_eq!(slow.posts().len(), SLOW * 4, "no more than four at once each");
    let begun = std::time::Instant::now();
    while deliveries_of(&house, &path).await.iter().any(|delivery| delivery["status"] != "delivered") {
        assert!(begun.elapsed() < SOON, "what was taken is not written down");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    soft.cancel();
    hard.cancel();
    tokio::time::timeout(SOON, postman).await.expect("it ends").unwrap();
    let given_back = house.service.endpoints_waiting(100).await.unwrap();
    assert_eq!(given_back.len(), SLOW, "what was under way is due again");
}

#[tokio::test]
async fn a_client_hears_of_its_own_things_only() {
    let house = house().await;
    let receiver = Receiver::start(|_, _| Reply::status(200)).await;
    let (own, other) = (house.client("velocity").await, house.client("velocity").await);
    let (_, key) = house.key(Role::Client, Some(own)).await;
    let made = house.call("POST", "/v1/webhook-endpoints", Some(&key), Some(json!({"url": receiver.url()}))).await;
    assert_eq!(made.json()["client_id"], own.to_string(), "its own is meant: {}", made.text);
    let foreign = house.domain(other, "other.example.com").await;
    suspend(&house, foreign).await;
    assert_eq!(deliver(&house, &open()).await, 0);
    let domain = house.domain(own, "own.example.com").await;
    suspend(&house, domain).await;
    assert_eq!(deliver(&house, &open()).await, 1);
    assert_eq!(receiver.posts()[0].json()["data"]["domain"], "own.example.com");
}
