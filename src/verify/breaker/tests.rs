//! When the breaker opens and closes, a line a case, and against a model.

use std::fmt::Write as _;

use proptest::prelude::{any, prop, proptest};
use proptest::test_runner::Config;

use super::*;

const RULE: Rule = Rule { min_domains: 5, share: 0.4, window: TimeDelta::seconds(100) };

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(1) + TimeDelta::seconds(second)
}

/// The latest looks, of `second:letter:organization` each: `g` good, `b` bad, `u` unknown; `b@9` turned at second 9.
fn looks(text: &str) -> Vec<Look> {
    let each = text.split_whitespace().map(|word| {
        let parts: Vec<&str> = word.split(':').collect();
        let looked_at = at(parts[0].parse().unwrap());
        let (letter, turned) = parts[1].split_once('@').unwrap_or((parts[1], parts[0]));
        let outcome = match letter {
            "g" => Outcome::Good,
            "b" => Outcome::Bad,
            _ => Outcome::Unknown,
        };
        let turned_at = (outcome != Outcome::Good).then(|| at(turned.parse().unwrap()));
        Look { organization: parts[2].to_owned(), looked_at, outcome, turned_at }
    });
    each.collect()
}

fn shown(breaker: &Breaker, counts: Counts, change: Change) -> String {
    let mut text = format!("{}/{}", counts.turned, counts.looked);
    let word = match change {
        Change::None => "",
        Change::Opened => " opened",
        Change::Closed => " closed",
    };
    write!(text, "{word} {}", if breaker.is_open() { "open" } else { "shut" }).unwrap();
    text
}

#[track_caller]
fn check(why: &str, before: &Breaker, now: i64, text: &str, expected: &str) -> Breaker {
    let (breaker, counts, change) = after(before, &looks(text), &RULE, Span::Window, at(now));
    assert_eq!(shown(&breaker, counts, change), expected, "{why}");
    breaker
}

#[test]
fn it_opens_above_the_share_of_enough() {
    let shut = Breaker::default();
    check("nothing", &shut, 0, "", "0/0 shut");
    check("three of five", &shut, 9, "1:b:a 2:u:b 3:b:c 4:g:d 5:g:e", "3/5 opened open");
    check("at the share it stays", &shut, 9, "1:b:a 2:u:b 4:g:d 5:g:e 6:g:f", "2/5 shut");
    check("too few, though all", &shut, 9, "1:b:a 2:b:b 3:b:c 4:b:d", "4/4 shut");
    check("too long ago", &shut, 101, "1:b:a 2:b:b 3:b:c 4:g:d 5:g:e", "2/4 shut");
    check("one organization is one", &shut, 9, "1:b:a 2:b:a 3:b:a 4:b:a 5:g:e 6:g:f 7:g:g 8:g:h", "1/5 shut");
    check("and turned when any is", &shut, 9, "1:g:a 2:b:a 3:b:b 4:b:c 5:g:d 6:g:e", "3/5 opened open");
    let silent_for_long = "290:u@1:a 291:u@1:b 292:u@1:c 293:u@1:d 294:u@1:e 295:g:f 296:g:g";
    check("who was silent long before says nothing", &shut, 300, silent_for_long, "0/2 shut");
    let never = Rule { share: 1.0, ..RULE };
    let (_, counts, change) = after(&shut, &looks("1:b:a 2:b:b 3:b:c 4:b:d 5:b:e"), &never, Span::Window, at(9));
    assert_eq!((counts.turned, counts.looked, change), (5, 5, Change::None), "a share of 1 is never passed");
}

#[test]
fn silence_is_counted_over_all_that_is_known() {
    let silent = looks("290:u@1:a 291:u@20:b 292:u@70:c 20:g:f 30:g:g");
    let of = |span| {
        let (breaker, counts, change) = after(&Breaker::default(), &silent, &RULE, span, at(300));
        shown(&breaker, counts, change)
    };
    assert_eq!([of(Span::Window), of(Span::Ever)], ["0/0 shut", "3/5 opened open"]);
}

#[test]
fn it_closes_below_the_share_of_the_latest_looks() {
    let all_bad = "1:b:a 2:b:b 3:b:c 4:b:d 5:b:e";
    let open = check("it opens", &Breaker::default(), 9, all_bad, "5/5 opened open");
    check("while they stay bad, however long", &open, 900, all_bad, "5/5 open");
    check("some are well", &open, 50, "40:g:a 41:b@2:b 42:b@3:c 43:b@4:d 44:g:e", "3/5 open");
    check("at the share it stays", &open, 50, "40:g:a 41:b@2:b 42:b@3:c 43:g:d 44:g:e", "2/5 open");
    check("below it closes", &open, 50, "40:g:a 41:b@2:b 42:g:c 43:g:d 44:g:e", "1/5 closed shut");
    check("as few as they are", &open, 50, "40:g:a", "0/1 closed shut");
    check("nobody is left", &open, 50, "", "0/0 closed shut");
    let closed = check(
        "others are well",
        &open,
        50,
        &format!("{all_bad} 6:g:f 7:g:g 8:g:h 9:g:i 10:g:j 11:g:k 12:g:l 13:g:m"),
        "5/13 closed shut",
    );
    assert_eq!(closed.closed_at, Some(at(50)));
    let zero = Rule { share: 0.0, ..RULE };
    let (_, _, change) = after(&open, &looks("40:g:a"), &zero, Span::Window, at(50));
    assert_eq!(change, Change::Closed, "with a share of 0, when all are well");
}

#[test]
fn what_is_accepted_counts_no_longer() {
    let all_bad = "1:b:a 2:b:b 3:b:c 4:b:d 5:b:e";
    let open = check("it opens", &Breaker::default(), 9, all_bad, "5/5 opened open");
    assert_eq!(Breaker::default().accepted(at(10)), None, "nothing is accepted in advance");
    let accepted = open.accepted(at(10)).unwrap();
    check("what was seen", &accepted, 20, all_bad, "0/0 shut");
    check("nor when it is seen again", &accepted, 20, "11:b@1:a 12:b@2:b 13:b@3:c 14:b@4:d 15:b@5:e", "0/0 shut");
    check("what turns anew does", &accepted, 20, "11:b:a 12:b:b 13:b:c 14:b:d 15:b:e", "5/5 opened open");
}

#[test]
fn open_time_between_two_checks() {
    let of = |opened: Option<i64>, closed: Option<i64>| {
        let breaker = Breaker { opened_at: opened.map(at), closed_at: closed.map(at), ..Breaker::default() };
        breaker.open_between(at(100), at(200)).num_seconds()
    };
    assert_eq!(of(None, None), 0, "never");
    assert_eq!(of(Some(150), None), 50, "open since the middle");
    assert_eq!(of(Some(50), None), 100, "all the time");
    assert_eq!(of(Some(120), Some(150)), 30, "within");
    assert_eq!(of(Some(20), Some(90)), 0, "before");
    assert_eq!(of(Some(250), None), 0, "after, by another's clock");
}

#[test]
fn others_are_organizations_of_the_window() {
    let seen = looks("1:g:a 50:g:a 60:b:b 70:u@1:c 80:g:own 90:g:c");
    assert_eq!(others(&seen, "own", &RULE, at(105)), 3, "a, b, c");
    assert_eq!(others(&seen, "own", &RULE, at(155)), 2, "b, c");
}

#[test]
fn fewer_than_the_least_cannot_open_it() {
    let of = |min_domains, share| turned_min(&Rule { min_domains, share, ..RULE });
    assert_eq!([of(20, 0.3), of(5, 0.4), of(1, 0.0), of(20, 1.0)], [7, 3, 1, 21]);
}

proptest! {
    #![proptest_config(Config::with_cases(500))]

    /// The model: who of each organization was looked at in time and newly turned, by the letter of the rule.
    #[test]
    fn it_does_what_the_rule_says(
        seen in prop::collection::vec((0_u8..8, 0_i64..200, 0_u8..3, 0_i64..200), 0..40),
        accepted in prop::option::of(0_i64..200),
        was_open in any::<bool>(),
    ) {
        let looks: Vec<Look> = seen.iter().map(|(organization, looked, outcome, turned)| Look {
            organization: organization.to_string(),
            looked_at: at(*looked),
            outcome: Outcome::ALL[usize::from(*outcome)],
            turned_at: (*outcome > 0).then(|| at(*turned.min(looked))),
        }).collect();
        let now = at(200);
        let opened_at = was_open.then(|| at(150));
        let before = Breaker {
            opened_at, counted_from: was_open.then(|| at(60)), accepted_at: accepted.map(at), ..Breaker::default()
        };
        let of = |wanted: u8| looks.iter().filter(move |look| look.organization == wanted.to_string());
        let count = |from: i64| {
            let from = at(from.max(accepted.unwrap_or(0)));
            let is_new = |look: &Look| look.turned_at.is_some_and(|turned| turned > from);
            let turned = (0..8).filter(|n| of(*n).any(|look| look.looked_at > from && is_new(look))).count();
            let is_seen = |look: &Look| look.looked_at > from && (look.outcome == Outcome::Good || is_new(look));
            (turned, (0..8).filter(|n| of(*n).any(is_seen)).count())
        };
        // Shares in fifths: five times the turned against twice the looked.
        let opens = |(turned, looked)| looked >= 5 && 5 * turned > 2 * looked;
        let (turned, looked) = count(if was_open { 60 } else { 100 });
        let is_open = opens(count(100)) || (was_open && turned > 0 && 5 * turned >= 2 * looked);
        let (breaker, counts, change) = after(&before, &looks, &RULE, Span::Window, now);
        assert_eq!(counts, Counts { looked, turned });
        assert_eq!(breaker.is_open(), is_open);
        assert_eq!(change == Change::None, is_open == was_open);
        assert!(change != Change::None || breaker == before);
        let again = after(&breaker, &looks, &RULE, Span::Window, now);
        assert_eq!((again.0.is_open(), again.2), (is_open, Change::None), "asked again, it stays so");
        assert!(change != Change::Opened || turned >= turned_min(&RULE), "the shortcut is no shorter");
    }
}
