//! What `check` and `records` expect of a domain, from options and a provider's profile.

use std::net::IpAddr;

use clap::Args;

use crate::config::providers::Profile;
use crate::protocol::dkim::PublicKey;
use crate::protocol::domain::Domain;
use crate::protocol::name::Name;
use crate::service::requirements;
use crate::verify::expectation::{
    ADDRESSES_MAX, DkimExpectation, DkimKey, Expectation, INCLUDES_MAX, MX_MAX, MxExpectation, SELECTORS_MAX,
};

/// What is expected of each domain. With nothing given, each record is judged on its own soundness.
#[derive(Debug, Clone, Default, Args)]
pub struct ExpectArgs {
    /// A provider's profile from the configuration
    #[arg(long, value_name = "P", help_heading = "Expectation")]
    pub provider: Option<String>,
    /// A name that the SPF record must include (repeatable)
    #[arg(long, value_name = "D", help_heading = "Expectation")]
    pub spf_include: Vec<String>,
    /// An address that SPF must let pass (repeatable)
    #[arg(long, value_name = "IP", help_heading = "Expectation")]
    pub send_ip: Vec<IpAddr>,
    /// A DKIM selector, with its public key or `cname:TARGET` where it is known (repeatable)
    #[arg(long, value_name = "SELECTOR[=BASE64_SPKI]", help_heading = "Expectation")]
    pub dkim: Vec<String>,
    /// A host that must take the domain's mail, most preferred first (repeatable)
    #[arg(long, value_name = "HOST", help_heading = "Expectation")]
    pub mx: Vec<String>,
}

/// The options, read once for all domains.
#[derive(Debug, Clone)]
pub struct Expected {
    /// What the profile says, before the options.
    profile: Option<Profile>,
    includes: Vec<Name>,
    addresses: Vec<IpAddr>,
    dkim: Vec<DkimExpectation>,
    mx: Vec<MxExpectation>,
}

impl ExpectArgs {
    /// Reads the options, all of them, so that every fault is told at once.
    ///
    /// # Errors
    ///
    /// One sentence per fault, each naming its option.
    pub fn read(&self, profile: Option<Profile>) -> Result<Expected, Vec<String>> {
        let mut faults = Vec::new();
        let mut keep = |result: Result<Name, String>| result.map_err(|fault| faults.push(fault)).ok();
        let includes: Vec<Name> =
            self.spf_include.iter().filter_map(|text| keep(name("--spf-include", text))).collect();
        let hosts: Vec<Name> = self.mx.iter().filter_map(|text| keep(host("--mx", text))).collect();
        let mut dkim: Vec<DkimExpectation> = Vec::new();
        for text in &self.dkim {
            match selector(text) {
                Ok(one) if dkim.iter().any(|other| other.selector == one.selector) => {
                    faults.push(format!("--dkim {}: the selector is given twice", one.selector));
                }
                Ok(one) => dkim.push(one),
                Err(fault) => faults.push(fault),
            }
        }
        for (option, count, most) in [
            ("--spf-include", self.spf_include.len(), INCLUDES_MAX),
            ("--send-ip", self.send_ip.len(), ADDRESSES_MAX),
            ("--dkim", self.dkim.len(), SELECTORS_MAX),
            ("--mx", self.mx.len(), MX_MAX),
        ] {
            if count > most {
                faults.push(format!("{option}: given {count} times, at most {most} are allowed"));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mx = hosts.into_iter().zip(1u16..).map(|(host, place)| MxExpectation { host, preference: place * 10 });
        Ok(Expected { profile, includes, addresses: self.send_ip.clone(), dkim, mx: mx.collect() })
    }
}

impl Expected {
    /// What is expected of this domain.
    pub fn of(&self, domain: Domain) -> Expectation {
        let mut expectation = match &self.profile {
            Some(profile) => requirements::of_profile(domain, profile),
            None => Expectation::soundness_of(domain),
        };
        expectation.spf.includes.extend(self.includes.iter().cloned());
        expectation.spf.addresses.extend(self.addresses.iter().copied());
        for dkim in &self.dkim {
            expectation.dkim.retain(|other| other.selector != dkim.selector);
            expectation.dkim.push(dkim.clone());
        }
        if !self.mx.is_empty() {
            expectation.mx.clone_from(&self.mx);
        }
        expectation
    }
}

fn name(option: &str, text: &str) -> Result<Name, String> {
    Name::parse(text.trim()).map_err(|fault| format!("{option} {text}: {fault}"))
}

/// A host is a domain name in letters, digits and hyphens, in either spelling.
fn host(option: &str, text: &str) -> Result<Name, String> {
    let domain = Domain::parse(text).map_err(|fault| format!("{option} {text}: {fault}"))?;
    Ok(domain.name().clone())
}

/// `s1`, `s1=KEY` or `s1=cname:TARGET`.
fn selector(text: &str) -> Result<DkimExpectation, String> {
    let (selector, key) = match text.split_once('=') {
        Some((selector, key)) => (selector, Some(key)),
        None => (text, None),
    };
    let selector = name("--dkim", selector)?;
    let key = match key {
        None => DkimKey::Any,
        Some(key) => match key.strip_prefix("cname:") {
            Some(target) => DkimKey::Cname(name("--dkim", target)?),
            None => DkimKey::Key(PublicKey::parse_base64(key).map_err(|fault| format!("--dkim {selector}: {fault}"))?),
        },
    };
    Ok(DkimExpectation { selector, key })
}
