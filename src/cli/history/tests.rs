use std::time::Duration;

use super::*;
use crate::engine::PhaseAt;
use crate::model::{GuestName, Phase};

fn record(side: Side, outcome: Outcome) -> Record {
    Record {
        id: 12,
        uuid: "c7a5fdbd-edaf-9455-926a-d65c16db1809".parse().unwrap(),
        name: GuestName::new("db\n".repeat(100)),
        side,
        mode: Mode::Postcopy,
        outcome,
        phases: vec![PhaseAt {
            phase: Phase::Staged,
            at_ns: Timestamp::from_nanos(1_700_000_000_000_000_000),
        }],
        measured: Measured {
            event_to_wire: Some(Duration::from_micros(412)),
            resume_to_wire: None,
            downtime: Some(Duration::from_millis(241)),
            early_frames: 1,
            frames: 5,
            lost_frames: 2,
            rounds: 5,
            latest_fault: Some(SendFault::NoBuffers),
            retractions: 3,
        },
        peer: None,
    }
}

fn shown(records: &[Record]) -> String {
    // By way of JSON, as it comes from the agent.
    let json = serde_json::to_string(records).unwrap();
    let records: Vec<Record> = serde_json::from_str(&json).unwrap();
    HistoryText(&records, Timestamp::from_nanos(1_700_000_060_000_000_000)).to_string()
}

#[test]
fn a_migration_is_a_paragraph() {
    let text = shown(&[record(Side::Destination, Outcome::Completed)]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("#12 db\\ndb\\n"), "{text}");
    assert!(
        lines[0].ends_with("… (c7a5fdbd-edaf-9455-926a-d65c16db1809): arrived here, by postcopy")
    );
    assert_eq!(
        lines[1..],
        [
            "  staged       2023-11-14T22:13:20.000Z (1m ago)",
            "  event to wire 0.412 ms, downtime 241.000 ms",
            "  frames: 1 before it ran, 5 in 5 rounds, 2 LOST (no_buffers)",
            "  addresses retracted: 3",
        ]
    );
}

#[test]
fn every_ending_has_its_own_words() {
    let mut seen = std::collections::BTreeSet::new();
    for side in Side::ALL {
        for outcome in Outcome::ALL {
            let text = shown(&[record(*side, *outcome)]);
            assert!(
                seen.insert(text.lines().next().unwrap().to_owned()),
                "{text}"
            );
        }
    }
    assert_eq!(
        shown(&[]),
        "no migration has ended since macmoved started\n"
    );
}

#[test]
fn a_migration_without_figures_claims_none() {
    let mut bare = record(Side::Source, Outcome::Completed);
    bare.measured = Measured::default();
    assert_eq!(shown(&[bare]).lines().count(), 2);
}
