//! The fleet breaker: truth rule 5.
//!
//! Trouble that hits many unrelated domains at once is ours: a resolver that answers nonsense, a network that is
//! cut. While the breaker is open nobody is demoted. One pure function, [`after`], from the latest look at each
//! domain that was valid to how the breaker stands.
//!
//! A domain *turned* when a look at it was no longer good, and that happened within the time that is counted. One
//! that has been failing or silent for longer is not among those that were valid: such domains are looked at far
//! more often than healthy ones, and a few of them would hold the breaker open for ever. One organization counts
//! once, and as turned when any of its domains did: a hundred subdomains of one zone are one piece of news.
//!
//! # Left out
//!
//! What is done while it is open is decided where checks settle.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

/// What the latest look at a domain gave, as far as it was valid before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// What was valid is.
    Good,
    /// Something that was valid is definitely not.
    Bad,
    /// Of something that was valid nobody could tell, and nothing is bad.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 3] = [Outcome::Good, Outcome::Bad, Outcome::Unknown];

    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Good => "good",
            Outcome::Bad => "bad",
            Outcome::Unknown => "unknown",
        }
    }

    /// Reads the word that is stored; nothing for any other.
    pub fn parse(text: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// The latest look at a domain that was valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Its registrable domain.
    pub organization: String,
    /// When it was looked at.
    pub looked_at: DateTime<Utc>,
    /// What that gave.
    pub outcome: Outcome,
    /// Since when it has not been good without a break. Nothing while it is.
    pub turned_at: Option<DateTime<Utc>>,
}

/// When the breaker opens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// So many organizations must have been looked at. `checks.breaker_min_domains`.
    pub min_domains: usize,
    /// More than this share of them must have turned, 0–1; with 1 it never opens. `checks.breaker_share`.
    pub share: f64,
    /// Within this time. `checks.breaker_window`.
    pub window: TimeDelta,
}

/// How many organizations were looked at, and how many of them turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Looked at.
    pub looked: usize,
    /// Of these, turned bad or unknown.
    pub turned: usize,
}

impl Counts {
    /// The share that turned; nothing where nobody was looked at.
    fn share(self) -> Option<f64> {
        // A correctly rounded quotient: 6 of 20 are exactly the share that is written 0.3.
        let float = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
        (self.looked > 0).then(|| float(self.turned) / float(self.looked))
    }
}

/// How the breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Breaker {
    /// When it last opened. Nothing: never.
    pub opened_at: Option<DateTime<Utc>>,
    /// When it closed again. Nothing while it is open.
    pub closed_at: Option<DateTime<Utc>>,
    /// From when looks count while it is open.
    pub counted_from: Option<DateTime<Utc>>,
    /// What was seen up to this was accepted by an operator and does not count.
    pub accepted_at: Option<DateTime<Utc>>,
    /// What was counted when it last opened.
    pub counts: Counts,
}

impl Breaker {
    /// Whether it is open: nobody is demoted.
    pub fn is_open(&self) -> bool {
        self.opened_at.is_some() && self.closed_at.is_none()
    }

    /// From when looks count: as at its opening while it is open, else over the span; never what was accepted.
    pub fn counts_from(&self, rule: &Rule, span: Span, now: DateTime<Utc>) -> DateTime<Utc> {
        let from = match (self.is_open(), span) {
            (true, _) => self.counted_from,
            (false, Span::Window) => now.checked_sub_signed(rule.window),
            (false, Span::Ever) => None,
        };
        from.max(self.accepted_at).unwrap_or(DateTime::UNIX_EPOCH).max(DateTime::UNIX_EPOCH)
    }

    /// As an operator leaves it who accepts what was seen up to `now`: closed. Nothing when it is not open.
    pub fn accepted(&self, now: DateTime<Utc>) -> Option<Breaker> {
        self.is_open().then_some(Breaker { closed_at: Some(now), accepted_at: Some(now), ..*self })
    }

    /// How much of the time between two checks of a domain the breaker was open, as far as its last opening says.
    pub fn open_between(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> TimeDelta {
        let Some(opened_at) = self.opened_at else { return TimeDelta::zero() };
        let overlap = self.closed_at.unwrap_or(now).min(now) - opened_at.max(last);
        overlap.max(TimeDelta::zero())
    }
}

/// Over which time looks are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// [`Rule::window`]: for what changes at once.
    Window,
    /// All that is known of every domain: for silence, which has lasted longer than any window when it is acted on.
    Ever,
}

/// What became of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It stays as it was.
    None,
    /// It opened.
    Opened,
    /// It closed by itself.
    Closed,
}

/// How the breaker stands after some looks, what they count to, and what became of it.
///
/// `looks` are the latest ones of each domain; those too old to count may be among them. Opens above the share,
/// closes below it unless the window alone would open it again, and stays as it was at it.
pub fn after(
    before: &Breaker,
    looks: &[Look],
    rule: &Rule,
    span: Span,
    now: DateTime<Utc>,
) -> (Breaker, Counts, Change) {
    let from = before.counts_from(rule, span, now);
    let counts = count(looks, from);
    if before.is_open() {
        let closed = Breaker { closed_at: Some(now), ..*before };
        let opens_again = || opens(count(looks, closed.counts_from(rule, Span::Window, now)), rule);
        // Nobody turned, or nobody is left of whom it could be said.
        let is_below = counts.turned == 0 || counts.share().is_none_or(|share| share < rule.share);
        if is_below && !opens_again() {
            return (closed, counts, Change::Closed);
        }
    } else if opens(counts, rule) {
        let opened = Breaker {
            opened_at: Some(now),
            closed_at: None,
            counted_from: Some(from),
            accepted_at: before.accepted_at,
            counts,
        };
        return (opened, counts, Change::Opened);
    }
    (*before, counts, Change::None)
}

/// Whether such counts open it.
fn opens(counts: Counts, rule: &Rule) -> bool {
    counts.looked >= rule.min_domains && counts.share().is_some_and(|share| share > rule.share)
}

/// How many organizations were looked at after `from`, and how many of them turned after it.
fn count(looks: &[Look], from: DateTime<Utc>) -> Counts {
    let mut organizations: BTreeMap<&str, bool> = BTreeMap::new();
    for look in looks.iter().filter(|look| look.looked_at > from) {
        let turned = look.outcome != Outcome::Good;
        if turned && look.turned_at.unwrap_or(look.looked_at) <= from {
            continue;
        }
        *organizations.entry(&look.organization).or_default() |= turned;
    }
    Counts { looked: organizations.len(), turned: organizations.values().filter(|turned| **turned).count() }
}

/// So many must have turned before the breaker can open at all.
pub fn turned_min(rule: &Rule) -> usize {
    let too_few = |turned: &usize| Counts { looked: rule.min_domains.max(*turned), turned: *turned }.share();
    (1..=rule.min_domains)
        .find(|turned| too_few(turned) > Some(rule.share))
        .unwrap_or(rule.min_domains.saturating_add(1))
}

/// How many organizations but `own` were looked at within the window, whatever that gave.
pub fn others(looks: &[Look], own: &str, rule: &Rule, now: DateTime<Utc>) -> usize {
    let from = now.checked_sub_signed(rule.window).unwrap_or(DateTime::UNIX_EPOCH);
    let within = looks.iter().filter(|look| look.looked_at > from && look.organization != own);
    within.map(|look| look.organization.as_str()).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests;
