use std::fs;
use std::path::Path;

use super::*;
use crate::model::{GuestName, Ifindex, MacAddr};

const GUEST: GuestId = GuestId::new([7; 16]);
const OTHER: GuestId = GuestId::new([8; 16]);

/// An entry of a port that no host has: taking it back ends at that.
fn leftovers() -> BTreeSet<Leftover> {
    BTreeSet::from([Leftover {
        port: Ifindex::new(0x7fff_fff0).unwrap(),
        name: "vnet5".parse().unwrap(),
        bridge: Ifindex::new(5).unwrap(),
        mac: MacAddr::new([0x52, 0x54, 0, 0, 0, 1]),
        vlan: None,
        fixed: false,
    }])
}

fn written(directory: &Path) -> Vec<GuestId> {
    let mut file = StateFile::new(directory.to_owned());
    let entries = file.load().unwrap();
    entries.into_iter().map(|(guest, _)| guest).collect()
}

fn start(directory: &Path) -> Ledger {
    Ledger::start(directory.to_owned(), false, Arc::default()).unwrap()
}

/// Writes an entry down; a busy machine may take longer over that than a guest waits.
async fn record(ledger: &mut Ledger, guest: GuestId) {
    let mut tries = 0..50;
    while !ledger.record(guest, leftovers()).await {
        assert!(tries.next().is_some());
    }
}

fn facts(guest: GuestId, state: RunState) -> GuestFacts {
    GuestFacts {
        guest,
        name: GuestName::default(),
        state,
    }
}

#[tokio::test]
async fn an_entry_is_written_down_before_and_struck_out_after() {
    let directory = tempfile::tempdir().unwrap();
    for stays in [true, false] {
        let mut ledger = start(directory.path());
        record(&mut ledger, GUEST).await;
        record(&mut ledger, OTHER).await;
        assert_eq!(written(directory.path()), [GUEST, OTHER]);
        ledger.settle(GUEST, stays);
        ledger.settle(OTHER, stays);
        ledger.close().await;
        assert_eq!(written(directory.path()), []);
    }
}

#[tokio::test]
async fn a_guest_that_is_staged_anew_waits_until_its_old_entries_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = start(directory.path());
    record(&mut ledger, GUEST).await;
    ledger.settle(GUEST, false);
    record(&mut ledger, GUEST).await;
    assert_eq!(written(directory.path()), [GUEST]);
    ledger.settle(GUEST, true);
    ledger.close().await;
    assert_eq!(written(directory.path()), []);
}

#[tokio::test]
async fn what_a_killed_agent_left_is_settled_by_libvirts_list() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = start(directory.path());
    record(&mut ledger, GUEST).await;
    record(&mut ledger, OTHER).await;
    // An end without a word to settle is what a kill leaves.
    ledger.close().await;
    assert_eq!(written(directory.path()), [GUEST, OTHER]);

    let mut ledger = start(directory.path());
    ledger.listed(&[facts(OTHER, RunState::PausedMigration)]);
    ledger.close().await;
    assert_eq!(written(directory.path()), [OTHER]);

    let mut ledger = start(directory.path());
    ledger.listed(&[facts(OTHER, RunState::Running)]);
    ledger.close().await;
    assert_eq!(written(directory.path()), []);
}

#[tokio::test]
async fn a_dry_run_judges_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = start(directory.path());
    record(&mut ledger, GUEST).await;
    ledger.close().await;
    let mut ledger = Ledger::start(directory.path().to_owned(), true, Arc::default()).unwrap();
    ledger.listed(&[]);
    record(&mut ledger, OTHER).await;
    ledger.settle(OTHER, false);
    ledger.close().await;
    assert_eq!(written(directory.path()), [GUEST]);
}

#[tokio::test]
async fn in_a_pause_nothing_is_taken_back_and_nothing_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let brake = Arc::new(Brake::default());
    brake.set_paused(true);
    let start = || Ledger::start(directory.path().to_owned(), false, Arc::clone(&brake)).unwrap();
    let mut ledger = start();
    record(&mut ledger, GUEST).await;
    ledger.settle(GUEST, false);
    record(&mut ledger, GUEST).await;
    ledger.settle(GUEST, false);
    ledger.close().await;
    assert_eq!(written(directory.path()), [GUEST]);
    let mut ledger = start();
    ledger.listed(&[]);
    record(&mut ledger, OTHER).await;
    assert_eq!(written(directory.path()), [OTHER, GUEST]);
    brake.set_paused(false);
    let mut left = 100;
    while written(directory.path()) != [OTHER] {
        assert!(left > 0);
        left -= 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_ledger_that_cannot_be_kept_is_a_fault_and_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let blocked = directory.path().join("blocked");
    fs::write(&blocked, "a file").unwrap();
    let mut ledger = start(&blocked);
    record(&mut ledger, GUEST).await;
    let mut faults = 0;
    while faults < 2 {
        let Event::Ledger {
            undone: 0,
            faults: more,
        } = ledger.next().await
        else {
            panic!("something else");
        };
        faults += more;
    }
    assert_eq!(faults, 2, "reading and writing");
}

#[tokio::test]
async fn orders_beyond_the_queue_are_dropped_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = start(directory.path());
    let (orders, queue) = mpsc::channel(1);
    let real = std::mem::replace(&mut ledger.orders, orders);
    ledger.settle(GUEST, true);
    ledger.settle(GUEST, true);
    assert!(!ledger.record(GUEST, leftovers()).await);
    let expected = Event::Dropped {
        queue: Queue::Ledger,
        count: 2,
    };
    assert_eq!(ledger.next().await, expected);
    drop((real, queue));
}
