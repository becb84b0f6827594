//! Taps that change between a plan and its frames, through the real hot path.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use macmoved::emit::RouteChoice;
use macmoved::model::SendFault;

use crate::scene::{ON_BR0, ON_BR1, Scene, WAYS, at, balance, each_way};
use crate::world::{Ear, GUEST, MAC, ip, peer_reaches_guest, port_of, settle, sh};

#[test]
fn a_tap_that_is_down_is_waited_for() {
    each_way("faults::a_tap_that_is_down_is_waited_for", |scene, way| {
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
    each_way("faults::a_tap_that_stays_down_is_told", |scene, way| {
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
    each_way(
        "faults::a_tap_that_is_deleted_and_made_anew",
        |scene, way| {
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
        },
    );
}

#[test]
fn a_tap_that_is_deleted_for_good() {
    each_way("faults::a_tap_that_is_deleted_for_good", |scene, way| {
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
    each_way("faults::a_tap_that_is_renamed", |scene, way| {
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
    each_way("faults::a_tap_that_changes_its_bridge", |scene, way| {
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
    each_way(
        "faults::a_tap_that_moves_to_another_namespace",
        |scene, way| {
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
        },
    );
}
