//! Log lines on standard error, where the journal reads them.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Names the filter's variable, in `tracing`'s filter language: `MACMOVED_LOG=debug`.
const FILTER: &str = "MACMOVED_LOG";

/// Starts logging. Lines carry no time under systemd: the journal stamps them.
pub(super) fn start() {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        lines.without_time().init();
    } else {
        lines.init();
    }
}
