//! A guest that arrives while what it is plugged into changes: the agent has staged it, and has not
//! yet heard of the change when the guest runs.
//!
//! ```text
//!  the world's  vnet1 - br0 - up0 - p-up - fabric      and beside it  br1 - up1 - p-up1
//! ```

use std::thread;
use std::time::Duration;

use macmoved::emit::RouteChoice;
use macmoved::engine::{Policy, Record, Rounds};
use macmoved::model::SendFault;

use crate::driver::Driver;
use crate::world::{
    Ear, GUEST, MAC, build, guest_talks_at_the_old_host, ip, isolated, settings, settle, sh,
};

/// A way into the network: what is asked for, and whether the guest's port learns.
pub(crate) type Way = (RouteChoice, &'static str);

pub(crate) const WAYS: [Way; 4] = [
    (RouteChoice::Injection, "on"),
    (RouteChoice::Injection, "off"),
    (RouteChoice::Fdb, "on"),
    (RouteChoice::Fdb, "off"),
];

/// Where frames that enter by the guest's tap on br0 are heard.
pub(crate) const ON_BR0: [&str; 6] = ["up0", "fabric", "old", "peer", "guest9", "br0"];

/// Where frames are heard that enter br1.
pub(crate) const ON_BR1: [&str; 3] = ["br1", "up1", "p-up1"];

/// Two rounds, so far apart that much can happen in between: at 0 and at 1,200 ms.
pub(crate) fn policy() -> Policy {
    Policy {
        rounds: Rounds {
            rounds: 2,
            initial: Duration::from_millis(1_200),
            max: Duration::from_millis(1_200),
            step: Duration::ZERO,
        },
        ..Policy::default()
    }
}

/// A guest that has arrived by one way, and ears around it.
pub(crate) struct Scene {
    pub(crate) driver: Driver,
    pub(crate) ears: Vec<Ear>,
}

impl Scene {
    pub(crate) fn new((route, learning): Way) -> Self {
        build();
        ip(&[
            "link add br1 type bridge",
            "link add up1 type veth peer name p-up1",
            "link set up1 master br1",
            "link set br1 up",
            "link set up1 up",
            "link set p-up1 up",
        ]);
        sh(&format!("bridge link set dev vnet1 learning {learning}"));
        settle();
        guest_talks_at_the_old_host();
        let mut driver = Driver::new(settings(route), policy());
        driver.guests.insert(GUEST, (MAC, "vnet1"));
        driver.begin(GUEST);
        let ears = ON_BR0.into_iter().chain(ON_BR1).map(Ear::at).collect();
        Self { driver, ears }
    }

    /// The guest runs; the agent sends before it hears of anything else.
    pub(crate) fn runs(&mut self) {
        self.driver.resume(GUEST);
    }

    /// How many frames each place has heard since the last call, where it has heard any.
    pub(crate) fn heard(&mut self) -> Vec<(String, usize)> {
        let ears = std::mem::take(&mut self.ears);
        let hearing = ears.into_iter().map(|mut ear| {
            thread::spawn(move || {
                let frames = ear.heard_from(MAC).len();
                (ear, frames)
            })
        });
        let mut all = Vec::new();
        for ear in hearing.collect::<Vec<_>>() {
            let (ear, frames) = ear.join().unwrap();
            all.extend((frames > 0).then(|| (format!("{ear:?}"), frames)));
            self.ears.push(ear);
        }
        all
    }

    pub(crate) fn takes_down(self) {
        drop(self);
        for link in ["fabric", "br0", "br1", "old", "peer", "up0", "up1", "vnet9"] {
            ip(&[&format!("link del {link}")]);
        }
        for link in ["vnet1", "guest1", "tap7"] {
            sh(&format!("ip link del {link} 2>/dev/null || true"));
        }
    }
}

/// So many frames at each of these places.
pub(crate) fn at<const N: usize>(places: [&str; N], frames: usize) -> Vec<(String, usize)> {
    places.map(|place| (place.to_owned(), frames)).into()
}

/// Plays a scene in every way, in a network namespace of its own.
pub(crate) fn each_way(test: &str, body: fn(&mut Scene, Way)) {
    isolated(test, || {
        for way in WAYS {
            let mut scene = Scene::new(way);
            body(&mut scene, way);
            scene.takes_down();
        }
    });
}

/// Frames that left, frames that were lost, and the latest reason.
pub(crate) fn balance(record: &Record) -> (u32, u32, Option<SendFault>) {
    let measured = record.measured;
    assert_eq!(measured.early_frames, 0);
    (measured.frames, measured.lost_frames, measured.latest_fault)
}
