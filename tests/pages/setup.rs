//! The setup page without a browser: what each address answers in each state, and how much of it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use sendready::service::Role;
use sendready::web::assets::{ICON, SETUP, STYLE};
use serde_json::{Value, json};
use tracing::instrument::WithSubscriber;
use uuid::Uuid;

use crate::api::house::{Answer, House};

/// A zone in which nothing is published.
const BARE: &str = "$ORIGIN example.test.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\nmx1 A 11.0.0.25\n";

/// What a whole page may weigh without a cache. The number.
const OCTETS_MAX: usize = 100 * 1_000;

/// A house with one domain that requires five records, and the token of a link to it.
struct Set {
    house: House,
    domain: Uuid,
    token: String,
}

impl Set {
    async fn new() -> Set {
        let house = House::new().await;
        let client = house.client("velocity").await;
        let body = json!({
            "client_id": client, "domain": "example.test", "provider": "manual",
            "spf": {"includes": ["_spf.provider.test"]}, "dkim": [{"selector": "s1"}, {"selector": "s2", "cname": "s2.provider.test"}],
            "mx": [{"host": "mx1.example.test", "preference": 10}],
        });
        let answer = house.operator("POST", "/v1/domains", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let domain: Uuid = answer.json()["id"].as_str().unwrap().parse().unwrap();
        let token = link(&house, domain, json!({})).await.0;
        Set { house, domain, token }
    }

    async fn get(&self, path: &str) -> Answer {
        self.house.call("GET", &format!("/setup/{}{path}", self.token), None, None).await
    }
}

/// A link's token, and where it is revoked.
async fn link(house: &House, domain: Uuid, body: Value) -> (String, String) {
    let made = house.operator("POST", &format!("/v1/domains/{domain}/setup-links"), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let url = made.json()["url"].as_str().unwrap().to_owned();
    (url.rsplit('/').next().unwrap().to_owned(), made.header("location").to_owned())
}

/// What every page has, whatever it says.
#[track_caller]
fn check_page(answer: &Answer, status: u16, heading: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("content-security-policy"), sendready::web::page::POLICY);
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.text.contains(heading), "{heading} is not in {}", answer.text);
    for inline in ["<script>", " onclick", " onload", "style=", "<style", "javascript:"] {
        assert!(!answer.text.contains(inline), "{inline} in {}", answer.text);
    }
}

#[tokio::test]
async fn a_page_shows_every_record_and_nothing_of_the_platform() {
    let set = Set::new().await;
    check_page(&set.get("").await, 200, "Looking for the first time");
    set.house.check_all(BARE).await;
    let page = set.get("").await;
    check_page(&page, 200, "5 of 5 records are still to publish");
    for shown in
        ["s1._domainkey", "_dmarc", "v=spf1 include:_spf.provider.test", "s2.provider.test", "data-verdict=\"missing\""]
    {
        assert!(page.text.contains(shown), "{shown} is not in {}", page.text);
    }
    let client =
        set.house.operator("GET", "/v1/clients", None).await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    for hidden in [set.domain.to_string(), client, "Example".to_owned(), "manual".to_owned(), "velocity".to_owned()] {
        assert!(!page.text.contains(&hidden), "{hidden} is in {}", page.text);
    }
    let weight = page.text.len() + [&STYLE, &ICON, &SETUP].iter().map(|asset| asset.octets()).sum::<usize>();
    assert!(weight < OCTETS_MAX, "{weight} octets");
    let head = set.house.call("HEAD", &format!("/setup/{}", set.token), None, None).await;
    check_page(&head, 200, "");
    assert_eq!(head.text, "");
}

#[tokio::test]
async fn the_end_is_clear() {
    let set = Set::new().await;
    let zone = format!(
        "{BARE}@ TXT \"v=spf1 include:_spf.provider.test -all\"\n_dmarc TXT \"v=DMARC1; p=none\"\n@ MX 10 mx1\n\
         s1._domainkey TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n\
         s2._domainkey CNAME s2.provider.test.\n$ORIGIN provider.test.\n@ SOA ns1 h 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\n\
         _spf TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\ns2 TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
    );
    set.house.check_all(&zone).await;
    let page = set.get("").await;
    check_page(&page, 200, "Ready: everything is in place");
    assert!(page.text.contains("you may close this page"), "{}", page.text);
    assert_eq!(page.text.matches("data-verdict=\"valid\"").count(), 5, "{}", page.text);
    let path = format!("/v1/domains/{}", set.domain);
    let held = set.house.operator("PATCH", &path, Some(json!({"status": "suspended"}))).await;
    assert_eq!(held.status, 200, "{}", held.text);
    check_page(&set.get("").await, 200, "Your records are right; the domain is on hold");
}

#[tokio::test]
async fn the_proof_of_ownership_is_the_first_record() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let (_, key) = house.key(Role::Client, Some(client)).await;
    let body = json!({"client_id": client, "domain": "example.test", "provider": "manual",
        "dkim": [{"selector": "s1"}], "mx": [{"host": "mx1.example.test", "preference": 10}]});
    let answer = house.call("POST", "/v1/domains", Some(&key), Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let domain: Uuid = answer.json()["id"].as_str().unwrap().parse().unwrap();
    let proof = answer.json()["ownership"]["value"].as_str().unwrap().to_owned();
    let set = Set { token: link(&house, domain, json!({})).await.0, house, domain };
    let rest = format!(
        "{BARE}@ TXT \"v=spf1 ip4:11.0.0.25 -all\"\n_dmarc TXT \"v=DMARC1; p=none\"\n@ MX 10 mx1\n\
         s1._domainkey TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
    );
    set.house.check_all(&rest).await;
    let page = set.get("").await;
    check_page(&page, 200, "1 of 5 records is still to publish");
    for shown in ["1. Ownership", "_sendready-challenge", &proof] {
        assert!(page.text.contains(shown), "{shown} is not in {}", page.text);
    }
    let csv = set.get("/records.csv").await.text;
    assert!(
        csv.contains(&format!("ownership,TXT,_sendready-challenge,_sendready-challenge.example.test,{proof},")),
        "{csv}"
    );
    let zone = set.get("/records.zone").await.text;
    assert!(zone.contains(&format!("_sendready-challenge\t3600\tIN\tTXT\t\"{proof}\"")), "{zone}");
    let again = format!("/v1/domains/{}/verify", set.domain);
    set.house.hand.advance(Duration::from_secs(60));
    assert_eq!(set.house.operator("POST", &again, None).await.status, 202);
    set.house.check_all(&format!("{rest}_sendready-challenge TXT \"{proof}\"\n")).await;
    let page = set.get("").await;
    check_page(&page, 200, "Ready: everything is in place");
    assert!(page.text.contains("The record is not needed any more."), "{}", page.text);
}

#[tokio::test]
async fn a_link_that_opens_nothing_says_so_kindly() {
    let set = Set::new().await;
    let get = async |path: String| set.house.call("GET", &path, None, None).await;
    let (revoked, place) = link(&set.house, set.domain, json!({})).await;
    assert_eq!(set.house.operator("DELETE", &place, None).await.status, 204);
    let unknown = get(format!("/setup/srl_{}", "A".repeat(43))).await;
    check_page(&unknown, 404, "This link does not open anything");
    assert!(unknown.text.contains("ask whoever sent you the link"), "{}", unknown.text);
    let same = get(format!("/setup/{revoked}")).await;
    assert_eq!((same.status, &same.text), (unknown.status, &unknown.text), "nobody is told which");
    for odd in ["x".to_owned(), "srl_".to_owned(), "%ff".to_owned(), set.house.operator.clone(), "a".repeat(5_000)] {
        assert_eq!(get(format!("/setup/{odd}")).await.text, unknown.text, "{odd}");
    }
    for path in ["/stream", "/records.zone", "/records.csv", "/records.txt"] {
        check_page(&get(format!("/setup/{revoked}{path}")).await, 404, "This link does not open anything");
    }
    check_page(&set.house.call("POST", &format!("/setup/{revoked}/verify"), None, None).await, 404, "This link");

    let (short, _) = link(&set.house, set.domain, json!({"expires_in": 60})).await;
    check_page(&get(format!("/setup/{short}")).await, 200, "example.test");
    set.house.hand.advance(Duration::from_secs(60));
    let expired = get(format!("/setup/{short}")).await;
    check_page(&expired, 410, "This link has expired");
    assert!(expired.text.contains("until 15 January 2027, 08:01 UTC"), "{}", expired.text);

    assert_eq!(set.house.operator("DELETE", &format!("/v1/domains/{}", set.domain), None).await.status, 204);
    check_page(&set.get("").await, 410, "This domain is not being set up any more");
}

#[tokio::test]
async fn without_a_database_the_page_says_whose_fault_it_is() {
    let set = Set::new().await;
    match set.house.service.store().db() {
        sendready::store::Db::Sqlite(pool) => pool.close().await,
        sendready::store::Db::Postgres(pool) => pool.close().await,
    }
    let page = set.get("").await;
    check_page(&page, 503, "We cannot show your records just now");
    assert!(page.text.contains("on our side") && !page.header("retry-after").is_empty(), "{}", page.text);
}

#[tokio::test]
async fn asking_for_a_check_leads_back_and_too_often_is_said_kindly() {
    let set = Set::new().await;
    set.house.check_all(BARE).await;
    let verify = format!("/setup/{}/verify", set.token);
    for _ in 0..6 {
        let answer = set.house.call("POST", &verify, None, None).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, format!("/setup/{}", set.token).as_str())
        );
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
    let often = set.house.call("POST", &verify, None, None).await;
    check_page(&often, 429, "We are on it already");
    let seconds: u64 = often.header("retry-after").parse().unwrap();
    assert!(
        (1..=60).contains(&seconds) && often.text.contains(&format!("again in {seconds} seconds")),
        "{}",
        often.text
    );
    assert!(often.text.contains("5 of 5 records are still to publish"), "the records stay: {}", often.text);
}

#[tokio::test]
async fn text_out_of_dns_stays_text() {
    let set = Set::new().await;
    let hostile = "v=spf1 <script>alert(1)</script> \\226\\128\\174 \\240\\159\\152\\128 \\255 ' onload=x -all";
    let key = format!("s1._domainkey TXT {}\n", format!("\"{}\" ", "<b>&\\034".repeat(30)).repeat(24));
    set.house.check_all(&format!("{BARE}@ TXT \"{hostile}\"\n{key}")).await;
    let page = set.get("").await;
    assert_eq!(page.text.matches("<script").count(), 1, "ours: {}", page.text);
    assert!(!page.text.contains("<b>") && page.text.contains("script&#62;alert(1)"), "{}", page.text);
    let weight = page.text.len() + [&STYLE, &ICON, &SETUP].iter().map(|asset| asset.octets()).sum::<usize>();
    assert!(weight < OCTETS_MAX, "{weight} octets");
}

#[tokio::test]
async fn fields_are_as_the_provider_wants_them() {
    let set = Set::new().await;
    let plain = set.get("").await;
    assert!(plain.text.contains("value=\"@\"") && !plain.text.contains("leave this field empty"), "{}", plain.text);
    let zone = BARE.replace("@ NS ns1\n", "@ NS ns-1.awsdns-00.com.\n");
    set.house.check_all(&zone).await;
    let page = set.get("").await;
    assert!(page.text.contains("href=\"https://console.aws.amazon.com/route53/\""), "{}", page.text);
    assert!(page.text.contains("leave this field empty") && !page.text.contains("value=\"@\""), "{}", page.text);
    assert!(page.text.contains(">&#34;v=spf1 include:_spf.provider.test ~all&#34;</textarea>"), "{}", page.text);
    assert!(page.text.contains(">10 mx1.example.test</textarea>"), "{}", page.text);
}

#[tokio::test]
async fn records_can_be_taken_away() {
    let set = Set::new().await;
    set.house.check_all(BARE).await;
    for (path, media_type, file, holds) in [
        ("/records.zone", "text/dns", "example.test.zone", "s2._domainkey\t3600\tIN\tCNAME\ts2.provider.test."),
        (
            "/records.csv",
            "text/csv; charset=utf-8",
            "example.test.csv",
            "mx,MX,@,example.test,mx1.example.test,10,3600,add,missing",
        ),
        (
            "/records.txt",
            "text/plain; charset=utf-8",
            "example.test.txt",
            "   Host:     s1._domainkey   (in full: s1._domainkey.example.test)",
        ),
    ] {
        let answer = set.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, media_type));
        assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{file}\""));
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.text.contains(holds), "{holds} is not in {}", answer.text);
    }
}

#[tokio::test]
async fn the_stream_tells_the_page_at_once() {
    let set = Set::new().await;
    set.house.check_all(BARE).await;
    set.house.service.close();
    let answer = set.get("/stream").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/event-stream"));
    assert!(answer.text.starts_with("event: page\n"), "{}", answer.text);
    assert_eq!(answer.text.matches("event: page").count(), 1, "nothing new is nothing told: {}", answer.text);
    let page = set.get("").await;
    let told: Vec<&str> = answer.text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    for id in ["headline", "r1-verdict", "r5-state"] {
        assert!(told.iter().any(|line| line.contains(&format!("id=\"{id}\""))), "{id} is not in {told:#?}");
    }
    let told: Vec<&str> = told.into_iter().filter(|line| line.contains("data-live")).collect();
    assert!(
        told.iter().all(|line| page.text.contains(line)),
        "the parts are those of the page: {told:#?} {}",
        page.text
    );
}

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_token_is_logged() {
    let set = Set::new().await;
    let log = Log::default();
    let writer = log.clone();
    let most = tracing::Level::TRACE;
    let subscriber = tracing_subscriber::fmt().with_max_level(most).with_writer(move || writer.clone()).finish();
    let calls = async {
        for path in ["", "/records.zone", "/stream?x=1", "/nothing/here"] {
            let request = Request::get(format!("/setup/{}{path}", set.token)).body(Body::empty()).unwrap();
            if path.starts_with("/stream") {
                set.house.service.close();
            }
            set.house.send(request).await;
        }
        set.house.call("POST", &format!("/setup/{}/verify", set.token), None, None).await;
        set.house.call("DELETE", &format!("/setup/{}", set.token), None, None).await;
    };
    calls.with_subscriber(subscriber).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("/setup/{token}/verify"), "the route is logged: {log}");
    assert!(!log.contains("srl_"), "{log}");
}
