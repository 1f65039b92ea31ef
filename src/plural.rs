//! How many of something, in words: `1 second`, `2 seconds`.

use std::fmt::Display;

/// A count with the word that goes with it: `one` for exactly one, `many` for any other, none among them.
///
/// The words need not be nouns: `is` and `are` make `1 is`, `3 are`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    let word = if count == N::from(1) { one } else { many };
    format!("{count} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let seconds = |count: u64| counted(count, "second", "seconds");
        assert_eq!([0, 1, 2, 21].map(seconds), ["0 seconds", "1 second", "2 seconds", "21 seconds"]);
        assert_eq!(counted(-1_i32, "day", "days"), "-1 days");
        assert_eq!(counted(1_usize, "address is", "addresses are"), "1 address is");
    }
}
