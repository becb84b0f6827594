//! Uplinks that are more than a port: VLAN devices and bonds between a bridge and its cable.

use macmoved::emit::{EmitSettings, Prepared, RouteChoice};
use macmoved::engine::Round;
use macmoved::model::MacAddr;
use macmoved::wire::Frame;

use crate::world::{
    Ear, MAC, Rig, build, index, ip, isolated, name, peer_reaches_guest, plan, port_of, probe,
    send, settle,
};

/// Both routes, and no word on what is an uplink.
fn settings() -> [EmitSettings; 2] {
    [RouteChoice::Injection, RouteChoice::Fdb].map(|route| EmitSettings {
        route,
        ..EmitSettings::default()
    })
}

/// Puts VLAN 100 on the cable between the bridge and the fabric, and leaves the guest's neighbour,
/// which is no tap, out of the bridge. `lower` carries the VLAN on this host's side.
fn build_tagged(lower: &str) {
    ip(&[
        "link set vnet9 nomaster",
        "link set p-up nomaster",
        "link add link p-up name p-up.100 type vlan id 100",
        "link set p-up.100 master fabric",
        "link set p-up.100 up",
        &format!("link add link {lower} name cable.100 type vlan id 100"),
        "link set cable.100 master br0",
        "link set cable.100 up",
    ]);
    settle();
}

/// A bond of the one cable, whose port `up0` was.
fn build_bond() {
    ip(&[
        "link set up0 down",
        "link set up0 nomaster",
        "link add bond0 type bond mode active-backup miimon 10",
        "link set up0 master bond0",
        "link set bond0 up",
        "link set vnet9 nomaster",
    ]);
    settle();
}

/// What the frame's pacing counts against, and what people are shown.
fn expect_uplink(prepared: &Prepared, pacing: &str, shown: &str) {
    let [frame] = prepared.staging.frames.as_slice() else {
        panic!("{:?}", prepared.staging);
    };
    let numbers: Vec<_> = frame.uplinks.iter().map(|uplink| uplink.get()).collect();
    assert_eq!(numbers, [index(pacing)], "{pacing}");
    assert_eq!(prepared.places()[0].uplinks, [name(shown)]);
}

/// Sends one frame by each route, and checks that everybody learned from it.
fn announce(pacing: &str, shown: &str, fabric_port: &str) {
    for settings in settings() {
        let mut rig = Rig::new(settings);
        let prepared = rig.stage(&plan("vnet1"));
        expect_uplink(&prepared, pacing, shown);
        rig.emitter.insert(prepared);
        send("old", &probe(MAC, MacAddr::BROADCAST));
        settle();
        assert_eq!(port_of("br0", MAC).as_deref(), Some(shown));
        let mut peer = Ear::at("peer");
        assert_eq!(rig.fire(Round::Scheduled(1)), Ok(()));
        assert_eq!(peer.heard_from(MAC), [Frame::rarp(MAC, None).to_vec()]);
        assert_eq!(port_of("br0", MAC).as_deref(), Some("vnet1"));
        assert_eq!(port_of("fabric", MAC).as_deref(), Some(fabric_port));
        assert!(peer_reaches_guest());
    }
}

#[test]
fn a_vlan_device_is_paced_as_the_link_below_it() {
    isolated(
        "uplinks::a_vlan_device_is_paced_as_the_link_below_it",
        || {
            build();
            ip(&["link set up0 nomaster"]);
            build_tagged("up0");
            announce("up0", "cable.100", "p-up.100");
        },
    );
}

#[test]
fn a_bond_is_one_uplink() {
    isolated("uplinks::a_bond_is_one_uplink", || {
        build();
        build_bond();
        ip(&["link set bond0 master br0"]);
        settle();
        announce("bond0", "bond0", "p-up");
    });
}

#[test]
fn a_vlan_device_upon_a_bond_is_paced_as_the_bond() {
    isolated(
        "uplinks::a_vlan_device_upon_a_bond_is_paced_as_the_bond",
        || {
            build();
            build_bond();
            build_tagged("bond0");
            announce("bond0", "cable.100", "p-up.100");
        },
    );
}

#[test]
fn vlan_devices_upon_each_other_end_at_the_cable() {
    isolated(
        "uplinks::vlan_devices_upon_each_other_end_at_the_cable",
        || {
            build();
            ip(&[
                "link set up0 nomaster",
                "link set vnet9 nomaster",
                "link add link up0 name outer type vlan protocol 802.1ad id 7",
                "link add link outer name inner type vlan id 100",
                "link set inner master br0",
                "link set outer up",
                "link set inner up",
            ]);
            settle();
            for settings in settings() {
                let rig = Rig::new(settings);
                expect_uplink(&rig.stage(&plan("vnet1")), "up0", "inner");
            }
        },
    );
}

#[test]
fn bridges_on_vlans_of_one_cable_share_its_pacing() {
    isolated(
        "uplinks::bridges_on_vlans_of_one_cable_share_its_pacing",
        || {
            build();
            ip(&[
                "link set up0 nomaster",
                "link add br1 type bridge",
                "link set br1 up",
                "link set vnet9 master br1",
                "link add link up0 name cable.100 type vlan id 100",
                "link add link up0 name cable.200 type vlan id 200",
                "link set cable.100 master br0",
                "link set cable.200 master br1",
            ]);
            settle();
            let rig = Rig::new(EmitSettings::default());
            expect_uplink(&rig.stage(&plan("vnet1")), "up0", "cable.100");
            expect_uplink(&rig.stage(&plan("vnet9")), "up0", "cable.200");
        },
    );
}
