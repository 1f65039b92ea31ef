//! How a mailbox stands: the words of `email_mailboxes.status`, and why it is paused.

/// The status of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailboxStatus {
    /// In its warm-up, begun or not.
    Warming,
    /// At its own limit.
    Active,
    /// Stopped, until somebody resumes it.
    Paused,
    /// Stopped, until an operator resumes it.
    Suspended,
}

impl MailboxStatus {
    /// Every status, in the seed's order.
    pub const ALL: [MailboxStatus; 4] =
        [MailboxStatus::Warming, MailboxStatus::Active, MailboxStatus::Paused, MailboxStatus::Suspended];

    /// The word of the seed.
    pub const fn as_str(self) -> &'static str {
        match self {
            MailboxStatus::Warming => "warming",
            MailboxStatus::Active => "active",
            MailboxStatus::Paused => "paused",
            MailboxStatus::Suspended => "suspended",
        }
    }

    /// Reads the word of the seed; nothing for any other.
    pub fn parse(text: &str) -> Option<MailboxStatus> {
        MailboxStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether it is paused or suspended.
    pub const fn is_stopped(self) -> bool {
        matches!(self, MailboxStatus::Paused | MailboxStatus::Suspended)
    }
}

/// Why a mailbox is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PausedReason {
    /// Somebody asked for it.
    Requested,
    /// Too much of its mail came back.
    Bounce,
    /// Too much of its mail was called spam.
    Spam,
}

impl PausedReason {
    /// Every reason.
    pub const ALL: [PausedReason; 3] = [PausedReason::Requested, PausedReason::Bounce, PausedReason::Spam];

    /// The word on the wire and in `paused_reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            PausedReason::Requested => "requested",
            PausedReason::Bounce => "bounce",
            PausedReason::Spam => "spam",
        }
    }

    /// Reads the word; nothing for any other.
    pub fn parse(text: &str) -> Option<PausedReason> {
        PausedReason::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for status in MailboxStatus::ALL {
            assert_eq!(MailboxStatus::parse(status.as_str()), Some(status));
        }
        for reason in PausedReason::ALL {
            assert_eq!(PausedReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(MailboxStatus::parse("Warming"), None, "the seed has one spelling");
        assert_eq!(PausedReason::parse(""), None);
    }
}
