//! Guests come, move and go by the ten thousand, and the agent stays as large as it was.

use std::fs;
use std::time::Duration;

use macmoved::emit::{Ledger, RouteChoice};
use macmoved::engine::{Event, Lifecycle, MigrationStatus, Pacing, Policy, Rounds};
use macmoved::model::{GuestId, Ifindex, LinkState, MacAddr, PortState, SendFault};
use macmoved::sys::clock;

use crate::driver::Driver;
use crate::world::{Ear, GUEST, MAC, build, ip, isolated, name, settings};

/// What is taken in: events of libvirt and the kernel, descriptions and stagings.
const EVENTS: u64 = 100_000;

/// After so many the history is full, every address was used and every queue has been as long as it
/// gets: what grows from there on leaks.
const WARM: u64 = 50_000;

/// Addresses that the guests take in turn. Each guest is new, as is its name.
const ADDRESSES: u64 = 300;

/// Until the ledger's thread has nothing left to do, nor open.
const QUIET: Duration = Duration::from_millis(500);

/// One that stays staged all the time, and is announced in the end.
const PATIENT: (GuestId, MacAddr) = (GUEST, MAC);

fn policy() -> Policy {
    Policy {
        rounds: Rounds {
            rounds: 1,
            ..Rounds::default()
        },
        // No guest is to wait here.
        pacing: Pacing {
            frames_per_second: 10_000,
            burst: 10_000,
            reserve: 1_000,
        },
        ..Policy::default()
    }
}

/// The guest number so, and its address.
fn guest(number: u64) -> (GuestId, MacAddr) {
    let mut octets = [0xaa; 16];
    octets[..8].copy_from_slice(&number.to_be_bytes());
    let [.., a, b] = (number % ADDRESSES).to_be_bytes();
    let mac = MacAddr::new([0x52, 0x54, 0x00, 0x50, a, b]);
    (GuestId::new(octets), mac)
}

fn migration(driver: &mut Driver, guest: GuestId, status: MigrationStatus) {
    let at = clock::now();
    driver.handle(Event::Migration {
        guest,
        at,
        stamp: at,
        status,
    });
}

fn stops(driver: &mut Driver, guest: GuestId) {
    let at = clock::now();
    driver.handle(Event::Stopped {
        guest,
        at,
        stamp: at,
    });
}

/// One guest's life on this host.
fn live(driver: &mut Driver, number: u64) {
    let (id, mac) = guest(number);
    let begin = |driver: &mut Driver| {
        driver.guests.insert(id, (mac, "vnet9"));
        driver.says(id, Lifecycle::StartedMigrated);
        driver.until("it is staged", |driver| driver.staged == Some(id));
    };
    match number % 6 {
        // It arrives, is announced, and leaves.
        0 => {
            begin(driver);
            driver.complete(id);
            driver.resume(id);
            driver.until("it is announced", |driver| driver.finished == Some(id));
            migration(driver, id, MigrationStatus::Setup);
            migration(driver, id, MigrationStatus::Active);
            stops(driver, id);
            driver.says(id, Lifecycle::SuspendedMigrated);
            driver.says(id, Lifecycle::StoppedMigrated);
        }
        // It begins to arrive and comes to nothing, staged or not.
        1 => {
            begin(driver);
            driver.says(id, Lifecycle::StoppedFailed);
        }
        2 => {
            driver.says(id, Lifecycle::StartedMigrated);
            driver.says(id, Lifecycle::StoppedFailed);
        }
        // It lives and dies here, before libvirt can describe it.
        _ => {
            driver.says(id, Lifecycle::Defined);
            driver.says(id, Lifecycle::Started);
            for _ in 0..14 {
                driver.says(id, Lifecycle::SuspendedPaused);
                stops(driver, id);
                driver.says(id, Lifecycle::ResumedUnpaused);
            }
            driver.says(id, Lifecycle::Stopped);
            driver.says(id, Lifecycle::Undefined);
        }
    }
    // Its tap comes and goes with it, under a number of its own.
    let mut link = LinkState {
        ifindex: Ifindex::new(1_000 + u32::try_from(number).unwrap()).unwrap(),
        name: name(&format!("tap{number}")),
        present: true,
        up: true,
        carrier: true,
        master: None,
        port: Some(PortState::Forwarding),
    };
    driver.link(Event::Link(link));
    link.present = false;
    driver.link(Event::Link(link));
    driver.guests.remove(&id);
}

/// Anonymous memory of this process, in kilobytes.
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let size = line.unwrap().split_whitespace().nth(1);
    size.unwrap().parse().unwrap()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_hundred_thousand_events_leave_nothing_behind() {
    isolated(
        "soak::a_hundred_thousand_events_leave_nothing_behind",
        || {
            build();
            // In memory, as /run is.
            let directory = tempfile::tempdir_in("/dev/shm").unwrap();
            let settings = settings(RouteChoice::Auto);
            let brake = settings.brake.clone();
            let mut driver = Driver::new(settings, policy());
            driver.ledger = Some(Ledger::start(directory.path().to_owned(), false, brake).unwrap());
            driver.guests.insert(PATIENT.0, (PATIENT.1, "vnet1"));
            driver.begin(PATIENT.0);

            let mut warm = None;
            let mut lives = 0;
            while driver.events < EVENTS {
                live(&mut driver, lives);
                lives += 1;
                if lives.is_multiple_of(500) {
                    // A port of the guests' own bridge shuts and opens, and somebody looks.
                    ip(&["link set guest9 down", "link set guest9 up"]);
                    driver.run(Duration::from_millis(20));
                    driver.until("the port opens", |driver| {
                        driver.hot.engine().snapshot().waiting_frames == 0
                    });
                    driver.metrics.observe(&driver.hot.engine().snapshot());
                    assert!(driver.metrics.render().unwrap().contains("macmove_"));
                }
                if driver.events >= WARM && warm.is_none() {
                    driver.run(QUIET);
                    warm = Some((anonymous(), descriptors()));
                }
            }
            let (memory, open) = warm.unwrap();
            driver.run(QUIET);
            let (memory_then, open_then) = (anonymous(), descriptors());
            println!(
                "{lives} guests, {} events: {memory} kB and {open} descriptors when warm, \
             {memory_then} kB and {open_then} in the end",
                driver.events
            );
            assert!(
                memory_then * 100 <= memory * 105,
                "{memory} -> {memory_then} kB"
            );
            assert_eq!(open_then, open);
            let drops: Vec<_> = driver.metrics.drops().filter(|(_, n)| *n > 0).collect();
            assert_eq!(drops, []);
            assert_eq!(driver.faults(SendFault::Limited), 0);
            let snapshot = driver.hot.engine().snapshot();
            assert_eq!(snapshot.guests.len(), 1, "{:?}", snapshot.guests);
            assert_eq!(snapshot.waiting_frames, 0);

            let mut peer = Ear::at("peer");
            driver.complete(PATIENT.0);
            driver.resume(PATIENT.0);
            assert_eq!(peer.heard_from(PATIENT.1).len(), 2);
        },
    );
}
