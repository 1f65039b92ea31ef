//! Whether a server is worth asking.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::verify::evidence::{Answer, Failure};

/// How many questions in a row a server may leave without an answer before it is left out.
const TIMEOUT_COUNT_MAX: u32 = 2;

/// How long a silent server is left out.
const LEFT_OUT_TIME: Duration = Duration::from_secs(5 * 60);

/// What one server did of late.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Questions without an answer since the last one with. Stays when the server is tried again, so
    /// that one more silence is enough then.
    timeout_count: u32,
    left_out_until: Option<Instant>,
}

impl Health {
    /// Whether others are to be asked instead.
    pub(super) fn is_left_out(&self, now: Instant) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.left_out_until.is_some_and(|until| now < until)
    }

    /// Takes note of what the server gave to one question.
    pub(super) fn note(&self, answer: &Answer, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(answer, Answer::Unknown(Failure::Timeout | Failure::Unreachable)) {
            *state = State::default();
            return;
        }
        state.timeout_count = state.timeout_count.saturating_add(1);
        if state.timeout_count >= TIMEOUT_COUNT_MAX {
            state.left_out_until = Some(now + LEFT_OUT_TIME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::evidence::Denial;

    /// `t` is a time-out, `u` nobody there, `a` an answer, `s` a SERVFAIL; `5` lets five minutes pass.
    #[track_caller]
    fn check(why: &str, events: &str, left_out: bool) {
        let health = Health::default();
        let mut now = Instant::now();
        for event in events.chars() {
            match event {
                't' => health.note(&Answer::Unknown(Failure::Timeout), now),
                'u' => health.note(&Answer::Unknown(Failure::Unreachable), now),
                's' => health.note(&Answer::Unknown(Failure::Servfail), now),
                'a' => health.note(&Answer::NoSuchName(Denial::default()), now),
                _ => now += LEFT_OUT_TIME,
            }
        }
        assert_eq!(health.is_left_out(now), left_out, "{why}");
    }

    #[test]
    fn a_silent_server_is_left_out_for_a_while() {
        check("a new one", "", false);
        check("silent once", "t", false);
        check("silent twice", "tt", true);
        check("nobody there", "tu", true);
        check("not in a row", "tat", false);
        check("a failure is a word, too", "tst", false);
        check("after five minutes", "tt5", false);
        check("still silent then", "tt5t", true);
        check("well again", "tt5at", false);
        check("an answer that was under way", "tta", false);
    }
}
