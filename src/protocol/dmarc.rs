//! DMARC policy records (stub).

/// What a receiver is asked to do with mail that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    None,
    /// Suspect it.
    Quarantine,
    /// Refuse it.
    Reject,
}

/// A policy record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcRecord {
    /// The policy.
    pub policy: Option<Policy>,
}
