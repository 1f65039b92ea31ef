//! Block lists of domains in DNS (RFC 5782 §3): what their answers mean.
//!
//! # Strictness
//!
//! An answer in 127.0.0.0/8 is a listing (§2.1), but for 127.255.255.0/24, by which operators of lists say that they will
//! not tell: a typing error, an open resolver, too many questions. An answer outside 127.0.0.0/8 comes from a list that
//! is broken, parked or wildcarded, and never counts; nor does one that is mixed with such.

use std::net::Ipv4Addr;

/// The most codes that are kept of one answer.
const CODES_MAX: usize = 16;

/// What a list says of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It has it, for reasons that only the list knows.
    Listed(Vec<Ipv4Addr>),
    /// It has not.
    NotListed,
    /// It will not tell.
    WillNotTell(&'static str),
    /// It is no list any more.
    Broken,
}

/// What the addresses that a list answers with mean; none: it says that there is no such name.
pub fn read(addresses: &[Ipv4Addr]) -> Word {
    if addresses.is_empty() {
        return Word::NotListed;
    }
    if !addresses.iter().all(Ipv4Addr::is_loopback) {
        return Word::Broken;
    }
    if let Some(why) = addresses.iter().find_map(|address| refusal(*address)) {
        return Word::WillNotTell(why);
    }
    Word::Listed(addresses.iter().copied().take(CODES_MAX).collect())
}

/// Why a list will not tell.
fn refusal(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [127, 255, 255, 252] => Some("the list's name is misspelled"),
        [127, 255, 255, 254] => {
            Some("the list does not answer public resolvers; set `dns.resolvers` to one of your own")
        }
        [127, 255, 255, 255] => Some("the list was asked too often"),
        [127, 255, 255, _] => Some("the list answers with a code of its own for errors"),
        // Not a listing: a test of the stub zone. RFC 5782 §2.1 begins at 127.0.0.2, and 127.0.0.1 "should not be used".
        [127, 0, 0, 1] => Some("the list answers with 127.0.0.1, which no list should use (RFC 5782 §2.1)"),
        _ => None,
    }
}

/// Whether a list works as one should: it has the name `TEST` and has not the name `INVALID`. RFC 5782 §5.
pub fn is_sane(test: &Word, invalid: &Word) -> bool {
    matches!(test, Word::Listed(_)) && matches!(invalid, Word::NotListed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_what_they_mean() {
        let check = |why: &str, addresses: &[[u8; 4]], expected: &str| {
            let addresses: Vec<Ipv4Addr> = addresses.iter().map(|octets| Ipv4Addr::from(*octets)).collect();
            let shown = format!("{:?}", read(&addresses));
            assert!(shown.starts_with(expected), "{why}: {shown}");
        };
        check("nothing", &[], "NotListed");
        check("listed", &[[127, 0, 1, 2]], "Listed([127.0.1.2])");
        check("listed twice over", &[[127, 0, 0, 2], [127, 0, 1, 4]], "Listed([127.0.0.2, 127.0.1.4])");
        check("the highest code that is one", &[[127, 255, 254, 255]], "Listed");
        check("misspelled", &[[127, 255, 255, 252]], "WillNotTell(\"the list's name is misspelled");
        check("an open resolver", &[[127, 255, 255, 254]], "WillNotTell(\"the list does not answer public");
        check("too often", &[[127, 255, 255, 255]], "WillNotTell(\"the list was asked too often");
        check("another error", &[[127, 255, 255, 0]], "WillNotTell");
        check("an error among listings", &[[127, 0, 0, 2], [127, 255, 255, 254]], "WillNotTell");
        check("no code at all", &[[127, 0, 0, 1]], "WillNotTell");
        check("a parked list", &[[192, 0, 2, 80]], "Broken");
        check("half parked", &[[127, 0, 0, 2], [192, 0, 2, 80]], "Broken");
        let many: Vec<[u8; 4]> = (2..=200).map(|last| [127, 0, 0, last]).collect();
        let addresses: Vec<Ipv4Addr> = many.iter().map(|octets| Ipv4Addr::from(*octets)).collect();
        assert!(matches!(read(&addresses), Word::Listed(codes) if codes.len() == CODES_MAX));
    }

    #[test]
    fn a_list_that_has_everything_or_nothing_is_none() {
        let listed = Word::Listed(vec![Ipv4Addr::new(127, 0, 0, 2)]);
        assert!(is_sane(&listed, &Word::NotListed));
        assert!(!is_sane(&listed, &listed), "it has everything");
        assert!(!is_sane(&Word::NotListed, &Word::NotListed), "it has nothing");
        assert!(!is_sane(&Word::Broken, &Word::NotListed));
    }
}
