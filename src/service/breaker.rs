//! The fleet breaker, asked before anybody is demoted. Truth rule 5.
//!
//! What it is told of each domain, what is held back while it is open, and what operators see of it. When it opens
//! and closes is [`crate::verify::breaker`]'s to say, on what all replicas have seen.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use crate::plural::counted;
use crate::service::schedule::after;
use crate::service::{Caller, Error, Service};
use crate::store::{Asked, DomainRow, NewLook, Settlement};
use crate::telemetry::metrics::{breaker_closed, breaker_opened};
use crate::verify::breaker::{Breaker, Change, Counts, Outcome, Rule, Span};
use crate::verify::doubt::Doubts;
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::report::Report;
use crate::verify::standing::{Patience, Standing, Status, Verdicts};

/// Which failures are not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// None: all are.
    Nothing,
    /// Those of which a flag would fall on the word of caches alone, until others have been looked at.
    Uncertain,
    /// All, for the breaker is open.
    Everything,
}

/// How the breaker stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerView {
    /// Since when it is open; nothing when it is closed.
    pub open_since: Option<DateTime<Utc>>,
    /// What was counted last.
    pub counts: Counts,
}

impl BreakerView {
    fn of(breaker: &Breaker, counts: Counts) -> BreakerView {
        BreakerView { open_since: breaker.opened_at.filter(|_| breaker.is_open()), counts }
    }

    /// Why it is open, and what to do; nothing when it is closed.
    pub fn reason(&self) -> Option<String> {
        let Counts { looked, turned } = self.counts;
        let since = self.open_since?.format("%Y-%m-%dT%H:%M:%SZ");
        let of = counted(looked, "valid domain", "valid domains");
        Some(format!(
            "{turned} of {of} turned bad or unknown, so nobody has been demoted since {since}; look \
             at the resolvers and the network, or, if the domains are at fault, POST /v1/breaker/accept"
        ))
    }
}

impl Service {
    /// Opens the breaker or closes it where that is due, and says how it stands. For a job, now and then.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; it stays as it was.
    pub async fn breaker_watch(&self) -> Result<BreakerView, Error> {
        let asked = self.store.breaker_watch(&self.breaker_rule(), self.clock.now()).await?;
        tell(&asked);
        if asked.breaker.is_open() {
            breaker_opened();
        } else {
            breaker_closed();
        }
        let counts = if asked.breaker.is_open() { asked.counts } else { Counts::default() };
        Ok(BreakerView::of(&asked.breaker, counts))
    }

    /// Accepts what the breaker opened for: what was seen until now no longer counts, and it closes. What it was
    /// opened by; nothing when it was not open, which changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for all but operators; [`Error::Store`].
    pub async fn breaker_accept(&self, caller: &Caller) -> Result<Option<Breaker>, Error> {
        caller.operator()?;
        let accepted = self.store.breaker_accept(self.clock.now()).await?;
        if let Some(breaker) = &accepted {
            breaker_closed();
            let Counts { looked, turned } = breaker.counts;
            info!(looked, turned, "An operator accepted what the fleet breaker opened for; it is closed");
        }
        Ok(accepted)
    }

    /// What the breaker makes of a settlement that would demote: what of it must be held back.
    ///
    /// Where caches alone deny, others are looked at first, as many as the breaker needs, or all. That waits no
    /// longer than a window.
    pub(crate) async fn ask_breaker(
        &self,
        row: &DomainRow,
        settlement: &Settlement,
        uncertain_since: Option<DateTime<Utc>>,
    ) -> Result<Hold, Error> {
        let (Some(look), now) = (&settlement.look, settlement.at) else {
            return Ok(Hold::Nothing);
        };
        let rule = self.breaker_rule();
        // Silence has lasted longer than any window when it is acted on.
        let is_silence = look.outcome == Outcome::Unknown && settlement.standing.is_stale(now, self.settings.patience);
        let span = if is_silence { Span::Ever } else { Span::Window };
        let asked = self.store.breaker_ask(row.id, look, &rule, span, now).await?;
        tell(&asked);
        if asked.breaker.is_open() {
            return Ok(Hold::Everything);
        }
        let needed = rule.min_domains.saturating_sub(asked.others);
        let is_waiting = uncertain_since.is_some_and(|since| now - since < rule.window);
        if !is_waiting || needed == 0 {
            return Ok(Hold::Nothing);
        }
        let before = now.checked_sub_signed(rule.window).unwrap_or(DateTime::UNIX_EPOCH);
        let own = (row.id, look.organization.as_str());
        if self.store.breaker_sample(own, before, needed, now).await? == 0 {
            // All there are have been looked at.
            return Ok(Hold::Nothing);
        }
        self.wake();
        Ok(Hold::Uncertain)
    }

    /// When the breaker opens. No window is shorter than what a domain is left in peace.
    pub(crate) fn breaker_rule(&self) -> Rule {
        let min_interval = TimeDelta::from_std(self.settings.rhythm.min_interval).unwrap_or(TimeDelta::MAX);
        Rule { window: self.settings.breaker.window.max(min_interval), ..self.settings.breaker }
    }

    /// When a domain is looked at again of which something was held back: soon, for its next look may close the
    /// breaker.
    pub(crate) fn again_while_open(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let rhythm = &self.settings.rhythm;
        let window = self.breaker_rule().window.to_std().unwrap_or_default();
        let wait = crate::chance::jittered(rhythm.degraded_interval.min(window), self.chance.number());
        after(now, wait.max(rhythm.min_interval))
    }
}

/// Says that the breaker opened or closed: once for all replicas, by the one that did it.
fn tell(asked: &Asked) {
    let Counts { looked, turned } = asked.counts;
    let of = counted(looked, "valid domain", "valid domains");
    match asked.change {
        Change::Opened => warn!(
            looked,
            turned,
            "The fleet breaker opened: {turned} of {of} turned bad or unknown; nobody is demoted \
             until they are well again or POST /v1/breaker/accept says that it is so"
        ),
        Change::Closed => {
            info!(looked, turned, "The fleet breaker closed: {turned} of {of} are bad or unknown");
        }
        Change::None => {}
    }
}

/// Holds back what must be: a failure that is not acted on becomes `unknown`, which changes no flag. Doubts that were
/// there stay, so that they need not begin anew.
pub(crate) fn held(
    (mut verdicts, mut doubts): (Verdicts, Doubts),
    hold: Hold,
    standing: &Standing,
    report: &Report,
    doubts_before: &Doubts,
) -> (Verdicts, Doubts) {
    for purpose in Purpose::ALL {
        let fails = verdicts.get(purpose).is_failure();
        let is_held = match hold {
            Hold::Nothing => false,
            Hold::Uncertain => fails && standing.flags.get(purpose) && !report.denial(purpose).is_certain,
            Hold::Everything => fails,
        };
        if is_held {
            verdicts.set(purpose, Verdict::Unknown);
            if let Some(from) = doubts_before.get(&purpose) {
                doubts.insert(purpose, *from);
            }
        }
    }
    (verdicts, doubts)
}

/// The doubts of a domain that waits for others to be looked at. Each denial that would be believed by now then says
/// since when it waits: since the last check, if that waited already, for what nobody watched is no waiting.
pub(crate) fn waiting(doubts: Doubts, last: Option<DateTime<Utc>>, rule: &Rule, now: DateTime<Utc>) -> Doubts {
    let has_waited = |since| last.is_some_and(|last| last >= since && now - last < rule.window);
    let each = doubts.into_iter().map(|(purpose, since)| match since <= now && !has_waited(since) {
        true => (purpose, now),
        false => (purpose, since),
    });
    each.collect()
}

/// Since when the flags that would fall on the word of caches alone wait for others to be looked at, the latest of
/// them. Nothing where none would.
pub(crate) fn uncertain_since(
    before: &Standing,
    after: &Standing,
    report: &Report,
    doubts_before: &Doubts,
) -> Option<DateTime<Utc>> {
    let falls = |purpose: &Purpose| before.flags.get(*purpose) && !after.flags.get(*purpose);
    let uncertain = Purpose::ALL.into_iter().filter(falls).filter(|purpose| !report.denial(*purpose).is_certain);
    uncertain.filter_map(|purpose| doubts_before.get(&purpose).copied()).max()
}

/// Whether a settlement makes anything worse: a flag falls, a grace clock starts, or it suspends.
pub(crate) fn demotes(row: &DomainRow, settlement: &Settlement) -> bool {
    let (before, after) = (row.standing(), &settlement.standing);
    Purpose::ALL.into_iter().any(|purpose| before.flags.get(purpose) && !after.flags.get(purpose))
        || (row.dns_configured && !settlement.dns_configured)
        || (before.degraded_since.is_none() && after.degraded_since.is_some())
        || (before.status != Status::Suspended && after.status == Status::Suspended)
}

/// The standing to judge from: time for which the breaker was open is no time in which nobody could tell, nor one in
/// which all was valid.
pub(crate) fn without_open_time(row: &DomainRow, breaker: &Breaker, now: DateTime<Utc>) -> Standing {
    let mut standing = row.standing();
    if let Some(since) = standing.stale_since {
        let uncounted = breaker.open_between(row.last_checked_at.unwrap_or(since).max(since), now);
        let later = |since: DateTime<Utc>| since.checked_add_signed(uncounted).unwrap_or(now).min(now);
        standing.stale_since = Some(later(since));
        standing.recovering_since = standing.recovering_since.map(later);
    }
    standing
}

/// How long a domain may be silent: for ever while the breaker is open.
pub(crate) fn patience(patience: Patience, hold: Hold) -> Patience {
    match hold {
        Hold::Nothing | Hold::Uncertain => patience,
        Hold::Everything => Patience { stale_limit: TimeDelta::MAX, ..patience },
    }
}

/// What the breaker is told of a check. Nothing of what was never valid, or was not looked at.
pub(crate) fn look_of(row: &DomainRow, report: &Report, is_valid: bool, now: DateTime<Utc>) -> Option<NewLook> {
    let flags = row.standing().flags;
    let was_valid = row.dns_configured || flags.all();
    if !was_valid && !is_valid && row.status == Status::Pending {
        return None;
    }
    // Of a row of the platform's, one of the four may never have been judged: that one cannot turn.
    let is_any = Purpose::ALL.into_iter().any(|purpose| flags.get(purpose));
    let counts = |purpose: &Purpose| !was_valid || !is_any || flags.get(*purpose);
    let verdicts: Vec<Verdict> = Purpose::ALL.into_iter().filter(counts).map(|p| report.verdict(p)).collect();
    let outcome = if verdicts.iter().any(|verdict| verdict.is_failure()) {
        Outcome::Bad
    } else if verdicts.contains(&Verdict::Unknown) {
        Outcome::Unknown
    } else if verdicts.contains(&Verdict::Valid) {
        Outcome::Good
    } else {
        return None;
    };
    let turned_at = row.stale_since.map_or(now, |since| since.min(now));
    Some(NewLook { organization: report.domain.registrable().to_string(), outcome, turned_at, was_valid, is_valid })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::standing;

    const RULE: Rule = Rule { min_domains: 20, share: 0.3, window: TimeDelta::seconds(600) };

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    /// Since when a denial waits that was to be believed from `since`, the last check having been at `last`.
    #[track_caller]
    fn check(why: &str, since: i64, last: Option<i64>, now: i64, expected: i64) {
        let doubts = Doubts::from([(Purpose::Spf, at(since))]);
        let waiting = waiting(doubts, last.map(at), &RULE, at(now));
        assert_eq!(waiting, Doubts::from([(Purpose::Spf, at(expected))]), "{why}");
    }

    #[test]
    fn what_nobody_watched_is_no_waiting() {
        check("the first that could be believed", 300, Some(0), 310, 310);
        check("it waited already", 310, Some(310), 325, 310);
        check("and goes on until the window ends", 310, Some(900), 915, 310);
        check("nobody looked for a window", 310, Some(310), 1_000, 1_000);
        check("it is not to be believed yet", 300, Some(0), 15, 300);
        check("nobody knows when it was looked at", 300, None, 310, 310);
    }

    #[test]
    fn silence_from_before_does_not_end_while_it_is_open() {
        let hours = TimeDelta::hours;
        let given = Patience { grace: hours(72), recovery_hold: hours(1), stale_limit: hours(72) };
        let silent = Standing { status: Status::Active, stale_since: Some(at(0)), ..Standing::NEW };
        let unknown = Verdict::Unknown;
        let verdicts = Verdicts { spf: unknown, dkim: unknown, dmarc: unknown, mx: unknown };
        let clock = |hold| {
            let now = at(0) + hours(72);
            standing::after(&silent, verdicts, standing::Control::Proven, now, patience(given, hold)).0.degraded_since
        };
        assert_eq!(clock(Hold::Everything), None);
        assert_eq!(clock(Hold::Nothing), Some(at(0) + hours(72)));
    }

    #[test]
    fn why_it_is_open_is_told() {
        let counts = Counts { looked: 40, turned: 31 };
        let closed = BreakerView { open_since: None, counts };
        assert_eq!(closed.reason(), None);
        let reason = BreakerView { open_since: Some(at(0)), counts }.reason().unwrap();
        assert!(reason.starts_with("31 of 40 valid domains turned bad or unknown"), "{reason}");
        assert!(
            reason.contains("since 2023-11-14T22:13:20Z") && reason.contains("POST /v1/breaker/accept"),
            "{reason}"
        );
    }
}
