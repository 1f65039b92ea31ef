//! Roll-ups of statistics: what several mailboxes told of their warm-up, as one.
//!
//! Owns how many rates become one. What is added up, and of which rows, is the store's affair.
//!
//! # Strictness
//!
//! Mails are added up. An inbox rate is a share of mails, so it weighs as much as mails were sent: two mailboxes of 90 and 10
//! mails at 100 % and 0 % have 90 %, not 50 %. A warm-up score is a mark that a mailbox has on a day, so all count the
//! same. Whoever gave none is left out of the average and not taken for zero.

/// What was told, added up over one day or many.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// How many mailboxes told something.
    pub mailboxes: i64,
    /// How many mails they sent.
    pub emails_sent: i64,
    /// How many mails they got.
    pub emails_received: i64,
    /// How many of the mails were sent by mailboxes on days of which they gave an inbox rate.
    pub rated_sent: i64,
    /// Those mails, each day's times its inbox rate in per cent.
    pub rated_sum: f64,
    /// How often a warm-up score was given.
    pub scores: i64,
    /// Those scores, added up.
    pub score_sum: f64,
}

impl Sums {
    /// The share of the mails sent that came to the inbox, 0 to 100, in hundredths; nothing where no mail was sent of
    /// which that was told.
    pub fn inbox_rate(&self) -> Option<f64> {
        average(self.rated_sum, self.rated_sent)
    }

    /// The mean of the warm-up scores, 0 to 100, in hundredths; nothing where none was given.
    pub fn warmup_score(&self) -> Option<f64> {
        average(self.score_sum, self.scores)
    }
}

/// In hundredths: databases add up in an order of their own, and the last digits depend on it.
#[expect(clippy::cast_precision_loss, reason = "no fleet sends 2^53 mails in a year")]
fn average(sum: f64, count: i64) -> Option<f64> {
    (count > 0).then(|| (sum / count as f64 * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One mailbox's day.
    type Told = (i64, Option<f64>, Option<f64>);

    fn sums(told: &[Told]) -> Sums {
        let mut sums = Sums::default();
        for (sent, rate, score) in told {
            sums.emails_sent += sent;
            sums.rated_sent += rate.map_or(0, |_| *sent);
            sums.rated_sum += rate.map_or(0.0, |rate| f64::from(i32::try_from(*sent).unwrap()) * rate);
            sums.scores += i64::from(score.is_some());
            sums.score_sum += score.unwrap_or(0.0);
        }
        sums
    }

    #[test]
    fn rates_weigh_by_mails_and_scores_do_not() {
        let check = |why: &str, told: &[Told], expected: (Option<f64>, Option<f64>)| {
            let sums = sums(told);
            assert_eq!((sums.inbox_rate(), sums.warmup_score()), expected, "{why}");
        };
        check("nobody told", &[], (None, None));
        let both = [(90, Some(100.0), Some(100.0)), (10, Some(0.0), Some(0.0))];
        check("by mails, and by mailboxes", &both, (Some(90.0), Some(50.0)));
        check("who gave none is not zero", &[(90, None, None), (10, Some(40.0), Some(70.0))], (Some(40.0), Some(70.0)));
        check("of no mail", &[(0, Some(100.0), Some(80.0))], (None, Some(80.0)));
        check(
            "one that sent nothing weighs nothing",
            &[(0, Some(0.0), None), (3, Some(50.0), None)],
            (Some(50.0), None),
        );
        check("in hundredths", &[(1, Some(100.0), Some(1.0)), (2, Some(0.0), Some(0.0))], (Some(33.33), Some(0.5)));
    }

    proptest! {
        #[test]
        fn an_average_lies_between_the_least_and_the_most(
            told in prop::collection::vec((1..1_000_i64, prop::option::of(0.0..=100.0), prop::option::of(0.0..=100.0)), 0..20),
        ) {
            let sums = sums(&told);
            let rates: Vec<f64> = told.iter().filter_map(|told| told.1).collect();
            let scores: Vec<f64> = told.iter().filter_map(|told| told.2).collect();
            for (average, given) in [(sums.inbox_rate(), rates), (sums.warmup_score(), scores)] {
                prop_assert_eq!(average.is_none(), given.is_empty());
                let Some(average) = average else { continue };
                let (least, most) = given.iter().fold((f64::MAX, f64::MIN), |(low, high), one| (low.min(*one), high.max(*one)));
                prop_assert!((least - 0.005..=most + 0.005).contains(&average), "{} {} {}", least, average, most);
            }
        }
    }
}
