//! The age of domains by RDAP, against a server that does as it pleases: nothing but a day that can be is believed.

use std::time::Duration;

use sendready::jobs::outside;
use sendready::sender::names::SystemNames;
use sendready::sender::{Sender, Settings};
use sendready::service::domain_age::Registries;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::house::House;
use crate::support::receiver::{Post, Receiver, Reply};

/// The day of the house's clock is 2027-01-15.
const REGISTERED: &str = "2026-12-16T08:00:00Z";

/// An answer's body.
fn domain(name: &str, date: &str) -> String {
    let event = json!({"eventAction": "registration", "eventDate": date});
    json!({"objectClassName": "domain", "ldhName": name, "events": [event]}).to_string()
}

fn good(name: &str) -> Reply {
    Reply::with(200, "content-type: application/rdap+json\r\n", &domain(name, REGISTERED))
}

/// A service, the server of all of `.com`, and who asks it.
struct Scene {
    house: House,
    server: Receiver,
    registries: Registries,
    client: Uuid,
}

fn sender(allow_private: bool) -> Sender {
    let settings = Settings { allow_private, time_max: Duration::from_millis(1_500) };
    Sender::new(settings, std::sync::Arc::new(SystemNames)).unwrap()
}

impl Scene {
    async fn new(reply: impl Fn(&Post, usize) -> Reply + Send + Sync + 'static) -> Scene {
        let house = House::new().await;
        let server = Receiver::start(reply).await;
        let file = house.folder.path().join("dns.json");
        let services = json!({"services": [[["com"], [format!("http://{}/v1/", server.address)]]]});
        std::fs::write(&file, services.to_string()).unwrap();
        let registries = Registries::new(sender(true), file.display().to_string());
        let client = house.client("dominance").await;
        Scene { house, server, registries, client }
    }

    /// A domain that is noted already.
    async fn domain(&self, name: &str) -> Uuid {
        let id = self.house.domain(self.client, name).await;
        outside::turn(&self.house.service).await.unwrap();
        id
    }

    /// One question, if it is time for one.
    async fn ask(&self) -> bool {
        self.house.service.age_ask(&self.registries).await.unwrap()
    }

    async fn age(&self, id: Uuid) -> Value {
        let path = format!("/v1/domains/{id}/reputation");
        self.house.operator("GET", &path, None).await.json()["domain_age"].clone()
    }

    async fn days(&self, id: Uuid) -> Value {
        self.house.operator("GET", &format!("/v1/domains/{id}"), None).await.json()["domain_age_days"].clone()
    }

    fn pass(&self, days: u64) {
        self.house.hand.advance(Duration::from_secs(days * 86_400));
    }
}

#[tokio::test]
async fn a_day_that_a_registry_names_counts_on() {
    let scene = Scene::new(|_, _| good("example.com")).await;
    let (id, below) = (scene.domain("example.com").await, scene.domain("mail.example.com").await);
    assert_eq!((scene.days(id).await, scene.age(id).await["days"].clone()), (json!(null), json!(null)));
    assert!(scene.ask().await);
    let posts = scene.server.posts();
    assert!(posts[0].head.starts_with("GET /v1/domain/example.com HTTP/1.1\r\n"), "{}", posts[0].head);
    assert_eq!(posts[0].header("accept"), "application/rdap+json");
    assert_eq!((scene.days(id).await, scene.days(below).await), (json!(30), json!(30)), "of all its domains");
    let age = scene.age(id).await;
    assert_eq!((&age["days"], &age["source"], &age["fault"]), (&json!(30), &json!("127.0.0.1"), &json!(null)));
    assert_eq!(age["registered_at"], REGISTERED);
    scene.pass(3);
    outside::turn(&scene.house.service).await.unwrap();
    assert_eq!(scene.days(id).await, 33, "days go on without asking");
    assert!(!scene.ask().await, "not due");
    scene.pass(3);
    assert!(!scene.ask().await, "a week less a tenth is not over");
    scene.pass(2);
    assert!(scene.ask().await, "a week and a tenth is");
    assert_eq!(scene.server.posts().len(), 2, "the registrable domain is asked about once for both");
}

#[tokio::test]
async fn no_fault_of_a_server_changes_an_age() {
    let nowhere = "location: /v1/domain/example.com\r\n";
    let big = domain("example.com", REGISTERED) + &" ".repeat(1 << 20);
    let faults: Vec<(&str, Reply, &str)> = vec![
        ("it fails", Reply::status(500), "answered with 500"),
        ("it does not know it", Reply::status(404), "does not know the domain"),
        ("it wants to be left alone", Reply::with(429, "retry-after: 60\r\n", ""), "left alone, with 429"),
        ("it redirects in a loop", Reply::with(302, nowhere, ""), "more than 3 redirects"),
        ("it redirects nowhere", Reply::status(302), "leads nowhere"),
        (
            "it redirects out of the web",
            Reply::with(301, "location: ftp://a.example/\r\n", ""),
            "must begin with https",
        ),
        ("it says nonsense", Reply::with(200, "", "<html>"), "no domain of RDAP"),
        ("it knows the future", Reply::with(200, "", &domain("example.com", "2030-01-01T00:00:00Z")), "cannot be"),
        ("it speaks of another", Reply::with(200, "", &domain("example.org", REGISTERED)), "another domain"),
        ("it talks without end", Reply::with(200, "", &big), "too large"),
        ("it never answers", Reply::Hang, "no answer in time"),
        ("it never comes to the point", Reply::Trickle, "no answer in time"),
        ("it hangs up", Reply::Close, "broke off"),
    ];
    for (why, fault, shown) in faults {
        let reply = fault.clone();
        let scene = Scene::new(move |_, number| if number == 0 { good("example.com") } else { reply.clone() }).await;
        let id = scene.domain("example.com").await;
        assert!(scene.ask().await, "{why}");
        scene.pass(8);
        assert!(scene.ask().await, "{why}");
        let age = scene.age(id).await;
        assert_eq!((&age["days"], &age["registered_at"]), (&json!(38), &json!(REGISTERED)), "{why}");
        assert!(age["fault"].as_str().unwrap().contains(shown), "{why}: {age}");
        let count = scene.server.posts().len();
        assert_eq!(count, if why.ends_with("loop") { 5 } else { 2 }, "{why}: the loop ends");
        assert!(!scene.ask().await, "{why}: not at once again");
        scene.pass(8);
        assert!(scene.ask().await, "{why}: and again later");
    }
}

#[tokio::test]
async fn a_redirect_is_followed_and_a_server_that_is_down_is_asked_again_later_and_later() {
    let scene = Scene::new(|post, _| match post.head.starts_with("GET /v1/domain/") {
        true => Reply::with(307, "location: /other/example.com\r\n", ""),
        false => good("example.com"),
    })
    .await;
    let id = scene.domain("example.com").await;
    assert!(scene.ask().await);
    assert_eq!(scene.days(id).await, 30, "{}", scene.age(id).await);

    let scene = Scene::new(|_, _| Reply::status(500)).await;
    scene.domain("example.com").await;
    let mut waits = Vec::new();
    for _ in 0..3 {
        assert!(scene.ask().await);
        let mut minutes = 0_u64;
        while !scene.ask().await {
            scene.house.hand.advance(Duration::from_secs(600));
            minutes += 10;
            assert!(minutes < 10_000, "it is never asked again");
        }
        waits.push(minutes);
        scene.house.hand.advance(Duration::from_secs(86_400));
    }
    assert!((50..=80).contains(&waits[0]), "an hour first: {waits:?}");
    assert!(waits.is_sorted() && waits[2] > waits[0] * 3, "{waits:?}");
}

#[tokio::test]
async fn one_question_a_second_and_none_to_whom_it_is_too_much() {
    let scene = Scene::new(|_, _| Reply::with(429, "retry-after: 3600\r\n", "")).await;
    for name in ["a.com", "b.com", "c.com"] {
        scene.domain(name).await;
    }
    assert!(scene.ask().await);
    assert!(!scene.ask().await, "within the second");
    for _ in 0..2 {
        scene.house.hand.advance(Duration::from_secs(1));
        assert!(scene.ask().await, "it is its turn");
    }
    assert_eq!(scene.server.posts().len(), 1, "but the server is left alone");
    scene.house.hand.advance(Duration::from_secs(4_000));
    assert!(scene.ask().await);
    assert_eq!(scene.server.posts().len(), 2, "for as long as it asked");
}

#[tokio::test]
async fn whom_nobody_knows_nobody_is_asked_about() {
    let scene = Scene::new(|_, _| good("example.com")).await;
    let id = scene.domain("example.org").await;
    assert!(scene.ask().await);
    let age = scene.age(id).await;
    assert!(age["fault"].as_str().unwrap().contains("no RDAP server is known"), "{age}");

    // A private address is not asked unless that is allowed.
    let scene = Scene::new(|_, _| good("example.com")).await;
    let file = scene.house.folder.path().join("dns.json").display().to_string();
    let id = scene.domain("example.com").await;
    let outward = Registries::new(sender(false), file);
    assert!(scene.house.service.age_ask(&outward).await.unwrap());
    let age = scene.age(id).await;
    assert!(age["fault"].as_str().unwrap().contains("not public"), "{age}");

    // Without a bootstrap file nobody is asked, and the question waits.
    scene.pass(8);
    let blind = Registries::new(sender(true), scene.house.folder.path().join("none.json").display().to_string());
    assert!(scene.house.service.age_ask(&blind).await.unwrap());
    let age = scene.age(id).await;
    assert!(age["fault"].as_str().unwrap().contains("`rdap.bootstrap` could not be read"), "{age}");
    assert_eq!(scene.server.posts().len(), 0);
    scene.house.hand.advance(Duration::from_secs(700));
    assert!(scene.ask().await, "and goes on once it can be read");
    assert_eq!(scene.days(id).await, 38);
}

#[tokio::test]
async fn the_bootstrap_file_may_be_on_the_web() {
    let web = Receiver::start(|post, number| match number {
        0 => {
            let here = format!("http://{}/", post.header("host"));
            Reply::with(200, "", &json!({"services": [[["com"], [here]]]}).to_string())
        }
        _ => good("example.com"),
    })
    .await;
    let scene = Scene::new(|_, _| Reply::status(500)).await;
    let id = scene.domain("example.com").await;
    let registries = Registries::new(sender(true), format!("http://{}/dns.json", web.address));
    assert!(scene.house.service.age_ask(&registries).await.unwrap());
    assert_eq!(scene.days(id).await, 30, "{}", scene.age(id).await);
}
