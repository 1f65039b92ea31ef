//! Findings about dmarc.

use crate::verify::finding::{Fact, Severity};

/// What a judgement of dmarc noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DmarcFinding {
    /// There is no record.
    Missing,
}

impl DmarcFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            DmarcFinding::Missing => "dmarc.missing",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            DmarcFinding::Missing => Severity::Error,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            DmarcFinding::Missing => Vec::new(),
        }
    }

    /// One of each.
    pub fn examples() -> Vec<DmarcFinding> {
        vec![DmarcFinding::Missing]
    }
}
