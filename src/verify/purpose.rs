//! What a required record is for, and what may be said of it.

use std::fmt;

/// What a required record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// To authorise senders.
    Spf,
    /// To sign mail.
    Dkim,
    /// To set the policy for mail that fails both.
    Dmarc,
    /// To receive replies.
    Mx,
}

impl Purpose {
    /// All four, in the order in which people are shown them.
    pub const ALL: [Purpose; 4] = [Purpose::Spf, Purpose::Dkim, Purpose::Dmarc, Purpose::Mx];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Purpose::Spf => "spf",
            Purpose::Dkim => "dkim",
            Purpose::Dmarc => "dmarc",
            Purpose::Mx => "mx",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is said of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// It is there and does what it must.
    Valid,
    /// It is surely not there.
    Missing,
    /// It is well-formed, but not what we need.
    Mismatch,
    /// It breaks its standard.
    Invalid,
    /// Nobody could tell now.
    Unknown,
    /// Nobody has asked.
    Unchecked,
}

impl Verdict {
    /// Every verdict, in the contract's order.
    pub const ALL: [Verdict; 6] =
        [Verdict::Valid, Verdict::Missing, Verdict::Mismatch, Verdict::Invalid, Verdict::Unknown, Verdict::Unchecked];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Missing => "missing",
            Verdict::Mismatch => "mismatch",
            Verdict::Invalid => "invalid",
            Verdict::Unknown => "unknown",
            Verdict::Unchecked => "unchecked",
        }
    }

    /// Whether it is a definite word that the record does not do.
    pub const fn is_failure(self) -> bool {
        matches!(self, Verdict::Missing | Verdict::Mismatch | Verdict::Invalid)
    }

    /// The verdict over several records of one purpose: a definite failure beats `unknown`, which beats `valid`.
    ///
    /// Nothing to judge is `unchecked`.
    pub fn over(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max_by_key(|verdict| verdict.weight()).unwrap_or(Verdict::Unchecked)
    }

    const fn weight(self) -> u8 {
        match self {
            Verdict::Valid => 0,
            Verdict::Unchecked => 1,
            Verdict::Unknown => 2,
            Verdict::Mismatch => 3,
            Verdict::Missing => 4,
            Verdict::Invalid => 5,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to do with a record to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Nothing like it is there: add it.
    Add,
    /// Something is there that must give way to it, or be changed into it.
    Replace,
    /// What is there does.
    Keep,
}

impl Action {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Add => "add",
            Action::Replace => "replace",
            Action::Keep => "keep",
        }
    }
}
