//! A source file, cut into what the compiler reads, what people read, and what only tests read.

/// A source file.
pub(crate) struct Source {
    /// Its path from the project's root, such as `src/dns/wire.rs`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    /// Its text with comments made blank and the content of literals made `"`, line for line and
    /// column for column, and with `#[cfg(test)]` items made blank.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn read(path: &str, text: &str) -> Source {
        let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let code = if is_test { String::new() } else { without_tests(&without_comments(text)) };
        Source { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The module below `src` to which the file belongs: `dns` for `src/dns/wire.rs`.
    pub(crate) fn module(&self) -> &str {
        let rest = self.path.strip_prefix("src/").unwrap_or(&self.path);
        rest.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Whether `super` is the crate itself.
    pub(crate) fn is_top(&self) -> bool {
        let rest = self.path.strip_prefix("src/").unwrap_or(&self.path);
        !rest.contains('/') || (rest.ends_with("/mod.rs") && rest.matches('/').count() == 1)
    }

    /// A fault at an offset of [`Source::code`] or [`Source::text`], which have the same lines.
    pub(crate) fn fault(&self, text: &str, offset: usize, what: impl AsRef<str>) -> String {
        let line = text.as_bytes()[..offset].iter().filter(|octet| **octet == b'\n').count() + 1;
        format!("{}:{line}: {}", self.path, what.as_ref())
    }
}

/// Where the reader of [`without_comments`] is.
enum At {
    Code,
    LineComment,
    BlockComment(usize),
    Text,
    RawText(usize),
}

/// `text` with comments made blank and the content of literals made `"`.
fn without_comments(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = At::Code;
    let mut index = 0;
    let ahead =
        |index: usize, wanted: &str| wanted.chars().enumerate().all(|(n, c)| characters.get(index + n) == Some(&c));
    while index < characters.len() {
        let now = characters[index];
        // How many characters to take, what to write for each, and where we are then.
        let (count, written, next) = match at {
            At::Code if ahead(index, "//") => (2, Some(' '), At::LineComment),
            At::Code if ahead(index, "/*") => (2, Some(' '), At::BlockComment(1)),
            At::Code if now == '"' => (1, None, At::Text),
            At::Code if raw_hashes(&characters, index).is_some() => {
                let hashes = raw_hashes(&characters, index).unwrap();
                (hashes + 2, None, At::RawText(hashes))
            }
            At::Code if now == '\'' => (char_literal(&characters, index), Some('"'), At::Code),
            At::Code => (1, None, At::Code),
            At::LineComment => (1, Some(' '), if now == '\n' { At::Code } else { At::LineComment }),
            At::BlockComment(depth) if ahead(index, "/*") => (2, Some(' '), At::BlockComment(depth + 1)),
            At::BlockComment(1) if ahead(index, "*/") => (2, Some(' '), At::Code),
            At::BlockComment(depth) if ahead(index, "*/") => (2, Some(' '), At::BlockComment(depth - 1)),
            At::BlockComment(depth) => (1, Some(' '), At::BlockComment(depth)),
            At::Text if now == '\\' => (2, Some('"'), At::Text),
            At::Text if now == '"' => (1, None, At::Code),
            At::Text => (1, Some('"'), At::Text),
            At::RawText(hashes) if ahead(index, &format!("\"{}", "#".repeat(hashes))) => (hashes + 1, None, At::Code),
            At::RawText(hashes) => (1, Some('"'), At::RawText(hashes)),
        };
        for character in characters.iter().skip(index).take(count) {
            code.push(if *character == '\n' { '\n' } else { written.unwrap_or(*character) });
        }
        index += count;
        at = next;
    }
    code
}

/// How many `#` the raw text that begins at `index` has.
fn raw_hashes(characters: &[char], index: usize) -> Option<usize> {
    let before = index.checked_sub(1).and_then(|before| characters.get(before));
    let in_word = before.is_some_and(|c| (c.is_alphanumeric() && *c != 'b') || *c == '_');
    if characters.get(index) != Some(&'r') || in_word {
        return None;
    }
    let hashes = characters[index + 1..].iter().take_while(|c| **c == '#').count();
    (characters.get(index + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// How many characters the literal that begins at `index` has; 1 for a lifetime.
fn char_literal(characters: &[char], index: usize) -> usize {
    match characters.get(index + 1) {
        Some('\\') => characters[index + 3..].iter().position(|c| *c == '\'').map_or(1, |end| end + 4),
        Some(_) if characters.get(index + 2) == Some(&'\'') => 3,
        _ => 1,
    }
}

/// `code` with every item that has `#[cfg(test)]` made blank.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut octets = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code[from..].find(MARK) {
        let start = from + found;
        let end = item_end(code.as_bytes(), start + MARK.len());
        octets[start..end].iter_mut().filter(|octet| **octet != b'\n').for_each(|octet| *octet = b' ');
        from = end;
    }
    String::from_utf8(octets).unwrap()
}

/// Where the item that begins at `from` ends: behind its braces, or its semicolon if it has none.
fn item_end(code: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, octet) in code.iter().enumerate().skip(from) {
        match octet {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return offset + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_literals_and_tests_are_blank() {
    let check = |text: &str, expected: &str| assert_eq!(Source::read("src/a.rs", text).code, expected, "{text}");
    check("a // b\nc", "a     \nc");
    check("a /* b /* c */ d\n */ e", "a               \n    e");
    check(r#"a("b // \" c") d"#, r#"a(""""""""""") d"#);
    check("r#\"a\" // \"# b", "r#\"\"\"\"\"\"\"\"# b");
    check("'a' '\\n' '\"' 'static x", "\"\"\" \"\"\"\" \"\"\" \"static x");
    check("a;\n#[cfg(test)]\nmod tests {\n  b { c }\n}\nd;", "a;\n            \n           \n         \n \nd;");
    check("#[cfg(test)]\nmod tests;\nd;", "            \n          \nd;");
    assert_eq!(Source::read("src/a/tests.rs", "a;").code, "");
}
