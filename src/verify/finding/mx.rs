//! Findings about mx.

use crate::verify::finding::{Fact, Severity};

/// What a judgement of mx noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MxFinding {
    /// There is no record.
    Missing,
}

impl MxFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            MxFinding::Missing => "mx.missing",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            MxFinding::Missing => Severity::Error,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            MxFinding::Missing => Vec::new(),
        }
    }

    /// One of each.
    pub fn examples() -> Vec<MxFinding> {
        vec![MxFinding::Missing]
    }
}
