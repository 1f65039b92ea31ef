//! Daily limits: what a mailbox may still send, given its own limit and its domain's. Design §5.

/// A limit, and how much of it is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// How many mails today.
    pub used: u32,
    /// How many may be.
    pub limit: u32,
}

impl Counter {
    /// A counter of columns that may hold anything: less than nothing counts as nothing.
    pub fn of(used: i32, limit: i32) -> Counter {
        Counter { used: u32::try_from(used).unwrap_or(0), limit: u32::try_from(limit).unwrap_or(0) }
    }

    /// How many are left.
    pub fn left(self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}

/// What a mailbox may send today in all: its own limit, or less where its domain allows no more.
pub fn daily_limit(mailbox: Counter, domain: Counter) -> u32 {
    mailbox.limit.min(mailbox.used.saturating_add(domain.left()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_its_own_and_what_the_domain_still_allows() {
        let check = |why: &str, mailbox: (i32, i32), domain: (i32, i32), expected: u32| {
            let counter = |(used, limit)| Counter::of(used, limit);
            assert_eq!(daily_limit(counter(mailbox), counter(domain)), expected, "{why}");
        };
        check("its own", (0, 10), (0, 50), 10);
        check("the domain has ten left", (20, 60), (40, 50), 30);
        check("the domain has none left", (20, 60), (50, 50), 20);
        check("the domain is beyond its limit", (20, 60), (70, 50), 20);
        check("the mailbox is beyond its own", (20, 10), (0, 50), 10);
        check("a limit of the platform's that is none", (0, -5), (0, 50), 0);
        check("a counter of the platform's that is none", (-5, 10), (-7, 50), 10);
        check("no overflow", (i32::MAX, i32::MAX), (0, i32::MAX), u32::try_from(i32::MAX).unwrap());
    }
}
