//! The reputation of a domain: a number from 0 to 100 made of what is known of it, and what it is made of.
//!
//! Owns the weights ([`Part::of`]) and the rule of each part. It is an indication for people who choose where to send
//! from; no flag, status or limit follows it.
//!
//! # Strictness
//!
//! Four parts add up. What is not known is neutral: the part gives half of its points, with which it can neither lift
//! a bad domain nor spoil a good one. With everything else equal, more that is known to be good never lowers the
//! score, and more that is known to be bad never raises it.

use chrono::{DateTime, Utc};

use crate::plural::counted;
use crate::verify::standing::Flags;

/// The bounce rate from which on a mailbox gives no points for bounces.
pub const BOUNCE_WORST: f64 = 0.05;

/// The rate of spam complaints from which on it gives none for those.
pub const SPAM_WORST: f64 = 0.003;

/// How many points there are in all.
pub const POINTS_MAX: f64 = 100.0;

/// The points of an age: this many at so many days, evenly between them. Receivers distrust the first month most.
const AGE_POINTS: [(f64, f64); 6] =
    [(0.0, 0.0), (30.0, 6.0), (90.0, 10.0), (180.0, 14.0), (365.0, 17.0), (730.0, 20.0)];

/// What the reputation is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The four flags: SPF 12, DKIM 14, DMARC 8, MX 6.
    Dns,
    /// How long the domain has been registered.
    Age,
    /// Whether block lists have it.
    Lists,
    /// Bounces and complaints of its worst mailbox: 12 and 8.
    Mailboxes,
}

impl Part {
    /// Every part, in the order in which they are shown.
    pub const ALL: [Part; 4] = [Part::Dns, Part::Age, Part::Lists, Part::Mailboxes];

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Dns => "dns",
            Part::Age => "age",
            Part::Lists => "lists",
            Part::Mailboxes => "mailboxes",
        }
    }

    /// The most points that it gives. They add up to [`POINTS_MAX`].
    pub const fn of(self) -> f64 {
        match self {
            Part::Dns => 40.0,
            Part::Age | Part::Lists | Part::Mailboxes => 20.0,
        }
    }
}

/// What is known of a domain; nothing where it is not.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Inputs {
    /// Which records are valid; nothing before the first check.
    pub flags: Option<Flags>,
    /// Whole days since it was registered.
    pub age_days: Option<i32>,
    /// What block lists say; nothing where none could tell.
    pub lists: Option<ListWord>,
    /// The worst rates among its mailboxes; nothing where none was measured.
    pub rates: Option<Rates>,
}

/// What the block lists say that could tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListWord {
    /// How many could tell; at least one.
    pub asked: u32,
    /// How many of them have it.
    pub listed: u32,
}

/// Rates of a mailbox, as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Of mails that bounced.
    pub bounce: f64,
    /// Of mails that were complained about.
    pub spam: f64,
}

/// One part of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Which.
    pub part: Part,
    /// How many points it gives, 0 to [`Part::of`], in tenths.
    pub points: f64,
    /// Why, for people.
    pub why: String,
}

/// A score and its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Reputation {
    /// 0 to 100, in tenths; the sum of the parts.
    pub score: f64,
    /// In the order of [`Part::ALL`].
    pub parts: [Scored; 4],
}

/// The reputation that these facts make.
pub fn reputation(inputs: &Inputs) -> Reputation {
    let parts = Part::ALL.map(|part| {
        let (points, why) = scored(part, inputs).unwrap_or_else(|why| (part.of() / 2.0, why));
        Scored { part, points: tenths(points.clamp(0.0, part.of())), why }
    });
    let score = tenths(parts.iter().map(|part| part.points).sum::<f64>().clamp(0.0, POINTS_MAX));
    Reputation { score, parts }
}

/// The points of a part, and why; why there are none to give where it is not known.
fn scored(part: Part, inputs: &Inputs) -> Result<(f64, String), String> {
    let unknown = |why: &str| format!("{why}; half of the points, for what is not known is neutral");
    match part {
        Part::Dns => inputs.flags.map(dns).ok_or_else(|| unknown("its records were not looked at yet")),
        Part::Age => inputs.age_days.map(age).ok_or_else(|| unknown("nobody said when it was registered")),
        Part::Lists => {
            let word = inputs.lists.filter(|word| word.asked > 0);
            word.map(lists).ok_or_else(|| unknown("no block list could tell"))
        }
        Part::Mailboxes => {
            let rates = inputs.rates.filter(|rates| rates.bounce.is_finite() && rates.spam.is_finite());
            rates.map(mailboxes).ok_or_else(|| unknown("no mailbox was measured"))
        }
    }
}

fn dns(flags: Flags) -> (f64, String) {
    let each =
        [(flags.spf, 12.0, "SPF"), (flags.dkim, 14.0, "DKIM"), (flags.dmarc, 8.0, "DMARC"), (flags.mx, 6.0, "MX")];
    let points = each.iter().filter(|(is_valid, ..)| *is_valid).map(|(_, points, _)| points).sum();
    let missing: Vec<&str> = each.iter().filter(|(is_valid, ..)| !is_valid).map(|(.., name)| *name).collect();
    let why = match missing.is_empty() {
        true => "all four records are valid".to_owned(),
        false => format!("not valid: {}", missing.join(", ")),
    };
    (points, why)
}

fn age(days: i32) -> (f64, String) {
    let known = f64::from(days.max(0));
    let after = AGE_POINTS.iter().find(|(until, _)| known <= *until);
    let before = AGE_POINTS.iter().rev().find(|(from, _)| known >= *from);
    let points = match (before, after) {
        (Some((from, low)), Some((until, high))) if until > from => {
            low + (high - low) * (known - from) / (until - from)
        }
        (Some((_, points)), _) | (None, Some((_, points))) => *points,
        (None, None) => 0.0,
    };
    (points, format!("registered {} ago", counted(days, "day", "days")))
}

/// One list halves them twice over; two take them all.
fn lists(ListWord { asked, listed }: ListWord) -> (f64, String) {
    let points = match listed {
        0 => Part::Lists.of(),
        1 => Part::Lists.of() / 4.0,
        _ => 0.0,
    };
    (points, format!("{listed} of {asked} block lists have it"))
}

fn mailboxes(Rates { bounce, spam }: Rates) -> (f64, String) {
    let share = |rate: f64, worst: f64| 1.0 - (rate / worst).clamp(0.0, 1.0);
    let points = 12.0 * share(bounce, BOUNCE_WORST) + 8.0 * share(spam, SPAM_WORST);
    let why = format!("the worst mailbox: {:.2} % bounce, {:.2} % are complained about", bounce * 100.0, spam * 100.0);
    (points, why)
}

/// Whole days since a registration.
pub fn age_days(registered_at: DateTime<Utc>, now: DateTime<Utc>) -> i32 {
    i32::try_from((now - registered_at).num_days().max(0)).unwrap_or(i32::MAX)
}

/// Kept to tenths, so that a rounding error is no change.
fn tenths(points: f64) -> f64 {
    (points * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: Flags = Flags { spf: true, dkim: true, dmarc: true, mx: true };

    #[test]
    fn the_example_of_the_documentation() {
        let inputs = Inputs {
            flags: Some(Flags { dmarc: false, ..ALL }),
            age_days: Some(60),
            lists: None,
            rates: Some(Rates { bounce: 0.01, spam: 0.0 }),
        };
        let made = reputation(&inputs);
        let parts: Vec<(&str, f64)> = made.parts.iter().map(|part| (part.part.as_str(), part.points)).collect();
        assert_eq!(parts, [("dns", 32.0), ("age", 8.0), ("lists", 10.0), ("mailboxes", 17.6)]);
        assert_eq!(made.score, 67.6);
    }

    #[test]
    fn the_weights_add_up_and_the_ends_are_reached() {
        assert_eq!(Part::ALL.iter().map(|part| part.of()).sum::<f64>(), POINTS_MAX);
        assert_eq!(reputation(&Inputs::default()).score, 50.0, "nothing is known");
        let rates = Some(Rates { bounce: 0.0, spam: 0.0 });
        let best =
            Inputs { flags: Some(ALL), age_days: Some(800), lists: Some(ListWord { asked: 2, listed: 0 }), rates };
        assert_eq!(reputation(&best).score, 100.0);
        let worst = Inputs {
            flags: Some(Flags::default()),
            age_days: Some(0),
            lists: Some(ListWord { asked: 2, listed: 2 }),
            rates: Some(Rates { bounce: 1.0, spam: 1.0 }),
        };
        assert_eq!(reputation(&worst).score, 0.0);
    }

    #[test]
    fn days_are_whole() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let days = |seconds| age_days(now - chrono::TimeDelta::seconds(seconds), now);
        assert_eq!((days(86_399), days(86_400), days(-5)), (0, 1, 0));
    }

    fn any_flags() -> impl Strategy<Value = Flags> {
        any::<(bool, bool, bool, bool)>().prop_map(|(spf, dkim, dmarc, mx)| Flags { spf, dkim, dmarc, mx })
    }

    fn any_inputs() -> impl Strategy<Value = Inputs> {
        let lists = (0..4_u32, 0..4_u32).prop_map(|(asked, listed)| ListWord { asked, listed: listed.min(asked) });
        let rates = (0.0..1.0, 0.0..1.0).prop_map(|(bounce, spam)| Rates { bounce, spam });
        let option = proptest::option::of::<BoxedStrategy<Flags>>;
        (
            option(any_flags().boxed()),
            proptest::option::of(-10..4_000_i32),
            proptest::option::of(lists),
            proptest::option::of(rates),
        )
            .prop_map(|(flags, age_days, lists, rates)| Inputs { flags, age_days, lists, rates })
    }

    proptest! {
        #[test]
        fn it_stays_in_its_bounds(inputs in any_inputs()) {
            let made = reputation(&inputs);
            prop_assert!((0.0..=100.0).contains(&made.score));
            for part in &made.parts {
                prop_assert!((0.0..=part.part.of()).contains(&part.points) && !part.why.is_empty());
            }
            let sum: f64 = made.parts.iter().map(|part| part.points).sum();
            prop_assert!((sum - made.score).abs() < 0.05);
        }

        #[test]
        fn better_is_never_worse(inputs in any_inputs(), flags in any_flags(), days in 0..4_000_i32, more in 0..400_i32, rate in 0.0..0.5) {
            let score = |inputs: Inputs| reputation(&inputs).score;
            let some = Inputs { flags: Some(flags), ..inputs };
            for better in [Flags { spf: true, ..flags }, Flags { dkim: true, ..flags }, Flags { dmarc: true, ..flags }, Flags { mx: true, ..flags }] {
                let (after, before) = (score(Inputs { flags: Some(better), ..some }), score(some));
                prop_assert!(after >= before);
            }
            let aged = |days| score(Inputs { age_days: Some(days), ..inputs });
            prop_assert!(aged(days + more) >= aged(days));
            let listed = |listed| score(Inputs { lists: Some(ListWord { asked: 5, listed }), ..inputs });
            prop_assert!((0..5).all(|count| listed(count) >= listed(count + 1)));
            let rated = |bounce, spam| score(Inputs { rates: Some(Rates { bounce, spam }), ..inputs });
            prop_assert!(rated(rate, 0.001) >= rated(rate * 1.5, 0.001) && rated(0.01, rate) >= rated(0.01, rate * 1.5));
        }

        #[test]
        fn what_is_not_known_lies_between_the_best_and_the_worst(inputs in any_inputs()) {
            let score = |inputs: Inputs| reputation(&inputs).score;
            let at = |age_days| score(Inputs { age_days, ..inputs });
            prop_assert!(at(Some(0)) <= at(None) && at(None) <= at(Some(4_000)));
            let flags = |flags| score(Inputs { flags, ..inputs });
            prop_assert!(flags(Some(Flags::default())) <= flags(None) && flags(None) <= flags(Some(ALL)));
        }
    }
}
