//! Queues of the kernel that are full when a frame comes, through the real hot path.

use std::time::Duration;

use macmoved::emit::RouteChoice;
use macmoved::model::SendFault;

use crate::scene::{ON_BR0, at, balance, each_way};
use crate::world::{GUEST, MAC, peer_reaches_guest, port_of, sh};

/// A queue that has room for no frame at all.
const TINY: &str = "root bfifo limit 1";

#[test]
fn a_full_queue_of_the_bridge_device() {
    each_way("queues::a_full_queue_of_the_bridge_device", |scene, way| {
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
        "queues::a_queue_of_the_bridge_device_that_stays_full_costs_a_round",
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
    each_way("queues::a_full_queue_of_the_uplink", |scene, way| {
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
