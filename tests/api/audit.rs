//! Who changed what: every change has its line, and nothing changes without one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use sendready::http::audit::ALL;
use sendready::http::request::Peer;
use sendready::service::Role;
use sendready::service::audit::Doing;
use sendready::store::db::Db;
use serde_json::{Value, json};
use sqlx::raw_sql;

use crate::api::house::House;

/// What comes after this comes later: in the same microsecond, chance orders the lines.
fn tick(house: &House) {
    house.hand.advance(Duration::from_millis(1));
}

async fn lines(house: &House, query: &str) -> Vec<Value> {
    let answer = house.operator("GET", &format!("/v1/audit{query}"), None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["data"].as_array().unwrap().clone()
}

/// What was done, by whom, and what came of it, the oldest first.
async fn story(house: &House, query: &str) -> Vec<String> {
    let shown = |line: &Value| {
        let word = |field: &str| line[field].as_str().unwrap_or("-").to_owned();
        format!("{} {} {} {}", word("actor"), word("operation"), word("outcome"), line["status"])
    };
    lines(house, query).await.iter().rev().map(shown).collect()
}

#[test]
fn the_table_knows_every_operation_that_is_no_get() {
    let document = serde_json::to_value(sendready::http::openapi()).unwrap();
    let mut there = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(method, _)| *method != "get") {
            let id = operation["operationId"].as_str().unwrap();
            there.insert(format!("{} {path} {id}", method.to_uppercase()));
        }
    }
    let listed: BTreeSet<String> =
        ALL.iter().map(|line| format!("{} {} {}", line.method, line.path, line.operation)).collect();
    assert_eq!(listed, there, "say in `http::audit::ALL` of each whether it is written down");
    assert_eq!(listed.len(), ALL.len(), "each once");
    for line in ALL {
        assert!(line.left_out.is_none_or(|why| why.len() > 20), "{}: why not?", line.operation);
    }
}

#[tokio::test]
async fn a_change_has_a_line_that_says_all_but_the_secrets() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let (key_id, key) = house.key(Role::Client, Some(client)).await;
    let domain = house.domain(client, "example.test").await;
    tick(&house);
    let path = format!("/v1/domains/{domain}");
    let body = json!({"infraforge_domain_id": "not-for-the-log", "daily_send_limit": 40});
    let mut request = Request::patch(&path).header("authorization", format!("Bearer {key}"));
    request = request.header("content-type", "application/json").header("x-request-id", "r-1");
    let mut request = request.body(Body::from(body.to_string())).unwrap();
    let address: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
    request.extensions_mut().insert(Peer { address, body_time_max: Duration::from_secs(1) });
    assert_eq!(house.send(request).await.status, 200);
    let line = lines(&house, "?limit=1").await.remove(0);
    let expected = json!({
        "id": line["id"], "at": line["at"], "actor": "client", "key_id": key_id, "key_name": null, "client_id": client,
        "operation": "domain_change", "path": path, "domain_id": domain, "domain": "example.test", "made_id": null,
        "fields": ["daily_send_limit", "infraforge_domain_id"], "request_id": "r-1", "peer": "192.0.2.7",
        "outcome": "done", "status": 200,
    });
    assert_eq!(line, expected);
    assert_eq!(line["at"], "2027-01-15T08:00:00.001000Z");
    let all = serde_json::to_string(&lines(&house, "").await).unwrap();
    for hidden in ["not-for-the-log", key.as_str(), house.operator.as_str()] {
        assert!(!all.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn what_people_do_is_there_and_what_machines_do_is_not() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let (_, key) = house.key(Role::Client, Some(client)).await;
    let (_, hook) = house.key(Role::Hook, None).await;
    tick(&house);
    let domain = house.domain(client, "example.test").await;
    tick(&house);
    let mailbox = house.mailbox(domain, "max@example.test").await;
    let call = async |method: &str, path: &str, key: &str, body: Option<Value>| {
        tick(&house);
        house.call(method, path, Some(key), body).await.status.as_u16()
    };
    // What machines do all day.
    let own = format!("/v1/domains/{domain}");
    let inbox = format!("/v1/mailboxes/{mailbox}");
    assert_eq!(call("POST", &format!("{own}/verify"), &key, None).await, 202);
    assert_eq!(call("POST", &format!("{inbox}/sends"), &key, Some(json!({"count": 1}))).await, 409);
    let stats = json!({"emails_sent": 1, "emails_received": 1});
    assert_eq!(call("PUT", &format!("{inbox}/warmup-stats/2027-01-10"), &key, Some(stats)).await, 200);
    let word = Some(json!({"domain": "example.test"}));
    assert_eq!(call("POST", "/v1/webhooks/dns-changes", &hook, word).await, 202);
    assert_eq!(call("GET", &own, &key, None).await, 200);
    // Whoever has no way in has no line; whoever has one has, also where it is refused.
    assert_eq!(call("DELETE", &own, "sr_nothing", None).await, 401);
    assert_eq!(call("DELETE", &own, &hook, None).await, 403);
    assert_eq!(call("PATCH", &own, &key, Some(json!({"status": "active"}))).await, 403);
    assert_eq!(call("PATCH", &own, &key, Some(json!({"nonsense": 1}))).await, 422);
    assert_eq!(call("POST", &format!("{inbox}/pause"), &key, None).await, 200);
    assert_eq!(call("POST", "/v1/breaker/accept", &house.operator, None).await, 200);
    assert_eq!(call("DELETE", &own, &house.operator, None).await, 204);
    let all = [
        "operator client_add done 201",
        "operator domain_register done 201",
        "operator mailbox_add done 201",
        "client domain_change refused 403",
        "client domain_change refused 422",
        "client mailbox_pause done 200",
        "operator accept done 200",
        "operator domain_delete done 204",
    ];
    assert_eq!(story(&house, "").await, all);
    let of_domain: Vec<&str> =
        all.iter().filter(|line| !line.contains("client_add") && !line.contains("accept")).copied().collect();
    assert_eq!(story(&house, &format!("?domain_id={domain}")).await, of_domain, "its mailboxes included");
    assert_eq!(story(&house, "?actor=client").await, all[3..6]);
    assert_eq!(story(&house, "?actor=operator&operation=accept").await, [all[6]]);
    assert_eq!(story(&house, "?since=2027-01-15T08:00:01Z").await, [""; 0]);
    let made = lines(&house, "?operation=domain_register").await.remove(0);
    assert_eq!((&made["made_id"], &made["domain"]), (&json!(domain), &json!("example.test")));
}

#[tokio::test]
async fn nothing_changes_where_no_line_can_be_written() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let path = format!("/v1/clients/{client}");
    let run = async |sql: &'static str| match house.service.store().db() {
        Db::Sqlite(pool) => raw_sql(sql).execute(pool).await.unwrap(),
        Db::Postgres(_) => panic!("a house stands on SQLite"),
    };
    run("ALTER TABLE sendready_audit RENAME TO away").await;
    let change = async |headers: &[(&str, &str)]| {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        house.with("PATCH", &path, &headers, "{\"name\": \"Other\"}").await
    };
    let refused = change(&[]).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (503, "unavailable"), "{}", refused.text);
    let name = async || house.operator("GET", &path, None).await.json()["name"].clone();
    assert_eq!(name().await, "Example", "not changed");
    run("ALTER TABLE away RENAME TO sendready_audit").await;
    assert_eq!(change(&[]).await.status, 200);
    assert_eq!(name().await, "Other");
    assert_eq!(story(&house, "?operation=client_change").await, ["operator client_change done 200"]);
}

#[tokio::test]
async fn a_repeat_that_does_nothing_has_no_line() {
    let house = House::new().await;
    let body = json!({"name": "Example", "tier": "velocity"}).to_string();
    for expected in ["", "true"] {
        let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
        let answer = house.with("POST", "/v1/clients", &headers, body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (201, expected));
    }
    assert_eq!(story(&house, "").await, ["operator client_add done 201"]);
}

#[tokio::test]
async fn a_change_whose_end_nobody_told_stays_begun() {
    let house = House::new().await;
    house.service.audit_begin(&Doing::on_the_command_line("key_create")).await.unwrap();
    assert_eq!(story(&house, "?actor=command-line").await, ["command-line key_create begun null"]);
    let doing = Doing::on_the_command_line("key_revoke");
    let refused = house.service.audited(&doing, house.service.key_revoke(uuid::Uuid::nil()), |()| None).await;
    refused.unwrap_err();
    assert_eq!(story(&house, "?operation=key_revoke").await, ["command-line key_revoke refused null"]);
}

#[tokio::test]
async fn pages_go_on_where_the_last_ended_and_bad_filters_are_refused() {
    let house = House::new().await;
    for _ in 0..5 {
        house.client("velocity").await;
        tick(&house);
    }
    let first = house.operator("GET", "/v1/audit?limit=2", None).await.json();
    house.client("velocity").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = house.operator("GET", &format!("/v1/audit?limit=200&cursor={cursor}"), None).await.json();
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = [ids(&first), ids(&second)].concat();
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (5, 5), "none twice, and none that came since");
    for query in ["actor=somebody", "domain_id=x", "operation=DROP%20TABLE", "since=yesterday", "cursor=x", "limit=0"] {
        let refused = house.operator("GET", &format!("/v1/audit?{query}"), None).await;
        assert_eq!(refused.problem(), "bad-query", "{query}: {}", refused.text);
    }
}

#[tokio::test]
async fn a_cursor_is_of_its_own_list() {
    let house = House::new().await;
    let client = house.client("dominance").await;
    house.client("velocity").await;
    let (one, other) = (house.domain(client, "a.example.com").await, house.domain(client, "b.example.com").await);
    for domain in [one, other] {
        for _ in 0..2 {
            house.operator("POST", &format!("/v1/domains/{domain}/setup-links"), None).await;
        }
    }
    let lists = ["/v1/clients", "/v1/domains", "/v1/audit"]
        .map(str::to_owned)
        .into_iter()
        .chain([one, other].map(|domain| format!("/v1/domains/{domain}/setup-links")));
    let lists: Vec<String> = lists.collect();
    for list in &lists {
        let page = house.operator("GET", &format!("{list}?limit=1"), None).await.json();
        let cursor = page["next_cursor"].as_str().unwrap_or_else(|| panic!("{list} has one page")).to_owned();
        for asked in &lists {
            let answer = house.operator("GET", &format!("{asked}?cursor={cursor}"), None).await;
            let expected = if asked == list { "" } else { "bad-query" };
            assert_eq!(answer.problem(), expected, "the cursor of {list} at {asked}: {}", answer.text);
        }
    }
}
