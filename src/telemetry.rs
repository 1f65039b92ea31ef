//! The log, and the metrics in [`metrics`].
//!
//! The log goes to stderr: text on a terminal, one JSON object a line elsewhere. What is logged is
//! chosen by `--log`, else by `RUST_LOG`, else by [`FILTER`].

mod lines;
pub mod metrics;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use thiserror::Error;
use tracing::error;
use tracing_subscriber::EnvFilter;

use crate::telemetry::lines::{Lines, Writing};

/// What is logged where nobody says: ours from `info` on, of others what went wrong.
pub const FILTER: &str = "warn,sendready=info";

/// The variable that is read where the command line says nothing.
const VARIABLE: &str = "RUST_LOG";

/// Why nothing can be logged.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter of `--log` or `RUST_LOG` is none; the fault of whoever wrote it.
    #[error("`{filter}` is no log filter; write one such as `info` or `warn,sendready=debug`")]
    Filter {
        /// What was written.
        filter: String,
        /// Where it went wrong.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something in this process logs or counts already.
    #[error("the process has a log or a metrics recorder already")]
    Twice,
    /// The system gives us no thread to write the log.
    #[error("the system gives no thread to write the log")]
    NoThread(#[source] std::io::Error),
}

/// The log that was started. What was logged is written when this is dropped, at the latest.
#[derive(Debug)]
#[must_use = "what waits to be written is written when it is dropped"]
pub struct Log {
    _writing: Option<Writing>,
}

/// Starts the log. `filter` is what `--log` said.
///
/// # Errors
///
/// [`TelemetryError::Filter`], the fault of whoever wrote it; [`TelemetryError::Twice`] and
/// [`TelemetryError::NoThread`], ours.
pub fn start_log(filter: Option<&str>) -> Result<Log, TelemetryError> {
    let filter = filter_of(filter, std::env::var(VARIABLE).ok().as_deref())?;
    // A line that cannot be written, on a full disk, is lost: telling of it on standard error would fail too, and panic.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    let writing = if std::io::stderr().is_terminal() {
        // An empty NO_COLOR counts as not set: https://no-color.org.
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        // Beside what is drawn there, so at once.
        builder.with_writer(std::io::stderr).with_ansi(colours).try_init().map_err(|_| TelemetryError::Twice)?;
        None
    } else {
        let (lines, writing) = Lines::written_to(std::io::stderr()).map_err(TelemetryError::NoThread)?;
        let builder = builder.with_writer(lines).json().flatten_event(true);
        builder.with_current_span(true).with_span_list(false).try_init().map_err(|_| TelemetryError::Twice)?;
        Some(writing)
    };
    std::panic::set_hook(Box::new(log_panic));
    Ok(Log { _writing: writing })
}

/// A panic is a line of the log like any other, and can be read by whatever reads the rest.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    error!(panic.location = %location, "A task panicked: {message}");
}

fn filter_of(flag: Option<&str>, variable: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let text = flag.or(variable).map(str::trim).filter(|text| !text.is_empty()).unwrap_or(FILTER);
    EnvFilter::try_new(text).map_err(|source| TelemetryError::Filter { filter: text.to_owned(), source })
}

/// An error with its causes, on one line, for where it stops being passed on.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_goes_before_the_variable_and_both_before_ours() {
        let check = |flag, variable, expected: &str| {
            let mut directives: Vec<String> =
                filter_of(flag, variable).unwrap().to_string().split(',').map(str::to_owned).collect();
            directives.sort();
            assert_eq!(directives.join(","), expected, "{flag:?} {variable:?}");
        };
        check(None, None, "sendready=info,warn");
        check(None, Some("error"), "error");
        check(Some("debug"), Some("error"), "debug");
        check(Some(""), Some(" "), "sendready=info,warn");
    }

    #[test]
    fn a_filter_that_is_none_is_a_fault_with_a_word_on_what_is_right() {
        let error = filter_of(Some("sendready=loud"), None).unwrap_err().to_string();
        assert!(error.contains("`sendready=loud`") && error.contains("sendready=debug"), "{error}");
    }
}
