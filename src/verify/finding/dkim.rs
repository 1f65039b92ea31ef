//! Findings about dkim.

use crate::verify::finding::{Fact, Severity};

/// What a judgement of dkim noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DkimFinding {
    /// There is no record.
    Missing,
}

impl DkimFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            DkimFinding::Missing => "dkim.missing",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            DkimFinding::Missing => Severity::Error,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            DkimFinding::Missing => Vec::new(),
        }
    }

    /// One of each.
    pub fn examples() -> Vec<DkimFinding> {
        vec![DkimFinding::Missing]
    }
}
