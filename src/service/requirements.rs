//! What a domain must publish: out of what was given for it, and its provider's profile.
//!
//! Owns the three forms and the ways between them: as given ([`RequirementsGiven`]), as stored
//! ([`Requirements`], or nothing for "as the profile says"), and as judged ([`Expectation`], of which only a part may
//! bind: [`Staging`]).
//!
//! What is given for a purpose stands in place of what the profile says for it, field by field: addresses
//! given alone leave the profile's includes, and includes given replace them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::config::providers::{MANUAL, Profile};
use crate::protocol::dkim::{PublicKey, RSA_BITS_MIN};
use crate::protocol::dmarc::{self, DmarcRecord, Policy, ReportUri};
use crate::protocol::domain::{Domain, DomainFault};
use crate::protocol::name::Name;
use crate::service::dedicated::unfit;
use crate::service::error::FieldFault;
use crate::store::{DkimRequirement, DmarcRequirement, DomainRow, MxRequirement, Requirements, RowRequirements};
use crate::verify::expectation::{
    ADDRESSES_MAX, DkimExpectation, DkimKey, DmarcExpectation, Expectation, INCLUDES_MAX, MX_MAX, MxExpectation,
    SELECTORS_MAX, SpfExpectation,
};
use crate::verify::staged::{Staging, is_verified};

/// The most addresses that aggregate reports of one domain go to.
pub const REPORT_URIS_MAX: usize = 10;

/// Requirements as they are given with a registration or a change. `None` leaves a purpose as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequirementsGiven {
    /// The DKIM selectors, all of them.
    pub dkim: Option<Vec<DkimExpectation>>,
    /// What the SPF record must do.
    pub spf: Option<SpfGiven>,
    /// What the DMARC policy must be.
    pub dmarc: Option<DmarcGiven>,
    /// The mail exchanges, all of them.
    pub mx: Option<Vec<MxExpectation>>,
}

/// What an SPF record must do, as given. `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpfGiven {
    /// Names that must be included.
    pub includes: Option<Vec<Name>>,
    /// Addresses that must pass.
    pub ips: Option<Vec<IpAddr>>,
}

/// What the DMARC policy must be, as given. `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DmarcGiven {
    /// The record to publish where there is none.
    pub record: Option<DmarcRecord>,
    /// The weakest policy that will do.
    pub policy: Option<Policy>,
    /// Where aggregate reports must go, as URIs.
    pub rua: Option<Vec<String>>,
}

impl RequirementsGiven {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        *self == RequirementsGiven::default()
    }

    /// What is wrong with them for `domain`, by field.
    pub fn faults(&self, domain: &Domain) -> Vec<FieldFault> {
        let mut faults = Faults(Vec::new());
        faults.dkim(self.dkim.as_deref().unwrap_or_default(), domain);
        if let Some(spf) = &self.spf {
            faults.spf(spf, domain);
        }
        if let Some(dmarc) = &self.dmarc {
            faults.dmarc(dmarc);
        }
        faults.mx(self.mx.as_deref().unwrap_or_default());
        faults.0
    }

    /// Puts what is given in the place of what was required.
    pub fn apply(&self, expectation: &mut Expectation) {
        if let Some(dkim) = &self.dkim {
            expectation.dkim.clone_from(dkim);
        }
        if let Some(spf) = &self.spf {
            put(&mut expectation.spf.includes, spf.includes.as_ref());
            put(&mut expectation.spf.addresses, spf.ips.as_ref());
        }
        if let Some(given) = &self.dmarc {
            if given.record.is_some() {
                expectation.dmarc.record.clone_from(&given.record);
            }
            expectation.dmarc.policy = given.policy.or(expectation.dmarc.policy);
            put(&mut expectation.dmarc.rua, given.rua.as_ref());
        }
        put(&mut expectation.mx, self.mx.as_ref());
    }
}

fn put<T: Clone>(field: &mut Vec<T>, given: Option<&Vec<T>>) {
    if let Some(given) = given {
        field.clone_from(given);
    }
}

/// Gathers what is wrong.
struct Faults(Vec<FieldFault>);

impl Faults {
    fn push(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(FieldFault { pointer: pointer.into(), detail: detail.into() });
    }

    fn count(&mut self, pointer: &str, count: usize, count_max: usize) {
        if count > count_max {
            self.push(pointer, format!("at most {count_max} are allowed, and these are {count}"));
        }
    }

    fn dkim(&mut self, selectors: &[DkimExpectation], domain: &Domain) {
        self.count("/dkim", selectors.len(), SELECTORS_MAX);
        let mut seen = BTreeSet::new();
        for (index, DkimExpectation { selector, key }) in selectors.iter().enumerate() {
            let at = format!("/dkim/{index}/selector");
            // A selector is made of sub-domains. RFC 6376 §3.1.
            if selector.label_count() == 0 || !selector.labels().all(|label| label.iter().all(is_selector_octet)) {
                self.push(&at, "a selector is made of letters, digits and hyphens (RFC 6376 §3.1)");
            }
            let room = domain.name().child("_domainkey").and_then(|zone| zone.under(selector));
            if let Err(fault) = &room {
                self.push(&at, format!("with the domain behind it: {fault} (RFC 1035 §2.3.4)"));
            }
            if !seen.insert(selector) {
                self.push(&at, "this selector stands here twice");
            }
            match key {
                DkimKey::Key(key) if key.bits() < RSA_BITS_MIN && key.bits() != ED25519_BITS => self.push(
                    format!("/dkim/{index}/public_key"),
                    format!(
                        "the key has {} bits, and receivers refuse less than {RSA_BITS_MIN} (RFC 8301 §3.2)",
                        key.bits()
                    ),
                ),
                DkimKey::Cname(target) if target.label_count() == 0 => {
                    self.push(format!("/dkim/{index}/cname"), "the root is no target");
                }
                DkimKey::Cname(target) if room.as_ref().is_ok_and(|own| own == target) => {
                    self.push(
                        format!("/dkim/{index}/cname"),
                        "this is the selector's own record: it would be an alias of itself",
                    );
                }
                _ => {}
            }
        }
    }

    fn spf(&mut self, spf: &SpfGiven, domain: &Domain) {
        let includes = spf.includes.as_deref().unwrap_or_default();
        self.count("/spf/includes", includes.len(), INCLUDES_MAX);
        let mut seen = BTreeSet::new();
        for (index, include) in includes.iter().enumerate() {
            let at = format!("/spf/includes/{index}");
            if include.label_count() < 2 {
                self.push(&at, "an include is a name of at least two labels (RFC 7208 §4.3)");
            }
            // It would be followed until the ten lookups are spent: permerror for every sender. RFC 7208 §4.6.4.
            if include == domain.name() {
                self.push(&at, "the domain cannot include itself: that never ends (RFC 7208 §4.6.4)");
            }
            if !seen.insert(include) {
                self.push(&at, "this include stands here twice");
            }
        }
        let addresses = spf.ips.as_deref().unwrap_or_default();
        self.count("/spf/ips", addresses.len(), ADDRESSES_MAX);
        let mut seen = BTreeSet::new();
        for (index, address) in addresses.iter().enumerate() {
            let at = format!("/spf/ips/{index}");
            if let Some(why) = unfit(*address) {
                self.push(at, format!("{address} {why}; give one that the Internet reaches"));
            } else if !seen.insert(address) {
                self.push(at, "this address stands here twice");
            }
        }
    }

    fn dmarc(&mut self, dmarc: &DmarcGiven) {
        if dmarc.record.as_ref().is_some_and(|record| record.policy.is_none()) {
            self.push("/dmarc/record", "the record needs a policy, such as `p=none` (RFC 9989 §4.7)");
        }
        for (tag, uris) in
            dmarc.record.iter().flat_map(|r| [("rua", &r.aggregate_reports), ("ruf", &r.failure_reports)])
        {
            for uri in uris {
                if let Err(fault) = reaches_somebody(uri) {
                    self.push("/dmarc/record", format!("`{tag}`: `{}`: {fault}", shown(&uri.uri)));
                }
            }
        }
        let rua = dmarc.rua.as_deref().unwrap_or_default();
        self.count("/dmarc/rua", rua.len(), REPORT_URIS_MAX);
        for (index, uri) in rua.iter().enumerate() {
            if let Err(fault) = report_uri(uri) {
                self.push(format!("/dmarc/rua/{index}"), fault);
            }
        }
    }

    fn mx(&mut self, hosts: &[MxExpectation]) {
        self.count("/mx", hosts.len(), MX_MAX);
        let mut seen = BTreeSet::new();
        for (index, MxExpectation { host, .. }) in hosts.iter().enumerate() {
            let at = format!("/mx/{index}/host");
            // An MX names a host, never an address. RFC 5321 §5.1.
            let digits = host.labels().last().is_none_or(|label| label.iter().all(u8::is_ascii_digit));
            if digits {
                self.push(&at, "a mail exchange is a host name, not an address and not the root (RFC 5321 §5.1)");
            }
            if !seen.insert(host) {
                self.push(&at, "this host stands here twice");
            }
        }
    }
}

/// One URI that reports shall go to, fit to stand in a record as it is.
///
/// # Errors
///
/// Why it is none, or reaches nobody; the fault of whoever gave it.
pub fn report_uri(text: &str) -> Result<ReportUri, String> {
    // These end the URI where it stands in a record, so a URI that means them must encode them. RFC 9989 §4.8.
    for (c, encoded) in [(',', "%2C"), (';', "%3B"), ('!', "%21")] {
        if text.contains(c) {
            return Err(format!("a `{c}` must be written `{encoded}` in a report URI (RFC 9989 §4.8)"));
        }
    }
    let uri = ReportUri::parse(text).map_err(|fault| fault.to_string())?;
    reaches_somebody(&uri)?;
    Ok(uri)
}

/// Whether reports can get where a well-formed URI points to.
fn reaches_somebody(uri: &ReportUri) -> Result<(), String> {
    // A URI whose scheme a reporter does not know is passed over. RFC 9990 §4.
    let is_https = uri.uri.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"));
    let is_host = |name: &Name| name.labels().all(|label| label.iter().all(is_selector_octet));
    match uri.host().filter(is_host) {
        _ if !is_https && !uri.is_mailto() => {
            Err("reports go to `mailto:` and `https:` URIs only; reporters pass over any other".to_owned())
        }
        Some(_) if is_https || uri.uri.contains('@') => Ok(()),
        _ => Err("it names no host that reports could go to".to_owned()),
    }
}

/// An octet of a selector, or of a host's label. RFC 6376 §3.1; underscores are seen in the wild.
fn is_selector_octet(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')
}

/// The size that [`PublicKey::bits`] gives for Ed25519. RFC 8463 §3.
const ED25519_BITS: u32 = 256;

/// Where a domain's requirements come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequirementsSource {
    /// They were given with the domain.
    Domain,
    /// The profile of its provider.
    Profile,
    /// Nobody says what it must publish: its provider has no profile, or an empty one. `requirements.missing`.
    Missing,
}

/// Why there is nothing to judge a domain by.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpectationFault {
    /// The name in the row, somebody else's work, is no normal domain name.
    #[error("`{text}` is no normal domain name{}", because(.fault.as_ref()))]
    Malformed {
        /// The text.
        text: String,
        /// What is wrong with it; nothing when it is only spelled otherwise than we do.
        fault: Option<DomainFault>,
    },
    /// The stored requirements do not read back.
    #[error("the stored requirements do not read back: {0}")]
    Unreadable(String),
}

fn because(fault: Option<&DomainFault>) -> String {
    fault.map_or(": it is spelled otherwise".to_owned(), |fault| format!(": {fault}"))
}

/// The domain of a row, when its text is a normal name.
///
/// # Errors
///
/// [`ExpectationFault::Malformed`], the fault of whoever wrote the row.
pub fn domain_of(text: &str) -> Result<Domain, ExpectationFault> {
    match Domain::parse(text) {
        Ok(domain) if domain.to_string() == text => Ok(domain),
        Ok(_) => Err(ExpectationFault::Malformed { text: text.to_owned(), fault: None }),
        Err(fault) => Err(ExpectationFault::Malformed { text: text.to_owned(), fault: Some(fault) }),
    }
}

/// What a row's domain must publish, what of it counts, and who says so.
///
/// The dedicated addresses of its client are part of it. For a domain that was never verified all of it counts, and
/// for one of which nothing is recorded: the first check does that.
///
/// # Errors
///
/// [`ExpectationFault`], the fault of whoever wrote the row.
pub fn staging_of(
    row: &DomainRow,
    profiles: &BTreeMap<String, Profile>,
) -> Result<(Staging, RequirementsSource), ExpectationFault> {
    let (own, source) = expectation_of(row, profiles)?;
    Ok((staged(row, with_dedicated(row, own)), source))
}

/// `wanted` of a row's domain, so much of it as binds so far binding.
fn staged(row: &DomainRow, wanted: Expectation) -> Staging {
    let recorded = row.binding.as_ref().filter(|_| is_verified(&row.standing()));
    // What does not read back is as good as not recorded.
    match recorded.and_then(|binding| of_stored(wanted.domain.clone(), binding).ok()) {
        Some(binding) => Staging::of(binding, wanted),
        None => Staging::bound(wanted),
    }
}

/// The same with the dedicated addresses of the domain's client.
pub fn with_dedicated(row: &DomainRow, mut own: Expectation) -> Expectation {
    for address in &row.dedicated_ips {
        if !own.spf.addresses.contains(address) {
            own.spf.addresses.push(*address);
        }
    }
    own
}

/// What the domain itself, or its provider's profile, requires it to publish, and who says so.
///
/// Where nobody does ([`RequirementsSource::Missing`]), its records are judged on their soundness; DKIM then is
/// `unchecked`, for selectors are never guessed.
///
/// # Errors
///
/// [`ExpectationFault`], the fault of whoever wrote the row.
pub fn expectation_of(
    row: &DomainRow,
    profiles: &BTreeMap<String, Profile>,
) -> Result<(Expectation, RequirementsSource), ExpectationFault> {
    let domain = domain_of(&row.domain)?;
    match &row.requirements {
        RowRequirements::Profile => {}
        RowRequirements::Own(stored) => {
            let expectation = of_stored(domain, stored).map_err(ExpectationFault::Unreadable)?;
            return Ok((expectation, RequirementsSource::Domain));
        }
        RowRequirements::Unreadable(unreadable) => return Err(ExpectationFault::Unreadable(unreadable.why.clone())),
    }
    Ok(match profiles.get(&row.provider).filter(|profile| !profile.is_empty()) {
        Some(profile) => (of_profile(domain, profile), RequirementsSource::Profile),
        None => (Expectation::soundness_of(domain), RequirementsSource::Missing),
    })
}

/// What a provider's profile requires of a domain.
pub fn of_profile(domain: Domain, profile: &Profile) -> Expectation {
    let selectors = profile.dkim_selectors.iter().cloned();
    Expectation {
        spf: SpfExpectation { includes: profile.spf_includes.clone(), addresses: Vec::new() },
        dkim: selectors.map(|selector| DkimExpectation { selector, key: DkimKey::Any }).collect(),
        dmarc: DmarcExpectation {
            record: profile.dmarc.as_deref().and_then(dmarc_record),
            ..DmarcExpectation::default()
        },
        mx: profile.mx.clone(),
        ttl_seconds: profile.ttl_seconds,
        domain,
    }
}

/// What a provider requires before anything is given for the domain itself.
///
/// # Errors
///
/// Why it cannot be registered with this provider; the fault of whoever named it, or has not configured it.
pub fn of_provider(
    domain: Domain,
    provider: &str,
    profiles: &BTreeMap<String, Profile>,
) -> Result<Expectation, FieldFault> {
    let fault = |detail| FieldFault { pointer: "/provider".to_owned(), detail };
    if provider == MANUAL {
        return Ok(Expectation::soundness_of(domain));
    }
    match profiles.get(provider) {
        None => Err(fault(format!(
            "there is no profile `{}`; `{MANUAL}` takes everything with the domain",
            shown(provider)
        ))),
        Some(profile) if profile.is_empty() => Err(fault(format!(
            "the profile `{provider}` is empty: set `providers.{provider}.*`, or use `{MANUAL}` and give everything here"
        ))),
        Some(profile) => Ok(of_profile(domain, profile)),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(63).collect::<String>().escape_debug().to_string()
}

fn dmarc_record(text: &str) -> Option<DmarcRecord> {
    dmarc::parse(text.as_bytes()).ok().map(|parsed| parsed.record)
}

/// The stored form.
pub fn to_stored(expectation: &Expectation) -> Requirements {
    let dkim = expectation.dkim.iter().map(|DkimExpectation { selector, key }| DkimRequirement {
        selector: selector.to_string(),
        public_key: match key {
            DkimKey::Key(key) => Some(STANDARD.encode(key.spki_der())),
            DkimKey::Any | DkimKey::Cname(_) => None,
        },
        cname: match key {
            DkimKey::Cname(target) => Some(target.to_string()),
            DkimKey::Any | DkimKey::Key(_) => None,
        },
    });
    let mx = expectation.mx.iter().map(|mx| MxRequirement { host: mx.host.to_string(), preference: mx.preference });
    Requirements {
        spf_includes: expectation.spf.includes.iter().map(Name::to_string).collect(),
        spf_ips: expectation.spf.addresses.clone(),
        dkim: dkim.collect(),
        dmarc: DmarcRequirement {
            record: expectation.dmarc.record.as_ref().map(DmarcRecord::render),
            policy: expectation.dmarc.policy.map(|policy| policy.as_str().to_owned()),
            rua: expectation.dmarc.rua.clone(),
        },
        mx: mx.collect(),
        ttl_seconds: Some(expectation.ttl_seconds),
        ..Requirements::default()
    }
}

/// What stored requirements say of a domain.
///
/// # Errors
///
/// What does not read back.
pub fn of_stored(domain: Domain, stored: &Requirements) -> Result<Expectation, String> {
    let name = |text: &String| Name::parse(text).map_err(|fault| format!("`{}`: {fault}", shown(text)));
    let dkim = stored.dkim.iter().map(|requirement| {
        let key = match (&requirement.public_key, &requirement.cname) {
            (Some(text), _) => {
                DkimKey::Key(PublicKey::parse_base64(text).map_err(|fault| format!("public_key: {fault}"))?)
            }
            (None, Some(target)) => DkimKey::Cname(name(target)?),
            (None, None) => DkimKey::Any,
        };
        Ok(DkimExpectation { selector: name(&requirement.selector)?, key })
    });
    let policy = stored.dmarc.policy.as_ref().map(|word| {
        Policy::parse(word).ok_or_else(|| format!("policy `{}` is none of none, quarantine, reject", shown(word)))
    });
    let record = stored
        .dmarc
        .record
        .as_ref()
        .map(|text| dmarc_record(text).ok_or_else(|| format!("`{}` is no DMARC record", shown(text))));
    let mx = stored.mx.iter().map(|mx| Ok(MxExpectation { host: name(&mx.host)?, preference: mx.preference }));
    Ok(Expectation {
        spf: SpfExpectation {
            includes: stored.spf_includes.iter().map(name).collect::<Result<_, String>>()?,
            addresses: stored.spf_ips.clone(),
        },
        dkim: dkim.collect::<Result<_, String>>()?,
        dmarc: DmarcExpectation {
            record: record.transpose()?,
            policy: policy.transpose()?,
            rua: stored.dmarc.rua.clone(),
        },
        mx: mx.collect::<Result<_, String>>()?,
        ttl_seconds: stored.ttl_seconds.unwrap_or(Expectation::TTL_SECONDS),
        domain,
    })
}
