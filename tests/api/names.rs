//! Forty ways and more of writing a domain's name wrong: each is refused at its field with the rule that it breaks, or is
//! an odd way of writing a right one, and becomes that.

use serde_json::{Value, json};

use crate::api::house::House;

/// What is written, and the rule that it breaks.
fn wrong() -> Vec<(&'static str, Value, &'static str)> {
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = format!("{}example.com", "a.".repeat(122));
    let long_unicode = format!("{}.example", "ü".repeat(60));
    vec![
        ("nothing", json!(""), "is needed"),
        ("spaces", json!("   "), "is needed"),
        ("null", Value::Null, "is needed"),
        ("a number", json!(7), "must be a text"),
        ("a truth", json!(true), "must be a text"),
        ("a list", json!(["example.com"]), "must be a text"),
        ("an object", json!({"name": "example.com"}), "must be a text"),
        ("a single label", json!("localhost"), "a single label"),
        ("a top level", json!("com"), "a single label"),
        ("a dot", json!("."), "label"),
        ("two dots", json!(".."), "label"),
        ("a dot first", json!(".example.com"), "label between two dots is empty"),
        ("an empty label", json!("a..example.com"), "label between two dots is empty"),
        ("two dots last", json!("example.com.."), "label between two dots is empty"),
        ("a public suffix", json!("co.uk"), "public suffix"),
        ("a suffix of a host", json!("github.io"), "public suffix"),
        ("an IPv4 address", json!("192.0.2.1"), "IP address"),
        ("an IPv4 address with a dot", json!("192.0.2.1."), "IP address"),
        ("an IPv6 address", json!("2001:db8::1"), "IP address"),
        ("an address literal", json!("[192.0.2.1]"), "IP address"),
        ("an IPv6 literal", json!("[2001:db8::1]"), "IP address"),
        ("a last label of digits", json!("example.123"), "IP address"),
        ("a mail address", json!("me@example.com"), "e-mail address"),
        ("an at sign", json!("@example.com"), "e-mail address"),
        ("a URL", json!("https://example.com"), "URL"),
        ("another URL", json!("ftp://example.com/x"), "URL"),
        ("a path", json!("example.com/path"), "RFC 5891"),
        ("a port", json!("example.com:25"), "RFC 5891"),
        ("a query", json!("example.com?x"), "RFC 5891"),
        ("a fragment", json!("example.com#x"), "RFC 5891"),
        ("a wildcard", json!("*.example.com"), "RFC"),
        ("an underscore", json!("_dmarc.example.com"), "RFC 1123"),
        ("a space inside", json!("exa mple.com"), "RFC 5891"),
        ("a tab inside", json!("exa\tmple.com"), "RFC 5891"),
        ("a line break inside", json!("example.com\nexample.net"), "RFC 5891"),
        ("a zero octet", json!("example\u{0}.com"), ""),
        ("an escape for terminals", json!("exa\u{1b}[31mmple.com"), "RFC 5891"),
        ("a percent escape", json!("ex%61mple.com"), "RFC 5891"),
        ("a backslash", json!("exa\\mple.com"), "RFC"),
        ("quotes", json!("\"example\".com"), "RFC"),
        ("a comma", json!("example,com"), "RFC"),
        ("two names", json!("example.com,example.net"), "RFC"),
        ("a semicolon", json!("example.com;"), "RFC"),
        ("a hyphen first", json!("-a.example.com"), "RFC"),
        ("a hyphen last", json!("a-.example.com"), "RFC"),
        ("a broken A-label", json!("xn--a.example"), "RFC 5891"),
        ("an A-label of nothing", json!("xn--.example"), "RFC 5891"),
        ("a direction turned over", json!("exa\u{202e}mple.com"), "RFC 5891"),
        ("a replacement character", json!("exa\u{fffd}mple.com"), "RFC 5891"),
        ("a symbol that IDNA has not", json!("exa\u{2028}mple.com"), "RFC 5891"),
        ("a label of 64 octets", json!(long_label), "longer than 63"),
        ("a name of 255 octets", json!(long_name), "253"),
        ("a U-label too long as an A-label", json!(long_unicode), ""),
        ("a name of 100 KB", json!("a".repeat(100_000)), ""),
    ]
}

#[tokio::test]
async fn a_wrong_name_is_refused_at_its_field_with_the_rule() {
    let house = House::new().await;
    let client = house.client("dominance").await;
    let cases = wrong();
    assert!(cases.len() >= 40, "{}", cases.len());
    for (why, domain, rule) in cases {
        let body = json!({"client_id": client, "domain": domain, "provider": "manual", "dkim": [{"selector": "s1"}]});
        let answer = house.operator("POST", "/v1/domains", Some(body)).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, "invalid"), "{why}: {}", answer.text);
        assert_eq!(answer.pointers(), ["/domain"], "{why}");
        let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(!detail.is_empty() && detail.contains(rule), "{why}: {detail}");
        assert!(detail.len() < 400 && !detail.chars().any(char::is_control), "{why}: {detail}");
    }
    assert_eq!(house.operator("GET", "/v1/domains", None).await.json()["data"], json!([]), "none is there");
}

#[tokio::test]
async fn an_odd_way_of_writing_a_right_name_becomes_that() {
    for (why, written, name) in [
        ("case", "EXAMPLE.Com", "example.com"),
        ("a dot last", "example.com.", "example.com"),
        ("spaces around it, from a clipboard", " example.com\r\n", "example.com"),
        ("U-labels", "Bücher.example", "xn--bcher-kva.example"),
        ("A-labels in capitals", "XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("an ideographic full stop", "bücher。example", "xn--bcher-kva.example"),
        ("full-width letters", "ｅｘａｍｐｌｅ.com", "example.com"),
        ("a soft hyphen, which is not seen", "exam\u{ad}ple.com", "example.com"),
        ("a name below another", "mail.eu.example.co.uk", "mail.eu.example.co.uk"),
        ("digits", "123.example.com", "123.example.com"),
        ("a label of 63 octets", &format!("{}.example", "a".repeat(63)), &format!("{}.example", "a".repeat(63))),
    ] {
        let house = House::new().await;
        let client = house.client("velocity").await;
        let body = json!({"client_id": client, "domain": written, "provider": "manual", "dkim": [{"selector": "s1"}]});
        let answer = house.operator("POST", "/v1/domains", Some(body.clone())).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["domain"]), (201, &json!(name)), "{why}: {}", answer.text);
        let again = house.operator("POST", "/v1/domains", Some(body)).await;
        assert_eq!(again.problem(), "domain-taken", "{why}: the same once more");
    }
}
