//! What was just done, told on the page that follows. The address holds a word, never the text.

/// Each word, and what is said.
const SAID: [(&str, &str); 8] = [
    ("verify", "A check is on its way. The page shows it once it has settled: load it again in a moment."),
    ("suspended", "The domain is suspended. None of its mailboxes may send until an operator activates it."),
    ("activated", "The suspension is lifted. The domain is being checked."),
    ("requirements", "The requirements are changed. The domain is being checked against them."),
    ("unchanged", "Nothing was changed: these were the requirements already."),
    ("revoked", "The setup link is revoked. It opens nothing any more."),
    ("transferred", "The domain and its mailboxes belong to the other client now. Its setup links have ended."),
    ("accepted", "What the breaker opened for is accepted. Domains are judged as usual again."),
];

/// What a query says was done; nothing for whatever is no word of ours.
pub(super) fn said(query: Option<&str>) -> Option<&'static str> {
    let word = query?.split('&').find_map(|pair| pair.strip_prefix("done="))?;
    SAID.iter().find(|(known, _)| *known == word).map(|(_, said)| *said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_ours_are_said() {
        assert!(said(Some("done=suspended")).unwrap().starts_with("The domain is suspended"));
        assert!(said(Some("a=b&done=revoked")).is_some());
        assert_eq!(said(Some("done=Your+account+is+locked")), None);
        assert_eq!(said(Some("")), None);
        assert_eq!(said(None), None);
    }
}
