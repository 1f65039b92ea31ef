//! The profiles of providers: what each wants a domain to publish.

use std::collections::BTreeMap;

use crate::config::fault::{Fault, Origin, nearest};
use crate::config::keys;
use crate::config::raw::{Given, Raw};
use crate::config::values;
use crate::protocol::name::Name;
use crate::verify::expectation::{Expectation, INCLUDES_MAX, MxExpectation, SELECTORS_MAX};

/// The provider of which everything comes with the domain.
pub const MANUAL: &str = "manual";

/// The provider of a domain that names none. Its values are configuration; none is invented.
pub const INFRAFORGE: &str = "infraforge";

/// The longest name of a provider, in octets.
const NAME_OCTETS_MAX: usize = 63;

/// What a provider wants a domain to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The names that the SPF record must include; at most [`INCLUDES_MAX`].
    pub spf_includes: Vec<Name>,
    /// The DKIM selectors that must yield a key; at most [`SELECTORS_MAX`].
    pub dkim_selectors: Vec<Name>,
    /// The mail exchanges.
    pub mx: Vec<MxExpectation>,
    /// The DMARC record to publish where there is none, as text.
    pub dmarc: Option<String>,
    /// The recommended time to live, in seconds.
    pub ttl_seconds: u32,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile {
            spf_includes: Vec::new(),
            dkim_selectors: Vec::new(),
            mx: Vec::new(),
            dmarc: None,
            ttl_seconds: Expectation::TTL_SECONDS,
        }
    }
}

impl Profile {
    /// Whether it requires nothing. A time to live alone is no requirement.
    pub fn is_empty(&self) -> bool {
        self.spf_includes.is_empty() && self.dkim_selectors.is_empty() && self.mx.is_empty() && self.dmarc.is_none()
    }
}

/// The profiles by name; [`MANUAL`] and [`INFRAFORGE`] are always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Providers {
    profiles: BTreeMap<String, Profile>,
}

impl Default for Providers {
    fn default() -> Providers {
        Providers { profiles: [MANUAL, INFRAFORGE].map(|name| (name.to_owned(), Profile::default())).into() }
    }
}

impl Providers {
    /// The profile of `name`, which is compared as it stands.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// Every provider, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Profile)> {
        self.profiles.iter().map(|(name, profile)| (name.as_str(), profile))
    }

    /// Takes what was given below `providers`; what is wrong is added to `faults`.
    pub(super) fn read(given: BTreeMap<String, Given>, faults: &mut Vec<Fault>) -> Providers {
        let mut providers = Providers::default();
        for (key, Given { raw, origin }) in given {
            if let Err(problem) = providers.put(&key, &raw, &origin) {
                faults.push(Fault { key: Some(key), origin, problem });
            }
        }
        providers
    }

    fn put(&mut self, key: &str, raw: &Raw, origin: &Origin) -> Result<(), String> {
        let mut parts = key.splitn(3, '.').skip(1);
        let (Some(name), Some(field)) = (parts.next(), parts.next()) else {
            return Err("is no key; write a section `[providers.NAME]`".to_owned());
        };
        let is_word = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'_');
        if name.is_empty() || name.len() > NAME_OCTETS_MAX || !name.bytes().all(is_word) {
            return Err(format!(
                "{} is no provider's name; write up to {NAME_OCTETS_MAX} of a-z, 0-9, `-` and `_`",
                values::shown(name)
            ));
        }
        if name == MANUAL {
            return Err("`manual` has no profile, everything comes with the domain; choose another name".to_owned());
        }
        // A shell has no `-` in the names of variables: `ACME_MAIL` is `acme-mail` where there is such a provider.
        let known = matches!(origin, Origin::Variable(_))
            .then(|| self.profiles.keys().find(|known| known.replace('-', "_") == name).cloned())
            .flatten();
        let profile = self.profiles.entry(known.unwrap_or_else(|| name.to_owned())).or_default();
        match field {
            "spf_includes" => profile.spf_includes = values::names(raw, INCLUDES_MAX)?,
            "dkim_selectors" => profile.dkim_selectors = values::names(raw, SELECTORS_MAX)?,
            "mx" => profile.mx = values::exchanges(raw)?,
            "dmarc" => profile.dmarc = values::policy(raw)?,
            "ttl" => profile.ttl_seconds = values::ttl_seconds(raw)?,
            other => {
                let known = keys::PROVIDER_KEYS.iter().map(|key| key.name);
                return Err(match nearest(other, known.clone()) {
                    Some(meant) => format!("is no key of a provider; did you mean `providers.{name}.{meant}`?"),
                    None => format!("is no key of a provider; there are {}", known.collect::<Vec<_>>().join(", ")),
                });
            }
        }
        Ok(())
    }
}
