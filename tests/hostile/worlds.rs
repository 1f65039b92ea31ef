//! What the hostile servers say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sendready::protocol::name::Name;
use sendready::verify::evidence::{Alias, Answer, Denial, Found, Question, RecordData, RecordType, Txt};

use crate::support::dns_server::Scripted;

/// The domain that is checked.
pub const DOMAIN: &str = "example.test";

/// Zones in which nothing is wrong.
pub fn sound() -> String {
    let key = include_str!("../../fixtures/keys/rsa-2048.b64").trim();
    let (first, second) = key.split_at(200);
    let key = format!("TXT \"v=DKIM1; p={first}\" \"{second}\"");
    format!(
        r#"$ORIGIN example.test.
@ SOA ns1 hostmaster 1 7200 3600 1209600 300
@ NS ns1
@ TXT "v=spf1 include:_spf.provider.test ip4:192.0.2.10 ip6:2001:db8::10 -all"
@ MX 10 mx1
mx1 A 203.0.113.25
s1._domainkey {key}
s2._domainkey CNAME s2._domainkey.provider.test.
_dmarc TXT "v=DMARC1; p=reject; rua=mailto:dmarc@example.test"
$ORIGIN provider.test.
@ SOA ns1 hostmaster 1 7200 3600 1209600 300
_spf TXT "v=spf1 ip4:198.51.100.0/24 -all"
s2._domainkey {key}
$ORIGIN test.
@ SOA ns1 hostmaster 1 7200 3600 1209600 300
"#
    )
}

pub fn text(text: &str) -> RecordData {
    RecordData::Txt(Txt::of(text))
}

pub fn mx(preference: u16, host: &str) -> RecordData {
    RecordData::Mx { preference, exchange: Name::parse(host).unwrap() }
}

/// `start`, and `more` until nothing more fits into the evidence of a check beside its other answers.
pub fn long(start: &str, more: &str) -> String {
    let room = 58_000 - start.len();
    format!("{start}{}", more.repeat(room / more.len()))
}

pub fn found(_: &Question, records: Vec<RecordData>) -> Scripted {
    Scripted::Answer(Answer::Found(Found { records, ttl_seconds: 60, aliases: Vec::new(), authentic: false }))
}

/// Says `records` to one question.
pub fn at(
    name: &str,
    record_type: RecordType,
    records: impl Fn() -> Vec<RecordData> + Send + Sync + 'static,
) -> impl Fn(&Question) -> Option<Scripted> + Send + Sync + 'static {
    let lied = Question::new(Name::parse(name).unwrap(), record_type);
    move |question| (*question == lied).then(|| found(question, records()))
}

/// 999 records that mean nothing, and the one that does.
pub fn noise() -> Vec<RecordData> {
    let noise = (0..999).map(|n| text(&format!("site-verification={n}")));
    noise.chain([text("v=spf1 include:_spf.provider.test ip4:192.0.2.10 ip6:2001:db8::10 -all")]).collect()
}

/// Says the record that `record` makes of the owner to every question for the text of a name of two or three labels.
pub fn spf(record: fn(&str) -> String) -> impl Fn(&Question) -> Option<Scripted> + Send + Sync + 'static {
    move |question| {
        let owner = question.name.to_string();
        let ours = owner == DOMAIN || owner.ends_with(".b.test") || owner.ends_with("a.a.a.test");
        match question.record_type {
            RecordType::Txt if ours => Some(found(question, vec![text(&record(&owner))])),
            RecordType::Mx if owner.ends_with(".b.test") => {
                Some(found(question, (0..1_000).map(|n| mx(n, &format!("h{n}.{owner}"))).collect()))
            }
            _ => None,
        }
    }
}

pub fn includes(count: usize, target: impl Fn(usize) -> String) -> String {
    let terms: String = (0..count).map(|n| format!(" include:{}", target(n))).collect();
    format!("v=spf1{terms} -all")
}

/// An alias for every question for text; the next one's name is made of the number that the name begins with.
pub fn alias_of(question: &Question, target: impl Fn(u32) -> String) -> Option<Scripted> {
    if question.record_type != RecordType::Txt {
        return None;
    }
    let number = question.name.labels().next().and_then(|label| str::from_utf8(label).ok()?.parse().ok()).unwrap_or(0);
    let aliases =
        vec![Alias { owner: question.name.clone(), target: Name::parse(&target(number)).unwrap(), ttl_seconds: 60 }];
    Some(Scripted::Answer(Answer::NoData(Denial { aliases, authority: None, authentic: false })))
}

/// A chain of so many aliases to a text, in one message.
pub fn whole_chain(question: &Question, length: usize) -> Scripted {
    let name = |n: usize| if n == 0 { question.name.clone() } else { Name::parse(&format!("{n}.chain.test")).unwrap() };
    let aliases = (0..length).map(|n| Alias { owner: name(n), target: name(n + 1), ttl_seconds: 60 }).collect();
    Scripted::Answer(Answer::Found(Found {
        records: vec![text("v=spf1 -all")],
        ttl_seconds: 60,
        aliases,
        authentic: false,
    }))
}

/// The DER of a SubjectPublicKeyInfo around these numbers, whatever they are. RFC 5280 §4.1.
pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    // A leading zero keeps a number from being read as negative; one test leaves it out by its first octet.
    let number = |octets: &[u8]| match octets.first() {
        Some(0xff) => der(2, &[&[0][..], octets].concat()),
        _ => der(2, octets),
    };
    let key = der(0x30, &[number(modulus), number(exponent)].concat());
    let algorithm = der(0x30, &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]);
    der(0x30, &[algorithm, der(3, &[&[0][..], &key].concat())].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let start = length.iter().position(|octet| *octet != 0).unwrap_or(3);
    let length = &length[start..];
    let long = if content.len() < 128 { Vec::new() } else { vec![0x80 | u8::try_from(length.len()).unwrap()] };
    [&[tag][..], &long, length, content].concat()
}

pub fn key_record(der: &[u8]) -> String {
    format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(der))
}

/// The worst to every question, whatever its name: all at once.
pub fn everything(question: &Question) -> Scripted {
    let owner = question.name.to_string();
    let under =
        |n: usize| if owner.len() < 200 { format!("n{n}.{owner}") } else { format!("n{n}.{}.b.test", owner.len()) };
    let records = match question.record_type {
        RecordType::Txt if owner.starts_with("_dmarc") => {
            let uris: String = (0..60).map(|n| format!(",mailto:a@{}", under(n))).collect();
            vec![text(&format!("v=DMARC1; p=none; rua=mailto:a@b.test{uris}"))]
        }
        RecordType::Txt if owner.contains("_domainkey") => vec![text("v=DKIM1; p=\0"), text("v=DKIM1; p=")],
        RecordType::Txt => {
            let terms: String = (0..10).map(|n| format!(" include:{} mx:{0} a:%{{p}}.{0} ptr:{0}", under(n))).collect();
            vec![text(&format!("v=spf1{terms} exp={}", under(99)))]
        }
        RecordType::Mx => (0..200).map(|n| mx(n, &under(usize::from(n)))).collect(),
        RecordType::Ns => (0..50).map(|n| RecordData::Ns(Name::parse(&under(n)).unwrap())).collect(),
        RecordType::Ptr => (0..50).map(|n| RecordData::Ptr(Name::parse(&under(n)).unwrap())).collect(),
        _ => Vec::new(),
    };
    match records.is_empty() {
        true => Scripted::Answer(Answer::NoData(Denial::default())),
        false => found(question, records),
    }
}
