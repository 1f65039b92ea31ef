//! Which denials are believed: truth rule 4.
//!
//! A flag goes from true to false only on the word of the zones' own servers. Where that cannot be had, on two
//! definite recursive denials: the second when caches have had time to forget the first. One pure function.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::standing::{Flags, Verdicts};

/// The longest that a first denial is waited out, whatever its time to live.
const WAIT_MAX: Duration = Duration::minutes(15);

/// Denials that are not believed yet: from when a second one will be.
pub type Doubts = BTreeMap<Purpose, DateTime<Utc>>;

/// How sure a negative verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// It is the word of the zones' own servers in all that it rests on.
    pub is_certain: bool,
    /// How long caches may keep what it rests on, in seconds.
    pub ttl_seconds: u32,
}

/// The verdicts that may be acted on, and the doubts that remain.
///
/// A denial that is not believed becomes `unknown`, which changes no flag: nobody can tell yet. It takes two to be believed only where
/// a flag would fall: what is false already needs no second word. `denial` says how sure each negative verdict is.
pub fn believed(
    flags: Flags,
    verdicts: Verdicts,
    denial: impl Fn(Purpose) -> Denial,
    before: &Doubts,
    now: DateTime<Utc>,
    min_interval: Duration,
) -> (Verdicts, Doubts) {
    let (mut verdicts, mut doubts) = (verdicts, before.clone());
    for purpose in Purpose::ALL {
        match verdicts.get(purpose) {
            Verdict::Unknown | Verdict::Unchecked => {}
            verdict if verdict.is_failure() && flags.get(purpose) => {
                let Denial { is_certain, ttl_seconds } = denial(purpose);
                let wait = Duration::seconds(i64::from(ttl_seconds)).min(WAIT_MAX).max(min_interval);
                let believed_from = *doubts.entry(purpose).or_insert(now + wait);
                if is_certain || (before.contains_key(&purpose) && believed_from <= now) {
                    doubts.remove(&purpose);
                } else {
                    verdicts.set(purpose, Verdict::Unknown);
                }
            }
            _ => {
                doubts.remove(&purpose);
            }
        }
    }
    (verdicts, doubts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history of DKIM: seconds since the start, and `v` valid, `u` unknown, `d` denied by caches alone, `D` denied
    /// by the zone's servers. Shows at which of them the flag falls.
    #[track_caller]
    fn check(why: &str, flag: bool, ttl_seconds: u32, history: &[(i64, char)], expected: &[i64]) {
        let (mut doubts, mut falls) = (Doubts::new(), Vec::new());
        let flags = Flags { spf: true, dkim: flag, dmarc: true, mx: true };
        for (seconds, letter) in history {
            let dkim = match letter {
                'v' => Verdict::Valid,
                'u' => Verdict::Unknown,
                _ => Verdict::Missing,
            };
            let verdicts = Verdicts { spf: Verdict::Valid, dkim, dmarc: Verdict::Valid, mx: Verdict::Valid };
            let now = DateTime::UNIX_EPOCH + Duration::seconds(*seconds);
            let denial = |_| Denial { is_certain: *letter == 'D', ttl_seconds };
            let (verdicts, after) = believed(flags, verdicts, denial, &doubts, now, Duration::seconds(15));
            doubts = after;
            if verdicts.dkim.is_failure() {
                falls.push(*seconds);
            }
        }
        assert_eq!(falls, expected, "{why}");
    }

    #[test]
    fn denials() {
        check("the servers' word is enough", true, 300, &[(0, 'D')], &[0]);
        check("that of caches is not", true, 300, &[(0, 'd')], &[]);
        check("nor a second one too soon", true, 300, &[(0, 'd'), (299, 'd')], &[]);
        check("a second one in time", true, 300, &[(0, 'd'), (300, 'd')], &[300]);
        check("a second one between", true, 300, &[(0, 'd'), (200, 'd'), (300, 'd')], &[300]);
        check("a day is not waited out", true, 86_400, &[(0, 'd'), (899, 'd'), (900, 'd')], &[900]);
        check("nor is nothing", true, 0, &[(0, 'd'), (14, 'd'), (15, 'd')], &[15]);
        check("unknown in between is no word", true, 60, &[(0, 'd'), (60, 'u'), (61, 'd')], &[61]);
        check("unknown is no second denial", true, 60, &[(0, 'd'), (61, 'u')], &[]);
        check("valid in between starts anew", true, 60, &[(0, 'd'), (30, 'v'), (61, 'd'), (121, 'd')], &[121]);
        check("the servers end the wait", true, 300, &[(0, 'd'), (10, 'D')], &[10]);
        check("what is false already stays so", false, 300, &[(0, 'd')], &[0]);
    }
}
