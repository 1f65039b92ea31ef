//! Exit codes (contract §2).

use std::process::ExitCode;

use crate::verify::purpose::Verdict;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All that was judged is valid.
    Valid,
    /// Nothing is wrong, but something could not be told.
    Unknown,
    /// Something is not valid.
    NotValid,
    /// Wrong usage, configuration or input.
    Input,
    /// Stopped by a person.
    Interrupted,
}

impl Exit {
    /// The exit of these verdicts. What was never asked (`unchecked`) was not judged.
    pub fn over(verdicts: impl IntoIterator<Item = Verdict>) -> Exit {
        verdicts.into_iter().map(Exit::of).fold(Exit::Valid, Exit::worse)
    }

    /// The more telling of two.
    pub fn worse(self, other: Exit) -> Exit {
        if other.rank() > self.rank() { other } else { self }
    }

    fn of(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Valid | Verdict::Unchecked => Exit::Valid,
            Verdict::Unknown => Exit::Unknown,
            Verdict::Missing | Verdict::Mismatch | Verdict::Invalid => Exit::NotValid,
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Exit::Valid => 0,
            Exit::Unknown => 1,
            Exit::NotValid => 2,
            Exit::Input => 3,
            Exit::Interrupted => 4,
        }
    }

    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Valid => 0,
            Exit::NotValid => 1,
            Exit::Input => 2,
            Exit::Unknown => 3,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_decides() {
        let check = |verdicts: &[Verdict], code: u8| {
            assert_eq!(Exit::over(verdicts.iter().copied()).code(), code, "{verdicts:?}");
        };
        check(&[], 0);
        check(&[Verdict::Valid, Verdict::Unchecked], 0);
        check(&[Verdict::Valid, Verdict::Unknown], 3);
        check(&[Verdict::Unknown, Verdict::Missing], 1);
        check(&[Verdict::Invalid], 1);
        check(&[Verdict::Mismatch, Verdict::Valid], 1);
    }
}
