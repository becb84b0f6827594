//! Many guests at once.

use std::thread;

use super::{ROUNDS_OUT, agents, assert_kept, assert_learned};
use crate::evidence::{Evidence, Figures};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::{Expect, Pacing};

/// Guests that leave at once.
const GUESTS: u8 = 10;

fn start(lab: &Lab, guests: &[Guest]) {
    thread::scope(|scope| {
        for guest in guests {
            scope.spawn(|| lab.start(guest, "a"));
        }
    });
}

fn leave(lab: &Lab, guests: &[Guest]) {
    thread::scope(|scope| {
        for guest in guests {
            scope.spawn(|| lab.migrate(guest, "a", "b", &[]));
        }
    });
}

#[track_caller]
fn assert_all_learned(evidence: &Evidence, guests: &[Guest]) {
    assert_eq!(evidence.migrations.len(), guests.len());
    for migration in &evidence.migrations {
        assert_learned(&Figures::of(evidence, migration, 0));
    }
}

#[test]
fn ten_guests_at_once_are_each_announced_whole() {
    let lab = Lab::up("evacuation", 2);
    let guests: Vec<_> = (1..=GUESTS).map(Guest::silent).collect();
    start(&lab, &guests);
    agents(&lab, "", &[]);
    let evidence = lab.capture("migrations", || {
        leave(&lab, &guests);
        pause(2 * ROUNDS_OUT);
    });
    // Ten emulated guests keep a small machine busy: how late anything is says little here.
    let expect = Expect {
        tolerance: 1_000.0,
        first_within: 500.0,
        pacing: Some(Pacing {
            frames_per_second: 350.0,
            burst: 150.0,
        }),
        ..Expect::default()
    };
    assert_kept(&evidence, &expect);
    assert_all_learned(&evidence, &guests);
}

#[test]
#[ignore = "ten guests once more: in tests/run --full"]
fn under_slow_pacing_first_frames_go_before_repeats_and_an_eleventh_does_not_wait() {
    let lab = Lab::up("slow-pacing", 2);
    let guests: Vec<_> = (1..=GUESTS + 1).map(Guest::silent).collect();
    let (ten, eleventh) = guests.split_at(usize::from(GUESTS));
    start(&lab, &guests);
    let pacing = "[pacing]\nframes_per_second = 20\nburst = 2\nreserve = 15\n";
    agents(&lab, pacing, &[]);
    let evidence = lab.capture("migrations", || {
        leave(&lab, ten);
        leave(&lab, eleventh);
        // Sixty-six frames at twenty a second.
        pause(5_000);
    });
    let expect = Expect {
        tolerance: 5_000.0,
        // With eleven emulated guests libvirtd tells of an arrival up to 0.7 s late.
        first_within: 1_500.0,
        pacing: Some(Pacing {
            frames_per_second: 35.0,
            burst: 17.0,
        }),
        ..Expect::default()
    };
    assert_kept(&evidence, &expect);
    assert_all_learned(&evidence, &guests);
}
