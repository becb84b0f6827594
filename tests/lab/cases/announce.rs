//! A silent guest, heard only through macmoved.

use super::{CALLS, ROUNDS_OUT, agents, assert_kept, assert_learned, count, record_medians, ways};
use crate::evidence::{Evidence, Figures, median};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::Expect;

/// How far from its time a round may be, and how long after the arrival the first announcement may
/// come, in the median and in milliseconds: the figure, and what a busy machine is given, or a median
/// of a few. The first arrival at a host takes a few times as long as the next.
const MEDIAN: f64 = 2.0;
const MEDIAN_BUSY: f64 = 20.0;

/// Migrations whose median is held to the figure.
const MANY: usize = 20;

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
    let begins = evidence.migrations.iter().map(|next| next.span.start);
    let ends = begins.skip(1).map(Some).chain([None]);
    for (migration, end) in evidence.migrations.iter().zip(ends) {
        assert_learned(&Figures::of(&evidence, migration, 0));
        let mut after = migration.clone();
        after.span.start = migration.resumed.expect("it was resumed");
        // Up to the next begin: QEMU says STOP once the CPUs stand, a call's time after they did.
        after.span.end = end.unwrap_or(after.span.end);
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
    record_medians(case, &figures);
    let rounds = median(figures.iter().flat_map(Figures::round_distances));
    let first = median(
        figures
            .iter()
            .filter_map(|figures| figures.completed_to_first),
    );
    let bound = if evidence.migrations.len() >= MANY {
        MEDIAN
    } else {
        MEDIAN_BUSY
    };
    for (what, median) in [
        ("rounds off their time", rounds),
        ("arrived to first", first),
    ] {
        assert!(
            median.is_some_and(|median| median < bound),
            "{what}: {median:?} ms"
        );
    }
}

#[test]
fn every_migration_is_announced_whole() {
    let evidence = migrations("whole", &[], count(3, MANY));
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
#[ignore = "each route is tried without a guest, too: in tests/run --full"]
fn the_injection_alone_is_enough() {
    migrations("injection", &["--route", "injection"], 2);
}

#[test]
#[ignore = "each route is tried without a guest, too: in tests/run --full"]
fn the_fdb_route_alone_is_enough() {
    migrations("fdb", &["--route", "fdb"], 2);
}
