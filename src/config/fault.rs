//! What is wrong with a configuration, all of it at once.

use std::fmt;
use std::path::PathBuf;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line, with its dashes.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// A line of the configuration file, counted from 1.
    File {
        /// The file, as it was named to us.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// Nobody gave it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Variable(name) => f.write_str(name),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Default => f.write_str("by default"),
        }
    }
}

/// One thing that is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, such as `dns.timeout`. Nothing when the fault is the file's.
    pub key: Option<String>,
    /// Where it was given.
    pub origin: Origin,
    /// What is wrong and what would be right. Never holds a secret.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key} ({}): {}", self.origin, self.problem),
            None => write!(f, "{}: {}", self.origin, self.problem),
        }
    }
}

/// Everything that is wrong with a configuration; at least one fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [fault] => write!(f, "the configuration has a fault: {fault}"),
            faults => {
                write!(f, "the configuration has {} faults:", faults.len())?;
                faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
        }
    }
}

impl std::error::Error for Faults {}

/// The one of `known` that is nearest to `text`, if any is near enough to have been meant.
pub(super) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
    known
        .into_iter()
        .map(|name| {
            // The right key in the wrong section is as near as one slip.
            let misplaced = last(name).is_some() && last(name) == last(text);
            (if misplaced { 1 } else { distance(text, name) }, name)
        })
        .min()
        .filter(|(slips, name)| *slips <= (name.len() / 3).max(1))
        .map(|(_, name)| name)
}

/// The longest text for which [`nearest`] looks, in characters. Longer ones are no slips of the pen.
const COMPARED_MAX: usize = 80;

/// How many characters must be put in, left out or changed to make `left` of `right` (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    if left.chars().count() > COMPARED_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        let mut next = vec![before];
        for (to, over) in right.chars().zip(row.iter().skip(1).copied()) {
            let changed = diagonal + usize::from(from != to);
            before = changed.min(before + 1).min(over + 1);
            diagonal = over;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_offered_and_nothing_far_off() {
        let known = ["dns.timeout", "dns.resolvers", "checks.grace", "blocklists"];
        let check = |text, expected| assert_eq!(nearest(text, known), expected, "{text}");
        check("dns.timeuot", Some("dns.timeout"));
        check("dns.resolver", Some("dns.resolvers"));
        check("checks.timeout", Some("dns.timeout"));
        check("blocklist", Some("blocklists"));
        check("entirely.different", None);
        check("", None);
        check(&"x".repeat(100_000), None);
    }

    #[test]
    fn distance_counts_slips() {
        let check = |left, right, expected| assert_eq!(distance(left, right), expected, "{left} {right}");
        check("", "", 0);
        check("abc", "abc", 0);
        check("abc", "", 3);
        check("", "abc", 3);
        check("kitten", "sitting", 3);
    }
}
