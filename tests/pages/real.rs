//! In a real browser, with knot behind the service: what a person at a DNS panel goes through.

use std::path::Path;
use std::time::Instant;

use sendready::protocol::master_file;
use serde_json::{Value, json};

use crate::support::browser::{Browser, Look, PATIENCE};
use crate::support::knot::Knot;
use crate::support::process::Serve;
use crate::support::unbound::Unbound;

const ZONE: &str = "example.test";

/// What the zone holds before anybody publishes anything. A negative answer is kept for one second.
const BARE: &str = "$TTL 1\n@ SOA ada.ns.cloudflare.com. hostmaster 1 3600 600 86400 1\n@ NS ada.ns.cloudflare.com.\nmx1 A 192.0.2.25\n";

const PROVIDER: &str = "$TTL 1\n@ SOA ns1 hostmaster 1 3600 600 86400 1\n@ NS ns1\nns1 A 127.0.0.1\n_spf TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\n";

/// The zones above, and that of the name servers: a policy is looked for in the first, a panel is known by the second.
const ABOVE: &str = "$TTL 1\n@ SOA ns1 hostmaster 1 3600 600 86400 1\n@ NS ns1\nns1 A 127.0.0.1\nexample NS ada.ns.cloudflare.com.\n\
    provider NS ns1.provider\nns1.provider A 127.0.0.1\n";
const SERVERS: &str = "$TTL 1\n@ SOA ada hostmaster 1 3600 600 86400 1\n@ NS ada\nada A 127.0.0.1\n";

/// Short intervals, so that minutes become seconds.
const SETTINGS: &[(&str, &str)] = &[
    ("SENDREADY_CHECKS__MIN_INTERVAL", "1s"),
    ("SENDREADY_CHECKS__PENDING_LADDER", "1h/1s"),
    ("SENDREADY_CHECKS__ACTIVE_INTERVAL", "1s"),
    ("SENDREADY_CHECKS__DEGRADED_INTERVAL", "1s"),
];

/// An RSA key of 2,048 bits, made for tests.
const KEY: &str = include_str!("../../fixtures/keys/rsa-2048.b64");

struct World {
    knot: Knot,
    /// Between the service and knot, as long as the world is.
    _unbound: Unbound,
    serve: Serve,
    /// The domain's id.
    id: String,
    /// Of the setup page.
    url: String,
    _folder: tempfile::TempDir,
}

impl World {
    /// A domain with four records to publish, and a link to its setup page.
    async fn start() -> World {
        let folder = tempfile::tempdir().unwrap();
        let zones = [(ZONE, BARE), ("provider.test", PROVIDER), ("test", ABOVE), ("ns.cloudflare.com", SERVERS)];
        let knot = Knot::start(&zones);
        let unbound = Unbound::start(&zones.map(|(zone, _)| zone), knot.address);
        let serve = serve(folder.path(), &knot, &unbound);
        let (_, client) = serve.api("POST", "/v1/clients", Some(json!({"name": "Example", "tier": "ignition"}))).await;
        let body = json!({
            "client_id": client["id"], "domain": "Example.TEST", "provider": "manual",
            "spf": {"includes": ["_spf.provider.test"]}, "dkim": [{"selector": "s1", "public_key": KEY.trim()}],
            "mx": [{"host": "mx1.example.test", "preference": 10}],
        });
        let (status, domain) = serve.api("POST", "/v1/domains", Some(body)).await;
        assert_eq!(status, 201, "{domain:#}");
        let id = domain["id"].as_str().unwrap().to_owned();
        let (status, link) = serve.api("POST", &format!("/v1/domains/{id}/setup-links"), None).await;
        assert_eq!(status, 201, "{link:#}");
        let token = link["url"].as_str().unwrap().rsplit('/').next().unwrap();
        let url = format!("{}/setup/{token}", serve.url);
        World { knot, _unbound: unbound, serve, id, url, _folder: folder }
    }

    async fn records(&self) -> Vec<Value> {
        let path = format!("/v1/domains/{}/records", self.id);
        let looked = |_, body: &Value| !body["checked_at"].is_null();
        let body = self.serve.until(&path, "a check", looked).await;
        body["records"].as_array().unwrap().clone()
    }

    /// Publishes records as the service says, word for word.
    fn publish(&self, records: &[Value]) {
        for record in records {
            let text = |field: &str| record[field].as_str().unwrap();
            let data = match text("type") {
                "TXT" => master_file::txt(text("value").as_bytes()),
                "MX" => format!("{} {}.", record["priority"], text("value")),
                _ => format!("{}.", text("value")),
            };
            self.knot.edit(ZONE, &[&["zone-set", text("host"), "1", text("type"), &data]]);
        }
    }
}

fn serve(folder: &Path, knot: &Knot, unbound: &Unbound) -> Serve {
    let (resolver, port) = (unbound.address.to_string(), knot.address.port().to_string());
    let options =
        ["--resolver", &resolver, "--timeout", "1s", "--authoritative-port", &port, "--allow-private-servers"];
    Serve::start(folder, "sqlite:page.db", &options, SETTINGS)
}

/// The page as each look shows it, harmless in each, and a picture of it.
async fn shoot_all(browser: &Browser, state: &str) {
    for look in [Look::LIGHT, Look::DARK, Look::PHONE] {
        browser.look(look).await;
        browser.assert_harmless(&format!("{state} {}", look.name)).await;
        browser.shoot(&format!("setup-{state}-{}", look.name)).await;
    }
    browser.look(Look::LIGHT).await;
}

/// True once each verdict is this.
fn all(verdict: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-verdict]')].map(one => one.dataset.verdict).join() == '{verdict},{verdict},{verdict},{verdict}'"
    )
}

#[tokio::test]
async fn a_browser_starts_looks_and_ends() {
    const PLAIN: &str = "data:text/html,<!doctype html><html lang=en><title>t</title><meta name=viewport content='width=device-width'>\
        <main><h1>Hello</h1><a href='%23x' onclick='document.title=42'>go</a></main>";
    let browser = Browser::open(Look::PHONE).await;
    browser.goto(PLAIN).await;
    assert_eq!(browser.text("h1").await, "Hello");
    assert_eq!(browser.value("window.innerWidth").await, 360);
    browser.assert_harmless("a plain page").await;
    browser.look(Look::DARK).await;
    assert_eq!(browser.value("matchMedia('(prefers-color-scheme: dark)').matches").await, true);
    browser.click("a").await;
    browser.until("the script's title", "document.title == '42'").await;
    browser.value("console.error('a fault') || 1").await;
    assert!(browser.console().await.iter().any(|line| line.contains("a fault")));
    browser.close().await;
}

#[tokio::test]
async fn from_the_link_to_green() {
    let world = World::start().await;
    let records = world.records().await;
    let browser = Browser::open(Look::LIGHT).await;
    browser.goto(&world.url).await;
    browser.until("nothing is there", &all("missing")).await;
    assert!(browser.text("#headline").await.starts_with("4 of 4 records are still to publish"));
    assert_eq!(browser.value("document.querySelector('#steps a').href").await, "https://dash.cloudflare.com/");
    shoot_all(&browser, "missing").await;

    // A copy button says that it did.
    browser.click("[data-copy=r2-value]").await;
    browser
        .until("the word of the button", "document.querySelector('[data-copy=r2-value]').classList.contains('done')")
        .await;
    assert_eq!(browser.value("document.getElementById('say').textContent").await, "Copied");

    // Something else is there: the page shows what differs, and the focus stays where it is.
    browser.value("document.getElementById('r2-host').focus() || 1").await;
    let wrong = "\"v=spf1 include:_spf.elsewhere.test ~all\"";
    world.knot.edit(
        ZONE,
        &[&["zone-set", "@", "1", "TXT", wrong], &["zone-set", "_dmarc", "1", "TXT", "\"v=DMARC1; p=nome\""]],
    );
    browser
        .until(
            "the difference",
            "document.querySelectorAll('del').length > 0 && document.querySelectorAll('ins').length > 0",
        )
        .await;
    assert_eq!(browser.value("document.activeElement.id").await, "r2-host");
    shoot_all(&browser, "wrong").await;

    world.knot.edit(ZONE, &[&["zone-unset", "@", "TXT"], &["zone-unset", "_dmarc", "TXT"]]);
    browser.until("nothing is there again", &all("missing")).await;
    let place = "['#r1-verdict', '#verify'].map(css => document.querySelector(css).getBoundingClientRect()).map(box => [box.left, box.top + scrollY, box.width])";
    let before = browser.value(place).await;
    world.publish(&records);
    browser.click("#verify button").await;
    browser.until("all is right, without a reload", &all("valid")).await;
    browser.until("the end", "document.querySelector('#headline').dataset.done == 'true'").await;
    assert!(browser.text("#headline").await.contains("There is nothing more to do; you may close this page."));
    assert!(browser.value("document.title").await.as_str().unwrap().starts_with("Ready: everything is in place"));
    assert_eq!(browser.value(place).await, before, "nothing has moved");
    shoot_all(&browser, "ready").await;

    browser.close().await;
}

#[tokio::test]
async fn what_strangers_publish_is_text() {
    let world = World::start().await;
    world.records().await;
    let script = "v=spf1 <script>window.owned=1</script><img src=x onerror=window.owned=1> -all";
    // The first string is turned around by a mark of direction; a face, a letter that is no UTF-8, and 4 KB.
    let odd = format!(
        "\"v=DKIM1; \\226\\128\\174 \\240\\159\\152\\128 \\255 <svg onload=window.owned=1>\" {}",
        "\"0123456789abcdef<b>&;\\\"'\" ".repeat(180)
    );
    world.knot.edit(
        ZONE,
        &[
            &["zone-set", "@", "1", "TXT", &format!("\"{script}\"")],
            &["zone-set", "s1._domainkey", "1", "TXT", &odd],
            &["zone-set", "_dmarc", "1", "TXT", "\"v=DMARC1; p=none; rua=mailto:<script>window.owned=1</script>\""],
        ],
    );
    let browser = Browser::open(Look::LIGHT).await;
    browser.goto(&world.url).await;
    browser.until("the text", "document.querySelector('#r1-state').textContent.includes('window.owned=1')").await;
    browser
        .until("the long text", "document.querySelector('#r2-state').textContent.includes('0123456789abcdef<b>')")
        .await;
    assert_eq!(browser.value("typeof window.owned").await, "undefined");
    assert_eq!(browser.value("document.querySelectorAll('main script, main img, main svg, main b').length").await, 0);
    let hidden = r"/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u0000-\u0008]/.test(document.body.textContent)";
    assert_eq!(browser.value(hidden).await, false, "no mark of direction");
    shoot_all(&browser, "hostile").await;
    browser.close().await;
}

#[tokio::test]
async fn everything_works_with_script_off() {
    let world = World::start().await;
    let records = world.records().await;
    let browser = Browser::open(Look::SCRIPTLESS).await;
    browser.goto(&world.url).await;
    assert!(browser.text("#headline").await.starts_with("4 of 4 records"), "no script is needed to see it");
    assert!(browser.text("noscript").await.contains("Reload it"));
    assert_eq!(browser.value("getComputedStyle(document.querySelector('.copy')).display").await, "none");
    let value = browser.value("document.querySelector('#r2-value').value").await;
    assert!(value.as_str().unwrap().contains(KEY.trim()), "the value can be selected: {value}");
    browser.shoot("setup-missing-scriptless").await;
    world.publish(&records);
    browser.click("#verify button").await;
    assert_eq!(browser.value("location.href").await, world.url.as_str(), "the button leads back");
    let begun = Instant::now();
    while !browser.text("#headline").await.starts_with("Ready") {
        assert!(begun.elapsed() < PATIENCE, "{}", browser.text("main").await);
        browser.click("noscript a").await;
    }
    browser.close().await;
}

#[tokio::test]
async fn ends_of_links_look_like_something() {
    let world = World::start().await;
    let browser = Browser::open(Look::LIGHT).await;
    browser.goto(&format!("{}/setup/srl_unknown", world.serve.url)).await;
    assert_eq!(browser.text("h1").await, "This link does not open anything");
    // The browser itself logs that the page is a 404.
    browser.console().await;
    shoot_all(&browser, "unknown").await;
    let (status, body) = world.serve.api("DELETE", &format!("/v1/domains/{}", world.id), None).await;
    assert_eq!(status, 204, "{body:#}");
    browser.goto(&world.url).await;
    assert_eq!(browser.text("h1").await, "This domain is not being set up any more");
    browser.console().await;
    shoot_all(&browser, "gone").await;
    browser.close().await;
}
