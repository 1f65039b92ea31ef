//! What differs between a text that is there and the one that is to be, in pieces small enough to see.
//!
//! Words are compared first (a longest common subsequence), and a long word that changed is cut where its ends agree:
//! of two keys, only the part that differs is marked. Bounded: beyond [`WORDS_MAX`] words the middle is one change.

/// A piece of one of the two texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Whether the other text lacks it here.
    pub is_marked: bool,
    /// The text.
    pub text: String,
}

/// Both texts in pieces; together they are the texts again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// What is there, with what is too much marked.
    pub found: Vec<Piece>,
    /// What is to be, with what is missing marked.
    pub wanted: Vec<Piece>,
}

/// How many words of each text are compared one by one: the cost is their product.
const WORDS_MAX: usize = 160;

/// Words of at least so many octets are cut where their ends agree.
const LONG_WORD_OCTETS: usize = 24;

/// Below this share of common octets, in percent, the texts have nothing to do with each other.
const KIN_PERCENT: usize = 25;

/// The difference of two texts; nothing where they have next to nothing in common, and marks would only be noise.
pub(super) fn difference(found: &str, wanted: &str) -> Option<Difference> {
    let (a, b) = (words(found), words(wanted));
    let same_start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a_rest, b_rest) = (a.get(same_start..)?, b.get(same_start..)?);
    let same_end = a_rest.iter().rev().zip(b_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a_middle, b_middle) = (a_rest.get(..a_rest.len() - same_end)?, b_rest.get(..b_rest.len() - same_end)?);
    let mut made = Made::default();
    made.same_all(a.get(..same_start)?);
    if a_middle.len() <= WORDS_MAX && b_middle.len() <= WORDS_MAX {
        made.middle(a_middle, b_middle);
    } else {
        made.changed(&a_middle.concat(), &b_middle.concat());
    }
    made.same_all(a_rest.get(a_rest.len() - same_end..)?);
    let longer = found.len().max(wanted.len());
    (made.same_octets * 100 >= longer * KIN_PERCENT).then_some(Difference { found: made.found, wanted: made.wanted })
}

/// Words, and every sign between them on its own.
fn words(text: &str) -> Vec<&str> {
    let is_sign = |letter: char| letter.is_whitespace() || matches!(letter, ';' | '=' | ',' | ':' | '"');
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if is_sign(first) { first.len_utf8() } else { rest.find(is_sign).unwrap_or(rest.len()) };
        let (word, behind) = rest.split_at(end);
        words.push(word);
        rest = behind;
    }
    words
}

#[derive(Default)]
struct Made {
    found: Vec<Piece>,
    wanted: Vec<Piece>,
    same_octets: usize,
}

impl Made {
    fn same_all(&mut self, words: &[&str]) {
        words.iter().for_each(|word| self.same(word));
    }

    fn same(&mut self, text: &str) {
        self.same_octets += text.len();
        add(&mut self.found, text, false);
        add(&mut self.wanted, text, false);
    }

    /// Something that became something else; the ends that long texts have in common are not part of it.
    fn changed(&mut self, found: &str, wanted: &str) {
        if found.len().min(wanted.len()) < LONG_WORD_OCTETS {
            add(&mut self.found, found, true);
            add(&mut self.wanted, wanted, true);
            return;
        }
        let start: usize =
            found.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        let (head, found) = found.split_at(start);
        let (_, wanted) = wanted.split_at(start);
        let ends = found.chars().rev().zip(wanted.chars().rev()).take_while(|(a, b)| a == b);
        let end: usize = ends.map(|(a, _)| a.len_utf8()).sum();
        let (found, tail) = found.split_at(found.len() - end);
        let (wanted, _) = wanted.split_at(wanted.len() - end);
        self.same(head);
        add(&mut self.found, found, true);
        add(&mut self.wanted, wanted, true);
        self.same(tail);
    }

    /// By the longest common subsequence of words.
    fn middle(&mut self, a: &[&str], b: &[&str]) {
        let lengths = lengths(a, b);
        let length = |i: usize, j: usize| lengths.get(i).and_then(|row| row.get(j)).copied().unwrap_or_default();
        let (mut i, mut j) = (0, 0);
        let (mut gone, mut new) = (String::new(), String::new());
        while i < a.len() || j < b.len() {
            match (a.get(i), b.get(j)) {
                (Some(one), Some(other)) if one == other => {
                    self.changed(&std::mem::take(&mut gone), &std::mem::take(&mut new));
                    self.same(one);
                    (i, j) = (i + 1, j + 1);
                }
                (Some(one), other) if other.is_none() || length(i + 1, j) >= length(i, j + 1) => {
                    gone.push_str(one);
                    i += 1;
                }
                (_, Some(other)) => {
                    new.push_str(other);
                    j += 1;
                }
                _ => break,
            }
        }
        self.changed(&gone, &new);
    }
}

/// How many words the rests of both texts have in common, from each pair of places on.
fn lengths(a: &[&str], b: &[&str]) -> Vec<Vec<u16>> {
    let mut rows = vec![vec![0_u16; b.len() + 1]];
    for one in a.iter().rev() {
        let below = rows.last().cloned().unwrap_or_default();
        let mut row = vec![0_u16; b.len() + 1];
        let mut right = 0;
        for (j, other) in b.iter().enumerate().rev() {
            let at = |row: &[u16], j: usize| row.get(j).copied().unwrap_or_default();
            let best = if one == other { at(&below, j + 1) + 1 } else { at(&below, j).max(right) };
            if let Some(cell) = row.get_mut(j) {
                *cell = best;
            }
            right = best;
        }
        rows.push(row);
    }
    rows.reverse();
    rows
}

/// Adds to the last piece where that is of the same kind.
fn add(pieces: &mut Vec<Piece>, text: &str, is_marked: bool) {
    if text.is_empty() {
        return;
    }
    match pieces.last_mut() {
        Some(last) if last.is_marked == is_marked => last.text.push_str(text),
        _ => pieces.push(Piece { is_marked, text: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Marks as brackets.
    fn shown(pieces: &[Piece]) -> String {
        pieces.iter().map(|p| if p.is_marked { format!("[{}]", p.text) } else { p.text.clone() }).collect()
    }

    #[track_caller]
    fn check(found: &str, wanted: &str, found_shown: &str, wanted_shown: &str) {
        let made = difference(found, wanted).unwrap();
        assert_eq!((shown(&made.found).as_str(), shown(&made.wanted).as_str()), (found_shown, wanted_shown));
    }

    #[test]
    fn records_and_what_differs() {
        check("v=spf1 -all", "v=spf1 -all", "v=spf1 -all", "v=spf1 -all");
        check("v=spf1 ~all", "v=spf1 include:_spf.x -all", "v=spf1 [~all]", "v=spf1 [include:_spf.x -all]");
        check("v=DMARC1; p=none", "v=DMARC1; p=reject", "v=DMARC1; p=[none]", "v=DMARC1; p=[reject]");
        check("v=spf1 a mx -all", "v=spf1 mx -all", "v=spf1 [a ]mx -all", "v=spf1 mx -all");
        let key = "A".repeat(40);
        check(
            &format!("p={key}B{key}"),
            &format!("p={key}C{key}"),
            &format!("p={key}[B]{key}"),
            &format!("p={key}[C]{key}"),
        );
        check(&format!("p={key}"), &format!("p={key}BBBB"), &format!("p={key}"), &format!("p={key}[BBBB]"));
    }

    #[test]
    fn strangers_are_not_compared() {
        assert_eq!(difference("google-site-verification=abcdefgh", "v=spf1 include:_spf.example.net -all"), None);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_texts(found in ".{0,200}", wanted in ".{0,200}") {
            if let Some(made) = difference(&found, &wanted) {
                let joined = |pieces: &[Piece]| pieces.iter().map(|p| p.text.as_str()).collect::<String>();
                prop_assert_eq!(joined(&made.found), found);
                prop_assert_eq!(joined(&made.wanted), wanted);
            }
        }

        #[test]
        fn equal_texts_have_no_marks(text in ".{0,200}") {
            let made = difference(&text, &text);
            prop_assert!(made.is_some_and(|made| made.found.iter().chain(&made.wanted).all(|piece| !piece.is_marked)));
        }
    }
}
