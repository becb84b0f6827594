//! What is tried in the lab.

mod announce;
mod arrivals;
mod evacuation;
mod silence;

use std::env;
use std::time::Duration;

use crate::evidence::{Evidence, Figures};
use crate::lab::Lab;
use crate::oracle::{Expect, judge};

/// Between the peer's calls: more than one in any downtime.
const CALLS: Duration = Duration::from_millis(10);

/// After RESUME, in milliseconds: all rounds are out.
const ROUNDS_OUT: u64 = 1_000;

/// `full` in a run that accepts a release, else `quick`.
fn count(quick: usize, full: usize) -> usize {
    if env::var_os("LAB_FULL").is_some() {
        full
    } else {
        quick
    }
}

/// The ways there and back.
fn ways() -> impl Iterator<Item = (&'static str, &'static str)> {
    [("a", "b"), ("b", "a")].into_iter().cycle()
}

/// Starts the agent on both hosts.
fn agents(lab: &Lab, configuration: &str, options: &[&str]) {
    lab.agent("a", configuration, options);
    lab.agent("b", configuration, options);
}

/// Fails with every violation that the oracle finds.
#[track_caller]
fn assert_kept(evidence: &Evidence, expect: &Expect) {
    let violations: Vec<_> = judge(evidence, expect)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

/// Fails unless the fabric and both bridges learned of the migration.
#[track_caller]
fn assert_learned(figures: &Figures) {
    let learned = [
        figures.stop_to_relearned,
        figures.stop_to_source_learned,
        figures.stop_to_destination_learned,
    ];
    assert!(
        learned.iter().all(Option::is_some),
        "not learned everywhere: {figures:?}"
    );
}
