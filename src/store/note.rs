//! One record's verdict in a check's history, as `sendready_checks.verdicts` keeps it: a JSON list of these.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One record in a check's history. Unknown fields of later releases are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What the record is for.
    pub purpose: String,
    /// Its type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Its full name.
    pub name: String,
    /// Which of several at the name: an MX's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What was said of it.
    pub verdict: String,
    /// Not binding yet.
    #[serde(default)]
    pub staged: bool,
    /// The codes of what was noticed.
    #[serde(default)]
    pub findings: Vec<String>,
    /// A digest of what was last definitely found there; nothing when nobody ever could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// Only caches deny it: from when a second denial is believed. Of all records of one purpose the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub believed_from: Option<DateTime<Utc>>,
    /// When the verdict, or what was found, last became other than it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<DateTime<Utc>>,
}

/// The stored form of a check's notes.
pub fn to_value(notes: &[Note]) -> Value {
    serde_json::to_value(notes).unwrap_or_default()
}

/// Notes out of their stored form; one that does not read back is passed over, and looks like a record never seen.
pub fn of_value(value: &Value) -> Vec<Note> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| Note::deserialize(item).ok()).collect()
}
