//! Findings about spf.

use crate::verify::finding::{Fact, Severity};

/// What a judgement of spf noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpfFinding {
    /// There is no record.
    Missing,
}

impl SpfFinding {
    /// The code. Never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            SpfFinding::Missing => "spf.missing",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            SpfFinding::Missing => Severity::Error,
        }
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<(&'static str, Fact)> {
        match self {
            SpfFinding::Missing => Vec::new(),
        }
    }

    /// One of each.
    pub fn examples() -> Vec<SpfFinding> {
        vec![SpfFinding::Missing]
    }
}
