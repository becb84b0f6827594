//! Random histories of two hosts, two engines and two guests, held against the invariants.
//!
//! The *truth* (`truth`, `courses`, `orders`) is what really happens: migrations of every ending,
//! as libvirt was seen to do them, and what operators do. Between libvirt's words and each engine
//! comes *trouble* (`steps`): words are lost, doubled, swapped and late, agents die, connections
//! break, ports shut, frames fail, answers take long. What the engines send teaches the *network*,
//! which nothing else does: the guests are silent. The *laws* look on.
//!
//! Each history ends in peace: all that is under way comes to its end, and both agents read libvirt
//! again, twice.
//!
//! ```text
//! LAB_HISTORIES=N   how many; 10,000 where it is not set
//! LAB_SEED=N        the seed of the first; each next is one more
//! ```
//!
//! A failure is made small by leaving out steps, and printed with a recording of each engine that
//! `tests/scenarios.rs` replays.

mod courses;
mod coverage;
mod dice;
mod faults;
mod hearsay;
mod host;
mod laws;
mod network;
mod orders;
mod realm;
mod record;
mod run;
mod steps;
mod truth;

#[path = "../../../tests/replay/mod.rs"]
mod replay;

pub(in crate::engine) use faults::table;

use super::world;
use crate::engine::state::tests::{SIGNALS, STATES};
use crate::engine::{Pacing, Policy};
use crate::model::{GuestId, Ifindex, LinkName};
use coverage::Coverage;
use faults::Plant;
use run::{Failure, histories};

const HOSTS: usize = 2;
const GUESTS: usize = 2;
/// NICs of a guest, at most.
const NICS: usize = 2;

/// The bridge of every tap, and the one link by which it leaves.
const BRIDGE: Option<Ifindex> = Ifindex::new(3);
const UPLINK: u32 = 2;

/// Pacing as it is by default, and as tight as makes frames wait.
const SETTINGS: [(u32, u32, u32); 4] = [(250, 50, 100), (50, 2, 3), (20, 1, 1), (100, 4, 2)];

fn settings(number: usize) -> Policy {
    let (frames_per_second, burst, reserve) = SETTINGS[number];
    let pacing = Pacing {
        frames_per_second,
        burst,
        reserve,
    };
    Policy {
        pacing,
        ..Policy::default()
    }
}

fn guest(index: usize) -> GuestId {
    world::guest(u8::try_from(index).unwrap())
}

fn number(guest: GuestId) -> usize {
    usize::from(guest.octets()[0])
}

/// NICs of this guest.
const fn nics(guest: usize) -> usize {
    guest + 1
}

fn tap(guest: usize, nic: usize) -> LinkName {
    format!("vnet{}", guest * NICS + nic).parse().unwrap()
}

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Cells that no history can reach, with the reason.
const UNREACHABLE: [&str; 0] = [];

fn assert_all_reached(coverage: &Coverage) {
    let mut missing = Vec::new();
    for state in STATES {
        for signal in SIGNALS {
            let cell = coverage::name(state, signal);
            if !coverage.cells.contains_key(&cell) && !UNREACHABLE.contains(&cell.as_str()) {
                missing.push(cell);
            }
        }
    }
    let kinds = coverage::KINDS.iter();
    let unheard = kinds.filter(|&kind| !coverage.events.contains_key(kind));
    missing.extend(unheard.map(|kind| format!("event {kind}")));
    let idle = coverage.laws.iter().filter(|&(_, &met)| met == 0);
    missing.extend(idle.map(|(law, _)| format!("law {law:?}")));
    assert!(missing.is_empty(), "never reached: {missing:#?}");
}

#[test]
fn any_history_of_two_hosts_keeps_every_invariant() {
    let count = from_environment("LAB_HISTORIES").unwrap_or(10_000);
    let seed = from_environment("LAB_SEED").unwrap_or(1);
    match histories(seed, count) {
        Ok(coverage) => {
            println!("{count} histories from seed {seed}: {:#?}", coverage.laws);
            let rarest = coverage.cells.iter().min_by_key(|&(_, count)| count);
            println!("the rarest step: {rarest:?}");
            if count >= 10_000 {
                assert_all_reached(&coverage);
            }
        }
        Err(failure) => panic!("{failure}"),
    }
}

/// Histories within which every planted fault has to be found.
const SOON: u64 = 2_000;

#[test]
fn every_law_finds_the_fault_that_is_planted_for_it() {
    for (plant, law) in Plant::ALL {
        assert!(
            Failure::find(1, SOON, plant, law).is_some(),
            "{plant:?} passes the law {law:?}"
        );
    }
}

#[test]
fn a_law_without_a_fault_planted_for_it_is_not_left() {
    for (law, _) in laws::Judges::all().met() {
        assert!(Plant::ALL.iter().any(|(_, of)| *of == law), "{law}");
    }
}

#[test]
fn a_failure_is_small_and_prints_recordings_that_replay() {
    let plant = Plant::RollbackUnnoticed;
    let failure = Failure::find(1, SOON, plant, "a rollback is announced at once").unwrap();
    let failure = failure.minimised();
    // Time, the migration, and perhaps what brought the guest where it left.
    assert!(failure.steps.len() <= 6, "{failure}");
    let told = failure.to_string();
    let directory = tempfile::tempdir().unwrap();
    let mut compared = 0;
    let mut differ = 0;
    for (name, text) in failure.recordings() {
        assert!(told.contains(&text), "{told}");
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        faults::plant(Some(plant));
        compared += replay::replay(&file).len();
        faults::plant(None);
        // The engine without the fault does something else.
        differ += usize::from(std::panic::catch_unwind(|| replay::replay(&file)).is_err());
    }
    assert!(compared >= 5, "{compared} actions");
    assert_eq!(differ, 1);
}
