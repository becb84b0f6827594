use super::*;
use crate::engine::{GuestPhase, GuestView, Measured, Record};
use crate::metrics::catalog::PHASE_TIMESTAMP;
use crate::model::{Mode, Outcome, Phase, Side, Timestamp};

fn step(phase: Phase, seconds: i64) -> PhaseAt {
    let at_ns = Timestamp::from_nanos(seconds * 1_000_000_000);
    PhaseAt { phase, at_ns }
}

fn record(octet: u8, phases: Vec<PhaseAt>) -> Record {
    Record {
        id: u64::from(octet),
        uuid: GuestId::new([octet; 16]),
        name: GuestName::new(format!("guest-{octet}")),
        side: Side::Destination,
        mode: Mode::Precopy,
        outcome: Outcome::Completed,
        phases,
        measured: Measured::default(),
        peer: None,
    }
}

fn view(octet: u8, phases: Vec<PhaseAt>) -> GuestView {
    GuestView {
        uuid: GuestId::new([octet; 16]),
        name: GuestName::new(format!("guest-{octet}")),
        phase: GuestPhase::Announcing,
        mode: None,
        staged: true,
        round: None,
        macs: Vec::new(),
        addresses: Vec::new(),
        refused: Vec::new(),
        phases,
    }
}

fn shown(snapshots: &[Snapshot]) -> String {
    let registry = Registry::new();
    let phases = Phases::new(&registry, &PHASE_TIMESTAMP).unwrap();
    for snapshot in snapshots {
        phases.show(snapshot);
    }
    let families = phases.undisturbed(|| registry.gather());
    prometheus::TextEncoder::new()
        .encode_to_string(&families)
        .unwrap()
}

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

#[test]
fn a_new_migration_replaces_the_phases_of_the_guests_earlier_one() {
    let earlier = Snapshot {
        history: vec![record(
            1,
            vec![step(Phase::Staged, 10), step(Phase::Relearned, 11)],
        )],
        ..Snapshot::default()
    };
    let present = Snapshot {
        guests: vec![view(1, vec![step(Phase::Staged, 20)])],
        ..earlier.clone()
    };
    assert_eq!(series(&shown(std::slice::from_ref(&earlier))), 2);
    let text = shown(&[earlier, present]);
    assert_eq!(series(&text), 1, "{text}");
    assert!(
        text.contains("phase=\"staged\"") && text.contains("} 20\n"),
        "{text}"
    );
}

#[test]
fn the_newest_64_guests_are_shown() {
    let history: Vec<_> = (0..100)
        .map(|n| record(n, vec![step(Phase::Resumed, i64::from(n))]))
        .collect();
    let text = shown(&[Snapshot {
        history,
        ..Snapshot::default()
    }]);
    assert_eq!(series(&text), 64);
    assert!(
        text.contains("guest-36\"") && !text.contains("guest-35\""),
        "{text}"
    );
}

#[test]
fn names_are_escaped_and_cut() {
    let mut hostile = record(1, vec![step(Phase::Resumed, 1)]);
    hostile.name = GuestName::new(format!("a\"\n\u{1b}[2J\u{202e}{}", "x".repeat(9_000)));
    let text = shown(&[Snapshot {
        history: vec![hostile],
        ..Snapshot::default()
    }]);
    assert_eq!(series(&text), 1, "{text}");
    assert!(
        !text.contains(['\u{1b}', '\u{202e}']) && text.len() < 1_000,
        "{text}"
    );
}
