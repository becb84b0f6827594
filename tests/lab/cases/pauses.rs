//! Paused, in each of the three ways: the agents hear all and tell all, and nothing of theirs leaves.

use macmoved::engine::Record;
use macmoved::model::{Outcome, Phase, SendFault, Side};

use super::retractions::{KNOWN, known};
use super::{ROUNDS_OUT, agents, assert_kept, assert_learned, count, ways};
use crate::evidence::{Evidence, Figures, guest_mac};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::Expect;

/// Frames of a migration: the early one and five rounds.
const FRAMES: u32 = 6;

const HOSTS: [&str; 2] = ["a", "b"];

/// A way to pause an agent and to let it go on.
struct Way {
    name: &'static str,
    pull: &'static [&'static str],
    loosen: &'static [&'static str],
    /// What `status` then says of the brakes.
    says: &'static str,
    /// What the history says of the frames; in a dry run they went, as far as that goes.
    fault: Option<SendFault>,
}

const WAYS: [Way; 3] = [
    Way {
        name: "order",
        pull: &[env!("CARGO_BIN_EXE_macmovectl"), "pause"],
        loosen: &[env!("CARGO_BIN_EXE_macmovectl"), "resume"],
        says: "\"paused_by\":\"command\"",
        fault: Some(SendFault::Paused),
    },
    // Beside the configuration, as /etc/macmoved/paused is.
    Way {
        name: "file",
        pull: &["touch", "/run/paused"],
        loosen: &["rm", "/run/paused"],
        says: "\"paused_by\":\"file\"",
        fault: Some(SendFault::Paused),
    },
    // By a reload: after a restart a guest that nobody announced would be noticed.
    Way {
        name: "dry-run",
        pull: &["sh", "-c", DRY_RUN, "sh", "true"],
        loosen: &["sh", "-c", DRY_RUN, "sh", "false"],
        says: "\"dry_run\":true",
        fault: None,
    },
];

const DRY_RUN: &str = r#"
    sed -i -e '/^dry_run/d' -e "1i dry_run = $1" /run/macmoved.toml
    kill -HUP "$(cat /run/macmoved.pid)"
"#;

/// Pulls or loosens the brake on both hosts, and waits until it does, or does not, hold.
fn brake(lab: &Lab, way: &Way, words: &[&str], holds: bool) {
    for host in HOSTS {
        lab.host(host, words);
        let mut tries = 0..100;
        while status(lab, host).contains(way.says) != holds {
            assert!(
                tries.next().is_some(),
                "{}: {}",
                way.name,
                status(lab, host)
            );
            pause(100);
        }
    }
}

fn status(lab: &Lab, host: &str) -> String {
    let status = lab.ctl(host, &["status", "--json"]);
    status.split_whitespace().collect()
}

/// The latest `number` records of a host, once it has `total`.
fn records(lab: &Lab, host: &str, total: usize, number: usize) -> Vec<Record> {
    let mut tries = 0..100;
    loop {
        let told = lab.ctl(host, &["history", "--limit", "256", "--json"]);
        let mut records: Vec<Record> = serde_json::from_str(&told).expect("records");
        if records.len() >= total {
            assert_eq!(records.len(), total, "{told}");
            records.sort_by_key(|record| record.id);
            return records.split_off(total - number);
        }
        assert!(tries.next().is_some(), "{host} does not tell all: {told}");
        pause(100);
    }
}

/// Not a frame of the guest's anywhere, and no bridge that learned or was told where it is.
fn assert_nothing(evidence: &Evidence) {
    assert_kept(evidence, &Expect::silence());
    let mac = guest_mac(0, 1);
    let frame = evidence.frames.iter().find(|frame| frame.source == mac);
    assert!(frame.is_none(), "{frame:?}");
    let change = evidence
        .fdb
        .iter()
        .find(|change| change.mac == mac && !change.gone);
    assert!(change.is_none(), "{change:?}");
}

/// One record tells a whole migration of which no frame was to leave.
fn assert_told(record: &Record, way: &Way) {
    assert_eq!(record.outcome, Outcome::Completed, "{record:?}");
    let reached = |phase| record.phases.iter().any(|step| step.phase == phase);
    let measured = record.measured;
    if record.side == Side::Source {
        assert!(reached(Phase::Switchover), "{record:?}");
        assert!(measured.downtime.is_some(), "{record:?}");
        return;
    }
    for phase in [Phase::Staged, Phase::Resumed] {
        assert!(reached(phase), "{record:?}");
    }
    let (lost, left) = match way.fault {
        Some(_) => (FRAMES, 0),
        None => (0, FRAMES),
    };
    assert_eq!(measured.latest_fault, way.fault, "{record:?}");
    assert_eq!(measured.lost_frames, lost, "{record:?}");
    assert_eq!(measured.early_frames + measured.frames, left, "{record:?}");
    assert_eq!(reached(Phase::Announced), left > 0, "{record:?}");
}

#[test]
fn paused_agents_tell_every_migration_and_send_nothing() {
    let lab = Lab::up("pauses", 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    agents(&lab, KNOWN, &[]);
    let mut journey = ways();
    let mut total = 0;
    for way in &WAYS {
        let times = count(1, 10);
        brake(&lab, way, way.pull, true);
        let evidence = lab.capture(&format!("{}-paused", way.name), || {
            for (from, to) in journey.by_ref().take(times) {
                lab.migrate(&guest, from, to, &[]);
                pause(ROUNDS_OUT);
            }
        });
        assert_eq!(evidence.migrations.len(), times);
        assert_nothing(&evidence);
        total += times;
        for host in HOSTS {
            for record in records(&lab, host, total, times) {
                assert_told(&record, way);
            }
        }

        let evidence = lab.capture(&format!("{}-over", way.name), || {
            brake(&lab, way, way.loosen, false);
            pause(ROUNDS_OUT);
        });
        // What arrived in a pause is not announced after it.
        assert_nothing(&evidence);

        let evidence = lab.capture(&format!("{}-after", way.name), || {
            for (from, to) in journey.by_ref().take(2) {
                lab.migrate(&guest, from, to, &[]);
                pause(ROUNDS_OUT);
            }
        });
        total += 2;
        assert_kept(&evidence, &known());
        // The first may have gone where the network still had the guest.
        assert_learned(&Figures::of(&evidence, &evidence.migrations[1], 0));
        for host in HOSTS {
            let last = records(&lab, host, total, 2);
            let whole = |record: &Record| record.measured.latest_fault.is_none();
            assert!(last.iter().all(whole), "{last:?}");
        }
    }
}
