//! Text as HTML: escaped, with `code` between backquotes marked. For the pages that are made of our own Markdown.

/// Text as HTML shows it, also in an attribute.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Escaped text, with `code` marked.
pub(super) fn marked(text: &str) -> String {
    marked_with(text, |_| None)
}

/// The same, and what of it leads somewhere: `link` gives the address for a piece of code, as it stands in an attribute.
pub(super) fn marked_with(text: &str, link: impl Fn(&str) -> Option<String>) -> String {
    let mut shown = String::new();
    for (index, part) in text.split('`').enumerate() {
        let escaped = escape(part);
        shown.push_str(&match (index % 2, link(part)) {
            (0, _) => escaped,
            (_, None) => format!("<code>{escaped}</code>"),
            (_, Some(address)) => format!("<a href=\"{address}\"><code>{escaped}</code></a>"),
        });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_escaped_and_code_is_marked_and_linked() {
        assert_eq!(escape("<a href=\"x\">&</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
        assert_eq!(marked("a `b<c` d & `e`"), "a <code>b&lt;c</code> d &amp; <code>e</code>");
        let link = |word: &str| (word == "known").then(|| "at/known".to_owned());
        assert_eq!(
            marked_with("known `known` `other`", link),
            "known <a href=\"at/known\"><code>known</code></a> <code>other</code>"
        );
    }
}
