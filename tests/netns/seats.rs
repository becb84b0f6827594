//! Nothing goes to the wrong place: what is staged is another device, or elsewhere, when it fires.
//!
//! ```text
//!  the world's  vnet1 - br0 - up0 - p-up - fabric      and beside it  br1 - up1 - p-up1
//! ```

use macmoved::emit::RouteChoice;
use macmoved::engine::Round;
use macmoved::model::SendFault;

use crate::world::{
    Ear, MAC, Rig, build, guest_talks_at_the_old_host, index, ip, isolated, plan, port_of, settle,
    sh,
};

const ROUTES: [RouteChoice; 2] = [RouteChoice::Injection, RouteChoice::Fdb];

/// Every vantage point that outlives the guest's tap.
const PLACES: [&str; 9] = [
    "old", "peer", "up0", "guest9", "br0", "fabric", "br1", "up1", "p-up1",
];

/// Builds a second bridge with an uplink of its own.
fn build_both() {
    build();
    ip(&[
        "link add br1 type bridge",
        "link add up1 type veth peer name p-up1",
        "link set up1 master br1",
        "link set br1 up",
        "link set up1 up",
        "link set p-up1 up",
    ]);
    settle();
}

/// A veth in the tap's place, for another guest, under this name and number.
fn plug(name: &str, number: u32, bridge: &str) {
    ip(&[
        &format!("link add {name} index {number} type veth peer name guest2"),
        &format!("link set {name} master {bridge}"),
        &format!("link set {name} up"),
        "link set guest2 up",
    ]);
    settle();
}

/// Runs each change under each route, and hears every vantage point while a frame is called for.
fn refuses(test: &str, change: fn()) {
    isolated(&format!("seats::{test}"), || {
        for route in ROUTES {
            build_both();
            guest_talks_at_the_old_host();
            let mut rig = Rig::staged(route);
            rig.follow();
            change();
            rig.follow();
            let mut ears: Vec<Ear> = PLACES.map(Ear::at).into();
            if sh("ip -o link show").contains(" guest2@") {
                ears.push(Ear::at("guest2"));
            }
            for round in [Round::Early, Round::Scheduled(1), Round::Single] {
                assert_eq!(rig.fire(round), Err(SendFault::NoDevice), "{route:?}");
            }
            for ear in &mut ears {
                assert!(ear.heard_from(MAC).is_empty(), "{ear:?} {route:?}");
            }
            settle();
            assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"), "{route:?}");
            assert_eq!(port_of("br1", MAC), None, "{route:?}");
            clear();
        }
    });
}

/// Takes the world down for the next route.
fn clear() {
    for link in ["fabric", "br0", "br1", "old", "peer", "up0", "up1", "vnet9"] {
        ip(&[&format!("link del {link}")]);
    }
    for link in ["vnet1", "tap7", "guest2"] {
        sh(&format!("ip link del {link} 2>/dev/null || true"));
    }
}

#[test]
fn a_tap_that_vanished() {
    refuses("a_tap_that_vanished", || ip(&["link del vnet1"]));
}

#[test]
fn a_name_that_another_guests_tap_got() {
    refuses("a_name_that_another_guests_tap_got", || {
        ip(&["link del vnet1"]);
        plug("vnet1", 900, "br0");
    });
}

#[test]
fn a_name_and_number_that_another_guests_tap_got() {
    refuses("a_name_and_number_that_another_guests_tap_got", || {
        let number = index("vnet1");
        ip(&["link del vnet1"]);
        plug("vnet1", number, "br0");
        assert_eq!(index("vnet1"), number);
    });
}

#[test]
fn a_number_that_another_device_got() {
    refuses("a_number_that_another_device_got", || {
        let number = index("vnet1");
        ip(&["link del vnet1"]);
        plug("tap7", number, "br0");
        assert_eq!(index("tap7"), number);
    });
}

#[test]
fn a_renamed_tap() {
    refuses("a_renamed_tap", || {
        ip(&[
            "link set vnet1 down",
            "link set vnet1 name tap7",
            "link set tap7 up",
        ]);
        settle();
    });
}

#[test]
fn a_tap_on_another_bridge() {
    refuses("a_tap_on_another_bridge", || {
        ip(&["link set vnet1 master br1"]);
        settle();
    });
}

#[test]
fn a_tap_that_left_its_bridge() {
    refuses("a_tap_that_left_its_bridge", || {
        ip(&["link set vnet1 nomaster"]);
        settle();
    });
}

#[test]
fn a_tap_on_another_bridge_that_was_resolved_anew_speaks_there_alone() {
    isolated(
        "seats::a_tap_on_another_bridge_that_was_resolved_anew_speaks_there_alone",
        || {
            build_both();
            guest_talks_at_the_old_host();
            for route in ROUTES {
                ip(&["link set vnet1 master br0"]);
                settle();
                let mut rig = Rig::staged(route);
                ip(&["link set vnet1 master br1"]);
                settle();
                rig.follow();
                let prepared = rig.stage(&plan("vnet1"));
                rig.emitter.insert(prepared);
                let mut there: Vec<Ear> = ["br1", "p-up1"].map(Ear::at).into();
                let mut elsewhere: Vec<Ear> = ["old", "peer", "up0", "guest9", "br0", "fabric"]
                    .map(Ear::at)
                    .into();
                rig.fire(Round::Scheduled(1)).unwrap();
                for ear in &mut there {
                    assert_eq!(ear.heard_from(MAC).len(), 1, "{ear:?} {route:?}");
                }
                for ear in &mut elsewhere {
                    assert!(ear.heard_from(MAC).is_empty(), "{ear:?} {route:?}");
                }
                assert_eq!(port_of("br1", MAC).as_deref(), Some("vnet1"));
            }
        },
    );
}
