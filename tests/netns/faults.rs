//! Interfaces that change between a plan and its frames, through the real hot path: the agent has
//! staged the guest and has not yet heard of the change when the guest runs.
//!
//! ```text
//!  the world's  vnet1 - br0 - up0 - p-up - fabric      and beside it  br1 - up1 - p-up1
//! ```

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use macmoved::emit::RouteChoice;
use macmoved::engine::{Policy, Record, Rounds};
use macmoved::model::SendFault;

use crate::driver::Driver;
use crate::world::{
    Ear, GUEST, MAC, build, guest_talks_at_the_old_host, ip, isolated, peer_reaches_guest, port_of,
    settings, settle, sh,
};

/// A way into the network: what is asked for, and whether the guest's port learns.
type Way = (RouteChoice, &'static str);

const WAYS: [Way; 4] = [
    (RouteChoice::Injection, "on"),
    (RouteChoice::Injection, "off"),
    (RouteChoice::Fdb, "on"),
    (RouteChoice::Fdb, "off"),
];

/// Where frames that enter by the guest's tap on br0 are heard.
const ON_BR0: [&str; 6] = ["up0", "fabric", "old", "peer", "guest9", "br0"];

/// Where frames are heard that enter br1.
const ON_BR1: [&str; 3] = ["br1", "up1", "p-up1"];

/// Two rounds, so far apart that much can happen in between: at 0 and at 1,200 ms.
fn policy() -> Policy {
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
struct Scene {
    driver: Driver,
    ears: Vec<Ear>,
}

impl Scene {
    fn new((route, learning): Way) -> Self {
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
    fn runs(&mut self) {
        self.driver.resume(GUEST);
    }

    /// How many frames each place has heard since the last call, where it has heard any.
    fn heard(&mut self) -> Vec<(String, usize)> {
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

    fn takes_down(self) {
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
fn at<const N: usize>(places: [&str; N], frames: usize) -> Vec<(String, usize)> {
    places.map(|place| (place.to_owned(), frames)).into()
}

/// What every way does in a test of its own.
fn each_way(test: &str, body: fn(&mut Scene, Way)) {
    isolated(&format!("faults::{test}"), || {
        for way in WAYS {
            let mut scene = Scene::new(way);
            body(&mut scene, way);
            scene.takes_down();
        }
    });
}

/// Frames that left, frames that were lost, and the latest reason.
fn balance(record: &Record) -> (u32, u32, Option<SendFault>) {
    let measured = record.measured;
    assert_eq!(measured.early_frames, 0);
    (measured.frames, measured.lost_frames, measured.latest_fault)
}

#[test]
fn a_tap_that_is_down_is_waited_for() {
    each_way("a_tap_that_is_down_is_waited_for", |scene, way| {
        ip(&["link set vnet1 down"]);
        scene.runs();
        let fault = match way {
            (RouteChoice::Injection, "on") => SendFault::NetDown,
            _ => SendFault::NotForwarding,
        };
        assert_eq!(scene.driver.counted(), [(fault, 1)], "{way:?}");
        scene.driver.run(Duration::from_millis(100));
        assert_eq!(scene.heard(), [], "{way:?}");
        ip(&["link set vnet1 up"]);
        settle();
        scene.driver.run(Duration::from_millis(100));
        assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
        let record = scene.driver.ended(GUEST);
        let (frames, lost, latest) = balance(&record);
        assert_eq!((frames, lost), (2, 0), "{way:?}");
        // What the injection could not tell, the second look did.
        let known = if way == WAYS[0] {
            SendFault::NoCarrier
        } else {
            fault
        };
        assert_eq!(latest, Some(known), "{way:?}");
        assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
        assert!(peer_reaches_guest());
    });
}

#[test]
fn a_tap_that_stays_down_is_told() {
    each_way("a_tap_that_stays_down_is_told", |scene, way| {
        ip(&["link set vnet1 down"]);
        scene.runs();
        scene.driver.run(Duration::from_millis(1_400));
        assert_eq!(scene.heard(), [], "{way:?}");
        // The second round, and with an injection the second look at the first.
        let looks = if way == WAYS[0] { 2 } else { 1 };
        assert_eq!(scene.driver.faults(SendFault::NoCarrier), looks, "{way:?}");
        assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"), "{way:?}");
        let guests = scene.driver.hot.engine().snapshot().guests;
        assert!(guests.iter().any(|view| view.uuid == GUEST && view.staged));
    });
}

#[test]
fn a_tap_that_is_deleted_and_made_anew() {
    each_way("a_tap_that_is_deleted_and_made_anew", |scene, way| {
        ip(&["link del vnet1"]);
        scene.runs();
        assert_eq!(scene.driver.counted(), [(SendFault::NoDevice, 1)]);
        scene.driver.run(Duration::from_millis(100));
        assert_eq!(scene.heard(), [], "{way:?}");
        ip(&[
            "link add vnet1 type veth peer name guest1",
            "link set vnet1 master br0",
            "link set vnet1 up",
            "link set guest1 up",
        ]);
        settle();
        let record = scene.driver.ended(GUEST);
        let told = (1, 1, Some(SendFault::NoDevice));
        assert_eq!(balance(&record), told, "{way:?}");
        assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
        assert!(peer_reaches_guest());
    });
}

#[test]
fn a_tap_that_is_deleted_for_good() {
    each_way("a_tap_that_is_deleted_for_good", |scene, way| {
        ip(&["link del vnet1"]);
        scene.runs();
        let record = scene.driver.ended(GUEST);
        let told = (0, 1, Some(SendFault::NoDevice));
        assert_eq!(balance(&record), told, "{way:?}");
        assert_eq!(scene.heard(), [], "{way:?}");
        assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"), "{way:?}");
    });
}

/// The name alone is another: until the agent hears of it, its frames enter by the same device.
#[test]
fn a_tap_that_is_renamed() {
    each_way("a_tap_that_is_renamed", |scene, way| {
        let rename = |from: &str, to: &str| {
            ip(&[
                &format!("link set {from} down"),
                &format!("link set {from} name {to}"),
                &format!("link set {to} up"),
            ]);
            settle();
        };
        rename("vnet1", "tap7");
        scene.runs();
        assert_eq!(scene.driver.counted(), []);
        assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
        assert_eq!(port_of("br0", MAC).as_deref(), Some("tap7"), "{way:?}");
        scene.driver.run(Duration::from_millis(100));
        let refused = |scene: &Scene| {
            let snapshot = scene.driver.hot.engine().snapshot();
            let view = snapshot.guests.into_iter().find(|view| view.uuid == GUEST);
            view.unwrap().refused.len()
        };
        assert_eq!(refused(scene), 1, "nobody has the name: {way:?}");
        rename("tap7", "vnet1");
        let record = scene.driver.ended(GUEST);
        assert_eq!(balance(&record), (2, 0, None), "{way:?}");
        assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
    });
}

/// A frame by the tap itself enters the bridge that the tap is on, which is where the guest is. A
/// frame on the bridge that the tap has left would be wrong.
#[test]
fn a_tap_that_changes_its_bridge() {
    each_way("a_tap_that_changes_its_bridge", |scene, way| {
        ip(&["link set vnet1 master br1"]);
        sh(&format!("bridge link set dev vnet1 learning {}", way.1));
        settle();
        scene.runs();
        let injected = way == WAYS[0];
        let told = if injected {
            Vec::new()
        } else {
            vec![(SendFault::NotForwarding, 1)]
        };
        assert_eq!(scene.driver.counted(), told, "{way:?}");
        let first = if injected { at(ON_BR1, 1) } else { Vec::new() };
        assert_eq!(scene.heard(), first, "{way:?}");
        let record = scene.driver.ended(GUEST);
        assert_eq!(record.measured.lost_frames, 0, "{way:?}");
        assert_eq!(scene.heard(), at(ON_BR1, 1), "{way:?}");
        assert_eq!(port_of("br1", MAC).as_deref(), Some("vnet1"), "{way:?}");
        assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"), "{way:?}");
    });
}

/// Another network namespace, with a bridge that floods to `far` in this one.
struct Elsewhere(Child);

impl Elsewhere {
    fn new() -> Self {
        let holder = Command::new("unshare")
            .args(["--net", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let elsewhere = Self(holder);
        while sh(&format!("readlink /proc/{}/ns/net", elsewhere.0.id()))
            == sh("readlink /proc/self/ns/net")
        {
            thread::sleep(Duration::from_millis(5));
        }
        ip(&[
            "link add far type veth peer name p-far",
            "link set far up",
            &format!("link set p-far netns {}", elsewhere.0.id()),
        ]);
        elsewhere.ip("link add br0 type bridge");
        elsewhere.ip("link set br0 up");
        elsewhere.ip("link set p-far master br0 up");
        elsewhere
    }

    fn ip(&self, arguments: &str) {
        sh(&format!("nsenter --net -t {} ip {arguments}", self.0.id()));
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_tap_that_moves_to_another_namespace() {
    each_way("a_tap_that_moves_to_another_namespace", |scene, way| {
        let elsewhere = Elsewhere::new();
        ip(&[&format!("link set vnet1 netns {}", elsewhere.0.id())]);
        elsewhere.ip("link set vnet1 master br0 up");
        settle();
        scene.ears.push(Ear::at("far"));
        scene.ears.push(Ear::at("guest1"));
        scene.runs();
        assert_eq!(scene.driver.counted(), [(SendFault::NoDevice, 1)]);
        scene.driver.run(Duration::from_millis(100));
        assert_eq!(scene.heard(), [], "{way:?}");
        elsewhere.ip(&format!("link set vnet1 netns {}", std::process::id()));
        ip(&["link set vnet1 master br0 up", "link set guest1 up"]);
        settle();
        let record = scene.driver.ended(GUEST);
        let told = (1, 1, Some(SendFault::NoDevice));
        assert_eq!(balance(&record), told, "{way:?}");
        let mut heard = at(ON_BR0, 1);
        // Out of the bridge device, the guest hears its own announcement, too.
        if way.0 == RouteChoice::Fdb {
            heard.push(("guest1".to_owned(), 1));
        }
        assert_eq!(scene.heard(), heard, "{way:?}");
        ip(&["link del far"]);
    });
}

/// A queue that has room for no frame at all.
const TINY: &str = "root bfifo limit 1";

#[test]
fn a_full_queue_of_the_bridge_device() {
    each_way("a_full_queue_of_the_bridge_device", |scene, way| {
        sh(&format!("tc qdisc add dev br0 {TINY}"));
        scene.runs();
        if way.0 == RouteChoice::Injection {
            // An injection does not leave by the bridge device.
            assert_eq!(scene.driver.counted(), [], "{way:?}");
            assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
        } else {
            assert_eq!(scene.driver.counted(), [(SendFault::NoBuffers, 1)]);
            assert_eq!(scene.heard(), [], "{way:?}");
            sh("tc qdisc del dev br0 root");
            // A frame is tried again within milliseconds, long before the next round.
            scene.driver.run(Duration::from_millis(100));
            assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
        }
        let record = scene.driver.ended(GUEST);
        assert_eq!(balance(&record).0, 2, "{way:?}");
        assert_eq!(record.measured.lost_frames, 0, "{way:?}");
        assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
    });
}

#[test]
fn a_queue_of_the_bridge_device_that_stays_full_costs_a_round() {
    each_way(
        "a_queue_of_the_bridge_device_that_stays_full_costs_a_round",
        |scene, way| {
            if way.0 == RouteChoice::Injection {
                return;
            }
            sh(&format!("tc qdisc add dev br0 {TINY}"));
            scene.runs();
            scene.driver.run(Duration::from_millis(200));
            // Once, and three times more.
            assert_eq!(scene.driver.counted(), [(SendFault::NoBuffers, 4)]);
            assert_eq!(scene.heard(), [], "{way:?}");
            sh("tc qdisc del dev br0 root");
            let record = scene.driver.ended(GUEST);
            let told = (1, 1, Some(SendFault::NoBuffers));
            assert_eq!(balance(&record), told, "{way:?}");
            assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
        },
    );
}

/// Behind the bridge the kernel tells no one of a frame that it drops: that is what rounds are for.
#[test]
fn a_full_queue_of_the_uplink() {
    each_way("a_full_queue_of_the_uplink", |scene, way| {
        sh(&format!("tc qdisc add dev up0 {TINY}"));
        scene.runs();
        assert_eq!(scene.driver.counted(), [], "{way:?}");
        let inside: Vec<_> = scene.heard().into_iter().map(|(place, _)| place).collect();
        assert!(inside.contains(&"guest9".to_owned()), "{inside:?} {way:?}");
        assert!(!inside.contains(&"fabric".to_owned()), "{inside:?} {way:?}");
        assert_eq!(port_of("br0", MAC).as_deref(), Some("vnet1"), "{way:?}");
        assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-old"), "{way:?}");
        sh("tc qdisc del dev up0 root");
        let record = scene.driver.ended(GUEST);
        assert_eq!(balance(&record), (2, 0, None), "{way:?}");
        assert_eq!(scene.heard(), at(ON_BR0, 1), "{way:?}");
        assert!(peer_reaches_guest());
    });
}
