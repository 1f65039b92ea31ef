//! The rules, each a function of one file.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

use super::MAY_USE;
use super::source::Source;

/// A rule: what a file does wrong, a line for each fault.
pub(crate) type Rule = fn(&Source) -> Vec<String>;

/// Every rule for the files of `src`.
pub(crate) const RULES: &[Rule] = &[edges, imports, purity, homes, promises, head, length, citations];

/// The pure modules.
const PURE: [&str; 5] = ["plural", "protocol", "verify", "sending", "webhook"];

/// The crates that a pure module may import: they compute, and nothing else.
const PURE_CRATES: [&str; 15] = [
    "alloc",
    "base64",
    "chrono",
    "core",
    "crate",
    "der",
    "hmac",
    "idna",
    "psl",
    "self",
    "sha2",
    "std",
    "subtle",
    "super",
    "thiserror",
];

/// What no pure module may name: a way out of the computation, or a promise about bytes.
const WAYS_OUT: &str = r"\b(?x:
    (?:tokio | tokio_util | sqlx | axum | tower | tower_http | reqwest | hickory_\w+ | metrics | tracing | clap | toml)::
    | std::(?:fs | env | process | thread | os)\b
    | (?:TcpStream | TcpListener | UdpSocket | ToSocketAddrs | SystemTime | Instant)\b
    | std::io::(?:stdin | stdout | stderr)\b
    | Utc::now\b | Local::now\b | getrandom\b | now_v7\b | new_v4\b
    | println! | eprintln!
)";

/// Where the crates live that make a module depend on the world.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("hickory_resolver", &["dns"]),
    ("axum", &["http", "web", "app"]),
    ("askama", &["http", "web"]),
    ("governor", &["http"]),
    ("utoipa", &["http", "cli"]),
    ("clap", &["cli"]),
    ("comfy_table", &["cli"]),
    ("indicatif", &["cli"]),
    ("metrics", &["telemetry"]),
    ("metrics_exporter_prometheus", &["telemetry"]),
    ("tracing_subscriber", &["telemetry"]),
    ("toml", &["config"]),
    ("getrandom", &["chance"]),
    ("reqwest", &["sender", "remote"]),
    ("rustls", &["sender"]),
    ("webpki_roots", &["sender"]),
];

/// The modules whose types are promises about bytes.
const PROMISING: [&str; 5] = ["http", "webhook", "store", "config", "cli"];

/// The one file of `verify` whose types are.
const STORED_EVIDENCE: &str = "src/verify/evidence/stored.rs";

/// The most lines of code in a file, without comments, blank lines and tests.
pub(crate) const LINES_MAX: usize = 500;

/// Code is ASCII where it matters, and the tables of Unicode are not built in.
fn regex(text: &str) -> Regex {
    RegexBuilder::new(text).unicode(false).build().unwrap()
}

/// A module uses only what [`MAY_USE`] allows it.
pub(crate) fn edges(source: &Source) -> Vec<String> {
    static EDGE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\b(?:crate|sendready)::\s*([a-z_0-9]+)(?:\s*::\s*([a-z_0-9]+))?"));
    let module = source.module();
    if module == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{}:1: the module `{module}` has no row in MAY_USE", source.path)];
    };
    EDGE.captures_iter(&source.code)
        .filter_map(|edge| {
            let used = edge.get(1).unwrap().as_str();
            let part = edge.get(2).map(|part| format!("{used}::{}", part.as_str()));
            let is_allowed =
                used == module || allowed.iter().any(|allowed| *allowed == used || Some(*allowed) == part.as_deref());
            let used =
                part.filter(|_| allowed.iter().any(|a| a.starts_with(&format!("{used}::")))).unwrap_or(used.to_owned());
            let what = format!("`{module}` may not use `{used}`");
            (!is_allowed).then(|| source.fault(&source.code, edge.get(0).unwrap().start(), what))
        })
        .collect()
}

/// Imports show the edges: they begin with the module, go up one step at most, and name what they take.
pub(crate) fn imports(source: &Source) -> Vec<String> {
    static BAD: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
        [
            (regex(r"\buse\s+(?:crate|sendready)::\s*\{"), "begin each import with its module: `use crate::module::…`"),
            (regex(r"\bsuper::\s*super\b"), "write `crate::…` instead of `super::super`"),
            (regex(r"\buse\s[\x00-\x7F--;]*\*\s*[;,}]"), "name what is imported instead of `*`"),
            (regex(r"\bsuper::"), "this is the top: write `crate::…` instead of `super::`"),
        ]
    });
    BAD.iter()
        .filter(|(bad, _)| source.is_top() || bad.as_str() != r"\bsuper::")
        .flat_map(|(bad, what)| bad.find_iter(&source.code).map(move |found| (found.start(), what)))
        .map(|(offset, what)| source.fault(&source.code, offset, what))
        .collect()
}

/// A pure module reaches for nothing.
pub(crate) fn purity(source: &Source) -> Vec<String> {
    static OUT: LazyLock<Regex> = LazyLock::new(|| regex(WAYS_OUT));
    static ROOT: LazyLock<Regex> = LazyLock::new(|| regex(r"\buse\s+(?:::)?([a-z_0-9]+)"));
    static SOCKETS: LazyLock<Regex> = LazyLock::new(|| regex(r"\bserde(?:_json)?\b"));
    if !PURE.contains(&source.module()) {
        return Vec::new();
    }
    let may_serialise = promises_bytes(source);
    let outs = OUT.find_iter(&source.code).map(|out| (out.start(), out.as_str()));
    let roots = ROOT.captures_iter(&source.code).map(|root| root.get(1).unwrap()).filter_map(|root| {
        let known = PURE_CRATES.contains(&root.as_str()) || root.as_str().starts_with("serde");
        // A module of its own, as in `use words::…`, is no crate.
        let own = regex(&format!(r"\bmod\s+{}\b", root.as_str())).is_match(&source.code);
        (!known && !own).then(|| (root.start(), root.as_str()))
    });
    let serdes =
        SOCKETS.find_iter(&source.code).filter(|_| !may_serialise).map(|serde| (serde.start(), serde.as_str()));
    outs.chain(roots)
        .chain(serdes)
        .map(|(offset, what)| {
            let what = what.trim_end_matches(':');
            source.fault(&source.code, offset, format!("a pure module reaches for nothing, not for `{what}`"))
        })
        .collect()
}

/// A crate that touches the world is named only where it lives.
pub(crate) fn homes(source: &Source) -> Vec<String> {
    let strangers = HOMES.iter().filter(|(_, homes)| !homes.contains(&source.module()));
    strangers
        .flat_map(|(name, homes)| {
            let used = regex(&format!(r"(?:^|[\x00-\x7F--[\w:]])(?:::)?{name}::|\buse\s+{name}\b"));
            let at: Vec<usize> = used.find_iter(&source.code).map(|used| used.end() - 1).collect();
            at.into_iter().map(move |offset| (offset, format!("`{name}` lives in {}", homes.join(", "))))
        })
        .map(|(offset, what)| source.fault(&source.code, offset, what))
        .collect()
}

fn promises_bytes(source: &Source) -> bool {
    PROMISING.contains(&source.module()) || source.path == STORED_EVIDENCE
}

/// What is serialised is a promise, and made only where promises are.
pub(crate) fn promises(source: &Source) -> Vec<String> {
    static SERDE: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(?:Serialize|Deserialize)\b"));
    if promises_bytes(source) {
        return Vec::new();
    }
    SERDE
        .find_iter(&source.code)
        .map(|serde| source.fault(&source.code, serde.start(), "what is serialised is a promise; make it elsewhere"))
        .collect()
}

/// A file begins with what it owns.
pub(crate) fn head(source: &Source) -> Vec<String> {
    match source.text.lines().next() {
        Some(line) if line.strip_prefix("//! ").is_some_and(|head| !head.trim().is_empty()) => Vec::new(),
        _ => vec![format!("{}:1: begins without `//!` and what it owns", source.path)],
    }
}

/// A file has at most [`LINES_MAX`] lines of code.
pub(crate) fn length(source: &Source) -> Vec<String> {
    let lines = source.code.lines().filter(|line| !line.trim().is_empty()).count();
    if lines <= LINES_MAX {
        return Vec::new();
    }
    vec![format!("{}:1: has {lines} lines of code; at most {LINES_MAX}", source.path)]
}

/// Standards are cited in one spelling: `RFC 7208 §4.6`.
pub(crate) fn citations(source: &Source) -> Vec<String> {
    // The words are put together so that this file keeps the rule.
    static BAD: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
        [
            (regex(r"(?:^|[\x00-\x7F--[\w:]])R[Ff][Cc][-_#]?[0-9]{3,}"), "a space between `RFC` and its number"),
            (regex(r"\b(?:rfc ?|Rfc )[0-9]{3,}\b"), "`RFC` in capitals"),
            (regex(r"\b[Ss](?:ect(?:ion)?s?|ec)\.? (?:[0-9]|[A-Z]\.[0-9])"), "`§4.6` for a part of a standard"),
            (regex(r"§ +[0-9A-Z]"), "no space behind `§`"),
            (regex(r"\bRFC [0-9]+(?:,| -| at|:)? *,? *§"), "one space between the number and `§`"),
        ]
    });
    static RIGHT: LazyLock<Regex> = LazyLock::new(|| regex(r"^RFC [0-9]+ §$"));
    // Addresses of documents, and names in the code, are not citations.
    static ELSEWHERE: LazyLock<Regex> = LazyLock::new(|| regex(r#"https?://[!-~]+|[\w/.-]*rfc[0-9]+[-_./]\w[\w/.-]*"#));
    let text = ELSEWHERE.replace_all(&source.text, |found: &regex::Captures<'_>| " ".repeat(found[0].len()));
    BAD.iter()
        .flat_map(|(bad, what)| {
            bad.find_iter(&text)
                .filter(|found| !RIGHT.is_match(found.as_str()))
                .map(|found| source.fault(&text, found.start(), format!("write {what}")))
                .collect::<Vec<_>>()
        })
        .collect()
}
