//! What was found and what happened: checks, events, deliveries, setup links, a line each.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::plural::counted;
use crate::service::overview::DomainDelivery;
use crate::service::setup_links::SetupLinkRow;
use crate::service::{CheckRow, EventRow};
use crate::verify::purpose::{Purpose, Verdict};
use crate::web::console::words::{self, Mark};
use crate::web::shown::{Moment, plain};

/// The most letters of a text of a stranger in a line.
const TEXT_CHARACTERS_MAX: usize = 300;

/// A check.
#[derive(Debug)]
pub(in crate::web::console) struct CheckLine {
    pub(in crate::web::console) href: String,
    pub(in crate::web::console) at: Moment,
    pub(in crate::web::console) reason: &'static str,
    pub(in crate::web::console) verdicts: Vec<(&'static str, Mark)>,
    pub(in crate::web::console) changes: Vec<String>,
    pub(in crate::web::console) questions: String,
    pub(in crate::web::console) took_ms: u32,
}

impl CheckLine {
    pub(in crate::web::console) fn of(check: &CheckRow, now: DateTime<Utc>) -> CheckLine {
        let verdict = |purpose: Purpose| {
            let notes = check.verdicts.as_array().map(Vec::as_slice).unwrap_or_default();
            let own = notes.iter().filter(|note| note["purpose"] == purpose.as_str() && note["staged"] != true);
            let words = own.filter_map(|note| {
                let word = note["verdict"].as_str()?;
                Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word)
            });
            (words::purpose(purpose), words::verdict(Verdict::over(words)))
        };
        CheckLine {
            href: format!("/domains/{}/checks/{}", check.domain_id, check.id),
            at: Moment::of(check.at, now),
            reason: check.reason.as_str(),
            verdicts: Purpose::ALL.map(verdict).into(),
            changes: changes(&check.changes),
            questions: counted(check.questions, "question", "questions"),
            took_ms: check.took_ms,
        }
    }
}

/// What a check or an event changed, in words.
fn changes(changes: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let word = |value: &Value| plain(value.as_str().unwrap_or("?"), TEXT_CHARACTERS_MAX);
    if let Some(status) = changes.get("status").filter(|status| status["from"] != status["to"]) {
        said.push(format!("{} → {}", word(&status["from"]), word(&status["to"])));
    }
    for purpose in Purpose::ALL {
        let flag = changes.get("flags").and_then(|flags| flags.get(format!("{purpose}_valid")));
        match flag.and_then(|flag| flag["to"].as_bool()) {
            Some(true) => said.push(format!("{} became valid", words::purpose(purpose))),
            Some(false) => said.push(format!("{} fell", words::purpose(purpose))),
            None => {}
        }
    }
    match changes.get("bound").and_then(Value::as_array).map(Vec::len) {
        None | Some(0) => {}
        Some(count) => said.push(format!("{} now", counted(count, "staged record binds", "staged records bind"))),
    }
    said
}

/// An event.
#[derive(Debug)]
pub(super) struct EventLine {
    pub(super) at: Moment,
    pub(super) kind: String,
    pub(super) changes: Vec<String>,
    pub(super) by: &'static str,
}

impl EventLine {
    pub(super) fn of(event: &EventRow, now: DateTime<Utc>) -> EventLine {
        EventLine {
            at: Moment::of(event.at, now),
            kind: plain(&event.kind, TEXT_CHARACTERS_MAX),
            changes: changes(&event.body),
            by: if event.check_id.is_some() { "a check" } else { "a person" },
        }
    }
}

/// An event on its way to an endpoint.
#[derive(Debug)]
pub(super) struct DeliveryLine {
    pub(super) at: Moment,
    pub(super) kind: String,
    pub(super) host: String,
    pub(super) mark: (String, &'static str),
    pub(super) attempts: i32,
    pub(super) failure: Option<String>,
    pub(super) next_at: Option<Moment>,
}

impl DeliveryLine {
    pub(super) fn of(delivery: &DomainDelivery, now: DateTime<Utc>) -> DeliveryLine {
        let tone = match delivery.status.as_str() {
            "delivered" => "ok",
            "failed" => "bad",
            _ => "wait",
        };
        DeliveryLine {
            at: Moment::of(delivery.created_at, now),
            kind: plain(&delivery.kind, TEXT_CHARACTERS_MAX),
            host: host(&delivery.url),
            mark: (plain(&delivery.status, TEXT_CHARACTERS_MAX), tone),
            attempts: delivery.attempts,
            failure: delivery.failure.as_deref().map(|why| plain(why, TEXT_CHARACTERS_MAX)),
            next_at: delivery.next_attempt_at.map(|at| Moment::of(at, now)),
        }
    }
}

/// The host alone: a URL's path, query and user may be secrets.
fn host(url: &str) -> String {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    plain(host, TEXT_CHARACTERS_MAX)
}

/// A setup link.
#[derive(Debug)]
pub(super) struct LinkLine {
    pub(super) id: String,
    pub(super) made_at: Moment,
    pub(super) expires_at: Moment,
    pub(super) is_open: bool,
    pub(super) mark: Mark,
}

impl LinkLine {
    pub(super) fn of(link: &SetupLinkRow, now: DateTime<Utc>) -> LinkLine {
        let is_open = link.is_live(now);
        let mark = match link.revoked_at {
            Some(_) => Mark { word: "revoked", tone: "wait" },
            None if is_open => Mark { word: "open", tone: "ok" },
            None => Mark { word: "expired", tone: "wait" },
        };
        LinkLine {
            id: link.id.to_string(),
            made_at: Moment::of(link.created_at, now),
            expires_at: Moment::of(link.expires_at, now),
            is_open,
            mark,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_told_in_words() {
        let flag = |from: bool| json!({"from": from, "to": !from});
        let told = changes(&json!({
            "status": {"from": "pending", "to": "active"},
            "flags": {"spf_valid": flag(false), "mx_valid": flag(true), "dns_configured": flag(false)},
            "bound": [{}, {}],
        }));
        assert_eq!(told, ["pending → active", "SPF became valid", "MX fell", "2 staged records bind now"]);
        assert_eq!(changes(&json!({})), [""; 0]);
        assert_eq!(
            changes(&json!({"status": {"from": "active", "to": "active"}, "bound": [{}]})),
            ["1 staged record binds now"]
        );
    }

    #[test]
    fn of_a_url_only_the_host_is_shown() {
        assert_eq!(host("https://user:secret@hooks.example:8443/secret?key=1"), "hooks.example:8443");
        assert_eq!(host("https://hooks.example?key=1"), "hooks.example");
        assert_eq!(host("nonsense"), "nonsense");
    }
}
