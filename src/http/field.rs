//! Single fields: from JSON values to what they mean.
//!
//! Each reader says in its error what the field must be, to whoever wrote the body. Texts are bounded, and
//! hold no control characters: the databases cannot keep a zero octet, and nobody means one.

use std::net::IpAddr;

use serde_json::Value;
use uuid::Uuid;

use crate::protocol::dkim::PublicKey;
use crate::protocol::dmarc;
use crate::protocol::dmarc::{DmarcRecord, Fault, Policy};
use crate::protocol::domain::Domain;
use crate::protocol::mail_address::MailAddress;
use crate::protocol::name::Name;
use crate::sending::health::is_rate;
use crate::sending::tier::Tier;
use crate::service::OperatorStatus;
use crate::service::domains::FOREIGN_ID_CHARACTERS_MAX;
use crate::service::mailboxes::DISPLAY_NAME_CHARACTERS_MAX;
use crate::service::requirements;
use crate::service::sends::COUNT_MAX;
use crate::webhook::event::Kind;

/// The longest name of a client or a key, in characters.
pub const LABEL_CHARACTERS_MAX: usize = 200;
/// The longest name of a provider, in characters.
pub const PROVIDER_CHARACTERS_MAX: usize = 64;
/// The longest public key, in characters: a whole pasted record or PEM block of 8192 bits, with room.
pub const KEY_CHARACTERS_MAX: usize = 8_192;
/// The longest record text, in characters.
pub const RECORD_CHARACTERS_MAX: usize = 2_048;
/// The longest URL, in characters.
pub const URL_CHARACTERS_MAX: usize = 2_048;
/// The highest daily limit that can be set.
pub const DAILY_LIMIT_MAX: i32 = 1_000_000;

/// A text as it stands.
fn string(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err("must be a text".to_owned()),
    }
}

/// A text of 1 to `characters_max` characters, without control characters, trimmed.
///
/// # Errors
///
/// What it must be.
pub fn text(value: Value, characters_max: usize) -> Result<String, String> {
    let text = string(value)?;
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    // Octets first, so that no megabyte is walked through.
    if text.len() > characters_max * 4 || text.chars().count() > characters_max {
        return Err(format!("may have at most {characters_max} characters"));
    }
    if text.chars().any(|c| c.is_control() || turns_text(c)) {
        return Err("must not hold control characters".to_owned());
    }
    if text.chars().all(is_invisible) {
        return Err("must hold something that can be seen".to_owned());
    }
    Ok(text.to_owned())
}

/// Characters that show nothing: spaces, `Default_Ignorable_Code_Point` of the Unicode Character Database, and the
/// empty Braille pattern.
fn is_invisible(c: char) -> bool {
    let is_ignorable = matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    is_ignorable || c == '\u{2800}' || c.is_whitespace()
}

/// Marks that turn the direction of what follows, and so make a list of names lie. UAX #9.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The name of a client.
///
/// # Errors
///
/// What it must be.
pub fn label(value: Value) -> Result<String, String> {
    text(value, LABEL_CHARACTERS_MAX)
}

/// The name of a provider's profile: letters, digits, `-` and `_`, in lower case.
///
/// # Errors
///
/// What it must be.
pub fn provider(value: Value) -> Result<String, String> {
    let text = text(value, PROVIDER_CHARACTERS_MAX)?;
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if text.chars().all(inner) {
        Ok(text)
    } else {
        Err("may hold only lower-case letters, digits, `-` and `_`".to_owned())
    }
}

/// The id of something in another system.
///
/// # Errors
///
/// What it must be.
pub fn foreign_id(value: Value) -> Result<String, String> {
    text(value, FOREIGN_ID_CHARACTERS_MAX)
}

/// A URL, as a text; whether it may be posted to is the service's to say.
///
/// # Errors
///
/// What it must be.
pub fn url(value: Value) -> Result<String, String> {
    text(value, URL_CHARACTERS_MAX)
}

/// A type of events that an endpoint can ask for.
///
/// # Errors
///
/// What it must be.
pub fn event_kind(value: Value) -> Result<Kind, String> {
    Kind::parse(&string(value)?).ok_or_else(|| one_of(Kind::ALL.map(Kind::as_str)))
}

/// A UUID.
///
/// # Errors
///
/// What it must be.
pub fn id(value: Value) -> Result<Uuid, String> {
    Uuid::parse_str(&string(value)?).map_err(|_| "must be a UUID".to_owned())
}

/// A tier.
///
/// # Errors
///
/// What it must be.
pub fn tier(value: Value) -> Result<Tier, String> {
    Tier::parse(&string(value)?).ok_or_else(|| one_of(Tier::ALL.map(Tier::as_str)))
}

/// A domain that can hold mail.
///
/// # Errors
///
/// Which rule it breaks.
pub fn domain(value: Value) -> Result<Domain, String> {
    Domain::parse(&string(value)?).map_err(|fault| fault.to_string())
}

/// A host name or another name in DNS; not the root.
///
/// # Errors
///
/// Which rule it breaks.
pub fn name(value: Value) -> Result<Name, String> {
    let text = string(value)?;
    let text = text.trim();
    if text.len() > 1_024 {
        return Err("the name is longer than 253 octets".to_owned());
    }
    let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY)
        .map_err(|_| "is no domain name".to_owned())?;
    if ascii.chars().any(|c| !c.is_ascii_graphic() || c == '\\') {
        return Err("is no domain name".to_owned());
    }
    match Name::parse(&ascii) {
        Ok(name) if name.label_count() > 0 => Ok(name),
        Ok(_) => Err("must be more than the root".to_owned()),
        Err(fault) => Err(fault.to_string()),
    }
}

/// A host: a name of at least two labels of letters, digits, hyphens and underscores, and no address.
///
/// # Errors
///
/// Which rule it breaks.
pub fn host(value: Value) -> Result<Name, String> {
    let name = name(value)?;
    if name.to_string().parse::<IpAddr>().is_ok() {
        return Err("must be a host name, not an address".to_owned());
    }
    if name.label_count() < 2 || !name.labels().all(is_dns_word) {
        return Err("must be a full host name, such as mx1.example.net".to_owned());
    }
    Ok(name)
}

/// A DKIM selector: one or more labels. RFC 6376 §3.1.
///
/// # Errors
///
/// Which rule it breaks.
pub fn selector(value: Value) -> Result<Name, String> {
    let text = string(value)?;
    // `sub-domain *( "." sub-domain )`: letters, digits and hyphens. Underscores are seen in the wild. A selector
    // is never folded from Unicode: the tag `s=` of a signature holds it as it is.
    if !text.trim().bytes().all(|octet| octet == b'.' || is_dns_word(&[octet])) {
        return Err("may hold only letters, digits, hyphens, underscores and dots (RFC 6376 §3.1)".to_owned());
    }
    let name = name(Value::String(text))?;
    if name.labels().any(|label| label == b"_domainkey") {
        return Err("must be the selector alone, without `._domainkey`".to_owned());
    }
    Ok(name)
}

fn is_dns_word(label: &[u8]) -> bool {
    label.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
}

/// A DKIM public key: base64 of a SubjectPublicKeyInfo, a PEM block, or a whole record.
///
/// # Errors
///
/// Why it is no key.
pub fn public_key(value: Value) -> Result<PublicKey, String> {
    let text = string(value)?;
    if text.len() > KEY_CHARACTERS_MAX {
        return Err(format!("may have at most {KEY_CHARACTERS_MAX} characters"));
    }
    PublicKey::parse_base64(&text).map_err(|fault| fault.to_string())
}

/// An IPv4 or IPv6 address.
///
/// # Errors
///
/// What it must be.
pub fn address(value: Value) -> Result<IpAddr, String> {
    let address = string(value)?.trim().parse::<IpAddr>();
    // IPv4 in IPv6's clothes is IPv4: that is how it connects.
    let address = address.map(|address| address.to_canonical());
    address.map_err(|_| "must be an IPv4 or IPv6 address, without a prefix length".to_owned())
}

/// An MX preference.
///
/// # Errors
///
/// What it must be.
pub fn preference(value: Value) -> Result<u16, String> {
    let number = whole_number_within(&value, 0, i32::from(u16::MAX))?;
    u16::try_from(number).map_err(|fault| fault.to_string())
}

/// A daily limit.
///
/// # Errors
///
/// What it must be.
pub fn daily_limit(value: Value) -> Result<i32, String> {
    whole_number_within(&value, 0, DAILY_LIMIT_MAX)
}

/// A mail address.
///
/// # Errors
///
/// Which rule it breaks.
pub fn mail_address(value: Value) -> Result<MailAddress, String> {
    MailAddress::parse(&string(value)?).map_err(|fault| fault.to_string())
}

/// The name that a mailbox's mail carries.
///
/// # Errors
///
/// What it must be.
pub fn display_name(value: Value) -> Result<String, String> {
    text(value, DISPLAY_NAME_CHARACTERS_MAX)
}

/// A number of things that were counted.
///
/// # Errors
///
/// What it must be.
pub fn count(value: Value) -> Result<i32, String> {
    whole_number_within(&value, 0, COUNT_MAX)
}

/// A number of mails to send.
///
/// # Errors
///
/// What it must be.
pub fn send_count(value: Value) -> Result<i32, String> {
    whole_number_within(&value, 1, COUNT_MAX)
}

/// A fraction from 0 to 1.
///
/// # Errors
///
/// What it must be.
pub fn rate(value: Value) -> Result<f64, String> {
    let number = value.as_f64().filter(|number| is_rate(*number));
    number.ok_or_else(|| "must be a fraction from 0 to 1".to_owned())
}

/// A share in per cent.
///
/// # Errors
///
/// What it must be.
pub fn percentage(value: Value) -> Result<f64, String> {
    let number = value.as_f64().filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "must be a number from 0 to 100".to_owned())
}

/// A whole number from `min` to `max`.
///
/// # Errors
///
/// What it must be.
pub fn whole_number_within(value: &Value, min: i32, max: i32) -> Result<i32, String> {
    whole_number(value)
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
}

/// A number without a fraction, however it is written: to JSON Schema (2020-12, §4.2.3) `1.0` and `1e2` are integers.
fn whole_number(value: &Value) -> Option<i32> {
    if let Some(number) = value.as_i64() {
        return i32::try_from(number).ok();
    }
    let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
    // Rust prints a number without a fraction as an integer, whatever its size.
    format!("{number}").parse().ok()
}

/// `true` or `false`.
///
/// # Errors
///
/// What it must be.
pub fn flag(value: Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

/// What an operator may set a domain's status to.
///
/// # Errors
///
/// What it must be.
pub fn operator_status(value: Value) -> Result<OperatorStatus, String> {
    match string(value)?.as_str() {
        "active" => Ok(OperatorStatus::Active),
        "suspended" => Ok(OperatorStatus::Suspended),
        _ => Err(one_of(["active", "suspended"])),
    }
}

/// A DMARC policy.
///
/// # Errors
///
/// What it must be.
pub fn policy(value: Value) -> Result<Policy, String> {
    Policy::parse(&string(value)?)
        .ok_or_else(|| one_of([Policy::None, Policy::Quarantine, Policy::Reject].map(Policy::as_str)))
}

/// A DMARC record that sets a policy.
///
/// # Errors
///
/// Why a reader would not apply it.
pub fn dmarc_record(value: Value) -> Result<DmarcRecord, String> {
    let text = text(value, RECORD_CHARACTERS_MAX)?;
    let parsed = dmarc::parse(text.as_bytes()).map_err(|fault| fault.to_string())?;
    // What is published is the record as we understand it, so nothing of it may be lost or come out otherwise.
    if let Some(detail) = parsed.faults.iter().find_map(lost) {
        return Err(detail);
    }
    match parsed.record.policy.and(parsed.effective()) {
        Some(_) => Ok(parsed.record),
        None => Err("no reader of RFC 9989 gets a policy from it: `p` is missing or wrong".to_owned()),
    }
}

/// Where reports go: a URI, such as `mailto:dmarc@example.com`.
///
/// # Errors
///
/// Why it is none.
pub fn report_uri(value: Value) -> Result<String, String> {
    let text = text(value, FOREIGN_ID_CHARACTERS_MAX)?;
    requirements::report_uri(&text)?;
    Ok(text)
}

/// What of a given record would be lost or changed by rendering what was read of it.
fn lost(fault: &Fault) -> Option<String> {
    match fault {
        Fault::BadValue { tag, value } => Some(format!("`{tag}`: `{value}` is no value for this tag (RFC 9989 §4.7)")),
        Fault::BadUri { tag, uri, fault } => Some(format!("`{tag}`: `{uri}`: {fault}")),
        Fault::Duplicate { tag } => Some(format!("`{tag}` stands there twice")),
        Fault::NotATag { text } => Some(format!("`{text}` is no tag such as `p=none`")),
        Fault::Capitals { tag } => Some(format!("`{tag}` must be written in lower case")),
        Fault::Unknown { tag } => Some(format!("`{tag}` is no tag of DMARC (RFC 9989 §4.7)")),
        Fault::Removed { tag, well_formed: false } => {
            Some(format!("`{tag}` does not have a value that RFC 7489 §6.3 allowed it"))
        }
        // Nothing is lost with these.
        Fault::EmptyElement | Fault::Removed { well_formed: true, .. } | Fault::Size { .. } => None,
    }
}

fn one_of<const N: usize>(words: [&str; N]) -> String {
    format!("must be one of {}", words.map(|word| format!("`{word}`")).join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check<T: std::fmt::Debug>(why: &str, read: fn(Value) -> Result<T, String>, value: Value, expected: &str) {
        let shown = match read(value) {
            Ok(value) => format!("{value:?}"),
            Err(detail) => format!("error: {detail}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
    }

    #[test]
    fn values_become_what_they_mean_or_a_reason() {
        check("a label is trimmed", label, json!(" A "), "\"A\"");
        check("the longest label", label, json!("ü".repeat(200)), "\"ü");
        check("a label too long", label, json!("ü".repeat(201)), "error: may have at most 200");
        check("a megabyte", label, json!("a".repeat(1 << 20)), "error: may have at most 200");
        check("a zero octet", label, json!("a\u{0}b"), "error: must not hold control");
        check("a turned text", label, json!("a\u{202e}b"), "error: must not hold control");
        check("an empty label", label, json!("  "), "error: must not be empty");
        check("nothing that is seen", label, json!("\u{feff}\u{200b} \u{2800}"), "error: must hold something");
        check("a joiner between what is seen", label, json!("a\u{200d}b"), "\"a");
        check("no text", label, json!(1), "error: must be a text");
        check("a provider", provider, json!("infraforge"), "\"infraforge\"");
        check("a provider with a space", provider, json!("infra forge"), "error: may hold only");
        check("no UUID", id, json!("x"), "error: must be a UUID");
        check("no tier", tier, json!("gold"), "error: must be one of `ignition`, `velocity`, `dominance`");
        check("a domain's rule is told", domain, json!("co.uk"), "error: `co.uk` is a public suffix");
        check("an include may have underscores", name, json!("_spf.Example.com."), "Name(_spf.example.com)");
        check("an include in Unicode", name, json!("bücher.example"), "Name(xn--bcher-kva.example)");
        check("no escapes", name, json!("a\\.b.example"), "error: is no domain name");
        check("no spaces", name, json!("a b"), "error: is no domain name");
        check("the root", name, json!("."), "error: must be more than the root");
        check("a host", host, json!("mx1.example.net"), "Name(mx1.example.net)");
        check("an address for a host", host, json!("192.0.2.1"), "error: must be a host name, not an address");
        check("a URL for a host", host, json!("https://example.net"), "error: must be a full host name");
        check("a selector of two labels", selector, json!("s1.mail"), "Name(s1.mail)");
        check("too much of a selector", selector, json!("s1._domainkey"), "error: must be the selector alone");
        check("a selector in Unicode", selector, json!("💥"), "error: may hold only letters");
        check("nonsense for a selector", selector, json!("s1/x"), "error: may hold only letters");
        check("no key", public_key, json!("!!"), "error: the key is not base64");
        check("an address", address, json!("2001:db8::1"), "2001:db8::1");
        check("IPv4 in IPv6's clothes", address, json!("::ffff:192.0.2.1"), "192.0.2.1");
        check("a net is no address", address, json!("192.0.2.0/24"), "error: must be an IPv4");
        check("the highest preference", preference, json!(65535), "65535");
        check("a preference too high", preference, json!(65536), "error: must be a whole number from 0 to 65535");
        check("a negative preference", preference, json!(-1), "error: must be a whole number from 0 to 65535");
        check("half a preference", preference, json!(1.5), "error: must be a whole number from 0 to 65535");
        check("a whole preference with a point", preference, json!(10.0), "10");
        check("a huge preference", preference, json!(1e300), "error: must be a whole number from 0 to 65535");
        check("nothing below nothing", count, json!(-0.0), "0");
        check("a number as a text", preference, json!("10"), "error: must be a whole number");
        check("the highest limit", daily_limit, json!(1_000_000), "1000000");
        check("a limit too high", daily_limit, json!(1_000_001), "error: must be a whole number from 0 to 1000000");
        check("no flag", flag, json!("true"), "error: must be true or false");
        check("a policy", policy, json!("reject"), "Reject");
        check("no policy", policy, json!("strict"), "error: must be one of `none`");
        check("a record", dmarc_record, json!("v=DMARC1; p=none"), "DmarcRecord { policy: Some(None)");
        check("a record of another kind", dmarc_record, json!("v=spf1 -all"), "error: the text does not begin");
        check("a record without a policy", dmarc_record, json!("v=DMARC1; sp=none"), "error: no reader");
        for (why, record, expected) in [
            ("a URI that is none", "v=DMARC1; p=none; rua=mailto:\"x\"@b.example", "error: `rua`: `mailto:"),
            ("a value that is none", "v=DMARC1; p=none; adkim=x", "error: `adkim`: `x` is no value"),
            ("a tag twice", "v=DMARC1; p=none; fo=1; fo=0", "error: `fo` stands there twice"),
            ("no tag", "v=DMARC1; p=none; rua", "error: `rua` is no tag such as"),
            ("a typo", "v=DMARC1; p=none; rau=mailto:d@b.example", "error: `rau` is no tag of DMARC"),
            ("a tag in capitals", "v=DMARC1; P=none", "error: `P` must be written in lower case"),
            ("a removed tag, broken", "v=DMARC1; p=none; pct=101", "error: `pct` does not have a value"),
            ("a removed tag", "v=DMARC1; p=none; pct=50", "DmarcRecord { policy: Some(None)"),
            ("a size", "v=DMARC1; p=none; rua=mailto:d@b.example!10m;", "DmarcRecord { policy: Some(None)"),
        ] {
            check(why, dmarc_record, json!(record), expected);
        }
        check("a report URI", report_uri, json!("mailto:d@example.com"), "\"mailto:d@example.com\"");
        check("no URI", report_uri, json!("d@example.com"), "error: ");
        check("a tag in a URI", report_uri, json!("mailto:a@b.example;p=none"), "error: a `;` must be written `%3B`");
        check("a script", report_uri, json!("javascript:alert(1)"), "error: reports go to `mailto:` and `https:`");
    }
}
