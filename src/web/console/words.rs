//! Words and marks of the console: every state is told by a word, and its colour only says it again.

use crate::service::Client;
use crate::service::domains::DomainView;
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::standing::{Status, SuspendedReason};
use crate::web::shown::plain;

/// The most letters of a client's name.
const CLIENT_CHARACTERS_MAX: usize = 120;

/// A word on a coloured ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The word.
    pub(super) word: &'static str,
    /// `ok`, `bad`, `warn` or `wait`.
    pub(super) tone: &'static str,
}

const fn mark(word: &'static str, tone: &'static str) -> Mark {
    Mark { word, tone }
}

/// How a purpose is called.
pub(super) const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Spf => "SPF",
        Purpose::Dkim => "DKIM",
        Purpose::Dmarc => "DMARC",
        Purpose::Mx => "MX",
    }
}

/// A verdict.
pub(super) const fn verdict(verdict: Verdict) -> Mark {
    match verdict {
        Verdict::Valid => mark("valid", "ok"),
        Verdict::Missing => mark("missing", "bad"),
        Verdict::Mismatch => mark("mismatch", "bad"),
        Verdict::Invalid => mark("invalid", "bad"),
        Verdict::Unknown => mark("unknown", "warn"),
        Verdict::Unchecked => mark("unchecked", "wait"),
    }
}

/// How a domain stands: its status, and what is pressing about it.
pub(super) fn standing(view: &DomainView) -> Mark {
    let row = &view.row;
    match row.status {
        _ if view.malformed.is_some() => mark("malformed", "bad"),
        Status::Deleted => mark("deleted", "wait"),
        Status::Suspended => mark("suspended", "bad"),
        Status::Active if row.suspends_at.is_some() => mark("at risk", "warn"),
        Status::Active if row.stale_since.is_some() => mark("unsure", "warn"),
        Status::Active => mark("active", "ok"),
        Status::Pending => mark("pending", "wait"),
    }
}

/// A status by itself.
pub(super) const fn status(status: Status) -> Mark {
    match status {
        Status::Active => mark("active", "ok"),
        Status::Pending => mark("pending", "wait"),
        Status::Suspended => mark("suspended", "bad"),
        Status::Deleted => mark("deleted", "wait"),
    }
}

/// The four flags, and whether each is true.
pub(super) fn flags(view: &DomainView) -> [Flag; 4] {
    let flags = view.row.standing().flags;
    Purpose::ALL.map(|each| Flag { purpose: purpose(each), is_valid: flags.get(each) })
}

/// A flag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    pub(super) purpose: &'static str,
    pub(super) is_valid: bool,
}

/// Why a domain is suspended.
pub(super) const fn suspended(reason: SuspendedReason) -> &'static str {
    match reason {
        SuspendedReason::Dns => {
            "Its records were wrong for longer than the grace. It becomes active again by itself once they are right."
        }
        SuspendedReason::Unverifiable => {
            "Nobody could tell for too long whether its records are right. It becomes active again by itself once they are."
        }
        SuspendedReason::Operator => "An operator suspended it. It stays so until an operator activates it.",
    }
}

/// A client by its name, or by its id where the platform gave it none.
pub(super) fn client(client: &Client) -> String {
    match client.name.as_deref().map(str::trim) {
        Some(name) if !name.is_empty() => plain(name, CLIENT_CHARACTERS_MAX),
        _ => client.id.to_string(),
    }
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 7, 999, 1_000, 100_000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "7", "999", "1,000", "100,000", "1,234,567"]);
    }
}
