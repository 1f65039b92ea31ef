//! Nonsense in every field of every body: refused with a 4xx that names the field, never a 5xx.

use serde_json::{Map, Value, json};

use crate::api::house::House;

/// What nobody can mean by any field.
fn nonsense() -> Vec<Value> {
    vec![
        json!({"nonsense": [1]}),
        json!([[["x"]]]),
        json!(-1.5),
        json!(1e300),
        json!("\u{0}\u{1}"),
        json!("x".repeat(100_000)),
        json!(""),
        json!("\u{202e}'; DROP TABLE clients; -- ../%s{}<script>"),
    ]
}

/// A schema behind its references.
fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    if let Some(target) = schema["$ref"].as_str() {
        return resolve(document, document.pointer(target.trim_start_matches('#')).unwrap());
    }
    let variants = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
    match variants.and_then(|all| all.iter().find(|variant| variant["type"] != "null")) {
        Some(variant) => resolve(document, variant),
        None => schema,
    }
}

/// Every field of a schema, as a pointer, with a body that has `value` there.
fn fields(
    document: &Value,
    schema: &Value,
    pointer: &str,
    wrap: &dyn Fn(Value) -> Value,
    out: &mut Vec<(String, Vec<Value>)>,
) {
    let schema = resolve(document, schema);
    let empty = Map::new();
    for (name, field) in schema["properties"].as_object().unwrap_or(&empty) {
        let here = format!("{pointer}/{name}");
        let one = |value: Value| wrap(json!({name: value}));
        out.push((here.clone(), nonsense().into_iter().map(&one).collect()));
        let inner = resolve(document, field);
        fields(document, inner, &here, &one, out);
        if inner["items"].is_object() {
            let entry = |value: Value| wrap(json!({name: [value]}));
            let item = resolve(document, &inner["items"]);
            if item["properties"].is_object() {
                fields(document, item, &format!("{here}/0"), &entry, out);
            } else {
                out.push((format!("{here}/0"), nonsense().into_iter().map(&entry).collect()));
            }
        }
    }
}

#[tokio::test]
async fn every_field_of_every_body_refuses_nonsense_by_its_name() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let domain = house.domain(client, "example.com").await;
    let body = json!({"url": "https://hooks.example.com/"});
    let endpoint = house.operator("POST", "/v1/webhook-endpoints", Some(body)).await.json();
    let endpoint = endpoint["id"].as_str().unwrap().parse().unwrap();
    let mailbox = house.mailbox(domain, "max@example.com").await;
    let document = serde_json::to_value(sendready::http::openapi()).unwrap();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if schema.is_null() {
                continue;
            }
            let id = match path.split('/').nth(2) {
                Some("clients") => client,
                Some("webhook-endpoints") => endpoint,
                Some("mailboxes") => mailbox,
                _ => domain,
            };
            let path = path.replace("{id}", &id.to_string()).replace("{date}", "2027-01-10");
            let mut all = Vec::new();
            fields(&document, schema, "", &|value| value, &mut all);
            for (pointer, bodies) in all {
                for body in bodies {
                    let answer = house.operator(&method.to_uppercase(), &path, Some(body.clone())).await;
                    let shown = format!("{method} {path} {pointer}: {:.200} {:.600}", body.to_string(), answer.text);
                    assert_eq!(answer.status, 422, "{shown}");
                    assert_eq!(answer.problem(), "invalid", "{shown}");
                    let errors = answer.json()["errors"].as_array().unwrap().clone();
                    let named = |error: &&Value| error["pointer"].as_str().unwrap().starts_with(&pointer);
                    let mut named = errors.iter().filter(named).peekable();
                    assert!(named.peek().is_some(), "{shown}");
                    let is_unknown = |error: &Value| {
                        error["pointer"] == pointer.as_str()
                            && error["detail"].as_str().unwrap().contains("not known here")
                    };
                    assert!(!named.any(is_unknown), "the schema has a field that nobody reads: {shown}");
                    tried += 1;
                }
            }
            let answer = house.operator(&method.to_uppercase(), &path, Some(json!({"nonsense": 1}))).await;
            assert!(answer.pointers().contains(&"/nonsense".to_owned()), "{}", answer.text);
            let body = answer.json();
            let detail = body["errors"].as_array().unwrap().iter().find(|e| e["pointer"] == "/nonsense").unwrap();
            let known = detail["detail"].as_str().unwrap().rsplit_once(": ").unwrap().1;
            let mut known: Vec<&str> = known.split(", ").collect();
            known.sort_unstable();
            let properties = resolve(&document, schema)["properties"].as_object().unwrap();
            let mut described: Vec<&str> = properties.keys().map(String::as_str).collect();
            described.sort_unstable();
            assert_eq!(known, described, "{method} {path}: what is read is what is described");
        }
    }
    assert!(tried > 300, "only {tried} bodies were tried");
    assert_eq!(house.operator("GET", "/v1/clients", None).await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn lists_in_bodies_have_their_limits() {
    let house = House::new().await;
    let client = house.client("dominance").await;
    let domain = house.domain(client, "example.com").await;
    let path = format!("/v1/domains/{domain}");
    let many = |count: usize, make: fn(usize) -> Value| Value::from((0..count).map(make).collect::<Vec<_>>());
    let selectors = |count| json!({"dkim": many(count, |n| json!({"selector": format!("s{n}")}))});
    let includes = |count| json!({"spf": {"includes": many(count, |n| json!(format!("_spf{n}.example.net")))}});
    let addresses = |count| json!({"spf": {"ips": many(count, |n| json!(format!("192.0.2.{n}")))}});
    let hosts = |count| json!({"mx": many(count, |n| json!({"host": format!("mx{n}.example.net"), "preference": n}))});
    let uris = |count| json!({"dmarc": {"rua": many(count, |n| json!(format!("mailto:d{n}@example.com")))}});
    type Make<'m> = &'m dyn Fn(usize) -> Value;
    let limits: [(&str, usize, Make<'_>); 5] = [
        ("/dkim", 10, &selectors),
        ("/spf/includes", 10, &includes),
        ("/spf/ips", 32, &addresses),
        ("/mx", 10, &hosts),
        ("/dmarc/rua", 10, &uris),
    ];
    for (pointer, limit, make) in limits {
        let at = house.operator("PATCH", &path, Some(make(limit))).await;
        assert_eq!(at.status, 200, "{pointer}: {}", at.text);
        let above = house.operator("PATCH", &path, Some(make(limit + 1))).await;
        assert_eq!(above.status, 422, "{pointer}");
        assert_eq!(above.pointers(), [pointer]);
    }
}

#[tokio::test]
async fn all_faults_come_at_once_also_those_the_service_finds() {
    let house = House::new().await;
    let client = house.client("velocity").await;
    let register = async |body| house.operator("POST", "/v1/domains", Some(body)).await;
    let body = json!({"client_id": "x", "domain": "co.uk", "provider": "no spaces", "dkim": [{"selector": "s1", "public_key": "!"}, {}],
        "spf": {"ips": ["192.0.2.0/24"]}, "dmarc": {"policy": "strict"}, "mx": [{"host": "192.0.2.1", "preference": 70000}], "typo": 1});
    let expected = [
        "/client_id",
        "/domain",
        "/provider",
        "/dkim/0/public_key",
        "/dkim/1/selector",
        "/spf/ips/0",
        "/dmarc/policy",
        "/mx/0/host",
        "/mx/0/preference",
        "/typo",
    ];
    assert_eq!(register(body).await.pointers(), expected);
    let at = async |body| (register(body).await.pointers()).join(" ");
    assert_eq!(at(json!({"client_id": client, "domain": "example.com"})).await, "/provider", "the profile is empty");
    assert_eq!(at(json!({"client_id": client, "domain": "example.com", "provider": "nobody"})).await, "/provider");
    assert_eq!(at(json!({"client_id": client, "domain": "example.com", "provider": "manual"})).await, "/dkim");
    assert_eq!(at(json!([])).await, "");
    let with = async |name: &str, value: Value| {
        let mut body =
            json!({"client_id": client, "domain": "example.com", "provider": "manual", "dkim": [{"selector": "s1"}]});
        body[name] = value;
        at(body).await
    };
    let rua = json!({"policy": "reject", "rua": ["mailto:a@b.example;p=none"]});
    assert_eq!(with("dmarc", rua).await, "/dmarc/rua/0", "a semicolon would end the tag");
    let record = json!({"record": "v=DMARC1; p=none; rua=mailto:\"x\"@b.example"});
    assert_eq!(with("dmarc", record).await, "/dmarc/record", "the rua would be lost");
    let includes =
        json!({"includes": ["_spf.example.net", "Example.com", "_SPF.example.net"], "ips": ["192.0.2.1", "192.0.2.1"]});
    assert_eq!(with("spf", includes).await, "/spf/includes/1 /spf/includes/2 /spf/ips/1");
    let cname = json!([{"selector": "s1", "cname": "s1._domainkey.example.com"}]);
    assert_eq!(with("dkim", cname).await, "/dkim/0/cname", "an alias of itself");
    let answer = register(json!({"client_id": client, "domain": "https://example.com", "provider": "host"})).await;
    assert!(answer.text.contains("this is a URL"), "the rule is told: {}", answer.text);
}
