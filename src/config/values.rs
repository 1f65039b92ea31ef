//! From what was given to what it means, one function per form. Each says what would be right.
//!
//! A text means the same in a flag, a variable and a file; a list may be written as one text with
//! commas, and one text is a list of one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;

use crate::config::LadderStep;
use crate::config::database::DatabaseUrl;
use crate::config::keys::{DNS_PORT, DURATION_MAX, Form};
use crate::config::raw::Raw;
use crate::protocol::name::Name;
use crate::verify::expectation::{MX_MAX, MxExpectation};
use crate::webhook::signature::Secret;

/// What is wrong with a value and what would be right.
pub(super) type Problem = String;

/// The most entries of a list that nothing else bounds.
const ENTRIES_MAX: usize = 64;

/// The preference of a mail exchange that came without one.
const PREFERENCE: u16 = 10;

/// The longest time to live, in seconds. RFC 2181 §8.
const TTL_SECONDS_MAX: u32 = i32::MAX.unsigned_abs();

/// The longest part of a value that a fault repeats, in characters.
const SHOWN_MAX: usize = 80;

/// How a fault repeats what was given: cut short, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN_MAX { format!("`{cut}…`") } else { format!("`{cut}`") }
}

fn not(raw: &Raw, wanted: &str) -> Problem {
    format!("is {}; write {wanted}", raw.kind())
}

pub(super) fn text<'raw>(raw: &'raw Raw, wanted: &str) -> Result<&'raw str, Problem> {
    match raw {
        Raw::Text(text) if text.trim().is_empty() => Err(format!("is empty; write {wanted}")),
        Raw::Text(text) => Ok(text.trim()),
        other => Err(not(other, wanted)),
    }
}

/// A text, or nothing where it is empty.
pub(super) fn optional_text(raw: &Raw) -> Result<Option<String>, Problem> {
    match raw {
        Raw::Text(text) if text.trim().is_empty() => Ok(None),
        raw => text(raw, "a text").map(|text| Some(text.to_owned())),
    }
}

pub(super) fn database(raw: &Raw) -> Result<DatabaseUrl, Problem> {
    DatabaseUrl::parse(text(raw, &Form::Database.words())?)
}

pub(super) fn address(raw: &Raw) -> Result<SocketAddr, Problem> {
    let text = text(raw, "`IP:PORT`, such as `127.0.0.1:8080`")?;
    text.parse().map_err(|_| format!("{} is no address; write `IP:PORT`, such as `127.0.0.1:8080`", shown(text)))
}

/// A URL that others can be appended to: no trailing slash, no query. Nothing where it is empty.
pub(super) fn url(raw: &Raw) -> Result<Option<String>, Problem> {
    let Some(text) = optional_text(raw)? else { return Ok(None) };
    let wanted = "write a URL such as `https://dns.example.com`";
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(format!("{} begins with neither `https://` nor `http://`; {wanted}", shown(&text)));
    };
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err(format!("{} names no host; {wanted}", shown(&text)));
    }
    if host.contains('@') {
        return Err(format!("holds a user or a password before `@`; {wanted}"));
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '"' | '<' | '>' | '\\')) {
        return Err(format!("{} has a query, a fragment or a character that is not of a URL; {wanted}", shown(&text)));
    }
    Ok(Some(text.trim_end_matches('/').to_owned()))
}

/// The entries of a list, or of a text with commas.
fn entries(raw: &Raw, wanted: &str) -> Result<Vec<Raw>, Problem> {
    let entries = match raw {
        Raw::List(items) => items.clone(),
        Raw::Text(text) => text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(Raw::text).collect(),
        other => return Err(not(other, wanted)),
    };
    if entries.len() > ENTRIES_MAX {
        return Err(format!("has {} entries; at most {ENTRIES_MAX} are read", entries.len()));
    }
    Ok(entries)
}

/// Reads each entry of a list. The problem names the entry, counted from 1.
pub(super) fn each<T>(raw: &Raw, wanted: &str, read: impl Fn(&Raw) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
    entries(raw, wanted)?
        .iter()
        .enumerate()
        .map(|(index, entry)| read(entry).map_err(|problem| format!("entry {} {problem}", index + 1)))
        .collect()
}

pub(super) fn servers(raw: &Raw) -> Result<Vec<SocketAddr>, Problem> {
    each(raw, &Form::Servers.words(), |entry| {
        let wanted = "`IP` or `IP:PORT`, such as `192.0.2.53` or `[2001:db8::53]:53`";
        let text = text(entry, wanted)?;
        let server = match text.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, DNS_PORT),
            Err(_) => text.parse().map_err(|_| format!("{} is no address; write {wanted}", shown(text)))?,
        };
        if server.port() == 0 {
            return Err(format!("{} has port 0; write {wanted}", shown(text)));
        }
        Ok(server)
    })
}

pub(super) fn duration(raw: &Raw) -> Result<Duration, Problem> {
    let wanted = "a duration with its unit, such as `30s` or `72h`";
    let text = match raw {
        Raw::Number(number) => return Err(format!("{number} has no unit; write {wanted}")),
        raw => text(raw, wanted)?,
    };
    if text.bytes().all(|octet| octet.is_ascii_digit()) && text != "0" {
        return Err(format!("{} has no unit; write {wanted}", shown(text)));
    }
    let duration =
        humantime::parse_duration(text).map_err(|_| format!("{} is no duration; write {wanted}", shown(text)))?;
    if duration > DURATION_MAX {
        return Err(format!("{} is longer than ten years", shown(text)));
    }
    Ok(duration)
}

pub(super) fn duration_within(raw: &Raw, min: Duration, max: Duration) -> Result<Duration, Problem> {
    let duration = duration(raw)?;
    if duration < min || duration > max {
        let given = humantime::format_duration(duration);
        return Err(format!("{given} is out of bounds; write {}", Form::Duration { min, max }.words()));
    }
    Ok(duration)
}

pub(super) fn durations(raw: &Raw) -> Result<Vec<Duration>, Problem> {
    each(raw, &Form::Durations.words(), duration)
}

pub(super) fn number(raw: &Raw, min: u32, max: u32) -> Result<u32, Problem> {
    let wanted = Form::Number { min, max }.words();
    let text = match raw {
        Raw::Number(number) => number.as_str(),
        raw => text(raw, &wanted)?,
    };
    text.parse::<u32>()
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("{} is not {wanted}", shown(text)))
}

pub(super) fn share(raw: &Raw) -> Result<f64, Problem> {
    let wanted = "a fraction from 0 to 1, such as `0.05` for five percent";
    let text = match raw {
        Raw::Number(number) => number.as_str(),
        raw => text(raw, wanted)?,
    };
    text.replace('_', "")
        .parse::<f64>()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("{} is out of bounds; write {wanted}", shown(text)))
}

pub(super) fn switch(raw: &Raw) -> Result<bool, Problem> {
    match raw {
        Raw::Switch(switch) => Ok(*switch),
        raw => match text(raw, "`true` or `false`")? {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("{} is neither `true` nor `false`", shown(other))),
        },
    }
}

pub(super) fn name(raw: &Raw) -> Result<Name, Problem> {
    let wanted = "a domain name, such as `mail.example.com`";
    let text = text(raw, wanted)?;
    let ascii = idna::domain_to_ascii(text).unwrap_or_else(|_| text.to_owned());
    let is_word = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    if !ascii.bytes().all(is_word) {
        return Err(format!("{} has characters that no host has; write {wanted}", shown(text)));
    }
    let name = Name::parse(&ascii).map_err(|fault| format!("{} is no name: {fault}; write {wanted}", shown(text)))?;
    if name == Name::root() { Err(format!("is the root; write {wanted}")) } else { Ok(name) }
}

/// Names, at most `max` of them, none twice.
pub(super) fn names(raw: &Raw, max: usize) -> Result<Vec<Name>, Problem> {
    let names = each(raw, &Form::Names.words(), name)?;
    bounded(&names, max)?;
    Ok(names)
}

fn bounded<T: PartialEq>(items: &[T], max: usize) -> Result<(), Problem> {
    if items.len() > max {
        return Err(format!("has {} entries; at most {max} may be required of a domain", items.len()));
    }
    match items.iter().enumerate().find(|(index, item)| items.iter().take(*index).any(|earlier| earlier == *item)) {
        Some((index, _)) => Err(format!("entry {} is there twice; leave one out", index + 1)),
        None => Ok(()),
    }
}

pub(super) fn secrets(raw: &Raw) -> Result<Vec<SecretString>, Problem> {
    // The problem must not repeat what was given.
    each(raw, &Form::Secrets.words(), |entry| {
        let text = text(entry, "a text")?;
        Secret::parse(text).map(|_| SecretString::from(text)).map_err(|fault| fault.to_string())
    })
}

pub(super) fn ladder(raw: &Raw) -> Result<Vec<LadderStep>, Problem> {
    let wanted = "a pair such as `[\"15m\", \"2m\"]`, or `15m/2m` in a variable";
    let steps = each(raw, &Form::Ladder.words(), |entry| {
        let (age, every) = match entry {
            Raw::List(pair) => match pair.as_slice() {
                [age, every] => (duration(age)?, duration(every)?),
                other => return Err(format!("has {} parts; write {wanted}", other.len())),
            },
            raw => {
                let text = text(raw, wanted)?;
                let pair = text.split_once('/').ok_or_else(|| format!("{} is no pair; write {wanted}", shown(text)))?;
                (duration(&Raw::text(pair.0))?, duration(&Raw::text(pair.1))?)
            }
        };
        if every < Duration::from_secs(1) {
            return Err("checks more often than every second; write an interval of `1s` or more".to_owned());
        }
        Ok(LadderStep { younger_than: age, every })
    })?;
    if steps.is_empty() {
        return Err(format!("has no steps, so a new domain would never be checked again; write {wanted}"));
    }
    match steps.windows(2).position(|pair| matches!(pair, [one, two] if one.younger_than >= two.younger_than)) {
        Some(index) => {
            Err(format!("entry {} is not older than the one before it; write the ages ascending", index + 2))
        }
        None => Ok(steps),
    }
}

pub(super) fn exchanges(raw: &Raw) -> Result<Vec<MxExpectation>, Problem> {
    let raw = match raw {
        Raw::Table(_) => &Raw::List(vec![raw.clone()]),
        raw => raw,
    };
    let exchanges = each(raw, &Form::Exchanges.words(), exchange)?;
    bounded(&exchanges.iter().map(|exchange| &exchange.host).collect::<Vec<_>>(), MX_MAX)?;
    Ok(exchanges)
}

fn exchange(entry: &Raw) -> Result<MxExpectation, Problem> {
    let wanted = "`\"10 mx.example.com\"` or `{ host = \"mx.example.com\", preference = 10 }`";
    let preference =
        |raw: &Raw| number(raw, 0, u32::from(u16::MAX)).map(|number| u16::try_from(number).unwrap_or(u16::MAX));
    match entry {
        Raw::Table(table) => {
            let field = |wanted: &str| table.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
            if let Some((other, _)) = table.iter().find(|(name, _)| name != "host" && name != "preference") {
                return Err(format!("has an unknown field {}; write {wanted}", shown(other)));
            }
            let host = name(field("host").ok_or_else(|| format!("has no host; write {wanted}"))?)?;
            Ok(MxExpectation { host, preference: field("preference").map_or(Ok(PREFERENCE), preference)? })
        }
        raw => {
            let text = text(raw, wanted)?;
            match text.split_once(char::is_whitespace) {
                Some((first, host)) => {
                    Ok(MxExpectation { host: name(&Raw::text(host))?, preference: preference(&Raw::text(first))? })
                }
                None => Ok(MxExpectation { host: name(raw)?, preference: PREFERENCE }),
            }
        }
    }
}

/// A policy record as it is published. Nothing where it is empty.
pub(super) fn policy(raw: &Raw) -> Result<Option<String>, Problem> {
    let Some(text) = optional_text(raw)? else { return Ok(None) };
    // The version comes first and is spelt so. RFC 9989 §4.8.
    let first = text.split(';').next().unwrap_or_default();
    let version: String = first.chars().filter(|c| !c.is_whitespace()).collect();
    if version != "v=DMARC1" {
        return Err(format!(
            "{} does not begin with `v=DMARC1`; write a record such as `v=DMARC1; p=none`",
            shown(&text)
        ));
    }
    if !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Err("has characters that no record of the kind has; write plain ASCII on one line".to_owned());
    }
    Ok(Some(text))
}

pub(super) fn ttl_seconds(raw: &Raw) -> Result<u32, Problem> {
    let bare = match raw {
        Raw::Number(_) => true,
        Raw::Text(text) => text.trim().bytes().all(|octet| octet.is_ascii_digit()) && !text.trim().is_empty(),
        _ => false,
    };
    if bare {
        return number(raw, 1, TTL_SECONDS_MAX);
    }
    let duration = duration_within(raw, Duration::from_secs(1), DURATION_MAX)?;
    u32::try_from(duration.as_secs()).map_err(|_| "is too long".to_owned())
}
