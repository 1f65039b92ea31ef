//! The gate: may a mailbox send today, may it be warmed up, and if not, why. Design §5.
//!
//! One pure function over plain facts, [`readiness`]. It closes with a flag, at once; grace delays only a domain's
//! status.

use crate::sending::health::{self, Bounds, Health};
use crate::sending::limit::{Counter, daily_limit};
use crate::sending::mailbox::{MailboxStatus, PausedReason};
use crate::sending::reason::Reason;
use crate::verify::purpose::Purpose;
use crate::verify::standing::{Flags, Status, SuspendedReason};

/// What the gate asks of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainFacts {
    /// Its status.
    pub status: Status,
    /// Why it is suspended.
    pub suspended_reason: Option<SuspendedReason>,
    /// Its flags, as last definitely known.
    pub flags: Flags,
    /// Whether nobody could tell for too long.
    pub is_stale: bool,
    /// Whether its name is none.
    pub is_malformed: bool,
    /// What all its mailboxes sent today, and may.
    pub counter: Counter,
}

/// What the gate asks of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MailboxFacts {
    /// Its status.
    pub status: MailboxStatus,
    /// Why it is paused.
    pub paused_reason: Option<PausedReason>,
    /// Whether it is deleted.
    pub is_deleted: bool,
    /// Its health.
    pub health: Health,
    /// What it sent today, and may by itself.
    pub counter: Counter,
}

/// What may be done, and why not more.
#[derive(Debug, Clone, PartialEq)]
pub struct Readiness {
    /// Whether it may send.
    pub may_send: bool,
    /// Whether it may be warmed up.
    pub may_warm_up: bool,
    /// Every reason against either, and for a lower limit: the domain's first.
    pub reasons: Vec<Reason>,
    /// How many mails today in all.
    pub daily_limit: u32,
    /// How many of them are sent.
    pub used_today: u32,
}

impl Readiness {
    fn of(reasons: Vec<Reason>, daily_limit: u32, used_today: u32) -> Readiness {
        Readiness {
            may_send: !reasons.iter().any(|reason| reason.closes_sending()),
            may_warm_up: !reasons.iter().any(|reason| reason.closes_warm_up()),
            reasons,
            daily_limit,
            used_today,
        }
    }
}

/// What a mailbox of a domain may.
pub fn readiness(domain: &DomainFacts, mailbox: &MailboxFacts, bounds: Bounds) -> Readiness {
    let limit = daily_limit(mailbox.counter, domain.counter);
    let used = mailbox.counter.used;
    let mut reasons = domain_reasons(domain);
    reasons.extend(mailbox_reasons(mailbox, bounds));
    if limit < mailbox.counter.limit {
        reasons.push(Reason::DomainLimit { domain: domain.counter.limit, mailbox: limit });
    }
    if used >= limit {
        reasons.push(Reason::LimitReached { limit });
    }
    Readiness::of(reasons, limit, used)
}

/// What a domain may, whose mailboxes' own limits are `mailboxes_limit_sum` together.
pub fn domain_readiness(domain: &DomainFacts, mailboxes_limit_sum: u32) -> Readiness {
    let Counter { used, limit } = domain.counter;
    let mut reasons = domain_reasons(domain);
    if limit < mailboxes_limit_sum {
        reasons.push(Reason::DomainBelowMailboxes { limit, sum: mailboxes_limit_sum });
    }
    if used >= limit {
        reasons.push(Reason::LimitReached { limit });
    }
    Readiness::of(reasons, limit, used)
}

/// Whether a mailbox by itself, whatever its domain, keeps its warm-up from going on.
pub fn mailbox_closes_warm_up(mailbox: &MailboxFacts, bounds: Bounds) -> bool {
    mailbox_reasons(mailbox, bounds).into_iter().any(Reason::closes_warm_up)
}

/// Whether a domain keeps the warm-up of its mailboxes from going on.
pub fn domain_closes_warm_up(domain: &DomainFacts) -> bool {
    domain_reasons(domain).into_iter().any(Reason::closes_warm_up)
}

fn domain_reasons(domain: &DomainFacts) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match domain.status {
        Status::Deleted => reasons.push(Reason::DomainDeleted),
        Status::Pending => reasons.push(Reason::DomainPending),
        Status::Suspended => {
            let reason = domain.suspended_reason.unwrap_or(SuspendedReason::Operator);
            reasons.push(Reason::DomainSuspended(reason));
        }
        Status::Active => {}
    }
    if domain.is_malformed {
        reasons.push(Reason::DomainMalformed);
    }
    if domain.is_stale {
        reasons.push(Reason::Stale);
    }
    reasons.extend(Purpose::ALL.into_iter().filter(|purpose| !domain.flags.get(*purpose)).map(Reason::NotValid));
    reasons
}

fn mailbox_reasons(mailbox: &MailboxFacts, bounds: Bounds) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if mailbox.is_deleted {
        reasons.push(Reason::MailboxDeleted);
    }
    match mailbox.status {
        MailboxStatus::Paused => reasons.push(Reason::MailboxPaused(mailbox.paused_reason)),
        MailboxStatus::Suspended => reasons.push(Reason::MailboxSuspended),
        MailboxStatus::Warming | MailboxStatus::Active => {}
    }
    reasons.extend(health::faults(&mailbox.health, bounds).into_iter().map(Reason::Health));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { bounce_max: 0.05, spam_max: 0.003 };

    fn good_domain() -> DomainFacts {
        DomainFacts {
            status: Status::Active,
            suspended_reason: None,
            flags: Flags { spf: true, dkim: true, dmarc: true, mx: true },
            is_stale: false,
            is_malformed: false,
            counter: Counter { used: 0, limit: 50 },
        }
    }

    fn good_mailbox() -> MailboxFacts {
        MailboxFacts {
            status: MailboxStatus::Warming,
            paused_reason: None,
            is_deleted: false,
            health: Health { bounce_rate: 0.0, spam_rate: 0.0, reply_rate: 0.0, sample: None },
            counter: Counter { used: 3, limit: 20 },
        }
    }

    fn shown(readiness: &Readiness) -> String {
        let codes: Vec<&str> = readiness.reasons.iter().map(|reason| reason.code()).collect();
        let word = |may| if may { "yes" } else { "no" };
        let (send, warm_up) = (word(readiness.may_send), word(readiness.may_warm_up));
        format!("{send} {warm_up} {}/{} {}", readiness.used_today, readiness.daily_limit, codes.join(" "))
    }

    #[track_caller]
    fn check(why: &str, change: impl FnOnce(&mut DomainFacts, &mut MailboxFacts), expected: &str) {
        let (mut domain, mut mailbox) = (good_domain(), good_mailbox());
        change(&mut domain, &mut mailbox);
        let readiness = readiness(&domain, &mailbox, BOUNDS);
        assert_eq!(shown(&readiness).trim_end(), expected, "{why}");
        for reason in &readiness.reasons {
            assert!(reason.message().ends_with('.') && reason.fix().ends_with('.'), "{reason:?}");
        }
        let by_parts = mailbox_closes_warm_up(&mailbox, BOUNDS) || domain_closes_warm_up(&domain);
        assert_eq!(by_parts, !readiness.may_warm_up, "{why}: the parts are the whole");
    }

    #[test]
    fn every_reason_and_what_it_closes() {
        check("all is well", |_, _| {}, "yes yes 3/20");
        check("at its own limit", |_, m| m.status = MailboxStatus::Active, "yes yes 3/20");
        check("DKIM is gone", |d, _| d.flags.dkim = false, "no no 3/20 dns.dkim-missing");
        check("SPF is gone", |d, _| d.flags.spf = false, "no no 3/20 dns.spf-missing");
        check("DMARC does not count for warm-up", |d, _| d.flags.dmarc = false, "no yes 3/20 dns.dmarc-missing");
        check("nor does MX", |d, _| d.flags.mx = false, "no yes 3/20 dns.mx-missing");
        check("stale", |d, _| d.is_stale = true, "no no 3/20 dns.stale");
        check("pending", |d, _| d.status = Status::Pending, "no no 3/20 domain.pending");
        check("suspended", |d, _| d.status = Status::Suspended, "no no 3/20 domain.suspended");
        check("deleted", |d, _| d.status = Status::Deleted, "no no 3/20 domain.deleted");
        check("malformed", |d, _| d.is_malformed = true, "no no 3/20 domain.malformed");
        check("paused", |_, m| m.status = MailboxStatus::Paused, "no no 3/20 mailbox.paused");
        check("stopped", |_, m| m.status = MailboxStatus::Suspended, "no no 3/20 mailbox.suspended");
        check("gone", |_, m| m.is_deleted = true, "no no 3/20 mailbox.deleted");
        check("bounces", |_, m| m.health.bounce_rate = 0.06, "no no 3/20 health.bounce-rate");
        check("spam", |_, m| m.health.spam_rate = 0.01, "no no 3/20 health.spam-rate");
        let few = |_: &mut DomainFacts, m: &mut MailboxFacts| {
            m.health = Health { bounce_rate: 0.5, sample: Some(10), ..m.health };
        };
        check("few bounces only warn", few, "yes yes 3/20 health.bounce-rate");
        check("no fraction decides nothing", |_, m| m.health.spam_rate = 40.0, "yes yes 3/20 health.out-of-range");
        check("sent all", |_, m| m.counter.used = 20, "yes yes 20/20 daily-limit-reached");
        let tight = |d: &mut DomainFacts, _: &mut MailboxFacts| d.counter = Counter { used: 45, limit: 50 };
        check("the domain's limit is nearer", tight, "yes yes 3/8 domain-limit");
        let full = |d: &mut DomainFacts, _: &mut MailboxFacts| d.counter.used = 50;
        check("the domain has sent all", full, "yes yes 3/3 domain-limit daily-limit-reached");
        let much = |d: &mut DomainFacts, m: &mut MailboxFacts| {
            (d.status, d.suspended_reason) = (Status::Suspended, Some(SuspendedReason::Dns));
            d.flags = Flags { spf: true, ..Flags::default() };
            m.status = MailboxStatus::Paused;
        };
        check(
            "every reason",
            much,
            "no no 3/20 domain.suspended dns.dkim-missing dns.dmarc-missing dns.mx-missing mailbox.paused",
        );
    }

    #[test]
    fn a_domain_by_itself() {
        let check = |change: fn(&mut DomainFacts), sum: u32, expected: &str| {
            let mut domain = good_domain();
            change(&mut domain);
            assert_eq!(shown(&domain_readiness(&domain, sum)).trim_end(), expected);
        };
        check(|_| {}, 50, "yes yes 0/50");
        check(|_| {}, 51, "yes yes 0/50 limits.domain-below-mailboxes");
        check(|d| d.counter.used = 50, 0, "yes yes 50/50 daily-limit-reached");
        check(|d| d.flags.mx = false, 0, "no yes 0/50 dns.mx-missing");
    }
}
