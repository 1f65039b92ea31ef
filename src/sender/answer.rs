//! How an answer's body begins: enough to see what went wrong, and never more.
//!
//! It is a stranger's text. What is kept of it is text, without anything that a terminal, a log or a database would
//! take amiss; whoever shows it on a page escapes it there.

use std::time::Duration;

use reqwest::Response;
use tokio::time::timeout;

/// The most octets of a body that are read before the connection is dropped.
const READ_OCTETS_MAX: usize = 4_096;

/// The most characters that are kept.
const KEPT_CHARACTERS_MAX: usize = 1_000;

/// How long reading may take beside the time of the attempt.
const READ_TIME_MAX: Duration = Duration::from_secs(2);

/// The beginning of a body; nothing when it is empty, or nothing came of it in time.
pub(super) async fn excerpt(mut response: Response) -> Option<String> {
    let mut octets = Vec::new();
    let read = async {
        // A body that breaks off has begun all the same.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = READ_OCTETS_MAX - octets.len();
            octets.extend(chunk.iter().take(room));
            if octets.len() >= READ_OCTETS_MAX {
                break;
            }
        }
    };
    // What came in time is kept.
    let _ = timeout(READ_TIME_MAX, read).await;
    Some(harmless(&octets)).filter(|text| !text.is_empty())
}

/// Octets as text: what is no text, controls, and marks that turn the direction of what follows become `U+FFFD`.
fn harmless(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let clean = |c: char| match c {
        '\n' | '\t' => ' ',
        c if c.is_control() || turns_text(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.trim().chars().take(KEPT_CHARACTERS_MAX).map(clean).collect()
}

/// UAX #9.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_s_text_is_made_harmless() {
        let check = |why: &str, octets: &[u8], expected: &str| assert_eq!(harmless(octets), expected, "{why}");
        check("plain", b" not now \r\n", "not now");
        check("lines", b"a\nb\tc", "a b c");
        check("a zero octet", b"a\0b", "a\u{fffd}b");
        check("a terminal's escape", b"\x1b[31mred", "\u{fffd}[31mred");
        check("no UTF-8", b"a\xff\xfeb", "a\u{fffd}\u{fffd}b");
        check("text that turns", "a\u{202e}b".as_bytes(), "a\u{fffd}b");
        check("nothing", b" \r\n ", "");
        assert_eq!(harmless(&[b'x'; 5_000]).chars().count(), KEPT_CHARACTERS_MAX);
    }
}
