//! The console in a real browser: what an operator on call goes through, and how every page looks.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sendready::clock::Clock;
use sendready::http::serve::serve;
use sendready::store::db::Db;
use serde_json::json;
use sqlx::{AssertSqlSafe, raw_sql};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::api::house::House;
use crate::support::browser::{Browser, Look};

const KEY: &str = include_str!("../../../fixtures/keys/rsa-2048.b64");

/// A zone with everything as required, but for the lines that hold `without`.
fn zone(name: &str, without: &str) -> String {
    let (first, second) = KEY.trim().split_at(200);
    let text = format!(
        "$ORIGIN {name}.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\n\
         @ TXT \"v=spf1 ip4:11.0.0.25 -all\"\n@ MX 10 mx1\nmx1 A 11.0.0.25\n_dmarc TXT \"v=DMARC1; p=reject\"\n\
         s1._domainkey TXT ( \"v=DKIM1; k=rsa; p={first}\" \"{second}\" )\n"
    );
    let kept = text.lines().filter(|line| without.is_empty() || !line.contains(without));
    kept.map(|line| format!("{line}\n")).collect()
}

/// A small fleet that has lived for some days, served to browsers.
struct Fleet {
    house: House,
    url: String,
    /// One that was valid, fell and recovered, with mailboxes that are being warmed up.
    main: Uuid,
    stop: CancellationToken,
}

impl Fleet {
    async fn new() -> Fleet {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let public_url = url.clone();
        let house = House::set_to(|settings| settings.public_url = public_url).await;
        // The browser shows times by its own clock.
        let now = Clock::System.now();
        house.hand.set(now - TimeDelta::days(9));
        let main = fill(&house, now).await;
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, house.router.clone(), stop.clone(), Duration::from_secs(1)));
        Fleet { house, url, main, stop }
    }

    /// Opens the sign-in and passes it.
    async fn sign_in(&self, browser: &Browser, to: &str) {
        browser.goto(&format!("{}{to}", self.url)).await;
        let key = &self.house.operator;
        browser.value(&format!("(document.querySelector('#key').value = '{key}', true)")).await;
        browser.click("form button").await;
        browser.until("the console", "document.querySelector('.bar') !== null").await;
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

const NAMES: [&str; 7] = [
    "northwind.example",
    "mail.northwind.example",
    "acme-outreach.example",
    "getacme.example",
    "lumen.example",
    "trylumen.example",
    "lumen-studio.example",
];

async fn fill(house: &House, now: DateTime<Utc>) -> Uuid {
    let mut ids = Vec::new();
    for (client, names) in
        [("Northwind Traders", &NAMES[..2]), ("Acme Outreach", &NAMES[2..4]), ("Lumen Studio", &NAMES[4..])]
    {
        let body = json!({"name": client, "tier": "velocity"});
        let client =
            house.operator("POST", "/v1/clients", Some(body)).await.json()["id"].as_str().unwrap().parse().unwrap();
        for name in names {
            ids.push(house.domain(client, name).await);
        }
    }
    let main = ids[0];
    let mut mailboxes = Vec::new();
    for person in ["anna", "ben"] {
        mailboxes.push(house.mailbox(main, &format!("{person}@{}", NAMES[0])).await);
    }
    // Valid for days; then SPF is lost on one, DKIM on another, and the first recovers.
    let world = |broken: &[(usize, &str)]| {
        let without = |index| broken.iter().find(|(which, _)| *which == index).map_or("", |(_, without)| *without);
        NAMES.iter().enumerate().map(|(index, name)| zone(name, without(index))).collect::<String>()
    };
    let last = (NAMES.len() - 1, "TXT");
    house.check_all(&world(&[last])).await;
    let steps: [(i64, &[(usize, &str)]); 6] = [
        (36, &[last]),
        (96, &[(0, "v=spf1"), last]),
        (120, &[last]),
        (190, &[(2, "_domainkey"), last]),
        (200, &[(2, "_domainkey"), (4, "_dmarc"), last]),
        (210, &[(2, "_domainkey"), (4, "_dmarc"), last]),
    ];
    for (hour, broken) in steps {
        house.hand.set(now - TimeDelta::days(9) + TimeDelta::hours(hour));
        house.check_all(&world(broken)).await;
        // A denial by caches alone is believed once it was seen again, and others were looked at.
        for _ in 0..2 {
            house.hand.advance(Duration::from_secs(3_600));
            house.check_all(&world(broken)).await;
        }
    }
    house.hand.set(now);
    for (mailbox, count) in mailboxes.into_iter().zip([7, 16]) {
        let body = Some(json!({"count": count}));
        let sent = house.operator("POST", &format!("/v1/mailboxes/{mailbox}/sends"), body).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        for day in 1..9 {
            let date = (now - TimeDelta::days(day)).date_naive();
            let body = Some(json!({"emails_sent": 20 - day - i64::from(count) / 4, "emails_received": 3}));
            house.operator("PUT", &format!("/v1/mailboxes/{mailbox}/warmup-stats/{date}"), body).await;
        }
    }
    picture(house, now).await;
    main
}

/// A busy day of checks, for the picture of it.
async fn picture(house: &House, now: DateTime<Utc>) {
    let Db::Sqlite(pool) = house.service.store().db() else { panic!("the house has SQLite") };
    let flags = ["spf", "dkim", "dmarc", "mx"];
    for minute in (5..24 * 60).step_by(3) {
        let at = now - TimeDelta::minutes(minute);
        let hour = minute / 60;
        let busy = hour % 7 != 2 || minute % 2 == 0;
        let fell = (minute % 97 == 2).then(|| flags[usize::try_from(minute / 97).unwrap() % 4]);
        let changes = fell.map_or("{}".to_owned(), |flag| {
            format!("{{\"flags\":{{\"{flag}_valid\":{{\"from\":true,\"to\":false}}}}}}")
        });
        // Of the last domain, which nobody looks at closer.
        let check = format!(
            "INSERT INTO sendready_checks (id, domain_id, at, reason, all_valid, verdicts, changes, evidence_digest, questions, took_ms) \
             SELECT randomblob(16), id, '{}', 'schedule', TRUE, '[]', '{changes}', (SELECT digest FROM sendready_evidence LIMIT 1), 9, 40 \
             FROM email_domains WHERE domain = '{}'",
            at.to_rfc3339(),
            NAMES[5]
        );
        if busy {
            raw_sql(AssertSqlSafe(check)).execute(pool).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_operator_on_call_finds_suspends_activates_and_hands_on() {
    let fleet = Fleet::new().await;
    let browser = Browser::open(Look::LIGHT).await;
    // Without script everything is there, too; with it, times are in the reader's zone.
    fleet.sign_in(&browser, "/domains?status=active").await;
    assert_eq!(
        browser.value("location.pathname + location.search").await,
        "/domains?status=active",
        "back to where one was"
    );
    browser.click("nav a[href='/']").await;
    browser.until("the overview", "document.querySelector('h1').textContent == 'Overview'").await;
    browser.assert_harmless("the overview").await;
    browser.goto(&format!("{}/domains?q=northwind", fleet.url)).await;
    browser.assert_harmless("the list").await;
    browser.click("tbody th a").await;
    browser.until("the domain", "document.querySelector('h1').textContent == 'northwind.example'").await;
    assert_eq!(browser.value("document.querySelector('h1 + p .verdict, .row .verdict').textContent").await, "active");
    act(&browser, "suspend", "It is suspended").await;
    assert_eq!(browser.value("document.querySelector('.row .verdict').textContent").await, "suspended");
    act(&browser, "activate", "The suspension is lifted").await;
    act(&browser, "make-link", "The setup link is made").await;
    let link = browser.value("document.querySelector('#new-link').value").await;
    assert!(link.as_str().unwrap().starts_with(&format!("{}/setup/srl_", fleet.url)), "{link}");
    browser.assert_harmless("the domain").await;
    browser.click(".out button").await;
    browser.until("the sign-in", "location.pathname == '/sign-in'").await;
    browser.goto(&format!("{}/domains", fleet.url)).await;
    assert_eq!(browser.value("location.pathname").await, "/sign-in", "signed out");
    browser.close().await;
}

/// Opens a confirmation and confirms it, with the keyboard's own clicks.
async fn act(browser: &Browser, id: &str, said: &str) {
    browser
        .value(&format!("(document.querySelector('#{id}').closest('details').querySelector('summary').click(), true)"))
        .await;
    browser.click(&format!("#{id}")).await;
    browser.until(said, &format!("document.querySelector('main').textContent.includes('{said}')")).await;
}

#[tokio::test]
async fn without_script_an_operator_does_the_same() {
    let fleet = Fleet::new().await;
    let browser = Browser::open(Look::SCRIPTLESS).await;
    fleet.sign_in(&browser, "/").await;
    browser.goto(&format!("{}/domains/{}", fleet.url, fleet.main)).await;
    for (id, said) in [("suspend", "The domain is suspended"), ("activate", "The suspension is lifted")] {
        browser.click(&format!("details:has(#{id}) > summary")).await;
        browser.click(&format!("#{id}")).await;
        browser.until(said, &format!("document.querySelector('main').textContent.includes('{said}')")).await;
    }
    assert!(browser.text("time").await.ends_with("UTC"), "times stay in UTC");
    browser.close().await;
}

#[tokio::test]
async fn every_page_looks_right() {
    let fleet = Fleet::new().await;
    let browser = Browser::open(Look::LIGHT).await;
    let main = fleet.main;
    browser.goto(&format!("{}/sign-in", fleet.url)).await;
    shoot(&browser, "console-sign-in").await;
    fleet.sign_in(&browser, "/").await;
    let check =
        fleet.house.operator("GET", &format!("/v1/domains/{main}/checks"), None).await.json()["data"][0]["id"].clone();
    let broken =
        fleet.house.operator("GET", "/v1/domains/by-name/acme-outreach.example", None).await.json()["id"].clone();
    for (name, path) in [
        ("overview", "/".to_owned()),
        ("domains", "/domains".to_owned()),
        ("domain", format!("/domains/{main}")),
        ("domain-failing", format!("/domains/{}", broken.as_str().unwrap())),
        ("requirements", format!("/domains/{main}/requirements")),
        ("check", format!("/domains/{main}/checks/{}", check.as_str().unwrap())),
        ("clients", "/clients".to_owned()),
        ("audit", "/audit".to_owned()),
        ("nothing", "/domains/nonsense".to_owned()),
    ] {
        browser.goto(&format!("{}{path}", fleet.url)).await;
        shoot(&browser, &format!("console-{name}")).await;
    }
    browser.close().await;
}

/// A page in every look.
async fn shoot(browser: &Browser, name: &str) {
    // What the browser itself says of a page that is not there is no fault of the page.
    let expected = |line: &String| line.contains("404");
    for look in [Look::LIGHT, Look::DARK, Look::PHONE] {
        browser.look(look).await;
        browser.shoot(&format!("{name}-{}", look.name)).await;
        let console = browser.console().await;
        assert!(console.iter().all(expected), "{name}: {console:#?}");
        browser.assert_harmless(&format!("{name} ({})", look.name)).await;
    }
    browser.look(Look::LIGHT).await;
}
