//! Health of a mailbox: how much of its mail comes back, is called spam, or is answered.
//!
//! Rates are fractions from 0 to 1. What is outside of that, and no number at all, was written by another program: it is
//! reported and decides nothing.

use crate::sending::mailbox::PausedReason;

/// How many mails rates must rest on before they pause a mailbox: below it a single bounce would.
pub const SAMPLE_MIN: i32 = 50;

/// What is known of a mailbox's mail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Health {
    /// What share came back.
    pub bounce_rate: f64,
    /// What share was called spam.
    pub spam_rate: f64,
    /// What share was answered.
    pub reply_rate: f64,
    /// How many mails the rates rest on; nothing: whoever wrote them answers for them.
    pub sample: Option<i32>,
}

/// The rates above which a mailbox is paused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// `sending.bounce_max`.
    pub bounce_max: f64,
    /// `sending.spam_max`.
    pub spam_max: f64,
}

/// One rate of [`Health`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// `bounce_rate`.
    Bounce,
    /// `spam_rate`.
    Spam,
    /// `reply_rate`.
    Reply,
}

impl Rate {
    /// The name of its column.
    pub const fn column(self) -> &'static str {
        match self {
            Rate::Bounce => "bounce_rate",
            Rate::Spam => "spam_rate",
            Rate::Reply => "reply_rate",
        }
    }
}

/// Something that is wrong with a mailbox's health.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HealthFault {
    /// A rate is no fraction.
    OutOfRange {
        /// Which.
        rate: Rate,
        /// What stands there.
        value: f64,
    },
    /// A rate is above its bound.
    Over {
        /// Which.
        rate: Rate,
        /// What stands there.
        value: f64,
        /// Its bound.
        max: f64,
        /// Whether it rests on enough mails to decide anything.
        is_sure: bool,
    },
}

/// Whether a number can be a rate.
pub fn is_rate(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

/// All that is wrong with a mailbox's health.
pub fn faults(health: &Health, bounds: Bounds) -> Vec<HealthFault> {
    let is_sure = health.sample.is_none_or(|sample| sample >= SAMPLE_MIN);
    let rates = [
        (Rate::Bounce, health.bounce_rate, Some(bounds.bounce_max)),
        (Rate::Spam, health.spam_rate, Some(bounds.spam_max)),
        (Rate::Reply, health.reply_rate, None),
    ];
    let fault = |(rate, value, max): (Rate, f64, Option<f64>)| match max {
        _ if !is_rate(value) => Some(HealthFault::OutOfRange { rate, value }),
        Some(max) if value > max => Some(HealthFault::Over { rate, value, max, is_sure }),
        _ => None,
    };
    rates.into_iter().filter_map(fault).collect()
}

/// Why these rates pause a mailbox; nothing where they do not. Bounces go first.
pub fn pausing(health: &Health, bounds: Bounds) -> Option<PausedReason> {
    faults(health, bounds).into_iter().find_map(|fault| match fault {
        HealthFault::Over { rate: Rate::Bounce, is_sure: true, .. } => Some(PausedReason::Bounce),
        HealthFault::Over { rate: Rate::Spam, is_sure: true, .. } => Some(PausedReason::Spam),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_above_and_only_where_enough_was_sent() {
        let bounds = Bounds { bounce_max: 0.05, spam_max: 0.003 };
        let check = |why: &str,
                     bounce_rate: f64,
                     spam_rate: f64,
                     sample: Option<i32>,
                     expected: (usize, Option<PausedReason>)| {
            let health = Health { bounce_rate, spam_rate, reply_rate: 0.0, sample };
            assert_eq!((faults(&health, bounds).len(), pausing(&health, bounds)), expected, "{why}");
        };
        check("well", 0.0, 0.0, None, (0, None));
        check("at the bounds", 0.05, 0.003, Some(1_000), (0, None));
        check("above the bounce bound", 0.051, 0.0, None, (1, Some(PausedReason::Bounce)));
        check("above the spam bound", 0.0, 0.0031, None, (1, Some(PausedReason::Spam)));
        check("above both", 1.0, 1.0, Some(50), (2, Some(PausedReason::Bounce)));
        check("of too few mails", 1.0, 1.0, Some(49), (2, None));
        check("no fractions", 5.0, -0.1, None, (2, None));
        check("no numbers", f64::NAN, f64::INFINITY, None, (2, None));
    }

    #[test]
    fn a_reply_rate_is_read_and_bounds_nothing() {
        let health = |reply_rate| Health { bounce_rate: 0.0, spam_rate: 0.0, reply_rate, sample: None };
        let bounds = Bounds { bounce_max: 0.05, spam_max: 0.003 };
        assert_eq!(faults(&health(1.0), bounds), []);
        let fault = HealthFault::OutOfRange { rate: Rate::Reply, value: 40.0 };
        assert_eq!(faults(&health(40.0), bounds), [fault], "a percentage is no fraction");
    }
}
