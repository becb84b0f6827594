//! Bridges that filter VLANs: the guest's port is in VLAN 100 untagged and in 200 tagged, its
//! neighbour in 200, the peer in 100.

use macmoved::emit::{Route, RouteChoice};
use macmoved::engine::Round;
use macmoved::model::{Refusal, SendFault, VlanId};
use macmoved::sys::clock;
use macmoved::wire::Frame;

use crate::retractions::{HOST, address, unarps};
use crate::world::{
    Ear, MAC, Rig, build, guest_talks_at_the_old_host, isolated, name, peer_reaches_guest, plan,
    settings, settle, sh, ticket,
};

fn build_filtering() {
    build();
    for bridge in ["br0", "fabric"] {
        sh(&format!(
            "ip link set {bridge} type bridge vlan_filtering 1"
        ));
    }
    for (port, vlans) in [
        ("vnet1", ["100 pvid untagged", "200"].as_slice()),
        ("vnet9", &["200 pvid untagged"]),
        ("up0", &["100", "200"]),
        ("p-up", &["100", "200"]),
        ("p-old", &["100 pvid untagged"]),
        ("p-peer", &["100 pvid untagged"]),
    ] {
        sh(&format!("bridge vlan del vid 1 dev {port}"));
        for vlan in vlans {
            sh(&format!("bridge vlan add vid {vlan} dev {port}"));
        }
    }
}

/// The port of `bridge` behind which the guest is in VLAN `vlan`.
fn port_in(bridge: &str, vlan: u16) -> Option<String> {
    let table = sh(&format!("bridge fdb show br {bridge}"));
    let line = table.lines().find(|line| {
        line.starts_with(&format!("{MAC} ")) && line.contains(&format!(" vlan {vlan} "))
    })?;
    Some(line.split_whitespace().nth(2)?.to_owned())
}

/// Sends every frame that is staged, and checks that all of both VLANs learned.
fn fire_all(rig: &mut Rig) {
    guest_talks_at_the_old_host();
    assert_eq!(port_in("br0", 100).as_deref(), Some("up0"));
    let (mut peer, mut neighbour) = (Ear::at("peer"), Ear::at("guest9"));
    for frame in 0..2 {
        let mut ticket = ticket(Round::Scheduled(1));
        ticket.frame = frame;
        assert_eq!(rig.emitter.fire(&ticket, clock::now()), Ok(()));
    }
    // Each hears its own VLAN's frame and not the other's.
    assert_eq!(peer.heard_from(MAC).len(), 1);
    assert_eq!(neighbour.heard_from(MAC).len(), 1);
    for vlan in [100, 200] {
        assert_eq!(port_in("br0", vlan).as_deref(), Some("vnet1"), "{vlan}");
        assert_eq!(port_in("fabric", vlan).as_deref(), Some("p-up"), "{vlan}");
    }
    assert!(peer_reaches_guest());
    // Nothing was put where the guest is not.
    assert_eq!(port_in("br0", 1), None);
    sh(&format!("bridge fdb del {MAC} dev vnet1 master vlan 200"));
}

fn staged(rig: &Rig) -> Vec<(Option<VlanId>, usize, Route)> {
    let prepared = rig.emitter.prepared(crate::world::GUEST).unwrap();
    prepared
        .frames()
        .map(|(staged, octets, route)| (staged.vlan, octets.len(), route))
        .collect()
}

fn vlan(number: u16) -> VlanId {
    VlanId::try_from(number).unwrap()
}

#[test]
fn every_vlan_of_the_port_is_announced_by_injection() {
    isolated(
        "vlans::every_vlan_of_the_port_is_announced_by_injection",
        || {
            build_filtering();
            for learning in ["on", "off"] {
                sh(&format!("bridge link set dev vnet1 learning {learning}"));
                let mut rig = Rig::staged(RouteChoice::Injection);
                let way = match learning {
                    "on" => Route::Injection,
                    _ => Route::EntryAndInjection,
                };
                let expected = [(Some(vlan(100)), 60, way), (Some(vlan(200)), 64, way)];
                assert_eq!(staged(&rig), expected);
                fire_all(&mut rig);
            }
        },
    );
}

#[test]
fn by_the_bridge_device_only_its_own_vlans_are_announced() {
    isolated(
        "vlans::by_the_bridge_device_only_its_own_vlans_are_announced",
        || {
            build_filtering();
            let rig = Rig::new(settings(RouteChoice::Fdb));
            let prepared = rig.stage(&plan("vnet1"));
            assert_eq!(prepared.staging.frames, []);
            let outside = |number| Refusal::BridgeOutsideVlan {
                bridge: name("br0"),
                vlan: vlan(number),
            };
            let refused = [(0, outside(100)), (0, outside(200))];
            assert_eq!(prepared.staging.refused, refused);

            sh("bridge vlan add vid 100 dev br0 self");
            sh("bridge vlan add vid 200 pvid untagged dev br0 self");
            let mut rig = Rig::staged(RouteChoice::Fdb);
            let way = Route::EntryAndBridge;
            let expected = [(Some(vlan(100)), 64, way), (Some(vlan(200)), 60, way)];
            assert_eq!(staged(&rig), expected);
            fire_all(&mut rig);
        },
    );
}

#[test]
fn ports_and_bridges_without_vlans_are_read_as_such() {
    isolated(
        "vlans::ports_and_bridges_without_vlans_are_read_as_such",
        || {
            build_filtering();
            sh("bridge vlan del vid 1 dev br0 self");
            sh("bridge vlan add vid 300-400 dev vnet9");
            let mut rig = Rig::staged(RouteChoice::Injection);
            fire_all(&mut rig);
            for vlan in [100, 200] {
                sh(&format!("bridge vlan del vid {vlan} dev vnet1"));
            }
            let prepared = rig.stage(&plan("vnet1"));
            let refusal = Refusal::NoVlan(name("vnet1"));
            assert_eq!(prepared.staging.refused, [(0, refusal)]);
            let prepared = rig.stage(&plan("vnet9"));
            assert_eq!(prepared.staging.frames.len(), 64);
            assert_eq!(prepared.staging.refused, [(0, Refusal::TooMany)]);
            rig.emitter.insert(prepared);
            rig.follow();
            assert_eq!(rig.fire(Round::Scheduled(1)), Ok(()));
            settle();
            assert!(!rig.emitter.brake().safe_mode());
            let mut ticket = ticket(Round::Scheduled(1));
            ticket.frame = 64;
            let beyond = rig.emitter.fire(&ticket, clock::now());
            assert_eq!(beyond, Err(SendFault::NotStaged));
        },
    );
}

#[test]
fn an_address_is_retracted_in_the_guests_vlan_also_where_the_bridge_is_not_in_it() {
    isolated(
        "vlans::an_address_is_retracted_in_the_guests_vlan_also_where_the_bridge_is_not_in_it",
        || {
            build_filtering();
            sh(&format!("ip link set br0 address {HOST}"));
            for (joins, local) in [(false, 0), (true, 1)] {
                if joins {
                    sh("bridge vlan add vid 100 dev br0 self");
                    sh("bridge vlan add vid 200 pvid untagged dev br0 self");
                }
                let mut rig = Rig::staged(RouteChoice::Injection);
                let (mut peer, mut neighbour) = (Ear::at("peer"), Ear::at("guest9"));
                let octets = Frame::unarp(HOST, address(), None).to_vec();
                for frame in [0, 1] {
                    let mut ticket = ticket(Round::Retraction(address()));
                    ticket.frame = frame;
                    assert_eq!(rig.emitter.fire(&ticket, clock::now()), Ok(()));
                    // The peer is in VLAN 100 and the neighbour on the own bridge in 200.
                    let expected = if frame == 0 {
                        vec![octets.clone()]
                    } else {
                        vec![]
                    };
                    assert_eq!(unarps(&mut peer), expected, "frame {frame}, {joins}");
                    let heard = unarps(&mut neighbour).len();
                    assert_eq!(
                        heard,
                        if frame == 1 { local } else { 0 },
                        "{frame}, {joins}"
                    );
                }
            }
        },
    );
}
