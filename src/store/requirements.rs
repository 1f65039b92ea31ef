//! What a domain must publish, as its row keeps it: one JSON text in `email_domains.requirements`.
//!
//! NULL there means: what the profile of the domain's provider says.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The form that this release writes.
pub const REQUIREMENTS_VERSION: u32 = 1;

/// The required records of one domain. Unknown fields of later releases are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirements {
    /// The form: [`REQUIREMENTS_VERSION`].
    pub version: u32,
    /// Domains whose SPF records must be included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spf_includes: Vec<String>,
    /// Addresses that must pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spf_ips: Vec<IpAddr>,
    /// One key or alias for each selector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dkim: Vec<DkimRequirement>,
    /// The policy.
    #[serde(default)]
    pub dmarc: DmarcRequirement,
    /// The hosts that must receive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mx: Vec<MxRequirement>,
    /// The time to live that people are told to set, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
}

impl Default for Requirements {
    /// Nothing is required beyond sound records.
    fn default() -> Requirements {
        Requirements {
            version: REQUIREMENTS_VERSION,
            spf_includes: Vec::new(),
            spf_ips: Vec::new(),
            dkim: Vec::new(),
            dmarc: DmarcRequirement::default(),
            mx: Vec::new(),
            ttl_seconds: None,
        }
    }
}

/// What one DKIM selector must yield.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimRequirement {
    /// The labels before `._domainkey`.
    pub selector: String,
    /// The key, base64 of its SubjectPublicKeyInfo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The name that the selector must be an alias of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cname: Option<String>,
}

/// What the DMARC policy must be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DmarcRequirement {
    /// The text to publish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The weakest policy that will do: `none`, `quarantine` or `reject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Where aggregate reports go, as URIs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rua: Vec<String>,
}

/// One host that must receive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MxRequirement {
    /// Its name.
    pub host: String,
    /// The lower is tried first.
    pub preference: u16,
}
