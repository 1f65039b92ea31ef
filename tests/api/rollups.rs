//! Statistics of a domain's and a client's mailboxes together, as they are asked for.

use std::time::Duration;

use sendready::service::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::house::House;

const DAY: Duration = Duration::from_hours(24);

/// Two domains of one client with a mailbox each, and of the first a second one; today is 2027-01-15.
struct Scene {
    house: House,
    client: Uuid,
    domains: [Uuid; 2],
    mailboxes: [Uuid; 3],
}

impl Scene {
    async fn new() -> Scene {
        let house = House::new().await;
        let client = house.client("velocity").await;
        let domains = [house.domain(client, "a.example.com").await, house.domain(client, "b.example.com").await];
        let mailboxes = [
            house.mailbox(domains[0], "max@a.example.com").await,
            house.mailbox(domains[0], "eva@a.example.com").await,
            house.mailbox(domains[1], "max@b.example.com").await,
        ];
        Scene { house, client, domains, mailboxes }
    }

    async fn tell(&self, mailbox: usize, date: &str, body: Value) {
        let path = format!("/v1/mailboxes/{}/warmup-stats/{date}", self.mailboxes[mailbox]);
        assert_eq!(self.house.operator("PUT", &path, Some(body)).await.status, 200);
    }

    fn paths(&self) -> [String; 2] {
        [format!("/v1/domains/{}/warmup-stats", self.domains[0]), format!("/v1/clients/{}/warmup-stats", self.client)]
    }

    async fn ask(&self, path: &str) -> Value {
        let answer = self.house.operator("GET", path, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

#[tokio::test]
async fn mailboxes_are_added_up_by_day_and_in_total() {
    let scene = Scene::new().await;
    let day = |sent: u32, inbox: Option<u32>| json!({"emails_sent": sent, "emails_received": 2, "inbox_rate": inbox});
    scene.tell(0, "2027-01-14", day(90, Some(100))).await;
    scene.tell(1, "2027-01-14", day(10, Some(0))).await;
    scene.tell(2, "2027-01-14", day(100, None)).await;
    scene.tell(0, "2027-01-15", json!({"emails_sent": 3, "emails_received": 0, "warmup_score": 98.5})).await;
    scene.tell(1, "2027-01-15", json!({"emails_sent": 0, "emails_received": 0, "warmup_score": 50})).await;
    let [domain, client] = scene.paths();
    let sums = |mailboxes: u32, sent: u32, received: u32, inbox: Value, score: Value| json!({"mailboxes": mailboxes, "emails_sent": sent, "emails_received": received, "inbox_rate": inbox, "warmup_score": score});
    let dated = |date: &str, mut sums: Value| {
        sums["date"] = json!(date);
        sums
    };
    let second = dated("2027-01-15", sums(2, 3, 0, json!(null), json!(74.25)));
    let of_domain = json!({
        "from": "2027-01-01",
        "to": "2027-01-15",
        "total": sums(2, 103, 4, json!(90.0), json!(74.25)),
        "data": [dated("2027-01-14", sums(2, 100, 4, json!(90.0), json!(null))), second],
        "next_cursor": null,
    });
    assert_eq!(scene.ask(&format!("{domain}?from=2027-01-01&to=2027-01-15")).await, of_domain);
    let of_client = scene.ask(&format!("{client}?from=2027-01-14&to=2027-01-14")).await;
    let first = sums(3, 200, 6, json!(90.0), json!(null));
    assert_eq!(of_client["data"], json!([dated("2027-01-14", first.clone())]), "who told no rate weighs nothing");
    assert_eq!(of_client["total"], first);

    let before = (scene.ask(&domain).await, scene.ask(&client).await);
    assert_eq!((&before.0["from"], &before.0["to"]), (&json!("2026-12-17"), &json!("2027-01-16")), "unless told");
    assert_eq!(before.0["data"], of_domain["data"]);
    for path in [format!("/v1/mailboxes/{}", scene.mailboxes[1]), format!("/v1/domains/{}", scene.domains[1])] {
        assert_eq!(scene.house.operator("DELETE", &path, None).await.status, 204);
    }
    assert_eq!((scene.ask(&domain).await, scene.ask(&client).await), before, "what was sent was sent");
    scene.house.hand.advance(DAY * 40);
    let later = scene.ask(&client).await;
    assert_eq!((&later["data"], &later["total"]), (&json!([]), &sums(0, 0, 0, json!(null), json!(null))));
}

/// As of one mailbox: the same words for the same faults.
#[tokio::test]
async fn ranges_are_refused_as_of_one_mailbox() {
    let scene = Scene::new().await;
    let one = format!("/v1/mailboxes/{}/warmup-stats", scene.mailboxes[0]);
    let queries = [
        "?from=2027-01-16&to=2027-01-15",
        "?from=2026-01-14&to=2027-01-15",
        "?from=yesterday",
        "?to=2027-1-1",
        "?limit=5",
    ];
    for query in queries {
        let expected = scene.house.operator("GET", &format!("{one}{query}"), None).await;
        assert_eq!((expected.status.as_u16(), expected.problem().as_str()), (400, "bad-query"), "{query}");
        for path in scene.paths() {
            let refused = scene.house.operator("GET", &format!("{path}{query}"), None).await;
            assert_eq!(refused.problem(), "bad-query", "{path}{query}");
            assert_eq!(refused.json()["errors"], expected.json()["errors"], "{path}{query}");
        }
    }
    for path in scene.paths() {
        let year = scene.house.operator("GET", &format!("{path}?from=2026-01-15&to=2027-01-15"), None).await;
        assert_eq!(year.status, 200, "366 days");
    }
}

#[tokio::test]
async fn others_and_unknown_ones_are_not_found() {
    let scene = Scene::new().await;
    let stranger = scene.house.client("velocity").await;
    let (_, own) = scene.house.key(Role::Client, Some(scene.client)).await;
    let (_, other) = scene.house.key(Role::Client, Some(stranger)).await;
    let nobody = Uuid::from_u128(7);
    let unknown = [format!("/v1/domains/{nobody}/warmup-stats"), format!("/v1/clients/{nobody}/warmup-stats")];
    for ((path, unknown), problem) in scene.paths().iter().zip(&unknown).zip(["no-such-domain", "no-such-client"]) {
        assert_eq!(scene.house.call("GET", path, Some(&own), None).await.status, 200, "{path}");
        for (path, key) in [(path, &other), (unknown, &own), (unknown, &scene.house.operator)] {
            let answer = scene.house.call("GET", path, Some(key), None).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (404, problem), "{path}");
        }
    }
}
