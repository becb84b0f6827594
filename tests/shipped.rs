//! What ships beside the program says what the program does: the sample of the configuration, and
//! the dashboard.

#![expect(clippy::unwrap_used, reason = "a check that cannot go on must fail")]

#[path = "shipped/dashboard.rs"]
mod dashboard;
#[path = "shipped/sample.rs"]
mod sample;
