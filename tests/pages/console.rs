//! The operator console without a browser: who gets in, what forms must carry, and what the pages say.

mod real;

use axum::body::Body;
use axum::http::Request;
use sendready::service::Role;
use sendready::store::db::Db;
use serde_json::json;
use sqlx::{AssertSqlSafe, raw_sql};
use uuid::Uuid;

use crate::api::house::{Answer, House};

/// A zone in which hostile texts are published.
const HOSTILE: &str = "$ORIGIN own.example.com.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 11.0.0.53\n\
    @ TXT \"v=spf1 <script>alert(1)</script> -all\"\n_dmarc TXT \"v=DMARC1; p=none; rua=mailto:\\\"><img src=x onerror=alert(1)>\"\n\
    s1._domainkey TXT \"</pre><svg onload=alert(1)>\"\n";

/// What a whole page may weigh without a cache. The number.
const OCTETS_MAX: usize = 100 * 1_000;

/// Somebody's browser.
pub struct Visitor<'h> {
    house: &'h House,
    cookie: String,
    /// What forms carry.
    form_token: String,
}

impl<'h> Visitor<'h> {
    /// Signs in with the first operator's key.
    pub async fn operator(house: &'h House) -> Visitor<'h> {
        Visitor::with_key(house, &house.operator).await
    }

    async fn with_key(house: &'h House, key: &str) -> Visitor<'h> {
        let answer = post(house, "/sign-in", &[], &[("key", key), ("to", "/")]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"), "{}", answer.text);
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let mut visitor = Visitor { house, cookie, form_token: String::new() };
        let page = visitor.get("/domains").await;
        visitor.form_token = form_token(&page.text);
        visitor
    }

    async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("cookie", &self.cookie).body(Body::empty()).unwrap();
        self.house.send(request).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields = [&[("form_token", self.form_token.as_str())], fields].concat();
        post(self.house, path, &[("cookie", &self.cookie), ("sec-fetch-site", "same-origin")], &fields).await
    }
}

fn form_token(page: &str) -> String {
    let (_, behind) = page.split_once("name=\"form_token\" value=\"").expect("a form");
    behind.split('"').next().unwrap().to_owned()
}

async fn post(house: &House, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let escape = |text: &str| text.bytes().map(|octet| format!("%{octet:02x}")).collect::<String>();
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    house.send(request.body(Body::from(pairs.join("&"))).unwrap()).await
}

/// What every page has, whatever it says.
#[track_caller]
fn check_page(answer: &Answer, status: u16, heading: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("content-security-policy"), sendready::web::page::POLICY);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.text.contains(heading), "{heading} is not in {}", answer.text);
    for inline in ["<script>", " onclick", "<svg onload", "<img src=x", "style=", "<style", "javascript:"] {
        assert!(!answer.text.contains(inline), "{inline} in {}", answer.text);
    }
    assert!(answer.text.len() < OCTETS_MAX, "{} octets", answer.text.len());
}

/// Every page and every form of the console.
fn routes(domain: Uuid, check: &str, link: &str) -> Vec<(&'static str, String)> {
    let of_domain = |rest: &str| format!("/domains/{domain}{rest}");
    vec![
        ("GET", "/".to_owned()),
        ("GET", "/domains".to_owned()),
        ("GET", "/clients".to_owned()),
        ("GET", "/audit".to_owned()),
        ("GET", of_domain("")),
        ("GET", of_domain("/requirements")),
        ("GET", of_domain(&format!("/checks/{check}"))),
        ("POST", "/sign-out".to_owned()),
        ("POST", "/breaker/accept".to_owned()),
        ("POST", of_domain("/verify")),
        ("POST", of_domain("/suspend")),
        ("POST", of_domain("/activate")),
        ("POST", of_domain("/requirements")),
        ("POST", of_domain("/transfer")),
        ("POST", of_domain("/setup-links")),
        ("POST", of_domain(&format!("/setup-links/{link}/revoke"))),
    ]
}

/// A client with a domain that was checked once, and the check.
async fn with_domain(house: &House) -> (Uuid, String) {
    let client = house.client("velocity").await;
    let domain = house.domain(client, "own.example.com").await;
    assert_eq!(house.check_all(HOSTILE).await, 1);
    let checks = house.operator("GET", &format!("/v1/domains/{domain}/checks"), None).await.json();
    (domain, checks["data"][0]["id"].as_str().unwrap().to_owned())
}

async fn status_of(house: &House, domain: Uuid) -> String {
    let shown = house.operator("GET", &format!("/v1/domains/{domain}"), None).await.json();
    shown["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_gets_in_without_an_operator_s_key() {
    let house = House::new().await;
    let (domain, check) = with_domain(&house).await;
    let client = house.client("velocity").await;
    let (_, client_key) = house.key(Role::Client, Some(client)).await;
    let (_, hook_key) = house.key(Role::Hook, None).await;
    for (method, path) in routes(domain, &check, &check) {
        for cookie in ["", "__Host-sendready=", "__Host-sendready=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let request = Request::builder().method(method).uri(&path).header("cookie", cookie);
            let answer = house.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 303, "{method} {path}");
            assert!(answer.header("location").starts_with("/sign-in"), "{method} {path}");
        }
        // A key is for the API: here it is no session, whoever's it is.
        for key in [&client_key, &house.operator] {
            let answer = house.call(method, &path, Some(key), None).await;
            assert_eq!(answer.status, 303, "{method} {path}");
        }
    }
    for (key, said) in
        [(&client_key, "not an operator"), (&hook_key, "not an operator"), (&"sr_x".to_owned(), "not known")]
    {
        let answer = post(&house, "/sign-in", &[], &[("key", key)]).await;
        check_page(&answer, 403, "That did not work");
        assert!(answer.text.replace("&#39;", "'").contains(said), "{}", answer.text);
        assert_eq!(answer.header("set-cookie"), "");
        assert!(!answer.text.contains(key.as_str()), "a key is not shown again");
    }
    assert_eq!(status_of(&house, domain).await, "pending");
}

#[tokio::test]
async fn the_cookie_is_for_this_host_and_no_script() {
    let house = House::new().await;
    let answer = post(&house, "/sign-in", &[], &[("key", &format!(" {}\n", house.operator))]).await;
    let cookie = answer.header("set-cookie");
    let (value, rest) = cookie.split_once(';').unwrap();
    assert_eq!(value.strip_prefix("__Host-sendready=").map(str::len), Some(43), "256 bits: {cookie}");
    assert_eq!(rest, " Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure");
    let plain = House::set_to(|settings| settings.public_url = "http://127.0.0.1:8080".to_owned()).await;
    let answer = post(&plain, "/sign-in", &[], &[("key", &plain.operator)]).await;
    let (value, rest) = answer.header("set-cookie").split_once(';').unwrap();
    assert!(value.starts_with("sendready="), "{value}");
    assert_eq!(rest, " Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    let visitor = Visitor::operator(&house).await;
    let out = visitor.post("/sign-out", &[]).await;
    assert_eq!((out.status.as_u16(), out.header("location")), (303, "/sign-in"));
    assert!(out.header("set-cookie").starts_with("__Host-sendready=; Path=/; Max-Age=0;"));
    assert_eq!(visitor.get("/").await.status, 303, "the cookie opens nothing any more");
}

#[tokio::test]
async fn one_comes_back_to_where_one_was_and_nowhere_else() {
    let house = House::new().await;
    let answer = house.call("GET", "/domains?status=active&q=a", None, None).await;
    assert_eq!(answer.header("location"), "/sign-in?to=/domains%3Fstatus%3Dactive%26q%3Da");
    let form = house.call("GET", answer.header("location"), None, None).await;
    check_page(&form, 200, "value=\"/domains?status=active&#38;q=a\"");
    let places = [
        ("/domains?status=active&q=a", "/domains?status=active&q=a"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/a\r\nx: y", "/"),
    ];
    for (to, expected) in places {
        let answer = post(&house, "/sign-in", &[], &[("key", &house.operator), ("to", to)]).await;
        assert_eq!(answer.header("location"), expected, "{to}");
    }
    let visitor = Visitor::operator(&house).await;
    assert_eq!(visitor.get("/sign-in?to=//evil.example").await.header("location"), "/");
    let request = Request::get("/").header("hx-request", "true").body(Body::empty()).unwrap();
    let by_htmx = house.send(request).await;
    assert_eq!((by_htmx.status.as_u16(), by_htmx.header("hx-redirect")), (204, "/sign-in"));
}

#[tokio::test]
async fn a_session_ends_with_its_key_and_with_time_and_survives_a_restart() {
    let house = House::new().await;
    let (key_id, key) = house.key(Role::Operator, None).await;
    let visitor = Visitor::with_key(&house, &key).await;
    let other = Visitor::operator(&house).await;
    check_page(&visitor.get("/").await, 200, "Overview");
    house.hand.advance(std::time::Duration::from_secs(60));
    check_page(&visitor.get("/").await, 200, "Overview");
    // Another process, with nothing in its memory.
    let store = house.service.store().clone();
    let again = sendready::service::Service::new(
        store,
        crate::api::house::settings(),
        house.hand.clock(),
        sendready::chance::Chance::System,
    );
    let health = sendready::http::health::Health::default();
    let router =
        sendready::http::router_with(again.clone(), health.clone(), None, sendready::web::router(again, health));
    let request = Request::get("/").header("cookie", &visitor.cookie).body(Body::empty()).unwrap();
    let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
    assert_eq!(answer.status(), 200);
    house.service.key_revoke(key_id).await.unwrap();
    assert_eq!(visitor.get("/").await.status, 303, "at once");
    assert_eq!(post(&house, "/sign-in", &[], &[("key", &key)]).await.status, 403);
    check_page(&other.get("/").await, 200, "Overview");
    house.hand.advance(sendready::service::console::SESSION_TIME);
    assert_eq!(other.get("/").await.status, 303, "after twelve hours");
}

#[tokio::test]
async fn forms_from_elsewhere_change_nothing() {
    let house = House::new().await;
    let (domain, check) = with_domain(&house).await;
    let visitor = Visitor::operator(&house).await;
    let other = Visitor::operator(&house).await;
    assert_ne!(visitor.form_token, other.form_token);
    let cookie = ("cookie", visitor.cookie.as_str());
    for (method, path) in routes(domain, &check, &check) {
        if method == "GET" {
            continue;
        }
        let own = visitor.form_token.as_str();
        let cases = [
            ("no token", vec![cookie], ""),
            ("another session's token", vec![cookie], other.form_token.as_str()),
            ("half a token", vec![cookie], &own[..20]),
            ("another site", vec![cookie, ("sec-fetch-site", "cross-site")], own),
            ("a neighbour", vec![cookie, ("sec-fetch-site", "same-site")], own),
        ];
        for (why, headers, token) in cases {
            let answer = post(&house, &path, &headers, &[("form_token", token)]).await;
            check_page(&answer, 403, "This form is out of date");
            assert_eq!(answer.header("set-cookie"), "", "{why}: {path}");
        }
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(post(&house, "/sign-in", &foreign, &[("key", &house.operator)]).await.status, 403, "nor signs in");
    assert_eq!(status_of(&house, domain).await, "pending");
    let links = house.operator("GET", &format!("/v1/domains/{domain}/setup-links"), None).await.json();
    assert_eq!(links["data"], json!([]));
    check_page(&visitor.get("/").await, 200, "Overview");
}

#[tokio::test]
async fn wrong_keys_are_bounded() {
    let house = House::new().await;
    let mut tries = 0;
    let refused = loop {
        let answer = post(&house, "/sign-in", &[], &[("key", "sr_wrong")]).await;
        match answer.status.as_u16() {
            403 => tries += 1,
            _ => break answer,
        }
        assert!(tries < 1_000, "no bound");
    };
    check_page(&refused, 429, "Too many wrong keys");
    assert_eq!(tries, 100, "those whose address nobody knows share one bound");
    assert_eq!(refused.header("retry-after"), "300");
    house.hand.advance(std::time::Duration::from_secs(300));
    let visitor = Visitor::operator(&house).await;
    check_page(&visitor.get("/").await, 200, "Overview");
}

#[tokio::test]
async fn what_is_done_is_done_and_said() {
    let house = House::new().await;
    let (domain, _) = with_domain(&house).await;
    let visitor = Visitor::operator(&house).await;
    let path = format!("/domains/{domain}");
    for (act, status, said) in
        [("suspend", "suspended", "The domain is suspended."), ("activate", "pending", "The suspension is lifted.")]
    {
        let answer = visitor.post(&format!("{path}/{act}"), &[]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        check_page(&visitor.get(answer.header("location")).await, 200, said);
        assert_eq!(status_of(&house, domain).await, status);
    }
    let verify = visitor.post(&format!("{path}/verify"), &[]).await;
    check_page(&visitor.get(verify.header("location")).await, 200, "A check is on its way");
    for _ in 0..5 {
        visitor.post(&format!("{path}/verify"), &[]).await;
    }
    let too_often = visitor.post(&format!("{path}/verify"), &[]).await;
    check_page(&too_often, 429, "too often");
    assert!(!too_often.header("retry-after").is_empty());
    let made = visitor.post(&format!("{path}/setup-links"), &[]).await;
    check_page(&made, 200, "https://sendready.example/setup/srl_");
    let page = visitor.get(&path).await;
    assert!(!page.text.contains("srl_"), "shown once");
    let link = page.text.split_once("/setup-links/").unwrap().1.split('/').next().unwrap().to_owned();
    let revoke = visitor.post(&format!("{path}/setup-links/{link}/revoke"), &[]).await;
    check_page(&visitor.get(revoke.header("location")).await, 200, "The setup link is revoked");
    let again = visitor.post(&format!("{path}/setup-links/{link}/revoke"), &[]).await;
    check_page(&again, 404, "There is no setup link");
    check_page(&visitor.post(&format!("{path}/transfer"), &[("client_id", "x")]).await, 422, "This could not be done");
    let other = house.client("velocity").await.to_string();
    let transfer = visitor.post(&format!("{path}/transfer"), &[("client_id", &other)]).await;
    check_page(&visitor.get(transfer.header("location")).await, 200, "belong to the other client now");
    let shown = house.operator("GET", &path.replace("/domains", "/v1/domains"), None).await.json();
    assert_eq!(shown["client_id"], other);
    let accepted = visitor.post("/breaker/accept", &[]).await;
    check_page(&visitor.get(accepted.header("location")).await, 200, "is accepted");
    let audit = house.operator("GET", "/v1/audit", None).await.json();
    let written = |row: &serde_json::Value| {
        format!("{} {} {}", row["operation"], row["outcome"], row["path"])
            .replace('"', "")
            .replace(&domain.to_string(), "ID")
    };
    let written: Vec<String> = audit["data"].as_array().unwrap().iter().map(written).collect();
    assert!(written.contains(&"domain_transfer done /domains/ID/transfer".to_owned()), "{written:#?}");
    assert!(written.contains(&"setup_link_create done /domains/ID/setup-links".to_owned()), "{written:#?}");
    check_page(&visitor.get(&format!("/audit?domain={domain}")).await, 200, "<code>domain_change</code>");
}

#[tokio::test]
async fn requirements_are_read_as_the_api_reads_them() {
    let house = House::new().await;
    let (domain, _) = with_domain(&house).await;
    let visitor = Visitor::operator(&house).await;
    let path = format!("/domains/{domain}/requirements");
    check_page(&visitor.get(&path).await, 200, ">s1</textarea>");
    let same = [("dkim", "s1"), ("includes", ""), ("ips", ""), ("mx", ""), ("policy", ""), ("record", ""), ("rua", "")];
    assert_eq!(visitor.post(&path, &same).await.header("location"), format!("/domains/{domain}?done=unchanged"));
    let with =
        |name: &'static str, value: &'static str| same.map(|field| if field.0 == name { (name, value) } else { field });
    for (name, value, said) in [
        ("mx", "10 mx1.example.net\r\nnonsense", "line 2: must be a preference and a host"),
        ("ips", "192.0.2.0/24", "must be an IPv4 or IPv6 address"),
        ("dkim", "", "at least one selector is needed"),
        ("dkim", "s1\ns1", "selector"),
        ("includes", "<b>.example", "must be a full host name"),
    ] {
        let answer = visitor.post(&path, &with(name, value)).await;
        check_page(&answer, 422, "Nothing was changed");
        assert!(answer.text.contains(said), "{said} is not in {}", answer.text);
    }
    let changed = visitor.post(&path, &with("includes", "_spf.example.net\r\n")).await;
    assert_eq!(changed.header("location"), format!("/domains/{domain}?done=requirements"));
    let records = house.operator("GET", &format!("/v1/domains/{domain}/records"), None).await.json();
    let spf = records["records"].as_array().unwrap().iter().find(|record| record["purpose"] == "spf").unwrap();
    assert!(spf["value"].as_str().unwrap().contains("include:_spf.example.net"), "{spf}");
}

#[tokio::test]
async fn texts_of_strangers_are_texts() {
    let house = House::new().await;
    let (domain, check) = with_domain(&house).await;
    let name = "<script>alert(2)</script>";
    let client = house.operator("POST", "/v1/clients", Some(json!({"name": name, "tier": "velocity"}))).await;
    let client: Uuid = client.json()["id"].as_str().unwrap().parse().unwrap();
    house.domain(client, "other.example.com").await;
    // As the platform might have written it.
    let Db::Sqlite(pool) = house.service.store().db() else { panic!("the house has SQLite") };
    let row = "INSERT INTO email_domains (id, client_id, domain, status, suspends_at) \
        SELECT randomblob(16), client_id, '\"><script>alert(3)</script>', 'active', '2027-01-15T09:00:00+00:00' FROM email_domains LIMIT 1";
    raw_sql(AssertSqlSafe(row)).execute(pool).await.unwrap();
    let visitor = Visitor::operator(&house).await;
    let pages = [
        "/".to_owned(),
        "/domains".to_owned(),
        "/clients".to_owned(),
        format!("/domains/{domain}"),
        format!("/domains/{domain}/checks/{check}"),
        "/domains?q=%3Cscript%3E&client=%22%3E%3Cscript%3E".to_owned(),
    ];
    for path in pages {
        let page = visitor.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        for raw in ["<script>", "<img", "<svg onload"] {
            let shown = page.text.replace("<img src=\"/static/", "");
            assert!(!shown.contains(raw), "{path}: {raw} in {}", page.text);
        }
    }
    let page = visitor.get(&format!("/domains/{domain}")).await.text;
    assert!(page.contains("&#60;script&#62;alert(1)"), "and they are shown: {page}");
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let house = House::new().await;
    let (domain, _) = with_domain(&house).await;
    let visitor = Visitor::operator(&house).await;
    let nobody = Uuid::nil();
    for path in [
        format!("/domains/{nobody}"),
        "/domains/nonsense".to_owned(),
        format!("/domains/{nobody}/requirements"),
        format!("/domains/{domain}/checks/{nobody}"),
        "/domains/%ff".to_owned(),
    ] {
        check_page(&visitor.get(&path).await, 404, "There is no such page");
    }
    check_page(&visitor.get("/domains?after=nonsense").await, 200, "That page does not exist any more");
    check_page(&visitor.get("/domains?q=none.such").await, 200, "None is as you asked");
    house.operator("DELETE", &format!("/v1/domains/{domain}"), None).await;
    check_page(&visitor.get(&format!("/domains/{domain}")).await, 200, "It is deleted");
    house.service.store().close().await;
    let down = visitor.get("/").await;
    check_page(&down, 503, "The database does not answer");
    assert!(!down.header("retry-after").is_empty());
    let down = post(&house, "/sign-in", &[], &[("key", "sr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]).await;
    check_page(&down, 503, "The database does not answer");
}

#[tokio::test]
async fn the_list_is_found_by_its_filters_and_read_to_its_end() {
    let house = House::new().await;
    let client = house.client("dominance").await;
    let Db::Sqlite(pool) = house.service.store().db() else { panic!("the house has SQLite") };
    let rows = format!(
        "INSERT INTO email_domains (id, client_id, domain, status, spf_valid, created_at) \
         SELECT randomblob(16), X'{}', CASE WHEN n % 2 THEN 'odd' ELSE 'even' END || n || '.example', \
         CASE WHEN n % 10 THEN 'active' ELSE 'suspended' END, n % 3, '2027-01-01T00:00:00+00:00' FROM \
         (WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 120) SELECT n FROM s)",
        client.simple()
    );
    raw_sql(AssertSqlSafe(rows)).execute(pool).await.unwrap();
    let visitor = Visitor::operator(&house).await;
    let count = |page: &str| page.matches("<th scope=\"row\">").count();
    let read = async |path: &str| {
        let (mut path, mut total) = (path.to_owned(), 0);
        loop {
            let page = visitor.get(&path).await;
            check_page(&page, 200, "Domains");
            total += count(&page.text);
            let Some((before, _)) = page.text.split_once("\" rel=\"next\"") else { return total };
            path = before.rsplit('"').next().unwrap().replace("&#38;", "&");
        }
    };
    assert_eq!(count(&visitor.get("/domains").await.text), 50);
    assert_eq!(read("/domains").await, 120);
    assert_eq!(read("/domains?q=ODD").await, 60);
    assert_eq!(read("/domains?q=even1").await, 16, "10, 12, … 18 and 100, 102, … 120");
    assert_eq!(read("/domains?status=suspended").await, 12);
    assert_eq!(read("/domains?failing=spf").await, 40);
    assert_eq!(read(&format!("/domains?client={client}&q=o")).await, 60);
    assert_eq!(read(&format!("/domains?client={}", Uuid::nil())).await, 0);
    let overview = visitor.get("/").await;
    check_page(&overview, 200, "<span class=\"count\">108</span>");
}
