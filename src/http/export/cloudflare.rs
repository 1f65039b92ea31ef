//! A batch of changes for Cloudflare's API: the body of `POST /zones/{zone_id}/dns_records/batch`.
//!
//! The dashboard imports master files, which is [`crate::http::export::bind`]. A batch adds one record at a time and
//! touches no other, and nothing of it is applied when one of them is refused. What would have to be changed
//! is named by an id that only Cloudflare knows, so it is not in the batch, but said.

use serde_json::{Value, json};

use crate::http::export::Exported;
use crate::http::export::sets::{Publishable, RecordSet, Wanted};
use crate::verify::evidence::RecordType;
use crate::verify::purpose::Action;
use crate::verify::report::Report;

/// The batch: names in full without a dot, texts as quoted character-strings, no record behind Cloudflare's proxy.
pub fn cloudflare(report: &Report) -> Exported {
    let Wanted { sets, left_out: mut notices } = Wanted::of(report);
    let mut posts = Vec::new();
    for set in &sets {
        for one in &set.records {
            match one.record.action {
                Action::Add => posts.push(post(set, one)),
                Action::Keep => notices.push(format!("{} is left out: {} is in place", set.title(), one.data())),
                Action::Replace => notices.push(format!(
                    "{} is left out: a batch would add a second one; change the one that is there into {}",
                    set.title(),
                    one.data()
                )),
            }
        }
    }
    if sets.iter().any(RecordSet::is_unchecked) {
        notices.push(
            "nobody has looked at what is published, and a batch adds to it: where an SPF, DKIM or DMARC record is \
             there already, take it out of the batch and change the one that is there"
                .to_owned(),
        );
    }
    Exported { text: format!("{:#}\n", json!({ "posts": posts })), notices }
}

fn post(set: &RecordSet<'_>, one: &Publishable<'_>) -> Value {
    let mut post = json!({
        "name": set.name.to_string(),
        "type": set.record_type.as_str(),
        "ttl": set.ttl_seconds,
        "content": content(one),
    });
    match set.record_type {
        RecordType::Mx => post["priority"] = json!(one.preference()),
        // A DKIM key behind the proxy is none.
        RecordType::Cname => post["proxied"] = json!(false),
        _ => {}
    }
    post
}

/// What Cloudflare takes as `content`: a host without its dot, a text in quotes.
pub(super) fn content(one: &Publishable<'_>) -> String {
    match one.record.record_type {
        RecordType::Txt => one.data(),
        _ => one.value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::export::samples;

    fn posts(report: &Report) -> Vec<Value> {
        let body: Value = serde_json::from_str(&cloudflare(report).text).unwrap();
        body["posts"].as_array().unwrap().clone()
    }

    #[test]
    fn a_batch_adds_records() {
        let expected = [
            json!({"name": "example.com", "type": "TXT", "ttl": 3600, "content": "\"v=spf1 exists:%{i}.example.net -all\""}),
            json!({"name": "s2._domainkey.example.com", "type": "CNAME", "ttl": 3600, "content": "s2.example.net", "proxied": false}),
            json!({"name": "example.com", "type": "MX", "ttl": 3600, "content": "mx1.example.net", "priority": 10}),
            json!({"name": "example.com", "type": "MX", "ttl": 3600, "content": "mx2.example.net", "priority": 20}),
        ];
        assert_eq!(posts(&samples::motley()), expected);
    }

    /// A second SPF or DMARC record beside the first would be worse than none.
    #[test]
    fn what_it_does_not_do_is_said() {
        let notices = cloudflare(&samples::motley()).notices;
        let begin = |notice: &String| notice.split(':').next().unwrap_or_default().to_owned();
        let expected = [
            "dkim (TXT at s3._domainkey.example.com) is left out",
            "CNAME at s4._domainkey.example.com is left out",
            "TXT at _dmarc.example.com is left out",
            "nobody has looked at what is published, and a batch adds to it",
        ];
        assert_eq!(notices.iter().map(begin).collect::<Vec<_>>(), expected);
        assert!(notices[2].ends_with("into \"v=DMARC1; p=none\""), "{}", notices[2]);
        assert_eq!(cloudflare(&samples::one_text("v=DKIM1; p=")).notices, [""; 0]);
    }

    proptest! {
        #[test]
        fn every_text_comes_through(value in "\\PC{1,600}") {
            let posts = posts(&samples::one_text(&value));
            let content = samples::unquoted(posts[0]["content"].as_str().unwrap(), 10);
            prop_assert_eq!(content, value.into_bytes());
        }
    }
}
