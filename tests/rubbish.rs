//! Rubbish for everything that reads strangers' octets, on a stable compiler: the bodies of the fuzz targets through proptest.
//!
//! Most of the input is made of the words that each reader knows, for octets alone seldom get past the first one. The
//! words are the fuzzer's dictionaries.

mod bodies;
mod made_up;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Octets: words of a dictionary, or anything.
fn rubbish(dictionary: &str) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => select(words(dictionary)),
        1 => vec(any::<u8>(), 0..8),
        1 => "[ -~]{0,12}".prop_map(String::into_bytes),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// The words of a dictionary in libFuzzer's form: one a line, quoted, with `\\`, `\"` and `\xAB`.
fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = |line: &str| line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).map(unescaped);
    let lines = dictionary.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| quoted(line).unwrap_or_else(|| panic!("no word: {line}"))).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match (octet, if octet == b'\\' { rest.next() } else { None }) {
            (_, Some(b'x')) => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("two hexadecimal digits")
            }
            (_, Some(escaped)) => escaped,
            (plain, None) => plain,
        });
    }
    octets
}

#[test]
fn dictionaries_are_read() {
    assert_eq!(words("# not this\n\"a b\"\n\"\\x0a\\\\\\\"\"\n"), [b"a b".to_vec(), b"\n\\\"".to_vec()]);
}

macro_rules! any_octets {
    ($($reader:ident: $dictionary:literal;)*) => {
        proptest! {
            $(
                #[test]
                fn $reader(data in rubbish(include_str!(concat!("../fuzz/dictionaries/", $dictionary, ".dict")))) {
                    bodies::$reader(&data);
                }
            )*
        }
    };
}

any_octets! {
    spf_record: "spf";
    spf_macro: "macros";
    spf_check_host: "world";
    tag_list: "tags";
    dkim_key: "keys";
    dmarc_record: "dmarc";
    advised: "advised";
    name: "names";
    zone_text: "zones";
    stored: "stored";
    judge_all: "world";
}
