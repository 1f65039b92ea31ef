//! The warm-up schedule (`seed-email-infrastructure.md`, "Warmup Schedule"): how much a mailbox may send on which day.
//!
//! Owns the numbers. Which day a mailbox has reached is not decided here.

/// A stretch of days with one daily limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first day, from 1.
    pub from_day: u32,
    /// Its last day; nothing: for ever.
    pub to_day: Option<u32>,
    /// How many mails a day.
    pub daily_limit: u32,
    /// How many mails from day 1 to its end; nothing where it has no end.
    pub cumulative: Option<u32>,
}

/// How many days a stretch of the warm-up has.
const STRETCH_DAYS: u32 = 5;

/// The whole schedule; its last stretch is full capacity.
pub const SCHEDULE: [Stretch; 7] = [
    warming(1, 10, 50),
    warming(6, 20, 150),
    warming(11, 30, 300),
    warming(16, 40, 500),
    warming(21, 50, 750),
    warming(26, 60, 1_050),
    Stretch { from_day: 31, to_day: None, daily_limit: 75, cumulative: None },
];

const fn warming(from_day: u32, daily_limit: u32, cumulative: u32) -> Stretch {
    Stretch { from_day, to_day: Some(from_day + STRETCH_DAYS - 1), daily_limit, cumulative: Some(cumulative) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_are_without_a_gap_and_the_sums_are_right() {
        let (mut day, mut sum) = (1, 0);
        for stretch in SCHEDULE {
            assert_eq!(stretch.from_day, day);
            let Some(last) = stretch.to_day else { break };
            sum += (last - stretch.from_day + 1) * stretch.daily_limit;
            assert_eq!(stretch.cumulative, Some(sum), "day {last}");
            day = last + 1;
        }
        assert_eq!((day, sum), (31, 1_050));
    }
}
