//! Block lists over a DNS made of text: what counts, what is told apart, and that no flag follows.

use std::time::Duration;

use sendready::dns::zone_text::ZoneText;
use sendready::jobs::outside;
use sendready::protocol::name::Name;
use sendready::service::blocklists::Blocklists;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::house::House;

fn lists(zones: &[&str]) -> Blocklists {
    Blocklists::new(zones.iter().map(|zone| Name::parse(zone).unwrap()).collect())
}

/// A list that works, and what it says besides.
fn zone(zone: &str, more: &str) -> String {
    format!("$ORIGIN {zone}.\n$TTL 60\n@ SOA ns1 h 1 1 1 1 60\ntest A 127.0.0.2\n{more}\n")
}

struct Scene {
    house: House,
    id: Uuid,
}

impl Scene {
    async fn new() -> Scene {
        let house = House::new().await;
        let client = house.client("velocity").await;
        let id = house.domain(client, "mail.example.com").await;
        outside::turn(&house.service).await.unwrap();
        Scene { house, id }
    }

    /// Asks the lists, a day after the last time; what is shown then.
    async fn asked(&self, lists: &mut Blocklists, dns: &str) -> Value {
        let dns: ZoneText = dns.parse().unwrap();
        self.house.hand.advance(Duration::from_secs(30 * 3_600));
        assert!(self.house.service.lists_ask(lists, &dns).await.unwrap());
        assert!(!self.house.service.lists_ask(lists, &dns).await.unwrap(), "once a day");
        self.shown().await
    }

    async fn shown(&self) -> Value {
        self.house.operator("GET", &format!("/v1/domains/{}/reputation", self.id), None).await.json()
    }

    async fn domain(&self) -> Value {
        self.house.operator("GET", &format!("/v1/domains/{}", self.id), None).await.json()
    }
}

fn part(shown: &Value, name: &str) -> f64 {
    shown["parts"].as_array().unwrap().iter().find(|part| part["name"] == name).unwrap()["points"].as_f64().unwrap()
}

#[tokio::test]
async fn a_listing_is_shown_and_counts_and_no_flag_follows() {
    let scene = Scene::new().await;
    let mut lists = lists(&["dbl.test"]);
    let before = scene.domain().await;
    let listed = "example.com A 127.0.1.2\nexample.com A 127.0.1.4\nexample.com TXT \"seen in spam\"";
    let shown = scene.asked(&mut lists, &zone("dbl.test", listed)).await;
    let one = &shown["lists"][0];
    assert_eq!((&one["zone"], &one["listed"], &one["fault"]), (&json!("dbl.test"), &json!(true), &json!(null)));
    assert_eq!((&one["codes"], &one["reason"]), (&json!(["127.0.1.2", "127.0.1.4"]), &json!("seen in spam")));
    assert_eq!(part(&shown, "lists"), 5.0);
    let after = scene.domain().await;
    assert_eq!(after["reputation_score"], shown["score"], "the column follows in the same transaction");
    for column in ["status", "spf_valid", "dkim_valid", "dmarc_valid", "mx_valid", "dns_configured", "next_check_at"] {
        assert_eq!(before[column], after[column], "{column}");
    }
    let told_at = one["told_at"].clone();

    let failing = zone("dbl.test", "example.com A 127.0.1.2\n;@ servfail example.com.dbl.test. *");
    let shown = scene.asked(&mut lists, &failing).await;
    let one = &shown["lists"][0];
    assert_eq!((&one["listed"], &one["told_at"]), (&json!(true), &told_at), "the last word stands");
    assert_eq!(one["fault"], "DNS failed: servfail");

    let shown = scene.asked(&mut lists, &zone("dbl.test", "")).await;
    let one = &shown["lists"][0];
    assert_eq!((&one["listed"], &one["codes"], &one["fault"]), (&json!(false), &json!([]), &json!(null)));
    assert_eq!(part(&shown, "lists"), 20.0);
    assert_eq!(scene.domain().await["reputation_score"], shown["score"]);
}

#[tokio::test]
async fn what_is_no_word_never_counts() {
    for (why, text, fault) in [
        ("too many questions", zone("dbl.test", "example.com A 127.255.255.255"), "asked too often"),
        ("an open resolver", zone("dbl.test", "example.com A 127.255.255.254"), "public resolvers"),
        ("outside 127/8", zone("dbl.test", "example.com A 192.0.2.80"), "outside 127.0.0.0/8"),
        ("parked", "$ORIGIN dbl.test.\n@ SOA ns1 h 1 1 1 1 60\n* A 192.0.2.80\n".to_owned(), "no block list"),
        ("everything", "$ORIGIN dbl.test.\n@ SOA ns1 h 1 1 1 1 60\n* A 127.0.0.2\n".to_owned(), "no block list"),
        ("nothing", "$ORIGIN dbl.test.\n@ SOA ns1 h 1 1 1 1 60\n".to_owned(), "no block list"),
        ("a list that is away", zone("dbl.test", ";@ timeout test.dbl.test. *"), "DNS failed: timeout"),
    ] {
        let scene = Scene::new().await;
        let shown = scene.asked(&mut lists(&["dbl.test"]), &text).await;
        let one = &shown["lists"][0];
        assert_eq!((&one["listed"], &one["told_at"]), (&json!(null), &json!(null)), "{why}: {one}");
        assert!(one["fault"].as_str().unwrap().contains(fault), "{why}: {one}");
        assert_eq!(part(&shown, "lists"), 10.0, "{why}: neutral");
    }
}

#[tokio::test]
async fn lists_that_are_not_asked_any_more_are_forgotten() {
    let scene = Scene::new().await;
    let text = zone("a.test", "example.com A 127.0.0.2") + &zone("b.test", "");
    let mut both = lists(&["a.test", "b.test"]);
    assert_eq!(scene.asked(&mut both, &text).await["lists"].as_array().unwrap().len(), 2);
    let mut other = lists(&["b.test", "c.test"]);
    scene.house.service.lists_keep(&other).await.unwrap();
    let zones: Vec<Value> =
        scene.shown().await["lists"].as_array().unwrap().iter().map(|one| one["zone"].clone()).collect();
    assert_eq!(zones, ["b.test"]);
    let dns: ZoneText = (zone("b.test", "") + &zone("c.test", "")).parse().unwrap();
    assert!(scene.house.service.lists_ask(&mut other, &dns).await.unwrap(), "a new list is asked at once");
    assert_eq!(scene.shown().await["lists"].as_array().unwrap().len(), 2);
    scene.house.service.lists_keep(&lists(&[])).await.unwrap();
    assert_eq!(scene.shown().await["lists"], json!([]));
}

/// Each of its parts is followed by whoever writes it.
#[tokio::test]
async fn the_score_follows_checks_and_health() {
    let scene = Scene::new().await;
    let box_id = scene.house.mailbox(scene.id, "max@mail.example.com").await;
    let text = "$ORIGIN mail.example.com.\n$TTL 300\n@ SOA ns1 h 1 1 1 1 60\n@ NS ns1\nns1 A 11.0.0.53\n\
        @ TXT \"v=spf1 -all\"\n@ MX 10 mx1\nmx1 A 11.0.0.25\n_dmarc TXT \"v=DMARC1; p=reject\"\n\
        s1._domainkey TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";
    assert_eq!(scene.house.check_all(text).await, 1);
    let shown = scene.shown().await;
    assert_eq!((part(&shown, "dns"), shown["score"].as_f64().unwrap()), (40.0, 70.0), "{shown}");
    assert_eq!(scene.domain().await["reputation_score"], 70.0, "written with the check");
    let health = json!({"bounce_rate": 0.025, "spam_rate": 0.0, "sample": 200});
    let put = scene.house.operator("PUT", &format!("/v1/mailboxes/{box_id}/health"), Some(health)).await;
    assert_eq!(put.status, 200, "{}", put.text);
    let shown = scene.shown().await;
    assert_eq!((part(&shown, "mailboxes"), shown["score"].as_f64().unwrap()), (14.0, 74.0), "{shown}");
    assert_eq!(scene.domain().await["reputation_score"], 74.0, "written with the health");
}
