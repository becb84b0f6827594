//! What is tried in the lab.

mod announce;
mod arrivals;
mod backports;
mod evacuation;
mod failures;
mod hooks;
mod kills;
mod leases;
mod managed;
mod pauses;
mod restart;
mod retractions;
mod silence;

use std::env;
use std::time::Duration;

use crate::evidence::{Evidence, Figures, median};
use crate::lab::{Lab, record};
use crate::oracle::{Expect, Rule, judge};

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
    assert_kept_but(evidence, expect, &[]);
}

/// Fails with every violation that the oracle finds, but of rules that the scene breaks.
#[track_caller]
fn assert_kept_but(evidence: &Evidence, expect: &Expect, broken: &[Rule]) {
    let violations: Vec<_> = judge(evidence, expect)
        .iter()
        .filter(|violation| !broken.contains(&violation.rule))
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

/// Writes down what `tests/run --measure` prints.
fn record_medians(case: &str, figures: &[Figures]) {
    let over = |figure: fn(&Figures) -> Option<f64>| {
        let median = median(figures.iter().filter_map(figure));
        median.map_or_else(|| "-".to_owned(), |millis| format!("{millis:.2} ms"))
    };
    record(&format!(
        "{case}, medians of {} migrations: arrived to first announcement {}, RESUME to first \
         announcement {}, rounds off their time {}, downtime {}, guest stopped to fabric \
         relearned {}; calls lost {}",
        figures.len(),
        over(|figures| figures.completed_to_first),
        over(|figures| figures.resume_to_first),
        over(|figures| median(figures.round_distances())),
        over(|figures| figures.downtime),
        over(|figures| figures.stop_to_relearned),
        figures.iter().map(|figures| figures.lost).sum::<usize>(),
    ));
}
