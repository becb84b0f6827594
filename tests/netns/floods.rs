//! More than a queue holds: what is lost is counted, and the agent is right afterwards.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use macmoved::emit::RouteChoice;
use macmoved::engine::{Event, Lifecycle, Policy, Queue};
use macmoved::listen::libvirt::Hear;
use macmoved::model::GuestId;
use macmoved::observe::links::Links;
use macmoved::sys::clock;

use crate::daemon::{Daemon, NO_LIBVIRT};
use crate::driver::Driver;
use crate::world::{Ear, GUEST, MAC, build, ip, isolated, settings, settle};

fn dropped(driver: &Driver, queue: Queue) -> u64 {
    let drops = driver.metrics.drops().filter(|(of, _)| *of == queue);
    drops.map(|(_, number)| number).sum()
}

#[test]
fn of_links() {
    isolated("floods::of_links", || {
        build();
        ip(&["link add br1 type bridge", "link set br1 up"]);
        let small = || Links::with_buffer(4_096).unwrap();
        let mut driver = Driver::with(settings(RouteChoice::Auto), Policy::default(), small);
        driver.guests.insert(GUEST, (MAC, "vnet1"));
        driver.begin(GUEST);
        for _ in 0..60 {
            ip(&["link set guest9 down", "link set guest9 up"]);
        }
        // Among what the kernel drops is that the guest's tap is elsewhere.
        ip(&["link set vnet1 master br1"]);
        settle();
        driver.until("the loss is counted", |driver| {
            dropped(driver, Queue::Link) > 0
        });
        driver.run(Duration::from_millis(200));
        let [mut here, mut elsewhere] = ["br1", "br0"].map(Ear::at);
        driver.resume(GUEST);
        assert_eq!(here.heard_from(MAC).len(), 1);
        assert_eq!(elsewhere.heard_from(MAC).len(), 0);
    });
}

#[test]
fn of_libvirts_events() {
    isolated("floods::of_libvirts_events", || {
        build();
        let mut driver = Driver::new(settings(RouteChoice::Auto), Policy::default());
        driver.guests.insert(GUEST, (MAC, "vnet1"));
        driver.begin(GUEST);
        let says = |number: u32, change| {
            let mut octets = [0xee; 16];
            octets[..4].copy_from_slice(&number.to_be_bytes());
            Event::Lifecycle {
                guest: GuestId::new(octets),
                at: clock::now(),
                change,
            }
        };
        // Nobody carries out what follows, until there is no room for more of it. What is given
        // back waits in libvirt's queue, whose own bound is counted in its tests.
        let taken = (0..100_000).take_while(|&number| {
            let event = says(number, Lifecycle::StartedMigrated);
            driver.hot.hear(event).is_ok()
        });
        let taken = taken.count();
        assert!((1_000..10_000).contains(&taken), "{taken}");
        driver.run(Duration::from_millis(100));
        for number in 0..u32::try_from(taken).unwrap() {
            driver.handle(says(number, Lifecycle::StoppedFailed));
        }
        driver.run(Duration::from_millis(100));
        assert_eq!(driver.hot.engine().snapshot().guests.len(), 1);
        let mut peer = Ear::at("peer");
        driver.resume(GUEST);
        assert_eq!(peer.heard_from(MAC).len(), 1);
    });
}

#[test]
fn of_guests() {
    isolated("floods::of_guests", || {
        build();
        let mut driver = Driver::new(settings(RouteChoice::Auto), Policy::default());
        driver.guests.insert(GUEST, (MAC, "vnet1"));
        driver.begin(GUEST);
        for number in 0..5_000_u32 {
            let mut octets = [0xee; 16];
            octets[..4].copy_from_slice(&number.to_be_bytes());
            driver.says(GuestId::new(octets), Lifecycle::StartedMigrated);
        }
        // There is room for 4,096.
        assert_eq!(driver.hot.engine().snapshot().guests.len(), 4_096);
        assert_eq!(dropped(&driver, Queue::Guests), 5_001 - 4_096);
        let mut peer = Ear::at("peer");
        driver.resume(GUEST);
        assert_eq!(peer.heard_from(MAC).len(), 1);
    });
}

#[test]
fn of_callers() {
    isolated("floods::of_callers", || {
        ip(&["link set lo up"]);
        let directory = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(directory.path(), NO_LIBVIRT);
        let counted = "macmove_dropped_total{queue=\"control\"}";
        assert_eq!(daemon.metric(counted), "0");
        let socket = directory.path().join("control.sock");
        let callers: Vec<_> = (0..40)
            .map(|_| UnixStream::connect(&socket).unwrap())
            .collect();
        // There is room for 16.
        daemon.wait_for("the surplus", |daemon| daemon.metric(counted) == "24");
        drop(callers);
        daemon.wait_for("an answer", |daemon| {
            daemon.ask(&["status"]).status.success()
        });
        daemon.end("TERM");
    });
}
