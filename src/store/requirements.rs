//! What a domain must publish, as its row keeps it: one JSON text in `email_domains.requirements`.
//!
//! NULL there means: what the profile of the domain's provider says.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::store::StoreError;

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

/// What a domain's row says of its requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowRequirements {
    /// Nothing: what the profile of its provider says.
    Profile,
    /// These.
    Own(Requirements),
    /// Something that this release does not understand; it is kept as it is.
    Unreadable(Unreadable),
}

/// Requirements that do not read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The text of the column.
    pub text: String,
    /// Why it does not read back.
    pub why: String,
}

impl RowRequirements {
    /// Reads the column's text.
    pub(in crate::store) fn read(text: Option<String>) -> RowRequirements {
        let Some(text) = text else { return RowRequirements::Profile };
        match serde_json::from_str::<Versioned>(&text) {
            Ok(Versioned { version }) if version > REQUIREMENTS_VERSION => {
                let why = format!("they have version {version} of a later release");
                RowRequirements::Unreadable(Unreadable { text, why })
            }
            _ => match serde_json::from_str(&text) {
                Ok(requirements) => RowRequirements::Own(requirements),
                Err(fault) => {
                    let why = format!("they are not of their form: {fault}");
                    RowRequirements::Unreadable(Unreadable { text, why })
                }
            },
        }
    }

    /// The column's text.
    pub(in crate::store) fn write(&self, operation: &'static str) -> Result<Option<String>, StoreError> {
        match self {
            RowRequirements::Profile => Ok(None),
            RowRequirements::Own(requirements) => requirements.write(operation).map(Some),
            RowRequirements::Unreadable(unreadable) => Ok(Some(unreadable.text.clone())),
        }
    }
}

/// All that can be read of another release's form.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Requirements {
    /// The column's text.
    pub(in crate::store) fn write(&self, operation: &'static str) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|fault| StoreError::Corrupt {
            operation,
            what: format!("requirements cannot be written: {fault}"),
        })
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
