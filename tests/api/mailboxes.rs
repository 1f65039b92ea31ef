//! Mailboxes through the API: the onboarding of one, what stops it, what it may send, and what is known of its mail.

use std::time::Duration;

use sendready::jobs::daily;
use sendready::service::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::house::{Answer, House};

/// A key that is sound: 2048 bits.
const KEY: &str = include_str!("../../fixtures/keys/rsa-2048.b64");

const DAY: Duration = Duration::from_secs(86_400);

/// Everything as required, but for the lines that hold `without`. The mail host can be reached by anybody.
fn zone(without: &str) -> String {
    let (first, second) = KEY.trim().split_at(200);
    let text = format!(
        "$ORIGIN example.com.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\n\
         @ TXT \"v=spf1 ip4:11.0.0.25 -all\"\n@ MX 10 mx1\nmx1 A 11.0.0.25\n_dmarc TXT \"v=DMARC1; p=reject\"\n\
         s1._domainkey TXT ( \"v=DKIM1; k=rsa; p={first}\" \"{second}\" )\n"
    );
    let keeps = |line: &&str| without.is_empty() || !line.contains(without);
    text.lines().filter(keeps).collect::<Vec<_>>().join("\n")
}

/// A house with the domain `example.com` of a Velocity client, and a mailbox in it.
struct Scene {
    house: House,
    client: Uuid,
    domain: Uuid,
    mailbox: Uuid,
}

impl Scene {
    async fn new() -> Scene {
        let house = House::new().await;
        let client = house.client("velocity").await;
        let domain = house.domain(client, "example.com").await;
        let mailbox = house.mailbox(domain, "Max@Example.com").await;
        Scene { house, client, domain, mailbox }
    }

    async fn verified() -> Scene {
        let scene = Scene::new().await;
        assert_eq!(scene.house.check_all(&zone("")).await, 1);
        // Events of one instant have no order.
        scene.house.hand.advance(Duration::from_secs(1));
        scene
    }

    async fn call(&self, method: &str, tail: &str, body: Option<Value>) -> Answer {
        self.house.operator(method, &format!("/v1/mailboxes/{}{tail}", self.mailbox), body).await
    }

    async fn send(&self, key: &str, count: u32) -> Answer {
        let path = format!("/v1/mailboxes/{}/sends", self.mailbox);
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.house.with("POST", &path, &headers, json!({"count": count}).to_string()).await
    }

    /// `may_send may_warm_up used/limit codes`.
    async fn readiness(&self) -> String {
        shown(&self.call("GET", "/readiness", None).await.json())
    }

    async fn domain_readiness(&self) -> String {
        let path = format!("/v1/domains/{}/readiness", self.domain);
        shown(&self.house.operator("GET", &path, None).await.json())
    }

    /// Waits for the domain's next check, and makes it.
    async fn check(&self, zone: &str) {
        self.house.hand.advance(Duration::from_secs(60));
        let path = format!("/v1/domains/{}/verify", self.domain);
        assert_eq!(self.house.operator("POST", &path, None).await.status, 202);
        assert_eq!(self.house.check_all(zone).await, 1);
    }

    async fn event_kinds(&self) -> Vec<String> {
        let path = format!("/v1/domains/{}/events", self.domain);
        let events = self.house.operator("GET", &path, None).await.json();
        let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
        events["data"].as_array().unwrap().iter().map(kind).collect()
    }
}

fn shown(readiness: &Value) -> String {
    let codes: Vec<&str> =
        readiness["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect();
    let word = |name: &str| if readiness[name].as_bool().unwrap() { "yes" } else { "no" };
    let line = format!(
        "{} {} {}/{} {}",
        word("may_send"),
        word("may_warm_up"),
        readiness["used_today"],
        readiness["daily_limit"],
        codes.join(" ")
    );
    line.trim_end().to_owned()
}

/// Whoever asks while others are served shares the next transaction with all who do.
#[tokio::test]
async fn a_crowd_takes_no_more_than_there_is() {
    let scene = Scene::new().await;
    assert_eq!(scene.house.check_all(&zone("")).await, 1);
    let again = futures_util::future::join_all((0..20).map(|_| scene.send("same", 1))).await;
    assert!(again.iter().all(|answer| answer.status == 200 && answer.json() == again[0].json()), "{again:?}");
    assert_eq!(again.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
    let keys: Vec<String> = (0..60).map(|number| format!("k{number}")).collect();
    let sent = futures_util::future::join_all(keys.iter().map(|key| scene.send(key, 1))).await;
    assert_eq!(sent.iter().filter(|answer| answer.status == 200).count(), 9, "{sent:?}");
    let refused = sent.iter().filter(|answer| answer.status != 200);
    assert!(refused.clone().all(|answer| answer.problem() == "daily-limit-reached"), "{sent:?}");
    assert_eq!(scene.readiness().await, "yes yes 10/10 daily-limit-reached");
}

#[tokio::test]
async fn from_a_pending_domain_to_full_capacity() {
    let scene = Scene::new().await;
    let pending = "no no 0/10 domain.pending dns.spf-missing dns.dkim-missing dns.dmarc-missing dns.mx-missing";
    assert_eq!(scene.readiness().await, pending);
    assert_eq!(scene.send("early", 1).await.problem(), "not-ready");
    assert_eq!(scene.house.check_all(&zone("")).await, 1);
    let mailbox = scene.call("GET", "", None).await.json();
    assert_eq!((&mailbox["email_address"], &mailbox["warmup_stage"]), (&json!("max@example.com"), &json!(1)));
    assert_eq!(scene.readiness().await, "yes yes 0/10");
    let sent = scene.send("a", 4).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let expected = json!({"granted": 4, "mailbox": {"used": 4, "limit": 10}, "domain": {"used": 4, "limit": 50},
        "resets_at": "2027-01-16T00:00:00Z"});
    assert_eq!(sent.json(), expected);
    let again = scene.send("a", 4).await;
    assert_eq!(again.text, sent.text, "told again, and nothing taken");
    assert_eq!((sent.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(scene.send("a", 3).await.problem(), "idempotency-key-reused");
    assert_eq!(scene.send("b", 7).await.problem(), "daily-limit-reached");
    assert_eq!(scene.readiness().await, "yes yes 4/10");
    assert_eq!(scene.send("c", 6).await.status, 200);
    assert_eq!(scene.readiness().await, "yes yes 10/10 daily-limit-reached");
    // The service sleeps; nobody makes anything right before it is asked.
    scene.house.hand.advance(DAY * 15);
    assert_eq!(scene.readiness().await, "yes yes 0/40", "day 16");
    scene.house.hand.advance(DAY * 15);
    let mailbox = scene.call("GET", "", None).await.json();
    assert_eq!((&mailbox["status"], &mailbox["daily_send_limit"]), (&json!("active"), &json!(75)));
    assert_eq!(mailbox["warmup_completed_at"], "2027-02-14T00:00:00Z");
    assert_eq!(scene.readiness().await, "yes yes 0/50 domain-limit");
    assert_eq!(scene.domain_readiness().await, "yes yes 0/50 limits.domain-below-mailboxes");
    assert_eq!(scene.send("d", 51).await.problem(), "daily-limit-reached");
    assert_eq!(scene.send("d", 50).await.status, 200);
}

#[tokio::test]
async fn a_lost_dkim_record_stops_everything_and_its_return_lets_it_go_on() {
    let scene = Scene::verified().await;
    scene.house.hand.advance(DAY * 11);
    assert_eq!(scene.readiness().await, "yes yes 0/30", "day 12");
    // The word of caches is believed when they say it twice.
    scene.check(&zone("_domainkey")).await;
    scene.house.hand.advance(Duration::from_secs(3_600));
    scene.check(&zone("_domainkey")).await;
    assert_eq!(scene.readiness().await, "no no 0/30 dns.dkim-missing");
    assert_eq!(scene.domain_readiness().await, "no no 0/50 dns.dkim-missing");
    let refused = scene.send("a", 1).await;
    assert_eq!(refused.problem(), "not-ready");
    assert!(refused.json()["detail"].as_str().unwrap().contains("dns.dkim-missing"), "{}", refused.text);
    scene.house.hand.advance(DAY * 2);
    assert_eq!(scene.call("GET", "", None).await.json()["warmup_stage"], 12, "days that end so do not count");
    scene.check(&zone("")).await;
    assert_eq!(scene.readiness().await, "yes yes 0/30", "at once, and by itself");
    assert_eq!(scene.send("a", 1).await.status, 200, "the key was not used up");
    scene.house.hand.advance(DAY);
    assert_eq!(scene.call("GET", "", None).await.json()["warmup_stage"], 13);
}

#[tokio::test]
async fn while_nobody_can_tell_for_too_long_nothing_goes_on() {
    let scene = Scene::verified().await;
    let unknown = format!("{}\n;@ timeout example.com. *\n;@ timeout s1._domainkey.example.com. *\n", zone(""));
    scene.check(&unknown).await;
    assert_eq!(scene.readiness().await, "yes yes 0/10", "a failure is no absence");
    scene.house.hand.advance(DAY * 3);
    assert_eq!(scene.readiness().await, "no no 0/10 dns.stale");
    assert_eq!(scene.domain_readiness().await, "no no 0/50 dns.stale");
    assert_eq!(scene.send("a", 1).await.problem(), "not-ready");
    scene.house.hand.advance(DAY * 6);
    assert_eq!(scene.call("GET", "", None).await.json()["warmup_stage"], 4);
    scene.check(&zone("")).await;
    assert_eq!(scene.readiness().await, "yes yes 0/10", "at once, and by itself");
    assert_eq!(scene.call("GET", "", None).await.json()["warmup_stage"], 4, "that nobody could tell is not forgotten");
    scene.house.hand.advance(DAY);
    assert_eq!(scene.call("GET", "", None).await.json()["warmup_stage"], 5);
}

#[tokio::test]
async fn paused_resumed_suspended() {
    let scene = Scene::verified().await;
    let (_, key) = scene.house.key(Role::Client, Some(scene.client)).await;
    let as_client = async |word: &str| {
        let path = format!("/v1/mailboxes/{}/{word}", scene.mailbox);
        scene.house.call("POST", &path, Some(&key), None).await
    };
    assert_eq!(as_client("pause").await.json()["paused_reason"], "requested");
    assert_eq!(scene.readiness().await, "no no 0/10 mailbox.paused");
    assert_eq!(as_client("pause").await.json()["status"], "paused", "twice is once");
    scene.house.hand.advance(DAY * 3);
    assert_eq!(as_client("resume").await.json()["warmup_stage"], 1, "it waited");
    assert_eq!(scene.readiness().await, "yes yes 0/10");
    assert_eq!(as_client("suspend").await.json()["status"], "suspended");
    assert_eq!(as_client("pause").await.json()["status"], "suspended", "a pause would be easier to lift");
    assert_eq!(as_client("resume").await.problem(), "forbidden");
    assert_eq!(scene.readiness().await, "no no 0/10 mailbox.suspended");
    assert_eq!(scene.call("POST", "/resume", None).await.json()["status"], "warming");
    assert_eq!(scene.event_kinds().await, ["mailbox.paused", "domain.verified"]);
}

#[tokio::test]
async fn a_domain_that_stops_stops_its_mailboxes() {
    let scene = Scene::verified().await;
    let path = format!("/v1/domains/{}", scene.domain);
    let status = async |word: &str| scene.house.operator("PATCH", &path, Some(json!({"status": word}))).await;
    assert_eq!(status("suspended").await.status, 200);
    assert_eq!(scene.readiness().await, "no no 0/10 domain.suspended");
    scene.house.hand.advance(DAY * 5);
    assert_eq!(status("active").await.status, 200);
    assert_eq!(scene.call("GET", "", None).await.json()["warmup_stage"], 1);
    assert_eq!(scene.house.operator("DELETE", &path, None).await.status, 204);
    assert_eq!(scene.readiness().await, "no no 0/10 domain.deleted");
    assert_eq!(scene.send("a", 1).await.problem(), "not-ready");
    let add = format!("{path}/mailboxes");
    let refused = scene.house.operator("POST", &add, Some(json!({"email_address": "eva@example.com"}))).await;
    assert_eq!(refused.problem(), "no-such-domain");
    scene.house.hand.advance(DAY * 5);
    let again = scene.house.domain(scene.client, "example.com").await;
    assert_eq!(again, scene.domain);
    assert_eq!(scene.house.check_all(&zone("")).await, 1);
    assert_eq!(scene.readiness().await, "yes yes 0/10", "it goes on where it stood");
}

#[tokio::test]
async fn poor_health_pauses_and_better_figures_let_it_go_on() {
    let scene = Scene::verified().await;
    let few = scene.call("PUT", "/health", Some(json!({"bounce_rate": 0.5, "sample": 49}))).await.json();
    assert_eq!((&few["status"], &few["health_sample"]), (&json!("warming"), &json!(49)));
    assert_eq!(scene.readiness().await, "yes yes 0/10 health.bounce-rate", "it only warns");
    let at_bound = json!({"bounce_rate": 0.05, "spam_rate": 0.003, "reply_rate": 1.0, "sample": 50});
    assert_eq!(scene.call("PUT", "/health", Some(at_bound)).await.json()["status"], "warming");
    let spam = scene.call("PUT", "/health", Some(json!({"spam_rate": 0.0031, "sample": 50}))).await.json();
    assert_eq!((&spam["status"], &spam["paused_reason"]), (&json!("paused"), &json!("spam")));
    assert_eq!(spam["bounce_rate"], 0.05, "what is left out stays");
    assert_eq!(scene.readiness().await, "no no 0/10 mailbox.paused health.spam-rate");
    assert_eq!(scene.event_kinds().await[0], "mailbox.paused");
    let path = format!("/v1/domains/{}/events", scene.domain);
    let event = scene.house.operator("GET", &path, None).await.json()["data"][0].clone();
    assert_eq!(event["data"]["reason"], "spam", "{event}");
    assert_eq!(event["data"]["mailbox_id"], json!(scene.mailbox));
    assert_eq!(event["data"]["status"], json!({"from": "warming", "to": "paused"}));
    let refused = scene.call("POST", "/resume", None).await;
    assert_eq!(refused.problem(), "mailbox-unhealthy");
    assert!(refused.json()["detail"].as_str().unwrap().contains("spam_rate"), "{}", refused.text);
    assert_eq!(scene.call("PUT", "/health", Some(json!({"spam_rate": 0.0}))).await.json()["status"], "paused");
    assert_eq!(scene.call("POST", "/resume", None).await.json()["status"], "warming");
    assert_eq!(scene.call("POST", "/suspend", None).await.json()["status"], "suspended");
    let worse = scene.call("PUT", "/health", Some(json!({"spam_rate": 0.5, "sample": 50}))).await.json();
    assert_eq!(worse["status"], "suspended", "nobody but an operator lifts that");
    let events = scene.event_kinds().await;
    assert_eq!(events.iter().filter(|kind| *kind == "mailbox.paused").count(), 1, "{events:?}");
    assert_eq!(scene.call("PUT", "/health", Some(json!({"sample": 50}))).await.status, 422, "no rate at all");
}

#[tokio::test]
async fn addresses_limits_and_warm_up_are_bound() {
    let scene = Scene::verified().await;
    let path = format!("/v1/domains/{}/mailboxes", scene.domain);
    let add = async |address: &str| {
        let answer = scene.house.operator("POST", &path, Some(json!({"email_address": address}))).await;
        if answer.status == 201 { "added".to_owned() } else { answer.problem() }
    };
    assert_eq!(add("max@EXAMPLE.com").await, "mailbox-taken");
    assert_eq!(add("max@other.example").await, "invalid");
    assert_eq!(add("max@sub.example.com").await, "invalid", "a name below is another");
    assert_eq!(add("max@@example.com").await, "invalid");
    for number in 0..5 {
        assert_eq!(add(&format!("box{number}@example.com")).await, "added");
    }
    assert_eq!(add("one.more@example.com").await, "allocation-exceeded");
    let usage = scene.house.operator("GET", &format!("/v1/clients/{}/allocation", scene.client), None).await.json();
    assert_eq!(usage["mailboxes"], json!({"used": 6, "limit": 6}));
    let listed = scene.house.operator("GET", &format!("{path}?limit=4"), None).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 4);
    assert!(listed["next_cursor"].is_string());

    let limit = scene.call("PATCH", "", Some(json!({"daily_send_limit": 20}))).await;
    assert_eq!(limit.pointers(), ["/daily_send_limit"], "the schedule says it");
    let off = scene.call("PATCH", "", Some(json!({"warmup_enabled": false, "daily_send_limit": 20}))).await.json();
    assert_eq!((&off["status"], &off["daily_send_limit"]), (&json!("active"), &json!(20)));
    let (_, key) = scene.house.key(Role::Client, Some(scene.client)).await;
    let path = format!("/v1/mailboxes/{}", scene.mailbox);
    let by_client = async |limit: u32| {
        scene.house.call("PATCH", &path, Some(&key), Some(json!({"daily_send_limit": limit}))).await.status.as_u16()
    };
    assert_eq!((by_client(21).await, by_client(19).await), (403, 200), "only operators raise it");
    assert_eq!(scene.call("PATCH", "", Some(json!({"daily_send_limit": 20}))).await.status, 200);
    scene.house.hand.advance(DAY * 7);
    assert_eq!(scene.readiness().await, "yes yes 0/20");
    let on = scene.call("PATCH", "", Some(json!({"warmup_enabled": true}))).await.json();
    assert_eq!(
        (&on["status"], &on["warmup_stage"], &on["daily_send_limit"]),
        (&json!("warming"), &json!(1), &json!(10))
    );
    assert_eq!(scene.call("DELETE", "", None).await.status, 204);
    assert_eq!(scene.call("PATCH", "", Some(json!({"display_name": "x"}))).await.problem(), "no-such-mailbox");
    assert_eq!(scene.readiness().await, "no no 0/10 mailbox.deleted");
    assert_eq!(add("Max@example.com").await, "added", "it lives again");
    assert_eq!(scene.readiness().await, "yes yes 0/10");
}

#[tokio::test]
async fn statistics_are_written_by_day_and_read_in_ranges() {
    let scene = Scene::new().await;
    let put = async |date: &str, body: Value| scene.call("PUT", &format!("/warmup-stats/{date}"), Some(body)).await;
    let day = json!({"emails_sent": 10, "emails_received": 8, "warmup_score": 98.5, "inbox_rate": 100});
    assert_eq!(put("2027-01-15", day.clone()).await.status, 200);
    assert_eq!(put("2027-01-16", json!({"emails_sent": 0, "emails_received": 0})).await.status, 200, "tomorrow");
    assert_eq!(put("2027-01-17", day.clone()).await.pointers(), ["/date"]);
    assert_eq!(put("1999-12-31", day.clone()).await.pointers(), ["/date"]);
    assert_eq!(put("2027-1-15", day.clone()).await.problem(), "not-found");
    assert_eq!(put("2027-02-30", day.clone()).await.problem(), "not-found");
    let beyond = json!({"emails_sent": -1, "emails_received": 1_000_001, "warmup_score": 100.5, "inbox_rate": -1});
    let all = ["/emails_sent", "/emails_received", "/warmup_score", "/inbox_rate"];
    assert_eq!(put("2027-01-15", beyond).await.pointers(), all);
    assert_eq!(put("2027-01-15", json!({"emails_sent": 12, "emails_received": 9})).await.status, 200);
    let list = async |query: &str| scene.call("GET", &format!("/warmup-stats{query}"), None).await;
    let both = list("").await.json();
    let first = json!({"date": "2027-01-15", "emails_sent": 12, "emails_received": 9, "warmup_score": null, "inbox_rate": null});
    assert_eq!(both["data"].as_array().unwrap().len(), 2);
    assert_eq!(both["data"][0], first, "the later word stands, whole");
    assert_eq!(list("?from=2027-01-16&to=2027-01-16").await.json()["data"].as_array().unwrap().len(), 1);
    for bad in ["?from=2027-01-16&to=2027-01-15", "?from=2025-01-01&to=2027-01-15", "?from=yesterday", "?to=2027-1-1"] {
        assert_eq!(list(bad).await.problem(), "bad-query", "{bad}");
    }
    let year = list("?from=2026-01-15&to=2027-01-15").await;
    assert_eq!(year.json()["data"].as_array().unwrap().len(), 1, "366 days");
}

#[tokio::test]
async fn the_daily_job_makes_the_columns_follow() {
    let scene = Scene::verified().await;
    assert_eq!(scene.send("a", 5).await.status, 200);
    let other = scene.house.mailbox(scene.domain, "eva@example.com").await;
    let sql = async |text: &'static str| match scene.house.service.store().db() {
        sendready::store::Db::Sqlite(pool) => sqlx::query(text).execute(pool).await.unwrap().rows_affected(),
        sendready::store::Db::Postgres(_) => unreachable!("a house stands on SQLite"),
    };
    assert_eq!(
        sql("UPDATE email_mailboxes SET status = 'paused', bounce_rate = 7 WHERE email_address = 'eva@example.com'")
            .await,
        1
    );
    daily::turn(&scene.house.service).await.unwrap();
    scene.house.hand.advance(DAY * 6);
    daily::turn(&scene.house.service).await.unwrap();
    daily::turn(&scene.house.service).await.unwrap();
    // What the platform reads by SQL, which no request has touched.
    let found = "UPDATE email_mailboxes SET updated_at = updated_at WHERE email_address = 'max@example.com' \
        AND warmup_stage = 7 AND daily_send_limit = 20 AND current_daily_sends = 0 AND status = 'warming'";
    assert_eq!(sql(found).await, 1);
    assert_eq!(sql("UPDATE email_domains SET updated_at = updated_at WHERE current_daily_sends = 0").await, 1);
    let eva = scene.house.operator("GET", &format!("/v1/mailboxes/{other}"), None).await.json();
    assert_eq!((&eva["status"], &eva["warmup_stage"]), (&json!("paused"), &json!(1)), "a pause by SQL is one");
    let path = format!("/v1/mailboxes/{other}/readiness");
    let readiness = scene.house.operator("GET", &path, None).await.json();
    assert_eq!(shown(&readiness), "no no 0/10 mailbox.paused health.out-of-range");
    assert_eq!(sql("UPDATE email_mailboxes SET status = 'warming' WHERE email_address = 'eva@example.com'").await, 1);
    daily::turn(&scene.house.service).await.unwrap();
    scene.house.hand.advance(DAY);
    let eva = scene.house.operator("GET", &format!("/v1/mailboxes/{other}"), None).await.json();
    assert_eq!(eva["warmup_stage"], 2);

    // A domain that the platform suspends, and a number that it writes, by SQL.
    let suspend =
        "UPDATE email_domains SET status = 'suspended', suspended_reason = 'operator', current_daily_sends = 9";
    assert_eq!(sql(suspend).await, 1);
    daily::turn(&scene.house.service).await.unwrap();
    scene.house.hand.advance(DAY * 3);
    daily::turn(&scene.house.service).await.unwrap();
    let zeroed = "UPDATE email_domains SET status = 'active', suspended_reason = NULL WHERE current_daily_sends = 0";
    assert_eq!(sql(zeroed).await, 1, "the number was of a day that is over");
    daily::turn(&scene.house.service).await.unwrap();
    let eva = scene.house.operator("GET", &format!("/v1/mailboxes/{other}"), None).await.json();
    assert_eq!(eva["warmup_stage"], 2, "three days ended while the domain was suspended");
}
