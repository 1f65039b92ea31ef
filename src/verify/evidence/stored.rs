//! Evidence as it is stored: compact JSON with a version.
//!
//! Owns the form, and which evidence counts as equal. Nothing is lost: what was asked, who answered, and
//! every octet of every text. A text that is UTF-8 stands as it is, another in base64 with a mark.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::protocol::name::Name;
use crate::verify::evidence::{
    Alias, Answer, Authority, Delegation, Denial, Evidence, ExtendedError, Failure, Found, Question, RecordData,
    RecordType, Reply, Txt, Vantage,
};

/// The form that this release writes, and the highest that it reads. The first was 1.
pub const VERSION: u32 = 1;

/// Evidence in its stored form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// SHA-256, in lower-case hex, of the form without times to live and without the servers' order, so that
    /// equal evidence is stored once. The version counts: what another release wrote is not ours.
    pub digest: String,
    /// [`VERSION`].
    pub version: u32,
    /// The form itself, JSON.
    pub body: String,
}

/// Why a stored form does not read back. The fault of whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoredFault {
    /// It is no JSON of this shape.
    #[error("stored evidence is not of its form: {0}")]
    Shape(String),
    /// A later release wrote it; 0 nobody did.
    #[error("stored evidence has version {0}, and this release reads up to {VERSION}")]
    Version(u32),
    /// A word or a text in it means nothing.
    #[error("stored evidence holds `{text}`, which is no {expected}")]
    Word {
        /// What stands there.
        text: String,
        /// What should.
        expected: &'static str,
    },
}

/// The stored form of evidence.
pub fn to_stored(evidence: &Evidence) -> Stored {
    let form = Form {
        version: VERSION,
        questions: evidence.iter().map(|asked| question_form(asked, evidence)).collect(),
        delegations: evidence.delegations().map(delegation_form).collect(),
    };
    Stored { digest: digest(&form), version: VERSION, body: json(&form) }
}

/// Evidence out of its stored form.
///
/// # Errors
///
/// [`StoredFault`].
pub fn from_stored(body: &str) -> Result<Evidence, StoredFault> {
    let Versioned { version } = serde_json::from_str(body).map_err(shape)?;
    if !(1..=VERSION).contains(&version) {
        return Err(StoredFault::Version(version));
    }
    let form: Form = serde_json::from_str(body).map_err(shape)?;
    let mut evidence = Evidence::new();
    let mut sought = Vec::new();
    for delegation in form.delegations {
        let (zone, delegation) = read_delegation(delegation)?;
        evidence.add_delegation(zone, delegation);
    }
    for question in form.questions {
        let record_type = word(&question.record_type, RecordType::ALL, RecordType::as_str, "record type")?;
        let replies = question.replies.into_iter().map(read_reply).collect::<Result<Vec<_>, _>>()?;
        let asked = Question::new(read_name(&question.name)?, record_type);
        if question.sought {
            sought.push(asked.clone());
        }
        evidence.add(asked, replies);
    }
    evidence.confirm(sought);
    Ok(evidence)
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Form {
    version: u32,
    questions: Vec<QuestionForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    delegations: Vec<DelegationForm>,
}

/// Who serves a zone, as the zone above says.
#[derive(Serialize, Deserialize)]
struct DelegationForm {
    zone: String,
    servers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    glue: Vec<(String, IpAddr)>,
}

#[derive(Serialize, Deserialize)]
struct QuestionForm {
    name: String,
    #[serde(rename = "type")]
    record_type: String,
    replies: Vec<ReplyForm>,
    /// Put to the zone's own servers, too.
    #[serde(default, skip_serializing_if = "is_false")]
    sought: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is what serde gives")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[derive(Serialize, Deserialize)]
struct ReplyForm {
    vantage: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<SocketAddr>,
    outcome: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    records: Vec<RecordForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authority: Option<AuthorityForm>,
    /// Written only where it is so, so that rows from before it was known read back and keep their digest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    authentic: bool,
    /// Written only where there is one, for the same reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extended_error: Option<ExtendedErrorForm>,
}

/// Why a server failed. RFC 8914.
#[derive(Serialize, Deserialize)]
struct ExtendedErrorForm {
    code: u16,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
}

#[derive(Serialize, Deserialize)]
struct AliasForm {
    owner: String,
    target: String,
    ttl: u32,
}

#[derive(Serialize, Deserialize)]
struct AuthorityForm {
    zone: String,
    negative_ttl: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RecordForm {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(String),
    Mx { preference: u16, exchange: String },
    Ns(String),
    Ptr(String),
    Soa { primary: String, serial: u32, minimum: u32 },
    Txt(TxtForm),
}

/// One character-string, as nearly every record has, or any number of them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TxtForm {
    One(StringForm),
    Many(Vec<StringForm>),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StringForm {
    Text(String),
    Octets { base64: String },
}

fn delegation_form((zone, delegation): (&Name, &Delegation)) -> DelegationForm {
    DelegationForm {
        zone: zone.to_string(),
        servers: delegation.servers.iter().map(Name::to_string).collect(),
        glue: delegation.glue.iter().map(|(name, address)| (name.to_string(), *address)).collect(),
    }
}

fn question_form((question, replies): (&Question, &[Reply]), evidence: &Evidence) -> QuestionForm {
    QuestionForm {
        name: question.name.to_string(),
        record_type: question.record_type.as_str().to_owned(),
        replies: replies.iter().map(reply_form).collect(),
        sought: evidence.is_sought(question),
    }
}

fn reply_form(reply: &Reply) -> ReplyForm {
    let alias_form = |alias: &Alias| AliasForm {
        owner: alias.owner.to_string(),
        target: alias.target.to_string(),
        ttl: alias.ttl_seconds,
    };
    let (ttl, authority) = match &reply.answer {
        Answer::Found(found) => (Some(found.ttl_seconds), None),
        Answer::NoData(denial) | Answer::NoSuchName(denial) => (None, denial.authority.as_ref()),
        Answer::Unknown(_) => (None, None),
    };
    ReplyForm {
        vantage: reply.vantage.as_str().to_owned(),
        server: reply.server,
        outcome: reply.answer.outcome().to_owned(),
        records: reply.answer.records().iter().map(record_form).collect(),
        ttl,
        aliases: reply.answer.aliases().iter().map(alias_form).collect(),
        authority: authority.map(|authority| AuthorityForm {
            zone: authority.zone.to_string(),
            negative_ttl: authority.negative_ttl_seconds,
        }),
        authentic: reply.answer.is_authentic(),
        extended_error: reply
            .extended_error
            .as_ref()
            .map(|error| ExtendedErrorForm { code: error.code, text: error.text.clone() }),
    }
}

fn record_form(record: &RecordData) -> RecordForm {
    match record {
        RecordData::A(address) => RecordForm::A(*address),
        RecordData::Aaaa(address) => RecordForm::Aaaa(*address),
        RecordData::Cname(name) => RecordForm::Cname(name.to_string()),
        RecordData::Mx { preference, exchange } => {
            RecordForm::Mx { preference: *preference, exchange: exchange.to_string() }
        }
        RecordData::Ns(name) => RecordForm::Ns(name.to_string()),
        RecordData::Ptr(name) => RecordForm::Ptr(name.to_string()),
        RecordData::Soa { primary, serial, minimum_seconds } => {
            RecordForm::Soa { primary: primary.to_string(), serial: *serial, minimum: *minimum_seconds }
        }
        RecordData::Txt(txt) => RecordForm::Txt(match txt.strings.as_slice() {
            [only] => TxtForm::One(string_form(only)),
            strings => TxtForm::Many(strings.iter().map(|octets| string_form(octets)).collect()),
        }),
    }
}

fn string_form(octets: &[u8]) -> StringForm {
    match str::from_utf8(octets) {
        Ok(text) => StringForm::Text(text.to_owned()),
        Err(_) => StringForm::Octets { base64: STANDARD.encode(octets) },
    }
}

/// The digest of a form: its version, and the rest as JSON, without any time to live, the replies to a question in their texts' order.
fn digest(form: &Form) -> String {
    let mut hash = Sha256::new();
    // The first form's rows were written without it, and keep their digest.
    if form.version > 1 {
        hash.update(form.version.to_be_bytes());
    }
    for question in &form.questions {
        let mut replies: Vec<String> = question.replies.iter().map(reply_text).collect();
        replies.sort_unstable();
        hash.update(json(&(&question.name, &question.record_type, &replies)));
        hash.update(if question.sought { " sought\n" } else { "\n" });
    }
    // What was never asked adds nothing, as in [`reply_text`].
    if !form.delegations.is_empty() {
        hash.update(json(&form.delegations));
    }
    hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What of a reply the digest is over.
///
/// That it is authentic counts, for else a zone that is signed one day would keep the evidence of the day before. That it
/// is not adds nothing: such evidence has the digest that it had before anybody asked. So with the code of an extended
/// error. Its text is for people (RFC 8914 §2), and may name another server each time: it does not count.
fn reply_text(reply: &ReplyForm) -> String {
    let mark = if reply.authentic { " authentic" } else { "" };
    let error = reply.extended_error.as_ref().map(|error| format!(" extended error {}", error.code));
    json(&timeless(reply)) + mark + &error.unwrap_or_default()
}

/// A reply without its times to live, as a value.
fn timeless(reply: &ReplyForm) -> impl Serialize {
    let aliases: Vec<(&String, &String)> = reply.aliases.iter().map(|alias| (&alias.owner, &alias.target)).collect();
    let zone = reply.authority.as_ref().map(|authority| &authority.zone);
    (&reply.vantage, reply.server, &reply.outcome, &reply.records, aliases, zone)
}

fn json(value: &impl Serialize) -> String {
    // Texts, numbers and lists of them always have a form in JSON.
    serde_json::to_string(value).unwrap_or_default()
}

fn read_delegation(form: DelegationForm) -> Result<(Name, Delegation), StoredFault> {
    let servers = form.servers.iter().map(|name| read_name(name)).collect::<Result<_, _>>()?;
    let glue = form.glue.iter().map(|(name, address)| Ok((read_name(name)?, *address))).collect::<Result<_, _>>()?;
    Ok((read_name(&form.zone)?, Delegation { servers, glue }))
}

fn read_reply(form: ReplyForm) -> Result<Reply, StoredFault> {
    let vantage = word(&form.vantage, [Vantage::Recursive, Vantage::Authoritative], Vantage::as_str, "vantage")?;
    let aliases = form.aliases.iter().map(read_alias).collect::<Result<Vec<_>, _>>()?;
    let authority = form.authority.as_ref().map(read_authority).transpose()?;
    let answer = match form.outcome.as_str() {
        "found" => Answer::Found(Found {
            records: form.records.into_iter().map(read_record).collect::<Result<_, _>>()?,
            ttl_seconds: form.ttl.ok_or_else(|| StoredFault::Shape("records without `ttl`".to_owned()))?,
            aliases,
            authentic: form.authentic,
        }),
        "nodata" => Answer::NoData(Denial { aliases, authority, authentic: form.authentic }),
        "nxdomain" => Answer::NoSuchName(Denial { aliases, authority, authentic: form.authentic }),
        other => Answer::Unknown(word(other, Failure::ALL, Failure::outcome, "outcome")?),
    };
    let extended_error = form.extended_error.map(|form| ExtendedError { code: form.code, text: form.text });
    Ok(Reply { vantage, server: form.server, answer, extended_error })
}

fn read_alias(form: &AliasForm) -> Result<Alias, StoredFault> {
    Ok(Alias { owner: read_name(&form.owner)?, target: read_name(&form.target)?, ttl_seconds: form.ttl })
}

fn read_authority(form: &AuthorityForm) -> Result<Authority, StoredFault> {
    Ok(Authority { zone: read_name(&form.zone)?, negative_ttl_seconds: form.negative_ttl })
}

fn read_record(form: RecordForm) -> Result<RecordData, StoredFault> {
    Ok(match form {
        RecordForm::A(address) => RecordData::A(address),
        RecordForm::Aaaa(address) => RecordData::Aaaa(address),
        RecordForm::Cname(name) => RecordData::Cname(read_name(&name)?),
        RecordForm::Mx { preference, exchange } => RecordData::Mx { preference, exchange: read_name(&exchange)? },
        RecordForm::Ns(name) => RecordData::Ns(read_name(&name)?),
        RecordForm::Ptr(name) => RecordData::Ptr(read_name(&name)?),
        RecordForm::Soa { primary, serial, minimum } => {
            RecordData::Soa { primary: read_name(&primary)?, serial, minimum_seconds: minimum }
        }
        RecordForm::Txt(TxtForm::One(string)) => RecordData::Txt(Txt { strings: vec![read_string(string)?] }),
        RecordForm::Txt(TxtForm::Many(strings)) => {
            RecordData::Txt(Txt { strings: strings.into_iter().map(read_string).collect::<Result<_, _>>()? })
        }
    })
}

fn read_string(form: StringForm) -> Result<Vec<u8>, StoredFault> {
    match form {
        StringForm::Text(text) => Ok(text.into_bytes()),
        StringForm::Octets { base64 } => {
            STANDARD.decode(&base64).map_err(|_| StoredFault::Word { text: base64, expected: "base64" })
        }
    }
}

fn read_name(text: &str) -> Result<Name, StoredFault> {
    Name::parse(text).map_err(|_| StoredFault::Word { text: text.to_owned(), expected: "domain name" })
}

fn word<T: Copy, const N: usize>(
    text: &str,
    all: [T; N],
    as_str: fn(T) -> &'static str,
    expected: &'static str,
) -> Result<T, StoredFault> {
    all.into_iter()
        .find(|value| as_str(*value) == text)
        .ok_or_else(|| StoredFault::Word { text: text.to_owned(), expected })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn shape(fault: serde_json::Error) -> StoredFault {
    StoredFault::Shape(fault.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = Name> {
        vec(vec(any::<u8>(), 1..12), 0..5).prop_map(|labels| Name::from_labels(labels).unwrap())
    }

    fn record() -> impl Strategy<Value = RecordData> {
        prop_oneof![
            any::<Ipv4Addr>().prop_map(RecordData::A),
            any::<Ipv6Addr>().prop_map(RecordData::Aaaa),
            name().prop_map(RecordData::Cname),
            (any::<u16>(), name()).prop_map(|(preference, exchange)| RecordData::Mx { preference, exchange }),
            name().prop_map(RecordData::Ns),
            name().prop_map(RecordData::Ptr),
            (name(), any::<u32>(), any::<u32>()).prop_map(|(primary, serial, minimum_seconds)| RecordData::Soa {
                primary,
                serial,
                minimum_seconds
            }),
            vec(vec(any::<u8>(), 0..40), 0..4).prop_map(|strings| RecordData::Txt(Txt { strings })),
            "\\PC{0,40}".prop_map(|text| RecordData::Txt(Txt::of(text))),
        ]
    }

    fn aliases() -> impl Strategy<Value = Vec<Alias>> {
        let alias = (name(), name(), any::<u32>());
        vec(alias.prop_map(|(owner, target, ttl_seconds)| Alias { owner, target, ttl_seconds }), 0..3)
    }

    fn denial() -> impl Strategy<Value = Denial> {
        let authority =
            (name(), any::<u32>()).prop_map(|(zone, negative_ttl_seconds)| Authority { zone, negative_ttl_seconds });
        let parts = (aliases(), proptest::option::of(authority), any::<bool>());
        parts.prop_map(|(aliases, authority, authentic)| Denial { aliases, authority, authentic })
    }

    fn answer() -> impl Strategy<Value = Answer> {
        let found = (vec(record(), 0..4), any::<u32>(), aliases(), any::<bool>());
        prop_oneof![
            found.prop_map(|(records, ttl_seconds, aliases, authentic)| {
                Answer::Found(Found { records, ttl_seconds, aliases, authentic })
            }),
            denial().prop_map(Answer::NoData),
            denial().prop_map(Answer::NoSuchName),
            proptest::sample::select(Failure::ALL.to_vec()).prop_map(Answer::Unknown),
        ]
    }

    fn reply() -> impl Strategy<Value = Reply> {
        let vantage = prop_oneof![Just(Vantage::Recursive), Just(Vantage::Authoritative)];
        // Flow labels are no part of an address's text.
        let server = proptest::option::of((any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from));
        let error = (any::<u16>(), vec(any::<u8>(), 0..40)).prop_map(|(code, text)| ExtendedError::new(code, &text));
        (vantage, server, answer(), proptest::option::of(error))
            .prop_map(|(vantage, server, answer, extended_error)| Reply { vantage, server, answer, extended_error })
    }

    fn evidence() -> impl Strategy<Value = Evidence> {
        let question = (name(), proptest::sample::select(RecordType::ALL.to_vec()), vec(reply(), 0..3));
        let delegation = (name(), vec(name(), 0..3), vec((name(), any::<IpAddr>()), 0..3));
        (vec((question, any::<bool>()), 0..5), vec(delegation, 0..3)).prop_map(|(questions, delegations)| {
            let mut evidence = Evidence::new();
            for (zone, servers, glue) in delegations {
                evidence.add_delegation(zone, Delegation { servers, glue });
            }
            let mut sought = Vec::new();
            for ((name, record_type, replies), is_sought) in questions {
                let question = Question::new(name, record_type);
                sought.extend(is_sought.then(|| question.clone()));
                evidence.add(question, replies);
            }
            evidence.confirm(sought);
            evidence
        })
    }

    proptest! {
        #[test]
        fn whatever_is_stored_reads_back(evidence in evidence()) {
            let stored = to_stored(&evidence);
            prop_assert_eq!(from_stored(&stored.body).unwrap(), evidence);
        }

        #[test]
        fn rubbish_is_a_fault(text in "\\PC{0,80}") {
            prop_assert!(from_stored(&text).is_err());
        }
    }

    fn told(ttl_seconds: u32, text: &str, servers: &[&str]) -> Stored {
        told_with(ttl_seconds, text, servers, false)
    }

    fn told_with(ttl_seconds: u32, text: &str, servers: &[&str], authentic: bool) -> Stored {
        let mut evidence = Evidence::new();
        let replies = servers.iter().map(|server| Reply {
            vantage: Vantage::Authoritative,
            server: Some(server.parse().unwrap()),
            answer: Answer::Found(Found {
                records: vec![RecordData::Txt(Txt::of(text))],
                ttl_seconds,
                aliases: vec![],
                authentic,
            }),
            extended_error: None,
        });
        evidence.add(Question::txt(&Name::parse("example.com").unwrap()), replies);
        to_stored(&evidence)
    }

    #[test]
    fn the_digest_knows_equal_evidence() {
        let (one, other) = ("192.0.2.1:53", "[2001:db8::1]:53");
        let first = told(300, "v=spf1 -all", &[one, other]).digest;
        assert_eq!(first.len(), 64);
        assert_eq!(first, told(299, "v=spf1 -all", &[one, other]).digest, "a time to live runs down");
        assert_eq!(first, told(300, "v=spf1 -all", &[other, one]).digest, "servers answer in any order");
        assert_ne!(first, told(300, "v=spf1 ~all", &[one, other]).digest, "another text");
        assert_ne!(first, told(300, "v=spf1 -all", &[one]).digest, "a server less");
        let signed = told_with(300, "v=spf1 -all", &[one, other], true).digest;
        assert_ne!(first, signed, "a zone that has come to be signed is told anew");
        let before_it_was_asked = "b7ec49eea5704b0febfe12f80c1add45ba0a5d119c1a3e4c8786a1a08cbcec1b";
        assert_eq!(first, before_it_was_asked, "rows of releases that did not ask keep their digest");
    }

    #[test]
    fn the_digest_knows_an_extended_error_by_its_code() {
        let digest = |extended_error| {
            let (vantage, answer) = (Vantage::Recursive, Answer::Unknown(Failure::Bogus));
            let mut evidence = Evidence::new();
            let reply = Reply { vantage, server: None, answer, extended_error };
            evidence.add(Question::txt(&Name::parse("example.com").unwrap()), [reply]);
            to_stored(&evidence).digest
        };
        let error = |code, text: &[u8]| Some(ExtendedError::new(code, text));
        assert_eq!(digest(error(7, b"from 192.0.2.1")), digest(error(7, b"from 192.0.2.2")), "texts are for people");
        assert_ne!(digest(error(7, b"")), digest(error(6, b"")), "another reason");
        let before_it_was_kept = "279f76066e1b56e77318b9d24691cde4cc9367fdb3e5ee76097a60bc888ddaf8";
        assert_eq!(digest(None), before_it_was_kept, "rows of releases that did not keep it keep their digest");
    }

    #[test]
    fn another_release_s_form_is_told_apart() {
        let body = told(300, "v=spf1 -all", &["192.0.2.1:53"]).body;
        let of = |version: u32| body.replacen("\"version\":1", &format!("\"version\":{version}"), 1);
        assert!(from_stored(&of(1)).is_ok());
        for version in [0, VERSION + 1] {
            let fault = from_stored(&of(version)).unwrap_err();
            assert_eq!(fault, StoredFault::Version(version));
        }
        let form = |version| Form { version, questions: Vec::new(), delegations: Vec::new() };
        assert_ne!(digest(&form(1)), digest(&form(2)), "a later release may keep more of the same answers");
    }

    /// The form is a promise: rows that this release wrote must read back in every later one.
    #[test]
    fn the_form_of_version_1() {
        let mut evidence = Evidence::new();
        let example = Name::parse("example.com").unwrap();
        let texts = [Txt::of("v=spf1 -all"), Txt { strings: vec![b"a".to_vec(), vec![0xff]] }];
        evidence.tell(
            Question::txt(&example),
            Answer::Found(Found {
                records: texts.map(RecordData::Txt).to_vec(),
                ttl_seconds: 300,
                aliases: vec![Alias { owner: example.clone(), target: Name::root(), ttl_seconds: 60 }],
                authentic: false,
            }),
        );
        evidence.tell(Question::new(example, RecordType::Mx), Answer::Unknown(Failure::Timeout));
        assert_eq!(
            to_stored(&evidence).body,
            r#"{"version":1,"questions":[{"name":"example.com","type":"MX","replies":[{"vantage":"recursive","#
                .to_owned()
                + r#""outcome":"timeout"}]},{"name":"example.com","type":"TXT","replies":[{"vantage":"recursive","#
                + r#""outcome":"found","records":[{"txt":"v=spf1 -all"},{"txt":["a",{"base64":"/w=="}]}],"ttl":300,"#
                + r#""aliases":[{"owner":"example.com","target":".","ttl":60}]}]}]}"#
        );
    }

    #[test]
    fn faults_are_told_apart() {
        let check = |body: &str, expected: &str| {
            assert_eq!(from_stored(body).unwrap_err().to_string(), expected, "{body}");
        };
        check(r#"{"version":2}"#, "stored evidence has version 2, and this release reads up to 1");
        check(
            r#"{"version":1,"questions":[{"name":"a..b","type":"A","replies":[]}]}"#,
            "stored evidence holds `a..b`, which is no domain name",
        );
        check(
            r#"{"version":1,"questions":[{"name":"a","type":"WKS","replies":[]}]}"#,
            "stored evidence holds `WKS`, which is no record type",
        );
    }
}
