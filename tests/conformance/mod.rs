//! Published suites, read from `$CONFORMANCE_DIR`; nothing of them is in this repository.

mod command;
mod dkim;
mod dmarc;
mod spf;
mod zone;

use std::path::PathBuf;

/// The lines of one file of the suites; nothing, said aloud, where the suites are not there.
///
/// # Panics
///
/// Under `CI=true` when the suites are not there: a run that tests nothing must not look green.
#[expect(clippy::print_stderr, reason = "a skipped suite must be seen, and a test has no other voice")]
fn lines_of(file: &str) -> Option<Vec<serde_json::Value>> {
    let folder = std::env::var_os("CONFORMANCE_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"), PathBuf::from);
    let path = folder.join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()),
        Err(error) => {
            let advice = "set CONFORMANCE_DIR to a folder with the suites that docs/conformance.md names";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{}: {error}; {advice}", path.display());
            eprintln!("SKIPPED: {}: {error}; {advice}", path.display());
            None
        }
    }
}
