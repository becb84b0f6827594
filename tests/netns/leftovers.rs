//! What frames leave behind in bridges, and what of it is taken back.

use std::path::Path;
use std::sync::Arc;

use macmoved::emit::{Ledger, RouteChoice};
use macmoved::engine::{Event, GuestFacts, Round, RunState};
use macmoved::model::{GuestName, MacAddr};
use macmoved::wire::Frame;

use crate::world::{
    GUEST, MAC, Rig, build, entry, guest_talks_at_the_old_host, ip, isolated, port_of, probe, send,
    settle, sh,
};

const ROUTES: [RouteChoice; 2] = [RouteChoice::Injection, RouteChoice::Fdb];
const NEIGHBOUR: MacAddr = MacAddr::new([0x52, 0x54, 0x00, 0xaa, 0xbb, 0x09]);

pub(crate) fn ledger(directory: &Path) -> Ledger {
    Ledger::start(directory.to_owned(), false, Arc::default()).unwrap()
}

/// Runs what awaits the ledger.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Writes down what the rig's guest may leave, as the driver does before it may fire.
pub(crate) fn record(ledger: &mut Ledger, rig: &Rig) {
    let leftovers = rig.emitter.prepared(GUEST).unwrap().leftovers();
    assert!(!leftovers.is_empty());
    // A busy machine may take longer over it than a guest waits.
    let mut tries = 0..50;
    wait(async {
        while !ledger.record(GUEST, leftovers.clone()).await {
            assert!(tries.next().is_some());
        }
    });
}

/// The lines of `bridge fdb show` about the guest.
pub(crate) fn shown(of: &str) -> Vec<String> {
    let table = sh(&format!("bridge fdb show {of}"));
    let lines = table
        .lines()
        .filter(|line| line.starts_with(&MAC.to_string()));
    lines.map(str::to_owned).collect()
}

/// Settles, ends, and returns how many entries were taken back.
pub(crate) fn settle_up(mut ledger: Ledger, stays: bool) -> u64 {
    ledger.settle(GUEST, stays);
    finish(ledger)
}

fn finish(mut ledger: Ledger) -> u64 {
    wait(async {
        let mut total = 0;
        let quiet = std::time::Duration::from_millis(400);
        while let Ok(event) = tokio::time::timeout(quiet, ledger.next()).await {
            let Event::Ledger { undone, faults: 0 } = event else {
                panic!("{event:?}");
            };
            total += undone;
        }
        ledger.close().await;
        total
    })
}

#[test]
fn the_entry_of_a_guest_that_does_not_stay_is_taken_back() {
    isolated(
        "leftovers::the_entry_of_a_guest_that_does_not_stay_is_taken_back",
        || {
            build();
            let directory = tempfile::tempdir().unwrap();
            for (route, learning) in [
                (ROUTES[0], "on"),
                (ROUTES[0], "off"),
                (ROUTES[1], "on"),
                (ROUTES[1], "off"),
            ] {
                sh(&format!("bridge link set dev vnet1 learning {learning}"));
                for stays in [true, false] {
                    guest_talks_at_the_old_host();
                    send("guest9", &probe(NEIGHBOUR, MacAddr::BROADCAST));
                    let mut ledger = ledger(directory.path());
                    let mut rig = Rig::staged(route);
                    record(&mut ledger, &rig);
                    assert!(directory.path().join("state").exists());
                    rig.fire(Round::Scheduled(1)).unwrap();
                    settle();
                    assert_eq!(port_of("br0", MAC).as_deref(), Some("vnet1"));
                    let undone = settle_up(ledger, stays);
                    let case = format!("{route:?} learning {learning} stays {stays}");
                    assert_eq!(undone, u64::from(!stays), "{case}");
                    let after = stays.then(|| "vnet1".to_owned());
                    assert_eq!(port_of("br0", MAC), after, "{case}");
                    assert_eq!(
                        port_of("br0", NEIGHBOUR).as_deref(),
                        Some("vnet9"),
                        "{case}"
                    );
                    assert!(!directory.path().join("state").exists(), "{case}");
                    sh(&format!(
                        "bridge fdb del {MAC} dev vnet1 master 2>/dev/null || true"
                    ));
                }
            }
        },
    );
}

#[test]
fn what_is_not_ours_stays() {
    isolated("leftovers::what_is_not_ours_stays", || {
        build();
        let directory = tempfile::tempdir().unwrap();
        let cases = [
            ("vnet1", "static"),
            ("vnet1", "permanent"),
            ("vnet1", "dynamic sticky"),
            ("vnet1", "dynamic extern_learn"),
            // Where it belongs, by now.
            ("up0", "dynamic"),
            ("vnet9", "dynamic"),
        ];
        for (port, words) in cases {
            let mut ledger = ledger(directory.path());
            let rig = Rig::staged(RouteChoice::Injection);
            record(&mut ledger, &rig);
            sh(&format!(
                "bridge fdb replace {MAC} dev {port} master {words}"
            ));
            let before = shown("br br0");
            assert_eq!(settle_up(ledger, false), 0, "{port} {words}");
            let after = shown("br br0");
            assert_eq!(before, after, "{port} {words}");
            sh(&format!("bridge fdb del {MAC} dev {port} master"));
        }
        // The tap's own filter is no entry of the bridge.
        let mut ledger = ledger(directory.path());
        let mut rig = Rig::staged(RouteChoice::Injection);
        record(&mut ledger, &rig);
        rig.fire(Round::Scheduled(1)).unwrap();
        sh(&format!("bridge fdb add {MAC} dev vnet1 self"));
        assert_eq!(settle_up(ledger, false), 1);
        let left = shown("dev vnet1");
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(
            left[0].contains("self") && !left[0].contains("master"),
            "{left:?}"
        );
    });
}

#[test]
fn a_port_that_is_another_by_now_is_left_alone() {
    isolated(
        "leftovers::a_port_that_is_another_by_now_is_left_alone",
        || {
            let changes: [&[&str]; 4] = [
                &[
                    "link set vnet1 down",
                    "link set vnet1 name tap7",
                    "link set tap7 up",
                ],
                &[
                    "link add br1 type bridge",
                    "link set br1 up",
                    "link set vnet1 master br1",
                ],
                &["link set vnet1 type bridge_slave locked on"],
                &["link del vnet1"],
            ];
            for change in changes {
                build();
                let directory = tempfile::tempdir().unwrap();
                let mut ledger = ledger(directory.path());
                let mut rig = Rig::staged(RouteChoice::Fdb);
                record(&mut ledger, &rig);
                rig.fire(Round::Scheduled(1)).unwrap();
                ip(change);
                settle();
                // As the other guest that has it now would have it.
                let links = sh("ip -o link show");
                for port in ["vnet1", "tap7"] {
                    if links.contains(&format!(" {port}@")) {
                        sh(&format!(
                            "bridge fdb replace {MAC} dev {port} master dynamic"
                        ));
                    }
                }
                let before = shown("");
                assert_eq!(settle_up(ledger, false), 0, "{change:?}");
                let after = shown("");
                assert_eq!(before, after, "{change:?}");
                assert!(!directory.path().join("state").exists());
                for link in ["fabric", "br0", "old", "peer", "up0", "vnet9"] {
                    ip(&[&format!("link del {link}")]);
                }
                for link in ["vnet1", "tap7", "br1"] {
                    sh(&format!("ip link del {link} 2>/dev/null || true"));
                }
            }
        },
    );
}

#[test]
fn a_successor_takes_back_what_a_killed_agent_left() {
    isolated(
        "leftovers::a_successor_takes_back_what_a_killed_agent_left",
        || {
            build();
            for (state, undone) in [
                (None, 1),
                (Some(RunState::Off), 1),
                (Some(RunState::Running), 0),
                (Some(RunState::PausedMigration), 0),
            ] {
                let directory = tempfile::tempdir().unwrap();
                let mut killed = ledger(directory.path());
                let mut rig = Rig::staged(RouteChoice::Fdb);
                record(&mut killed, &rig);
                rig.fire(Round::Early).unwrap();
                // An end without a word to settle is what a kill leaves.
                wait(killed.close());
                assert_eq!(entry("br0", MAC).unwrap().0, "vnet1");

                let mut successor = ledger(directory.path());
                let facts = |state| GuestFacts {
                    guest: GUEST,
                    name: GuestName::default(),
                    state,
                };
                successor.listed(&state.map(facts).into_iter().collect::<Vec<_>>());
                assert_eq!(finish(successor), undone, "{state:?}");
                assert_eq!(entry("br0", MAC).is_none(), undone == 1, "{state:?}");
                let unclear = state == Some(RunState::PausedMigration);
                assert_eq!(
                    directory.path().join("state").exists(),
                    unclear,
                    "{state:?}"
                );
            }
        },
    );
}

/// What libvirt's `macTableManager='libvirt'` makes: a static entry on a port that does not learn.
/// It follows the guest's announcement to the uplink, and would stay there for ever.
#[test]
fn a_static_entry_that_followed_its_guest_to_the_uplink_ages_and_no_other_does() {
    isolated(
        "leftovers::a_static_entry_that_followed_its_guest_to_the_uplink_ages_and_no_other_does",
        || {
            build();
            let others = [
                "fdb replace 52:54:00:00:00:01 dev up0 master static",
                "fdb replace 52:54:00:00:00:02 dev up0 master dynamic extern_learn",
                "fdb replace 52:54:00:00:00:03 dev up0 master static sticky",
                "fdb replace 52:54:00:00:00:04 dev vnet9 master static",
            ];
            for entry in others {
                sh(&format!("bridge {entry}"));
            }
            let directory = tempfile::tempdir().unwrap();
            for managed in [true, false] {
                sh("ip link del vnet1 2>/dev/null || true");
                ip(&[
                    "link add vnet1 type veth peer name guest1",
                    "link set vnet1 master br0 up",
                    "link set guest1 up",
                ]);
                settle();
                sh("bridge link set dev vnet1 learning off flood off");
                sh(&format!(
                    "bridge fdb del {MAC} dev up0 master 2>/dev/null || true"
                ));
                let home = if managed { "vnet1" } else { "up0" };
                sh(&format!(
                    "bridge fdb replace {MAC} dev {home} master static"
                ));
                let mut ledger = ledger(directory.path());
                let mut rig = Rig::new(crate::world::settings(RouteChoice::Injection));
                let mut prepared = rig.stage(&crate::world::plan("vnet1"));
                rig.emitter.locate(&mut prepared);
                rig.emitter.insert(prepared);
                record(&mut ledger, &rig);
                // The destination announces the guest, and the tap goes.
                send("old", &Frame::rarp(MAC, None).to_vec());
                settle();
                let (port, words) = entry("br0", MAC).unwrap();
                assert_eq!(port, "up0");
                assert!(words.contains("static"), "{words}");
                let before = others_entries();
                assert!(before.len() >= 4, "{before:?}");
                sh("ip link del vnet1");
                let undone = settle_up(ledger, false);
                assert_eq!(undone, u64::from(managed));
                let (port, words) = entry("br0", MAC).unwrap();
                assert_eq!(port, "up0");
                // What the operator put there stays as it is.
                assert_eq!(!words.contains("static"), managed, "{words}");
                assert_eq!(others_entries(), before);
            }
        },
    );
}

/// Every entry of the bridge that is not about the guest, nor of its tap.
fn others_entries() -> Vec<String> {
    let table = sh("bridge fdb show br br0");
    let of_guest = |line: &&str| line.contains(&MAC.to_string()) || line.contains("vnet1");
    let others = table.lines().filter(|line| !of_guest(line));
    others.map(str::to_owned).collect()
}
