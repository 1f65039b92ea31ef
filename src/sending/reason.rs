//! Why a mailbox or a domain may not send, may not be warmed up, or only less: the codes, and their words.
//!
//! A code never changes once released.

use crate::plural::counted;
use crate::sending::health::{HealthFault, Rate, SAMPLE_MIN};
use crate::sending::mailbox::PausedReason;
use crate::verify::purpose::Purpose;
use crate::verify::standing::SuspendedReason;

/// One reason.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// The domain is deleted.
    DomainDeleted,
    /// Its name, written by another program, is none.
    DomainMalformed,
    /// It was never verified.
    DomainPending,
    /// It is suspended.
    DomainSuspended(SuspendedReason),
    /// A flag is false.
    NotValid(Purpose),
    /// Nobody could tell for too long.
    Stale,
    /// The mailbox is deleted.
    MailboxDeleted,
    /// It is paused; without a reason the platform did it.
    MailboxPaused(Option<PausedReason>),
    /// It is suspended.
    MailboxSuspended,
    /// Its health.
    Health(HealthFault),
    /// It has sent all that it may today.
    LimitReached {
        /// How many it may.
        limit: u32,
    },
    /// Its domain allows less than its own limit.
    DomainLimit {
        /// What the domain allows in all.
        domain: u32,
        /// What the mailbox may send today in all.
        mailbox: u32,
    },
    /// A domain's limit is below the sum of its mailboxes'.
    DomainBelowMailboxes {
        /// The domain's.
        limit: u32,
        /// The sum.
        sum: u32,
    },
}

impl Reason {
    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Reason::DomainDeleted => "domain.deleted",
            Reason::DomainMalformed => "domain.malformed",
            Reason::DomainPending => "domain.pending",
            Reason::DomainSuspended(_) => "domain.suspended",
            Reason::NotValid(Purpose::Spf) => "dns.spf-missing",
            Reason::NotValid(Purpose::Dkim) => "dns.dkim-missing",
            Reason::NotValid(Purpose::Dmarc) => "dns.dmarc-missing",
            Reason::NotValid(Purpose::Mx) => "dns.mx-missing",
            Reason::Stale => "dns.stale",
            Reason::MailboxDeleted => "mailbox.deleted",
            Reason::MailboxPaused(_) => "mailbox.paused",
            Reason::MailboxSuspended => "mailbox.suspended",
            Reason::Health(HealthFault::OutOfRange { .. }) => "health.out-of-range",
            Reason::Health(HealthFault::Over { rate: Rate::Bounce, .. }) => "health.bounce-rate",
            Reason::Health(HealthFault::Over { rate: Rate::Spam, .. }) => "health.spam-rate",
            Reason::Health(HealthFault::Over { rate: Rate::Reply, .. }) => "health.reply-rate",
            Reason::LimitReached { .. } => "daily-limit-reached",
            Reason::DomainLimit { .. } => "domain-limit",
            Reason::DomainBelowMailboxes { .. } => "limits.domain-below-mailboxes",
        }
    }

    /// Whether it closes the gate for sending. Limits do not: they say how much, not whether.
    pub const fn closes_sending(self) -> bool {
        match self {
            Reason::Health(HealthFault::Over { is_sure, .. }) => is_sure,
            Reason::Health(HealthFault::OutOfRange { .. })
            | Reason::LimitReached { .. }
            | Reason::DomainLimit { .. }
            | Reason::DomainBelowMailboxes { .. } => false,
            _ => true,
        }
    }

    /// Whether it closes the gate for warm-up: as for sending, but DMARC and MX do not count.
    pub const fn closes_warm_up(self) -> bool {
        match self {
            Reason::NotValid(Purpose::Dmarc | Purpose::Mx) => false,
            other => other.closes_sending(),
        }
    }

    /// What is so, for people.
    pub fn message(self) -> String {
        match self {
            Reason::DomainDeleted => "The domain is deleted.".to_owned(),
            Reason::DomainMalformed => {
                "The domain's name, as the database has it, is no normal domain name.".to_owned()
            }
            Reason::DomainPending => "The domain was never verified.".to_owned(),
            Reason::DomainSuspended(SuspendedReason::Dns) => {
                "The domain is suspended: its DNS records were wrong for too long.".to_owned()
            }
            Reason::DomainSuspended(SuspendedReason::Unverifiable) => {
                "The domain is suspended: nobody could tell its DNS records for too long.".to_owned()
            }
            Reason::DomainSuspended(SuspendedReason::Operator) => "An operator has suspended the domain.".to_owned(),
            Reason::NotValid(purpose) => format!("The domain has no valid {}.", record_of(purpose)),
            Reason::Stale => "Nobody could tell the domain's DNS records for too long.".to_owned(),
            Reason::MailboxDeleted => "The mailbox is deleted.".to_owned(),
            Reason::MailboxPaused(None) => "The mailbox is paused.".to_owned(),
            Reason::MailboxPaused(Some(PausedReason::Requested)) => "The mailbox was paused on request.".to_owned(),
            Reason::MailboxPaused(Some(PausedReason::Bounce)) => {
                "The mailbox was paused: too much of its mail came back.".to_owned()
            }
            Reason::MailboxPaused(Some(PausedReason::Spam)) => {
                "The mailbox was paused: too much of its mail was called spam.".to_owned()
            }
            Reason::MailboxSuspended => "The mailbox is suspended.".to_owned(),
            Reason::Health(fault) => health_message(fault),
            Reason::LimitReached { limit } => format!("Today's {} sent.", counted(limit, "mail is", "mails are")),
            Reason::DomainLimit { domain, mailbox } => {
                let allowed = counted(domain, "mail", "mails");
                format!("The domain allows {allowed} a day in all, which leaves this mailbox {mailbox} today.")
            }
            Reason::DomainBelowMailboxes { limit, sum } => {
                let allowed = counted(limit, "mail", "mails");
                format!("The domain allows {allowed} a day, less than the {sum} of its mailboxes together.")
            }
        }
    }

    /// What would lift it, for people.
    pub fn fix(self) -> &'static str {
        match self {
            Reason::DomainDeleted => "Register the domain again; it comes back with its mailboxes.",
            Reason::DomainMalformed => "Correct the name in the table `email_domains`.",
            Reason::DomainPending | Reason::NotValid(_) | Reason::DomainSuspended(SuspendedReason::Dns) => {
                "Publish what `GET /v1/domains/{id}/records` says; it is noticed by itself."
            }
            Reason::DomainSuspended(SuspendedReason::Unverifiable) | Reason::Stale => {
                "See that the domain's name servers answer; it is noticed by itself."
            }
            Reason::DomainSuspended(SuspendedReason::Operator) => {
                "An operator lifts it: `PATCH /v1/domains/{id}` with `status` `active`."
            }
            Reason::MailboxDeleted => "Add the mailbox again; it comes back with its history.",
            Reason::MailboxPaused(Some(PausedReason::Bounce | PausedReason::Spam)) => {
                "Find out why, have an operator report better figures, and `POST /v1/mailboxes/{id}/resume`."
            }
            Reason::MailboxPaused(_) => "`POST /v1/mailboxes/{id}/resume`.",
            Reason::MailboxSuspended => "An operator lifts it: `POST /v1/mailboxes/{id}/resume`.",
            Reason::Health(HealthFault::OutOfRange { .. }) => {
                "Write a fraction from 0 to 1 with `PUT /v1/mailboxes/{id}/health`; until then the figure decides nothing."
            }
            Reason::Health(HealthFault::Over { is_sure: false, .. }) => {
                "Watch it; it pauses the mailbox once it rests on enough mails."
            }
            Reason::Health(HealthFault::Over { .. }) => {
                "Find out why, and have an operator report better figures with `PUT /v1/mailboxes/{id}/health`."
            }
            Reason::LimitReached { .. } => "Wait for the next day in UTC.",
            Reason::DomainLimit { .. } | Reason::DomainBelowMailboxes { .. } => {
                "An operator raises the domain's `daily_send_limit` with `PATCH /v1/domains/{id}`."
            }
        }
    }
}

fn record_of(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Spf => "SPF record",
        Purpose::Dkim => "DKIM records",
        Purpose::Dmarc => "DMARC policy",
        Purpose::Mx => "MX records",
    }
}

fn health_message(fault: HealthFault) -> String {
    match fault {
        HealthFault::OutOfRange { rate, value } => {
            format!("`{}` is {value}, which is no fraction from 0 to 1.", rate.column())
        }
        HealthFault::Over { rate, value, max, is_sure } => {
            let few = if is_sure { String::new() } else { format!(", of fewer than {SAMPLE_MIN} mails") };
            format!("`{}` is {value}{few}; more than {max} is too much.", rate.column())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Vec<Reason> {
        let over = |rate, is_sure| Reason::Health(HealthFault::Over { rate, value: 0.1, max: 0.05, is_sure });
        let mut reasons = vec![
            Reason::DomainDeleted,
            Reason::DomainMalformed,
            Reason::DomainPending,
            Reason::Stale,
            Reason::MailboxDeleted,
            Reason::MailboxPaused(None),
            Reason::MailboxSuspended,
            over(Rate::Bounce, true),
            over(Rate::Bounce, false),
            over(Rate::Spam, true),
            Reason::Health(HealthFault::OutOfRange { rate: Rate::Reply, value: 40.0 }),
            Reason::LimitReached { limit: 10 },
            Reason::DomainLimit { domain: 50, mailbox: 8 },
            Reason::DomainBelowMailboxes { limit: 50, sum: 60 },
        ];
        reasons.extend(SuspendedReason::ALL.map(Reason::DomainSuspended));
        reasons.extend(Purpose::ALL.map(Reason::NotValid));
        reasons.extend(PausedReason::ALL.map(|reason| Reason::MailboxPaused(Some(reason))));
        reasons
    }

    #[test]
    fn every_reason_has_its_words_and_its_place_in_the_documents() {
        let page = include_str!("../../docs/sending.md");
        for reason in examples() {
            assert!(reason.message().len() > 20 && reason.message().ends_with('.'), "{reason:?}");
            assert!(reason.fix().len() > 20 && reason.fix().ends_with('.'), "{reason:?}");
            assert!(page.contains(&format!("`{}`", reason.code())), "docs/sending.md lacks `{}`", reason.code());
        }
    }

    #[test]
    fn what_closes_warm_up_closes_sending() {
        for reason in examples() {
            assert!(reason.closes_sending() || !reason.closes_warm_up(), "{reason:?}");
        }
    }
}
