//! A silent guest, heard only through macmoved.

use super::{CALLS, ROUNDS_OUT, agents, assert_kept, assert_learned, count, ways};
use crate::evidence::{Evidence, Figures, median};
use crate::lab::{Guest, Lab, pause, record};
use crate::oracle::Expect;

/// How far from its time a round may be, and how long after the arrival the first announcement may
/// come, in the median and in milliseconds: the figure, and what a busy machine is given.
const MEDIAN: f64 = 2.0;
const MEDIAN_BUSY: f64 = 20.0;

/// Migrates back and forth and holds every migration to the invariants and to reachability.
fn migrations(case: &str, options: &[&str], times: usize) -> Evidence {
    let lab = Lab::up(case, 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    agents(&lab, "", options);
    let evidence = lab.capture("migrations", || {
        let calls = lab.call(&guest, 0, CALLS);
        for (from, to) in ways().take(times) {
            lab.migrate(&guest, from, to, &[]);
            pause(ROUNDS_OUT);
        }
        drop(calls);
    });
    assert_kept(&evidence, &Expect::default());
    assert_eq!(evidence.migrations.len(), times);
    for migration in &evidence.migrations {
        assert_learned(&Figures::of(&evidence, migration, 0));
        let mut after = migration.clone();
        after.span.start = migration.resumed.expect("it was resumed");
        let figures = Figures::of(&evidence, &after, 0);
        assert!(figures.requests > 50, "{figures:?}");
        assert_eq!(
            figures.lost, 0,
            "calls after RESUME without an answer: {figures:?}"
        );
    }
    medians(case, &evidence);
    evidence
}

/// Holds the medians to their bounds and writes them down.
fn medians(case: &str, evidence: &Evidence) {
    let figures: Vec<_> = evidence
        .migrations
        .iter()
        .map(|migration| Figures::of(evidence, migration, 0))
        .collect();
    let rounds = figures.iter().flat_map(|figures| &figures.round_errors);
    let rounds = median(rounds.map(|error| error.abs()).collect()).expect("rounds");
    let first = figures
        .iter()
        .filter_map(|figures| figures.completed_to_first);
    let first = median(first.collect()).expect("first announcements");
    let over = |figure: fn(&Figures) -> Option<f64>| {
        let all = figures.iter().filter_map(figure).collect();
        median(all).map_or_else(|| "-".to_owned(), |millis| format!("{millis:.2} ms"))
    };
    record(&format!(
        "{case}, {} migrations, medians: arrived to first announcement {first:.2} ms; RESUME to \
         first announcement {}; rounds off their time {rounds:.2} ms; downtime {}; guest stopped \
         to fabric relearned {}; calls lost {}",
        figures.len(),
        over(|figures| figures.resume_to_first),
        over(|figures| figures.downtime),
        over(|figures| figures.stop_to_relearned),
        figures.iter().map(|figures| figures.lost).sum::<usize>(),
    ));
    let bound = if count(0, 1) == 1 {
        MEDIAN
    } else {
        MEDIAN_BUSY
    };
    assert!(
        rounds < bound,
        "rounds are {rounds} ms off their time in the median"
    );
    assert!(
        first < bound,
        "the first announcement takes {first} ms in the median"
    );
}

#[test]
fn every_migration_is_announced_whole() {
    let evidence = migrations("whole", &[], count(3, 20));
    let early = evidence.migrations.iter().filter(|migration| {
        let first = evidence.announcements(migration, 0).next();
        first.map(|frame| frame.at) < migration.resumed
    });
    assert!(
        early.count() > 0,
        "an announcement goes once the guest has arrived, before RESUME"
    );
}

#[test]
fn the_injection_alone_is_enough() {
    migrations("injection", &["--route", "injection"], 2);
}

#[test]
fn the_fdb_route_alone_is_enough() {
    migrations("fdb", &["--route", "fdb"], 2);
}
