//! A service of its own for each test, and how it is called.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::{DateTime, TimeDelta};
use secrecy::ExposeSecret;
use sendready::chance::Chance;
use sendready::clock::Hand;
use sendready::config::providers::Profile;
use sendready::dns::zone_text::ZoneText;
use sendready::http;
use sendready::http::health::Health;
use sendready::protocol::name::Name;
use sendready::sending::health::Bounds;
use sendready::service::abandoned::Looked;
use sendready::service::checks::Due;
use sendready::service::keys::KeyRequest;
use sendready::service::schedule::{Rhythm, Rung};
use sendready::service::{Role, Service, Settings, WebhookSettings};
use sendready::store::Store;
use sendready::verify::breaker::Rule;
use sendready::verify::standing::Patience;
use sendready::web;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

/// A service over an empty database, with an operator's key.
pub struct House {
    pub router: http::Api,
    pub service: Service,
    pub health: Health,
    pub hand: Hand,
    pub operator: String,
    pub folder: TempDir,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|fault| panic!("{fault}: {} {}", self.status, self.text))
    }

    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The last part of a problem's type; empty for what is no problem.
    #[track_caller]
    pub fn problem(&self) -> String {
        if self.header("content-type") != "application/problem+json" {
            return String::new();
        }
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert!(!body["title"].as_str().unwrap().is_empty());
        assert_eq!(body["detail"].is_string(), self.status.is_client_error(), "detail: {}", self.text);
        body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned()
    }

    /// The pointers of a problem's fields.
    pub fn pointers(&self) -> Vec<String> {
        let body = self.json();
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

impl House {
    pub async fn new() -> House {
        House::set_to(|_| {}).await
    }

    /// With other settings.
    pub async fn set_to(change: impl FnOnce(&mut Settings)) -> House {
        let mut settings = settings();
        change(&mut settings);
        let folder = TempDir::new().unwrap();
        let hand = Hand::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let store = Store::connect(&format!("sqlite:{}", folder.path().join("test.db").display())).await.unwrap();
        store.migrate(hand.now()).await.unwrap();
        let service = Service::new(store, settings, hand.clock(), Chance::System);
        let health = Health::default();
        let router =
            http::router_with(service.clone(), health.clone(), None, web::router(service.clone(), health.clone()));
        let operator = service.first_operator_key().await.unwrap().unwrap().expose_secret().to_owned();
        House { router, service, health, hand, operator, folder }
    }

    /// A new key, and its id.
    pub async fn key(&self, role: Role, client_id: Option<Uuid>) -> (Uuid, String) {
        let (row, secret) =
            self.service.key_create(&KeyRequest { role, client_id, name: None, expires_in: None }).await.unwrap();
        (row.id, secret.expose_secret().to_owned())
    }

    /// A new client.
    pub async fn client(&self, tier: &str) -> Uuid {
        let answer = self.operator("POST", "/v1/clients", Some(json!({"name": "Example", "tier": tier}))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// A new domain; its id.
    pub async fn domain(&self, client_id: Uuid, domain: &str) -> Uuid {
        let body =
            json!({"client_id": client_id, "domain": domain, "provider": "manual", "dkim": [{"selector": "s1"}]});
        let answer = self.operator("POST", "/v1/domains", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// A new mailbox; its id.
    pub async fn mailbox(&self, domain: Uuid, address: &str) -> Uuid {
        let path = format!("/v1/domains/{domain}/mailboxes");
        let answer = self.operator("POST", &path, Some(json!({"email_address": address}))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// A request with the operator's key.
    pub async fn operator(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call(method, path, Some(&self.operator), body).await
    }

    /// A request with a key, or none.
    pub async fn call(&self, method: &str, path: &str, key: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    /// Any request.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let octets = to_bytes(body, 16 << 20).await.unwrap();
        let answer =
            Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(octets.to_vec()).unwrap() };
        assert!(!answer.header("x-request-id").is_empty(), "every answer carries its request's id");
        answer
    }

    /// A request with the operator's key and other headers.
    pub async fn with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {}", self.operator));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Checks everything that is due, against DNS as text; how many it were.
    pub async fn check_all(&self, zone: &str) -> usize {
        let resolver: ZoneText = zone.parse().unwrap();
        let claims = self.service.due(Due::Any, 100).await.unwrap();
        for claim in &claims {
            let examined = self.service.run(&resolver, claim).await.unwrap();
            self.service.settle(claim, &examined).await.unwrap();
        }
        claims.len()
    }

    /// Looks for the proofs of those who claim deleted domains, as far as it is due, against this zone; what came of each.
    pub async fn look_for_claimants(&self, zone: &str) -> Vec<Looked> {
        let resolver: ZoneText = zone.parse().unwrap();
        let mut looked = Vec::new();
        for claim in self.service.abandoned_due(100).await.unwrap() {
            looked.push(self.service.look_for_claimants(&resolver, &claim).await.unwrap());
        }
        looked
    }
}

/// As the contract's defaults, with a profile `host`.
pub fn settings() -> Settings {
    let host = Profile {
        spf_includes: vec![Name::parse("_spf.example.net").unwrap()],
        dkim_selectors: vec![Name::parse("s1").unwrap()],
        ..Profile::default()
    };
    Settings {
        patience: Patience {
            grace: TimeDelta::hours(72),
            recovery_hold: TimeDelta::hours(1),
            stale_limit: TimeDelta::hours(72),
        },
        rhythm: Rhythm {
            pending_ladder: vec![Rung { younger_than: Duration::from_secs(900), every: Duration::from_secs(120) }],
            active_interval: Duration::from_secs(12 * 3_600),
            degraded_interval: Duration::from_secs(900),
            min_interval: Duration::from_secs(15),
        },
        lease: Duration::from_secs(60),
        concurrency: 4,
        public_url: "https://sendready.example".to_owned(),
        breaker: Rule { min_domains: 20, share: 0.3, window: TimeDelta::minutes(10) },
        history_keep: Duration::from_secs(90 * 86_400),
        audit_keep: Duration::from_hours(24 * 400),
        rate_limits: sendready::config::rates::RateLimits::default(),
        webhooks: WebhookSettings {
            inbound_secrets: Vec::new(),
            retry_schedule: [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map(Duration::from_secs).to_vec(),
            allow_private: false,
        },
        sending: Bounds { bounce_max: 0.05, spam_max: 0.003 },
        profiles: BTreeMap::from([("host".to_owned(), host), ("infraforge".to_owned(), Profile::default())]),
    }
}
