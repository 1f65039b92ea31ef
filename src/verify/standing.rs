//! The standing of a domain: its flags, its status, and how one report changes them.
//!
//! One pure function, [`after`], from the standing before and a report to the standing after and what
//! happened. `unknown` moves no flag and no clock; it sets `stale_since`, and only when nobody could tell for
//! longer than [`Patience::stale_limit`] does it put the domain at risk, and suspend it after another grace.
//!
//! # Left out
//!
//! Which verdicts are believed ([`crate::verify::doubt`], the fleet breaker) is decided before this
//! function is called; what it gets as a definite word, it takes as one.

use chrono::{DateTime, Duration, Utc};

use crate::verify::purpose::{Purpose, Verdict};

/// The validity flags of `email_domains`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags {
    /// `spf_valid`.
    pub spf: bool,
    /// `dkim_valid`.
    pub dkim: bool,
    /// `dmarc_valid`.
    pub dmarc: bool,
    /// `mx_valid`.
    pub mx: bool,
}

impl Flags {
    /// The flag of one purpose.
    pub fn get(self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Spf => self.spf,
            Purpose::Dkim => self.dkim,
            Purpose::Dmarc => self.dmarc,
            Purpose::Mx => self.mx,
        }
    }

    /// Sets the flag of one purpose.
    pub fn set(&mut self, purpose: Purpose, valid: bool) {
        match purpose {
            Purpose::Spf => self.spf = valid,
            Purpose::Dkim => self.dkim = valid,
            Purpose::Dmarc => self.dmarc = valid,
            Purpose::Mx => self.mx = valid,
        }
    }

    /// `dns_configured`: all four.
    pub fn all(self) -> bool {
        self.spf && self.dkim && self.dmarc && self.mx
    }
}

/// The status of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Never verified.
    Pending,
    /// May be used.
    Active,
    /// May not be used, for the reason in [`SuspendedReason`].
    Suspended,
    /// Gone.
    Deleted,
}

impl Status {
    /// Every status, in the contract's order.
    pub const ALL: [Status; 4] = [Status::Pending, Status::Active, Status::Suspended, Status::Deleted];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Active => "active",
            Status::Suspended => "suspended",
            Status::Deleted => "deleted",
        }
    }
}

/// Why a domain is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SuspendedReason {
    /// Its records were definitely wrong for longer than the grace.
    Dns,
    /// Nobody could tell for longer than staleness and grace.
    Unverifiable,
    /// A person did it; it never lifts by itself.
    Operator,
}

impl SuspendedReason {
    /// Every reason, in the contract's order.
    pub const ALL: [SuspendedReason; 3] =
        [SuspendedReason::Dns, SuspendedReason::Unverifiable, SuspendedReason::Operator];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            SuspendedReason::Dns => "dns",
            SuspendedReason::Unverifiable => "unverifiable",
            SuspendedReason::Operator => "operator",
        }
    }
}

/// How a domain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The status.
    pub status: Status,
    /// The flags, as last definitely known.
    pub flags: Flags,
    /// When all four were first valid in one report; of a domain that the platform made active, when it first failed.
    pub verified_at: Option<DateTime<Utc>>,
    /// Since when an active domain has been definitely failing: the grace clock.
    pub degraded_since: Option<DateTime<Utc>>,
    /// When the next definite failure suspends.
    pub suspends_at: Option<DateTime<Utc>>,
    /// Why it is suspended.
    pub suspended_reason: Option<SuspendedReason>,
    /// Since when all has been valid again without a break: the recovery hold. Moved on by as long as nobody could tell.
    pub recovering_since: Option<DateTime<Utc>>,
    /// Since when nobody could tell.
    pub stale_since: Option<DateTime<Utc>>,
}

impl Standing {
    /// The standing of a domain that nobody has looked at.
    pub const NEW: Standing = Standing {
        status: Status::Pending,
        flags: Flags { spf: false, dkim: false, dmarc: false, mx: false },
        verified_at: None,
        degraded_since: None,
        suspends_at: None,
        suspended_reason: None,
        recovering_since: None,
        stale_since: None,
    };

    /// Whether nobody could tell for so long that the last known word no longer holds: the gate's `dns.stale`.
    pub fn is_stale(&self, now: DateTime<Utc>, patience: Patience) -> bool {
        self.stale_since.is_some_and(|since| now - since >= patience.stale_limit)
    }
}

/// How long a domain may fail, and how long it must be well again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the first definite failure to suspension: `checks.grace`.
    pub grace: Duration,
    /// From all valid again to restored: `checks.recovery_hold`.
    pub recovery_hold: Duration,
    /// How long the last known word holds while nobody can tell: `checks.stale_limit`.
    pub stale_limit: Duration,
}

/// Whether it is known that the domain is its client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// It is proven, or an operator or the platform vouches for it.
    Proven,
    /// It is to be proven first: the domain stays pending.
    Unproven,
}

/// What happened to a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happening {
    /// All four valid for the first time.
    Verified,
    /// An active domain began to fail.
    AtRisk,
    /// Of an active domain nobody could tell for too long.
    Stale,
    /// Valid again for long enough.
    Restored,
    /// Failing for too long.
    Suspended,
}

impl Happening {
    /// The event's type on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Happening::Verified => "domain.verified",
            Happening::AtRisk | Happening::Stale => "domain.at_risk",
            Happening::Restored => "domain.restored",
            Happening::Suspended => "domain.suspended",
        }
    }
}

/// The verdicts of one report, one per purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdicts {
    /// Over the SPF record.
    pub spf: Verdict,
    /// Over all DKIM selectors.
    pub dkim: Verdict,
    /// Over the DMARC policy.
    pub dmarc: Verdict,
    /// Over all mail exchanges.
    pub mx: Verdict,
}

impl Verdicts {
    /// The verdict on one purpose.
    pub fn get(self, purpose: Purpose) -> Verdict {
        match purpose {
            Purpose::Spf => self.spf,
            Purpose::Dkim => self.dkim,
            Purpose::Dmarc => self.dmarc,
            Purpose::Mx => self.mx,
        }
    }

    /// Sets the verdict on one purpose.
    pub fn set(&mut self, purpose: Purpose, verdict: Verdict) {
        match purpose {
            Purpose::Spf => self.spf = verdict,
            Purpose::Dkim => self.dkim = verdict,
            Purpose::Dmarc => self.dmarc = verdict,
            Purpose::Mx => self.mx = verdict,
        }
    }

    fn all(self) -> [Verdict; 4] {
        [self.spf, self.dkim, self.dmarc, self.mx]
    }
}

/// The standing after a report at `now`, and what happened.
///
/// A definite verdict sets its flag; `unknown` and `unchecked` leave it. A pending domain becomes active by control that
/// is proven only; nothing else rests on that. Equal arguments, equal results.
pub fn after(
    before: &Standing,
    verdicts: Verdicts,
    control: Control,
    now: DateTime<Utc>,
    patience: Patience,
) -> (Standing, Vec<Happening>) {
    let mut standing = *before;
    for purpose in Purpose::ALL {
        match verdicts.get(purpose) {
            Verdict::Valid => standing.flags.set(purpose, true),
            verdict if verdict.is_failure() => standing.flags.set(purpose, false),
            _ => {}
        }
    }
    let unknown = verdicts.all().contains(&Verdict::Unknown);
    standing.stale_since = if unknown { before.stale_since.or(Some(now)) } else { None };
    if before.status == Status::Deleted {
        return (*before, Vec::new());
    }
    let mut happenings = Vec::new();
    if let (Some(recovering), Some(stale), false) = (before.recovering_since, before.stale_since, unknown) {
        // The hold was paused while nobody could tell.
        standing.recovering_since = Some(recovering + (now - stale).max(Duration::zero()));
    }
    if verdicts.all().into_iter().any(Verdict::is_failure) {
        fail(&mut standing, now, patience, &mut happenings);
    } else if verdicts.all().into_iter().all(|verdict| verdict == Verdict::Valid) {
        succeed(&mut standing, control, now, patience, &mut happenings);
    } else if unknown {
        grow_stale(&mut standing, now, patience, &mut happenings);
    } else {
        // Not all was judged: that is no unbroken valid, and nothing else either.
        standing.recovering_since = None;
    }
    (standing, happenings)
}

fn fail(standing: &mut Standing, now: DateTime<Utc>, patience: Patience, happenings: &mut Vec<Happening>) {
    standing.recovering_since = None;
    if standing.status != Status::Active {
        return;
    }
    // The platform may have made it active: then it counts as verified, also when a suspension is lifted.
    standing.verified_at.get_or_insert(now);
    match standing.suspends_at {
        None => {
            standing.degraded_since = Some(now);
            standing.suspends_at = Some(now + patience.grace);
            happenings.push(Happening::AtRisk);
        }
        Some(at) if at <= now => {
            standing.status = Status::Suspended;
            standing.suspended_reason = Some(SuspendedReason::Dns);
            happenings.push(Happening::Suspended);
        }
        Some(_) => {}
    }
}

/// Nobody could tell, again. That is not a way to stay in good standing for ever.
fn grow_stale(standing: &mut Standing, now: DateTime<Utc>, patience: Patience, happenings: &mut Vec<Happening>) {
    if standing.status != Status::Active || !standing.is_stale(now, patience) {
        return;
    }
    standing.verified_at.get_or_insert(now);
    match standing.suspends_at {
        None => {
            standing.degraded_since = Some(now);
            standing.suspends_at = Some(now + patience.grace);
            happenings.push(Happening::Stale);
        }
        // Where the clock ran already for another reason, staleness has its own grace.
        Some(at) if at <= now && standing.is_stale(now - patience.grace, patience) => {
            standing.status = Status::Suspended;
            standing.suspended_reason = Some(SuspendedReason::Unverifiable);
            happenings.push(Happening::Suspended);
        }
        Some(_) => {}
    }
}

fn succeed(
    standing: &mut Standing,
    control: Control,
    now: DateTime<Utc>,
    patience: Patience,
    happenings: &mut Vec<Happening>,
) {
    match standing.status {
        // All that is to be published for mail is, but nobody knows whose it is.
        Status::Pending if control == Control::Unproven => {}
        Status::Pending => {
            standing.status = Status::Active;
            standing.verified_at = standing.verified_at.or(Some(now));
            standing.degraded_since = None;
            standing.suspends_at = None;
            happenings.push(Happening::Verified);
        }
        Status::Active if standing.degraded_since.is_none() => {}
        // A person's suspension never lifts by itself.
        Status::Suspended if standing.suspended_reason == Some(SuspendedReason::Operator) => {}
        Status::Active | Status::Suspended => {
            let since = *standing.recovering_since.get_or_insert(now);
            if now >= since + patience.recovery_hold {
                *standing = Standing { flags: standing.flags, verified_at: standing.verified_at, ..Standing::NEW };
                standing.status = Status::Active;
                happenings.push(Happening::Restored);
            }
        }
        Status::Deleted => {}
    }
}

#[cfg(test)]
mod tests;
