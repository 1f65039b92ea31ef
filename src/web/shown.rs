//! Texts of strangers as a page shows them: what controls, hides or turns other text is named instead.
//!
//! Templates escape HTML; this is about letters that are no HTML and lie all the same (UAX #9, UTS #39).

use chrono::{DateTime, SecondsFormat, Utc};

/// Letters that are shown by their number: controls, and what shows nothing and changes how others are shown.
fn is_named(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text of at most `characters_max`, with what it hides named: `⟨U+202E⟩`. What is cut off is counted.
pub(super) fn plain(text: &str, characters_max: usize) -> String {
    let mut plain = String::with_capacity(text.len().min(characters_max));
    for letter in text.chars().take(characters_max) {
        if is_named(letter) {
            plain.push_str(&format!("⟨U+{:04X}⟩", u32::from(letter)));
        } else {
            plain.push(letter);
        }
    }
    match text.chars().count().saturating_sub(characters_max) {
        0 => plain,
        more => format!("{plain} … and {more} more characters"),
    }
}

/// A piece of a sentence: prose, or something to be typed as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Whether it stood between backticks.
    pub is_code: bool,
    /// The text.
    pub text: String,
}

/// A sentence of ours about texts of strangers, cut at its backticks.
pub(super) fn sentence(text: &str, characters_max: usize) -> Vec<Piece> {
    let text = plain(text, characters_max);
    let pieces = text.split('`').enumerate();
    pieces
        .filter(|(_, piece)| !piece.is_empty())
        .map(|(index, piece)| Piece { is_code: index % 2 == 1, text: piece.to_owned() })
        .collect()
}

/// A moment: for machines, in UTC for people, and short. A script puts it into the reader's own zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// RFC 3339.
    pub iso: String,
    /// With its date.
    pub long: String,
    /// What stands there where no script runs.
    pub short: String,
}

impl Moment {
    /// A moment as it is told at `now`: without its date where that is today's in UTC.
    pub(super) fn of(at: DateTime<Utc>, now: DateTime<Utc>) -> Moment {
        let form = if at.date_naive() == now.date_naive() { "%H:%M UTC" } else { "%-d %B, %H:%M UTC" };
        Moment {
            iso: at.to_rfc3339_opts(SecondsFormat::Secs, true),
            long: at.format("%-d %B %Y, %H:%M:%S UTC").to_string(),
            short: at.format(form).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_named() {
        let check = |text: &str, expected: &str| assert_eq!(plain(text, 20), expected);
        check("v=spf1 é 漢 🙂 <b>", "v=spf1 é 漢 🙂 <b>");
        check("moc.\u{202e}elpmaxe", "moc.⟨U+202E⟩elpmaxe");
        check("a\u{1b}[2J\r\n\u{200b}", "a⟨U+001B⟩[2J⟨U+000D⟩⟨U+000A⟩⟨U+200B⟩");
        check("12345678901234567890", "12345678901234567890");
        check("123456789012345678901", "12345678901234567890 … and 1 more characters");
    }

    #[test]
    fn a_sentence_is_cut_at_its_backticks() {
        let piece = |is_code, text: &str| Piece { is_code, text: text.to_owned() };
        assert_eq!(
            sentence("Set `@` to `x`", 99),
            [piece(false, "Set "), piece(true, "@"), piece(false, " to "), piece(true, "x")]
        );
        assert_eq!(sentence("", 99), []);
    }

    #[test]
    fn a_moment_of_another_day_has_its_date() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let moment = Moment::of(at(1_800_000_000), at(1_800_000_001));
        assert_eq!((moment.iso.as_str(), moment.short.as_str()), ("2027-01-15T08:00:00Z", "08:00 UTC"));
        assert_eq!(moment.long, "15 January 2027, 08:00:00 UTC");
        assert_eq!(Moment::of(at(1_800_000_000), at(1_800_086_400)).short, "15 January, 08:00 UTC");
    }
}
