//! Weak entity tags (RFC 9110 §8.8.3) of documents that are equal while only their times move.

use std::fmt::Write;

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Members whose movement alone is no change. Contract §3.3.
const PASSED_OVER: [&str; 7] =
    ["checked_at", "next_check_at", "changed_at", "expected_visible_at", "checking", "poll_after_seconds", "ttl"];

/// How many octets of the digest a tag shows; 96 bits are beyond chance.
const TAG_OCTETS: usize = 12;

/// The weak tag of a document: equal for equal content, times passed over.
pub fn weak(document: &Value) -> String {
    let mut digest = Sha256::new();
    feed(document, &mut digest);
    let mut tag = String::from("W/\"");
    for octet in digest.finalize().iter().take(TAG_OCTETS) {
        // Writing to a text cannot fail.
        let _ = write!(tag, "{octet:02x}");
    }
    tag.push('"');
    tag
}

/// Feeds a value in a form in which no two different values are alike: every text is quoted, every end is marked.
fn feed(value: &Value, digest: &mut Sha256) {
    match value {
        Value::Object(map) => {
            digest.update(b"{");
            for (name, value) in map {
                digest.update(Value::from(name.as_str()).to_string());
                if name == "stale_since" {
                    // When is a time; whether is content.
                    digest.update(if value.is_null() { b"-" } else { b"+" });
                } else if !PASSED_OVER.contains(&name.as_str()) {
                    feed(value, digest);
                }
            }
            digest.update(b"}");
        }
        Value::Array(values) => {
            digest.update(b"[");
            for value in values {
                feed(value, digest);
                digest.update(b",");
            }
            digest.update(b"]");
        }
        plain => digest.update(plain.to_string()),
    }
}

/// Whether the caller has the document of this tag already. RFC 9110 §13.1.2, compared weakly.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let wanted = opaque(tag);
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|given| given.trim() == "*" || opaque(given) == wanted)
}

/// A tag without what makes it a weak one.
fn opaque(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_content_changes_the_tag() {
        let tag = |checked: Value, verdict: &str, ttl: u32| {
            weak(&json!({"checked_at": checked, "records": [{"verdict": verdict, "ttl": ttl}]}))
        };
        let first = tag(json!("2026-01-01T00:00:00Z"), "missing", 1);
        assert!(first.starts_with("W/\"") && first.len() == 28, "{first}");
        assert_eq!(first, tag(json!("2026-01-02T00:00:00Z"), "missing", 2), "times and TTLs");
        assert_ne!(first, tag(json!("2026-01-01T00:00:00Z"), "valid", 1), "a verdict");
        assert_ne!(weak(&json!({"stale_since": null})), weak(&json!({"stale_since": "2026-01-01T00:00:00Z"})));
        assert_ne!(weak(&json!(["a", "b"])), weak(&json!(["a,b"])));
        assert_ne!(weak(&json!([["a"], "b"])), weak(&json!(["a", ["b"]])));
    }

    #[test]
    fn known_tags_are_compared_weakly() {
        let check = |given: &str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(given).unwrap());
            assert_eq!(is_known(&headers, "W/\"ab\""), expected, "{given}");
        };
        check("W/\"ab\"", true);
        check("\"ab\"", true);
        check("\"x\", W/\"ab\"", true);
        check("*", true);
        check("W/\"abc\"", false);
        check("", false);
        assert!(!is_known(&HeaderMap::new(), "W/\"ab\""));
    }
}
