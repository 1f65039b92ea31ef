//! The OpenAPI document: as the code is, complete, and without a loose end.

use serde_json::Value;

use crate::api::house::House;

fn document() -> Value {
    serde_json::to_value(sendready::http::openapi()).unwrap()
}

#[test]
fn the_document_in_the_project_is_the_code_s() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == made,
        "docs/openapi.json is not what the code says: run with UPDATE_DOCS=1, and look at the difference"
    );
}

#[test]
fn every_operation_says_what_it_does_and_how_it_fails() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let shown = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{shown}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{shown}: the id is used twice");
            let responses = operation["responses"].as_object().unwrap();
            if path.starts_with("/v1/") {
                for status in ["401", "403", "429", "500", "503"] {
                    assert!(responses.contains_key(status), "{shown} {status}");
                }
            } else {
                assert_eq!(operation["security"], serde_json::json!([{}]), "{shown} needs no key");
            }
            // Without an id in its path, a body may still name a thing that is not there.
            let names_a_thing =
                path.contains('{') || ["post /v1/webhook-endpoints", "post /v1/domains"].contains(&shown.as_str());
            assert_eq!(names_a_thing, responses.contains_key("404") && path.starts_with("/v1/"), "{shown} 404");
            let has_body = operation["requestBody"].is_object();
            // Without a body, a key for repeats may have come with another one all the same.
            assert_eq!(has_body || method == "post", responses.contains_key("422"), "{shown} 422");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let has_key = parameters.iter().any(|parameter| parameter["name"] == "idempotency-key");
            assert_eq!(has_key, method == "post", "{shown}: Idempotency-Key");
            for parameter in &parameters {
                assert!(parameter["description"].is_string(), "{shown}: {parameter}");
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_field_is_described() {
    let document = document();
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, of) in schema["properties"].as_object().into_iter().flatten() {
            let is_described = of["description"].is_string() || of.to_string().contains("\"description\"");
            assert!(is_described, "{name}.{field} is not described: {of}");
        }
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let house = House::new().await;
    let answer = house.call("GET", "/openapi.json", None, None).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), document());
}
