//! Events on the wire: their types and the body of a delivery. Contract §3.4.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// The type of the event that a person sends to see whether an endpoint works. Nobody subscribes to it.
pub const TEST: &str = "webhook_endpoint.test";

/// The types of events that an endpoint can ask for. A type's word never changes once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A domain is verified for the first time.
    DomainVerified,
    /// A record of an active domain is wrong, or nobody could tell for too long.
    DomainAtRisk,
    /// All is well again.
    DomainRestored,
    /// A domain may not be used any more.
    DomainSuspended,
    /// Other records are published than before.
    DomainRecordsChanged,
    /// A mailbox is paused.
    MailboxPaused,
    /// An endpoint gets no more events.
    EndpointDisabled,
}

impl Kind {
    /// Every type, in the contract's order.
    pub const ALL: [Kind; 7] = [
        Kind::DomainVerified,
        Kind::DomainAtRisk,
        Kind::DomainRestored,
        Kind::DomainSuspended,
        Kind::DomainRecordsChanged,
        Kind::MailboxPaused,
        Kind::EndpointDisabled,
    ];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::DomainVerified => "domain.verified",
            Kind::DomainAtRisk => "domain.at_risk",
            Kind::DomainRestored => "domain.restored",
            Kind::DomainSuspended => "domain.suspended",
            Kind::DomainRecordsChanged => "domain.records_changed",
            Kind::MailboxPaused => "mailbox.paused",
            Kind::EndpointDisabled => "webhook_endpoint.disabled",
        }
    }

    /// Reads the word of the contract; nothing for any other.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The body that is posted, octet for octet at every attempt.
pub fn body(kind: &str, at: DateTime<Utc>, data: &Value) -> String {
    let timestamp = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    json!({ "type": kind, "timestamp": timestamp, "data": data }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_reads_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::parse(TEST), None, "nobody subscribes to tests");
        assert_eq!(Kind::parse("domain"), None);
    }

    #[test]
    fn a_body_has_type_time_and_data() {
        let at = DateTime::from_timestamp(1_800_000_000, 250_000_000).unwrap();
        let read: Value = serde_json::from_str(&body("domain.verified", at, &json!({"domain": "a.test"}))).unwrap();
        let expected =
            json!({"type": "domain.verified", "timestamp": "2027-01-15T08:00:00.250Z", "data": {"domain": "a.test"}});
        assert_eq!(read, expected);
    }
}
