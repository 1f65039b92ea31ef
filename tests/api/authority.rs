//! Who may do what: every endpoint, with every kind of key, on one's own things and on others'.

use sendready::service::Role;
use serde_json::{Value, json};

use crate::api::house::House;

/// What each kind of key gets: operator, client on its own, client on another's, hook.
struct Line {
    method: &'static str,
    path: &'static str,
    body: fn() -> Option<Value>,
    expected: [u16; 4],
}

const fn line(method: &'static str, path: &'static str, body: fn() -> Option<Value>, expected: [u16; 4]) -> Line {
    Line { method, path, body, expected }
}

fn none() -> Option<Value> {
    None
}

fn patch() -> Option<Value> {
    Some(json!({"infraforge_domain_id": "x"}))
}

/// Paths name the client `{client}` and the domain `{domain}`, own or another's.
#[rustfmt::skip]
const LINES: &[Line] = &[
    line("GET",    "/v1/tiers",                        none, [200, 200, 200, 403]),
    line("GET",    "/v1/warmup-schedule",              none, [200, 200, 200, 403]),
    line("GET",    "/v1/clients",                      none, [200, 200, 200, 403]),
    line("POST",   "/v1/clients", || Some(json!({"name": "n", "tier": "velocity"})), [201, 403, 403, 403]),
    line("GET",    "/v1/clients/{client}",             none, [200, 200, 404, 403]),
    line("PATCH",  "/v1/clients/{client}", || Some(json!({"tier": "dominance"})), [200, 403, 404, 403]),
    line("GET",    "/v1/clients/{client}/allocation",  none, [200, 200, 404, 403]),
    line("PUT",    "/v1/clients/{client}/dedicated-ips", || Some(json!({"ips": []})), [200, 403, 404, 403]),
    line("GET",    "/v1/domains",                      none, [200, 200, 200, 403]),
    line("GET",    "/v1/domains/{domain}",             none, [200, 200, 404, 403]),
    line("GET",    "/v1/domains/by-name/{name}",       none, [200, 200, 404, 403]),
    line("PATCH",  "/v1/domains/{domain}",             patch, [200, 200, 404, 403]),
    line("PATCH",  "/v1/domains/{domain}", || Some(json!({"daily_send_limit": 40})), [200, 200, 404, 403]),
    line("PATCH",  "/v1/domains/{domain}", || Some(json!({"daily_send_limit": 4000})), [200, 403, 404, 403]),
    line("PATCH",  "/v1/domains/{domain}", || Some(json!({"status": "active"})), [200, 403, 404, 403]),
    line("PATCH",  "/v1/domains/{domain}", || Some(json!({"bind": true})), [200, 403, 404, 403]),
    line("POST",   "/v1/domains/{domain}/transfer", || Some(json!({"client_id": "{client}"})), [200, 403, 404, 403]),
    line("GET",    "/v1/domains/{domain}/records",     none, [200, 200, 404, 403]),
    line("POST",   "/v1/domains/{domain}/verify",      none, [202, 202, 404, 403]),
    line("GET",    "/v1/domains/{domain}/checks",      none, [200, 200, 404, 403]),
    line("GET",    "/v1/domains/{domain}/checks/{check}", none, [200, 200, 404, 403]),
    line("GET",    "/v1/domains/{domain}/events",      none, [200, 200, 404, 403]),
    line("GET",    "/v1/domains/{domain}/readiness",   none, [200, 200, 404, 403]),
    line("GET",    "/v1/domains/{domain}/reputation",  none, [200, 200, 404, 403]),
    line("GET",    "/v1/domains/{domain}/mailboxes",   none, [200, 200, 404, 403]),
    line("GET",    "/v1/mailboxes/{mailbox}",          none, [200, 200, 404, 403]),
    line("PATCH",  "/v1/mailboxes/{mailbox}", || Some(json!({"display_name": "Max"})), [200, 200, 404, 403]),
    line("PATCH",  "/v1/mailboxes/{mailbox}", || Some(json!({"warmup_enabled": false, "daily_send_limit": 5})), [200, 200, 404, 403]),
    line("PATCH",  "/v1/mailboxes/{mailbox}", || Some(json!({"warmup_enabled": false, "daily_send_limit": 500})), [200, 403, 404, 403]),
    line("POST",   "/v1/mailboxes/{mailbox}/pause",    none, [200, 200, 404, 403]),
    line("POST",   "/v1/mailboxes/{mailbox}/resume",   none, [200, 200, 404, 403]),
    line("POST",   "/v1/mailboxes/{mailbox}/suspend",  none, [200, 200, 404, 403]),
    line("GET",    "/v1/mailboxes/{mailbox}/readiness", none, [200, 200, 404, 403]),
    line("POST",   "/v1/mailboxes/{mailbox}/sends", || Some(json!({"count": 1})), [409, 409, 404, 403]),
    line("PUT",    "/v1/mailboxes/{mailbox}/health", || Some(json!({"bounce_rate": 0.01})), [200, 403, 404, 403]),
    line("PUT",    "/v1/mailboxes/{mailbox}/warmup-stats/{date}",
        || Some(json!({"emails_sent": 1, "emails_received": 1})), [200, 200, 404, 403]),
    line("GET",    "/v1/mailboxes/{mailbox}/warmup-stats", none, [200, 200, 404, 403]),
    line("GET",    "/v1/domains/{domain}/warmup-stats", none, [200, 200, 404, 403]),
    line("GET",    "/v1/clients/{client}/warmup-stats", none, [200, 200, 404, 403]),
    line("DELETE", "/v1/mailboxes/{mailbox}",          none, [204, 204, 404, 403]),
    line("GET",    "/v1/domains/{domain}/setup-links", none, [200, 200, 404, 403]),
    line("POST",   "/v1/domains/{domain}/setup-links", none, [201, 201, 404, 403]),
    line("GET",    "/v1/domains/{domain}/setup-links/{link}", none, [200, 200, 404, 403]),
    line("DELETE", "/v1/domains/{domain}/setup-links/{link}", none, [204, 204, 404, 403]),
    line("POST",   "/v1/breaker/accept",               none, [200, 403, 403, 403]),
    line("GET",    "/v1/audit",                        none, [200, 403, 403, 403]),
    line("GET",    "/v1/domains/{domain}/events/stream", none, [200, 200, 404, 403]),
    line("DELETE", "/v1/domains/{domain}",             none, [204, 204, 404, 403]),
    line("GET",    "/v1/webhook-endpoints",            none, [200, 200, 200, 403]),
    line("POST",   "/v1/webhook-endpoints", || Some(json!({"url": "https://a.example/"})), [201, 201, 201, 403]),
    line("GET",    "/v1/webhook-endpoints/{endpoint}", none, [200, 200, 404, 403]),
    line("PATCH",  "/v1/webhook-endpoints/{endpoint}", || Some(json!({"enabled": false})), [200, 200, 404, 403]),
    line("DELETE", "/v1/webhook-endpoints/{endpoint}", none, [204, 204, 404, 403]),
    line("POST",   "/v1/webhook-endpoints/{endpoint}/rotate-secret", none, [200, 200, 404, 403]),
    line("POST",   "/v1/webhook-endpoints/{endpoint}/test", none, [202, 202, 404, 403]),
    line("GET",    "/v1/webhook-endpoints/{endpoint}/deliveries", none, [200, 200, 404, 403]),
    line("POST",   "/v1/webhook-endpoints/{endpoint}/deliveries/{delivery}/retry", none, [202, 202, 404, 403]),
    line("POST",   "/v1/webhooks/dns-changes", || Some(json!({"domain": "own.example.com"})), [202, 403, 403, 202]),
];

#[tokio::test]
async fn every_endpoint_with_every_key() {
    for Line { method, path, body, expected } in LINES {
        let house = House::new().await;
        // A stream ends after its first event.
        house.service.close();
        let (own, other) = (house.client("velocity").await, house.client("velocity").await);
        let own_domain = house.domain(own, "own.example.com").await;
        let other_domain = house.domain(other, "other.example.com").await;
        let own_mailbox = house.mailbox(own_domain, "max@own.example.com").await;
        let other_mailbox = house.mailbox(other_domain, "max@other.example.com").await;
        assert_eq!(house.check_all("").await, 2);
        let (_, key) = house.key(Role::Client, Some(own)).await;
        let (_, hook) = house.key(Role::Hook, None).await;
        let (revoked_id, revoked) = house.key(Role::Operator, None).await;
        assert_eq!(house.call("GET", "/v1/tiers", Some(&revoked), None).await.status, 200, "before it is revoked");
        house.service.key_revoke(revoked_id).await.unwrap();
        let check = async |domain| {
            let list = house.operator("GET", &format!("/v1/domains/{domain}/checks"), None).await.json();
            list["data"][0]["id"].as_str().unwrap().to_owned()
        };
        let (own_check, other_check) = (check(own_domain).await, check(other_domain).await);
        let link = async |domain| {
            let made = house.operator("POST", &format!("/v1/domains/{domain}/setup-links"), None).await.json();
            made["id"].as_str().unwrap().to_owned()
        };
        let (own_link, other_link) = (link(own_domain).await, link(other_domain).await);
        let endpoint = async |client| {
            let body = json!({"url": "https://hooks.example.com/", "client_id": client});
            let made = house.operator("POST", "/v1/webhook-endpoints", Some(body)).await.json();
            let id = made["id"].as_str().unwrap().to_owned();
            let test = house.operator("POST", &format!("/v1/webhook-endpoints/{id}/test"), None).await.json();
            (id, test["id"].as_str().unwrap().to_owned())
        };
        let (own_endpoint, other_endpoint) = (endpoint(own).await, endpoint(other).await);
        let with = |path: &str, link: &str, (endpoint, delivery): &(String, String)| {
            path.replace("{link}", link).replace("{endpoint}", endpoint).replace("{delivery}", delivery)
        };
        let at = |client: &dyn ToString, domain: &dyn ToString, name: &str, check: &str, mailbox: &dyn ToString| {
            let path = path.replace("{client}", &client.to_string()).replace("{domain}", &domain.to_string());
            let path = path.replace("{mailbox}", &mailbox.to_string()).replace("{date}", "2027-01-10");
            path.replace("{name}", name).replace("{check}", check)
        };
        let own_path = at(&own, &own_domain, "own.example.com", &own_check, &own_mailbox);
        let own_path = with(&own_path, &own_link, &own_endpoint);
        let other_path = at(&other, &other_domain, "other.example.com", &other_check, &other_mailbox);
        let other_path = with(&other_path, &other_link, &other_endpoint);
        // In the order in which a DELETE spoils nothing.
        let trials = [
            ("nobody", None, &own_path, 401),
            ("a revoked key", Some(revoked.as_str()), &own_path, 401),
            ("an unknown key", Some("sr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &own_path, 401),
            ("a hook key", Some(hook.as_str()), &own_path, expected[3]),
            ("a client on another's", Some(key.as_str()), &other_path, expected[2]),
            ("a client on its own", Some(key.as_str()), &own_path, expected[1]),
            ("an operator", Some(house.operator.as_str()), &other_path, expected[0]),
        ];
        for (who, key, path, status) in trials {
            let body = body().map(|body| body.to_string().replace("{client}", &own.to_string()));
            let body = body.map(|body| serde_json::from_str(&body).unwrap());
            let answer = house.call(method, path, key, body).await;
            assert_eq!(answer.status, status, "{who}: {method} {path} {}", answer.text);
            if answer.status == 401 {
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{who}");
            }
            assert_eq!(answer.problem().is_empty(), answer.status.is_success(), "{who}: {method} {path}");
        }
    }
}

#[tokio::test]
async fn the_table_knows_every_endpoint() {
    let document = serde_json::to_value(sendready::http::openapi()).unwrap();
    let mut missing = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|_| path.starts_with("/v1/")) {
            let template = path.replace("{check_id}", "{check}").replace("by-name/{domain}", "by-name/{name}");
            let template = template.replace("{delivery_id}", "{delivery}").replace("{link_id}", "{link}");
            let of = match path.split('/').nth(2) {
                Some("clients") => "{client}",
                Some("webhook-endpoints") => "{endpoint}",
                Some("mailboxes") => "{mailbox}",
                _ => "{domain}",
            };
            let template = template.replace("{id}", of);
            let is_known = LINES.iter().any(|line| line.path == template && line.method.eq_ignore_ascii_case(method));
            // These are told apart by what is in the body, or can be done once only.
            let elsewhere = [("post", "/v1/domains"), ("post", "/v1/domains/{id}/mailboxes")];
            if !is_known && !elsewhere.contains(&(method.as_str(), path.as_str())) {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "who may do these? {missing:?}");
}

#[tokio::test]
async fn a_client_registers_for_itself_alone_and_sees_itself_alone() {
    let house = House::new().await;
    let (own, other) = (house.client("velocity").await, house.client("velocity").await);
    let (_, key) = house.key(Role::Client, Some(own)).await;
    let (_, hook) = house.key(Role::Hook, Some(own)).await;
    house.domain(other, "other.example.com").await;
    let body = |client, name: &str| {
        Some(json!({"client_id": client, "domain": name, "provider": "manual", "dkim": [{"selector": "s1"}]}))
    };
    let register = async |key: &str, body| house.call("POST", "/v1/domains", Some(key), body).await;
    assert_eq!(register(&key, body(Some(own), "a.example.com")).await.status, 201);
    assert_eq!(register(&key, body(None, "b.example.com")).await.status, 201, "its own is meant");
    let foreign = register(&key, body(Some(other), "c.example.com")).await;
    assert_eq!((foreign.status.as_u16(), foreign.problem().as_str()), (404, "no-such-client"));
    assert_eq!(register(&key, body(Some(own), "other.example.com")).await.problem(), "domain-taken");
    assert_eq!(register(&hook, body(Some(own), "d.example.com")).await.status, 403);
    assert_eq!(house.call("POST", "/v1/domains", None, body(Some(own), "d.example.com")).await.status, 401);
    let list = house.call("GET", "/v1/domains", Some(&key), None).await.json();
    let mut names: Vec<&str> = list["data"].as_array().unwrap().iter().map(|d| d["domain"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a.example.com", "b.example.com"]);
    let asked = house.call("GET", &format!("/v1/domains?client_id={other}"), Some(&key), None).await.json();
    assert_eq!(asked["data"], json!([]));
    let clients = house.call("GET", "/v1/clients", Some(&key), None).await.json();
    assert_eq!(clients["data"].as_array().unwrap().len(), 1);
}
