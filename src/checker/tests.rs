//! Asking within limits. Time is paused; DNS is text, or slow, or large.

mod vantage;

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::*;
use crate::dns::zone_text::ZoneText;
use crate::protocol::name::Name;
use crate::verify::evidence::{Found, RecordData, Txt};
use crate::verify::step::Needs;

/// Gives one text of so many octets to every question, after a second; counts those it is giving at once.
#[derive(Default)]
struct Slow {
    octets: usize,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Resolver for Slow {
    fn ask<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Vec<Reply>> {
        async {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            let records = vec![RecordData::Txt(Txt::of("x".repeat(self.octets)))];
            let answer = Answer::Found(Found { records, ttl_seconds: 1, aliases: Vec::new(), authentic: false });
            vec![Reply { vantage: Vantage::Recursive, server: None, answer, extended_error: None }]
        }
        .boxed()
    }
}

fn question(label: usize) -> Question {
    Question::txt(&Name::parse(&format!("n{label}.example.test")).unwrap())
}

/// Asks `width` questions a round, `depth` times, and tells the outcomes in order.
fn asks(width: usize, depth: usize) -> impl Fn(&Evidence) -> Step<Vec<&'static str>> {
    move |evidence| {
        let mut outcomes = Vec::new();
        for round in 0..depth {
            let mut needs = Needs::default();
            for label in 0..width {
                outcomes.extend(needs.keep(evidence.ask(&question(round * width + label))).map(Answer::outcome));
            }
            if let Err(needs) = needs.or(()) {
                return Step::from(Err(needs));
            }
        }
        Step::Done(outcomes)
    }
}

fn counted(outcomes: &[&str]) -> String {
    let count = |word| outcomes.iter().filter(|outcome| **outcome == word).count();
    format!("{} found, {} timeout, {} truncated", count("found"), count("timeout"), count("truncated"))
}

#[tokio::test]
async fn a_judge_is_told_what_it_asks() {
    let zones: ZoneText = "n0.example.test. TXT a\nn1.example.test. A 192.0.2.1\n".parse().unwrap();
    let checked = check(&zones, &Limits::within(Duration::from_secs(40)), asks(1, 3)).await.unwrap();
    assert_eq!(checked.judgement, ["found", "nodata", "nxdomain"]);
    assert_eq!((checked.question_count, checked.round_count, checked.cut_count), (3, 3, 0));
    assert_eq!(checked.evidence.question_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_round_is_asked_at_once() {
    let slow = Slow::default();
    let begin = Instant::now();
    check(&slow, &Limits::within(Duration::from_secs(40)), asks(50, 2)).await.unwrap();
    assert_eq!((slow.most.into_inner(), begin.elapsed()), (50, Duration::from_secs(2)));
}

#[track_caller]
fn check_limits(why: &str, limits: Limits, octets: usize, shape: (usize, usize), expected: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let slow = Slow { octets, ..Slow::default() };
    let checked = runtime.block_on(check(&slow, &limits, asks(shape.0, shape.1))).unwrap();
    let Checked { question_count, cut_count, .. } = checked;
    assert_eq!(format!("{}; {question_count} asked, {cut_count} cut", counted(&checked.judgement)), expected, "{why}");
}

#[test]
fn the_judge_finishes_within_the_limits() {
    let long = Limits::within(Duration::from_secs(1_000));
    let short = Limits::within(Duration::from_millis(2_500));
    check_limits("all questions", long, 1, (300, 1), "300 found, 0 timeout, 0 truncated; 300 asked, 0 cut");
    check_limits("one too many", long, 1, (301, 1), "300 found, 1 timeout, 0 truncated; 300 asked, 0 cut");
    check_limits("rounds too many", long, 1, (100, 5), "300 found, 200 timeout, 0 truncated; 300 asked, 0 cut");
    check_limits("the deadline", short, 1, (2, 4), "4 found, 4 timeout, 0 truncated; 6 asked, 0 cut");
    // Each answer is 60 octets and one more for its string; each name is 17 octets.
    let room = |octets| Limits { evidence_octets_max: octets, ..long };
    check_limits("room for all", room(156), 60, (2, 1), "2 found, 0 timeout, 0 truncated; 2 asked, 0 cut");
    check_limits("an octet short", room(155), 60, (2, 1), "1 found, 0 timeout, 1 truncated; 2 asked, 1 cut");
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_does_not_end_is_a_fault() {
    let limits = Limits::within(Duration::from_secs(1));
    let zones: ZoneText = "".parse().unwrap();
    let same = |_: &Evidence| Step::<()>::Need(vec![question(0)]);
    assert_eq!(check(&zones, &limits, same).await, Err(JudgeFault::Stuck));
    let nothing = |_: &Evidence| Step::<()>::Need(Vec::new());
    assert_eq!(check(&zones, &limits, nothing).await, Err(JudgeFault::Stuck));
    let more = |evidence: &Evidence| Step::<()>::Need(vec![question(evidence.question_count())]);
    assert_eq!(check(&zones, &limits, more).await, Err(JudgeFault::Endless));
    assert_eq!(check(&zones, &limits, asks(1, ROUND_COUNT_MAX)).await.unwrap().round_count, ROUND_COUNT_MAX);
    assert_eq!(check(&zones, &limits, asks(1, ROUND_COUNT_MAX + 1)).await, Err(JudgeFault::Endless));
}
