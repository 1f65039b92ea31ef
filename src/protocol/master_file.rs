//! Master files (RFC 1035 §5): how a record is written for a name server or a panel that takes one.
//!
//! Owns quoting and cutting. Reading master files is `dns::zone_text`'s.

/// The longest character-string, in octets. RFC 1035 §3.3.
pub const STRING_OCTETS_MAX: usize = 255;

/// The value of a TXT record: character-strings of at most 255 octets, each in double quotes.
///
/// Quotes and backslashes are escaped, as is everything that is not printable ASCII. An empty text is
/// one empty string, for a TXT record has at least one. RFC 1035 §3.3.14, §5.1.
pub fn txt(text: &[u8]) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let strings: Vec<String> = text.chunks(STRING_OCTETS_MAX).map(quoted).collect();
    strings.join(" ")
}

fn quoted(string: &[u8]) -> String {
    let mut text = String::with_capacity(string.len() + 2);
    text.push('"');
    for octet in string {
        match octet {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*octet));
            }
            0x20..=0x7e => text.push(char::from(*octet)),
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_and_cut() {
        let check = |text: &[u8], expected: &str| assert_eq!(txt(text), expected);
        check(b"", "\"\"");
        check(b"v=spf1 -all", "\"v=spf1 -all\"");
        check(br#"a"b\c"#, r#""a\"b\\c""#);
        check(b"\xff\n;", "\"\\255\\010;\"");
        assert_eq!(txt(&[b'a'; 255]).matches('"').count(), 2);
        assert_eq!(txt(&[b'a'; 256]).matches('"').count(), 4);
    }
}
