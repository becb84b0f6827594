//! UNARPs in VLANs: the entry is on the VLAN device, on the bridge, or on the bond.

use macmoved::model::MacAddr;

use crate::honour::{HOLDER, Listener, enter, entry, tagged, unarp, world};
use crate::world::{ip, isolated, send, settle, sh};

const OTHER: MacAddr = MacAddr::new([2, 0, 0, 0, 0xc5, 2]);

fn pair() {
    ip(&[
        "link set lo up",
        "link add near type veth peer name far",
        "link set near up",
        "link set far up",
    ]);
}

#[test]
fn a_vlan_device_hears_its_own_vlan_and_has_the_entry() {
    isolated(
        "unarp_vlans::a_vlan_device_hears_its_own_vlan_and_has_the_entry",
        || {
            pair();
            for (device, vlan, more) in [("v100", 100, ""), ("v200", 200, "reorder_hdr off")] {
                sh(&format!(
                    "ip link add link near name {device} type vlan id {vlan} {more}"
                ));
                sh(&format!("ip link set {device} up"));
            }
            settle();
            let listener = Listener::start(&["10.0.0.0/24"]);
            // The same address on every device is an entry each.
            for device in ["near", "v100", "v200"] {
                enter(device, "10.0.0.50", HOLDER, "nud reachable");
            }
            let left = || {
                let is_there = |device: &&str| !entry(device, "10.0.0.50").is_empty();
                let devices = ["near", "v100", "v200"];
                devices.into_iter().filter(is_there).collect::<Vec<_>>()
            };
            send("far", &tagged("10.0.0.50", 300));
            assert_eq!(listener.counted(1)["other_host"], 1);
            assert_eq!(left(), ["near", "v100", "v200"]);
            // With a priority, too.
            send("far", &tagged("10.0.0.50", 0xe064));
            assert_eq!(listener.counted(2)["honoured"], 1);
            assert_eq!(left(), ["near", "v200"]);
            send("far", &tagged("10.0.0.50", 200));
            assert_eq!(listener.counted(3)["honoured"], 2);
            assert_eq!(left(), ["near"]);
            send("far", &unarp(HOLDER, "10.0.0.50"));
            assert_eq!(listener.counted(4)["honoured"], 3);
            assert!(left().is_empty());
        },
    );
}

#[test]
fn a_filtering_bridge_and_a_vlan_device_on_it_each_hear_once() {
    isolated(
        "unarp_vlans::a_filtering_bridge_and_a_vlan_device_on_it_each_hear_once",
        || {
            world();
            sh("ip link set br0 type bridge vlan_filtering 1");
            sh("bridge vlan add vid 100 dev up0");
            sh("bridge vlan add vid 100 dev br0 self");
            sh("ip link add link br0 name br0.100 type vlan id 100");
            sh("ip link set br0.100 up");
            settle();
            let listener = Listener::start(&["10.0.0.0/24"]);
            for device in ["br0", "br0.100"] {
                enter(device, "10.0.0.50", HOLDER, "nud reachable");
                enter(device, "10.0.0.51", OTHER, "nud reachable");
            }
            send("peer", &tagged("10.0.0.50", 100));
            assert_eq!(listener.counted(1)["honoured"], 1);
            assert_eq!(entry("br0.100", "10.0.0.50"), "");
            assert!(entry("br0", "10.0.0.50").contains(&HOLDER.to_string()));
            send("peer", &unarp(HOLDER, "10.0.0.50"));
            assert_eq!(listener.counted(2)["honoured"], 2);
            assert_eq!(entry("br0", "10.0.0.50"), "");
            for frame in [tagged("10.0.0.51", 100), unarp(HOLDER, "10.0.0.51")] {
                send("peer", &frame);
            }
            assert_eq!(listener.counted(4)["other_mac"], 2);
            // In a VLAN that the bridge's own port is not in, nothing comes up.
            send("peer", &tagged("10.0.0.51", 300));
            settle();
            listener.counted(4);
        },
    );
}

#[test]
fn a_bond_hears_what_its_members_hear_once() {
    isolated(
        "unarp_vlans::a_bond_hears_what_its_members_hear_once",
        || {
            pair();
            ip(&[
                "link set near down",
                "link add bond0 type bond mode active-backup",
                "link set near master bond0",
                "link set bond0 up",
                "link set near up",
            ]);
            settle();
            let listener = Listener::start(&["10.0.0.0/24"]);
            enter("bond0", "10.0.0.50", HOLDER, "nud reachable");
            send("far", &unarp(HOLDER, "10.0.0.50"));
            assert_eq!(listener.counted(1)["honoured"], 1);
            assert_eq!(entry("bond0", "10.0.0.50"), "");
            settle();
            listener.counted(1);
        },
    );
}
