//! What ships beside the program says what the program does: the sample of the configuration, and
//! the dashboard.

#[path = "shipped/dashboard.rs"]
mod dashboard;
#[path = "shipped/sample.rs"]
mod sample;
