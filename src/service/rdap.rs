//! RDAP, as far as the age of a domain needs it: which server to ask (RFC 9224), and when it says that the domain was
//! registered (RFC 9083 §4.5, §5.3).
//!
//! # Strictness
//!
//! A server's answer counts only when it is of the domain that was asked about and names a day on which it could have
//! been registered: no earlier than the first domain (1985) and no later than now. Anything else is nonsense, and
//! never an age.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::Value;
use thiserror::Error;

/// The most servers of one top-level domain that are kept.
const SERVERS_MAX: usize = 4;

/// Which servers know which domains. RFC 9224 §3, §4.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bootstrap {
    servers: BTreeMap<String, Vec<String>>,
}

/// Why a bootstrap file is none.
#[derive(Debug, Error)]
#[error("it is no bootstrap file of RDAP (RFC 9224 §3): {0}")]
pub struct BootstrapFault(String);

impl Bootstrap {
    /// Reads a file such as IANA's `dns.json`.
    ///
    /// # Errors
    ///
    /// [`BootstrapFault`]; the fault of whoever wrote it.
    pub fn parse(octets: &[u8]) -> Result<Bootstrap, BootstrapFault> {
        let file: Value = serde_json::from_slice(octets).map_err(|fault| BootstrapFault(fault.to_string()))?;
        let services = file.get("services").and_then(Value::as_array);
        let services = services.ok_or_else(|| BootstrapFault("it has no `services`".to_owned()))?;
        let mut servers = BTreeMap::new();
        for service in services {
            let (Some(entries), Some(urls)) = (texts(service.get(0)), texts(service.get(1))) else {
                return Err(BootstrapFault("a service has two lists of texts: its domains and its URLs".to_owned()));
            };
            // HTTPS goes before HTTP. RFC 9224 §3.
            let mut urls: Vec<String> = urls.into_iter().filter(|url| is_http(url)).collect();
            urls.sort_by_key(|url| !url.to_ascii_lowercase().starts_with("https://"));
            urls.truncate(SERVERS_MAX);
            for entry in entries.iter().filter(|_| !urls.is_empty()) {
                servers.insert(entry.trim_end_matches('.').to_ascii_lowercase(), urls.clone());
            }
        }
        if servers.is_empty() {
            return Err(BootstrapFault("it names no server".to_owned()));
        }
        Ok(Bootstrap { servers })
    }

    /// The URL to ask about a domain, in A-labels: of the entry that has the most of its labels. RFC 9224 §4, RFC 9082 §3.1.3.
    pub fn url(&self, domain: &str) -> Option<String> {
        let ends = std::iter::successors(Some(domain), |rest| rest.split_once('.').map(|(_, rest)| rest));
        let base = ends.filter_map(|end| self.servers.get(end)).find_map(|urls| urls.first())?;
        Some(format!("{}/domain/{domain}", base.trim_end_matches('/')))
    }
}

/// A list of texts, and nothing else.
fn texts(list: Option<&Value>) -> Option<Vec<String>> {
    list?.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

fn is_http(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    url.starts_with("https://") || url.starts_with("http://")
}

/// Why an answer says nothing of an age.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Nonsense {
    /// It is no JSON of a domain.
    #[error("the answer is no domain of RDAP")]
    NoDomain,
    /// It is of another domain.
    #[error("the answer is of another domain")]
    OtherDomain,
    /// It does not say when it was registered.
    #[error("the answer does not say when the domain was registered")]
    NoRegistration,
    /// Its day is none, or none on which the domain can have been registered.
    #[error("the answer's day of registration cannot be")]
    BadDate,
}

/// When a server says that `domain`, in A-labels, was registered. The latest such event counts, for a name that was
/// let go and registered again is a new one.
///
/// # Errors
///
/// [`Nonsense`]; the server's fault.
pub fn registered_at(octets: &[u8], domain: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Nonsense> {
    let answer: Value = serde_json::from_slice(octets).map_err(|_| Nonsense::NoDomain)?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    if !text(&answer, "objectClassName").is_some_and(|class| class.eq_ignore_ascii_case("domain")) {
        return Err(Nonsense::NoDomain);
    }
    if text(&answer, "ldhName").is_some_and(|name| !name.trim_end_matches('.').eq_ignore_ascii_case(domain)) {
        return Err(Nonsense::OtherDomain);
    }
    let events = answer.get("events").and_then(Value::as_array).into_iter().flatten();
    let mut latest = None;
    for event in events.filter(|event| text(event, "eventAction").as_deref() == Some("registration")) {
        let at = text(event, "eventDate").as_deref().and_then(date).ok_or(Nonsense::BadDate)?;
        if at < first_domain() || at > now {
            return Err(Nonsense::BadDate);
        }
        latest = latest.max(Some(at));
    }
    latest.ok_or(Nonsense::NoRegistration)
}

/// RFC 3339, or a bare date as some registries write it.
fn date(text: &str) -> Option<DateTime<Utc>> {
    let bare = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc());
    DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).or_else(|_| bare()).ok()
}

/// Before this there was no domain to be registered.
fn first_domain() -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(1985, 1, 1).map_or(DateTime::UNIX_EPOCH, |day| day.and_time(NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn the_longest_entry_says_whom_to_ask() {
        let file = json!({"version": "1.0", "services": [
            [["example", "xn--p1ai"], ["http://old.example/", "https://rdap.example/v1/"]],
            [["co.example"], ["https://co.example"]],
            [["ftp"], ["ftp://x.example/"]],
        ]});
        let bootstrap = Bootstrap::parse(file.to_string().as_bytes()).unwrap();
        let check =
            |domain: &str, expected: Option<&str>| assert_eq!(bootstrap.url(domain).as_deref(), expected, "{domain}");
        check("a.example", Some("https://rdap.example/v1/domain/a.example"));
        check("a.co.example", Some("https://co.example/domain/a.co.example"));
        check("a.xn--p1ai", Some("https://rdap.example/v1/domain/a.xn--p1ai"));
        check("a.notexample", None);
        check("a.ftp", None);
        for bad in
            [&b"{"[..], b"[]", b"{\"services\": []}", b"{\"services\": [[[\"a\"]]]}", b"{\"services\": [[[1], []]]}"]
        {
            assert!(Bootstrap::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn only_a_day_that_can_be_counts() {
        let check = |why: &str, answer: Value, expected: Result<&str, Nonsense>| {
            let read = registered_at(answer.to_string().as_bytes(), "a.example", now());
            assert_eq!(read.map(|at| at.to_rfc3339()), expected.map(str::to_owned), "{why}");
        };
        let event = |date: &str| json!({"eventAction": "registration", "eventDate": date});
        let domain = |events: Value| json!({"objectClassName": "domain", "ldhName": "A.EXAMPLE.", "events": events});
        check("plain", domain(json!([event("2020-01-02T03:04:05Z")])), Ok("2020-01-02T03:04:05+00:00"));
        check("an offset", domain(json!([event("2020-01-02T03:04:05+02:00")])), Ok("2020-01-02T01:04:05+00:00"));
        check("a bare date", domain(json!([event("2020-01-02")])), Ok("2020-01-02T00:00:00+00:00"));
        let again =
            json!([event("2001-01-01"), {"eventAction": "expiration", "eventDate": "2099-01-01"}, event("2020-01-02")]);
        check("let go and registered again", domain(again), Ok("2020-01-02T00:00:00+00:00"));
        check("in the future", domain(json!([event("2099-01-02T03:04:05Z")])), Err(Nonsense::BadDate));
        check("before there were domains", domain(json!([event("1970-01-01T00:00:00Z")])), Err(Nonsense::BadDate));
        check("no date", domain(json!([event("last Tuesday")])), Err(Nonsense::BadDate));
        check("a date that is missing", domain(json!([{"eventAction": "registration"}])), Err(Nonsense::BadDate));
        check(
            "other events",
            domain(json!([{"eventAction": "last changed", "eventDate": "2020-01-02"}])),
            Err(Nonsense::NoRegistration),
        );
        check("no events", json!({"objectClassName": "domain"}), Err(Nonsense::NoRegistration));
        let other = json!({"objectClassName": "domain", "ldhName": "b.example", "events": [event("2020-01-02")]});
        check("another domain", other, Err(Nonsense::OtherDomain));
        check("another thing", json!({"objectClassName": "entity"}), Err(Nonsense::NoDomain));
        check("an error", json!({"errorCode": 404}), Err(Nonsense::NoDomain));
        check("a list", json!([]), Err(Nonsense::NoDomain));
        assert_eq!(registered_at(b"<html>", "a.example", now()), Err(Nonsense::NoDomain));
        assert_eq!(registered_at("[".repeat(100_000).as_bytes(), "a.example", now()), Err(Nonsense::NoDomain), "deep");
    }
}
