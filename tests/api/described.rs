//! The description is complete: every operation says what it is for, every status what comes with it, every body how it
//! looks, every kind of problem where it is met. And `/docs` shows all of it.

use std::collections::BTreeSet;

use sendready::http::problem::Kind;
use sendready::service::Role;
use serde_json::{Value, json};

use crate::api::house::House;

fn document() -> Value {
    serde_json::to_value(sendready::http::openapi()).unwrap()
}

/// Every operation: how it is called, and what is said of it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let item = item.as_object().unwrap().iter();
            item.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
        })
        .collect()
}

#[test]
fn every_operation_is_described() {
    let document = document();
    let mut faults = Vec::new();
    for (shown, operation) in operations(&document) {
        for (word, fewest) in [("summary", 8), ("description", 12)] {
            if operation[word].as_str().is_none_or(|text| text.len() < fewest) {
                faults.push(format!("{shown}: no {word}; write a second paragraph above its handler"));
            }
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = match response["$ref"].as_str() {
                Some(reference) => document.pointer(&reference[1..]).unwrap(),
                None => response,
            };
            if response["description"].as_str().is_none_or(str::is_empty) {
                faults.push(format!("{shown}: {status} is not described"));
            }
            let has_schema =
                response["content"].as_object().into_iter().flatten().any(|(_, of)| of["schema"].is_object());
            if has_schema == ["204", "304"].contains(&status.as_str()) {
                faults.push(format!("{shown}: {status} has {} schema", if has_schema { "a" } else { "no" }));
            }
        }
        for (media_type, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
            if content["example"].is_null() {
                faults.push(format!("{shown}: its {media_type} body has no example"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_kind_of_problem_is_met_somewhere() {
    let document = document();
    let text: String = operations(&document).iter().map(|(_, operation)| operation["responses"].to_string()).collect();
    let text = text + &document["components"]["responses"].to_string();
    let mut missing: Vec<&str> =
        Kind::ALL.map(Kind::as_str).into_iter().filter(|kind| !text.contains(&format!("`{kind}`"))).collect();
    // A method that a path does not know belongs to no operation; keys are made on the command line.
    // A head that cannot be read has no path yet.
    missing.retain(|kind| !["no-such-key", "method-not-allowed", "bad-request", "head-too-large"].contains(kind));
    assert!(missing.is_empty(), "write them into the responses of an operation: {missing:?}");
}

/// All that a schema leads to, by its names.
fn led_to(document: &Value, schema: &Value, names: &mut BTreeSet<String>) {
    for value in
        schema.as_object().into_iter().flatten().map(|(_, value)| value).chain(schema.as_array().into_iter().flatten())
    {
        led_to(document, value, names);
    }
    if let Some(reference) = schema["$ref"].as_str()
        && names.insert(reference.to_owned())
    {
        led_to(document, document.pointer(&reference[1..]).unwrap(), names);
    }
}

/// What is sent is refused where it holds more; what is answered may grow.
#[test]
fn bodies_of_requests_are_closed_and_those_of_answers_open() {
    let document = document();
    let (mut sent, mut answered) = (BTreeSet::new(), BTreeSet::new());
    for (_, operation) in operations(&document) {
        led_to(&document, &operation["requestBody"], &mut sent);
        led_to(&document, &operation["responses"], &mut answered);
    }
    let is_closed = |name: &String| document.pointer(&name[1..]).unwrap()["additionalProperties"] == json!(false);
    let is_object = |name: &&String| document.pointer(&name[1..]).unwrap()["type"] == "object";
    let open: Vec<_> = sent.iter().filter(is_object).filter(|name| !is_closed(name)).collect();
    assert!(open.is_empty(), "{open:?}");
    assert!(sent.iter().filter(is_object).count() >= 15, "{sent:?}");
    let closed: Vec<_> = answered.iter().filter(|name| is_closed(name)).collect();
    assert!(closed.is_empty(), "{closed:?}");
}

/// Whoever posts may send a body and a key, also where neither is needed: what comes of wrong ones is described.
#[test]
fn every_post_describes_what_becomes_of_wrong_bodies_and_of_repeats() {
    let document = document();
    let posts = operations(&document).into_iter().filter(|(shown, _)| shown.starts_with("POST "));
    let mut count = 0;
    for (shown, operation) in posts {
        for status in ["400", "408", "413", "415", "422"] {
            assert!(operation["responses"][status].is_object(), "{shown}: {status}");
        }
        let keys = operation["parameters"].as_array().unwrap().iter().filter(|one| one["name"] == "idempotency-key");
        assert_eq!(keys.count(), 1, "{shown}");
        let good = operation["responses"].as_object().unwrap().iter().filter(|(status, _)| status.starts_with('2'));
        for (status, response) in good {
            assert!(response["headers"]["idempotency-replayed"].is_object(), "{shown}: {status}");
        }
        count += 1;
    }
    assert!(count >= 15, "{count}");
}

/// A repeat is answered without what is shown once, so no answer may promise that.
#[test]
fn what_is_shown_once_is_not_promised() {
    let document = document();
    for (schema, name) in [("MadeSetupLink", "url"), ("WebhookEndpointWithSecret", "secret")] {
        let schema = &document["components"]["schemas"][schema];
        let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        let own = parts.iter().find(|part| part["properties"][name].is_object()).unwrap();
        let required = own["required"].as_array().cloned().unwrap_or_default();
        assert!(!required.contains(&json!(name)), "{own}");
    }
}

/// What the examples of bodies say is taken: no field of theirs is unknown or wrong.
#[tokio::test]
async fn the_examples_of_bodies_are_taken() {
    let house = House::new().await;
    let client = house.client("dominance").await;
    let domain = house.domain(client, "example.com").await;
    let mailbox = house.mailbox(domain, "a@example.com").await;
    // While it is warmed up, the schedule alone says its limit.
    let path = format!("/v1/mailboxes/{mailbox}");
    assert_eq!(house.operator("PATCH", &path, Some(json!({"warmup_enabled": false}))).await.status, 200);
    let document = document();
    let mut tried = 0;
    for (shown, operation) in operations(&document) {
        let Some(example) = operation.pointer("/requestBody/content/application~1json/example") else { continue };
        let (method, path) = shown.split_once(' ').unwrap();
        let id = if path.contains("/mailboxes/{id}") {
            mailbox
        } else if path.contains("/clients/{id}") {
            client
        } else {
            domain
        };
        let path = path.replace("{id}", &id.to_string()).replace("{date}", "2027-01-15");
        let mut body = example.clone();
        if body.get("client_id").is_some() {
            body["client_id"] = json!(client);
        }
        let answer = house.operator(method, &path, Some(body.clone())).await;
        // 404: its endpoint or link is not there; 409: the mailbox may not send yet.
        let is_taken = answer.status.is_success() || [404, 409].contains(&answer.status.as_u16());
        assert!(is_taken, "{shown} {body}: {} {}", answer.status, answer.text);
        tried += 1;
    }
    assert!(tried >= 12, "{tried}");
}

#[tokio::test]
async fn the_reference_shows_everything_and_loads_nothing() {
    let house = House::new().await;
    let answer = house.call("GET", "/docs", None, None).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!policy.contains("script-src"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let page = &answer.text;
    assert!(page.len() < 800_000, "{} octets", page.len());
    let document = document();
    for (shown, operation) in operations(&document) {
        let (method, path) = shown.split_once(' ').unwrap();
        let head = format!("<span class=\"method\">{method}</span> <code>{}</code>", path.replace('&', "&amp;"));
        assert!(page.contains(&head), "{shown} is not there");
        assert!(page.contains(&format!("<article id=\"{}\">", operation["operationId"].as_str().unwrap())), "{shown}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(page.contains(&format!("<code>{}</code>", parameter["name"].as_str().unwrap())), "{shown}");
        }
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("<article id=\"schema-{name}\">")), "{name}");
    }
    for kind in Kind::ALL.map(Kind::as_str) {
        assert!(page.contains(&format!("href=\"problems/{kind}\"")), "{kind}");
    }
    for never in ["<script", "<iframe", "<img", "javascript:", " on", "url("] {
        let never_said = if never == " on" { " onload=" } else { never };
        assert!(!page.contains(never_said), "{never}");
    }
    // What is linked is here: an address elsewhere stands in no attribute.
    let links: BTreeSet<&str> = page
        .split(" href=\"")
        .skip(1)
        .chain(page.split(" src=\"").skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    for link in links {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(page.contains(&format!(" id=\"{anchor}\"")), "#{anchor} leads nowhere"),
            None => {
                let answer = house.call("GET", &format!("/{link}"), None, None).await;
                assert_eq!(answer.status, 200, "{link}");
            }
        }
    }
}

#[tokio::test]
async fn the_references_style_is_ours_and_needs_no_key() {
    let house = House::new().await;
    let client = house.client("ignition").await;
    let (_, key) = house.key(Role::Client, Some(client)).await;
    for key in [None, Some(key.as_str())] {
        let answer = house.call("GET", "/docs/style.css", key, None).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/css; charset=utf-8"));
        assert!(answer.text.contains("prefers-color-scheme: dark") && !answer.text.contains("url("));
    }
}
